"""`channelmaps devices recheck`: which running uses a new run no longer allows, alone or together.

Each use is held against what the run permits at its place until its end, then against what those before it
leave. Those of the highest priority (the lowest number, none is the last) are looked at first, then the
oldest: what has to go are the lowest and youngest ones.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sqlalchemy import func, select

from pipeline.files import Output, check_outputs, kind_of_table, write_output_rows
from pipeline.loop.counted import COUNTED_COLUMNS, LOWEST_LEVEL, CountedUse, Others, counted_use, use_table
from pipeline.loop.device_rows import ids_by_key
from pipeline.loop.served import Clock, Served, loop_settings
from pipeline.loop.storage import files_of, open_storage
from pipeline.loop.tables import DEVICE, USE
from pipeline.loop.uses import COUNTED
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED
from pipeline.query.database import location_of, lowest_raw, lowest_raw_at_home, parts_between
from pipeline.query.profiles import channel_entries

_COLUMNS = ("use", "device", "channel", "used_dbm", "new_limit_dbm", "excess_db", "action")
_CENTI = 100.0
_NOISE_DB = 1e-6


class RunningUse(NamedTuple):
    """A use that counts, whose it is, and until when (UTC seconds)."""

    use: CountedUse
    device_key: str
    until_s: int


class Verdict(NamedTuple):
    """What is found of a use: the limit of the run (None: nothing is permitted), and whether it may go on."""

    running: RunningUse
    limit_dbm: float | None
    action: str


def recheck_command(
    results: Path, out: Path, db: str, loop: Path | None = None, now_s: int | None = None
) -> int:
    """Write a row for each use; the number of uses that have to go."""
    check_outputs([Output("--out", out, kind_of_table(*_COLUMNS))], files_of(db))
    served = Served(results, open_storage(db), loop_settings(results, loop), Clock())
    found = verdicts(served, running_uses(served), int(time.time()) if now_s is None else now_s)
    with served.engine.connect() as connection:
        ids = ids_by_key([dict(row) for row in connection.execute(select(DEVICE)).mappings()])
    write_output_rows(out, _COLUMNS, (_row(one, ids.get(one.running.device_key, "")) for one in found))
    going = sum(one.action != "keep" for one in found)
    print(f"{len(found)} uses, {going} to withdraw")
    return going


def running_uses(served: Served) -> list[RunningUse]:
    """The uses that count, the highest priority first, then the oldest."""
    priority = func.coalesce(DEVICE.c.priority, LOWEST_LEVEL)
    wanted = (
        select(*COUNTED_COLUMNS, USE.c.until_at)
        .outerjoin(DEVICE, DEVICE.c.device_key == USE.c.device_key)
        .where(USE.c.state.in_(COUNTED))
        .order_by(priority, USE.c.id)
    )
    with served.engine.connect() as connection:
        rows = connection.execute(wanted).all()
    return [RunningUse(counted_use(row), row.device_key, row.until_at) for row in rows]


def verdicts(served: Served, running: Sequence[RunningUse], now_s: int) -> list[Verdict]:
    """What the open run says of each use, in the order given: earlier ones stay before later ones."""
    kept: list[RunningUse] = []
    found = []
    for one in running:
        limit_dbm = limit_of(served, one, now_s)
        action = "keep"
        if limit_dbm is None or one.use.eirp_cdbm / _CENTI > limit_dbm + _NOISE_DB:
            action = "to_withdraw: limit"
        elif served.loop.aggregate == "enforce" and not _fits(served, one, kept):
            action = "to_withdraw: aggregate"
        else:
            kept.append(one)
        found.append(Verdict(one, limit_dbm, action))
    return found


def _fits(served: Served, one: RunningUse, kept: Sequence[RunningUse]) -> bool:
    """Whether a use fits beside those of other devices."""
    others = {other.use.use_id: other for other in kept if other.device_key != one.device_key}
    if not others and served.share == 1.0:
        return True
    table = use_table(
        {number: (other.device_key, other.use) for number, other in others.items()},
        {number: other.until_s for number, other in others.items()},
    )
    return served.residual().fits([one.use], Others(table, np.ones(len(others), dtype=np.bool_)))


def limit_of(served: Served, one: RunningUse, now_s: int) -> float | None:
    """The least that the run permits a use from now to its end, dBm; None: nothing."""
    with served.reading:
        levels = list(_levels(served, one, now_s))
    return None if not levels or min(levels) <= NOT_EVALUATED else min(levels) / _CENTI


def _levels(served: Served, one: RunningUse, now_s: int) -> Iterator[int]:
    """Raw levels at the place of a use, of all its layers, at all times; of an unknown layer none."""
    facts, use = served.facts, one.use
    profiles = {entry["id"]: entry for entry in facts["devices"]}
    for part in parts_between(served.database, now_s, max(one.until_s, now_s + 1)):
        location = location_of(part.database, use.lon_deg, use.lat_deg)
        for layer in use.layers:
            names = [str(entry["channel"]) for entry in channel_entries(facts, profiles.get(layer, {}))]
            if layer not in profiles or use.channel not in names:
                yield NODATA_CENTI
                continue
            raw = lowest_raw(part.database, profiles[layer], location, use.radius_m)
            if raw.max() == NODATA_CENTI:  # a slave that may be abroad, too
                raw = lowest_raw_at_home(part.database, profiles[layer], location, use.radius_m)
            yield int(raw[names.index(use.channel)])


def _row(one: Verdict, device: str) -> tuple[object, ...]:
    used_dbm = one.running.use.eirp_cdbm / _CENTI
    above = "" if one.limit_dbm is None else f"{max(0.0, used_dbm - one.limit_dbm):.2f}"
    limit = "" if one.limit_dbm is None else f"{one.limit_dbm:.2f}"
    use = one.running.use
    return (
        use.use_id,
        device or one.running.device_key,
        use.channel,
        f"{used_dbm:.2f}",
        limit,
        above,
        one.action,
    )
