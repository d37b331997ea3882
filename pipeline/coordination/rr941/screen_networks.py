"""Networks to be screened: a table with a row for each assignment, or a folder with a file for each network.

Own networks and those of a special section come in the same form. The description of a field is what an error
message gives as allowed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationError

from pipeline.config.coordination import SatelliteService
from pipeline.config.load import read_model
from pipeline.coordination.rr941.antenna_patterns import SEGMENTS, pattern_segments
from pipeline.coordination.rr941.networks import Assignment, Direction, EarthStation, Network
from pipeline.errors import InputError, fault_of_value
from pipeline.rows.row_models import MAY_BE_EMPTY, IdCell, NumberCell, StrippedRow, read_rows

POLARISATIONS = ("LHC", "RHC", "L", "NA")
_Service = Annotated[SatelliteService, Field(description="FSS, BSS, MSS or METSAT")]
_Optional = Annotated[float | None, MAY_BE_EMPTY]
_MOST_ASSIGNMENTS = 1_000_000


class ScreenedAssignment(Assignment):
    """An assignment and the group that it belongs to (none: a group of its own)."""

    group: str = ""


class ScreenedNetwork(Network):
    """A network with its service."""

    service: _Service = "FSS"
    assignments: Annotated[tuple[ScreenedAssignment, ...], Field(min_length=1, description="one or more")]


class _AssignmentRow(StrippedRow):
    network: IdCell
    adm: IdCell
    longitude_deg: NumberCell
    tolerance_deg: _Optional = None
    service: Annotated[_Service, BeforeValidator(lambda text: text or "FSS")] = "FSS"
    assignment: IdCell
    group: Annotated[str, Field(max_length=64, description="up to 64 characters")] = ""
    direction: Annotated[Direction, Field(description="down or up")]
    frequency_mhz: NumberCell
    bandwidth_khz: NumberCell
    pattern: Annotated[str, Field(description="AP8, S.465, S.580 or S.1428")]
    diameter_m: _Optional = None
    gain_dbi: _Optional = None
    power_density_dbw_hz: NumberCell
    satellite_gain_dbi: NumberCell
    noise_temperature_k: NumberCell
    transmission_gain_db: _Optional = None
    pair_id: str = ""
    polarisation: Annotated[str, BeforeValidator(lambda text: text or "NA")] = "NA"


class FlatNetwork(NamedTuple):
    """A network as arrays over its assignments [n]; ``patterns`` [n, SEGMENTS, 4] of the earth stations.

    ``down`` bool; ``low_mhz``, ``high_mhz``, ``centre_mhz``; ``power_dbw_hz``, ``satellite_dbi``,
    ``noise_db`` 10 log10 of the noise temperature; ``polarisation`` index in ``POLARISATIONS``.
    """

    network: ScreenedNetwork
    down: NDArray[np.bool_]
    low_mhz: NDArray[np.float64]
    high_mhz: NDArray[np.float64]
    centre_mhz: NDArray[np.float64]
    power_dbw_hz: NDArray[np.float64]
    satellite_dbi: NDArray[np.float64]
    noise_db: NDArray[np.float64]
    polarisation: NDArray[np.int64]
    patterns: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Administration and name."""
        return f"{self.network.adm} {self.network.name}"


def read_screened(path: Path) -> list[ScreenedNetwork]:
    """All networks of a table, or of the files ``*.yaml`` and ``*.yml`` of a folder; each name once."""
    if path.is_dir():
        files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
        if not files:
            raise InputError("holds no networks", file=path, allowed="files *.yaml, or a table")
        found = [read_model(file, ScreenedNetwork) for file in files]
    else:
        found = _from_table(path)
    known: set[str] = set()
    for network in found:
        if network.name in known:
            raise InputError("is given twice", file=path, field="network", value=network.name)
        known.add(network.name)
    return found


def _from_table(path: Path) -> list[ScreenedNetwork]:
    rows = read_rows(path, _AssignmentRow)
    if len(rows) > _MOST_ASSIGNMENTS:
        raise InputError("too many assignments", file=path, allowed=f"up to {_MOST_ASSIGNMENTS}")
    by_network: dict[str, list[_AssignmentRow]] = {}
    for row in rows:
        by_network.setdefault(row.network, []).append(row)
    return [_network_of(path, name, own) for name, own in by_network.items()]


def _network_of(path: Path, name: str, rows: Sequence[_AssignmentRow]) -> ScreenedNetwork:
    first = rows[0]
    for row in rows:
        for field in ("adm", "longitude_deg", "tolerance_deg", "service"):
            if getattr(row, field) != getattr(first, field):
                problem = f"differs from the first row of network {name}"
                raise InputError(problem, file=path, row=row.row, field=field, value=getattr(row, field))
    try:
        return ScreenedNetwork(
            adm=first.adm,
            name=name,
            longitude_deg=first.longitude_deg,
            tolerance_deg=first.tolerance_deg or 0.0,
            service=first.service,
            assignments=tuple(_assignment_of(path, row) for row in rows),
        )
    except ValidationError as error:
        raise _fault(path, first, error) from None


def _assignment_of(path: Path, row: _AssignmentRow) -> ScreenedAssignment:
    try:
        return ScreenedAssignment(
            id=row.assignment,
            direction=row.direction,
            frequency_mhz=row.frequency_mhz,
            bandwidth_khz=row.bandwidth_khz,
            earth_station=EarthStation(pattern=row.pattern, diameter_m=row.diameter_m, gain_dbi=row.gain_dbi),
            power_density_dbw_hz=row.power_density_dbw_hz,
            satellite_gain_dbi=row.satellite_gain_dbi,
            noise_temperature_k=row.noise_temperature_k,
            transmission_gain_db=row.transmission_gain_db,
            pair_id=row.pair_id or None,
            polarisation=row.polarisation,
            group=row.group,
        )
    except ValidationError as error:
        raise _fault(path, row, error) from None


def _fault(path: Path, row: _AssignmentRow, error: ValidationError) -> InputError:
    first = error.errors()[0]
    field = str((first["loc"] or ("assignment",))[-1])
    known = {**Network.model_fields, **Assignment.model_fields, **EarthStation.model_fields}.get(field)
    return InputError(
        fault_of_value(first),
        file=path,
        row=row.row,
        field=field,
        value=getattr(row, field, None),
        allowed=None if known is None else known.description,
    )


def flattened(network: ScreenedNetwork) -> FlatNetwork:
    """The arrays of a network."""
    found = network.assignments
    centre_mhz = np.array([a.frequency_mhz for a in found])
    half_mhz = np.array([a.bandwidth_khz for a in found]) / 2000.0
    patterns = [
        pattern_segments(
            a.earth_station.pattern,
            a.frequency_mhz,
            diameter_m=a.earth_station.diameter_m,
            gain_dbi=a.earth_station.gain_dbi,
        )
        for a in found
    ]
    return FlatNetwork(
        network=network,
        down=np.array([a.direction == "down" for a in found]),
        low_mhz=centre_mhz - half_mhz,
        high_mhz=centre_mhz + half_mhz,
        centre_mhz=centre_mhz,
        power_dbw_hz=np.array([a.power_density_dbw_hz for a in found]),
        satellite_dbi=np.array([a.satellite_gain_dbi for a in found]),
        noise_db=np.array([10.0 * math.log10(a.noise_temperature_k) for a in found]),
        polarisation=np.array([POLARISATIONS.index(a.polarisation) for a in found]),
        patterns=np.array(patterns).reshape(len(found), SEGMENTS, 4),
    )
