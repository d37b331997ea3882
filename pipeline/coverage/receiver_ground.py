"""Height of the ground at receivers, for vertical patterns and slopes (docs/method.md, section 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.territory import Terrain
from pipeline.grid.geodesy import lattice_step_px
from pipeline.grid.grid import Grid
from pipeline.kernels import kernel
from pipeline.terrain.elevation import elevation_of, heights_at, pixels_at
from pipeline.terrain.radial import height_at
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.sweep import Frame, frame_of
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
    elevation: LonLatRaster | None,
    grid: Grid,
    rows: slice,
    cols: slice,
    asked: NDArray[np.uint8] | None = None,
) -> NDArray[np.float32]:
    """Height a.s.l. in m at the centres of some pixels, bilinear, float32[rows, cols]; NaN unknown.

    Or 0 in ``asked`` [rows, cols]. Their places are interpolated between nodes of the grid, as good as exact.
    """
    shape = grid.window(rows, cols).shape
    if elevation is None:
        return np.full(shape, np.nan, dtype=np.float32)
    nodes = _nodes_of(grid, rows, cols)
    middle_deg = elevation.west_deg + 0.5 * elevation.values.shape[1] * elevation.step_lon_deg
    ground_m = np.empty(shape, np.float32)
    asked = np.ones(shape, np.uint8) if asked is None else asked
    places = (*nodes.deg, *nodes.low, *nodes.weight)
    _fill_ground(elevation.values, frame_of(elevation), middle_deg, *places, asked, ground_m)
    return ground_m


@kernel
def _fill_ground(
    heights_m: NDArray[np.float32],
    frame: Frame,
    middle_deg: float,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    node_row: NDArray[np.int64],
    node_col: NDArray[np.int64],
    down: NDArray[np.float64],
    across: NDArray[np.float64],
    asked: NDArray[np.uint8],
    ground_m: NDArray[np.float32],
) -> None:
    """``ground_at`` the places of ``places_of_pixels`` [y, x] that are asked for, without keeping these.

    ``lon_deg``, ``lat_deg`` of the nodes; node before each row and column of pixels and weight of the next.
    """
    west_deg, north_deg, step_lon_deg, step_lat_deg = frame
    height, width = ground_m.shape
    lon_row, lat_row = np.empty(lon_deg.shape[1]), np.empty(lon_deg.shape[1])
    for y in range(height):
        r, v = node_row[y], down[y]
        for k in range(lon_row.size):
            lon_row[k] = lon_deg[r, k] + v * (lon_deg[r + 1, k] - lon_deg[r, k])
            lat_row[k] = lat_deg[r, k] + v * (lat_deg[r + 1, k] - lat_deg[r, k])
        for x in range(width):
            if asked[y, x] == 0:
                ground_m[y, x] = math.nan
                continue
            k, u = node_col[x], across[x]
            lon = lon_row[k] + u * (lon_row[k + 1] - lon_row[k])
            lat = lat_row[k] + u * (lat_row[k + 1] - lat_row[k])
            east_deg = lon + 360.0 * np.round((middle_deg - lon) / 360.0)
            row = (north_deg - lat) / step_lat_deg - 0.5
            ground_m[y, x] = height_at(heights_m, row, (east_deg - west_deg) / step_lon_deg - 0.5)


def places_of_pixels(grid: Grid, rows: slice, cols: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes [rows, cols] of the centres of some pixels, between nodes of the grid."""
    nodes = _nodes_of(grid, rows, cols)
    lon_deg, lat_deg = (_interpolated(node_deg, nodes.low, nodes.weight) for node_deg in nodes.deg)
    return lon_deg, lat_deg


class _Nodes(NamedTuple):
    """Longitudes and latitudes of nodes; by axis the node before each pixel and the weight of the next."""

    deg: tuple[NDArray[np.float64], NDArray[np.float64]]
    low: tuple[NDArray[np.int64], NDArray[np.int64]]
    weight: tuple[NDArray[np.float64], NDArray[np.float64]]


def _nodes_of(grid: Grid, rows: slice, cols: slice) -> _Nodes:
    part = grid.window(rows, cols)
    step_px = lattice_step_px(grid.resolution_m)
    (low_row, weight_row), (low_col, weight_col) = (_between(size, step_px) for size in part.shape)
    node_row, node_col = (step_px * np.arange(low[-1] + 2.0) for low in (low_row, low_col))
    lon_deg, lat_deg = grid.to_lonlat().transform(*_mesh_m(part, node_row, node_col))
    return _Nodes((lon_deg, lat_deg), (low_row, low_col), (weight_row, weight_col))


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
