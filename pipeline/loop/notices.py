"""SPECTRUM_USE_NOTIFY: what a device uses, stored before it is acknowledged (RFC 7545, sections 4.5.5,
4.5.6).

A refusal is a rule of this database: RFC 7545 has no other answer to a notice than its receipt. A device
whose notice is refused does not transmit and asks again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from pipeline.files import JsonObject
from pipeline.grid.grid import GEOD
from pipeline.loop.asked_places import circle_of, sure_place
from pipeline.loop.asking import (
    begin,
    check_registered,
    check_uncertainty,
    kind_of,
    read_desc,
    says_master,
    standing_of,
)
from pipeline.loop.counted import CountedUse, Known, Others
from pipeline.loop.devices import PLACE_STEPS, device_key_of
from pipeline.loop.fair_sharing import allowance_of, refuse_more
from pipeline.loop.members import DeviceDesc, Members, Place, UsedSpectrum, read_place, read_spectra
from pipeline.loop.rulesets import Ruleset
from pipeline.loop.served import Served
from pipeline.loop.storage import writing
from pipeline.loop.tables import OFFER, USE
from pipeline.loop.uses import (
    ALIVE,
    DISPLACED,
    RESERVED,
    ChannelUse,
    Offer,
    offer_of,
    until_s_of,
    uses_within,
    window_at,
)
from pipeline.loop.withdrawals import Order, channel_numbers, withdrawn_channels
from pipeline.query.paws import PAWS_VERSION, Code, PawsError


class UseNotice(NamedTuple):
    """A notice as it was read: ``place`` of the device, of a slave that gives none its master's."""

    device: DeviceDesc
    key: str
    rulesets: list[Ruleset]
    place: Place
    spectra: list[UsedSpectrum]
    body_sha256: str


def notify_use(served: Served, params: Members, now_s: float) -> JsonObject:
    """SPECTRUM_USE_RESP; INVALID_VALUE for a use that no living offer at this place allows."""
    notice = _read(served, params)
    at_s = math.ceil(now_s)
    with writing(served.engine) as connection:
        if any(one.profiles for one in notice.spectra):
            row, _, known = standing_of(connection, served, notice.key, notice.rulesets, at_s)
            check_registered(notice.rulesets, notice.device, row, brings_owner=False)
            notice = notice._replace(place=sure_place(served, notice.place))
            _replace(connection, served, notice, row, known, at_s)
        else:
            end_uses(connection, notice.key, at_s, "ended")
    return {"type": "SPECTRUM_USE_RESP", "version": PAWS_VERSION}


def _read(served: Served, params: Members) -> UseNotice:
    found, rulesets = begin(served, params, "SPECTRUM_USE_NOTIFY", ["deviceDesc", "spectra"])
    is_slave = kind_of(found, {**params, "requestType": None}).slave
    found.require(params, ["masterDeviceLocation" if is_slave else "location"])
    device = read_desc(found, params, "deviceDesc", rulesets)
    if device is not None and is_slave and says_master(device):
        found.wrong("masterDeviceLocation", "stands beside a device that is a master")
    read_desc(found, params, "masterDeviceDesc", rulesets, demanded=False)
    places = [read_place(found, params, name) for name in ("location", "masterDeviceLocation")]
    check_uncertainty(found, served, places)
    spectra = read_spectra(found, params)
    found.settle()
    place = next(place for place in places if place is not None)
    if device is None:
        raise PawsError(Code.MISSING, "deviceDesc", {"parameters": ["deviceDesc"]})
    told = json.dumps([params["spectra"], place.sent], sort_keys=True)
    return UseNotice(
        device, device_key_of(device), rulesets, place, spectra, sha256(told.encode()).hexdigest()
    )


def _replace(
    connection: Connection, served: Served, notice: UseNotice, row: JsonObject | None, known: Known, at_s: int
) -> None:
    """Put a use in the place of the device's former one; one that is the same goes on."""
    offer, uses = _allowed(_living_offers(connection, served, notice, at_s), notice, at_s)
    # Of slaves that may be anywhere in their master's reach the offer's circle is that.
    circle = max(circle_of(notice.place), offer.circle, key=lambda one: one[2])
    _refuse_stopped(known.orders_at(at_s), notice.place, circle[2], uses)
    until_s = until_s_of(offer, at_s, notice.spectra)
    new = [CountedUse(0, offer.layers, str(one.segment.channel), one.eirp_cdbm, *circle) for one in uses]
    _check_sum(served, known.others(notice.key, at_s), new)
    allowance = allowance_of(served, connection, row, notice.key, known, circle, offer.profile, at_s)
    window = window_at(offer, at_s)
    refuse_more(allowance, window.segments if window else (), offer.free, [one.segment for one in uses])
    wanted = {
        "profile": offer.profile,
        "layers": list(offer.layers),
        "lon_e7": round(circle[0] * PLACE_STEPS),
        "lat_e7": round(circle[1] * PLACE_STEPS),
        "radius_m": circle[2],
        "body_sha256": notice.body_sha256,
    }
    life = {"offer_id": offer.offer_id, "run_id": offer.run_id, "until_at": until_s}
    if _goes_on(connection, notice.key, wanted, life):
        return
    end_uses(connection, notice.key, at_s, "ended")
    common = wanted | life | {"created_at": at_s, "device_key": notice.key, "from_at": at_s}
    rows = [common | {"state": "active"} | _channel_columns(one) for one in uses]
    connection.execute(insert(USE), rows)


