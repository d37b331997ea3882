"""Budgets: the terms that add up to a number, and the victim for whose sake it is one."""

from __future__ import annotations

import math
from typing import NamedTuple


class Term(NamedTuple):
    """One addend of a budget (dB; the level it starts from in dBm or dB(uV/m)), and where it comes from."""

    name: str
    value_db: float
    note: str = ""


class Budget(NamedTuple):
    """The limiting victim of a pixel, with plain JSON values, and terms that add up to the limit in dBm.

    ``label``: what limits, as a code of the room that gives the budget.
    """

    victim: dict[str, object]
    terms: tuple[Term, ...]
    label: int


def total_dbm(terms: tuple[Term, ...] | list[Term]) -> float:
    """Sum of the terms; -inf where one forbids."""
    return math.fsum(term.value_db for term in terms)
