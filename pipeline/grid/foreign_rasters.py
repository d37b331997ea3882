"""Rasters that others made (terrain, population), read as they state: place, mask, scale and unit.

What the file says is applied, what cannot be is refused; sizes are checked before values are read, and no
network is asked: neither by a format nor through a virtual raster.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.io import DatasetReader
from rasterio.windows import Window, from_bounds

from pipeline.companions import is_virtual, virtual_sources
from pipeline.errors import InputError
from pipeline.grid.grid import Box
from pipeline.grid.raster import GDAL_SETTINGS, damage_named
from pipeline.rows.earth_crs import is_on_earth

# One float32 layer below 3.2 GB.
MAX_PIXELS = 800_000_000
# A block is read whole, however small the part that is wanted.
_MAX_BLOCK_BYTES = 1_000_000_000
# Scales of heights and counts are 0.001 to 100; others would flatten the terrain, or leave numbers.
_LEAST_SCALE, _LARGEST_SCALE, _LARGEST_OFFSET = 1e-6, 1e6, 1e6
# Formats whose values stand in files; GDAL knows others that ask servers.
_FORMATS = [
    "AAIGrid",
    "ACE2",
    "AIG",
    "BT",
    "BYN",
    "DTED",
    "EHdr",
    "ENVI",
    "GPKG",
    "GRASSASCIIGrid",
    "GRIB",
    "GS7BG",
    "GSAG",
    "GSBG",
    "GTX",
    "GTiff",
    "HDF5",
    "HDF5Image",
    "HF2",
    "HFA",
    "ILWIS",
    "JDEM",
    "JP2OpenJPEG",
    "JPEG",
    "LAN",
    "NITF",
    "NTv2",
    "NWT_GRD",
    "PAux",
    "PCIDSK",
    "PCRaster",
    "PNG",
    "RMF",
    "RRASTER",
    "RST",
    "SAGA",
    "SDTS",
    "SIGDEM",
    "SRTMHGT",
    "Terragen",
    "USGSDEM",
    "VRT",
    "XYZ",
    "netCDF",
]
_MOST_LEVELS = 8
# In degrees or metres: no pixel is as small.
_LEAST_STEP = 1e-12


class ForeignPlace(NamedTuple):
    """Where a raster lies; ``transform`` north-up in units of ``crs``, also where the file is south-up."""

    crs: str
    transform: Affine
    width: int
    height: int
    unit: str
    south_up: bool


def read_place(path: str | Path) -> ForeignPlace:
    """Place and unit of any raster GDAL reads, without its values."""
    with _open(path) as source:
        return _place_of(source, path)


def require_one_band(path: str | Path) -> None:
    """Refuse a raster of several bands, such as a picture; a mask of transparency is none."""
    with _open(path) as source:
        bands = [band for band in source.colorinterp if band != ColorInterp.alpha]
    if len(bands) != 1:
        raise InputError(
            "raster has several bands", file=path, value=len(bands), allowed="one band of classes"
        )


def stated_texts(path: str | Path) -> list[str]:
    """What a raster says of band 1 in words: unit, description, tags of the band and of the file."""
    with _open(path) as source:
        tags = [f"{name}={text}" for name, text in (source.tags(1) | source.tags()).items()]
        return [text for text in (source.units[0], source.descriptions[0], *tags) if text]


def overview_values(path: str | Path, most: int = 512) -> NDArray[np.float64] | None:
    """Values of a raster of one band at so many rows and columns at most, NaN where none; None of others."""
    with _open(path) as source:
        if len([band for band in source.colorinterp if band != ColorInterp.alpha]) != 1:
            return None
        _check_blocks(source, path)
        shape = min(source.height, most), min(source.width, most)
        values = source.read(1, out_shape=shape, masked=True).astype(np.float64)
        scaled: NDArray[np.float64] = np.ma.filled(values, np.nan) * source.scales[0] + source.offsets[0]
    return scaled


def sampled_m(
    path: str | Path, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Heights in m of the pixels that hold some places, NaN outside and without data.

    InputError for heights in another unit than metres.
    """
    with _open(path) as source:
        place = _place_of(source, path)
        if place.unit.lower() not in ("", "m", "metre", "meter", "metres", "meters"):
            allowed = "heights in metres"
            raise InputError(
                "unknown unit of heights", file=path, field="unit", value=place.unit, allowed=allowed
            )
        to_raster = Transformer.from_crs("EPSG:4326", place.crs, always_xy=True)
        places = zip(*(axis.tolist() for axis in to_raster.transform(lon_deg, lat_deg)), strict=True)
        values = np.ma.array([sample for (sample,) in source.sample(places, indexes=[1], masked=True)])
        scaled = np.ma.filled(values.astype(np.float64), np.nan) * source.scales[0] + source.offsets[0]
    return np.asarray(scaled, dtype=np.float64)


