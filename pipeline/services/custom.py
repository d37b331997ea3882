"""Any other service, defined in the territory file alone: `incumbents.custom`, one criterion each.

I_max at a receiver follows from one of four levels (docs/method.md, section 47): an I/N over its noise, a
power at its input, or a field strength or power flux-density at its antenna,

    I_max = E - 77.216 - 20 log10 f + G    and    I_max = S + 30 + 10 log10(lambda^2 / 4 pi) + G,

which refer to the antenna's output: the feeder does not count for them. Levels in another bandwidth than the
receiver's are taken to it by 10 log of the ratio. Receivers stand at places of a register, with their
antennas, or anywhere in an area: then the nearest place of the area counts, with the full gain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.budget import Budget, Term, strictest
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.incumbents import Criterion, CustomService
from pipeline.config.protection import Device
from pipeline.grid.polygons import project
from pipeline.propagation.homogeneous import DevicePath, exact_loss_db, loss_profile
from pipeline.radio.coupling import Coupling, coupling_of, permitted_array_dbm
from pipeline.radio.emission import device_cap_dbm
from pipeline.registers.areas import ChannelArea, read_receiver_areas
from pipeline.registers.named_registers import read_stations
from pipeline.registers.stations import ReceiverRow
from pipeline.services.area_distances import AreaDistances, area_distances, is_at_coast
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, limits_within, lower, unlimited
from pipeline.services.placing import (
    ReceiverCriteria,
    emission_of,
    farthest_limiting_km,
    leakage_floor_dbm_per_100khz,
)
from pipeline.services.protected_receivers import ProtectedReceiver
from pipeline.services.receivers import ServiceReceivers, explain_receivers, prepare_receivers, receiver_of
from pipeline.services.sections import is_concerned, remarks_without_section
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory
from pipeline.units import power_dbm

# lambda^2 / 4 pi in dB(m2) is this less 20 log10 f in MHz.
_ISOTROPIC_AREA_DB = 20.0 * math.log10(299.792458) - 10.0 * math.log10(4.0 * math.pi)


class _ReceiverArea(NamedTuple):
    """An area in which receivers may stand anywhere, as a device meets it."""

    receiver: ProtectedReceiver
    distances: AreaDistances
    reach_km: float
    path: DevicePath
    coupling: Coupling
    nearest_km: float


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit | None:
    """Smallest limit by all custom services; None without any, in the bands that are allocated to them."""
    customs = _customs(context.config)
    if not customs:
        return None if is_concerned(service, context.config, device, channel) else unlimited
    limits = []
    for one in customs:
        criteria = _criteria(service, context.config, one)
        limits.append(prepare_receivers(context, device, channel, _placed(one), criteria))
        limits.append(_areas_limit(context, device, channel, one, criteria))

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        for own in limits:
            lower(lowest, own(rows, cols).eirp_dbm, service.code)
        return lowest

    return limit


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """Budget of the receiver or area that limits a pixel most, with the id of its service."""
    found = []
    for one in _customs(context.config):
        criteria = _criteria(service, context.config, one)
        placed = explain_receivers(context, device, channel, _placed(one), criteria, (row, col))
        budgets = [placed, *_area_budgets(context, device, channel, one, criteria, (row, col))]
        facts = {"service": one.id, "service_name": one.name}
        found += [budget._replace(victim=facts | budget.victim) for budget in budgets if budget is not None]
    best = strictest(found)
    return None if best is None else best._replace(others=())


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read registers and areas, refused if faulty; how many receivers and areas each service has."""
    for one in _customs(config):
        areas = sum(len(read_receiver_areas(path)) for path in one.areas)
        counts = f"{len(_placed(one).placed)} receivers, {areas} areas"
        yield f"  {service.name:<13} {one.id}: {counts} ({one.name})"
    yield from remarks_without_section(service, config)


def _customs(config: Config) -> list[CustomService]:
    return [] if config.incumbents is None else config.incumbents.custom or []


def _criteria(service: ServiceRow, config: Config, one: CustomService) -> ReceiverCriteria:
    """What the receivers of a custom service share."""
    return ReceiverCriteria(
        service.code,
        one.model,
        one.criterion.time_pct.value,
        one.margin_db + 10.0 * math.log10(one.criterion.effective_devices),
        floor_dbm_per_100khz=leakage_floor_dbm_per_100khz(config),
        device_path=config.protection.device_path,
    )


def _placed(one: CustomService) -> ServiceReceivers:
    rows = read_stations(one.registers, ReceiverRow)
    return ServiceReceivers([_protected(row, one.criterion) for row in rows], [])


def _protected(row: ReceiverRow, criterion: Criterion) -> ProtectedReceiver:
    """A register row as a victim of a criterion."""
    i_n_db = 0.0 if criterion.i_n_db is None else criterion.i_n_db.value
    receiver = receiver_of(row, i_n_db)
    if criterion.i_n_db is not None:
        return receiver
    level_dbm, at_antenna = _level_dbm(criterion, row.f_mhz, row.gain_dbi)
    reference_mhz = criterion.bandwidth_mhz or row.bandwidth_mhz
    return receiver._replace(
        i_max_dbm=level_dbm + 10.0 * math.log10(row.bandwidth_mhz / reference_mhz),
        feeder_db=0.0 if at_antenna else row.feeder_db,
    )


