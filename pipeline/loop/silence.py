"""Devices that say nothing: lost ones, and those without a contact since an order to stop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Column, Connection, func, or_, select

from pipeline.errors import InputError
from pipeline.files import Output, check_outputs, kind_of_table, write_output_rows
from pipeline.loop.devices import PLACE_STEPS
from pipeline.loop.storage import files_of, open_storage
from pipeline.loop.tables import DEVICE, OFFER, REQUEST, USE
from pipeline.loop.use_states import stopped_uses
from pipeline.loop.uses import COUNTED
from pipeline.loop.withdrawals import orders_not_restored
from pipeline.query.paws import instant_text

# ``stops_by``: when the device is silent by itself, because its offer or the use is over.
_COLUMNS = ("device", "channel", "eirp_dbm", "lon", "lat", "state", "last_contact_at", "stops_by")
_CENTI = 100.0


def lost_command(out: Path, db: str) -> None:
    """Write the uses of devices that said nothing for their polling interval; they count until they end."""
    check_outputs([Output("--out", out, kind_of_table(*_COLUMNS))], files_of(db))
    with open_storage(db).connect() as connection:
        lost = connection.execute(select(USE.c.id).where(USE.c.state == "lost")).scalars()
        rows = list(_rows(connection, set(lost), silent_since_s=None))
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
        since_s = orders[0].from_s
        # Those that ended since did so without a word, unless there was a contact.
        running = or_(USE.c.state.in_(COUNTED), USE.c.ended_at >= since_s)
        concerned = stopped_uses(connection, orders, USE.c.from_at <= since_s, running)
        rows = list(_rows(connection, concerned, silent_since_s=since_s))
    write_output_rows(out, _COLUMNS, rows)
    print(f"order {number}: {len(concerned)} uses, {len(rows)} without a contact since")


def _rows(
    connection: Connection, numbers: Collection[int], silent_since_s: int | None
) -> Iterator[Sequence[object]]:
    """Rows of uses, of devices without a contact since an instant if one is given."""
    contacts = _latest(connection, REQUEST.c.created_at, REQUEST.c.device_key)
    offered = _latest(connection, OFFER.c.expires_at, OFFER.c.device_key)
    found = select(DEVICE.c.device_key, DEVICE.c.register_id).where(DEVICE.c.register_id.is_not(None))
    ids = {str(row.device_key): str(row.register_id) for row in connection.execute(found)}
    for use in connection.execute(select(USE).order_by(USE.c.id)):
        contact_s = contacts.get(use.device_key)
        if use.id not in numbers or (silent_since_s is not None and (contact_s or 0) >= silent_since_s):
            continue
        yield (
            ids.get(use.device_key, use.device_key),
            use.channel,
            use.eirp_cdbm / _CENTI,
            use.lon_e7 / PLACE_STEPS,
            use.lat_e7 / PLACE_STEPS,
            use.state,
            "" if contact_s is None else instant_text(contact_s),
            instant_text(min(use.until_at, offered.get(use.device_key, use.until_at))),
        )


def _latest(connection: Connection, instant: Column[int], device_key: Column[str]) -> dict[str, int]:
    """The last of some instants of each device."""
    found = connection.execute(select(device_key, func.max(instant)).group_by(device_key))
    return {str(key): int(at_s) for key, at_s in found}
