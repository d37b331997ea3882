"""Maps of the limit around the victims of one DTT channel, one for each group of victims and device geometry.

A stored value is the limit in dBm plus what ``ratios.group_shift_db`` (or ``overload_shift_db``) gives for
the channel offset: offsets share one map (protection.md, sections 3 and 4).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.interference_range import OVERLOAD_MU, proven_radius_km
from pipeline.dtt.min_plus.search import min_plus
from pipeline.dtt.victims import (
    Classes,
    Kind,
    Victims,
    cross_polar_table_db,
    group_codes,
    kinds_present,
    members,
    victim_classes,
)
from pipeline.grid.grid import Grid
from pipeline.propagation.homogeneous import LossTables, loss_table_db, offset_distance_km, table_size
from pipeline.radio.channel_plan import channel_centre_mhz, channel_width_mhz, receiver_band
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.ratio_tables import ModeKey, ProtectionTables
from pipeline.reference.ratios import Group, group_name, groups_of, largest_shift_db, overload_shift_db
from pipeline.services.codes import LimitingService
from pipeline.units import DIPOLE_GAIN_DBI

OVERLOAD_BAND = "overload"


class Servers(NamedTuple):
    """What the indices of the class raster mean: polarisation by server, (system, mode) by mode index."""

    polarisations: tuple[str, ...]
    modes: tuple[ModeKey, ...]


class Job(NamedTuple):
    """One channel and one geometry of devices."""

    config: Config
    channel: int
    f_mhz: float
    devices: tuple[Device, ...]
    tables: ProtectionTables
    groups: tuple[tuple[Group, ...], ...]
    classes: Classes


class Band(NamedTuple):
    """One map to compute: which victims, and the value above which nothing matters."""

    name: str
    codes: tuple[int, ...] | None
    open_dbm: float


def geometries(devices: Sequence[Device]) -> list[tuple[Device, ...]]:
    """Devices whose maps are the same: all but class, bandwidth, caps and penalties is equal."""
    shared: dict[tuple[object, ...], list[Device]] = {}
    for device in devices:
        key = (device.height_m, device.min_separation_m.value, device.dq_pct, device.polarisation)
        shared.setdefault(key, []).append(device)
    return [tuple(group) for group in shared.values()]


def make_job(
    config: Config, channel: int, devices: tuple[Device, ...], tables: ProtectionTables, servers: Servers
) -> Job:
    """Groups and codes of one channel and geometry."""
    groups = tuple(tuple(groups_of(tables, key, config.protection.offsets)) for key in servers.modes)
    classes = victim_classes(groups, servers.polarisations, devices[0].polarisation)
    f_mhz = channel_centre_mhz(config.channels, channel)
    return Job(config, channel, f_mhz, devices, tables, groups, classes)


def bands_of(job: Job) -> list[Band]:
    """The maps of a job: one per mode and tier, and one for overload where a threshold is known."""
    offsets = job.config.protection.offsets
    width_mhz = channel_width_mhz(job.config.channels, job.channel)
    bands: list[Band] = []
    for m, tiers in enumerate(job.groups):
        for i, group in enumerate(tiers):
            open_dbm = max(
                device_cap_dbm(device) + largest_shift_db(job.tables, [group], device, offsets, width_mhz)
                for device in job.devices
            )
            bands.append(Band(group_name(group), tuple(group_codes(job.classes, job.groups, m, i)), open_dbm))
    shifts_dbm = [
        device_cap_dbm(device) + overload_shift_db(job.tables, device, offset)
        for device in job.devices
        for offset in offsets
    ]
    known_dbm = [shift for shift in shifts_dbm if not math.isnan(shift)]
    return [*bands, Band(OVERLOAD_BAND, None, max(known_dbm))] if known_dbm else bands


def radius_km(job: Job, coastal: bool) -> float:
    """Proven radius of the channel for its modes, over all devices of the geometry."""
    modes = [(tiers[0].system, tiers[0].mode) for tiers in job.groups]
    return max(
        proven_radius_km(job.config, device, job.tables, modes=modes, channels=[job.channel], coastal=coastal)
        for device in job.devices
    )


def loss_tables(job: Job, grid: Grid, *, coastal: bool, largest_px: int | None = None) -> LossTables:
    """Loss by pixel offset out to the proven radius, at most ``largest_px`` pixels each way."""
    device, settings = job.devices[0], job.config
    reach_km = radius_km(job, coastal)
    scale = grid.largest_scale()
    size = min(table_size(reach_km, grid.resolution_m, scale), largest_px or sys.maxsize)
    distance_km = offset_distance_km(size, grid.resolution_m, scale, device.min_separation_m.value)
    return loss_table_db(
        distance_km,
        reach_km,
        job.f_mhz,
        device.height_m,
        receiver_m=settings.coverage.receiver_height_m,
        model=settings.propagation.wsd_model,
        coastal=coastal,
    )


def run(
    job: Job, victims: Victims, targets: NDArray[np.bool_], grid: Grid, *, threads: int
) -> Iterator[tuple[Band, NDArray[np.float32], NDArray[np.uint8]]]:
    """Every map of a job on the box of ``victims`` and ``targets`` [y, x]: band, value float32, label uint8.

    ``grid`` the whole padded grid: its largest scale and pixel size give the distances.
    """
    kinds = kinds_present(victims)
    tables = {coastal: loss_tables(job, grid, coastal=coastal) for coastal in {k.coastal for k in kinds}}
    for band in bands_of(job):
        best_dbm = np.full(targets.shape, np.float32(band.open_dbm), dtype=np.float32)
        label = np.zeros(targets.shape, dtype=np.uint8)
        for kind in kinds:
            chosen = members(victims, kind, band.codes)
            if chosen.any():
                _lower(
                    job, victims, chosen, kind, band, tables[kind.coastal], targets, best_dbm, label, threads
                )
        yield band, best_dbm, label


def _lower(
    job: Job,
    victims: Victims,
    chosen: NDArray[np.bool_],
    kind: Kind,
    band: Band,
    tables: LossTables,
    targets: NDArray[np.bool_],
    best_dbm: NDArray[np.float32],
    label: NDArray[np.uint8],
    threads: int,
) -> None:
    """Lower one map by the victims of one kind, up to 80 m and beyond."""
    receiver = receiver_band(job.config.coverage, job.f_mhz)
    discrimination = (receiver.flat_deg, receiver.end_deg, receiver.discrimination_db)
    overload = band.name == OVERLOAD_BAND
    code = LimitingService.FOREIGN_DTT if kind.foreign else LimitingService.DTT
    code = LimitingService.RECEIVER_OVERLOAD if overload else code
    settings = job.config.protection
    parts = (
        (tables.near_db, victims.near_dbm, settings.near_sigma_db),
        (tables.far_db, victims.far_dbm, settings.far_sigma_db),
    )
    for loss_db, tolerated_dbm, sigma_db in parts:
        if not np.isfinite(loss_db).any():
            continue
        level_dbm = np.float32(overload_level_dbm(job, sigma_db)) if overload else tolerated_dbm
        if kind.orthogonal:
            loss_db = cross_polar_table_db(loss_db, job.config.coverage.cross_polar_db)
        allowed_dbm = np.where(chosen, level_dbm, np.float32(np.inf))
        min_plus(
            allowed_dbm,
            victims.azimuth_deg,
            loss_db,
            discrimination,
            targets,
            best_dbm,
            label,
            int(code),
            threads=threads,
        )


def overload_level_dbm(job: Job, sigma_db: float) -> float:
    """What the overload limit leaves out of O_th, loss and discrimination: -(G_dBi - L_f) - mu sigma."""
    band = receiver_band(job.config.coverage, job.f_mhz)
    return -(band.gain_dbd + DIPOLE_GAIN_DBI - band.feeder_db) - OVERLOAD_MU * sigma_db
