"""Antenna patterns: attenuation against azimuth (horizontal) and against depression (vertical).

Attenuations are positive, in dB below the direction of maximum radiation, to which the e.r.p. refers.
Horizontal patterns come at 36 or 72 equally spaced true azimuths from north, linear in dB between them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.kernels import inlined, kernel

AZIMUTHS = 360
PATTERN_POINTS = (36, 72)

# Vertical patterns are tabulated from a little above the horizon to straight down. Broadcast beams are 1 to
# 3 degrees wide, so 0.1 degree keeps the error of a table look-up far below that of the pattern itself.
VERTICAL_FIRST_DEG = -10.0
VERTICAL_STEP_DEG = 0.1
VERTICAL_COUNT = 1001


def expand_pattern(attenuation_db: ArrayLike) -> NDArray[np.float32]:
    """Attenuation in dB at 0, 1, ... 359 degrees from 36 or 72 equally spaced values; none = all zero.

    The given values reappear exactly; between them linear in dB, closed across north.
    """
    given = np.asarray(attenuation_db, dtype=np.float64)
    if given.size == 0:
        return np.zeros(AZIMUTHS, dtype=np.float32)
    if given.size not in PATTERN_POINTS:
        raise ValueError(f"a pattern has 36 or 72 values, not {given.size}")
    known_deg = np.arange(given.size) * (AZIMUTHS / given.size)
    return np.interp(np.arange(AZIMUTHS), known_deg, given, period=AZIMUTHS).astype(np.float32)


@inlined
def attenuation_at(pattern_db: NDArray[np.float32], azimuth_deg: float) -> float:
    """Attenuation in dB at any finite azimuth of a 360-value pattern, linear between whole degrees."""
    below = math.floor(azimuth_deg)
    weight = azimuth_deg - below
    first = int(below) % 360
    second = (first + 1) % 360
    return (1.0 - weight) * pattern_db[first] + weight * pattern_db[second]


def expand_vertical(depression_deg: ArrayLike, attenuation_db: ArrayLike) -> NDArray[np.float32]:
    """Attenuation in dB at -10.0, -9.9, ... 90.0 degrees below the beam axis, from a list of points.

    ``depression_deg`` ascends strictly. Linear in dB between the points, constant outside them.
    No points at all give a table of NaN: no vertical pattern is known.
    """
    known_deg = np.asarray(depression_deg, dtype=np.float64)
    if known_deg.size == 0:
        return np.full(VERTICAL_COUNT, np.nan, dtype=np.float32)
    angles_deg = VERTICAL_FIRST_DEG + VERTICAL_STEP_DEG * np.arange(VERTICAL_COUNT)
    return np.interp(angles_deg, known_deg, np.asarray(attenuation_db, dtype=np.float64)).astype(np.float32)


@kernel
def vertical_attenuation_at(
    table_db: NDArray[np.float32], depression_deg: float, beam_tilt_deg: float
) -> float:
    """Attenuation in dB towards a point ``depression_deg`` below the horizon of the antenna.

    The pattern is given relative to the beam axis, which points ``beam_tilt_deg`` below the horizon.
    Without a vertical pattern (a table of NaN) the full e.r.p. goes in every direction: 0 dB.
    """
    if math.isnan(table_db[0]):
        return 0.0
    position = (depression_deg - beam_tilt_deg - VERTICAL_FIRST_DEG) / VERTICAL_STEP_DEG
    position = min(max(position, 0.0), VERTICAL_COUNT - 1.0)
    first = min(int(position), VERTICAL_COUNT - 2)
    weight = position - first
    return (1.0 - weight) * table_db[first] + weight * table_db[first + 1]
