"""Devices that say nothing: lost ones, and those without a contact since an order to stop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from pipeline.errors import InputError
from pipeline.files import Output, check_outputs, kind_of_table, write_output_rows
from pipeline.loop.devices import PLACE_STEPS
from pipeline.loop.storage import files_of, open_storage
from pipeline.loop.tables import DEVICE, OFFER, USE
from pipeline.loop.use_states import last_contact_s, may_stop, stopped_uses
from pipeline.loop.uses import COUNTED
from pipeline.loop.withdrawals import Order, orders_not_restored
from pipeline.query.paws import instant_text

_COLUMNS = ("device", "channel", "eirp_dbm", "lon", "lat", "state", "last_contact_at", "stops_by")
_CENTI = 100.0


def lost_command(out: Path, db: str) -> None:
    """Write the uses of devices that said nothing for their polling interval; they count until they end."""
    check_outputs([Output("--out", out, kind_of_table(*_COLUMNS))], files_of(db))
    with open_storage(db).connect() as connection:
        rows = [_row(use) for use in _uses(connection, USE.c.state == "lost")]
    write_output_rows(out, _COLUMNS, rows)
    print(f"{len(rows)} uses of lost devices")


def stop_report_command(number: int, out: Path, db: str) -> None:
    """Write the uses that an order stops whose devices have had no contact since."""
    check_outputs([Output("--out", out, kind_of_table(*_COLUMNS))], files_of(db))
    with open_storage(db).connect() as connection:
        orders = [one.order for one in orders_not_restored(connection) if one.order.number == number]
        if not orders:
            raise InputError(
                "is no order that stands", field="NUMBER", value=number, allowed="a number of withdraw"
            )
        concerned = stopped_uses(connection, orders, *_running(orders[0]))
        silent = _concerned(connection, orders[0], last_contact_s() < orders[0].from_s)
        rows = [_row(use) for use in silent]
    write_output_rows(out, _COLUMNS, rows)
    print(f"order {number}: {len(concerned)} uses, {len(rows)} without a contact since")


def time_to_silence_s(connection: Connection, order: Order) -> tuple[int, int]:
    """How many uses an order stops, and how long after it the last of them is over."""
    found = _concerned(connection, order)
    ends_s = [_stops_s(use) if use.ended_at is None else use.ended_at for use in found]
    return len(found), max([0, *(end_s - order.from_s for end_s in ends_s)])


def _running(order: Order) -> tuple[ColumnElement[bool], ...]:
    """Uses that ran when an order began; those that ended since did so without a word, or at a contact."""
    since_s = order.from_s
    return USE.c.from_at <= since_s, or_(USE.c.state.in_(COUNTED), USE.c.ended_at >= since_s)


def _concerned(connection: Connection, order: Order, *which: ColumnElement[bool]) -> list[Row[Any]]:
    """The uses that an order stops, of those the ones of ``which``."""
    running = _running(order)
    numbers = stopped_uses(connection, [order], *running, *which)
    return [use for use in _uses(connection, *running, *may_stop(order), *which) if use.id in numbers]


def _uses(connection: Connection, *which: ColumnElement[bool]) -> Sequence[Row[Any]]:
    """Uses with the id of their device, its last contact, and when it is silent by itself."""
    device_key = func.coalesce(DEVICE.c.register_id, USE.c.device_key)
    offered_s = select(func.max(OFFER.c.expires_at)).where(OFFER.c.device_key == USE.c.device_key)
    more = (
        device_key.label("device"),
        last_contact_s().label("contact_s"),
        offered_s.scalar_subquery().label("offered_s"),
    )
    found = select(USE, *more).outerjoin(DEVICE, DEVICE.c.device_key == USE.c.device_key)
    return connection.execute(found.where(*which).order_by(USE.c.id)).all()


def _row(use: Row[Any]) -> tuple[object, ...]:
    return (
        use.device,
        use.channel,
        use.eirp_cdbm / _CENTI,
        use.lon_e7 / PLACE_STEPS,
        use.lat_e7 / PLACE_STEPS,
        use.state,
        instant_text(use.contact_s) if use.contact_s else "",
        instant_text(_stops_s(use)),
    )


def _stops_s(use: Row[Any]) -> int:
    """When a device is silent by itself, because its offer or the use is over."""
    return int(use.until_at if use.offered_s is None else min(use.until_at, use.offered_s))
