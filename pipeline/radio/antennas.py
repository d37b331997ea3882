"""Antennas: filed patterns by azimuth and depression, Rec. ITU-R BT.419 and F.699, discrimination.

Attenuations are positive, in dB below the direction of maximum radiation, to which the e.r.p. refers.
Horizontal patterns come at 36 or 72 equally spaced true azimuths from north, linear in dB between them.
Gains of receivers of other services stand in tables by every tenth of a degree clockwise from the axis of the
antenna, float64[3600] in dBi.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError
from pipeline.kernels import inlined, inner, kernel
from pipeline.radio.conventions import PATTERN_POINTS

AZIMUTHS = 360

# Vertical patterns are tabulated from a little above the horizon to straight down. Broadcast beams are 1 to
# 3 degrees wide, so 0.1 degree keeps the error of a table look-up far below that of the pattern itself.
VERTICAL_FIRST_DEG = -10.0
VERTICAL_STEP_DEG = 0.1
VERTICAL_COUNT = 1001
_STEPS_PER_DEG = 10
_F699 = "F.699"
# F.699 gives its patterns from 100 MHz; below 1 GHz only where D / lambda exceeds 0.63.
_F699_FROM_MHZ = 100.0
_F699_SMALLEST_RATIO = 0.63


class Polarisation(IntEnum):
    """Polarisation of a transmission; MIXED radiates half its power in each plane."""

    UNKNOWN = 0
    HORIZONTAL = 1
    VERTICAL = 2
    MIXED = 3


# Letters of the register.
POLARISATION_CODES = {
    "": Polarisation.UNKNOWN,
    "H": Polarisation.HORIZONTAL,
    "V": Polarisation.VERTICAL,
    "M": Polarisation.MIXED,
}

_UNKNOWN = int(Polarisation.UNKNOWN)
_MIXED = int(Polarisation.MIXED)


Discrimination = tuple[float, float, float]
"""Angle up to which there is none, angle from which on it is full, in degrees, and its maximum in dB."""
_ZERO = np.float32(0.0)


class Bt419(NamedTuple):
    """``directivity_db`` in single precision with its slope, for searches that meet it millions of times."""

    flat_deg: np.float32
    end_deg: np.float32
    slope_db_per_deg: np.float32
    max_db: np.float32


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


@kernel
def directivity_db(angle_deg: float, flat_deg: float, end_deg: float, largest_db: float) -> float:
    """Discrimination off the main direction: 0 up to ``flat_deg``, linear, full from ``end_deg`` on.

    BT.419-3, Bands IV and V: 20 deg, 60 deg, 16 dB. ``angle_deg`` 0 to 180.
    """
    share = (angle_deg - flat_deg) / (end_deg - flat_deg)
    return largest_db * min(max(share, 0.0), 1.0)


def bt419(discrimination: Discrimination) -> Bt419:
    """The directivity with its slope in dB/deg; a maximum of 0 dB means no directivity."""
    flat_deg, end_deg, max_db = discrimination
    if not (0.0 <= flat_deg < end_deg <= 180.0 and 0.0 <= max_db < np.inf):
        raise ValueError(f"discrimination {discrimination} needs 0 <= flat < end <= 180 deg and 0 <= max dB")
    slope = max_db / (end_deg - flat_deg)
    return Bt419(np.float32(flat_deg), np.float32(end_deg), np.float32(slope), np.float32(max_db))


@inner
def bt419_db(ant: Bt419, angle_deg: np.float32) -> np.float32:
    """Discrimination in dB at an off-axis angle of 0..180 deg (ITU-R BT.419-3, Fig. 1)."""
    rising_db = (angle_deg - ant.flat_deg) * ant.slope_db_per_deg
    rising_db = rising_db if rising_db > _ZERO else _ZERO
    return rising_db if rising_db < ant.max_db else ant.max_db


@kernel
def discrimination_db(wanted: int, other: int, directed_db: float, cross_polar_db: float) -> float:
    """D: discrimination of one signal in dB (docs/method.md, section 8).

    The antenna has the polarisation ``wanted``, ``directed_db`` is its directivity. An orthogonal signal gets
    ``cross_polar_db`` at all azimuths, not added to the directivity; a mixed one is split into two halves
    whose powers are summed; one of unknown polarisation keeps the directivity. Mixed or unknown ``wanted``:
    neither, D = 0.
    """
    if wanted in (_UNKNOWN, _MIXED):
        return 0.0
    if other in (_UNKNOWN, wanted):
        return directed_db
    if other == _MIXED:
        passed = 0.5 * (10.0 ** (-0.1 * directed_db) + 10.0 ** (-0.1 * cross_polar_db))
        return -10.0 * math.log10(passed)
    return cross_polar_db


def gain_table_dbi(pattern: str, gain_dbi: float, f_mhz: float) -> NDArray[np.float64]:
    """Table of an antenna from its register entry: empty, ``F.699``, or 36 or 72 attenuations in dB.

    Without a pattern the full gain holds in every direction, which protects most.
    """
    if not pattern:
        return np.full(360 * _STEPS_PER_DEG, gain_dbi)
    if pattern == _F699:
        off_axis_deg = np.abs(np.arange(-1800, 1800) / _STEPS_PER_DEG)
        table = np.array([f699_gain_dbi(angle, gain_dbi, f_mhz) for angle in off_axis_deg.tolist()])
        return np.roll(table, 1800)
    return gain_dbi - _filed_attenuation_db([float(value) for value in pattern.split(";")])


def _filed_attenuation_db(attenuation_db: Sequence[float]) -> NDArray[np.float64]:
    """Attenuation at tenths of a degree, linear in dB between the filed azimuths, closed across north."""
    whole_deg = expand_pattern(attenuation_db).astype(np.float64)
    angles_deg = np.arange(360 * _STEPS_PER_DEG) / _STEPS_PER_DEG
    return np.interp(angles_deg, np.arange(360.0), whole_deg, period=360.0)


def f699_gain_dbi(off_axis_deg: float, gain_dbi: float, f_mhz: float) -> float:
    """Reference radiation pattern of a fixed link (Rec. ITU-R F.699-8, recommends 2.1, 2.2, 2.3 and 3).

    Its side lobes are envelopes of peaks. D / lambda follows from the gain (recommends 3).
    """
    ratio = 10.0 ** ((gain_dbi - 7.7) / 20.0)
    if f_mhz < _F699_FROM_MHZ or (f_mhz <= 1000.0 and ratio <= _F699_SMALLEST_RATIO):
        raise InputError(
            "antenna is outside the range of F.699",
            field="pattern",
            value=f"{gain_dbi} dBi, {f_mhz} MHz",
            allowed="from 100 MHz; up to 1 GHz a gain above 3.7 dBi",
        )
    first_lobe_dbi = 2.0 + 15.0 * math.log10(ratio)
    main_lobe_deg = 20.0 / ratio * math.sqrt(max(gain_dbi - first_lobe_dbi, 0.0))
    if off_axis_deg < main_lobe_deg:
        return gain_dbi - 2.5e-3 * (ratio * off_axis_deg) ** 2
    decaying_from_deg = 100.0 / ratio if f_mhz <= 1000.0 or ratio <= 100.0 else 15.85 * ratio**-0.6
    if off_axis_deg < decaying_from_deg:
        return first_lobe_dbi
    return _side_lobe_dbi(off_axis_deg, ratio, f_mhz)


def _side_lobe_dbi(off_axis_deg: float, ratio: float, f_mhz: float) -> float:
    """The decaying side lobes and the back of the pattern."""
    if f_mhz <= 1000.0:
        far_from_deg, far_dbi = 144.5 * ratio**-0.2, -2.0 - 5.0 * math.log10(ratio)
    elif ratio <= 100.0:
        far_from_deg, far_dbi = 48.0, 10.0 - 10.0 * math.log10(ratio)
    else:
        far_from_deg, far_dbi = 48.0, -10.0
    if off_axis_deg >= far_from_deg:
        return far_dbi
    small = f_mhz <= 1000.0 or ratio <= 100.0
    decay_dbi = 52.0 - 10.0 * math.log10(ratio) if small else 32.0
    return decay_dbi - 25.0 * math.log10(off_axis_deg)


@kernel
def largest_gain_dbi(table_dbi: NDArray[np.float64], from_axis_deg: float, half_width_deg: float) -> float:
    """Largest gain within ``half_width_deg`` of a direction: a pixel is not a point.

    Both ends are taken outwards to the next entry of the table.
    """
    size = table_dbi.size
    first = int(np.floor((from_axis_deg - half_width_deg) * _STEPS_PER_DEG))
    last = int(np.ceil((from_axis_deg + half_width_deg) * _STEPS_PER_DEG))
    if last - first >= size:
        first, last = 0, size - 1
    highest = table_dbi[first % size]
    for i in range(first + 1, last + 1):
        highest = max(highest, table_dbi[i % size])
    return highest
