"""Messages of the Protocol to Access White-Space Databases (RFC 7545): spectrum, schedule, errors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.files import JsonObject
from pipeline.publish.release import UTC_FORMAT

PAWS_VERSION = "1.0"
_NARROW_HZ = 1e5
# Levels are rounded down to this; 36 dBm in 8 MHz is 16.969 dBm in 100 kHz.
_STEP_DB = 0.001
_LONGEST_MESSAGE = 128
_MOST_LEVELS = 65_536


class Code(IntEnum):
    """Error codes (RFC 7545, section 5.17, table 1)."""

    VERSION = -101
    UNSUPPORTED = -102
    UNIMPLEMENTED = -103
    OUTSIDE_COVERAGE = -104
    DATABASE_CHANGE = -105
    MISSING = -201
    INVALID_VALUE = -202
    UNAUTHORIZED = -301
    NOT_REGISTERED = -302


class PawsError(Exception):
    """A request that gets an error for an answer; ``data`` as the code asks for (RFC 7545, section 5.17)."""

    def __init__(self, code: Code, message: str, data: JsonObject | str | None = None) -> None:
        self.code = code
        self.message = message
        self.data = data
        super().__init__(message)


class Segment(NamedTuple):
    """One available channel or bond: its edges, and the limit in the bandwidth of the device."""

    channel: int | str
    start_hz: float
    stop_hz: float
    limit_dbm: float


def instant_s(text: str) -> int:
    """UTC seconds of an instant of a message or a manifest."""
    return int(datetime.strptime(text, UTC_FORMAT).replace(tzinfo=UTC).timestamp())


@lru_cache(maxsize=4096)
def instant_text(at_s: int) -> str:
    """An instant, given in UTC seconds, as messages have it."""
    return datetime.fromtimestamp(at_s, UTC).strftime(UTC_FORMAT)


def error_response(error: PawsError, request_id: object = None) -> JsonObject:
    """The JSON-RPC response to a request that is not answered."""
    return {"jsonrpc": "2.0", "error": error_object(error), "id": request_id}


def error_object(error: PawsError) -> JsonObject:
    """The error of a request (RFC 7545, section 5.17); its message has at most 128 octets."""
    content: JsonObject = {"code": int(error.code), "message": f"{error.code.name}: {error.message}"}
    while len(content["message"].encode()) > _LONGEST_MESSAGE:
        content["message"] = content["message"][:-1]
    if error.data is not None:
        content["data"] = error.data
    return content


def spectrum_response(
    device_desc: Mapping[str, Any], spec: JsonObject, now: datetime, **others: object
) -> JsonObject:
    """AVAIL_SPECTRUM_RESP with one SpectrumSpec (RFC 7545, section 4.5.2); devices ignore ``others``."""
    return {
        "type": "AVAIL_SPECTRUM_RESP",
        "version": PAWS_VERSION,
        "timestamp": now.astimezone(UTC).strftime(UTC_FORMAT),
        "deviceDesc": dict(device_desc),
        "spectrumSpecs": [spec],
        **others,
    }


def spectrum_spec(
    facts: Mapping[str, Any],
    schedules: Iterable[tuple[Mapping[str, str], Sequence[Segment]]],
    evaluated: Iterable[Mapping[str, Any]],
    bandwidth_hz: float,
) -> JsonObject:
    """SpectrumSpec (RFC 7545, section 5.9); ``facts`` of the run, ``evaluated`` its channels that were.

    ``schedules``: periods (``startTime``, ``stopTime``) with what is available in them. A channel of
    ``frequencyRanges`` in no profile is not available; one beyond them was not evaluated.
    """
    wide_hz = min(entry["stop_hz"] - entry["start_hz"] for entry in facts["channels"])
    return {
        "rulesetInfo": dict(facts["ruleset"]),
        "spectrumSchedules": [
            {
                "eventTime": dict(period),
                "spectra": [spectrum(segments, hz, bandwidth_hz) for hz in (wide_hz, _NARROW_HZ)],
            }
            for period, segments in schedules
        ],
        "frequencyRanges": frequency_ranges(evaluated),
        **facts["limits"],
    }


def spectrum(segments: Sequence[Segment], resolution_hz: float, bandwidth_hz: float) -> JsonObject:
    """Spectrum (RFC 7545, section 5.11): e.i.r.p. in any ``resolution_hz`` of an even emission.

    Adjacent channels share a profile and, where they meet, a frequency with two levels; bonds that overlap
    have profiles of their own.
    """
    change_db = _change_db(resolution_hz, bandwidth_hz)
    profiles: list[list[JsonObject]] = []
    for segment in sorted(segments, key=lambda one: one.start_hz):
        dbm = _rounded_down(segment.limit_dbm + change_db)
        points = [{"hz": hz, "dbm": dbm} for hz in (segment.start_hz, segment.stop_hz)]
        if profiles and profiles[-1][-1]["hz"] == segment.start_hz:
            profiles[-1] += points
        else:
            profiles.append(points)
    return {"resolutionBwHz": resolution_hz, "profiles": profiles}


def spectrum_text(segments: Sequence[Segment], resolution_hz: float, bandwidth_hz: float) -> str:
    """The same as JSON text without spaces, numbers that are whole without a fraction."""
    change_db = _change_db(resolution_hz, bandwidth_hz)
    parts, end_hz = [], math.nan
    for segment in sorted(segments, key=lambda one: one.start_hz):
        dbm = _level_text(segment.limit_dbm, change_db)
        parts.append("," if segment.start_hz == end_hz else "],[")
        end_hz = segment.stop_hz
        start, stop = number_text(segment.start_hz), number_text(end_hz)
        parts.append(f'{{"hz":{start},"dbm":{dbm}}},{{"hz":{stop},"dbm":{dbm}}}')
    profiles = f"[{''.join(parts[1:])}]" if parts else ""
    return f'{{"resolutionBwHz":{number_text(resolution_hz)},"profiles":[{profiles}]}}'


def _change_db(resolution_hz: float, bandwidth_hz: float) -> float:
    return min(0.0, 10.0 * math.log10(resolution_hz / bandwidth_hz))


@lru_cache(maxsize=_MOST_LEVELS)
def _level_text(limit_dbm: float, change_db: float) -> str:
    return number_text(_rounded_down(limit_dbm + change_db))


@lru_cache(maxsize=_MOST_LEVELS)
def number_text(value: float) -> str:
    """A number as JSON, a whole one without a fraction."""
    return str(int(value)) if value == int(value) else repr(value)


def frequency_ranges(channels: Iterable[Mapping[str, Any]]) -> list[JsonObject]:
    """FrequencyRange list (RFC 7545, section 5.13) of channels, those that touch or overlap joined."""
    ranges: list[JsonObject] = []
    for entry in sorted(channels, key=lambda one: float(one["start_hz"])):
        if ranges and ranges[-1]["stopHz"] >= entry["start_hz"]:
            ranges[-1]["stopHz"] = max(ranges[-1]["stopHz"], entry["stop_hz"])
        else:
            ranges.append({"startHz": entry["start_hz"], "stopHz": entry["stop_hz"]})
    return ranges


def _rounded_down(level_dbm: float) -> float:
    """A level rounded down to 0.001 dB, the noise of the arithmetic forgiven."""
    return round(math.floor((level_dbm + 1e-9) / _STEP_DB) * _STEP_DB, 3)
