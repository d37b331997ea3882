"""What the places of a request for spectrum share, and what the maps hold around each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.files import JsonObject
from pipeline.loop.asked_places import at_least, checked_place, with_ground
from pipeline.loop.asking import (
    Asked,
    check_layers,
    check_master,
    check_registered,
    profile_of,
    request_at,
    standing_now,
    standing_of,
)
from pipeline.loop.counted import LOWEST_LEVEL, Known, Others
from pipeline.loop.devices import device_key_of
from pipeline.loop.displacing import Room, level_of, needs_room, room_for
from pipeline.loop.members import Place
from pipeline.loop.rulesets import Ruleset
from pipeline.loop.served import Served, end_s, polling_s
from pipeline.loop.storage import writing
from pipeline.loop.withdrawals import Order, ordered_polling_s
from pipeline.quantise import NOT_PERMITTED
from pipeline.query.database import Database, parts_between
from pipeline.query.query import Found, found_for, layers_of, usable_of


class Setting(NamedTuple):
    """What the places of one request share: instants in UTC seconds, orders in force, uses of others.

    ``row`` of the device in the register; ``room`` that others make for it.
    """

    now_s: int
    from_s: int
    until_s: int
    polling_s: int
    orders: Sequence[Order]
    uses: Others | None
    row: JsonObject | None
    known: Known
    room: Room | None = None


def setting_of(served: Served, asked: Asked, place: Place, now_s: float) -> Setting:
    """Whether the device may ask, and for how long it is answered."""
    check_layers(served, asked, place)
    at_s = math.ceil(now_s)
    if asked.master is not None:
        served.flush()  # its offer may be as young as this request
    row, orders, known = standing_now(served, asked.key, asked.rulesets, at_s)
    check_registered(asked.rulesets, asked.device, row, brings_owner=bool(asked.owner))
    if asked.master is not None and not asked.generic:
        with served.engine.connect() as connection:
            standing_of(connection, served, device_key_of(asked.master), asked.rulesets, at_s)
            if served.loop.slaves_need_master:
                check_master(connection, asked.master, at_s)
    # Slaves do not take the place of their master: its own use counts beside theirs.
    others = known.others("" if asked.generic else asked.key, at_s)
    uses = others if served.is_lowered(others) else None
    licence = row or {}
    until_s = end_s(served, at_s, licence.get("valid_until"))
    from_s = max(served.run.from_s, licence.get("valid_from") or 0)
    interval_s = polling_s(served, until_s, at_s, ordered_polling_s(orders))
    return Setting(at_s, from_s, until_s, interval_s, orders, uses, row, known)


def with_room(served: Served, asked: Asked, setting: Setting, place: Place) -> Setting:
    """A setting in which uses of lower levels make room, where the device has a level and gets nothing."""
    if served.loop.policy != "priority" or setting.uses is None or asked.master is not None or asked.generic:
        return setting
    if setting.row is None or level_of(setting.row) >= LOWEST_LEVEL:
        return setting
    place = at_least(served, checked_place(served, place), setting.row)
    asked = with_ground(served, asked, place)
    part = parts_between(served.database, setting.now_s, setting.now_s + 1)[0]
    with served.reading:
        found = found_around(part.database, served, asked, asked.rulesets[0], place)
        if not needs_room(served, setting.row, setting.known, found, setting.now_s):
            return setting
    with writing(served.engine) as connection:
        row, known = served.counted.device(connection, asked.key)
        with served.reading:
            room = room_for(served, connection, row or setting.row, known, found, setting.now_s)
    return setting._replace(room=room)


def found_around(database: Database, served: Served, asked: Asked, ruleset: Ruleset, place: Place) -> Found:
    """The lowest values around a place; of a slave without one, wherever it hears its master."""
    request = request_at(asked, ruleset, place)
    if not asked.in_reach or asked.generic:
        anybodys = request._replace(device_desc=None)
        kind = (request.device, request.height_m, request.height_spread_m, request.generic_slave)
        layers = served.of_run(("layers of", *kind), lambda: layers_of(served.facts, anybodys))
        return served.found_at((id(database), anybodys), lambda: found_for(database, anybodys, layers=layers))
    master = asked.master or asked.device
    of_master = request._replace(device=profile_of(served.facts, ruleset, master), height_m=None)
    at_master = found_for(database, of_master._replace(ranges_hz=()))
    slaves = layers_of(served.facts, request)
    found = found_for(database, of_master._replace(generic_slave=True, ranges_hz=()), slaves)
    return usable_of(_below(found, at_master), request)


def _below(found: Found, other: Found) -> Found:
    """No channel above another answer; a channel that the other does not have is not permitted."""
    limits = {entry["channel"]: level for entry, level in zip(other.entries, other.raw.tolist(), strict=True)}
    raw = [
        min(level, limits.get(entry["channel"], NOT_PERMITTED))
        for entry, level in zip(found.entries, found.raw.tolist(), strict=True)
    ]
    return found._replace(raw=np.array(raw, dtype=np.int16))
