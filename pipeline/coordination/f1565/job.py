"""Job f1565: interference budgets of the fixed links that the configuration names.

Output: ``internal/f1565_budget.json`` (docs/method.md, section 26). No grid: the limit that devices
around the receivers of fixed links have to keep is a service of its own.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.coordination.f1565.budget_document import budgets_document
from pipeline.coordination.f1565.error_budget import permissible_interference
from pipeline.coordination.f1565.objectives import read_tables
from pipeline.files import json_bytes, write_together
from pipeline.grid.layer_files import layer_file


def main(config: Config, build: Path, *, threads: int) -> None:
    """Compute and write the budgets, if there are links."""
    links = config.coordination.links
    if links is None:
        return
    allowed = permissible_interference(read_tables())
    document = {"interference_to_noise": allowed._asdict(), **budgets_document(links)}
    write_together({build / layer_file("f1565_budget"): json_bytes(document)})
