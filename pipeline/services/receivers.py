"""Land mobile, PPDR, fixed links, systems of the band: receivers protected by I/N, four rows of the table.

Land mobile (I/N -6 dB) and PPDR (-10 dB; Rec. ITU-R M.1808) stand below and above the television band, fixed
links (-20 dB for all devices together; Rec. ITU-R F.1565-1, a fraction of 1 %) at their filed sites. I_max is
the noise plus the permitted I/N. What reaches a receiver is the leakage of the device and, through the
receiver's selectivity, its whole power; one within the device's channel takes in its fraction of the power.
The antenna is that of Rec. ITU-R F.699 or the filed pattern; F.1245, which averages side lobes, begins at
1 GHz and does not apply here. Receivers stand at places of a register, or anywhere: then each is protected at
a smallest distance from every pixel, with its full gain towards the device.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from pipeline.budget import Budget, Term
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.incumbents import FixedLinks, Receivers
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.propagation.homogeneous import DevicePath, exact_loss_db
from pipeline.radio.antennas import gain_table_dbi
from pipeline.radio.coupling import coupling_of, floors_in, permitted_dbm
from pipeline.radio.emission import Band
from pipeline.radio.noise import interference_limit_dbm
from pipeline.registers.named_registers import read_stations
from pipeline.registers.stations import ReceiverRow, UnplacedReceiverRow
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, lower, unlimited
from pipeline.services.coarsening import receivers_shown
from pipeline.services.placing import (
    ReceiverCriteria,
    emission_of,
    leakage_floor_dbm_per_100khz,
    outside_km,
    place_receivers,
)
from pipeline.services.points import explain_points, prepare_points
from pipeline.services.protected_receivers import ProtectedReceiver
from pipeline.services.sections import is_concerned, remarks_without_section
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory

# Registers are read anew for each device; the antennas in them stay the same.
_gain_table_dbi = lru_cache(maxsize=1024)(gain_table_dbi)


class _AreaReceiverRow(UnplacedReceiverRow, SourcedRow):
    """A kind of receiver without a place, on land."""

    separation_m: Annotated[NumberCell, Field(ge=1, le=100_000, description="1 to 100000 m")]


class AreaReceiver(NamedTuple):
    """A receiver that may stand anywhere, ``separation_m`` from any device or farther."""

    receiver: ProtectedReceiver
    separation_m: float


class ServiceReceivers(NamedTuple):
    """All receivers of a service, at known places and anywhere."""

    placed: list[ProtectedReceiver]
    anywhere: list[AreaReceiver]


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit | None:
    """Limit by the receivers of a service; None without its section, in the bands that it concerns."""
    settings = _settings(service, context.config)
    if settings is None:
        return None if is_concerned(service, context.config, device, channel) else unlimited
    criteria = _criteria(service, context.config, settings)
    return prepare_receivers(context, device, channel, read_victims(settings), criteria)


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """Budget of the limiting receiver at a pixel."""
    settings = _settings(service, context.config)
    if settings is None:
        return None
    criteria = _criteria(service, context.config, settings)
    return explain_receivers(context, device, channel, read_victims(settings), criteria, (row, col))


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read registers and table, refused if faulty; how many receivers there are."""
    settings = _settings(service, config)
    if settings is not None:
        found = read_victims(settings)
        counts = f"{len(found.placed)} receivers, {len(found.anywhere)} assumed anywhere"
        yield f"  {service.name:<13} {counts}"
    yield from remarks_without_section(service, config)


def margin_of_receivers_km(service: ServiceRow, context: ServiceContext) -> float:
    """How far beyond the grid of ``context`` receivers of a service stand that limit a device on it; else 0.

    Reached along the smaller loss of land and sea: no map is read.
    """
    settings = _settings(service, context.config)
    if not isinstance(settings, Receivers | FixedLinks):
        return 0.0
    criteria = _criteria(service, context.config, settings)
    receivers = [receiver._replace(coastal=True) for receiver in read_victims(settings).placed]
    near = (
        (placed, outside_km(placed, context.grid))
        for device in context.config.devices
        for channel in context.config.channels_of(device)
        for placed in place_receivers(context, device, channel, receivers, criteria)
    )
    return max((far_km for placed, far_km in near if far_km <= placed.reach_km), default=0.0)


def _settings(service: ServiceRow, config: Config) -> Receivers | FixedLinks | None:
    """The section that has the name of the row."""
    return None if config.incumbents is None else getattr(config.incumbents, service.name)


def _criteria(service: ServiceRow, config: Config, settings: Receivers | FixedLinks) -> ReceiverCriteria:
    """What the receivers of a service share; several devices at one fixed link share its I/N."""
    several_db = (
        10.0 * math.log10(settings.effective_devices)
        if isinstance(settings, FixedLinks)
        else settings.margin_db
    )
    return ReceiverCriteria(
        service.code,
        settings.model,
        settings.time_pct.value,
        several_db,
        floor_dbm_per_100khz=leakage_floor_dbm_per_100khz(config),
        device_path=config.protection.device_path,
    )