def _level_dbm(criterion: Criterion, f_mhz: float, gain_dbi: float) -> tuple[float, bool]:
    """Level in dBm in its reference bandwidth, and whether it holds at the antenna's output."""
    if criterion.field_dbuvm is not None:
        return power_dbm(criterion.field_dbuvm.value, f_mhz) + gain_dbi, True
    if criterion.pfd_dbw_m2 is not None:
        area_db = _ISOTROPIC_AREA_DB - 20.0 * math.log10(f_mhz)
        return criterion.pfd_dbw_m2.value + 30.0 + area_db + gain_dbi, True
    if criterion.power_dbm is not None:
        return criterion.power_dbm.value, False
    raise ValueError("a criterion has one level")


# --- areas --------------------------------------------------------------------------------------------------


def _areas_limit(
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    one: CustomService,
    criteria: ReceiverCriteria,
) -> BlockLimit:
    """Smallest limit by the areas of a custom service."""
    areas = list(_areas_met(context, device, channel, one, criteria))

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        for area in areas:
            distance_km = area.distances.distance_km(rows, cols)
            eirp_dbm = limits_within(distance_km, area.reach_km, partial(_limits_dbm, area, criteria))
            lower(lowest, eirp_dbm, criteria.label)
        return lowest

    return limit


def _areas_met(
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    one: CustomService,
    criteria: ReceiverCriteria,
) -> Iterator[_ReceiverArea]:
    """The areas that can limit the device somewhere on the grid."""
    emission = emission_of(context, device, channel, criteria.floor_dbm_per_100khz)
    nearest_km = device.min_separation_m.value / 1000.0
    for area, row in (found for path in one.areas for found in read_receiver_areas(path)):
        receiver = _protected(row, one.criterion)
        at_coast = is_at_coast(context, partial(_distances, context, area, 0.0))
        inland_km = 0.0 if at_coast else math.inf
        path = _path(device, receiver, criteria, inland_km)
        coupling = coupling_of(emission, receiver.band, receiver.acs_db)
        strongest_dbm = _permissible_dbm(receiver, criteria) - float(receiver.gain_dbi.max())
        profile = loss_profile(path, nearest_km)
        reach_km = farthest_limiting_km(profile, strongest_dbm, coupling, device_cap_dbm(device))
        distances = _distances(context, area, reach_km) if reach_km > 0.0 else None
        if distances is not None:
            yield _ReceiverArea(receiver, distances, reach_km, path, coupling, nearest_km)


def _path(
    device: Device, receiver: ProtectedReceiver, criteria: ReceiverCriteria, inland_km: float
) -> DevicePath:
    centre_mhz = 0.5 * (receiver.band.low_mhz + receiver.band.high_mhz)
    return DevicePath(
        criteria.model, centre_mhz, device.height_m, receiver.height_m, criteria.time_pct, inland_km
    )


def _permissible_dbm(receiver: ProtectedReceiver, criteria: ReceiverCriteria) -> float:
    return receiver.i_max_dbm + receiver.feeder_db - criteria.margin_db


def _limits_dbm(
    area: _ReceiverArea, criteria: ReceiverCriteria, distance_km: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Limits by the receivers of an area at distances [n] from it."""
    loss_db = exact_loss_db(area.path, np.maximum(distance_km, area.nearest_km))
    arriving_dbm = _permissible_dbm(area.receiver, criteria) - float(area.receiver.gain_dbi.max()) + loss_db
    return permitted_array_dbm(arriving_dbm, *area.coupling)


def _area_budgets(
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    one: CustomService,
    criteria: ReceiverCriteria,
    place: tuple[int, int],
) -> Iterator[Budget]:
    """Budgets of the areas within reach of a pixel."""
    rows, cols = (slice(index, index + 1) for index in place)
    for area in _areas_met(context, device, channel, one, criteria):
        distance_km = area.distances.distance_km(rows, cols).ravel()
        if distance_km[0] > area.reach_km:
            continue
        eirp_dbm = float(_limits_dbm(area, criteria, distance_km)[0])
        d_km = max(float(distance_km[0]), area.nearest_km)
        receiver = area.receiver
        loss_db = float(exact_loss_db(area.path, np.array([d_km]))[0])
        terms = [
            Term("interference limit", receiver.i_max_dbm, "I_max in the receiver's bandwidth, dBm"),
            Term("feeder loss", receiver.feeder_db, "of the receiver"),
            Term("margin", -criteria.margin_db, "several devices"),
            Term("path loss", loss_db, f"{criteria.model}, {criteria.time_pct:g} % of time, {d_km:.3f} km"),
            Term("receiving antenna", -float(receiver.gain_dbi.max()), "full gain"),
        ]
        rest_db = eirp_dbm - math.fsum(term.value_db for term in terms)
        terms.append(Term("rejection", rest_db, "overlap, leakage with its floor, selectivity"))
        about = {"id": receiver.id, "place": "anywhere in its area", "distance_km": d_km}
        yield Budget(about, tuple(terms), criteria.label)


def _distances(context: ServiceContext, area: ChannelArea, reach_km: float) -> AreaDistances | None:
    """Distances from an area; kept for all devices and channels of a job."""
    kept = cast(dict[object, AreaDistances | None], context.kept.setdefault("receiver_areas", {}))
    key = area.file, area.row, reach_km
    if key not in kept:
        kept[key] = area_distances(context.grid, project([area.shape], context.grid.crs), reach_km)
    return kept[key]
