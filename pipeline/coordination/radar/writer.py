"""Writing a register in the format of CR/372, and files that are either complete or not there."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.coordination.radar.findings import Finding
from pipeline.coordination.radar.records import Radar


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


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files so that none appears before all are complete; each replaces its old self at once."""
    written: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            written[path] = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            written[path].write_bytes(content)
        for path, temporary in written.items():
            temporary.replace(path)
    finally:
        for temporary in written.values():
            with suppress(FileNotFoundError):
                temporary.unlink()
