"""Terrain along radials: effective height, height below 15 km, horizon of the antenna, clearance angles."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.terrain.radial import KNOT_KM, pixel_knots, sample_heights
from pipeline.terrain.records import TCA_COUNT_DEG, TCA_UNKNOWN

# The mean terrain of P.1546-6 Annex 5 sec. 3 is taken between these distances ...
MEAN_FROM_KM = 3.0
MEAN_TO_KM = 15.0
# ... and between this fraction of the distance and the distance on shorter paths.
_SHORT_PATH_FRACTION = 0.2
# Terrain within this distance of the receiver counts, Earth flat.
CLEARANCE_KM = 16.0
# Height of the receiving antenna above its ground.
_RECEIVER_M = 10.0


@kernel
def integrate_heights(
    height_m: NDArray[np.float32],
    step_km: float,
    integral: NDArray[np.float64],
    known_km: NDArray[np.float64],
) -> None:
    """Trapezoid integral in m km from 0 to each sample, and the length over which heights are known."""
    integral[0] = 0.0
    known_km[0] = 0.0
    for i in range(1, height_m.size):
        pair = float(height_m[i - 1]) + height_m[i]
        if pair == pair:
            integral[i] = integral[i - 1] + 0.5 * step_km * pair
            known_km[i] = known_km[i - 1] + step_km
        else:
            integral[i] = integral[i - 1]
            known_km[i] = known_km[i - 1]


@kernel
def _integral_to(
    d_km: float,
    height_m: NDArray[np.float32],
    step_km: float,
    integral: NDArray[np.float64],
    known_km: NDArray[np.float64],
) -> tuple[float, float]:
    """Integral and known length from 0 to any distance: the terrain is straight between samples."""
    i = min(int(d_km / step_km), height_m.size - 2)
    part_km = d_km - i * step_km
    slope = (float(height_m[i + 1]) - height_m[i]) / step_km
    area = part_km * (height_m[i] + 0.5 * slope * part_km)
    if area == area:
        return integral[i] + area, known_km[i] + part_km
    return integral[i], known_km[i]


@kernel
def mean_between(
    from_km: float,
    to_km: float,
    height_m: NDArray[np.float32],
    step_km: float,
    integral: NDArray[np.float64],
    known_km: NDArray[np.float64],
) -> tuple[float, float]:
    """Mean height in m of the known terrain between two distances (NaN if none) and its length in km."""
    low, low_km = _integral_to(from_km, height_m, step_km, integral, known_km)
    high, high_km = _integral_to(to_km, height_m, step_km, integral, known_km)
    length_km = high_km - low_km
    return ((high - low) / length_km if length_km > 1e-6 else np.nan), length_km


@kernel
def horizon_deg(height_m: NDArray[np.float32], step_km: float, antenna_asl_m: float) -> float:
    """Largest elevation angle in degrees from the antenna to the terrain, Earth flat; NaN if unknown."""
    steepest = -np.inf
    for i in range(1, height_m.size):
        steepest = max(steepest, (height_m[i] - antenna_asl_m) / (1000.0 * i * step_km))
    return math.degrees(math.atan(steepest)) if steepest > -np.inf else np.nan


@kernel
def mean_terrain(
    values: NDArray[np.float32],
    frame: tuple[float, float, float, float],
    place: tuple[float, float, float],
    azimuth_step_deg: float,
    samples: int,
    mean_m: NDArray[np.float32],
    known_km: NDArray[np.float32],
    short_mean_m: NDArray[np.float32],
    theta_deg: NDArray[np.float32],
) -> None:
    """Mean terrain of all radials of a mast (P.1546-6 Annex 5 sec. 3).

    ``values``, ``frame``: elevation in m with west, north and steps in degrees. ``place``: longitude,
    latitude in degrees, antenna height above sea level in m. ``samples`` equal steps to 15 km.
    Filled: ``mean_m`` [azimuth] over 3-15 km, ``known_km`` the part of these 12 km that is known,
    ``short_mean_m`` [azimuth, k] over 0.2 d to d at the k-th of equal steps to 15 km, ``theta_deg`` [azimuth]
    the antenna's horizon within 15 km (sec. 4.3 a).
    """
    lon_deg, lat_deg, antenna_asl_m = place
    step_km = MEAN_TO_KM / samples
    short_step_km = MEAN_TO_KM / (short_mean_m.shape[1] - 1)
    knots = math.ceil(MEAN_TO_KM / KNOT_KM) + 2
    col_knots, row_knots = np.empty(knots), np.empty(knots)
    height_m = np.empty(samples + 1, np.float32)
    integral, length_km = np.empty(samples + 1), np.empty(samples + 1)
    for j in range(mean_m.size):
        pixel_knots(lon_deg, lat_deg, j * azimuth_step_deg, frame, values.shape[1], col_knots, row_knots)
        sample_heights(values, col_knots, row_knots, 0, step_km, height_m)
        integrate_heights(height_m, step_km, integral, length_km)
        mean_m[j], known_km[j] = mean_between(
            MEAN_FROM_KM, MEAN_TO_KM, height_m, step_km, integral, length_km
        )
        theta_deg[j] = horizon_deg(height_m, step_km, antenna_asl_m)
        short_mean_m[j, 0] = height_m[0]
        for k in range(1, short_mean_m.shape[1]):
            d_km = k * short_step_km
            short_mean_m[j, k], _ = mean_between(
                _SHORT_PATH_FRACTION * d_km, d_km, height_m, step_km, integral, length_km
            )


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
    antenna_m = height_m + np.float32(_RECEIVER_M)
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

    P.1546-6, Annex 5, section 11.

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
