"""Format `tvstudy`: parameter table of the FCC's TVStudy (`parameters.csv`).

Evidence: an original table [O] (3,684 lines of 2015); arithmetic of patterns in the source of TVStudy [S].

- Five lines of preamble and one of group names, then the header from `FacID`; some copies begin there [O].
- Names repeat in the header: the 36 fields stand from the column `0` on, pairs Az, FV behind them. Lines end
  behind what they hold, those of round antennas before the fields; some have more pairs than the header [O].
- Longitudes count westwards; `Rot` turns a pattern clockwise, whose fields are not turned; HAAT 0 is not
  known [O].
- Sites of a distributed transmitter follow a parent (SrcKey = DTSKey) without power; they leave FacID,
  Call, Ch, City and Country to it [O]. Some lines hold FacID and SrcKey only [O].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError
from pipeline.registers.conversion import coordinate_notations as notations
from pipeline.registers.conversion.antenna_tables import Turn
from pipeline.registers.conversion.cell_numbers import CellProblem, channel_number, number
from pipeline.registers.conversion.coordinate_notations import Axis
from pipeline.registers.entries import InputFile, Reading, RegisterEntry, Source
from pipeline.registers.entry_patterns import enter_horizontal
from pipeline.registers.finishing import Target
from pipeline.rows.foreign_text import foreign_text, need_columns, one_blank, records_of, wrong_cells

WEST = Axis("lon", west_positive=True)
FCC_KEYS = {
    "id": "FacID", "lat": "Lat", "lon": "Lon", "channel": "Ch", "centre_mhz": "Ch", "erp_kw": "ERP",
    "haat_m": "HAAT", "pattern": "0", "beam_tilt_deg": "Tilt", "country": "Country", "site": "City",
}  # fmt: skip
_STARTS, _FIRST_FIELD, _FIELDS = "FacID", "0", 36
_INHERITED = ("FacID", "Call", "Ch", "City", "Country")
_NEEDED = (
    "SrcKey",
    "DTSKey",
    "Site",
    "Lat",
    "Lon",
    "RCAMSL",
    "HAAT",
    "ERP",
    "DA",
    "AntID",
    "Rot",
    "Tilt",
    *_INHERITED,
)


class FccRow(NamedTuple):
    """A line: its number, cells by name (of names that repeat the first), fields and pairs as text."""

    row: int
    cells: dict[str, str]
    fields: Sequence[str]
    pairs: Sequence[str]


def fcc_rows(path: Path) -> tuple[list[FccRow], list[RegisterEntry]]:
    """The lines below the header that begins with FacID, and the faults of those of another width."""
    text = foreign_text(path, "utf-8-sig")
    records = records_of(path, text, ",")
    names: list[str] = []
    for _, cells in records:
        if one_blank(cells[0]) == _STARTS:
            names = [one_blank(cell) for cell in cells]
            break
    if not names:
        raise InputError("has no header", file=path, allowed="a line that begins with FacID")
    first = names.index(_FIRST_FIELD) if _FIRST_FIELD in names else len(names)
    keys = {0, names.index("SrcKey") if "SrcKey" in names else 1}
    behind = [i for i in range(first + _FIELDS, len(names)) if names[i] in ("Az", "FV")]
    nameless = [i for i, name in enumerate(names) if not name]  # where a lost cell would show
    least, most = (1 + max(i for i in range(first) if names[i]), math.inf) if behind else (len(names),) * 2
    rows: list[FccRow] = []
    faults: list[RegisterEntry] = []
    for row, cells in records:
        of_keys = not any(cell.strip() for i, cell in enumerate(cells) if i not in keys)  # of any width
        shifted = any(cells[i].strip() for i in nameless if i < len(cells))
        if not of_keys and (shifted or not least <= len(cells) <= most):
            faults.append(RegisterEntry(path, row, fault=wrong_cells(path, row, len(cells), len(names))))
            continue
        stripped = [cell.strip() for cell in [*cells, *[""] * (len(names) - len(cells))]]
        by_name = dict(zip(reversed(names[:first]), reversed(stripped[:first]), strict=True))
        pairs = [stripped[i] for i in behind] + stripped[len(names) :]
        rows.append(FccRow(row, by_name, stripped[first : first + _FIELDS], pairs))
    return rows, faults


def check_columns(path: Path, rows: Sequence[FccRow], needed: Sequence[str]) -> None:
    """Refuse a table without a column that is needed."""
    if rows:
        need_columns(path, rows[0].cells, needed, row=None)


def read_tvstudy(source: Source, target: Target) -> Reading:
    """Entries of all lines of all files."""
    reading = Reading()
    for path in source.files:
        rows, faults = fcc_rows(path)
        check_columns(path, rows, _NEEDED)
        parents = {row.cells["SrcKey"]: row.cells for row in rows if _is_parent(row.cells)}
        entries = [_entry(path, row, parents) for row in rows]
        reading.entries += sorted([*entries, *faults], key=lambda entry: entry.row)
        reading.inputs.append(InputFile(path, len(rows) + len(faults)))
    return reading


def _is_parent(cells: Mapping[str, str]) -> bool:
    return bool(cells["DTSKey"]) and cells["SrcKey"] == cells["DTSKey"]


def _entry(path: Path, row: FccRow, parents: Mapping[str, Mapping[str, str]]) -> RegisterEntry:
    cells, key = dict(row.cells), row.cells["DTSKey"]
    for name in _INHERITED if key in parents else ():
        cells[name] = cells[name] or parents[key][name]
    entry = RegisterEntry(path, row.row, cells={**cells, "0": ""}, keys=FCC_KEYS, source_id=cells["FacID"])
    if _is_parent(row.cells):
        entry.drop = "reference_site"
    elif not any(row.cells[name] for name in ("Lat", "Lon", "ERP", "Ch")):
        entry.drop = "empty"
    if entry.drop:
        return entry
    tail = f"-{cells['SrcKey']}" if key else ""
    entry.source_id = entry.values["id"] = f"{cells['FacID']}-{cells['Site']}{tail}"
    if key:
        entry.values["sfn"] = cells["FacID"]
    enter_fcc_station(entry)
    entry.take("lat", "Lat", lambda text: notations.degrees(text, Axis("lat")), needed=True)
    entry.take("lon", "Lon", lambda text: notations.degrees(text, WEST), needed=True)
    entry.values["country"] = cells["Country"] or None
    entry.take("beam_tilt_deg", "Tilt", number)
    rotation = entry.take("", "Rot", number)
    enter_fields(entry, fields_of(entry, row), rotation)
    return entry


def enter_fcc_station(entry: RegisterEntry) -> None:
    """Channel, power, heights and system of a line of the FCC; HAAT 0 is not known."""
    if not entry.cells["ERP"]:
        entry.drop = "no_power"
    entry.values |= {"site": entry.cells["City"], "system": "ATSC", "multiplex_mode": "8VSB"}
    entry.take("channel", "Ch", channel_number, needed=True)
    entry.take("erp_kw", "ERP", number)
    entry.take("rcamsl_m", "RCAMSL", number)
    enter_haat(entry, "HAAT")


def enter_haat(entry: RegisterEntry, key: str) -> None:
    """The height above average terrain; 0 or none was never computed (flag ``haat_missing``)."""
    if not entry.take("haat_m", key, number) and entry.fault is None:
        entry.values["haat_m"] = 0.0
        entry.flags.append("haat_missing")


def fields_of(entry: RegisterEntry, row: FccRow) -> list[tuple[float, float]]:
    """The relative fields of a line by azimuth, with those of the pairs; none where all are empty."""
    if not any(row.fields):
        return []
    try:
        if not all(row.fields):
            raise CellProblem("bad_pattern", "some fields are empty", "36 relative fields, or none", "")
        points = [(10.0 * i, number(text)) for i, text in enumerate(row.fields)]
        pairs = zip(row.pairs[::2], row.pairs[1::2], strict=False)
        return points + [(number(azimuth), number(field)) for azimuth, field in pairs if azimuth and field]
    except CellProblem as problem:
        entry.refuse("pattern", "bad_pattern", problem.problem, problem.allowed, problem.value)
        return []


def enter_fields(entry: RegisterEntry, points: Sequence[tuple[float, float]], rotation: object) -> None:
    """Enter relative fields turned to true north; a directional antenna without any is flagged."""
    if entry.cells["DA"].upper() != "DA":
        return
    if not points and entry.fault is None:
        entry.flags.append("pattern_missing")
    turn = Turn(rotation if isinstance(rotation, float) else 0.0)
    enter_horizontal(entry, points, "relative_field", "pattern", turn)
