"""Requests for spectrum, read and checked: who asks, under which rules, where (RFC 7545, section 4.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from pipeline.files import JsonObject
from pipeline.loop.counted import Known
from pipeline.loop.devices import contact_key_of, device_key_of, find_device
from pipeline.loop.members import (
    Antenna,
    DeviceDesc,
    Findings,
    Members,
    Place,
    card_texts,
    kind_under,
    read_antenna,
    read_device,
    read_location,
    read_owner,
    read_place,
    read_ranges_hz,
)
from pipeline.loop.rulesets import FCC, Ruleset, rulesets_of
from pipeline.loop.served import Served
from pipeline.loop.tables import OFFER, USE
from pipeline.loop.uses import ALIVE
from pipeline.loop.withdrawals import Order, refuse_withdrawn
from pipeline.quantise import NODATA_CENTI
from pipeline.query.database import location_of, lowest_raw, lowest_raw_in_region, outside_coverage
from pipeline.query.paws import PAWS_VERSION, Code, PawsError
from pipeline.query.paws_request import fitting_device
from pipeline.query.query import Request, layers_of

_GENERIC = ("generic slave", "generic_slave", "generic")
_LONGEST_KIND = 64
_LEAST_PCT = 50
_MASTER, _MASTER_PLACE = "masterDeviceDesc", "masterDeviceLocation"
# Of FCC devices without profiles in the settings.
_ETSI_TYPES = {"FIXED": "A", "MODE_1": "B", "MODE_2": "B"}
# Properties of the cards of an owner and of an operator that the FCC's rules ask for (RFC 7545, section 9.1).
_CARD_NEEDS = {"owner": ("fn",), "operator": ("fn", "adr", "tel", "email")}


class Asked(NamedTuple):
    """A request for spectrum but for its place.

    ``master`` of a slave; ``profiles`` device of the maps by ruleset; ``generic``: for slaves of which
    nothing is known; ``in_reach``: a slave that may be wherever its master is received; ``made_up``:
    without a descriptor.
    """

    device: DeviceDesc
    key: str
    master: DeviceDesc | None
    rulesets: list[Ruleset]
    profiles: Mapping[str, str]
    antenna: Antenna
    ranges_hz: tuple[tuple[float, float], ...]
    generic: bool
    in_reach: bool
    made_up: bool
    owner: Mapping[str, Sequence[Any]]


class Kind(NamedTuple):
    """On whose behalf a request is made."""

    generic: bool
    slave: bool


def begin(
    served: Served, params: Members, wanted: str, required: Sequence[str]
) -> tuple[Findings, list[Ruleset]]:
    """First checks of a message: type, version, rulesets; what is missing of ``required`` is noted."""
    kind, version = params.get("type"), params.get("version")
    if kind is not None and kind != wanted:
        raise PawsError(Code.INVALID_VALUE, f"type is not {wanted}")
    if version is not None and version != PAWS_VERSION:
        raise PawsError(Code.VERSION, f"only version {PAWS_VERSION}")
    told = next((one for name in ("deviceDesc", _MASTER) if isinstance(one := params.get(name), Mapping)), {})
    rulesets = rulesets_of(served.rulesets, told)
    found = Findings()
    found.require(params, ["type", "version", *required])
    return found, rulesets


def kind_of(found: Findings, params: Members) -> Kind:
    """Whether a request is made for a slave, one that is named or any."""
    desc = params.get("deviceDesc")
    desc = desc if isinstance(desc, Mapping) else {}
    category = desc.get("etsiEnDeviceCategory")
    is_slave = isinstance(category, str) and category.lower() == "slave"
    is_slave |= desc.get(FCC.type_member) == "MODE_1" or params.get(_MASTER_PLACE) is not None
    word = found.text(params, "requestType", _LONGEST_KIND)
    generic = word is not None and word.strip().lower() in _GENERIC
    if word is not None and not generic:
        found.wrong("requestType", "is neither Generic Slave nor absent")
    return Kind(generic, is_slave or generic)


def read_desc(
    found: Findings, params: Members, name: str, rulesets: Sequence[Ruleset], *, demanded: bool = True
) -> DeviceDesc | None:
    """A descriptor of a message; ``demanded``: with all members of its rulesets."""
    sent = found.object_of(params, name)
    if sent is None:
        return None
    if demanded:
        for ruleset in rulesets:
            found.require(sent, ruleset.required, f"{name}.")
    return read_device(found, sent, f"{name}.")


def is_fixed(sent: Members, rulesets: Sequence[Ruleset]) -> bool:
    """Whether a device is one whose antenna's height is asked for."""
    return any(sent.get(one.family.type_member) in one.family.fixed for one in rulesets)


