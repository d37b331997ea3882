"""What the reception of one DTT channel allows to devices, by geometry: files in, files out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import spread, threads_within
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import ChannelFiles, VictimReader, VictimSurvey, read_servers, survey_of
from pipeline.dtt.device_ground import GroundFiles, HeightRows, classes_without_ground, highest_class_m
from pipeline.dtt.kept_tiles import KeptTiles
from pipeline.dtt.limits import (
    THRESHOLD_BAND,
    LimitBand,
    ProtectionJob,
    bands_of,
    channel_range_km,
    discrimination_of,
    geometries,
    losses_to,
    make_job,
)
from pipeline.dtt.macro_tiles import MapSearches, TileLimits, TileSearch, searches_of, strips_with
from pipeline.dtt.separation import separation_maps
from pipeline.dtt.threshold import ChannelThresholds, OccupiedPixels, channel_thresholds
from pipeline.dtt.victim_blocks import VictimBlocks
from pipeline.dtt.victims import LABEL_NAMES, VictimLabel
from pipeline.files import copy_whole
from pipeline.grid import raster
from pipeline.grid.boxes import box_within_reach, joined, shifted
from pipeline.grid.grid import Grid, strips_of_rows
from pipeline.grid.kept_records import digest_of
from pipeline.grid.open_rasters import OpenRasters
from pipeline.hashing import file_sha256
from pipeline.propagation.homogeneous import table_size
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.separation_distances import SEPARATION_BANDS
from pipeline.terrain.height_files import base_height_m, heights_file, knows_terrain

_Block = tuple[slice, slice, NDArray[Any]]


class _Scene(NamedTuple):
    """What all geometries of a channel share: the ground of the grid, where the victims are."""

    ground: GroundFiles
    victims: VictimSurvey


class TileSettings(NamedTuple):
    """Memory and threads of a job; ``side_px`` of its macro-tiles, None: what fits. None changes a byte.

    ``basis`` hash of code and settings: limits of an earlier run of the same are copied where nothing that
    they follow from has changed; empty: all are computed.
    """

    memory_gib: float
    threads: int = 1
    side_px: int | None = None
    basis: str = ""


def write_protection(config: Config, files: ChannelFiles, tiles: TileSettings) -> None:
    """Compute each geometry of the devices and write one pair of files a device."""
    if config.protection.method == "separation":
        for device in config.devices:
            _separation(config, files, device)
        return
    groups = geometries(config.devices)
    if config.protection.method == "threshold":
        for devices in groups:
            _threshold(config, files, files.protection(devices[0]))
    else:
        tables = read_protection_tables(config.protection)
        servers = read_servers(files.coverage("_servers.json"))
        with OpenRasters() as opened:
            scene = _Scene(GroundFiles(config, files.build, opened), survey_of(config, files))
            for devices in groups:
                job = make_job(config, files.channel, devices, tables, servers)
                _protect(job, files, scene, files.protection(devices[0]), tiles)
    for first, *others in groups:
        for device in others:
            for source, copy in zip(files.protection(first), files.protection(device), strict=True):
                copy_whole(source, copy)


def _protect(
    job: ProtectionJob, files: ChannelFiles, scene: _Scene, out: tuple[Path, Path], tiles: TileSettings
) -> None:
    """One geometry, tile by tile."""
    ground, grid, config = scene.ground, scene.ground.grid, job.config
    bands, survey = bands_of(job), scene.victims
    box = box_within_reach(survey.box, ground.box, reach_px(job, files, grid) if job.groups else 0)
    thresholds = channel_thresholds(config, files)
    if box is None or not bands:
        _write(out, grid, bands, (), thresholds)
        return
    if box != joined(box, survey.box):  # some victims are too far away to matter
        survey = survey_of(config, files, box)
    classes = classes_without_ground(config, files.build, job.devices[0], ground.sea_km)
    searches = searches_of(job, losses_to(job, survey.nearest_sea, grid, classes))
    heights = HeightRows(config, files.build, job.devices[0])
    with OpenRasters() as opened:
        # Where a threshold decides, limits do not follow from victims alone.
        may_keep = bool(tiles.basis) and not thresholds.used
        kept = _kept_tiles(job, files, out, tiles.basis, searches, opened) if may_keep else None
        reader = VictimReader(job, files, opened)
        victims = VictimBlocks(reader.victims, survey.number, tiles.threads, kept is not None)
        threads = threads_within(tiles.threads)
        search = TileSearch(job, searches, victims, heights, grid.shape, threads=threads, kept=kept)
        side_px = tiles.side_px or search.side_within(tiles.memory_gib, ground)
        _write(out, grid, bands, _rows_of_tiles(search, scene, side_px, kept), thresholds)
    if kept is not None:
        kept.keep()


def _rows_of_tiles(
    search: TileSearch, scene: _Scene, side_px: int, kept: KeptTiles | None
) -> Iterator[tuple[slice, list[TileLimits]]]:
    """Rows of tiles and their maps: one tile after another here, side by side on a cluster."""
    tiles = search.tiles(scene.ground, side_px)
    tasks = ((tile, scene.ground.part(tile)) for tile in tiles)
    results = spread(search.of_tile, tasks, len(tiles), 1, name="protection")
    for rows in strips_of_rows(0, scene.ground.grid.height, side_px):
        found = list[TileLimits]()
        for result in islice(results, sum(rows.start <= tile.rows.start < rows.stop for tile in tiles)):
            found += result.limits
            if kept is not None:
                kept.note(result.states)
        yield rows, found


def _kept_tiles(
    job: ProtectionJob,
    files: ChannelFiles,
    out: tuple[Path, Path],
    basis: str,
    searches: list[MapSearches],
    opened: OpenRasters,
) -> KeptTiles:
    """Limits of the last run, for what a search is given besides the victims."""
    heights = None
    if knows_terrain(job.config):
        # Their sum would take longer than the search; a job that runs again gives them another time.
        state = heights_file(files.build, base_height_m(job.devices[0])).stat()
        heights = state.st_size, state.st_mtime_ns
    surface = file_sha256(files.territory("surface"))
    common = digest_of(basis, job.channel, surface, heights, searches, discrimination_of(job))
    return KeptTiles(out, common, opened)


def reach_px(job: ProtectionJob, files: ChannelFiles, grid: Grid) -> int:
    """Pixels beyond which no device of the geometry, on the highest ground, is limited."""
    coastal = job.config.protection.sea_paths == "coastal"
    highest_m = highest_class_m(job.config, files.build, job.devices[0])
    reach_km = max(channel_range_km(job, coastal), channel_range_km(job, coastal, highest_m))
    return table_size(reach_km, grid.resolution_m, grid.largest_scale())


def _write(
    out: tuple[Path, Path],
    grid: Grid,
    bands: list[LimitBand],
    found: Iterable[tuple[slice, Iterable[TileLimits]]],
    thresholds: ChannelThresholds,
) -> None:
    """Both files from the tiles of all rows; outside of them nothing limits.

    Stations that are protected by a threshold have a map of their own, the last one.
    """
    names = [band.name for band in bands] + [THRESHOLD_BAND] * thresholds.used or ["none"]
    levels_dbm = np.full(len(names), np.inf, np.float32)
    levels_dbm[: len(bands)] = [band.unconstrained_dbm for band in bands]
    title = "permitted e.i.r.p. plus protection ratio"
    layouts = _layouts(grid, names, title, {"channel": str(thresholds.files.channel)})
    with (
        raster.writing(out[0], layouts[0], publish=False, together=True) as put_levels,
        raster.writing(out[1], layouts[1], publish=False, together=True) as put_labels,
    ):
        for rows, tiles in found or [(slice(0, grid.height), ())]:
            its = list(tiles)
            for strip in strips_of_rows(rows.start, rows.stop):
                shape = len(names), strip.stop - strip.start, grid.width
                levels = np.broadcast_to(levels_dbm[:, np.newaxis, np.newaxis], shape).copy()
                labels = np.full(shape, np.uint8(VictimLabel.NONE), np.uint8)
                for (own, cols), permissible_dbm, label in strips_with(its, strip):
                    place = shifted(own, -strip.start)
                    levels[: len(bands), place, cols] = permissible_dbm
                    labels[: len(bands), place, cols] = label
                if thresholds.used:
                    whole = thresholds.at(strip, slice(0, grid.width))
                    levels[-1], labels[-1] = _occupied_dbm(whole), whole.label
                put_levels(strip, slice(0, grid.width), levels)
                put_labels(strip, slice(0, grid.width), labels)


def _layouts(
    grid: Grid, names: Sequence[str], title: str, tags: dict[str, str]
) -> tuple[raster.Layout, raster.Layout]:
    """Layouts of the maps of levels and of labels."""
    return (
        raster.layout_on(
            grid, names, dtype="float32", nodata=math.nan, units="dBm", long_name=title, tags=tags
        ),
        raster.layout_on(
            grid,
            names,
            dtype="uint8",
            nodata=int(VictimLabel.OUTSIDE),
            units="1",
            long_name="whose reception limits",
            tags=tags,
            categories=LABEL_NAMES,
        ),
    )


def _write_pair(
    out: tuple[Path, Path], layouts: tuple[raster.Layout, raster.Layout], *blocks: Iterable[_Block]
) -> None:
    for path, layout, values in zip(out, layouts, blocks, strict=True):
        raster.write_blocks(path, layout, values, publish=False)


def _separation(config: Config, files: ChannelFiles, device: Device) -> None:
    """Both files of the separation method."""
    grid = raster.read_grid(files.territory("surface"))
    maps = separation_maps(config, files.build, files.channel, device, grid)
    tags = {"channel": str(files.channel), "method": "separation"}
    whole = slice(0, grid.height), slice(0, grid.width)
    layouts = _layouts(grid, list(SEPARATION_BANDS), "permitted e.i.r.p. by separation", tags)
    _write_pair(files.protection(device), layouts, [(*whole, maps.eirp_dbm)], [(*whole, maps.label)])


def _threshold(config: Config, files: ChannelFiles, out: tuple[Path, Path]) -> None:
    """Both files of the threshold method."""
    grid = raster.read_grid(files.coverage(".tif"))
    thresholds = channel_thresholds(config, files)

    def blocks(values_of: Callable[[OccupiedPixels], NDArray[Any]]) -> Iterator[_Block]:
        for rows in strips_of_rows(0, grid.height):
            cols = slice(0, grid.width)
            yield rows, cols, values_of(thresholds.at(rows, cols))

    tags = {"channel": str(files.channel), "method": "threshold"}
    layouts = _layouts(grid, [THRESHOLD_BAND], "permitted e.i.r.p. by threshold", tags)
    _write_pair(out, layouts, blocks(_occupied_dbm), blocks(lambda found: found.label))


def _occupied_dbm(found: OccupiedPixels) -> NDArray[np.float32]:
    """Nothing is permitted where a channel is occupied; what holds beside it is applied to an offset."""
    return np.where(found.occupied, np.float32(-np.inf), np.float32(np.inf))
