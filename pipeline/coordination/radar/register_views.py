"""`channelmaps radar list, show, search, export`: what a register holds, for people and for other programs.

The register has no regulatory status: recognition needs notification under Article 11 (CR/372). Every export
says so, in itself or in a text beside it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import shapely

from pipeline.coordination.option_days import day_of_option
from pipeline.coordination.radar.cr372_files import workbook_bytes
from pipeline.coordination.radar.cr372_records import (
    CR372_NAMES,
    Radar,
    foreign_character,
    frequency_mhz,
    latitude_deg,
    longitude_deg,
    text_of,
)
from pipeline.coordination.radar.cr372_register import REGISTER_FILE, read_register
from pipeline.coordination.radar.cr372_text import records_bytes
from pipeline.errors import InputError
from pipeline.files import Output, OutputKind, check_outputs, json_bytes, kind_of_start, write_together
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import GEOD, LONLAT
from pipeline.rows.spreadsheets import WORKBOOK_START

NOTICE = (
    "This register has no regulatory status: international recognition of a radar needs notification under "
    "Article 11 of the Radio Regulations (Circular Letter CR/372)."
)
_LISTED = ("Adm", "Adm_ref_id", "site_name", "stn_type", "freq_assgn", "lat", "long", "d_inuse", "d_update")


class RadarFilter(NamedTuple):
    """What radars are looked for; None: anything. All must hold."""

    adm: str | None = None
    area: str | None = None
    band_mhz: tuple[float, float] | None = None
    near: tuple[float, float, float] | None = None
    network: str | None = None
    in_use_on: date | None = None

    def holds(self, radar: Radar) -> bool:
        """Whether a record is one of those."""
        frequency = frequency_mhz(radar)
        return (
            self.adm in (None, radar.adm)
            and self.area in (None, radar.ctry)
            and (self.network is None or self.network.casefold() == radar.network_name.casefold())
            and (
                self.band_mhz is None
                or (frequency is not None and self.band_mhz[0] <= frequency <= self.band_mhz[1])
            )
            and (self.near is None or _is_near(radar, self.near))
            and (self.in_use_on is None or _is_in_use(radar, self.in_use_on))
        )


def _is_near(radar: Radar, near: tuple[float, float, float]) -> bool:
    """Within so many km of a place (lon, lat, km), on the ellipsoid."""
    lon, lat = longitude_deg(radar), latitude_deg(radar)
    if lon is None or lat is None:
        return False
    return bool(GEOD.inv(near[0], near[1], lon, lat)[2] <= 1000.0 * near[2])


def _is_in_use(radar: Radar, day: date) -> bool:
    """Brought into use on that day or before; a date that cannot be read is none."""
    try:
        return date.fromisoformat("-".join(reversed(radar.d_inuse.split(".")))) <= day
    except ValueError:
        return False


def filter_of(
    adm: str | None,
    area: str | None,
    band: str | None,
    near: str | None,
    network: str | None,
    in_use_on: str | None,
) -> RadarFilter:
    """The filter that options describe; InputError names the option."""
    day = None
    if in_use_on is not None:
        day = day_of_option("--in-use-on", in_use_on, "a date such as 2015-01-20")
    band_mhz = None if band is None else _numbers("--band", band, "-", 2, "two frequencies, as 4.4-4.5")
    place = None if near is None else _numbers("--near", near, ",", 3, "LON,LAT,KM")
    if band_mhz is not None and band_mhz[0] > band_mhz[1]:
        raise InputError("not a band", row="--band", value=band, allowed="the lower frequency first")
    if place is not None and not (abs(place[0]) <= 180 and abs(place[1]) <= 90 and place[2] >= 0):
        raise InputError("not a place", row="--near", value=near, allowed="LON,LAT,KM")
    return RadarFilter(
        adm,
        area,
        None if band_mhz is None else (band_mhz[0], band_mhz[1]),
        None if place is None else (place[0], place[1], place[2]),
        network,
        day,
    )


def _numbers(option: str, text: str, between: str, count: int, allowed: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(between)]
    except ValueError:
        found = []
    if len(found) != count or not all(abs(value) < 1e6 for value in found):
        raise InputError("cannot be read", row=option, value=text, allowed=allowed)
    return found


def radar_search_command(register: Path, wanted: RadarFilter, *, as_json: bool) -> None:
    """Print the radars of a register that a filter lets through: a table, or JSON."""
    found = [radar for radar in read_register(register) if wanted.holds(radar)]
    if as_json:
        print(json.dumps(register_document(found), indent=1, ensure_ascii=False))
        return
    print_table(_LISTED, [[text_of(radar, name) for name in _LISTED] for radar in found])
    print(f"{len(found)} radar(s). {NOTICE}", file=sys.stderr)


def radar_show_command(register: Path, adm: str, reference: str, *, as_json: bool) -> None:
    """Print all that a register holds of the radar of an administration with a reference or site name."""
    radars = [radar for radar in read_register(register) if radar.adm == adm]
    found = [radar for radar in radars if reference in (radar.adm_ref_id, radar.site_name)]
    if not found:
        known = ", ".join(sorted({radar.adm_ref_id or radar.site_name for radar in radars})[:20])
        raise InputError(
            "no such radar", file=register, row="--ref", value=reference, allowed=known or "none"
        )
    if as_json:
        print(json.dumps(register_document(found), indent=1, ensure_ascii=False))
        return
    for radar in found:
        print("\n".join(f"{name:<13} {text}".rstrip() for name, text in _record(radar).items()))
    print(NOTICE, file=sys.stderr)


def register_document(radars: Iterable[Radar]) -> dict[str, object]:
    """Records as plain data: the columns of CR/372 as text, and the place in degrees (None: unknown)."""
    return {"notice": NOTICE, "radars": [_record(radar) for radar in radars]}


def _record(radar: Radar) -> dict[str, object]:
    columns = {name: text for name, text in zip(CR372_NAMES, radar, strict=True) if name != "Int"}
    return {**columns, "lat_deg": latitude_deg(radar), "lon_deg": longitude_deg(radar)}


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns of equal width; control characters of foreign texts are not sent to the terminal."""
    shown = [[text if text.isprintable() else repr(text) for text in row] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(columns, *shown, strict=True)]
    for row in [columns, *shown]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


