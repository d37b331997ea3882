"""Lowest value of all pixels that a circle touches, of every channel of a query raster.

Codes are below all levels, so they win: outside, then not permitted, then not evaluated. A circle of many
kilometres contains millions of pixels; :func:`lowest_at_home` reads few of them and finds the same minimum: a
block that is in the circle as a whole counts by its own lowest value, which is known beforehand, and one
that lies in it in part is read only if that value could lower the answer of a channel.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.quantise import NODATA_CENTI

_BLOCK_PX = 32
# Rows read at a time: bounds memory where a region is large.
_STRIP_PX = 256
ABOVE_ALL = np.iinfo(np.int16).max
# Blocks this near to the circle are looked at: which of their pixels it touches is decided one by one.
_SLACK_M = 1e-3


class Circle(NamedTuple):
    """A circle on the grid of a raster, projected metres."""

    x_m: float
    y_m: float
    reach_m: float


def lowest_of_all(opened: raster.Opened, circle: Circle) -> NDArray[np.int16]:
    """Lowest raw value [channel] of all pixels touched, also in part; nodata if one of them is outside."""
    grid = opened.grid
    rows, cols = _spans(grid, circle)
    if rows.start < 0 or cols.start < 0 or rows.stop > grid.height or cols.stop > grid.width:
        return np.full(len(opened.layout.band_names), NODATA_CENTI, dtype=np.int16)
    strips = [
        slice(first, min(first + _STRIP_PX, rows.stop)) for first in range(rows.start, rows.stop, _STRIP_PX)
    ]
    return np.minimum.reduce([_lowest_in(opened, circle, strip, cols) for strip in strips])


def block_minima(opened: raster.Opened) -> NDArray[np.int16]:
    """Lowest raw value [channel, block row, block column] of the pixels that are not outside.

    ``ABOVE_ALL`` for a block without any. It reads the whole raster.
    """
    grid = opened.grid
    edges = np.arange(0, grid.width, _BLOCK_PX)
    strips = []
    for first in range(0, grid.height, _BLOCK_PX):
        rows = slice(first, min(first + _BLOCK_PX, grid.height))
        values = _inside(raster.read_window(opened, rows, slice(0, grid.width)))
        strips.append(np.minimum.reduceat(values.min(axis=1), edges, axis=1))
    return np.stack(strips, axis=1)


def lowest_at_home(opened: raster.Opened, circle: Circle, minima: NDArray[np.int16]) -> NDArray[np.int16]:
    """Lowest raw value [channel] of the pixels touched that are not outside; nodata where there are none."""
    near_m, far_m = _block_distances_m(opened.grid, circle, minima.shape[1:])
    whole = far_m <= circle.reach_m
    lowest = minima[:, whole].min(axis=1, initial=ABOVE_ALL)
    for row, col in np.argwhere((near_m <= circle.reach_m + _SLACK_M) & ~whole).tolist():
        if (minima[:, row, col] < lowest).any():
            lowest = np.minimum(lowest, _lowest_in_block(opened, circle, row, col))
    lowest[lowest == ABOVE_ALL] = NODATA_CENTI
    return lowest


def _lowest_in_block(opened: raster.Opened, circle: Circle, row: int, col: int) -> NDArray[np.int16]:
    sizes = (opened.grid.height, opened.grid.width)
    rows, cols = (
        slice(_BLOCK_PX * k, min(_BLOCK_PX * (k + 1), size))
        for k, size in zip((row, col), sizes, strict=True)
    )
    values = raster.read_window(opened, rows, cols)[:, _touched(opened.grid, circle, rows, cols)]
    return np.asarray(_inside(values).min(axis=1, initial=ABOVE_ALL))


def _lowest_in(opened: raster.Opened, circle: Circle, rows: slice, cols: slice) -> NDArray[np.int16]:
    values = raster.read_window(opened, rows, cols)[:, _touched(opened.grid, circle, rows, cols)]
    return np.asarray(values.min(axis=1, initial=ABOVE_ALL))


def _inside(values: NDArray[np.int16]) -> NDArray[np.int16]:
    """Values in which what is outside never is the lowest."""
    return np.where(values == NODATA_CENTI, np.int16(ABOVE_ALL), values)


def _spans(grid: Grid, circle: Circle) -> tuple[slice, slice]:
    """Rows and columns of the square around a circle; they may lie beyond the grid."""
    reach_px = circle.reach_m / grid.resolution_m
    centre_px = grid.row_col(circle.x_m, circle.y_m)
    first, last = ([math.floor(at + side * reach_px) for at in centre_px] for side in (-1, 1))
    return slice(first[0], last[0] + 1), slice(first[1], last[1] + 1)


def _touched(grid: Grid, circle: Circle, rows: slice, cols: slice) -> NDArray[np.bool_]:
    """Which pixels [y, x] of a window have a point within the circle."""
    west_m, north_m = grid.xy_m(
        np.arange(rows.start, rows.stop, dtype=np.float64), np.arange(cols.start, cols.stop, dtype=np.float64)
    )
    dx_m = np.maximum(0.0, np.maximum(west_m - circle.x_m, circle.x_m - west_m - grid.resolution_m))
    dy_m = np.maximum(0.0, np.maximum(circle.y_m - north_m, north_m - grid.resolution_m - circle.y_m))
    return np.asarray(np.hypot(dx_m[np.newaxis, :], dy_m[:, np.newaxis]) <= circle.reach_m)


def _block_distances_m(
    grid: Grid, circle: Circle, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances [block row, block column] from the centre to the nearest and to the farthest point."""
    side_m = _BLOCK_PX * grid.resolution_m
    west_m = grid.west_m + side_m * np.arange(shape[1], dtype=np.float64)
    south_m = grid.north_m - side_m * np.arange(1, shape[0] + 1, dtype=np.float64)
    (near_x, far_x), (near_y, far_y) = (
        _ends_m(west_m, side_m, circle.x_m),
        _ends_m(south_m, side_m, circle.y_m),
    )
    return np.hypot(near_x, near_y[:, np.newaxis]), np.hypot(far_x, far_y[:, np.newaxis])


def _ends_m(
    low_m: NDArray[np.float64], side_m: float, at_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances along an axis to the nearest and to the farthest point of intervals from ``low_m``."""
    before_m, beyond_m = low_m - at_m, at_m - low_m - side_m
    return np.maximum(0.0, np.maximum(before_m, beyond_m)), -np.minimum(before_m, beyond_m)
