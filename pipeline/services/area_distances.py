"""How far pixels are from areas: distances between squares, as those between devices and DTT receivers.

An area is made of the pixels that it touches, on the grid and around it. The distance is the smallest between
the square of a pixel and those of the area, over the largest scale of what both stand on, so that it is never
longer than the true one; 0 for pixels of the area and those beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.grid.distance import column_distance_px, row_distance_px, widened
from pipeline.grid.grid import Grid
from pipeline.services.base import ServiceContext
from pipeline.services.exclusion_areas import touched


class AreaDistances(NamedTuple):
    """Distances from areas on some rows and columns, which count from the corner of the padded grid.

    ``column_px`` uint16[y, x] as of ``grid.distance``; rows and columns may lie before or beyond the grid.
    """

    row: int
    col: int
    column_px: NDArray[np.uint16]
    km_per_px: float

    def distance_km(self, rows: slice, cols: slice) -> NDArray[np.float64]:
        """Distance of the pixels of a part of the grid, float64[rows, cols]; infinite beyond reach."""
        found_km = np.full((rows.stop - rows.start, cols.stop - cols.start), np.inf)
        height, width = self.column_px.shape
        first, last = max(rows.start, self.row), min(rows.stop, self.row + height)
        left, right = max(cols.start, self.col), min(cols.stop, self.col + width)
        if first < last and left < right:
            whole_px = row_distance_px(self.column_px[first - self.row : last - self.row])
            part_px = whole_px[:, left - self.col : right - self.col].astype(np.float64)
            place = slice(first - rows.start, last - rows.start), slice(left - cols.start, right - cols.start)
            found_km[place] = part_px * self.km_per_px
        return found_km


def area_distances(
    grid: Grid, shapes: Sequence[BaseGeometry], reach_km: float, *, left_out: NDArray[np.bool_] | None = None
) -> AreaDistances | None:
    """Distances from projected shapes up to ``reach_km``; None where no pixel of the grid is in reach.

    ``left_out`` bool[y, x]: pixels of the grid that are no part of the areas though these touch them.
    """
    bounds_m = shapely.total_bounds(list(shapes)) if shapes else np.full(4, np.nan)
    if not np.isfinite(bounds_m).all():
        return None
    km_per_px = grid.resolution_m / 1000.0 / _scale_with(grid, bounds_m)
    reach_px = math.ceil(reach_km / km_per_px) + 2
    (top, left), (bottom, right) = grid.row_col(bounds_m[0], bounds_m[3]), grid.row_col(*bounds_m[2:0:-1])
    areas = [_span(top, bottom, reach_px, grid.height), _span(left, right, reach_px, grid.width)]
    if any(span is None for span in areas):
        return None
    rows, cols = (
        _with_near(span, reach_px, size) for span, size in zip(areas, grid.shape, strict=True) if span
    )
    marked = touched(shapes, grid, rows, cols)
    if left_out is not None:
        _unmark(marked, left_out, rows, cols)
    return AreaDistances(rows.start, cols.start, column_distance_px(widened(marked)), km_per_px)


def is_at_coast(context: ServiceContext, distances: Callable[[], AreaDistances | None]) -> bool:
    """Whether areas have a pixel near the sea, by ``distances`` from them: paths may then lead over it."""
    if context.config.protection.sea_paths == "ignore":
        return False
    near = context.sea_km == 0.0
    found = distances() if near.any() else None
    whole = slice(0, context.grid.height), slice(0, context.grid.width)
    return found is not None and bool((near & (found.distance_km(*whole) == 0.0)).any())


def _scale_with(grid: Grid, bounds_m: NDArray[np.float64]) -> float:
    """Largest scale of the grid and what reaches to the areas, beyond it by a thousand kilometres at most."""
    west, south, east, north = grid.bounds_m
    if bounds_m[0] >= west and bounds_m[1] >= south and bounds_m[2] <= east and bounds_m[3] <= north:
        return grid.largest_scale()
    farthest_m = 1.0e6
    west, south = (
        max(min(own, its), own - farthest_m)
        for own, its in zip((west, south), bounds_m[:2].tolist(), strict=True)
    )
    east, north = (
        min(max(own, its), own + farthest_m)
        for own, its in zip((east, north), bounds_m[2:].tolist(), strict=True)
    )
    return grid.spanning((west, south, east, north)).largest_scale()


def _span(low: float, high: float, reach_px: int, size: int) -> slice | None:
    """Rows or columns of areas, and one around, within reach of those of the grid; None: there are none."""
    first, last = max(math.floor(low) - 1, -reach_px), min(math.ceil(high) + 1, size + reach_px)
    return slice(first, last) if first < last else None


def _with_near(area: slice, reach_px: int, size: int) -> slice:
    """The span of an area and of the pixels of the grid within reach of it."""
    first, last = max(area.start - reach_px, 0), min(area.stop + reach_px, size)
    return slice(min(area.start, first), max(area.stop, last))


def _unmark(marked: NDArray[np.bool_], left_out: NDArray[np.bool_], rows: slice, cols: slice) -> None:
    """Take away pixels of the grid, in place."""
    height, width = left_out.shape
    top, bottom = max(rows.start, 0), min(rows.stop, height)
    left, right = max(cols.start, 0), min(cols.stop, width)
    part = slice(top - rows.start, bottom - rows.start), slice(left - cols.start, right - cols.start)
    marked[part] &= ~left_out[top:bottom, left:right]
