"""Separation distances by antenna height and e.i.r.p. (47 CFR 15.712(a)(2)): tables, steps of a device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.reference.ratio_tables import ANY
from pipeline.rows.row_models import MAY_BE_EMPTY, NumberCell, SourcedRow, read_rows

RELATIONS = {"co": (0,), "adjacent": (-1, 1)}
"""Channel offsets (device minus DTT) to which the distances of a relation apply."""
SEPARATION_BANDS = {f"separation {relation}": offsets for relation, offsets in RELATIONS.items()}
"""Names of the maps and the offsets at which they apply."""
_NAMES = {"A": "fixed", "B": "portable"}
_Height = Annotated[NumberCell, Field(ge=0, le=5000, description="0 to 5000 m")]
_Distance = Annotated[float, Field(ge=0, le=300)]
# 47 CFR 15.712(a)(2), read at lexfed.com: narrowband devices use the distances of 36 dBm.
_NARROWBAND_MHZ, _NARROWBAND_DBM = 0.1, 36.0


class DistanceStep(NamedTuple):
    """Distance in km that an e.i.r.p. needs; None = none, even inside the contour."""

    eirp_dbm: float
    distance_km: float | None


class DistanceRule(NamedTuple):
    """One row of a table of distances; heights from_m <= h < to_m."""

    device: str
    from_m: float
    to_m: float
    relation: str
    step: DistanceStep


class _DistanceRow(SourcedRow):
    device: Annotated[Literal["*", "fixed", "portable"], Field(description="*, fixed, portable")]
    from_height_m: _Height
    to_height_m: _Height
    relation: Annotated[Literal["co", "adjacent"], Field(description="co, adjacent")]
    eirp_dbm: Annotated[NumberCell, Field(ge=-50, le=60, description="-50 to 60 dBm")]
    distance_km: Annotated[_Distance | None, MAY_BE_EMPTY, Field(description="0 to 300 km or empty")]


def read_distances(path: Path) -> list[DistanceRule]:
    """All rows of a table of separation distances; a line that is wrong is refused."""
    return [
        DistanceRule(
            row.device,
            row.from_height_m,
            row.to_height_m,
            row.relation,
            DistanceStep(row.eirp_dbm, row.distance_km),
        )
        for row in read_rows(path, _DistanceRow)
    ]


def steps_of(rules: Sequence[DistanceRule], device: Device, relation: str, file: Path) -> list[DistanceStep]:
    """Steps of a device in one relation, smallest e.i.r.p. first; refused where the table has none."""
    steps = matching_steps(rules, device, relation, file)
    if not steps:
        raise InputError(
            f"no {relation} separation distance for device {device.id}",
            file=file,
            field="from_height_m",
            value=f"{device.height_m:g} m, {_NAMES[device.type]}",
            allowed="rows for the height of every device",
        )
    return steps


def matching_steps(
    rules: Sequence[DistanceRule], device: Device, relation: str, file: Path
) -> list[DistanceStep]:
    """Steps of a device in one relation, smallest e.i.r.p. first; none where the table has no row.

    The antenna height above ground is taken for the height above average terrain. Rows for the type of device
    take precedence over rows for all.
    """
    name = _NAMES[device.type]
    matching = [r for r in rules if r.relation == relation and r.from_m <= device.height_m < r.to_m]
    steps = [r.step for r in matching if r.device == name] or [r.step for r in matching if r.device == ANY]
    if device.bandwidth_mhz <= _NARROWBAND_MHZ:
        steps = [step for step in steps if step.eirp_dbm >= _NARROWBAND_DBM]
    levels_dbm = [step.eirp_dbm for step in steps]
    if len(set(levels_dbm)) != len(levels_dbm):
        raise InputError("an e.i.r.p. is given twice", file=file, field="eirp_dbm", value=levels_dbm)
    return sorted(steps, key=lambda step: step.eirp_dbm)


def farthest_km(rules: Sequence[DistanceRule]) -> float:
    """The largest distance of a table; 0 without any."""
    return max((rule.step.distance_km or 0.0 for rule in rules), default=0.0)


def largest_separation_km(config: Config, device: Device) -> float:
    """Distance beyond which no contour limits a device."""
    rules = read_distances(config.protection.separation.distances)
    steps = [
        step
        for relation in RELATIONS
        for step in steps_of(rules, device, relation, config.protection.separation.distances)
    ]
    return max(step.distance_km for step in steps if step.distance_km is not None)


def permitted_dbm(
    steps: Sequence[DistanceStep], cap_dbm: float, inside: NDArray[np.bool_], distance_km: NDArray[np.float64]
) -> NDArray[np.float32]:
    """E.i.r.p. by distance from the contour, same shape; -inf = none, +inf where the cap is reached."""
    permitted = np.full(inside.shape, -np.inf, dtype=np.float32)
    for step in steps:
        level_dbm = np.float32(np.inf if step.eirp_dbm >= cap_dbm else step.eirp_dbm)
        kept = True if step.distance_km is None else ~inside & (distance_km >= step.distance_km)
        permitted[np.broadcast_to(kept, inside.shape) & (permitted < level_dbm)] = level_dbm
    return permitted
