"""Answers to requests for spectrum: schedules, limits, offers (RFC 7545, sections 4.5.2, 4.5.4, 5.9)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pipeline.files import JsonObject
from pipeline.loop.asking import (
    Asked,
    check_layers,
    check_master,
    check_registered,
    checked_place,
    circle_of,
    profile_of,
    read_asked,
    refuse_new_owner,
    request_at,
    standing_of,
)
from pipeline.loop.counted import Others
from pipeline.loop.devices import Registration, device_key_of, find_device, register_device
from pipeline.loop.members import Members, Place
from pipeline.loop.rpc import Written, json_text
from pipeline.loop.rulesets import ETSI, Ruleset, ruleset_info
from pipeline.loop.served import Served, end_s, polling_s
from pipeline.loop.storage import writing
from pipeline.loop.uses import Offer, OfferedWindow, offer_columns
from pipeline.loop.withdrawals import Order, channel_numbers, ordered_polling_s, withdrawn_channels
from pipeline.quantise import NOT_PERMITTED
from pipeline.query.database import Database
from pipeline.query.paws import (
    PAWS_VERSION,
    Code,
    PawsError,
    Segment,
    frequency_ranges,
    instant_text,
    spectrum,
)
from pipeline.query.query import (
    Found,
    TimedFound,
    device_desc_of,
    evaluated_in_all,
    found_for,
    layers_of,
    over_time,
    own_members,
    segments_of,
    usable_of,
)

_RESTRICTION, _CUT_OFF = "etsiEnSimultaneousChannelOperationRestriction", 30
_LEAST_FOR_ALL = "1"
_MOST_SPECTRA = 4096


class Offered(NamedTuple):
    """An answer for one place: a SpectrumSpec under each ruleset, what they offer, our own members."""

    place: Place
    specs: list[JsonObject]
    offers: list[Offer]
    own: JsonObject


class Setting(NamedTuple):
    """What the places of one request share: instants in UTC seconds, orders in force, uses of others."""

    now_s: int
    from_s: int
    until_s: int
    polling_s: int
    orders: Sequence[Order]
    uses: Others | None


def answer_spectrum(served: Served, params: Members, now_s: float) -> tuple[JsonObject, list[JsonObject]]:
    """AVAIL_SPECTRUM_RESP, and the rows of its offers."""
    asked, (place,) = read_asked(served, params, "AVAIL_SPECTRUM_REQ", "location")
    offered = _offered(served, asked, _setting_of(served, asked, place, now_s), place)
    _register_owned(served, asked, place, math.ceil(now_s))
    result = _head(served, "AVAIL_SPECTRUM_RESP", asked, now_s) | {"spectrumSpecs": offered.specs}
    return result | {"location": place.sent} | offered.own, _offer_rows(asked, [offered])


def answer_batch(served: Served, params: Members, now_s: float) -> tuple[JsonObject, list[JsonObject]]:
    """AVAIL_SPECTRUM_BATCH_RESP, and the rows of its offers; places outside are left out, if not all are."""
    asked, places = read_asked(served, params, "AVAIL_SPECTRUM_BATCH_REQ", "locations")
    setting = _setting_of(served, asked, places[0], now_s)
    answered: list[Offered] = []
    outside: PawsError | None = None
    for place in places[: served.loop.max_batch_locations]:
        try:
            answered.append(_offered(served, asked, setting, place))
        except PawsError as error:
            if error.code != Code.OUTSIDE_COVERAGE:
                raise
            outside = error
    if outside is not None and not answered:
        raise outside
    _register_owned(served, asked, places[0], setting.now_s)
    entries = [{"location": one.place.sent, "spectrumSpecs": one.specs, **one.own} for one in answered]
    head = _head(served, "AVAIL_SPECTRUM_BATCH_RESP", asked, now_s)
    return head | {"geoSpectrumSpecs": entries}, _offer_rows(asked, answered)


def _register_owned(served: Served, asked: Asked, place: Place, at_s: int) -> None:
    """Register a device whose request brings its owner: registering and asking are one step then."""
    if asked.owner and served.loop.registration != "off":
        ids = [one.id for one in asked.rulesets]
        given = Registration(asked.device, ids, place, asked.antenna, asked.owner)
        with writing(served.engine) as connection:
            refuse_new_owner(find_device(connection, asked.key), asked.owner, "owner")
            register_device(connection, given, at_s)


def _head(served: Served, kind: str, asked: Asked, now_s: float) -> JsonObject:
    desc = asked.device.sent
    if asked.made_up:
        profile = next(iter(asked.profiles.values()))
        entry = next(one for one in served.facts["devices"] if one["id"] == profile)
        desc = device_desc_of(served.facts, entry, generic_slave=True)
    return {
        "type": kind,
        "version": PAWS_VERSION,
        "timestamp": instant_text(math.ceil(now_s)),
        "deviceDesc": desc,
    }


def _setting_of(served: Served, asked: Asked, place: Place, now_s: float) -> Setting:
    """Whether the device may ask, and for how long it is answered."""
    check_layers(served, asked, place)
    at_s = math.ceil(now_s)
    if asked.master is not None:
        served.flush()  # its offer may be as young as this request
    with served.engine.connect() as connection:
        row, orders, known = standing_of(connection, served, asked.key, asked.rulesets, at_s)
        check_registered(asked.rulesets, asked.device, row, brings_owner=bool(asked.owner))
        if asked.master is not None and not asked.generic:
            standing_of(connection, served, device_key_of(asked.master), asked.rulesets, at_s)
            if served.loop.slaves_need_master:
                check_master(connection, asked.master, at_s)
    # Slaves do not take the place of their master: its own use counts beside theirs.
    others = known.others("" if asked.generic else asked.key, at_s)
    uses = others if served.loop.aggregate == "enforce" and others.chosen.any() else None
    row = row or {}
    until_s = end_s(served, at_s, row.get("valid_until"))
    from_s = max(served.run.from_s, row.get("valid_from") or 0)
    interval_s = polling_s(served, until_s, at_s, ordered_polling_s(orders))
    return Setting(at_s, from_s, until_s, interval_s, orders, uses)


# --- one place ----------------------------------------------------------------------------------------------


def _offered(served: Served, asked: Asked, setting: Setting, place: Place) -> Offered:
    place = checked_place(served, place, asked.antenna)
    with served.reading:
        found = {
            asked.profiles[one.id]: _over_time(served, setting, asked, one, place) for one in asked.rulesets
        }
    specs: list[JsonObject] = []
    offers: list[Offer] = []
    own: JsonObject = {}
    for ruleset in asked.rulesets:
        parts = found[asked.profiles[ruleset.id]]
        one = parts[0].found
        windows = _windows(setting, place, parts)
        specs.append(_spec(served, ruleset, setting, parts, windows))
        if windows:
            radius_m = max(circle_of(place)[2], *(part.found.radius_m for part in parts))
            made = _offer(served, ruleset, setting, one, windows)
            offers.append(
                made._replace(circle=(place.lon_deg, place.lat_deg, radius_m), generic=asked.generic)
            )
        own = own or own_members(served.database, one, windows[0].segments if windows else [])
    return Offered(place, specs, offers, own)


def _over_time(
    served: Served, setting: Setting, asked: Asked, ruleset: Ruleset, place: Place
) -> list[TimedFound]:
    """What is found from now to the end of the answer, less what the uses of others take of it."""
    parts = over_time(
        served.database,
        setting.now_s,
        max(setting.until_s, setting.now_s + 1),
        lambda part: _found(part, served, asked, ruleset, place),
    )
    if setting.uses is None:
        return parts
    uses = setting.uses
    return [part._replace(found=_left(served, place, part.found, uses)) for part in parts]


def _left(served: Served, place: Place, found: Found, uses: Others) -> Found:
    """What uses leave of what was found; of a region, anywhere in a circle around it."""
    around = found._replace(radius_m=max(found.radius_m, circle_of(place)[2]))
    return found._replace(raw=served.residual().left(around, uses).raw)


def _found(database: Database, served: Served, asked: Asked, ruleset: Ruleset, place: Place) -> Found:
    """The lowest values around a place; of a slave without one, wherever it hears its master."""
    request = request_at(asked, ruleset, place)
    if not asked.in_reach or asked.generic:
        anybodys = request._replace(device_desc=None)
        return served.found_at((id(database), anybodys), lambda: found_for(database, anybodys))
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


def _windows(setting: Setting, place: Place, parts: Sequence[TimedFound]) -> tuple[OfferedWindow, ...]:
    """What is offered from now on; nothing before the run begins, after it has ended."""
    if not setting.from_s <= setting.now_s < setting.until_s:
        return ()
    corners = place.corners or ((place.lon_deg, place.lat_deg),)
    windows = []
    for part in parts:
        # Of slaves that may be anywhere in their master's reach it is the circle of that.
        stopped = withdrawn_channels(setting.orders, corners, part.found.radius_m)
        segments = segments_of(part.found.entries, part.found.raw)
        if stopped:
            segments = [one for one in segments if not stopped & {"*", *channel_numbers(one.channel)}]
        windows.append(OfferedWindow(part.from_s, part.until_s, tuple(segments)))
    return tuple(windows)


# --- as messages --------------------------------------------------------------------------------------------


def _spec(
    served: Served,
    ruleset: Ruleset,
    setting: Setting,
    parts: Sequence[TimedFound],
    windows: Sequence[OfferedWindow],
) -> JsonObject:
    """SpectrumSpec (RFC 7545, section 5.9)."""
    found = parts[0].found
    evaluated = evaluated_in_all([part.found for part in parts])
    until_s = setting.until_s if windows else _silent_until_s(setting)
    schedules = [
        {
            "eventTime": _period(one.from_s, one.until_s),
            "spectra": _spectra(
                one.segments, tuple(_resolutions_hz(served, ruleset)), found.layers[-1]["bandwidth_hz"]
            ),
        }
        for one in windows
    ]
    return {
        "rulesetInfo": whole(ruleset_info(ruleset, served.facts, setting.polling_s)),
        "timeRange": _period(setting.now_s, until_s),
        "frequencyRanges": whole(frequency_ranges(evaluated)),
        **_limits(served, ruleset, found),
        "spectrumSchedules": schedules or [{"eventTime": _period(setting.now_s, until_s), "spectra": []}],
    }


@lru_cache(maxsize=_MOST_SPECTRA)
def _spectra(
    segments: tuple[Segment, ...], resolutions_hz: tuple[float, ...], bandwidth_hz: float
) -> Written:
    """The member `spectra`: neighbours, and a device that asks again, are told the same."""
    return Written(json_text([whole(spectrum(segments, hz, bandwidth_hz)) for hz in resolutions_hz]))


def _silent_until_s(setting: Setting) -> int:
    """How long nothing may be used: until the next question, or until something may be used."""
    soon_s = setting.now_s + setting.polling_s
    return min(setting.from_s, soon_s) if setting.from_s > setting.now_s else soon_s


def _period(from_s: int, until_s: int) -> JsonObject:
    return {"startTime": instant_text(from_s), "stopTime": instant_text(until_s)}


def _resolutions_hz(served: Served, ruleset: Ruleset) -> list[float]:
    """Bandwidths of the levels; 0 stands for the width of a channel."""
    width_hz = min(entry["stop_hz"] - entry["start_hz"] for entry in served.facts["channels"])
    return [hz or width_hz for hz in ruleset.resolutions_hz]


def _limits(served: Served, ruleset: Ruleset, found: Found) -> JsonObject:
    """Members on bandwidth and on channels together; those of ETSI under its rules alone."""
    given = found.layers[-1].get("limits") or served.facts["limits"]
    limits = {name: value for name, value in given.items() if not name.startswith(ETSI.own)}
    if ruleset.family is ETSI:
        restriction = given.get(_RESTRICTION, _LEAST_FOR_ALL)
        limits |= dict.fromkeys((_RESTRICTION, _RESTRICTION[:_CUT_OFF]), restriction)
    told: JsonObject = whole(limits)
    return told


def whole(value: Any) -> Any:  # noqa: ANN401 - plain data
    """Plain data with numbers that are whole written so: 8000000, not 8000000.0."""
    if isinstance(value, dict):
        return {name: whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- offers -------------------------------------------------------------------------------------------------


def _offer(
    served: Served, ruleset: Ruleset, setting: Setting, found: Found, windows: tuple[OfferedWindow, ...]
) -> Offer:
    profile, limits = found.layers[-1], _limits(served, ruleset, found)
    return Offer(
        offer_id=None,
        run_id=served.database.run_id,
        profile=profile["id"],
        layers=tuple(layer["id"] for layer in found.layers),
        windows=windows,
        resolutions_hz=tuple(_resolutions_hz(served, ruleset)),
        bandwidth_hz=profile["bandwidth_hz"],
        most_total_hz=limits["maxTotalBwHz"],
        most_contiguous_hz=limits["maxContiguousBwHz"],
        least_limit_for_all=limits.get(_RESTRICTION, _LEAST_FOR_ALL) == _LEAST_FOR_ALL,
        expires_s=min(setting.now_s + setting.polling_s, setting.until_s),
        circle=(found.location.lon_deg, found.location.lat_deg, found.radius_m),
    )


def _offer_rows(asked: Asked, answered: Sequence[Offered]) -> list[JsonObject]:
    """Rows of the table of offers."""
    return [{"device_key": asked.key, **offer_columns(offer)} for one in answered for offer in one.offers]
