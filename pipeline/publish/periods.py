"""Periods of validity in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:  # queries read periods, and begin without the workflow and its compiler
    from pipeline.plan.plan import Plan

UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def utc_period(valid: Mapping[str, str], time_zone: str) -> dict[str, str]:
    """``valid`` of a manifest as start and stop in UTC; times without a zone are those of ``time_zone``.

    Where the clocks are put back a local time occurs twice: the period taken is the shorter one.
    """
    start, stop = (datetime.fromisoformat(valid[name]) for name in ("from", "until"))
    return {"startTime": _utc(start, time_zone, fold=1), "stopTime": _utc(stop, time_zone, fold=0)}


def period_of_bookings(plan: Plan) -> tuple[str, str] | None:
    """Start and stop, in UTC, of the time whose bookings the maps protect; None without bookings."""
    config = plan.config
    if plan.bookings is None or config.pmse.at is None:
        return None
    begin = datetime.fromisoformat(config.pmse.at)
    end = begin + timedelta(hours=config.validity_hours)
    period = utc_period({"from": begin.isoformat(), "until": end.isoformat()}, config.query.time_zone)
    return period["startTime"], period["stopTime"]


def _utc(moment: datetime, time_zone: str, fold: int) -> str:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(time_zone), fold=fold)
    return moment.astimezone(UTC).strftime(UTC_FORMAT)
