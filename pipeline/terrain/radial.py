"""Geodesic radials from a mast and what a longitude/latitude raster shows along them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel

# WGS84 (NIMA TR8350.2).
SEMI_MAJOR_KM = 6378.137
FLATTENING = 1.0 / 298.257223563
# Between knots longitude and latitude go straight: the bow of L km is L^2 / (8 R) tan(lat), 0.1 m at 46 deg.
KNOT_KM = 2.0
# A point beside unknown pixels is known if the known ones carry at least this share of its bilinear weight.
KNOWN_SHARE = 0.5


@kernel
def _arc_coefficients(squared_k: float) -> tuple[float, float, float, float, float, float]:
    """Series of distance and longitude to second order in epsilon: error below 0.1 m over 1000 km.

    Returns scale A1, C11, C12 (distance from arc), C'11, C'12 (arc from distance) and epsilon.
    C. F. F. Karney, Algorithms for geodesics, J. Geodesy 87 (2013), eq. (17), (18), (21).
    """
    root = math.sqrt(1.0 + squared_k)
    eps = (root - 1.0) / (root + 1.0)
    scale = (1.0 + 0.25 * eps * eps) / (1.0 - eps)
    return scale, -0.5 * eps, -eps * eps / 16.0, 0.5 * eps, 0.3125 * eps * eps, eps


@kernel
def radial_knots(
    lon_deg: float,
    lat_deg: float,
    azimuth_deg: float,
    knot_km: float,
    lon_out: NDArray[np.float64],
    lat_out: NDArray[np.float64],
) -> None:
    """Fill the positions at 0, knot, 2 knot, ... km on the geodesic that leaves with a true azimuth.

    Karney (2013), direct problem, sec. 2; longitudes stay continuous (may pass 180 deg). Not for the poles.
    """
    f = FLATTENING
    polar_km = SEMI_MAJOR_KM * (1.0 - f)
    alpha = math.radians(azimuth_deg)
    beta = math.atan((1.0 - f) * math.tan(math.radians(lat_deg)))
    sin_beta, cos_beta = math.sin(beta), math.cos(beta)
    sin_alpha, cos_alpha = math.sin(alpha), math.cos(alpha)
    sin_0 = sin_alpha * cos_beta
    cos_0 = math.hypot(cos_alpha, sin_alpha * sin_beta)
    sigma_1 = math.atan2(sin_beta, cos_alpha * cos_beta)
    omega_1 = math.atan2(sin_0 * math.sin(sigma_1), math.cos(sigma_1))
    second_e2 = f * (2.0 - f) / (1.0 - f) ** 2
    scale, c1, c2, r1, r2, eps = _arc_coefficients(second_e2 * cos_0 * cos_0)
    tau_1 = sigma_1 + c1 * math.sin(2.0 * sigma_1) + c2 * math.sin(4.0 * sigma_1)
    n = f / (2.0 - f)
    a3 = 1.0 - (0.5 - 0.5 * n) * eps - 0.25 * eps * eps  # eq. (24)
    c31 = (0.25 - 0.25 * n) * eps  # eq. (25)
    lon_1 = sigma_1 + c31 * math.sin(2.0 * sigma_1)
    for i in range(lon_out.size):
        tau = tau_1 + i * knot_km / (polar_km * scale)
        sigma = tau + r1 * math.sin(2.0 * tau) + r2 * math.sin(4.0 * tau)
        sin_sigma, cos_sigma = math.sin(sigma), math.cos(sigma)
        tan_beta = cos_0 * sin_sigma / math.hypot(cos_0 * cos_sigma, sin_0)
        lat_out[i] = math.degrees(math.atan(tan_beta / (1.0 - f)))
        turn = math.atan2(sin_0 * sin_sigma, cos_sigma) - omega_1
        turn -= 2.0 * math.pi * math.floor(turn / (2.0 * math.pi) + 0.5)
        lag = f * sin_0 * a3 * (sigma + c31 * math.sin(2.0 * sigma) - lon_1)
        lon_out[i] = lon_deg + math.degrees(turn - lag)


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
    """Weighted mean of the known ones of four pixels; NaN if they carry less than ``KNOWN_SHARE``."""
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
    return total / known if known >= KNOWN_SHARE else np.nan


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
    out: NDArray[np.float32],
) -> None:
    """Fill ``out[k]`` with the length in km over sea (land 0) between the mast and ``k step_km``.

    Every step is probed at the middle of ``parts`` equal pieces; beyond the mask its edge pixel holds.
    """
    rows, cols = land.shape
    last = col_knots.size - 2
    piece_km = step_km / parts
    pieces = 0
    out[0] = 0.0
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
            out[(i + 1) // parts] = pieces * piece_km
