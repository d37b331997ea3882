"""Terrain models of any CRS and tiling as one longitude/latitude elevation, checked to cover the grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.warp import Resampling, reproject, transform_bounds

from pipeline.config.territory import Terrain
from pipeline.errors import InputError
from pipeline.grid.foreign_rasters import MAX_PIXELS, read_external, read_place
from pipeline.grid.grid import LONLAT, Box
from pipeline.kernels import kernel
from pipeline.terrain.radial import height_at
from pipeline.terrain.records import KM_PER_DEG, LonLatRaster, inland_km

# Heights of land surfaces; anything else is a filling value (GLOBE writes -500 at sea).
_LOWEST_M = -450.0
_HIGHEST_M = 9000.0
_FOOT_M, _US_FOOT_M = 0.3048, 1200.0 / 3937.0
_UNITS_M = (
    dict.fromkeys(("", "m", "metre", "metres", "meter", "meters"), 1.0)
    | dict.fromkeys(("ft", "foot", "feet", "international foot", "international feet"), _FOOT_M)
    | dict.fromkeys(("us survey foot", "us survey feet", "foot_us", "us-ft", "ftus", "us ft"), _US_FOOT_M)
)
# Tiles of one model lie on common pixels, up to this fraction of a pixel.
MAX_SHIFT_PX = 0.05
_LATTICE_PX = 16
# Rows that tiles of two bands of latitude may both hold.
_MOST_SHARED_ROWS = 2
# Holes up to this fraction of the grid are tolerated: single voids of radar models, not a missing tile.
MAX_VOID_SHARE = 0.01


def elevation_of(terrain: Terrain, box: Box, land: LonLatRaster | None) -> LonLatRaster | None:
    """The terrain model of a territory in a box; None without one, and where it does not touch the box."""
    found = None if terrain.dem is None else load_elevation(terrain.dem, box, land)
    if found is not None and land is not None:
        fill_coast_voids(found, land, terrain.coast_void_km)
    return found


def load_elevation(paths: Sequence[str | Path], box: Box, land: LonLatRaster | None) -> LonLatRaster | None:
    """Elevation of a box from files, NaN unknown but 0 m over sea (``land`` 0); None if none touches it."""
    pieces = [piece for path in paths for piece in _pieces(path, box)]
    if not pieces:
        return None
    return with_sea_level(merge(pieces, box), land)


def _pieces(path: str | Path, box: Box) -> Iterator[LonLatRaster]:
    for part, turn_deg in parts_in(path, box):
        piece = from_external(part, file=path)
        yield piece._replace(west_deg=piece.west_deg - turn_deg)


def parts_in(path: str | Path, box: Box) -> Iterator[tuple[xr.DataArray, float]]:
    """What a file holds of a box, as ``read_external`` gives it, and a little around.

    A file in degrees also at longitudes a full turn away: the second value is what its longitudes are too
    large by.
    """
    place = read_place(path)
    in_degrees = is_lonlat(place.crs, place.transform, (place.height, place.width))
    west, north = place.transform.c, place.transform.f
    east, south = place.transform @ (place.width, place.height)
    reserve_x, reserve_y = 2.0 * place.transform.a, -2.0 * place.transform.e
    for turn_deg in (-360.0, 0.0, 360.0) if in_degrees else (0.0,):
        wanted = (box[0] + turn_deg, box[1], box[2] + turn_deg, box[3])
        if not in_degrees:
            wanted = transform_bounds(LONLAT, place.crs, *box, densify_pts=51)
        if wanted[0] < east and wanted[2] > west and wanted[1] < north and wanted[3] > south:
            bounds = (
                wanted[0] - reserve_x,
                wanted[1] - reserve_y,
                wanted[2] + reserve_x,
                wanted[3] + reserve_y,
            )
            yield read_external(path, bounds=bounds), turn_deg


def from_external(data: xr.DataArray, *, file: str | Path | None = None) -> LonLatRaster:
    """Elevation of a raster of ``read_external``: metres by its ``unit`` (none: metre), fill as NaN."""
    unit_m = _unit_m(data.attrs.get("unit", ""), file)
    values = (data.values if unit_m == 1.0 else data.values * unit_m).astype(np.float32)
    if data.attrs.get("nodata") is not None:
        values[data.values == data.attrs["nodata"]] = np.nan
    values[~((values >= _LOWEST_M) & (values <= _HIGHEST_M))] = np.nan
    place: Affine = data.attrs["transform"]
    if place.e > 0:  # south-up
        values = values[::-1]
        place = place @ Affine.translation(0, data.shape[0]) @ Affine.scale(1, -1)
    if place.a <= 0 or place.b or place.d:
        raise InputError("raster is mirrored or rotated", file=file, field="transform", value=place[:6])
    if not is_lonlat(data.attrs["crs"], place, data.shape):
        return _warp(values, data.attrs["crs"], place)
    return LonLatRaster(np.ascontiguousarray(values), place.c, place.f, place.a, -place.e)


def _unit_m(unit: str, file: str | Path | None) -> float:
    """Metres of a unit by name; empty is metre."""
    name = unit.strip().lower()
    if name not in _UNITS_M:
        allowed = "metre, foot, US survey foot, or none (metre)"
        raise InputError("unknown unit of heights", file=file, field="unit", value=unit, allowed=allowed)
    return _UNITS_M[name]


def is_lonlat(crs: str, place: Affine, shape: tuple[int, ...]) -> bool:
    """True where the coordinates of a raster are degrees of WGS84, but for a small part of a pixel.

    Other datums, prime meridians and angular units move a raster by up to many pixels.
    """
    known = CRS.from_user_input(crs)
    if not known.is_geographic:
        return False
    unit_deg = math.degrees(known.axis_info[0].unit_conversion_factor)
    far = place @ (shape[1], shape[0])
    x, y = np.meshgrid(
        (place.c, (place.c + far[0]) / 2.0, far[0]), (place.f, (place.f + far[1]) / 2.0, far[1])
    )
    y = np.clip(y, -90.0 / unit_deg, 90.0 / unit_deg)
    lon_deg, lat_deg = Transformer.from_crs(crs, LONLAT, always_xy=True).transform(x, y)
    turned_deg = np.abs((lon_deg - x + 180.0) % 360.0 - 180.0)
    shift_px = np.maximum(turned_deg / place.a, np.abs((lat_deg - y) / place.e))
    return bool((shift_px <= MAX_SHIFT_PX).all())


def square_step_deg(crs: str, place: Affine) -> float:
    """The coarser of the two steps of a raster as an arc in degrees."""
    known = CRS.from_user_input(crs)
    unit = known.axis_info[0].unit_conversion_factor
    return max(place.a, -place.e) * (
        math.degrees(unit) if known.is_geographic else unit / (KM_PER_DEG * 1000.0)
    )


def _warp(values: NDArray[np.float32], crs: str, place: Affine) -> LonLatRaster:
    """An elevation in another CRS on square degrees of WGS84, bilinear.

    The step is the raster's own, the corners are multiples of it: tiles of one model share their pixels.
    """
    known, step_deg = CRS.from_user_input(crs), square_step_deg(crs, place)
    far = place @ (values.shape[1], values.shape[0])
    west, south, east, north = transform_bounds(crs, LONLAT, place.c, far[1], far[0], place.f, densify_pts=51)
    first_col, first_row = math.floor(west / step_deg), math.ceil(north / step_deg)
    shape = first_row - math.floor(south / step_deg), math.ceil(east / step_deg) - first_col
    corner_deg = first_col * step_deg, first_row * step_deg
    target = np.full(_checked(shape), np.nan, np.float32)
    if known.is_geographic:
        whole = LonLatRaster(target, *corner_deg, step_deg, step_deg)
        _fill_shifted(values, crs, place, whole)
        return whole
    reproject(
        values,
        target,
        src_transform=place,
        src_crs=crs,
        src_nodata=np.nan,
        dst_transform=Affine(step_deg, 0.0, corner_deg[0], 0.0, -step_deg, corner_deg[1]),
        dst_crs=LONLAT,
        dst_nodata=np.nan,
        resampling=Resampling.bilinear,
    )
    return LonLatRaster(target, *corner_deg, step_deg, step_deg)


def _fill_shifted(values: NDArray[np.float32], crs: str, place: Affine, whole: LonLatRaster) -> None:
    """Heights of degrees of another datum, meridian or unit at the pixels of the whole, bilinear.

    The shift is that of PROJ, also where GDAL's warp takes none because the area is not that of the datum. It
    is computed on a lattice: over 16 pixels it is as good as linear.
    """
    rows, cols = whole.values.shape
    row_at, col_at = (
        np.arange(0, rows + _LATTICE_PX, _LATTICE_PX),
        np.arange(0, cols + _LATTICE_PX, _LATTICE_PX),
    )
    lon_deg = whole.west_deg + (col_at + 0.5) * whole.step_lon_deg
    lat_deg = np.clip(whole.north_deg - (row_at + 0.5) * whole.step_lat_deg, -90.0, 90.0)
    x, y = Transformer.from_crs(LONLAT, crs, always_xy=True).transform(*np.meshgrid(lon_deg, lat_deg))
    position = np.stack([(y - place.f) / place.e - 0.5, (x - place.c) / place.a - 0.5])
    position[~np.isfinite(position)] = -2.0  # beyond the raster
    for row in range(rows):
        above, part = divmod(row, _LATTICE_PX)
        share = part / _LATTICE_PX
        line = (1.0 - share) * position[:, above] + share * position[:, above + 1]
        row_px, col_px = (np.interp(np.arange(cols), col_at, values_at) for values_at in line)
        whole.values[row] = heights_at(values, row_px, col_px)


def _checked(shape: tuple[int, int]) -> tuple[int, int]:
    if shape[0] * shape[1] > MAX_PIXELS:
        raise InputError(
            "terrain of the area needed is too large",
            row="terrain",
            field="dem",
            value=f"{shape[1]} x {shape[0]} pixels",
            allowed=f"{MAX_PIXELS} pixels; take a coarser DEM or a smaller territory",
        )
    return shape


def merge(pieces: Sequence[LonLatRaster], box: Box) -> LonLatRaster:
    """Pieces of one model on one array that covers the box, NaN where no piece knows; the first one wins.

    Models such as Copernicus have a wider step of longitude in bands towards the poles: the finest step is
    that of the whole, the other bands are interpolated along their rows.
    """
    bands: list[list[LonLatRaster]] = []
    for piece in sorted(pieces, key=lambda piece: round(piece.step_lon_deg, 12)):
        if bands and _same_step(piece, bands[-1][0]):
            bands[-1].append(piece)
        else:
            bands.append([piece])
    if len(bands) > 1:
        _require_bands(bands)
    merged = _merge_band(bands[0] if len(bands) > 1 else pieces, box)
    for band in bands[1:]:
        _fill_from(_merge_band(band, box), merged)
    return merged


def _same_step(piece: LonLatRaster, other: LonLatRaster) -> bool:
    drift_px = abs(piece.step_lon_deg / other.step_lon_deg - 1.0) * piece.values.shape[1]
    return drift_px <= MAX_SHIFT_PX


def _require_bands(bands: Sequence[Sequence[LonLatRaster]]) -> None:
    """Refuse pieces of several steps that are not bands of latitude of one model.

    Their rows are common and each latitude has one step, but for two rows at the limits of the bands.
    """
    lead = bands[0][0]
    limits = []
    for piece in (piece for band in bands for piece in band):
        row = (lead.north_deg - piece.north_deg) / lead.step_lat_deg
        drift = abs(piece.step_lat_deg / lead.step_lat_deg - 1.0) * piece.values.shape[0]
        if max(abs(row - round(row)), drift) > MAX_SHIFT_PX:
            raise _no_common_pixels(piece, lead)
        limits.append((round(row), round(row) + piece.values.shape[0], piece))
    for top, bottom, piece in limits:
        for other_top, other_bottom, other in limits:
            overlap = min(bottom, other_bottom) - max(top, other_top)
            if overlap > _MOST_SHARED_ROWS and not _same_step(piece, other):
                raise _no_common_pixels(piece, other)


def _fill_from(band: LonLatRaster, merged: LonLatRaster) -> None:
    """Fill unknown pixels of the whole from a band with common rows and a wider step, linear along rows."""
    first = round((merged.north_deg - band.north_deg) / merged.step_lat_deg)
    lon_deg = merged.west_deg + (np.arange(merged.values.shape[1]) + 0.5) * merged.step_lon_deg
    position = (lon_deg - band.west_deg) / band.step_lon_deg - 0.5
    left = np.clip(np.floor(position + 1e-6).astype(int), 0, band.values.shape[1] - 1)
    right = np.minimum(left + 1, band.values.shape[1] - 1)
    part = np.clip(position - left, 0.0, 1.0).astype(np.float32)
    part[part < 1e-5] = 0.0
    for row in range(max(first, 0), min(first + band.values.shape[0], merged.values.shape[0])):
        line = band.values[row - first]
        between = np.where(part == 0.0, line[left], line[left] + part * (line[right] - line[left]))
        np.copyto(merged.values[row], between, where=np.isnan(merged.values[row]))


def _merge_band(pieces: Sequence[LonLatRaster], box: Box) -> LonLatRaster:
    """Pieces of one step on one array that covers the box."""
    lead = pieces[0]
    left = math.floor((box[0] - lead.west_deg) / lead.step_lon_deg + 1e-9)
    top = math.floor((lead.north_deg - box[3]) / lead.step_lat_deg + 1e-9)
    west_deg = lead.west_deg + left * lead.step_lon_deg
    north_deg = lead.north_deg - top * lead.step_lat_deg
    shape = (
        math.ceil((north_deg - box[1]) / lead.step_lat_deg - 1e-9),
        math.ceil((box[2] - west_deg) / lead.step_lon_deg - 1e-9),
    )
    whole = np.full(_checked(shape), np.nan, np.float32)
    merged = LonLatRaster(whole, west_deg, north_deg, lead.step_lon_deg, lead.step_lat_deg)
    for piece in pieces:
        _place(piece, merged)
    return merged


def _place(piece: LonLatRaster, merged: LonLatRaster) -> None:
    """Copy the known heights of a piece to the unknown pixels of the whole."""
    row, col = _offset(piece, merged)
    rows, cols = merged.values.shape
    top, bottom = max(row, 0), min(row + piece.values.shape[0], rows)
    left, right = max(col, 0), min(col + piece.values.shape[1], cols)
    if top >= bottom or left >= right:
        return
    part = merged.values[top:bottom, left:right]
    source = piece.values[top - row : bottom - row, left - col : right - col]
    np.copyto(part, source, where=np.isnan(part))


def _offset(piece: LonLatRaster, merged: LonLatRaster) -> tuple[int, int]:
    """Row and column of a piece's corner in the whole; refused where the two do not share pixels."""
    row = (merged.north_deg - piece.north_deg) / merged.step_lat_deg
    col = (piece.west_deg - merged.west_deg) / merged.step_lon_deg
    drift = max(
        abs(row - round(row)),
        abs(col - round(col)),
        abs(piece.step_lat_deg / merged.step_lat_deg - 1.0) * piece.values.shape[0],
        abs(piece.step_lon_deg / merged.step_lon_deg - 1.0) * piece.values.shape[1],
    )
    if drift > MAX_SHIFT_PX:
        raise _no_common_pixels(piece, merged)
    return round(row), round(col)


