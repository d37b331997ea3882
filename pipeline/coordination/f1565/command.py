"""``channelmaps f1565``: interference budgets of a table of fixed links."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.coordination.f1565.document import budgets_document
from pipeline.output import write_whole


def f1565_command(links: Path, out: Path) -> None:
    """Read ``links``, write the budgets of all of them as JSON to ``out``, whole or not at all."""
    write_whole(out, json.dumps(budgets_document(links), indent=1, ensure_ascii=False) + "\n")
