"""Classes and counts of all levels of a device in one pass over the limits in all channels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.availability.classes import OUTSIDE_COUNT, Availability, level_name, threshold_centi
from pipeline.config.bonds import counted_as
from pipeline.config.protection import Device
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_file, layer_layout
from pipeline.grid.raster import Part
from pipeline.grid.side_by_side import each_in_its_thread, put_each
from pipeline.kernels import kernel
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED

_UNAVAILABLE, _AVAILABLE = int(Availability.UNAVAILABLE), int(Availability.AVAILABLE)
_OPEN, _OUTSIDE = int(Availability.NOT_EVALUATED), int(Availability.OUTSIDE)
_Put = Callable[[slice, slice, NDArray[np.uint8]], None]


class LevelParts(NamedTuple):
    """A part of the grid: limits [channel, y, x], classes [level, channel, y, x], counts [level, y, x]."""

    rows: slice
    cols: slice
    limits: NDArray[np.int16]
    classes: NDArray[np.uint8]
    counts: NDArray[np.uint8]


@kernel
def classify(
    limits: NDArray[np.int16],
    thresholds: NDArray[np.int64],
    classes: NDArray[np.uint8],
    counts: NDArray[np.uint8],
) -> bool:
    """Classes and counts of available channels at all levels; false where no pixel is of the territory."""
    found = False
    levels, channels, height, width = classes.shape
    for level in range(levels):
        counts[level] = 0
        for channel in range(channels):
            for y in range(height):
                for x in range(width):
                    raw = limits[channel, y, x]
                    code = _AVAILABLE if raw >= thresholds[level] else _UNAVAILABLE
                    code = _OPEN if raw == NOT_EVALUATED else code
                    code = _OUTSIDE if raw == NODATA_CENTI else code
                    classes[level, channel, y, x] = code
                    counts[level, y, x] += 1 if code == _AVAILABLE else 0
        for y in range(height):
            for x in range(width):
                outside = limits[0, y, x] == NODATA_CENTI
                found |= not outside
                counts[level, y, x] = OUTSIDE_COUNT if outside else counts[level, y, x]
    return found


def classified(limits: Iterable[Part], levels_dbm: Iterable[float]) -> Iterator[LevelParts]:
    """Classes of the parts that hold pixels of the territory."""
    thresholds = np.array([threshold_centi(level_dbm) for level_dbm in levels_dbm], np.int64)
    for rows, cols, raw in limits:
        classes = np.empty((thresholds.size, *raw.shape), np.uint8)
        counts = np.empty((thresholds.size, *raw.shape[1:]), np.uint8)
        if classify(raw, thresholds, classes, counts) or thresholds.size == 0:
            yield LevelParts(rows, cols, raw, classes, counts)


@contextmanager
def writing_levels(
    build: Path,
    device: Device,
    grid: Grid,
    names: list[str],
    tags: Mapping[float, Mapping[str, str]],
    *,
    partial: bool,
    threads: int = 1,
) -> Iterator[Callable[[LevelParts], None]]:
    """A function that writes a part of the classes and counts of a device at the levels of ``tags``.

    Parts that are left out lie outside of the territory. ``names`` of the bands. ``threads`` files are
    finished at a time.
    """

    def file_of(family: str, bands: list[str], level_dbm: float) -> AbstractContextManager[_Put]:
        place = {"device": device.id, "level": level_name(level_dbm), "counted": counted_as(device.bond)}
        layout = layer_layout(family, grid, bands, place, tags=tags[level_dbm])
        return raster.writing(build / layer_file(family, partial=partial, **place), layout, publish=True)

    classes = [file_of("availability", names, level_dbm) for level_dbm in tags]
    counts = [file_of("available_channels", [], level_dbm) for level_dbm in tags]
    with each_in_its_thread([*classes, *counts], threads) as puts:

        def put(part: LevelParts) -> None:
            put_each(puts, part.rows, part.cols, [*part.classes, *part.counts])

        yield put
