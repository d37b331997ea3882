"""Room for devices of a higher level (policy ``priority``): who makes it, and from when on it is there.

Nobody is displaced without need: only where the uses of others leave a device nothing at all, and then only
those of lower levels that take part of the channel in which it gains most. They are told at their next
question, so what they leave may be used a polling interval and the grace after; until then it is reserved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, insert, select, update

from pipeline.files import JsonObject
from pipeline.loop.counted import LOWEST_LEVEL, CountedUse, Known, Others
from pipeline.loop.events import note_event
from pipeline.loop.served import Served
from pipeline.loop.tables import USE
from pipeline.loop.uses import DISPLACED, RESERVED, use_columns
from pipeline.quantise import NOT_EVALUATED
from pipeline.query.query import Found


class Room(NamedTuple):
    """The uses of others that count from an instant (UTC seconds) on."""

    from_s: int
    others: Others


def level_of(row: JsonObject | None) -> float:
    """Level of a device of the register; a small number is a high one, without one it is the lowest."""
    priority = None if row is None or row["state"] != "registered" else row["priority"]
    return LOWEST_LEVEL if priority is None else float(priority)


def needs_room(served: Served, row: JsonObject, known: Known, found: Found, now_s: int) -> bool:
    """Whether a device is left nothing of what the run permits, or has something reserved."""
    key = row["device_key"]
    left = served.residual().left(found, known.others(key, now_s))
    return _best(found) is not None and (_best(left) is None or bool(known.table.of_device.get(key)))


def room_for(
    served: Served, connection: Connection, row: JsonObject, known: Known, found: Found, now_s: int
) -> Room | None:
    """Room that was made before, or is made now, for a device and what the run permits it.

    Within a transaction of the only writer. None where nobody has to make any.
    """
    key = row["device_key"]
    of_device = select(USE.c.from_at).where(
        USE.c.device_key == key, USE.c.state == RESERVED, USE.c.until_at > now_s
    )
    reserved_s = connection.execute(of_device).scalar()
    if reserved_s is not None:
        return Room(max(reserved_s, now_s), known.others(key, max(reserved_s, now_s)))
    others = known.others(key, now_s)
    if _best(served.residual().left(found, others)) is not None:
        return None
    lower = others.chosen & (others.table.level > level_of(row))
    without = Others(others.table, others.chosen & ~lower)
    best = _best(served.residual().left(found, without))
    if best is None:
        return None
    channel, level_cdbm = best
    ended = served.residual().in_the_way(found, channel, Others(others.table, lower))
    turn_s = now_s + int(served.facts["ruleset"]["maxPollingSecs"]) + served.loop.grace_s
    _end_at(connection, ended, turn_s)
    _reserve(served, connection, row, found, channel, level_cdbm, turn_s)
    told = {"channel": channel, "from": turn_s, "uses": [use.use_id for use in ended]}
    note_event(connection, "displace", "policy", key, told, now_s)
    gone = {use.use_id for use in ended}
    stay = np.array([use.use_id not in gone for use in others.table.uses], dtype=np.bool_)
    return Room(turn_s, Others(others.table, others.chosen & stay & (others.table.until_s > turn_s)))


def _best(found: Found) -> tuple[str, int] | None:
    """The channel with the highest level and that level; None without any."""
    if not found.raw.size or found.raw.max() <= NOT_EVALUATED:
        return None
    at = int(found.raw.argmax())
    return str(found.entries[at]["channel"]), int(found.raw[at])


def _end_at(connection: Connection, uses: Sequence[CountedUse], turn_s: int) -> None:
    for use in uses:
        sooner = update(USE).where(USE.c.id == use.use_id, USE.c.until_at > turn_s)
        connection.execute(sooner.values(until_at=turn_s, reason=DISPLACED))


def _reserve(
    served: Served,
    connection: Connection,
    row: JsonObject,
    found: Found,
    channel: str,
    level_cdbm: int,
    turn_s: int,
) -> None:
    """Keep a channel from others until the device that it was cleared for must have reported its use."""
    waiting_s = int(served.facts["ruleset"]["maxPollingSecs"]) + served.loop.grace_s
    content = use_columns(found, channel, level_cdbm) | {
        "created_at": turn_s,
        "device_key": row["device_key"],
        "run_id": served.database.run_id,
        "body_sha256": RESERVED,
        "from_at": turn_s,
        "until_at": turn_s + waiting_s,
        "state": RESERVED,
    }
    connection.execute(insert(USE).values(content))
