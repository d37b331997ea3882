"""Format `table`: any table, read as a declarative mapping says (docs/registers.md).

Evidence: national lists met in original files [O] (Lithuania 2012: decimal commas, e.r.p. by azimuth),
in programs that read them [S] (tables of Ofcom, ANFR, UKE) and in documentation [D] (BNetzA).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.config.register_mapping import ColumnMapping, Join, RegisterMapping, RowFilter
from pipeline.errors import InputError
from pipeline.registers.conversion.cell_numbers import fault_of_key, iso_day
from pipeline.registers.conversion.datums import WGS84
from pipeline.registers.entries import (
    InputFile,
    Reading,
    RegisterEntry,
    Source,
    drop_by_rule,
    unreadable_rows,
)
from pipeline.registers.finishing import Target
from pipeline.registers.mapped.mapped_cells import (
    DATES,
    Converted,
    MappedCells,
    SecondTable,
    convert,
    headers_of,
)
from pipeline.registers.mapped.mapped_patterns import Patterns
from pipeline.registers.mapped.mapped_places import PLACE_COLUMNS, MappedPlaces, places
from pipeline.rows.foreign_files import read_foreign
from pipeline.rows.foreign_text import CellTable, ForeignTable, TextFormat, one_blank

_HELPERS = (
    *PLACE_COLUMNS,
    "status",
    "valid_from",
    "valid_to",
    "effective_heights_m",
    "rcamsl_m",
    "erp_h",
    "erp_v",
    "wkt",
)
_POWERS = ("erp_kw", "erp_h", "erp_v")
# Without one of these a row of a register of transmitters says nothing.
_NEEDED = {"id": "id", "erp_kw": "power", "lat": "place", "lon": "place", "lat_lon": "place", "ngr": "place",
           "x": "place", "y": "place"}  # fmt: skip
_DROPS = {"power": "no_power", "place": "no_position"}
# What a message about lon and lat names, where one cell or other coordinates gave them.
_PLACE_KEYS = {
    "lat_lon": {"lon": "lat_lon", "lat": "lat_lon"},
    "ngr": {"lon": "ngr", "lat": "ngr"},
    "x": {"lon": "x", "lat": "y"},
}
_PLANES = (("H", "erp_h"), ("V", "erp_v"))


class RowCells(Mapping[str, str]):
    """The cells of one row as they stand, by column of the register; made when a message asks."""

    def __init__(self, cells: MappedCells, columns: Mapping[str, ColumnMapping], i: int) -> None:
        """Remember the row."""
        self._cells, self._columns, self._i = cells, columns, i

    def __getitem__(self, column: str) -> str:
        """The cell, or cells with blanks between them."""
        headers = headers_of(self._columns[column])
        return " ".join(self._cells.as_they_stand(header)[self._i] for header in headers)

    def __iter__(self) -> Iterator[str]:
        """The columns of the mapping."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Their number."""
        return len(self._columns)


class _Columns(NamedTuple):
    """The converted columns of a table, its places, and rows that the join did not find."""

    cells: MappedCells
    converted: dict[str, Converted]
    places: MappedPlaces | None
    unjoined: set[int]
    needs_point: bool = False


def read_tables(source: Source, target: Target) -> Reading:
    """The entries of all files of a mapping, in their order."""
    _refuse_unknown_columns(source.mapping, target)
    reading = Reading()
    for path in source.files:
        reading.add(_read_table(path, source.mapping, target))
    return reading


def _refuse_unknown_columns(mapping: RegisterMapping, target: Target) -> None:
    known = {*target.columns, *_HELPERS}
    for name in (*mapping.columns, *mapping.constants):
        if name not in known:
            raise InputError("unknown column", row=f"columns.{name}", allowed=", ".join(sorted(known)))
    for name, column in mapping.columns.items():
        if column.missing == "drop" and _NEEDED.get(name) not in _DROPS:
            allowed = "missing: drop of a power or a place"
            raise InputError("cannot be dropped for it", row=f"columns.{name}.missing", allowed=allowed)
        if column.template is not None and name not in ("id", "site", "sfn"):
            raise InputError("cannot be a template", row=f"columns.{name}.template", allowed="id, site, sfn")


