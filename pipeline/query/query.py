"""What a device may use at a location, from the rasters of a run: `channelmaps query`, and a library.

    database = open_database(Path("results/slovenia/latest"))  # once; not for several threads
    message = answer(database, Request(14.5, 46.05, uncertainty_m=50.0))  # many times
    close_database(database)

PawsError where RFC 7545 has an error. Nothing is computed but the coverage range of the master of
generic slaves. A database shows one run: after the next one open ``latest`` again.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.products import is_etsi
from pipeline.errors import InputError
from pipeline.files import JsonObject
from pipeline.publish.release import UTC_FORMAT
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.query.answer_table import answer_text
from pipeline.query.database import (
    Database,
    QueryLocation,
    close_database,
    location_of,
    lowest_raw,
    lowest_raw_at_home,
    lowest_raw_in_region,
    open_database,
    outside_coverage,
    parts_between,
    pixel_of,
    refuse_partial,
)
from pipeline.query.paws import (
    Code,
    PawsError,
    Segment,
    error_response,
    instant_s,
    instant_text,
    spectrum_response,
    spectrum_spec,
)
from pipeline.query.profiles import AntennaHeight, channel_entries, coverage_range_m, layers_for, slave_layers
from pipeline.radio.channel_plan import HZ_PER_MHZ

__all__ = ["Database", "PawsError", "Request", "answer", "close_database", "open_database", "query_command"]

_LARGEST_UNCERTAINTY_M = 1e6
# Of a cap in hundredths of a dB: levels are rounded down, but for the noise of the arithmetic.
_CAP_NOISE = 1e-6
# Each channel's limit uses up what reception allows (docs/method.md, section 25).
_TOGETHER = "total e.i.r.p. over all channels in use at most the least of their limits"


class Request(NamedTuple):
    """A device somewhere within ``uncertainty_m`` of a location.

    ``device``: id of a profile, the first of the run if absent; with ``height_m``, give or take
    ``height_spread_m``, the layers of its kind that answer for this height. ``of_whole_kind``: without a
    height all layers of the kind answer. ``generic_slave``: for the slaves of that device wherever they hear
    it, when it radiates ``eirp_dbm`` (absent: what it may). ``device_desc`` is returned, or made up.
    ``ranges_hz``: the answer has only channels that lie whole in one of them (none: all). ``region``: the
    device is anywhere in this ring of (longitude, latitude), of which the location is a corner (none: in the
    circle).
    """

    lon_deg: float
    lat_deg: float
    device: str | None = None
    height_m: float | None = None
    uncertainty_m: float = 0.0
    generic_slave: bool = False
    eirp_dbm: float | None = None
    device_desc: Mapping[str, Any] | None = None
    height_spread_m: float = 0.0
    of_whole_kind: bool = False
    ranges_hz: tuple[tuple[float, float], ...] = ()
    region: tuple[tuple[float, float], ...] = ()


def place_of(
    lon_deg: float | None, lat_deg: float | None, area: Path | None, uncertainty_m: float
) -> tuple[tuple[float, float], tuple[tuple[float, float], ...]]:
    """Longitude and latitude of a location, and the ring of the area within which a device stays, if any."""
    if area is None:
        if lon_deg is None or lat_deg is None:
            option = "--lon" if lon_deg is None else "--lat"
            raise InputError("is missing", row=option, allowed="--lon and --lat, or --area")
        return (lon_deg, lat_deg), ()
    if lon_deg is not None or lat_deg is not None or uncertainty_m:
        raise InputError("is an area and a point", row="--area", allowed="--area alone, or --lon and --lat")
    ring = _ring_of(area)
    return ring[0], ring


def _ring_of(path: Path) -> tuple[tuple[float, float], ...]:
    """The outer ring of the one polygon of a file, in longitude and latitude."""
    import shapely

    from pipeline.grid.grid import LONLAT
    from pipeline.grid.polygons import EDGE_STEP_M, read_frame

    frame = read_frame(path)
    if frame.crs.is_projected:
        # Edges are straight in the file's own coordinates.
        frame = frame.assign(geometry=shapely.segmentize(frame.geometry.array, EDGE_STEP_M))
    shape = shapely.union_all(frame.to_crs(LONLAT).geometry.to_numpy())
    if shape.geom_type != "Polygon" or shape.is_empty:
        raise InputError(
            "is not one area", file=path, field="geometry", value=shape.geom_type, allowed="one polygon"
        )
    return tuple((float(lon), float(lat)) for lon, lat, *_ in shape.exterior.coords)


def instant_of(field: str, text: str | None) -> datetime | None:
    """The UTC instant of an option; InputError for what is none."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, UTC_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise InputError(
            "is no instant", field=field, value=text, allowed="UTC, such as 2026-12-05T08:00:00Z"
        ) from None


