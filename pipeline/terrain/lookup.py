"""Reading radial terrain profiles at any azimuth and distance: linear between radials and ranges, seamless.

All are scalar kernels of some nanoseconds. Angles in degrees, distances in km. Beyond its last range a
table keeps the last value; of lengths over sea it keeps the part of the path.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import inner, kernel
from pipeline.terrain.records import SEA_PIECES, TCA_COUNT_DEG, TCA_UNKNOWN


@kernel
def radial_position(azimuth_deg: float, step_deg: float, count: int) -> tuple[int, int, float]:
    """Radials on both sides of a true azimuth and the weight of the second one.

    ``count`` radials stand at 0, step, ..., 360 - step. Any azimuth, also negative or above 360.
    """
    turns = azimuth_deg / 360.0
    position = (turns - math.floor(turns)) * 360.0 / step_deg
    lower = int(position)
    weight = position - lower
    if lower >= count:  # an azimuth just below 360 rounded up
        lower = 0
        weight = 0.0
    upper = lower + 1
    if upper == count:
        upper = 0
    return lower, upper, weight


@inner
def _blend(table: NDArray[Any], position: float, lower: int, upper: int, weight: float) -> float:
    """Bilinear value of a table [radial, range] at a range position, held at its ends."""
    last = table.shape[1] - 1
    if position >= last:
        return table[lower, last] * (1.0 - weight) + table[upper, last] * weight
    if position <= 0.0:
        return table[lower, 0] * (1.0 - weight) + table[upper, 0] * weight
    near = int(position)
    fraction = position - near
    first = table[lower, near] * (1.0 - fraction) + table[lower, near + 1] * fraction
    second = table[upper, near] * (1.0 - fraction) + table[upper, near + 1] * fraction
    return first * (1.0 - weight) + second * weight


@kernel
def heff_at(heff_m: NDArray[np.float32], lower: int, upper: int, weight: float) -> float:
    """Effective height in m (P.1546-6 sec. 3); also for ``theta_eff1_deg`` (degrees)."""
    return heff_m[lower] * (1.0 - weight) + heff_m[upper] * weight


@kernel
def hb_at(
    hb_m: NDArray[np.float32], step_km: float, lower: int, upper: int, weight: float, d_km: float
) -> float:
    """Antenna height in m above the mean terrain between 0.2 d and d, for d < 15 km; NaN without terrain."""
    if hb_m.shape[1] == 0:
        return np.nan
    return _blend(hb_m, d_km / step_km, lower, upper, weight)


@kernel
def sea_at(
    sea_pieces: NDArray[np.uint16], step_km: float, lower: int, upper: int, weight: float, d_km: float
) -> float:
    """Length in km of the path's part over sea, between 0 and d.

    Beyond the last range, as far as P.1546-6 knows paths, the part is that up to there.
    """
    if sea_pieces.shape[1] == 0:
        return 0.0
    over_sea_km = _blend(sea_pieces, d_km / step_km, lower, upper, weight) * (step_km / SEA_PIECES)
    last_km = (sea_pieces.shape[1] - 1) * step_km
    if 0.0 < last_km < d_km:
        return d_km if over_sea_km >= last_km else over_sea_km * (d_km / last_km)
    return min(over_sea_km, d_km)


@kernel
def tca_at(
    counts: NDArray[np.int16],
    first_azimuth_deg: float,
    azimuth_step_deg: float,
    first_km: float,
    step_km: float,
    azimuth_deg: float,
    d_km: float,
) -> float:
    """Terrain clearance angle in degrees at the receiver (P.1546-6 sec. 11, unclipped).

    NaN where it is off, not known, or outside the swept sector and ranges (tolerance: half a step in range).
    """
    radials, ranges = counts.shape
    position = (d_km - first_km) / step_km
    if ranges == 0 or position < -0.5 or position > ranges - 0.5:
        return np.nan
    position = min(max(position, 0.0), ranges - 1.0)
    turns = (azimuth_deg - first_azimuth_deg) / 360.0
    bearing = (turns - math.floor(turns)) * 360.0 / azimuth_step_deg
    lower = int(bearing)
    weight = bearing - lower
    full_circle = radials * azimuth_step_deg > 360.0 - 1e-6
    if lower >= radials:
        if not full_circle:
            return np.nan
        lower = 0
        weight = 0.0
    upper = lower + 1
    if upper == radials:
        upper = 0 if full_circle else lower
    near = int(position)
    far = min(near + 1, ranges - 1)
    fraction = position - near
    near_low, far_low = int(counts[lower, near]), int(counts[lower, far])
    near_up, far_up = int(counts[upper, near]), int(counts[upper, far])
    if min(near_low, far_low, near_up, far_up) == TCA_UNKNOWN:
        return _tca_of_known(near_low, far_low, near_up, far_up, fraction, weight)
    first = near_low + (far_low - near_low) * fraction
    second = near_up + (far_up - near_up) * fraction
    return (first + (second - first) * weight) * TCA_COUNT_DEG


@inner
def _tca_of_known(
    near_low: int, far_low: int, near_up: int, far_up: int, fraction: float, weight: float
) -> float:
    """Mean of the known ones of four neighbours with their bilinear weights; NaN if none weighs."""
    total = 0.0
    weights = 0.0
    for count, part in (
        (near_low, (1.0 - fraction) * (1.0 - weight)),
        (far_low, fraction * (1.0 - weight)),
        (near_up, (1.0 - fraction) * weight),
        (far_up, fraction * weight),
    ):
        if count != TCA_UNKNOWN:
            total += count * part
            weights += part
    return total / weights * TCA_COUNT_DEG if weights > 0.0 else np.nan
