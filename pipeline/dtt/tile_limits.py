"""The victims of a leaf on a tile of targets: their terms lower the best values of the tile.

The three kernels for one victim compute the same float32 expression of ``min_plus_search``; which one is
taken is a matter of speed: one discrimination for the whole tile, one for each target, one loss for each
target.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.dtt.path_classes import (
    PathClasses,
    PixelClasses,
    TileGround,
    look_toward,
    sectors_between,
    tolerated_dbm,
    top_class,
)
from pipeline.dtt.victim_tree import (
    ANY_DIRECTION_DEG,
    HALF_TURN_DEG,
    INF,
    LEAF_PX,
    MARGIN_DEG,
    ZERO,
    OffsetTables,
    apart,
    directions,
    normal_azimuth_deg,
    off_axis_deg,
    smallest_and_largest_db,
)
from pipeline.kernels import borrowing
from pipeline.radio.antennas import Bt419, bt419_db

HALF = np.float32(0.5)


@borrowing
def largest_dbm(best_dbm: NDArray[np.float32]) -> np.float32:
    """Worst of the best values so far of a tile: no term at or above it can improve anything."""
    worst_dbm = -INF
    for i in range(best_dbm.shape[0]):
        for j in range(best_dbm.shape[1]):
            worst_dbm = max(worst_dbm, best_dbm[i, j])
    return worst_dbm


@borrowing
def lower_by_constant(
    best_dbm: NDArray[np.float32], directed_dbm: np.float32, loss_db: NDArray[np.float32], dy: int, dx: int
) -> bool:
    """One victim on a tile, same discrimination on all of it; true if a target improved."""
    y0, x0 = np.uint64(dy), np.uint64(dx)
    improved = 0
    for i in range(best_dbm.shape[0]):
        for j in range(best_dbm.shape[1]):
            term_dbm = directed_dbm + loss_db[y0 + np.uint64(i), x0 + np.uint64(j)]
            so_far_dbm = best_dbm[i, j]
            improved |= 1 if term_dbm < so_far_dbm else 0
            best_dbm[i, j] = term_dbm if term_dbm < so_far_dbm else so_far_dbm
    return improved != 0


@borrowing
def lower_by_victim(
    best_dbm: NDArray[np.float32],
    permissible_dbm: np.float32,
    azimuth_deg: np.float32,
    ant: Bt419,
    loss_db: NDArray[np.float32],
    direction_deg: NDArray[np.float32],
    dy: int,
    dx: int,
) -> bool:
    """One victim with directivity on a tile whose first target has table place (dy, dx)."""
    y0, x0 = np.uint64(dy), np.uint64(dx)
    improved = 0
    for i in range(best_dbm.shape[0]):
        for j in range(best_dbm.shape[1]):
            y, x = y0 + np.uint64(i), x0 + np.uint64(j)
            term_dbm = (
                permissible_dbm + bt419_db(ant, off_axis_deg(azimuth_deg, direction_deg[y, x]))
            ) + loss_db[y, x]
            so_far_dbm = best_dbm[i, j]
            improved |= 1 if term_dbm < so_far_dbm else 0
            best_dbm[i, j] = term_dbm if term_dbm < so_far_dbm else so_far_dbm
    return improved != 0


@borrowing
def may_lower(
    best_dbm: NDArray[np.float32],
    permissible_dbm: np.float32,
    azimuth_deg: np.float32,
    ant: Bt419,
    direction_deg: NDArray[np.float32],
    step_to: NDArray[np.uint16],
    floor_db: NDArray[np.float32],
    tile: TileGround,
    inland: int,
    dy: int,
    dx: int,
) -> bool:
    """False where no term of the victim is below the best value, by the class of each target toward it.

    Without a branch, so that the vector units compute many targets at once: an azimuth that is not a number,
    of a receiver without directivity, gives 0 dB.
    """
    toward, terms_dbm, width, length = tile.toward, tile.least_dbm, best_dbm.shape[1], np.uint64(inland)
    y0, x0, origin = np.uint64(dy), np.uint64(dx), direction_deg.shape[0] // 2
    found = 0
    for i in range(best_dbm.shape[0]):
        y, away_y = y0 + np.uint64(i), np.uint64(abs(dy + i - origin))
        for j in range(width):
            x, n = x0 + np.uint64(j), np.uint64(i * width + j)
            off_db = bt419_db(ant, off_axis_deg(azimuth_deg, direction_deg[y, x]))
            least_db = floor_db[np.uint64(toward[n]), length, np.uint64(step_to[away_y, x])]
            least_dbm = (permissible_dbm + off_db) + least_db
            terms_dbm[n] = least_dbm
            found |= 1 if least_dbm < best_dbm[i, j] else 0
    return found != 0


@borrowing
def lower_by_classes(
    best_dbm: NDArray[np.float32],
    permissible_dbm: np.float32,
    azimuth_deg: np.float32,
    ant: Bt419,
    flat: tuple[NDArray[np.float32], NDArray[np.float32]],
    by_class: tuple[NDArray[np.float32], NDArray[np.int64]],
    place: tuple[NDArray[np.uint16], NDArray[np.uint8], NDArray[np.uint8]],
    lengths: NDArray[np.uint8],
    own: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
    least_dbm: NDArray[np.float32],
    dy: int,
    dx: int,
) -> bool:
    """One victim on a tile whose targets have losses of their own; place (dy, dx) as above.

    ``least_dbm`` float32[target]: its terms are not below. ``flat``: losses and directions of
    ``OffsetTables``; ``by_class``: losses, exact_to; ``place``: step, ring, sector of ``PathClasses``,
    ``lengths`` its row ``inland`` of the victim; ``own``: height, sea, top of ``TileGround``.
    """
    (flat_db, direction_deg), (loss_db, exact_to) = flat, by_class
    (steps, ring_at, sector_at), (height, sea, top) = place, own
    y0, x0, origin, rings = np.uint64(dy), np.uint64(dx), flat_db.shape[0] // 2, top.shape[1]
    improved = 0
    directed_dbm = permissible_dbm
    for i in range(best_dbm.shape[0]):
        for j in range(best_dbm.shape[1]):
            so_far_dbm, target = best_dbm[i, j], i * best_dbm.shape[1] + j
            if not least_dbm[target] < so_far_dbm:
                continue
            y, x = y0 + np.uint64(i), x0 + np.uint64(j)
            away_y, away_x = abs(dy + i - origin), abs(dx + j - origin)
            step, inland = steps[away_y, away_x], lengths[sea[target]]
            its = height[sector_at[y, x] * rings + ring_at[away_y, away_x], target]
            lost_db = loss_db[its, inland, step]
            if its == 0 and step <= exact_to[inland]:
                lost_db = flat_db[y, x]
            if not permissible_dbm + lost_db < so_far_dbm:
                continue
            if not np.isnan(azimuth_deg):
                off_deg = off_axis_deg(azimuth_deg, direction_deg[y, x])
                directed_dbm = permissible_dbm + bt419_db(ant, off_deg)
            term_dbm = directed_dbm + lost_db
            improved |= 1 if term_dbm < so_far_dbm else 0
            best_dbm[i, j] = term_dbm if term_dbm < so_far_dbm else so_far_dbm
    return improved != 0


class SearchState(NamedTuple):
    """What the kernels work on: the levels of one search, its ``SearchMaps``, the ground.

    ``first``: row and column in the window of the victims of the first pixel of the targets.
    """

    permissible_dbm: NDArray[np.float32]
    azimuth_deg: NDArray[np.float32]
    targets: NDArray[np.bool_]
    best_dbm: NDArray[np.float32]
    label: NDArray[np.uint8]
    ground: PixelClasses
    first: tuple[int, int]


@borrowing
def _directions_between(
    direction_deg: NDArray[np.float32], reach: int, dy: tuple[int, int], dx: tuple[int, int]
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """First and last direction of a rectangle of offsets, its middle, and how far it goes to both sides."""
    if apart(dy[0], dy[1]) == 0 and apart(dx[0], dx[1]) == 0:
        return ANY_DIRECTION_DEG[0], ANY_DIRECTION_DEG[1], ZERO, HALF_TURN_DEG
    first_deg, last_deg = directions(direction_deg, reach, dy[0], dy[1], dx[0], dx[1])
    half_deg = HALF * normal_azimuth_deg(last_deg - first_deg)
    return first_deg, last_deg, normal_azimuth_deg(first_deg + half_deg), half_deg


@borrowing
def directed_levels(
    levels_dbm: NDArray[np.float32],
    azimuths_deg: NDArray[np.float32],
    ant: Bt419,
    centre_deg: np.float32,
    half_deg: np.float32,
    bounds_dbm: NDArray[np.float32],
) -> None:
    """Levels of a row of victims plus their smallest discrimination in the directions centre +- half."""
    for k in range(levels_dbm.size):
        n = np.uint64(k)
        off_deg = off_axis_deg(normal_azimuth_deg(azimuths_deg[n]), centre_deg)
        # Not a number, of a receiver without directivity, gives 0 dB.
        bounds_dbm[n] = levels_dbm[n] + bt419_db(ant, off_deg - half_deg - MARGIN_DEG)


@borrowing
def _lower_by_one(
    maps: SearchState,
    ant: Bt419,
    tables: OffsetTables,
    paths: PathClasses,
    tile: TileGround,
    y: int,
    x: int,
    exact: bool,
    between_deg: tuple[np.float32, np.float32, np.float32, np.float32],
    best_dbm: NDArray[np.float32],
    dy: int,
    dx: int,
) -> bool:
    """One victim (y, x) on a tile by the kernel that fits; ``exact``: all targets have losses by offset."""
    level_dbm, aim_deg = maps.permissible_dbm[y, x], normal_azimuth_deg(maps.azimuth_deg[y, x])
    flat_db, direction_deg = tables.loss_db, tables.direction_deg
    if not exact:
        lengths, floor_db, step_to = paths.inland[maps.ground.sea[y, x]], paths.floor_db, paths.step_to
        inland = lengths[tile.nearest_sea[0]]
        if not may_lower(
            best_dbm, level_dbm, aim_deg, ant, direction_deg, step_to, floor_db, tile, inland, dy, dx
        ):
            return False
        flat, by_class = (flat_db, direction_deg), (paths.loss_db, paths.exact_to)
        place, own = (paths.step, paths.ring_at, paths.sector_at), (tile.height, tile.sea, tile.top)
        least_dbm = tile.least_dbm
        return lower_by_classes(
            best_dbm, level_dbm, aim_deg, ant, flat, by_class, place, lengths, own, least_dbm, dy, dx
        )
    least_db, most_db = smallest_and_largest_db(ant, aim_deg, between_deg[2], between_deg[3])
    if least_db == most_db:
        return lower_by_constant(best_dbm, level_dbm + least_db, flat_db, dy, dx)
    return lower_by_victim(best_dbm, level_dbm, aim_deg, ant, flat_db, direction_deg, dy, dx)


@borrowing
def visit_leaf(
    maps: SearchState,
    ant: Bt419,
    tables: OffsetTables,
    paths: PathClasses,
    tile: TileGround,
    leaf_sea: int,
    leaf_y: int,
    leaf_x: int,
    tile_y: int,
    tile_x: int,
    best_dbm: NDArray[np.float32],
    worst_dbm: np.float32,
) -> np.float32:
    """Every victim of a leaf that may improve a target of the tile; returns the new worst of the tile.

    ``leaf_sea``: least class of distance from the sea of its victims.
    """
    levels_dbm, azimuths_deg, seas = maps.permissible_dbm, maps.azimuth_deg, maps.ground.sea
    direction_deg, flat_floor_db, floor_db = tables.direction_deg, tables.floor_db, paths.floor_db
    steps, rings, exact_to, lengths = paths.step, paths.ring, paths.exact_to, paths.inland[leaf_sea]
    inland_of, bounds_dbm, nearest_sea = paths.inland, tile.level_dbm, tile.nearest_sea[0]
    y0, x0 = leaf_y * LEAF_PX, leaf_x * LEAF_PX
    y1, x1 = min(y0 + LEAF_PX, levels_dbm.shape[0]), min(x0 + LEAF_PX, levels_dbm.shape[1])
    below, right = tile_y + best_dbm.shape[0] - 1, tile_x + best_dbm.shape[1] - 1
    span_y, span_x = (tile_y - (y1 - 1), below - y0), (tile_x - (x1 - 1), right - x0)
    away_y, away_x = apart(span_y[0], span_y[1]), apart(span_x[0], span_x[1])
    between_deg = _directions_between(direction_deg, tables.reach, span_y, span_x)
    first, last = sectors_between(paths.sectors, between_deg[0], between_deg[1])
    top, step, tolerated, by_class, exact = 0, 0, INF, False, True
    nearest_db = flat_floor_db[away_y, away_x]
    if paths.used:
        step, inland = int(np.int64(steps[away_y, away_x])), lengths[nearest_sea]
        top = int(np.int64(top_class(tile.top, rings[step], first, last)))
        look_toward(tile, rings[step], first, last)
        tolerated = tolerated_dbm(floor_db, tile, lengths, best_dbm, step)
        by_class = top > 0 or exact_to[inland] < rings.size - 1
        if by_class:
            nearest_db = floor_db[top, inland, step]
    for y in range(y0, y1):
        row_deg, centre_deg, half_deg = azimuths_deg[y, x0:x1], between_deg[2], between_deg[3]
        directed_levels(levels_dbm[y, x0:x1], row_deg, ant, centre_deg, half_deg, bounds_dbm)
        for x in range(x0, x1):
            bound_dbm = bounds_dbm[x - x0]
            if not (bound_dbm < tolerated and bound_dbm + nearest_db < worst_dbm):
                continue
            away_y, away_x = apart(tile_y - y, below - y), apart(tile_x - x, right - x)
            if away_y > tables.reach or away_x > tables.reach:
                continue
            nearer_db = flat_floor_db[away_y, away_x]
            if by_class:
                inland = inland_of[seas[y, x], nearest_sea]
                exact = top == 0 and exact_to[inland] >= rings.size - 1
                if not exact:
                    nearer_db = floor_db[top, inland, steps[away_y, away_x]]
            if not bound_dbm + nearer_db < worst_dbm:
                continue
            dy, dx = tile_y - y + tables.origin, tile_x - x + tables.origin
            if not _lower_by_one(maps, ant, tables, paths, tile, y, x, exact, between_deg, best_dbm, dy, dx):
                continue
            worst_dbm = largest_dbm(best_dbm)
            if paths.used:
                tolerated = tolerated_dbm(floor_db, tile, lengths, best_dbm, step)
    return worst_dbm
