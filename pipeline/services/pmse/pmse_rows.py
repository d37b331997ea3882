"""Rows of PMSE: assignments of a register; of configs/tables equipment types and their protection ratios."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from pipeline.reference.ratio_tables import ClassCell, NameCell
from pipeline.registers.transmitter_rows import at_null_island
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    IdCell,
    NumberCell,
    RowModel,
    SourcedRow,
    WholeCell,
    columns_of,
    read_rows,
    refuse_second,
    row_problem,
    rules_of,
)

_PLACE_COLUMNS = ("lon", "lat")
_PROJECTED_COLUMNS = ("easting_m", "northing_m")
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


_TIME = "yyyy-mm-ddThh:mm or dd/mm/yyyy hh:mm, local time; the day alone; or empty (no end)"
_Lon = Annotated[float, Field(ge=-180, le=180)]
_Lat = Annotated[float, Field(ge=-90, le=90)]
_Metres = Annotated[float, Field(ge=-1e8, le=1e8)]
_Height = Annotated[float, Field(ge=0, le=900)]


class PmseRow(RowModel):
    """One assignment as registered; None is "not given"."""

    id: IdCell
    kind: Annotated[str, Field(description="a kind of the table of kinds")]
    lon: Annotated[_Lon | None, MAY_BE_EMPTY, Field(description="-180 to 180, degrees east, WGS84")] = None
    lat: Annotated[_Lat | None, MAY_BE_EMPTY, Field(description="-90 to 90, degrees north, WGS84")] = None
    easting_m: Annotated[_Metres | None, MAY_BE_EMPTY, Field(description="metres in the CRS of pmse.crs")] = (
        None
    )
    northing_m: Annotated[
        _Metres | None, MAY_BE_EMPTY, Field(description="metres in the CRS of pmse.crs")
    ] = None
    antenna_height_agl_m: Annotated[
        _Height | None, MAY_BE_EMPTY, Field(description="0 to 900 m above ground; 0 or empty: the default")
    ]
    freq_mhz: Annotated[NumberCell, Field(ge=30, le=4000, description="30 to 4000 MHz")]
    bandwidth_mhz: Annotated[NumberCell, Field(ge=0.0001, le=40, description="0.0001 to 40 MHz")]
    start: Annotated[datetime | None, BeforeValidator(_start), Field(description=_TIME)]
    finish: Annotated[datetime | None, BeforeValidator(_finish), Field(description=_TIME)]
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

    @model_validator(mode="after")
    def _by_rules(self, info: ValidationInfo) -> PmseRow:
        rules = rules_of(info, PmseRules)
        if self.kind not in rules.kinds:
            raise row_problem("kind", "unknown kind of use", ", ".join(sorted(rules.kinds)))
        for name in _PROJECTED_COLUMNS if rules.projected else _PLACE_COLUMNS:
            if getattr(self, name) is None:
                raise row_problem(name, "value is missing", str(PmseRow.model_fields[name].description))
        if not rules.projected and at_null_island(self.lon or 0.0, self.lat or 0.0):
            raise row_problem("lon", "receiver lies at 0, 0", "the coordinates of the receiver")
        if self.start is not None and self.finish is not None and self.finish < self.start:
            allowed = f"a time from {self.start:%Y-%m-%dT%H:%M} on"
            raise row_problem("finish", "ends before it starts", allowed)
        return self


class PmseRules(NamedTuple):
    """What a row is checked against: the known kinds of use; easting and northing or lon and lat required."""

    kinds: Collection[str]
    projected: bool


def required_columns(projected: bool) -> tuple[str, ...]:
    """Columns a file must have; the place is easting and northing where these are ``projected``."""
    return *columns_of(PmseRow, required=True), *(_PROJECTED_COLUMNS if projected else _PLACE_COLUMNS)


# --- tables -------------------------------------------------------------------------------------------------

_WantedPower = Annotated[float, Field(ge=-150, le=0)]


class PmseKind(NamedTuple):
    """An equipment type: minimum wanted power at the receiver (NaN = not known), and its set of ratios."""

    wanted_dbm: float
    ratios: str


class _KindRow(SourcedRow):
    kind: NameCell
    wanted_dbm: Annotated[_WantedPower | None, MAY_BE_EMPTY, Field(description="-150 to 0 dBm or empty")]
    ratios: Annotated[str, Field(description="a set of ratios or empty")]


class _PmseRatioRow(SourcedRow):
    ratios: NameCell
    offset: Annotated[WholeCell, Field(ge=0, le=99, description="0 to 99 channels")]
    emission_class: ClassCell
    ratio_db: Annotated[NumberCell, Field(ge=-150, le=60, description="-150 to 60 dB")]


def read_pmse_kinds(path: Path) -> dict[str, PmseKind]:
    """Equipment types by name (column ``kind``); one without wanted power or set of ratios has no numbers."""
    rows = read_rows(path, _KindRow)
    refuse_second(path, rows, ("kind",))
    return {
        row.kind: PmseKind(math.nan if row.wanted_dbm is None else row.wanted_dbm, row.ratios) for row in rows
    }


def read_pmse_ratios(path: Path) -> dict[tuple[str, int, int], float]:
    """Protection ratio [dB] of PMSE against a device by (set, distance in channels, emission class)."""
    rows = read_rows(path, _PmseRatioRow)
    refuse_second(path, rows, ("offset", "emission_class", "ratios"))
    return {(row.ratios, row.offset, row.emission_class): row.ratio_db for row in rows}
