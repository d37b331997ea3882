"""``channelmaps occupancy``: measured occupancy beside a run's maps (SM.2405, 6.3): hints, never a decision.

A few fixed sites show what can be detected there; receivers cannot be detected at all. So nothing is read
from here into a layer: a row is compared with what the map says at its place, and differences are named for a
person to look at.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import geopandas as gpd
import xarray as xr
from pydantic import BeforeValidator, Field, model_validator

from pipeline.coordination.sensing import NOT_DECIDED
from pipeline.errors import InputError
from pipeline.files import check_output_folder, csv_text, kind_of_start, kind_of_table, write_output
from pipeline.grid import raster
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import LONLAT, Grid
from pipeline.grid.layer_files import layer_file
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED
from pipeline.query.results import Run, published_file, read_run
from pipeline.query.results_data import open_results
from pipeline.rows.row_models import (
    MAY_BE_EMPTY,
    LatCell,
    LonCell,
    NumberCell,
    RowModel,
    read_rows,
    row_problem,
)
from pipeline.units import power_dbm

_Finding = Literal["OCCUPIED_BUT_AVAILABLE", "QUIET_BUT_SERVED", "CONSISTENT", "NOT_EVALUATED"]
_FINDINGS: tuple[_Finding, ...] = (
    "OCCUPIED_BUT_AVAILABLE",
    "QUIET_BUT_SERVED",
    "CONSISTENT",
    "NOT_EVALUATED",
)
# A channel counts as occupied from this share of the time on, and as available for this e.i.r.p.
_OCCUPIED_PCT, _AVAILABLE_DBM = 1.0, 20.0
_COLUMNS = (
    "row",
    "lon",
    "lat",
    "channel",
    "duty_pct",
    "level_dbm",
    "detected",
    "max_eirp_dbm",
    "served",
    "finding",
    "note",
)
_SUMMARY = ("channel", "places", "detected", *(name.lower() for name in _FINDINGS), "text", "note")
_PRODUCTS = {
    "occupancy.csv": kind_of_table(*_COLUMNS),
    "summary.csv": kind_of_table(*_SUMMARY),
    "occupancy.gpkg": kind_of_start("a GeoPackage", rb"SQLite format 3\0"),
}
_GEOMETRY = {"occupancy": "Point"}


def _moment_or_none(text: object) -> object:
    if not isinstance(text, str):
        return text
    return datetime.fromisoformat(text.strip()) if text.strip() else None


_TIME = "yyyy-mm-ddThh:mm[:ss][offset], or empty"
_Moment = Annotated[datetime | None, BeforeValidator(_moment_or_none), Field(description=_TIME)]
_Level = Annotated[float, Field(ge=-200, le=50)]
_Field = Annotated[float, Field(ge=-60, le=200)]
_Gain = Annotated[float, Field(ge=-30, le=60)]
_Height = Annotated[float, Field(ge=0, le=1000)]
_Number = Annotated[int, Field(ge=1, le=99)]
_FrequencyMhz = Annotated[float, Field(ge=30, le=6000)]
_BandwidthMhz = Annotated[float, Field(gt=0, le=100)]


class OccupancyRow(RowModel):
    """What was measured at a place; the channel by its number, or by frequency and bandwidth."""

    lon: LonCell
    lat: LatCell
    duty_pct: Annotated[NumberCell, Field(ge=0, le=100, description="0 to 100 % of the time")]
    height_m: Annotated[_Height | None, MAY_BE_EMPTY, Field(description="0 to 1000 m, or empty")] = None
    channel: Annotated[_Number | None, MAY_BE_EMPTY, Field(description="a channel number, or empty")] = None
    f_mhz: Annotated[_FrequencyMhz | None, MAY_BE_EMPTY, Field(description="30 to 6000 MHz, or empty")] = None
    bandwidth_mhz: Annotated[
        _BandwidthMhz | None, MAY_BE_EMPTY, Field(description="up to 100 MHz, or empty")
    ] = None
    level_dbm: Annotated[_Level | None, MAY_BE_EMPTY, Field(description="-200 to 50 dBm, or empty")] = None
    field_dbuvm: Annotated[
        _Field | None, MAY_BE_EMPTY, Field(description="-60 to 200 dB(uV/m), or empty")
    ] = None
    threshold_dbm: Annotated[_Level | None, MAY_BE_EMPTY, Field(description="-200 to 50 dBm, or empty")] = (
        None
    )
    antenna_dbi: Annotated[_Gain | None, MAY_BE_EMPTY, Field(description="-30 to 60 dBi, or empty")] = None
    since: _Moment = Field(default=None, alias="from")
    until: _Moment = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _complete(self) -> OccupancyRow:
        if (self.channel is None) == (self.f_mhz is None):
            raise row_problem(
                "channel", "is not one of the two", "either channel, or f_mhz and bandwidth_mhz"
            )
        if (self.f_mhz is None) != (self.bandwidth_mhz is None):
            raise row_problem("bandwidth_mhz", "goes with f_mhz", "both or none")
        if (self.level_dbm is None) == (self.field_dbuvm is None):
            raise row_problem("level_dbm", "is not one of the two", "either level_dbm or field_dbuvm")
        if self.since and self.until:
            if (self.since.tzinfo is None) != (self.until.tzinfo is None):
                raise row_problem("to", "one of two with an offset from UTC", "both with an offset, or none")
            if self.until < self.since:
                raise row_problem("to", "ends before it starts", f"a time from {self.since.isoformat()} on")
        return self


class _Channel(NamedTuple):
    """A channel of the run."""

    number: int
    from_mhz: float
    to_mhz: float


class _Place(NamedTuple):
    """What the maps say at a place in a channel; ``max_eirp_dbm`` None: nothing permitted, or unknown."""

    channel: str
    f_mhz: float
    max_eirp_dbm: float | None
    evaluated: bool
    served: bool


class _Judged(NamedTuple):
    """A row beside what the map says of a channel at its place."""

    row: OccupancyRow
    place: _Place
    level_dbm: float
    detected: bool
    finding: _Finding


def judge(evaluated: bool, *, available: bool, served: bool, detected: bool) -> _Finding:
    """What a measurement says of a map; a channel that a known station serves there may well be detected."""
    if served:
        return "CONSISTENT" if detected else "QUIET_BUT_SERVED"
    if not evaluated:
        return "NOT_EVALUATED"
    return "OCCUPIED_BUT_AVAILABLE" if detected and available else "CONSISTENT"


class _Maps:
    """The maps of a run: what a device may radiate, and where DTT is received."""

    def __init__(self, run: Run, device: str | None) -> None:
        self._run = run
        self._levels = open_results(run.folder, device)
        self._files = {entry["path"] for entry in run.manifest["outputs"]}
        self.device = str(self._levels.attrs["device"])
        mapped = set(self._levels["channel"].values.tolist())
        self._channels = [
            _Channel(entry["channel"], 1e-6 * entry["start_hz"], 1e-6 * entry["stop_hz"])
            for entry in run.manifest["query"]["channels"]
            if str(entry["channel"]) in mapped
        ]
        if not self._channels:
            allowed = "a device of single channels"
            raise InputError("has bonds alone", field="--device", value=self.device, allowed=allowed)

    def channels_of(self, row: OccupancyRow) -> list[_Channel]:
        """Channels of the run that a row concerns, also in part."""
        if row.f_mhz is None:
            return [channel for channel in self._channels if channel.number == row.channel]
        half_mhz = 0.5 * (row.bandwidth_mhz or 0.0)
        low_mhz, high_mhz = row.f_mhz - half_mhz, row.f_mhz + half_mhz
        return [
            channel for channel in self._channels if low_mhz < channel.to_mhz and channel.from_mhz < high_mhz
        ]

    def at(self, row: OccupancyRow, channel: _Channel) -> _Place:
        """What they say where a row was measured."""
        grid: Grid = self._levels.attrs["grid"]
        y, x = grid.pixel_of(row.lon, row.lat)
        levels = self._levels.sel(channel=str(channel.number))
        raw = int(levels.values[y, x]) if grid.has_pixel(y, x) else NODATA_CENTI
        return _Place(
            str(channel.number),
            0.5 * (channel.from_mhz + channel.to_mhz),
            0.01 * raw if raw > NOT_EVALUATED else None,
            raw not in (NODATA_CENTI, NOT_EVALUATED),
            self._served(row, channel.number),
        )

    def _served(self, row: OccupancyRow, channel: int) -> bool:
        name = layer_file("dtt_served", dtt_channel=channel)
        if name not in self._files:
            return False
        layer = _read_layer(published_file(self._run, name))
        grid: Grid = layer.attrs["grid"]
        y, x = grid.pixel_of(row.lon, row.lat)
        return grid.has_pixel(y, x) and int(layer.values[y, x]) == 1


@lru_cache(maxsize=100)
def _read_layer(path: Path) -> xr.DataArray:
    return raster.read(path)


def _level_dbm(row: OccupancyRow, f_mhz: float) -> float:
    """Level at the receiver; a field is turned into that of its antenna, isotropic if none is told."""
    if row.level_dbm is not None or row.field_dbuvm is None:
        return math.nan if row.level_dbm is None else row.level_dbm
    return float(power_dbm(row.field_dbuvm, f_mhz)) + (row.antenna_dbi or 0.0)


def compare_rows(rows: Sequence[OccupancyRow], maps: _Maps) -> Iterator[_Judged]:
    """Each row at each channel that it concerns; one of no channel of the run once."""
    for row in rows:
        foreign = _Place(str(row.channel or ""), row.f_mhz or math.nan, None, evaluated=False, served=False)
        for place in [maps.at(row, channel) for channel in maps.channels_of(row)] or [foreign]:
            level_dbm = _level_dbm(row, place.f_mhz)
            below = row.threshold_dbm is not None and level_dbm < row.threshold_dbm
            detected = row.duty_pct >= _OCCUPIED_PCT and not below
            available = place.max_eirp_dbm is not None and place.max_eirp_dbm >= _AVAILABLE_DBM
            finding = judge(place.evaluated, available=available, served=place.served, detected=detected)
            yield _Judged(row, place, level_dbm, detected, finding)


def occupancy_command(measurements: Path, results: Path, out: Path, *, device: str | None = None) -> None:
    """Compare measured occupancy with a run; write the rows, a map of them and a summary by channel."""
    check_output_folder("--out", out, _PRODUCTS, [measurements])
    maps = _Maps(read_run(results), device)
    judged = list(compare_rows(read_rows(measurements, OccupancyRow), maps))
    lines = [_line(entry) for entry in judged]
    summary = [_channel_line(channel, entries) for channel, entries in _by_channel(judged)]
    points = gpd.points_from_xy([entry.row.lon for entry in judged], [entry.row.lat for entry in judged])
    layer = geopackage_bytes({"occupancy": gpd.GeoDataFrame(lines, geometry=points, crs=LONLAT)}, _GEOMETRY)
    out.mkdir(parents=True, exist_ok=True)
    write_output(out / "occupancy.csv", csv_text(_COLUMNS, lines))
    write_output(out / "summary.csv", csv_text(_SUMMARY, summary))
    write_output(out / "occupancy.gpkg", layer)
    found = Counter(entry.finding for entry in judged)
    print(f"{maps.device}: {', '.join(f'{found[name]} {name}' for name in _FINDINGS)}")
    print(*(f"  channel {line['channel'] or '?'}: {line['text']}" for line in summary), NOT_DECIDED, sep="\n")


def _line(entry: _Judged) -> dict[str, object]:
    row, place = entry.row, entry.place
    values = (
        row.row,
        row.lon,
        row.lat,
        place.channel,
        row.duty_pct,
        "" if math.isnan(entry.level_dbm) else f"{entry.level_dbm:.2f}",
        _yes(entry.detected),
        "" if place.max_eirp_dbm is None else f"{place.max_eirp_dbm:.2f}",
        _yes(place.served),
        entry.finding,
        NOT_DECIDED,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _by_channel(judged: Sequence[_Judged]) -> Iterator[tuple[str, list[_Judged]]]:
    names = sorted({entry.place.channel for entry in judged}, key=lambda name: (name == "", len(name), name))
    yield from ((name, [entry for entry in judged if entry.place.channel == name]) for name in names)


def _channel_line(channel: str, entries: Sequence[_Judged]) -> dict[str, object]:
    """Places are what is counted: several rows of one place, at other times, are one place."""
    places = {(entry.row.lon, entry.row.lat) for entry in entries}
    detected = {(entry.row.lon, entry.row.lat) for entry in entries if entry.detected}
    found = Counter(entry.finding for entry in entries)
    text = f"quiet at {len(places) - len(detected)} of {len(places)} places, indication only"
    counts = {name.lower(): found[name] for name in _FINDINGS}
    numbers = {"channel": channel, "places": len(places), "detected": len(detected), **counts}
    return {**numbers, "text": text, "note": NOT_DECIDED}
