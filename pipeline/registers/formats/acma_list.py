"""Format `acma_list`: the Australian list of broadcasting transmitters, one CSV.

Evidence: a part of an original list [O], the west of Australia; the meaning of `Status` [S]. Powers are the
maximum e.r.p. in watts; `Antenna Height` may carry its unit in the name. There are no bearings: a directional
antenna (DA) is one without a pattern. Seconds are rounded up to 60 [O]. Channel 9A [O], between 9 and 10, has
no number and is told as a fault.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.registers.conversion.cell_numbers import channel_number, number
from pipeline.registers.conversion.coordinate_notations import Axis, dms
from pipeline.registers.entries import InputFile, Reading, RegisterEntry, Source, unreadable_rows
from pipeline.registers.finishing import Target
from pipeline.rows.foreign_text import TextFormat, need_columns, read_text_table

_NEEDED = (
    "Frequency(MHz)", "Polarisation", "Antenna Height", "Antenna Pattern", "Maximum ERP (W)",
    "Licence Number", "Site id", "Site Name", "Latitude", "Longitude", "Channel", "Status",
)  # fmt: skip
_KEYS = {
    "id": "Licence Number", "site": "Site Name", "lat": "Latitude", "lon": "Longitude",
    "channel": "Channel", "centre_mhz": "Frequency(MHz)", "erp_kw": "Maximum ERP (W)",
    "polarisation": "Polarisation",
    "antenna_height_agl_m": "Antenna Height",
}  # fmt: skip
_KEPT = ("Issued", "Renewal Pending")


def read_acma_list(source: Source, target: Target) -> Reading:
    """Entries of all rows of all files."""
    reading = Reading()
    for path in source.files:
        reading.add(_read_list(path, source))
    return reading


def _read_list(path: Path, source: Source) -> Reading:
    table = read_text_table(path, TextFormat())
    names = {
        name: next((h for h in table.headers if h == name or h.startswith(f"{name} (")), "")
        for name in _NEEDED
    }
    need_columns(path, [name for name, header in names.items() if header], _NEEDED)
    entries = unreadable_rows(path, table.faults)
    for i, row in enumerate(table.rows):
        cells = {name: table.columns[header][i].strip() for name, header in names.items()}
        entries.append(_entry(path, row, cells, source))
    return Reading(sorted(entries, key=lambda entry: entry.row), [InputFile(path, len(table.rows))])


def _entry(path: Path, row: int, cells: dict[str, str], source: Source) -> RegisterEntry:
    entry = RegisterEntry(path, row, cells=cells, keys=_KEYS)
    entry.source_id = entry.values["id"] = f"{cells['Licence Number']}-{cells['Site id']}"
    entry.values |= {"site": cells["Site Name"], "country": "AU", "status": cells["Status"]}
    entry.values["system"] = source.mapping.system or "DVB-T"
    if cells["Status"] not in (source.mapping.keep_status or _KEPT):
        entry.drop = "status"
    elif not cells["Maximum ERP (W)"]:
        entry.drop = "no_power"
    entry.take("centre_mhz", "Frequency(MHz)", number, needed=True)
    entry.take("channel", "Channel", channel_number)
    entry.take("erp_kw", "Maximum ERP (W)", lambda text: 1e-3 * number(text))
    entry.take("antenna_height_agl_m", "Antenna Height", number)
    entry.take("lat", "Latitude", lambda text: dms(text, Axis("lat", full_minutes=True)), needed=True)
    entry.take("lon", "Longitude", lambda text: dms(text, Axis("lon", full_minutes=True)), needed=True)
    entry.take("polarisation", "Polarisation", lambda text: "M" if text.upper() == "C" else text.upper())
    if cells["Antenna Pattern"].upper() == "DA":
        entry.flags.append("pattern_missing")
    elif cells["Antenna Pattern"].upper() not in ("OD", ""):
        entry.refuse("Antenna Pattern", "bad_value", "unknown kind of antenna", "OD or DA")
    return entry
