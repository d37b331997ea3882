"""Offers that answers made, and what devices report of their use of them (docs/server.md).

An offer lives as long as its answer may be used. A use stays inside living offers of the same device and
place: every frequency at or below the level offered there now, in the same resolution.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.files import JsonObject
from pipeline.loop.devices import PLACE_STEPS
from pipeline.loop.members import UsedSpectrum, plain
from pipeline.query.paws import Code, PawsError, Segment, spectrum
from pipeline.query.query import Found

_CENTI = 100.0
# States of what a device uses, by its own word.
ALIVE = ("active", "lost")
# Of what the regulator has granted; it counts as well.
GRANTED = "granted"
# Of what others make room for, until the device that it is for reports its use.
RESERVED = "reserved"
COUNTED = (*ALIVE, GRANTED, RESERVED)
# Reason of a use that makes room.
DISPLACED = "displaced by a higher level"
# Noise of the arithmetic with levels and powers.
_NOISE_DB = 1e-6
# What a device reports below this counts as this: powers that are no number otherwise.
_LEAST_DBM = -200.0
_EDGE_HZ = 1e-3


class OfferedWindow(NamedTuple):
    """What is offered from one instant to another (UTC seconds, half open)."""

    from_s: int
    until_s: int
    segments: tuple[Segment, ...]


class Offer(NamedTuple):
    """One answer: the lowest of some layers of the maps, what was offered when, what holds for all of it.

    ``circle`` that it is the lowest in (longitude, latitude, radius in m); ``generic``: for slaves of which
    nothing is known, not for the device that asked; ``free`` channels at the place, before an owner's share.
    """

    offer_id: int | None
    run_id: str
    profile: str
    layers: tuple[str, ...]
    windows: tuple[OfferedWindow, ...]
    resolutions_hz: tuple[float, ...]
    bandwidth_hz: float
    most_total_hz: float
    most_contiguous_hz: float
    least_limit_for_all: bool
    expires_s: int
    circle: tuple[float, float, float]
    generic: bool = False
    free: int = 0


class ChannelUse(NamedTuple):
    """What a use is in one channel; e.i.r.p. in hundredths of a dBm, rounded up."""

    segment: Segment
    eirp_cdbm: int


def offer_columns(offer: Offer, windows: object) -> JsonObject:
    """The columns of an offer that tell what it is; ``windows`` as JSON."""
    return {
        "run_id": offer.run_id,
        "profile": offer.profile,
        "limits": windows,
        "spec": [
            offer.resolutions_hz,
            offer.bandwidth_hz,
            offer.most_total_hz,
            offer.most_contiguous_hz,
            offer.least_limit_for_all,
            offer.layers,
            offer.generic,
            offer.free,
        ],
        "lon_e7": round(offer.circle[0] * PLACE_STEPS),
        "lat_e7": round(offer.circle[1] * PLACE_STEPS),
        "radius_m": offer.circle[2],
        "from_at": offer.windows[0].from_s,
        "until_at": offer.windows[-1].until_s,
        "expires_at": offer.expires_s,
    }


def use_columns(found: Found, channel: str, eirp_cdbm: int) -> JsonObject:
    """The columns of a use in a channel of what was found: its layers, band, level and circle."""
    entry = next(one for one in found.entries if str(one["channel"]) == channel)
    return {
        "profile": found.layers[-1]["id"],
        "layers": [layer["id"] for layer in found.layers],
        "channel": channel,
        "start_hz": entry["start_hz"],
        "stop_hz": entry["stop_hz"],
        "eirp_cdbm": eirp_cdbm,
        "lon_e7": round(found.location.lon_deg * PLACE_STEPS),
        "lat_e7": round(found.location.lat_deg * PLACE_STEPS),
        "radius_m": found.radius_m,
    }


def offer_of(row: Any) -> Offer:  # noqa: ANN401 - a row of the table
    """The offer of a row."""
    windows = tuple(
        OfferedWindow(from_s, until_s, tuple(Segment(*segment) for segment in segments))
        for from_s, until_s, segments in row.limits
    )
    resolutions_hz, bandwidth_hz, total_hz, contiguous_hz, least, layers, *others = row.spec
    return Offer(
        row.id,
        row.run_id,
        row.profile,
        tuple(layers),
        windows,
        tuple(resolutions_hz),
        bandwidth_hz,
        total_hz,
        contiguous_hz,
        least,
        row.expires_at,
        (row.lon_e7 / PLACE_STEPS, row.lat_e7 / PLACE_STEPS, row.radius_m),
        *others,
    )


def window_at(offer: Offer, now_s: int) -> OfferedWindow | None:
    """What is offered at an instant."""
    return next((one for one in offer.windows if one.from_s <= now_s < one.until_s), None)


def uses_within(offer: Offer, window: OfferedWindow, spectra: Sequence[UsedSpectrum]) -> list[ChannelUse]:
    """What a device's spectra are in each channel of an offer; INVALID_VALUE where they leave it."""
    for one in spectra:
        _check_levels(offer, window, one)
    _check_widths(offer, spectra)
    levels = [(segment, _power_dbm(spectra, segment)) for segment in _concerned(window.segments, spectra)]
    touched = [(segment, dbm) for segment, dbm in levels if dbm is not None]
    if offer.least_limit_for_all and touched:
        total_dbm = 10.0 * math.log10(sum(10.0 ** (dbm / 10.0) for _, dbm in touched))
        least = min((segment for segment, _ in touched), key=lambda segment: segment.limit_dbm)
        if total_dbm > least.limit_dbm + _NOISE_DB:
            raise _above(round(total_dbm, 3), least.limit_dbm, least.start_hz)
    return [ChannelUse(segment, math.ceil(_CENTI * dbm - _NOISE_DB)) for segment, dbm in touched]


