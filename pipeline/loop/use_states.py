"""What becomes of uses by themselves: they expire, and devices that say nothing are lost (docs/server.md).

A lost use still counts until its end: the device may go on until it has been silent for its polling
interval, and a radio that does not stop is what the count is for.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from pipeline.loop.devices import PLACE_STEPS
from pipeline.loop.served import Served
from pipeline.loop.storage import writing
from pipeline.loop.tables import DEVICE, REQUEST, USE
from pipeline.loop.uses import COUNTED, DISPLACED
from pipeline.loop.withdrawals import (
    OF_DEVICES,
    Order,
    channel_numbers,
    orders_in_force,
    stops,
    withdrawn_channels,
)


def settle_uses(served: Served, now_s: int) -> None:
    """Bring the states of uses to an instant; writes only where one changes."""
    silent_s = int(served.facts["ruleset"]["maxPollingSecs"]) + served.loop.grace_s
    latest = (
        select(func.coalesce(func.max(REQUEST.c.created_at), 0))
        .where(REQUEST.c.device_key == USE.c.device_key)
        .scalar_subquery()
    )
    over = (USE.c.state.in_(COUNTED), USE.c.until_at <= now_s)
    lost = (USE.c.state == "active", USE.c.created_at < now_s - silent_s, latest < now_s - silent_s)
    with served.engine.connect() as connection:
        due = [
            bool(connection.execute(select(USE.c.id).where(*which).limit(1)).first())
            for which in (over, lost)
        ]
    _end_withdrawn(served, now_s - silent_s, now_s)
    if any(due):
        with writing(served.engine) as connection:
            ended = case((USE.c.reason == DISPLACED, "withdrawn"), else_="expired")
            connection.execute(update(USE).where(*over).values(state=ended, ended_at=USE.c.until_at))
            connection.execute(update(USE).where(*lost).values(state="lost"))


def _end_withdrawn(served: Served, known_s: int, now_s: int) -> None:
    """End the uses that orders stop of which every device must know by now, a polling interval later.

    In a channel or area nothing new begins once an order holds: such orders are read once.
    """
    with served.engine.connect() as connection:
        orders = [one for one in orders_in_force(connection, now_s) if one.from_s <= known_s]
        if not orders:
            return
        new = [one for one in orders if one.scope in OF_DEVICES or one.number not in served.ended_orders]
        stopped = stopped_uses(connection, new)
    if stopped:
        with writing(served.engine) as connection:
            for use_id, reason in stopped.items():
                still = update(USE).where(USE.c.id == use_id, USE.c.state.in_(COUNTED))
                connection.execute(still.values(state="withdrawn", ended_at=now_s, reason=reason))
    served.ended_orders.update(one.number for one in orders)


def stopped_uses(
    connection: Connection, orders: Sequence[Order], *which: ColumnElement[bool]
) -> dict[int, str]:
    """Reason by number of the uses that orders stop; of those that count, or of others by ``which``."""
    which = which or (USE.c.state.in_(COUNTED),)
    return {**_uses_at_places(connection, orders, which), **_uses_of_devices(connection, orders, which)}


def _uses_of_devices(
    connection: Connection, orders: Sequence[Order], which: Sequence[ColumnElement[bool]]
) -> dict[int, str]:
    """Those of devices that are stopped as a whole."""
    of_devices = [one for one in orders if one.scope in OF_DEVICES]
    if not of_devices:
        return {}
    uses = connection.execute(select(USE.c.id, USE.c.device_key).where(*which)).all()
    using = select(USE.c.device_key).where(*which)
    found = connection.execute(select(DEVICE).where(DEVICE.c.device_key.in_(using)))
    rows = {row["device_key"]: dict(row) for row in found.mappings()}
    stopped: dict[int, str] = {}
    for use in uses:
        row = rows.get(use.device_key)
        ids = [] if row is None else row["ruleset_ids"]
        for order in of_devices:
            if stops(order, use.device_key, row, ids):
                stopped[use.id] = order.reason
    return stopped


def _uses_at_places(
    connection: Connection, orders: Sequence[Order], which: Sequence[ColumnElement[bool]]
) -> dict[int, str]:
    """Those of channels and in areas."""
    of_places = [one for one in orders if one.scope not in OF_DEVICES]
    if not of_places:
        return {}
    columns = (USE.c.id, USE.c.channel, USE.c.lon_e7, USE.c.lat_e7, USE.c.radius_m)
    stopped: dict[int, str] = {}
    for use in connection.execute(select(*columns).where(*which)):
        place = ((use.lon_e7 / PLACE_STEPS, use.lat_e7 / PLACE_STEPS),)
        channels = {"*", *channel_numbers(use.channel)}
        for order in of_places:
            if channels & withdrawn_channels([order], place, use.radius_m):
                stopped[use.id] = order.reason
    return stopped
