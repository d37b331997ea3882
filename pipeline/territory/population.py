"""Population on the pixel grid: counts of a raster spread without loss, and density."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer

from pipeline.errors import InputError
from pipeline.grid.boxes import shifted
from pipeline.grid.foreign_rasters import read_external, read_place, stated_texts
from pipeline.grid.grid import STRIP_PX, Grid, strips_of_rows
from pipeline.kernels import kernel
from pipeline.territory.codes import Surface
from pipeline.territory.masks import is_land

_DENSITY_WINDOW_M = 1000.0
# Sample points along the smaller side of a source cell; step of the lattice of projected positions.
_POINTS_PER_CELL = 6.0
_LATTICE_STEP_PX = 16
# Of the window's sums, which have eight bytes a pixel.
_ROWS_A_TIME = 128
# Beyond any cell of a census or a model, also of one degree.
_MOST_PERSONS = 1e8
# Cells of the part that a grid touches: about 3 GB with the counts of points in them.
_MOST_CELLS = 120_000_000
# How files say that they hold a density, and how that they do not ("density per grid-cell").
_PER_AREA = re.compile(
    r"density"
    r"|\bper\s+(sq(uare|\.)?\s*)?(km|kilomet|mi(le)?s?\b|ha\b|hectare|m2|m²|met(er|re)s?\b)"
    r"|\b(persons?|people|inhabitants?|inh|hab|pop|p|cap)\.?\s*/\s*(sq|km|ha|mi|m)"
    r"|/\s*(km|mi|m)(2|²|\^2|\*\*2)|\bkm(²|\^?2\b)|\bsq\.?\s*(km|mi)"
    r"|\b(km|ha|m)\s*(\^|\*\*)?\s*-\s*[12]\b",
    re.IGNORECASE,
)
_OF_A_CELL = re.compile(r"(per|/)\s*(grid[- ]?)?(cell|pixel)", re.IGNORECASE)


def read_counts(path: str | Path, grid: Grid) -> xr.DataArray:
    """The part of a raster of persons per cell that the grid touches; float64[y, x], NaN no data.

    Attributes ``crs`` and ``transform`` as :func:`pipeline.grid.foreign_rasters.read_external`. Counts
    that are negative or beyond any cell are refused.
    """
    _refuse_density(path)
    to_source = Transformer.from_crs(grid.crs, read_place(path).crs, always_xy=True)
    wanted = to_source.transform_bounds(*grid.bounds_m, densify_pts=101)
    counts = read_external(path, bounds=wanted, most_pixels=_MOST_CELLS)
    values = counts.values.astype(np.float64)
    if (values < 0).any():
        lowest = float(np.nanmin(values))
        raise InputError("negative number of persons", file=path, value=lowest, allowed="0 or more")
    if np.isinf(values).any():
        raise InputError("number of persons is infinite", file=path, allowed="finite numbers")
    if (values > _MOST_PERSONS).any():
        highest, allowed = (
            float(np.nanmax(values)),
            f"up to {_MOST_PERSONS:g} in a cell, or stated as no data",
        )
        raise InputError("impossible number of persons", file=path, value=highest, allowed=allowed)
    return counts.copy(data=values)


def _refuse_density(path: str | Path) -> None:
    """Refuse a raster that says of itself that it holds persons per area."""
    for text in stated_texts(path):
        if _PER_AREA.search(text) and not _OF_A_CELL.search(text):
            raise InputError(
                "raster states persons per area",
                file=path,
                field="unit",
                value=text,
                allowed="persons per cell",
            )


def population_strips(
    counts: xr.DataArray, grid: Grid, surface: NDArray[np.uint8]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Persons per pixel by strips of rows, float32[rows, width], NaN where the source has no data.

    The grid is sampled at n x n points per pixel, n such that the smaller side of a source cell holds six
    points. The count of a cell is divided equally among the points in it; if some of them lie on land (or
    beyond the grid), only among those, so that the population of a coastal cell does not end up in the sea.
    The parts of a cell sum to its count, so totals are kept for every cell that lies wholly in the grid.
    """
    cell_px = _cell_size_px(counts, grid)
    points = max(1, math.ceil(_POINTS_PER_CELL / cell_px[0]))
    pad_px = math.ceil(cell_px[1]) + 1
    position = _source_positions(counts, grid, pad_px)
    on_land = (surface != Surface.SEA).astype(np.uint8)
    dry, every = np.zeros(counts.shape, dtype=np.int32), np.zeros(counts.shape, dtype=np.int32)
    count_points(position, _LATTICE_STEP_PX, pad_px, points, on_land, dry, every)
    for rows in strips_of_rows(0, grid.height, STRIP_PX):
        first, persons = rows.start, np.empty((rows.stop - rows.start, grid.width), dtype=np.float64)
        spread_counts(
            counts.values, position, _LATTICE_STEP_PX, pad_px, points, on_land, dry, every, first, persons
        )
        yield rows, persons.astype(np.float32)


