"""Budgets of a table of fixed links as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.config.config import Config
from pipeline.coordination.f1565.error_budget import (
    BudgetError,
    LinkBudget,
    SourceBudget,
    decimal_text,
    link_budget,
    permissible_interference,
)
from pipeline.coordination.f1565.fixed_links import FixedLink, read_links
from pipeline.coordination.f1565.objectives import F1565Tables, read_tables
from pipeline.errors import InputError
from pipeline.files import json_bytes, write_output
from pipeline.territory.rasters import CheckedTerritory


def budgets_document(links: Path) -> dict[str, object]:
    """Budgets of all links of a table, in its order; InputError names the first link without one."""
    tables = read_tables()
    return {
        "links": [
            {"id": link.id, **budget_record(_budget(links, link, tables))}
            for link in read_links(links, tables)
        ]
    }


def budget_record(budget: LinkBudget) -> dict[str, object]:
    """A budget as plain data; ratios as decimal texts with all their digits."""
    return {
        "co_primary": _share(budget.co_primary),
        "other_sources": _share(budget.other_sources),
        "flags": list(budget.flags),
    }


def _budget(path: Path, link: FixedLink, tables: F1565Tables) -> LinkBudget:
    try:
        return link_budget(link, tables)
    except BudgetError as error:
        value = str(getattr(link, error.field))
        raise InputError(
            str(error), file=path, row=link.row, field=error.field, value=value, allowed=error.allowed
        ) from None


def _share(share: SourceBudget) -> dict[str, object]:
    ratios = {name: decimal_text(value) for name, value in share.ratios._asdict().items()}
    return {**ratios, "counts_per_month": share.counts._asdict()}


def f1565_command(links: Path, out: Path) -> None:
    """Read ``links``, write the budgets of all of them as JSON to ``out``, whole or not at all."""
    write_output(out, json_bytes(budgets_document(links)))


def check(config: Config, _: CheckedTerritory) -> Iterator[str]:
    """Budgets of the links; and whether devices get no more than their share of them."""
    if config.coordination.links is not None:
        budgets = budgets_document(config.coordination.links)["links"]
        assert isinstance(budgets, list)
        yield f"  fixed links   {len(budgets)} with budgets by F.1565"
    allowed_db = permissible_interference(read_tables()).other_sources_db
    fixed = None if config.incumbents is None else config.incumbents.fixed
    if fixed is not None and fixed.i_n_db.value > allowed_db:
        given = f"incumbents.fixed.i_n_db of {fixed.i_n_db.value:g} dB"
        yield f"  remark        {given} is more than the share of F.1565 for other sources, {allowed_db:g} dB"