def _no_common_pixels(piece: LonLatRaster, other: LonLatRaster) -> InputError:
    return InputError(
        "the files do not lie on common pixels",
        row="terrain",
        field="dem",
        value=f"steps {piece.step_lon_deg:.8g} and {other.step_lon_deg:.8g} deg",
        allowed="tiles of one model with the same step, or a wider step of longitude in bands of latitude",
    )


@kernel
def _fill_sea(
    values: NDArray[np.float32], land: NDArray[np.uint8], scale: tuple[float, float, float, float]
) -> int:
    """0 m on unknown pixels whose centre is sea; their number. ``scale`` as of ``_scale_between``."""
    rows, cols = values.shape
    filled = 0
    for row in range(rows):
        y = math.floor(scale[2] + scale[3] * (row + 0.5))
        if y < 0 or y >= land.shape[0]:
            continue
        for col in range(cols):
            x = math.floor(scale[0] + scale[1] * (col + 0.5))
            unknown = values[row, col] != values[row, col]
            if unknown and 0 <= x < land.shape[1] and land[y, x] == 0:
                values[row, col] = 0.0
                filled += 1
    return filled


def with_sea_level(elevation: LonLatRaster, land: LonLatRaster | None) -> LonLatRaster:
    """Unknown heights over sea as 0 m; changes the array in place."""
    if land is not None:
        _fill_sea(elevation.values, land.values, _scale_between(elevation, land))
    return elevation


