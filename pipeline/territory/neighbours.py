"""How far each pixel of the territory is from the land of each foreign country: distances between squares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.services import OTHER_LAND
from pipeline.grid.distance import (
    NONE_IN_COLUMN,
    column_distance_between_px,
    column_distance_px,
    column_edges_px,
    row_distance_px,
    widened,
    widened_rows,
)
from pipeline.grid.grid import STRIP_PX, Grid, strips_of_rows
from pipeline.kernels import kernel
from pipeline.territory.codes import NO_COUNTRY, Surface
from pipeline.territory.masks import territory_window

COASTAL = " coastal"
# Width of the parts: they are asked about the columns within reach of them.
_PART_PX = 2 * STRIP_PX
_FOREIGN_CODE, _OUTSIDE_CODE = int(Surface.FOREIGN), int(Surface.OUTSIDE)
# What lies beyond all boundary files, after the numbers of all countries.
_OUTSIDE = 256


class Layers(NamedTuple):
    """The territory's masks, uint8[y, x]; see ``codes`` and ``masks``."""

    surface: NDArray[np.uint8]
    country: NDArray[np.uint8]
    coastal: NDArray[np.uint8]


class ForeignLand(NamedTuple):
    """Land of one country, or the part of it near the sea; ``number`` 0 = land that no polygon names."""

    name: str
    number: int
    coastal: bool


def foreign_lands(layers: Layers, codes: Sequence[str]) -> list[ForeignLand]:
    """Foreign lands on the grid, each with its coastal part if it has one; at least the unnamed land.

    Named ``<code>``, ``<code> coastal``, ``*`` and ``* coastal``.
    """
    boxes = _boxes_of(layers)
    found = {
        (n, coastal) for n in range(_OUTSIDE) for coastal in (False, True) if _holds(boxes[n, int(coastal)])
    }
    # Where no sea is known, land beyond all files is not taken for a coast.
    if layers.coastal.any() and _holds(boxes[_OUTSIDE, 0]):
        found.add((NO_COUNTRY, True))
    names = {NO_COUNTRY: OTHER_LAND} | dict(enumerate(codes, 1))
    lands = sorted(found | {(NO_COUNTRY, False)})
    return [ForeignLand(names[n] + COASTAL * at_coast, n, at_coast) for n, at_coast in lands]


def neighbour_parts_km(
    lands: Sequence[ForeignLand], layers: Layers, grid: Grid
) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
    """Parts of the grid: distance in km from each HOME pixel to the nearest pixel of each land, [land, y, x].

    Smallest distance between the two pixels as squares over the largest scale of the grid, rounded down: 0
    where they touch. NaN off the territory; infinite beyond the margin of the grid: not known there. A part
    asks for the lands within that margin of it, and for the columns of these that are.
    """
    reach_px = _margin_px(layers.surface)
    km_per_px = grid.resolution_m / 1000.0 / grid.largest_scale()
    strips = list(strips_of_rows(0, grid.height, STRIP_PX))
    near = [
        _NearLand(box, partial(_beside, land, box, layers), reach_px) for land, box in _boxed(lands, layers)
    ]
    edges = [column_edges_px(one.marked, strips, one.width) for one in near]
    for number, rows in enumerate(strips):
        for cols in strips_of_rows(0, grid.width, _PART_PX):
            home = layers.surface[rows, cols] == Surface.HOME
            values_km = np.full((len(lands), *home.shape), np.nan, dtype=np.float32)
            values_km[:, home] = np.inf
            for its_km, one, its_edges in zip(values_km, near, edges, strict=True):
                if home.any() and one.within_reach(rows, cols):
                    distance_px = one.distance_px(rows, cols, *its_edges[number])[home]
                    distance_px[distance_px > reach_px] = np.inf
                    its_km[home] = _below(distance_px.astype(np.float64) * km_per_px)
            yield rows, cols, values_km


class _NearLand(NamedTuple):
    """A land: the box of its pixels and those around them, and which these are in any rows of its columns."""

    box: tuple[slice, slice]
    marked: Callable[[slice], NDArray[np.bool_]]
    reach_px: int

    @property
    def width(self) -> int:
        """Columns of the box."""
        return int(self.box[1].stop - self.box[1].start)

    def within_reach(self, rows: slice, cols: slice) -> bool:
        """Whether the box has pixels within reach of a part."""
        pairs = zip(self.box, (rows, cols), strict=True)
        return self.width > 0 and all(
            a.start < b.stop + self.reach_px and b.start < a.stop + self.reach_px for a, b in pairs
        )

    def distance_px(
        self, rows: slice, cols: slice, above: NDArray[np.uint16], below: NDArray[np.uint16]
    ) -> NDArray[np.float32]:
        """Distance of the pixels of a part; larger than it is, or infinite, beyond reach.

        ``above``, ``below`` of the columns of the box: see ``column_edges_px``.
        """
        own = self.box[1]
        first, last = max(own.start, cols.start - self.reach_px), min(own.stop, cols.stop + self.reach_px)
        used = slice(first - own.start, last - own.start)
        found_px = column_distance_between_px(self.marked(rows)[:, used], above[used], below[used])
        left, right = min(first, cols.start), max(last, cols.stop)
        column_px = np.full((len(found_px), right - left), NONE_IN_COLUMN, np.uint16)
        column_px[:, first - left : last - left] = np.where(
            found_px > self.reach_px, NONE_IN_COLUMN, found_px
        )
        return row_distance_px(column_px)[:, cols.start - left : cols.stop - left]


