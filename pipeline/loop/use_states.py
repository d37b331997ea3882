"""What becomes of uses by themselves: they expire, and devices that say nothing are lost (docs/server.md).

A lost use still counts until its end: the device may go on until it has been silent for its polling
interval, and a radio that does not stop is what the count is for.
"""

from __future__ import annotations

from sqlalchemy import func, select, update

from pipeline.loop.served import Served
from pipeline.loop.storage import writing
from pipeline.loop.tables import REQUEST, USE
from pipeline.loop.uses import ALIVE


def settle_uses(served: Served, now_s: int) -> None:
    """Bring the states of uses to an instant; writes only where one changes."""
    silent_s = int(served.facts["ruleset"]["maxPollingSecs"]) + served.loop.grace_s
    latest = (
        select(func.coalesce(func.max(REQUEST.c.created_at), 0))
        .where(REQUEST.c.device_key == USE.c.device_key)
        .scalar_subquery()
    )
    over = (USE.c.state.in_(ALIVE), USE.c.until_at <= now_s)
    lost = (USE.c.state == "active", USE.c.created_at < now_s - silent_s, latest < now_s - silent_s)
    with served.engine.connect() as connection:
        due = [
            bool(connection.execute(select(USE.c.id).where(*which).limit(1)).first())
            for which in (over, lost)
        ]
    if any(due):
        with writing(served.engine) as connection:
            connection.execute(update(USE).where(*over).values(state="expired", ended_at=USE.c.until_at))
            connection.execute(update(USE).where(*lost).values(state="lost"))
