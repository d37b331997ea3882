"""Fields from the loss tables of masts: at the pixels of a tile, and the most that any of them can have.

A table holds losses beyond those of free space at the nodes of a polar lattice, whatever model filled it
(``polar_nodes``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.flat_tables import FlatTables
from pipeline.kernels import borrowing, inlined, kernel
from pipeline.propagation.models import model_named
from pipeline.terrain.loss_tables import FREE_SPACE_DB, LOWEST_EXCESS_DB, PER_DB, LossTable
from pipeline.terrain.polar_nodes import EXPONENT_OF_1, MANTISSA_BITS, RadialNodes

# Nodes of tables of this size and more are looked at in larger blocks for their least loss.
_MANY_NODES = 1_000_000
_BLOCK_OF_MANY, _BLOCK_OF_FEW = 16, 4
# Field of 1 kW e.r.p. at 1 km in free space: frequency drops out of field and loss.
AT_1_KM_DBUVM = model_named("p1812").field_constant_db + 60.0 - FREE_SPACE_DB
_LEAST_KM = 1e-3
_DB_PER_OCTAVE = 20.0 * math.log10(2.0)
_DB_PER_CODE = 1.0 / PER_DB
_ROUNDING = 1e-9
_MANTISSA, _PER_MANTISSA = (1 << MANTISSA_BITS) - 1, np.float32(0.5**MANTISSA_BITS)
_TWICE_PER_NEPER = np.float32(2.0 / math.log(2.0))
_ONE, _TWO = np.float32(1.0), np.float32(2.0)
_THIRD, _FIFTH, _SEVENTH, _NINTH = (np.float32(1.0 / n) for n in (3, 5, 7, 9))


class PolarTable(NamedTuple):
    """Losses around one mast: radials from ``first_deg`` on, all around or a sector.

    ``codes`` uint16[radial, range] of wanted and of other fields in hundredths of a dB, 0 is ``lowest_db``;
    None: evaluated directly.
    """

    first_deg: float
    step_deg: float
    ranges: RadialNodes
    lowest_db: float
    codes: tuple[NDArray[np.uint16] | None, NDArray[np.uint16] | None]


class Losses(NamedTuple):
    """Loss tables of n transmitters, flattened; of wanted and of other fields.

    ``place`` float64[n, 6]: first azimuth in degrees, radials per degree, steps around, scale and offset of
    the ranges, field of code 0 at 1 km in dB(uV/m). ``size`` int64[n, 5]: radials with the first one again
    where they go all around, ranges, ``shift`` and ``first`` of ``RadialNodes``, side of a block in nodes.
    ``codes`` uint16: table (t, time) begins at ``start[t, time]``, -1 none, [radial, range]; ``least`` from
    ``least_start[t, time]`` on: smallest code of each block. Nearer than ``from_km[t]`` and beyond
    ``to_km[t]`` fields are evaluated directly. ``level``: losses are those between antennas of equal height
    above sea level, and the slope of the path is added to each pixel.
    """

    place: NDArray[np.float64]
    size: NDArray[np.int64]
    start: NDArray[np.int64]
    codes: NDArray[np.uint16]
    least_start: NDArray[np.int64]
    least: NDArray[np.uint16]
    from_km: NDArray[np.float64]
    to_km: NDArray[np.float64]
    level: bool


def tables_of(
    losses: Iterable[LossTable], time: int = 0, wanted: NDArray[np.bool_] | None = None
) -> Iterator[PolarTable]:
    """Tables of files as the kernels take them; of other fields those of the ``time``-th percentage.

    ``wanted`` [transmitter]: whether wanted fields are asked for; None: of all.
    """
    for t, table in enumerate(losses):
        of_wanted = table.codes[0] if wanted is None or wanted[t] else None
        codes = of_wanted, table.codes[1 + time]
        yield PolarTable(table.first_deg, table.step_deg, table.ranges, LOWEST_EXCESS_DB, codes)


def pack_losses(
    tables: Iterable[PolarTable],
    from_km: NDArray[np.float64] | None = None,
    to_km: NDArray[np.float64] | None = None,
    *,
    level: bool = False,
    block_side: int | None = None,
) -> Losses:
    """The tables of transmitters in their order, each asked for when those before it are copied.

    Without distances they hold for all. ``block_side`` nodes of the blocks of which the least loss is kept;
    None: by the size of the table.
    """
    places, size, starts = list[tuple[float, ...]](), list[tuple[int, ...]](), list[list[int]]()
    together, least = FlatTables(np.uint16), FlatTables(np.uint16)
    for table in tables:
        places.append(_place_of(table))
        its_size, its_starts = (0,) * 5, [-1] * 4
        for k, codes in enumerate(table.codes):
            if codes is None:
                continue
            closed = _closed(codes, table.step_deg)
            side = block_side or side_of_blocks(closed.size)
            its_size = (*closed.shape, table.ranges.shift, table.ranges.first, side)
            its_starts[k] = its_starts[2 + k] = together.add(closed)
            if block_side != 1:
                its_starts[2 + k] = least.add(closed if side == 1 else _least_of_blocks(closed, side))
        size.append(its_size)
        starts.append(its_starts)
    start = np.array(starts, np.int64).reshape(-1, 4)
    none, all_km = np.zeros(len(places)), np.full(len(places), np.inf)
    return Losses(
        np.array(places, np.float64).reshape(-1, 6),
        np.array(size, np.int64).reshape(-1, 5),
        start[:, :2].copy(),
        together.values,
        start[:, 2:].copy(),
        together.values if block_side == 1 else least.values,
        none if from_km is None else from_km,
        all_km if to_km is None else to_km,
        level,
    )


def side_of_blocks(nodes: int) -> int:
    """Side in nodes of the blocks of a table of so many nodes, the first radial counted twice."""
    return _BLOCK_OF_MANY if nodes >= _MANY_NODES else _BLOCK_OF_FEW


def _place_of(table: PolarTable) -> tuple[float, ...]:
    around = 360.0 / table.step_deg
    ranges = table.ranges
    top_dbuvm = AT_1_KM_DBUVM - table.lowest_db
    return table.first_deg, 1.0 / table.step_deg, around, ranges.scale, ranges.offset, top_dbuvm


def _closed(codes: NDArray[np.uint16], step_deg: float) -> NDArray[np.uint16]:
    """Codes and after the last radial the first one where they go all around, else the last one again."""
    around = codes.shape[0] * step_deg > 360.0 - 1e-6
    return np.concatenate([codes, codes[:1] if around else codes[-1:]])


def _least_of_blocks(codes: NDArray[np.uint16], side: int) -> NDArray[np.uint16]:
    rows, cols = (np.arange(0, size, side) for size in codes.shape)
    return np.minimum.reduceat(np.minimum.reduceat(codes, rows, axis=0), cols, axis=1)


@borrowing
def has_table(losses: Losses, t: int, time: int) -> bool:
    """Whether a transmitter has a table of wanted or of other fields."""
    return losses.start.shape[0] > 0 and losses.start[t, time] >= 0


class LookupRoom(NamedTuple):
    """Working arrays of ``table_fields`` for up to n pixels: nothing is made for each transmitter anew."""

    outside: NDArray[np.int64]
    position: NDArray[np.float32]
    length: NDArray[np.float32]
    node: NDArray[np.int32]
    along: NDArray[np.float32]
    across: NDArray[np.float32]
    octaves: NDArray[np.float32]


@kernel
def lookup_room(pixels: int) -> LookupRoom:
    """Working arrays for a number of pixels."""
    n = pixels
    return LookupRoom(
        np.zeros(n, np.int64),
        np.zeros(n, np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.int32),
        np.zeros(n, np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.float32),
    )


@borrowing
def list_outside(
    losses: Losses, t: int, pixels: NDArray[np.int64], d_km: NDArray[np.floating], outside: NDArray[np.int64]
) -> int:
    """List those of the pixels at distances for which a table does not hold; their number."""
    number = d_km.dtype.type
    from_km, to_km = number(losses.from_km[t]), number(losses.to_km[t])
    # Rare, and this vectorises.
    some = 0
    for p in range(d_km.size):
        some += int(d_km[p] < from_km or d_km[p] > to_km)
    count = 0
    if some:
        for p in pixels:
            if d_km[p] < from_km or d_km[p] > to_km:
                outside[count] = p
                count += 1
    return count


@borrowing
def table_fields(
    losses: Losses,
    t: int,
    time: int,
    d_km: NDArray[np.floating],
    az_deg: NDArray[np.floating],
    field_dbuvm: NDArray[np.floating],
    room: LookupRoom,
) -> None:
    """Fill the field of 1 kW e.r.p. at all pixels [n]: linear in dB between the four nodes around each.

    Nearer than the first node the loss beyond free space is that of the node, beyond the last likewise.
    Written so that it vectorises.
    """
    start, rows, ranges = losses.start[t, time], losses.size[t, 0], losses.size[t, 1]
    codes = losses.codes[start : start + rows * ranges]
    _place_pixels(losses, t, d_km, az_deg, room)
    node, along, code, octaves = room.node, room.along, room.across, room.octaves
    number = field_dbuvm.dtype.type
    top_dbuvm, next_row = number(losses.place[t, 5]), np.uint32(ranges)
    per_octave_db, per_code_db = number(_DB_PER_OCTAVE), number(_DB_PER_CODE)
    for p in range(d_km.size):
        # Indices without a sign: one that might be negative would be looked at each time.
        low = np.uint32(node[p])
        high = low + next_row
        low_near, high_near = np.float32(codes[low]), np.float32(codes[high])
        low_code = low_near + (np.float32(codes[low + np.uint32(1)]) - low_near) * along[p]
        high_code = high_near + (np.float32(codes[high + np.uint32(1)]) - high_near) * along[p]
        code[p] = low_code + (high_code - low_code) * code[p]
    for p in range(d_km.size):
        field_dbuvm[p] = top_dbuvm - per_octave_db * octaves[p] - code[p] * per_code_db


@borrowing
def _place_pixels(
    losses: Losses, t: int, d_km: NDArray[np.floating], az_deg: NDArray[np.floating], room: LookupRoom
) -> None:
    """Fill the node before each pixel, its weights of the next range and radial, and log2 of its distance."""
    number = az_deg.dtype.type
    first_deg, per_deg, around = (
        number(losses.place[t, 0]),
        number(losses.place[t, 1]),
        number(losses.place[t, 2]),
    )
    scale, offset = number(losses.place[t, 3]), number(losses.place[t, 4])
    ranges, last_row = np.int32(losses.size[t, 1]), np.int32(losses.size[t, 0] - 2)
    shift, first = np.int32(losses.size[t, 2]), np.int32(losses.size[t, 3])
    lowest = np.int32(first << shift)
    highest = np.int32(((first + ranges - 1) << shift) - 1)
    mask, unit, turn = np.int32((1 << shift) - 1), np.float32(0.5**shift), number(1.0) / around
    node, along, across, octaves = room.node, room.along, room.across, room.octaves
    position, length = room.position, room.length
    position_bits, length_bits = position.view(np.int32), length.view(np.int32)
    for p in range(d_km.size):
        position[p] = d_km[p] * scale + offset
        length[p] = d_km[p]
    for p in range(d_km.size):
        # Each step back to 32 bits: sums and products of integers have 64, and half the speed.
        bits = min(max(position_bits[p], lowest), highest)
        along[p] = np.float32(np.int32(bits & mask)) * unit
        bearing = (az_deg[p] - first_deg) * per_deg
        bearing -= math.floor(bearing * turn) * around
        lower = min(np.int32(bearing), last_row)
        across[p] = min(bearing - number(lower), number(1.0))
        node[p] = np.int32(np.int32(lower * ranges) + np.int32(np.int32(bits >> shift) - first))
        octaves[p] = _octaves(length_bits[p])


@inlined
def _octaves(bits: np.int32) -> np.float32:
    """Logarithm to the base 2 of a positive number in single precision, from its bits; within 2e-6.

    Of the mantissa m = 1 + t by ln m = 2 (s + s^3 / 3 + s^5 / 5 + ...), s = t / (2 + t) up to 1 / 3.
    """
    t = np.float32(np.int32(bits & _MANTISSA)) * _PER_MANTISSA
    s = t / (_TWO + t)
    q = s * s
    series = _ONE + q * (_THIRD + q * (_FIFTH + q * (_SEVENTH + q * _NINTH)))
    return np.float32(np.int32(bits >> MANTISSA_BITS) - EXPONENT_OF_1) + _TWICE_PER_NEPER * s * series


def field_1kw_dbuvm(d_km: NDArray[np.float64], excess_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """Field of 1 kW e.r.p. in dB(uV/m) at distances [n], for losses beyond those of free space."""
    return AT_1_KM_DBUVM - 20.0 * np.log10(np.maximum(d_km, _LEAST_KM)) - excess_db


@borrowing
def largest_field_dbuvm(
    losses: Losses, t: int, time: int, near_km: float, far_km: float, from_deg: float, to_deg: float
) -> float:
    """Field of 1 kW e.r.p. that no pixel between two distances and two azimuths exceeds, in dB(uV/m).

    A value between nodes is not below the least of them, whose blocks all count.
    """
    rows, ranges, side = losses.size[t, 0], losses.size[t, 1], losses.size[t, 4]
    first = _block_at(_node_at(losses, t, near_km - _ROUNDING), ranges, side)
    last = _block_at(_node_at(losses, t, far_km + _ROUNDING) + 1, ranges, side)
    first_deg, per_deg = losses.place[t, 0], losses.place[t, 1]
    around = round(losses.place[t, 2])
    least_start = losses.least_start[t, time]
    low = math.floor((from_deg - first_deg) * per_deg - _ROUNDING)
    high = min(math.floor((to_deg - first_deg) * per_deg + _ROUNDING) + 1, low + around - 1)
    blocks, row, least = (ranges + side - 1) // side, -1, 65535
    radial = low % around
    for _ in range(low, high + 1):
        # Beyond a sector its last radial holds, as in ``table_fields``.
        block_row = min(radial, rows - 1) // side
        radial = radial + 1 if radial + 1 < around else 0
        if block_row != row:
            row = block_row
            start = least_start + row * blocks
            for block in range(first, last + 1):
                least = min(least, losses.least[start + block])
    return losses.place[t, 5] - 20.0 * math.log10(max(near_km, _LEAST_KM)) - least * _DB_PER_CODE


@borrowing
def _node_at(losses: Losses, t: int, d_km: float) -> int:
    """Node at or before a distance, as ``table_fields`` finds it; 0 before the first one."""
    place = np.float32(max(d_km * losses.place[t, 3] + losses.place[t, 4], 0.0))
    return max((place.view(np.int32) >> losses.size[t, 2]) - losses.size[t, 3], 0)


@borrowing
def _block_at(node: int, nodes: int, side: int) -> int:
    """Block of a node, the last one for a node beyond the table."""
    return min(node, nodes - 1) // side