def square_distance_px(marked: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance in pixels between each pixel and the nearest marked one as squares; infinite without any."""
    return row_distance_px(column_distance_px(widened(marked)))


def _beside(land: ForeignLand, box: tuple[slice, slice], layers: Layers, rows: slice) -> NDArray[np.bool_]:
    """Pixels of a land and those around them in the columns of a box that holds all of them.

    The distance to their centres is that of the squares, hypot(max(|dy| - 1, 0), max(|dx| - 1, 0)), once
    every marked pixel is widened by one to all sides.
    """

    def marked(part: slice) -> NDArray[np.bool_]:
        return land_mask(land, Layers(*(layer[part, box[1]] for layer in layers)))

    if rows.stop <= box[0].start or rows.start >= box[0].stop:
        return np.zeros((rows.stop - rows.start, box[1].stop - box[1].start), np.bool_)
    return widened_rows(marked, rows, len(layers.surface))


def _boxed(lands: Sequence[ForeignLand], layers: Layers) -> Iterator[tuple[ForeignLand, tuple[slice, slice]]]:
    """Lands, each with the box of its pixels and those around them; an empty one if it has none."""
    boxes = _boxes_of(layers)
    for land in lands:
        of_land = boxes[[land.number] + [_OUTSIDE] * (land.number == NO_COUNTRY), int(land.coastal)]
        first, last = of_land[:, :2].min(axis=0), of_land[:, 2:].max(axis=0)
        spans = zip(first.tolist(), last.tolist(), layers.surface.shape, strict=True)
        rows, cols = (slice(max(low - 1, 0), max(min(high + 2, size), 0)) for low, high, size in spans)
        yield land, (rows, cols) if first[0] <= last[0] else (slice(0, 0), slice(0, 0))


def _boxes_of(layers: Layers) -> NDArray[np.int64]:
    """First row and column and last row and column of foreign land, int64[country, all or coastal, 4].

    Last that of what lies beyond all boundary files, which may be a coast anywhere. The first row is larger
    than the last where there is none.
    """
    boxes = np.full((_OUTSIDE + 1, 2, 4), -1, np.int64)
    boxes[:, :, :2] = max(layers.surface.shape)
    _fill_boxes(*layers, boxes)
    return boxes


@kernel
def _fill_boxes(
    surface: NDArray[np.uint8],
    country: NDArray[np.uint8],
    coastal: NDArray[np.uint8],
    boxes: NDArray[np.int64],
) -> None:
    """Widen ``boxes`` to the pixels of each land."""
    for y in range(surface.shape[0]):
        for x in range(surface.shape[1]):
            outside = surface[y, x] == _OUTSIDE_CODE
            if outside or surface[y, x] == _FOREIGN_CODE:
                number = _OUTSIDE if outside else np.int64(country[y, x])
                for part in range(2 if outside or coastal[y, x] == 1 else 1):
                    box = boxes[number, part]
                    box[0], box[1] = min(box[0], y), min(box[1], x)
                    box[2], box[3] = max(box[2], y), max(box[3], x)


def _holds(box: NDArray[np.int64]) -> bool:
    """Whether a box of ``_boxes_of`` holds a pixel."""
    return bool(box[0] <= box[2])


def land_of_band(name: str, codes: Sequence[str]) -> ForeignLand:
    """The land that a band of ``neighbours.tif`` is about; ``codes`` as in ``countries.json``."""
    code = name.removesuffix(COASTAL)
    index = NO_COUNTRY if code == OTHER_LAND else codes.index(code) + 1
    return ForeignLand(name, index, name.endswith(COASTAL))


def nearest_pixel(marked: NDArray[np.bool_], row: int, col: int) -> tuple[int, int]:
    """The marked pixel that is nearest to a pixel as squares, the first of several by rows."""
    rows, cols = np.nonzero(marked)
    gaps = (np.maximum(np.abs(rows - row) - 1, 0), np.maximum(np.abs(cols - col) - 1, 0))
    nearest = int(np.argmin(np.hypot(*gaps)))
    return int(rows[nearest]), int(cols[nearest])


def land_mask(land: ForeignLand, layers: Layers) -> NDArray[np.bool_]:
    """Pixels of a land; what lies beyond all boundary files may be land that no polygon names."""
    there: NDArray[np.bool_] = (layers.surface == Surface.FOREIGN) & (layers.country == land.number)
    if land.coastal:
        there &= layers.coastal == 1
    if land.number == NO_COUNTRY:
        there |= layers.surface == Surface.OUTSIDE
    return there


def _margin_px(surface: NDArray[np.uint8]) -> int:
    """Pixels between the territory and the nearest edge of the grid."""
    rows, cols = territory_window(surface)
    height, width = surface.shape
    return min(rows.start, cols.start, height - rows.stop, width - cols.stop)


def _below(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above each value: a distance must not grow by storing it."""
    nearest = values.astype(np.float32)
    return np.where(nearest > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)
