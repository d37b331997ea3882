"""Aggregate check: what placed devices together do to the reception of one DTT channel (SM.2405 Annex 7, i).

Loss, discrimination and ratios are those of the job protect, without the multiple-interference margin,
which this check is to judge. What the devices cause at one receiver counts as fully correlated: the median of
the sum is the power sum of the medians, its spread the mean of the spreads weighted by power. (A small fall
of location probability follows the mean power, which no correlation changes.) q1 - q2 is the integral of
``degradation``. With ``protection.device_path`` paths are those over terrain (docs/method.md, section 40).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import map_blocks
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import (
    ChannelFiles,
    VictimReader,
    nuisance_bands,
    read_servers,
    read_victims,
    survey_of,
)
from pipeline.dtt.degradation import degradation_of
from pipeline.dtt.device_ground import GroundPlaces, classes_without_ground, ground_places, read_ground
from pipeline.dtt.limits import ProtectionJob, discrimination_of, geometries, losses_to, make_job
from pipeline.dtt.path_classes import (
    DISTANCE_STEP,
    PathClasses,
    PixelClasses,
    classes_between,
    flat_paths,
    path_db,
    prepared,
)
from pipeline.dtt.protection_maps import reach_px
from pipeline.dtt.terrain_losses import (
    NO_TERRAIN,
    TerrainLosses,
    chosen_loss_db,
    losses_of_devices,
    terrain_reach_px,
)
from pipeline.dtt.terrain_paths import terrain_of_grid
from pipeline.dtt.victims import (
    COASTAL_BIT,
    NO_VICTIM,
    ORTHOGONAL_BIT,
    VictimMaps,
    empty_victims,
    group_codes,
)
from pipeline.grid import raster
from pipeline.grid.boxes import PixelBox, shifted
from pipeline.grid.grid import STRIP_PX, Grid
from pipeline.grid.open_rasters import OpenRasters
from pipeline.kernels import kernel
from pipeline.propagation.homogeneous import NEAR_KM
from pipeline.radio.antennas import directivity_db
from pipeline.radio.channel_plan import Offset, channel_centre_mhz
from pipeline.reference.limiting_channels import concerns
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import group_shift_db
from pipeline.units import power_dbm

# A device is left out where alone it would need this much more e.i.r.p. at its cap to limit anything.
_FAINT_DB = 20.0
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
    """Devices of one geometry around one DTT channel, on the padded grid.

    ``level_dbm`` float64[device, code of the victim]: e.i.r.p. plus protection ratio.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    level_dbm: NDArray[np.float64]


class SourcePaths(NamedTuple):
    """Losses from the devices of one geometry to victims inland and at the coast, out to ``reach`` pixels.

    ``near_db`` and ``far_db`` float32[coast, n, n] by (|dy|, |dx|), losses of flat land up to 80 m and
    beyond; ``inland`` and ``coastal`` classes of the ``ground`` of the box, ``inland_db`` and ``coastal_db``
    their losses at the nodes of distance; ``px_km`` true side of a pixel.
    """

    near_db: NDArray[np.float32]
    far_db: NDArray[np.float32]
    inland: PathClasses
    coastal: PathClasses
    inland_db: NDArray[np.float32]
    coastal_db: NDArray[np.float32]
    ground: PixelClasses
    px_km: float


class AggregateMap(NamedTuple):
    """Layers ``AGGREGATE_LAYERS`` on the part of the grid within reach of the devices.

    ``strips``: rows of ``grid`` and float32[layer, y, x], from the north; NaN where no protected reception is
    in reach of a device.
    """

    grid: Grid
    strips: Iterator[tuple[slice, NDArray[np.float32]]]


def run(
    config: Config, files: ChannelFiles, placed: PlacedDevices, *, threads: int = 1
) -> AggregateMap | None:
    """What devices do together to one DTT channel; None where no device concerns it.

    dq is the smallest of the placed devices' and of the channel's stations. Coverage is read strip by strip.
    """
    grid = raster.read_grid(files.coverage(".tif"))
    servers = read_servers(files.coverage("_servers.json"))
    tables = read_protection_tables(config.protection)
    jobs = [make_job(config, files.channel, group, tables, servers) for group in geometries(config.devices)]
    found = [(job, sources_of(job, placed)) for job in jobs if job.groups]
    concerned = [(job, sources) for job, sources in found if sources is not None]
    if not concerned:
        return None
    over_px = terrain_reach_px(config, grid)
    box = _box_of(
        [(sources, max(reach_px(_louder(job), files, grid), over_px)) for job, sources in concerned], grid
    )
    places = ground_places(config, files.build, raster.read(files.territory("surface")).values)
    nearest_sea = survey_of(config, files, box).nearest_sea
    groups = [_louder_group(job, sources, files, grid, places, nearest_sea) for job, sources in concerned]
    asked_pct = [config.devices[i].dq_pct for i in np.unique(placed.device)]
    dq_pct = min(*asked_pct, *(rule.dq_pct for rule in servers.rules if rule.dq_pct > 0.0), math.inf)
    scene = _Scene(config, files, places, box, dq_pct)
    power = None if over_px == 0 else _power_over_terrain(scene, grid, groups, threads)
    return AggregateMap(grid.window(*box), _strips(scene, groups, power, threads))


