"""People on the pixel grid: counts of a raster shared out without loss, or places spread over an extent."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer

from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.grid.raster import read_external
from pipeline.territory.codes import Surface
from pipeline.territory.masks import STRIP_PX, is_land
from pipeline.territory.population_kernels import count_points, share_counts, window_sums

# A place is spread over the area it would fill at the density of a European town (project choice,
# docs/method.md).
PLACE_DENSITY_PER_KM2 = 2000.0
DENSITY_WINDOW_M = 1000.0
# Sample points along the smaller side of a source cell; step of the lattice of projected positions.
POINTS_PER_CELL = 6.0
LATTICE_STEP_PX = 16
PLACE_COLUMNS = ("latitude", "longitude", "population")


class Place(NamedTuple):
    """A populated place, WGS84 degrees."""

    lon_deg: float
    lat_deg: float
    persons: float


def read_counts(path: str | Path, grid: Grid) -> xr.DataArray:
    """The part of a raster of persons per cell that the grid touches; float64[y, x], NaN no data.

    Attributes ``crs`` and ``transform`` as :func:`pipeline.grid.raster.read_external`. Negative counts are
    refused.
    """
    whole = read_external(path)
    to_source = Transformer.from_crs(grid.crs, whole.attrs["crs"], always_xy=True)
    counts = read_external(path, bounds=to_source.transform_bounds(*grid.bounds_m, densify_pts=101))
    values = counts.values.astype(np.float64)
    nodata = counts.attrs["nodata"]
    if nodata is not None:
        # float32 files may state the nodata value in other digits than they store.
        values[np.isclose(values, nodata, rtol=1e-6, atol=0.0)] = np.nan
    if (values < 0).any():
        least = float(np.nanmin(values))
        raise InputError("negative number of persons", file=path, value=least, allowed="0 or more")
    if np.isinf(values).any():
        raise InputError("number of persons is infinite", file=path, allowed="finite numbers")
    return counts.copy(data=values)


def population_strips(
    counts: xr.DataArray, grid: Grid, surface: NDArray[np.uint8]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Persons per pixel by strips of rows, float32[rows, width], NaN where the source has no data.

    The grid is sampled at n x n points per pixel, n such that the smaller side of a source cell holds six
    points. The count of a cell is divided equally among the points in it; if some of them lie on land (or
    beyond the grid), only among those, so that people of a coastal cell do not end up in the sea. The shares
    of a cell sum to its count, so totals are kept for every cell that lies wholly in the grid.
    """
    cell_px = _cell_size_px(counts, grid)
    points = max(1, math.ceil(POINTS_PER_CELL / cell_px[0]))
    pad_px = math.ceil(cell_px[1]) + 1
    position = _source_positions(counts, grid, pad_px)
    on_land = (surface != Surface.SEA).astype(np.uint8)
    dry, every = np.zeros(counts.shape, dtype=np.int32), np.zeros(counts.shape, dtype=np.int32)
    count_points(position, LATTICE_STEP_PX, pad_px, points, on_land, dry, every)
    for first in range(0, grid.height, STRIP_PX):
        rows = slice(first, min(first + STRIP_PX, grid.height))
        persons = np.empty((rows.stop - rows.start, grid.width), dtype=np.float64)
        share_counts(
            counts.values, position, LATTICE_STEP_PX, pad_px, points, on_land, dry, every, first, persons
        )
        yield rows, persons.astype(np.float32)


def read_places(path: str | Path) -> list[Place]:
    """Places of a CSV with the columns latitude, longitude (WGS84 degrees) and population."""
    reader = csv.DictReader(_lines(Path(path)))
    for column in PLACE_COLUMNS:
        if column not in (reader.fieldnames or ()):
            raise InputError("column is missing", file=path, row=1, field=column, value=reader.fieldnames)
    places = [_place(path, reader.line_num, record) for record in reader]
    if not places:
        raise InputError("no places", file=path, allowed="at least one row")
    return places