def read_external(
    path: str | Path, *, bounds: Box | None = None, most_pixels: int = MAX_PIXELS
) -> xr.DataArray:
    """Band 1 of any raster GDAL reads; dims (y, x), north-up, the band's scale and offset applied.

    What the file masks (nodata, mask band, alpha) is NaN; values of files without all that keep their type.
    Attributes ``crs`` (text), ``transform`` (Affine, CRS units), ``unit`` (of the band, or of the heights of
    its CRS; empty where none is stated) and ``nodata`` (None: it is applied). ``bounds`` (left, bottom,
    right, top in the raster's CRS) limits what is read to the pixels it touches.
    """
    with _open(path) as source:
        place = _place_of(source, path)
        rows, cols = _part_within(place, bounds, path)
        size = rows.stop - rows.start, cols.stop - cols.start
        _check_size(source, size, most_pixels, path)
        first = place.height - rows.stop if place.south_up else rows.start
        values = _values(source, Window(cols.start, first, size[1], size[0]), path)
    corner = place.transform @ Affine.translation(cols.start, rows.start)
    attrs = {"crs": place.crs, "transform": corner, "nodata": None, "unit": place.unit}
    return xr.DataArray(values[::-1] if place.south_up else values, dims=("y", "x"), attrs=attrs)


@contextmanager
def _open(path: str | Path, level: int = 0) -> Iterator[DatasetReader]:
    if not Path(path).is_file():
        raise InputError("file not found", file=path, allowed="an existing raster file")
    if is_virtual(Path(path)):
        _check_sources(Path(path), level)
    # Side files .aux.xml say where others' rasters lie, their nodata, scale and unit; ours do not.
    settings = GDAL_SETTINGS | {"GDAL_PAM_ENABLED": "YES"}
    with rasterio.Env(**settings), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            source = DatasetReader(str(path), driver=_FORMATS)
        except RasterioIOError as error:
            raise InputError("is damaged, or no raster of a known format", file=path) from error
        with source, damage_named(path):
            yield source


def _check_sources(path: Path, level: int) -> None:
    """Refuse a virtual raster that takes values from elsewhere than files."""
    if level == _MOST_LEVELS:
        raise InputError("virtual rasters name each other", file=path, allowed=f"{_MOST_LEVELS} levels")
    try:
        sources = virtual_sources(path)
    except ValueError as error:
        raise InputError(f"virtual raster {error}", file=path) from None
    for source in sources:
        if "/vsi" in source.name.lower() or not source.path.is_file():
            raise InputError(
                "source of a virtual raster is not a file",
                file=path,
                field="SourceFilename",
                value=source.name,
                allowed="existing files of this machine",
            )
        with _open(source.path, level + 1) as opened:
            _check_blocks(opened, source.path)


def _place_of(source: DatasetReader, path: str | Path) -> ForeignPlace:
    crs, unit = _crs_of(source, path)
    place = source.transform
    if place == Affine.identity():
        fault = "raster does not say where it lies"
        raise InputError(fault, file=path, field="transform", value="none", allowed="a geotransform")
    if place.b or place.d:
        raise InputError("raster is rotated", file=path, field="transform", allowed="a north-up raster")
    if not all(map(math.isfinite, place[:6])) or place.a < _LEAST_STEP or abs(place.e) < _LEAST_STEP:
        fault = "raster is mirrored or has no size"
        raise InputError(fault, file=path, field="transform", value=place[:6], allowed="a north-up raster")
    south_up = place.e > 0
    if south_up:
        place = place @ Affine.translation(0, source.height) @ Affine.scale(1, -1)
    return ForeignPlace(crs, place, source.width, source.height, (source.units[0] or unit).strip(), south_up)