class _Group(NamedTuple):
    """Devices of one geometry around the channel, with the losses from them."""

    job: ProtectionJob
    sources: InterferenceSources
    paths: SourcePaths


class _Scene(NamedTuple):
    """One channel and the part of the grid that devices reach; ``dq_pct`` the smallest that is asked for."""

    config: Config
    files: ChannelFiles
    places: GroundPlaces
    box: PixelBox
    dq_pct: float


def sources_of(job: ProtectionJob, placed: PlacedDevices) -> InterferenceSources | None:
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
    return InterferenceSources(places[0].copy(), places[1].copy(), 10.0 * np.log10(power))


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


def _louder(job: ProtectionJob) -> ProtectionJob:
    """The job out to where one device is ``_FAINT_DB`` below what limits it."""
    louder = [d.model_copy(update={"margin_db": d.margin_db + _FAINT_DB}) for d in job.devices]
    return job._replace(devices=tuple(louder))


def _louder_group(
    job: ProtectionJob,
    sources: InterferenceSources,
    files: ChannelFiles,
    grid: Grid,
    places: GroundPlaces,
    nearest_sea: Mapping[bool, int],
) -> _Group:
    """Devices with losses for inland and coastal victims; of the ground only what its classes mean."""
    classes = classes_without_ground(job.config, files.build, job.devices[0], places.sea_km)
    found = losses_to(_louder(job), nearest_sea, grid, classes)
    size = max((tables.far_db.shape[0] for tables in found.values()), default=1)
    near_db, far_db = (np.full((2, size, size), np.inf, dtype=np.float32) for _ in range(2))
    paths, nodes_db = [flat_paths(), flat_paths()], [np.zeros((1, 1, 2), np.float32)] * 2
    for coastal, tables in found.items():
        n = tables.far_db.shape[0]
        near_db[int(coastal), :n, :n], far_db[int(coastal), :n, :n] = tables.near_db, tables.far_db
        if tables.paths.used:
            paths[int(coastal)], nodes_db[int(coastal)] = prepared(tables.paths, size), tables.nodes_db
    px_km = grid.resolution_m / grid.largest_scale() / 1000.0
    losses = SourcePaths(near_db, far_db, paths[0], paths[1], nodes_db[0], nodes_db[1], classes.ground, px_km)
    return _Group(job, sources, losses)


def _box_of(reaches: Sequence[tuple[InterferenceSources, int]], grid: Grid) -> PixelBox:
    """The part of the grid that some device can reach."""
    spans = []
    for size, places in ((grid.height, "row"), (grid.width, "col")):
        firsts = [int(getattr(sources, places).min()) - reach for sources, reach in reaches]
        lasts = [int(getattr(sources, places).max()) + reach + 1 for sources, reach in reaches]
        spans.append(slice(max(min(firsts), 0), min(max(lasts), size)))
    return PixelBox(*spans)


