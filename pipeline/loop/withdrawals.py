"""Orders to stop: of a device, an owner, rules, channels, an area, or everything (docs/server.md).

PAWS has no way to call a device: an order holds at once for what is answered, and is known to a device at
its next contact, at the latest when the longest polling interval that was handed out is over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, select

from pipeline.files import JsonObject
from pipeline.grid.grid import GEOD
from pipeline.loop.tables import WITHDRAWAL
from pipeline.query.paws import Code, PawsError

# Scopes of which a device is refused as a whole; of the others channels vanish at a place, and uses of them.
OF_DEVICES = ("device", "owner", "ruleset", "all")


class Order(NamedTuple):
    """An order in force since ``from_s``; ``geometry`` WKB of an area in longitude and latitude."""

    number: int
    from_s: int
    scope: str
    target: str
    geometry: bytes | None
    polling_s: int | None
    reason: str


class TimedOrder(NamedTuple):
    """An order, and when it ends by itself (UTC seconds)."""

    order: Order
    until_s: float


_ORDERS = select(
    WITHDRAWAL.c.id,
    WITHDRAWAL.c.from_at,
    WITHDRAWAL.c.scope,
    WITHDRAWAL.c.target,
    WITHDRAWAL.c.geometry,
    WITHDRAWAL.c.polling_s,
    WITHDRAWAL.c.reason,
    WITHDRAWAL.c.until_at,
)


def orders_not_restored(connection: Connection) -> list[TimedOrder]:
    """All orders that nobody has ended, also those that hold no more, or not yet."""
    rows = connection.execute(_ORDERS.where(WITHDRAWAL.c.restored_at.is_(None)))
    return [TimedOrder(Order(*row[:-1]), math.inf if row[-1] is None else row[-1]) for row in rows]


def orders_given(connection: Connection, which: ColumnElement[bool]) -> list[Order]:
    """Orders of the table, also those that were ended."""
    return [Order(*row[:-1]) for row in connection.execute(_ORDERS.where(which).order_by(WITHDRAWAL.c.id))]


def orders_in_force(connection: Connection, now_s: int) -> list[Order]:
    """The orders that hold at an instant."""
    found = orders_not_restored(connection)
    return [one.order for one in found if one.order.from_s <= now_s < one.until_s]


def stops(order: Order, device_key: str, row: JsonObject | None, ruleset_ids: Iterable[str]) -> bool:
    """Whether an order is for a device as a whole."""
    if order.scope == "device":
        return order.target in (device_key, (row or {}).get("register_id"))
    if order.scope == "owner":
        return row is not None and order.target == row["owner_key"]
    return order.scope == "all" or (order.scope == "ruleset" and order.target in set(ruleset_ids))


def refuse_withdrawn(
    orders: Iterable[Order], device_key: str, row: JsonObject | None, ruleset_ids: Sequence[str]
) -> None:
    """UNAUTHORIZED for a device that an order is for, or that is suspended or retired."""
    for order in orders:
        if stops(order, device_key, row, ruleset_ids):
            raise PawsError(Code.UNAUTHORIZED, f"withdrawn: {order.reason}")
    if row is not None and row["state"] in ("suspended", "retired"):
        raise PawsError(Code.UNAUTHORIZED, f"the device is {row['state']}")


def withdrawn_channels(
    orders: Iterable[Order], corners: Sequence[tuple[float, float]], radius_m: float
) -> set[str]:
    """Channels that vanish within a distance of a place, as text; ``*`` for all.

    ``corners`` in degrees: one of a point, the ring of a region.
    """
    found = {order.target for order in orders if order.scope == "channel"}
    if any(order.scope == "area" and _reaches(order, corners, radius_m) for order in orders):
        found.add("*")
    return found


def channel_numbers(channel: int | str) -> set[str]:
    """A channel, or a bond and the channels in it, as text."""
    first, _, last = str(channel).partition("-")
    return {str(channel), *map(str, range(int(first), int(last or first) + 1))}


def _reaches(order: Order, corners: Sequence[tuple[float, float]], radius_m: float) -> bool:
    """Whether a circle or region touches the area of an order."""
    from shapely import Point, Polygon, from_wkb
    from shapely.ops import nearest_points

    if order.geometry is None:
        return True
    place = Point(corners[0]) if len(corners) == 1 else Polygon(corners)
    area = from_wkb(order.geometry)
    if area.intersects(place):
        return True
    near, own = nearest_points(area, place)
    _, _, distance_m = GEOD.inv(own.x, own.y, near.x, near.y)
    # Nearest in degrees is not nearest in metres: at 60 degrees it is up to twice as far.
    return bool(distance_m <= 2.0 * radius_m)


def ordered_polling_s(orders: Iterable[Order]) -> int | None:
    """The shortest polling interval that orders in force ask for."""
    return min((one.polling_s for one in orders if one.polling_s is not None), default=None)
