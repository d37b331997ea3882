"""Records of a CR/372 file: 22 columns, their meaning as numbers, from bytes and to bytes.

Source: Circular Letter CR/372 (17 December 2014). It asks for ASCII or ISO 8859-1 text, one radar per line,
22 columns parted by commas, without a header. It has no rule for quotes: strict mode refuses them, lenient
mode reads them as in CSV. A record keeps the text as received, without surrounding white space: the Bureau
publishes what it gets. When two lines are the same radar is decided here as well.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from pipeline.coordination.radar.findings import MAX_FINDINGS, Finding, Strictness, finding

# --- one record ---------------------------------------------------------------------------------------------


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


# --- from bytes to records, never trusting the file, and back -----------------------------------------------


# The longest honest record has about 600 characters and two e-mail addresses without limit.
_MAX_LINE_CHARS = 4000
# Some 50,000 radars: far more than the world has.
MAX_FILE_BYTES = 16_000_000
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# A zip archive (.xlsx) and a compound document (.xls).
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_LINE_END = re.compile("\r\n|\r|\n")
_CONTROL = re.compile("[\x01-\x1f\x7f]")
_C1_CONTROL = re.compile("[\x80-\x9f]")


class Submission(NamedTuple):
    """The readable records of a file in their order, and what was found on the way."""

    lines: list[Line]
    findings: list[Finding]


def read_file(path: Path, mode: Strictness) -> Submission:
    """Read a CR/372 file; whatever is wrong with it becomes a finding, nothing is raised."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            problem = f"file is larger than {MAX_FILE_BYTES // 1_000_000} MB"
            return Submission([], finding(mode, 0, "FILE_TOO_LARGE", problem))
        content = path.read_bytes()
    except OSError as error:
        problem = f"file cannot be read ({type(error).__name__})"
        return Submission([], finding(mode, 0, "FILE_UNREADABLE", problem))
    return read_records(content, mode)


def read_records(content: bytes, mode: Strictness) -> Submission:
    """Records of the bytes of a file. An empty file has none."""
    if content.startswith(_WORKBOOKS):
        problem = "is an Excel workbook: save it as comma-separated text"
        return Submission([], finding(mode, 0, "EXCEL_WORKBOOK", problem))
    text, found = _decoded(content, mode)
    lines: list[Line] = []
    rows = _LINE_END.split(text)
    if rows and not rows[-1]:
        rows.pop()
    for number, row in enumerate(rows, 1):
        line, more = _record(number, row, mode)
        found += more
        if line is not None:
            lines.append(line)
        if len(found) > MAX_FINDINGS:
            break
    return Submission(lines, found)


def _decoded(content: bytes, mode: Strictness) -> tuple[str, list[Finding]]:
    """ISO 8859-1 text. UTF-8 shows by its multi-byte characters; lenient mode takes what Latin-1 can say."""
    found: list[Finding] = []
    mark = next((m for m in _BYTE_ORDER_MARKS if content.startswith(m)), b"")
    if mark:
        found += finding(mode, 1, "BOM", "starts with a byte order mark: not ISO 8859-1 text")
        content = content[len(mark) :]
    text = content.decode("latin-1")
    if text.isascii():
        return text, found
    try:
        as_utf8 = content.decode("utf-8")
    except UnicodeDecodeError:
        return text, found
    line = content.count(b"\n", 0, _first_non_ascii(content)) + 1
    found += finding(mode, line, "ENCODING", "text is UTF-8, not ISO 8859-1")
    try:
        as_utf8.encode("latin-1")
    except UnicodeEncodeError as error:
        problem = "holds a character that ISO 8859-1 does not have"
        found += finding(mode, line, "CODE_PAGE", problem, value=as_utf8[error.start])
        return text, found
    return as_utf8, found


def _first_non_ascii(content: bytes) -> int:
    match = re.search(rb"[\x80-\xff]", content)
    return 0 if match is None else match.start()


def _record(number: int, row: str, mode: Strictness) -> tuple[Line | None, list[Finding]]:
    refused = _unfit_line(number, row, mode)
    if refused:
        return None, refused
    fields = _fields(row, mode)
    if fields is None:
        return None, finding(mode, number, "QUOTING", "CR/372 knows no quotes", value=row)
    if tuple(name.strip().casefold() for name in fields) == tuple(name.casefold() for name in CR372_NAMES):
        return None, finding(mode, number, "HEADER", "column names: the format has no header line")
    if len(fields) != len(CR372_NAMES):
        problem = f"{len(fields)} columns instead of {len(CR372_NAMES)} (a comma inside a field counts)"
        return None, finding(mode, number, "COLUMN_COUNT", problem, value=row)
    found = _white_space(number, fields, mode)
    return Line(number, Radar(*(field.strip(" ") for field in fields))), found


def _unfit_line(number: int, row: str, mode: Strictness) -> list[Finding]:
    if len(row) > _MAX_LINE_CHARS:
        problem = f"{len(row)} characters, {_MAX_LINE_CHARS} at most"
        return finding(mode, number, "LINE_TOO_LONG", problem, value=row[:40])
    if "\0" in row:
        return finding(mode, number, "NUL", "holds a NUL character", value=repr(row))
    if match := _CONTROL.search(row):
        return finding(mode, number, "CONTROL_CHARACTER", "holds a control character", value=repr(match[0]))
    if match := _C1_CONTROL.search(row):
        return finding(mode, number, "CODE_PAGE", "no character of ISO 8859-1", value=repr(match[0]))
    if not row.strip():
        return finding(mode, number, "EMPTY_LINE", "line is empty")
    return []


def _fields(row: str, mode: Strictness) -> list[str] | None:
    """The columns of a line, None where quotes forbid reading it."""
    if '"' not in row:
        return row.split(",")
    if mode is Strictness.STRICT:
        return None
    try:
        return next(csv.reader([row], strict=True))
    except (csv.Error, StopIteration):
        return None


def _white_space(number: int, fields: list[str], mode: Strictness) -> list[Finding]:
    found: list[Finding] = []
    for name, text in zip(CR372_NAMES, fields, strict=True):
        if text and not text.strip(" "):
            found += finding(
                mode, number, "BLANK_NOT_EMPTY", "blank characters in an empty field", name, text
            )
        elif text != text.strip(" "):
            problem = "blank characters before or after the value"
            found += finding(mode, number, "WHITESPACE", problem, name, text)
    return found


def _records_text(radars: Iterable[Radar], *, line_end: str = "\n") -> str:
    """One radar per line, 22 columns, no header. A text with a comma or a quote is quoted as in CSV."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=line_end).writerows(radars)
    return stream.getvalue()


def records_bytes(radars: Iterable[Radar], *, line_end: str = "\n") -> bytes:
    """The file of a register, ISO 8859-1. CR/372 does not name a line end: LF unless asked otherwise."""
    return _records_text(radars, line_end=line_end).encode("latin-1")


def report_bytes(findings: Iterable[Finding]) -> bytes:
    """The report: a JSON list of {line, code, severity, field, value, message}, ASCII."""
    entries = [entry._asdict() for entry in findings]
    return (json.dumps(entries, indent=1, ensure_ascii=True) + "\n").encode("ascii")
