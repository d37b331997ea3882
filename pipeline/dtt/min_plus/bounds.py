"""What the offset between victim and device alone says: losses, directions and the bounds made of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.dtt.min_plus.tree import BINS, INF, MARGIN_DEG, ZERO, Tree, off_axis_deg
from pipeline.kernels import kernel
from pipeline.radio.antennas import Bt419, bt419_db

BINS_PER_DEG = np.float32(BINS / 360.0)


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
    offset = np.arange(-origin, origin + 1, dtype=np.float64)
    direction_deg = np.degrees(np.arctan2(offset[None, :], -offset[:, None])) % 360.0
    return OffsetTables(
        loss_db=full_db,
        direction_deg=direction_deg.astype(np.float32),
        adjacent_db=adjacent_db,
        floor_db=np.ascontiguousarray(floor_db[::-1, ::-1]),
        origin=origin,
        reach=n - 1,
    )


@kernel
def apart(low: int, high: int) -> int:
    """Smallest |offset| of the interval low..high."""
    return max(0, max(low, -high))


@kernel
def directions(tables: OffsetTables, dy0: int, dy1: int, dx0: int, dx1: int) -> tuple[np.float32, np.float32]:
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
def node_bound_dbm(
    tables: OffsetTables, tree: Tree, row: int, dy0: int, dy1: int, dx0: int, dx1: int, worst_dbm: np.float32
) -> np.float32:
    """A value no term of this node is below, for all offsets of the rectangle; +inf if it cannot improve."""
    away_y, away_x = apart(dy0, dy1), apart(dx0, dx1)
    if away_y > tables.reach or away_x > tables.reach:
        return INF
    floor_db = tables.floor_db[away_y, away_x]
    bound_dbm = tree.any_dbm[row] + floor_db
    if not bound_dbm < worst_dbm:
        return INF
    if away_y == 0 and away_x == 0:
        return bound_dbm
    first_deg, last_deg = directions(tables, dy0, dy1, dx0, dx1)
    k = min(int(first_deg * BINS_PER_DEG), BINS - 1)
    last = min(int(last_deg * BINS_PER_DEG), BINS - 1)
    directed_dbm = tree.directed_dbm[row, k]
    while k != last:
        k = k + 1 if k + 1 < BINS else 0
        directed_dbm = min(directed_dbm, tree.directed_dbm[row, k])
    bound_dbm = directed_dbm + floor_db
    return bound_dbm if bound_dbm < worst_dbm else INF


@kernel
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
