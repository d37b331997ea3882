"""Land cover around paths: rasters of classes on one lattice of degrees, a representative height each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import Resampling, reproject

from pipeline.config.territory import Clutter
from pipeline.errors import InputError
from pipeline.grid.foreign_rasters import MAX_PIXELS, require_one_band
from pipeline.grid.grid import LONLAT, Box
from pipeline.reference.clutter_heights import HIGHEST_CODE, NO_DATA, read_clutter_heights
from pipeline.terrain.elevation import is_lonlat, nearest_pixels, parts_in, square_step_deg
from pipeline.terrain.records import LonLatRaster

# Values that are no code of a class.
_NO_CODE = NO_DATA - 1
_ROWS_A_TIME = 64


class LandCover(NamedTuple):
    """``classes``: uint16 codes, ``NO_DATA`` unknown; ``heights_m``: float64[65536] by code, NaN unknown."""

    classes: LonLatRaster
    heights_m: NDArray[np.float64]


def load_land_cover(clutter: Clutter | None, box: Box, land: LonLatRaster | None) -> LandCover | None:
    """The land cover of a box, as of ``load_classes``, with heights; None without any.

    InputError for a class on ``land`` (0 sea; None: everywhere) that has no row in the table: what is not
    known is not taken for open ground.
    """
    if clutter is None:
        return None
    heights_m = read_clutter_heights(clutter.table)
    classes = load_classes(clutter, box)
    _require_rows(clutter, classes, heights_m, land)
    return LandCover(classes, heights_m)


def load_classes(clutter: Clutter, box: Box) -> LonLatRaster:
    """The classes of a box, uint16, ``NO_DATA`` unknown.

    Pixels are those of the first raster if it is in degrees; others are taken from the nearest pixel, where
    two overlap from the file named first. InputError for rasters that lie elsewhere.
    """
    for path in clutter.raster:
        require_one_band(path)
    parts = [part for path in clutter.raster for part in parts_in(path, box)]
    if not parts:
        raise InputError(
            "land cover does not touch the area needed",
            file=", ".join(map(str, clutter.raster)),
            row="terrain.clutter",
            allowed="rasters that cover the paths",
        )
    return _on_lattice(parts, box)


def _on_lattice(parts: Sequence[tuple[xr.DataArray, float]], box: Box) -> LonLatRaster:
    """All parts on the pixels of the first one, or on square degrees of its step."""
    lead, turn_deg = parts[0]
    place: Affine = lead.attrs["transform"]
    corner_deg, step_deg = (0.0, 0.0), (square_step_deg(lead.attrs["crs"], place),) * 2
    if is_lonlat(lead.attrs["crs"], place, lead.shape):
        corner_deg, step_deg = (place.c - turn_deg, place.f), (place.a, -place.e)
    col, row = (
        math.floor((box[0] - corner_deg[0]) / step_deg[0] + 1e-9),
        math.floor((corner_deg[1] - box[3]) / step_deg[1] + 1e-9),
    )
    west_deg, north_deg = corner_deg[0] + col * step_deg[0], corner_deg[1] - row * step_deg[1]
    rows = math.ceil((north_deg - box[1]) / step_deg[1] - 1e-9)
    cols = math.ceil((box[2] - west_deg) / step_deg[0] - 1e-9)
    if rows * cols > MAX_PIXELS:
        raise InputError(
            "land cover of the area needed is too large",
            row="terrain.clutter",
            field="raster",
            value=f"{cols} x {rows} pixels",
            allowed=f"{MAX_PIXELS} pixels; take a coarser raster or a smaller territory",
        )
    codes = np.full((rows, cols), NO_DATA, np.uint16)
    for part, part_turn_deg in reversed(parts):
        known = is_lonlat(part.attrs["crs"], part.attrs["transform"], part.shape)
        reproject(
            _codes_of(part),
            codes,
            src_transform=Affine.translation(-part_turn_deg, 0.0) @ part.attrs["transform"],
            src_crs=LONLAT if known else part.attrs["crs"],
            src_nodata=NO_DATA,
            dst_transform=Affine(step_deg[0], 0.0, west_deg, 0.0, -step_deg[1], north_deg),
            dst_crs=LONLAT,
            dst_nodata=NO_DATA,
            init_dest_nodata=False,
            resampling=Resampling.nearest,
        )
    return LonLatRaster(codes, west_deg, north_deg, *step_deg)


def _codes_of(part: xr.DataArray) -> NDArray[np.uint16]:
    """Values of a raster as codes; NaN, what the file masks, as ``NO_DATA``."""
    codes = np.empty(part.shape, np.uint16)
    for row, values in enumerate(part.values):
        known = ~np.isnan(values)
        whole = np.where(known & (values >= 0) & (values <= HIGHEST_CODE), values, _NO_CODE)
        codes[row] = np.where(known, np.where(whole == np.floor(whole), whole, _NO_CODE), NO_DATA)
    return codes


def _require_rows(
    clutter: Clutter, classes: LonLatRaster, heights_m: NDArray[np.float64], land: LonLatRaster | None
) -> None:
    """InputError for the code without a row that most pixels on land have."""
    count = np.zeros(NO_DATA + 1, np.int64)
    for first in range(0, classes.values.shape[0], _ROWS_A_TIME):
        codes = classes.values[first : first + _ROWS_A_TIME]
        on_land = _is_land(classes, first, codes.shape[0], land)
        count += np.bincount(codes[on_land], minlength=NO_DATA + 1)
    pixels = int(count.sum())
    count[NO_DATA] = 0
    missing = np.where(np.isnan(heights_m), count, 0)
    if not missing.any():
        return
    code = int(np.argmax(missing))
    named = "a value that is no whole number from 0 to 9999" if code == _NO_CODE else f"code {code}"
    others = int(np.count_nonzero(missing)) - 1
    raise InputError(
        f"class of land cover has no row in {clutter.table}",
        file=", ".join(map(str, clutter.raster)),
        row="terrain.clutter",
        value=f"{named} on {100.0 * missing[code] / pixels:.3g} % of the land around the paths"
        + (f", and {others} more codes" if others else ""),
        allowed="classes with a clutter_height_m in the table",
    )


def _is_land(classes: LonLatRaster, first: int, rows: int, land: LonLatRaster | None) -> NDArray[np.bool_]:
    """Which pixels of some rows lie on land; beyond the mask its edge holds, as for profiles."""
    if land is None:
        return np.ones((rows, classes.values.shape[1]), np.bool_)
    cols = np.arange(classes.values.shape[1], dtype=np.float64)
    lon_deg = classes.west_deg + classes.step_lon_deg * (cols + 0.5)
    lat_deg = classes.north_deg - classes.step_lat_deg * (first + np.arange(rows, dtype=np.float64) + 0.5)
    found: NDArray[np.bool_] = land.values[np.ix_(*nearest_pixels(land, lon_deg, lat_deg))] != 0
    return found
