"""The PMSE register: files -> one checked dataset of assignments, sorted by id.

Strict reading refuses the first bad row; lenient reading leaves bad rows out and returns each of them for
the manifest. A fault of a whole file is refused either way. A file without rows is one without assignments.

The rows of the tables of equipment types and their protection ratios (configs/tables) are read here as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationInfo, model_validator
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from pipeline.config.config import Config
from pipeline.config.incumbents import clock_change, utc_readings
from pipeline.config.register_mapping import RegisterMapping
from pipeline.errors import InputError
from pipeline.grid.grid import GEOD, LONLAT
from pipeline.reference.ratio_tables import ClassCell, NameCell
from pipeline.registers.finishing import Target
from pipeline.registers.named_registers import NamedRows, with_mapped
from pipeline.registers.transmitter_rows import at_null_island
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    PRINTABLE,
    IdCell,
    NumberCell,
    RejectedRow,
    RowModel,
    SourcedRow,
    WholeCell,
    columns_of,
    read_by_id,
    read_rows,
    refuse_second,
    refuse_unless_lenient,
    row_problem,
    rules_of,
)

_PLACE_COLUMNS = ("lon", "lat")
_PROJECTED_COLUMNS = ("easting_m", "northing_m")
# The two places of a row, where both are given: rounding, and transformations that differ by some metres.
SAME_PLACE_M = 100.0
_YEAR_FIRST = re.compile(
    # Seconds do not count. Z, which GeoPackage and JSON writers add to local times too, does not move a time.
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"([T ](?P<hour>\d\d):(?P<minute>\d\d)(:[0-5]\d(\.\d+)?)?(Z|\+00:00)?)?"
)
_DAY_FIRST = re.compile(r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{4})( (?P<hour>\d\d):(?P<minute>\d\d))?")
_TIME = "yyyy-mm-ddThh:mm or dd/mm/yyyy hh:mm, local time; the day alone; or empty (no end)"
_Lon = Annotated[float, Field(ge=-180, le=180)]
_Lat = Annotated[float, Field(ge=-90, le=90)]
_Metres = Annotated[float, Field(ge=-1e8, le=1e8)]
_Height = Annotated[float, Field(ge=0, le=900)]
_Power = Annotated[float, Field(ge=-50, le=60)]
# --- tables -------------------------------------------------------------------------------------------------

_WantedPower = Annotated[float, Field(ge=-150, le=0)]
# Minutes and seconds since 1970 of assignments without a start or an end.
_ALWAYS, _FOREVER = -(2**62), 2**62


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
    device_id: Annotated[
        str, Field(max_length=64, pattern=PRINTABLE, description="up to 64 printable characters")
    ] = ""
    power_dbm: Annotated[_Power | None, MAY_BE_EMPTY, Field(description="-50 to 60 dBm or empty")] = None
    eirp_dbm: Annotated[_Power | None, MAY_BE_EMPTY, Field(description="-50 to 60 dBm or empty")] = None

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
        if self.power_dbm is not None and self.eirp_dbm is not None:
            raise row_problem("eirp_dbm", "power_dbm is given too", "one of the two")
        if self.start is not None and self.finish is not None and _ends_before(self, rules.time_zone):
            allowed = f"a time from {self.start:%Y-%m-%dT%H:%M} on"
            raise row_problem("finish", "ends before it starts", allowed, "order")
        return self


class PmseRules(NamedTuple):
    """What a row is checked against: the known kinds of use; easting and northing or lon and lat required.

    ``time_zone`` of the times.
    """

    kinds: Collection[str]
    projected: bool
    time_zone: str = "UTC"


def _ends_before(row: PmseRow, time_zone: str) -> bool:
    """Whether an assignment ends before it starts, however times are read that come twice or not at all."""
    assert row.start is not None
    assert row.finish is not None
    finish, start = utc_readings(row.finish, time_zone), utc_readings(row.start, time_zone)
    return row.finish < row.start and max(finish) < min(start)


def required_columns(projected: bool) -> tuple[str, ...]:
    """Columns a file must have; the place is easting and northing where these are ``projected``."""
    return *columns_of(PmseRow, required=True), *(_PROJECTED_COLUMNS if projected else _PLACE_COLUMNS)


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


def read_pmse(
    items: Sequence[Path | RegisterMapping],
    kinds: Collection[str],
    *,
    crs: str | None = None,
    lenient: bool = False,
    time_zone: str = "UTC",
) -> tuple[xr.Dataset, list[RejectedRow]]:
    """Read and check registers; ids are unique over all files together.

    ``crs`` of the columns easting_m and northing_m, which then place the assignments (lon and lat, if given
    as well, must agree within 100 m); None: lon and lat do. Returns the dataset (see ``to_dataset``) and, if
    ``lenient``, the rows left out.
    """
    to_degrees = None if crs is None else _to_degrees(crs)
    rows, faults = read_by_id(
        [item for item in items if isinstance(item, Path)],
        PmseRow,
        columns=required_columns(crs is not None),
        context=PmseRules(kinds, crs is not None, time_zone),
        may_be_empty=True,
        faults_of=partial(_place_faults, to_degrees),
    )
    target = Target("pmse", PmseRow, PmseRules(kinds, projected=False, time_zone=time_zone))
    found = with_mapped(NamedRows(rows, faults, []), items, target)
    rejected = refuse_unless_lenient(found.faults, lenient=lenient)
    dataset = to_dataset(_placed(found.rows, to_degrees), crs, time_zone)
    dataset.attrs["rejected_rows"] = len(rejected)
    return dataset, [*rejected, *found.left_out]


def _placed(rows: Sequence[PmseRow], to_degrees: Transformer | None) -> list[PmseRow]:
    """The rows with easting and northing where these place the assignments: mappings give degrees."""
    if to_degrees is None:
        return [*rows]
    placed = []
    for row in rows:
        if row.easting_m is None or row.northing_m is None:
            x_m, y_m = to_degrees.transform(row.lon, row.lat, direction="INVERSE")
            row = row.model_copy(update={"easting_m": x_m, "northing_m": y_m})
        placed.append(row)
    return placed


def pmse_target(config: Config) -> Target:
    """Assignments as what a mapping of a territory file writes, with its kinds and its clock."""
    rules = PmseRules(read_pmse_kinds(config.pmse.kinds), False, config.query.time_zone)
    return Target("pmse", PmseRow, rules)


def read_pmse_register(config: Config) -> tuple[xr.Dataset, list[RejectedRow]]:
    """The PMSE registers that a territory file names, as strictly as it says."""
    settings = config.pmse
    kinds = read_pmse_kinds(settings.kinds)
    return read_pmse(
        settings.registers,
        kinds,
        crs=settings.crs,
        lenient=config.registers.lenient,
        time_zone=config.query.time_zone,
    )


def bookings_of(config: Config) -> xr.Dataset | None:
    """The assignments of a territory; None where PMSE is not evaluated or has no register."""
    if not config.services["pmse"].evaluated or not config.pmse.registers:
        return None
    return read_pmse_register(config)[0]


def to_dataset(rows: Sequence[PmseRow], crs: str | None, time_zone: str = "UTC") -> xr.Dataset:
    """Checked rows as a dataset over ``assignment``, in the given order.

    ``x``, ``y`` in the CRS of attribute ``crs``: metres, or degrees east and north; height NaN where none (or
    0) is given; times in minutes since 1970, ``finish_minute`` is the last one of use. A time that does not
    come in ``time_zone`` is read so that the assignment is longer. Attribute ``odd_times``: those, and those
    that come twice. ``begin_s`` and ``end_s`` (after the last minute): the same in UTC seconds since 1970, so
    that the assignment is longer where a time comes twice.
    """
    places = ("lon", "lat") if crs is None else ("easting_m", "northing_m")
    numbers = {
        "x": [getattr(row, places[0]) for row in rows],
        "y": [getattr(row, places[1]) for row in rows],
        "height_m": [row.antenna_height_agl_m or math.nan for row in rows],
        "freq_mhz": [row.freq_mhz for row in rows],
        "bandwidth_mhz": [row.bandwidth_mhz for row in rows],
    }
    numbers |= {
        name: [math.nan if getattr(row, name) is None else getattr(row, name) for row in rows]
        for name in ("power_dbm", "eirp_dbm")
    }
    names = ("id", "kind", "situation", "environment", "device_id")
    texts = {name: [getattr(row, name) for row in rows] for name in names}
    times = {
        "start_minute": [_minute(_outer(row.start, time_zone, min), _ALWAYS) for row in rows],
        "finish_minute": [_minute(_outer(row.finish, time_zone, max), _FOREVER) for row in rows],
    }
    variables = {name: np.array(values, dtype=np.float64) for name, values in numbers.items()}
    variables |= {name: np.array(values, dtype=np.str_) for name, values in texts.items()}
    instants = {
        "begin_s": [_ALWAYS if row.start is None else _begin_s(row.start, time_zone) for row in rows],
        "end_s": [_FOREVER if row.finish is None else _end_s(row.finish, time_zone) for row in rows],
    }
    variables |= {name: np.array(values, dtype=np.int64) for name, values in (times | instants).items()}
    data = {name: ("assignment", values) for name, values in variables.items()}
    return xr.Dataset(data, attrs={"crs": crs or LONLAT, "odd_times": list(_odd_times(rows, time_zone))})


def _outer(
    moment: datetime | None, time_zone: str, choose: Callable[[tuple[datetime, datetime]], datetime]
) -> datetime | None:
    """A local time; one that does not come as the earlier or the later of its readings."""
    if moment is None or not clock_change(moment, time_zone).startswith("does not"):
        return moment
    return choose(utc_readings(moment, time_zone)).astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)


def _begin_s(moment: datetime, time_zone: str) -> int:
    """The earliest second, UTC since 1970, that a first minute may stand for."""
    return int(min(utc_readings(moment, time_zone)).timestamp())


def _end_s(moment: datetime, time_zone: str) -> int:
    """The second after the latest that a last minute may stand for."""
    return int(max(utc_readings(moment, time_zone)).timestamp()) + 60


def _odd_times(rows: Sequence[PmseRow], time_zone: str) -> Iterator[str]:
    for row in rows:
        for name, moment in (("start", row.start), ("finish", row.finish)):
            if moment is not None and (odd := clock_change(moment, time_zone)):
                yield f"{row.id}: {name} {moment:%Y-%m-%dT%H:%M} {odd} in {time_zone}"


def active_between(dataset: xr.Dataset, at: str | None, hours: float) -> NDArray[np.bool_]:
    """Assignments with any time in [at, at + hours), bool[assignment]; all of them without ``at``."""
    if at is None:
        return np.ones(dataset.sizes["assignment"], dtype=np.bool_)
    begin = _minute(datetime.fromisoformat(at), _ALWAYS)
    begun = dataset["start_minute"].values < begin + 60.0 * hours
    return np.asarray(begun & (dataset["finish_minute"].values >= begin))


def summary(dataset: xr.Dataset, active: NDArray[np.bool_]) -> dict[str, int]:
    """Counts for reports: assignments, those that hold on the date, rows left out, and filled gaps."""
    counts = {
        "assignments": dataset.sizes["assignment"],
        "active": active.sum(),
        "rejected_rows": dataset.attrs.get("rejected_rows", 0),
        "without_start": (dataset["start_minute"].values == _ALWAYS).sum(),
        "without_finish": (dataset["finish_minute"].values == _FOREVER).sum(),
        "without_height": np.isnan(dataset["height_m"].values).sum(),
    }
    return {name: int(count) for name, count in counts.items()}


def _place_faults(
    to_degrees: Transformer | None, path: Path, rows: Sequence[PmseRow]
) -> Iterator[InputError]:
    """Rows whose easting and northing lie nowhere, or elsewhere than their lon and lat."""
    if to_degrees is None or not rows:
        return
    columns = ("easting_m", "northing_m", "lon", "lat")
    values = np.array([[getattr(row, name) for name in columns] for row in rows], dtype=np.float64)
    lon, lat = to_degrees.transform(values[:, 0], values[:, 1])
    on_earth = np.isfinite(lon) & np.isfinite(lat)
    apart_m = np.zeros(len(rows))
    both = on_earth & np.isfinite(values[:, 2:]).all(axis=1)
    apart_m[both] = GEOD.inv(lon[both], lat[both], *values[both, 2:].T)[2]
    for i in np.flatnonzero(~on_earth | (apart_m > SAME_PLACE_M)).tolist():
        nowhere = "place is nowhere on the Earth"
        elsewhere = f"easting and northing lie {apart_m[i]:.0f} m from lon and lat"
        yield InputError(
            elsewhere if on_earth[i] else nowhere,
            file=path,
            row=rows[i].row,
            field="easting_m",
            value=rows[i].easting_m,
            allowed=f"one place in the CRS of pmse.crs, within {SAME_PLACE_M:g} m",
        )


def _to_degrees(crs: str) -> Transformer:
    try:
        known = CRS.from_user_input(crs)
    except CRSError:
        raise InputError("unknown CRS", row="pmse.crs", value=crs, allowed="a projected CRS") from None
    if not known.is_projected:
        raise InputError("CRS is not projected", row="pmse.crs", value=crs, allowed="a projected CRS")
    return Transformer.from_crs(known, LONLAT, always_xy=True)


def _minute(moment: datetime | None, otherwise: int) -> int:
    """Minutes since 1970 of a local time."""
    return otherwise if moment is None else (moment - datetime(1970, 1, 1)) // timedelta(minutes=1)
