"""A register in the format of CR/372, and the report on a submission, as bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable

from pipeline.coordination.radar.cr372_records import Radar
from pipeline.coordination.radar.findings import Finding


def records_text(radars: Iterable[Radar], *, line_end: str = "\n") -> str:
    """One radar per line, 22 columns, no header. A text with a comma or a quote is quoted as in CSV."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=line_end).writerows(radars)
    return stream.getvalue()


def records_bytes(radars: Iterable[Radar], *, line_end: str = "\n") -> bytes:
    """The file of a register, ISO 8859-1. CR/372 does not name a line end: LF unless asked otherwise."""
    return records_text(radars, line_end=line_end).encode("latin-1")


def report_bytes(findings: Iterable[Finding]) -> bytes:
    """The report: a JSON list of {line, code, severity, field, value, message}, ASCII."""
    entries = [entry._asdict() for entry in findings]
    return (json.dumps(entries, indent=1, ensure_ascii=True) + "\n").encode("ascii")
