"""Polygons that close channels or change limits: files -> checked shapes with their attributes.

GeoPackage and GeoJSON in any stated CRS, or CSV with a column ``wkt`` in lon/lat. Channels are written
``21-23;38``, or ``*`` for all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar

import shapely
from pydantic import BeforeValidator, Field, model_validator
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.register_mapping import RegisterMapping
from pipeline.errors import InputError, raise_first
from pipeline.grid.grid import LONLAT
from pipeline.grid.polygons import EDGE_STEP_M, checked_frame, read_frame
from pipeline.grid.repair import Repair, check_degrees, checked_shape, repair_of, valid_shape
from pipeline.registers.finishing import Target
from pipeline.registers.named_registers import mapped_records
from pipeline.registers.stations import UnplacedReceiverRow
from pipeline.rows.gdal_tables import KML_KINDS, kml_features
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    UPPER_CASE,
    IdCell,
    NumberCell,
    RowModel,
    StrippedRow,
    WholeCell,
    check_record,
    columns_of,
    read_records,
    row_problem,
)
from pipeline.rows.text_records import Record, check_columns

_ALL_CHANNELS = "*"
_RANGE = re.compile(r"([0-9]{1,2})(?: *- *([0-9]{1,2}))?")
# An adjustment of this or less switches the channel off (Ofcom's "unscheduled adjustments").
OFF_DB = -100.0


def parse_channels(text: str) -> frozenset[int] | None:
    """``21-23;38`` as numbers, ``*`` as None = all; ValueError if it is neither."""
    if text == _ALL_CHANNELS:
        return None
    channels: set[int] = set()
    for part in text.split(";"):
        ends = _RANGE.fullmatch(part.strip())
        first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, 0)
        if not 1 <= first <= last <= 99:
            raise ValueError("not a list of channels")
        channels.update(range(first, last + 1))
    return frozenset(channels)


def _day(text: str) -> str:
    datetime.fromisoformat(text)
    return text


_Text = Annotated[str, Field(min_length=1, description="some text")]
_Cap = Annotated[float, Field(ge=-99, le=60)]


class _ExclusionRow(StrippedRow):
    channels: Annotated[
        frozenset[int] | None,
        BeforeValidator(parse_channels),
        Field(description="* or numbers and ranges such as 21-23;38"),
    ]
    reason: _Text


class _MaskRow(StrippedRow):
    channels: Annotated[
        frozenset[int] | None,
        BeforeValidator(parse_channels),
        Field(description="* or numbers and ranges such as 21-23;38"),
    ]
    cap_dbm: Annotated[_Cap | None, MAY_BE_EMPTY, Field(description="-99 to 60 dBm, or empty")]
    cap_density_dbm_per_100khz: Annotated[
        _Cap | None, MAY_BE_EMPTY, Field(description="-99 to 60 dBm in 100 kHz, or empty")
    ]
    reason: _Text
    source: _Text

    @model_validator(mode="after")
    def _capped(self) -> _MaskRow:
        if self.cap_dbm is None and self.cap_density_dbm_per_100khz is None:
            raise row_problem(
                "cap_dbm", "mask without a cap", "a cap, in the device's bandwidth or in 100 kHz"
            )
        return self


class _AdjustmentRow(StrippedRow):
    channels: Annotated[
        frozenset[int] | None,
        BeforeValidator(parse_channels),
        Field(description="* or numbers and ranges such as 21-23;38"),
    ]
    adjustment_db: Annotated[NumberCell, Field(ge=OFF_DB, le=100, description="-100 (off) to 100 dB")]
    who: _Text
    when: Annotated[str, BeforeValidator(_day), Field(description="a date such as 2026-11-21")]
    why: _Text


class _AllotmentRow(StrippedRow):
    id: IdCell
    channel: Annotated[WholeCell, Field(ge=1, le=99, description="a channel number of the plan")]
    ref_plan_cfg: Annotated[
        Literal["RPC1", "RPC2", "RPC3"], UPPER_CASE, Field(description="RPC1, RPC2 or RPC3")
    ]
    polarisation: Annotated[
        Literal["H", "V", "M", "U", ""], UPPER_CASE, Field(description="H, V, M, U or empty")
    ]

    @property
    def channels(self) -> frozenset[int]:
        """Its one channel."""
        return frozenset({self.channel})


class ChannelArea(NamedTuple):
    """One polygon in lon/lat with the row it came from; ``channels`` None = all; ``repair`` of it."""

    file: str
    row: int
    shape: BaseGeometry
    channels: frozenset[int] | None
    values: dict[str, str]
    repair: Repair | None = None


class _Drawn(NamedTuple):
    """A record with its polygon in lon/lat, valid, and what was repaired."""

    record: Record
    shape: BaseGeometry
    repair: Repair | None


class LimitingMask(NamedTuple):
    """A cap in an area, in the bandwidth of the device or in 100 kHz; None: no such cap."""

    area: ChannelArea
    cap_dbm: float | None
    cap_density_dbm_per_100khz: float | None

    def eirp_dbm(self, bandwidth_mhz: float) -> float:
        """Largest e.i.r.p. of a device of that bandwidth."""
        density = self.cap_density_dbm_per_100khz
        spread = math.inf if density is None else density + 10.0 * math.log10(10.0 * bandwidth_mhz)
        return spread if self.cap_dbm is None else min(self.cap_dbm, spread)


class Allotment(NamedTuple):
    """A channel allotted to an area for a reference planning configuration of GE06."""

    area: ChannelArea
    id: str
    channel: int
    configuration: str


class Adjustment(NamedTuple):
    """A signed change of the limit by DTT in an area; who decided it, when and why."""

    area: ChannelArea
    adjustment_db: float


def concerns(area: ChannelArea, channel: DeviceChannel) -> bool:
    """Whether an area concerns a channel, or a channel of a bond."""
    return area.channels is None or any(number in area.channels for number in channels_in(channel))


def read_exclusions(items: Sequence[Path | RegisterMapping]) -> list[ChannelArea]:
    """Exclusion areas of all files, in their order; each needs a reason."""
    return [area for item in items for area, _ in _read_areas(item, _ExclusionRow)]


def read_masks(items: Sequence[Path | RegisterMapping]) -> list[LimitingMask]:
    """Limiting masks of all files, in their order; each needs a cap, a reason and a source."""
    return [
        LimitingMask(area, row.cap_dbm, row.cap_density_dbm_per_100khz)
        for item in items
        for area, row in _read_areas(item, _MaskRow)
    ]


def read_adjustments(items: Sequence[Path | RegisterMapping]) -> list[Adjustment]:
    """Manual adjustments of all files, in their order; each needs who, when (a date) and why."""
    return [
        Adjustment(area, row.adjustment_db)
        for item in items
        for area, row in _read_areas(item, _AdjustmentRow)
    ]


def read_allotments(path: Path) -> list[Allotment]:
    """Allotments of a file, in their order."""
    return [
        Allotment(area, row.id, row.channel, row.ref_plan_cfg)
        for area, row in _read_areas(path, _AllotmentRow)
    ]


def read_receiver_areas(path: Path) -> list[tuple[ChannelArea, UnplacedReceiverRow]]:
    """Areas of a file in which receivers may stand anywhere, each with its receiver, in their order."""
    return _read_areas(path, UnplacedReceiverRow)


AREA_MODELS: dict[str, type[RowModel]] = {
    "exclusions": _ExclusionRow,
    "masks": _MaskRow,
    "adjustments": _AdjustmentRow,
}
"""Kinds of rows by key of the section `areas`."""

_Row = TypeVar("_Row", _ExclusionRow, _MaskRow, _AllotmentRow, _AdjustmentRow, UnplacedReceiverRow)


def _read_areas(path: Path | RegisterMapping, model: type[_Row]) -> list[tuple[ChannelArea, _Row]]:
    if isinstance(path, RegisterMapping):
        return _read_mapped(path, model)
    columns = columns_of(model, required=model is UnplacedReceiverRow)
    read = _read_csv if path.suffix.lower() == ".csv" else _read_layer
    return [_checked(path, drawn, model) for drawn in read(path, columns)]


def area_target(model: type[RowModel]) -> Target:
    """Areas of a kind as what a mapping writes."""
    return Target("areas", model, None)


def _read_mapped(mapping: RegisterMapping, model: type[_Row]) -> list[tuple[ChannelArea, _Row]]:
    """The areas of a foreign file: columns by its mapping, polygons of the file or its column ``wkt``."""
    found = mapped_records(mapping, area_target(model))
    raise_first(found.faults)
    columns = columns_of(model)
    shapes: dict[Path, list[_Drawn]] = {}
    areas = []
    for file, record in found.records:
        if "wkt" in mapping.columns:
            areas.append(_checked(file, _from_wkt(file, record, columns), model))
            continue
        drawn = shapes.setdefault(file, []) or _read_layer(file, (), mapping.layer)
        shapes[file] = drawn
        areas.append(_checked(file, drawn[record.row - 1]._replace(record=record), model))
    return areas


def _checked(path: Path, drawn: _Drawn, model: type[_Row]) -> tuple[ChannelArea, _Row]:
    row = check_record(path, drawn.record, model)
    number, values = drawn.record
    if drawn.shape.is_empty:
        raise InputError(
            "polygon has no area", file=path, row=number, field="geometry", allowed="Polygon or MultiPolygon"
        )
    return ChannelArea(str(path), number, drawn.shape, row.channels, values, drawn.repair), row


def _read_csv(path: Path, columns: Sequence[str]) -> list[_Drawn]:
    records = read_records(path, [*columns, "wkt"])
    for fault in records.faults:
        raise fault
    return [_from_wkt(path, record, columns) for record in records.readable]


def _from_wkt(path: Path, record: Record, columns: Sequence[str]) -> _Drawn:
    try:
        written = shapely.force_2d(shapely.from_wkt(record.values["wkt"]))
    except ShapelyError:
        raise InputError(
            "is not well-known text",
            file=path,
            row=record.row,
            field="wkt",
            value=record.values["wkt"],
            allowed="POLYGON or MULTIPOLYGON in lon/lat",
        ) from None
    shape, problem = checked_shape(path, record.row, written)
    check_degrees(path, record.row, shape)
    values = {name: record.values[name].strip() for name in columns}
    return _Drawn(Record(record.row, values), shape, repair_of(path, record.row, problem, shape))


def _read_layer(path: Path, columns: Sequence[str], layer: str | None = None) -> list[_Drawn]:
    is_kml = path.suffix.lower() in KML_KINDS
    frame = checked_frame(path, kml_features(path, layer)) if is_kml else read_frame(path, layer)
    check_columns(path, list(frame.columns), list(columns))
    repairs = {repair.row: repair for repair in frame.attrs["repairs"]}
    if frame.crs.is_projected:
        # Edges are straight in the file's own coordinates.
        frame = frame.assign(geometry=shapely.segmentize(frame.geometry.array, EDGE_STEP_M))
    shapes = map(valid_shape, frame.to_crs(LONLAT).geometry)
    texts = frame[list(columns)].astype(object).where(frame[list(columns)].notna(), "")
    rows = texts.itertuples(index=False, name=None) if columns else [()] * len(texts)
    named = zip(shapes, rows, strict=True)
    return [
        _Drawn(Record(row, _stripped(columns, values)), shape, repairs.get(row))
        for row, (shape, values) in enumerate(named, start=1)
    ]


def _stripped(columns: Sequence[str], values: Sequence[object]) -> dict[str, str]:
    return {name: str(value).strip() for name, value in zip(columns, values, strict=True)}
