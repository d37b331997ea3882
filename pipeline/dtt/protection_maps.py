"""Stage protect: what the reception of one DTT channel allows to devices around it.

Input: coverage of the channel and the territory's rasters. Output for each device: ``chNN_<device>.tif``,
float32, one band per group of victims ("system mode|from..to" of the wanted level in dBm) and, where a
threshold is known, "overload"; ``chNN_<device>_label.tif``, uint8, the service that decides. For what the
values mean see ``limits``.
With ``method: threshold`` the one band is "threshold": -inf where the channel is occupied, else +inf; with
``method: separation`` there are two, "separation co" and "separation adjacent".
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.load import load_config
from pipeline.config.protection import Device
from pipeline.dtt.box import Box, box_of, box_within_reach, joined
from pipeline.dtt.interference_range import allowed_nuisance_of
from pipeline.dtt.limits import Band, Job, Servers, bands_of, geometries, make_job, radius_km, run
from pipeline.dtt.separation import separation_maps
from pipeline.dtt.threshold import THRESHOLD_BAND, occupied, threshold_dbuvm
from pipeline.dtt.victims import Victims, empty_victims, fill_victims, rows_of
from pipeline.files import copy_whole
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX, Grid
from pipeline.propagation.homogeneous import table_size
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.separation_distances import SEPARATION_BANDS
from pipeline.services.codes import CODE_NAMES, LimitingService
from pipeline.territory.codes import Surface

LEVELS = ("wanted_dbuvm", "nuisance_dbuvm", "nuisance_sigma_db", "azimuth_deg")

__all__ = ["Files", "main", "read_servers", "run"]


class Files(NamedTuple):
    """Places of one channel's files in the build folder."""

    build: Path
    channel: int

    def coverage(self, ending: str) -> Path:
        """A file of the coverage stage."""
        return self.build / "coverage" / f"ch{self.channel:02d}{ending}"

    def territory(self, name: str) -> Path:
        """A raster of the territory stage."""
        return self.build / "territory" / f"{name}.tif"

    def protection(self, device: Device) -> tuple[Path, Path]:
        """Limits and labels of a device."""
        stem = f"ch{self.channel:02d}_{device.id}"
        folder = self.build / "protection"
        return folder / f"{stem}.tif", folder / f"{stem}_label.tif"


def main(config_path: Path, build: Path, *, channel: int, threads: int = 1) -> None:
    """Open coverage and territory, compute each geometry of the devices, write one pair of files a device."""
    config = load_config(config_path)
    files = Files(build, channel)
    for devices in geometries(config.devices):
        if config.protection.method == "separation":
            for device in devices:
                _separation(config, files, device)
            continue
        out = files.protection(devices[0])
        if config.protection.method == "threshold":
            _threshold(config, files, out)
        else:
            tables = read_protection_tables(config.protection)
            servers = read_servers(files.coverage("_servers.json"))
            _protect(make_job(config, channel, devices, tables, servers), files, out, threads)
        for device in devices[1:]:
            for source, copy in zip(out, files.protection(device), strict=True):
                copy_whole(source, copy)


