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

from pipeline.blocks import WindowArrays
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.path_classes import PixelClasses
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.boxes import PixelBox, box_of, joined, moved, shifted
from pipeline.grid.grid import STRIP_PX, strips_of_rows
from pipeline.grid.open_rasters import OpenRasters
from pipeline.terrain.device_heights import class_heights_m
from pipeline.terrain.device_lines import RingSettings
from pipeline.terrain.height_files import (
    base_height_m,
    heights_file,
    highest_class,
    highest_classes,
    knows_terrain,
    lowest_height_m,
    pixels_before,
    ring_settings,
)
from pipeline.territory.codes import Surface
from pipeline.territory.reach import sea_edges_km

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
    return float(_heights_m(config, build, base_m)[-1])


def _heights_m(config: Config, build: Path, base_m: float) -> NDArray[np.float64]:
    """Effective heights of the classes of a base height, up to the highest that occurs."""
    lowest_m = lowest_height_m(config, base_m)
    if not knows_terrain(config):
        return np.array([lowest_m])
    return class_heights_m(lowest_m, config.protection.height_ratio)[: highest_class(build, base_m) + 1]


class GroundFiles:
    """The territory and the distance from the sea, read part by part; of the whole grid counts are held.

    ``sea_km`` as of ``GroundPlaces``; ``box`` the smallest around the territory, None without any; ``grid``
    of both files.
    """

    def __init__(self, config: Config, build: Path, opened: OpenRasters) -> None:
        """The files of a territory; ``opened`` keeps them open."""
        self._surface, self._sea = (build / "territory" / f"{name}.tif" for name in ("surface", "sea"))
        self._opened, self.sea_km = opened, sea_edges_km(config.protection.sea_classes_km)
        self.grid, counts = opened.of(self._surface).grid, []
        self.box: PixelBox | None = None
        width = self.grid.width
        for rows in strips_of_rows(0, self.grid.height):
            home = self._home(rows, slice(0, width))
            self.box = joined(self.box, box_of(home, rows.start))
            counts.append(np.add.reduceat(home, np.arange(0, width, STRIP_PX), axis=1, dtype=np.int64))
        self._number = np.concatenate(counts)
        before = np.cumsum(self._number).reshape(self._number.shape) - self._number
        self._before: NDArray[np.int64] = before

    def number_in(self, rows: slice) -> int:
        """Pixels of the territory in some rows."""
        return int(self._number[rows].sum())

    def box_within(self, box: PixelBox) -> PixelBox | None:
        """The smallest box around the territory in a box."""
        blocks = slice(box.cols.start // STRIP_PX, -(-box.cols.stop // STRIP_PX))
        found = box_of(self._home(*box)) if self._number[box.rows, blocks].any() else None
        return None if found is None else moved(found, box.rows.start, box.cols.start)

    def part(self, box: PixelBox) -> GroundPlaces:
        """The ground of a box."""
        first = box.cols.start // STRIP_PX  # what lies left of the box is counted up to there
        cols = slice(first * STRIP_PX, box.cols.stop)
        surface, sea = (self._opened.window(path, box.rows, cols)[0] for path in (self._surface, self._sea))
        before = self._before[box.rows, first]
        return GroundPlaces(surface, sea, self.sea_km, before, (box.rows.start, cols.start))

    def _home(self, rows: slice, cols: slice) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self._opened.window(self._surface, rows, cols)[0] == Surface.HOME
        return found


class GroundPlaces(NamedTuple):
    """What the classes of all devices share, on the whole grid or a part of it; boxes are those of the grid.

    ``surface`` uint8[y, x]; ``sea`` uint8[y, x] class of the distance from the sea, ``sea_km`` the lower
    edges of these classes; ``first`` int64[y] number of pixels of the territory before each row;
    ``corner`` row and column of the first pixel.
    """

    surface: NDArray[np.uint8]
    sea: NDArray[np.uint8]
    sea_km: NDArray[np.float64]
    first: NDArray[np.int64]
    corner: tuple[int, int] = (0, 0)

    @property
    def home(self) -> NDArray[np.bool_]:
        """Pixels of the territory [y, x]."""
        return self.surface == Surface.HOME

    def home_of(self, box: Window) -> NDArray[np.bool_]:
        """Pixels of the territory [y, x] in a box."""
        return self.surface[self._here(box)] == Surface.HOME

    def first_numbers(self, box: Window) -> NDArray[np.int64]:
        """Number of the first pixel of the territory in each row of a box, in the order of rows."""
        rows, cols = self._here(box)
        left = self.surface[rows, : cols.start] == Surface.HOME
        return self.first[rows] + left.sum(axis=1)

    def sea_of(self, box: Window) -> NDArray[np.uint8]:
        """Classes of the distance from the sea [y, x] in a box."""
        return self.sea[self._here(box)]

    def _here(self, box: Window) -> Window:
        rows, cols = (shifted(part, -first) for part, first in zip(box, self.corner, strict=True))
        return rows, cols


def ground_places(config: Config, build: Path, surface: NDArray[np.uint8]) -> GroundPlaces:
    """The territory and the distance from the sea; ``surface`` uint8[y, x] of all the grid."""
    sea = raster.read(build / "territory" / "sea.tif").values
    sea_km = sea_edges_km(config.protection.sea_classes_km)
    return GroundPlaces(surface, sea, sea_km, pixels_before(surface)[:-1])


def read_ground(
    config: Config, build: Path, device: Device, places: GroundPlaces, box: Window
) -> GroundClasses:
    """Classes of a box of the grid."""
    classes = classes_without_ground(config, build, device, places.sea_km)
    sea = np.ascontiguousarray(places.sea_of(box))
    if not knows_terrain(config):
        return classes._replace(
            ground=classes.ground._replace(number=np.full(sea.shape, -1, np.int32), sea=sea)
        )
    height = np.load(heights_file(build, base_height_m(device)), mmap_mode="r")
    home = places.home_of(box)
    number = np.cumsum(home, axis=1, dtype=np.int32) - 1 + places.first_numbers(box)[:, np.newaxis]
    number = np.where(home, number, -1).astype(np.int32)
    return classes._replace(ground=PixelClasses(number, np.asarray(height), sea))


def classes_without_ground(
    config: Config, build: Path, device: Device, sea_km: NDArray[np.float64]
) -> GroundClasses:
    """What the classes of a device mean, without those of any pixel; ``sea_km`` as of ``GroundPlaces``."""
    base_m = base_height_m(device)
    lowest_m = lowest_height_m(config, base_m)
    rings = ring_settings(config)
    none = PixelClasses(
        np.zeros((0, 0), np.int32), np.zeros((1, rings.cells), np.uint8), np.zeros((0, 0), np.uint8)
    )
    effective_m = lowest_m if lowest_m > base_m else math.nan
    return GroundClasses(none, _heights_m(config, build, base_m), effective_m, rings, sea_km)


class HeightRows:
    """Classes of height of the territory's pixels, read for one box after another.

    A map of the file in memory would count as used by the process, page by page up to all of it.
    """

    def __init__(self, config: Config, build: Path, device: Device) -> None:
        """The file of a device; flat land has none."""
        self._file, self.cells, self._highest = None, 0, np.zeros((0, 0), np.uint8)
        if knows_terrain(config):
            self._highest = highest_classes(build, base_height_m(device))
            path = heights_file(build, base_height_m(device))
            mapped = np.load(path, mmap_mode="r")
            self._start, self.cells, self._file = mapped.offset, mapped.shape[1], path

    def highest(self, box: Window) -> int:
        """A class that none in a box is above: the highest of the blocks that it touches."""
        its = tuple(slice(part.start // STRIP_PX, -(-part.stop // STRIP_PX)) for part in box)
        return int(self._highest[its].max(initial=0))

    def of(
        self, box: Window, places: GroundPlaces, room: WindowArrays | None = None
    ) -> NDArray[np.uint8] | None:
        """uint8[pixel, cell] of the territory's pixels of a box in the order of rows; None on flat land.

        ``room``: where the array is made, so that it is gone with the next one.
        """
        if self._file is None:
            return None
        numbers = places.home_of(box).sum(axis=1).tolist()
        shape = sum(numbers), self.cells
        found = np.empty(shape, np.uint8) if room is None else room.of("heights", np.uint8, shape)
        place = 0
        with self._file.open("rb") as stream:
            for first, number in zip(places.first_numbers(box).tolist(), numbers, strict=True):
                stream.seek(self._start + first * self.cells)
                part = found[place : place + number]
                if stream.readinto(part.data) != part.size:
                    raise InputError(
                        "ends before its last pixel", file=self._file, allowed="heights of all pixels"
                    )
                place += number
        return found