def read_asked(served: Served, params: Members, wanted: str, places: str) -> tuple[Asked, list[Place]]:
    """AVAIL_SPECTRUM_REQ, or its batch (``places`` is ``location`` or ``locations``), and its places.

    Slaves that give no place are answered wherever they hear their master: its place is theirs.
    """
    found, rulesets = begin(served, params, wanted, ())
    kind = kind_of(found, params)
    found.require(params, _needed(served, kind, places))
    device = read_desc(found, params, "deviceDesc", rulesets, demanded=not kind.generic)
    master = read_desc(found, params, _MASTER, rulesets, demanded=False)
    sent = params.get("deviceDesc")
    fixed = isinstance(sent, Mapping) and not kind.generic and is_fixed(sent, rulesets)
    antenna = read_antenna(found, params, needed=fixed)
    read = _read_places(found, params, places)
    master_place = read_place(found, params, _MASTER_PLACE)
    check_uncertainty(found, served, [*read, master_place])
    ranges_hz, owner = read_ranges_hz(found, params), read_owner(found, params, "owner")
    check_cards(found, "owner", owner, rulesets, sent if isinstance(sent, Mapping) else {})
    if device is not None and kind.slave and not kind.generic and says_master(device):
        found.wrong(_MASTER_PLACE, "stands beside a device that is a master")
    found.settle()
    asking = (master or device) if kind.generic else device
    described = asking or read_device(Findings(), {}, "")
    own = device or described
    given = [] if kind.generic else [place for place in read if place is not None]
    asked = Asked(
        device=own,
        key=device_key_of(own),
        master=master if kind.slave else None,
        rulesets=rulesets,
        profiles={one.id: _known_profile(served, one, described) for one in rulesets},
        antenna=antenna,
        ranges_hz=ranges_hz,
        generic=kind.generic,
        in_reach=kind.slave and not given,
        made_up=device is None,
        owner=owner,
    )
    return asked, given or [place for place in [master_place] if place is not None]


def says_master(device: DeviceDesc) -> bool:
    """Whether a descriptor says that it is a master's."""
    word = device.sent.get("etsiEnDeviceCategory")
    return isinstance(word, str) and word.lower() == "master"


def _needed(served: Served, kind: Kind, places: str) -> list[str]:
    """Members that a request for spectrum needs."""
    if kind.generic:
        return [_MASTER_PLACE]
    if not kind.slave:
        return ["deviceDesc", places]
    needed = ["deviceDesc", _MASTER_PLACE, *([_MASTER] if served.loop.slaves_need_master else [])]
    return [*needed, *(["locations"] if places == "locations" else [])]


def _read_places(found: Findings, params: Members, places: str) -> list[Place | None]:
    if places == "location":
        return [read_place(found, params, places)]
    sent = found.list_of(params, places)
    if sent is None:
        return []
    if not sent:
        found.wrong(places, "is empty")
    read: list[Place | None] = []
    for number, one in enumerate(sent):
        if isinstance(one, Mapping):
            read.append(read_location(found, one, f"{places}[{number}]."))
        else:
            found.wrong(f"{places}[{number}]", "is not an object")
    return read


# --- owners -------------------------------------------------------------------------------------------------


