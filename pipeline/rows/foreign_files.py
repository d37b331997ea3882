"""Tables of others by the suffix of their file: text here, all else through GDAL, which is loaded for it.

Cells of workbooks arrive as text, dates as ``2015/01/01``; the row is that of the sheet. Of the other kinds
the running number from 1 is the row, numbers are their shortest exact digits, and points come with their CRS.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import InputError
from pipeline.rows.foreign_text import ForeignTable, TextFormat, read_text_table
from pipeline.rows.workbook_numbers import WORKBOOKS

_VECTOR = (".dbf", ".shp", ".kml", ".kmz", ".gpkg", ".geojson", ".json")


def read_foreign(
    path: Path, form: TextFormat, *, sheet: str | None = None, layer: str | None = None
) -> ForeignTable:
    """A table by the suffix of its file: workbook, vector file, or else text as ``form`` says."""
    if not path.is_file():
        raise InputError("is not a file" if path.exists() else "file does not exist", file=path)
    if not is_foreign_kind(path):
        return ForeignTable(read_text_table(path, form))
    from pipeline.rows.gdal_tables import read_through_gdal  # a second that tables of text would take

    return read_through_gdal(path, form, sheet, layer)


def is_foreign_kind(path: Path) -> bool:
    """Whether a file is a workbook or a vector file by its suffix, and not text."""
    return path.suffix.lower() in (*WORKBOOKS, *_VECTOR)
