"""One victim on a tile of targets: its terms lower the best values of the tile.

The three kernels compute the same float32 expression of ``min_plus_search``; which one is taken is a matter
of speed: one discrimination for the whole tile, one for each target, one loss for each target.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.dtt.path_classes import PathClasses, TileGround, class_loss_db
from pipeline.dtt.victim_tree import INF, OffsetTables, off_axis_deg
from pipeline.kernels import kernel
from pipeline.radio.antennas import Bt419, bt419_db


@kernel
def largest_dbm(best_dbm: NDArray[np.float32]) -> np.float32:
    """Worst of the best values so far of a tile: no term at or above it can improve anything."""
    worst_dbm = -INF
    for i in range(best_dbm.shape[0]):
        for j in range(best_dbm.shape[1]):
            worst_dbm = max(worst_dbm, best_dbm[i, j])
    return worst_dbm


@kernel
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


@kernel
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


@kernel
def lower_by_classes(
    best_dbm: NDArray[np.float32],
    permissible_dbm: np.float32,
    azimuth_deg: np.float32,
    ant: Bt419,
    tables: OffsetTables,
    paths: PathClasses,
    tile: TileGround,
    victim_sea: int,
    dy: int,
    dx: int,
) -> bool:
    """One victim on a tile whose targets have losses of their own; place (dy, dx) as above."""
    y0, x0 = np.uint64(dy), np.uint64(dx)
    improved = 0
    directed_dbm = permissible_dbm
    for i in range(best_dbm.shape[0]):
        for j in range(best_dbm.shape[1]):
            y, x = y0 + np.uint64(i), x0 + np.uint64(j)
            target = i * best_dbm.shape[1] + j
            away_y, away_x = abs(dy + i - tables.origin), abs(dx + j - tables.origin)
            step, ring = paths.step[away_y, away_x], paths.ring_at[away_y, away_x]
            height = tile.height[paths.sector_at[y, x] * paths.rings + ring, target]
            exact_db = tables.loss_db[y, x]
            loss_db = class_loss_db(paths, exact_db, step, height, victim_sea, tile.sea[target])
            so_far_dbm = best_dbm[i, j]
            if not permissible_dbm + loss_db < so_far_dbm:
                continue
            if not np.isnan(azimuth_deg):
                off_deg = off_axis_deg(azimuth_deg, tables.direction_deg[y, x])
                directed_dbm = permissible_dbm + bt419_db(ant, off_deg)
            term_dbm = directed_dbm + loss_db
            improved |= 1 if term_dbm < so_far_dbm else 0
            best_dbm[i, j] = term_dbm if term_dbm < so_far_dbm else so_far_dbm
    return improved != 0