def read_victims(settings: Receivers | FixedLinks) -> ServiceReceivers:
    """The receivers that a section names, with their interference limits."""
    i_n_db = settings.i_n_db.value
    rows = read_stations(settings.registers, ReceiverRow)
    area_wide = settings.area_wide if isinstance(settings, Receivers) else None
    return ServiceReceivers(
        [receiver_of(row, i_n_db) for row in rows],
        [] if area_wide is None else read_area_receivers(area_wide, i_n_db),
    )


def receiver_of(row: ReceiverRow, i_n_db: float) -> ProtectedReceiver:
    """A register row as a victim."""
    half_mhz = 0.5 * row.bandwidth_mhz
    try:
        gain_dbi = _gain_table_dbi(row.pattern, row.gain_dbi, row.f_mhz)
    except InputError as error:
        raise InputError(
            error.problem, row=row.id, field="pattern", value=error.value, allowed=error.allowed
        ) from None
    return ProtectedReceiver(
        id=row.id,
        lon_deg=row.lon,
        lat_deg=row.lat,
        band=Band(row.f_mhz - half_mhz, row.f_mhz + half_mhz),
        i_max_dbm=interference_limit_dbm(row.bandwidth_mhz, row.noise_figure_db, i_n_db),
        gain_dbi=gain_dbi,
        azimuth_deg=row.azimuth_deg or 0.0,
        feeder_db=row.feeder_db,
        height_m=row.antenna_height_m,
        acs_db=row.acs_db,
        coastal=row.coastal,
    )


def read_area_receivers(path: Path, i_n_db: float) -> list[AreaReceiver]:
    """Receivers that may stand anywhere; every number has its source in the table."""
    rows = read_rows(path, _AreaReceiverRow)
    return [AreaReceiver(receiver_of(row, i_n_db), row.separation_m) for row in rows]


def prepare_receivers(
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    victims: ServiceReceivers,
    criteria: ReceiverCriteria,
) -> BlockLimit:
    """Smallest limit over the receivers at known places and those that may stand anywhere."""
    placed = receivers_shown(context, victims.placed)
    at_points = prepare_points(context, device, channel, placed, criteria)
    anywhere_dbm = min(
        (_sum_dbm(area_terms(context, device, channel, victim, criteria)) for victim in victims.anywhere),
        default=math.inf,
    )

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = at_points(rows, cols)
        lower(lowest, np.full(lowest.eirp_dbm.shape, anywhere_dbm), criteria.label)
        return lowest

    return limit


def explain_receivers(
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    victims: ServiceReceivers,
    criteria: ReceiverCriteria,
    place: tuple[int, int],
) -> Budget | None:
    """Budget of the limiting receiver at a pixel."""
    placed = receivers_shown(context, victims.placed)
    best = explain_points(context, device, channel, placed, criteria, place)
    lowest_dbm = math.inf if best is None else _sum_dbm(best.terms)
    for victim in victims.anywhere:
        terms = area_terms(context, device, channel, victim, criteria)
        if _sum_dbm(terms) < lowest_dbm:
            lowest_dbm = _sum_dbm(terms)
            about = {
                "id": victim.receiver.id,
                "place": "anywhere",
                "distance_km": victim.separation_m / 1000.0,
            }
            best = Budget(about, tuple(terms), criteria.label)
    return best


def area_terms(
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    victim: AreaReceiver,
    criteria: ReceiverCriteria,
) -> list[Term]:
    """The limit by a receiver at its smallest distance, term by term."""
    receiver, floor = victim.receiver, criteria.floor_dbm_per_100khz
    separation_km = max(victim.separation_m, device.min_separation_m.value) / 1000.0
    centre_mhz = 0.5 * (receiver.band.low_mhz + receiver.band.high_mhz)
    path = DevicePath(
        criteria.model, centre_mhz, device.height_m, receiver.height_m, criteria.time_pct, math.inf
    )
    loss_db = float(exact_loss_db(path, np.array([separation_km]))[0])
    emission = emission_of(context, device, channel, floor)
    coupling = coupling_of(emission, receiver.band, receiver.acs_db)
    terms = [
        Term("interference limit", receiver.i_max_dbm, "I_max at the antenna's output, dBm"),
        Term("feeder loss", receiver.feeder_db, "of the receiver"),
        Term("margin", -criteria.margin_db, "multiple interference"),
        Term(
            "path loss", loss_db, f"{criteria.model}, {criteria.time_pct:g} % of time, {separation_km:g} km"
        ),
        Term("receiving antenna", -float(receiver.gain_dbi.max()), "full gain"),
    ]
    permissible_dbm = _sum_dbm(terms)
    terms.append(Term("rejection", coupling.rejection_db, "overlap, leakage and selectivity"))
    rest_db = float(permitted_dbm(permissible_dbm, *coupling)) - _sum_dbm(terms)
    if rest_db != 0.0:
        floors = ", ".join(f"{dbm:g}" for dbm in floors_in(emission, receiver.band))
        terms.append(Term("leakage floor", rest_db, f"leakage that stays at {floors} dBm in 100 kHz"))
    return terms


def _sum_dbm(terms: Sequence[Term]) -> float:
    return sum(term.value_db for term in terms)