def _read_table(path: Path, mapping: RegisterMapping, target: Target) -> Reading:
    form = TextFormat(mapping.encoding, mapping.separator, mapping.header_row)
    foreign = read_foreign(path, form, sheet=mapping.sheet, layer=mapping.layer)
    inputs = [InputFile(path, len(foreign.table.rows) + len(foreign.table.faults))]
    unjoined: set[int] = set()
    second: SecondTable | None = None
    lost: list[RegisterEntry] = []
    if mapping.join is not None:
        foreign, second, lost, joined_file = _joined(foreign, mapping, mapping.join)
        unjoined = {i for i, partner in enumerate(second.partners) if partner is None}
        inputs.append(joined_file)
    cells = MappedCells(foreign, mapping, mapping.na, second)
    placed = places(cells, mapping) if "lon" in target.columns else None
    others = {name: column for name, column in mapping.columns.items() if name not in PLACE_COLUMNS}
    columns = _Columns(
        cells,
        {name: convert(cells, name, column) for name, column in others.items()},
        placed,
        unjoined,
        placed is not None and not _has_place(mapping),
    )
    entries = _entries(path, mapping, columns, target)
    entries += unreadable_rows(path, foreign.table.faults)
    entries.sort(key=lambda entry: entry.row)
    datum = WGS84 if placed is None else placed.datum
    return Reading(entries + lost, inputs, datum, cells.not_used())


# --- join ---------------------------------------------------------------------------------------------------


def _joined(
    foreign: ForeignTable, mapping: RegisterMapping, join: Join
) -> tuple[ForeignTable, SecondTable, list[RegisterEntry], InputFile]:
    """The table with the columns of a second one; rows of this without a partner."""
    path = join.path
    form = TextFormat(join.encoding, join.separator, join.header_row)
    other = read_foreign(path, form, sheet=join.sheet, layer=join.layer)
    second = other.table
    for fault in second.faults:
        raise fault
    key = one_blank(join.on)
    for table in (foreign.table, second):
        if key not in table.columns:
            known = ", ".join(filter(None, table.headers))
            raise InputError("column is missing", file=table.path, row=1, field=key, allowed=known)
    by_key: dict[str, int] = {}
    for i, text in enumerate(map(one_blank, second.columns[key])):
        if by_key.setdefault(text, i) != i:
            raise InputError("key occurs twice", file=path, row=second.rows[i], field=key, value=text)
    keys = [one_blank(text) for text in foreign.table.columns[key]]
    partners = [by_key.get(text) for text in keys]
    added = {
        name: ["" if i is None else column[i] for i in partners] for name, column in second.columns.items()
    }
    columns = {
        **foreign.table.columns,
        **{name: c for name, c in added.items() if name not in foreign.table.columns},
    }
    headers = tuple(dict.fromkeys((*foreign.table.headers, *second.headers)))
    table = CellTable(foreign.table.path, headers, foreign.table.rows, columns, foreign.table.faults)
    used = {*keys}
    lost = [
        RegisterEntry(path, second.rows[i], source_id=text, drop="join_missing")
        for text, i in by_key.items()
        if text not in used
    ]
    names = frozenset(second.columns) - frozenset(foreign.table.columns)
    joined = SecondTable(MappedCells(other, _signs(join, mapping), mapping.na), names, partners)
    return foreign._replace(table=table), joined, lost, InputFile(path, len(second.rows))


def _signs(join: Join, mapping: RegisterMapping) -> Join:
    """The second table with the signs of the first where it states none of its own."""
    if "decimal" in join.model_fields_set:
        return join
    own = join.thousands if "thousands" in join.model_fields_set else mapping.thousands
    return join.model_copy(update={"decimal": mapping.decimal, "thousands": own})


