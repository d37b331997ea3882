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
    all_exact,
    cell_at,
    class_loss_db,
    fill_tile_ground,
    flat_paths,
    level_ground,
    prepared,
    sectors_between,
    step_at,
    tile_ground,
    tolerated_dbm,
    top_class,
)
from pipeline.dtt.tile_limits import largest_dbm, lower_by_classes, lower_by_constant, lower_by_victim
from pipeline.dtt.victim_tree import (
    ANY_DIRECTION_DEG,
    HALF_TURN_DEG,
    INF,
    LEAF_PX,
    LEVELS,
    ZERO,
    OffsetTables,
    Tree,
    apart,
    build_tree,
    directions,
    floor_db,
    node_bound_dbm,
    normal_azimuth_deg,
    off_axis_deg,
    offset_tables,
    over_bands,
    smallest_and_largest_db,
)
from pipeline.kernels import kernel
from pipeline.radio.antennas import Bt419, Discrimination, bt419, bt419_db

TARGET_TILE_PX = (8, 16)
"""Target tile (rows, columns): 16 columns keep the vector units busy, 8 rows keep the bounds close."""
HILLY_TILE_PX = (4, 8)
"""The same where targets have losses of their own: unlike targets spoil each other's bounds."""
HALF = np.float32(0.5)
BAND_TILES = 4
"""Rows of tiles that one thread takes at a time; like the tiles, it changes the speed only."""
LEVEL_SHIFT, Y_SHIFT, X_MASK = 60, 30, (1 << 30) - 1


class SearchMaps(NamedTuple):
    """Rasters [y, x] of the searches that make up one map.

    ``azimuth_deg`` float32 grid azimuth of each receiving antenna, clockwise from north (rows run southward),
    NaN = no directivity; ``targets`` bool where the limit is wanted; ``best_dbm`` float32 comes in with a
    value above which nothing matters (NaN stays NaN); ``label`` uint8.
    """

    azimuth_deg: NDArray[np.float32]
    targets: NDArray[np.bool_]
    best_dbm: NDArray[np.float32]
    label: NDArray[np.uint8]


class _Search(NamedTuple):
    """What the kernels work on: the levels of one search and its ``SearchMaps``."""

    permissible_dbm: NDArray[np.float32]
    azimuth_deg: NDArray[np.float32]
    targets: NDArray[np.bool_]
    best_dbm: NDArray[np.float32]
    label: NDArray[np.uint8]
    ground: PixelClasses


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
def _visit_leaf(
    maps: _Search,
    ant: Bt419,
    tables: OffsetTables,
    paths: PathClasses,
    tile: TileGround,
    leaf_y: int,
    leaf_x: int,
    tile_y: int,
    tile_x: int,
    best_dbm: NDArray[np.float32],
    worst_dbm: np.float32,
) -> np.float32:
    """Every victim of a leaf that may improve a target of the tile; returns the new worst of the tile."""
    y0, x0 = leaf_y * LEAF_PX, leaf_x * LEAF_PX
    y1 = min(y0 + LEAF_PX, maps.permissible_dbm.shape[0])
    x1 = min(x0 + LEAF_PX, maps.permissible_dbm.shape[1])
    height, width = best_dbm.shape
    dy0, dy1 = tile_y - (y1 - 1), tile_y + height - 1 - y0
    dx0, dx1 = tile_x - (x1 - 1), tile_x + width - 1 - x0
    centre_deg, half_deg, between_deg = ZERO, HALF_TURN_DEG, ANY_DIRECTION_DEG
    if apart(dy0, dy1) > 0 or apart(dx0, dx1) > 0:
        first_deg, last_deg = between_deg = directions(tables, dy0, dy1, dx0, dx1)
        half_deg = HALF * normal_azimuth_deg(last_deg - first_deg)
        centre_deg = normal_azimuth_deg(first_deg + half_deg)
    sea, top, tolerated, step, sectors = paths.nearest_sea, 0, INF, 0, (0, 0)
    if paths.used:
        step = step_at(paths, apart(dy0, dy1), apart(dx0, dx1))
        sectors = sectors_between(paths, between_deg[0], between_deg[1])
        top = top_class(paths, tile, step, between_deg[0], between_deg[1])
        tolerated = tolerated_dbm(paths, tile, best_dbm, step, sectors[0], sectors[1], sea)
    least_loss_db = floor_db(tables, paths, tile, apart(dy0, dy1), apart(dx0, dx1), between_deg, sea)
    for y in range(y0, y1):
        for x in range(x0, x1):
            permissible_dbm = maps.permissible_dbm[y, x]
            if not (permissible_dbm + least_loss_db < worst_dbm and permissible_dbm < tolerated):
                continue
            away_y = apart(tile_y - y, tile_y + height - 1 - y)
            away_x = apart(tile_x - x, tile_x + width - 1 - x)
            if away_y > tables.reach or away_x > tables.reach:
                continue
            azimuth_deg = normal_azimuth_deg(maps.azimuth_deg[y, x])
            least_db, most_db = smallest_and_largest_db(ant, azimuth_deg, centre_deg, half_deg)
            if not permissible_dbm + least_db < tolerated:
                continue
            sea = maps.ground.sea[y, x]
            nearer_db = floor_db(tables, paths, tile, away_y, away_x, between_deg, sea)
            if not (permissible_dbm + least_db) + nearer_db < worst_dbm:
                continue
            dy, dx = tile_y - y + tables.origin, tile_x - x + tables.origin
            if not all_exact(paths, tile, top, sea):
                improved = lower_by_classes(
                    best_dbm, permissible_dbm, azimuth_deg, ant, tables, paths, tile, sea, dy, dx
                )
            elif least_db == most_db:
                improved = lower_by_constant(best_dbm, permissible_dbm + least_db, tables.loss_db, dy, dx)
            else:
                improved = lower_by_victim(
                    best_dbm, permissible_dbm, azimuth_deg, ant, tables.loss_db, tables.direction_deg, dy, dx
                )
            if improved:
                worst_dbm = largest_dbm(best_dbm)
                if paths.used:
                    nearest = paths.nearest_sea
                    tolerated = tolerated_dbm(paths, tile, best_dbm, step, sectors[0], sectors[1], nearest)
    return worst_dbm


