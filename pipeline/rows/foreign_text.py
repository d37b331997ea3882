"""Tables of text as others write them: any usual encoding, separator and header row, nothing replaced.

A record begins on a line of the file; that line is its row. Cells stay text.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pyproj import CRS

from pipeline.errors import InputError
from pipeline.rows.text_records import MOST_BYTES, MOST_LINES, content_of, separated

# Lines of the text as a record reader counts them.
_LINE_END = re.compile(r"\r\n|\r|\n")
_UTF8 = ("utf-8", "utf-8-sig")
_MARKS_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class RegisterFault(InputError):
    """A fault of a row or a file of a register; ``reason`` is its word in reports."""

    def __init__(
        self,
        reason: str,
        problem: str,
        *,
        file: str | Path,
        row: int | None = None,
        field: str | None = None,
        value: object = None,
        allowed: str | None = None,
    ) -> None:
        self.reason = reason
        super().__init__(problem, file=file, row=row, field=field, value=value, allowed=allowed)


class CellTable(NamedTuple):
    """A table as it stands: headers with blanks made one, rows by number, cells by column, faulty rows."""

    path: Path
    headers: tuple[str, ...]
    rows: list[int]
    columns: dict[str, list[str]]
    faults: list[RegisterFault]

    def by_row(self) -> list[tuple[int, dict[str, str]]]:
        """The rows, each with its number and its cells by column, without blanks around them."""
        cells = zip(*self.columns.values(), strict=True)
        return [
            (row, dict(zip(self.columns, map(str.strip, texts), strict=True)))
            for row, texts in zip(self.rows, cells, strict=True)
        ]


class ForeignTable(NamedTuple):
    """A table with what its kind of file knows besides.

    ``points`` by row: (x, y) in ``crs``, the kind of another geometry, or None; None for tables without any.
    ``typed``: the columns of a vector file that were numbers, so that the decimal sign is a point whatever
    the file's text has; None of text and of workbooks. ``sheet`` of a workbook, of which single cells were.
    ``serial_shift_days``: of dates given as numbers.
    """

    table: CellTable
    points: list[tuple[float, float] | str | None] | None = None
    crs: CRS | None = None
    typed: frozenset[str] | None = None
    sheet: str | None = None
    serial_shift_days: int = 0


class TextFormat(NamedTuple):
    """How the text of a table is read; ``separator`` None: the comma, of UTF-16 the tab."""

    encoding: str = "utf-8-sig"
    separator: str | None = None
    header_row: int = 1


def foreign_text(path: Path, encoding: str) -> str:
    """The whole text of a file; RegisterFault with the line of the first byte that is none."""
    content = content_of(path, MOST_BYTES)
    if encoding in _UTF8 and content.startswith(_MARKS_UTF16):
        raise _undecodable(path, 1, content[:1], "utf-8; encoding: utf-16 reads this file")
    if encoding == "utf-16" and not content.startswith(_MARKS_UTF16):
        raise _undecodable(path, 1, content[:1], "UTF-16 with a byte order mark")
    text = decoded_as(path, content, encoding)
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise _undecodable(path, row, b"\0", f"text in {encoding}")
    if text.count("\n") > MOST_LINES:
        raise InputError("has too many lines", file=path, allowed=f"up to {MOST_LINES}")
    return text


def decoded_as(path: Path, content: bytes, encoding: str) -> str:
    """Bytes as text without byte order mark; RegisterFault with the line of the first byte that is none."""
    try:
        return content.decode("utf-8-sig" if encoding in _UTF8 else encoding)
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise _undecodable(path, row, content[error.start : error.start + 1], f"text in {encoding}") from None


def _undecodable(path: Path, row: int, found: bytes, allowed: str) -> RegisterFault:
    value = f"0x{found.hex()}"
    return RegisterFault(
        "not_utf8", "is no such text", file=path, row=row, field="(file)", value=value, allowed=allowed
    )


def records_of(
    path: Path, text: str, separator: str, *, first_line: int = 1
) -> Iterator[tuple[int, list[str]]]:
    """Records from a line on, each with the line on which it begins; blank lines are left out."""
    starts = [match.end() for match in _LINE_END.finditer(text)] if first_line > 1 else []
    begin = 0 if first_line == 1 else starts[first_line - 2] if len(starts) >= first_line - 1 else len(text)
    return separated(path, text[begin:], separator, first_line=first_line)


def read_text_table(path: Path, form: TextFormat) -> CellTable:
    """A table of text; rows with another number of cells than the header are faults (``bad_row``)."""
    separator = form.separator or ("\t" if form.encoding == "utf-16" else ",")
    text = foreign_text(path, form.encoding)
    records = records_of(path, text, separator, first_line=form.header_row)
    row, header = next(records, (form.header_row, []))
    if row != form.header_row or not any(map(str.strip, header)):
        raise InputError(
            "holds no header", file=path, row=form.header_row, allowed="the names of the columns (header_row)"
        )
    return cell_table(path, header, records)


def cell_table(path: Path, header: Sequence[str], records: Iterable[tuple[int, Sequence[str]]]) -> CellTable:
    """Records below a header as columns; rows of blanks are left out, those of another width are faults."""
    headers = distinct(header)
    rows: list[int] = []
    kept: list[Sequence[str]] = []
    faults: list[RegisterFault] = []
    for row, cells in records:
        if not any(map(str.strip, cells)):
            continue
        if len(cells) != len(headers):
            faults.append(wrong_cells(path, row, len(cells), len(headers)))
            continue
        rows.append(row)
        kept.append(cells)
    columns = zip(*kept, strict=True) if kept else [()] * len(headers)
    named = {name: list(cells) for name, cells in zip(headers, columns, strict=True) if name}
    return CellTable(path, headers, rows, named, faults)


def need_columns(path: Path, columns: Collection[str], needed: Sequence[str], row: int | None = 1) -> None:
    """Refuse a table without a column that is needed, or with two of it; ``row`` of its header, if any."""
    for name in needed:
        if f"{name}#2" in columns or [*columns].count(name) > 1:
            raise InputError("column occurs twice", file=path, row=row, field=name)
        if name not in columns:
            raise InputError("column is missing", file=path, row=row, field=name, allowed=", ".join(needed))


def file_in(folder: Path, *names: str) -> Path | None:
    """The first file of a folder with one of these names, in any case; None without one.

    A file stands for the folder that it is in.
    """
    wanted = {name.lower() for name in names}
    near = folder.parent if folder.is_file() else folder
    files = sorted(near.iterdir()) if near.is_dir() else []
    return next((path for path in files if path.name.lower() in wanted), None)


def wrong_cells(path: Path, row: int, found: int, wanted: int) -> RegisterFault:
    """The fault of a row with another number of cells than the header."""
    return RegisterFault(
        "bad_row",
        "row has the wrong number of cells",
        file=path,
        row=row,
        field="(row)",
        value=found,
        allowed=f"{wanted}, as in the header",
    )


def distinct(header: Sequence[str]) -> tuple[str, ...]:
    """Names of columns with white space as one blank; the second of a name is ``Name#2``, and so on."""
    counts: dict[str, int] = {}
    names = []
    for name in map(one_blank, header):
        counts[name] = counts.get(name, 0) + 1
        names.append(name if counts[name] == 1 or not name else f"{name}#{counts[name]}")
    return tuple(names)


def one_blank(text: str) -> str:
    """Text with every run of white space, of line ends and no-break blanks too, as one blank."""
    return " ".join(text.split())
