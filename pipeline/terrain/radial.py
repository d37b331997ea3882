"""Geodesic radials from a mast as pixel positions, and what a longitude/latitude raster shows along them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.geodesy import radial_knots
from pipeline.kernels import kernel

# Between knots longitude and latitude go straight: the bow of L km is L^2 / (8 R) tan(lat), 0.1 m at 46 deg.
KNOT_KM = 2.0
# A point beside unknown pixels is known if the known ones carry at least this part of its bilinear weight.
_KNOWN_FRACTION = 0.5


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