@kernel
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
    """Put those of the nodes ys x xs (half-open) on the heap that may improve the tile; returns its size."""
    tile_y, tile_x, height, width = tile
    side = LEAF_PX << level
    for i in range(max(ys[0], 0), min(ys[1], tree.height[level])):
        for j in range(max(xs[0], 0), min(xs[1], tree.width[level])):
            row = tree.row[tree.start[level] + i * tree.width[level] + j]
            if row >= 0:
                bound_dbm = node_bound_dbm(
                    tables,
                    paths,
                    ground,
                    tree,
                    row,
                    tile_y - (i * side + side - 1),
                    tile_y + height - 1 - i * side,
                    tile_x - (j * side + side - 1),
                    tile_x + width - 1 - j * side,
                    best_dbm,
                    worst_dbm,
                )
                if bound_dbm < worst_dbm:
                    size = _push(keys, nodes, size, bound_dbm, (level << LEVEL_SHIFT) | (i << Y_SHIFT) | j)
    return size


@kernel
def _start_tile(
    maps: _Search,
    tables: OffsetTables,
    paths: PathClasses,
    tile_y: int,
    tile_x: int,
    best_dbm: NDArray[np.float32],
) -> np.float32:
    """Best values of a tile from the incoming map and the adjacent victims; -inf where there is no target."""
    grid_height, grid_width = maps.permissible_dbm.shape
    best_dbm[:] = -INF
    by_class = paths.used and tables.adjacent_db[1, 1] < INF
    for y in range(tile_y, min(tile_y + best_dbm.shape[0], grid_height)):
        for x in range(tile_x, min(tile_x + best_dbm.shape[1], grid_width)):
            if maps.targets[y, x] and not np.isnan(maps.best_dbm[y, x]):
                so_far_dbm = maps.best_dbm[y, x]
                for p in range(max(y - 1, 0), min(y + 2, grid_height)):
                    for q in range(max(x - 1, 0), min(x + 2, grid_width)):
                        loss_db = tables.adjacent_db[p - y + 1, q - x + 1]
                        if by_class:
                            loss_db = adjacent_loss_db(paths, maps.ground, loss_db, y, x, p, q)
                        term_dbm = maps.permissible_dbm[p, q] + loss_db
                        so_far_dbm = term_dbm if term_dbm < so_far_dbm else so_far_dbm
                best_dbm[y - tile_y, x - tile_x] = so_far_dbm
    return largest_dbm(best_dbm)


@kernel
def _finish_tile(
    maps: _Search, tile_y: int, tile_x: int, best_dbm: NDArray[np.float32], label_value: np.uint8
) -> None:
    """Write what is strictly below the incoming map."""
    for y in range(tile_y, min(tile_y + best_dbm.shape[0], maps.best_dbm.shape[0])):
        for x in range(tile_x, min(tile_x + best_dbm.shape[1], maps.best_dbm.shape[1])):
            if maps.targets[y, x] and best_dbm[y - tile_y, x - tile_x] < maps.best_dbm[y, x]:
                maps.best_dbm[y, x] = best_dbm[y - tile_y, x - tile_x]
                maps.label[y, x] = label_value


