"""Polygons that close channels or change limits: files -> checked shapes with their attributes.

GeoPackage and GeoJSON in any stated CRS, or CSV with a column ``wkt`` in lon/lat. Channels are written
``21-23;38``, or ``*`` for all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from pipeline.errors import InputError
from pipeline.grid.polygons import EDGE_STEP_M
from pipeline.registers.tables import check_columns, read_table

ALL = "*"
EXCLUSION_COLUMNS = ("channels", "reason")
ADJUSTMENT_COLUMNS = ("channels", "adjustment_db", "who", "when", "why")
# An adjustment of this or less switches the channel off (Ofcom's "unscheduled adjustments").
OFF_DB = -100.0
LARGEST_DB = 100.0


class Area(NamedTuple):
    """One polygon in lon/lat with the row it came from; ``channels`` None = all."""

    file: str
    row: int
    shape: BaseGeometry
    channels: frozenset[int] | None
    values: dict[str, str]


class Adjustment(NamedTuple):
    """A signed change of the limit by DTT in an area; who decided it, when and why."""

    area: Area
    adjustment_db: float


def holds_for(area: Area, channel: int) -> bool:
    """Whether an area concerns a channel."""
    return area.channels is None or channel in area.channels


def read_exclusions(paths: Sequence[Path]) -> list[Area]:
    """Exclusion areas of all files, in their order; each needs a reason."""
    return [area for path in paths for area in _read_areas(path, EXCLUSION_COLUMNS)]


def read_adjustments(paths: Sequence[Path]) -> list[Adjustment]:
    """Manual adjustments of all files, in their order; each needs who, when (a date) and why."""
    return [_adjustment(area) for path in paths for area in _read_areas(path, ADJUSTMENT_COLUMNS)]


def _adjustment(area: Area) -> Adjustment:
    try:
        adjustment_db = float(area.values["adjustment_db"])
    except ValueError:
        adjustment_db = math.nan
    if not OFF_DB <= adjustment_db <= LARGEST_DB:
        _refuse(area, "adjustment_db", f"{OFF_DB:g} (off) to {LARGEST_DB:g} dB")
    try:
        date.fromisoformat(area.values["when"][:10])
    except ValueError:
        _refuse(area, "when", "a date such as 2026-11-21")
    return Adjustment(area, adjustment_db)


def _refuse(area: Area, field: str, allowed: str) -> None:
    raise InputError(
        "value is not allowed",
        file=area.file,
        row=area.row,
        field=field,
        value=area.values[field],
        allowed=allowed,
    )


def _read_areas(path: Path, columns: Sequence[str]) -> list[Area]:
    rows = _read_csv(path, columns) if path.suffix.lower() == ".csv" else _read_layer(path, columns)
    return [_checked(path, row, shape, values, columns) for row, shape, values in rows]


def _checked(
    path: Path, row: int, shape: BaseGeometry | None, values: dict[str, str], columns: Sequence[str]
) -> Area:
    for name in columns:
        if not values[name]:
            raise InputError("value is missing", file=path, row=row, field=name, allowed="some text")
    kind = "none" if shape is None else shape.geom_type
    if shape is None or kind not in ("Polygon", "MultiPolygon") or shape.is_empty:
        raise InputError("not a polygon", file=path, row=row, field="geometry", value=kind, allowed="Polygon")
    west, south, east, north = shapely.bounds(shape)
    if not (west >= -180 and south >= -90 and east <= 180 and north <= 90):
        raise InputError(
            "polygon does not lie on the Earth",
            file=path,
            row=row,
            field="geometry",
            value=[west, south, east, north],
            allowed="longitude and latitude in degrees, or a stated CRS",
        )
    valid = shape if shapely.is_valid(shape) else shapely.make_valid(shape)
    return Area(str(path), row, valid, parse_channels(path, row, values["channels"]), values)


def parse_channels(path: Path, row: int, text: str) -> frozenset[int] | None:
    """``21-23;38`` as numbers, ``*`` as None = all; refused if it is neither."""
    if text == ALL:
        return None
    channels: set[int] = set()
    for part in text.split(";"):
        first, _, last = part.strip().partition("-")
        last = last or first
        if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= 99):
            raise InputError(
                "not a list of channels",
                file=path,
                row=row,
                field="channels",
                value=text,
                allowed="* or numbers and ranges such as 21-23;38",
            )
        channels.update(range(int(first), int(last) + 1))
    return frozenset(channels)


def _read_csv(path: Path, columns: Sequence[str]) -> list[tuple[int, BaseGeometry | None, dict[str, str]]]:
    table = read_table(path, [*columns, "wkt"])
    for fault in table.rejected:
        raise fault
    rows = []
    for record in table.records:
        try:
            shape = shapely.from_wkt(record.values["wkt"])
        except ShapelyError:
            raise InputError(
                "is not well-known text",
                file=path,
                row=record.row,
                field="wkt",
                value=record.values["wkt"],
                allowed="POLYGON or MULTIPOLYGON in lon/lat",
            ) from None
        rows.append((record.row, shape, {name: record.values[name].strip() for name in columns}))
    return rows


def _read_layer(path: Path, columns: Sequence[str]) -> list[tuple[int, BaseGeometry | None, dict[str, str]]]:
    if not path.is_file():
        raise InputError("file does not exist", file=path)
    try:
        frame = pyogrio.read_dataframe(path)
    except (DataSourceError, DataLayerError) as error:
        raise InputError(f"not a polygon file that can be read ({type(error).__name__})", file=path) from None
    if "geometry" not in frame or frame.crs is None:
        raise InputError("no coordinate reference system", file=path, field="crs", allowed="a stated CRS")
    check_columns(path, list(frame.columns), list(columns))
    if frame.crs.is_projected:
        # Edges are straight in the file's own coordinates.
        frame = frame.assign(geometry=shapely.segmentize(frame.geometry.array, EDGE_STEP_M))
    shapes = frame.to_crs("EPSG:4326").geometry
    texts = frame[list(columns)].astype(object).where(frame[list(columns)].notna(), "")
    return [
        (row, shape, {name: str(value).strip() for name, value in zip(columns, values, strict=True)})
        for row, (shape, values) in enumerate(
            zip(shapes, texts.itertuples(index=False, name=None), strict=True), start=1
        )
    ]
