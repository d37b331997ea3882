"""How much of a device's e.i.r.p. a receiver of another service takes in: overlap, leakage, selectivity.

Co-channel the part of the power that falls into the receiver's band, else
the leakage of the device's class (AFLR, per 100 kHz) over the receiver's bandwidth together with the
receiver's selectivity (ACS). A device need not leak less than a floor, so that at low power the leakage stops
falling: P(dBm / 100 kHz) <= max(P_IB - AFLR, floor) (EN 301 598); floors may differ by frequency. The
interference

    I(P) = P s + sum over offsets of max(P l_n, F_n)

is the largest of a few straight lines in P, so the largest P with I(P) <= T is the smallest of their roots.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.radio.channel_plan import SAME_EDGE_MHZ
from pipeline.radio.emission import CLASS_OFFSETS, DENSITY_BANDWIDTH_MHZ, Band, Emission


class Coupling(NamedTuple):
    """The lines of I(P), float64[n, 2]: share of P, and floor in mW; the last one has no floor.

    From ``linear_from_dbm`` of tolerated power on the last line alone decides: P = T + ``rejection_db``.
    """

    lines: NDArray[np.float64]
    rejection_db: float
    linear_from_dbm: float


def coupling_of(emission: Emission, receiver: Band, acs_db: float) -> Coupling:
    """Coupling of a device into a receiver's band; ``acs_db`` infinite where no selectivity is known."""
    inband = _overlap_mhz(emission.block, receiver)
    block_mhz = emission.block.high_mhz - emission.block.low_mhz
    # Where the receiver lies beside the block its selectivity weakens all of the block.
    through = inband / block_mhz if inband > 0.0 else 10.0 ** (-0.1 * acs_db)
    pieces = []
    for offset in CLASS_OFFSETS:
        for width_mhz, floor_dbm in _leaked_by_floor(emission, receiver, offset):
            segments, leaked = width_mhz / DENSITY_BANDWIDTH_MHZ, 10.0 ** (-0.1 * emission.aflr_db[offset])
            pieces.append((segments * leaked, segments * 10.0 ** (0.1 * floor_dbm)))
    # The strongest leakage leaves its floor at the lowest power of the device.
    pieces.sort(key=lambda piece: piece[1] / piece[0])
    shares = through + np.cumsum([0.0, *(share for share, _ in pieces)])
    floors_mw = np.cumsum([0.0, *(floor for _, floor in reversed(pieces))])[::-1]
    last_bend_mw = pieces[-1][1] / pieces[-1][0] if pieces else 0.0
    linear_from_mw = last_bend_mw * shares[-1]
    return Coupling(
        np.column_stack([shares, floors_mw]),
        -10.0 * math.log10(shares[-1]) if shares[-1] > 0.0 else math.inf,
        10.0 * math.log10(linear_from_mw) if linear_from_mw > 0.0 else -math.inf,
    )


@kernel
def permitted_dbm(
    tolerated_dbm: float, lines: NDArray[np.float64], rejection_db: float, linear_from_dbm: float
) -> float:
    """Largest e.i.r.p. whose interference stays at ``tolerated_dbm``; -inf where the floor exceeds it.

    ``tolerated_dbm``: interference limit brought back through antenna and path to the device.
    """
    if tolerated_dbm >= linear_from_dbm:
        return tolerated_dbm + rejection_db
    tolerated_mw = 10.0 ** (0.1 * tolerated_dbm)
    lowest_dbm = np.inf
    for i in range(lines.shape[0]):
        room_mw = tolerated_mw - lines[i, 1]
        if room_mw <= 0.0:
            return -np.inf
        if lines[i, 0] > 0.0:
            lowest_dbm = min(lowest_dbm, 10.0 * np.log10(room_mw / lines[i, 0]))
    return lowest_dbm


@kernel
def permitted_array_dbm(
    permissible_dbm: NDArray[np.float64],
    lines: NDArray[np.float64],
    rejection_db: float,
    linear_from_dbm: float,
) -> NDArray[np.float64]:
    """``permitted_dbm`` of many levels [n]."""
    eirp_dbm = np.empty(permissible_dbm.size)
    for i in range(permissible_dbm.size):
        eirp_dbm[i] = permitted_dbm(permissible_dbm[i], lines, rejection_db, linear_from_dbm)
    return eirp_dbm


def _overlap_mhz(first: Band, second: Band) -> float:
    return max(0.0, min(first.high_mhz, second.high_mhz) - max(first.low_mhz, second.low_mhz))


def floors_in(emission: Emission, receiver: Band) -> list[float]:
    """Floors of the leakage in dBm per 100 kHz that hold in some part of a receiver's band, ascending."""
    held = {dbm for offset in CLASS_OFFSETS for _, dbm in _leaked_by_floor(emission, receiver, offset)}
    return sorted(held)


def _leaked_by_floor(emission: Emission, receiver: Band, offset: int) -> list[tuple[float, float]]:
    """Width in MHz of what ``_leaked_mhz`` gives, by floor in dBm per 100 kHz; empty parts left out."""
    parts = [
        (_leaked_mhz(emission, _common(receiver, special.band), offset), special.dbm_per_100khz)
        for special in emission.floor_bands
    ]
    rest_mhz = _leaked_mhz(emission, receiver, offset) - sum(width_mhz for width_mhz, _ in parts)
    parts.append((rest_mhz, emission.floor_dbm_per_100khz))
    return [(width_mhz, dbm) for width_mhz, dbm in parts if width_mhz > SAME_EDGE_MHZ]


def _common(first: Band, second: Band) -> Band:
    """What two bands have in common; empty at one frequency where there is nothing."""
    low_mhz = max(first.low_mhz, second.low_mhz)
    return Band(low_mhz, max(low_mhz, min(first.high_mhz, second.high_mhz)))


def _leaked_mhz(emission: Emission, receiver: Band, offset: int) -> float:
    """Width of the receiver's band that lies ``offset`` channels from the device's, on both sides.

    What lies in the device's channel or bond but beside its block counts with the first adjacent channel.
    """
    centre_mhz = 0.5 * (emission.block.low_mhz + emission.block.high_mhz)
    block_edge_mhz = emission.block.high_mhz - centre_mhz
    outermost = 0.5 * emission.bond - 0.5  # of the bond's own channels, from its middle
    near_mhz = block_edge_mhz if offset == 1 else (outermost + offset - 0.5) * emission.channel_mhz
    far_mhz = math.inf if offset == CLASS_OFFSETS[-1] else (outermost + offset + 0.5) * emission.channel_mhz
    below = Band(centre_mhz - far_mhz, centre_mhz - near_mhz)
    above = Band(centre_mhz + near_mhz, centre_mhz + far_mhz)
    return _overlap_mhz(receiver, below) + _overlap_mhz(receiver, above)
