"""Availability at each level of e.i.r.p., from the limits: classes and counts of all channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import counted_as
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_file, layer_layout, make_layer, raster_of
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED
from pipeline.radio.emission import device_cap_dbm

OUTSIDE_COUNT = int(raster_of("available_channels").nodata)


class Availability(IntEnum):
    """Codes of the availability layers."""

    UNAVAILABLE = 0
    AVAILABLE = 1
    NOT_EVALUATED = 2
    OUTSIDE = 255


def level_name(level_dbm: float) -> str:
    """The level as it stands in file names: 36, 0, 12.5."""
    return f"{level_dbm:g}"


def published_levels_dbm(config: Config, device: Device) -> list[float]:
    """Levels published for a device: those its cap allows."""
    return [level for level in config.levels_dbm if level <= device_cap_dbm(device)]


def availability_class(limit_centi_dbm: NDArray[np.int16], level_dbm: float) -> NDArray[np.uint8]:
    """Class of every pixel at one e.i.r.p. level, for a device that radiates exactly this level.

    The limit is already rounded down, so it reaches the level exactly where the unrounded one does, as
    long as the level is a multiple of 0.01 dBm; other levels are rounded up.
    """
    # No code among the levels is higher than "not evaluated", and no level is as low.
    threshold_centi = max(int(np.ceil(round(level_dbm * 100.0, 6))), NOT_EVALUATED + 1)
    classes = (limit_centi_dbm >= threshold_centi).astype(np.uint8)
    np.copyto(classes, np.uint8(Availability.NOT_EVALUATED), where=limit_centi_dbm == NOT_EVALUATED)
    np.copyto(classes, np.uint8(Availability.OUTSIDE), where=limit_centi_dbm == NODATA_CENTI)
    return classes


def count_available(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Number of available channels from classes (band, y, x); 255 outside."""
    count = (classes == Availability.AVAILABLE).sum(axis=0, dtype=np.uint8)
    count[classes[0] == Availability.OUTSIDE] = OUTSIDE_COUNT
    return count


def write_levels(
    build: Path,
    device: Device,
    strips: Iterable[raster.Part],
    grid: Grid,
    names: list[str],
    tags: Mapping[float, Mapping[str, str]],
    *,
    partial: bool = False,
) -> dict[float, NDArray[np.uint8]]:
    """Write class stacks and counts of a device at the levels of ``tags``; returns the counts.

    ``strips``: the limits in all channels [channel, y, x], which are read once for all levels.
    """
    counts = {level_dbm: np.empty(grid.shape, dtype=np.uint8) for level_dbm in tags}
    places = {level_dbm: _place(device, level_dbm) for level_dbm in tags}
    with ExitStack() as stack:
        put = {}
        for level_dbm, place in places.items():
            path = build / layer_file("availability", partial=partial, **place)
            layout = layer_layout("availability", grid, names, place, tags=tags[level_dbm])
            put[level_dbm] = stack.enter_context(raster.writing(path, layout, publish=True))
        for rows, cols, limits in strips:
            for level_dbm, count in counts.items():
                classes = availability_class(limits, level_dbm)
                count[rows] = count_available(classes)
                put[level_dbm](rows, cols, classes)
    for level_dbm, count in counts.items():
        place = places[level_dbm]
        path = build / layer_file("available_channels", partial=partial, **place)
        layer = make_layer("available_channels", count, grid, place)
        raster.write(path, layer, tags=tags[level_dbm], publish=True)
    return counts


def _place(device: Device, level_dbm: float) -> dict[str, str]:
    """Fields of the layers of a device and level."""
    return {"device": device.id, "level": level_name(level_dbm), "counted": counted_as(device.bond)}
