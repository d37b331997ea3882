"""The padded pixel grid: checks of the CRS, snapping, true pixel areas and pixel positions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer
from pyproj.exceptions import CRSError

from pipeline.errors import InputError
from pipeline.grid.raster import Grid, grid_bounds_m, pixel_centres_m

LONLAT = "EPSG:4326"
# A side fits in uint16 (distance kernel); the total keeps one float32 layer below 2 GB.
MAX_SIDE_PX = 60_000
MAX_PIXELS = 500_000_000
LATTICE_STEP_M = 8000.0
SCALE_SAMPLES = 9
# A national grid is true within a thousandth, EPSG:3035 over Europe within a few hundredths; Mercator maps
# of the web, or the grid of another country, are not.
SCALE_TOLERANCE = 0.1


def checked_crs(crs: str, *, file: str | None = None) -> CRS:
    """The CRS of a text, refused unless it is known, projected and in metres."""
    wanted = "a projected CRS in metres, e.g. EPSG:3035 or the national grid"
    try:
        known = CRS.from_user_input(crs)
    except CRSError:
        raise InputError(
            "unknown coordinate reference system",
            file=file,
            row="grid",
            field="crs",
            value=crs,
            allowed=wanted,
        ) from None
    if not known.is_projected:
        raise InputError(
            "CRS is not projected", file=file, row="grid", field="crs", value=crs, allowed=wanted
        )
    units = {axis.unit_name for axis in known.axis_info[:2]}
    if units != {"metre"}:
        raise InputError(
            "CRS is not in metres", file=file, row="grid", field="crs", value=crs, allowed=wanted
        )
    if len(known.axis_info) != 2 or any(axis.direction == "west" for axis in known.axis_info):
        axes = ", ".join(axis.direction for axis in known.axis_info)
        raise InputError(
            f"CRS has the axes {axes}",
            file=file,
            row="grid",
            field="crs",
            value=crs,
            allowed=f"{wanted}, with axes east and north",
        )
    return known


def make_grid(
    crs: str,
    resolution_m: float,
    bounds_m: tuple[float, float, float, float],
    margin_m: float,
    *,
    file: str | None = None,
) -> Grid:
    """Grid that covers ``bounds_m`` (west, south, east, north, projected) and a margin on all sides.

    Its corners are multiples of ``resolution_m``, so that grids of one CRS and resolution share their pixels.
    """
    checked_crs(crs, file=file)
    if not (math.isfinite(resolution_m) and resolution_m > 0):
        raise InputError(
            "pixel size must be positive",
            file=file,
            row="grid",
            field="resolution_m",
            value=resolution_m,
            allowed="metres above 0",
        )
    if not all(map(math.isfinite, bounds_m)):
        raise InputError(
            "the territory cannot be projected: it leaves the area of the CRS",
            file=file,
            row="grid",
            field="crs",
            value=crs,
        )
    west, south = (math.floor((v - margin_m) / resolution_m) for v in bounds_m[:2])
    east, north = (math.ceil((v + margin_m) / resolution_m) for v in bounds_m[2:])
    width, height = east - west, north - south
    if width < 1 or height < 1:
        raise InputError("territory is empty", file=file, row="territory", value=bounds_m)
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise InputError(
            "grid is too large",
            file=file,
            row="grid",
            field="resolution_m",
            value=f"{width} x {height} pixels",
            allowed=f"sides up to {MAX_SIDE_PX}, {MAX_PIXELS} in all; take larger pixels or a `bbox_deg`",
        )
    _check_scale(crs, bounds_m, file)
    return Grid(crs, resolution_m, west * resolution_m, north * resolution_m, width, height)


def _check_scale(crs: str, bounds_m: tuple[float, float, float, float], file: str | None) -> None:
    """Refuse a CRS whose distances are wrong on the territory: a pixel would not have the size it claims."""
    projection = Proj(crs)
    x_m, y_m = (np.linspace(bounds_m[i], bounds_m[i + 2], SCALE_SAMPLES) for i in (0, 1))
    factors = projection.get_factors(*projection(*np.meshgrid(x_m, y_m), inverse=True))
    least, most = np.min(factors.tissot_semiminor), np.max(factors.tissot_semimajor)
    if not (least >= 1.0 - SCALE_TOLERANCE and most <= 1.0 + SCALE_TOLERANCE):
        raise InputError(
            f"distances in this CRS are {least:.2f} to {most:.2f} times the true ones on the territory",
            file=file,
            row="grid",
            field="crs",
            value=crs,
            allowed=f"a projected CRS made for this place, true within {100.0 * SCALE_TOLERANCE:g} %",
        )


def lonlat_box_deg(grid: Grid) -> tuple[float, float, float, float]:
    """Box (west, south, east, north) in degrees that holds the grid."""
    to_lonlat = Transformer.from_crs(grid.crs, LONLAT, always_xy=True)
    west, south, east, north = to_lonlat.transform_bounds(*grid_bounds_m(grid), densify_pts=101)
    if west > east:
        raise InputError("grid crosses the 180 degree meridian", row="grid", field="crs", value=grid.crs)
    return west, south, east, north


def pixel_lonlat_deg(
    grid: Grid, rows: slice | None = None, cols: slice | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude (WGS84) of the pixel centres of a part of the grid, each [rows, cols]."""
    x_m, y_m = pixel_centres_m(grid)
    to_lonlat = Transformer.from_crs(grid.crs, LONLAT, always_xy=True)
    lon_deg, lat_deg = to_lonlat.transform(*np.meshgrid(x_m[cols or slice(None)], y_m[rows or slice(None)]))
    return lon_deg, lat_deg


def true_area_km2(grid: Grid, rows: slice | None = None, cols: slice | None = None) -> NDArray[np.float32]:
    """Area on the ellipsoid of the pixels of a part of the grid, float32[rows, cols].

    Pixel area over the areal scale of the projection (Snyder 1987, the product of the Tissot semi-axes),
    which is computed on a lattice of 8 km and interpolated linearly: within 1e-5 of the geodesic
    polygon.
    """
    row = np.arange(grid.height, dtype=np.float64)[rows or slice(None)]
    col = np.arange(grid.width, dtype=np.float64)[cols or slice(None)]
    row_lattice, col_lattice = _lattice(row, grid), _lattice(col, grid)
    to_lonlat = Transformer.from_crs(grid.crs, LONLAT, always_xy=True)
    x_m = grid.west_m + (col_lattice + 0.5) * grid.resolution_m
    y_m = grid.north_m - (row_lattice + 0.5) * grid.resolution_m
    lon_deg, lat_deg = to_lonlat.transform(*np.meshgrid(x_m, y_m))
    scale = np.asarray(Proj(grid.crs).get_factors(lon_deg, lat_deg).areal_scale)
    lattice_km2 = (grid.resolution_m / 1000.0) ** 2 / scale
    by_row = np.stack([np.interp(row, row_lattice, column) for column in lattice_km2.T], axis=1)
    return np.stack([np.interp(col, col_lattice, line) for line in by_row]).astype(np.float32)


def _lattice(index: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Multiples of the lattice step around the pixel indexes: the same for every division of the grid."""
    step_px = max(round(LATTICE_STEP_M / grid.resolution_m), 1)
    first, last = int(index[0]) // step_px, int(index[-1]) // step_px + 1
    return np.arange(first, last + 1, dtype=np.float64) * step_px