def _concerned(segments: Sequence[Segment], spectra: Sequence[UsedSpectrum]) -> list[Segment]:
    """The channels that a use counts in: of bonds that overlap only the one that holds a whole block.

    Of several that do the one with the least limit, of which the use takes the most.
    """
    found: dict[Segment, None] = {}
    for start_hz, stop_hz in _blocks_of(spectra):
        near = [one for one in segments if one.start_hz < stop_hz and start_hz < one.stop_hz]
        whole = [
            one for one in near if one.start_hz <= start_hz + _EDGE_HZ and stop_hz <= one.stop_hz + _EDGE_HZ
        ]
        chosen = [min(whole, key=lambda one: one.limit_dbm)] if whole else near
        found |= dict.fromkeys(chosen)
    return [one for one in segments if one in found]


def _blocks_of(spectra: Sequence[UsedSpectrum]) -> list[tuple[float, float]]:
    return _blocks([(p[0][0], p[-1][0]) for used in spectra for p in used.profiles if p])


def until_s_of(offer: Offer, now_s: int, spectra: Sequence[UsedSpectrum]) -> int:
    """End of the last window without a gap from now that allows a use."""
    until_s = now_s
    for window in offer.windows:
        if window.until_s <= until_s:
            continue
        if window.from_s > until_s:
            break
        try:
            uses_within(offer, window, spectra)
        except PawsError:
            break
        until_s = window.until_s
    return until_s


def _above(dbm: float, limit_dbm: float, hz: float) -> PawsError:
    told = f"spectra: {plain(dbm)} dBm above {plain(limit_dbm)} dBm offered at {plain(hz)} Hz"
    return PawsError(Code.INVALID_VALUE, told)


def _check_levels(offer: Offer, window: OfferedWindow, used: UsedSpectrum) -> None:
    """INVALID_VALUE for a resolution that was not answered, a frequency not offered, a level above."""
    if used.resolution_hz not in offer.resolutions_hz:
        allowed = ", ".join(map(plain, offer.resolutions_hz))
        told = f"spectra: resolutionBwHz {plain(used.resolution_hz)}, offered: {allowed}"
        raise PawsError(Code.INVALID_VALUE, told)
    offered = spectrum(window.segments, used.resolution_hz, offer.bandwidth_hz)["profiles"]
    pieces = [
        (low["hz"], high["hz"], low["dbm"])
        for profile in offered
        for low, high in zip(profile[::2], profile[1::2], strict=True)
    ]
    for profile in used.profiles:
        for low, high in _parts(profile):
            _check_part(pieces, low, high)


