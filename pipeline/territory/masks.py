"""Polygons on the pixel grid: land and sea, countries, coast, border. A pixel is what its centre lies on.

Beside it land and sea in longitude and latitude, for paths of transmitters far beyond the grid.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import shapely
import xarray as xr
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from pipeline.blocks import map_blocks
from pipeline.errors import InputError
from pipeline.grid.distance import row_distance_px, strips_column_px
from pipeline.grid.grid import LONLAT, STRIP_PX, Box, Grid, strips_of_rows
from pipeline.grid.polygons import Boundaries, cut, project
from pipeline.territory.codes import NO_COUNTRY, Surface

# Polygons are cut to the grid plus this, so that no cut edge touches a pixel centre.
_CUT_MARGIN_DEG = 0.1
_STEP_DEG = 0.0025
# A mask of more pixels takes twice the step, and so on: 0.3 GB of memory at most.
_MAX_PIXELS = 300_000_000
# Rows of a strip that goes to no file: what is made of them on the way has eight bytes a pixel.
_STRIP_PX = 64
# Buffer for the ends of radials, which pass the box by less than a degree.
BUFFER_DEG = 0.5

Shapes = list[BaseGeometry]


class Masks(NamedTuple):
    """``surface`` codes and ``country`` indexes (0 none), uint8[y, x]."""

    surface: NDArray[np.uint8]
    country: NDArray[np.uint8]


class _Projected(NamedTuple):
    territory: Shapes
    home: Shapes
    land: Shapes
    countries: list[Shapes]
    known: Shapes
    world_land: Shapes | None


def compute_masks(boundaries: Boundaries, grid: Grid, *, threads: int = 1) -> Masks:
    """Surface code and country index of each pixel.

    Inside the box that the boundary file knows, its land polygons tell land from sea; elsewhere the world
    polygons do, else it is OUTSIDE. Land without a country polygon is FOREIGN with country 0.
    """
    shapes = _project_all(boundaries, grid)
    masks = Masks(np.empty(grid.shape, np.uint8), np.empty(grid.shape, np.uint8))

    def strip(rows: slice, cols: slice) -> Masks:
        part = grid.window(rows, cols)
        return _strip_masks(shapes, part.shape, part.transform)

    shape, block = grid.shape, (STRIP_PX, grid.width)
    with warnings.catch_warnings():
        # rasterio warns of its own scratch dataset, not of ours.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for rows, _, part in map_blocks(strip, shape, block, threads, name="territory masks"):
            masks.surface[rows], masks.country[rows] = part
    if window_of(lambda rows: masks.surface[rows] == Surface.HOME, grid.shape) is None:
        raise InputError(
            "territory is empty: no pixel centre lies on its land",
            row="grid",
            field="resolution_m",
            value=grid.resolution_m,
        )
    return masks


def territory_window(surface: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns of the padded grid that just hold the territory's land."""
    window = window_of(lambda rows: surface[rows] == Surface.HOME, surface.shape)
    assert window is not None, "compute_masks refuses a territory without land"
    return window


def window_of(
    marked: Callable[[slice], NDArray[np.bool_]], shape: tuple[int, int]
) -> tuple[slice, slice] | None:
    """Rows and columns that just hold the marked pixels of a grid (height, width); None without any.

    ``marked`` tells those of some rows: a mask of the grid is not made.
    """
    in_row, in_col = np.zeros(shape[0], np.bool_), np.zeros(shape[1], np.bool_)
    for rows in strips_of_rows(0, shape[0]):
        its = marked(rows)
        in_row[rows] = its.any(axis=1)
        in_col |= its.any(axis=0)
    if not in_row.any():
        return None
    places = [np.flatnonzero(held) for held in (in_row, in_col)]
    rows, cols = (slice(int(place[0]), int(place[-1]) + 1) for place in places)
    return rows, cols


