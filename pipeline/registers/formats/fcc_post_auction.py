"""Format `fcc_post_auction`: the FCC's table of stations after the incentive auction.

Evidence: an original table [O] (2,074 lines). It begins with a byte order mark; places are packed (ddmmss,
dddmmss), longitudes westwards; `Az` turns the pattern of `AntID`, whose fields stand in a parameter table of
TVStudy (`patterns:`); an empty `Site` is 0. Seconds are rounded up to 60 (32 lines). Degrees are whole ones
below the angle: -1451014, in Guam, is 145 degrees east less 10 minutes and 14 seconds, as the decimals of the
same station in the table of TVStudy say (3 lines).
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
    entry.take("lat", "Lat", lambda text: _degrees(text, "lat"), needed=True)
    entry.take("lon", "Lon", _westwards, needed=True)
    entry.values["country"] = "US"
    rotation = entry.take("", "Az", number)
    known = patterns.get(cells["AntID"])
    enter_fields(entry, [] if known is None else fields_of(entry, known), rotation)
    return entry


def _westwards(text: str) -> float:
    """A packed longitude in degrees east."""
    return -_degrees(text, "lon")


def _degrees(text: str, name: str) -> float:
    """A packed angle: whole degrees with their sign, from which minutes and seconds count upwards."""
    figures = text.removeprefix("-")
    angle = notations.packed(figures, Axis(name, full_minutes=True))
    whole = int(float(figures)) // 10_000
    return angle if figures == text else (angle - whole) - whole
