"""Interference budgets of fixed links: error ratios and monthly counts (Rec. ITU-R F.1565-1), exact.

The tables hold the 10 % of co-primary services; every other source has 1 % (recommends 6). Only counts are
rounded, always up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, TypeVar

from pipeline.coordination.f1565.fixed_links import FixedLink
from pipeline.coordination.f1565.objectives import F1565Tables, InternationalTable, NationalTable, Rates
from pipeline.errors import InputError

_CLAMPED_LENGTH = "CLAMPED_LMIN"
_B_PLUS_C = "B_PLUS_C_OUT_OF_RANGE"
_SUM_TOO_LARGE = "SUM_ABOVE_17_5"
_REDISTRIBUTED = "REDISTRIBUTED"
_ESR_UNDER_STUDY = "ESR_UNDER_STUDY"
_NO_BLOCK_RATE = "NO_BLOCK_RATE"
# Definitions, real link, available time only, any month; the whole link; space services as a whole.
_NOTES_OF_ALL = (1, 2, 3, 4, 10, 11)

_Row = TypeVar("_Row", bound=Rates)


class BudgetError(ValueError):
    """A link without an objective in the Recommendation: field at fault, reason, what is allowed."""

    def __init__(self, field: str, problem: str, allowed: str) -> None:
        super().__init__(problem)
        self.field = field
        self.allowed = allowed


class Ratios(NamedTuple):
    """Ratios of errored seconds (None: under study), severely errored seconds, background block errors."""

    esr: Fraction | None
    sesr: Fraction
    bber: Fraction

    def times(self, share: Fraction) -> Ratios:
        """A share of all three."""
        esr = None if self.esr is None else self.esr * share
        return Ratios(esr, self.sesr * share, self.bber * share)


class Counts(NamedTuple):
    """The same per month of 30 days; ``es`` None: under study, ``bbe`` None: no block rate."""

    es: int | None
    ses: int
    bbe: int | None


class SourceBudget(NamedTuple):
    """Budget of one class of sources."""

    ratios: Ratios
    counts: Counts


class Coefficients(NamedTuple):
    """A row of the tables: (b, c) of Tables 1 to 4, or what X is multiplied by in Tables 5 to 10."""

    b: Ratios | None
    c: Ratios | None
    x: Ratios | None


class LinkBudget(NamedTuple):
    """Budget of a link per direction.

    ``table`` number of the table; ``case`` the j of the formula (1 to 4), None in the national portion;
    ``rate_kbps`` and ``length_km`` as they count; ``factor`` X of the national portion: A, B or C.
    """

    co_primary: SourceBudget
    other_sources: SourceBudget
    table: int
    case: int | None
    coefficients: Coefficients
    rate_kbps: Fraction
    length_km: Fraction | None
    factor: Fraction | None
    flags: tuple[str, ...]
    notes: tuple[int, ...]


class _Objective(NamedTuple):
    ratios: Ratios
    table: int
    case: int | None
    coefficients: Coefficients
    factor: Fraction | None


def link_budget(path: Path, link: FixedLink, tables: F1565Tables) -> LinkBudget:
    """Budget of one direction of a link; InputError where the Recommendation has none."""
    try:
        return _budget(link, tables)
    except BudgetError as error:
        value = str(getattr(link, error.field))
        raise InputError(
            str(error), file=path, row=link.row, field=error.field, value=value, allowed=error.allowed
        ) from None


def _budget(link: FixedLink, tables: F1565Tables) -> LinkBudget:
    rate_kbps, alias = _rate(link, tables)
    by_portion = _international if link.portion == "international" else _national
    found = by_portion(link, rate_kbps, tables)
    ratios = found.ratios
    if _is_early(link, tables):
        ratios = ratios._replace(bber=ratios.bber * tables.early_system_factor)
    others = ratios.times(1 / tables.other_sources_divisor)
    length_km = None if link.length_km is None else max(link.length_km, tables.min_length_km)
    return LinkBudget(
        co_primary=SourceBudget(ratios, counts_of(ratios, link.blocks_per_s, tables)),
        other_sources=SourceBudget(others, counts_of(others, link.blocks_per_s, tables)),
        table=found.table,
        case=found.case,
        coefficients=found.coefficients,
        rate_kbps=rate_kbps,
        length_km=length_km if _depends_on_length(link) else None,
        factor=found.factor,
        flags=(*alias, *_flags(link, ratios, tables)),
        notes=_notes(link, tables),
    )


def _rate(link: FixedLink, tables: F1565Tables) -> tuple[Fraction, tuple[str, ...]]:
    """Bit rate that counts: that of the container for the line rate of an STM, with a flag."""
    for alias in tables.aliases if link.standard == "G.828" else ():
        if link.bit_rate_kbps == alias.line_kbps:
            return alias.as_kbps, (alias.flag,)
    return link.bit_rate_kbps, ()


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
    """All digits of a fraction without an exponent; ``n/d`` where a decimal would never end."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = Context(prec=400)
    quotient = digits.divide(Decimal(value.numerator), Decimal(value.denominator))
    return format(quotient.normalize(digits), "f")


def text_or_none(value: Fraction | None) -> str | None:
    """The same of a number that may be missing."""
    return None if value is None else decimal_text(value)


def texts_of(values: Mapping[str, Fraction | None]) -> dict[str, str | None]:
    """The same of several, by their names."""
    return {name: text_or_none(value) for name, value in values.items()}


