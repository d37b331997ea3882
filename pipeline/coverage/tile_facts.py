"""What the values of a tile of 32 pixels follow from: the stations that count there, and how much others may.

With these a station that is new, gone or changed is known to leave the tile as it is (docs/performance.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LOWEST_FOREIGN_DBUVM, LOWEST_HOME_DBUVM = 0, 1
"""Least best field at pixels that foreign and own stations may serve: below it another one serves nowhere."""
NETWORK_KM = 2
"""Distance of the farthest server in a single-frequency network, -1: none; only nearer stations may join."""
LEAST_MEAN = 3
"""Mean nuisance power from which on another station counts among the interferers."""
SPARE_MEAN = 4
"""Mean power that those which do not count may have in addition; negative: what counts follows from all."""
LIMITS = 5


class TileFacts(NamedTuple):
    """``counted`` bool[tile row, column, transmitter], ``limits`` float64[tile row, column, LIMITS]."""

    counted: NDArray[np.bool_]
    limits: NDArray[np.float64]


def tiles_in(shape: tuple[int, int], side_px: int) -> tuple[int, int]:
    """Rows and columns of tiles of some pixels."""
    height, width = shape
    return -(-height // side_px), -(-width // side_px)


def empty_facts(tiles: tuple[int, int], transmitters: int) -> TileFacts:
    """Of tiles without reception: nobody counts, nobody may."""
    facts = TileFacts(np.zeros((*tiles, transmitters), np.bool_), np.full((*tiles, LIMITS), np.inf))
    facts.limits[:, :, NETWORK_KM] = -1.0
    return facts