def _crs_of(source: DatasetReader, path: str | Path) -> tuple[str, str]:
    """Horizontal CRS as text, and the unit of its heights, empty without any."""
    if source.crs is None:
        raise InputError(
            "raster without a coordinate reference system", file=path, field="crs", allowed="a CRS"
        )
    text, unit = source.crs.to_string(), ""
    try:
        crs = CRS.from_user_input(text)
    except CRSError:
        raise _wrong_crs(path, text) from None
    if crs.is_compound:
        crs, vertical = crs.sub_crs_list[:2]
        text, unit = crs.to_wkt(), vertical.axis_info[0].unit_name
    if not is_on_earth(crs):
        raise _wrong_crs(path, crs.name)
    return text, unit


def _wrong_crs(path: str | Path, found: str) -> InputError:
    return InputError(
        "wrong CRS: none that places points on the Earth",
        file=path,
        field="crs",
        value=found,
        allowed="a geographic or projected CRS, such as EPSG:4326",
    )


def _part_within(place: ForeignPlace, bounds: Box | None, path: str | Path) -> tuple[slice, slice]:
    """Rows and columns of the pixels that the bounds touch."""
    if bounds is None:
        return slice(0, place.height), slice(0, place.width)
    found = "bounds of no finite size"
    if all(map(math.isfinite, bounds)):
        wanted = from_bounds(*bounds, transform=place.transform)
        col0, row0 = max(math.floor(wanted.col_off), 0), max(math.floor(wanted.row_off), 0)
        col1 = min(math.ceil(wanted.col_off + wanted.width), place.width)
        row1 = min(math.ceil(wanted.row_off + wanted.height), place.height)
        if col1 > col0 and row1 > row0:
            return slice(row0, row1), slice(col0, col1)
        far = place.transform @ (place.width, place.height)
        found = str((place.transform.c, far[1], far[0], place.transform.f))
    raise InputError("raster does not touch the area needed", file=path, value=found, allowed=str(bounds))


def _check_size(source: DatasetReader, size: tuple[int, int], most_pixels: int, path: str | Path) -> None:
    _check_blocks(source, path)
    if size[0] * size[1] > most_pixels:
        raise InputError(
            "raster of the area needed is too large",
            file=path,
            value=f"{size[1]} x {size[0]} pixels",
            allowed=f"{most_pixels} pixels; take a coarser raster or a smaller territory",
        )


def _check_blocks(source: DatasetReader, path: str | Path) -> None:
    rows, cols = source.block_shapes[0]
    if rows * cols * _item_bytes(source) > _MAX_BLOCK_BYTES:
        raise InputError(
            "blocks of the raster are too large",
            file=path,
            value=f"{cols} x {rows} pixels",
            allowed=f"{_MAX_BLOCK_BYTES} bytes; write it again with tiles",
        )


def _item_bytes(source: DatasetReader) -> int:
    if source.dtypes[0].startswith("complex"):
        raise InputError("values are complex numbers", file=source.name, allowed="a raster of real numbers")
    return np.dtype(source.dtypes[0]).itemsize


def _values(source: DatasetReader, window: Window, path: str | Path) -> NDArray[Any]:
    raw = source.read(1, window=window)
    unknown = _unknown(source, window, raw)
    scale, offset = source.scales[0], source.offsets[0]
    if not (_LEAST_SCALE <= abs(scale) <= _LARGEST_SCALE and abs(offset) <= _LARGEST_OFFSET):
        raise InputError(
            "scale or offset is no number to apply",
            file=path,
            value=f"{scale}, {offset}",
            allowed=f"{_LEAST_SCALE:g} to {_LARGEST_SCALE:g}, and an offset up to {_LARGEST_OFFSET:g}",
        )
    scaled = (scale, offset) != (1.0, 0.0)
    if not scaled and (unknown is None or not unknown.any()):
        return np.asarray(raw)
    small = raw.dtype.itemsize <= 2 or raw.dtype == np.float32
    values = raw.astype(np.float32 if small and not scaled else np.float64)
    if unknown is not None:
        values[unknown] = np.nan
    if scaled:
        values *= scale
        values += offset
    return np.asarray(values)


def _unknown(source: DatasetReader, window: Window, raw: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Pixels without data by the file's nodata value, mask band or alpha; None where all have data."""
    nodata, unknown = source.nodata, None
    if MaskFlags.all_valid not in source.mask_flag_enums[0]:
        unknown = source.read_masks(1, window=window) == 0
    if nodata is not None and unknown is not None and raw.dtype.kind == "f" and math.isfinite(nodata):
        # float32 files may state the nodata value in other digits than they store.
        unknown |= np.isclose(raw, nodata, rtol=1e-6, atol=0.0)
    return unknown