def query_command(results: Path, request: Request, *, as_json: bool, now: datetime | None = None) -> int:
    """Print the answer, as JSON or a table; exit code 0 also for a location outside, 2 if it is refused."""
    database = open_database(results)
    try:
        message = answer(database, request, now)
    except PawsError as error:
        if as_json:
            print(json.dumps(error_response(error), indent=1, ensure_ascii=False))
        more = f"; {error.data}" if isinstance(error.data, str) else ""
        print(f"channelmaps: {error.code.name}: {error.message}{more}", file=sys.stderr)
        return 0 if error.code == Code.OUTSIDE_COVERAGE else 2
    finally:
        close_database(database)
    told = (
        json.dumps(message, indent=1, ensure_ascii=False) if as_json else answer_text(database.facts, message)
    )
    print(told)
    if message["timestamp"] > database.valid["stopTime"]:
        print(f"channelmaps: the run was valid until {database.valid['stopTime']}", file=sys.stderr)
    if message["timestamp"] < database.valid["startTime"]:
        print(f"channelmaps: the run is not valid before {database.valid['startTime']}", file=sys.stderr)
    return 0


class Found(NamedTuple):
    """What the rasters hold for a request: the lowest raw value [channel] around a place, in ``entries``.

    ``layers`` that it is the lowest of, ``radius_m`` of the circle.
    """

    location: QueryLocation
    radius_m: float
    layers: list[JsonObject]
    entries: list[JsonObject]
    raw: NDArray[np.int16]


class TimedFound(NamedTuple):
    """What the rasters hold for a request from one instant to another (UTC seconds, half open)."""

    from_s: int
    until_s: int
    found: Found


def answer(database: Database, request: Request, now: datetime | None = None) -> JsonObject:
    """AVAIL_SPECTRUM_RESP: the minimum of all pixels that the request's circle touches, also in part.

    Its schedules are those of the run's period that are not over; all of them where the period is.
    """
    now = now or datetime.now(UTC)
    from_s, until_s = (instant_s(database.valid[name]) for name in ("startTime", "stopTime"))
    parts = found_between(database, request, from_s, until_s)
    left = [one for one in parts if one.until_s > now.timestamp()]
    return message_of(database, request, left or parts, now)


def found_between(database: Database, request: Request, from_s: int, until_s: int) -> list[TimedFound]:
    """What is found from one instant to another, in time; neighbours that are the same are one."""
    return over_time(database, from_s, until_s, lambda part: found_for(part, request))


def over_time(
    database: Database, from_s: int, until_s: int, find: Callable[[Database], Found]
) -> list[TimedFound]:
    """The same by any way of finding; each set of bookings is looked at once."""
    known: dict[int, Found] = {}
    joined: list[TimedFound] = []
    for part in parts_between(database, from_s, until_s):
        found = known.get(id(part.database)) or known.setdefault(id(part.database), find(part.database))
        if joined and np.array_equal(joined[-1].found.raw, found.raw):
            found = max(joined[-1].found, found, key=lambda one: one.radius_m)
            joined[-1] = TimedFound(joined[-1].from_s, part.until_s, found)
        else:
            joined.append(TimedFound(part.from_s, part.until_s, found))
    return joined


