"""Places of a mapped table: angles, grid references, coordinates of a CRS, points of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pyproj import CRS

from pipeline.config.register_mapping import ColumnMapping, RegisterMapping
from pipeline.errors import InputError
from pipeline.registers.conversion import coordinate_notations as notations
from pipeline.registers.conversion.cell_numbers import CellProblem, each, number
from pipeline.registers.conversion.coordinate_notations import Axis
from pipeline.registers.conversion.datums import WGS84, Datum, datum_of, known_crs
from pipeline.registers.mapped.mapped_cells import Converted, MappedCells, headers_of

PLACE_COLUMNS = ("lat", "lon", "lat_lon", "ngr", "x", "y")
_GREAT_BRITAIN = "EPSG:27700"
_BETWEEN = "\x1f"


class MappedPlaces(NamedTuple):
    """Longitude and latitude by row (NaN: none), problems by column and row, rows at a projected 0, 0."""

    lon_deg: Sequence[float]
    lat_deg: Sequence[float]
    problems: dict[str, dict[int, CellProblem]]
    nowhere: set[int]
    datum: Datum


def axis_of(name: str, column: ColumnMapping) -> Axis:
    """How the angles of a column are read."""
    return Axis(name, column.hemispheres, column.west_positive)


def places(cells: MappedCells, mapping: RegisterMapping) -> MappedPlaces:
    """The place of every row, from the columns of the mapping, else from the points of the features."""
    columns = {name: mapping.columns[name] for name in PLACE_COLUMNS if name in mapping.columns}
    kinds = [{"lat", "lon"}, {"lat_lon"}, {"ngr"}, {"x", "y"}]
    if columns and set(columns) not in kinds:
        raise InputError(
            "place is not given once",
            row="columns",
            value=", ".join(columns),
            allowed="lat and lon, or lat_lon, or ngr, or x and y",
        )
    if not columns:
        return _of_points(cells, mapping)
    problems: dict[str, dict[int, CellProblem]] = {}
    x: Sequence[object]
    y: Sequence[object]
    if "lat_lon" in columns:
        x, y = _both(cells, columns["lat_lon"], problems)
    elif "ngr" in columns:
        x, y = _grid_references(cells, columns["ngr"], problems)
    else:
        x, y = (
            _angles(cells, name, columns[name], problems)
            for name in (("lon", "lat") if "lat" in columns else ("x", "y"))
        )
    named = _GREAT_BRITAIN if "ngr" in columns else mapping.crs
    crs = None if named is None else known_crs(named)
    if "x" in columns and crs is None:
        raise InputError("x and y need their CRS", row="crs", allowed="such as EPSG:3794")
    if crs is None and mapping.to_wgs84 is not None:
        raise InputError("to_wgs84 needs the CRS that it turns", row="crs", allowed="such as EPSG:4267")
    return _in_degrees(x, y, crs, mapping, problems)


def _angles(
    cells: MappedCells, name: str, column: ColumnMapping, problems: dict[str, dict[int, CellProblem]]
) -> Sequence[object]:
    found = _axis_values(cells, name, column)
    problems[name] = found.problems
    return found.values


def _axis_values(cells: MappedCells, name: str, column: ColumnMapping) -> Converted:
    axis = axis_of(name, column)
    if name in ("x", "y"):
        header = _only_header(name, column)
        form, texts = cells.number_format(header, column), cells.figures(header, column)
        return Converted(*each(texts, lambda text: number(text, form)))
    parts = [cells.of(header, column.na) for header in headers_of(column)]
    texts = [_BETWEEN.join(row) if any(row) else "" for row in zip(*parts, strict=True)]
    if column.notation == "parts":
        return Converted(*each(texts, lambda text: notations.parts(text.split(_BETWEEN), axis)))
    if column.notation == "degrees" and any(map(_has_several_numbers, set(texts))):
        raise InputError(
            "has several cells with numbers",
            row=f"columns.{name}.notation",
            value=column.notation,
            allowed="parts or dms, where degrees, minutes and seconds have cells of their own",
        )
    read = notations.dms if column.notation == "dms" else notations.degrees
    return Converted(*each(texts, lambda text: read(_one_text(text), axis)))


def _has_several_numbers(text: str) -> bool:
    return sum(any(map(str.isdigit, part)) for part in text.split(_BETWEEN)) > 1


def _one_text(text: str) -> str:
    """The cells of an angle with blanks between them; a lost hemisphere or minute is no other angle."""
    parts = text.split(_BETWEEN)
    if not all(parts):
        raise CellProblem("bad_value", "one of its cells is empty", "all cells of the place, or none")
    return " ".join(parts)


def _only_header(name: str, column: ColumnMapping) -> str:
    """The one header of a value that stands in one cell; InputError for a list."""
    headers = headers_of(column)
    if len(headers) != 1:
        allowed = "one header; lat and lon may have cells of their own for degrees, minutes and seconds"
        raise InputError(
            "stands in one cell", row=f"columns.{name}.from", value=", ".join(headers), allowed=allowed
        )
    return headers[0]


def _both(
    cells: MappedCells, column: ColumnMapping, problems: dict[str, dict[int, CellProblem]]
) -> tuple[list[object], list[object]]:
    lat, lon = axis_of("lat", column), axis_of("lon", column)
    texts = cells.of(_only_header("lat_lon", column), column.na)
    pairs, problems["lat_lon"] = each(texts, lambda text: notations.both(text, column.notation, lat, lon))
    return [pair and pair[1] for pair in pairs], [pair and pair[0] for pair in pairs]


def _grid_references(
    cells: MappedCells, column: ColumnMapping, problems: dict[str, dict[int, CellProblem]]
) -> tuple[list[object], list[object]]:
    texts = cells.of(_only_header("ngr", column), column.na)
    pairs, problems["ngr"] = each(texts, notations.grid_reference)
    return [pair and pair[0] for pair in pairs], [pair and pair[1] for pair in pairs]


def _of_points(cells: MappedCells, mapping: RegisterMapping) -> MappedPlaces:
    points = cells.foreign.points
    if points is None:
        raise InputError(
            "place is missing", row="columns", allowed="lat and lon, lat_lon, ngr, or x and y with crs"
        )
    crs = known_crs(mapping.crs) if mapping.crs else cells.foreign.crs
    if crs is None:
        raise InputError("file does not state its CRS", file=cells.foreign.table.path, row="crs")
    x: list[object] = [point[0] if isinstance(point, tuple) else None for point in points]
    y: list[object] = [point[1] if isinstance(point, tuple) else None for point in points]
    return _in_degrees(x, y, crs, mapping, {})


def _in_degrees(
    x: Sequence[object],
    y: Sequence[object],
    crs: CRS | None,
    mapping: RegisterMapping,
    problems: dict[str, dict[int, CellProblem]],
) -> MappedPlaces:
    xs = np.array([np.nan if value is None else value for value in x], dtype=np.float64)
    ys = np.array([np.nan if value is None else value for value in y], dtype=np.float64)
    nowhere: set[int] = set()
    if crs is not None and crs.is_projected:
        nowhere = set(np.flatnonzero((xs == 0.0) & (ys == 0.0)).tolist())
        xs[[*nowhere]] = np.nan
    datum = WGS84
    if crs is not None and not (mapping.to_wgs84 is None and crs.to_epsg() == 4326):
        datum = datum_of(crs, xs, ys, accuracy_m=mapping.datum_accuracy_m, to_wgs84=mapping.to_wgs84)
    lon, lat = datum.degrees(xs, ys)
    return MappedPlaces(lon.tolist(), lat.tolist(), problems, nowhere, datum)
