"""CR/372 files of either kind: text, or a workbook (.xlsx) as the Circular's examples 1.1 and 2.1 are.

A spreadsheet keeps numbers as numbers: it drops signs, leading zeros and the point with its zero. What the
columns of the format have is put back. Numbers typed as text are left as they are, but for their zeros.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from pipeline.coordination.radar.cr372_records import CR372_NAMES, LAT_DIGITS, LONG_DIGITS, Radar
from pipeline.coordination.radar.cr372_text import (
    LINE_END,
    Submission,
    line_of,
    read_records,
    unfit_line,
    white_space,
)
from pipeline.coordination.radar.findings import Finding, Strictness, errors, finding, too_many
from pipeline.errors import InputError
from pipeline.rows.spreadsheets import (
    SHIFT_1904_DAYS,
    WORKBOOK_START,
    SheetRow,
    counts_from_1904,
    read_first_sheet,
    sheet_bytes,
)

# Some 50,000 radars: far more than the world has.
MAX_FILE_BYTES = 16_000_000
_MOST_WORKBOOK_BYTES = 10_000_000
_OLD_WORKBOOK_START = b"\xd0\xcf\x11\xe0"
_SHEET = "radars"
_DATE = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})( .*)?")
_DATES = ("d_inuse", "d_update")
# Names of columns are looked for in so many rows.
_HEADER_WITHIN = 10
_DOUBLE = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def read_file(path: Path, mode: Strictness) -> Submission:
    """Read a CR/372 file; whatever is wrong with it becomes a finding, nothing is raised."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        problem = f"file cannot be read ({type(error).__name__})"
        return Submission([], finding(mode, 0, "FILE_UNREADABLE", problem))
    if len(content) > MAX_FILE_BYTES:
        problem = f"file is larger than {MAX_FILE_BYTES // 1_000_000} MB"
        return Submission([], finding(mode, 0, "FILE_TOO_LARGE", problem))
    if content.startswith(WORKBOOK_START):
        return _read_workbook(path, mode)
    if content.startswith(_OLD_WORKBOOK_START):
        problem = "is an Excel workbook of the old kind (.xls): save it as .xlsx or as comma-separated text"
        return Submission([], finding(mode, 0, "WORKBOOK", problem))
    return read_records(content, mode)


def _read_workbook(path: Path, mode: Strictness) -> Submission:
    try:
        rows = read_first_sheet(path, most_bytes=_MOST_WORKBOOK_BYTES)
        shift_days = SHIFT_1904_DAYS if counts_from_1904(path) else 0
    except InputError as error:
        return Submission([], finding(mode, 0, "WORKBOOK", error.problem, value=_told(error)))
    if wrong := _fault_of_header(rows, mode):
        return Submission([], wrong)
    header = _header_order(rows[0].cells) if rows else None
    order: Sequence[int] = range(len(CR372_NAMES)) if header is None else header
    lines, unread = [], []
    found: list[Finding] = []
    for row in rows if header is None else rows[1:]:
        cells = row.cells + [""] * (len(CR372_NAMES) - len(row.cells))
        unfit = unfit_line(row.number, " ".join(cells[k] for k in order), mode)
        # A radar has one line in the text of the register.
        cells = [LINE_END.sub(" ", cell) for cell in cells]
        if header is None and any(cells[len(CR372_NAMES) :]):
            unfit += _too_many_cells(row, mode)
        found += unfit
        if errors(unfit):
            unread.append(", ".join(row.cells))
        else:
            named = zip(CR372_NAMES, order, strict=True)
            fields = [_restored(name, cells[k], shift_days) for name, k in named]
            found += white_space(row.number, fields, mode)
            lines.append(line_of(row.number, fields))
        if beyond := too_many(mode, found):
            found += beyond
            break
    return Submission(lines, found, tuple(unread))