# --- entries ------------------------------------------------------------------------------------------------


def _entries(path: Path, mapping: RegisterMapping, columns: _Columns, target: Target) -> list[RegisterEntry]:
    cells = columns.cells
    constants = {name: _constant(name, text, target) for name, text in mapping.constants.items()}
    keys = next((keys for name, keys in _PLACE_KEYS.items() if name in mapping.columns), {})
    entries = [
        RegisterEntry(path, row, dict(constants), RowCells(cells, mapping.columns, i), keys)
        for i, row in enumerate(cells.foreign.table.rows)
    ]
    for name, found in columns.converted.items():
        _enter(entries, name, found.values)
    if columns.places is not None:
        for name, degrees in (("lon", columns.places.lon_deg), ("lat", columns.places.lat_deg)):
            _enter(entries, name, [value if math.isfinite(value) else None for value in degrees])
    for entry in entries:
        entry.source_id = str(entry.values.get("id", ""))
    patterns = None if mapping.pattern is None else Patterns(cells, mapping.pattern, path.parent)
    by_plane = any(name in mapping.columns for _, name in _PLANES)
    _drop(entries, mapping, columns)
    _refuse_cells(entries, mapping, columns, target)
    for i, entry in enumerate(entries):
        if (power := mapping.columns.get("erp_kw")) is not None:
            entry.add_other_plane(power.reference)
        if patterns is not None and entry.written:  # e.r.p. by azimuth replaces that of the column
            patterns.enter(entry, i)
        if entry.written and by_plane:
            _add_planes(entry, mapping.mixed_erp)
        if entry.written and target.name == "transmitters":
            _finish_power(entry, mapping)
    return entries


def _constant(name: str, text: str, target: Target) -> object:
    """A constant as the model of the register reads it."""
    annotation = target.model.model_fields[name].annotation if name in target.model.model_fields else str
    if name in DATES:
        with fault_of_key(f"constants.{name}", text):
            return iso_day(text)
    if annotation in (str, None) or not text.replace(".", "", 1).removeprefix("-").isdigit():
        return text
    return int(text) if annotation is int else float(text)


def _enter(entries: Sequence[RegisterEntry], name: str, values: Sequence[object]) -> None:
    for entry, value in zip(entries, values, strict=True):
        if value is not None:
            entry.values[name] = value


def _drop(entries: Sequence[RegisterEntry], mapping: RegisterMapping, columns: _Columns) -> None:
    """Rows that rules leave out, with the first reason of: empty, geometry, join, filter, status, dates."""
    cells, points = columns.cells, columns.cells.foreign.points
    kept = [_kept(cells, condition) for condition in mapping.filter]
    telling = _telling(cells, mapping)
    for i, entry in enumerate(entries):
        if telling and not any(column[i] for column in telling):
            entry.drop, entry.source_id = "empty", ""
        elif points is not None and isinstance(points[i], str) and columns.needs_point:
            entry.drop = "geometry"
        elif i in columns.unjoined:
            entry.drop = "join_missing"
        elif not all(column[i] for column in kept):
            entry.drop = "filter"
        else:
            entry.drop = drop_by_rule(entry, mapping)


def _has_place(mapping: RegisterMapping) -> bool:
    return any(name in mapping.columns for name in PLACE_COLUMNS)


def _telling(cells: MappedCells, mapping: RegisterMapping) -> list[list[str]]:
    """The columns without which a row is a total or a note: channel, frequency, power and place."""
    if cells.foreign.points is not None and not _has_place(mapping):
        return []
    names = ("channel", "centre_mhz", "freq_mhz", "f_mhz", *_POWERS, *PLACE_COLUMNS)
    headers = [
        header for name in names if name in mapping.columns for header in headers_of(mapping.columns[name])
    ]
    pattern = mapping.pattern
    if pattern is not None and pattern.kind == "erp" and pattern.columns is not None:
        headers += [pattern.columns.format(azimuth=azimuth) for azimuth in range(0, 360, pattern.step)]
    return [cells.of(header) for header in headers]