@kernel
def _search_rows(
    maps: _Search,
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
    """All tiles of the tile rows first..last-1: nodes in order of their bound until none can improve."""
    keys, nodes = np.empty(capacity, np.float32), np.empty(capacity, np.int64)
    height, width = tile_px
    best_dbm = np.empty((height, width), np.float32)
    top = LEVELS - 1
    side = LEAF_PX << top
    for tile_y in range(first * height, last * height, height):
        ys = ((tile_y - tables.reach) // side, (tile_y + height - 1 + tables.reach) // side + 1)
        for tile_x in range(0, maps.permissible_dbm.shape[1], width):
            worst_dbm = _start_tile(maps, tables, paths, tile_y, tile_x, best_dbm)
            if worst_dbm == -INF:
                continue
            if paths.used:
                fill_tile_ground(maps.ground, tile_y, tile_x, best_dbm, ground)
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
                    worst_dbm = _visit_leaf(
                        maps, ant, tables, paths, ground, i, j, tile_y, tile_x, best_dbm, worst_dbm
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


def _check(permissible_dbm: NDArray[np.float32], loss_db: NDArray[np.float32], maps: SearchMaps) -> None:
    """Refuse arrays with which the result would not be what the docstring of ``min_plus`` says."""
    rasters = (permissible_dbm, *maps)
    if permissible_dbm.ndim != 2 or len({array.shape for array in rasters}) != 1:
        raise ValueError("the maps must have one shape (y, x)")
    if loss_db.ndim != 2 or loss_db.shape[0] != loss_db.shape[1] or loss_db.size == 0:
        raise ValueError("the loss table must be square")
    if np.isnan(loss_db).any():
        raise ValueError("the loss table holds NaN")
    dtypes = [array.dtype for array in (*rasters, loss_db)]
    if dtypes != [np.float32, np.float32, np.bool_, np.float32, np.uint8, np.float32]:
        raise TypeError(f"levels must be float32, targets bool and labels uint8, not {dtypes}")


def min_plus(
    permissible_dbm: NDArray[np.float32],
    loss_db: NDArray[np.float32],
    discrimination: Discrimination,
    maps: SearchMaps,
    label_value: int,
    *,
    paths: PathClasses | None = None,
    ground: PixelClasses | None = None,
    threads: int,
) -> None:
    """Lower ``maps.best_dbm`` to the smallest limit of any victim, in place (docs/method.md, section 11).

    ``permissible_dbm`` float32[y, x] what the victim tolerates, +inf (or NaN) = no victim;
    ``loss_db`` float32[n, n] by (|dy|, |dx|) in pixels, +inf beyond the range, in no assumed order;
    ``discrimination`` ITU-R BT.419 as (flat_deg, end_deg, max_db), not used where two pixels are adjacent;
    ``maps.label`` becomes ``label_value`` where the limit falls below the incoming one. ``paths``: losses of
    targets that do not stand on flat land, by their ``ground``.
    """
    ant = bt419(discrimination)
    _check(permissible_dbm, loss_db, maps)
    tile_px = HILLY_TILE_PX if paths is not None and paths.used else TARGET_TILE_PX
    tables = offset_tables(loss_db, max(tile_px) + 1)
    tree = build_tree(permissible_dbm, maps.azimuth_deg, ant, threads)
    capacity = _heap_capacity(tables.reach, tile_px)
    ground = ground or level_ground(permissible_dbm.shape)
    by_class = prepared(paths, tables.origin) if paths is not None and paths.used else flat_paths()
    found = _Search(permissible_dbm, *maps, ground)

    def search(first: int, last: int) -> None:
        tile = tile_ground(by_class, tile_px)
        _search_rows(
            found, ant, tables, by_class, tile, tree, np.uint8(label_value), tile_px, first, last, capacity
        )

    over_bands(search, -(-permissible_dbm.shape[0] // tile_px[0]), BAND_TILES, threads)


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
    own = ground.number[row, col]
    for y in range(permissible_dbm.shape[0]):
        for x in range(permissible_dbm.shape[1]):
            dy, dx = row - y, col - x
            if not permissible_dbm[y, x] < INF or abs(dy) > tables.reach or abs(dx) > tables.reach:
                continue
            directed_dbm = permissible_dbm[y, x]
            if abs(dy) <= 1 and abs(dx) <= 1:
                loss_db = tables.adjacent_db[dy + 1, dx + 1]
                if paths.used and loss_db < INF:
                    loss_db = adjacent_loss_db(paths, ground, loss_db, row, col, y, x)
            else:
                i, j = dy + tables.origin, dx + tables.origin
                if not np.isnan(azimuth_deg[y, x]):
                    aim_deg = normal_azimuth_deg(azimuth_deg[y, x])
                    directed_dbm += bt419_db(ant, off_axis_deg(aim_deg, tables.direction_deg[i, j]))
                loss_db = tables.loss_db[i, j]
                if paths.used:
                    height = ground.height[own, cell_at(paths, dy, dx)] if own >= 0 else 0
                    step = paths.step[abs(dy), abs(dx)]
                    loss_db = class_loss_db(
                        paths, loss_db, step, height, ground.sea[y, x], ground.sea[row, col]
                    )
            term_dbm = directed_dbm + loss_db
            if term_dbm < best_dbm:
                best_dbm, best_y, best_x = term_dbm, y, x
    return best_dbm, best_y, best_x