def _told(error: InputError) -> str:
    """What a refusal of a workbook says besides its problem."""
    told = {"found": error.value, "allowed": error.allowed}
    return "; ".join(f"{word} {text}" for word, text in told.items() if text is not None)


def _fault_of_header(rows: Sequence[SheetRow], mode: Strictness) -> list[Finding]:
    """Names of columns that cannot be followed: some are missing, one stands twice, rows lie above them."""
    for row in rows[:_HEADER_WITHIN]:
        names = [cell.strip().casefold() for cell in row.cells]
        missing = [name for name in CR372_NAMES if name.casefold() not in names]
        twice = [name for name in CR372_NAMES if names.count(name.casefold()) > 1]
        problem, value = "", ""
        if len(missing) > len(CR372_NAMES) // 2:
            continue
        if missing:
            problem, value = "names of columns are missing", ", ".join(missing)
        elif twice:
            problem, value = "names of columns stand twice", ", ".join(twice)
        elif row is not rows[0]:
            problem, value = "names of columns stand below other rows", f"first row: {rows[0].cells[0]}"
        return finding(mode, row.number, "WORKBOOK", problem, value=value) if problem else []
    return []


def _too_many_cells(row: SheetRow, mode: Strictness) -> list[Finding]:
    problem = f"{len(row.cells)} columns instead of {len(CR372_NAMES)}"
    return finding(mode, row.number, "COLUMN_COUNT", problem, value=", ".join(row.cells))


def _header_order(cells: list[str]) -> list[int] | None:
    """Where each column of the format stands, if the cells are the names of all of them in any order."""
    names = [cell.strip().casefold() for cell in cells]
    wanted = [name.casefold() for name in CR372_NAMES]
    if set(wanted) - set(names):
        return None
    return [names.index(name) for name in wanted]


def _restored(name: str, cell: str, shift_days: int) -> str:
    """A cell as the text that the format has for it; ``shift_days`` of the dates of a workbook."""
    text = cell.strip(" ")
    if name in _DATES:
        return _date(text, shift_days) or cell
    restore = _RESTORED.get(name)
    changed = None if restore is None else restore(text)
    return cell if changed is None else changed


def _coordinate(digits: int) -> Callable[[str], str | None]:
    def restored(text: str) -> str | None:
        if not _DOUBLE.fullmatch(text.removeprefix("+")):
            return None
        number = abs(float(text))
        if not number < 10.0**digits or not number.is_integer():
            return None
        return ("-" if text.startswith("-") else "+") + str(int(number)).zfill(digits)

    return restored


def _shortest(text: str) -> str | None:
    """The shortest decimal of the double that a cell holds; None for text that is no double."""
    if not _DOUBLE.fullmatch(text):
        return None
    value = float(text)
    return format(Decimal(repr(value)), "f").removesuffix(".0") if math.isfinite(value) else None


def _with_point(text: str) -> str | None:
    plain = _shortest(text)
    return plain if plain is None or "." in plain else f"{plain}.0"


def _one_decimal(text: str) -> str | None:
    """One decimal, if the number has no more; others are left for the check to find."""
    plain = _with_point(text)
    return None if plain is None or len(plain.partition(".")[2]) > 1 else plain


def _date(text: str, shift_days: int) -> str | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        found = date(int(match[1]), int(match[2]), int(match[3])) + timedelta(days=shift_days)
    except (ValueError, OverflowError):
        return None
    return found.strftime("%d.%m.%Y")


_RESTORED: dict[str, Callable[[str], str | None]] = {
    "lat": _coordinate(LAT_DIGITS),
    "long": _coordinate(LONG_DIGITS),
    "freq_assgn": _shortest,
    "bdwdth_kHz": _with_point,
    "eirp_dBW": _one_decimal,
}


def workbook_bytes(radars: Iterable[Radar]) -> bytes:
    """The register as a workbook: header, one radar a row, all cells text that no spreadsheet computes."""
    return sheet_bytes(_SHEET, CR372_NAMES, radars)
