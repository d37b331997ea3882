"""Height of the ground at receivers, for vertical patterns and slopes (docs/method.md, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.territory import Terrain
from pipeline.grid.geodesy import lattice_step_px
from pipeline.grid.grid import Grid
from pipeline.terrain.elevation import elevation_of, heights_at, pixels_at
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.tile_sweeps import box_around, grid_lattice_deg, read_land

# Interpolation at the edge of the grid asks for a few cells of terrain beyond it.
_MARGIN_KM = 5.0


def load_ground(terrain: Terrain, grid: Grid, land: Path) -> LonLatRaster | None:
    """The terrain model on the grid, sea at 0 m; None without one. ``land`` file of land and sea."""
    if terrain.dem is None:
        return None
    box = box_around(*grid_lattice_deg(grid), _MARGIN_KM)
    return elevation_of(terrain, box, read_land(land))


def ground_of_pixels(
    elevation: LonLatRaster | None, grid: Grid, rows: slice, cols: slice
) -> NDArray[np.float32]:
    """Height a.s.l. in m at the centres of some pixels, bilinear, float32[rows, cols]; NaN unknown.

    Their places are interpolated between nodes of the grid, as good as exact.
    """
    shape = grid.window(rows, cols).shape
    if elevation is None:
        return np.full(shape, np.nan, dtype=np.float32)
    lon_deg, lat_deg = places_of_pixels(grid, rows, cols)
    return ground_at(elevation, lon_deg.ravel(), lat_deg.ravel()).astype(np.float32).reshape(shape)


def places_of_pixels(grid: Grid, rows: slice, cols: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes [rows, cols] of the centres of some pixels, between nodes of the grid."""
    part = grid.window(rows, cols)
    step_px = lattice_step_px(grid.resolution_m)
    low, weight = zip(*(_between(size, step_px) for size in part.shape), strict=True)
    node_row, node_col = (step_px * np.arange(nodes[-1] + 2.0) for nodes in low)
    nodes = grid.to_lonlat().transform(*_mesh_m(part, node_row, node_col))
    lon_deg, lat_deg = (_interpolated(node_deg, low, weight) for node_deg in nodes)
    return lon_deg, lat_deg


def _mesh_m(
    part: Grid, row: NDArray[Any], col: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x_m, y_m = np.meshgrid(*part.xy_m(row, col))
    return x_m, y_m


def ground_at(
    elevation: LonLatRaster, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Heights a.s.l. in m at places [n], bilinear; NaN unknown or beyond the model."""
    heights_m: NDArray[np.float64] = heights_at(elevation.values, *pixels_at(elevation, lon_deg, lat_deg))
    return heights_m


def _between(size: int, step_px: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Node before each pixel centre, of nodes ``step_px`` apart, and the weight of the next one."""
    position = (np.arange(size) + 0.5) / step_px
    low = position.astype(np.int64)
    return low, position - low


def _interpolated(
    nodes: NDArray[np.float64], low: Sequence[NDArray[np.int64]], weight: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Bilinear values [pixel row, pixel column] between nodes; ``low`` and ``weight`` by axis."""
    down = nodes[low[0]] + weight[0][:, None] * (nodes[low[0] + 1] - nodes[low[0]])
    return down[:, low[1]] + weight[1] * (down[:, low[1] + 1] - down[:, low[1]])