def source_record(share: SourceBudget) -> dict[str, object]:
    """What sources of one class may cause, as plain data."""
    return {**texts_of(share.ratios._asdict()), "counts_per_month": share.counts._asdict()}


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


def _international(link: FixedLink, rate_kbps: Fraction, tables: F1565Tables) -> _Objective:
    assert link.length_km is not None
    assert link.br is not None
    table = next(t for t in tables.international if (t.country, t.standard) == (link.country, link.standard))
    row = _row(table.rows, link, rate_kbps)
    length_km = max(link.length_km, tables.min_length_km)
    case = international_case(length_km, table)
    share = length_km / tables.reference_length_km
    pairs = (row.esr, row.sesr, row.bber)
    b, c = (Ratios(*(None if pair is None else pair[k] for pair in pairs)) for k in (0, 1))  # type: ignore[arg-type]
    if case in (1, 3):
        ratios = b.times((1 + link.br) * share)
    else:
        long, constant = b.times(share), c.times(link.br)
        esr = None if long.esr is None or constant.esr is None else long.esr + constant.esr
        ratios = Ratios(esr, long.sesr + constant.sesr, long.bber + constant.bber)
    return _Objective(ratios, table.table, case, Coefficients(b, c, None), None)


def _national(link: FixedLink, rate_kbps: Fraction, tables: F1565Tables) -> _Objective:
    assert link.portion != "international"
    table: NationalTable = next(t for t in tables.national if t.standard == link.standard)
    row = _row(table.rows, link, rate_kbps)
    values, factor = Ratios(row.esr, row.sesr, row.bber), _factor(link, tables)
    coefficients = Coefficients(None, None, values)
    return _Objective(values.times(factor), table.tables[link.portion], None, coefficients, factor)


def _factor(link: FixedLink, tables: F1565Tables) -> Fraction:
    """A, B or C."""
    if link.portion == "long_haul":
        assert link.length_km is not None
        assert link.a1 is not None
        return long_haul_factor(link.length_km, link.a1, tables)
    factor = link.b if link.portion == "short_haul" else link.c
    assert factor is not None
    return factor


def _row(rows: tuple[_Row, ...], link: FixedLink, rate_kbps: Fraction) -> _Row:
    """The row of the bit rate: a single rate, or within (above, up to]; the first from its start."""
    for i, row in enumerate(rows):
        if row.above_kbps is None:
            if rate_kbps == row.up_to_kbps:
                return row
        elif (row.above_kbps < rate_kbps or (i == 0 and rate_kbps == row.above_kbps)) and (
            rate_kbps <= row.up_to_kbps
        ):
            return row
    low, high = rows[0].above_kbps, rows[-1].up_to_kbps
    allowed = ", ".join(str(r.up_to_kbps) for r in rows) if low is None else f"{low} to {high}"
    raise BudgetError("bit_rate_kbps", f"is not a bit rate of {link.standard}", f"{allowed} kbit/s")


def _is_early(link: FixedLink, tables: F1565Tables) -> bool:
    slow = link.bit_rate_kbps <= tables.early_system_kbps
    return link.built_before_1996 and link.standard == "G.826" and slow


def _depends_on_length(link: FixedLink) -> bool:
    return link.portion in ("international", "long_haul")


def counts_of(
    ratios: Ratios, blocks_per_s: Fraction | None, tables: F1565Tables, *, up: bool = True
) -> Counts:
    """Counts per month of 30 days, rounded up, or down for parts of a whole."""
    rounded = math.ceil if up else math.floor
    return Counts(
        None if ratios.esr is None else rounded(ratios.esr * tables.month_s),
        rounded(ratios.sesr * tables.month_s),
        None if blocks_per_s is None else rounded(ratios.bber * blocks_per_s * tables.month_s),
    )


def _flags(link: FixedLink, ratios: Ratios, tables: F1565Tables) -> tuple[str, ...]:
    ranges = tables.ranges
    flags = []
    if _depends_on_length(link) and link.length_km is not None and link.length_km < tables.min_length_km:
        flags.append(_CLAMPED_LENGTH)
    shares = ((link.a1, ranges.a1), (link.b, ranges.b), (link.c, ranges.c))
    if any(share is not None and not low <= share <= high for share, (low, high) in shares):
        flags.append(_REDISTRIBUTED)
    if link.b is not None and link.c is not None:
        if not ranges.b_plus_c[0] <= link.b + link.c <= ranges.b_plus_c[1]:
            flags.append(_B_PLUS_C)
        if link.shares_too_large(tables):
            flags.append(_SUM_TOO_LARGE)
    if ratios.esr is None:
        flags.append(_ESR_UNDER_STUDY)
    if link.blocks_per_s is None:
        flags.append(_NO_BLOCK_RATE)
    return tuple(flags)


def _notes(link: FixedLink, tables: F1565Tables) -> tuple[int, ...]:
    """Numbers of the notes that this budget rests on."""
    found = set(_NOTES_OF_ALL)
    if _is_early(link, tables):
        found.add(6 if link.portion == "international" else 5)
    if link.portion != "international":
        found.add(9)
        found |= {8} if None not in (link.b, link.c) else set()
        found |= {7} if None not in (link.a1, link.b, link.c) else set()
    return tuple(sorted(found))
