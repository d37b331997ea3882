"""Rows of files as text by column; whatever the kind of file, the same records.

A record is a mapping column -> text with the place it came from: the line of a CSV (the header is line 1),
the running number of the feature (from 1) in a GeoPackage or GeoJSON. What is wrong with a whole file is
raised; what is wrong with one row is returned, so that the reader may skip the row and count it.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError
from pipeline.files import text_of_cell

# Ten times the largest national register of any service: more is no register, and would take long to refuse.
MOST_BYTES = 500_000_000
MOST_LINES = 5_000_000
_PIECE_BYTES = 1_000_000
_HEAD = 10_000
_COMMAS = "the names of the columns, separated by commas; decimals with a point"
# Control characters but tab and line ends, what XML does not allow (XML 1.0, production 2), halves of
# surrogate pairs, and what turns the direction of the text behind it (Unicode Standard Annex 9).
_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]|\r(?!\n)"
)
PRINTABLE_TEXT = "printable characters, tab and line feed"


class Record(NamedTuple):
    """One row of a file: ``row`` is what an error message names, ``values`` the text by column."""

    row: int
    values: dict[str, str]


class Records(NamedTuple):
    """The readable records of a file and the rows that have no readable record."""

    readable: list[Record]
    faults: list[InputError]


def read_text(path: Path, *, most_bytes: int = MOST_BYTES) -> str:
    """The file as UTF-8 text without a byte order mark, at most so long; another with its line is refused."""
    text = decoded(path, most_bytes)
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise InputError("holds a NUL character", file=path, row=row, allowed="UTF-8 text")
    return text


def decoded(path: Path, most_bytes: int) -> str:
    """The same of a file whose parser knows better what characters it allows."""
    content = content_of(path, most_bytes)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError("is not UTF-8 text but UTF-16", file=path, allowed="UTF-8")
    lines = content.count(b"\n")
    if lines > MOST_LINES:
        raise InputError("has too many lines", file=path, value=lines, allowed=f"up to {MOST_LINES}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        found = content[error.start : error.start + 1]
        raise InputError("is not UTF-8 text", file=path, row=row, value=found, allowed="UTF-8") from None


def content_of(path: Path, most_bytes: int) -> bytes:
    """The bytes of a file, read in pieces: not all that never ends has a size that says so."""
    pieces, size = [], 0
    try:
        if stat.S_ISFIFO(path.stat().st_mode) and not str(path).startswith("/dev/fd/"):
            raise InputError("is a pipe: it may never end", file=path, allowed="a file")
        with path.open("rb") as file:
            while size <= most_bytes and (piece := file.read(_PIECE_BYTES)):
                pieces.append(piece)
                size += len(piece)
    except FileNotFoundError:
        raise InputError("file does not exist", file=path) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({getattr(error, 'strerror', None) or error})", file=path) from None
    if size > most_bytes:
        raise InputError("file is too large", file=path, allowed=f"up to {most_bytes} bytes")
    return b"".join(pieces)


def unfit_character(text: str) -> str | None:
    """The first character that does not belong into a text, as U+001B; None if there is none."""
    found = _UNFIT.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def check_columns(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    """Refuse a table that lacks a required column or names one twice; further columns are ignored."""
    for name in columns:
        if name and columns.count(name) > 1:
            raise InputError("column occurs twice", file=path, row=1, field=name)
    for name in required:
        if name not in columns:
            raise InputError(
                "column is missing", file=path, row=1, field=name, allowed=f"columns {', '.join(required)}"
            )


def csv_cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The cells of a CSV, header first, with the line that each row begins at; blank lines are left out."""
    text = read_text(path)
    _refuse_spreadsheet(path, text[:_HEAD].partition("\n")[0].strip())
    for row, cells in separated(path, text, kind="CSV"):
        yield row, [text_of_cell(cell) for cell in cells]


def separated(
    path: Path, text: str, separator: str = ",", *, first_line: int = 1, kind: str = "table"
) -> Iterator[tuple[int, list[str]]]:
    """Cells of text that begins at a line of its file, with the line of each row; blank lines are left out.

    InputError for what is no ``kind`` of table.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    row = first_line
    try:
        for cells in reader:
            if cells:
                yield row, cells
            row = reader.line_num + first_line
    except csv.Error as error:
        raise InputError(f"is not a readable {kind} ({error})", file=path, row=row) from None


def own_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table that this program wrote, values as printed."""
    records = read_csv(path, ())
    for fault in records.faults:
        raise fault
    return [record.values for record in records.readable]


def _refuse_spreadsheet(path: Path, header: str) -> None:
    """Refuse by name what spreadsheets write where a comma is the mark of decimals."""
    if header.lower().strip('"').startswith("sep="):
        raise InputError(
            "begins with a spreadsheet's line on separators", file=path, row=1, value=header, allowed=_COMMAS
        )
    for separator in (";", "\t"):
        if separator in header and "," not in header:
            raise InputError(
                "columns are not separated by commas", file=path, row=1, value=header, allowed=_COMMAS
            )


def wrong_width(path: Path, row: int, cells: Sequence[str], columns: Sequence[str]) -> InputError:
    """The fault of a row that has not as many values as the header."""
    return InputError(
        "row has the wrong number of values",
        file=path,
        row=row,
        field="(row)",
        value=len(cells),
        allowed=f"{len(columns)} values, as in the header",
    )


def read_csv(path: Path, required: Sequence[str]) -> Records:
    """Records of a CSV file whose first line names the columns."""
    records = Records([], [])
    lines = csv_cells(path)
    columns = [name.strip() for name in next(lines, (1, []))[1]]
    check_columns(path, columns, required)
    for row, cells in lines:
        if len(cells) == len(columns):
            records.readable.append(Record(row, dict(zip(columns, cells, strict=True))))
        else:
            records.faults.append(wrong_width(path, row, cells, columns))
    return records
