"""JSON-RPC requests of RFC 7545 to an open database."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.query.paws_request import respond
from pipeline.query.query import Database, Request, answer, close_database, open_database
from tests.published import NOW, publish, with_devices

PLACE = {
    "point": {"center": {"latitude": 46.1, "longitude": 14.16}, "semiMajorAxis": 40, "semiMinorAxis": 20}
}
REQUEST: dict[str, Any] = {
    "jsonrpc": "2.0",
    "method": "spectrum.paws.getSpectrum",
    "id": "abc",
    "params": {
        "type": "AVAIL_SPECTRUM_REQ",
        "version": "1.0",
        "deviceDesc": {
            "serialNumber": "1",
            "etsiEnDeviceType": "A",
            "etsiEnDeviceEmissionsClass": "1",
            "rulesetIds": ["ETSI-EN-301-598-1.1.1", "ETSI-EN-301-598-2.1.1"],
        },
        "location": PLACE,
        "antenna": {"height": 10.0, "heightType": "AGL"},
    },
}


@pytest.fixture
def database(tiny: Path):
    devices = [("a30", "A", 1, 30.0), ("a10", "A", 1, 10.0), ("slave", "A", 5, 30.0)]
    with_devices(tiny, *devices)
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [22, 23, 25]"))
    opened = open_database(publish(tiny))
    yield opened
    close_database(opened)


def changed(path: str, value: object) -> dict:
    """The request with one member changed, or taken out (None)."""
    request = copy.deepcopy(REQUEST)
    *sections, last = path.split(".")
    member = request
    for section in sections:
        member = member[section]
    if value is None:
        member.pop(last, None)
    else:
        member[last] = value
    return request


def test_request_gets_the_answer_of_the_library(database: Database) -> None:
    response = respond(database, REQUEST, NOW)
    desc = REQUEST["params"]["deviceDesc"]
    wanted = answer(database, Request(14.16, 46.1, "a10", None, 40.0, device_desc=desc), NOW)
    assert wanted["layers"] == ["a10"]
    assert response == {"jsonrpc": "2.0", "result": wanted, "id": "abc"}
    assert response["result"]["deviceDesc"] == desc
    assert response["result"]["device"] == "a10"


def test_height_not_given_is_any_height_of_the_kind(database: Database) -> None:
    assert respond(database, changed("params.antenna", None), NOW)["result"]["layers"] == ["a10", "a30"]


def test_kind_without_a_layer_as_high_as_its_type_needs_a_height(tiny: Path) -> None:
    """Class 5 at 10 m beside class 1 at 30 m: a device of class 5 may stand at 30 m as well."""
    with_devices(tiny, ("a30", "A", 1, 30.0), ("slave", "A", 5, 10.0))
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [22, 23, 25]"))
    opened = open_database(publish(tiny))
    request = changed("params.deviceDesc.etsiEnDeviceEmissionsClass", "5")
    assert respond(opened, request, NOW)["result"]["layers"] == ["slave"]
    del request["params"]["antenna"]
    error = respond(opened, request, NOW)["error"]
    assert error["code"] == -102
    assert error["data"] == "give the antenna height: up to 10 m for this class of device"
    slaves = copy.deepcopy(request)
    slaves["params"]["requestType"] = "Generic Slave"
    assert "result" in respond(opened, slaves, NOW)
    close_database(opened)


def test_generic_slaves_are_those_of_the_master(database: Database) -> None:
    request = changed("params.requestType", "Generic Slave")
    request["params"]["masterDeviceLocation"] = request["params"].pop("location")
    result = respond(database, request, NOW)["result"]
    assert result["device"] == "slave"
    assert result["location"]["point"]["center"] == PLACE["point"]["center"]


def test_height_above_sea_level_is_not_taken_for_one_above_ground(database: Database) -> None:
    """No ground heights: -102, and `data` says what to give; no height at all is no height above the sea."""
    error = respond(database, changed("params.antenna.heightType", "AMSL"), NOW)["error"]
    assert error["code"] == -102
    assert error["data"] == "this database has no ground heights: give the antenna height above ground (AGL)"
    assert error["data"] in error["message"]
    assert "result" in respond(database, changed("params.antenna", {"heightType": "AMSL"}), NOW)


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("params.version", "2.0", -101),
        ("params.deviceDesc.rulesetIds", ["FccTvBandWhiteSpace-2010"], -102),
        ("params.deviceDesc.etsiEnDeviceEmissionsClass", "3", -102),
        ("params.antenna.height", 31.0, -102),
        ("method", "spectrum.paws.register", -103),
        ("params.location", {"region": {}}, -103),
        ("params.antenna.heightType", "AMSL", -102),
        ("params.antenna.heightType", "WGS84", -202),
        ("params.antenna", {"height": 28.0, "heightUncertainty": 4.0}, -102),
        ("params.antenna.heightUncertainty", 25.0, -102),
        ("params.location.point.center.latitude", 50.0, -104),
        ("params.deviceDesc", None, -201),
        ("params.location", None, -201),
        ("params.location.point.center", {"latitude": 46.1}, -201),
        ("params.deviceDesc.etsiEnDeviceType", None, -201),
        ("params.type", "INIT_REQ", -202),
        ("params", [1], -202),
        ("params.location", "here", -202),
        ("params.location.point.center.latitude", "46.1", -202),
        ("params.location.point.center.latitude", 123.0, -202),
        ("params.location.point.semiMajorAxis", -1.0, -202),
        ("params.antenna.height", True, -202),
        ("params.antenna.height", 10**400, -202),
        ("params.location.point.center.longitude", math.nan, -202),
        ("params.location.point.semiMinorAxis", math.nan, -202),
        ("params.location.confidence", "95", -202),
        ("params.location.confidence", 94, -103),
        ("params.location.confidence", 360, -202),
        ("params.location.confidence", 100.5, -202),
        ("params.location.confidence", -1, -202),
        ("params.antenna.heightUncertainty", -5.0, -202),
        ("params.requestType", "Batch", -202),
        ("params.requestType", "GENERIC_SLAVES", -202),
        ("params.requestType", ["Generic Slave"], -202),
        ("params.requestType", 5, -202),
        ("params.deviceDesc.serialNumber", math.nan, -202),
        ("params.deviceDesc.other", {"x": [-math.inf]}, -202),
        ("method", ["spectrum.paws.getSpectrum"], -32601),
        ("method", "spectrum.paws.nothing", -32601),
        ("jsonrpc", "1.0", -32600),
    ],
)
def test_fault_has_its_code(database: Database, path: str, value: object, code: int) -> None:
    response = respond(database, changed(path, value), NOW)
    assert response["error"]["code"] == code
    assert "result" not in response
    assert response["id"] == (None if code == -32600 else "abc")


@pytest.mark.parametrize("path", ["id", "params.deviceDesc.serialNumber", "params.other", "more"])
@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", {"x\udc00": 1}, [["\udabc"]]])
def test_lone_surrogate_is_no_request(database: Database, path: str, text: object) -> None:
    response = respond(database, changed(path, text), NOW)
    assert response["error"]["code"] == -32600
    assert response["id"] == (None if path == "id" else "abc")
    json.dumps(response, ensure_ascii=False).encode()


@pytest.mark.parametrize("request_id", [math.nan, math.inf, -math.inf, True, [1], {}])
def test_id_that_json_cannot_say_is_not_returned(database: Database, request_id: object) -> None:
    response = respond(database, REQUEST | {"id": request_id}, NOW)
    assert (response["error"]["code"], response["id"]) == (-32600, None)


@pytest.mark.parametrize("request_id", ["", "\U0001f600", 0, -7, 2.5, 10**30, None])
def test_id_is_returned_as_it_is(database: Database, request_id: object) -> None:
    assert respond(database, REQUEST | {"id": request_id}, NOW)["id"] == request_id


def test_missing_parameters_are_listed(database: Database) -> None:
    request = changed("params.deviceDesc", None)
    del request["params"]["location"]
    assert respond(database, request)["error"]["data"] == {"parameters": ["location", "deviceDesc"]}


@pytest.mark.parametrize("nothing", [None, [], "x", 3, {}])
def test_what_is_no_request_is_answered(database: Database, nothing: object) -> None:
    assert respond(database, nothing)["error"]["code"] == -32600


def test_uncertainty_of_the_height_takes_the_layers_around_it(database: Database) -> None:
    request = changed("params.antenna.heightUncertainty", 2.0)
    assert respond(database, request, NOW)["result"]["layers"] == ["a10", "a30"]


PATHS = [
    "jsonrpc",
    "method",
    "params",
    "params.type",
    "params.version",
    "params.requestType",
    "params.deviceDesc",
    "params.deviceDesc.rulesetIds",
    "params.deviceDesc.etsiEnDeviceType",
    "params.location",
    "params.antenna",
    "params.deviceDesc.etsiEnDeviceEmissionsClass",
    "params.location.point",
    "params.location.confidence",
    "params.location.point.center",
    "params.location.point.center.latitude",
    "params.antenna.height",
    "params.location.point.center.longitude",
    "params.location.point.semiMajorAxis",
    "params.location.point.semiMinorAxis",
    "params.antenna.heightType",
    "params.antenna.heightUncertainty",
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), value=ANYTHING, generic=st.booleans())
def test_no_request_raises(database: Database, path: str, value: object, generic: bool) -> None:
    request = changed(path, value)
    if generic and isinstance(request.get("params"), dict):
        request["params"].setdefault("requestType", "Generic Slave")
    response = respond(database, request, NOW)
    assert ("result" in response) != ("error" in response)
    assert "id" in response
    if "error" in response:
        assert len(response["error"]["message"].encode()) <= 128
        json.dumps(response)


def test_confidence_that_rules_ask_for_is_taken(database: Database) -> None:
    wanted = respond(database, REQUEST, NOW)["result"]
    assert respond(database, changed("params.location.confidence", 95), NOW)["result"] == wanted


@pytest.mark.parametrize(
    ("ranges_mhz", "channels"),
    [
        ([], [22, 23, 25]),
        ([(470.0, 694.0)], [22, 23, 25]),
        ([(478.0, 486.0)], [22]),
        ([(478.0, 493.9)], [22]),  # 23 is 486-494 MHz
        ([(490.0, 510.0), (478.0, 490.0)], [22, 23, 25]),  # ranges that touch are one
        ([(486.0, 490.0), (490.001, 494.0)], []),
        ([(600.0, 694.0)], []),
    ],
)
def test_only_channels_that_the_device_can_use_are_answered(database, ranges_mhz, channels):
    """RFC 7545, section 4.5.1: none outside the ranges of DeviceCapabilities; nothing left is no error."""
    whole = respond(database, REQUEST, NOW)["result"]
    ranges = [{"startHz": 1e6 * start, "stopHz": 1e6 * stop} for start, stop in ranges_mhz]
    found = respond(database, changed("params.capabilities", {"frequencyRanges": ranges}), NOW)["result"]
    expected = [one for one in whole["channels"] if one["channel"] in channels]
    assert found["channels"] == expected
    (spec,) = found["spectrumSpecs"]
    inside = [one["startHz"] // 8e6 * 8e6 for one in spec.get("frequencyRanges", [])]
    assert all(any(r["startHz"] <= start <= r["stopHz"] for r in ranges) for start in inside) or not ranges
