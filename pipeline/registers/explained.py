"""How the first rows of a source became rows of a register: header, cell, rule and value of each column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from pipeline.config.register_mapping import ColumnMapping, RegisterMapping
from pipeline.registers.entries import RegisterEntry
from pipeline.registers.entry_patterns import HORIZONTAL, VERTICAL

_SHOWN_OF_PATTERN = 60


def explain_lines(entries: Iterable[RegisterEntry], mapping: RegisterMapping, count: int) -> Iterator[str]:
    """Lines on the first rows, one for each column of the mapping or key of the format, then their fate."""
    for entry in islice(entries, count):
        fate = f"dropped: {entry.drop}" if entry.drop else "at fault" if entry.fault else "written"
        yield f"{entry.file.name}, row {entry.row}: {fate}"
        for name, value in entry.values.items():
            yield f"  {name} = {_shown(name, value)}{_from(entry, mapping, name)}"
        for name in mapping.columns:
            if name not in entry.values and name in entry.cells:
                yield f"  {name}: no value{_from(entry, mapping, name)}"
        if entry.fault is not None and not entry.drop:
            yield f"  {entry.fault}"


def _shown(name: str, value: object) -> str:
    text = f"{value:.9g}" if isinstance(value, float) else str(value)
    cut = name in (HORIZONTAL, VERTICAL) and len(text) > _SHOWN_OF_PATTERN
    return f"{text[:_SHOWN_OF_PATTERN]}..." if cut else text


def _from(entry: RegisterEntry, mapping: RegisterMapping, name: str) -> str:
    """Where a value comes from: header and cell with the rule of a mapping, or the key of a format."""
    if name in mapping.constants:
        return "  <- constant"
    column = mapping.columns.get(name)
    key = entry.keys.get(name, name)
    if column is None and key not in entry.cells:
        return "  <- pattern" if name == HORIZONTAL and mapping.pattern is not None else ""
    cell = entry.cells.get(name, entry.cells.get(key, ""))
    if column is None:
        return f"  <- {key} = {cell!r}"
    rule = _rule(column)
    return f"  <- {_headers(column)} = {cell!r}{f' ({rule})' if rule else ''}"


def _headers(column: ColumnMapping) -> str:
    if column.template is not None:
        return column.template
    parts = [part.from_ for part in (column.power, column.gain, column.loss) if part is not None]
    return ", ".join(column.from_ or parts)


def _rule(column: ColumnMapping) -> str:
    stated = column.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return ", ".join(f"{key} {value}" for key, value in stated.items() if key not in ("from", "template"))
