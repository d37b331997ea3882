"""Which land the devices of a territory can reach: what none of them reaches limits nothing.

No reception is computed there and no height of terrain is asked for. The land is found by squares of about a
kilometre, whole ones, so that it is never too small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.grid import Grid, strips_of_rows
from pipeline.kernels import borrowing, constant, kernel
from pipeline.territory.reach import GROUP, NO_LAND, HillReach, LandKinds, Squares, square_px, squares_with

_ROWS_A_TIME, _COLS_A_TIME, _OFFSETS_A_TIME = 8, 64, 64
# Squares of land: asked for, in reach of a device, in reach of none or no land.
_OPEN, _REACHED, _BEYOND = 0, 1, 2
# What is looked for: what any device reaches on any ground; the square of devices that may reach farthest
# beyond a square of land; all that may reach it.
_LEAST, _BEST, _EVERY = 0, 1, 2
# How often each open square asks for the exact heights of one square of devices before it asks for all.
_TURNS_BY_BEST = 8


class _Targets(NamedTuple):
    """Squares of devices, and how far they reach.

    ``place`` int64[square, 2]; ``top`` uint8[base height, square, sector] class, at most that where not
    ``exact`` bool[square, sector]; ``sea`` uint8[square] class of the distance. ``radius_km`` float32[base
    height, class, kind, class of the distance], ``least_km`` float32[kind, class of the distance] of any
    class. ``farthest_km`` float32[square, kind], ``group_km`` float32[group, kind]: none reaches farther;
    ``nearest_km`` float32[group, kind] the largest ``least_km``; ``group`` int64[group, 2] row, column,
    ``first`` int64[group + 1] first squares, ``order`` int64[group] those that reach farthest first.
    """

    place: NDArray[np.int64]
    top: NDArray[np.uint8]
    exact: NDArray[np.bool_]
    sea: NDArray[np.uint8]
    radius_km: NDArray[np.float32]
    least_km: NDArray[np.float32]
    farthest_km: NDArray[np.float32]
    group_km: NDArray[np.float32]
    nearest_km: NDArray[np.float32]
    group: NDArray[np.int64]
    first: NDArray[np.int64]
    order: NDArray[np.int64]


def reached_land(
    hills: HillReach, grid: Grid, land: Iterable[tuple[slice, LandKinds]], *, threads: int = 1
) -> NDArray[np.bool_]:
    """Pixels of a grid bool[y, x] that lie within reach of some device; true for whole squares, off land too.

    Never too few: of each square of devices the highest class and the one nearest to the sea count, of each
    square of land the kind nearest to the sea, and of two squares the nearest points and all directions.
    ``land`` by strips of rows. Heights are known by their bounds first; exact ones are asked for where a
    bound reaches land that nothing else is known to reach, those that reach it most easily before all others.
    """
    side_px = square_px(grid)
    squares = squares_with(hills.inside, (side_px, side_px), grid.offset_px(hills.grid))
    kinds, sea = _land_of_squares(hills, grid, land, side_px)
    targets = _targets(hills, squares, sea[squares.place[:, 0], squares.place[:, 1]])
    square_km = side_px * grid.resolution_m / grid.largest_scale() / 1000.0
    first, last = _sectors_of_offsets(max(kinds.shape), hills.ground.sectors)
    state = np.where(kinds == NO_LAND, np.uint8(_BEYOND), np.uint8(_OPEN))
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for turn in count():
            wanted = np.zeros(targets.exact.shape, np.bool_)
            way = constant(_LEAST if turn == 0 else _BEST if turn <= _TURNS_BY_BEST else _EVERY)

            def search(row: int) -> None:
                rows = row, min(row + _ROWS_A_TIME, len(kinds))
                _search_rows(kinds, targets, first, last, square_km, *rows, way, state, wanted)  # noqa: B023

            list(pool.map(search, range(0, len(kinds), _ROWS_A_TIME)))
            if turn and not wanted.any():
                break
            targets = _known_exactly(hills, squares, targets, wanted)
    whole = (state == _REACHED).repeat(side_px, axis=0).repeat(side_px, axis=1)
    return whole[: grid.height, : grid.width]


def _land_of_squares(
    hills: HillReach, grid: Grid, land: Iterable[tuple[slice, LandKinds]], side_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Smallest kind of land and, of pixels of the territory, smallest class of the distance from the sea.

    uint8[row, column] of the squares of a grid; 255 without any.
    """
    shape = -(-grid.height // side_px), -(-grid.width // side_px)
    kinds, nearest = (np.full(shape, NO_LAND, np.uint8) for _ in range(2))
    down, right = grid.offset_px(hills.grid)
    height, width = hills.inside.shape
    for rows, part in land:
        own_sea = np.full(part.sea.shape, NO_LAND, np.uint8)
        first, stop = max(rows.start, down), max(min(rows.stop, down + height), down, rows.start)
        inside = hills.inside[first - down : stop - down]
        own = slice(first - rows.start, stop - rows.start), slice(right, right + width)
        own_sea[own] = np.where(inside, part.sea[own], np.uint8(NO_LAND))
        for smallest, values in ((kinds, part.kind), (nearest, own_sea)):
            top = rows.start // side_px
            starts = np.maximum(np.arange(top, -(-rows.stop // side_px)) * side_px - rows.start, 0)
            found = np.minimum.reduceat(values, starts, axis=0)
            found = np.minimum.reduceat(found, np.arange(0, grid.width, side_px), axis=1)
            its = smallest[top : top + len(starts)]
            np.minimum(its, found, out=its)
    return kinds, nearest


def _targets(hills: HillReach, squares: Squares, sea: NDArray[np.uint8]) -> _Targets:
    """Squares of devices by the bounds of their heights; ``sea`` uint8[square] class of the distance."""
    classes = max(map(len, hills.radii_km))
    radius_km = np.zeros((len(hills.radii_km), classes, *hills.radii_km[0].shape[1:]), np.float32)
    for its_km, from_km in zip(radius_km, hills.radii_km, strict=True):
        its_km[: len(from_km)] = np.maximum(from_km, hills.near_km)
    radius_km = np.nextafter(radius_km, np.float32(np.inf))
    of_bases = zip(radius_km, map(len, hills.radii_km), strict=True)
    least_km = np.max([its_km[:number].min(axis=0) for its_km, number in of_bases], axis=0)
    group = squares.place // GROUP
    first = np.flatnonzero(np.any(np.diff(group, axis=0, prepend=-1) != 0, axis=1))
    top = hills.classes_of(hills.ground.bounds_m(squares))
    none = np.zeros((0, 0), np.float32)
    nearest_km = np.maximum.reduceat(least_km[:, sea].T, first, axis=0)
    found = _Targets(
        squares.place,
        top,
        np.zeros(top.shape[1:], np.bool_),
        sea,
        radius_km,
        least_km,
        none,
        none,
        nearest_km,
        group[first],
        np.append(first, len(group)),
        np.arange(len(first)),
    )
    return _with_farthest(found)


def _with_farthest(targets: _Targets) -> _Targets:
    farthest_km = np.zeros((len(targets.place), targets.radius_km.shape[2]), np.float32)
    _farthest_of_squares(targets, farthest_km)
    group_km = np.maximum.reduceat(farthest_km, targets.first[:-1], axis=0)
    order = np.argsort(-group_km.max(axis=1), kind="stable")
    return targets._replace(farthest_km=farthest_km, group_km=group_km, order=order)


def _known_exactly(
    hills: HillReach, squares: Squares, targets: _Targets, wanted: NDArray[np.bool_]
) -> _Targets:
    """The targets with exact heights where they are wanted."""
    exact = hills.classes_of(hills.ground.exact_m(squares, wanted))
    return _with_farthest(
        targets._replace(top=np.where(wanted, exact, targets.top), exact=targets.exact | wanted)
    )


@kernel
def _farthest_of_squares(targets: _Targets, farthest_km: NDArray[np.float32]) -> None:
    """Raise ``farthest_km`` [square, kind] to the radius of any sector."""
    bases, squares, sectors = targets.top.shape
    for t in range(squares):
        for base in range(bases):
            for sector in range(sectors):
                for kind in range(farthest_km.shape[1]):
                    its_km = targets.radius_km[base, targets.top[base, t, sector], kind, targets.sea[t]]
                    farthest_km[t, kind] = max(farthest_km[t, kind], its_km)


def _sectors_of_offsets(size: int, sectors: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """First and last sector of all directions between two squares, by their offset land less device.

    int16[2 m + 1, 2 m + 1] by (dy + m, dx + m); where the squares touch all sectors count.
    """
    first, last = (np.empty((2 * size + 1, 2 * size + 1), np.int16) for _ in range(2))
    for rows in strips_of_rows(0, 2 * size + 1, _OFFSETS_A_TIME):
        first[rows], last[rows] = _sectors_of_rows(size, rows, sectors)
    return first, last


def _sectors_of_rows(size: int, rows: slice, sectors: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    offset = np.arange(-size, size + 1, dtype=np.float64)
    dy, dx = offset[rows, np.newaxis], offset[np.newaxis, :]
    centre_deg = np.degrees(np.arctan2(dx, -dy))
    widest_deg = np.zeros(centre_deg.shape)
    for down in (-1.0, 1.0):
        for right in (-1.0, 1.0):
            corner_deg = np.degrees(np.arctan2(dx + right, -(dy + down)))
            apart_deg = np.abs((corner_deg - centre_deg + 180.0) % 360.0 - 180.0)
            widest_deg = np.maximum(widest_deg, apart_deg)
    a_sector_deg = 360.0 / sectors
    first = np.floor((centre_deg - widest_deg - 0.01) / a_sector_deg)
    last = np.floor((centre_deg + widest_deg + 0.01) / a_sector_deg)
    touching = (np.abs(dy) <= 1) & (np.abs(dx) <= 1)
    return np.where(touching, 0, first), np.where(touching, sectors - 1, np.minimum(last, first + sectors))


@kernel
def _search_rows(
    kinds: NDArray[np.uint8],
    targets: _Targets,
    first: NDArray[np.int16],
    last: NDArray[np.int16],
    square_km: float,
    start: int,
    stop: int,
    way: int,
    state: NDArray[np.uint8],
    wanted: NDArray[np.bool_],
) -> None:
    """Set the ``state`` of the open squares of rows start..stop-1 by what is known of devices.

    What stays open marks ``wanted`` [square, sector] in the devices that may reach it, by ``way``.
    """
    near = np.empty(targets.order.size, np.int64)
    for west in range(0, kinds.shape[1], _COLS_A_TIME):
        east = min(west + _COLS_A_TIME, kinds.shape[1])
        if not (state[start:stop, west:east] == _OPEN).any():
            continue
        groups = near[: _groups_near(targets, (start, stop), (west, east), square_km, way, near)]
        for row in range(start, stop):
            for col in range(west, east):
                if state[row, col] == _OPEN:
                    place = kinds[row, col], row, col
                    state[row, col] = _state_of(place, groups, targets, first, last, square_km, way, wanted)


@kernel
def _groups_near(
    targets: _Targets,
    rows: tuple[int, int],
    cols: tuple[int, int],
    square_km: float,
    way: int,
    near: NDArray[np.int64],
) -> int:
    """List the groups that may reach a square of any kind in a box, in their order; their number."""
    found = 0
    for g in targets.order:
        y, x = targets.group[g, 0] * GROUP, targets.group[g, 1] * GROUP
        away_y = max(y - rows[1], rows[0] - (y + GROUP), 0)
        away_x = max(x - cols[1], cols[0] - (x + GROUP), 0)
        at_most_km = targets.nearest_km[g].max() if way == _LEAST else targets.group_km[g].max()
        if square_km * math.sqrt(away_y * away_y + away_x * away_x) <= at_most_km:
            near[found] = g
            found += 1
    return found


@kernel
def _state_of(
    place: tuple[int, int, int],
    groups: NDArray[np.int64],
    targets: _Targets,
    first: NDArray[np.int16],
    last: NDArray[np.int16],
    square_km: float,
    way: int,
    wanted: NDArray[np.bool_],
) -> int:
    """State of a square of land, ``place`` its kind, row and column, by ``groups``; see ``_search_rows``."""
    kind, row, col = place
    best_km, best_t, best_sector = np.float32(-1.0), 0, 0
    state = _OPEN if way == _LEAST else _BEYOND
    for g in groups:
        y, x = targets.group[g, 0] * GROUP, targets.group[g, 1] * GROUP
        away_y = max(y - row - 1, row - (y + GROUP - 1) - 1, 0)
        away_x = max(x - col - 1, col - (x + GROUP - 1) - 1, 0)
        between_km = square_km * math.sqrt(away_y * away_y + away_x * away_x)
        at_most_km = targets.nearest_km[g, kind] if way == _LEAST else targets.group_km[g, kind]
        if between_km > at_most_km or (way == _BEST and at_most_km - between_km < best_km):
            continue
        for t in range(targets.first[g], targets.first[g + 1]):
            spare_km, sector = _spare_of_target(
                targets, t, row, col, kind, first, last, square_km, way, wanted
            )
            if spare_km == np.inf:
                return _REACHED
            if spare_km >= 0.0:
                state = _OPEN
            if spare_km > best_km:
                best_km, best_t, best_sector = spare_km, t, sector
    if state == _OPEN and way == _BEST:
        wanted[best_t, best_sector] = True
    return state


@borrowing
def _spare_of_target(
    targets: _Targets,
    t: int,
    row: int,
    col: int,
    kind: int,
    first: NDArray[np.int16],
    last: NDArray[np.int16],
    square_km: float,
    way: int,
    wanted: NDArray[np.bool_],
) -> tuple[np.float32, int]:
    """How far a square of devices may reach beyond one of land, and in which sector.

    Infinite: it is known to reach it; negative: it does not. All are ``wanted`` if that is the ``way``.
    """
    m, sectors = first.shape[0] // 2, targets.top.shape[2]
    best_km, best_sector = np.float32(-1.0), 0
    dy, dx = row - targets.place[t, 0], col - targets.place[t, 1]
    away_y, away_x = max(abs(dy) - 1, 0), max(abs(dx) - 1, 0)
    between_km = square_km * math.sqrt(away_y * away_y + away_x * away_x)
    if between_km > targets.farthest_km[t, kind]:
        return best_km, best_sector
    if between_km <= targets.least_km[kind, targets.sea[t]]:
        return np.float32(np.inf), 0
    if way == _LEAST:
        return best_km, best_sector
    for turned in range(first[dy + m, dx + m], last[dy + m, dx + m] + 1):
        sector = turned % sectors
        radius_km = np.float32(0.0)
        for base in range(targets.top.shape[0]):
            its_km = targets.radius_km[base, targets.top[base, t, sector], kind, targets.sea[t]]
            radius_km = max(radius_km, its_km)
        if between_km <= radius_km:
            if targets.exact[t, sector]:
                return np.float32(np.inf), sector
            if way == _EVERY:
                wanted[t, sector] = True
            if radius_km - between_km > best_km:
                best_km, best_sector = np.float32(radius_km - between_km), sector
    return best_km, best_sector