def _goes_on(connection: Connection, key: str, wanted: JsonObject, life: JsonObject) -> bool:
    """Whether the device's use is the same already: a notice that is sent again prolongs it, or nothing."""
    of_device = (USE.c.device_key == key, USE.c.state.in_(ALIVE))
    found = connection.execute(select(USE).where(*of_device)).mappings().all()
    if not found or any(
        row["state"] != "active"
        or row["reason"] == DISPLACED
        or any(row[name] != value for name, value in wanted.items())
        for row in found
    ):
        return False
    until_s = max(life["until_at"], *(row["until_at"] for row in found))
    if any(row["until_at"] != until_s for row in found):
        connection.execute(update(USE).where(*of_device).values(life | {"until_at": until_s}))
    return True


def _refuse_stopped(
    orders: Sequence[Order], place: Place, radius_m: float, uses: Sequence[ChannelUse]
) -> None:
    """INVALID_VALUE for a channel that was withdrawn after it was offered."""
    stopped = withdrawn_channels(orders, place.corners or ((place.lon_deg, place.lat_deg),), radius_m)
    for use in uses:
        if stopped & {"*", *channel_numbers(use.segment.channel)}:
            told = f"spectra: channel {use.segment.channel} is withdrawn: ask again"
            raise PawsError(Code.INVALID_VALUE, told)


def _check_sum(served: Served, others: Others, new: Sequence[CountedUse]) -> None:
    """INVALID_VALUE where others took meanwhile what was offered."""
    if not new or not served.is_lowered(others):
        return
    with served.reading:
        fits = served.residual().fits(new, others)
    if not fits:
        raise PawsError(Code.INVALID_VALUE, "AGGREGATE: ask again")


def _channel_columns(use: ChannelUse) -> JsonObject:
    segment = use.segment
    return {
        "channel": str(segment.channel),
        "start_hz": segment.start_hz,
        "stop_hz": segment.stop_hz,
        "eirp_cdbm": use.eirp_cdbm,
    }


def end_uses(
    connection: Connection, device_key: str, at_s: int, state: str, reason: str | None = None
) -> None:
    """The uses of a device that still counted count no more."""
    of_device = update(USE).where(USE.c.device_key == device_key, USE.c.state.in_((*ALIVE, RESERVED)))
    connection.execute(of_device.values(state=state, ended_at=at_s, reason=reason))


def _living_offers(connection: Connection, served: Served, notice: UseNotice, at_s: int) -> list[Offer]:
    """Offers to the device at its place that may be used now, the latest first."""
    of = OFFER.c
    wanted = select(OFFER).where(of.device_key == notice.key, of.expires_at > at_s).order_by(of.id.desc())
    near_m = float(served.facts["ruleset"]["maxLocationChange"])
    offers = map(offer_of, connection.execute(wanted))
    return [one for one in offers if not one.generic and _beyond_m(one, notice.place) <= near_m]


def _beyond_m(offer: Offer, place: Place) -> float:
    """How far a device has moved since an offer, or is less certain of its place by."""
    lon_deg, lat_deg, radius_m = circle_of(place)
    _, _, moved_m = GEOD.inv(*offer.circle[:2], lon_deg, lat_deg)
    return float(moved_m) + max(0.0, radius_m - offer.circle[2])


def _allowed(offers: Sequence[Offer], notice: UseNotice, at_s: int) -> tuple[Offer, list[ChannelUse]]:
    """The first offer that allows a use; the fault is that of the latest offer."""
    fault = PawsError(Code.INVALID_VALUE, "spectra: no living offer to this device at this place: ask again")
    for number, offer in enumerate(offers):
        window = window_at(offer, at_s)
        if window is None:
            continue
        try:
            return offer, uses_within(offer, window, notice.spectra)
        except PawsError as error:
            fault = error if number == 0 else fault
    raise fault
