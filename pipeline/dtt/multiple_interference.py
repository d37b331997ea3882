"""Aggregate check: what placed devices together do to the reception of one DTT channel (SM.2405 Annex 7, i).

Loss, discrimination and ratios are those of the job protect, without the multiple-interference margin,
which this check is to judge. What the devices cause at one receiver counts as fully correlated: the median of
the sum is the power sum of the medians, its spread the mean of the spreads weighted by power. (A small fall
of location probability follows the mean power, which no correlation changes.) q1 - q2 is the integral of
``degradation``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import map_blocks
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import ChannelFiles, PixelBox, nuisance_bands, read_servers, read_victims
from pipeline.dtt.degradation import degradation_of
from pipeline.dtt.limits import ProtectionJob, discrimination_of, geometries, loss_tables, make_job
from pipeline.dtt.victims import COASTAL_BIT, NO_VICTIM, ORTHOGONAL_BIT, VictimMaps, group_codes, rows_of
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.kernels import kernel
from pipeline.radio.antennas import directivity_db
from pipeline.radio.channel_plan import Offset, channel_centre_mhz
from pipeline.reference.limiting_channels import concerns
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import group_shift_db
from pipeline.units import power_dbm

# A device is left out where alone it would need this much more e.i.r.p. at its cap to limit anything.
_FAINT_DB = 20.0
_BLOCK_PX = 256
AGGREGATE_LAYERS = ("fall_pct", "excess_pct", "margin_db")
"""q1 - q2, what of it exceeds dq, and by how many dB less every device would have to radiate."""
_MW = 0.1 * math.log(10.0)


class PlacedDevices(NamedTuple):
    """Devices on the padded grid, one element each; ``device`` is the number in ``config.devices``.

    ``channel``: a channel of the device, or a bond, over which it radiates ``eirp_dbm`` in all.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    channel: Sequence[DeviceChannel]
    eirp_dbm: NDArray[np.float64]
    device: NDArray[np.int64]


class InterferenceSources(NamedTuple):
    """Devices of one geometry around one DTT channel.

    ``level_dbm`` float64[device, code of the victim]: e.i.r.p. plus protection ratio; ``loss_db`` and
    ``near`` by (|dy|, |dx|), the loss for inland and for coastal victims.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    level_dbm: NDArray[np.float64]
    loss_db: NDArray[np.float32]
    near: NDArray[np.bool_]


def run(
    config: Config, files: ChannelFiles, placed: PlacedDevices, *, threads: int = 1
) -> xr.DataArray | None:
    """Layers ``AGGREGATE_LAYERS`` on the part of the grid within reach of the devices, float32 (band, y, x).

    NaN where no protected reception is in reach of a device; dq is the smallest of the placed devices'. None
    where no device concerns the channel.
    """
    grid = raster.read_grid(files.coverage(".tif"))
    servers = read_servers(files.coverage("_servers.json"))
    tables = read_protection_tables(config.protection)
    jobs = [make_job(config, files.channel, group, tables, servers) for group in geometries(config.devices)]
    found = [(job, sources_of(job, placed, grid)) for job in jobs if job.groups]
    concerned = [(job, sources) for job, sources in found if sources is not None]
    if not concerned:
        return None
    box = _box_of([sources for _, sources in concerned], grid)
    power = np.zeros((2, box.rows.stop - box.rows.start, box.cols.stop - box.cols.start))
    for job, sources in concerned:
        _add(job, sources, read_victims(job, files, box), box, power, threads)
    dq_pct = min(config.devices[i].dq_pct for i in np.unique(placed.device))
    return _layers(config, files, box, power, dq_pct, threads)


def sources_of(job: ProtectionJob, placed: PlacedDevices, grid: Grid) -> InterferenceSources | None:
    """The devices of a job's geometry that concern its channel, those of a pixel as one; None without any."""
    devices = list(job.config.devices)
    own = {devices.index(device) for device in job.devices}
    ratios: dict[tuple[int, DeviceChannel], NDArray[np.float64]] = {}
    pairs = list(zip(placed.device.tolist(), placed.channel, strict=True))
    for number, channel in sorted({pair for pair in pairs if pair[0] in own}):
        offset = concerns(job.config, devices[number], channel, job.channel)
        if offset is not None:
            ratios[number, channel] = ratios_db(job, devices[number], offset)
    chosen = np.flatnonzero([pair in ratios for pair in pairs])
    if chosen.size == 0:
        return None
    level_dbm = np.array([placed.eirp_dbm[i] + ratios[pairs[i]] for i in chosen])
    places, which = np.unique(np.stack([placed.row[chosen], placed.col[chosen]]), axis=1, return_inverse=True)
    power = np.zeros((places.shape[1], level_dbm.shape[1]))
    np.add.at(power, which, 10.0 ** (0.1 * level_dbm))
    loss_db, near = _losses(job, grid)
    return InterferenceSources(places[0].copy(), places[1].copy(), 10.0 * np.log10(power), loss_db, near)


