"""How far every pixel lies from the sea, and how far the devices of a territory on hills reach at most.

Devices on hills reach farther than the margin of flat land, each in its own directions: which land that is
tells ``reached_land.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.grid.distance import widened_rows
from pipeline.grid.grid import Box, Grid, strips_of_rows
from pipeline.territory.codes import Surface
from pipeline.territory.masks import distance_strips_km, is_land

NO_LAND = 255
"""Kind of land off land; 0 is that at the coast, then comes 1 + class of the distance from the sea."""
GROUP = 8
"""Side of a group of squares."""
_COASTAL = 0
_SQUARE_M = 1000.0
_SQUARES_A_TIME, _SQUARES_A_STRIP = 64, 8192
# The padded grid has another largest scale than the territory's own; more than any national grid has.
_SCALE_RESERVE = 1.002


class Squares(NamedTuple):
    """Squares of a grid with pixels of a territory, groups of ``GROUP`` x ``GROUP`` one after another.

    ``sides_px`` height and width of each; ``before_px`` where the territory's own grid begins, below and
    right of the first square's corner; ``place`` int64[square, 2] row and column of a square; ``number``
    int32[row, column] of the squares, -1: none.
    """

    sides_px: tuple[int, int]
    before_px: tuple[int, int]
    place: NDArray[np.int64]
    number: NDArray[np.int32]


class DeviceGround(Protocol):
    """How far the ground of devices stands above its surroundings on long paths, by squares and sectors.

    Heights are float32[square, sector] in m, the largest of a square's pixels.
    """

    @property
    def sectors(self) -> int:
        """Directions around a device, of equal width, from grid north clockwise."""

    def bounds_m(self, squares: Squares) -> NDArray[np.float32]:
        """Nowhere below the exact heights, and found in a moment."""

    def exact_m(self, squares: Squares, wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Heights where ``wanted`` bool[square, sector]; -inf elsewhere, and in squares without a pixel."""


