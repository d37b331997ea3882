"""Availability at each level of e.i.r.p., from the limits: classes and counts of all channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import block_slices
from pipeline.config.bonds import counted_as
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX
from pipeline.grid.layer_files import layer_file, layer_layout, make_layer, raster_of
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
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
    threshold_centi = int(np.ceil(round(level_dbm * 100.0, 6)))
    special = (limit_centi_dbm == NOT_PERMITTED) | (limit_centi_dbm == NOT_EVALUATED)
    available = (limit_centi_dbm >= threshold_centi) & ~special
    classes = np.where(available, Availability.AVAILABLE, Availability.UNAVAILABLE).astype(np.uint8)
    classes[limit_centi_dbm == NOT_EVALUATED] = Availability.NOT_EVALUATED
    classes[limit_centi_dbm == NODATA_CENTI] = Availability.OUTSIDE
    return classes


def count_available(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Number of available channels from classes (band, y, x); 255 outside."""
    count = (classes == Availability.AVAILABLE).sum(axis=0, dtype=np.uint8)
    count[classes[0] == Availability.OUTSIDE] = OUTSIDE_COUNT
    return count


def write_level(
    build: Path,
    device: Device,
    level_dbm: float,
    paths: list[Path],
    names: list[str],
    tags: Mapping[str, str],
    *,
    partial: bool = False,
) -> NDArray[np.uint8]:
    """Write the class stack and the count of one device and level, strip by strip; returns the count."""
    level = level_name(level_dbm)
    grid = raster.read_grid(paths[0])
    count = np.empty(grid.shape, dtype=np.uint8)

    def strips() -> Iterator[tuple[slice, slice, NDArray[np.uint8]]]:
        for rows, cols in block_slices(count.shape, (STRIP_PX, grid.width)):
            layers = [raster.read(path, rows=rows).values for path in paths]
            classes = np.stack([availability_class(layer, level_dbm) for layer in layers])
            count[rows] = count_available(classes)
            yield rows, cols, classes

    place = {"device": device.id, "level": level, "counted": counted_as(device.bond)}
    layout = layer_layout("availability", grid, names, place, tags=tags)
    raster.write_blocks(
        build / layer_file("availability", partial=partial, **place), layout, strips(), publish=True
    )
    layer = make_layer("available_channels", count, grid, place)
    raster.write(
        build / layer_file("available_channels", partial=partial, **place), layer, tags=tags, publish=True
    )
    return count
