"""Format `hcm_lines`: lines of stations of the HCM Agreement, target `fixed` or `mobile`.

Evidence: description of the input of a program [D]; no original file was seen. One station a line:
``reference;005E202255N3023;07000.00000M;HOL;0022;0125``: reference (field 13X), longitude DDD E or W MMSS and
latitude DD N or S MMSS, frequency with K, M or G, country (ITU), height of the antenna, height of the site.

What receivers need besides must stand in `constants`: there are no silent defaults. Records of fixed length
(Annex 2A) are not read: their positions are not known [?].
"""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.errors import InputError
from pipeline.registers.conversion import power_units
from pipeline.registers.conversion.cell_numbers import CellProblem, number
from pipeline.registers.conversion.coordinate_notations import Axis, dms
from pipeline.registers.entries import InputFile, Reading, RegisterEntry, Source
from pipeline.registers.finishing import Target
from pipeline.registers.itu_symbols import country_of_cell
from pipeline.registers.stations import ReceiverRow
from pipeline.rows.foreign_text import foreign_text, wrong_cells

_NAMES = ("reference", "coordinates", "frequency", "country", "antenna_height", "site_height")
_KEYS = {
    "id": "reference", "lon": "coordinates", "lat": "coordinates", "f_mhz": "frequency",
    "antenna_height_m": "antenna_height", "site_height_asl_m": "site_height",
}  # fmt: skip
_PLACE = re.compile(r"(\d{3}[EW]\d{4})(\d{2}[NS]\d{4})")
_FREQUENCY = re.compile(r"(\d+(?:\.\d+)?)([KMG])")
_UNITS = {"K": "kHz", "M": "MHz", "G": "GHz"}


def read_hcm_lines(source: Source, target: Target) -> Reading:
    """Entries of all lines of all files."""
    if target.model is not ReceiverRow:
        raise InputError(
            "lines of HCM are receivers", row="target", value=target.name, allowed="fixed, mobile"
        )
    constants: dict[str, object] = {}
    for name, text in source.mapping.constants.items():
        if name not in target.columns:
            raise InputError("unknown column", row=f"constants.{name}", allowed=", ".join(target.columns))
        constants[name] = text
    reading = Reading()
    for path in source.files:
        reading.add(_read_lines(path, source.mapping.encoding, constants))
    return reading


def _read_lines(path: Path, encoding: str, constants: dict[str, object]) -> Reading:
    entries = []
    for row, line in enumerate(foreign_text(path, encoding).splitlines(), start=1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split(";")]
        if len(cells) != len(_NAMES):
            fault = wrong_cells(path, row, len(cells), len(_NAMES))
            entries.append(RegisterEntry(path, row, fault=fault))
        else:
            entries.append(_entry(path, row, dict(zip(_NAMES, cells, strict=True)), constants))
    return Reading(entries, [InputFile(path, len(entries))])


def _entry(path: Path, row: int, cells: dict[str, str], constants: dict[str, object]) -> RegisterEntry:
    entry = RegisterEntry(path, row, {"azimuth_deg": "", "pattern": "", **constants}, cells, _KEYS)
    entry.source_id = entry.values["id"] = cells["reference"]
    place = entry.take("", "coordinates", _place, needed=True)
    if isinstance(place, tuple):
        entry.values["lon"], entry.values["lat"] = place
    entry.take("f_mhz", "frequency", _mhz, needed=True)
    entry.take("antenna_height_m", "antenna_height", number, needed=True)
    entry.take("country", "country", country_of_cell, needed=True)
    entry.take("site_height_asl_m", "site_height", number)
    return entry


def _place(text: str) -> tuple[float, float]:
    found = _PLACE.fullmatch(text.upper())
    if found is None:
        raise CellProblem("bad_value", "not a place", "longitude and latitude such as 005E202255N3023")
    return dms(found[1], Axis("lon")), dms(found[2], Axis("lat"))


def _mhz(text: str) -> float:
    found = _FREQUENCY.fullmatch(text.upper())
    if found is None:
        raise CellProblem("bad_value", "not a frequency", "a number with K, M or G, such as 00440.12500M")
    return power_units.in_unit_of("MHz", float(found[1]), _UNITS[found[2]])