def distance_strips_km(
    marked: Callable[[slice], NDArray[np.bool_]],
    shape: tuple[int, int],
    resolution_m: float,
    strip_px: int = _STRIP_PX,
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Grid distance in km from each pixel centre to the nearest marked one (inf: none), by strips.

    ``marked`` tells those of some rows of a grid (height, width).
    """
    strips = list(strips_of_rows(0, shape[0], strip_px))
    for rows, column_px in strips_column_px(marked, strips, shape[1]):
        yield rows, row_distance_px(column_px) * np.float32(resolution_m / 1000.0)


def is_land(surface: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True on the codes of land."""
    land = surface != Surface.SEA
    land &= surface != Surface.OUTSIDE
    return land


def coastal_mask(surface: NDArray[np.uint8], resolution_m: float, coastal_km: float) -> NDArray[np.uint8]:
    """1 on land pixels at most ``coastal_km`` from a sea pixel, else 0; uint8[y, x]."""
    coastal = np.zeros(surface.shape, dtype=np.uint8)

    def sea(rows: slice) -> NDArray[np.bool_]:
        return surface[rows] == Surface.SEA

    for rows, distance_km in distance_strips_km(sea, surface.shape, resolution_m):
        coastal[rows] = is_land(surface[rows]) & (distance_km <= coastal_km)
    return coastal


def border_strips_km(
    surface: NDArray[np.uint8], resolution_m: float
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Strips of rows: distance in km from land of the territory to the nearest FOREIGN pixel, NaN elsewhere.

    Foreign land beyond the padded grid is not seen: where the nearest is farther than the margin the value is
    an upper bound.
    """

    def foreign(rows: slice) -> NDArray[np.bool_]:
        return surface[rows] == Surface.FOREIGN

    for rows, distance_km in distance_strips_km(foreign, surface.shape, resolution_m, STRIP_PX):
        yield rows, np.where(surface[rows] == Surface.HOME, distance_km, np.float32(np.nan))


def box_around_deg(grid: Grid) -> Box:
    """Box in degrees to which polygons are cut before they are brought to the CRS of the grid."""
    west, south, east, north = grid.box_deg()
    return west - _CUT_MARGIN_DEG, south - _CUT_MARGIN_DEG, east + _CUT_MARGIN_DEG, north + _CUT_MARGIN_DEG


def _project_all(boundaries: Boundaries, grid: Grid) -> _Projected:
    box = box_around_deg(grid)

    def local(shapes: Iterable[BaseGeometry]) -> Shapes:
        return project(cut(shapes, box), grid.crs)

    by_code = list(zip(boundaries.codes, boundaries.countries, strict=True))
    known, world = boundaries.known_box_deg, boundaries.world_land
    return _Projected(
        local([boundaries.territory]),
        local(shape for code, shape in by_code if code in boundaries.home),
        local(boundaries.land),
        [local([shape]) for shape in boundaries.countries],
        [] if known is None else local([shapely.box(*known)]),
        None if world is None else local(world),
    )


def _strip_masks(shapes: _Projected, shape_px: tuple[int, int], transform: Affine) -> Masks:
    def inside(polygons: Shapes) -> NDArray[np.bool_]:
        return rasterised(polygons, shape_px, transform)

    land = inside(shapes.land)
    if shapes.world_land is None:
        surface = np.where(land, np.uint8(Surface.FOREIGN), np.uint8(Surface.OUTSIDE))
    else:
        beyond = land | inside(shapes.world_land)
        surface = np.where(beyond, np.uint8(Surface.FOREIGN), np.uint8(Surface.SEA))
    known = inside(shapes.known)
    surface[known] = np.where(land[known], np.uint8(Surface.FOREIGN), np.uint8(Surface.SEA))
    country = np.full(surface.shape, NO_COUNTRY, dtype=np.uint8)
    # Backward, so that on overlapping polygons the first code wins.
    for index in range(len(shapes.countries), 0, -1):
        country[inside(shapes.countries[index - 1])] = index
    country[surface != Surface.FOREIGN] = NO_COUNTRY
    for code, polygons in ((Surface.HOME_BEYOND, shapes.home), (Surface.HOME, shapes.territory)):
        own = inside(polygons) & ((surface == Surface.FOREIGN) | (surface == Surface.HOME_BEYOND))
        surface[own] = code
    return Masks(surface, country)


def rasterised(
    shapes: Iterable[BaseGeometry], shape_px: tuple[int, int], transform: Affine
) -> NDArray[np.bool_]:
    """True where the pixel centre lies in a shape; shapes sharing an edge neither overlap nor leave a gap."""
    west, north = transform @ (-1, -1)
    east, south = transform @ (shape_px[1] + 1, shape_px[0] + 1)
    parts = cut(shapes, (west, south, east, north))
    inside = np.zeros(shape_px, dtype=np.uint8)
    if parts:
        rasterize([(part, 1) for part in parts], out=inside, transform=transform)
    return inside.astype(np.bool_)


def paths_box_deg(grid: Grid, lon_deg: ArrayLike, lat_deg: ArrayLike) -> Box:
    """Box of whole degrees that holds the grid and all sites, with half a degree to spare."""
    west, south, east, north = grid.box_deg()
    lon, lat = np.append(lon_deg, [west, east]), np.append(lat_deg, [south, north])
    low = math.floor(lon.min() - BUFFER_DEG), math.floor(lat.min() - BUFFER_DEG)
    high = math.ceil(lon.max() + BUFFER_DEG), math.ceil(lat.max() + BUFFER_DEG)
    return max(low[0], -180), max(low[1], -90), min(high[0], 180), min(high[1], 90)


def surface_mask(
    boundaries: Boundaries,
    box_deg: Box,
    *,
    step_deg: float = _STEP_DEG,
    unknown: Literal["land", "sea"] = "land",
    threads: int = 1,
) -> xr.DataArray:
    """Mask uint8[y, x] of a box, 1 land and 0 sea, rows from north to south; attributes crs and transform.

    Lakes are land (P.1546 knows sea and land; lakes of the boundary files count as land here). Inside the
    box of the boundary file its land decides, beyond it the world polygons. Where neither says anything the
    place counts as ``unknown``: land by default, because the edge of a clip is not a coast.
    """
    west, south, east, north = box_deg
    while (east - west) * (north - south) / step_deg**2 > _MAX_PIXELS:
        step_deg *= 2.0
    width, height = math.ceil((east - west) / step_deg), math.ceil((north - south) / step_deg)
    transform = Affine(step_deg, 0.0, west, 0.0, -step_deg, north)
    values = np.empty((height, width), dtype=np.uint8)

    def strip(rows: slice, cols: slice) -> NDArray[np.uint8]:
        return _land_strip(boundaries, transform, rows, width, unknown)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for rows, _, part in map_blocks(strip, values.shape, (STRIP_PX, width), threads, name="land and sea"):
            values[rows] = part
    attrs = {
        "crs": LONLAT,
        "transform": transform,
        "units": "",
        "long_name": "land 1, sea 0",
        "nodata": None,
        "categories": {0: "sea", 1: "land"},
    }
    return xr.DataArray(values, dims=("y", "x"), attrs=attrs)


def _land_strip(
    boundaries: Boundaries, transform: Affine, rows: slice, width: int, unknown: str
) -> NDArray[np.uint8]:
    shape, place = (rows.stop - rows.start, width), transform @ Affine.translation(0, rows.start)
    land = rasterised(boundaries.land, shape, place)
    if boundaries.world_land is None:
        result = land | (unknown == "land")
    else:
        result = land | rasterised(boundaries.world_land, shape, place)
    if boundaries.known_box_deg is not None:
        known = rasterised(cut([shapely.box(*boundaries.known_box_deg)], (-180, -90, 180, 90)), shape, place)
        result[known] = land[known]
    return result.astype(np.uint8)
