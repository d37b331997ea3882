"""Vector files of others: GeoPackage, GeoJSON and shapefile, opened as what they are and as nothing else.

GDAL knows formats that unpack gigabytes or ask servers. What a file is its first bytes say; its size is
bounded before it is opened, and every fault of the libraries becomes one line.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pyogrio.errors import CRSError, DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError
from pyproj import CRS
from pyproj.exceptions import CRSError as ProjError
from shapely.errors import ShapelyError

from pipeline.errors import InputError
from pipeline.rows.text_records import read_text

_SQLITE, _SHAPEFILE = b"SQLite format 3\0", b"\0\0\x27\x0a"
_SUFFIXES = (".gpkg", ".geojson", ".json", ".shp")
_HEAD_BYTES = 4096
# GDAL holds a GeoJSON as objects, ten times its size; a GeoPackage is read as it goes.
_MOST_BYTES = {"GeoJSON": 300_000_000, "GeoPackage": 4_000_000_000, "shapefile": 4_000_000_000}
_MOST_FEATURES = 2_000_000
_FAULTS = (
    CRSError, DataSourceError, FeatureError, FieldError, GeometryError, ProjError, ShapelyError, ValueError
)  # fmt: skip


def layer_names(path: str | Path) -> list[str]:
    """Names of the layers of a vector file, in its order."""
    _check_kind(Path(path))
    with faults_named(path):
        return [str(name) for name in pyogrio.list_layers(path)[:, 0]]


def read_vector(
    path: str | Path, layer: str | None = None, columns: Sequence[str] | None = None
) -> gpd.GeoDataFrame:
    """A layer (None: the first) with some or all attributes, as it stands in the file; heights are dropped.

    Without a column ``geometry`` where the layer has none. InputError for a file of another kind, one that is
    too large or damaged, a layer that is not there, and a geometry that cannot be.
    """
    _check_kind(Path(path))
    with faults_named(path, layer):
        try:
            frame = pyogrio.read_dataframe(
                path, layer=layer, columns=columns, force_2d=True, max_features=_MOST_FEATURES + 1
            )
        except ShapelyError:
            row = _impossible_row(path, layer)
            raise InputError(
                "is no shape: rings have four points or more and close", file=path, row=row, field="geometry"
            ) from None
    if len(frame) > _MOST_FEATURES:
        raise InputError("layer has too many features", file=path, allowed=f"up to {_MOST_FEATURES}")
    return frame


def _check_kind(path: Path) -> None:
    """Refuse all but the three kinds, and those that are too large."""
    if not path.is_file():
        raise InputError("file not found", file=path, allowed="an existing polygon file")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path) from None
    kind = _kind(head)
    if kind is None:
        allowed = f"{', '.join(_MOST_BYTES)}, unpacked"
        raise InputError("not a polygon file that can be read", file=path, allowed=allowed)
    if size > _MOST_BYTES[kind]:
        raise InputError(
            "file is too large", file=path, value=size, allowed=f"up to {_MOST_BYTES[kind]} bytes"
        )
    if kind == "GeoJSON":
        _check_stated_crs(path)


def _kind(head: bytes) -> str | None:
    if head.startswith(_SQLITE):
        return "GeoPackage"
    if head.startswith(_SHAPEFILE):
        return "shapefile"
    return "GeoJSON" if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" else None


def _check_stated_crs(path: Path) -> None:
    """Refuse a GeoJSON whose CRS is unknown: GDAL would take it for longitude and latitude."""
    text = read_text(path)
    if '"crs"' not in text:
        return
    try:
        member = json.loads(text).get("crs")
        if member is not None:
            CRS.from_user_input(member["properties"]["name"])
    except (ProjError, KeyError, TypeError, AttributeError):
        allowed = "a known CRS, such as urn:ogc:def:crs:OGC:1.3:CRS84"
        raise InputError("unknown CRS", file=path, field="crs", value=member, allowed=allowed) from None
    except (ValueError, RecursionError):
        raise InputError("is not valid JSON", file=path) from None


@contextmanager
def faults_named(path: str | Path, layer: str | None = None) -> Iterator[None]:
    """Faults of the libraries as one line; their warnings, of things that are checked here, are not shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DataLayerError:
        if layer is None:
            raise _damaged(path) from None
        raise InputError(
            "no such layer", file=path, field="layer", value=layer, allowed=", ".join(layer_names(path))
        ) from None
    except InputError:
        raise
    except _FAULTS:
        raise _damaged(path) from None


def _damaged(path: str | Path) -> InputError:
    if Path(path).suffix.lower() in _SUFFIXES:
        return InputError(f"is damaged, or no {', '.join(_MOST_BYTES)} inside", file=path)
    return InputError("is damaged, or not what its suffix says", file=path)


def _impossible_row(path: str | Path, layer: str | None) -> int | None:
    """Number of the first feature whose geometry cannot be built."""
    _, _, known, _ = pyogrio.raw.read(
        path, layer=layer, columns=[], force_2d=True, max_features=_MOST_FEATURES
    )
    built = shapely.from_wkb(known, on_invalid="ignore")
    missing = [shape is None and text is not None for shape, text in zip(built, known, strict=True)]
    return int(np.argmax(missing)) + 1 if any(missing) else None
