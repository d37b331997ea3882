"""A run whose inputs have not changed stays right: before its period of validity ends it gets a new one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.files import json_bytes, write_whole
from pipeline.plan.plan import Plan
from pipeline.publish.manifest import validity
from pipeline.publish.periods import utc_period
from pipeline.publish.release import LATEST, MANIFEST, READ_ONLY


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