def _parts(
    profile: Sequence[tuple[float, float]],
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The straight lines of a profile; steps at one frequency are none."""
    return ((a, b) for a, b in itertools.pairwise(profile) if b[0] > a[0])


def _check_part(
    pieces: Sequence[tuple[float, float, float]], low: tuple[float, float], high: tuple[float, float]
) -> None:
    """Every frequency of a straight line from ``low`` to ``high`` is within some piece, at or below it."""
    at_hz = low[0]
    while at_hz < high[0] - _EDGE_HZ:
        here = [piece for piece in pieces if piece[0] <= at_hz + _EDGE_HZ and piece[1] > at_hz + _EDGE_HZ]
        if not here:
            raise PawsError(Code.INVALID_VALUE, f"spectra: {plain(at_hz)} Hz is not offered")
        # Where bonds overlap, each frequency carries the smallest level of those that hold it.
        next_hz = min(high[0], *(piece[1] for piece in here), *_starts(pieces, at_hz))
        limit_dbm = min(piece[2] for piece in here)
        used_dbm = max(_level_at(low, high, hz) for hz in (at_hz, next_hz))
        if used_dbm > limit_dbm + _NOISE_DB:
            raise _above(used_dbm, limit_dbm, max(here)[0])
        at_hz = next_hz


def _starts(pieces: Sequence[tuple[float, float, float]], above_hz: float) -> list[float]:
    return [piece[0] for piece in pieces if piece[0] > above_hz + _EDGE_HZ]


def _level_at(low: tuple[float, float], high: tuple[float, float], hz: float) -> float:
    return low[1] + (high[1] - low[1]) * (hz - low[0]) / (high[0] - low[0])


def _check_widths(offer: Offer, spectra: Sequence[UsedSpectrum]) -> None:
    """INVALID_VALUE for more bandwidth, in all or in one piece, than was offered."""
    widths_hz = [stop - start for start, stop in _blocks_of(spectra)]
    if sum(widths_hz) > offer.most_total_hz + _EDGE_HZ:
        told = f"spectra: {plain(sum(widths_hz))} Hz in all, at most {plain(offer.most_total_hz)}"
        raise PawsError(Code.INVALID_VALUE, told)
    if max(widths_hz, default=0.0) > offer.most_contiguous_hz + _EDGE_HZ:
        told = f"spectra: {plain(max(widths_hz))} Hz in one piece, at most {plain(offer.most_contiguous_hz)}"
        raise PawsError(Code.INVALID_VALUE, told)


def _blocks(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans that touch joined."""
    joined: list[tuple[float, float]] = []
    for start_hz, stop_hz in sorted(spans):
        if joined and start_hz <= joined[-1][1]:
            start_hz, stop_hz = joined[-1][0], max(stop_hz, joined.pop()[1])
        joined.append((start_hz, stop_hz))
    return joined


def _power_dbm(spectra: Sequence[UsedSpectrum], segment: Segment) -> float | None:
    """E.i.r.p. in a channel: the smallest over the spectra, which are one emission (RFC 7545, 5.11)."""
    found = [power for used in spectra if (power := _power_of(used, segment)) is not None]
    return min(found, default=None)


def _power_of(used: UsedSpectrum, segment: Segment) -> float | None:
    """The highest level in a channel, over all of the channel that is occupied."""
    levels_dbm, occupied_hz = [], 0.0
    for low, high in (part for profile in used.profiles for part in _parts(profile)):
        start_hz, stop_hz = max(low[0], segment.start_hz), min(high[0], segment.stop_hz)
        if stop_hz > start_hz + _EDGE_HZ:
            levels_dbm += [_level_at(low, high, hz) for hz in (start_hz, stop_hz)]
            occupied_hz += stop_hz - start_hz
    if not levels_dbm:
        return None
    return max(*levels_dbm, _LEAST_DBM) + max(0.0, 10.0 * math.log10(occupied_hz / used.resolution_hz))
