"""What becomes of uses by themselves: they expire, and devices that say nothing are lost (docs/server.md).

A lost use still counts until its end: the device may go on until it has been silent for its polling
interval, and a radio that does not stop is what the count is for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, case, func, or_, select, update

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

# Of a degree of latitude at the equator, the shortest.
_LEAST_M_PER_DEGREE = 110_574.0
_FAR_NORTH_DEG, _FAR_EAST_DEG, _MARGIN_DEG = 70.0, 170.0, 5.0


def last_contact_s() -> ColumnElement[int]:
    """When the device of a use last said anything (UTC seconds); 0: never."""
    latest_s = func.coalesce(func.max(REQUEST.c.created_at), 0)
    return select(latest_s).where(REQUEST.c.device_key == USE.c.device_key).scalar_subquery()


def settle_uses(served: Served, now_s: int) -> None:
    """Bring the states of uses to an instant; writes only where one changes."""
    silent_s = int(served.facts["ruleset"]["maxPollingSecs"]) + served.loop.grace_s
    over = (USE.c.state.in_(COUNTED), USE.c.until_at <= now_s)
    lost = (USE.c.state == "active", USE.c.created_at < now_s - silent_s, last_contact_s() < now_s - silent_s)
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
    # Of two reasons that of an order for the device.
    ordered = sorted(orders, key=lambda one: one.scope in OF_DEVICES)
    return {number: one.reason for one in ordered for number in _stopped_by(connection, one, which)}


def _stopped_by(connection: Connection, order: Order, which: Sequence[ColumnElement[bool]]) -> Iterator[int]:
    """Numbers of the uses of ``which`` that one order stops."""
    names = (DEVICE.c.register_id, DEVICE.c.owner_key, DEVICE.c.ruleset_ids)
    columns = (USE.c.id, USE.c.device_key, USE.c.channel, USE.c.lon_e7, USE.c.lat_e7, USE.c.radius_m)
    found = (
        select(*columns, *names)
        .outerjoin(DEVICE, DEVICE.c.device_key == USE.c.device_key)
        .where(*which, *may_stop(order))
    )
    for use in connection.execute(found):
        if order.scope in OF_DEVICES:
            stopped = stops(order, use.device_key, dict(use._mapping), use.ruleset_ids or ())
        else:
            place = ((use.lon_e7 / PLACE_STEPS, use.lat_e7 / PLACE_STEPS),)
            withdrawn = withdrawn_channels([order], place, use.radius_m)
            stopped = bool({"*", *channel_numbers(use.channel)} & withdrawn)
        if stopped:
            yield use.id


def may_stop(order: Order) -> Iterator[ColumnElement[bool]]:
    """What the database can tell of the uses that an order stops; beyond it may be others."""
    if order.scope == "device":
        named = select(DEVICE.c.device_key).where(DEVICE.c.register_id == order.target)
        yield or_(USE.c.device_key == order.target, USE.c.device_key.in_(named))
    elif order.scope == "owner":
        yield DEVICE.c.owner_key == order.target
    elif order.scope == "channel":
        yield or_(USE.c.channel == order.target, USE.c.channel.contains("-"))  # a bond may hold it
    elif order.scope == "area" and order.geometry is not None:
        yield from _near(order.geometry)


def _near(geometry: bytes) -> Iterator[ColumnElement[bool]]:
    """Places no farther north, south, east or west of an area than `withdrawn_channels` looks at all."""
    import shapely

    west, south, east, north = shapely.from_wkb(geometry).bounds
    away_e7 = PLACE_STEPS * 2.0 * USE.c.radius_m / _LEAST_M_PER_DEGREE
    yield USE.c.lat_e7.between(PLACE_STEPS * south - away_e7, PLACE_STEPS * north + away_e7)
    # Elsewhere meridians come together, or places are beside each other that differ by 360 degrees.
    if max(-south, north) < _FAR_NORTH_DEG and max(-west, east) < _FAR_EAST_DEG:
        wider = 1.0 / math.cos(math.radians(max(-south, north) + _MARGIN_DEG))
        yield USE.c.lon_e7.between(PLACE_STEPS * west - wider * away_e7, PLACE_STEPS * east + wider * away_e7)
