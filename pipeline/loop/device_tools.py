"""`channelmaps devices`: the register of devices, orders to stop, reports on what is used."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from pipeline.config.bonds import channel_named
from pipeline.errors import InputError
from pipeline.files import (
    JsonObject,
    Output,
    check_outputs,
    json_bytes,
    kind_of_start,
    kind_of_table,
    write_output,
    write_output_rows,
)
from pipeline.loop.device_rows import (
    COLUMNS,
    ContactRow,
    cells_of,
    columns_in_table,
    ids_by_key,
    read_devices,
)
from pipeline.loop.devices import device_named, store_device
from pipeline.loop.events import note_event
from pipeline.loop.storage import files_of, open_storage, writing
from pipeline.loop.tables import CONTACT, DEVICE, DEVICE_HISTORY, OFFER, USE, WITHDRAWAL
from pipeline.loop.uses import ALIVE
from pipeline.query.paws import instant_text
from pipeline.rows.row_models import read_rows

_BY = "register"
_GEOJSON = kind_of_start("a GeoJSON file", rb"\s*\{")


def import_command(path: Path, db: str, contacts: Path | None) -> None:
    """Enter a file of devices, all or none; what a device was before is kept."""
    rows = read_devices(path)
    people = read_rows(contacts, ContactRow) if contacts is not None else []
    now_s = int(time.time())
    with writing(open_storage(db)) as connection:
        for person in people:
            _store_person(connection, person, now_s)
        masters = ids_of(connection) | {row.id: row.device_key() for row in rows}
        known = {str(key) for (key,) in connection.execute(select(CONTACT.c.key))}
        changed = 0
        for row in rows:
            for field, key in (("owner", row.owner), ("operator", row.operator)):
                if key and key not in known:
                    raise InputError(
                        "is no contact",
                        file=path,
                        row=row.row,
                        field=field,
                        value=key,
                        allowed="see --contacts",
                    )
            if row.master_id and row.master_id not in masters:
                raise InputError(
                    "is no device",
                    file=path,
                    row=row.row,
                    field="master_id",
                    value=row.master_id,
                    allowed="an id of this file or of the register",
                )
            changed += store_device(connection, row.device_key(), columns_in_table(row, masters), _BY, now_s)
        note_event(connection, "import", _BY, None, {"devices": len(rows), "changed": changed}, now_s)
    print(f"{len(rows)} devices, {changed} new or changed, {len(people)} contacts")


def _store_person(connection: Connection, person: ContactRow, now_s: int) -> None:
    content = {name: getattr(person, name) or None for name in ("kind", "fn", "org", "adr", "tel", "email")}
    known = update(CONTACT).where(CONTACT.c.key == person.id).values(content)
    if connection.execute(known).rowcount == 0:
        connection.execute(insert(CONTACT).values(content | {"key": person.id, "created_at": now_s}))


def ids_of(connection: Connection) -> dict[str, str]:
    """Keys of the devices of the register by id."""
    found = select(DEVICE.c.register_id, DEVICE.c.device_key).where(DEVICE.c.register_id.is_not(None))
    return {str(row.register_id): str(row.device_key) for row in connection.execute(found)}


def _devices(connection: Connection) -> list[JsonObject]:
    return [dict(row) for row in connection.execute(select(DEVICE).order_by(DEVICE.c.id)).mappings()]


def list_command(db: str) -> None:
    """One line a device: id, state, category, what it is, the channels in use now."""
    with open_storage(db).connect() as connection:
        devices, used = _devices(connection), _channels_used(connection)
    ids = ids_by_key(devices)
    for one in devices:
        name = " ".join(filter(None, (one["manufacturer_id"], one["model_id"], one["serial_number"])))
        channels = ";".join(used.get(one["device_key"], ())) or "-"
        print(f"{ids[one['device_key']]}\t{one['state']}\t{one['category']}\t{name}\t{channels}")


def _channels_used(connection: Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    wanted = select(USE.c.device_key, USE.c.channel).where(USE.c.state.in_(ALIVE)).order_by(USE.c.id)
    for row in connection.execute(wanted):
        found.setdefault(row.device_key, []).append(row.channel)
    return found


def _found(connection: Connection, device: str) -> JsonObject:
    """A device by its id or key; InputError for another one."""
    row = device_named(connection, device)
    if row is None:
        raise InputError("is no device of the register", field="ID", value=device, allowed="see devices list")
    return row


def show_command(device: str, db: str) -> None:
    """All that is known of a device, as JSON: its row, what it was, its uses."""
    with open_storage(db).connect() as connection:
        row = _found(connection, device)
        history = connection.execute(
            select(DEVICE_HISTORY).where(DEVICE_HISTORY.c.device_key == row["device_key"])
        )
        uses = connection.execute(select(USE).where(USE.c.device_key == row["device_key"]))
        content = row | {
            "history": [dict(one) for one in history.mappings()],
            "uses": [dict(one) for one in uses.mappings()],
        }
    print(json.dumps(content, indent=1, ensure_ascii=False))


def export_command(out: Path, db: str) -> None:
    """Write the register as ``devices.csv``."""
    check_outputs([Output("--out", out, kind_of_table("id", "serial_number", "ruleset_ids"))], files_of(db))
    with open_storage(db).connect() as connection:
        devices = [one for one in _devices(connection) if one["state"] != "seen"]
    ids = ids_by_key(devices)
    write_output_rows(out, COLUMNS, (cells_of(one, ids) for one in devices))


def retire_command(device: str, db: str) -> None:
    """A device that is no more: it is refused, its use ends."""
    now_s = int(time.time())
    with writing(open_storage(db)) as connection:
        row = _found(connection, device)
        store_device(connection, row["device_key"], {"state": "retired"}, _BY, now_s)
        ended = update(USE).where(USE.c.device_key == row["device_key"], USE.c.state.in_(ALIVE))
        connection.execute(ended.values(state="ended", ended_at=now_s, reason="retired"))
        note_event(connection, "retire", _BY, row["device_key"], {}, now_s)


def forget_command(contact: str, db: str) -> None:
    """Erase a person: the contact is emptied, also what devices brought of it."""
    now_s = int(time.time())
    empty = dict.fromkeys(("fn", "org", "adr", "tel", "email", "jcard"))
    with writing(open_storage(db)) as connection:
        if connection.execute(update(CONTACT).where(CONTACT.c.key == contact).values(empty)).rowcount == 0:
            raise InputError("is no contact", field="ID", value=contact, allowed="see devices show")
        note_event(connection, "forget", _BY, contact, {}, now_s)


# --- orders -------------------------------------------------------------------------------------------------


class Ordered(NamedTuple):
    """An order as it is given on the command line."""

    device: str | None = None
    owner: str | None = None
    channel: str | None = None
    area: Path | None = None
    ruleset: str | None = None
    everything: bool = False


def withdraw_command(
    ordered: Ordered,
    db: str,
    *,
    reason: str,
    from_s: int | None = None,
    until_s: int | None = None,
    polling_s: int | None = None,
    write_area: Path | None = None,
) -> None:
    """Order to stop; prints when the last device will know.

    ``write_area``: GeoJSON of the area to write, an exclusion for the next run.
    """
    now_s = int(time.time())
    begin_s = now_s if from_s is None else from_s
    if write_area is not None:
        _check_area(ordered, write_area, db)
    with writing(open_storage(db)) as connection:
        scope, target, geometry = _scope_of(connection, ordered)
        row = {
            "created_at": now_s,
            "scope": scope,
            "target": target,
            "geometry": geometry,
            "from_at": begin_s,
            "until_at": until_s,
            "polling_s": polling_s,
            "reason": reason,
            "ordered_by": _BY,
        }
        number = connection.execute(insert(WITHDRAWAL).values(row)).inserted_primary_key
        note_event(connection, "withdraw", _BY, target, {"scope": scope, "reason": reason}, now_s)
        last_s = connection.execute(
            select(func.max(OFFER.c.expires_at)).where(OFFER.c.expires_at > begin_s)
        ).scalar()
    if write_area is not None and geometry is not None:
        write_output(write_area, _exclusion(geometry, reason))
    print(f"order {number[0] if number else '?'}: {scope} {target or ''}".rstrip())
    print(f"last device stops by {instant_text(max(begin_s, int(last_s or begin_s)))}")


def _scope_of(connection: Connection, ordered: Ordered) -> tuple[str, str | None, bytes | None]:
    given = [name for name, value in ordered._asdict().items() if value]
    if len(given) != 1:
        allowed = "one of --device, --owner, --channel, --area, --ruleset, --all"
        raise InputError("says not what stops", field="withdraw", value=", ".join(given), allowed=allowed)
    if ordered.device is not None:
        return "device", str(_found(connection, ordered.device)["device_key"]), None
    if ordered.channel is not None:
        try:
            return "channel", str(channel_named(ordered.channel)), None
        except ValueError:
            raise InputError(
                "is no channel", field="--channel", value=ordered.channel, allowed="46"
            ) from None
    if ordered.area is not None:
        return "area", str(ordered.area), area_of(ordered.area)
    for scope in ("owner", "ruleset"):
        if getattr(ordered, scope) is not None:
            return scope, str(getattr(ordered, scope)), None
    return "all", None, None


def area_of(path: Path) -> bytes:
    """The polygons of a file as one, in longitude and latitude."""
    import shapely

    from pipeline.grid.grid import LONLAT
    from pipeline.grid.polygons import read_frame

    shapes = read_frame(path).to_crs(LONLAT).geometry
    return bytes(shapely.to_wkb(shapely.union_all(shapes.to_numpy())))


def _check_area(ordered: Ordered, path: Path, db: str) -> None:
    if ordered.area is None:
        raise InputError("is of an area", field="--write-area", value=path, allowed="beside --area")
    check_outputs([Output("--write-area", path, _GEOJSON)], [ordered.area, *files_of(db)])


def _exclusion(geometry: bytes, reason: str) -> bytes:
    """The polygons of an order as ``areas.exclusions`` read them."""
    import shapely

    feature = {
        "type": "Feature",
        "properties": {"channels": "*", "reason": reason},
        "geometry": shapely.geometry.mapping(shapely.from_wkb(geometry)),
    }
    return json_bytes({"type": "FeatureCollection", "features": [feature]})


def restore_command(number: int, db: str) -> None:
    """End an order."""
    now_s = int(time.time())
    with writing(open_storage(db)) as connection:
        order = update(WITHDRAWAL).where(WITHDRAWAL.c.id == number, WITHDRAWAL.c.restored_at.is_(None))
        if connection.execute(order.values(restored_at=now_s)).rowcount == 0:
            raise InputError(
                "is no order in force", field="NUMBER", value=number, allowed="a number of withdraw"
            )
        note_event(connection, "restore", _BY, str(number), {}, now_s)