def read_servers(path: Path) -> Servers:
    """The table of servers that the coverage stage writes."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Servers(
        tuple(str(entry["polarisation"]) for entry in content["transmitters"]),
        tuple((str(system), str(mode)) for system, mode in content["modes"]),
    )


def _protect(job: Job, files: Files, out: tuple[Path, Path], threads: int) -> None:
    """One geometry: only the box within reach is held in memory, finished maps wait on disk."""
    grid = raster.read_grid(files.coverage(".tif"))
    coastal = job.config.protection.sea_paths == "coastal"
    reach_px = (
        table_size(radius_km(job, coastal), grid.resolution_m, grid.largest_scale()) if job.groups else 0
    )
    box = find_box(job.config, files, grid, reach_px)
    bands = bands_of(job)
    with tempfile.TemporaryDirectory(prefix="protect-", dir=files.build) as folder:
        if box is not None:
            victims = read_victims(job, files, box)
            surface = raster.read(files.territory("surface"), rows=box.rows, cols=box.cols).values
            maps = run(job, victims, surface == Surface.HOME, grid, threads=threads)
            _keep(Path(folder), maps)
        _write(out, grid, box, bands, Path(folder), files.channel)


def protected_surfaces(config: Config) -> list[Surface]:
    """Land whose reception is protected: a service that is not evaluated limits nothing."""
    places = {
        Surface.HOME: config.services["dtt"],
        Surface.HOME_BEYOND: config.services["dtt"],
        Surface.FOREIGN: config.services["foreign_dtt"],
    }
    return [place for place, service in places.items() if service.evaluated]


def find_box(config: Config, files: Files, grid: Grid, reach_px: int) -> Box | None:
    """Box of the victims and targets that lie within reach of each other; None without any."""
    victims: Box | None = None
    targets: Box | None = None
    protected = protected_surfaces(config)
    for rows in _strips(0, grid.height):
        surface = raster.read(files.territory("surface"), rows=rows).values
        served = raster.read(files.coverage("_class.tif"), rows=rows, bands=["served"]).values
        victims = joined(victims, box_of((served == 1) & np.isin(surface, protected), rows.start))
        targets = joined(targets, box_of(surface == Surface.HOME, rows.start))
    return box_within_reach(victims, targets, reach_px)


def read_victims(job: Job, files: Files, box: Box) -> Victims:
    """Victim maps of a box, read strip by strip."""
    protected = protected_surfaces(job.config)
    protect = (Surface.HOME in protected, Surface.FOREIGN in protected)
    near, far = allowed_nuisance_of(job.config, job.devices[0])
    victims = empty_victims(box.rows.stop - box.rows.start, box.cols.stop - box.cols.start)
    along_sea = job.config.protection.sea_paths == "coastal"
    for rows in _strips(box.rows.start, box.rows.stop):
        levels = raster.read(files.coverage(".tif"), rows=rows, cols=box.cols, bands=LEVELS).values
        served, server, mode = raster.read(files.coverage("_class.tif"), rows=rows, cols=box.cols).values
        surface = raster.read(files.territory("surface"), rows=rows, cols=box.cols).values
        coastal = raster.read(files.territory("coastal"), rows=rows, cols=box.cols).values
        part = slice(rows.start - box.rows.start, rows.stop - box.rows.start)
        fill_victims(
            levels,
            served,
            server,
            mode,
            surface,
            coastal if along_sea else np.zeros_like(coastal),
            protect,
            job.f_mhz,
            near,
            far,
            job.classes,
            rows_of(victims, part),
        )
    return victims


def _strips(first: int, last: int) -> Iterator[slice]:
    for start in range(first, last, STRIP_PX):
        yield slice(start, min(start + STRIP_PX, last))


def _keep(folder: Path, maps: Iterable[tuple[Band, NDArray[np.float32], NDArray[np.uint8]]]) -> None:
    for number, (_, limit_dbm, label) in enumerate(maps):
        np.save(folder / f"limit{number}.npy", limit_dbm)
        np.save(folder / f"label{number}.npy", label)


def _write(
    out: tuple[Path, Path], grid: Grid, box: Box | None, bands: list[Band], folder: Path, channel: int
) -> None:
    """Both files; outside the box nothing limits."""
    names = [band.name for band in bands] or ["none"]
    tags = {"channel": str(channel)}
    open_dbm = [band.open_dbm for band in bands] or [np.inf]
    layout = raster.layout_on(
        grid,
        names,
        dtype="float32",
        nodata=float("nan"),
        units="dBm",
        long_name="permitted e.i.r.p. plus protection ratio",
        tags=tags,
    )
    raster.write_blocks(out[0], layout, _blocks(grid, box, open_dbm, folder, "limit"), publish=False)
    none = [int(LimitingService.NONE)] * len(names)
    layout = raster.layout_on(
        grid,
        names,
        dtype="uint8",
        nodata=int(LimitingService.OUTSIDE),
        units="1",
        long_name="limiting service",
        tags=tags,
        categories=CODE_NAMES,
    )
    raster.write_blocks(out[1], layout, _blocks(grid, box, none, folder, "label"), publish=False)


def _blocks(
    grid: Grid, box: Box | None, background: list[Any], folder: Path, layer: str
) -> Iterator[tuple[slice, slice, NDArray[Any]]]:
    dtype = np.float32 if layer == "limit" else np.uint8
    maps = [np.load(folder / f"{layer}{n}.npy", mmap_mode="r") for n in range(len(background))] if box else []
    for rows in _strips(0, grid.height):
        values = np.empty((len(background), rows.stop - rows.start, grid.width), dtype=dtype)
        values[:] = np.array(background, dtype=dtype)[:, np.newaxis, np.newaxis]
        if box is not None and rows.start < box.rows.stop and box.rows.start < rows.stop:
            first, last = max(rows.start, box.rows.start), min(rows.stop, box.rows.stop)
            for band, part in zip(values, maps, strict=True):
                inside = part[first - box.rows.start : last - box.rows.start]
                band[first - rows.start : last - rows.start, box.cols] = inside
        yield rows, slice(0, grid.width), values


def _separation(config: Config, files: Files, device: Device) -> None:
    """Both files of the separation method."""
    grid = raster.read_grid(files.territory("surface"))
    maps = separation_maps(config, files.build, files.channel, device, grid)
    tags = {"channel": str(files.channel), "method": "separation"}
    named = {"band_names": list(SEPARATION_BANDS), "units": "dBm"}
    limit = raster.make_array(
        maps.limit_dbm, grid, nodata=float("nan"), long_name="permitted e.i.r.p. by separation", **named
    )
    label = raster.make_array(
        maps.label,
        grid,
        nodata=int(LimitingService.OUTSIDE),
        long_name="limiting service",
        categories=CODE_NAMES,
        **named | {"units": "1"},
    )
    for path, layer in zip(files.protection(device), (limit, label), strict=True):
        raster.write(path, layer, tags=tags, publish=False)


def _threshold(config: Config, files: Files, out: tuple[Path, Path]) -> None:
    """Both files of the threshold method."""
    grid = raster.read_grid(files.coverage(".tif"))
    from_dbuvm = threshold_dbuvm(config, files.channel)

    def blocks(taken: float, otherwise: float, dtype: str) -> Iterator[tuple[slice, slice, NDArray[Any]]]:
        for rows in _strips(0, grid.height):
            field_dbuvm = raster.read(files.coverage(".tif"), rows=rows, bands=["field_dbuvm"]).values
            values = np.where(occupied(field_dbuvm, from_dbuvm), taken, otherwise)
            yield rows, slice(0, grid.width), values.astype(dtype)

    tags = {"channel": str(files.channel), "method": "threshold"}
    layout = raster.layout_on(
        grid,
        [THRESHOLD_BAND],
        dtype="float32",
        nodata=float("nan"),
        units="dBm",
        long_name="permitted e.i.r.p. by threshold",
        tags=tags,
    )
    raster.write_blocks(out[0], layout, blocks(-np.inf, np.inf, "float32"), publish=False)
    codes = blocks(LimitingService.DTT, LimitingService.NONE, "uint8")
    layout = raster.layout_on(
        grid,
        [THRESHOLD_BAND],
        dtype="uint8",
        nodata=int(LimitingService.OUTSIDE),
        units="1",
        long_name="limiting service",
        tags=tags,
        categories=CODE_NAMES,
    )
    raster.write_blocks(out[1], layout, codes, publish=False)
