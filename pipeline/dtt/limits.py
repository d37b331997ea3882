"""Maps of the limit around the victims of one DTT channel, one for each group of victims and device geometry.

A stored value is the limit in dBm plus what ``ratios.group_shift_db`` (or ``overload_shift_db``) gives for
the channel offset: offsets share one map (docs/method.md, section 6).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.device_ground import GroundClasses
from pipeline.dtt.interference_range import OVERLOAD_MU, interference_range_km, limiting_loss_db
from pipeline.dtt.path_classes import PathClasses, flat_paths
from pipeline.dtt.path_losses import PathLosses, PathReach, path_losses
from pipeline.dtt.station_rules import StationRule, with_smallest_dq
from pipeline.dtt.victims import (
    VictimClasses,
    VictimKind,
    VictimLabel,
    VictimMaps,
    cross_polar_paths,
    cross_polar_table_db,
    group_codes,
    kinds_present,
    members,
    members_at_coast,
    victim_classes,
)
from pipeline.grid.grid import Grid
from pipeline.radio.channel_plan import Offset, channel_centre_mhz, channel_width_mhz, receiver_band
from pipeline.radio.conventions import DIPOLE_GAIN_DBI
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.ratio_tables import ModeKey, ProtectionTables
from pipeline.reference.ratios import (
    Group,
    group_name,
    group_shift_db,
    groups_of,
    largest_overload_shift_db,
    largest_shift_db,
    overload_shift_db,
)
from pipeline.reference.separation_distances import SEPARATION_BANDS

OVERLOAD_BAND, THRESHOLD_BAND = "overload", "threshold"


class ServerTable(NamedTuple):
    """What the indices of the class raster mean: polarisation and rule by server, (system, mode) by mode.

    ``rules`` of their own; none: all stations are protected by that of the territory.
    """

    polarisations: tuple[str, ...]
    modes: tuple[ModeKey, ...]
    rules: tuple[StationRule, ...] = ()


class ProtectionJob(NamedTuple):
    """One channel and one geometry of devices."""

    config: Config
    channel: int
    f_mhz: float
    devices: tuple[Device, ...]
    tables: ProtectionTables
    groups: tuple[tuple[Group, ...], ...]
    classes: VictimClasses
    rules: tuple[StationRule, ...] = ()


class LimitBand(NamedTuple):
    """One map to compute: which victims, and the value above which nothing is limited."""

    name: str
    codes: tuple[int, ...] | None
    unconstrained_dbm: float


def geometries(devices: Sequence[Device]) -> list[tuple[Device, ...]]:
    """Devices whose maps are the same: all but class, bandwidth, caps and penalties is equal."""
    shared: dict[tuple[object, ...], list[Device]] = {}
    for device in devices:
        key = (device.height_m, device.min_separation_m.value, device.dq_pct, device.polarisation)
        shared.setdefault(key, []).append(device)
    return [tuple(group) for group in shared.values()]


def with_maps_of(config: Config, device: Device) -> Device:
    """The first device of the territory that has the maps of a device; a device of none: itself.

    Separation distances depend on type, bandwidth and power besides: with them each device has its own maps.
    """
    if config.protection.method == "separation":
        return device
    for group in geometries(config.devices):
        if any(one.id == device.id for one in group):
            return group[0]
    return device


def make_job(
    config: Config, channel: int, devices: tuple[Device, ...], tables: ProtectionTables, servers: ServerTable
) -> ProtectionJob:
    """Groups and codes of one channel and geometry."""
    groups = tuple(tuple(groups_of(tables, key)) for key in servers.modes)
    classes = victim_classes(groups, servers.polarisations, devices[0].polarisation)
    f_mhz = channel_centre_mhz(config.channels, channel)
    return ProtectionJob(config, channel, f_mhz, devices, tables, groups, classes, servers.rules)


def strictest_devices(job: ProtectionJob) -> list[Device]:
    """The devices of the geometry as the most demanding station of the channel sees them."""
    stated_pct = [rule.dq_pct for rule in job.rules]
    return [with_smallest_dq(device, stated_pct) for device in job.devices]


def bands_of(job: ProtectionJob) -> list[LimitBand]:
    """The maps of a job: one per mode and tier, and one for overload where a threshold is known."""
    width_mhz = channel_width_mhz(job.config.channels, job.channel)
    bands: list[LimitBand] = []
    for m, tiers in enumerate(job.groups):
        for i, group in enumerate(tiers):
            unconstrained_dbm = max(
                device_cap_dbm(device) + largest_shift_db(job.tables, [group], device, width_mhz)
                for device in job.devices
            )
            bands.append(
                LimitBand(
                    group_name(group), tuple(group_codes(job.classes, job.groups, m, i)), unconstrained_dbm
                )
            )
    shifts_dbm = [
        device_cap_dbm(device) + largest_overload_shift_db(job.tables, device) for device in job.devices
    ]
    known_dbm = [shift for shift in shifts_dbm if not math.isnan(shift)]
    return [*bands, LimitBand(OVERLOAD_BAND, None, max(known_dbm))] if known_dbm else bands


def channel_range_km(job: ProtectionJob, coastal: bool, effective_m: float = math.nan) -> float:
    """Maximum interference range of the channel for its modes, over all devices of the geometry.

    ``effective_m``: of a device of that effective height.
    """
    return max(
        interference_range_km(
            job.config,
            device,
            job.tables,
            modes=_modes_of(job),
            channels=[job.channel],
            coastal=coastal,
            effective_m=effective_m,
        )
        for device in strictest_devices(job)
    )


def _modes_of(job: ProtectionJob) -> list[ModeKey]:
    return [(tiers[0].system, tiers[0].mode) for tiers in job.groups]


def losses_of(
    job: ProtectionJob, victims: VictimMaps, grid: Grid, classes: GroundClasses
) -> dict[bool, PathLosses]:
    """Losses for inland and for coastal victims of a box, as far as there are any."""
    nearest_sea = {}
    for coastal in {kind.coastal for kind in kinds_present(victims)}:
        its = members_at_coast(victims, coastal=coastal)
        nearest_sea[coastal] = int(classes.ground.sea[its].min())
    return losses_to(job, nearest_sea, grid, classes)


def losses_to(
    job: ProtectionJob, nearest_sea: Mapping[bool, int], grid: Grid, classes: GroundClasses
) -> dict[bool, PathLosses]:
    """Losses by the least class of distance from the sea of the victims inland and of those at the coast."""
    found: dict[bool, PathLosses] = {}
    for coastal, nearest in nearest_sea.items():
        wet = coastal or classes.sea_km[nearest] < math.inf
        reach = PathReach(
            channel_range_km(job, coastal, classes.effective_m),
            channel_range_km(job, wet, float(classes.heights_m[-1])),
            max(
                limiting_loss_db(job.config, device, job.tables, modes=_modes_of(job), channel=job.channel)
                for device in strictest_devices(job)
            ),
        )
        found[coastal] = path_losses(
            job.config, job.devices[0], job.f_mhz, grid, classes, reach, nearest, coastal=coastal
        )
    return found


class PassRule(NamedTuple):
    """A search of one map: the victims of one kind on one side of 80 m, and the loss that counts for them.

    ``level_dbm`` what all of them tolerate, NaN: each its own level. ``loss_db`` float32[n, n] by (|dy|,
    |dx|).
    """

    kind: VictimKind
    near: bool
    level_dbm: float
    loss_db: NDArray[np.float32]
    paths: PathClasses


def pass_rules(
    job: ProtectionJob, band: LimitBand, losses: Mapping[bool, PathLosses], kinds: Iterable[VictimKind]
) -> Iterator[PassRule]:
    """The searches that make up one map: each of the kinds up to 80 m, then beyond.

    Home before foreign: on equal limits the home victim is named.
    """
    settings = job.config.protection
    for kind in sorted(kinds):
        tables = losses[kind.coastal]
        for near, loss_db, paths, sigma_db in (
            (True, tables.near_db, flat_paths(), settings.near_sigma_db),
            (False, tables.far_db, tables.paths, settings.far_sigma_db),
        ):
            if not (paths.used or np.isfinite(loss_db).any()):
                continue
            level_dbm = overload_level_dbm(job, sigma_db) if band.name == OVERLOAD_BAND else math.nan
            if kind.orthogonal:
                loss_db = cross_polar_table_db(loss_db, job.config.coverage.cross_polar_db)
                paths = cross_polar_paths(paths, job.config.coverage.cross_polar_db)
            yield PassRule(kind, near, level_dbm, loss_db if paths.used else _within_range(loss_db), paths)


def _within_range(loss_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """The part of a table of offsets that holds losses."""
    farthest = int(np.argwhere(np.isfinite(loss_db)).max(initial=0)) + 1
    return loss_db[:farthest, :farthest]


def passes(
    job: ProtectionJob, victims: VictimMaps, band: LimitBand, losses: Mapping[bool, PathLosses]
) -> Iterator[tuple[PassRule, NDArray[np.float32]]]:
    """The searches of one map on a box, with what each victim tolerates [y, x], +inf where there is none."""
    chosen = {kind: members(victims, kind, band.codes) for kind in kinds_present(victims)}
    kinds = [kind for kind, its in chosen.items() if its.any()]
    for rule in pass_rules(job, band, losses, kinds):
        own_dbm = victims.near_dbm if rule.near else victims.far_dbm
        level_dbm = own_dbm if math.isnan(rule.level_dbm) else np.float32(rule.level_dbm)
        yield rule, np.where(chosen[rule.kind], level_dbm, np.float32(np.inf))


def discrimination_of(job: ProtectionJob) -> tuple[float, float, float]:
    """Directivity of the receiving antennas of a channel: (flat_deg, end_deg, max_db) of ITU-R BT.419-3."""
    band = receiver_band(job.config.coverage, job.f_mhz)
    return band.flat_deg, band.end_deg, band.discrimination_db


def label_of(kind: VictimKind, band: LimitBand) -> VictimLabel:
    """Label where victims of a kind limit on one map."""
    if band.name == OVERLOAD_BAND:
        return VictimLabel.OVERLOAD
    return VictimLabel.FOREIGN if kind.foreign else VictimLabel.HOME


def overload_level_dbm(job: ProtectionJob, sigma_db: float) -> float:
    """What the overload limit leaves out of O_th, loss and discrimination: -(G_dBi - L_f) - mu sigma."""
    band = receiver_band(job.config.coverage, job.f_mhz)
    return -(band.gain_dbd + DIPOLE_GAIN_DBI - band.feeder_db) - OVERLOAD_MU * sigma_db


def shift_db(
    name: str, group: Group | None, tables: ProtectionTables, device: Device, offset: Offset
) -> float:
    """What the map of a name holds more than the limit of a device at an offset.

    NaN where the map does not hold at the offset: no threshold of overload, no ``group`` of that name, no
    offset in use.
    """
    if name == THRESHOLD_BAND:
        return 0.0
    if name in SEPARATION_BANDS:
        return 0.0 if offset.number in SEPARATION_BANDS[name] else math.nan
    if name == OVERLOAD_BAND:
        return overload_shift_db(tables, device, offset.slices)
    return math.nan if group is None else group_shift_db(tables, group, device, offset)