# --- export -------------------------------------------------------------------------------------------------


def _csv_bytes(radars: Sequence[Radar]) -> bytes:
    """The format of CR/372; InputError for a character that ISO 8859-1 does not have."""
    for row, radar in enumerate(radars, 1):
        for name, text in zip(CR372_NAMES, radar, strict=True):
            if foreign := foreign_character(text):
                problem = "NOT_LATIN1: a character that ISO 8859-1 does not have"
                raise InputError(problem, row=row, field=name, value=foreign)
    return records_bytes(radars)


def _json_bytes(radars: Sequence[Radar]) -> bytes:
    return json_bytes(register_document(radars))


def _geopackage_bytes(radars: Sequence[Radar]) -> bytes:
    """Layer ``radars``: points with all columns; a radar without a place that can be read has none."""
    shapes = []
    for radar in radars:
        lon, lat = longitude_deg(radar), latitude_deg(radar)
        shapes.append(None if lon is None or lat is None else shapely.Point(lon, lat))
    rows = [dict(zip(CR372_NAMES, radar, strict=True)) for radar in radars]
    frame = gpd.GeoDataFrame(rows, columns=list(CR372_NAMES), geometry=shapes, crs=LONLAT)
    return geopackage_bytes({"radars": frame}, {"radars": "Point"})


class _Format(NamedTuple):
    bytes_of: Callable[[Sequence[Radar]], bytes]
    kind: OutputKind
    has_notice: bool


_FORMATS: Mapping[str, _Format] = {
    "csv": _Format(_csv_bytes, REGISTER_FILE, False),
    "xlsx": _Format(workbook_bytes, kind_of_start("a workbook", re.escape(WORKBOOK_START)), False),
    "json": _Format(_json_bytes, kind_of_start("a register as JSON", rb'\s*\{\s*"notice"'), True),
    "gpkg": _Format(_geopackage_bytes, kind_of_start("a GeoPackage", rb"SQLite format 3\0"), False),
}


def radar_export_command(register: Path, kind: str, out: Path) -> None:
    """Write a register as text, workbook, JSON or GeoPackage, the notice in it or in a text beside it."""
    if kind not in _FORMATS:
        raise InputError("unknown format", row="--format", value=kind, allowed=", ".join(_FORMATS))
    chosen = _FORMATS[kind]
    beside = out.with_name(f"{out.name}.txt")
    outputs = [Output("--out", out, chosen.kind)]
    if not chosen.has_notice:
        outputs.append(Output("--out", beside, kind_of_start("a notice on a register", rb"This register")))
    check_outputs(outputs, [register])
    contents: dict[Path, bytes | str] = {out: chosen.bytes_of(read_register(register))}
    if not chosen.has_notice:
        contents[beside] = f"{NOTICE}\n"
    write_together(contents)
