"""A written register and the report on it: what was read, what is written, what is not and why.

The same input gives the same bytes: places with six decimals, powers with six significant digits, the order
of the source.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pipeline.config.register_mapping import RegisterMapping
from pipeline.files import JsonObject, inert
from pipeline.hashing import file_sha256
from pipeline.registers.conversion.antenna_tables import plain_number
from pipeline.registers.entries import Reading, RegisterEntry
from pipeline.registers.entry_patterns import HORIZONTAL, VERTICAL
from pipeline.registers.finishing import Target, faults_of
from pipeline.rows.foreign_text import RegisterFault

_OWN_COLUMNS = ("status", "source_file", "source_row", "flags")
_PLACES = {"lon", "lat"}
# Numbers joined by signs, which no spreadsheet computes wrongly and other programs read as they are.
_TABLES = (HORIZONTAL, VERTICAL)


def register_text(entries: Iterable[RegisterEntry], target: Target) -> str:
    """The register as CSV: its columns, then status, source and flags, then what the format has besides."""
    written = list(entries)
    own = target.columns
    given = dict.fromkeys(name for entry in written for name in entry.values)
    further = [name for name in given if name not in {*own, "status"}]
    columns = [*own, *_OWN_COLUMNS, *further]

    def cells(name: str) -> list[str]:
        if name not in given:
            return [""] * len(written)
        return _column(name, [entry.values.get(name) for entry in written])

    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(columns)
    by_column = [cells(name) for name in (*own, "status")]
    by_column.append(_column("source_file", [entry.file.name for entry in written]))
    by_column.append([str(entry.row) for entry in written])
    by_column.append([";".join(sorted(set(entry.flags))) if entry.flags else "" for entry in written])
    by_column += [cells(name) for name in further]
    writer.writerows(zip(*by_column, strict=True))
    return lines.getvalue()


def _column(name: str, values: Sequence[object]) -> list[str]:
    """The cells of a column; each value is written out once."""
    cells = {value: _cell(name, value) for value in set(values)}
    return [cells[value] for value in values]


def _cell(name: str, value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, float):
        if name == "erp_kw":
            return f"{value:.6g}"
        return f"{round(value, 6) + 0.0:.6f}" if name in _PLACES else plain_number(value)  # no -0.000000
    return str(value) if name in _TABLES or not isinstance(value, str) else inert(value)


def report_of(reading: Reading, mapping: RegisterMapping) -> JsonObject:
    """The report of an import as a JSON document."""
    flags: dict[str, list[str]] = {}
    for entry in reading.written():
        for flag in sorted(set(entry.flags)):
            flags.setdefault(flag, []).append(str(entry.values.get("id", "")))
    return {
        "format": mapping.format,
        "inputs": [
            {"path": str(path), "sha256": file_sha256(path), "rows": rows} for path, rows in reading.inputs
        ],
        "as_of": None if mapping.as_of is None else mapping.as_of.isoformat(),
        "mapping": mapping.model_dump(mode="json", by_alias=True, exclude_unset=True),
        "written": sum(1 for _ in reading.written()),
        "dropped": [_dropped(entry) for entry in reading.entries if entry.drop],
        "faults": [_told(fault) for fault in faults_of(reading.entries)],
        "flags": dict(sorted(flags.items())),
        "datum": {"operation": reading.datum.operation, "accuracy_m": reading.datum.accuracy_m},
        "not_used": reading.not_used,
    }


def _dropped(entry: RegisterEntry) -> JsonObject:
    return {
        "source_file": entry.file.name,
        "source_row": entry.row,
        "source_id": entry.source_id,
        "reason": entry.drop,
    }


def _told(fault: RegisterFault) -> JsonObject:
    return {
        "file": fault.file,
        "row": fault.row,
        "field": fault.field,
        "value": fault.value,
        "allowed": fault.allowed,
        "reason": fault.reason,
        "problem": fault.problem,
    }


def areas_document(areas: Sequence[Mapping[str, object]]) -> JsonObject:
    """Areas of allotments as GeoJSON: one feature a contour, what is not its ring as properties."""
    features = [
        {
            "type": "Feature",
            "properties": {name: value for name, value in area.items() if name != "ring"},
            "geometry": {"type": "Polygon", "coordinates": [area["ring"]]},
        }
        for area in areas
    ]
    return {"type": "FeatureCollection", "features": features}


def summary_lines(reading: Reading) -> list[str]:
    """Five lines: rows read, written, dropped by reason, faults, flags by kind with the widest datum."""
    entries = reading.entries
    drops = Counter(entry.drop for entry in entries if entry.drop)
    statuses = Counter(str(entry.values.get("status", "")) for entry in entries if entry.drop == "status")
    told = [f"{reason} {count}" for reason, count in sorted(drops.items())]
    if statuses:
        told.append("of status " + ", ".join(f"{name}: {n}" for name, n in sorted(statuses.items())))
    flags = Counter(flag for entry in reading.written() for flag in set(entry.flags))
    accuracy = reading.datum.accuracy_m
    datum = f"{reading.datum.operation}, {'accuracy not known' if accuracy is None else f'{accuracy:g} m'}"
    return [
        f"rows read: {sum(rows for _, rows in reading.inputs)} of {len(reading.inputs)} file(s)",
        f"written: {sum(1 for _ in reading.written())}",
        f"dropped: {sum(drops.values())}" + (f" ({'; '.join(told)})" if told else ""),
        f"faults: {len(faults_of(entries))}",
        f"flags: {', '.join(f'{name} {n}' for name, n in sorted(flags.items())) or 'none'}; datum: {datum}",
    ]
