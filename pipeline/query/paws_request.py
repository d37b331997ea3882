"""JSON-RPC requests of RFC 7545 for an open database; only `spectrum.paws.getSpectrum` is implemented."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pipeline.config.products import is_etsi
from pipeline.errors import InputError
from pipeline.files import JsonObject
from pipeline.query.paws import PAWS_VERSION, Code, PawsError, error_response
from pipeline.query.query import Database, Request, answer

_METHOD = "spectrum.paws.getSpectrum"
_OTHER_METHODS = {
    f"spectrum.paws.{name}"
    for name in ("init", "register", "getSpectrumBatch", "notifySpectrumUse", "verifyDevice")
}
_REQUEST_TYPE = "AVAIL_SPECTRUM_REQ"
# Of `requestType`: RFC 7545 leaves the word to the ruleset.
_GENERIC = {"generic", "generic slave", "generic_slave"}
_SPECIFIC = {"", "specific", "specific slave", "specific_slave", "master"}
# Of a location that gives none (RFC 7545, section 5.1): the circle of one that gives less is too small.
_LEAST_CONFIDENCE_PCT = 95
# Members of a request that are objects, if they are there (RFC 7545, section 4.5.1), and texts of a device's
# description with their length (section 5.2).
_OBJECTS = {"masterDeviceLocation", "masterDeviceDesc", "antenna", "owner", "capabilities"}
_IDENTITY, _LONGEST_IDENTITY = {"serialNumber", "manufacturerId", "modelId"}, 64
_FULL_CIRCLE_DEG = 360.0
_NO_GROUND = "this database has no ground heights: give the antenna height above ground (AGL)"
# Members of a device's description by which its profile is chosen (RFC 7545, section 9.2.2).
_CHOICE = {"etsiEnDeviceType": "type", "etsiEnDeviceEmissionsClass": "emission_class"}


def respond(database: Database, request: object, now: datetime | None = None) -> JsonObject:
    """The JSON-RPC 2.0 response to a request, both as plain data; faults of a request never raise."""
    if not isinstance(request, Mapping) or request.get("jsonrpc") != "2.0":
        return _rpc_error(-32600, "not a JSON-RPC 2.0 request", None)
    request_id = request.get("id")
    if not _is_id(request_id):
        return _rpc_error(-32600, "id is no text and no finite number", None)
    if not is_text(request):
        return _rpc_error(-32600, "holds a character that is none (a lone surrogate)", request_id)
    method = request.get("method")
    if not isinstance(method, str) or method not in {_METHOD, *_OTHER_METHODS}:
        return _rpc_error(-32601, "no such method", request_id)
    try:
        if method != _METHOD:
            raise PawsError(Code.UNIMPLEMENTED, f"only {_METHOD}")
        message = answer(database, _request_of(database.facts, request.get("params")), now)
    except PawsError as error:
        return error_response(error, request_id)
    except InputError as error:  # the run, not the request, is at fault
        return _rpc_error(-32603, f"internal error: {error.problem}", request_id)
    return {"jsonrpc": "2.0", "result": message, "id": request_id}


def _request_of(facts: JsonObject, params: object) -> Request:
    """AVAIL_SPECTRUM_REQ (RFC 7545, section 4.5.1) as a request of the library."""
    if not isinstance(params, Mapping):
        raise PawsError(Code.INVALID_VALUE, f"params are no {_REQUEST_TYPE}")
    _require(params, ["type", "version"])
    if params["type"] != _REQUEST_TYPE:
        raise PawsError(Code.INVALID_VALUE, f"params are no {_REQUEST_TYPE}")
    if params["version"] != PAWS_VERSION:
        raise PawsError(Code.VERSION, f"only version {PAWS_VERSION}")
    for name in _OBJECTS & params.keys():
        _object(params, name)
    generic = _is_generic(params)
    location = "masterDeviceLocation" if generic and "masterDeviceLocation" in params else "location"
    _require(params, [location, "deviceDesc"])
    device_desc = _object(params, "deviceDesc")
    for name in _IDENTITY & device_desc.keys():
        if not isinstance(text := device_desc[name], str) or len(text.encode()) > _LONGEST_IDENTITY:
            raise PawsError(Code.INVALID_VALUE, f"{name} is no text of up to {_LONGEST_IDENTITY} octets")
    if any(isinstance(leaf, float) and not math.isfinite(leaf) for leaf in _leaves(device_desc)):
        raise PawsError(Code.INVALID_VALUE, "deviceDesc holds a number that is not finite")
    ranges_hz = _ranges_hz(params.get("capabilities", {}))
    lon_deg, lat_deg, uncertainty_m = _circle_of(_object(params, location))
    height_m, spread_m = _height_of(params.get("antenna", {}))
    return Request(
        lon_deg,
        lat_deg,
        device_of(facts, device_desc),
        height_m,
        uncertainty_m,
        generic_slave=generic,
        device_desc=device_desc,
        height_spread_m=spread_m,
        of_whole_kind=True,
        ranges_hz=ranges_hz,
    )


def _is_generic(params: Mapping[str, Any]) -> bool:
    """Whether the request is for generic slaves; a word that is not known could mean anything."""
    kind = params.get("requestType", "")
    if not isinstance(kind, str) or kind.strip().lower() not in {*_GENERIC, *_SPECIFIC}:
        raise PawsError(Code.INVALID_VALUE, "requestType is neither Generic Slave nor absent")
    return kind.strip().lower() in _GENERIC


def _require(given: Mapping[str, Any], names: Iterable[str]) -> None:
    """MISSING with all names that are not given (RFC 7545, section 5.17)."""
    if missing := [name for name in names if name not in given]:
        raise PawsError(Code.MISSING, ", ".join(missing), {"parameters": missing})


def _ranges_hz(capabilities: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """Ranges in Hz of DeviceCapabilities (RFC 7545, section 5.9), those that touch as one; none: all."""
    ranges = capabilities.get("frequencyRanges", [])
    if not (isinstance(ranges, list) and all(isinstance(one, Mapping) for one in ranges)):
        raise PawsError(Code.INVALID_VALUE, "frequencyRanges is no list of ranges")
    found: list[tuple[float, float]] = []
    for one in ranges:
        _require(one, ["startHz", "stopHz"])
    for start_hz, stop_hz in sorted((_number(one, "startHz"), _number(one, "stopHz")) for one in ranges):
        if start_hz >= stop_hz:
            raise PawsError(Code.INVALID_VALUE, "startHz is not below stopHz")
        if found and start_hz <= found[-1][1]:
            start_hz, stop_hz = found[-1][0], max(stop_hz, found.pop()[1])
        found.append((start_hz, stop_hz))
    return tuple(found)


def _circle_of(location: Mapping[str, Any]) -> tuple[float, float, float]:
    """Longitude, latitude and radius in m of the circle around the ellipse of a GeoLocation (section 5.1)."""
    if "region" in location and "point" in location:
        raise PawsError(Code.INVALID_VALUE, "location is both a point and a region")
    if "region" in location:
        raise PawsError(Code.UNIMPLEMENTED, "locations are points, not regions")
    _require(location, ["point"])
    point = _object(location, "point")
    _require(point, ["center"])
    centre = _object(point, "center")
    _require(centre, ["longitude", "latitude"])
    confidence_pct = _number(location, "confidence", _LEAST_CONFIDENCE_PCT)
    if not 0.0 <= confidence_pct <= 100.0 or confidence_pct % 1.0:
        raise PawsError(Code.INVALID_VALUE, "confidence is no whole number from 0 to 100 %")
    if confidence_pct < _LEAST_CONFIDENCE_PCT:
        raise PawsError(
            Code.UNIMPLEMENTED, f"places are known with {_LEAST_CONFIDENCE_PCT} % confidence or more"
        )
    if abs(_number(point, "orientation", 0.0)) > _FULL_CIRCLE_DEG:
        raise PawsError(Code.INVALID_VALUE, "orientation is more than a full circle")
    axes_m = [_number(point, name, 0.0) for name in ("semiMajorAxis", "semiMinorAxis")]
    if min(axes_m) < 0.0:
        raise PawsError(Code.INVALID_VALUE, "an axis is negative")
    if "semiMajorAxis" in point and axes_m[1] > axes_m[0]:
        raise PawsError(Code.INVALID_VALUE, "semiMinorAxis is above semiMajorAxis")
    return _number(centre, "longitude"), _number(centre, "latitude"), max(axes_m)


def device_of(facts: JsonObject, device_desc: Mapping[str, Any]) -> str:
    """Id of the profile of the largest class that fits a DeviceDescriptor (RFC 7545, section 5.2)."""
    ruleset = facts["ruleset"]["rulesetId"]
    rulesets = device_desc.get("rulesetIds")
    if "rulesetIds" in device_desc and not (
        isinstance(rulesets, list) and rulesets and all(isinstance(name, str) for name in rulesets)
    ):
        raise PawsError(Code.INVALID_VALUE, "rulesetIds is no list of one text or more")
    if rulesets is not None and ruleset not in rulesets:
        raise PawsError(Code.UNSUPPORTED, f"the ruleset here is {ruleset}")
    if is_etsi(ruleset):
        _require(device_desc, _CHOICE)
    for name in _CHOICE.keys() & device_desc.keys():
        if isinstance(device_desc[name], bool) or not isinstance(device_desc[name], str | int):
            raise PawsError(Code.INVALID_VALUE, f"{name} is no text")
    given = {own: str(device_desc[name]) for name, own in _CHOICE.items() if name in device_desc}
    return fitting_device(facts, given)


def fitting_device(facts: JsonObject, given: Mapping[str, str]) -> str:
    """Id of the profile of the largest class that has given values of ``type`` and ``emission_class``."""
    fitting = [
        entry for entry in facts["devices"] if all(str(entry[name]) == value for name, value in given.items())
    ]
    if fitting:
        # A request does not say whether a device uses channels as one.
        narrowest = min(entry.get("bond", 1) for entry in fitting)
        singles = [entry for entry in fitting if entry.get("bond", 1) == narrowest]
        return str(max(singles, key=lambda entry: int(entry["emission_class"]))["id"])
    told = {own: name for name, own in _CHOICE.items()}
    raise PawsError(Code.UNSUPPORTED, f"no device of {', '.join(f'{told[k]} {v}' for k, v in given.items())}")


def _height_of(antenna: Mapping[str, Any]) -> tuple[float | None, float]:
    """Height above ground and its uncertainty of AntennaCharacteristics (RFC 7545, section 5.3), in m."""
    kind = antenna.get("heightType", "AGL")
    if kind not in ("AGL", "AMSL"):
        raise PawsError(Code.INVALID_VALUE, "heightType is neither AGL nor AMSL")
    if "height" not in antenna:
        return None, 0.0
    if kind == "AMSL":
        # The ground in the circle of uncertainty is not among the files that a query reads.
        raise PawsError(Code.UNSUPPORTED, _NO_GROUND, _NO_GROUND)
    height_m, spread_m = _number(antenna, "height"), _number(antenna, "heightUncertainty", 0.0)
    if spread_m < 0.0:
        raise PawsError(Code.INVALID_VALUE, "heightUncertainty is negative")
    return height_m, spread_m


def _is_id(value: object) -> bool:
    """Whether a response can carry an id (JSON-RPC 2.0, section 4)."""
    if value is None or isinstance(value, str):
        return is_text(value)
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_text(value: object) -> bool:
    """Whether all of a request can be written as UTF-8: what is returned must be."""
    texts = (leaf for leaf in _leaves(value) if isinstance(leaf, str))
    return not any("\ud800" <= character <= "\udfff" for text in texts for character in text)


def _leaves(value: object) -> Iterator[object]:
    """All names and values within plain data, however deep."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
        else:
            yield item


def _object(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = given[name]
    if not isinstance(found, Mapping):
        raise PawsError(Code.INVALID_VALUE, f"{name} is not an object")
    return found


def _number(given: Mapping[str, Any], name: str, default: float | None = None) -> float:
    found = given.get(name, default)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise PawsError(Code.INVALID_VALUE, f"{name} is not a number")
    if not abs(found) <= sys.float_info.max:
        raise PawsError(Code.INVALID_VALUE, f"{name} is not a finite number")
    return float(found)


def _rpc_error(code: int, message: str, request_id: object) -> JsonObject:
    """Faults of the envelope (JSON-RPC 2.0, section 5.1)."""
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": request_id}
