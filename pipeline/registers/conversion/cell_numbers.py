"""Cells as numbers, dates and channels: one decimal sign, thousands only as declared, nothing guessed.

A cell that cannot be read raises ``CellProblem``; an empty one is never given to these functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeVar

from pipeline.errors import InputError
from pipeline.rows.row_models import finite

_Value = TypeVar("_Value")
_CHANNEL = re.compile(r"[A-Za-z]{0,7}[ .-]{0,2}0{0,2}(\d{1,2})(?:[.,]0*)?", re.ASCII)
_SERIAL_DAY = re.compile(r"\d{1,5}(\.\d+)?")
_DAYS_OF_WORKBOOKS = ("%Y/%m/%d", "%Y-%m-%d")
_FIRST_SERIAL_DAY = date(1899, 12, 30)


class CellProblem(ValueError):
    """Why a cell cannot be read; ``reason`` its word in reports, ``value`` the part at fault (None: all)."""

    def __init__(self, reason: str, problem: str, allowed: str, value: object = None) -> None:
        super().__init__(problem)
        self.reason, self.problem, self.allowed, self.value = reason, problem, allowed, value


class NumberFormat(NamedTuple):
    """Decimal and thousands sign of a column.

    ``typed``: cells were numbers in their file, with a point.
    """

    decimal: str = "."
    thousands: str = ""
    typed: bool = False


@lru_cache(maxsize=64)
def _grammar(decimal: str, thousands: str) -> re.Pattern[str]:
    """Sign, digits, decimal sign, digits; groups of three where a thousands sign is declared."""
    sign = re.escape(thousands) if thousands.strip() else " "
    groups = rf"\d{{1,3}}(?:{sign}\d{{3}})+|" if thousands else ""
    point = re.escape(decimal)
    return re.compile(rf"[+-]?(?:(?:{groups}\d+)(?:{point}\d*)?|{point}\d+)", re.ASCII)


def number(text: str, form: NumberFormat = NumberFormat()) -> float:  # noqa: B008 - immutable
    """A cell as a number; CellProblem for all but sign, digits and one decimal sign."""
    plain = " ".join(text.split()).replace("\u2212", "-")
    if form.typed:
        return _plain(plain)
    written = _as_written(plain, form)
    if written is None:
        raise not_a_number(form)
    return written


def not_a_number(form: NumberFormat) -> CellProblem:
    """The problem of a cell that is no number."""
    groups = f", thousands by {form.thousands!r} in groups of three" if form.thousands else ""
    return CellProblem(
        "bad_value", "not a number", f"digits with the decimal sign {form.decimal!r}{groups}, no unit"
    )


def _as_written(text: str, form: NumberFormat) -> float | None:
    if not _grammar(form.decimal, form.thousands).fullmatch(text):
        return None
    thousands = form.thousands if form.thousands.strip() else " "
    return float(text.replace(thousands, "").replace(form.decimal, "."))


def _plain(text: str) -> float:
    try:
        return finite(text)
    except ValueError:
        raise not_a_number(NumberFormat()) from None


def number_or_none(text: str) -> float | None:
    """A cell as a number; None for an empty one and for one that is no number."""
    try:
        return number(text) if text else None
    except CellProblem:
        return None


def channel_number(text: str) -> int:
    """A channel: digits after an optional prefix of letters, such as ``E 25``, ``K21`` or ``32,0``."""
    found = _CHANNEL.fullmatch(text.strip())
    if found is None:
        raise CellProblem("bad_value", "not a channel", "a number, letters before it if any, such as E25")
    return int(found[1])


def day(text: str, form: str | None, *, workbook: bool = False, serial_shift_days: int = 0) -> date:
    """A date in the codes of ``strptime`` (None: yyyy-mm-dd, a time behind it does not count).

    Of a workbook also a date of its own, which arrives as 2015/01/01 or as days since 1899-12-30, plus
    ``serial_shift_days`` where it counts from 1904; digits that a stated form reads are no such days.
    """
    written: date | None = None
    with suppress(ValueError):
        written = datetime.strptime(text, form).date() if form else date.fromisoformat(text[:10])
    stated = form is not None and written is not None and _SERIAL_DAY.fullmatch(text)
    if workbook and not stated and (found := _day_of_workbook(text, serial_shift_days)):
        return found
    if written is None:
        allowed = f"a date written {form}" if form else "a date such as 2026-11-28"
        raise CellProblem("bad_value", "no such date", allowed)
    return written


def iso_day(text: str) -> str:
    """A date written yyyy-mm-dd as the register holds it; a time behind it does not count."""
    return day(text, None).isoformat()


def _day_of_workbook(text: str, shift_days: int) -> date | None:
    if _SERIAL_DAY.fullmatch(text):
        return _FIRST_SERIAL_DAY + timedelta(days=int(float(text)) + shift_days)
    for form in _DAYS_OF_WORKBOOKS:
        with suppress(ValueError):
            return datetime.strptime(text[:10], form).date() + timedelta(days=shift_days)
    return None


def each(
    cells: Sequence[str], read: Callable[[str], _Value]
) -> tuple[list[_Value | None], dict[int, CellProblem]]:
    """Every cell read, each text once; None for an empty cell and, with its problem by index, a bad one."""
    known: dict[str, _Value | None] = {"": None}
    bad: dict[str, CellProblem] = {}
    for text in set(cells):
        if not text:
            continue
        try:
            known[text] = read(text)
        except CellProblem as problem:
            known[text], bad[text] = None, problem
    values = [known[text] for text in cells]
    return values, {i: bad[text] for i, text in enumerate(cells) if text in bad} if bad else {}


@contextmanager
def fault_of_key(key: str, value: object) -> Iterator[None]:
    """A CellProblem of what a mapping states as the fault of its key."""
    try:
        yield
    except CellProblem as problem:
        raise InputError(problem.problem, row=key, value=value, allowed=problem.allowed) from None


def joined(parts: Iterable[str]) -> str:
    """Cells that make one value as the text of a message."""
    return " ".join(part for part in parts if part)
