"""Radio astronomy in 608-614 MHz: telescopes protected by the criteria of Rec. ITU-R RA.769.

The criterion is a power at a receiver behind an antenna of 0 dBi: from the system temperatures, or from a
spectral power flux density where the Recommendation gives one (interferometers, VLBI).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from pipeline.budget import Budget
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.incumbents import RadioAstronomy
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.radio.antennas import gain_table_dbi
from pipeline.radio.emission import Band
from pipeline.radio.noise import limit_from_flux_dbm, radiometer_limit_dbm
from pipeline.registers.named_registers import read_stations
from pipeline.registers.stations import TelescopeRow
from pipeline.rows.row_models import MAY_BE_EMPTY, NumberCell, SourcedRow, read_rows, refuse_second
from pipeline.services.base import BlockLimit, ServiceContext
from pipeline.services.coarsening import receivers_shown
from pipeline.services.placing import ReceiverCriteria, leakage_floor_dbm_per_100khz
from pipeline.services.points import explain_points, prepare_points
from pipeline.services.protected_receivers import ProtectedReceiver
from pipeline.services.sections import remarks_without_section
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory

_Frequency = Annotated[NumberCell, Field(ge=30, le=6000, description="30 to 6000 MHz")]
_Flux = Annotated[float, Field(ge=-400, le=0)]
_Positive = Annotated[float, Field(ge=1e-6, le=1e6)]
_OrEmpty = Annotated[_Positive | None, MAY_BE_EMPTY, Field(description="0.000001 to 1000000 or empty")]


class _CriterionRow(SourcedRow):
    criterion: Annotated[str, Field(min_length=1, description="a name")]
    low_mhz: _Frequency
    high_mhz: _Frequency
    bandwidth_mhz: Annotated[NumberCell, Field(ge=0.001, le=1000, description="0.001 to 1000 MHz")]
    antenna_k: _OrEmpty
    receiver_k: _OrEmpty
    integration_s: _OrEmpty
    fraction: _OrEmpty
    flux_dbw_m2_hz: Annotated[
        _Flux | None, MAY_BE_EMPTY, Field(description="-400 to 0 dB(W/(m2 Hz)) or empty")
    ]


class TelescopeCriterion(NamedTuple):
    """Protected band, and the power in it that an antenna of 0 dBi may receive; NaN = not known."""

    band: Band
    i_max_dbm: float


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit | None:
    """Limit by all telescopes; None without a register, or where a criterion has no numbers."""
    settings = _settings(context)
    receivers = None if settings is None else receivers_of(settings)
    if settings is None or receivers is None:
        return None
    shown = receivers_shown(context, receivers)
    return prepare_points(context, device, channel, shown, _criteria(service, context, settings))


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """Budget of the limiting telescope at a pixel."""
    settings = _settings(context)
    receivers = None if settings is None else receivers_of(settings)
    if settings is None or receivers is None:
        return None
    criteria = _criteria(service, context, settings)
    return explain_points(context, device, channel, receivers_shown(context, receivers), criteria, (row, col))


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read telescopes and criteria, refused if faulty; how many telescopes there are."""
    if config.incumbents is not None and config.incumbents.radio_astronomy is not None:
        telescopes = receivers_of(config.incumbents.radio_astronomy)
        found = "a criterion has no numbers" if telescopes is None else f"{len(telescopes)} telescopes"
        yield f"  astronomy     {found}"
    yield from remarks_without_section(service, config)


def read_criteria(path: Path) -> dict[str, TelescopeCriterion]:
    """Criteria by name; the band must hold at least the bandwidth that the power refers to."""
    rows = read_rows(path, _CriterionRow)
    refuse_second(path, rows, ("criterion",))
    return {
        row.criterion: TelescopeCriterion(Band(row.low_mhz, row.high_mhz), _limit_dbm(row)) for row in rows
    }


def _limit_dbm(row: _CriterionRow) -> float:
    """The given flux density counts before the system temperatures; NaN where numbers are missing."""
    if row.flux_dbw_m2_hz is not None:
        flux_dbw_m2 = row.flux_dbw_m2_hz + 60.0 + 10.0 * math.log10(row.bandwidth_mhz)
        return limit_from_flux_dbm(flux_dbw_m2, 0.5 * (row.low_mhz + row.high_mhz), 0.0)
    given = (row.antenna_k, row.receiver_k, row.integration_s, row.fraction)
    antenna_k, receiver_k, integration_s, fraction = (math.nan if x is None else x for x in given)
    return radiometer_limit_dbm(antenna_k, receiver_k, row.bandwidth_mhz, integration_s, fraction)


def receivers_of(settings: RadioAstronomy) -> list[ProtectedReceiver] | None:
    """The telescopes of the register; None where one's criterion has no numbers."""
    criteria = read_criteria(settings.criteria)
    receivers = []
    for station in read_stations([settings.stations], TelescopeRow):
        if station.criterion not in criteria:
            raise InputError(
                "criterion is not in the table",
                file=station.file,
                row=station.row,
                field="criterion",
                value=station.criterion,
                allowed=", ".join(criteria),
            )
        criterion = criteria[station.criterion]
        if math.isnan(criterion.i_max_dbm):
            return None
        receivers.append(_receiver(station, criterion, settings.gain_dbi.value))
    return receivers


def _receiver(station: TelescopeRow, criterion: TelescopeCriterion, gain_dbi: float) -> ProtectedReceiver:
    centre_mhz = 0.5 * (criterion.band.low_mhz + criterion.band.high_mhz)
    acs_db = math.inf if station.acs_db is None else station.acs_db
    return ProtectedReceiver(
        id=station.id,
        lon_deg=station.lon,
        lat_deg=station.lat,
        band=criterion.band,
        i_max_dbm=criterion.i_max_dbm,
        gain_dbi=gain_table_dbi("", gain_dbi, centre_mhz),
        azimuth_deg=0.0,
        feeder_db=0.0,
        height_m=station.antenna_height_m,
        acs_db=acs_db,
        coastal=station.coastal,
    )


def _settings(context: ServiceContext) -> RadioAstronomy | None:
    incumbents = context.config.incumbents
    return None if incumbents is None else incumbents.radio_astronomy


def _criteria(service: ServiceRow, context: ServiceContext, settings: RadioAstronomy) -> ReceiverCriteria:
    exclude_below_dbm = settings.exclude_below_dbm
    return ReceiverCriteria(
        service.code,
        "p1546",
        settings.time_pct.value,
        settings.margin_db,
        -math.inf if exclude_below_dbm is None else exclude_below_dbm,
        leakage_floor_dbm_per_100khz(context.config),
        context.config.protection.device_path,
    )
