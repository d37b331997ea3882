"""Budgets: the terms that add up to a number, and the victim for whose sake it is one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

NEXT_LIMITS = 3
"""How many of the limits that come next are told beside the one that decides."""


class Term(NamedTuple):
    """One addend of a budget (dB; the level it starts from in dBm or dB(uV/m)), and where it comes from."""

    name: str
    value_db: float
    note: str = ""


class Budget(NamedTuple):
    """The limiting victim of a pixel, with plain JSON values, and terms that add up to the limit in dBm.

    ``label``: what limits, as a code of the room that gives the budget. ``others``: budgets of the same
    service that would limit next, ascending; empty where a service tells of one victim alone.
    """

    victim: dict[str, object]
    terms: tuple[Term, ...]
    label: int
    others: tuple[Budget, ...] = ()


def total_dbm(terms: tuple[Term, ...] | list[Term]) -> float:
    """Sum of the terms; -inf where one forbids."""
    return math.fsum(term.value_db for term in terms)


def strictest(budgets: Iterable[Budget]) -> Budget | None:
    """The budget with the smallest total, of equals the first, with the next ones beside it; None: none."""
    ordered = sorted(budgets, key=lambda budget: total_dbm(budget.terms))
    return ordered[0]._replace(others=tuple(ordered[1 : 1 + NEXT_LIMITS])) if ordered else None
