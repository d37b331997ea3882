"""A period of time, and what of it a use was on air, as the database computes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, Self

from sqlalchemy import BigInteger, ColumnElement, and_, case, func, literal, or_

from pipeline.loop.tables import USE

# The end of the year 9999.
_NEVER_S = 253_402_300_800


class Period(NamedTuple):
    """UTC seconds, half open."""

    from_s: int = 0
    to_s: int = _NEVER_S

    @classmethod
    def between(cls, begin: datetime | None, end: datetime | None) -> Self:
        """From one instant to another; without one from the first, or until the last."""
        from_s, to_s = (None if at is None else int(at.timestamp()) for at in (begin, end))
        return cls(0 if from_s is None else from_s, _NEVER_S if to_s is None else to_s)

    def holds(self, at_s: ColumnElement[int]) -> ColumnElement[bool]:
        """Whether an instant is in it."""
        return and_(at_s >= self.from_s, at_s < self.to_s)

    def seconds_of_use(self, now_s: int) -> ColumnElement[int]:
        """How long a use was on air in it; until now at most."""
        begin_s, end_s = self.span_of_use(now_s)
        return _greatest(end_s - begin_s, 0)

    def span_of_use(self, now_s: int) -> tuple[ColumnElement[int], ColumnElement[int]]:
        """From when to when a use was on air in it; it was not where the end is not after the beginning."""
        over_s = _least(func.coalesce(USE.c.ended_at, USE.c.until_at), USE.c.until_at)
        until_s = _least(over_s, _least(_greatest(USE.c.from_at, now_s), self.to_s))
        return _greatest(USE.c.from_at, self.from_s), until_s

    def has_use(self, now_s: int) -> ColumnElement[bool]:
        """Whether a use was on air in it, or began in it."""
        return or_(self.seconds_of_use(now_s) > 0, self.holds(USE.c.from_at))


def _greatest(one: ColumnElement[int], other: int) -> ColumnElement[int]:
    number = _number(other)
    return case((one > number, one), else_=number)


def _least(one: ColumnElement[int], other: ColumnElement[int] | int) -> ColumnElement[int]:
    number = _number(other) if isinstance(other, int) else other
    return case((one < number, one), else_=number)


def _number(value: int) -> ColumnElement[Any]:
    return literal(value, BigInteger)
