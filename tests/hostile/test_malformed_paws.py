"""Requests that are wrong in one member each: the error of RFC 7545, section 5.17, and always an answer."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.query.paws_request import respond
from pipeline.query.query import Database, close_database, open_database
from tests.published import NOW, publish, with_devices

REQUEST: dict[str, Any] = {
    "jsonrpc": "2.0",
    "method": "spectrum.paws.getSpectrum",
    "id": "q-1",
    "params": {
        "type": "AVAIL_SPECTRUM_REQ",
        "version": "1.0",
        "deviceDesc": {
            "serialNumber": "KX-000451",
            "manufacturerId": "Alpvox",
            "modelId": "Bridge-30",
            "rulesetIds": ["ETSI-EN-301-598-2.1.1"],
            "etsiEnDeviceType": "A",
            "etsiEnDeviceEmissionsClass": "1",
        },
        "location": {
            "point": {
                "center": {"latitude": 46.1, "longitude": 14.16},
                "semiMajorAxis": 20,
                "semiMinorAxis": 20,
                "orientation": 0,
            },
            "confidence": 95,
        },
        "antenna": {"height": 28, "heightType": "AGL", "heightUncertainty": 1},
    },
}
GONE = object()
VERSION, UNSUPPORTED, UNIMPLEMENTED, OUTSIDE, MISSING, INVALID = -101, -102, -103, -104, -201, -202
DESC, CENTER = "params.deviceDesc", "params.location.point.center"
# What is no number, wherever one is asked for.
NO_NUMBERS: list[Any] = [
    None,
    "",
    "46.1",
    "46,1",
    True,
    [],
    {},
    [46.1],
    math.nan,
    math.inf,
    -math.inf,
    10**400,
]
NUMBERS = [
    f"{CENTER}.latitude",
    f"{CENTER}.longitude",
    "params.location.point.semiMajorAxis",
    "params.location.point.semiMinorAxis",
    "params.location.point.orientation",
    "params.location.confidence",
    "params.antenna.height",
    "params.antenna.heightUncertainty",
]
TEXTS = [f"{DESC}.serialNumber", f"{DESC}.manufacturerId", f"{DESC}.modelId"]
OBJECTS = [
    "params.location",
    "params.location.point",
    CENTER,
    DESC,
    "params.antenna",
    "params.owner",
    "params.capabilities",
    "params.masterDeviceLocation",
    "params.masterDeviceDesc",
]
CASES: list[tuple[str, Any, int]] = [
    *[(path, value, INVALID) for path in NUMBERS for value in NO_NUMBERS],
    *[(path, value, INVALID) for path in TEXTS for value in (None, 1, True, [], {}, "x" * 65, "\u00e9" * 33)],
    *[(path, value, INVALID) for path in OBJECTS for value in (None, "", "here", 1, True, [], [{}])],
    *[
        (path, GONE, MISSING)
        for path in (
            "params.type",
            "params.version",
            DESC,
            "params.location",
            "params.location.point",
            CENTER,
            f"{CENTER}.latitude",
            f"{CENTER}.longitude",
            f"{DESC}.etsiEnDeviceType",
            f"{DESC}.etsiEnDeviceEmissionsClass",
        )
    ],
    *[("params.version", value, VERSION) for value in ("", "1", "1.1", "1.0 ", 1.0, None, ["1.0"], True)],
    *[("params.type", value, INVALID) for value in ("", None, 1, "avail_spectrum_req", "INIT_REQ", [])],
    *[
        ("params.requestType", value, INVALID)
        for value in (None, 1, True, [], "slave", "Generic  Slave", "x")
    ],
    *[
        (f"{DESC}.rulesetIds", value, INVALID)
        for value in (None, "", "ETSI-EN-301-598-2.1.1", [], [1], {}, [[]])
    ],
    (f"{DESC}.rulesetIds", ["FccTvBandWhiteSpace-2010"], UNSUPPORTED),
    *[(f"{DESC}.etsiEnDeviceType", value, INVALID) for value in (None, True, [], ["A"], {}, 1.5)],
    *[(f"{DESC}.etsiEnDeviceType", value, UNSUPPORTED) for value in ("", "a", "C", "A ", "AB")],
    *[(f"{DESC}.etsiEnDeviceEmissionsClass", value, INVALID) for value in (None, True, [], [1], {}, 1.0)],
    *[
        (f"{DESC}.etsiEnDeviceEmissionsClass", value, UNSUPPORTED)
        for value in ("", "0", "6", "1.0", "01", -1)
    ],
    *[(f"{CENTER}.latitude", value, INVALID) for value in (90.001, -90.001, 1e300, 181)],
    *[(f"{CENTER}.longitude", value, INVALID) for value in (180.001, -180.001, 1e300, 361)],
    (CENTER, {"latitude": 14.16, "longitude": 46.1}, OUTSIDE),
    ("params.location.point.semiMajorAxis", -0.001, INVALID),
    ("params.location.point.semiMinorAxis", 20.5, INVALID),
    ("params.location.point.semiMajorAxis", 1e300, INVALID),
    ("params.location.point.orientation", 361, INVALID),
    ("params.location.region", {"exterior": []}, INVALID),
    ("params.location", {"region": {"exterior": []}}, UNIMPLEMENTED),
    ("params.location", {}, MISSING),
    *[("params.location.confidence", value, INVALID) for value in (-1, 101, 95.5, 1e300, 360)],
    *[("params.location.confidence", value, UNIMPLEMENTED) for value in (0, 50, 94)],
    *[("params.antenna.height", value, INVALID) for value in (10_002, 1e300)],
    ("params.antenna.heightUncertainty", -1, INVALID),
    ("params.antenna.heightUncertainty", 1e300, INVALID),
    *[("params.antenna.heightType", value, INVALID) for value in (None, "", "agl", "HAAT", 1, [])],
    ("params.antenna.heightType", "AMSL", UNSUPPORTED),  # no ground heights: -102
    *[
        ("params.capabilities", {"frequencyRanges": value}, INVALID)
        for value in (None, "", 1, True, {}, [1], [[]])
    ],
    *[
        ("params.capabilities", {"frequencyRanges": [{"startHz": start, "stopHz": 5e8}]}, INVALID)
        for start in (*NO_NUMBERS, 5e8, 6e8)
    ],
    ("params.capabilities", {"frequencyRanges": [{"startHz": 4.7e8}]}, MISSING),
    *[
        ("method", f"spectrum.paws.{name}", UNIMPLEMENTED)
        for name in ("init", "register", "getSpectrumBatch", "notifySpectrumUse", "verifyDevice")
    ],
    *[
        ("method", value, -32601)
        for value in ("", None, 1, [], "getSpectrum", "spectrum.paws.", "x" * 10_000)
    ],
    *[("params", value, INVALID) for value in (None, "", 1, [], [REQUEST])],
    *[("jsonrpc", value, -32600) for value in (None, "", "1.0", 2.0, 2, [], GONE)],
    *[("id", value, -32600) for value in (True, [], {}, math.nan, math.inf, 10**400, "\ud800")],
    ("params.extra", {"deep": ["\udfff"]}, -32600),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    from tests.tiny import CONFIG, STATIONS, write_register

    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("paws")
        patch.chdir(folder)
        write_register(folder / "register.csv", STATIONS)
        config = folder / "tiny.yaml"
        config.write_text(CONFIG.replace('wsd: ["21-30"]', "wsd: [22, 23, 25]"), encoding="utf-8")
        with_devices(config, ("a30", "A", 1, 30.0), ("slave", "A", 5, 30.0))
        opened = open_database(publish(config))
        yield opened
        close_database(opened)


def changed(path: str, value: Any) -> dict[str, Any]:
    request = copy.deepcopy(REQUEST)
    *sections, last = path.split(".")
    member = request
    for section in sections:
        member = member[section]
    if value is GONE:
        del member[last]
    else:
        member[last] = value
    return request


def test_request_as_it_is_is_answered(database: Database) -> None:
    assert "result" in respond(database, REQUEST, NOW)


def test_each_wrong_member_gets_its_error(database: Database) -> None:
    assert len(CASES) >= 60
    wrong = []
    for path, value, code in CASES:
        response = respond(database, changed(path, value), NOW)
        json.dumps(response, allow_nan=False).encode()
        error = response.get("error", {"code": "answered", "message": ""})
        shown = repr(value) if not isinstance(value, int) or abs(value) < 10**9 else "a large number"
        if error["code"] != code or len(error["message"].encode()) > 128:
            wrong.append((path, shown[:60], error, code))
        if code == MISSING and not error.get("data", {}).get("parameters"):
            wrong.append((path, "no list of what is missing"))
    assert not wrong


@pytest.mark.parametrize("request_", [None, True, 1, "", "{", [], [REQUEST], {}, {"jsonrpc": "2.0"}])
def test_what_is_no_request_gets_an_error_of_the_envelope(database: Database, request_: Any) -> None:
    response = respond(database, request_, NOW)
    assert response["error"]["code"] in (-32600, -32601)
    assert response["id"] is None
