"""Workbooks, dBase, shapefile, KML, GeoPackage and GeoJSON as tables of text, through GDAL."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from pipeline.errors import InputError
from pipeline.rows.features import days_as_text, field_kinds, point_of_shape
from pipeline.rows.foreign_text import CellTable, ForeignTable, RegisterFault, TextFormat, cell_table
from pipeline.rows.spreadsheets import SHIFT_1904_DAYS, counts_from_1904
from pipeline.rows.text_records import content_of
from pipeline.rows.vector_files import faults_named
from pipeline.rows.workbook_numbers import WORKBOOKS

_PACKED = (*WORKBOOKS, ".kmz")
KML_KINDS = (".kml", ".kmz")
_MOST_BYTES, _MOST_UNPACKED_BYTES = 500_000_000, 2_000_000_000
# What GDAL adds to the fields of a KML.
_OF_KML = {
    "description", "timestamp", "begin", "end", "altitudeMode", "tessellate", "extrude", "visibility",
    "drawOrder", "icon", "id2", "snippet",
}  # fmt: skip
_NUMBERS = ("OFTInteger", "OFTInteger64", "OFTReal")
_DEFAULT_ENCODING = TextFormat().encoding
# Offset of the language byte of a dBase file, and that of the length of its header.
_LANGUAGE_BYTE, _HEADER_LENGTH = 29, slice(8, 10)


def read_through_gdal(path: Path, form: TextFormat, sheet: str | None, layer: str | None) -> ForeignTable:
    """A workbook or a vector file, by its suffix; see ``read_foreign``."""
    suffix = path.suffix.lower()
    if path.stat().st_size > _MOST_BYTES:
        raise InputError("file is too large", file=path, allowed=f"up to {_MOST_BYTES} bytes")
    if suffix in _PACKED:
        _refuse_endless_archive(path)
    if suffix == ".kml":
        _refuse_unknown_schema(path)
    if suffix in WORKBOOKS:
        return _workbook(path, form.header_row, sheet)
    stated = None if form.encoding == _DEFAULT_ENCODING else form.encoding
    if suffix in (".dbf", ".shp"):
        _refuse_unknown_letters(path.with_suffix(".dbf") if suffix == ".shp" else path, stated)
    return _vector(path, stated, layer)


def _refuse_endless_archive(path: Path) -> None:
    """Refuse what is no archive, and one that unpacks to more than any register."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, OSError):
        raise InputError("is damaged, or not what its suffix says", file=path) from None
    if unpacked > _MOST_UNPACKED_BYTES:
        raise InputError(
            "file is too large", file=path, allowed=f"up to {_MOST_UNPACKED_BYTES} bytes unpacked"
        )


# --- workbooks ----------------------------------------------------------------------------------------------


def _workbook(path: Path, header_row: int, sheet: str | None) -> ForeignTable:
    names = _layer_names(path)
    if sheet is None and len(names) > 1:
        raise InputError("which sheet is the register?", file=path, field="sheet", allowed=", ".join(names))
    chosen = names[0] if sheet is None else sheet
    if chosen not in names:
        raise InputError("no such sheet", file=path, field="sheet", value=sheet, allowed=", ".join(names))
    records = _records_of_sheet(path, chosen)
    header = records.get(header_row)
    if header is None or not any(header):
        allowed = "the row with the names of the columns (header_row)"
        raise InputError("holds no header", file=path, row=header_row, allowed=allowed)
    below = [(row, cells) for row, cells in records.items() if row > header_row]
    shifted = path.suffix.lower() == ".xlsx" and counts_from_1904(path)
    return ForeignTable(
        cell_table(path, header, below), sheet=chosen, serial_shift_days=SHIFT_1904_DAYS if shifted else 0
    )


@contextmanager
def _cells_as_text() -> Iterator[None]:
    """Every row of a sheet is a row, every cell text; options of an opened file hold for its first sheet."""
    said = {"HEADERS": "DISABLE", "FIELD_TYPES": "STRING"}
    names = {f"OGR_{kind}_{name}": value for kind in ("XLSX", "ODS") for name, value in said.items()}
    pyogrio.set_gdal_config_options(names)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(dict.fromkeys(names))


def sheet_records(path: Path) -> dict[str, list[tuple[int, list[str]]]]:
    """The rows of each sheet of a workbook with their numbers, cells as text; nothing of other files."""
    if path.suffix.lower() not in WORKBOOKS:
        return {}
    _refuse_endless_archive(path)
    return {name: [*_records_of_sheet(path, name).items()] for name in _layer_names(path)}


def _records_of_sheet(path: Path, sheet: str) -> dict[int, list[str]]:
    with faults_named(path), _cells_as_text():
        frame = pyogrio.read_dataframe(path, layer=sheet, read_geometry=False, fid_as_index=True)
    return {int(row): _texts(cells) for row, cells in zip(frame.index, frame.to_numpy(), strict=True)}


# --- vector files -------------------------------------------------------------------------------------------


def _refuse_unknown_letters(path: Path, stated: str | None) -> None:
    """Refuse a dBase file with other letters than ASCII that nothing names: GDAL would take one for all."""
    if stated is not None or path.with_suffix(".cpg").exists() or path.with_suffix(".CPG").exists():
        return
    if not path.is_file():
        return
    content = content_of(path, _MOST_BYTES)
    if len(content) <= _LANGUAGE_BYTE or content[_LANGUAGE_BYTE]:
        return
    begin = int.from_bytes(content[_HEADER_LENGTH], "little")
    if not content[begin:].isascii():
        raise RegisterFault(
            "not_utf8", "does not say its character set", file=path, field="(file)", allowed="encoding: ..."
        )