def needs_owner(rulesets: Sequence[Ruleset], sent: Members) -> bool:
    """Whether rules demand an owner of a device."""
    return any(sent.get(one.family.type_member) in one.family.registered for one in rulesets)


def check_cards(
    found: Findings,
    member: str,
    owner: Mapping[str, Sequence[Any]],
    rulesets: Sequence[Ruleset],
    sent: Members,
) -> None:
    """What rules that demand an owner demand of the cards."""
    if not needs_owner(rulesets, sent) or not owner:
        return
    found.require(owner, ["operator"], f"{member}.")
    for role, names in _CARD_NEEDS.items():
        if role in owner and not found.invalid:
            texts = card_texts(owner[role])
            for name in names:
                if not texts.get(name):
                    found.wrong(f"{member}.{role}", f"has no {name}")


def refuse_new_owner(row: JsonObject | None, owner: Mapping[str, Sequence[Any]], member: str) -> None:
    """INVALID_VALUE for another owner than before: that is for the regulator."""
    card = owner.get("owner")
    if card is None or row is None or row["owner_key"] is None:
        return
    if row["owner_key"] != contact_key_of(card):
        raise PawsError(Code.INVALID_VALUE, f"{member}.owner is another one: the regulator changes owners")


# --- which maps ---------------------------------------------------------------------------------------------


def profile_of(facts: JsonObject, ruleset: Ruleset, device: DeviceDesc) -> str:
    """The device of the maps that stands for one under a ruleset; UNSUPPORTED where there is none."""
    kind = kind_under(device, ruleset.family)
    if ruleset.profiles:
        if kind and kind not in ruleset.profiles:
            raise PawsError(Code.UNSUPPORTED, f"no device of type {kind} under {ruleset.id}")
        return _known(facts, ruleset.profiles.get(kind, next(iter(ruleset.profiles.values()))))
    if ruleset.family is FCC:
        return fitting_device(facts, {"type": _ETSI_TYPES[kind]} if kind else {})
    given = {"type": kind, "emission_class": device.emission_class}
    return fitting_device(facts, {name: value for name, value in given.items() if value})


def _known_profile(served: Served, ruleset: Ruleset, device: DeviceDesc) -> str:
    """The same, looked for once for each kind of device."""
    key = ("profile", ruleset.id, kind_under(device, ruleset.family), device.kind, device.emission_class)
    return str(served.of_run(key, lambda: profile_of(served.facts, ruleset, device)))


def _known(facts: JsonObject, profile: str) -> str:
    if profile not in {entry["id"] for entry in facts["devices"]}:
        raise PawsError(Code.UNSUPPORTED, f"no device {profile} in the maps")
    return profile


def request_at(asked: Asked, ruleset: Ruleset, place: Place) -> Request:
    """A request of the library for one place under one ruleset."""
    height_m, spread_m = heights_m(asked.antenna)
    return Request(
        place.lon_deg,
        place.lat_deg,
        asked.profiles[ruleset.id],
        height_m,
        place.radius_m,
        generic_slave=asked.generic,
        device_desc=None if asked.made_up else asked.device.sent,
        height_spread_m=spread_m,
        of_whole_kind=True,
        ranges_hz=asked.ranges_hz,
        region=place.corners,
    )


def heights_m(antenna: Antenna) -> tuple[float | None, float]:
    """Height above ground and its spread; what reaches below the ground counts from there."""
    if antenna.height_m is None or antenna.above_sea:
        return None, 0.0
    low_m, high_m = (max(antenna.height_m + side * antenna.spread_m, 1e-3) for side in (-1, 1))
    return (low_m + high_m) / 2.0, (high_m - low_m) / 2.0


def check_layers(served: Served, asked: Asked, place: Place) -> None:
    """UNSUPPORTED where the maps have no layer for the antenna."""
    if asked.antenna.above_sea:  # not before the ground is known
        return
    height = (*heights_m(asked.antenna), asked.generic)
    for ruleset in asked.rulesets:
        key = ("layers", asked.profiles[ruleset.id], height)
        request = request_at(asked, ruleset, place)
        served.of_run(key, partial(_without_data, served.facts, request))


