"""How far every pixel lies from the sea, and which land the devices of a territory can reach.

Devices on hills reach farther than the margin of flat land, each in its own directions. What none of them
reaches limits nothing: no reception is computed there and no height of terrain is asked for. The land is
found by squares of about a kilometre, whole ones, so that it is never too small.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.grid.distance import widened
from pipeline.grid.grid import Box, Grid, strips_of_rows
from pipeline.kernels import kernel
from pipeline.territory.codes import Surface
from pipeline.territory.masks import distance_strips_km, is_land

# Kinds of reached land: 0 at the coast, then 1 + class of the distance from the sea; no land.
_COASTAL, _NOWHERE = 0, 255
_SQUARE_M = 1000.0
_ROWS_A_TIME = 8
_GROUP = 8
# The padded grid has another largest scale than the territory's own; more than any national grid has.
_SCALE_RESERVE = 1.002


class HillReach(NamedTuple):
    """What is known of the devices of a territory: their ground, and how far it lets them reach.

    ``inside`` bool[y, x] pixels of the territory on ``grid``; ``classes`` uint8[pixel, sector] for each base
    height, on paths from ``near_km`` on: nearer land counts as reached; ``radii_km`` float64[class, kind of
    land, class of the device's distance from the sea] likewise; ``sea_km`` lower edges of these classes, the
    last one infinite. Classes are finer than those of the search: the land has to hold what exact heights
    reach.
    """

    grid: Grid
    inside: NDArray[np.bool_]
    classes: Sequence[NDArray[np.uint8]]
    radii_km: Sequence[NDArray[np.float64]]
    sea_km: NDArray[np.float64]
    near_km: float

    @property
    def sectors(self) -> int:
        """Directions around a device, of equal width, from grid north clockwise."""
        return self.classes[0].shape[1]


class LandKinds(NamedTuple):
    """Land of a grid, uint8[y, x]: kind (255 off land), class of the distance from the sea."""

    kind: NDArray[np.uint8]
    sea: NDArray[np.uint8]


def sea_distance_km(surface: NDArray[np.uint8], grid: Grid) -> NDArray[np.float32]:
    """True distance from the square of each pixel to the nearest square of sea: 0 at and beside it.

    Infinite without sea. What no polygon knows counts as sea, lakes do not; sea beyond the grid is not seen.
    """
    return np.concatenate([its_km for _, its_km in _sea_distances_km(surface, grid)])


def _sea_distances_km(surface: NDArray[np.uint8], grid: Grid) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """The same strip by strip: a number for every pixel of the grid at once is the largest array of a job."""
    return distance_strips_km(_beside_sea(surface), grid.resolution_m / grid.largest_scale())


def _beside_sea(surface: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels of sea and those around them."""
    marked, height = np.empty(surface.shape, np.bool_), surface.shape[0]
    for rows in strips_of_rows(0, height):
        first = max(rows.start - 1, 0)
        around = surface[first : min(rows.stop + 1, height)]
        sea = widened((around == Surface.SEA) | (around == Surface.OUTSIDE))
        marked[rows] = sea[rows.start - first : rows.stop - first]
    return marked


def sea_classes(
    config: Config, surface: NDArray[np.uint8], grid: Grid, own_km: Sequence[float] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Class of each pixel's distance from the sea uint8[y, x], and the lower edges of the classes in km.

    The last class is that of no sea at all: everywhere if paths over sea are ignored. ``own_km``: lower edges
    in place of those of the territory.
    """
    edges_km = sea_edges_km(own_km or config.protection.sea_classes_km)
    if config.protection.sea_paths == "ignore":
        return np.full(surface.shape, edges_km.size - 1, np.uint8), edges_km
    classes = np.empty(surface.shape, np.uint8)
    for rows, distance_km in _sea_distances_km(surface, grid):
        classes[rows] = sea_class(distance_km, edges_km)
    return classes, edges_km


def sea_edges_km(lower_km: Sequence[float]) -> NDArray[np.float64]:
    """Lower edges of the classes of distance from the sea, with that of no sea at all."""
    return np.array([*lower_km, math.inf])


def sea_class(sea_km: NDArray[np.float32], edges_km: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Class of distances from the sea, any shape."""
    return np.digitize(sea_km, edges_km[1:]).astype(np.uint8)


def land_kinds(
    config: Config, hills: HillReach, surface: NDArray[np.uint8], coastal: NDArray[np.uint8], grid: Grid
) -> LandKinds:
    """Land of a grid as the reach of devices knows it."""
    sea, _ = sea_classes(config, surface, grid, hills.sea_km[:-1].tolist())
    at_coast = (coastal == 1) & (config.protection.sea_paths == "coastal")
    kind = np.where(at_coast, np.uint8(_COASTAL), sea + np.uint8(1))
    return LandKinds(np.where(is_land(surface), kind, np.uint8(_NOWHERE)), sea)


def farthest_box_m(hills: HillReach) -> Box:
    """Projected box (west, south, east, north) of all that devices may reach in their sectors."""
    row, col = np.nonzero(hills.inside)
    x_m, y_m = hills.grid.xy_m(row.astype(np.float64) + 0.5, col.astype(np.float64) + 0.5)
    scale = hills.grid.largest_scale() * _SCALE_RESERVE
    sides: list[Box] = []
    for sector in range(hills.sectors):
        reach_m = np.zeros(row.size)
        for classes, radii_km in zip(hills.classes, hills.radii_km, strict=True):
            km = radii_km.max(axis=(1, 2))
            its_km = np.maximum(hills.near_km, km[classes[:, sector]])
            np.maximum(reach_m, 1000.0 * scale * its_km + hills.grid.resolution_m, out=reach_m)
        edges = np.radians(np.linspace(sector, sector + 1, 16) * 360.0 / hills.sectors)
        east, north = np.append(np.sin(edges), 0.0), np.append(np.cos(edges), 0.0)
        west_m, east_m = (x_m + part * reach_m for part in (east.min(), east.max()))
        south_m, north_m = (y_m + part * reach_m for part in (north.min(), north.max()))
        sides.append((west_m.min(), south_m.min(), east_m.max(), north_m.max()))
    west, south, east_side, north_side = zip(*sides, strict=True)
    return float(min(west)), float(min(south)), float(max(east_side)), float(max(north_side))


class _Targets(NamedTuple):
    """Squares with pixels of the territory, by groups of ``_GROUP`` x ``_GROUP`` of them.

    ``place`` int64[square, 2] row, column of the squares of a grid; ``radius_km`` float32[square, kind,
    sector], ``farthest_km`` float32[square, kind]. ``group`` int64[group, 2] likewise for groups, ``first``
    int64[group + 1] their first squares, ``group_km`` float32[group, kind] the farthest of a group.
    """

    place: NDArray[np.int64]
    radius_km: NDArray[np.float32]
    farthest_km: NDArray[np.float32]
    group: NDArray[np.int64]
    first: NDArray[np.int64]
    group_km: NDArray[np.float32]


def reached_land(hills: HillReach, grid: Grid, land: LandKinds, *, threads: int = 1) -> NDArray[np.bool_]:
    """Pixels of a grid bool[y, x] that lie within reach of some device; true for whole squares, off land too.

    Never too few: of each square of devices the highest class and the one nearest to the sea count, of each
    square of land the kind nearest to the sea, and of two squares the nearest points and all directions.
    """
    side_px = max(round(_SQUARE_M / grid.resolution_m), 1)
    rows, cols = -(-grid.height // side_px), -(-grid.width // side_px)
    padded = ((0, rows * side_px - grid.height), (0, cols * side_px - grid.width))
    kind = np.pad(land.kind, padded, constant_values=_NOWHERE)
    kinds = kind.reshape(rows, side_px, cols, side_px).min(axis=(1, 3))
    targets = _targets(hills, grid, land.sea, side_px)
    square_km = side_px * grid.resolution_m / grid.largest_scale() / 1000.0
    first, last = _sectors_of_offsets(max(rows, cols), hills.sectors)
    found = np.zeros((rows, cols), np.bool_)

    def search(row: int) -> None:
        _search_rows(kinds, targets, first, last, square_km, row, min(row + _ROWS_A_TIME, rows), found)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        list(pool.map(search, range(0, rows, _ROWS_A_TIME)))
    whole = found.repeat(side_px, axis=0).repeat(side_px, axis=1)
    return whole[: grid.height, : grid.width]


def _targets(hills: HillReach, grid: Grid, sea: NDArray[np.uint8], side_px: int) -> _Targets:
    """Squares of devices, with the largest radius that any of their pixels has."""
    down, right = grid.offset_px(hills.grid)
    row, col = np.nonzero(hills.inside)
    row, col = row + down, col + right
    across = -(-grid.width // side_px)
    squares, square = np.unique((row // side_px) * across + col // side_px, return_inverse=True)
    nearest = np.full(squares.size, _NOWHERE, np.uint8)
    np.minimum.at(nearest, square, sea[row, col])
    radius_km = np.zeros((squares.size, hills.radii_km[0].shape[1], hills.sectors), np.float32)
    for classes, radii_km in zip(hills.classes, hills.radii_km, strict=True):
        top = np.zeros((squares.size, hills.sectors), np.uint8)
        _top_of_squares(classes, square, top)
        _widen_radii(radii_km, top, nearest, hills.near_km, radius_km)
    radius_km = np.nextafter(radius_km, np.float32(np.inf))
    return _by_groups(np.stack([squares // across, squares % across], axis=1), radius_km)


def _by_groups(place: NDArray[np.int64], radius_km: NDArray[np.float32]) -> _Targets:
    group = place // _GROUP
    order = np.lexsort((group[:, 1], group[:, 0]))
    place, radius_km, group = place[order], radius_km[order], group[order]
    farthest_km = radius_km.max(axis=2)
    first = np.flatnonzero(np.any(np.diff(group, axis=0, prepend=-1) != 0, axis=1))
    group_km = np.maximum.reduceat(farthest_km, first, axis=0)
    return _Targets(place, radius_km, farthest_km, group[first], np.append(first, len(place)), group_km)


@kernel
def _top_of_squares(classes: NDArray[np.uint8], square: NDArray[np.int64], top: NDArray[np.uint8]) -> None:
    """Largest class of each square, uint8[square, sector]."""
    for pixel in range(square.size):
        for sector in range(top.shape[1]):
            if classes[pixel, sector] > top[square[pixel], sector]:
                top[square[pixel], sector] = classes[pixel, sector]


@kernel
def _widen_radii(
    radii_km: NDArray[np.float64],
    top: NDArray[np.uint8],
    nearest: NDArray[np.uint8],
    near_km: float,
    radius_km: NDArray[np.float32],
) -> None:
    """Raise ``radius_km`` [square, kind, sector] to those of the squares' classes and distances from the sea.

    ``top`` class [square, sector], ``nearest`` class of the distance [square].
    """
    for square in range(nearest.size):
        for kind in range(radius_km.shape[1]):
            for sector in range(radius_km.shape[2]):
                its_km = max(near_km, radii_km[top[square, sector], kind, nearest[square]])
                radius_km[square, kind, sector] = max(radius_km[square, kind, sector], np.float32(its_km))


def _sectors_of_offsets(size: int, sectors: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last sector of all directions between two squares, by their offset land less device.

    int64[2 m + 1, 2 m + 1] by (dy + m, dx + m); where the squares touch all sectors count.
    """
    offset = np.arange(-size, size + 1, dtype=np.float64)
    dy, dx = offset[:, np.newaxis], offset[np.newaxis, :]
    centre_deg = np.degrees(np.arctan2(dx, -dy))
    widest_deg = np.zeros(centre_deg.shape)
    for down in (-1.0, 1.0):
        for right in (-1.0, 1.0):
            corner_deg = np.degrees(np.arctan2(dx + right, -(dy + down)))
            apart_deg = np.abs((corner_deg - centre_deg + 180.0) % 360.0 - 180.0)
            widest_deg = np.maximum(widest_deg, apart_deg)
    a_sector_deg = 360.0 / sectors
    first = np.floor((centre_deg - widest_deg - 0.01) / a_sector_deg).astype(np.int64)
    last = np.floor((centre_deg + widest_deg + 0.01) / a_sector_deg).astype(np.int64)
    touching = (np.abs(dy) <= 1) & (np.abs(dx) <= 1)
    return np.where(touching, 0, first), np.where(touching, sectors - 1, np.minimum(last, first + sectors))


@kernel
def _search_rows(
    kinds: NDArray[np.uint8],
    targets: _Targets,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    square_km: float,
    start: int,
    stop: int,
    found: NDArray[np.bool_],
) -> None:
    """Mark the squares of rows start..stop-1 that some square of devices reaches."""
    for row in range(start, stop):
        for col in range(kinds.shape[1]):
            kind = kinds[row, col]
            if kind == _NOWHERE:
                continue
            for g in range(targets.group.shape[0]):
                y, x = targets.group[g, 0] * _GROUP, targets.group[g, 1] * _GROUP
                away_y = max(y - row - 1, row - (y + _GROUP - 1) - 1, 0)
                away_x = max(x - col - 1, col - (x + _GROUP - 1) - 1, 0)
                if square_km * math.sqrt(away_y * away_y + away_x * away_x) > targets.group_km[g, kind]:
                    continue
                if _reached_by_group(targets, g, row, col, kind, first, last, square_km):
                    found[row, col] = True
                    break


@kernel
def _reached_by_group(
    targets: _Targets,
    group: int,
    row: int,
    col: int,
    kind: int,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    square_km: float,
) -> bool:
    """Whether a square of land lies within reach of one of a group's squares in the directions between."""
    m = first.shape[0] // 2
    sectors = targets.radius_km.shape[2]
    for t in range(targets.first[group], targets.first[group + 1]):
        dy, dx = row - targets.place[t, 0], col - targets.place[t, 1]
        away_y, away_x = max(abs(dy) - 1, 0), max(abs(dx) - 1, 0)
        between_km = square_km * math.sqrt(away_y * away_y + away_x * away_x)
        if between_km > targets.farthest_km[t, kind]:
            continue
        for sector in range(first[dy + m, dx + m], last[dy + m, dx + m] + 1):
            if between_km <= targets.radius_km[t, kind, sector % sectors]:
                return True
    return False
