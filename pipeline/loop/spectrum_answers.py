"""Answers to requests for spectrum: schedules, limits, offers (RFC 7545, sections 4.5.2, 4.5.4, 5.9)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from pipeline.files import JsonObject
from pipeline.loop.answer_setting import Setting, found_around, setting_of, with_room
from pipeline.loop.asked_places import at_least, checked_place, circle_of, with_ground
from pipeline.loop.asking import Asked, read_asked, refuse_new_owner
from pipeline.loop.counted import Others
from pipeline.loop.devices import Registration, find_device, register_device
from pipeline.loop.fair_sharing import allowance_of, fair_segments
from pipeline.loop.members import Members, Place
from pipeline.loop.rpc import Written, json_text
from pipeline.loop.rulesets import ETSI, Ruleset, ruleset_info
from pipeline.loop.served import Served
from pipeline.loop.storage import writing
from pipeline.loop.uses import Offer, OfferedWindow, offer_columns
from pipeline.loop.withdrawals import channel_numbers, withdrawn_channels
from pipeline.query.paws import (
    PAWS_VERSION,
    Code,
    PawsError,
    Segment,
    frequency_ranges,
    instant_text,
    spectrum_text,
)
from pipeline.query.query import Found, TimedFound, device_desc_of, evaluated_in_all, over_time, own_members

_RESTRICTION, _CUT_OFF = "etsiEnSimultaneousChannelOperationRestriction", 30
# Of the elements of an array in JSON.
_BETWEEN = ","
_LEAST_FOR_ALL = "1"


class Offered(NamedTuple):
    """An answer for one place: a SpectrumSpec under each ruleset, what they offer, our own members.

    ``rows``: the windows of each offer as JSON.
    """

    place: Place
    specs: list[JsonObject]
    offers: list[Offer]
    rows: list[Written]
    own: JsonObject


def answer_spectrum(served: Served, params: Members, now_s: float) -> tuple[JsonObject, list[JsonObject]]:
    """AVAIL_SPECTRUM_RESP, and the rows of its offers."""
    asked, (place,) = read_asked(served, params, "AVAIL_SPECTRUM_REQ", "location")
    setting = with_room(served, asked, setting_of(served, asked, place, now_s), place)
    offered = _offered(served, asked, setting, place)
    _register_owned(served, asked, place, math.ceil(now_s))
    result = _head(served, "AVAIL_SPECTRUM_RESP", asked, now_s) | {"spectrumSpecs": offered.specs}
    return result | {"location": place.sent} | offered.own, _offer_rows(asked, [offered])


def answer_batch(served: Served, params: Members, now_s: float) -> tuple[JsonObject, list[JsonObject]]:
    """AVAIL_SPECTRUM_BATCH_RESP, and the rows of its offers; places outside are left out, if not all are."""
    asked, places = read_asked(served, params, "AVAIL_SPECTRUM_BATCH_REQ", "locations")
    setting = setting_of(served, asked, places[0], now_s)
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


# --- one place ----------------------------------------------------------------------------------------------


def _offered(served: Served, asked: Asked, setting: Setting, place: Place) -> Offered:
    place = at_least(served, checked_place(served, place), setting.row)
    asked = with_ground(served, asked, place)
    with served.reading:
        found = {
            asked.profiles[one.id]: _over_time(served, setting, asked, one, place) for one in asked.rulesets
        }
    specs: list[JsonObject] = []
    offers: list[Offer] = []
    rows: list[Written] = []
    own: JsonObject = {}
    for ruleset in asked.rulesets:
        parts = found[asked.profiles[ruleset.id]]
        one = parts[0].found
        windows = _windows(served, setting, place, parts)
        free = len(windows[0].segments) if windows else 0
        windows = _fair(served, asked, setting, place, parts, windows)
        specs.append(_spec(served, ruleset, setting, parts, windows))
        if windows:
            radius_m = max(circle_of(place)[2], *(part.found.radius_m for part in parts))
            made = _offer(served, ruleset, setting, one, windows)
            rows.append(_windows_text(served, parts, windows))
            offers.append(
                made._replace(
                    circle=(place.lon_deg, place.lat_deg, radius_m), generic=asked.generic, free=free
                )
            )
        segments = windows[0].segments if windows else ()
        make = partial(_own_texts, served, one, segments)
        own = own or _of_channels(served, one, segments, "own", make)
    return Offered(place, specs, offers, rows, own)


def _over_time(
    served: Served, setting: Setting, asked: Asked, ruleset: Ruleset, place: Place
) -> list[TimedFound]:
    """What is found from now to the end of the answer, less what the uses of others take of it."""
    parts = over_time(
        served.database,
        setting.now_s,
        max(setting.until_s, setting.now_s + 1),
        lambda part: found_around(part, served, asked, ruleset, place),
    )
    if setting.uses is None:
        return parts
    before, room = setting.uses, setting.room
    if room is None:
        return [part._replace(found=_left(served, place, part.found, before)) for part in parts]
    now, then = _split(parts, room.from_s)
    return [
        *(part._replace(found=_left(served, place, part.found, before)) for part in now),
        *(part._replace(found=_left(served, place, part.found, room.others)) for part in then),
    ]


def _split(parts: Sequence[TimedFound], at_s: int) -> tuple[list[TimedFound], list[TimedFound]]:
    """Parts before and from an instant on."""
    before = [part._replace(until_s=min(part.until_s, at_s)) for part in parts if part.from_s < at_s]
    after = [part._replace(from_s=max(part.from_s, at_s)) for part in parts if part.until_s > at_s]
    return before, after


def _left(served: Served, place: Place, found: Found, uses: Others) -> Found:
    """What uses leave of what was found; of a region, anywhere in a circle around it."""
    around = found._replace(radius_m=max(found.radius_m, circle_of(place)[2]))
    return found._replace(raw=served.residual().left(around, uses).raw)


def _windows(
    served: Served, setting: Setting, place: Place, parts: Sequence[TimedFound]
) -> tuple[OfferedWindow, ...]:
    """What is offered from now on; nothing before the run begins, after it has ended."""
    if not setting.from_s <= setting.now_s < setting.until_s:
        return ()
    corners = place.corners or ((place.lon_deg, place.lat_deg),)
    windows = []
    for part in parts:
        # Of slaves that may be anywhere in their master's reach it is the circle of that.
        stopped = withdrawn_channels(setting.orders, corners, part.found.radius_m)
        segments = served.segments_of(part.found)
        if stopped:
            segments = tuple(one for one in segments if not stopped & {"*", *channel_numbers(one.channel)})
        windows.append(OfferedWindow(part.from_s, part.until_s, segments))
    return tuple(windows)


def _fair(
    served: Served,
    asked: Asked,
    setting: Setting,
    place: Place,
    parts: Sequence[TimedFound],
    windows: tuple[OfferedWindow, ...],
) -> tuple[OfferedWindow, ...]:
    """What is offered of it, where the settings limit what one owner may have."""
    if not windows or not served.has_shares:
        return windows
    profile = str(parts[0].found.layers[-1]["id"])
    circle = (*circle_of(place)[:2], max(circle_of(place)[2], parts[0].found.radius_m))
    with served.engine.connect() as connection, served.reading:
        allowance = allowance_of(
            served, connection, setting.row, asked.key, setting.known, circle, profile, setting.now_s
        )
    if allowance is None:
        return windows
    return tuple(
        one._replace(
            until_s=int(min(one.until_s, allowance.until_s)),
            segments=fair_segments(allowance, one.segments, len(one.segments)),
        )
        for one in windows
        if one.from_s < allowance.until_s
    )


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
    until_s = setting.until_s if windows else _silent_until_s(setting)
    resolutions_hz = _resolutions_hz(served, ruleset)
    bandwidth_hz = found.layers[-1]["bandwidth_hz"]
    schedules = []
    for part, one in zip(parts, windows, strict=False):
        make = partial(_spectra, one.segments, resolutions_hz, bandwidth_hz)
        spectra = _of_channels(served, part.found, one.segments, ruleset.id, make)
        schedules.append({"eventTime": _period(one.from_s, one.until_s), "spectra": spectra})
    return {
        "rulesetInfo": whole(ruleset_info(ruleset, served.facts, setting.polling_s)),
        "timeRange": _period(setting.now_s, until_s),
        "frequencyRanges": _evaluated_text(served, [part.found for part in parts]),
        **_limits(served, ruleset, found),
        "spectrumSchedules": schedules or [{"eventTime": _period(setting.now_s, until_s), "spectra": []}],
    }


def _spectra(segments: Sequence[Segment], resolutions_hz: Sequence[float], bandwidth_hz: float) -> Written:
    """The member `spectra`."""
    texts = (spectrum_text(segments, hz, bandwidth_hz) for hz in resolutions_hz)
    return Written(f"[{_BETWEEN.join(texts)}]")


def _of_channels(
    served: Served, found: Found, segments: Sequence[Segment], name: str, make: Callable[[], Any]
) -> Any:  # noqa: ANN401 - texts and rows
    """What is made of the channels offered, kept with the place if they are all that there are."""
    return served.kept(found, name, make) if segments is served.segments_of(found) else make()


def _evaluated_text(served: Served, found: Sequence[Found]) -> Written:
    """The member `frequencyRanges`: channels that were evaluated in all parts."""

    def make() -> Written:
        evaluated = evaluated_in_all(found)
        key = ("ranges", *(entry["channel"] for entry in evaluated))
        text = served.of_run(key, lambda: json_text(whole(frequency_ranges(evaluated))))
        return Written(text)

    return cast(Written, served.kept(found[0], "evaluated", make) if len(found) == 1 else make())


def _own_texts(served: Served, found: Found, segments: Sequence[Segment]) -> JsonObject:
    """Members of our own, the longest as text."""
    members = own_members(served.database, found, segments)
    return members | {"channels": Written(json_text(members["channels"]))}


def _silent_until_s(setting: Setting) -> int:
    """How long nothing may be used: until the next question, or until something may be used."""
    soon_s = setting.now_s + setting.polling_s
    return min(setting.from_s, soon_s) if setting.from_s > setting.now_s else soon_s


def _period(from_s: int, until_s: int) -> JsonObject:
    return {"startTime": instant_text(from_s), "stopTime": instant_text(until_s)}


def _resolutions_hz(served: Served, ruleset: Ruleset) -> list[float]:
    """Bandwidths of the levels; 0 stands for the width of a channel."""
    channels = served.facts["channels"]
    width_hz = served.of_run(
        "width_hz", lambda: min(entry["stop_hz"] - entry["start_hz"] for entry in channels)
    )
    return [hz or width_hz for hz in ruleset.resolutions_hz]


def _limits(served: Served, ruleset: Ruleset, found: Found) -> JsonObject:
    """Members on bandwidth and on channels together; those of ETSI under its rules alone."""
    limits: JsonObject = served.of_run(
        ("limits", ruleset.id, found.layers[-1]["id"]), partial(_limits_of, served, ruleset, found)
    )
    return limits


def _limits_of(served: Served, ruleset: Ruleset, found: Found) -> JsonObject:
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
    return [
        {"device_key": asked.key, **offer_columns(offer, windows)}
        for one in answered
        for offer, windows in zip(one.offers, one.rows, strict=True)
    ]


def _windows_text(served: Served, parts: Sequence[TimedFound], windows: Sequence[OfferedWindow]) -> Written:
    """Windows of an offer as its row has them."""
    texts = []
    for part, one in zip(parts, windows, strict=False):
        segments = _of_channels(served, part.found, one.segments, "row", partial(json.dumps, one.segments))
        texts.append(f"[{one.from_s}, {one.until_s}, {segments}]")
    return Written(f"[{', '.join(texts)}]")
