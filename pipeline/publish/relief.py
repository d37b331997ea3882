"""Relief of the run's terrain: light and shade of hills, for the web map (tiles) and QGIS (a raster)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.grid import STRIP_PX, Box, Grid, strips_of_rows
from pipeline.publish.web.place import EQUATOR_M
from pipeline.terrain.elevation import load_elevation
from pipeline.terrain.records import LonLatRaster

_Floats = NDArray[np.float64]
_SUN_AZIMUTH, _SUN_ELEVATION = math.radians(315.0), math.radians(45.0)
_FLAT = math.sin(_SUN_ELEVATION)
# Hills of 200 m pixels are too flat to be seen at their own height.
_EXAGGERATION = 2.0
# More than a pixel of the coarsest terrain models.
_ROOM_DEG = 0.02
# Bytes of a shade: 0 unknown, 1 darkest, FLAT_SHADE flat land, 255 brightest.
FLAT_SHADE = 1 + round(254 * _FLAT)
# Steps in which they are drawn: two pixels of a picture share a byte up to 16.
_DARK_STEPS, _LIGHT_STEPS = 8, 7
_MOST_SHADOW, _MOST_LIGHT = 0.55, 0.45  # opacity


def heights_m(
    paths: Sequence[Path], box_deg: Box, pixel_m: float, lon_deg: _Floats, lat_deg: _Floats
) -> _Floats:
    """Heights at places (arrays of one shape) in a box, bilinear; averaged to ``pixel_m`` from finer models.

    0 where the model knows none: at sea, and beyond its files.
    """
    from scipy.ndimage import map_coordinates  # 0.2 s that every job would take

    west, south, east, north = box_deg
    room_deg = _ROOM_DEG + pixel_m / EQUATOR_M * 360.0  # what stands at the edge leans on what is beyond
    model = load_elevation(
        paths, (west - room_deg, south - room_deg, east + room_deg, north + room_deg), None
    )
    if model is None:
        return np.zeros(lon_deg.shape)
    coarse = _averaged(model, pixel_m)
    row = (coarse.north_deg - lat_deg) / coarse.step_lat_deg - 0.5
    col = (lon_deg - coarse.west_deg) / coarse.step_lon_deg - 0.5
    found: _Floats = map_coordinates(coarse.values, [row, col], order=1, mode="nearest", output=np.float64)
    return found


def shade(heights: _Floats, step_m: float | _Floats) -> NDArray[np.uint8]:
    """Light on slopes [row, column] from the north-west, without the outermost row and column on each side.

    Cosine between the slope's normal and the sun's direction, slopes by Horn's formula (1981, eqs 1 and 2).
    """
    left, right, up, down = _shifted(heights)
    step = np.asarray(step_m) / _EXAGGERATION
    east, north = (right - left) / (8.0 * step), (up - down) / (8.0 * step)
    # Light falls from where the azimuth points to; a slope that rises towards it is dark.
    along = east * math.sin(_SUN_AZIMUTH) + north * math.cos(_SUN_AZIMUTH)
    light = (_FLAT - math.cos(_SUN_ELEVATION) * along) / np.sqrt(1.0 + east**2 + north**2)
    return (1.0 + np.round(254.0 * np.clip(light, 0.0, 1.0))).astype(np.uint8)


def shade_on_grid(paths: Sequence[Path], grid: Grid) -> NDArray[np.uint8]:
    """Shades of all pixels of a grid, [height, width]; the terrain is read strip by strip."""
    parts = []
    for rows in strips_of_rows(0, grid.height, STRIP_PX):
        row, col = np.arange(rows.start - 1, rows.stop + 1) + 0.5, np.arange(-1, grid.width + 1) + 0.5
        lon_deg, lat_deg = grid.to_lonlat().transform(*grid.xy_m(*np.meshgrid(row, col, indexing="ij")))
        first_deg = float(lon_deg[0, 0])  # continuous across 180 degrees
        lon_deg = (lon_deg - first_deg + 180.0) % 360.0 - 180.0 + first_deg
        box_deg = float(lon_deg.min()), float(lat_deg.min()), float(lon_deg.max()), float(lat_deg.max())
        heights = heights_m(paths, box_deg, grid.resolution_m, lon_deg, lat_deg)
        parts.append(shade(heights, grid.resolution_m))
    return np.concatenate(parts)


def shade_steps(shades: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Positions in the palette: 0 .. 7 shadow, 8 flat land, 9 .. 15 light."""
    difference = shades.astype(np.float64) - FLAT_SHADE
    dark = np.round(-difference / (FLAT_SHADE - 1) * _DARK_STEPS)
    light = np.round(difference / (255 - FLAT_SHADE) * _LIGHT_STEPS)
    return np.where(difference < 0, _DARK_STEPS - dark, _DARK_STEPS + light).astype(np.uint8)


def shade_palette() -> NDArray[np.uint8]:
    """Red, green, blue, alpha of the steps."""
    dark = [(0, 0, 0, _MOST_SHADOW * (1 - k / _DARK_STEPS)) for k in range(_DARK_STEPS)]
    light = [(255, 255, 255, _MOST_LIGHT * k / _LIGHT_STEPS) for k in range(_LIGHT_STEPS + 1)]
    return np.array([(r, g, b, round(255 * alpha)) for r, g, b, alpha in (*dark, *light)], dtype=np.uint8)


def _shifted(heights: _Floats) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """Weighted sums of the three neighbours on each side of every inner pixel."""
    a, b, c = (heights[:-2, i : heights.shape[1] - 2 + i] for i in range(3))
    d, f = heights[1:-1, :-2], heights[1:-1, 2:]
    g, h, i = (heights[2:, k : heights.shape[1] - 2 + k] for k in range(3))
    return a + 2.0 * d + g, c + 2.0 * f + i, a + 2.0 * b + c, g + 2.0 * h + i


def _averaged(model: LonLatRaster, pixel_m: float) -> LonLatRaster:
    """The model with whole numbers of its pixels averaged, none larger than ``pixel_m``."""
    pixel_deg = pixel_m / EQUATOR_M * 360.0
    middle_deg = model.north_deg - model.values.shape[0] * model.step_lat_deg / 2.0
    down = max(1, int(pixel_deg / model.step_lat_deg))
    across = max(1, int(pixel_deg / math.cos(math.radians(middle_deg)) / model.step_lon_deg))
    values = np.nan_to_num(model.values, nan=0.0)
    rows, cols = -(-values.shape[0] // down), -(-values.shape[1] // across)
    padding = ((0, rows * down - values.shape[0]), (0, cols * across - values.shape[1]))
    whole = np.pad(values, padding, mode="edge").reshape(rows, down, cols, across)
    means = whole.mean(axis=(1, 3), dtype=np.float64)
    return LonLatRaster(
        means, model.west_deg, model.north_deg, across * model.step_lon_deg, down * model.step_lat_deg
    )
