"""Fields from the loss tables of masts: at the pixels of a tile, and the most that any of them can have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import inlined, kernel
from pipeline.propagation.models import model_named
from pipeline.terrain.loss_tables import FREE_SPACE_DB, LOWEST_EXCESS_DB, PER_DB, LossTable

# Side in nodes of the blocks of which the least loss is known.
_BLOCK = 16
# Field of 1 kW e.r.p. at 1 km in free space: frequency drops out of field and loss.
_AT_1_KM_DBUVM = model_named("p1812").field_constant_db + 60.0 - FREE_SPACE_DB
_LEAST_KM = 1e-3
_DB_PER_LN = 20.0 / math.log(10.0)
_DB_PER_CODE = 1.0 / PER_DB
_ROUNDING = 1e-9


class Losses(NamedTuple):
    """Loss tables of n transmitters, flattened; two percentages of time each, of wanted and of other fields.

    ``place`` float64[n, 4]: first azimuth and step in degrees, first distance and step in km. ``size``
    int64[n, 2]: radials and ranges. ``codes`` uint16: table (t, time) begins at ``start[t, time]``,
    [radial, range]; ``least`` from ``least_start[t, time]`` on: smallest code of each block of 16 x 16 nodes.
    """

    place: NDArray[np.float64]
    size: NDArray[np.int64]
    start: NDArray[np.int64]
    codes: NDArray[np.uint16]
    least_start: NDArray[np.int64]
    least: NDArray[np.uint16]


def pack_losses(tables: Sequence[LossTable], time: int = 0) -> Losses:
    """The tables of transmitters in their order; of other fields those of the ``time``-th percentage."""
    place = np.array([table[:4] for table in tables], np.float64).reshape(-1, 4)
    size = np.array([table.codes.shape[1:] for table in tables], np.int64).reshape(-1, 2)
    start, least_start = (np.zeros((len(tables), 2), np.int64) for _ in range(2))
    parts: list[NDArray[np.uint16]] = []
    blocks: list[NDArray[np.uint16]] = []
    filled = found = 0
    for t, table in enumerate(tables):
        for k, codes in enumerate((table.codes[0], table.codes[1 + time])):
            start[t, k], least_start[t, k] = filled, found
            parts.append(codes.ravel())
            blocks.append(_least_of_blocks(codes).ravel())
            filled, found = filled + parts[-1].size, found + blocks[-1].size
    none = np.empty(0, np.uint16)
    return Losses(
        place, size, start, np.concatenate([none, *parts]), least_start, np.concatenate([none, *blocks])
    )


def _least_of_blocks(codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    rows, cols = (np.arange(0, size, _BLOCK) for size in codes.shape)
    return np.minimum.reduceat(np.minimum.reduceat(codes, rows, axis=0), cols, axis=1)


@kernel
def table_fields(
    losses: Losses,
    t: int,
    time: int,
    pixels: NDArray[np.int64],
    d_km: NDArray[np.float64],
    az_deg: NDArray[np.float64],
    field_dbuvm: NDArray[np.float64],
) -> None:
    """Fill the field of 1 kW e.r.p. at the pixels listed: linear in dB between the four nodes around each.

    Nearer than the first node the loss beyond free space is that of the node, beyond the last likewise.
    """
    first_deg, step_deg = losses.place[t, 0], losses.place[t, 1]
    first_km, per_km = losses.place[t, 2], 1.0 / losses.place[t, 3]
    radials, ranges = losses.size[t, 0], losses.size[t, 1]
    start = losses.start[t, time]
    codes = losses.codes[start : start + radials * ranges]
    full_circle = radials * step_deg > 360.0 - 1e-6
    per_deg, around = 1.0 / step_deg, 360.0 / step_deg
    last = ranges - 1.0
    for p in pixels:
        d, bearing = d_km[p], (az_deg[p] - first_deg) * per_deg
        if not 0.0 <= bearing < around:
            bearing -= math.floor(bearing / around) * around
        lower = int(bearing)
        across = bearing - lower
        if lower >= radials:
            lower, across = (0 if full_circle else radials - 1), 0.0
        upper = lower + 1
        if upper == radials:
            upper = 0 if full_circle else lower
        along = min(max((d - first_km) * per_km, 0.0), last)
        near = int(along)
        far = min(near + 1, ranges - 1)
        along -= near
        low, high = lower * ranges, upper * ranges
        first = codes[low + near] + (float(codes[low + far]) - codes[low + near]) * along
        second = codes[high + near] + (float(codes[high + far]) - codes[high + near]) * along
        code = first + (second - first) * across
        field_dbuvm[p] = _field_dbuvm(d, code)


def field_1kw_dbuvm(d_km: NDArray[np.float64], excess_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """Field of 1 kW e.r.p. in dB(uV/m) at distances [n], for losses beyond those of free space."""
    return _AT_1_KM_DBUVM - 20.0 * np.log10(np.maximum(d_km, _LEAST_KM)) - excess_db


@inlined
def _field_dbuvm(d_km: float, code: float) -> float:
    """Field of 1 kW e.r.p. at a distance, less the loss beyond that of free space."""
    return (
        _AT_1_KM_DBUVM - LOWEST_EXCESS_DB - _DB_PER_LN * math.log(max(d_km, _LEAST_KM)) - code * _DB_PER_CODE
    )


@kernel
def largest_field_dbuvm(
    losses: Losses, t: int, time: int, near_km: float, far_km: float, from_deg: float, to_deg: float
) -> float:
    """Field of 1 kW e.r.p. that no pixel between two distances and two azimuths exceeds, in dB(uV/m).

    A value between nodes is not below the least of them, whose blocks all count.
    """
    radials, ranges = losses.size[t, 0], losses.size[t, 1]
    first_km, step_km = losses.place[t, 2], losses.place[t, 3]
    # Rounding may carry a place over a node.
    first = _block_at(math.floor((near_km - first_km) / step_km - _ROUNDING), ranges)
    last = _block_at(math.floor((far_km - first_km) / step_km + _ROUNDING) + 1, ranges)
    first_deg, step_deg = losses.place[t, 0], losses.place[t, 1]
    around = round(360.0 / step_deg)
    low = math.floor((from_deg - first_deg) / step_deg - _ROUNDING)
    high = min(math.floor((to_deg - first_deg) / step_deg + _ROUNDING) + 1, low + around - 1)
    blocks, row, least = (ranges + _BLOCK - 1) // _BLOCK, -1, 65535
    for k in range(low, high + 1):
        # Beyond a sector its last radial holds, as in ``table_fields``.
        block_row = min(k % around, radials - 1) // _BLOCK
        if block_row != row:
            row = block_row
            start = losses.least_start[t, time] + row * blocks
            for block in range(first, last + 1):
                least = min(least, losses.least[start + block])
    return _field_dbuvm(near_km, float(least))


@kernel
def _block_at(node: int, nodes: int) -> int:
    """Block of a node, the nearest one for a node beyond the table."""
    return min(max(node, 0), nodes - 1) // _BLOCK
