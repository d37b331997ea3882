"""Periods of validity: how long a run may be used, in UTC, and a new one while its inputs are unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pipeline.files import json_bytes, write_whole
from pipeline.publish.release import LATEST, MANIFEST, READ_ONLY

if TYPE_CHECKING:  # queries read periods, and begin without the workflow and its compiler
    from pipeline.plan.plan import Plan

UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def validity(plan: Plan, now: datetime) -> dict[str, str]:
    """How long answers may be used: from now on (UTC), or from the time for which PMSE bookings were taken.

    The latter is local time of the register, without a zone.
    """
    begin = now
    if plan.bookings is not None and plan.config.pmse.at is not None:
        begin = datetime.fromisoformat(plan.config.pmse.at)
    until = begin + timedelta(hours=plan.config.validity_hours)
    return {"from": begin.isoformat(timespec="seconds"), "until": until.isoformat(timespec="seconds")}


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


def renew_validity(results: Path, plan: Plan, now: datetime) -> bool:
    """Give ``latest`` a new period from ``now`` (UTC) if less than half of its own is left; whether it did.

    The caller knows that the run is that of ``plan``. A period that PMSE bookings fix (``pmse.at``) stays.
    OSError, and the manifest as it was, if it cannot be written.
    """
    path = results / LATEST / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if not renewal_due(manifest, plan, now):
        return False
    valid = validity(plan, now)
    renewed = manifest | {
        "valid": valid,
        "valid_utc": utc_period(valid, plan.config.query.time_zone),
        "renewed_at": now.isoformat(timespec="seconds"),
    }
    write_whole(path, json_bytes(renewed), mode=READ_ONLY)
    return True


def renewal_due(manifest: Mapping[str, Any], plan: Plan, now: datetime) -> bool:
    """Whether less than half of a run's period is left and a new one would begin now."""
    if plan.bookings is not None and plan.config.pmse.at is not None:
        return False
    begin, end = (datetime.fromisoformat(manifest["valid"][name]) for name in ("from", "until"))
    return end - now < (end - begin) / 2


def _utc(moment: datetime, time_zone: str, fold: int) -> str:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(time_zone), fold=fold)
    return moment.astimezone(UTC).strftime(UTC_FORMAT)
