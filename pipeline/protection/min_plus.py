"""The smallest limit over all victims of one map: an exact branch and bound over tiles.

For each target pixel x the minimum over the victims p of ``(allowed[p] + D) + loss[|dy|, |dx|]``. The term is always
computed by this one float32 expression and the minimum does not depend on the order, so tile size and thread
count change no byte. Floating-point sums are monotone, so a bound put together in the same way from smallest parts
is never above a term it stands for: no tolerance is needed when a node is passed over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.numba_options import kernel
from pipeline.protection.min_plus_tree import (
    BINS,
    HALF_TURN_DEG,
    INF,
    LEAF_PX,
    LEVELS,
    MARGIN_DEG,
    ZERO,
    Antenna,
    Discrimination,
    Tree,
    antenna,
    build_tree,
    discrimination_db,
    normal_azimuth_deg,
    off_axis_deg,
    over_bands,
)

TILE_PX = (8, 16)
"""Target tile (rows, columns): 16 columns keep the vector units busy, 8 rows keep the bounds close."""
BINS_PER_DEG = np.float32(BINS / 360.0)
HALF = np.float32(0.5)
LEVEL_SHIFT, Y_SHIFT, X_MASK = 60, 30, (1 << 30) - 1


class Tables(NamedTuple):
    """What depends on the offset target - victim only.

    ``loss_db`` and ``direction_deg`` float32[2 m + 1, 2 m + 1] by (dy + m, dx + m), m = ``origin``: +inf beyond the
    radius and where the squares touch, and grid direction victim -> target clockwise from north;
    ``touching_db`` float32[3, 3] the losses where the squares touch; ``floor_db`` float32[n, n] smallest loss of all
    offsets at least (|dy|, |dx|) away, touching ones left out; ``reach`` n - 1.
    """

    loss_db: NDArray[np.float32]
    direction_deg: NDArray[np.float32]
    touching_db: NDArray[np.float32]
    floor_db: NDArray[np.float32]
    origin: int
    reach: int


class Maps(NamedTuple):
    """The rasters [y, x] of one call, see ``min_plus``."""

    allowed_db: NDArray[np.float32]
    azimuth_deg: NDArray[np.float32]
    targets: NDArray[np.bool_]
    best_db: NDArray[np.float32]
    label: NDArray[np.uint8]


def offset_tables(loss_db: NDArray[np.float32], pad: int) -> Tables:
    """Signed tables with ``pad`` pixels of +inf around, so that a tile half out of reach needs no clipping."""
    n = loss_db.shape[0]
    origin = n - 1 + pad
    signed = np.abs(np.arange(-(n - 1), n))
    full_db = np.pad(loss_db[np.ix_(signed, signed)], pad, constant_values=np.inf)
    around = slice(origin - 1, origin + 2)
    touching_db = full_db[around, around].copy()
    full_db[around, around] = np.inf
    beyond_db = loss_db.copy()
    beyond_db[:2, :2] = np.inf
    floor_db = np.minimum.accumulate(np.minimum.accumulate(beyond_db[::-1, ::-1], axis=0), axis=1)
    offset = np.arange(-origin, origin + 1, dtype=np.float64)
    direction_deg = np.degrees(np.arctan2(offset[None, :], -offset[:, None])) % 360.0
    return Tables(
        loss_db=full_db,
        direction_deg=direction_deg.astype(np.float32),
        touching_db=touching_db,
        floor_db=np.ascontiguousarray(floor_db[::-1, ::-1]),
        origin=origin,
        reach=n - 1,
    )


@kernel
def _apart(low: int, high: int) -> int:
    """Smallest |offset| of the interval low..high."""
    return max(0, max(low, -high))


@kernel
def _directions(tables: Tables, dy0: int, dy1: int, dx0: int, dx1: int) -> tuple[np.float32, np.float32]:
    """First and last direction [deg], clockwise, of a rectangle of offsets that does not hold the offset 0.

    Offsets out of reach are cut off first: no loss is finite there.
    """
    m = tables.origin
    dy0, dy1 = max(dy0, -tables.reach), min(dy1, tables.reach)
    dx0, dx1 = max(dx0, -tables.reach), min(dx1, tables.reach)
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
    return tables.direction_deg[first_y + m, first_x + m], tables.direction_deg[last_y + m, last_x + m]


@kernel
def _node_bound_db(
    tables: Tables, tree: Tree, row: int, dy0: int, dy1: int, dx0: int, dx1: int, worst_db: np.float32
) -> np.float32:
    """A value no term of this node is below, for all offsets of the rectangle; +inf if it cannot improve."""
    away_y, away_x = _apart(dy0, dy1), _apart(dx0, dx1)
    if away_y > tables.reach or away_x > tables.reach:
        return INF
    floor_db = tables.floor_db[away_y, away_x]
    bound_db = tree.any_db[row] + floor_db
    if not bound_db < worst_db:
        return INF
    if away_y == 0 and away_x == 0:
        return bound_db
    first_deg, last_deg = _directions(tables, dy0, dy1, dx0, dx1)
    k = min(int(first_deg * BINS_PER_DEG), BINS - 1)
    last = min(int(last_deg * BINS_PER_DEG), BINS - 1)
    directed_db = tree.directed_db[row, k]
    while k != last:
        k = k + 1 if k + 1 < BINS else 0
        directed_db = min(directed_db, tree.directed_db[row, k])
    bound_db = directed_db + floor_db
    return bound_db if bound_db < worst_db else INF


@kernel
def _push(keys: NDArray[np.float32], nodes: NDArray[np.int64], size: int, key: np.float32, node: int) -> int:
    """Add to the binary heap of ``size`` entries (smallest key first); returns the new size."""
    i = size
    while i > 0 and keys[(i - 1) // 2] > key:
        keys[i], nodes[i] = keys[(i - 1) // 2], nodes[(i - 1) // 2]
        i = (i - 1) // 2
    keys[i], nodes[i] = key, node
    return size + 1


@kernel
def _drop_first(keys: NDArray[np.float32], nodes: NDArray[np.int64], size: int) -> int:
    """Take the smallest entry off the heap; returns the new size."""
    size -= 1
    key, node = keys[size], nodes[size]
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[i], nodes[i] = keys[child], nodes[child]
        i = child
    keys[i], nodes[i] = key, node
    return size


@kernel
def _largest_db(best_db: NDArray[np.float32]) -> np.float32:
    """Worst of the best values so far of a tile: no term at or above it can improve anything."""
    worst_db = -INF
    for i in range(best_db.shape[0]):
        for j in range(best_db.shape[1]):
            worst_db = max(worst_db, best_db[i, j])
    return worst_db


@kernel
def _lower_by_constant(
    best_db: NDArray[np.float32], directed_db: np.float32, loss_db: NDArray[np.float32], dy: int, dx: int
) -> bool:
    """One victim on a tile, same discrimination on all of it; true if a target improved."""
    y0, x0 = np.uint64(dy), np.uint64(dx)
    improved = 0
    for i in range(best_db.shape[0]):
        for j in range(best_db.shape[1]):
            term_db = directed_db + loss_db[y0 + np.uint64(i), x0 + np.uint64(j)]
            so_far_db = best_db[i, j]
            improved |= 1 if term_db < so_far_db else 0
            best_db[i, j] = term_db if term_db < so_far_db else so_far_db
    return improved != 0


@kernel
def _lower_by_victim(
    best_db: NDArray[np.float32],
    allowed_db: np.float32,
    azimuth_deg: np.float32,
    ant: Antenna,
    loss_db: NDArray[np.float32],
    direction_deg: NDArray[np.float32],
    dy: int,
    dx: int,
) -> bool:
    """One victim with directivity on a tile whose first target has table place (dy, dx)."""
    y0, x0 = np.uint64(dy), np.uint64(dx)
    improved = 0
    for i in range(best_db.shape[0]):
        for j in range(best_db.shape[1]):
            y, x = y0 + np.uint64(i), x0 + np.uint64(j)
            term_db = (
                allowed_db + discrimination_db(ant, off_axis_deg(azimuth_deg, direction_deg[y, x]))
            ) + loss_db[y, x]
            so_far_db = best_db[i, j]
            improved |= 1 if term_db < so_far_db else 0
            best_db[i, j] = term_db if term_db < so_far_db else so_far_db
    return improved != 0


@kernel
def _smallest_and_largest_db(
    ant: Antenna, azimuth_deg: np.float32, centre_deg: np.float32, half_deg: np.float32
) -> tuple[np.float32, np.float32]:
    """Discrimination bounds of one receiver over the directions centre +- half; half 180 = any direction."""
    if np.isnan(azimuth_deg):
        return ZERO, ZERO
    apart_deg = off_axis_deg(azimuth_deg, centre_deg)
    near_deg = apart_deg - half_deg - MARGIN_DEG
    far_deg = apart_deg + half_deg + MARGIN_DEG
    return discrimination_db(ant, near_deg), discrimination_db(ant, far_deg)


@kernel
def _visit_leaf(
    maps: Maps,
    ant: Antenna,
    tables: Tables,
    leaf_y: int,
    leaf_x: int,
    tile_y: int,
    tile_x: int,
    best_db: NDArray[np.float32],
    worst_db: np.float32,
) -> np.float32:
    """Every victim of a leaf that may improve a target of the tile; returns the new worst of the tile."""
    y0, x0 = leaf_y * LEAF_PX, leaf_x * LEAF_PX
    y1 = min(y0 + LEAF_PX, maps.allowed_db.shape[0])
    x1 = min(x0 + LEAF_PX, maps.allowed_db.shape[1])
    height, width = best_db.shape
    dy0, dy1 = tile_y - (y1 - 1), tile_y + height - 1 - y0
    dx0, dx1 = tile_x - (x1 - 1), tile_x + width - 1 - x0
    floor_db = tables.floor_db[_apart(dy0, dy1), _apart(dx0, dx1)]
    centre_deg, half_deg = ZERO, HALF_TURN_DEG
    if _apart(dy0, dy1) > 0 or _apart(dx0, dx1) > 0:
        first_deg, last_deg = _directions(tables, dy0, dy1, dx0, dx1)
        half_deg = HALF * normal_azimuth_deg(last_deg - first_deg)
        centre_deg = normal_azimuth_deg(first_deg + half_deg)
    for y in range(y0, y1):
        for x in range(x0, x1):
            allowed_db = maps.allowed_db[y, x]
            if not allowed_db + floor_db < worst_db:
                continue
            away_y = _apart(tile_y - y, tile_y + height - 1 - y)
            away_x = _apart(tile_x - x, tile_x + width - 1 - x)
            if away_y > tables.reach or away_x > tables.reach:
                continue
            azimuth_deg = normal_azimuth_deg(maps.azimuth_deg[y, x])
            least_db, most_db = _smallest_and_largest_db(ant, azimuth_deg, centre_deg, half_deg)
            if not (allowed_db + least_db) + tables.floor_db[away_y, away_x] < worst_db:
                continue
            dy, dx = tile_y - y + tables.origin, tile_x - x + tables.origin
            if least_db == most_db:
                improved = _lower_by_constant(best_db, allowed_db + least_db, tables.loss_db, dy, dx)
            else:
                improved = _lower_by_victim(
                    best_db, allowed_db, azimuth_deg, ant, tables.loss_db, tables.direction_deg, dy, dx
                )
            if improved:
                worst_db = _largest_db(best_db)
    return worst_db


@kernel
def _open_node(
    tree: Tree,
    tables: Tables,
    level: int,
    ys: tuple[int, int],
    xs: tuple[int, int],
    tile: tuple[int, int, int, int],
    worst_db: np.float32,
    keys: NDArray[np.float32],
    nodes: NDArray[np.int64],
    size: int,
) -> int:
    """Put the nodes ys x xs (half-open) of one level on the heap if they may improve the tile; returns its size."""
    tile_y, tile_x, height, width = tile
    side = LEAF_PX << level
    for i in range(max(ys[0], 0), min(ys[1], tree.height[level])):
        for j in range(max(xs[0], 0), min(xs[1], tree.width[level])):
            row = tree.row[tree.start[level] + i * tree.width[level] + j]
            if row >= 0:
                bound_db = _node_bound_db(
                    tables,
                    tree,
                    row,
                    tile_y - (i * side + side - 1),
                    tile_y + height - 1 - i * side,
                    tile_x - (j * side + side - 1),
                    tile_x + width - 1 - j * side,
                    worst_db,
                )
                if bound_db < worst_db:
                    size = _push(keys, nodes, size, bound_db, (level << LEVEL_SHIFT) | (i << Y_SHIFT) | j)
    return size


@kernel
def _start_tile(
    maps: Maps, tables: Tables, tile_y: int, tile_x: int, best_db: NDArray[np.float32]
) -> np.float32:
    """Best values of a tile from the incoming map and the touching victims; -inf where there is no target."""
    grid_height, grid_width = maps.allowed_db.shape
    best_db[:] = -INF
    for y in range(tile_y, min(tile_y + best_db.shape[0], grid_height)):
        for x in range(tile_x, min(tile_x + best_db.shape[1], grid_width)):
            if maps.targets[y, x] and not np.isnan(maps.best_db[y, x]):
                so_far_db = maps.best_db[y, x]
                for p in range(max(y - 1, 0), min(y + 2, grid_height)):
                    for q in range(max(x - 1, 0), min(x + 2, grid_width)):
                        term_db = maps.allowed_db[p, q] + tables.touching_db[p - y + 1, q - x + 1]
                        so_far_db = term_db if term_db < so_far_db else so_far_db
                best_db[y - tile_y, x - tile_x] = so_far_db
    return _largest_db(best_db)


@kernel
def _finish_tile(
    maps: Maps, tile_y: int, tile_x: int, best_db: NDArray[np.float32], label_value: np.uint8
) -> None:
    """Write what is strictly below the incoming map."""
    for y in range(tile_y, min(tile_y + best_db.shape[0], maps.best_db.shape[0])):
        for x in range(tile_x, min(tile_x + best_db.shape[1], maps.best_db.shape[1])):
            if maps.targets[y, x] and best_db[y - tile_y, x - tile_x] < maps.best_db[y, x]:
                maps.best_db[y, x] = best_db[y - tile_y, x - tile_x]
                maps.label[y, x] = label_value


@kernel
def _search_rows(
    maps: Maps,
    ant: Antenna,
    tables: Tables,
    tree: Tree,
    label_value: np.uint8,
    tile_px: tuple[int, int],
    first: int,
    last: int,
    capacity: int,
) -> None:
    """All tiles of the tile rows first..last-1: nodes in order of their bound until none can improve."""
    keys, nodes = np.empty(capacity, np.float32), np.empty(capacity, np.int64)
    height, width = tile_px
    best_db = np.empty((height, width), np.float32)
    top = LEVELS - 1
    side = LEAF_PX << top
    for tile_y in range(first * height, last * height, height):
        ys = ((tile_y - tables.reach) // side, (tile_y + height - 1 + tables.reach) // side + 1)
        for tile_x in range(0, maps.allowed_db.shape[1], width):
            worst_db = _start_tile(maps, tables, tile_y, tile_x, best_db)
            if worst_db == -INF:
                continue
            tile = (tile_y, tile_x, height, width)
            xs = ((tile_x - tables.reach) // side, (tile_x + width - 1 + tables.reach) // side + 1)
            size = _open_node(tree, tables, top, ys, xs, tile, worst_db, keys, nodes, 0)
            while size > 0 and keys[0] < worst_db:
                node = nodes[0]
                size = _drop_first(keys, nodes, size)
                level, i, j = node >> LEVEL_SHIFT, (node >> Y_SHIFT) & X_MASK, node & X_MASK
                if level == 0:
                    worst_db = _visit_leaf(maps, ant, tables, i, j, tile_y, tile_x, best_db, worst_db)
                else:
                    below_y, below_x = (2 * i, 2 * i + 2), (2 * j, 2 * j + 2)
                    size = _open_node(
                        tree, tables, level - 1, below_y, below_x, tile, worst_db, keys, nodes, size
                    )
            _finish_tile(maps, tile_y, tile_x, best_db, label_value)


def _heap_capacity(reach: int, tile_px: tuple[int, int]) -> int:
    """Number of nodes of all levels that can lie within reach of one tile."""
    across = 2 * reach + max(tile_px)
    return sum((across // (LEAF_PX << level) + 3) ** 2 for level in range(LEVELS))


def min_plus(
    allowed_db: NDArray[np.float32],
    azimuth_deg: NDArray[np.float32],
    loss_db: NDArray[np.float32],
    discrimination: Discrimination,
    targets: NDArray[np.bool_],
    best_db: NDArray[np.float32],
    label: NDArray[np.uint8],
    label_value: int,
    *,
    threads: int,
    _tile_px: tuple[int, int] = TILE_PX,
    _band_tiles: int = 4,
) -> None:
    """Lower ``best_db`` to the smallest limit of any victim, in place (protection.md, sections 3 and 4).

    ``allowed_db`` float32[y, x] what the victim tolerates, +inf (or NaN) = no victim; ``azimuth_deg`` float32[y, x] grid
    azimuth of the receiving antenna, clockwise from north (rows run southward), NaN = no directivity;
    ``loss_db`` float32[n, n] by (|dy|, |dx|) in pixels, +inf beyond the radius, in no assumed order;
    ``discrimination`` ITU-R BT.419 as (flat_deg, end_deg, max_db), not used where two pixels touch;
    ``targets`` bool[y, x] where the limit is wanted; ``best_db`` float32[y, x] comes in with a value above which
    nothing matters; ``label`` uint8[y, x] becomes ``label_value`` where the limit falls below the incoming one.
    """
    ant = antenna(discrimination)
    maps = Maps(allowed_db, azimuth_deg, targets, best_db, label)
    if len({array.shape for array in maps}) != 1 or loss_db.ndim != 2 or loss_db.shape[0] != loss_db.shape[1]:
        raise ValueError("the maps must have one shape and the loss table must be square")
    if np.isnan(loss_db).any():
        raise ValueError("the loss table holds NaN")
    tables = offset_tables(loss_db, max(_tile_px) + 1)
    tree = build_tree(allowed_db, azimuth_deg, ant, threads)
    capacity = _heap_capacity(tables.reach, _tile_px)

    def search(first: int, last: int) -> None:
        _search_rows(maps, ant, tables, tree, np.uint8(label_value), _tile_px, first, last, capacity)

    over_bands(search, -(-allowed_db.shape[0] // _tile_px[0]), _band_tiles, threads)
