"""Budgets of links as plain data: shared out over hops, held against interference and measurements.

Ratios are texts with all their digits: what is decimal in the Recommendation stays exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.config.config import Config
from pipeline.coordination.f1565.budget_use import BudgetUse, hops_of, interference_of, measured_of, read_use
from pipeline.coordination.f1565.error_budget import (
    LinkBudget,
    Ratios,
    link_budget,
    permissible_interference,
    source_record,
    text_or_none,
    texts_of,
)
from pipeline.coordination.f1565.fixed_links import FixedLink, read_links
from pipeline.coordination.f1565.objectives import F1565Tables, read_tables
from pipeline.files import Output, check_outputs, json_bytes, kind_of_start, write_output
from pipeline.territory.rasters import CheckedTerritory

_ROUNDING = "counts up, ratios exact"
# Note 11.
_AGGREGATE = (
    "space stations",
    "direct long-term emissions of earth stations",
    "anomalous propagation from earth stations",
)
_BUDGETS_FILE = kind_of_start("budgets of fixed links", rb'\s*\{\s*"(links|notes)"\s*:')


def budgets_document(
    links: Path, hops: Path | None = None, interference: Path | None = None, measured: Path | None = None
) -> dict[str, object]:
    """Budgets of all links of a table, in its order; InputError names the first fault of any table."""
    tables = read_tables()
    rows = read_links(links, tables)
    use = read_use(hops, interference, measured, {link.id for link in rows})
    return {
        "notes": {str(number): text for number, text in tables.notes.items()},
        "links": [_record(link, link_budget(links, link, tables), use, tables) for link in rows],
    }


def _record(link: FixedLink, budget: LinkBudget, use: BudgetUse, tables: F1565Tables) -> dict[str, object]:
    record: dict[str, object] = {
        "id": link.id,
        "portion": link.portion,
        "country": link.country,
        "standard": link.standard,
        "bit_rate_kbps": text_or_none(link.bit_rate_kbps),
        "bit_rate_used_kbps": text_or_none(budget.rate_kbps),
        "table": budget.table,
        "j": budget.case,
        "coef_b": _ratios(budget.coefficients.b),
        "coef_c": _ratios(budget.coefficients.c),
        "coef_x": _ratios(budget.coefficients.x),
        "br": text_or_none(link.br),
        "a1": text_or_none(link.a1),
        "a": text_or_none(budget.factor) if link.portion == "long_haul" else None,
        "b": text_or_none(link.b),
        "c": text_or_none(link.c),
        "length_km": text_or_none(link.length_km),
        "length_used_km": text_or_none(budget.length_km),
        "co_primary": source_record(budget.co_primary),
        "other_sources": source_record(budget.other_sources),
        "counts_aggregate_of": list(_AGGREGATE),
        "flags": list(budget.flags),
        "notes_applied": list(budget.notes),
        "rounding": _ROUNDING,
    }
    if use.hops is not None:
        record["hops"] = hops_of(link, budget, use, tables)
    if use.interference is not None:
        record["interference"] = interference_of(link, budget, use)
    if use.measured is not None:
        record["measured"] = measured_of(link, budget, use)
    return record


def _ratios(ratios: Ratios | None) -> dict[str, str | None] | None:
    return None if ratios is None else texts_of(ratios._asdict())


def f1565_command(
    links: Path,
    out: Path,
    hops: Path | None = None,
    interference: Path | None = None,
    measured: Path | None = None,
) -> None:
    """Read the tables, write the budgets of all links as JSON to ``out``, whole or not at all."""
    inputs = [path for path in (links, hops, interference, measured) if path is not None]
    check_outputs([Output("--out", out, _BUDGETS_FILE)], inputs)
    write_output(out, json_bytes(budgets_document(links, hops, interference, measured)))


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