def found_for(
    database: Database,
    request: Request,
    slaves: Sequence[JsonObject] | None = None,
    layers: Sequence[JsonObject] | None = None,
) -> Found:
    """The lowest values for a request, before they are told; PawsError where there is no answer.

    ``slaves``: layers of a certain slave, in place of those of generic ones; its request is its master's.
    ``layers`` that answer, if they are known.
    """
    refuse_partial(database)
    location = location_of(database, request.lon_deg, request.lat_deg)
    _check_numbers(request)
    layers = list(layers or layers_of(database.facts, request))
    radius_m = request.uncertainty_m
    raw = _least_of(database, layers, lambda layer: _lowest_around(database, layer, location, request))
    if raw.max() == NODATA_CENTI:
        raise outside_coverage(request.lon_deg, request.lat_deg)
    if request.generic_slave:
        master, layers = layers[-1], list(slaves or slave_layers(database.facts, layers[-1]))
        radius_m += _coverage_range_m(database.facts, master, request, raw)
        raw = _slave_raw(database, layers, location, radius_m, raw)
    return usable_of(
        Found(location, radius_m, layers, channel_entries(database.facts, layers[-1]), raw), request
    )


def _lowest_around(
    database: Database, layer: JsonObject, location: QueryLocation, request: Request
) -> NDArray[np.int16]:
    if request.region:
        return lowest_raw_in_region(database, layer, request.region)
    return lowest_raw(database, layer, location, request.uncertainty_m)


def layers_of(facts: JsonObject, request: Request) -> list[JsonObject]:
    """The layers that answer a request, lowest first; PawsError where none does."""
    asked = AntennaHeight(
        request.height_m, request.height_spread_m, request.of_whole_kind, request.generic_slave
    )
    return layers_for(facts, asked, request.device)


def _least_of(
    database: Database, layers: Sequence[JsonObject], raw_of: Callable[[JsonObject], NDArray[np.int16]]
) -> NDArray[np.int16]:
    """Least raw value [channel] of several layers, none above its cap; codes are below all levels."""
    found = [raw_of(layer) for layer in layers]
    for layer, raw in zip(layers, found, strict=True):
        _check_cap(database, layer, raw)
    return np.minimum.reduce(found)


def _check_cap(database: Database, profile: JsonObject, raw: NDArray[np.int16]) -> None:
    """InputError for a level that no map of the device holds; runs made before say no cap."""
    cap_dbm = profile.get("cap_dbm")
    if cap_dbm is not None and raw.max() > 100.0 * cap_dbm + _CAP_NOISE:
        raise InputError(
            "is damaged: a level is above the cap of the device",
            file=database.folder / profile["file"],
            value=f"{raw.max() / 100.0:.2f} dBm",
            allowed=f"{cap_dbm:g} dBm",
        )


def _check_numbers(request: Request) -> None:
    """Refuse numbers that no device has, and an e.i.r.p. that would not count."""
    uncertainty_m, eirp_dbm = request.uncertainty_m, request.eirp_dbm
    if not 0.0 <= uncertainty_m <= _LARGEST_UNCERTAINTY_M:
        raise PawsError(
            Code.INVALID_VALUE, f"uncertainty {uncertainty_m:g} m, allowed: 0 to {_LARGEST_UNCERTAINTY_M:g}"
        )
    if eirp_dbm is not None and not -100.0 <= eirp_dbm <= 100.0:
        raise PawsError(Code.INVALID_VALUE, f"e.i.r.p. {eirp_dbm:g} dBm, allowed: -100 to 100")
    if eirp_dbm is not None and not request.generic_slave:
        raise PawsError(Code.INVALID_VALUE, "an e.i.r.p. is only asked of the master of generic slaves")


# --- generic slaves -----------------------------------------------------------------------------------------


def _coverage_range_m(
    facts: JsonObject, master: JsonObject, request: Request, raw: NDArray[np.int16]
) -> float:
    """Coverage range of a master on the channels it may use, with the e.i.r.p. it says, or may, use there."""
    most_dbm = math.inf if request.eirp_dbm is None else request.eirp_dbm
    emissions = [
        (min(segment.limit_dbm, most_dbm), (segment.start_hz + segment.stop_hz) / 2.0 / HZ_PER_MHZ)
        for segment in segments_of(channel_entries(facts, master), raw)
    ]
    height_m = (request.height_m or master["height_m"]) + request.height_spread_m
    return coverage_range_m(emissions, height_m, master["type"], facts["generic_slave"])


def _slave_raw(
    database: Database,
    layers: Sequence[JsonObject],
    location: QueryLocation,
    radius_m: float,
    master_raw: NDArray[np.int16],
) -> NDArray[np.int16]:
    """Lowest raw value [channel] within the territory where slaves may be; none for a silent master."""
    if not (master_raw > NOT_EVALUATED).any():
        return master_raw
    return _least_of(database, layers, lambda layer: lowest_raw_at_home(database, layer, location, radius_m))


