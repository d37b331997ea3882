"""One row of a PMSE register: types, ranges, times and place.

Field names are the columns of the file. The description of a field is what an error message gives as allowed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline.errors import InputError
from pipeline.registers.rows import NULL_ISLAND_DEG, PRINTABLE, Number, Optional, row_error

PLACE_COLUMNS = ("lon", "lat")
PROJECTED_COLUMNS = ("easting_m", "northing_m")
# The two places of a row, where both are given: rounding, and transformations that differ by some metres.
SAME_PLACE_M = 100.0

_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)([T ](?P<hour>\d\d):(?P<minute>\d\d))?"
)
_DAY_FIRST = re.compile(r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{4})( (?P<hour>\d\d):(?P<minute>\d\d))?")


def _lower(text: object) -> object:
    return text.strip().lower() if isinstance(text, str) else text


def _moment(text: object, hour: int, minute: int) -> object:
    """Text to local time, None if empty; a day without a time is completed by hour and minute."""
    if not isinstance(text, str) or not text.strip():
        return None if isinstance(text, str) else text
    match = _YEAR_FIRST.fullmatch(text.strip()) or _DAY_FIRST.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a time")
    parts = match.groupdict()
    if parts["hour"] is not None:
        hour, minute = int(parts["hour"]), int(parts["minute"])
    return datetime(int(parts["year"]), int(parts["month"]), int(parts["day"]), hour, minute)


def _start(text: object) -> object:
    return _moment(text, 0, 0)


def _finish(text: object) -> object:
    return _moment(text, 23, 59)


TIME = "yyyy-mm-ddThh:mm or dd/mm/yyyy hh:mm, local time; the day alone; or empty (no end)"
Lon = Annotated[float, Field(ge=-180, le=180)]
Lat = Annotated[float, Field(ge=-90, le=90)]
Metres = Annotated[float, Field(ge=-1e8, le=1e8)]
Height = Annotated[float, Field(ge=0, le=900)]


class PmseRow(BaseModel):
    """One assignment as booked; None is "not given"."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, allow_inf_nan=False)

    id: Annotated[
        str, Field(min_length=1, max_length=64, pattern=PRINTABLE, description="1 to 64 printable characters")
    ]
    kind: Annotated[str, Field(description="a kind of the table of kinds")]
    lon: Annotated[Lon | None, Optional, Field(description="-180 to 180, degrees east, WGS84")] = None
    lat: Annotated[Lat | None, Optional, Field(description="-90 to 90, degrees north, WGS84")] = None
    easting_m: Annotated[Metres | None, Optional, Field(description="metres in the CRS of pmse.crs")] = None
    northing_m: Annotated[Metres | None, Optional, Field(description="metres in the CRS of pmse.crs")] = None
    antenna_height_agl_m: Annotated[
        Height | None, Optional, Field(description="0 to 900 m above ground; 0 or empty: the default")
    ]
    freq_mhz: Annotated[Number, Field(ge=30, le=4000, description="30 to 4000 MHz")]
    bandwidth_mhz: Annotated[Number, Field(ge=0.0001, le=40, description="0.0001 to 40 MHz")]
    start: Annotated[datetime | None, BeforeValidator(_start), Field(description=TIME)]
    finish: Annotated[datetime | None, BeforeValidator(_finish), Field(description=TIME)]
    situation: Annotated[
        Literal["indoor", "outdoor", "airborne", ""],
        BeforeValidator(_lower),
        Field(description="indoor, outdoor, airborne or empty (outdoor)"),
    ]
    environment: Annotated[
        Literal["open", "suburban", "urban", ""],
        BeforeValidator(_lower),
        Field(description="open, suburban, urban or empty (the default)"),
    ] = ""


class _Problem(NamedTuple):
    field: str
    text: str
    allowed: str


def required_columns(projected: bool) -> tuple[str, ...]:
    """Columns a file must have; the place is easting and northing where these are ``projected``."""
    always = (name for name, field in PmseRow.model_fields.items() if field.is_required())
    return *always, *(PROJECTED_COLUMNS if projected else PLACE_COLUMNS)


def check_row(
    path: Path, row: int, values: Mapping[str, str], kinds: Collection[str], *, projected: bool
) -> PmseRow:
    """The checked row; InputError names file, row, field, value and what is allowed."""
    try:
        record = PmseRow.model_validate(dict(values))
    except ValidationError as error:
        raise row_error(PmseRow, path, row, values, error) from None
    problem = _problem(record, kinds, projected)
    if problem is not None:
        raise InputError(
            problem.text,
            file=path,
            row=row,
            field=problem.field,
            value=values.get(problem.field, ""),
            allowed=problem.allowed,
        )
    return record


def _problem(record: PmseRow, kinds: Collection[str], projected: bool) -> _Problem | None:
    if record.kind not in kinds:
        return _Problem("kind", "unknown kind of use", ", ".join(sorted(kinds)))
    for name in PROJECTED_COLUMNS if projected else PLACE_COLUMNS:
        if getattr(record, name) is None:
            return _Problem(name, "value is missing", str(PmseRow.model_fields[name].description))
    if not projected and _at_null_island(record):
        return _Problem("lon", "receiver lies at 0, 0", "the coordinates of the receiver")
    if record.start is not None and record.finish is not None and record.finish < record.start:
        return _Problem("finish", "ends before it starts", f"a time from {record.start:%Y-%m-%dT%H:%M} on")
    return None


def _at_null_island(record: PmseRow) -> bool:
    lon, lat = record.lon or 0.0, record.lat or 0.0
    return abs(lon) < NULL_ISLAND_DEG and abs(lat) < NULL_ISLAND_DEG