def fill_coast_voids(elevation: LonLatRaster, land: LonLatRaster, coast_km: float) -> int:
    """Unknown heights on land up to so far from the sea as 0 m, in place; number of pixels."""
    if coast_km <= 0.0 or land.values.all():
        return 0
    # At the widest parallel of the mask: elsewhere a column is narrower than that, and none reaches farther.
    south_deg = land.north_deg - land.values.shape[0] * land.step_lat_deg
    inland = inland_km(land, max(south_deg, min(land.north_deg, 0.0))) > coast_km
    return int(_fill_sea(elevation.values, inland.astype(np.uint8), _scale_between(elevation, land)))


def _scale_between(elevation: LonLatRaster, land: LonLatRaster) -> tuple[float, float, float, float]:
    """Column and row of a land mask by those of an elevation: first value and step of each."""
    return (
        (elevation.west_deg - land.west_deg) / land.step_lon_deg,
        elevation.step_lon_deg / land.step_lon_deg,
        (land.north_deg - elevation.north_deg) / land.step_lat_deg,
        elevation.step_lat_deg / land.step_lat_deg,
    )


@kernel
def heights_at(
    values: NDArray[np.float32], row: NDArray[np.float64], col: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Bilinear heights at pixel positions (0 = centre of the first pixel), any number."""
    out = np.empty(row.size)
    for i in range(row.size):
        out[i] = height_at(values, row[i], col[i])
    return out


def pixels_at(
    raster: LonLatRaster, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns of places [n], 0 = centre of the first pixel, at the turn nearest to the raster."""
    middle_deg = raster.west_deg + 0.5 * raster.values.shape[1] * raster.step_lon_deg
    east_deg = lon_deg + 360.0 * np.round((middle_deg - lon_deg) / 360.0)
    row = (raster.north_deg - lat_deg) / raster.step_lat_deg - 0.5
    return row, (east_deg - raster.west_deg) / raster.step_lon_deg - 0.5


def nearest_pixels(
    raster: LonLatRaster, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row of each latitude and column of each longitude in a raster; beyond it those of its edge."""
    row, col = (np.floor(at + 0.5).astype(np.int64) for at in pixels_at(raster, lon_deg, lat_deg))
    return row.clip(0, raster.values.shape[0] - 1), col.clip(0, raster.values.shape[1] - 1)


def has_hole(unknown: NDArray[np.bool_], asked: NDArray[np.bool_]) -> bool:
    """Whether too much is unknown of the points of a lattice [rows, columns] that are asked for.

    A hole is a square of four unknown neighbours; single ones are passed up to 1 % of the points.
    """
    square = unknown[1:, 1:] & unknown[1:, :-1] & unknown[:-1, 1:] & unknown[:-1, :-1]
    return bool(square.any() or unknown.sum() > MAX_VOID_SHARE * max(asked.sum(), 1))


def require_cover(
    elevation: LonLatRaster | None,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    *,
    files: Sequence[str | Path],
    needed: NDArray[np.bool_] | None = None,
    area: str = "padded grid",
) -> None:
    """Refuse a DEM that does not know the heights of an area.

    ``lon_deg``, ``lat_deg`` [rows, columns]: a lattice of points over it, corners included; ``needed`` those
    of land that a device reaches (None: all). See :func:`has_hole`.
    """
    unknown = np.ones(lon_deg.shape, dtype=bool)
    if elevation is not None:
        row = (elevation.north_deg - lat_deg) / elevation.step_lat_deg - 0.5
        col = (lon_deg - elevation.west_deg) / elevation.step_lon_deg - 0.5
        heights_m = heights_at(elevation.values, row.ravel(), col.ravel())
        unknown = np.isnan(heights_m).reshape(lon_deg.shape)
    asked = np.ones_like(unknown) if needed is None else needed
    unknown &= asked
    if not has_hole(unknown, asked):
        return
    share = float(unknown.sum() / asked.sum())
    lon, lat = lon_deg[unknown], lat_deg[unknown]
    raise InputError(
        f"terrain does not cover the {area}",
        file=", ".join(str(path) for path in files),
        row="terrain",
        field="dem",
        value=f"no heights on {100.0 * share:.1f} % of it, between {lon.min():.2f} and"
        f" {lon.max():.2f} deg east, {lat.min():.2f} and {lat.max():.2f} deg north",
        allowed=f"rasters that cover the {area} with its margin; or leave out `dem`",
    )
