"""What the reception of one DTT channel allows to devices, by geometry: files in, files out."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import (
    ChannelFiles,
    PixelBox,
    box_of,
    box_of_victims,
    box_within_reach,
    read_servers,
    read_victims,
    strips,
)
from pipeline.dtt.device_ground import GroundPlaces, ground_places, highest_class_m, read_ground
from pipeline.dtt.limits import (
    THRESHOLD_BAND,
    LimitBand,
    ProtectionJob,
    bands_of,
    channel_range_km,
    geometries,
    make_job,
    run,
)
from pipeline.dtt.separation import separation_maps
from pipeline.dtt.threshold import labels_of, occupied, threshold_dbuvm
from pipeline.dtt.victims import LABEL_NAMES, VictimLabel
from pipeline.files import copy_whole
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.propagation.homogeneous import table_size
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.separation_distances import SEPARATION_BANDS

_Block = tuple[slice, slice, NDArray[Any]]


class _Scene(NamedTuple):
    """What all geometries of a channel share: the grid with its ground, the boxes of victims and targets."""

    grid: Grid
    places: GroundPlaces
    victims: PixelBox | None
    targets: PixelBox | None


def write_protection(config: Config, files: ChannelFiles, *, threads: int = 1) -> None:
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
        scene = _read_scene(config, files)
        for devices in groups:
            job = make_job(config, files.channel, devices, tables, servers)
            _protect(job, files, scene, files.protection(devices[0]), threads)
    for first, *others in groups:
        for device in others:
            for source, copy in zip(files.protection(first), files.protection(device), strict=True):
                copy_whole(source, copy)


def _read_scene(config: Config, files: ChannelFiles) -> _Scene:
    found = raster.read(files.territory("surface"))
    surface, grid = found.values, found.attrs["grid"]
    places = ground_places(config, surface, grid)
    return _Scene(grid, places, box_of_victims(config, files, surface), box_of(places.home))


def _protect(
    job: ProtectionJob, files: ChannelFiles, scene: _Scene, out: tuple[Path, Path], threads: int
) -> None:
    """One geometry: only the box within reach is held in memory, finished maps wait on disk."""
    grid = scene.grid
    around_px = reach_px(job, files, grid) if job.groups else 0
    box = box_within_reach(scene.victims, scene.targets, around_px)
    bands = bands_of(job)
    with tempfile.TemporaryDirectory(prefix="protect-", dir=files.build) as folder:
        if box is not None:
            victims = read_victims(job, files, box)
            classes = read_ground(job.config, files.build, job.devices[0], scene.places, box)
            maps = run(job, victims, scene.places.home[box], grid, classes, threads=threads)
            _keep(Path(folder), maps)
        _write(out, grid, box, bands, Path(folder), files.channel)


def reach_px(job: ProtectionJob, files: ChannelFiles, grid: Grid) -> int:
    """Pixels beyond which no device of the geometry, on the highest ground, is limited."""
    coastal = job.config.protection.sea_paths == "coastal"
    highest_m = highest_class_m(job.config, files.build, job.devices[0])
    reach_km = max(channel_range_km(job, coastal), channel_range_km(job, coastal, highest_m))
    return table_size(reach_km, grid.resolution_m, grid.largest_scale())


def _keep(folder: Path, maps: Iterable[tuple[LimitBand, NDArray[np.float32], NDArray[np.uint8]]]) -> None:
    for number, (_, permissible_dbm, label) in enumerate(maps):
        np.save(folder / f"limit{number}.npy", permissible_dbm)
        np.save(folder / f"label{number}.npy", label)


def _write(
    out: tuple[Path, Path],
    grid: Grid,
    box: PixelBox | None,
    bands: list[LimitBand],
    folder: Path,
    channel: int,
) -> None:
    """Both files; outside the box nothing limits."""
    names = [band.name for band in bands] or ["none"]
    levels_dbm = [band.unconstrained_dbm for band in bands] or [np.inf]
    none = [int(VictimLabel.NONE)] * len(names)
    title = "permitted e.i.r.p. plus protection ratio"
    _write_pair(
        out,
        _layouts(grid, names, title, {"channel": str(channel)}),
        _blocks(grid, box, levels_dbm, folder, "limit"),
        _blocks(grid, box, none, folder, "label"),
    )


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


def _blocks(
    grid: Grid, box: PixelBox | None, background: list[Any], folder: Path, layer: str
) -> Iterator[_Block]:
    dtype = np.float32 if layer == "limit" else np.uint8
    maps = [np.load(folder / f"{layer}{n}.npy", mmap_mode="r") for n in range(len(background))] if box else []
    for rows in strips(0, grid.height):
        values = np.empty((len(background), rows.stop - rows.start, grid.width), dtype=dtype)
        values[:] = np.array(background, dtype=dtype)[:, np.newaxis, np.newaxis]
        if box is not None and rows.start < box.rows.stop and box.rows.start < rows.stop:
            first, last = max(rows.start, box.rows.start), min(rows.stop, box.rows.stop)
            for band, part in zip(values, maps, strict=True):
                inside = part[first - box.rows.start : last - box.rows.start]
                band[first - rows.start : last - rows.start, box.cols] = inside
        yield rows, slice(0, grid.width), values


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
    from_dbuvm = threshold_dbuvm(config, files.channel)

    def blocks(values_of: Callable[[NDArray[np.bool_], slice], NDArray[Any]]) -> Iterator[_Block]:
        for rows in strips(0, grid.height):
            field_dbuvm = raster.read(files.coverage(".tif"), rows=rows, bands=["field_dbuvm"]).values
            yield rows, slice(0, grid.width), values_of(occupied(field_dbuvm, from_dbuvm), rows)

    def levels_dbm(taken: NDArray[np.bool_], _rows: slice) -> NDArray[Any]:
        return np.where(taken, -np.inf, np.inf).astype(np.float32)

    def labels(taken: NDArray[np.bool_], rows: slice) -> NDArray[Any]:
        return np.where(taken, labels_of(config, files, rows), np.uint8(VictimLabel.NONE))

    tags = {"channel": str(files.channel), "method": "threshold"}
    layouts = _layouts(grid, [THRESHOLD_BAND], "permitted e.i.r.p. by threshold", tags)
    _write_pair(out, layouts, blocks(levels_dbm), blocks(labels))
