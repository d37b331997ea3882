"""INIT, REGISTRATION and DEV_VALID: which rules hold, who a device is, which slaves may operate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from pipeline.files import JsonObject
from pipeline.loop.asking import (
    begin,
    check_cards,
    check_inside,
    check_uncertainty,
    is_fixed,
    kind_of,
    needs_owner,
    profile_of,
    read_desc,
    refuse_new_owner,
    standing_of,
)
from pipeline.loop.devices import Registration, device_key_of, find_device, register_device
from pipeline.loop.members import (
    DeviceDesc,
    Findings,
    Members,
    read_antenna,
    read_device,
    read_owner,
    read_place,
)
from pipeline.loop.rulesets import Ruleset, ruleset_info, rulesets_of
from pipeline.loop.served import Served, end_s, polling_s
from pipeline.loop.spectrum_answers import whole
from pipeline.loop.storage import writing
from pipeline.loop.withdrawals import Order, ordered_polling_s, orders_in_force, stops
from pipeline.query.paws import PAWS_VERSION, Code, PawsError

_MOST_DEVICES, _LONGEST_REASON = 100, 128


def init(served: Served, params: Members, now_s: float) -> JsonObject:
    """INIT_RESP: the rulesets that are supported where a device is."""
    found, rulesets = begin(served, params, "INIT_REQ", ["deviceDesc", "location"])
    device = read_desc(found, params, "deviceDesc", rulesets, demanded=False)
    place = read_place(found, params, "location")
    check_uncertainty(found, served, [place])
    found.settle()
    if device is None or place is None:
        raise PawsError(Code.INVALID_VALUE, "deviceDesc and location are objects")
    for ruleset in rulesets:
        profile_of(served.facts, ruleset, device)
    at_s = math.ceil(now_s)
    with served.engine.connect() as connection:
        _, orders, _ = standing_of(connection, served, device_key_of(device), rulesets, at_s)
    check_inside(served, place)
    return _infos(served, "INIT_RESP", rulesets, orders, at_s)


def _infos(
    served: Served, kind: str, rulesets: Sequence[Ruleset], orders: Sequence[Order], at_s: int
) -> JsonObject:
    """A message with what devices need to know of some rulesets."""
    interval_s = polling_s(served, end_s(served, at_s), at_s, ordered_polling_s(orders))
    infos = [whole(ruleset_info(one, served.facts, interval_s)) for one in rulesets]
    return {"type": kind, "version": PAWS_VERSION, "rulesetInfos": infos}


# --- registration -------------------------------------------------------------------------------------------


def register(served: Served, params: Members, now_s: float) -> JsonObject:
    """REGISTRATION_RESP: the device is in the register, as it now says it is."""
    given, rulesets = _read_registration(served, params)
    at_s = math.ceil(now_s)
    for ruleset in rulesets:
        profile_of(served.facts, ruleset, given.device)
    with writing(served.engine) as connection:
        row, orders, _ = standing_of(connection, served, device_key_of(given.device), rulesets, at_s)
        accepted = _accepted(served, rulesets)
        if given.place is not None:
            check_inside(served, given.place)
        if served.loop.registration == "off":
            raise PawsError(Code.UNIMPLEMENTED, "this database has no registration")
        refuse_new_owner(row, given.owner, "deviceOwner")
        register_device(connection, given._replace(ruleset_ids=[one.id for one in accepted]), at_s)
    return _infos(served, "REGISTRATION_RESP", accepted, orders, at_s)


def _read_registration(served: Served, params: Members) -> tuple[Registration, list[Ruleset]]:
    found, rulesets = begin(served, params, "REGISTRATION_REQ", ["deviceDesc"])
    is_slave = kind_of(found, {**params, "requestType": None}).slave
    if not is_slave or params.get("masterDeviceLocation") is None:
        found.require(params, ["location"])
    device = read_desc(found, params, "deviceDesc", rulesets)
    sent = params.get("deviceDesc")
    sent = sent if isinstance(sent, Mapping) else {}
    if sent:
        found.require(sent, ["rulesetIds"], "deviceDesc.")
    antenna = read_antenna(found, params, needed=not is_slave and is_fixed(sent, rulesets))
    if needs_owner(rulesets, sent):
        found.require(params, ["deviceOwner"])
    owner = read_owner(found, params, "deviceOwner")
    check_cards(found, "deviceOwner", owner, rulesets, sent)
    master = read_desc(found, params, "masterDeviceDesc", rulesets, demanded=False)
    places = [read_place(found, params, name) for name in ("location", "masterDeviceLocation")]
    check_uncertainty(found, served, places)
    found.settle()
    if device is None:
        raise PawsError(Code.INVALID_VALUE, "deviceDesc is not an object")
    place = next((place for place in places if place is not None), None)
    master_key = None if master is None else device_key_of(master)
    return Registration(device, [], place, antenna, owner, master_key), rulesets


def _accepted(served: Served, rulesets: Sequence[Ruleset]) -> list[Ruleset]:
    """The rulesets that a device can register for here; NOT_REGISTERED where others have registrations."""
    accepted = [one for one in rulesets if one.registration != "off"]
    if not accepted and served.loop.registration != "off":
        raise PawsError(Code.NOT_REGISTERED, "none of the rulesets takes registrations")
    return accepted


# --- slaves -------------------------------------------------------------------------------------------------


def verify_devices(served: Served, params: Members, now_s: float) -> JsonObject:
    """DEV_VALID_RESP: which devices may operate as slaves, as many entries as were asked, in their order."""
    without_rules = {**params, "deviceDesc": None, "masterDeviceDesc": None}
    found, _ = begin(served, without_rules, "DEV_VALID_REQ", ["deviceDescs"])
    read_desc(found, params, "masterDeviceDesc", [], demanded=False)
    devices = _read_devices(found, params)
    found.settle()
    with served.engine.connect() as connection:
        orders = orders_in_force(connection, math.ceil(now_s))
        validities = [_validity(connection, served, orders, one, math.ceil(now_s)) for one in devices]
    return {"type": "DEV_VALID_RESP", "version": PAWS_VERSION, "deviceValidities": validities}


def _read_devices(found: Findings, params: Members) -> list[DeviceDesc]:
    sent = found.list_of(params, "deviceDescs")
    if sent is not None and not 1 <= len(sent) <= _MOST_DEVICES:
        found.wrong("deviceDescs", f"has {len(sent)} entries, allowed: 1 to {_MOST_DEVICES}")
        return []
    devices = []
    for number, one in enumerate(sent or []):
        name = f"deviceDescs[{number}]"
        if isinstance(one, Mapping):
            found.require(one, ["serialNumber"], f"{name}.")
            devices.append(read_device(found, one, f"{name}."))
        else:
            found.wrong(name, "is not an object")
    return devices


def _validity(
    connection: Connection, served: Served, orders: Sequence[Order], device: DeviceDesc, now_s: int
) -> JsonObject:
    """DeviceValidity (RFC 7545, section 5.16)."""
    reason = _why_not(connection, served, orders, device, now_s)
    validity: JsonObject = {"deviceDesc": device.sent, "isValid": reason is None}
    return validity if reason is None else validity | {"reason": reason}


def _why_not(
    connection: Connection, served: Served, orders: Sequence[Order], device: DeviceDesc, now_s: int
) -> str | None:
    """Why a device may not operate as a slave; None if it may."""
    try:
        rulesets = rulesets_of(served.rulesets, device.sent)
    except PawsError:
        return "none of its rulesets is served"
    key = device_key_of(device)
    row = find_device(connection, key)
    for order in orders:
        if stops(order, key, row, [one.id for one in rulesets]):
            return f"withdrawn: {order.reason}"[:_LONGEST_REASON]
    if row is None or row["state"] == "seen":
        return "not registered"
    if row["state"] != "registered":
        return str(row["state"])
    if row["valid_until"] is not None and row["valid_until"] <= now_s:
        return "licence expired"
    if row["valid_from"] is not None and row["valid_from"] > now_s:
        return "licence not yet in force"
    # The register decides; a device that says that it is a master is none either.
    said = device.sent.get("etsiEnDeviceCategory")
    is_slave = row["category"] == "slave" and (device.category == "slave" or said is None)
    return None if is_slave else "not a slave"
