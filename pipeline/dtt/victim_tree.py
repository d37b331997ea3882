"""Lower bounds over squares of victim pixels, by the direction in which the device lies.

The victims of a map are gathered into leaves of ``LEAF_PX`` x ``LEAF_PX`` pixels and these, four at a
time, into larger nodes. A node keeps, for each of ``BINS`` bins of the grid direction victim -> device, the
smallest value that ``permissible + discrimination`` can take over its victims and over the bin. So a node
whose receivers all look the other way counts with its full discrimination, and is passed over where an
omnidirectional bound would have to open it.

With the offset between victim and device, whose losses and directions are tabulated, such a value bounds a
limit from below.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import borrowing, kernel
from pipeline.radio.antennas import Bt419, bt419_db

LEAF_PX = 8
LEVELS = 6
"""Leaves of 8 pixels, then nodes of 16, 32, 64, 128 and 256 pixels."""
BINS = 32
SECTORS = 180
MARGIN_DEG = np.float32(0.02)
"""Angles in float32 are right to 1e-4 deg; every bound is looser by this, so rounding cannot break it."""
INF = np.float32(np.inf)
ZERO = np.float32(0.0)
HALF_TURN_DEG = np.float32(180.0)
TURN_DEG = np.float32(360.0)
SECTORS_PER_DEG = np.float32(SECTORS / 360.0)
BINS_PER_DEG = np.float32(BINS / 360.0)
FARTHEST_SEA = np.uint8(255)
ANY_DIRECTION_DEG = (ZERO, np.float32(-1.0))


class Tree(NamedTuple):
    """Nodes of all levels, level 0 the leaves; nodes without a victim take no memory in the two bounds.

    ``row`` int32[nodes] row of each node in the bounds, -1 without a victim; ``start``, ``height``, ``width``
    int64[LEVELS] place of a level in ``row`` and its size in nodes; ``any_dbm`` float32[rows] smallest level;
    ``directed_dbm`` float32[rows, BINS] smallest level plus discrimination towards the bin; ``sea``
    uint8[rows] least class of distance from the sea.
    """

    row: NDArray[np.int32]
    start: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]
    any_dbm: NDArray[np.float32]
    directed_dbm: NDArray[np.float32]
    sea: NDArray[np.uint8]


@borrowing
def normal_azimuth_deg(azimuth_deg: np.float32) -> np.float32:
    """The same direction from 0 to 360 deg; values already there are not changed by a single bit."""
    return azimuth_deg - TURN_DEG * np.float32(np.floor(azimuth_deg / TURN_DEG))


@borrowing
def off_axis_deg(first_deg: np.float32, second_deg: np.float32) -> np.float32:
    """Angle 0..180 deg between two directions given as 0..360 deg."""
    delta_deg = abs(first_deg - second_deg)
    return min(delta_deg, TURN_DEG - delta_deg)


def sector_discrimination_db(ant: Bt419) -> NDArray[np.float32]:
    """Smallest discrimination between any azimuth of a sector and any direction of a bin.

    float32[SECTORS + 1, BINS]; the last row is for receivers without directivity.
    """
    sector_deg, bin_deg = 360.0 / SECTORS, 360.0 / BINS
    sector_centre_deg = (np.arange(SECTORS) + 0.5) * sector_deg
    bin_centre_deg = (np.arange(BINS) + 0.5) * bin_deg
    apart_deg = np.abs(sector_centre_deg[:, None] - bin_centre_deg)
    apart_deg = np.minimum(apart_deg, 360.0 - apart_deg)
    apart_deg -= 0.5 * (sector_deg + bin_deg) + float(MARGIN_DEG)
    rising_db = (apart_deg - float(ant.flat_deg)) * float(ant.slope_db_per_deg)
    directed_db = np.clip(rising_db, 0.0, float(ant.max_db))
    return np.vstack([directed_db, np.zeros(BINS)]).astype(np.float32)


@kernel
def _mark_leaves(
    permissible_dbm: NDArray[np.float32], occupied: NDArray[np.bool_], first: int, last: int
) -> None:
    """True for the leaves of rows first..last-1 that hold at least one victim."""
    height, width = permissible_dbm.shape
    for i in range(first, last):
        for y in range(i * LEAF_PX, min((i + 1) * LEAF_PX, height)):
            for x in range(width):
                if permissible_dbm[y, x] < INF:
                    occupied[i, x // LEAF_PX] = True


@kernel
def _fill_leaf(
    permissible_dbm: NDArray[np.float32],
    azimuth_deg: NDArray[np.float32],
    y0: int,
    x0: int,
    sector_db: NDArray[np.float32],
    sector_min_dbm: NDArray[np.float32],
    directed_dbm: NDArray[np.float32],
) -> np.float32:
    """Bounds of the leaf at pixel (y0, x0) into ``directed_dbm``; returns its smallest permissible level."""
    sector_min_dbm[:] = INF
    directed_dbm[:] = INF
    any_dbm = INF
    for y in range(y0, min(y0 + LEAF_PX, permissible_dbm.shape[0])):
        for x in range(x0, min(x0 + LEAF_PX, permissible_dbm.shape[1])):
            level_dbm = permissible_dbm[y, x]
            if level_dbm < INF:
                sector = SECTORS
                if not np.isnan(azimuth_deg[y, x]):
                    azimuth = normal_azimuth_deg(azimuth_deg[y, x])
                    sector = min(int(azimuth * SECTORS_PER_DEG), SECTORS - 1)
                sector_min_dbm[sector] = min(sector_min_dbm[sector], level_dbm)
                any_dbm = min(any_dbm, level_dbm)
    for sector in range(SECTORS + 1):
        if sector_min_dbm[sector] < INF:
            for k in range(BINS):
                directed_dbm[k] = min(directed_dbm[k], sector_min_dbm[sector] + sector_db[sector, k])
    return any_dbm


@borrowing
def _nearest_sea(permissible_dbm: NDArray[np.float32], sea: NDArray[np.uint8], y0: int, x0: int) -> np.uint8:
    """Least class of distance from the sea of the victims of the leaf at pixel (y0, x0)."""
    nearest = FARTHEST_SEA
    for y in range(y0, min(y0 + LEAF_PX, permissible_dbm.shape[0])):
        for x in range(x0, min(x0 + LEAF_PX, permissible_dbm.shape[1])):
            if permissible_dbm[y, x] < INF:
                nearest = min(nearest, sea[y, x])
    return nearest


@kernel
def _fill_leaves(
    permissible_dbm: NDArray[np.float32],
    azimuth_deg: NDArray[np.float32],
    sea: NDArray[np.uint8],
    sector_db: NDArray[np.float32],
    tree: Tree,
    first: int,
    last: int,
) -> None:
    """Bounds of all leaves in rows first..last-1 of leaves."""
    sector_min_dbm = np.empty(SECTORS + 1, np.float32)
    for i in range(first, last):
        for j in range(tree.width[0]):
            row = tree.row[i * tree.width[0] + j]
            if row >= 0:
                tree.any_dbm[row] = _fill_leaf(
                    permissible_dbm,
                    azimuth_deg,
                    i * LEAF_PX,
                    j * LEAF_PX,
                    sector_db,
                    sector_min_dbm,
                    tree.directed_dbm[row],
                )
                tree.sea[row] = _nearest_sea(permissible_dbm, sea, i * LEAF_PX, j * LEAF_PX)


@kernel
def _gather_children(tree: Tree) -> None:
    """Bounds of the nodes above the leaves: the smallest of their (up to four) children."""
    for level in range(1, LEVELS):
        below = level - 1
        for i in range(tree.height[below]):
            for j in range(tree.width[below]):
                child = tree.row[tree.start[below] + i * tree.width[below] + j]
                if child >= 0:
                    parent = tree.row[tree.start[level] + (i // 2) * tree.width[level] + j // 2]
                    tree.any_dbm[parent] = min(tree.any_dbm[parent], tree.any_dbm[child])
                    tree.sea[parent] = min(tree.sea[parent], tree.sea[child])
                    for k in range(BINS):
                        tree.directed_dbm[parent, k] = min(
                            tree.directed_dbm[parent, k], tree.directed_dbm[child, k]
                        )


def over_bands(function: Callable[[int, int], None], count: int, band: int, threads: int) -> None:
    """Call function(first, last) for every band of 0..count-1, ``threads`` at a time; errors come through."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        jobs = [pool.submit(function, i, min(i + band, count)) for i in range(0, count, band)]
        for job in jobs:
            job.result()


