"""Format `fcc_post_auction`: the FCC's table of stations after the incentive auction.

Evidence: an original table [O] (2,074 lines). It begins with a byte order mark; places are packed (ddmmss,
dddmmss), longitudes westwards; `Az` turns the pattern of `AntID`, whose fields stand in a parameter table of
TVStudy (`patterns:`); an empty `Site` is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.registers.conversion import coordinate_notations as notations
from pipeline.registers.conversion.cell_numbers import number
from pipeline.registers.conversion.coordinate_notations import Axis
from pipeline.registers.entries import InputFile, Reading, RegisterEntry, Source
from pipeline.registers.finishing import Target
from pipeline.registers.formats.tvstudy import (
    FCC_KEYS,
    FccRow,
    check_columns,
    enter_fcc_station,
    enter_fields,
    fcc_rows,
    fields_of,
)

_NEEDED = ("FacID", "Site", "Ch", "City", "Lat", "Lon", "RCAMSL", "HAAT", "ERP", "DA", "AntID", "Az")


def read_post_auction(source: Source, target: Target) -> Reading:
    """Entries of all lines, with the patterns of their antennas."""
    reading = Reading()
    patterns: dict[str, FccRow] = {}
    if (table := source.mapping.patterns) is not None:
        rows, lost = fcc_rows(table)
        for fault in (entry.fault for entry in lost if entry.fault is not None):
            raise fault
        check_columns(table, rows, ("AntID",))
        for row in rows:
            if row.cells["AntID"] and any(row.fields):
                patterns.setdefault(row.cells["AntID"], row)
        reading.inputs.append(InputFile(table, len(rows)))
    for path in source.files:
        rows, faults = fcc_rows(path)
        check_columns(path, rows, _NEEDED)
        entries = [_entry(path, row, patterns) for row in rows]
        reading.entries += sorted([*entries, *faults], key=lambda entry: entry.row)
        reading.inputs.append(InputFile(path, len(rows) + len(faults)))
    return reading


def _entry(path: Path, row: FccRow, patterns: Mapping[str, FccRow]) -> RegisterEntry:
    cells = row.cells
    entry = RegisterEntry(path, row.row, cells=cells, keys=FCC_KEYS)
    entry.source_id = entry.values["id"] = f"{cells['FacID']}-{cells['Site'] or 0}"
    enter_fcc_station(entry)
    entry.take("lat", "Lat", lambda text: notations.packed(text, Axis("lat")), needed=True)
    entry.take("lon", "Lon", _westwards, needed=True)
    entry.values["country"] = "US"
    rotation = entry.take("", "Az", number)
    known = patterns.get(cells["AntID"])
    enter_fields(entry, [] if known is None else fields_of(entry, known), rotation)
    return entry


def _westwards(text: str) -> float:
    """A packed longitude: west without a sign, east with one."""
    west_deg = notations.packed(text.removeprefix("-"), Axis("lon"))
    return west_deg if text.startswith("-") else -west_deg
