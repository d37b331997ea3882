"""Periods of validity in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def utc_period(valid: Mapping[str, str], time_zone: str) -> dict[str, str]:
    """``valid`` of a manifest as start and stop in UTC; times without a zone are those of ``time_zone``.

    Where the clocks are put back a local time occurs twice: the period taken is the shorter one.
    """
    start, stop = (datetime.fromisoformat(valid[name]) for name in ("from", "until"))
    return {"startTime": _utc(start, time_zone, fold=1), "stopTime": _utc(stop, time_zone, fold=0)}


def _utc(moment: datetime, time_zone: str, fold: int) -> str:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(time_zone), fold=fold)
    return moment.astimezone(UTC).strftime(UTC_FORMAT)
