"""The register of devices in the database: who they are, where they are, whether they may ask.

A device is known by manufacturer, model and serial number through all its registrations; what it was before a
change is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from pipeline.files import JsonObject
from pipeline.loop.members import Antenna, DeviceDesc, Findings, Members, Place, card_texts, read_names
from pipeline.loop.tables import CONTACT, DEVICE, DEVICE_HISTORY

_KEY_LENGTH, _MOST_KEYS = 32, 4096
PLACE_STEPS = 1e7
_HIDDEN = ("id", "created_at", "updated_at", "version")
# Members of a descriptor that columns of the register hold.
_COLUMNS = {
    "manufacturer_id": "manufacturer_id",
    "model_id": "model_id",
    "serial_number": "serial_number",
    "technology_id": "technology_id",
    "fcc_id": "fcc_id",
    "category": "category",
    "type": "kind",
}


# Made once, as it is asked at every request.
_BY_KEY = select(DEVICE).where(DEVICE.c.device_key == bindparam("key"))


def device_key_of(device: DeviceDesc) -> str:
    """What identifies a device: its manufacturer (of FCC devices the FCC id), model and serial number."""
    return key_of(device.manufacturer_id or device.fcc_id, device.model_id, device.serial_number)


def key_of_sent(sent: Members) -> str:
    """The same of a descriptor as it came, whatever else it holds."""
    names = read_names(Findings(), sent)
    return key_of(names["manufacturerId"] or names["fccId"], names["modelId"], names["serialNumber"])


@lru_cache(maxsize=_MOST_KEYS)
def key_of(*names: str) -> str:
    """A short hash of names."""
    return sha256(json.dumps(names).encode()).hexdigest()[:_KEY_LENGTH]


class Registration(NamedTuple):
    """What a device says of itself when it registers; ``owner`` cards by role."""

    device: DeviceDesc
    ruleset_ids: list[str]
    place: Place | None
    antenna: Antenna
    owner: Mapping[str, Sequence[Any]]
    master_key: str | None = None


def find_device(connection: Connection, device_key: str) -> JsonObject | None:
    """The row of a device, None where it was never seen."""
    row = connection.execute(_BY_KEY, {"key": device_key}).mappings().first()
    return None if row is None else dict(row)


def device_named(connection: Connection, name: str) -> JsonObject | None:
    """The row of a device by its id of the register or its key; None where there is none."""
    wanted = select(DEVICE).where(or_(DEVICE.c.register_id == name, DEVICE.c.device_key == name))
    found = connection.execute(wanted).mappings().first()
    return None if found is None else dict(found)


def row_of(given: Registration) -> JsonObject:
    """The columns that a registration fills."""
    device, place, antenna = given.device, given.place, given.antenna
    row: JsonObject = {column: getattr(device, name) or None for column, name in _COLUMNS.items()}
    row |= {
        "kind": {"A": "fixed", "FIXED": "fixed"}.get(device.kind, "portable"),
        "emission_class": int(device.emission_class) if device.emission_class else None,
        "fcc_type": device.kind if device.fcc_id else None,
        "ruleset_ids": given.ruleset_ids,
        "height_m": antenna.height_m,
        "height_uncertainty_m": antenna.spread_m,
        "height_type": "AMSL" if antenna.above_sea else "AGL",
        "master_key": given.master_key,
        "details": {"deviceDesc": device.sent},
    }
    if place is not None:
        row |= {
            "lon_e7": round(place.lon_deg * PLACE_STEPS),
            "lat_e7": round(place.lat_deg * PLACE_STEPS),
            "uncertainty_m": place.radius_m,
            "confidence_pct": place.confidence_pct,
        }
    return row


def register_device(connection: Connection, given: Registration, now_s: int) -> bool:
    """Insert or update a device as `registered`; whether anything but the instant changed."""
    row = row_of(given) | {"state": "registered"}
    known = find_device(connection, device_key_of(given.device))
    if known is not None:  # what the register says of it beside what the device says stays
        row["details"] = known["details"] | row["details"]
    for role, card in given.owner.items():
        row[f"{role}_key"] = store_contact(connection, card, now_s)
    return store_device(connection, device_key_of(given.device), row, "device", now_s)


def note_device(connection: Connection, given: Registration, now_s: int) -> None:
    """A device that has only asked: known as `seen`, unless it is known already."""
    if find_device(connection, device_key_of(given.device)) is None:
        store_device(
            connection, device_key_of(given.device), row_of(given) | {"state": "seen"}, "device", now_s
        )


def store_device(connection: Connection, device_key: str, row: JsonObject, by: str, now_s: int) -> bool:
    """Insert a device, or update it and keep what it was; whether anything changed."""
    known = find_device(connection, device_key)
    if known is None:
        content = {"device_key": device_key, "created_at": now_s, "updated_at": now_s, "version": 1}
        connection.execute(insert(DEVICE).values(content | row))
        return True
    changed = {name: value for name, value in row.items() if known[name] != value}
    version = known["version"] + bool(changed)
    changes = changed | {"updated_at": now_s, "version": version}
    connection.execute(update(DEVICE).where(DEVICE.c.device_key == device_key).values(changes))
    if changed:
        before = {name: value for name, value in known.items() if name not in _HIDDEN}
        history = {"created_at": now_s, "device_key": device_key, "changed_by": by, "before": before}
        connection.execute(insert(DEVICE_HISTORY).values(history | {"version": known["version"]}))
    return bool(changed)


def contact_key_of(card: Sequence[Any]) -> str:
    """What identifies a contact: its card."""
    return key_of(json.dumps(card, sort_keys=True))


def store_contact(connection: Connection, card: Sequence[Any], now_s: int) -> str:
    """Keep a card unless it is known; its key."""
    key, texts = contact_key_of(card), card_texts(card)
    if connection.execute(select(CONTACT.c.id).where(CONTACT.c.key == key)).first() is None:
        columns = {name: texts.get(name) for name in ("kind", "fn", "org", "adr", "tel", "email")}
        content = columns | {"created_at": now_s, "key": key, "jcard": list(card)}
        connection.execute(insert(CONTACT).values(content))
    return key
