"""How a budget is used: shared out over hops, spent by interference, met or missed by measurements.

Rec. ITU-R F.1565-1: the objectives hold for the whole link, whatever its hops and operators (note 10); limits
for space services hold for all of them together (note 11); what is measured counts in available time
(recommends 5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from pipeline.coordination.f1565.error_budget import (
    LinkBudget,
    Ratios,
    SourceBudget,
    counts_of,
    decimal_text,
    source_record,
    text_or_none,
    texts_of,
)
from pipeline.coordination.f1565.fixed_links import FixedLink, OptionalExact, RequiredExact, exact_or_none
from pipeline.coordination.f1565.objectives import F1565Tables
from pipeline.errors import InputError
from pipeline.rows.row_models import PRINTABLE, IdCell, StrippedRow, read_rows, refuse_second, row_problem

_HOP_LENGTHS_DIFFER = "HOPS_LENGTH_DIFFERS"
# Services that share the band on an equal footing; every other source has a tenth of their part.
_CO_PRIMARY = ("space", "earth_long", "earth_anomalous", "terrestrial_coprimary")
_SPACE = ("space", "earth_long", "earth_anomalous")
_MONTH_S = 31 * 86_400
_NAMES = ("esr", "sesr", "bber")
_DIGITS = Context(prec=20)

_Text = Annotated[str, Field(max_length=100, pattern=PRINTABLE, description="up to 100 printable characters")]
_Ratio = Annotated[
    Annotated[Fraction, Field(ge=0, le=1)] | None,
    BeforeValidator(exact_or_none),
    Field(description="a ratio, 0 to 1, or empty: not known"),
]


class _LinkRow(StrippedRow):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    link_id: IdCell


class Hop(_LinkRow):
    """A hop of a link; all hops of a link have a weight, or none."""

    hop: IdCell
    length_km: Annotated[OptionalExact, Field(description="more than 0 km, or empty")] = None
    weight: Annotated[OptionalExact, Field(description="more than 0, or empty")] = None
    operator: _Text = ""

    @model_validator(mode="after")
    def _positive(self) -> Hop:
        for name in ("length_km", "weight"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise row_problem(name, "is not more than 0", "more than 0, or empty")
        return self


class SourceInterference(_LinkRow):
    """What one source does to a link."""

    source: IdCell
    kind: Annotated[
        Literal["space", "earth_long", "earth_anomalous", "terrestrial_coprimary", "other"],
        Field(description="space, earth_long, earth_anomalous, terrestrial_coprimary or other"),
    ]
    esr: _Ratio
    sesr: _Ratio
    bber: _Ratio


class Measured(_LinkRow):
    """A month of measurements; only available time counts."""

    month: Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="YYYY-MM")]
    available_s: Annotated[
        RequiredExact, Field(gt=0, le=_MONTH_S, description="more than 0, up to 2678400 s")
    ]
    es: Annotated[RequiredExact, Field(ge=0, description="0 or more seconds, at most the available ones")]
    ses: Annotated[RequiredExact, Field(ge=0, description="0 or more seconds, at most the errored ones")]
    bbe: Annotated[OptionalExact, Field(description="0 or more blocks, or empty")] = None
    blocks_per_s: Annotated[OptionalExact, Field(description="more than 0, or empty")] = None

    @model_validator(mode="after")
    def _possible(self) -> Measured:
        if not self.ses <= self.es <= self.available_s:
            name = "ses" if self.ses > self.es else "es"
            raise row_problem(name, "is more than possible", "ses <= es <= available_s")
        if (self.bbe is None) != (self.blocks_per_s is None):
            raise row_problem("blocks_per_s", "goes with bbe", "both or none")
        if self.blocks_per_s is not None and self.blocks_per_s <= 0:
            raise row_problem("blocks_per_s", "is not more than 0", "more than 0, or empty")
        if self.bbe is not None and self.bbe < 0:
            raise row_problem("bbe", "is less than 0", "0 or more, or empty")
        return self


class BudgetUse(NamedTuple):
    """Rows by link; None: no such table was given."""

    hops: Mapping[str, list[Hop]] | None
    interference: Mapping[str, list[SourceInterference]] | None
    measured: Mapping[str, list[Measured]] | None


_UseRow = TypeVar("_UseRow", bound=_LinkRow)


def read_use(
    hops: Path | None, interference: Path | None, measured: Path | None, links: set[str]
) -> BudgetUse:
    """The tables that are given; InputError for a row of a link that is not there, or given twice."""
    return BudgetUse(
        None if hops is None else _by_link(hops, Hop, ("link_id", "hop"), links),
        None
        if interference is None
        else _by_link(interference, SourceInterference, ("link_id", "source", "kind"), links),
        None if measured is None else _by_link(measured, Measured, ("link_id", "month"), links),
    )


def _by_link(
    path: Path, model: type[_UseRow], key: Sequence[str], links: set[str]
) -> Mapping[str, list[_UseRow]]:
    rows = read_rows(path, model)
    refuse_second(path, rows, key)
    found: defaultdict[str, list[_UseRow]] = defaultdict(list)
    for row in rows:
        if row.link_id not in links:
            raise InputError(
                "no such link",
                file=path,
                row=row.row,
                field="link_id",
                value=row.link_id,
                allowed="an id of --links",
            )
        found[row.link_id].append(row)
    return found


# --- hops ---------------------------------------------------------------------------------------------------


def hop_shares(hops: Sequence[Hop]) -> list[Fraction]:
    """Shares of 1 by weight, else by length, else equal; InputError if only some hops have the number."""
    for name in ("weight", "length_km"):
        values = [getattr(hop, name) for hop in hops]
        given = [value for value in values if value is not None]
        if len(given) == len(hops):
            return [value / sum(given) for value in given]
        if given:
            row = next(hop for hop in hops if getattr(hop, name) is None)
            allowed = "a value for all hops of a link, or for none"
            raise InputError("value is missing", file=row.file, row=row.row, field=name, allowed=allowed)
    return [Fraction(1, len(hops))] * len(hops)


def hops_of(
    link: FixedLink, budget: LinkBudget, use: BudgetUse, tables: F1565Tables
) -> dict[str, object] | None:
    """Budgets by hop, ratios exact, counts rounded down: together they never exceed those of the link."""
    hops = (use.hops or {}).get(link.id)
    if not hops:
        return None
    lengths = [hop.length_km for hop in hops]
    total = sum(length for length in lengths if length is not None)
    differs = None not in lengths and link.length_km is not None and total != link.length_km
    rows = [
        {
            "hop": hop.hop,
            "operator": hop.operator,
            "length_km": text_or_none(hop.length_km),
            "share": decimal_text(share),
            "co_primary": _part(budget.co_primary, share, link, tables),
            "other_sources": _part(budget.other_sources, share, link, tables),
        }
        for hop, share in zip(hops, hop_shares(hops), strict=True)
    ]
    return {
        "rounding": "counts down: those of all hops never exceed the link's",
        "flags": [_HOP_LENGTHS_DIFFER] if differs else [],
        "hops": rows,
    }


def _part(whole: SourceBudget, share: Fraction, link: FixedLink, tables: F1565Tables) -> dict[str, object]:
    ratios = whole.ratios.times(share)
    return source_record(SourceBudget(ratios, counts_of(ratios, link.blocks_per_s, tables, up=False)))


# --- interference -------------------------------------------------------------------------------------------


def interference_of(link: FixedLink, budget: LinkBudget, use: BudgetUse) -> dict[str, object]:
    """Sums of all sources against the parts of the budget: 10 % co-primary, 1 % for all others."""
    rows = (use.interference or {}).get(link.id, [])
    return {
        "co_primary": _spent([row for row in rows if row.kind in _CO_PRIMARY], budget.co_primary.ratios),
        "of_these_space": texts_of(_sums([row for row in rows if row.kind in _SPACE])),
        "other_sources": _spent([row for row in rows if row.kind == "other"], budget.other_sources.ratios),
    }


def _sums(rows: Sequence[SourceInterference]) -> dict[str, Fraction | None]:
    """What sources use together, by parameter; None where it is not known of all."""
    values = {name: [getattr(row, name) for row in rows] for name in _NAMES}
    return {name: None if None in found else sum(found, Fraction(0)) for name, found in values.items()}


def _spent(rows: Sequence[SourceInterference], allowed: Ratios) -> dict[str, object]:
    """By parameter what is used, in % of the budget too, and whether it is within.

    None: no objective, or not known of all sources. The whole is kept if all that have an objective are.
    """
    found: dict[str, object] = {"sources": [row.source for row in rows]}
    for name, used in _sums(rows).items():
        limit = getattr(allowed, name)
        share = None if limit is None or used is None else used / limit
        found[name] = {
            "used": text_or_none(used),
            "budget": text_or_none(limit),
            "used_pct": None if share is None else round(float(100 * share), 6),
            "ok": None if share is None else share <= 1,
        }
    judged = [found[n]["ok"] for n in _NAMES if getattr(allowed, n) is not None]  # type: ignore[index]
    found["ok"] = False if False in judged else None if None in judged else True
    return found


# --- measurements -------------------------------------------------------------------------------------------


def measured_of(link: FixedLink, budget: LinkBudget, use: BudgetUse) -> list[dict[str, object]]:
    """Each month's ratios in available time, and whether they keep the parts of the budget."""
    return [
        {
            "month": row.month,
            **{name: _measured_text(value) for name, value in _ratios_of(row).items()},
            "co_primary": _verdict(row, budget.co_primary.ratios),
            "other_sources": _verdict(row, budget.other_sources.ratios),
        }
        for row in (use.measured or {}).get(link.id, [])
    ]


def _measured_text(value: Fraction | None) -> str | None:
    """A decimal of 20 digits: a budget is exact, what was counted need not be more so."""
    if value is None:
        return None
    return format(_DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator)), "f")


def _ratios_of(row: Measured) -> dict[str, Fraction | None]:
    """ESR = ES/available, SESR = SES/available, BBER = BBE over the blocks of seconds that are not SES."""
    clean_s = row.available_s - row.ses
    bber = None
    if row.bbe is not None and row.blocks_per_s is not None and clean_s:
        bber = row.bbe / (clean_s * row.blocks_per_s)
    return {"esr": row.es / row.available_s, "sesr": row.ses / row.available_s, "bber": bber}


def _verdict(row: Measured, allowed: Ratios) -> dict[str, str]:
    """``pass``, ``fail``, ``under_study`` (no objective) or ``not_measured``; the result is the worst."""
    words = {}
    for name, value in _ratios_of(row).items():
        limit = getattr(allowed, name)
        if limit is None:
            words[name] = "under_study"
        elif value is None:
            words[name] = "not_measured"
        else:
            words[name] = "pass" if value <= limit else "fail"
    order = ("fail", "not_measured", "under_study", "pass")
    return {**words, "result": next(word for word in order if word in words.values())}
