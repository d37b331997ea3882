"""Where a place is on the grid and on the web's map, by polynomials that a page can evaluate as well.

A page would need a projection library, and its datum grids, to find the pixel under the pointer. Instead the
way from lon/lat to (column, row) is fitted once by Chebyshev polynomials over the territory: the page, the
tiles and the numbers then agree to the last pixel, in any CRS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.transformer import TransformerGroup

from pipeline.grid.grid import LONLAT, Box, Grid

_Floats = NDArray[np.float64]
WEB_TILE_PX = 512
EQUATOR_M = 40_075_016.686  # 2 pi x 6,378,137 m, the sphere of the web's Mercator map
_DEGREES = (6, 10, 16, 24)
# Of a pixel. Datum shifts by a grid are not smooth: the best fit is taken where none is good.
_GOOD_PX, _OTHER_PIXEL = 1e-4, 0.5
_CHECK_POINTS = 61
_DECIMALS = 9  # of a coefficient: below 1e-6 pixels, and above the noise of the arithmetic
_EDGE_POINTS = 201


class Fit(NamedTuple):
    """Two functions of (u, v) within ``box`` (u0, v0, u1, v1); coefficients [order in v, order in u]."""

    box: Box
    first: _Floats
    second: _Floats
    error: float


def fit(function: Callable[[_Floats, _Floats], tuple[_Floats, _Floats]], box: Box, good: float) -> Fit:
    """The polynomial of the lowest degree in ``_DEGREES`` whose error between the nodes is ``good``.

    ``error`` is the largest absolute difference at ``_CHECK_POINTS`` squared points evenly over the box;
    where no degree is good enough, the best one is returned.
    """
    check_u, check_v = (np.linspace(box[i], box[i + 2], _CHECK_POINTS) for i in (0, 1))
    wanted = function(*np.meshgrid(check_u, check_v))
    if not np.isfinite(wanted).all():
        raise ValueError(f"not defined all over {box}")
    best: Fit | None = None
    for degree in _DEGREES:
        first, second = _coefficients(function, box, degree + 1)
        found = Fit(box, first, second, math.inf)
        given = evaluate(found, check_u, check_v)
        error = max(float(np.abs(a - b).max()) for a, b in zip(given, wanted, strict=True))
        if best is None or error < best.error:
            best = found._replace(error=error)
        if best.error <= good:
            break
    assert best is not None
    return best


def evaluate(fitted: Fit, u: _Floats, v: _Floats) -> tuple[_Floats, _Floats]:
    """Both functions on the lattice of ``u`` and ``v``, each [v, u]."""
    size = len(fitted.first) - 1
    across = chebyshev.chebvander(_unit(u, fitted.box[0], fitted.box[2]), size)
    down = chebyshev.chebvander(_unit(v, fitted.box[1], fitted.box[3]), size)
    return down @ fitted.first @ across.T, down @ fitted.second @ across.T


def one_operation(grid: Grid, box_deg: Box) -> Transformer:
    """The way from lon/lat to the grid that suits the box best.

    `Transformer.from_crs` changes its mind from point to point, within the territory hardly ever, but beyond
    the area for which a datum shift is meant: there it leaps by a hundred metres, and no polynomial follows.
    """
    west, east = ((lon_deg + 180.0) % 360.0 - 180.0 for lon_deg in (box_deg[0], box_deg[2]))
    area = AreaOfInterest(west, box_deg[1], east, box_deg[3])
    group = TransformerGroup(LONLAT, grid.crs, always_xy=True, area_of_interest=area)  # type: ignore[arg-type]
    return group.transformers[0]


def pixels_of_lonlat(grid: Grid, box_deg: Box) -> Fit:
    """Fractional (column, row) of (lon, lat) in degrees; whole at the upper left corners of pixels."""
    to_grid = one_operation(grid, box_deg)

    def pixel(lon_deg: _Floats, lat_deg: _Floats) -> tuple[_Floats, _Floats]:
        row, col = grid.row_col(*to_grid.transform(lon_deg, lat_deg))
        return col, row

    return fit(pixel, box_deg, _GOOD_PX)


def lonlat_of_pixels(grid: Grid, box_px: Box, box_deg: Box) -> Fit:
    """(lon, lat) in degrees of (column, row), continuous across 180 degrees; for the outline of a pixel."""
    good_deg = _GOOD_PX * grid.resolution_m / EQUATOR_M * 360.0
    to_grid = one_operation(grid, box_deg)
    middle_deg = (box_deg[0] + box_deg[2]) / 2.0

    def lonlat(col: _Floats, row: _Floats) -> tuple[_Floats, _Floats]:
        lon_deg, lat_deg = to_grid.transform(*grid.xy_m(row, col), direction="INVERSE")
        return (lon_deg - middle_deg + 180.0) % 360.0 - 180.0 + middle_deg, lat_deg

    return fit(lonlat, box_px, good_deg)


def worst_px(place: Fit, grid: Grid, cols: _Floats, rows: _Floats) -> float:
    """Largest distance, in columns or rows, between a fit and the project's own way, at the given places.

    Refused if it would point to another pixel: half a pixel or more.
    """
    lon_deg, lat_deg = grid.to_lonlat().transform(*grid.xy_m(rows, cols))
    middle_deg = (place.box[0] + place.box[2]) / 2.0
    u = _unit((lon_deg - middle_deg + 180.0) % 360.0 - 180.0 + middle_deg, place.box[0], place.box[2])
    v = _unit(lat_deg, place.box[1], place.box[3])
    found = (chebyshev.chebval2d(v, u, coefficients) for coefficients in (place.first, place.second))
    worst = max(float(np.abs(a - b).max()) for a, b in zip(found, (cols, rows), strict=True))
    if not worst < _OTHER_PIXEL:
        raise ValueError(f"{grid.crs} is not smooth over {place.box}: {worst:g} pixels from polynomials")
    return worst


def box_of_pixels(grid: Grid, box_px: Box) -> Box:
    """West, south, east, north in degrees around a box of pixels (columns, rows); east may exceed 180."""
    col, row = (np.linspace(box_px[i], box_px[i + 2], _EDGE_POINTS) for i in (0, 1))
    lon_deg, lat_deg = grid.to_lonlat().transform(*np.meshgrid(*grid.xy_m(row, col)))
    middle_deg = float(lon_deg[_EDGE_POINTS // 2, _EDGE_POINTS // 2])
    lon_deg = (lon_deg - middle_deg + 180.0) % 360.0 - 180.0 + middle_deg
    room_deg = grid.resolution_m / EQUATOR_M * 360.0
    return (
        float(lon_deg.min()) - 2 * room_deg,
        float(lat_deg.min()) - room_deg,
        float(lon_deg.max()) + 2 * room_deg,
        float(lat_deg.max()) + room_deg,
    )


def zooms_of(box_deg: Box, resolution_m: float) -> range:
    """Zooms of 512-pixel tiles: from the territory in half a tile to tile pixels no larger than its own."""
    nearest_deg = 0.0 if box_deg[1] <= 0.0 <= box_deg[3] else min(abs(box_deg[1]), abs(box_deg[3]))
    around_m = EQUATOR_M * math.cos(math.radians(nearest_deg))
    finest = math.ceil(math.log2(around_m / WEB_TILE_PX / resolution_m))
    x0, y0, x1, y1 = _mercator_box(box_deg)
    coarsest = math.floor(math.log2(0.5 / max(x1 - x0, y1 - y0)))
    return range(max(0, min(coarsest, finest)), max(0, finest) + 1)


def tiles_of(box_deg: Box, zoom: int) -> Iterator[tuple[int, int]]:
    """(x, y) of all tiles of a zoom that meet the box; x counts on across 180 degrees."""
    x0, y0, x1, y1 = (math.floor(value * 2**zoom) for value in _mercator_box(box_deg))
    yield from ((x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1))


def tile_centres_deg(zoom: int, x: int, y: int) -> tuple[_Floats, _Floats]:
    """Longitudes of the columns and latitudes of the rows of a tile's pixel centres."""
    steps = (np.arange(WEB_TILE_PX) + 0.5) / WEB_TILE_PX
    lon_deg = (x + steps) / 2**zoom * 360.0 - 180.0
    lat_deg = np.degrees(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * (y + steps) / 2**zoom))))
    return lon_deg, lat_deg


