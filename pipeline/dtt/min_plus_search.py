"""The smallest limit over all victims of one map: an exact branch and bound over tiles.

For each target pixel x the minimum over the victims p of ``(permissible[p] + D) + loss[|dy|, |dx|]``. The
term is always computed by this one float32 expression and the minimum does not depend on the order: tile size
and thread count change no byte. Floating-point sums are monotone, so a bound put together in the same way
from smallest parts is never above a term it stands for: no tolerance is needed to pass over a node.

Per tile of targets: the adjacent victims first, which settles most of a covered area; then the nodes of the
tree in order of their bound, until the next bound is not below the worst value of the tile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.dtt.path_classes import (
    PathClasses,
    PixelClasses,
    TileGround,
    adjacent_loss_db,
    fill_tile_ground,
    flat_paths,
    level_ground,
    look_toward,
    path_db,
    prepared,
    sectors_between,
    tile_ground,
    tolerated_dbm,
    top_class,
)
from pipeline.dtt.tile_limits import SearchState, largest_dbm, visit_leaf
from pipeline.dtt.victim_tree import (
    INF,
    LEAF_PX,
    LEVELS,
    OffsetTables,
    Tree,
    apart,
    build_tree,
    directed_bound_dbm,
    directions,
    normal_azimuth_deg,
    off_axis_deg,
    offset_tables,
    over_bands,
)
from pipeline.kernels import borrowing, kernel
from pipeline.radio.antennas import Bt419, Discrimination, bt419, bt419_db

TARGET_TILE_PX = (8, 16)
"""Target tile (rows, columns): 16 columns keep the vector units busy, 8 rows keep the bounds close."""
HILLY_TILE_PX = (8, 8)
"""The same where targets have losses of their own: unlike targets spoil each other's bounds."""
BAND_TILES = 4
"""Rows of tiles that one thread takes at a time; like the tiles, it changes the speed only."""
LEVEL_SHIFT, Y_SHIFT, X_MASK = 60, 30, (1 << 30) - 1


class SearchMaps(NamedTuple):
    """Rasters [y, x] of the searches that make up one map.

    ``azimuth_deg`` float32 grid azimuth of each receiving antenna, clockwise from north (rows run southward),
    NaN = no directivity, on the window of the victims; on that of the targets, which lies within: ``targets``
    bool where the limit is wanted; ``best_dbm`` float32 comes in with a value above which nothing matters
    (NaN stays NaN); ``label`` uint8.
    """

    azimuth_deg: NDArray[np.float32]
    targets: NDArray[np.bool_]
    best_dbm: NDArray[np.float32]
    label: NDArray[np.uint8]


