"""Workbooks (.xlsx): the cells of the first sheet as text, and a table as a workbook of texts.

GDAL reads and writes them. A workbook is a zip archive: how much it unpacks to and where its cells are is
looked at before GDAL opens it, and one with macros is refused. Equal tables give equal bytes but for the time
in the archive.
"""

from __future__ import annotations

import io
import re
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError

from pipeline.errors import InputError
from pipeline.files import disk_fault, inert, text_of_cell

WORKBOOK_START = b"PK\x03\x04"
# From 1899-12-30 to 1904-01-01.
SHIFT_1904_DAYS = 1462
_MOST_BYTES = 10_000_000
_MOST_UNPACKED_BYTES = 200_000_000
_MOST_PARTS = 2_000
_MOST_ROWS = 200_000
_MOST_COLUMNS = 702
_MACROS = "vbaproject.bin"
_SHEETS, _BOOK = re.compile(r"xl/worksheets/[^/]+\.xml"), "xl/workbook.xml"
_DATE_1904 = re.compile(rb"""\bdate1904\s*=\s*["'](1|true)["']""")
_CELL = re.compile(rb'<(?:\w+:)?(?:c|row)\b[^>]*?\br="([A-Z]*)([0-9]+)"')
_IN_PIECES = re.compile(rb"<(?:\w+:)?is>\s*<(?:\w+:)?r>")
_FIRST_SHEET = "the table in the first sheet"
_PIECE_BYTES, _LONGEST_TAG_BYTES = 1_000_000, 200
_FAULTS = (DataSourceError, DataLayerError, FeatureError, FieldError, ValueError)
# What every writer of workbooks puts there, if it writes any time at all.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


class SheetRow(NamedTuple):
    """A row of a sheet that is not empty: its number in the sheet from 1, and all its cells as text."""

    number: int
    cells: list[str]


def read_first_sheet(path: Path, *, most_bytes: int = _MOST_BYTES) -> list[SheetRow]:
    """Rows of the first sheet; numbers as short as they identify their value, dates as YYYY/MM/DD.

    InputError for what is no workbook, unpacks to too much, has macros, cells too far out, or nothing in its
    first sheet beside others.
    """
    sheets = _check_archive(path, most_bytes)
    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")
            # GDAL goes by the ending of a name.
            link = Path(folder) / "sheet.xlsx"
            link.symlink_to(path.resolve())
            _, numbers, _, columns = pyogrio.raw.read(
                link,
                layer=0,
                max_features=_MOST_ROWS + 1,
                return_fids=True,
                FIELD_TYPES="STRING",
                HEADERS="DISABLE",
            )
    except _FAULTS:
        raise InputError("is damaged, or no workbook inside", file=path) from None
    if len(numbers) > _MOST_ROWS:
        raise InputError("sheet has too many rows", file=path, allowed=f"up to {_MOST_ROWS}")
    rows = [
        SheetRow(int(number), ["" if cell is None else text_of_cell(str(cell)) for cell in cells])
        for number, *cells in zip(numbers, *columns, strict=True)
    ]
    filled = [row for row in rows if any(row.cells)]
    if not filled and sheets > 1:
        raise InputError("first sheet is empty", file=path, value=f"{sheets} sheets", allowed=_FIRST_SHEET)
    return filled


def counts_from_1904(path: Path) -> bool:
    """Whether a workbook counts days from 1904, as old ones of Macs do; GDAL takes all for the usual ones."""
    try:
        with zipfile.ZipFile(path) as archive:
            settings = archive.read(_BOOK) if _BOOK in archive.namelist() else b""
    except (zipfile.BadZipFile, zlib.error, OSError):
        raise InputError("is damaged, or not what its suffix says", file=path) from None
    return _DATE_1904.search(settings) is not None


def _check_archive(path: Path, most_bytes: int) -> int:
    """How many sheets a workbook has, if it may be opened."""
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise InputError(
                "workbook is too large", file=path, value=size, allowed=f"up to {most_bytes} bytes"
            )
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            _check_parts(path, parts)
            sheets = [part for part in parts if _SHEETS.fullmatch(part.filename)]
            for sheet in sheets:
                _check_cells(path, archive, sheet)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path) from None
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError):
        raise InputError("not a workbook that can be read", file=path, allowed="an .xlsx file") from None
    if not sheets:
        raise InputError("is no workbook: it has no sheet", file=path, allowed="an .xlsx file")
    return len(sheets)


def _check_parts(path: Path, parts: Sequence[zipfile.ZipInfo]) -> None:
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > _MOST_PARTS or unpacked > _MOST_UNPACKED_BYTES:
        raise InputError(
            "workbook unpacks to too much",
            file=path,
            value=f"{unpacked} bytes in {len(parts)} parts",
            allowed=f"up to {_MOST_UNPACKED_BYTES} bytes in {_MOST_PARTS} parts",
        )
    if any(part.filename.lower().endswith(_MACROS) for part in parts):
        raise InputError("workbook has macros", file=path, allowed="an .xlsx file without macros")


def _check_cells(path: Path, archive: zipfile.ZipFile, sheet: zipfile.ZipInfo) -> None:
    """Refuse cells far from the first: GDAL makes room for all rows and columns between."""
    with archive.open(sheet) as stream:
        kept = b""
        while piece := stream.read(_PIECE_BYTES):
            for letters, row in _CELL.findall(kept + piece):
                if len(letters) > 2 or len(row) > 7 or int(row) > _MOST_ROWS:
                    raise InputError(
                        "a cell lies too far out",
                        file=path,
                        row=sheet.filename,
                        value=(letters + row).decode()[:20],
                        allowed=f"up to {_MOST_ROWS} rows and {_MOST_COLUMNS} columns (ZZ)",
                    )
            # GDAL would read the first of the pieces.
            if _IN_PIECES.search(kept + piece):
                problem = "a cell holds text in pieces of different form"
                raise InputError(problem, file=path, row=sheet.filename, allowed="plain text")
            kept = piece[-_LONGEST_TAG_BYTES:]


def sheet_bytes(name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A workbook with one sheet: a header, then the rows; no cell is a number or a formula."""
    cells = [[inert(text) for text in row] for row in rows]
    fields = [np.array(column, dtype=object) for column in zip(*cells, strict=True)]
    if not cells:
        fields = [np.array([], dtype=object) for _ in columns]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sheet.xlsx"
        try:
            pyogrio.raw.write(
                path, None, fields, list(columns), driver="XLSX", layer=name, geometry_type=None, crs=None
            )
        except RuntimeError as error:
            raise disk_fault(path, f"GDAL: {error}") from error
        return _without_time(path)


def _without_time(path: Path) -> bytes:
    """The archive again with one time for all its parts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(zipfile.ZipInfo(part.filename, _NO_TIME), old.read(part), zipfile.ZIP_DEFLATED)
    return stream.getvalue()
