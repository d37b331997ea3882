"""What a search knows of the ground: classes of the height of devices, and of the distance from the sea.

The classes of height come from the job ``heights``; without a terrain model a device stands on flat land, as
high as its antenna or as the territory file assumes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.path_classes import PixelClasses
from pipeline.grid.grid import Grid
from pipeline.terrain.device_heights import class_heights_m
from pipeline.terrain.device_lines import RingSettings
from pipeline.terrain.height_files import (
    base_height_m,
    heights_file,
    knows_terrain,
    lowest_height_m,
    ring_settings,
)
from pipeline.territory.codes import Surface
from pipeline.territory.reach import sea_classes

Window = tuple[slice, slice]


class GroundClasses(NamedTuple):
    """Classes of pixels of a box, and what they mean.

    ``heights_m`` effective height of each class, ascending; ``effective_m`` that of class 0, NaN = antenna
    above flat land. ``sea_km`` lower edge of each class of distance from the sea, the last one infinite.
    """

    ground: PixelClasses
    heights_m: NDArray[np.float64]
    effective_m: float
    rings: RingSettings
    sea_km: NDArray[np.float64]


def highest_class_m(config: Config, build: Path, device: Device) -> float:
    """Effective height of the highest class that occurs."""
    base_m = base_height_m(device)
    lowest_m = lowest_height_m(config, base_m)
    if not knows_terrain(config):
        return lowest_m
    highest = int(np.load(heights_file(build, base_m), mmap_mode="r").max(initial=0))
    return float(class_heights_m(lowest_m, config.protection.height_ratio)[highest])


class GroundPlaces(NamedTuple):
    """What the classes of all devices share, on the whole grid.

    ``home`` bool[y, x] pixels of the territory; ``sea`` uint8[y, x] class of the distance from the sea,
    ``sea_km`` the lower edges of these classes.
    """

    home: NDArray[np.bool_]
    sea: NDArray[np.uint8]
    sea_km: NDArray[np.float64]


def ground_places(config: Config, surface: NDArray[np.uint8], grid: Grid) -> GroundPlaces:
    """The territory and the distance from the sea; ``surface`` uint8[y, x] of all the grid."""
    return GroundPlaces(surface == Surface.HOME, *sea_classes(config, surface, grid))


def read_ground(
    config: Config, build: Path, device: Device, places: GroundPlaces, box: Window
) -> GroundClasses:
    """Classes of a box of the grid."""
    base_m = base_height_m(device)
    lowest_m = lowest_height_m(config, base_m)
    effective_m = lowest_m if lowest_m > base_m else math.nan
    sea, rings = np.ascontiguousarray(places.sea[box]), ring_settings(config)
    if not knows_terrain(config):
        number, height = np.full(sea.shape, -1, np.int32), np.zeros((1, rings.cells), np.uint8)
        heights_m = np.array([lowest_m])
    else:
        height = np.load(heights_file(build, base_m), mmap_mode="r")
        numbers = np.cumsum(places.home.ravel(), dtype=np.int32).reshape(places.home.shape) - 1
        number = np.where(places.home[box], numbers[box], np.int32(-1))
        heights_m = class_heights_m(lowest_m, config.protection.height_ratio)[: int(height.max()) + 1]
    ground = PixelClasses(number, np.asarray(height), sea)
    return GroundClasses(ground, heights_m, effective_m, rings, places.sea_km)
