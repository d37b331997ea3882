"""Terrain along the geodesic radials of a mast: positions in pixels, samples, and what follows from them.

That is: effective height, height below 15 km, sea sections, horizon of the antenna, clearance angles.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.geodesy import radial_knots
from pipeline.kernels import kernel
from pipeline.terrain.records import TCA_COUNT_DEG, TCA_UNKNOWN

# Between knots longitude and latitude go straight: the bow of L km is L^2 / (8 R) tan(lat), 0.1 m at 46 deg.
KNOT_KM = 2.0
# A point beside unknown pixels is known if the known ones carry at least this part of its bilinear weight.
_KNOWN_FRACTION = 0.5
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
def pixel_knots(
    lon_deg: float,
    lat_deg: float,
    azimuth_deg: float,
    frame: tuple[float, float, float, float],
    columns: int,
    col_out: NDArray[np.float64],
    row_out: NDArray[np.float64],
) -> None:
    """The knots of a radial, ``KNOT_KM`` apart, as pixel positions (0 = centre of the first pixel).

    ``frame``: west, north, step in longitude, step in latitude of a raster with ``columns`` columns. The mast
    is taken at the turn of longitude nearest to the raster's middle.
    """
    west_deg, north_deg, step_lon_deg, step_lat_deg = frame
    middle_deg = west_deg + 0.5 * columns * step_lon_deg
    turns = math.floor((lon_deg - middle_deg) / 360.0 + 0.5)
    radial_knots(lon_deg - 360.0 * turns, lat_deg, azimuth_deg, KNOT_KM, col_out, row_out)
    for i in range(col_out.size):
        col_out[i] = (col_out[i] - west_deg) / step_lon_deg - 0.5
        row_out[i] = (north_deg - row_out[i]) / step_lat_deg - 0.5


@kernel
def height_at(values: NDArray[np.float32], row: float, col: float) -> float:
    """Bilinear height between pixel centres; NaN outside the raster's outer edge and where unknown.

    In the outer half pixel the edge value holds.
    """
    rows, cols = values.shape
    if not (-0.5 <= row <= rows - 0.5 and -0.5 <= col <= cols - 0.5):
        return np.nan
    row = min(max(row, 0.0), rows - 1.0)
    col = min(max(col, 0.0), cols - 1.0)
    top, left = int(row), int(col)
    bottom, right = min(top + 1, rows - 1), min(left + 1, cols - 1)
    down, across = row - top, col - left
    upper = values[top, left] * (1.0 - across) + values[top, right] * across
    lower = values[bottom, left] * (1.0 - across) + values[bottom, right] * across
    height_m = upper * (1.0 - down) + lower * down
    if height_m == height_m:
        return height_m
    return _height_beside_unknown(
        values[top, left], values[top, right], values[bottom, left], values[bottom, right], down, across
    )


@kernel
def _height_beside_unknown(
    nw_m: float, ne_m: float, sw_m: float, se_m: float, down: float, across: float
) -> float:
    """Weighted mean of the known ones of four pixels; NaN if they carry less than ``_KNOWN_FRACTION``."""
    total = 0.0
    known = 0.0
    for height_m, weight in (
        (nw_m, (1.0 - down) * (1.0 - across)),
        (ne_m, (1.0 - down) * across),
        (sw_m, down * (1.0 - across)),
        (se_m, down * across),
    ):
        if height_m == height_m:
            total += height_m * weight
            known += weight
    return total / known if known >= _KNOWN_FRACTION else np.nan


@kernel
def sample_heights(
    values: NDArray[np.float32],
    col_knots: NDArray[np.float64],
    row_knots: NDArray[np.float64],
    first: int,
    step_km: float,
    out: NDArray[np.float32],
) -> None:
    """Fill ``out[i]`` with the height at ``(first + i) step_km`` of a radial given by its pixel knots."""
    last = col_knots.size - 2
    per_knot = step_km / KNOT_KM
    for i in range(out.size):
        position = (first + i) * per_knot
        knot = min(int(position), last)
        along = position - knot
        col = col_knots[knot] + (col_knots[knot + 1] - col_knots[knot]) * along
        row = row_knots[knot] + (row_knots[knot + 1] - row_knots[knot]) * along
        out[i] = height_at(values, row, col)


@kernel
def sea_lengths(
    land: NDArray[np.uint8],
    col_knots: NDArray[np.float64],
    row_knots: NDArray[np.float64],
    step_km: float,
    parts: int,
    out: NDArray[np.uint16],
) -> None:
    """Fill ``out[k]`` with the number of pieces over sea (land 0) between the mast and ``k step_km``.

    Every step is probed at the middle of its ``parts`` equal pieces; beyond the mask its edge pixel holds.
    """
    rows, cols = land.shape
    last = col_knots.size - 2
    piece_km = step_km / parts
    pieces = 0
    out[0] = 0
    for i in range((out.size - 1) * parts):
        position = (i + 0.5) * piece_km / KNOT_KM
        knot = min(int(position), last)
        along = position - knot
        col = col_knots[knot] + (col_knots[knot + 1] - col_knots[knot]) * along
        row = row_knots[knot] + (row_knots[knot + 1] - row_knots[knot]) * along
        # A pixel reaches half a step around its centre.
        y = min(max(math.floor(row + 0.5), 0), rows - 1)
        x = min(max(math.floor(col + 0.5), 0), cols - 1)
        if land[y, x] == 0:
            pieces += 1
        if (i + 1) % parts == 0:
            out[(i + 1) // parts] = pieces


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