def _kept(cells: MappedCells, condition: RowFilter) -> list[bool]:
    texts = cells.of(condition.column)
    if condition.in_ is not None:
        wanted = {*map(one_blank, condition.in_)}
        return [text in wanted for text in texts]
    unwanted = {*map(one_blank, condition.not_in or ())}
    return [text not in unwanted for text in texts]


def _refuse_cells(
    entries: Sequence[RegisterEntry], mapping: RegisterMapping, columns: _Columns, target: Target
) -> None:
    """Note bad and missing cells in the order of the mapping; each row keeps its first."""
    problems = {name: found.problems for name, found in columns.converted.items()}
    if columns.places is not None:
        problems |= columns.places.problems
    for name in mapping.columns:
        for i, problem in problems.get(name, {}).items():
            if not entries[i].drop:
                entries[i].refuse_cell(name, problem)
        _refuse_missing(entries, name, mapping, columns, target)
    if columns.places is not None:
        _refuse_nowhere(entries, columns.places, mapping)


def _refuse_missing(
    entries: Sequence[RegisterEntry], name: str, mapping: RegisterMapping, columns: _Columns, target: Target
) -> None:
    """Cells without a value where the column is needed, as its key ``missing`` says."""
    kind, rule = _NEEDED.get(name), mapping.columns[name].missing
    if rule == "empty" or (kind is None and rule is None):
        return
    if name in PLACE_COLUMNS:
        texts = zip(
            *(columns.cells.of(h, mapping.columns[name].na) for h in headers_of(mapping.columns[name])),
            strict=True,
        )
        absent = [not any(row) for row in texts]
    else:
        absent = [value is None for value in columns.converted[name].values]
    reason = _DROPS.get(str(kind), "")
    description = target.model.model_fields[name].description if name in target.columns else "a value"
    for i, entry in enumerate(entries):
        if absent[i] and entry.written:
            if rule == "drop":
                entry.drop = reason
            else:
                entry.refuse(name, "missing", "value is missing", description)


def _refuse_nowhere(entries: Sequence[RegisterEntry], found: MappedPlaces, mapping: RegisterMapping) -> None:
    """Projected 0, 0 is no place; other coordinates may lie nowhere on the Earth, or not be there."""
    column = next((name for name in PLACE_COLUMNS if name in mapping.columns), "geometry")
    for i in found.nowhere:
        if not entries[i].drop:
            entries[i].drop = "no_position"
    for entry in entries:
        if entry.written and not {"lon", "lat"} <= entry.values.keys():
            known = column != "geometry"
            entry.refuse(
                column,
                "out_of_range" if known else "missing",
                "place is nowhere on the Earth",
                "a place in the CRS",
            )


# --- powers -------------------------------------------------------------------------------------------------


def _add_planes(entry: RegisterEntry, rule: str) -> None:
    """The e.r.p. of horizontal and vertical plane as one: their sum, or the stronger."""
    powers = {plane: entry.values.pop(name, None) for plane, name in _PLANES}
    known = {plane: power for plane, power in powers.items() if isinstance(power, float) and power > 0.0}
    if not known:
        entry.refuse("erp_h", "missing", "value is missing", "the e.r.p. of a plane")
        return
    entry.values["erp_kw"] = sum(known.values()) if rule == "sum" else max(known.values())
    entry.values.setdefault("polarisation", "M" if len(known) > 1 else next(iter(known)))
    if len(known) > 1 and rule == "sum":
        entry.flags.append("planes_added")


def _finish_power(entry: RegisterEntry, mapping: RegisterMapping) -> None:
    """A power that nothing states is a fault."""
    power, column = entry.values.get("erp_kw"), mapping.columns.get("erp_kw")
    if power is None and (column is None or column.missing != "empty"):
        entry.refuse("erp_kw", "missing", "value is missing", "more than 0, up to 5000 kW")
