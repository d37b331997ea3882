"""What becomes of uses by themselves: they expire, and devices that say nothing are lost (docs/server.md).

A lost use still counts until its end: the device may go on until it has been silent for its polling
interval, and a radio that does not stop is what the count is for.
"""

from __future__ import annotations

from sqlalchemy import func, select, update

from pipeline.loop.served import Served
from pipeline.loop.storage import writing
from pipeline.loop.tables import DEVICE, REQUEST, USE
from pipeline.loop.uses import ALIVE
from pipeline.loop.withdrawals import OF_DEVICES, orders_in_force, stops


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
    _end_withdrawn(served, now_s - silent_s, now_s)
    if any(due):
        with writing(served.engine) as connection:
            connection.execute(update(USE).where(*over).values(state="expired", ended_at=USE.c.until_at))
            connection.execute(update(USE).where(*lost).values(state="lost"))


def _end_withdrawn(served: Served, known_s: int, now_s: int) -> None:
    """End the uses of devices that must know by now: those of orders older than a polling interval."""
    with served.engine.connect() as connection:
        orders = [one for one in orders_in_force(connection, known_s) if one.scope in OF_DEVICES]
        still = {(one.scope, one.target, one.reason) for one in orders_in_force(connection, now_s)}
        orders = [one for one in orders if (one.scope, one.target, one.reason) in still]
        if not orders:
            return
        using = select(USE.c.device_key).where(USE.c.state.in_(ALIVE))
        found = connection.execute(select(DEVICE).where(DEVICE.c.device_key.in_(using)))
        rows = [dict(row) for row in found.mappings()]
    stopped = {
        row["device_key"]: order.reason
        for row in rows
        for order in orders
        if stops(order, row["device_key"], row, row["ruleset_ids"])
    }
    if stopped:
        with writing(served.engine) as connection:
            for key, reason in stopped.items():
                of_device = update(USE).where(USE.c.device_key == key, USE.c.state.in_(ALIVE))
                connection.execute(of_device.values(state="withdrawn", ended_at=now_s, reason=reason))