def ratios_db(job: ProtectionJob, device: Device, offset: Offset) -> NDArray[np.float64]:
    """Protection ratio with entry loss by code of the victim; on an edge the larger, -inf without any."""
    bare = device.model_copy(update={"margin_db": 0.0})
    largest_db = np.full(sum(2 * len(tiers) - 1 for tiers in job.groups), -np.inf)
    for m, tiers in enumerate(job.groups):
        for i, group in enumerate(tiers):
            codes = group_codes(job.classes, job.groups, m, i)
            ratio = group_shift_db(job.tables, group, bare, offset)
            largest_db[codes] = np.fmax(largest_db[codes], ratio)
    return largest_db


def _losses(job: ProtectionJob, grid: Grid) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Losses for inland and coastal victims out to where one device is ``_FAINT_DB`` below what limits it."""
    louder = [d.model_copy(update={"margin_db": d.margin_db + _FAINT_DB}) for d in job.devices]
    wider = job._replace(devices=tuple(louder))
    size_px = max(grid.height, grid.width)
    coasts = (False, job.config.protection.sea_paths == "coastal")
    tables = [loss_tables(wider, grid, coastal=coastal, largest_px=size_px) for coastal in coasts]
    size = max(table.far_db.shape[0] for table in tables)
    loss_db = np.full((2, size, size), np.inf, dtype=np.float32)
    near = np.zeros((size, size), dtype=np.bool_)
    for layer, table in enumerate(tables):
        n = table.far_db.shape[0]
        loss_db[layer, :n, :n] = np.minimum(table.near_db, table.far_db)
        near[:n, :n] |= np.isfinite(table.near_db)
    return loss_db, near


def _box_of(all_sources: Sequence[InterferenceSources], grid: Grid) -> PixelBox:
    """The part of the grid that some device can reach."""
    spans = []
    for size, places in ((grid.height, "row"), (grid.width, "col")):
        firsts = [int(getattr(s, places).min()) - s.near.shape[0] + 1 for s in all_sources]
        lasts = [int(getattr(s, places).max()) + s.near.shape[0] for s in all_sources]
        spans.append(slice(max(min(firsts), 0), min(max(lasts), size)))
    return PixelBox(*spans)


def _add(
    job: ProtectionJob,
    sources: InterferenceSources,
    victims: VictimMaps,
    box: PixelBox,
    power: NDArray[np.float64],
    threads: int,
) -> None:
    """Add the power of one geometry to ``power`` [near | far, y, x], in place."""
    antenna = discrimination_of(job)
    cross_polar_db = job.config.coverage.cross_polar_db

    def compute(rows: slice, cols: slice, before: NDArray[np.float64]) -> NDArray[np.float64]:
        after = before.copy()
        first_row, first_col = box.rows.start + rows.start, box.cols.start
        add_power(rows_of(victims, rows), first_row, first_col, sources, antenna, cross_polar_db, after)
        return after

    height, width = power.shape[1:]
    name = f"aggregate {job.channel}"
    for rows, _, part in map_blocks(
        compute, (height, width), (_BLOCK_PX, width), threads, cut=(power,), name=name
    ):
        power[:, rows] = part


@kernel
def add_power(
    victims: VictimMaps,
    first_row: int,
    first_col: int,
    sources: InterferenceSources,
    antenna: tuple[float, float, float],
    cross_polar_db: float,
    power: NDArray[np.float64],
) -> None:
    """Power of all sources at the victims of a strip, mW at 0 dBi times the protection ratio.

    Into ``power`` float64[near | far, y, x]; the strip begins at (``first_row``, ``first_col``) of the grid.
    """
    height, width = victims.kind.shape
    reach = sources.near.shape[0] - 1
    flat_deg, end_deg, full_db = antenna
    for j in range(sources.row.size):
        row, col = sources.row[j] - first_row, sources.col[j] - first_col
        for y in range(max(0, row - reach), min(height, row + reach + 1)):
            for x in range(max(0, col - reach), min(width, col + reach + 1)):
                kind = victims.kind[y, x]
                if kind == NO_VICTIM:
                    continue
                dy, dx = abs(row - y), abs(col - x)
                coast = 1 if kind & COASTAL_BIT else 0
                level_dbm = sources.level_dbm[j, victims.code[y, x]] - float(sources.loss_db[coast, dy, dx])
                if level_dbm == -np.inf:
                    continue
                if dy > 1 or dx > 1:
                    azimuth_deg = float(victims.azimuth_deg[y, x])
                    if kind & ORTHOGONAL_BIT:
                        level_dbm -= cross_polar_db
                    elif not math.isnan(azimuth_deg):
                        direction_deg = math.degrees(math.atan2(float(col - x), float(y - row)))
                        off_deg = abs((azimuth_deg - direction_deg + 180.0) % 360.0 - 180.0)
                        level_dbm -= directivity_db(off_deg, flat_deg, end_deg, full_db)
                power[0 if sources.near[dy, dx] else 1, y, x] += math.exp(_MW * level_dbm)


def _layers(
    config: Config,
    files: ChannelFiles,
    box: PixelBox,
    power: NDArray[np.float64],
    dq_pct: float,
    threads: int,
) -> xr.DataArray:
    """From the power at every victim to degradation, excess and required margin, by the stricter nuisance."""
    names = ("wanted_dbuvm", *(name for pair in nuisance_bands(config) for name in pair))
    levels = raster.read(files.coverage(".tif"), rows=box.rows, cols=box.cols, bands=names)
    values = levels.values.astype(np.float64)
    f_mhz = channel_centre_mhz(config.channels, files.channel)
    height, width = values.shape[1:]
    out = np.empty((3, height, width), dtype=np.float32)

    def compute(
        _rows: slice, _cols: slice, part: NDArray[np.float64], levels: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        times = (levels[[0, first, first + 1]] for first in range(1, len(levels), 2))
        found = [_falls(config, f_mhz, dq_pct, part, of_time) for of_time in times]
        largest: NDArray[np.float32] = np.fmax.reduce(found)
        return largest

    name = f"falls {files.channel}"
    for rows, _, part in map_blocks(
        compute, (height, width), (_BLOCK_PX, width), threads, cut=(power, values), name=name
    ):
        out[:, rows] = part
    units = ("percentage points", "percentage points", "dB")
    title = f"fall of location probability by all placed devices, channel {files.channel}"
    return raster.make_array(
        out, levels.attrs["grid"], units=units, nodata=math.nan, band_names=AGGREGATE_LAYERS, long_name=title
    )


def _falls(
    config: Config, f_mhz: float, dq_pct: float, power: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Degradation, excess and required margin [3, y, x]; NaN without power.

    ``power`` [near | far, y, x] as of ``_add``; ``levels`` [wanted | nuisance | its sigma, y, x].
    """
    hit = power[0] + power[1] > 0.0
    near, far = power[:, hit]
    wanted_dbuvm, nuisance_dbuvm, sigma_u_db = levels[:, hit]
    total = near + far
    sigma_i_db = (near * config.protection.near_sigma_db + far * config.protection.far_sigma_db) / total
    above_nuisance_db = 10.0 * np.log10(total) - power_dbm(0.0, f_mhz) - nuisance_dbuvm
    fall, required_db = degradation_of(
        above_nuisance_db,
        wanted_dbuvm - nuisance_dbuvm,
        sigma_u_db,
        sigma_i_db,
        dq_pct / 100.0,
        config.coverage.location_sigma_db,
    )
    found = np.full((3, *hit.shape), np.nan, dtype=np.float32)
    found[:, hit] = 100.0 * fall, np.maximum(100.0 * fall - dq_pct, 0.0), required_db
    return found
