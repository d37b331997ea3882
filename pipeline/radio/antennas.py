"""Gain of receiving antennas of other services by direction: Rec. ITU-R F.699, filed patterns, or none.

Tables hold the gain at every tenth of a degree clockwise from the axis of the antenna, float64[3600] in dBi.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.kernels import kernel
from pipeline.radio.patterns import expand_pattern

STEPS_PER_DEG = 10
F699 = "F.699"
# F.699 gives its patterns from 100 MHz; below 1 GHz only where D / lambda exceeds 0.63.
F699_FROM_MHZ = 100.0
F699_SMALLEST_RATIO = 0.63


def gain_table_dbi(pattern: str, gain_dbi: float, f_mhz: float) -> NDArray[np.float64]:
    """Table of an antenna from its register entry: empty, ``F.699``, or 36 or 72 attenuations in dB.

    Without a pattern the full gain holds in every direction, which protects most.
    """
    if not pattern:
        return np.full(360 * STEPS_PER_DEG, gain_dbi)
    if pattern == F699:
        off_axis_deg = np.abs(np.arange(-1800, 1800) / STEPS_PER_DEG)
        table = np.array([f699_gain_dbi(angle, gain_dbi, f_mhz) for angle in off_axis_deg.tolist()])
        return np.roll(table, 1800)
    return gain_dbi - _filed_attenuation_db([float(value) for value in pattern.split(";")])


def _filed_attenuation_db(attenuation_db: Sequence[float]) -> NDArray[np.float64]:
    """Attenuation at tenths of a degree, linear in dB between the filed azimuths, closed across north."""
    whole_deg = expand_pattern(attenuation_db).astype(np.float64)
    angles_deg = np.arange(360 * STEPS_PER_DEG) / STEPS_PER_DEG
    return np.interp(angles_deg, np.arange(360.0), whole_deg, period=360.0)


def f699_gain_dbi(off_axis_deg: float, gain_dbi: float, f_mhz: float) -> float:
    """Reference radiation pattern of a fixed link (Rec. ITU-R F.699-8, recommends 2.1, 2.2, 2.3 and 3).

    Its side lobes are envelopes of peaks. D / lambda follows from the gain (recommends 3).
    """
    ratio = 10.0 ** ((gain_dbi - 7.7) / 20.0)
    if f_mhz < F699_FROM_MHZ or (f_mhz <= 1000.0 and ratio <= F699_SMALLEST_RATIO):
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
    first = int(np.floor((from_axis_deg - half_width_deg) * STEPS_PER_DEG))
    last = int(np.ceil((from_axis_deg + half_width_deg) * STEPS_PER_DEG))
    if last - first >= size:
        first, last = 0, size - 1
    highest = table_dbi[first % size]
    for i in range(first + 1, last + 1):
        highest = max(highest, table_dbi[i % size])
    return highest
