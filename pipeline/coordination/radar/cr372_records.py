"""Records of a CR/372 file: 22 columns, their meaning as numbers, and when two of them are the same radar.

Source: Circular Letter CR/372 (17 December 2014). A record keeps the text as received, without surrounding
white space: the Bureau publishes what it gets.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple


class Column(NamedTuple):
    """A column: name in CR/372, most characters (None: no limit), whether every record needs it."""

    name: str
    max_chars: int | None
    required: bool


class Radar(NamedTuple):
    """The text of the 22 columns of one record, in the order of the file."""

    action: str
    adm: str
    ctry: str
    stn_type: str
    freq_assgn: str
    bdwdth_khz: str
    eirp_dbw: str
    emi_cls: str
    network_name: str
    synch: str
    util: str
    lat: str
    long: str
    site_name: str
    adm_ref_id: str
    call_sign: str
    email_adm: str
    email_op: str
    d_inuse: str
    d_update: str
    op_time: str
    adm_remark: str


class Line(NamedTuple):
    """A record and the line of its file, counted from 1."""

    number: int
    radar: Radar


# The e.i.r.p. has a rule of its own: needed by TX and TR, only asked for (see checks.py).
CR372_COLUMNS = (
    Column("Int", 1, True),
    Column("Adm", 3, True),
    Column("ctry", 3, True),
    Column("stn_type", 2, True),
    Column("freq_assgn", 10, True),
    Column("bdwdth_kHz", 11, True),
    Column("eirp_dBW", 5, False),
    Column("emi_cls", 5, True),
    Column("network_name", 30, False),
    Column("synch", 1, True),
    Column("util", 1, True),
    Column("lat", 7, True),
    Column("long", 8, True),
    Column("site_name", 30, True),
    Column("Adm_ref_id", 20, False),
    Column("call_sign", 7, False),
    Column("email_adm", None, True),
    Column("email_op", None, False),
    Column("d_inuse", 10, True),
    Column("d_update", None, False),
    Column("op_time", 1, True),
    Column("adm_remark", 255, False),
)
CR372_NAMES = tuple(column.name for column in CR372_COLUMNS)
# What distinguishes radars when their other data may differ (docs/method.md, section 30).
_KEY_COLUMNS = ("Adm", "ctry", "stn_type", "freq_assgn", "lat", "long", "site_name", "Adm_ref_id")
# Set by the action and by the Bureau: no part of the radar's own data.
_NOT_COMPARED = ("Int", "d_update")
EMITTING = ("TX", "TR")

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_COORDINATE = re.compile(r"([+-]?)([0-9]+)")
LAT_DIGITS, LONG_DIGITS = 6, 7
_LAST_OF_LATIN1 = 0xFF
Comparable = tuple[object, ...]


class Coordinate(NamedTuple):
    """A latitude or longitude as written: parts, and the value in degrees (NaN-free only if ``in_range``)."""

    signed: bool
    digits: int
    in_range: bool
    degrees: float


def text_of(radar: Radar, name: str) -> str:
    """The text in a column named as in CR/372."""
    return radar[CR372_NAMES.index(name)]


def foreign_character(text: str) -> str:
    """The first character that ISO 8859-1, the text of the format, does not have; empty if there is none."""
    return next((character for character in text if ord(character) > _LAST_OF_LATIN1), "")


def number_of(text: str) -> Decimal | None:
    """The decimal number of a text without exponent, None where it is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def coordinate_of(text: str, digits: int) -> Coordinate | None:
    """[+-]DDMMSS (``digits`` 6) or [+-]DDDMMSS (7); None if it cannot be read at all.

    With leading zeros left out (as a spreadsheet does) the last two digits are still the seconds.
    """
    match = _COORDINATE.fullmatch(text)
    if match is None or len(match[2]) > digits:
        return None
    whole = int(match[2])
    degrees, minutes, seconds = whole // 10000, whole // 100 % 100, whole % 100
    value = degrees + minutes / 60.0 + seconds / 3600.0
    limit = 90 if digits == LAT_DIGITS else 180
    in_range = minutes < 60 and seconds < 60 and value <= limit
    return Coordinate(bool(match[1]), len(match[2]), in_range, -value if match[1] == "-" else value)


def latitude_deg(radar: Radar) -> float | None:
    """Latitude in degrees, north positive; None where it is missing or impossible."""
    found = coordinate_of(radar.lat, LAT_DIGITS)
    return found.degrees if found is not None and found.in_range else None


def longitude_deg(radar: Radar) -> float | None:
    """Longitude in degrees, east positive; None where it is missing or impossible."""
    found = coordinate_of(radar.long, LONG_DIGITS)
    return found.degrees if found is not None and found.in_range else None


def frequency_mhz(radar: Radar) -> float | None:
    """Centre frequency in MHz; None where it is missing or no number."""
    found = number_of(radar.freq_assgn)
    return None if found is None else float(found)


def eirp_dbw(radar: Radar) -> float | None:
    """E.i.r.p. in dBW; None where it is missing or no number."""
    found = number_of(radar.eirp_dbw)
    return None if found is None else float(found)


def _comparable(radar: Radar, name: str) -> object:
    """What two records must have in common to agree in a column: numbers by value, text as it is."""
    text = text_of(radar, name)
    value: object = None
    if name in ("freq_assgn", "bdwdth_kHz", "eirp_dBW"):
        value = number_of(text)
    elif name in ("lat", "long"):
        found = coordinate_of(text, LAT_DIGITS if name == "lat" else LONG_DIGITS)
        value = None if found is None else found.degrees
    return text if value is None else value


def key(radar: Radar) -> Comparable:
    """What identifies a radar: the same in its old and its new record unless location or frequency change."""
    return tuple(_comparable(radar, name) for name in _KEY_COLUMNS)


def differences(one: Radar, other: Radar) -> list[str]:
    """Names of the columns in which two records differ, action and date of update left aside."""
    return [
        name
        for name in CR372_NAMES
        if name not in _NOT_COMPARED and _comparable(one, name) != _comparable(other, name)
    ]


def data_of(radar: Radar) -> Comparable:
    """All that two records compare, action and date of update left aside."""
    return tuple(_comparable(radar, name) for name in CR372_NAMES if name not in _NOT_COMPARED)


def left_out(one: Radar, other: Radar) -> list[str]:
    """Names of the columns that only the other record fills."""
    return [name for name in differences(one, other) if not text_of(one, name)]


def pair_name(radar: Radar) -> Comparable:
    """What the S and the A record of a change have in common, whatever it changes.

    Administration and reference; without one the name of the site, without this the place.
    """
    if radar.adm_ref_id:
        return ("reference", radar.adm, radar.adm_ref_id)
    if radar.site_name:
        return ("site", radar.adm, radar.site_name.casefold())
    return ("place", radar.adm, _comparable(radar, "lat"), _comparable(radar, "long"))