def _strips(
    scene: _Scene, groups: Sequence[_Group], power: NDArray[np.float64] | None, threads: int
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Layers strip by strip; ``power`` [near | far, y, x] of the box where it is known by now."""
    shape, first = scene.box.shape, scene.box.rows.start
    names = ("wanted_dbuvm", *(name for pair in nuisance_bands(scene.config) for name in pair))
    f_mhz = channel_centre_mhz(scene.config.channels, scene.files.channel)
    with OpenRasters() as opened:

        def compute(rows: slice, _cols: slice, part: NDArray[np.float64] | None) -> NDArray[np.float32]:
            own = PixelBox(shifted(rows, first), scene.box.cols)
            if part is None:
                part = np.zeros((2, *own.shape))
                for group in groups:
                    _add(scene, group, own, opened, part)
            values = opened.window(scene.files.coverage(".tif"), *own, names).astype(np.float64)
            times = (values[[0, time, time + 1]] for time in range(1, len(values), 2))
            found = [_falls(scene.config, f_mhz, scene.dq_pct, part, of_time) for of_time in times]
            largest: NDArray[np.float32] = np.fmax.reduce(found)
            return largest

        name = f"aggregate {scene.files.channel}"
        blocks = map_blocks(compute, shape, (STRIP_PX, shape[1]), threads, cut=(power,), name=name)
        yield from ((rows, layers) for rows, _, layers in blocks)


def _add(
    scene: _Scene, group: _Group, own: PixelBox, opened: OpenRasters, power: NDArray[np.float64]
) -> None:
    """Add the power of one geometry in a strip of the grid to ``power`` [near | far, y, x], in place."""
    job, around = group.job, group.paths.far_db.shape[1] - 1
    rows = slice(max(own.rows.start - around, 0), min(own.rows.stop + around, len(scene.places.surface)))
    near = (rows.start <= group.sources.row) & (group.sources.row < rows.stop)
    if not near.any():
        return
    sources = InterferenceSources(
        group.sources.row[near] - rows.start,
        group.sources.col[near] - own.cols.start,
        group.sources.level_dbm[near],
    )
    victims = empty_victims(*own.shape)
    VictimReader(job, scene.files, opened).fill(*own, victims)
    window = PixelBox(rows, own.cols)
    ground = read_ground(scene.config, scene.files.build, job.devices[0], scene.places, window).ground
    paths, cross_polar_db = group.paths._replace(ground=ground), scene.config.coverage.cross_polar_db
    first_row, antenna = own.rows.start - rows.start, discrimination_of(job)
    add_power(victims, first_row, sources, paths, NO_TERRAIN, antenna, cross_polar_db, power)


def _power_over_terrain(
    scene: _Scene, grid: Grid, groups: Sequence[_Group], threads: int
) -> NDArray[np.float64]:
    """Power [near | far, y, x] at the victims of the box by paths over terrain, device by device."""
    config, files, box = scene.config, scene.files, scene.box
    terrain, power = terrain_of_grid(config, files.build, grid), np.zeros((2, *box.shape))
    for job, sources, losses in groups:
        victims = read_victims(job, files, box)
        ground = read_ground(config, files.build, job.devices[0], scene.places, box).ground
        paths, antenna = losses._replace(ground=ground), discrimination_of(job)
        pixels = list(zip(sources.row.tolist(), sources.col.tolist(), strict=True))
        with_gaps, first = 0, (box.rows.start, box.cols.start)
        found = losses_of_devices(config, job.devices[0], job.f_mhz, terrain, grid, pixels, threads)
        for j, over in enumerate(found):
            its = slice(j, j + 1)
            one = InterferenceSources(
                sources.row[its] - first[0], sources.col[its] - first[1], sources.level_dbm[its]
            )
            inside = over._replace(row=over.row - first[0], col=over.col - first[1])
            add_power(victims, 0, one, paths, inside, antenna, config.coverage.cross_polar_db, power)
            with_gaps += over.gaps
        if with_gaps:
            what = f"around {with_gaps} of {len(pixels)} devices terrain is not known everywhere"
            print(f"channel {job.channel}: {what}: there their paths are homogeneous", file=sys.stderr)
    return power


@kernel
def add_power(
    victims: VictimMaps,
    first_row: int,
    sources: InterferenceSources,
    paths: SourcePaths,
    over: TerrainLosses,
    antenna: tuple[float, float, float],
    cross_polar_db: float,
    power: NDArray[np.float64],
) -> None:
    """Power of all sources at the victims of a strip, mW at 0 dBi times the protection ratio.

    Into ``power`` float64[near | far, y, x]; the strip begins at row ``first_row`` of the box. ``over``: of
    the only source, on the box, where there is terrain.
    """
    height, width = victims.kind.shape
    reach = paths.far_db.shape[1] - 1
    around = max(reach, over.around)
    flat_deg, end_deg, full_db = antenna
    for j in range(sources.row.size):
        row, col = sources.row[j] - first_row, sources.col[j]
        for y in range(max(0, row - around), min(height, row + around + 1)):
            for x in range(max(0, col - around), min(width, col + around + 1)):
                kind = victims.kind[y, x]
                if kind == NO_VICTIM:
                    continue
                dy, dx = abs(row - y), abs(col - x)
                coast = 1 if kind & COASTAL_BIT else 0
                within = dy <= reach and dx <= reach
                loss_db = paths.near_db[coast, dy, dx] if within else np.float32(np.inf)
                near = loss_db < np.inf
                if within and not near:
                    target, victim = (row + first_row, col), (y + first_row, x)
                    loss_db = _far_loss_db(paths, coast, paths.far_db[coast, dy, dx], target, victim)
                if over.around > 0 and not near and (dy > 1 or dx > 1):
                    loss_db = chosen_loss_db(over, y + first_row, x, loss_db)
                level_dbm = sources.level_dbm[j, victims.code[y, x]] - float(loss_db)
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
                power[0 if near else 1, y, x] += math.exp(_MW * level_dbm)


@kernel
def _far_loss_db(
    paths: SourcePaths, coast: int, flat_db: np.float32, target: tuple[int, int], victim: tuple[int, int]
) -> np.float32:
    """Loss beyond 80 m, of a class interpolated between the nodes: what devices do together is no bound."""
    by_class = paths.coastal if coast == 1 else paths.inland
    nodes_db = paths.coastal_db if coast == 1 else paths.inland_db
    loss_db = path_db(by_class, paths.ground, flat_db, target, victim)
    away_y, away_x = abs(target[0] - victim[0]), abs(target[1] - victim[1])
    if not by_class.used or loss_db == flat_db or (away_y <= 1 and away_x <= 1):
        return loss_db
    height, inland = classes_between(by_class, paths.ground, target, victim)
    d_km = paths.px_km * math.hypot(float(max(away_y - 1, 0)), float(max(away_x - 1, 0)))
    place = math.log(d_km / NEAR_KM) / DISTANCE_STEP
    node = int(place)
    if node + 1 >= nodes_db.shape[2]:
        return loss_db
    before_db, after_db = nodes_db[height, inland, node], nodes_db[height, inland, node + 1]
    return before_db + np.float32(place - node) * (after_db - before_db)


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
