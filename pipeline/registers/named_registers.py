"""Registers that a territory file names: files with the fixed columns, or foreign ones with a mapping.

A mapping gives the same rows as an import whose register is read, checked by the same model.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import xarray as xr

from pipeline.config.config import Config
from pipeline.config.register_mapping import RegisterMapping
from pipeline.errors import InputError, raise_first
from pipeline.files import text_of_cell
from pipeline.radio.channel_plan import ChannelPlan
from pipeline.registers.finishing import Target, faults_of
from pipeline.registers.importing import read_as
from pipeline.registers.register_files import register_text
from pipeline.registers.stations import PMSE_KEY, TRANSMITTERS_KEY, station_registers
from pipeline.rows.row_models import (
    RejectedRow,
    RowModel,
    check_record,
    enter_by_id,
    read_by_id,
    read_records,
)
from pipeline.rows.text_records import Record

_KEPT = "what the mapping keeps"
_Row = TypeVar("_Row", bound=RowModel)
RowFaults = Callable[[Path, list[Any]], Iterable[InputError]]


class MappedRecords(NamedTuple):
    """The records of a foreign file by its files, the faults of other rows, and what rules leave out."""

    records: list[tuple[Path, Record]]
    faults: list[InputError]
    left_out: list[RejectedRow]


class NamedRows(NamedTuple):
    """Good rows by id, the faults of others, and what the rules of mappings leave out."""

    rows: list[Any]
    faults: list[InputError]
    left_out: list[RejectedRow]


def mapped_records(
    mapping: RegisterMapping, target: Target, raster: ChannelPlan = (), as_of: date | None = None
) -> MappedRecords:
    """A foreign file as records of text with the columns of a register, in order of the source.

    ``raster`` of its channels, if it has any; ``as_of`` the day where the mapping names none.
    """
    if mapping.as_of is None:
        mapping = mapping.model_copy(update={"as_of": as_of})
    entries = read_as(mapping, target, raster).reading.entries
    written = [entry for entry in entries if entry.written]
    lines = csv.DictReader(io.StringIO(register_text(written, target), newline=""))
    texts = ({name: text_of_cell(cell) for name, cell in cells.items()} for cells in lines)
    records = [(entry.file, Record(entry.row, values)) for entry, values in zip(written, texts, strict=True)]
    left_out = [
        RejectedRow(str(entry.file), entry.row, "id", entry.source_id, _KEPT, f"left out: {entry.drop}")
        for entry in entries
        if entry.drop
    ]
    return MappedRecords(records, [*faults_of(entries)], left_out)


def read_named(
    items: Iterable[Path | RegisterMapping],
    target: Target,
    *,
    raster: ChannelPlan = (),
    as_of: date | None = None,
) -> NamedRows:
    """The rows of registers, ids unique over all together; rows of mappings follow those of plain files."""
    known_items = [*items]
    paths = [item for item in known_items if isinstance(item, Path)]
    rows, faults = read_by_id(paths, target.model, context=target.rules)
    return with_mapped(NamedRows(rows, faults, []), known_items, target, raster=raster, as_of=as_of)


def with_mapped(
    named: NamedRows,
    items: Iterable[Path | RegisterMapping],
    target: Target,
    *,
    raster: ChannelPlan = (),
    as_of: date | None = None,
) -> NamedRows:
    """The rows of plain files with those of the foreign ones among ``items``."""
    known = {row.id: row for row in named.rows}
    faults, left_out = [*named.faults], [*named.left_out]
    for mapping in (item for item in items if isinstance(item, RegisterMapping)):
        found = mapped_records(mapping, target, raster, as_of)
        rows, bad = _checked(found.records, target)
        faults += [*found.faults, *bad, *enter_by_id(rows, known)]
        left_out += found.left_out
    return NamedRows([known[name] for name in sorted(known)], faults, left_out)


def _checked(
    records: Iterable[tuple[Path, Record]], target: Target
) -> tuple[list[RowModel], list[InputError]]:
    rows: list[RowModel] = []
    faults: list[InputError] = []
    for file, record in records:
        try:
            rows.append(check_record(file, record, target.model, target.rules))
        except InputError as fault:
            faults.append(fault)
    return rows, faults


def read_stations(items: Sequence[Path | RegisterMapping], model: type[_Row]) -> list[_Row]:
    """Checked rows of receivers of all files together, sorted by id; InputError for the first bad one."""
    found = read_named(items, station_target(model))
    raise_first(found.faults)
    return found.rows


def station_target(model: type[RowModel]) -> Target:
    """Receivers of a kind as what a mapping writes."""
    return Target("stations", model, None)


def records_by_file(item: Path | RegisterMapping, target: Target) -> Iterator[tuple[Path, list[Record]]]:
    """The readable records of a register by file, as their rows are not yet checked."""
    if isinstance(item, Path):
        yield item, read_records(item, (), may_be_empty=True).readable
        return
    by_file = groupby(mapped_records(item, target).records, key=lambda pair: pair[0])
    yield from ((file, [record for _, record in pairs]) for file, pairs in by_file)


def register_sizes(
    config: Config, transmitters: xr.Dataset, assignments: xr.Dataset | None
) -> dict[str, int]:
    """Rows by key of the territory file: of transmitters and PMSE assignments those used, else all."""
    sizes = {TRANSMITTERS_KEY: transmitters.sizes["transmitter"]}
    if assignments is not None:
        sizes[PMSE_KEY] = assignments.sizes["assignment"]
    for key, (model, items) in station_registers(config).items():
        by_file = (pair for item in items for pair in records_by_file(item, station_target(model)))
        sizes[key] = sum(len(records) for _, records in by_file)
    return sizes