def density_strips(
    persons_of: Callable[[slice], NDArray[np.float32]], grid: Grid, surface: NDArray[np.uint8]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Persons per km2 of land in the window around each land pixel, by strips; float32, NaN off land.

    ``persons_of`` some rows are those of each pixel.

    The window is the smallest odd number of pixels that spans 1 km; only its land pixels with data count, in
    persons and in area, so that a village at the sea is as dense as one inland.
    """
    half = max(math.ceil(_DENSITY_WINDOW_M / grid.resolution_m) // 2, 0)
    half += (2 * half + 1) * grid.resolution_m < _DENSITY_WINDOW_M
    for rows in strips_of_rows(0, grid.height, STRIP_PX):
        first, last = max(rows.start - half, 0), min(rows.stop + half, grid.height)
        persons, area_km2 = persons_of(slice(first, last)), grid.area_km2(rows)
        density = np.empty(area_km2.shape, np.float32)
        for part in strips_of_rows(rows.start, rows.stop, _ROWS_A_TIME):
            around = slice(max(part.start - half, first), min(part.stop + half, last))
            own, place = shifted(part, -around.start), shifted(part, -rows.start)
            its = persons[shifted(around, -first)], surface[around]
            density[place] = _density_of(*its, area_km2[place], half, own)
        yield rows, density


def _density_of(
    persons: NDArray[np.float32],
    surface: NDArray[np.uint8],
    area_km2: NDArray[np.float32],
    half: int,
    own: slice,
) -> NDArray[np.float32]:
    """Density of the rows ``own``, of ``area_km2``, from those around them, too."""
    valid = is_land(surface) & np.isfinite(persons)
    number = window_sums(np.where(valid, persons, 0.0).astype(np.float64), half)[own]
    pixels = window_sums(valid.astype(np.float64), half)[own]
    density = number / (np.maximum(pixels, 1.0) * area_km2)
    return np.where(valid[own], density, np.nan).astype(np.float32)


def _cell_size_px(counts: xr.DataArray, grid: Grid) -> tuple[float, float]:
    """Smallest and largest side of the source's cells in pixels, from its middle and its corners."""
    place, (height, width) = counts.attrs["transform"], counts.shape
    at = np.array(
        [(0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1), (height // 2, width // 2)]
    )
    y, x = place.f + at[:, 0] * place.e, place.c + at[:, 1] * place.a
    to_grid = Transformer.from_crs(counts.attrs["crs"], grid.crs, always_xy=True)
    corner, east, south = (
        np.array(to_grid.transform(x + dx, y + dy)) for dx, dy in ((0, 0), (place.a, 0), (0, place.e))
    )
    sides_px = np.hypot(*np.concatenate([east - corner, south - corner], axis=1)) / grid.resolution_m
    sides_px = sides_px[np.isfinite(sides_px)]
    return float(sides_px.min()), float(sides_px.max())


def _source_positions(counts: xr.DataArray, grid: Grid, pad_px: int) -> NDArray[np.float64]:
    """Fractional (row, column) in the source of a lattice over the padded grid, float64[2, rows, cols].

    Between lattice points 16 pixels apart linear interpolation is off by about a thousandth of a pixel.
    """
    step_m = _LATTICE_STEP_PX * grid.resolution_m
    cols = math.ceil((grid.width + 2 * pad_px) / _LATTICE_STEP_PX) + 1
    rows = math.ceil((grid.height + 2 * pad_px) / _LATTICE_STEP_PX) + 1
    x_m = grid.west_m - pad_px * grid.resolution_m + np.arange(cols) * step_m
    y_m = grid.north_m + pad_px * grid.resolution_m - np.arange(rows) * step_m
    to_source = Transformer.from_crs(grid.crs, counts.attrs["crs"], always_xy=True)
    x, y = to_source.transform(*np.meshgrid(x_m, y_m))
    place = counts.attrs["transform"]
    return np.stack([(y - place.f) / place.e, (x - place.c) / place.a])


@kernel
def count_points(
    position: NDArray[np.float64],
    step_px: int,
    pad_px: int,
    points: int,
    on_land: NDArray[np.uint8],
    dry: NDArray[np.int32],
    every: NDArray[np.int32],
) -> None:
    """Count in ``every`` the sample points of all pixels by source cell, in ``dry`` those on land.

    ``position`` [2, rows, cols]: fractional (row, column) in the source of a lattice of grid positions, one
    per ``step_px`` pixels, that begins ``pad_px`` pixels outside the grid. Each pixel, also of that pad, has
    points x points sample points; beyond the grid they count as land. ``on_land`` uint8[height, width].
    """
    height, width = on_land.shape
    row = np.empty((width + 2 * pad_px) * points)
    col = np.empty((width + 2 * pad_px) * points)
    for line in range((height + 2 * pad_px) * points):
        source_line(position, step_px, points, line, row, col)
        y = line // points - pad_px
        for k in range(row.size):
            cell_row, cell_col = int(np.floor(row[k])), int(np.floor(col[k]))
            if not (0 <= cell_row < every.shape[0] and 0 <= cell_col < every.shape[1]):
                continue
            x = k // points - pad_px
            beyond = y < 0 or y >= height or x < 0 or x >= width
            every[cell_row, cell_col] += 1
            if beyond or on_land[y, x] == 1:
                dry[cell_row, cell_col] += 1


@kernel
def spread_counts(
    counts: NDArray[np.float64],
    position: NDArray[np.float64],
    step_px: int,
    pad_px: int,
    points: int,
    on_land: NDArray[np.uint8],
    dry: NDArray[np.int32],
    every: NDArray[np.int32],
    first_row: int,
    persons: NDArray[np.float64],
) -> None:
    """Fill the rows ``persons`` (from ``first_row`` on): each point takes its part of its cell's count.

    The part is one over the cell's points on land, or over all its points where none is. NaN where no sample
    point of a pixel lies in a cell with data. Other arguments as :func:`count_points`.
    """
    height, width = persons.shape
    row = np.empty((width + 2 * pad_px) * points)
    col = np.empty((width + 2 * pad_px) * points)
    persons[:] = np.nan
    for line in range(height * points):
        source_line(position, step_px, points, line + (first_row + pad_px) * points, row, col)
        y = line // points
        for k in range(pad_px * points, (pad_px + width) * points):
            cell_row, cell_col = int(np.floor(row[k])), int(np.floor(col[k]))
            if not (0 <= cell_row < counts.shape[0] and 0 <= cell_col < counts.shape[1]):
                continue
            count = counts[cell_row, cell_col]
            if np.isnan(count):
                continue
            x = k // points - pad_px
            if np.isnan(persons[y, x]):
                persons[y, x] = 0.0
            if dry[cell_row, cell_col] == 0:
                persons[y, x] += count / every[cell_row, cell_col]
            elif on_land[first_row + y, x] == 1:
                persons[y, x] += count / dry[cell_row, cell_col]


@kernel
def source_line(
    position: NDArray[np.float64],
    step_px: int,
    points: int,
    line: int,
    row: NDArray[np.float64],
    col: NDArray[np.float64],
) -> None:
    """Source (row, column) of the sample points of one line, by bilinear interpolation in the lattice."""
    v = (line + 0.5) / (points * step_px)
    j = min(int(v), position.shape[1] - 2)
    v -= j
    for k in range(row.size):
        u = (k + 0.5) / (points * step_px)
        i = min(int(u), position.shape[2] - 2)
        u -= i
        a, b, c, d = (1.0 - v) * (1.0 - u), (1.0 - v) * u, v * (1.0 - u), v * u
        row[k] = a * position[0, j, i] + b * position[0, j, i + 1]
        row[k] += c * position[0, j + 1, i] + d * position[0, j + 1, i + 1]
        col[k] = a * position[1, j, i] + b * position[1, j, i + 1]
        col[k] += c * position[1, j + 1, i] + d * position[1, j + 1, i + 1]


@kernel
def window_sums(values: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    """Sum over the (2 half + 1)-pixel square around each pixel, cut at the edges.

    Added in a fixed order without differences of running sums: zeros stay exactly 0.
    """
    height, width = values.shape
    across = np.zeros((height, width))
    for y in range(height):
        for offset in range(-half, half + 1):
            for x in range(max(0, -offset), min(width, width - offset)):
                across[y, x] += values[y, x + offset]
    total = np.zeros((height, width))
    for y in range(height):
        for k in range(max(y - half, 0), min(y + half + 1, height)):
            for x in range(width):
                total[y, x] += across[k, x]
    return total