@borrowing
def _push(keys: NDArray[np.float32], nodes: NDArray[np.int64], size: int, key: np.float32, node: int) -> int:
    """Add to the binary heap of ``size`` entries (smallest key first); returns the new size."""
    i = size
    while i > 0 and keys[(i - 1) // 2] > key:
        keys[i], nodes[i] = keys[(i - 1) // 2], nodes[(i - 1) // 2]
        i = (i - 1) // 2
    keys[i], nodes[i] = key, node
    return size + 1


@borrowing
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


@borrowing
def _open_node(
    tree: Tree,
    tables: OffsetTables,
    paths: PathClasses,
    ground: TileGround,
    level: int,
    ys: tuple[int, int],
    xs: tuple[int, int],
    tile: tuple[int, int, int, int],
    best_dbm: NDArray[np.float32],
    worst_dbm: np.float32,
    keys: NDArray[np.float32],
    nodes: NDArray[np.int64],
    size: int,
) -> int:
    """Put those of the nodes ys x xs (half-open) on the heap that may improve the tile; returns its size.

    A node's key is a value that none of its terms is below.
    """
    row_of, any_dbm, directed_dbm = tree.row, tree.any_dbm, tree.directed_dbm
    flat_floor_db, direction_deg, reach = tables.floor_db, tables.direction_deg, tables.reach
    floor_db, steps, rings, tops = paths.floor_db, paths.step, paths.ring, ground.top
    inland_of, exact_to, nearest_sea, used = paths.inland, paths.exact_to, ground.nearest_sea[0], paths.used
    exact, inland, lengths = True, np.uint8(0), inland_of[0]
    start, across, side = tree.start[level], tree.width[level], LEAF_PX << level
    for i in range(max(ys[0], 0), min(ys[1], tree.height[level])):
        for j in range(max(xs[0], 0), min(xs[1], across)):
            row = row_of[start + i * across + j]
            dy0, dy1 = tile[0] - (i * side + side - 1), tile[0] + tile[2] - 1 - i * side
            dx0, dx1 = tile[1] - (j * side + side - 1), tile[1] + tile[3] - 1 - j * side
            away_y, away_x = apart(dy0, dy1), apart(dx0, dx1)
            if row < 0 or away_y > reach or away_x > reach:
                continue
            least_db, step, top = flat_floor_db[away_y, away_x], 0, 0
            if used:
                lengths = inland_of[tree.sea[row]]
                inland = lengths[nearest_sea]
                exact = exact_to[inland] >= rings.size - 1
                step = int(np.int64(steps[away_y, away_x]))
                top = int(np.int64(tops[paths.sectors, rings[step]]))
                if top > 0 or not exact:
                    least_db = floor_db[top, inland, step]
            bound_dbm = any_dbm[row] + least_db
            if not bound_dbm < worst_dbm:
                continue
            if away_y > 0 or away_x > 0:
                first_deg, last_deg = directions(direction_deg, reach, dy0, dy1, dx0, dx1)
                level_dbm = directed_bound_dbm(directed_dbm, row, first_deg, last_deg)
                if used:
                    first, last = sectors_between(paths.sectors, first_deg, last_deg)
                    top = int(np.int64(top_class(tops, rings[step], first, last)))
                    least_db = flat_floor_db[away_y, away_x]
                    if top > 0 or not exact:
                        least_db = floor_db[top, inland, step]
                bound_dbm = level_dbm + least_db
                if not bound_dbm < worst_dbm:
                    continue
                if used:
                    look_toward(ground, rings[step], first, last)
                    if not level_dbm < tolerated_dbm(floor_db, ground, lengths, best_dbm, step):
                        continue
            size = _push(keys, nodes, size, bound_dbm, (level << LEVEL_SHIFT) | (i << Y_SHIFT) | j)
    return size


@borrowing
def _start_tile(
    maps: SearchState,
    tables: OffsetTables,
    paths: PathClasses,
    tile_y: int,
    tile_x: int,
    best_dbm: NDArray[np.float32],
) -> np.float32:
    """Best values of a tile from the incoming map and the adjacent victims; -inf where there is no target."""
    levels_dbm, (first_y, first_x), (height, width) = maps.permissible_dbm, maps.first, maps.targets.shape
    best_dbm[:] = -INF
    by_class = paths.used and tables.adjacent_db[1, 1] < INF
    for i in range(min(best_dbm.shape[0], first_y + height - tile_y)):
        for j in range(min(best_dbm.shape[1], first_x + width - tile_x)):
            y, x = tile_y + i, tile_x + j
            so_far_dbm = maps.best_dbm[y - first_y, x - first_x]
            if not maps.targets[y - first_y, x - first_x] or np.isnan(so_far_dbm):
                continue
            for p in range(max(y - 1, 0), min(y + 2, levels_dbm.shape[0])):
                for q in range(max(x - 1, 0), min(x + 2, levels_dbm.shape[1])):
                    if not levels_dbm[p, q] < INF:
                        continue
                    loss_db = tables.adjacent_db[p - y + 1, q - x + 1]
                    if by_class:
                        number = maps.ground.number[y - first_y, x - first_x]
                        loss_db = adjacent_loss_db(paths, maps.ground, number, loss_db, (y, x), (p, q))
                    term_dbm = levels_dbm[p, q] + loss_db
                    so_far_dbm = term_dbm if term_dbm < so_far_dbm else so_far_dbm
            best_dbm[i, j] = so_far_dbm
    return largest_dbm(best_dbm)


@borrowing
def _finish_tile(
    maps: SearchState, tile_y: int, tile_x: int, best_dbm: NDArray[np.float32], label_value: np.uint8
) -> None:
    """Write what is strictly below the incoming map."""
    top, left = tile_y - maps.first[0], tile_x - maps.first[1]
    for y in range(top, min(top + best_dbm.shape[0], maps.best_dbm.shape[0])):
        for x in range(left, min(left + best_dbm.shape[1], maps.best_dbm.shape[1])):
            if maps.targets[y, x] and best_dbm[y - top, x - left] < maps.best_dbm[y, x]:
                maps.best_dbm[y, x] = best_dbm[y - top, x - left]
                maps.label[y, x] = label_value


@kernel
def _search_rows(
    maps: SearchState,
    ant: Bt419,
    tables: OffsetTables,
    paths: PathClasses,
    ground: TileGround,
    tree: Tree,
    label_value: np.uint8,
    tile_px: tuple[int, int],
    first: int,
    last: int,
    capacity: int,
) -> None:
    """All tiles of the tile rows first..last-1: nodes in order of their bound until none can improve.

    Tiles begin at the first pixel of the targets; places of tiles are those of the window of the victims.
    """
    keys, nodes = np.empty(capacity, np.float32), np.empty(capacity, np.int64)
    height, width = tile_px
    best_dbm = np.empty((height, width), np.float32)
    top = LEVELS - 1
    side = LEAF_PX << top
    first_y, first_x = maps.first
    for tile_y in range(first_y + first * height, first_y + last * height, height):
        ys = ((tile_y - tables.reach) // side, (tile_y + height - 1 + tables.reach) // side + 1)
        for tile_x in range(first_x, first_x + maps.targets.shape[1], width):
            worst_dbm = _start_tile(maps, tables, paths, tile_y, tile_x, best_dbm)
            if worst_dbm == -INF:
                continue
            if paths.used:
                fill_tile_ground(paths, maps.ground, maps.first, tile_y, tile_x, best_dbm, ground)
            tile = (tile_y, tile_x, height, width)
            xs = ((tile_x - tables.reach) // side, (tile_x + width - 1 + tables.reach) // side + 1)
            size = _open_node(
                tree, tables, paths, ground, top, ys, xs, tile, best_dbm, worst_dbm, keys, nodes, 0
            )
            while size > 0 and keys[0] < worst_dbm:
                node = nodes[0]
                size = _drop_first(keys, nodes, size)
                level, i, j = node >> LEVEL_SHIFT, (node >> Y_SHIFT) & X_MASK, node & X_MASK
                if level == 0:
                    sea = tree.sea[tree.row[i * tree.width[0] + j]]
                    worst_dbm = visit_leaf(
                        maps, ant, tables, paths, ground, sea, i, j, tile_y, tile_x, best_dbm, worst_dbm
                    )
                else:
                    below_y, below_x = (2 * i, 2 * i + 2), (2 * j, 2 * j + 2)
                    size = _open_node(
                        tree,
                        tables,
                        paths,
                        ground,
                        level - 1,
                        below_y,
                        below_x,
                        tile,
                        best_dbm,
                        worst_dbm,
                        keys,
                        nodes,
                        size,
                    )
            _finish_tile(maps, tile_y, tile_x, best_dbm, label_value)


def _heap_capacity(reach: int, tile_px: tuple[int, int]) -> int:
    """Number of nodes of all levels that can lie within reach of one tile."""
    across = 2 * reach + max(tile_px)
    return sum((across // (LEAF_PX << level) + 3) ** 2 for level in range(LEVELS))


def _check(permissible_dbm: NDArray[np.float32], maps: SearchMaps, first: tuple[int, int]) -> None:
    """Refuse arrays with which the result would not be what the docstring of ``min_plus`` says."""
    window, box = permissible_dbm.shape, maps.targets.shape
    if len(window) != 2 or maps.azimuth_deg.shape != window or {array.shape for array in maps[1:]} != {box}:
        raise ValueError("the maps must have one shape (y, x)")
    if any(start < 0 or start + size > whole for start, size, whole in zip(first, box, window, strict=True)):
        raise ValueError("the targets must lie within the window of the victims")
    dtypes = [array.dtype for array in (permissible_dbm, *maps)]
    if dtypes != [np.float32, np.float32, np.bool_, np.float32, np.uint8]:
        raise TypeError(f"levels must be float32, targets bool and labels uint8, not {dtypes}")


class SearchTables(NamedTuple):
    """What searches with the same losses share: by offset, by class, and the tile of targets."""

    offsets: OffsetTables
    paths: PathClasses
    tile_px: tuple[int, int]


def search_tables(loss_db: NDArray[np.float32], paths: PathClasses | None = None) -> SearchTables:
    """Tables of ``loss_db`` float32[n, n] by (|dy|, |dx|) in pixels, +inf beyond the range.

    In no assumed order. ``paths``: losses of targets that do not stand on flat land.
    """
    if loss_db.ndim != 2 or loss_db.shape[0] != loss_db.shape[1] or loss_db.size == 0:
        raise ValueError("the loss table must be square")
    if np.isnan(loss_db).any():
        raise ValueError("the loss table holds NaN")
    if loss_db.dtype != np.float32:
        raise TypeError(f"losses must be float32, not {loss_db.dtype}")
    hilly = paths is not None and paths.used
    tile_px = HILLY_TILE_PX if hilly else TARGET_TILE_PX
    offsets = offset_tables(loss_db, max(tile_px) + 1)
    by_class = prepared(paths, offsets.origin) if paths is not None and hilly else flat_paths()
    return SearchTables(offsets, by_class, tile_px)


def reach_of(tables: SearchTables, highest: int, level_dbm: float, worst_dbm: float) -> int:
    """Pixels beyond which no victim lowers a limit of ``worst_dbm``; at least the adjacent one.

    ``highest`` class of the targets; ``level_dbm`` less than which none tolerates, NaN: any.
    """
    offsets, paths = tables.offsets, tables.paths
    least_db = offsets.floor_db[0]
    if paths.used:
        by_class = paths.floor_db[highest].min(axis=0)[paths.step[0, : offsets.reach + 1]]
        least_db = np.minimum(least_db, by_class)
    limits = least_db < INF if np.isnan(level_dbm) else np.float32(level_dbm) + least_db < worst_dbm
    return int(np.flatnonzero(limits).max(initial=1))


def min_plus(
    permissible_dbm: NDArray[np.float32],
    tables: SearchTables,
    discrimination: Discrimination,
    maps: SearchMaps,
    label_value: int,
    *,
    ground: PixelClasses | None = None,
    first: tuple[int, int] = (0, 0),
    threads: int,
) -> None:
    """Lower ``maps.best_dbm`` to the smallest limit of any victim, in place (docs/method.md, section 11).

    ``permissible_dbm`` float32[y, x] what the victim tolerates, +inf (or NaN) = no victim;
    ``discrimination`` ITU-R BT.419 as (flat_deg, end_deg, max_db), not used where two pixels are adjacent;
    ``maps.label`` becomes ``label_value`` where the limit falls below the incoming one. ``ground``: of
    targets that have losses by class. ``first``: row and column in the window of the victims of the first
    pixel of the targets.
    """
    ant = bt419(discrimination)
    _check(permissible_dbm, maps, first)
    offsets, by_class, tile_px = tables
    capacity = _heap_capacity(offsets.reach, tile_px)
    ground = ground or level_ground(permissible_dbm.shape)
    tree = build_tree(permissible_dbm, maps.azimuth_deg, ground.sea, ant, threads)
    found = SearchState(permissible_dbm, *maps, ground, first)

    def search(top: int, bottom: int) -> None:
        tile = tile_ground(by_class, tile_px)
        _search_rows(
            found, ant, offsets, by_class, tile, tree, np.uint8(label_value), tile_px, top, bottom, capacity
        )

    over_bands(search, -(-maps.targets.shape[0] // tile_px[0]), BAND_TILES, threads)


@kernel
def limiting_victim(
    permissible_dbm: NDArray[np.float32],
    azimuth_deg: NDArray[np.float32],
    ant: Bt419,
    tables: OffsetTables,
    paths: PathClasses,
    ground: PixelClasses,
    row: int,
    col: int,
) -> tuple[np.float32, int, int]:
    """The minimum of ``min_plus`` at one target (row, col), by trying all victims, and where its victim is.

    The same float32 expression as in the search; (inf, -1, -1) without a victim in reach.
    """
    best_dbm, best_y, best_x = INF, -1, -1
    for y in range(permissible_dbm.shape[0]):
        for x in range(permissible_dbm.shape[1]):
            dy, dx = row - y, col - x
            if not permissible_dbm[y, x] < INF or abs(dy) > tables.reach or abs(dx) > tables.reach:
                continue
            directed_dbm = permissible_dbm[y, x]
            if abs(dy) <= 1 and abs(dx) <= 1:
                loss_db = tables.adjacent_db[dy + 1, dx + 1]
            else:
                i, j = dy + tables.origin, dx + tables.origin
                if not np.isnan(azimuth_deg[y, x]):
                    aim_deg = normal_azimuth_deg(azimuth_deg[y, x])
                    directed_dbm += bt419_db(ant, off_axis_deg(aim_deg, tables.direction_deg[i, j]))
                loss_db = tables.loss_db[i, j]
            term_dbm = directed_dbm + path_db(paths, ground, loss_db, (row, col), (y, x))
            if term_dbm < best_dbm:
                best_dbm, best_y, best_x = term_dbm, y, x
    return best_dbm, best_y, best_x
