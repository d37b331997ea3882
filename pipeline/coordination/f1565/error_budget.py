"""Interference budgets of fixed links: error ratios and monthly counts (Rec. ITU-R F.1565-1), exact.

The tables hold the 10 % of co-primary services; every other source has 1 % (recommends 6). Only counts are
rounded, always up. Budgets of a whole table of links are plain data, for a file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, TypeVar

from pipeline.config.config import Config
from pipeline.coordination.f1565.fixed_links import FixedLink, read_links
from pipeline.coordination.f1565.objectives import (
    F1565Tables,
    InternationalTable,
    NationalTable,
    Rates,
    read_tables,
)
from pipeline.errors import InputError
from pipeline.files import Output, check_outputs, json_bytes, kind_of_start, write_output
from pipeline.territory.rasters import CheckedTerritory

_CLAMPED_LENGTH = "CLAMPED_LMIN"
_B_PLUS_C = "B_PLUS_C_OUT_OF_RANGE"
_SUM_TOO_LARGE = "A1_PLUS_B_PLUS_C_TOO_LARGE"
NO_BLOCK_RATE = "NO_BLOCK_RATE"
UNDER_STUDY = "UNDER_STUDY"

_Row = TypeVar("_Row", bound=Rates)


class BudgetError(ValueError):
    """A link without an objective in the Recommendation: field at fault, reason, what is allowed."""

    def __init__(self, field: str, problem: str, allowed: str) -> None:
        super().__init__(problem)
        self.field = field
        self.allowed = allowed


class Ratios(NamedTuple):
    """Errored-second, severely-errored-second and background-block-error ratios."""

    esr: Fraction
    sesr: Fraction
    bber: Fraction


class Counts(NamedTuple):
    """The same per month of 30 days, rounded up; ``bbe`` None without a block rate."""

    es: int
    ses: int
    bbe: int | None


class SourceBudget(NamedTuple):
    """Budget of one class of sources."""

    ratios: Ratios
    counts: Counts


class LinkBudget(NamedTuple):
    """Budget of a link per direction.

    ``table`` number of the table; ``case`` the j of the formula (1 to 4), None in the national portion.
    """

    co_primary: SourceBudget
    other_sources: SourceBudget
    table: int
    case: int | None
    flags: tuple[str, ...]


def _link_budget(link: FixedLink, tables: F1565Tables) -> LinkBudget:
    """Budget of one direction of a link; BudgetError where the Recommendation has none."""
    if link.portion == "international":
        ratios, table, case = _international(link, tables)
    else:
        ratios, table = _national(link, tables)
        case = None
    if _is_early(link, tables):
        ratios = ratios._replace(bber=ratios.bber * tables.early_system_factor)
    others = Ratios(*(ratio / tables.other_sources_divisor for ratio in ratios))
    return LinkBudget(
        SourceBudget(ratios, _counts(ratios, link, tables)),
        SourceBudget(others, _counts(others, link, tables)),
        table,
        case,
        _flags(link, tables),
    )


class PermissibleInterference(NamedTuple):
    """Interference-to-noise ratio in dB that all sources of a class together may cause.

    With outage proportional to 10^(-fade margin / 10), an outage that grows by a fraction x of the budget is
    a threshold that rises by (N + I) / N = 1 + x: I/N = 10 log x. The tables hold the 10 % of co-primary
    services (Rec. ITU-R F.1094); every other source, white-space devices among them, has the tenth part.
    """

    co_primary_db: float
    other_sources_db: float


def permissible_interference(tables: F1565Tables) -> PermissibleInterference:
    """I/N by the two fractions: -10 dB and -20 dB."""
    share = tables.co_primary_share
    return PermissibleInterference(
        10.0 * math.log10(share), 10.0 * math.log10(share / tables.other_sources_divisor)
    )


def decimal_text(value: Fraction) -> str:
    """All digits of a fraction that has a finite decimal expansion, without an exponent."""
    digits = Context(prec=400)
    quotient = digits.divide(Decimal(value.numerator), Decimal(value.denominator))
    return format(quotient.normalize(digits), "f")


def long_haul_factor(length_km: Fraction, a1: Fraction, tables: F1565Tables) -> Fraction:
    """A = (A1 + 0.002) L / 100 up to 100 km, A1 + 2e-5 L beyond; lengths below 50 km count as 50 km."""
    rule = tables.long_haul
    length_km = max(length_km, tables.min_length_km)
    if length_km <= rule.break_km:
        return (a1 + rule.short_offset) * length_km / rule.break_km
    return a1 + rule.slope_per_km * length_km


def international_case(length_km: Fraction, table: InternationalTable) -> int:
    """The j of the formula: 1, 2 intermediate; 3, 4 terminating country, the even ones beyond the break."""
    first = 1 if table.country == "intermediate" else 3
    return first if length_km <= table.break_km else first + 1


def _international(link: FixedLink, tables: F1565Tables) -> tuple[Ratios, int, int]:
    assert link.length_km is not None
    assert link.br is not None
    table = next(t for t in tables.international if (t.country, t.standard) == (link.country, link.standard))
    row = _row(table.rows, link)
    length_km = max(link.length_km, tables.min_length_km)
    case = international_case(length_km, table)
    share = length_km / tables.reference_length_km
    if row.esr is None:
        raise _under_study(link)

    def objective(b: Fraction, c: Fraction) -> Fraction:
        assert link.br is not None
        return b * (1 + link.br) * share if case in (1, 3) else b * share + c * link.br

    return Ratios(objective(*row.esr), objective(*row.sesr), objective(*row.bber)), table.table, case


def _national(link: FixedLink, tables: F1565Tables) -> tuple[Ratios, int]:
    assert link.portion != "international"
    table: NationalTable = next(t for t in tables.national if t.standard == link.standard)
    row = _row(table.rows, link)
    if row.esr is None:
        raise _under_study(link)
    factor = _factor(link, tables)
    return Ratios(row.esr * factor, row.sesr * factor, row.bber * factor), table.tables[link.portion]


def _factor(link: FixedLink, tables: F1565Tables) -> Fraction:
    """A, B or C."""
    if link.portion == "long_haul":
        assert link.length_km is not None
        assert link.a1 is not None
        return long_haul_factor(link.length_km, link.a1, tables)
    factor = link.b if link.portion == "short_haul" else link.c
    assert factor is not None
    return factor


def _row(rows: tuple[_Row, ...], link: FixedLink) -> _Row:
    """The row of the bit rate: a single rate, or within (above, up to]; the first from its start."""
    rate = link.bit_rate_kbps
    for i, row in enumerate(rows):
        if row.above_kbps is None:
            if rate == row.up_to_kbps:
                return row
        elif (row.above_kbps < rate or (i == 0 and rate == row.above_kbps)) and rate <= row.up_to_kbps:
            return row
    low, high = rows[0].above_kbps, rows[-1].up_to_kbps
    allowed = ", ".join(str(r.up_to_kbps) for r in rows) if low is None else f"{low} to {high}"
    raise BudgetError("bit_rate_kbps", f"is not a bit rate of {link.standard}", f"{allowed} kbit/s")


def _under_study(link: FixedLink) -> BudgetError:
    return BudgetError(
        "bit_rate_kbps", f"{UNDER_STUDY}: {link.standard} has no ESR objective here", "up to 160000 kbit/s"
    )


def _is_early(link: FixedLink, tables: F1565Tables) -> bool:
    slow = link.bit_rate_kbps <= tables.early_system_kbps
    return link.built_before_1996 and link.standard == "G.826" and slow


def _counts(ratios: Ratios, link: FixedLink, tables: F1565Tables) -> Counts:
    blocks = link.blocks_per_s
    return Counts(
        math.ceil(ratios.esr * tables.month_s),
        math.ceil(ratios.sesr * tables.month_s),
        None if blocks is None else math.ceil(ratios.bber * blocks * tables.month_s),
    )


def _flags(link: FixedLink, tables: F1565Tables) -> tuple[str, ...]:
    ranges = tables.ranges
    flags = []
    depends_on_length = link.portion in ("international", "long_haul")
    if depends_on_length and link.length_km is not None and link.length_km < tables.min_length_km:
        flags.append(_CLAMPED_LENGTH)
    if link.b is not None and link.c is not None:
        if not ranges.b_plus_c[0] <= link.b + link.c <= ranges.b_plus_c[1]:
            flags.append(_B_PLUS_C)
        if link.a1 is not None and link.a1 + link.b + link.c > ranges.a1_plus_b_plus_c[1]:
            flags.append(_SUM_TOO_LARGE)
    if link.blocks_per_s is None:
        flags.append(NO_BLOCK_RATE)
    return tuple(flags)


# --- of a whole table, as plain data ------------------------------------------------------------------------


def budgets_document(links: Path) -> dict[str, object]:
    """Budgets of all links of a table, in its order; InputError names the first link without one."""
    tables = read_tables()
    return {
        "links": [
            {"id": link.id, **_budget_record(_budget(links, link, tables))}
            for link in read_links(links, tables)
        ]
    }


def _budget_record(budget: LinkBudget) -> dict[str, object]:
    """A budget as plain data; ratios as decimal texts with all their digits."""
    return {
        "co_primary": _share(budget.co_primary),
        "other_sources": _share(budget.other_sources),
        "flags": list(budget.flags),
    }


def _budget(path: Path, link: FixedLink, tables: F1565Tables) -> LinkBudget:
    try:
        return _link_budget(link, tables)
    except BudgetError as error:
        value = str(getattr(link, error.field))
        raise InputError(
            str(error), file=path, row=link.row, field=error.field, value=value, allowed=error.allowed
        ) from None


def _share(share: SourceBudget) -> dict[str, object]:
    ratios = {name: decimal_text(value) for name, value in share.ratios._asdict().items()}
    return {**ratios, "counts_per_month": share.counts._asdict()}


_BUDGETS_FILE = kind_of_start("budgets of fixed links", rb'\s*\{\s*"links"\s*:')


def f1565_command(links: Path, out: Path) -> None:
    """Read ``links``, write the budgets of all of them as JSON to ``out``, whole or not at all."""
    check_outputs([Output("--out", out, _BUDGETS_FILE)], [links])
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