def kml_features(path: Path, layer: str | None = None) -> gpd.GeoDataFrame:
    """The features of a KML or KMZ, of all its folders unless one is named, flat, by row."""
    frame = gpd.GeoDataFrame(_features(path, None, layer)[0])
    return frame.set_geometry(frame.geometry.force_2d())


def _features(
    path: Path, encoding: str | None, layer: str | None
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    names = _layer_names(path)
    is_kml = path.suffix.lower() in KML_KINDS
    if layer is not None and layer not in names:
        raise InputError("no such layer", file=path, field="layer", value=layer, allowed=", ".join(names))
    if layer is None and len(names) > 1 and not is_kml:
        raise InputError("which layer is the register?", file=path, field="layer", allowed=", ".join(names))
    read = [_frame(path, encoding, name) for name in ([layer] if layer is not None else names)]
    frames = [frame for frame, _ in read]
    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    return frame, [kinds for _, kinds in read]


def _vector(path: Path, encoding: str | None, layer: str | None) -> ForeignTable:
    frame, kinds = _features(path, encoding, layer)
    is_kml, typed = path.suffix.lower() in KML_KINDS, _typed(kinds)
    geometry = frame.geometry if isinstance(frame, gpd.GeoDataFrame) else None
    left_out = {"geometry"} if geometry is not None else set()
    if is_kml:
        left_out |= _OF_KML | ({"id"} if "id" in frame and frame["id"].isna().all() else set())
    columns = [name for name in frame.columns if name not in left_out]
    cells = zip(*(_texts(frame[name].tolist()) for name in columns), strict=True)
    records = [*enumerate(cells if columns else [()] * len(frame), start=1)]
    if is_kml:
        _refuse_described(path, columns, frame)
    table = _all_rows(path, columns, records)
    if geometry is None:
        return ForeignTable(table, typed=typed)
    return ForeignTable(table, [point_of_shape(shape) for shape in geometry], geometry.crs, typed=typed)


def _all_rows(path: Path, columns: Sequence[str], records: Sequence[tuple[int, Sequence[str]]]) -> CellTable:
    """Every feature, also one without attributes: its geometry is something."""
    by_column = zip(*(cells for _, cells in records), strict=True) if records else [()] * len(columns)
    named = {name: list(cells) for name, cells in zip(columns, by_column, strict=True)}
    return CellTable(path, tuple(columns), [row for row, _ in records], named, [])


def _frame(path: Path, encoding: str | None, layer: str) -> tuple[pd.DataFrame, dict[str, str]]:
    opened = _opened(path)
    with faults_named(path):
        kinds = field_kinds(opened, layer)
        frame = pyogrio.read_dataframe(opened, layer=layer, encoding=encoding)
    if not frame.columns.is_unique:
        name = str(frame.columns[frame.columns.duplicated()][0])
        raise InputError("column occurs twice", file=path, field=name)
    return days_as_text(frame, kinds), kinds


def _typed(layers: Sequence[dict[str, str]]) -> frozenset[str]:
    """The fields that are numbers in every layer that has them."""
    texts = {name for kinds in layers for name, kind in kinds.items() if kind not in _NUMBERS}
    return frozenset(name for kinds in layers for name in kinds if name not in texts)


def _refuse_described(path: Path, columns: Sequence[str], frame: pd.DataFrame) -> None:
    """Refuse a KML whose values stand in the text of balloons alone."""
    told = frame["description"].astype(str) if "description" in frame else pd.Series(dtype=str)
    if set(columns) <= {"id", "Name"} and told.str.contains("<td", case=False).any():
        raise InputError(
            "values stand in an HTML description only",
            file=path,
            field="description",
            allowed="ExtendedData; a GIS turns the tables of descriptions into fields",
        )


def _refuse_unknown_schema(path: Path) -> None:
    """Refuse values of a schema that is not in the file: GDAL leaves them out without a word."""
    content = content_of(path, _MOST_BYTES)
    if b"SimpleData" in content and b"SimpleField" not in content:
        raise InputError(
            "has values of a schema that it does not hold", file=path, field="SimpleData", allowed="a Schema"
        )


# --- cells --------------------------------------------------------------------------------------------------


def _texts(cells: Sequence[object]) -> list[str]:
    return [_text(cell) for cell in cells]


def _text(cell: object) -> str:
    """A cell as text: nothing for null, the shortest exact digits of a number, days without a midnight."""
    if isinstance(cell, str):
        return cell
    if cell is None or cell is pd.NaT or cell is pd.NA:
        return ""
    if isinstance(cell, (float, np.floating)):
        if math.isnan(cell):
            return ""
        figure = float(cell)
        return str(int(figure)) if figure.is_integer() and abs(figure) < 1e15 else repr(figure)
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%dT%H:%M:%S")
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def _layer_names(path: Path) -> list[str]:
    opened = _opened(path)
    with faults_named(path):
        names = [str(name) for name in pyogrio.list_layers(opened)[:, 0]]
    if not names:
        raise InputError("holds no sheet or layer: is damaged, or empty", file=path)
    return names


def _opened(path: Path) -> str | Path:
    """What GDAL is told to open: of a KMZ its first `.kml`, as from the archive it takes no fields."""
    if path.suffix.lower() != ".kmz":
        return path
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".kml")]
    if not names:
        raise InputError("holds no .kml", file=path, allowed="an archive with a KML")
    return f"/vsizip/{{{path.resolve()}}}/{names[0]}"
