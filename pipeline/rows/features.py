"""GeoPackage and GeoJSON as records of text, with lon/lat from the point geometry.

The number of a feature, counted from 1, is its row. Any stated geographic or projected CRS is
brought to WGS84. GeoJSON without a ``crs`` member is WGS84 by its standard (RFC 7946); a GeoPackage must say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pandas as pd
import pyogrio
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from pipeline.errors import InputError
from pipeline.rows.earth_crs import is_on_earth
from pipeline.rows.text_records import Record, Records, check_columns, read_text
from pipeline.rows.vector_files import layer_names, read_vector

_WGS84 = CRS.from_epsg(4326)
_LAYER = "transmitters"
# Coordinates in columns and in the geometry must agree: about 11 m, the fourth decimal of a degree.
_AGREEMENT_DEG = 1e-4

_Point = tuple[float, float] | None


def read_geopackage(path: Path, required: Sequence[str]) -> Records:
    """Records of the only layer of a GeoPackage, or of its layer ``transmitters``."""
    with path.open("rb") as file:
        if file.read(15) != b"SQLite format 3":
            raise InputError("is not a GeoPackage", file=path)
    layer = _layer(path)
    frame = read_vector(path, layer)
    geometry = frame.geometry if hasattr(frame, "geometry") else None
    columns = [name for name in frame.columns if geometry is None or name != geometry.name]
    frame = days_as_text(frame, field_kinds(path, layer))
    rows = [
        dict(zip(columns, values, strict=True))
        for values in frame[columns].itertuples(index=False, name=None)
    ]
    if geometry is None:
        return _records(path, required, columns, rows, [None] * len(rows))
    transformer = _to_wgs84(path, _geopackage_crs(path, geometry.crs))
    points = [point_of_shape(shape) for shape in geometry]
    return _records(path, required, columns, rows, points, transformer)


def read_geojson(path: Path, required: Sequence[str]) -> Records:
    """Records of a GeoJSON feature collection."""
    try:
        # Numbers stay the text that the file holds: a CSV with the same text gives the same bits.
        content = json.loads(read_text(path), parse_float=str, parse_int=str, parse_constant=str)
    except (json.JSONDecodeError, RecursionError) as error:
        row = getattr(error, "lineno", None)
        raise InputError("is not valid JSON", file=path, row=row) from None
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or not all(isinstance(feature, dict) for feature in features):
        raise InputError("is not a GeoJSON feature collection", file=path, field="features")
    transformer = _to_wgs84(path, _geojson_crs(path, content.get("crs")))
    rows = [feature.get("properties") or {} for feature in features]
    if not all(isinstance(row, dict) for row in rows):
        raise InputError("has properties that are not named values", file=path, field="properties")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    points = [_point_of_json(feature.get("geometry")) for feature in features]
    return _records(path, required, columns, rows, points, transformer)


def field_kinds(path: Path | str, layer: str) -> dict[str, str]:
    """GDAL's kinds of the fields of a layer by name, such as ``OFTReal``."""
    info = pyogrio.read_info(path, layer=layer)
    return dict(zip(info["fields"], info["ogr_types"], strict=True))


