"""GeoTIFF in and out: the only module that touches raster files of the project.

A file of the project lies on a :class:`Grid` and stores raw values (``scale_factor`` is a label, never
applied here), one description and unit per band, and tags without clock time: equal data give equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
import rasterio.shutil
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import Interleaving
from rasterio.errors import RasterioIOError
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.windows import Window

from pipeline.blocks import tiles_in_order
from pipeline.errors import InputError, words_of
from pipeline.files import disk_fault, scratch_beside, whole_file
from pipeline.grid.grid import Grid
from pipeline.grid.overviews import Reduction, from_the_one_before, overview_shapes, pieces_of, reduced

TILE_PX = 512
# Settings that could change bytes from machine to machine: threads, block cache (in bytes: no block is kept,
# files are read once), side files. No warnings of tiles below 128 pixels, which are unusual, not wrong.
GDAL_SETTINGS = {
    "GDAL_NUM_THREADS": "1",
    "GDAL_CACHEMAX": 256,
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_VALIDATE_CREATION_OPTIONS": "NO",
}
_LONG_NAME, _CATEGORIES = "long_name", "categories"
# Differences of numbers (2), of published floats their bytes apart (3); codes and counts as they are: a third
# smaller than differences, and read in an eighth of the time.
_PREDICTOR, _PUBLISHED_PREDICTOR = {"u": 1, "i": 2, "f": 2}, {"u": "NO", "i": 2, "f": 3}
_COG_OPTIONS = {"COMPRESS": "DEFLATE", "LEVEL": 6, "OVERVIEWS": "FORCE_USE_EXISTING", "BIGTIFF": "IF_SAFER"}

# A part of a raster: rows, columns, values[y, x] or values[band, y, x].
Part = tuple[slice, slice, NDArray[Any]]


class Layout(NamedTuple):
    """Everything of a file but its values; ``crs`` and ``transform`` in CRS units, ``units`` one per band."""

    crs: str
    transform: Affine
    width: int
    height: int
    band_names: tuple[str, ...]
    units: tuple[str, ...]
    dtype: str
    nodata: float | int | None
    long_name: str
    scale_factor: float
    categories: Mapping[int, str]
    tags: Mapping[str, str]


class Opened(NamedTuple):
    """A file that stays open for many small reads; ``source.close()`` ends it. Not for several threads."""

    grid: Grid
    layout: Layout
    source: DatasetReader


def read_grid(path: str | Path) -> Grid:
    """The grid of a file, without reading values."""
    with _open(path) as source:
        return _grid_of(source)


def read(
    path: str | Path,
    *,
    rows: slice | None = None,
    cols: slice | None = None,
    bands: Sequence[str] | None = None,
    stacked: bool = False,
) -> xr.DataArray:
    """Raw values of a file on a projected grid, whole or the window ``rows`` x ``cols``.

    Dims (y, x) for one band, (band, y, x) for several or when ``stacked``; ``bands`` selects by description.
    Coordinates ``x_m``, ``y_m``, ``band``; attributes ``grid`` (of the part read), ``units`` (one text, or a
    tuple where bands differ), ``long_name``, ``nodata``, ``scale_factor`` (absent when 1),
    ``categories``, ``tags``.
    """
    with reading(path) as (whole, layout, source):
        row, col = _span(rows, whole.height), _span(cols, whole.width)
        window = Window(col.start, row.start, col.stop - col.start, row.stop - row.start)
        indexes = band_indexes(source, bands, path)
        values = source.read(indexes, window=window)
    names = [layout.band_names[i - 1] for i in indexes]
    data = make_array(values, whole.window(row, col), band_names=names, **_attrs_of(layout, indexes))
    return data if stacked or len(indexes) > 1 else data.isel(band=0)


def make_array(
    values: NDArray[Any],
    grid: Grid,
    *,
    units: str | Sequence[str],
    long_name: str,
    nodata: float | int | None,
    band_names: Sequence[str] | None = None,
    **attrs: object,
) -> xr.DataArray:
    """Label ``values[y, x]`` or ``values[band, y, x]`` for :func:`write`; attributes as in :func:`read`."""
    x_m, y_m = grid.centres_m()
    coords: dict[str, Any] = {"x_m": ("x", x_m), "y_m": ("y", y_m)}
    dims = ("y", "x") if values.ndim == 2 else ("band", "y", "x")
    if values.ndim == 3:
        coords["band"] = list(band_names) if band_names is not None else list(range(len(values)))
    known = {"grid": grid, "units": units, "long_name": long_name, "nodata": nodata}
    return xr.DataArray(values, dims=dims, coords=coords, attrs=known | attrs)


def write(path: str | Path, data: xr.DataArray, *, tags: Mapping[str, str], publish: bool) -> None:
    """Write ``data`` (y, x) or (band, y, x) at once; see :func:`make_array` for the attributes.

    Instead of ``grid`` the attributes ``crs`` and ``transform`` may place the array (lon/lat degrees).
    ``publish`` gives a Cloud Optimized GeoTIFF, else a tiled GeoTIFF for the next jobs.
    The file appears complete or not at all; equal data and tags give equal bytes.
    """
    layout = _layout_of(data, tags)
    whole = (slice(0, layout.height), slice(0, layout.width), data.values)
    write_blocks(path, layout, [whole], publish=publish)


def layout_on(
    grid: Grid,
    band_names: Sequence[str],
    *,
    dtype: str,
    nodata: float | int | None,
    units: str | Sequence[str],
    long_name: str,
    tags: Mapping[str, str] | None = None,
    scale_factor: float = 1.0,
    categories: Mapping[int, str] | None = None,
) -> Layout:
    """Layout of a file on a grid; ``units`` one for all bands or one each."""
    return Layout(
        crs=grid.crs,
        transform=grid.transform,
        width=grid.width,
        height=grid.height,
        band_names=tuple(band_names),
        units=_per_band(units, len(band_names)),
        dtype=str(np.dtype(dtype)),
        nodata=nodata,
        long_name=long_name,
        scale_factor=scale_factor,
        categories=categories or {},
        tags=tags or {},
    )


def write_blocks(
    path: str | Path, layout: Layout, blocks: Iterable[Part], *, publish: bool, tile_px: int = TILE_PX
) -> None:
    """Write a file part by part (:func:`writing`); equal bytes for parts of any size in whole tiles."""
    with writing(path, layout, publish=publish, tile_px=tile_px) as put:
        for part in blocks if publish else tiles_in_order(blocks, (layout.height, layout.width), TILE_PX):
            put(*part)


@contextmanager
def writing(
    path: str | Path, layout: Layout, *, publish: bool, tile_px: int = TILE_PX, together: bool = False
) -> Iterator[Callable[[slice, slice, NDArray[Any]], None]]:
    """A function that writes one part (rows, columns, values) of a file, which is there in the end.

    Parts come in a fixed order and cover the grid once; sides in multiples of 512 pixels are fastest. OSError
    where the disk is full. ``tile_px`` is the side of the tiles of a published file, in which all bands lie
    together; ``together``: those of another do, too, and stand in the order of the parts whatever is read.
    """
    path = Path(path)
    # GDAL takes ``x.ovr`` for the overview of ``x``, and ``x.ovr.ovr`` for that of ``x.ovr``.
    shapes = list(overview_shapes((layout.height, layout.width), tile_px)) if publish else []
    names = [".src.tmp" + ".ovr" * n for n in range(len(shapes) + 1)] if publish else []
    with whole_file(path) as ready, ExitStack() as stack, rasterio.Env(**GDAL_SETTINGS):
        scratch = [stack.enter_context(scratch_beside(path, name)) for name in names]
        first = scratch[0] if publish else ready

        def put(rows: slice, cols: slice, values: NDArray[Any]) -> None:
            with _faults_of_disk(path, layout):
                window = Window.from_slices(rows, cols)
                sink.write(values.reshape(sink.count, *values.shape[-2:]), window=window)

        with _faults_of_disk(path, layout):
            sink = rasterio.open(first, "w", **_creation(layout, tile_px if publish else None, together))
        with closing(sink):
            _label(sink, layout)
            yield put
            with _faults_of_disk(path, layout):
                sink.close()
        with _faults_of_disk(path, layout):
            _check_whole(first)
            if publish:
                _write_overviews(scratch, shapes, layout, tile_px)
                own = {"BLOCKSIZE": tile_px, "PREDICTOR": _PUBLISHED_PREDICTOR[np.dtype(layout.dtype).kind]}
                rasterio.shutil.copy(first, ready, driver="COG", **own, **_COG_OPTIONS)
                _check_whole(ready)


def _write_overviews(
    paths: Sequence[Path], shapes: Sequence[tuple[int, int]], layout: Layout, tile_px: int
) -> None:
    """Overviews of ``paths[0]``, of the given sizes, in the other paths; classes by the most frequent."""
    pixel_bytes = len(layout.band_names) * np.dtype(layout.dtype).itemsize
    before = (layout.height, layout.width)
    for number, shape in enumerate(shapes, 1):
        near = from_the_one_before(shape, before, pixel_bytes)
        creation = _creation(layout._replace(height=shape[0], width=shape[1]), tile_px)
        source_path = paths[number - 1 if near else 0]
        with rasterio.open(source_path) as source, rasterio.open(paths[number], "w", **creation) as sink:
            reduction = Reduction(source.shape, shape, bool(layout.categories), layout.nodata)
            for piece in pieces_of(reduction):
                values = source.read(window=Window.from_slices(piece.source_rows, piece.source_cols))
                window = Window.from_slices(piece.rows, piece.cols)
                sink.write(reduced(values, reduction, piece), window=window)
        _check_whole(paths[number])
        before = shape


@contextmanager
def _faults_of_disk(path: Path, layout: Layout) -> Iterator[None]:
    """What GDAL says of a failed write as the OSError behind it."""
    try:
        yield
    except (RasterioIOError, CPLE_BaseError) as error:
        pixels = layout.width * layout.height * len(layout.band_names)
        room_bytes = 2 * pixels * np.dtype(layout.dtype).itemsize  # overviews are made beside the file
        raise disk_fault(path, f"GDAL: {words_of(error)}", room_bytes) from error


def _check_whole(path: Path) -> None:
    """RasterioIOError for a file that ends before its tiles do; those of the full resolution are the last.

    GDAL writes the last of them when it closes a file, and does not say if there is no room for them.
    """
    with rasterio.open(path) as source:
        layers = source.indexes if source.interleaving == Interleaving.band else source.indexes[:1]
        ends = [end for band in layers for end in _ends_of_tiles(source, band)]
        if max(ends, default=0) > (size_bytes := path.stat().st_size):
            raise RasterioIOError(f"file ends at byte {size_bytes}, its tiles at {max(ends)}")


def _ends_of_tiles(source: DatasetReader, band: int) -> Iterator[int]:
    """Where the tiles of a band end in the file [bytes]; those without values have no place."""
    for (row, col), _ in source.block_windows(band):
        place = [source.get_tag_item(f"BLOCK_{n}_{col}_{row}", "TIFF", bidx=band) for n in ("OFFSET", "SIZE")]
        if None not in place:
            yield sum(map(int, place))


def read_layout(path: str | Path) -> Layout:
    """Everything of a file of the project but its values."""
    with _open(path) as source:
        return _read_layout(source)


def open_raster(path: str | Path) -> Opened:
    """Open a file of the project for :func:`read_window`."""
    with reading(path) as (grid, layout, _), rasterio.Env(**GDAL_SETTINGS):
        return Opened(grid, layout, rasterio.open(path))


@contextmanager
def reading(path: str | Path) -> Iterator[Opened]:
    """A file of the project open for several reads with :func:`read_window`."""
    with _open(path) as source:
        yield Opened(_grid_of(source), _read_layout(source), source)


def read_window(opened: Opened, rows: slice, cols: slice, bands: Sequence[int] | None = None) -> NDArray[Any]:
    """Raw values[band, y, x] of a part, within its grid, of an open file; ``bands`` (from 0), or all."""
    indexes = None if bands is None else [band + 1 for band in bands]
    with damage_named(opened.source.name):
        return np.asarray(opened.source.read(indexes, window=Window.from_slices(rows, cols)))


@contextmanager
def _open(path: str | Path) -> Iterator[DatasetReader]:
    if not Path(path).is_file():
        raise InputError("file not found", file=path, allowed="an existing raster file")
    with rasterio.Env(**GDAL_SETTINGS):
        try:
            source = rasterio.open(path)
        except RasterioIOError as error:
            raise InputError("is damaged, or no GeoTIFF", file=path) from error
        with source, damage_named(path):
            yield source


@contextmanager
def damage_named(path: str | Path) -> Iterator[None]:
    """Faults of GDAL while reading a file as one line that names it."""
    try:
        yield
    except RasterioIOError as error:
        raise InputError("raster is damaged: its values cannot be read", file=path) from error


def _grid_of(source: DatasetReader) -> Grid:
    place = source.transform
    if source.crs is None or not source.crs.is_projected:
        found = source.crs.to_string() if source.crs else "none"
        raise InputError("raster is not on a projected grid", file=source.name, field="crs", value=found)
    if place.b or place.d or place.a != -place.e:
        fault = "pixels are not square and north-up"
        raise InputError(fault, file=source.name, field="transform", value=place[:6])
    return Grid(source.crs.to_string(), place.a, place.c, place.f, source.width, source.height)


def _span(part: slice | None, size: int) -> slice:
    start, stop, step = (part or slice(None)).indices(size)
    if step != 1 or stop < start:
        raise ValueError(f"not a contiguous part of 0..{size}: {part}")
    return slice(start, stop)


def band_indexes(source: DatasetReader, bands: Sequence[str] | None, path: str | Path) -> list[int]:
    """Numbers of bands by name, from 1, or of all; InputError for a name that the file does not have."""
    if bands is None:
        return list(source.indexes)
    known = source.descriptions
    for name in bands:
        if name not in known:
            raise InputError("no such band", file=path, field="band", value=name, allowed=str(known))
    return [known.index(name) + 1 for name in bands]


def _read_layout(source: DatasetReader) -> Layout:
    tags = source.tags()
    pairs = (item.split("=", 1) for item in tags.pop(_CATEGORIES, "").split(";") if item)
    return Layout(
        crs=source.crs.to_string() if source.crs else "",
        transform=source.transform,
        width=source.width,
        height=source.height,
        band_names=tuple(name or f"band {i}" for i, name in enumerate(source.descriptions, 1)),
        units=tuple(unit or "" for unit in source.units),
        dtype=source.dtypes[0],
        nodata=_plain_nodata(source.nodata, source.dtypes[0]),
        long_name=tags.pop(_LONG_NAME, ""),
        scale_factor=source.scales[0],
        categories={int(code): name for code, name in pairs},
        tags={name: text for name, text in tags.items() if name != "AREA_OR_POINT"},
    )


def _attrs_of(layout: Layout, indexes: Sequence[int]) -> dict[str, Any]:
    units = tuple(layout.units[i - 1] for i in indexes)
    attrs: dict[str, Any] = {
        "units": units[0] if len(set(units)) == 1 else units,
        "long_name": layout.long_name,
        "nodata": layout.nodata,
        "tags": layout.tags,
    }
    if layout.scale_factor != 1.0:
        attrs["scale_factor"] = layout.scale_factor
    return attrs | ({"categories": layout.categories} if layout.categories else {})


def _plain_nodata(nodata: float | None, dtype: str) -> float | int | None:
    return nodata if nodata is None or np.dtype(dtype).kind == "f" else int(nodata)


def _per_band(units: str | Sequence[str], count: int) -> tuple[str, ...]:
    texts = (units,) * count if isinstance(units, str) else tuple(units)
    if len(texts) != count:
        raise ValueError(f"{len(texts)} units for {count} bands")
    return texts


def _layout_of(data: xr.DataArray, tags: Mapping[str, str]) -> Layout:
    attrs = data.attrs
    if data.dims not in {("y", "x"), ("band", "y", "x")}:
        raise ValueError(f"dims {data.dims}, expected (y, x) or (band, y, x)")
    bands = data["band"].values if "band" in data.coords else attrs["long_name"]
    names = tuple(map(str, np.atleast_1d(bands)))
    height, width = data.shape[-2:]
    crs, transform = _place_of(data)
    return Layout(
        crs=crs,
        transform=transform,
        width=width,
        height=height,
        band_names=names,
        units=_per_band(attrs["units"], len(names)),
        dtype=str(data.dtype),
        nodata=attrs["nodata"],
        long_name=attrs["long_name"],
        scale_factor=attrs.get("scale_factor", 1.0),
        categories=attrs.get("categories") or {},
        tags=tags,
    )


def _place_of(data: xr.DataArray) -> tuple[str, Affine]:
    if "grid" not in data.attrs:
        return data.attrs["crs"], data.attrs["transform"]
    grid: Grid = data.attrs["grid"]
    if grid.shape != data.shape[-2:]:
        raise ValueError(f"grid of {grid.height} x {grid.width} for values of {data.shape[-2:]}")
    return grid.crs, grid.transform


def _creation(layout: Layout, tile_px: int | None = None, together: bool = False) -> dict[str, Any]:
    """How a tiled file is made; one to be published, of tiles of ``tile_px`` with all bands, is copied then.

    A copy into other tiles takes up to ten times as long. Many bands are packed, floats by differences of
    their bits: a quarter more than by their bytes, in two thirds of the time. Empty tiles are left out.
    """
    side_px = tile_px or TILE_PX
    apart = (side_px == TILE_PX and not together) or len(layout.band_names) == 1
    names = ("width", "height", "crs", "transform", "dtype", "nodata")
    options = {"driver": "GTiff", "BIGTIFF": "IF_SAFER", **{name: getattr(layout, name) for name in names}}
    interleave = "band" if apart else "pixel"
    tiles = {"tiled": True, "blockxsize": side_px, "blockysize": side_px, "interleave": interleave}
    packed = {"compress": "zstd", "zstd_level": 1, "predictor": _PREDICTOR[np.dtype(layout.dtype).kind]}
    options |= {"count": len(layout.band_names), "SPARSE_OK": True, **tiles}
    return options | packed if tile_px is None or len(layout.band_names) > 1 else options


def _label(sink: DatasetWriter, layout: Layout) -> None:
    sink.descriptions, sink.units = layout.band_names, layout.units
    if layout.scale_factor != 1.0:
        sink.scales = (layout.scale_factor,) * sink.count
        sink.offsets = (0.0,) * sink.count
    sink.update_tags(**tags_of_file(layout))


def tags_of_file(layout: Layout) -> dict[str, str]:
    """All tags of a file: its own, its long name, the names of its codes."""
    tags = dict(layout.tags) | {_LONG_NAME: layout.long_name}
    if layout.categories:
        tags[_CATEGORIES] = ";".join(f"{int(k)}={v}" for k, v in sorted(layout.categories.items()))
    return {name: str(tags[name]) for name in sorted(tags)}