def _coefficients(
    function: Callable[[_Floats, _Floats], tuple[_Floats, _Floats]], box: Box, nodes: int
) -> tuple[_Floats, _Floats]:
    """Coefficients by interpolation at the Chebyshev nodes of the box, rounded to ``_DECIMALS``."""
    unit = chebyshev.chebpts1(nodes)
    u, v = ((box[i] + box[i + 2]) / 2 + unit * (box[i + 2] - box[i]) / 2 for i in (0, 1))
    weights = (
        chebyshev.chebvander(unit, nodes - 1).T * np.where(np.arange(nodes) == 0, 1.0, 2.0)[:, None] / nodes
    )
    first, second = function(*np.meshgrid(u, v))
    first, second = (np.round(weights @ values @ weights.T, _DECIMALS) + 0.0 for values in (first, second))
    return first, second


def _unit(values: _Floats, low: float, high: float) -> _Floats:
    return (2.0 * np.asarray(values, dtype=np.float64) - low - high) / (high - low)


def _mercator_box(box_deg: Box) -> Box:
    """Box in the unit square of the web's map: x east from 180 W, y south from 85.05 N."""
    west, south, east, north = box_deg
    x0, x1 = (west + 180.0) / 360.0, (east + 180.0) / 360.0
    y0, y1 = (0.5 - math.asinh(math.tan(math.radians(lat))) / (2.0 * math.pi) for lat in (north, south))
    return x0, y0, x1, y1
