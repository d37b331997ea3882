"""``channelmaps f1565``: interference budgets of a table of fixed links."""

from __future__ import annotations

from pathlib import Path

from pipeline.coordination.f1565.document import budgets_document
from pipeline.files import json_bytes, write_output


def f1565_command(links: Path, out: Path) -> None:
    """Read ``links``, write the budgets of all of them as JSON to ``out``, whole or not at all."""
    write_output(out, json_bytes(budgets_document(links)))
