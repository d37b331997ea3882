"""Terrain clearance angles of all cells of a mast's radials (P.1546-6 Annex 5 sec. 11)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.terrain.radial import KNOT_KM, pixel_knots, sample_heights
from pipeline.terrain.records import TCA_COUNT_DEG, TCA_UNKNOWN

# Terrain within this distance of the receiver counts, Earth flat.
CLEARANCE_KM = 16.0
# Height of the receiving antenna above its ground.
RECEIVER_M = 10.0


@kernel
def steepest_slopes(
    height_m: NDArray[np.float32], window: int, step_m: float, slope: NDArray[np.float32]
) -> None:
    """Fill the largest slope (height over distance) from 10 m above each sample to the samples before it.

    Each sample k sees samples k - window ... k - 1 of the radial. Unknown (NaN) samples are passed over; -inf
    where none is seen. The loop runs over all receivers for one distance at a time: plain array arithmetic
    that the compiler turns into vector instructions without changing a bit, several times faster than the
    search receiver by receiver.
    """
    n = height_m.size
    slope[:] = -np.inf
    antenna_m = height_m + np.float32(RECEIVER_M)
    for m in range(1, min(window, n - 1) + 1):
        per_m = np.float32(1.0 / (m * step_m))
        terrain_m, receiver_m, best = height_m[: n - m], antenna_m[m:], slope[m:]
        for i in range(n - m):
            seen = (terrain_m[i] - receiver_m[i]) * per_m
            best[i] = seen if seen > best[i] else best[i]


@kernel
def _count_of(slope: float) -> int:
    """Angle of a slope in counts of ``TCA_COUNT_DEG``."""
    if slope == -np.inf:
        return TCA_UNKNOWN
    count = math.floor(math.degrees(math.atan(slope)) / TCA_COUNT_DEG + 0.5)
    return min(max(int(count), -32767), 32767)


@kernel
def clearance_angles(
    values: NDArray[np.float32],
    frame: tuple[float, float, float, float],
    place: tuple[float, float],
    azimuths: tuple[float, float],
    first: int,
    stride: int,
    step_km: float,
    counts: NDArray[np.int16],
) -> None:
    """Fill clearance angles ``counts`` [azimuth, k] for azimuths (first, step), samples first + k stride.

    ``values``, ``frame``: elevation in m with west, north and steps in degrees; ``place``: lon, lat in deg;
    samples stand every ``step_km``. At the mast itself (sample 0) the angle of sample 1 holds.
    """
    radials, ranges = counts.shape
    window = int(CLEARANCE_KM / step_km + 1e-9)
    start = max(first - window, 0)
    size = first + (ranges - 1) * stride - start + 1
    knots = int((start + size) * step_km / KNOT_KM) + 3
    col_knots, row_knots = np.empty(knots), np.empty(knots)
    height_m, slope = np.empty(size, np.float32), np.empty(size, np.float32)
    for j in range(radials):
        azimuth_deg = azimuths[0] + j * azimuths[1]
        pixel_knots(place[0], place[1], azimuth_deg, frame, values.shape[1], col_knots, row_knots)
        sample_heights(values, col_knots, row_knots, start, step_km, height_m)
        steepest_slopes(height_m, window, 1000.0 * step_km, slope)
        for k in range(ranges):
            counts[j, k] = _count_of(slope[first - start + k * stride])
        if first == 0 and ranges > 1:
            counts[j, 0] = _count_of(slope[min(1, size - 1)])
