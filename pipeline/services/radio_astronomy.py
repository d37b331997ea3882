"""Radio astronomy in 608-614 MHz: telescopes protected by the criteria of Rec. ITU-R RA.769.

The criterion is a power at a receiver behind an antenna of 0 dBi: from the system temperatures, or from a
spectral power flux density where the Recommendation gives one (interferometers, VLBI).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from pipeline.config.incumbents import RadioAstronomy
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.radio.antennas import gain_table_dbi
from pipeline.radio.emission import Band
from pipeline.radio.noise import limit_from_flux_dbm, radiometer_limit_dbm
from pipeline.reference.number_tables import Row, read_number, read_rows
from pipeline.registers.stations import TelescopeRow, read_stations
from pipeline.services.base import BlockLimit, Explanation, ServiceContext
from pipeline.services.codes import LimitingService
from pipeline.services.placing import Receiver, Service
from pipeline.services.points import explain_points, prepare_points

SYSTEM_COLUMNS = ("antenna_k", "receiver_k", "integration_s", "fraction")
COLUMNS = ("criterion", "low_mhz", "high_mhz", "bandwidth_mhz", *SYSTEM_COLUMNS, "flux_dbw_m2_hz")


class Criterion(NamedTuple):
    """Protected band, and the power in it that an antenna of 0 dBi may receive; NaN = not known."""

    band: Band
    limit_dbm: float


def prepare(context: ServiceContext, device: Device, channel: int) -> BlockLimit | None:
    """Limit by all telescopes; None without a register, or where a criterion has no numbers."""
    settings = _settings(context)
    receivers = None if settings is None else receivers_of(settings)
    if settings is None or receivers is None:
        return None
    return prepare_points(context, device, channel, receivers, _service(context, settings))


def explain(context: ServiceContext, device: Device, channel: int, row: int, col: int) -> Explanation | None:
    """Budget of the telescope that decides at a pixel."""
    settings = _settings(context)
    receivers = None if settings is None else receivers_of(settings)
    if settings is None or receivers is None:
        return None
    service = _service(context, settings)
    return explain_points(context, device, channel, receivers, service, (row, col))


def read_criteria(path: Path) -> dict[str, Criterion]:
    """Criteria by name; the band must hold at least the bandwidth that the power refers to."""
    criteria: dict[str, Criterion] = {}
    for row in read_rows(path, COLUMNS):
        name = row.values["criterion"]
        if not name or name in criteria:
            raise InputError("is not a new name", file=path, row=row.line, field="criterion", value=name)
        band = Band(read_number(row, "low_mhz", 30, 6000), read_number(row, "high_mhz", 30, 6000))
        criteria[name] = Criterion(band, _limit_dbm(row, band))
    return criteria


def _limit_dbm(row: Row, band: Band) -> float:
    """The given flux density counts before the system temperatures; NaN where numbers are missing."""
    bandwidth_mhz = read_number(row, "bandwidth_mhz", 0.001, 1000)
    flux_dbw_m2_hz = read_number(row, "flux_dbw_m2_hz", -400, 0, empty=math.nan)
    if not math.isnan(flux_dbw_m2_hz):
        flux_dbw_m2 = flux_dbw_m2_hz + 60.0 + 10.0 * math.log10(bandwidth_mhz)
        return limit_from_flux_dbm(flux_dbw_m2, 0.5 * (band.low_mhz + band.high_mhz), 0.0)
    antenna_k, receiver_k, integration_s, fraction = (
        read_number(row, name, 1e-6, 1e6, empty=math.nan) for name in SYSTEM_COLUMNS
    )
    return radiometer_limit_dbm(antenna_k, receiver_k, bandwidth_mhz, integration_s, fraction)


def receivers_of(settings: RadioAstronomy) -> list[Receiver] | None:
    """The telescopes of the register; None where one's criterion has no numbers."""
    criteria = read_criteria(settings.criteria)
    receivers = []
    for station in read_stations([settings.stations], TelescopeRow):
        if station.criterion not in criteria:
            raise InputError(
                "criterion is not in the table",
                file=settings.stations,
                row=station.id,
                field="criterion",
                value=station.criterion,
                allowed=", ".join(criteria),
            )
        criterion = criteria[station.criterion]
        if math.isnan(criterion.limit_dbm):
            return None
        receivers.append(_receiver(station, criterion, settings.gain_dbi.value))
    return receivers


def _receiver(station: TelescopeRow, criterion: Criterion, gain_dbi: float) -> Receiver:
    centre_mhz = 0.5 * (criterion.band.low_mhz + criterion.band.high_mhz)
    acs_db = math.inf if station.acs_db is None else station.acs_db
    return Receiver(
        id=station.id,
        lon_deg=station.lon,
        lat_deg=station.lat,
        band=criterion.band,
        limit_dbm=criterion.limit_dbm,
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


def _service(context: ServiceContext, settings: RadioAstronomy) -> Service:
    incumbents, exclude_below_dbm = context.config.incumbents, settings.exclude_below_dbm
    return Service(
        LimitingService.RADIO_ASTRONOMY,
        "p1546",
        settings.time_pct.value,
        settings.margin_db,
        -math.inf if exclude_below_dbm is None else exclude_below_dbm,
        incumbents.leakage_floor_dbm_per_100khz.value if incumbents is not None else -math.inf,
    )