def _halved(occupied: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The next level: true where one of the four nodes below is."""
    height, width = occupied.shape
    even = np.pad(occupied, ((0, height % 2), (0, width % 2)))
    return even[0::2, 0::2] | even[0::2, 1::2] | even[1::2, 0::2] | even[1::2, 1::2]


def build_tree(
    permissible_dbm: NDArray[np.float32],
    azimuth_deg: NDArray[np.float32],
    sea: NDArray[np.uint8],
    ant: Bt419,
    threads: int,
) -> Tree:
    """All nodes over the victims of permissible_dbm [y, x] (+inf or NaN = none); azimuth_deg NaN: D is 0.

    ``sea`` uint8[y, x] class of the distance from the sea.
    """
    height, width = permissible_dbm.shape
    occupied = np.zeros((-(-height // LEAF_PX), -(-width // LEAF_PX)), np.bool_)
    over_bands(lambda i, j: _mark_leaves(permissible_dbm, occupied, i, j), occupied.shape[0], 16, threads)
    levels = [occupied]
    for _ in range(1, LEVELS):
        levels.append(_halved(levels[-1]))
    flat = np.concatenate([level.ravel() for level in levels])
    row = np.where(flat, np.cumsum(flat, dtype=np.int32) - 1, -1).astype(np.int32)
    rows = int(np.count_nonzero(flat))
    sizes = np.array([level.shape for level in levels], np.int64)
    tree = Tree(
        row=row,
        start=np.cumsum([0] + [level.size for level in levels[:-1]]).astype(np.int64),
        height=sizes[:, 0].copy(),
        width=sizes[:, 1].copy(),
        any_dbm=np.full(rows, INF, np.float32),
        directed_dbm=np.full((rows, BINS), INF, np.float32),
        sea=np.full(rows, FARTHEST_SEA, np.uint8),
    )
    sector_db = sector_discrimination_db(ant)

    def fill(first: int, last: int) -> None:
        _fill_leaves(permissible_dbm, azimuth_deg, sea, sector_db, tree, first, last)

    over_bands(fill, occupied.shape[0], 16, threads)
    _gather_children(tree)
    return tree


class OffsetTables(NamedTuple):
    """What depends on the offset target - victim only.

    ``loss_db`` and ``direction_deg`` float32[2 m + 1, 2 m + 1] by (dy + m, dx + m), m = ``origin``: +inf
    beyond the range and where the squares are adjacent; direction victim -> target clockwise from north;
    ``adjacent_db`` float32[3, 3] the losses where the squares are adjacent, by (dy + 1, dx + 1);
    ``floor_db`` float32[n, n] smallest loss of all offsets with at least this |dy| and at least this |dx|,
    adjacent ones left out; ``reach`` n - 1.
    """

    loss_db: NDArray[np.float32]
    direction_deg: NDArray[np.float32]
    adjacent_db: NDArray[np.float32]
    floor_db: NDArray[np.float32]
    origin: int
    reach: int


def offset_tables(loss_db: NDArray[np.float32], pad: int) -> OffsetTables:
    """Signed tables with ``pad`` pixels of +inf around: a tile half out of reach needs no clipping."""
    n = loss_db.shape[0]
    origin = n - 1 + pad
    signed = np.abs(np.arange(-(n - 1), n))
    full_db = np.pad(loss_db[np.ix_(signed, signed)], pad, constant_values=np.inf)
    around = slice(origin - 1, origin + 2)
    adjacent_db = full_db[around, around].copy()
    full_db[around, around] = np.inf
    beyond_db = loss_db.copy()
    beyond_db[:2, :2] = np.inf
    floor_db = np.minimum.accumulate(np.minimum.accumulate(beyond_db[::-1, ::-1], axis=0), axis=1)
    return OffsetTables(
        loss_db=full_db,
        direction_deg=_directions_deg(origin),
        adjacent_db=adjacent_db,
        floor_db=np.ascontiguousarray(floor_db[::-1, ::-1]),
        origin=origin,
        reach=n - 1,
    )


@lru_cache(maxsize=2)
def _directions_deg(origin: int) -> NDArray[np.float32]:
    """Direction victim -> target by signed offset."""
    offset = np.arange(-origin, origin + 1, dtype=np.float64)
    direction_deg = np.degrees(np.arctan2(offset[None, :], -offset[:, None])) % 360.0
    return direction_deg.astype(np.float32)


@borrowing
def apart(low: int, high: int) -> int:
    """Smallest |offset| of the interval low..high."""
    return max(0, max(low, -high))


@borrowing
def directions(
    direction_deg: NDArray[np.float32], reach: int, dy0: int, dy1: int, dx0: int, dx1: int
) -> tuple[np.float32, np.float32]:
    """First and last direction [deg], clockwise, of a rectangle of offsets that does not hold the offset 0.

    Offsets out of reach are cut off first: no loss is finite there. ``direction_deg``: of ``OffsetTables``.
    """
    m = direction_deg.shape[0] // 2
    dy0, dy1 = max(dy0, -reach), min(dy1, reach)
    dx0, dx1 = max(dx0, -reach), min(dx1, reach)
    if dy1 < 0:  # all north: from the most western to the most eastern corner
        first_y, first_x = dy1 if dx0 < 0 else dy0, dx0
        last_y, last_x = dy1 if dx1 > 0 else dy0, dx1
    elif dy0 > 0:  # all south: from east to west
        first_y, first_x = dy0 if dx1 > 0 else dy1, dx1
        last_y, last_x = dy0 if dx0 < 0 else dy1, dx0
    elif dx0 > 0:  # due east: from north to south
        first_y, first_x, last_y, last_x = dy0, dx0, dy1, dx0
    else:  # due west: from south to north
        first_y, first_x, last_y, last_x = dy1, dx1, dy0, dx1
    return direction_deg[first_y + m, first_x + m], direction_deg[last_y + m, last_x + m]


@borrowing
def directed_bound_dbm(
    directed_dbm: NDArray[np.float32], row: int, first_deg: np.float32, last_deg: np.float32
) -> np.float32:
    """Smallest level plus discrimination of a node over the directions first..last, clockwise."""
    k = min(int(first_deg * BINS_PER_DEG), BINS - 1)
    last = min(int(last_deg * BINS_PER_DEG), BINS - 1)
    smallest_dbm = directed_dbm[row, k]
    while k != last:
        k = k + 1 if k + 1 < BINS else 0
        smallest_dbm = min(smallest_dbm, directed_dbm[row, k])
    return smallest_dbm


@borrowing
def smallest_and_largest_db(
    ant: Bt419, azimuth_deg: np.float32, centre_deg: np.float32, half_deg: np.float32
) -> tuple[np.float32, np.float32]:
    """Discrimination bounds of one receiver over the directions centre +- half; half 180 = any direction."""
    if np.isnan(azimuth_deg):
        return ZERO, ZERO
    apart_deg = off_axis_deg(azimuth_deg, centre_deg)
    near_deg = apart_deg - half_deg - MARGIN_DEG
    far_deg = apart_deg + half_deg + MARGIN_DEG
    return bt419_db(ant, near_deg), bt419_db(ant, far_deg)
