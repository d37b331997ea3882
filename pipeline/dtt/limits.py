"""Maps of the limit around the victims of one DTT channel, one for each group of victims and device geometry.

A stored value is the limit in dBm plus what ``ratios.group_shift_db`` (or ``overload_shift_db``) gives for
the channel offset: offsets share one map (docs/method.md, section 6).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.device_ground import GroundClasses
from pipeline.dtt.interference_range import OVERLOAD_MU, interference_range_km, limiting_loss_db
from pipeline.dtt.min_plus_search import SearchMaps, SearchTables, min_plus, search_tables
from pipeline.dtt.path_classes import PathClasses, flat_paths
from pipeline.dtt.path_losses import PathLosses, PathReach, path_losses
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
from pipeline.units import DIPOLE_GAIN_DBI

OVERLOAD_BAND, THRESHOLD_BAND = "overload", "threshold"


class ServerTable(NamedTuple):
    """What the indices of the class raster mean: polarisation by server, (system, mode) by mode index."""

    polarisations: tuple[str, ...]
    modes: tuple[ModeKey, ...]


class ProtectionJob(NamedTuple):
    """One channel and one geometry of devices."""

    config: Config
    channel: int
    f_mhz: float
    devices: tuple[Device, ...]
    tables: ProtectionTables
    groups: tuple[tuple[Group, ...], ...]
    classes: VictimClasses


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


def make_job(
    config: Config, channel: int, devices: tuple[Device, ...], tables: ProtectionTables, servers: ServerTable
) -> ProtectionJob:
    """Groups and codes of one channel and geometry."""
    groups = tuple(tuple(groups_of(tables, key)) for key in servers.modes)
    classes = victim_classes(groups, servers.polarisations, devices[0].polarisation)
    f_mhz = channel_centre_mhz(config.channels, channel)
    return ProtectionJob(config, channel, f_mhz, devices, tables, groups, classes)


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
        for device in job.devices
    )


def _modes_of(job: ProtectionJob) -> list[ModeKey]:
    return [(tiers[0].system, tiers[0].mode) for tiers in job.groups]


def run(
    job: ProtectionJob,
    victims: VictimMaps,
    targets: NDArray[np.bool_],
    grid: Grid,
    classes: GroundClasses,
    *,
    threads: int,
) -> Iterator[tuple[LimitBand, NDArray[np.float32], NDArray[np.uint8]]]:
    """Every map of a job on the box of ``victims`` and ``targets`` [y, x]: band, value float32, label uint8.

    ``grid`` the whole padded grid: its largest scale and pixel size give the distances. ``classes`` of the
    box. Labels are codes of ``VictimLabel``.
    """
    losses = losses_of(job, victims, grid, classes)
    discrimination = discrimination_of(job)
    tables: dict[tuple[bool, bool, bool], SearchTables] = {}
    for band in bands_of(job):
        maps = SearchMaps(
            victims.azimuth_deg,
            targets,
            np.full(targets.shape, np.float32(band.unconstrained_dbm), dtype=np.float32),
            np.zeros(targets.shape, dtype=np.uint8),
        )
        for one in passes(job, victims, band, losses):
            same = one.near, one.kind.coastal, one.kind.orthogonal  # losses, whatever the band
            if same not in tables:
                tables[same] = search_tables(one.loss_db, one.paths)
            min_plus(
                one.permissible_dbm,
                tables[same],
                discrimination,
                maps,
                int(label_of(one.kind, band)),
                ground=classes.ground,
                threads=threads,
            )
        yield band, maps.best_dbm, maps.label


class VictimPass(NamedTuple):
    """Victims of one kind on one side of 80 m, with what each tolerates and the loss that counts for it.

    ``permissible_dbm`` float32[y, x], +inf where there is none of them; ``loss_db`` float32[n, n] by (|dy|,
    |dx|).
    """

    kind: VictimKind
    near: bool
    permissible_dbm: NDArray[np.float32]
    loss_db: NDArray[np.float32]
    paths: PathClasses


def losses_of(
    job: ProtectionJob, victims: VictimMaps, grid: Grid, classes: GroundClasses
) -> dict[bool, PathLosses]:
    """Losses for inland and for coastal victims, as far as there are any."""
    found: dict[bool, PathLosses] = {}
    for coastal in {kind.coastal for kind in kinds_present(victims)}:
        its = members_at_coast(victims, coastal=coastal)
        nearest_sea = int(classes.ground.sea[its].min())
        wet = coastal or classes.sea_km[nearest_sea] < math.inf
        reach = PathReach(
            channel_range_km(job, coastal, classes.effective_m),
            channel_range_km(job, wet, float(classes.heights_m[-1])),
            max(
                limiting_loss_db(job.config, device, job.tables, modes=_modes_of(job), channel=job.channel)
                for device in job.devices
            ),
        )
        found[coastal] = path_losses(
            job.config, job.devices[0], job.f_mhz, grid, classes, reach, nearest_sea, coastal=coastal
        )
    return found


def passes(
    job: ProtectionJob, victims: VictimMaps, band: LimitBand, losses: Mapping[bool, PathLosses]
) -> Iterator[VictimPass]:
    """The searches that make up one map: each kind of its victims up to 80 m, then beyond.

    Home before foreign: on equal limits the home victim is named.
    """
    settings = job.config.protection
    for kind in kinds_present(victims):
        chosen = members(victims, kind, band.codes)
        if not chosen.any():
            continue
        tables = losses[kind.coastal]
        for near, loss_db, paths, level_dbm, sigma_db in (
            (True, tables.near_db, flat_paths(), victims.near_dbm, settings.near_sigma_db),
            (False, tables.far_db, tables.paths, victims.far_dbm, settings.far_sigma_db),
        ):
            if not (paths.used or np.isfinite(loss_db).any()):
                continue
            overload = band.name == OVERLOAD_BAND
            permissible_dbm = np.float32(overload_level_dbm(job, sigma_db)) if overload else level_dbm
            if kind.orthogonal:
                loss_db = cross_polar_table_db(loss_db, job.config.coverage.cross_polar_db)
                paths = cross_polar_paths(paths, job.config.coverage.cross_polar_db)
            level_dbm = np.where(chosen, permissible_dbm, np.float32(np.inf))
            yield VictimPass(kind, near, level_dbm, loss_db, paths)


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