class HillReach(NamedTuple):
    """What is known of the devices of a territory: their ground, and how far it lets them reach.

    ``inside`` bool[y, x] pixels of the territory on ``grid``; ``ground`` their heights on paths from
    ``near_km`` on: nearer land counts as reached; ``edges_m`` float32[class] upper edges of the classes of
    these heights for each base height, and ``radii_km`` float64[class, kind of land, class of the device's
    distance from the sea] likewise; ``sea_km`` lower edges of these classes, the last one infinite. Classes
    are finer than those of the search: the land has to hold what exact heights reach.
    """

    grid: Grid
    inside: NDArray[np.bool_]
    ground: DeviceGround
    edges_m: Sequence[NDArray[np.float32]]
    radii_km: Sequence[NDArray[np.float64]]
    sea_km: NDArray[np.float64]
    near_km: float

    def classes_of(self, height_m: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Classes of heights, uint8[base height, ...]: the first that is not below, at most the last."""
        found = np.empty((len(self.edges_m), *height_m.shape), np.uint8)
        for classes, edges in zip(found, self.edges_m, strict=True):
            for part in strips_of_rows(0, len(height_m), _SQUARES_A_STRIP):
                classes[part] = np.minimum(np.searchsorted(edges, height_m[part]), edges.size - 1)
        return found


class LandKinds(NamedTuple):
    """Land of a part of a grid, uint8[y, x]: kind (255 off land), class of the distance from the sea."""

    kind: NDArray[np.uint8]
    sea: NDArray[np.uint8]


def sea_distance_km(surface: NDArray[np.uint8], grid: Grid) -> NDArray[np.float32]:
    """True distance from the square of each pixel to the nearest square of sea: 0 at and beside it.

    Infinite without sea. What no polygon knows counts as sea, lakes do not; sea beyond the grid is not seen.
    """
    return np.concatenate([its_km for _, its_km in _sea_distances_km(surface, grid)])


def sea_distances_at_km(
    surface: NDArray[np.uint8], grid: Grid, places: Sequence[tuple[int, int]]
) -> list[float]:
    """The same at some pixels (row, col) alone."""
    found = {
        (row, col): float(distance_km[row - rows.start, col])
        for rows, distance_km in _sea_distances_km(surface, grid)
        for row, col in places
        if rows.start <= row < rows.stop
    }
    return [found[place] for place in places]


def _sea_distances_km(surface: NDArray[np.uint8], grid: Grid) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """The same strip by strip: a number for every pixel of the grid at once is the largest array of a job."""

    def sea(rows: slice) -> NDArray[np.bool_]:
        return (surface[rows] == Surface.SEA) | (surface[rows] == Surface.OUTSIDE)

    def beside_sea(rows: slice) -> NDArray[np.bool_]:
        return widened_rows(sea, rows, grid.height)

    return distance_strips_km(beside_sea, surface.shape, grid.resolution_m / grid.largest_scale())


def sea_class_strips(
    config: Config, surface: NDArray[np.uint8], grid: Grid, edges_km: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
    """Class of each pixel's distance from the sea, strip by strip; ``edges_km`` lower edges of the classes.

    The last class is that of no sea at all: everywhere if paths over sea are ignored.
    """
    if config.protection.sea_paths == "ignore":
        for rows in strips_of_rows(0, grid.height):
            yield rows, np.full(surface[rows].shape, edges_km.size - 1, np.uint8)
    else:
        for rows, distance_km in _sea_distances_km(surface, grid):
            yield rows, sea_class(distance_km, edges_km)


def sea_edges_km(lower_km: Sequence[float]) -> NDArray[np.float64]:
    """Lower edges of the classes of distance from the sea, with that of no sea at all."""
    return np.array([*lower_km, math.inf])


def sea_class(sea_km: NDArray[np.float32], edges_km: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Class of distances from the sea, any shape."""
    return np.digitize(sea_km, edges_km[1:]).astype(np.uint8)


def land_kinds(
    config: Config, hills: HillReach, surface: NDArray[np.uint8], coastal: NDArray[np.uint8], grid: Grid
) -> Iterator[tuple[slice, LandKinds]]:
    """Land of a grid as the reach of devices knows it, strip by strip."""
    by_sea = config.protection.sea_paths != "ignore"
    no_sea = ((rows, np.full(1, np.inf, np.float32)) for rows in strips_of_rows(0, grid.height))
    for rows, distance_km in _sea_distances_km(surface, grid) if by_sea else no_sea:
        sea = np.broadcast_to(sea_class(distance_km, hills.sea_km), surface[rows].shape)
        at_coast = (coastal[rows] == 1) & (config.protection.sea_paths == "coastal")
        kind = np.where(at_coast, np.uint8(_COASTAL), sea + np.uint8(1))
        yield rows, LandKinds(np.where(is_land(surface[rows]), kind, np.uint8(NO_LAND)), sea)


def squares_with(inside: NDArray[np.bool_], sides_px: tuple[int, int], before_px: tuple[int, int]) -> Squares:
    """Squares that hold pixels of ``inside`` [y, x]."""
    starts = [
        np.maximum(np.arange((before + size - 1) // side + 1) * side - before, 0)
        for size, side, before in zip(inside.shape, sides_px, before_px, strict=True)
    ]
    rows = zip(starts[0], [*starts[0][1:], inside.shape[0]], strict=True)
    held = np.array([_any_from(np.any(inside[first:last], axis=0), starts[1]) for first, last in rows])
    place = np.argwhere(held)
    group = place // GROUP
    place = place[np.lexsort((place[:, 1], place[:, 0], group[:, 1], group[:, 0]))]
    number = np.full(held.shape, -1, np.int32)
    number[place[:, 0], place[:, 1]] = np.arange(len(place))
    return Squares(sides_px, before_px, place, number)


def _any_from(marked: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether one is marked from each start to the next, bool[start]; nothing where they are equal."""
    before = np.concatenate([[0], np.cumsum(marked)])
    return np.diff(before[np.append(starts, marked.size)]) > 0


def square_px(grid: Grid) -> int:
    """Side of the squares by which reach is found, in pixels."""
    return max(round(_SQUARE_M / grid.resolution_m), 1)


def farthest_box_m(hills: HillReach) -> Box:
    """Projected box (west, south, east, north) of all that devices may reach in their sectors.

    Exact heights are asked for only where the bounds reach farther than what is known by then.
    """
    side_px = square_px(hills.grid)
    squares = squares_with(hills.inside, (side_px, side_px), (0, 0))
    reach_m = _reach_m(hills, hills.ground.bounds_m(squares))
    west, north, east, south = (
        _farthest_m(hills, squares, reach_m, axis, sign) for sign, axis in ((-1, 1), (1, 0), (1, 1), (-1, 0))
    )
    return west, south, east, north


def _reach_m(hills: HillReach, height_m: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far devices of heights [square, sector] reach on the grid, [square, sector]."""
    scale = hills.grid.largest_scale() * _SCALE_RESERVE
    reach_m = np.zeros(height_m.shape)
    for classes, radii_km in zip(hills.classes_of(height_m), hills.radii_km, strict=True):
        its_km = np.maximum(hills.near_km, radii_km.max(axis=(1, 2))[classes])
        np.maximum(reach_m, 1000.0 * scale * its_km + hills.grid.resolution_m, out=reach_m)
    return reach_m


def _farthest_m(
    hills: HillReach, squares: Squares, reach_m: NDArray[np.float64], axis: int, sign: int
) -> float:
    """Largest (``sign`` 1) or smallest coordinate that is reached, along rows (``axis`` 0: y) or columns."""
    side_px, last = squares.sides_px[axis], hills.inside.shape[axis] - 1
    ahead = sign > 0 if axis else sign < 0  # the pixel of a square that lies farthest
    place = np.minimum(squares.place[:, axis] * side_px + (side_px - 1) * ahead, last)
    at_most_m = _coordinates_m(hills, place, reach_m, axis, sign)
    order, best_m = np.argsort(-at_most_m, kind="stable"), -math.inf
    for first in range(0, order.size, _SQUARES_A_TIME):
        if at_most_m[order[first]] <= best_m:
            break
        lines = _lines_of(squares, order[first : first + _SQUARES_A_TIME], axis)
        height_m = hills.ground.exact_m(lines, np.ones((len(lines.place), hills.ground.sectors), np.bool_))
        held = np.isfinite(height_m).all(axis=1)
        reached_m = _reach_m(hills, height_m[held])
        best_m = max(best_m, *_coordinates_m(hills, lines.place[held, axis], reached_m, axis, sign).tolist())
    return sign * best_m


def _coordinates_m(
    hills: HillReach, place: NDArray[np.int64], reach_m: NDArray[np.float64], axis: int, sign: int
) -> NDArray[np.float64]:
    """``sign`` times the coordinate that pixels [n] of rows or columns reach by [n, sector] in any sector."""
    number = np.arange(hills.ground.sectors)
    edges = np.radians(np.linspace(number, number + 1, 16) * 360.0 / hills.ground.sectors)
    parts = np.sin(edges) if axis else np.cos(edges)
    part = np.maximum((sign * parts).max(axis=0), 0.0)
    x_m, y_m = hills.grid.xy_m(place.astype(np.float64) + 0.5, place.astype(np.float64) + 0.5)
    centre_m = sign * (x_m if axis else y_m)
    return (centre_m[:, np.newaxis] + part * reach_m).max(axis=1)


def _lines_of(squares: Squares, chosen: NDArray[np.int64], axis: int) -> Squares:
    """The rows (``axis`` 0) or columns of pixels of some squares, each as squares of their own."""
    marked = np.zeros(squares.number.shape, np.bool_)
    marked[squares.place[chosen, 0], squares.place[chosen, 1]] = True
    marked = marked.repeat(squares.sides_px[axis], axis=axis)
    number = np.full(marked.shape, -1, np.int32)
    number[marked] = np.arange(np.count_nonzero(marked))
    height_px, width_px = squares.sides_px
    return Squares((height_px, 1) if axis else (1, width_px), (0, 0), np.argwhere(marked), number)
