"""The padded pixel grid: its arithmetic, the checks of its CRS, its snapping to whole pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Geod, Proj, Transformer
from pyproj.exceptions import CRSError
from pyproj.proj import Factors

from pipeline.errors import InputError

# Longitude and latitude in degrees, WGS84: what registers and users give.
LONLAT = "EPSG:4326"
# Geodesics on its ellipsoid.
GEOD = Geod(ellps="WGS84")
# West, south, east, north, in degrees or metres.
Box = tuple[float, float, float, float]
# Rows of a strip: files are read and written fastest by whole tiles, of which it is a multiple.
STRIP_PX = 512
# A side fits in uint16 (distance kernel); the total keeps one float32 layer below 2 GB.
_MAX_SIDE_PX = 60_000
_MAX_PIXELS = 500_000_000
# Samples of the areal scale, which varies smoothly.
_AREA_STEP_M = 8000.0
# Samples per axis: of the check of a CRS, and of the search for the largest scale.
_CHECK_SAMPLES = 9
_SCALE_SAMPLES = 129
# A national grid is true within a thousandth, EPSG:3035 over Europe within a few hundredths; Mercator maps
# of the web, or the grid of another country, are not.
_SCALE_TOLERANCE = 0.1

_Number = TypeVar("_Number", float, NDArray[np.float64])


def strips_of_rows(first: int, last: int, strip_px: int = STRIP_PX) -> Iterator[slice]:
    """Rows first..last-1 in pieces that fit into memory."""
    for start in range(first, last, strip_px):
        yield slice(start, min(start + strip_px, last))


@lru_cache(maxsize=16)
def transformer(source: str, target: str) -> Transformer:
    """From one CRS to another, longitude before latitude. Made once, in 20 ms.

    Several threads may use it, each makes its own parts of it.
    """
    return Transformer.from_crs(source, target, always_xy=True)


class Grid(NamedTuple):
    """A north-up grid of square pixels in a projected CRS, snapped to multiples of ``resolution_m``.

    ``west_m`` and ``north_m`` are the outer corner of the upper left pixel. Rows count southwards, columns
    eastwards; a part of the grid is a slice of rows and a slice of columns, left out for all of them.
    """

    crs: str
    resolution_m: float
    west_m: float
    north_m: float
    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def transform(self) -> Affine:
        """Affine transform from (column, row) of pixel corners to projected metres."""
        return Affine(self.resolution_m, 0.0, self.west_m, 0.0, -self.resolution_m, self.north_m)

    @property
    def bounds_m(self) -> Box:
        """Outer edges (west, south, east, north) in projected metres."""
        return self.box_m(slice(0, self.height), slice(0, self.width))

    def box_m(self, rows: slice, cols: slice) -> Box:
        """Outer edges (west, south, east, north) of some pixels in projected metres."""
        (west_m, north_m), (east_m, south_m) = (
            self.xy_m(rows.start, cols.start),
            self.xy_m(rows.stop, cols.stop),
        )
        return west_m, south_m, east_m, north_m

    def window(self, rows: slice, cols: slice) -> Grid:
        """The grid of a part."""
        west_m, north_m = self.xy_m(rows.start, cols.start)
        width, height = cols.stop - cols.start, rows.stop - rows.start
        return Grid(self.crs, self.resolution_m, west_m, north_m, width, height)

    def offset_px(self, other: Grid) -> tuple[int, int]:
        """Row and column at which another grid of the same pixels begins in this one."""
        row, col = self.row_col(other.west_m, other.north_m)
        return round(row), round(col)

    def spanning(self, box_m: Box) -> Grid:
        """The grid of equal pixels from the north-west corner of a box that just covers it."""
        west_m, south_m, east_m, north_m = box_m
        width = math.ceil((east_m - west_m) / self.resolution_m)
        height = math.ceil((north_m - south_m) / self.resolution_m)
        return Grid(self.crs, self.resolution_m, west_m, north_m, width, height)

    def xy_m(self, row: _Number, col: _Number) -> tuple[_Number, _Number]:
        """Projected coordinates of (row, column); whole numbers are the upper left corners of pixels."""
        return self.west_m + col * self.resolution_m, self.north_m - row * self.resolution_m

    def row_col(self, x_m: _Number, y_m: _Number) -> tuple[_Number, _Number]:
        """Row and column of projected points; whole numbers are the upper left corners of pixels."""
        return (self.north_m - y_m) / self.resolution_m, (x_m - self.west_m) / self.resolution_m

    def pixel_at(self, x_m: float, y_m: float) -> tuple[int, int]:
        """Row and column of the pixel, of the grid or beyond it, that holds a projected point.

        (-1, -1) where the coordinates are not finite: beyond the projection.
        """
        if not (math.isfinite(x_m) and math.isfinite(y_m)):
            return -1, -1
        row, col = self.row_col(x_m, y_m)
        return math.floor(row), math.floor(col)

    def pixel_of(self, lon_deg: float, lat_deg: float) -> tuple[int, int]:
        """Row and column of the pixel that holds a place; see :meth:`pixel_at`."""
        return self.pixel_at(*self.from_lonlat().transform(lon_deg, lat_deg))

    def pixels_of(
        self, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """The same of places [n], as whole numbers or not finite, and whether the pixels are of the grid."""
        row, col = (np.floor(edge) for edge in self.row_col(*self.from_lonlat().transform(lon_deg, lat_deg)))
        return row, col, (row >= 0) & (row < self.height) & (col >= 0) & (col < self.width)

    def has_pixel(self, row: int, col: int) -> bool:
        """Whether a pixel is one of the grid."""
        return 0 <= row < self.height and 0 <= col < self.width

    def from_lonlat(self) -> Transformer:
        """Transform from longitude and latitude to projected metres."""
        return transformer(LONLAT, self.crs)

    def to_lonlat(self) -> Transformer:
        """Transform from projected metres to longitude and latitude."""
        return transformer(self.crs, LONLAT)

    def centres_m(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Projected coordinates of the pixel centres: ``x_m[width]`` rising, ``y_m[height]`` falling."""
        row, col = np.arange(self.height, dtype=np.float64), np.arange(self.width, dtype=np.float64)
        return self.xy_m(row + 0.5, col + 0.5)

    def lonlat_deg(
        self, rows: slice | None = None, cols: slice | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude of the pixel centres of a part of the grid, each [rows, cols]."""
        x_m, y_m = self.centres_m()
        mesh_m = np.meshgrid(x_m[cols or slice(None)], y_m[rows or slice(None)])
        lon_deg, lat_deg = self.to_lonlat().transform(*mesh_m)
        return lon_deg, lat_deg

    def box_deg(self) -> Box:
        """Box (west, south, east, north) in degrees that holds the grid."""
        west, south, east, north = self.to_lonlat().transform_bounds(*self.bounds_m, densify_pts=101)
        if west > east:
            raise InputError("grid crosses the 180 degree meridian", row="grid", field="crs", value=self.crs)
        return west, south, east, north

    def area_km2(self, rows: slice | None = None, cols: slice | None = None) -> NDArray[np.float32]:
        """Area on the ellipsoid of the pixels of a part of the grid, float32[rows, cols].

        Pixel area over ``areal_scale``, which is computed on a lattice of 8 km and interpolated linearly:
        within 1e-5 of the geodesic polygon.
        """
        row = np.arange(self.height, dtype=np.float64)[rows or slice(None)]
        col = np.arange(self.width, dtype=np.float64)[cols or slice(None)]
        row_lattice, col_lattice = _area_lattice(row, self), _area_lattice(col, self)
        x_m, y_m = self.xy_m(row_lattice + 0.5, col_lattice + 0.5)
        lattice_km2 = (self.resolution_m / 1000.0) ** 2 / self.areal_scale(*np.meshgrid(x_m, y_m))
        by_row = np.stack([np.interp(row, row_lattice, column) for column in lattice_km2.T], axis=1)
        area_km2 = np.empty((row.size, col.size), np.float32)
        for own, line in zip(area_km2, by_row, strict=True):
            own[:] = np.interp(col, col_lattice, line)
        return area_km2

    def areal_scale(self, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.float64]:
        """Area in the projection over area on the ellipsoid, at projected locations of one shape.

        The product of the Tissot semi-axes (Snyder 1987).
        """
        return np.asarray(Proj(self.crs).get_factors(*self.to_lonlat().transform(x_m, y_m)).areal_scale)

    def largest_scale(self) -> float:
        """Largest ratio of grid distance to true distance anywhere on the grid and in any direction.

        Tissot's larger semi-axis on samples that include edges and corners. Grid distances divided by it are
        never longer than the true ones (conservative).
        """
        return _largest_scale(self)


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
    crs: str, resolution_m: float, bounds_m: Box, margin_m: float, *, file: str | None = None
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
    if max(width, height) > _MAX_SIDE_PX or width * height > _MAX_PIXELS:
        raise InputError(
            "grid is too large",
            file=file,
            row="grid",
            field="resolution_m",
            value=f"{width} x {height} pixels",
            allowed=f"sides up to {_MAX_SIDE_PX}, {_MAX_PIXELS} in all; take larger pixels or a "
            "`bbox_deg`, or compute it in parts with `channelmaps parts`",
        )
    _check_scale(crs, bounds_m, file)
    return Grid(crs, resolution_m, west * resolution_m, north * resolution_m, width, height)


def _check_scale(crs: str, bounds_m: Box, file: str | None) -> None:
    """Refuse a CRS whose distances are wrong on the territory: a pixel would not have the size it claims."""
    x_m, y_m = (np.linspace(bounds_m[i], bounds_m[i + 2], _CHECK_SAMPLES) for i in (0, 1))
    factors = _scale_factors(crs, x_m, y_m)
    smallest, largest = np.min(factors.tissot_semiminor), np.max(factors.tissot_semimajor)
    if not (smallest >= 1.0 - _SCALE_TOLERANCE and largest <= 1.0 + _SCALE_TOLERANCE):
        raise InputError(
            f"distances in this CRS are {smallest:.2f} to {largest:.2f} times the true ones on the territory",
            file=file,
            row="grid",
            field="crs",
            value=crs,
            allowed=f"a projected CRS made for this place, true within {100.0 * _SCALE_TOLERANCE:g} %",
        )


@lru_cache(maxsize=16)
def _largest_scale(grid: Grid) -> float:
    x_m = grid.west_m + np.linspace(0.0, grid.width * grid.resolution_m, _SCALE_SAMPLES)
    y_m = grid.north_m - np.linspace(0.0, grid.height * grid.resolution_m, _SCALE_SAMPLES)
    return float(np.max(_scale_factors(grid.crs, x_m, y_m).tissot_semimajor))


def _scale_factors(crs: str, x_m: NDArray[np.float64], y_m: NDArray[np.float64]) -> Factors:
    """Scale of a projection at the crossings of grid lines."""
    projection = Proj(CRS.from_user_input(crs))
    return projection.get_factors(*projection(*np.meshgrid(x_m, y_m), inverse=True))


def _area_lattice(index: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Multiples of the lattice step around the pixel indexes: the same for every division of the grid."""
    step_px = max(round(_AREA_STEP_M / grid.resolution_m), 1)
    first, last = int(index[0]) // step_px, int(index[-1]) // step_px + 1
    return np.arange(first, last + 1, dtype=np.float64) * step_px