# --- the answer ---------------------------------------------------------------------------------------------


def segments_of(entries: Sequence[JsonObject], raw: NDArray[np.int16]) -> list[Segment]:
    """Those of ``entries`` that are available; what is not permitted or was not evaluated is none of them."""
    return [
        Segment(entry["channel"], entry["start_hz"], entry["stop_hz"], level / 100.0)
        for entry, level in zip(entries, raw.tolist(), strict=True)
        if level > NOT_EVALUATED
    ]


def usable_of(found: Found, request: Request) -> Found:
    """The channels that the device can use by what it says of itself (RFC 7545, section 4.5.1)."""
    if not request.ranges_hz:
        return found
    usable = [
        any(
            low_hz <= entry["start_hz"] and entry["stop_hz"] <= high_hz
            for low_hz, high_hz in request.ranges_hz
        )
        for entry in found.entries
    ]
    entries = [entry for entry, chosen in zip(found.entries, usable, strict=True) if chosen]
    return found._replace(entries=entries, raw=found.raw[usable])


def message_of(
    database: Database, request: Request, parts: Sequence[TimedFound], now: datetime
) -> JsonObject:
    """The response for what was found; beside RFC 7545: pixel, channels of the first schedule, run."""
    found = parts[0].found
    facts, profile = database.facts, found.layers[-1]
    available = [segments_of(part.found.entries, part.found.raw) for part in parts]
    periods = [
        {"startTime": instant_text(part.from_s), "stopTime": instant_text(part.until_s)} for part in parts
    ]
    limits = profile.get("limits") or facts["limits"]
    evaluated = evaluated_in_all([part.found for part in parts])
    schedules = zip(periods, available, strict=True)
    spec = spectrum_spec(facts | {"limits": limits}, schedules, evaluated, profile["bandwidth_hz"])
    return spectrum_response(
        request.device_desc or device_desc_of(facts, profile, generic_slave=request.generic_slave),
        spec,
        now,
        location=_location(found.location, max(part.found.radius_m for part in parts)),
        **own_members(database, found, available[0]),
    )


def own_members(database: Database, found: Found, segments: Sequence[Segment]) -> JsonObject:
    """Members of an answer beside those of RFC 7545; devices ignore them."""
    return {
        "pixel": pixel_of(database, found.location),
        "channels": [{"channel": one.channel, "dbm": one.limit_dbm} for one in segments],
        "device": found.layers[-1]["id"],
        "layers": [layer["id"] for layer in found.layers],
        **_together(database.facts),
        "runId": database.run_id,
    }


def evaluated_in_all(parts: Sequence[Found]) -> list[JsonObject]:
    """The channels that were evaluated everywhere around the place, at all times."""
    return [
        entry
        for entry, *levels in zip(parts[0].entries, *(one.raw.tolist() for one in parts), strict=True)
        if all(level > NOT_EVALUATED or level == NOT_PERMITTED for level in levels)
    ]


def _together(facts: JsonObject) -> JsonObject:
    """What holds for several channels at once, in words, where the ruleset has no member that says it."""
    return {} if is_etsi(facts["ruleset"]["rulesetId"]) else {"channelsTogether": _TOGETHER}


def device_desc_of(facts: JsonObject, profile: JsonObject, *, generic_slave: bool) -> JsonObject:
    """DeviceDescriptor (RFC 7545, sections 5.2 and 9.2.2) of a request that came without one."""
    return {
        "etsiEnDeviceType": profile["type"],
        "etsiEnDeviceEmissionsClass": str(profile["emission_class"]),
        "etsiEnDeviceCategory": "slave" if generic_slave else "master",
        "rulesetIds": [facts["ruleset"]["rulesetId"]],
    }


def _location(location: QueryLocation, radius_m: float) -> JsonObject:
    """GeoLocation (RFC 7545, section 5.1): the circle that the answer is the minimum of."""
    centre = {"latitude": location.lat_deg, "longitude": location.lon_deg}
    return {"point": {"center": centre, "semiMajorAxis": radius_m, "semiMinorAxis": radius_m}}