def days_as_text(frame: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """The table with its columns of days (no time) as ISO text, so that no midnight is made up."""
    for name, kind in kinds.items():
        if kind == "OFTDate" and name in frame and pd.api.types.is_datetime64_any_dtype(frame[name]):
            frame[name] = frame[name].dt.strftime("%Y-%m-%d").astype(object)
    return frame


def _layer(path: Path) -> str:
    names = layer_names(path)
    if len(names) == 1:
        return names[0]
    if _LAYER in names:
        return _LAYER
    raise InputError(
        "which layer is the register?",
        file=path,
        field="layer",
        value=names,
        allowed=f"one layer, or one named {_LAYER}",
    )


def _geopackage_crs(path: Path, crs: CRS | None) -> CRS:
    """The stated CRS; a missing or purely local one would put the stations anywhere."""
    if crs is None or not is_on_earth(crs):
        _refuse_crs(path, None if crs is None else crs.name)
    return crs


def _geojson_crs(path: Path, member: object) -> CRS:
    if member is None:
        return _WGS84
    try:
        crs = CRS.from_user_input(member["properties"]["name"])  # type: ignore[index]
    except (CRSError, KeyError, TypeError):
        _refuse_crs(path, member)
    if not is_on_earth(crs):
        _refuse_crs(path, crs.name)
    return crs


def _refuse_crs(path: Path, found: object) -> NoReturn:
    raise InputError(
        "wrong CRS: none that places points on the Earth",
        file=path,
        field="crs",
        value="none" if found is None else found,
        allowed="a stated geographic or projected CRS, such as EPSG:4326",
    )


def _to_wgs84(path: Path, crs: CRS) -> Transformer | None:
    if crs.equals(_WGS84, ignore_axis_order=True):
        return None
    try:
        return Transformer.from_crs(crs, _WGS84, always_xy=True)
    except CRSError:
        _refuse_crs(path, crs.name)


def point_of_shape(shape: shapely.Geometry | None) -> _Point | str:
    """The place of a point, None for nothing; the kind of a geometry that is no point."""
    if shape is None or shape.is_empty:
        return None
    if shape.geom_type == "MultiPoint":
        if len(shape.geoms) > 1:
            return f"MultiPoint of {len(shape.geoms)} points"
        shape = shape.geoms[0]
    return (shape.x, shape.y) if shape.geom_type == "Point" else str(shape.geom_type)


def _point_of_json(geometry: object) -> _Point | str:
    if geometry is None:
        return None
    kind = geometry.get("type") if isinstance(geometry, dict) else geometry
    if not isinstance(geometry, dict) or kind not in {"Point", "MultiPoint"}:
        return str(kind)
    try:
        place = geometry["coordinates"]
        if kind == "MultiPoint":
            if len(place) != 1:
                return f"MultiPoint of {len(place)} points"
            place = place[0]
        x, y = (float(number) for number in place[:2])
    except (KeyError, TypeError, ValueError):
        return "Point without two numbers"
    return (x, y)


def _records(
    path: Path,
    required: Sequence[str],
    columns: Sequence[str],
    rows: Sequence[dict[str, object]],
    points: Sequence[_Point | str],
    transformer: Transformer | None = None,
) -> Records:
    placed = {"lon", "lat"} if any(point is not None for point in points) else set()
    if rows:
        check_columns(path, list(columns), [name for name in required if name not in placed])
    records = Records([], [])
    for number, (row, point) in enumerate(zip(rows, points, strict=True), start=1):
        values = {name: _text(row.get(name)) for name in columns}
        try:
            _enter_point(path, number, values, point, transformer)
        except InputError as error:
            records.faults.append(error)
        else:
            records.readable.append(Record(number, values))
    return records


def _enter_point(
    path: Path, number: int, values: dict[str, str], point: _Point | str, transformer: Transformer | None
) -> None:
    """Enter the point as lon and lat; where columns give them too, the two must agree."""
    if isinstance(point, str):
        raise InputError(
            "not a point",
            file=path,
            row=number,
            field="geometry",
            value=point,
            allowed="Point, or MultiPoint of one",
        )
    if point is None:
        return
    lon_deg, lat_deg = point if transformer is None else transformer.transform(*point)
    for name, degrees in (("lon", lon_deg), ("lat", lat_deg)):
        if _differs(values.get(name, ""), degrees):
            allowed = f"the same as the geometry, {degrees:.6f}, or no column"
            raise InputError(
                "column contradicts the geometry",
                file=path,
                row=number,
                field=name,
                value=values[name],
                allowed=allowed,
            )
        if not values.get(name, ""):
            values[name] = repr(float(degrees))


def _differs(text: str, degrees: float) -> bool:
    """True for a number that is another one; what is no number is left to the check of the row."""
    try:
        return abs(float(text) - degrees) > _AGREEMENT_DEG
    except ValueError:
        return False


def _text(value: object) -> str:
    """A cell as the text a CSV would hold: nothing for null, the shortest exact digits of a number."""
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return repr(float(value)) if isinstance(value, float) else str(value)