def _without_data(facts: JsonObject, request: Request) -> None:
    try:
        layers_of(facts, request)
    except PawsError as error:
        raise PawsError(error.code, error.message) from None


# --- who may ask --------------------------------------------------------------------------------------------


def standing_now(
    served: Served, asked_key: str, rulesets: Sequence[Ruleset], now_s: int
) -> tuple[JsonObject | None, list[Order], Known]:
    """The same as ``standing_of`` outside of a transaction."""
    found = served.counted.at_once(served.quick, asked_key)
    if found is None:
        with served.engine.connect() as connection:
            return standing_of(connection, served, asked_key, rulesets, now_s)
    return _standing(*found, asked_key, rulesets, now_s)


def standing_of(
    connection: Connection, served: Served, asked_key: str, rulesets: Sequence[Ruleset], now_s: int
) -> tuple[JsonObject | None, list[Order], Known]:
    """The device's row, the orders in force, what else is known; UNAUTHORIZED where it is withdrawn."""
    row, known = served.counted.device(connection, asked_key)
    return _standing(row, known, asked_key, rulesets, now_s)


def _standing(
    row: JsonObject | None, known: Known, asked_key: str, rulesets: Sequence[Ruleset], now_s: int
) -> tuple[JsonObject | None, list[Order], Known]:
    orders = known.orders_at(now_s)
    refuse_withdrawn(orders, asked_key, row, [one.id for one in rulesets])
    return row, orders, known


def check_registered(
    rulesets: Sequence[Ruleset], device: DeviceDesc, row: JsonObject | None, *, brings_owner: bool
) -> None:
    """NOT_REGISTERED where a ruleset demands a registration and the device has none, and brings no owner."""
    if brings_owner or (row is not None and row["state"] == "registered"):
        return
    for ruleset in rulesets:
        if needs_registration(ruleset, device):
            raise PawsError(Code.NOT_REGISTERED, f"{ruleset.id} demands a registration of this device")


def needs_registration(ruleset: Ruleset, device: DeviceDesc) -> bool:
    """Whether a ruleset, or the settings, demand a registration of a device before it gets spectrum."""
    return (
        ruleset.registration == "required" or kind_under(device, ruleset.family) in ruleset.family.registered
    )


def check_master(connection: Connection, master: DeviceDesc, now_s: int) -> None:
    """NOT_REGISTERED where the master of a slave neither has a living offer, nor a use, nor is registered."""
    key = device_key_of(master)
    row = find_device(connection, key)
    if row is not None and row["state"] == "registered":
        return
    offers = select(OFFER.c.id).where(OFFER.c.device_key == key, OFFER.c.expires_at > now_s).limit(1)
    uses = select(USE.c.id).where(USE.c.device_key == key, USE.c.state.in_(ALIVE)).limit(1)
    if connection.execute(offers).first() is None and connection.execute(uses).first() is None:
        raise PawsError(Code.NOT_REGISTERED, "the master has no offer, no use and no registration here")


# --- where --------------------------------------------------------------------------------------------------


def check_inside(served: Served, place: Place) -> None:
    """OUTSIDE_COVERAGE for a circle or region of which a part is outside, whatever the device."""
    with served.reading:
        database = served.database
        profile = database.facts["devices"][0]
        if place.corners:
            lowest = lowest_raw_in_region(database, profile, place.corners)
        else:
            location = location_of(database, place.lon_deg, place.lat_deg)
            lowest = lowest_raw(database, profile, location, place.radius_m)
    if lowest.max() == NODATA_CENTI:
        raise outside_coverage(place.lon_deg, place.lat_deg)


def check_uncertainty(found: Findings, served: Served, places: Sequence[Place | None]) -> None:
    """Note a circle that is larger than any that is answered."""
    for place in places:
        if place is not None:
            found.within("location: uncertainty", place.radius_m, 0.0, served.loop.max_uncertainty_m)
