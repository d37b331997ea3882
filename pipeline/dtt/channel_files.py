"""What the maps of one DTT channel are made from: its files, the box within reach, its victims."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.config.reception import nuisance_times_pct
from pipeline.coverage.network import ORDINARY_BANDS
from pipeline.dtt.interference_range import permissible_levels_of
from pipeline.dtt.limits import ProtectionJob, ServerTable
from pipeline.dtt.victims import VictimMaps, empty_victims, fill_victims, rows_of
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX
from pipeline.territory.codes import Surface

_LEVELS = ("wanted_dbuvm", "nuisance_dbuvm", "nuisance_sigma_db", "azimuth_deg")
_NUISANCE = slice(1, 3)


class ChannelFiles(NamedTuple):
    """Places of one channel's files in the build folder."""

    build: Path
    channel: int

    def coverage(self, ending: str) -> Path:
        """A file of the job coverage."""
        return self.build / "coverage" / f"ch{self.channel:02d}{ending}"

    def territory(self, name: str) -> Path:
        """A raster of the job territory."""
        return self.build / "territory" / f"{name}.tif"

    def protection(self, device: Device) -> tuple[Path, Path]:
        """Limits and labels of a device."""
        stem = f"ch{self.channel:02d}_{device.id}"
        folder = self.build / "protection"
        return folder / f"{stem}.tif", folder / f"{stem}_label.tif"


def read_servers(path: Path) -> ServerTable:
    """The table of servers that the job coverage writes."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return ServerTable(
        tuple(str(entry["polarisation"]) for entry in content["transmitters"]),
        tuple((str(system), str(mode)) for system, mode in content["modes"]),
    )


def protected_surfaces(config: Config) -> list[Surface]:
    """Land whose reception is protected: a service that is not evaluated limits nothing."""
    places = {
        Surface.HOME: config.services["dtt"],
        Surface.HOME_BEYOND: config.services["dtt"],
        Surface.FOREIGN: config.services["foreign_dtt"],
    }
    return [place for place, service in places.items() if service.evaluated]


def box_of_victims(config: Config, files: ChannelFiles, surface: NDArray[np.uint8]) -> PixelBox | None:
    """Box of the reception that is protected, None without any; ``surface`` uint8[y, x] of all the grid."""
    victims: PixelBox | None = None
    protected = protected_surfaces(config)
    for rows in strips(0, surface.shape[0]):
        served = raster.read(files.coverage("_class.tif"), rows=rows, bands=["served"]).values
        victims = joined(victims, box_of((served == 1) & np.isin(surface[rows], protected), rows.start))
    return victims


def read_victims(job: ProtectionJob, files: ChannelFiles, box: PixelBox) -> VictimMaps:
    """Victim maps of a box, read strip by strip; of two percentages of time the smaller level counts."""
    names = (*_LEVELS, *(name for pair in nuisance_bands(job.config)[1:] for name in pair))
    protected = protected_surfaces(job.config)
    protect = (Surface.HOME in protected, Surface.FOREIGN in protected)
    permissible = permissible_levels_of(job.config, job.devices[0])
    victims = empty_victims(box.rows.stop - box.rows.start, box.cols.stop - box.cols.start)
    along_sea = job.config.protection.sea_paths == "coastal"
    for rows, levels, classes, surface, coastal in _strips_of_files(files, box, names):
        served, server, mode = classes
        part = rows_of(victims, slice(rows.start - box.rows.start, rows.stop - box.rows.start))
        facts = (served, server, mode, surface, coastal if along_sea else np.zeros_like(coastal), protect)
        fill_victims(levels[: len(_LEVELS)], *facts, job.f_mhz, *permissible, job.classes, part)
        if names != _LEVELS:
            planned = [part.near_dbm.copy(), part.far_dbm.copy()]
            levels[_NUISANCE] = levels[len(_LEVELS) :]
            fill_victims(levels[: len(_LEVELS)], *facts, job.f_mhz, *permissible, job.classes, part)
            for level_dbm, planned_dbm in zip((part.near_dbm, part.far_dbm), planned, strict=True):
                np.minimum(level_dbm, planned_dbm, out=level_dbm)
    return victims


def _strips_of_files(
    files: ChannelFiles, box: PixelBox, names: Sequence[str]
) -> Iterator[tuple[slice, NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Rows of a box with the named bands of the coverage, its classes, surface and coast."""
    with ExitStack() as stack:
        levels, classes, surface, coastal = (
            stack.enter_context(raster.reading(path))
            for path in (
                files.coverage(".tif"),
                files.coverage("_class.tif"),
                files.territory("surface"),
                files.territory("coastal"),
            )
        )
        bands = [levels.layout.band_names.index(name) for name in names]
        for rows in strips(box.rows.start, box.rows.stop):
            yield (
                rows,
                raster.read_window(levels, rows, box.cols, bands),
                raster.read_window(classes, rows, box.cols),
                raster.read_window(surface, rows, box.cols)[0],
                raster.read_window(coastal, rows, box.cols)[0],
            )


def nuisance_bands(config: Config) -> list[tuple[str, str]]:
    """Bands of the nuisance and its spread for each percentage of time, that of planning first."""
    pairs = [(_LEVELS[1], _LEVELS[2]), (ORDINARY_BANDS[0], ORDINARY_BANDS[1])]
    return pairs[: len(nuisance_times_pct(config.propagation.nuisance_time_pct))]


def strips(first: int, last: int) -> Iterator[slice]:
    """Rows first..last-1 in pieces that fit into memory."""
    for start in range(first, last, STRIP_PX):
        yield slice(start, min(start + STRIP_PX, last))


# --- boxes --------------------------------------------------------------------------------------------------


class PixelBox(NamedTuple):
    """Rows and columns of a part of the grid."""

    rows: slice
    cols: slice


def box_of(mask: NDArray[np.bool_], first_row: int = 0) -> PixelBox | None:
    """Smallest box of the true pixels of a strip that starts at ``first_row``; None without any."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    top, bottom = int(rows[0]) + first_row, int(rows[-1]) + first_row + 1
    return PixelBox(slice(top, bottom), slice(int(cols[0]), int(cols[-1]) + 1))


def moved(box: PixelBox, row: int, col: int) -> PixelBox:
    """A box that counts from a pixel of the grid, in the rows and columns of the grid."""
    return PixelBox(
        slice(row + box.rows.start, row + box.rows.stop), slice(col + box.cols.start, col + box.cols.stop)
    )


def joined(first: PixelBox | None, second: PixelBox | None) -> PixelBox | None:
    """Smallest box that holds both."""
    if first is None or second is None:
        return first or second
    return PixelBox(
        *(_span(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True))
    )


def box_within_reach(victims: PixelBox | None, targets: PixelBox | None, reach_px: int) -> PixelBox | None:
    """Box of the parts of two boxes that are within ``reach_px`` of the other; None if there are none."""
    if victims is None or targets is None:
        return None
    return joined(_near(victims, targets, reach_px), _near(targets, victims, reach_px))


def _near(box: PixelBox, other: PixelBox, reach_px: int) -> PixelBox | None:
    parts = [
        _span(max(a.start, b.start - reach_px), min(a.stop, b.stop + reach_px))
        for a, b in zip(box, other, strict=True)
    ]
    return PixelBox(*parts) if all(part.start < part.stop for part in parts) else None


def _span(start: int, stop: int) -> slice:
    return slice(start, stop)