def places_population(places: list[Place], grid: Grid, surface: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Persons per pixel from places, float32[height, width]; 0 away from them.

    A list of places says where the middle of a settlement is, not how far it reaches. Each place is spread
    evenly over the pixels nearest to it, as many as its population fills at 2000 persons per km2 (at least
    one), so that a city is neither one crowded pixel nor spread over the country. Only land takes part; a
    place without land within twice its radius keeps its nearest pixels. The sum over the pixels is the
    population of the place; the share of pixels beyond the grid's edge is left out. Settlements that the list
    leaves out count as empty.
    """
    persons = np.zeros(surface.shape, dtype=np.float64)
    to_grid = grid.from_lonlat()
    lon_deg, lat_deg = [p.lon_deg for p in places], [p.lat_deg for p in places]
    x_m, y_m = to_grid.transform(np.asarray(lon_deg), np.asarray(lat_deg))
    col = (x_m - grid.west_m) / grid.resolution_m - 0.5
    row = (grid.north_m - y_m) / grid.resolution_m - 0.5
    pixel_km2 = (grid.resolution_m / 1000.0) ** 2
    for place, place_row, place_col in zip(places, row, col, strict=True):
        count = max(1, math.ceil(place.persons / PLACE_DENSITY_PER_KM2 / pixel_km2))
        _spread(place.persons, count, place_row, place_col, surface, persons)
    return persons.astype(np.float32)


def density_strips(
    population: NDArray[np.float32], grid: Grid, surface: NDArray[np.uint8]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Persons per km2 of land in the window around each land pixel, by strips; float32, NaN off land.

    The window is the smallest odd number of pixels that spans 1 km; only its land pixels with data count, in
    persons and in area, so that a village at the sea is as dense as one inland.
    """
    half = max(math.ceil(DENSITY_WINDOW_M / grid.resolution_m) // 2, 0)
    half += (2 * half + 1) * grid.resolution_m < DENSITY_WINDOW_M
    for first in range(0, grid.height, STRIP_PX):
        rows = slice(first, min(first + STRIP_PX, grid.height))
        around = slice(max(rows.start - half, 0), min(rows.stop + half, grid.height))
        valid = is_land(surface[around]) & np.isfinite(population[around])
        own = slice(rows.start - around.start, rows.stop - around.start)
        persons = window_sums(np.where(valid, population[around], 0.0).astype(np.float64), half)[own]
        pixels = window_sums(valid.astype(np.float64), half)[own]
        density = persons / (np.maximum(pixels, 1.0) * grid.area_km2(rows))
        yield rows, np.where(valid[own], density, np.nan).astype(np.float32)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError("file not found", file=path, allowed="an existing CSV file")
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read as UTF-8 text ({type(error).__name__})"
        raise InputError(problem, file=path, allowed="a CSV file in UTF-8") from None


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
    step_m = LATTICE_STEP_PX * grid.resolution_m
    cols = math.ceil((grid.width + 2 * pad_px) / LATTICE_STEP_PX) + 1
    rows = math.ceil((grid.height + 2 * pad_px) / LATTICE_STEP_PX) + 1
    x_m = grid.west_m - pad_px * grid.resolution_m + np.arange(cols) * step_m
    y_m = grid.north_m + pad_px * grid.resolution_m - np.arange(rows) * step_m
    to_source = Transformer.from_crs(grid.crs, counts.attrs["crs"], always_xy=True)
    x, y = to_source.transform(*np.meshgrid(x_m, y_m))
    place = counts.attrs["transform"]
    return np.stack([(y - place.f) / place.e, (x - place.c) / place.a])


def _place(path: str | Path, row: int, record: dict[str, str]) -> Place:
    limits = {"latitude": (-90.0, 90.0), "longitude": (-180.0, 180.0), "population": (0.0, 1e9)}
    numbers = {}
    for column, (low, high) in limits.items():
        try:
            numbers[column] = float(record[column])
        except (TypeError, ValueError):
            numbers[column] = math.nan
        if not low <= numbers[column] <= high:
            raise InputError(
                "not a number in range",
                file=path,
                row=row,
                field=column,
                value=record[column],
                allowed=f"{low:g} to {high:g}",
            )
    return Place(numbers["longitude"], numbers["latitude"], numbers["population"])


def _spread(
    total: float, count: int, row: float, col: float, surface: NDArray[np.uint8], persons: NDArray[np.float64]
) -> None:
    """Add a place at pixel position (row, col) evenly to the ``count`` nearest land pixels of ``persons``."""
    height, width = surface.shape
    reach = math.ceil(2.0 * math.sqrt(count / math.pi)) + 1
    if not (-reach <= row < height + reach and -reach <= col < width + reach):
        return
    around = np.arange(-reach, reach + 1)
    rows, cols = round(row) + around, round(col) + around
    in_rows, in_cols = (rows >= 0) & (rows < height), (cols >= 0) & (cols < width)
    land = np.ones((rows.size, cols.size), dtype=np.bool_)
    inside = np.ix_(in_rows, in_cols)
    land[inside] = surface[np.ix_(rows[in_rows], cols[in_cols])] != Surface.SEA
    squared = (rows[:, None] - row) ** 2 + (cols[None, :] - col) ** 2
    # Sea comes after all land; ties are taken row by row, the same on every machine.
    order = np.argsort(np.where(land, squared, squared + 1e12), axis=None, kind="stable")
    taken = order[: min(count, max(int(land.sum()), 1))] if land.any() else order[:count]
    share = np.zeros(land.shape)
    share.flat[taken] = total / taken.size
    persons[np.ix_(rows[in_rows], cols[in_cols])] += share[inside]
