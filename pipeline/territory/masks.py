"""Polygons on the pixel grid: land and sea, countries, coast, border. A pixel is what its centre lies on."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from pipeline.blocks import map_blocks
from pipeline.errors import InputError
from pipeline.grid.distance import column_distance_px, row_distance_px
from pipeline.grid.grid import STRIP_PX, Box, Grid
from pipeline.grid.polygons import Boundaries, cut, project
from pipeline.territory.codes import NO_COUNTRY, Surface

# Polygons are cut to the grid plus this, so that no cut edge touches a pixel centre.
CUT_MARGIN_DEG = 0.1


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
    masks = Masks(
        np.empty((grid.height, grid.width), np.uint8), np.empty((grid.height, grid.width), np.uint8)
    )

    def strip(rows: slice, cols: slice) -> Masks:
        part = grid.window(rows, cols)
        return _strip_masks(shapes, part.shape, part.transform)

    shape, block = (grid.height, grid.width), (STRIP_PX, grid.width)
    with warnings.catch_warnings():
        # rasterio warns of its own scratch dataset, not of ours.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for rows, _, part in map_blocks(strip, shape, block, threads, name="territory masks"):
            masks.surface[rows], masks.country[rows] = part
    if not (masks.surface == Surface.HOME).any():
        raise InputError(
            "territory is empty: no pixel centre lies on its land",
            row="grid",
            field="resolution_m",
            value=grid.resolution_m,
        )
    return masks


def territory_window(surface: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns of the padded grid that just hold the territory's land."""
    home = surface == Surface.HOME
    rows, cols = np.flatnonzero(home.any(axis=1)), np.flatnonzero(home.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def distance_strips_km(
    marked: NDArray[np.bool_], resolution_m: float
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Grid distance in km from each pixel centre to the nearest marked one (inf: none), by strips."""
    column_px = column_distance_px(marked)
    for first in range(0, len(marked), STRIP_PX):
        rows = slice(first, min(first + STRIP_PX, len(marked)))
        yield rows, row_distance_px(column_px[rows]) * np.float32(resolution_m / 1000.0)


def is_land(surface: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True on the codes of land."""
    return (surface != Surface.SEA) & (surface != Surface.OUTSIDE)


def coastal_mask(surface: NDArray[np.uint8], resolution_m: float, coastal_km: float) -> NDArray[np.uint8]:
    """1 on land pixels at most ``coastal_km`` from a sea pixel, else 0; uint8[y, x]."""
    coastal = np.zeros(surface.shape, dtype=np.uint8)
    land = is_land(surface)
    for rows, distance_km in distance_strips_km(surface == Surface.SEA, resolution_m):
        coastal[rows] = land[rows] & (distance_km <= coastal_km)
    return coastal


def border_strips_km(
    surface: NDArray[np.uint8], resolution_m: float
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Strips of rows: distance in km from land of the territory to the nearest FOREIGN pixel, NaN elsewhere.

    Foreign land beyond the padded grid is not seen: where the nearest is farther than the margin the value is
    an upper bound.
    """
    for rows, distance_km in distance_strips_km(surface == Surface.FOREIGN, resolution_m):
        yield rows, np.where(surface[rows] == Surface.HOME, distance_km, np.float32(np.nan))


def box_around_deg(grid: Grid) -> Box:
    """Box in degrees to which polygons are cut before they are brought to the CRS of the grid."""
    west, south, east, north = grid.box_deg()
    return west - CUT_MARGIN_DEG, south - CUT_MARGIN_DEG, east + CUT_MARGIN_DEG, north + CUT_MARGIN_DEG


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
