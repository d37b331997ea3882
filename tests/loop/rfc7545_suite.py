"""What any database of RFC 7545 has to answer: a suite that knows nothing of this program.

Plain Python without imports of the program: `python -I tests/loop/rfc7545_suite.py URL` asks a server that
has the run of the worked conversations (`conversations.json`) and its clock at 2026-12-05T08:00Z. Expected
codes are those of RFC 7545, section 5.17, and of JSON-RPC 2.0, section 5.1, written down by hand.
"""

from __future__ import annotations

import copy
import gzip
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

TALKS: dict[str, Any] = json.loads((Path(__file__).parent / "conversations.json").read_text())
# Members of this database beside those of RFC 7545; devices ignore them.
OWN = ("pixel", "channels", "device", "layers", "runId", "location")
JSON_TYPE = {"content-type": "application/json"}
INIT, REGISTER, QUERY, BATCH, NOTIFY, VERIFY = (
    TALKS[name]["request"]
    for name in ("init", "registration", "spectrum_for_a_master", "batch", "notice_inside", "slaves")
)


class Answer(NamedTuple):
    """An HTTP response; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Post = Callable[[bytes, Mapping[str, str]], Answer]


class Case(NamedTuple):
    """A message and the code of its answer (0: a result); names of missing members, any order."""

    name: str
    message: Any
    code: int
    missing: tuple[str, ...] = ()


def changed(message: Mapping[str, Any], *path: Any, value: Any = None, drop: bool = False) -> Any:
    """A copy of a message in which the member at a path of its parameters is another, or absent."""
    found = copy.deepcopy(dict(message))
    holder: Any = found["params"]
    for step in path[:-1]:
        holder = holder[step]
    if drop:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return found


def without_own(answer: Any) -> Any:
    """An answer without the members of the database's own."""
    if isinstance(answer, dict) and "result" in answer:
        result = {name: value for name, value in answer["result"].items() if name not in OWN}
        for entry in result.get("geoSpectrumSpecs", []):
            for name in set(OWN) - {"location"}:
                entry.pop(name, None)
        return answer | {"result": result}
    return answer


def at_eight(answer: Any) -> Any:
    """An answer whose first minute of the server's clock, which has begun, is the instant of the examples."""
    return json.loads(re.sub(r"T08:00:\d\dZ", "T08:00:00Z", json.dumps(answer)))


# --- messages -----------------------------------------------------------------------------------------------

POINT = ("location", "point")
CENTER = (*POINT, "center")
ALL_ETSI = (
    "serialNumber",
    "manufacturerId",
    "modelId",
    "etsiEnDeviceType",
    "etsiEnDeviceEmissionsClass",
    "etsiEnTechnologyId",
    "etsiEnDeviceCategory",
)


def every_message() -> Iterator[Case]:
    """What holds for all messages (sections 4 and 5): type, version, required members, unknown ones."""
    for message in (INIT, REGISTER, QUERY, BATCH, NOTIFY, VERIFY):
        name = message["method"]
        yield Case(f"{name}: unknown members", changed(message, "vendorThing", value={"a": [1]}), 0)
        yield Case(f"{name}: no version", changed(message, "version", drop=True), -201, ("version",))
        yield Case(f"{name}: no type", changed(message, "type", drop=True), -201, ("type",))
        yield Case(f"{name}: null type", changed(message, "type", value=None), -201, ("type",))
        for version in ("1.1", "2.0", "", 1.0, 1, True, ["1.0"], {}):
            yield Case(f"{name}: version {version!r}", changed(message, "version", value=version), -101)
        for kind in ("INIT", "init_req", "", 5, ["INIT_REQ"]):
            yield Case(f"{name}: type {kind!r}", changed(message, "type", value=kind), -202)
        both = changed(changed(message, "version", value="9"), "type", value="X")
        yield Case(f"{name}: type before version", both, -202)
        desc = "deviceDescs" if message is VERIFY else "deviceDesc"
        yield Case(f"{name}: no {desc}", changed(message, desc, drop=True), -201, (desc,))
        yield Case(f"{name}: params by position", message | {"params": [1]}, -32602)
        for absent in ({"params": None}, {}):
            bare = {key: value for key, value in message.items() if key != "params"} | absent
            yield Case(f"{name}: no params", bare, -201)


def rulesets() -> Iterator[Case]:
    """Section 5.2 and 9: which rulesets a device names."""
    for message in (INIT, REGISTER, QUERY, BATCH):
        name, ids = message["method"], ("deviceDesc", "rulesetIds")
        yield Case(f"{name}: other ruleset", changed(message, *ids, value=["FccTvBandWhiteSpace-2010"]), -102)
        mixed = ["NoSuch", "ETSI-EN-301-598-2.1.1"]
        yield Case(f"{name}: one of two rulesets", changed(message, *ids, value=mixed), 0)
        code, missing = (-201, ("deviceDesc.rulesetIds",)) if message is REGISTER else (0, ())
        yield Case(f"{name}: no rulesets", changed(message, *ids, drop=True), code, missing)
        for wrong in ([], "ETSI-EN-301-598-2.1.1", {}, [1], [""], ["x" * 65]):
            expected = -102 if wrong in ([1], [""], ["x" * 65]) else -202
            yield Case(f"{name}: rulesets {wrong!r:.20}", changed(message, *ids, value=wrong), expected)


def devices() -> Iterator[Case]:
    """Sections 5.2 and 9.2: descriptors."""
    bare = {"rulesetIds": ["ETSI-EN-301-598-2.1.1"]}
    for message in (REGISTER, QUERY, BATCH, NOTIFY):
        name = message["method"]
        names = tuple(f"deviceDesc.{member}" for member in ALL_ETSI)
        yield Case(f"{name}: bare descriptor", changed(message, "deviceDesc", value=bare), -201, names)
        for member in ALL_ETSI:
            gone = changed(message, "deviceDesc", member, drop=True)
            yield Case(f"{name}: no {member}", gone, -201, (f"deviceDesc.{member}",))
            wrong = changed(message, "deviceDesc", member, value={"a": 1})
            yield Case(f"{name}: {member} is an object", wrong, -202)
        for member in ("serialNumber", "manufacturerId", "modelId", "etsiEnTechnologyId"):
            for text, code in (("x" * 65, -202), ("", -202), ("\u00e4" * 33, -202)):
                wrong = changed(message, "deviceDesc", member, value=text)
                yield Case(f"{name}: {member} of {len(text.encode())} octets", wrong, code)
        for member, value in (("etsiEnDeviceType", "C"), ("etsiEnDeviceEmissionsClass", "6")):
            yield Case(f"{name}: {member} {value}", changed(message, "deviceDesc", member, value=value), -202)
        for wrong in ("a device", [], 5):
            yield Case(f"{name}: descriptor {wrong!r}", changed(message, "deviceDesc", value=wrong), -202)
    yield Case("init: a bare descriptor is enough", changed(INIT, "deviceDesc", value=bare), 0)
    yield Case(
        "query: class as a number", changed(QUERY, "deviceDesc", "etsiEnDeviceEmissionsClass", value=1), 0
    )
    yield Case(
        "query: category in capitals", changed(QUERY, "deviceDesc", "etsiEnDeviceCategory", value="MASTER"), 0
    )
    yield Case(
        "query: class without maps",
        changed(QUERY, "deviceDesc", "etsiEnDeviceEmissionsClass", value="3"),
        -102,
    )
    yield Case("query: type without maps", changed(QUERY, "deviceDesc", "etsiEnDeviceType", value="B"), -102)


def places() -> Iterator[Case]:
    """Section 5.1: locations."""
    ring = [(15.22, 46.40), (15.23, 46.40), (15.23, 46.41), (15.22, 46.41), (15.22, 46.40)]
    corners = [{"longitude": lon, "latitude": lat} for lon, lat in ring]
    crossing = [corners[k] for k in (0, 2, 1, 3, 0)]
    for message in (INIT, REGISTER, QUERY, NOTIFY):
        name = message["method"]
        yield Case(f"{name}: no location", changed(message, "location", drop=True), -201, ("location",))
        yield Case(
            f"{name}: empty location", changed(message, "location", value={}), -201, ("location.point",)
        )
        yield Case(
            f"{name}: no center", changed(message, *CENTER, drop=True), -201, ("location.point.center",)
        )
        for member in ("latitude", "longitude"):
            gone = changed(message, *CENTER, member, drop=True)
            yield Case(f"{name}: no {member}", gone, -201, (f"location.point.center.{member}",))
            for wrong in ("46.4", None, 181.0, -181.0, True, [46.4]):
                code = -201 if wrong is None else -202
                yield Case(
                    f"{name}: {member} {wrong!r}", changed(message, *CENTER, member, value=wrong), code
                )
        for member, wrong in (
            ("semiMajorAxis", -1),
            ("semiMinorAxis", -1),
            ("semiMinorAxis", 21),
            ("semiMajorAxis", "20"),
            ("orientation", 361),
            ("orientation", "north"),
        ):
            yield Case(f"{name}: {member} {wrong!r}", changed(message, *POINT, member, value=wrong), -202)
        for wrong, code in ((95.5, -202), (101, -202), (-1, -202), ("95", -202), (100, 0), (95.0, 0)):
            yield Case(
                f"{name}: confidence {wrong!r}",
                changed(message, "location", "confidence", value=wrong),
                code if message is not NOTIFY or code else 0,
            )
        both = changed(message, "location", "region", value={"exterior": corners})
        yield Case(f"{name}: point and region", both, -202)
        for wrong in ("here", [], 5):
            yield Case(f"{name}: location {wrong!r}", changed(message, "location", value=wrong), -202)
        far = changed(message, *CENTER, value={"latitude": 47.0707, "longitude": 15.4395})
        if message is not NOTIFY:
            yield Case(f"{name}: abroad", far, -104)
            edge = changed(
                changed(message, *POINT, "semiMajorAxis", value=9999), *POINT, "semiMinorAxis", value=9999
            )
            edge = changed(edge, *CENTER, value={"latitude": 46.565, "longitude": 15.22})
            yield Case(f"{name}: a part of the circle abroad", edge, -104)
    for shape, code in (
        (corners, 0),
        (corners[::-1], 0),
        (corners[:-1], -202),
        (crossing, -202),
        (corners[:2], -202),
    ):
        region = changed(QUERY, "location", value={"region": {"exterior": shape}})
        yield Case(f"query: region of {len(shape)} corners", region, code)
    huge = [
        {"longitude": lon, "latitude": lat}
        for lon, lat in ((15.1, 46.2), (15.45, 46.2), (15.45, 46.5), (15.1, 46.5), (15.1, 46.2))
    ]
    yield Case(
        "query: a region of 900 km2", changed(QUERY, "location", value={"region": {"exterior": huge}}), -103
    )
    yield Case("query: uncertain place", changed(QUERY, "location", "confidence", value=90), -103)
    wide = changed(
        changed(QUERY, *POINT, "semiMajorAxis", value=10_001), *POINT, "semiMinorAxis", value=10_001
    )
    yield Case("query: 10 km and more", wide, -202)
    yield Case(
        "query: no axes",
        changed(QUERY, *POINT, value={"center": QUERY["params"]["location"]["point"]["center"]}),
        0,
    )


def antennas() -> Iterator[Case]:
    """Section 5.3: antenna characteristics; ETSI type A gives its height."""
    for message in (REGISTER, QUERY, BATCH):
        name = message["method"]
        yield Case(f"{name}: no antenna", changed(message, "antenna", drop=True), -201, ("antenna",))
        yield Case(
            f"{name}: no height", changed(message, "antenna", "height", drop=True), -201, ("antenna.height",)
        )
        for member, wrong in (
            ("height", "28"),
            ("height", 10_001),
            ("heightType", "ASL"),
            ("heightType", 1),
            ("heightUncertainty", -1),
            ("heightUncertainty", "1"),
        ):
            yield Case(f"{name}: {member} {wrong!r}", changed(message, "antenna", member, value=wrong), -202)
    yield Case("query: height without a layer", changed(QUERY, "antenna", "height", value=200), -102)
    yield Case("query: below the ground", changed(QUERY, "antenna", "height", value=-3), 0)
    yield Case("query: no type of height", changed(QUERY, "antenna", "heightType", drop=True), 0)
    yield Case(
        "query: above sea level without terrain", changed(QUERY, "antenna", "heightType", value="AMSL"), -103
    )


def queries() -> Iterator[Case]:
    """Sections 4.5.1 and 4.5.3: capabilities, slaves, batches."""

    def ranges(*given: Any) -> Any:
        return changed(QUERY, "capabilities", value={"frequencyRanges": list(given)})

    yield Case("query: a range", ranges({"startHz": 470e6, "stopHz": 694e6}), 0)
    yield Case("query: no channel in the range", ranges({"startHz": 1e6, "stopHz": 2e6}), 0)
    yield Case("query: no ranges", ranges(), 0)
    yield Case("query: range the wrong way round", ranges({"startHz": 694e6, "stopHz": 470e6}), -202)
    yield Case("query: empty range", ranges({"startHz": 470e6, "stopHz": 470e6}), -202)
    yield Case(
        "query: half a range", ranges({"startHz": 470e6}), -201, ("capabilities.frequencyRanges[0].stopHz",)
    )
    yield Case("query: ranges are no objects", ranges(5), -202)
    yield Case("query: capabilities are a list", changed(QUERY, "capabilities", value=[]), -202)
    for word, code in (
        ("Generic Slave", -201),
        ("generic slave", -201),
        ("GENERIC SLAVE", -201),
        ("anything", -202),
        ("", -202),
        (5, -202),
        ("x" * 65, -202),
    ):
        yield Case(f"query: requestType {word!r:.20}", changed(QUERY, "requestType", value=word), code)
    generic = changed(
        changed(QUERY, "requestType", value="Generic Slave"),
        "masterDeviceLocation",
        value=QUERY["params"]["location"],
    )
    yield Case("query: generic slaves", generic, 0)
    nobody = changed(changed(generic, "deviceDesc", drop=True), "location", drop=True)
    yield Case("query: generic slaves without descriptor", changed(nobody, "antenna", drop=True), 0)
    master = changed(QUERY, "masterDeviceLocation", value=QUERY["params"]["location"])
    yield Case("query: a master on behalf of a slave", master, -201)
    slave = changed(QUERY, "deviceDesc", "etsiEnDeviceCategory", value="slave")
    yield Case("query: a slave alone", slave, -201, ("masterDeviceLocation", "masterDeviceDesc"))
    for wrong, code in (([], -202), ({}, -202), ([5], -202), ([{}], -201), (None, -201)):
        yield Case(f"batch: locations {wrong!r}", changed(BATCH, "locations", value=wrong), code)
    away = {"point": {"center": {"latitude": 47.0707, "longitude": 15.4395}}}
    yield Case("batch: all abroad", changed(BATCH, "locations", value=[away, away]), -104)
    bad = [BATCH["params"]["locations"][0], {"point": {}}]
    yield Case(
        "batch: one place wrong", changed(BATCH, "locations", value=bad), -201, ("locations[1].point.center",)
    )


def notices() -> Iterator[Case]:
    """Sections 4.5.5 and 5.11: what a device uses; it was offered 33.22 dBm from 670 to 678 MHz."""

    def spectra(low: Any, high: Any, resolution: Any = 8e6, dbm: Any = 20) -> Any:
        points = [{"hz": low, "dbm": dbm}, {"hz": high, "dbm": dbm}]
        return changed(NOTIFY, "spectra", value=[{"resolutionBwHz": resolution, "profiles": [points]}])

    for name, message, code in (
        ("as offered", spectra(670e6, 678e6, dbm=33.22), 0),
        ("a part of a channel", spectra(671e6, 673e6), 0),
        ("in the narrow resolution", spectra(670e6, 678e6, 1e5, 14.189), 0),
        ("above the narrow resolution", spectra(670e6, 678e6, 1e5, 14.2), -202),
        ("above the level", spectra(670e6, 678e6, dbm=33.23), -202),
        ("beside the channel", spectra(662e6, 670e6), -202),
        ("half beside the channel", spectra(666e6, 674e6), -202),
        ("wider than allowed", spectra(670e6, 686e6), -202),
        ("a resolution that was not offered", spectra(670e6, 678e6, 6e6), -202),
        ("a resolution of zero", spectra(670e6, 678e6, 0), -202),
        ("frequencies downwards", spectra(678e6, 670e6), -202),
        ("no width", spectra(670e6, 670e6), -202),
        ("a level that is a text", spectra(670e6, 678e6, dbm="20"), -202),
        ("one point", changed(NOTIFY, "spectra", 0, "profiles", 0, value=[{"hz": 670e6, "dbm": 20}]), -202),
        (
            "three points at one frequency",
            changed(NOTIFY, "spectra", 0, "profiles", 0, value=[{"hz": 670e6, "dbm": 20}] * 3),
            -202,
        ),
        ("spectra that are no list", changed(NOTIFY, "spectra", value={}), -202),
        ("empty profiles", changed(NOTIFY, "spectra", 0, "profiles", value=[]), 0),
        ("nothing", changed(NOTIFY, "spectra", value=[]), 0),
    ):
        yield Case(f"notice: {name}", message, code)
    yield Case("notice: no spectra", changed(NOTIFY, "spectra", drop=True), -201, ("spectra",))
    yield Case(
        "notice: no profiles",
        changed(NOTIFY, "spectra", 0, "profiles", drop=True),
        -201,
        ("spectra[0].profiles",),
    )
    yield Case(
        "notice: no level",
        changed(NOTIFY, "spectra", 0, "profiles", 0, 1, "dbm", drop=True),
        -201,
        ("spectra[0].profiles[0][1].dbm",),
    )
    yield Case("notice: elsewhere", changed(NOTIFY, *CENTER, "latitude", value=46.402), -202)


def slaves_and_owners() -> Iterator[Case]:
    """Sections 4.6, 5.5, 5.16."""
    for wrong, code in (([], -202), ({}, -202), ([5], -202), ([{}] * 101, -202)):
        yield Case(f"verify: {wrong!r:.20}", changed(VERIFY, "deviceDescs", value=wrong), code)
    card = ["vcard", [["fn", {}, "text", "Dolina Net"]]]
    for owner, code in (
        ({"owner": card}, 0),
        ({"owner": card, "operator": card}, -202),  # another owner than before
        ({"operator": card}, -201),
        ({}, -201),
        ({"owner": "Dolina Net"}, -202),
        ({"owner": ["vcard", "x"]}, -202),
        ("Dolina Net", -202),
    ):
        if code != 0 and owner != {"owner": card, "operator": card}:
            yield Case(f"register: owner {owner!r:.30}", changed(REGISTER, "deviceOwner", value=owner), code)
    yield Case("register: no owner", changed(REGISTER, "deviceOwner", drop=True), 0)


def cases() -> Iterator[Case]:
    """All of them."""
    for group in (every_message, rulesets, devices, places, antennas, queries, notices, slaves_and_owners):
        yield from group()


# --- the envelope -------------------------------------------------------------------------------------------


class Raw(NamedTuple):
    """A body, the HTTP status of its answer, and the error code in it (None: no JSON-RPC answer)."""

    name: str
    body: bytes
    status: int = 200
    code: int | None = None
    headers: Mapping[str, str] = JSON_TYPE
    request_id: Any = None


def raw_bodies() -> Iterator[Raw]:
    """JSON-RPC 2.0 and HTTP."""
    good = json.dumps(INIT).encode()
    yield Raw("nothing", b"", code=-32700)
    for text in (
        b"{",
        b"nonsense",
        b"\xff\xfe{}",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a":1,"a":2}',
        b"[" * 100_000,
        b'"\\ud800"',
        b'{"a": Infinity}',
        b"{'a': 1}",
        b'{"a": 1,}',
    ):
        if len(text) <= 65_536:
            yield Raw(f"no JSON: {text[:20]!r}", text, code=-32700)
    yield Raw("100,000 brackets", b"[" * 100_000, code=-32700)
    for value in (
        5,
        "text",
        None,
        True,
        {},
        {"jsonrpc": "2.0"},
        {"jsonrpc": "1.0", "method": "x", "id": "1"},
    ):
        told = value.get("id") if isinstance(value, dict) and value.get("jsonrpc") == "1.0" else None
        yield Raw(f"no request: {value!r}", json.dumps(value).encode(), code=-32600, request_id=told)
    for wrong in ({}, [], True, [1]):
        yield Raw(f"id {wrong!r}", json.dumps(INIT | {"id": wrong}).encode(), code=-32600)
    yield Raw("id of 257 octets", json.dumps(INIT | {"id": "x" * 257}).encode(), code=-32600)
    yield Raw(
        "params are a text", json.dumps(INIT | {"params": "x"}).encode(), code=-32600, request_id=INIT["id"]
    )
    yield Raw(
        "method is a number", json.dumps(INIT | {"method": 1}).encode(), code=-32600, request_id=INIT["id"]
    )
    for method in (
        "spectrum.paws.nothing",
        "init",
        "",
        "spectrum.paws.",
        "SPECTRUM.PAWS.INIT",
        "spectrum.paws.init ",
    ):
        body = json.dumps(INIT | {"method": method}).encode()
        yield Raw(f"method {method!r}", body, code=-32601, request_id=INIT["id"])
    for number in ("7", "12345678901234567890", "1.50", "null", "-0", '"1"'):
        body = good.replace(b'"i-1"', number.encode())
        yield Raw(f"id {number}", body, code=0, request_id=json.loads(number))
    notification = json.dumps({name: value for name, value in INIT.items() if name != "id"}).encode()
    yield Raw("notification", notification, status=204)
    yield Raw("notifications alone", b"[" + notification + b"," + notification + b"]", status=204)
    yield Raw("empty batch", b"[]", code=-32600)
    yield Raw("51 requests", b"[" + b",".join([good] * 51) + b"]", code=-32600)
    yield Raw("with a mark of order", b"\xef\xbb\xbf" + good, code=0, request_id=INIT["id"])
    yield Raw(
        "packed",
        gzip.compress(good),
        code=0,
        headers=JSON_TYPE | {"content-encoding": "gzip"},
        request_id=INIT["id"],
    )
    for kind in (
        "text/plain",
        "application/xml",
        "",
        "application/jsonx",
        "application/json; charset=latin-1",
    ):
        yield Raw(f"type {kind!r}", good, status=415, headers={"content-type": kind})
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/json-rpc"):
        yield Raw(f"type {kind!r}", good, code=0, headers={"content-type": kind}, request_id=INIT["id"])
    yield Raw("packed otherwise", good, status=415, headers=JSON_TYPE | {"content-encoding": "br"})
    yield Raw("wants a page", good, status=406, headers=JSON_TYPE | {"accept": "text/html"})
    yield Raw("wants anything", good, code=0, headers=JSON_TYPE | {"accept": "*/*"}, request_id=INIT["id"])
    yield Raw("70,000 octets", b" " * 70_000 + good, status=413)


# --- what is asked ------------------------------------------------------------------------------------------


def converse(post: Post) -> list[str]:
    """The worked conversations, each twice, word for word; what went wrong."""
    slave = copy.deepcopy(VERIFY["params"]["deviceDescs"][0])
    given = {"type": "REGISTRATION_REQ", "version": "1.0", "deviceDesc": slave}
    given |= {
        "masterDeviceDesc": VERIFY["params"]["masterDeviceDesc"],
        "location": INIT["params"]["location"],
    }
    registration = {"jsonrpc": "2.0", "id": "s", "method": "spectrum.paws.register", "params": given}
    faults = []
    if b'"result"' not in post(json.dumps(registration).encode(), JSON_TYPE).body:
        faults.append("the slave was not registered")
    for name, talk in TALKS.items():
        for _ in range(2):
            answer = post(json.dumps(talk["request"]).encode(), JSON_TYPE)
            if answer.status != 200 or answer.headers.get("content-type") != "application/json":
                faults.append(f"{name}: HTTP {answer.status} {answer.headers.get('content-type')}")
            elif at_eight(without_own(json.loads(answer.body))) != talk["response"]:
                faults.append(f"{name}: {answer.body[:2000].decode()}")
    return faults


def check(post: Post) -> list[str]:
    """All cases and bodies; what went wrong."""
    faults = []
    post(json.dumps(QUERY).encode(), JSON_TYPE)  # notices need an offer
    for case in cases():
        if case.name == "notice: as offered":
            post(json.dumps(QUERY).encode(), JSON_TYPE)
        answer = post(json.dumps(case.message).encode(), JSON_TYPE)
        told = fault_of(case, answer)
        if told:
            faults.append(f"{case.name}: {told}")
    for raw in raw_bodies():
        answer = post(raw.body, raw.headers)
        if answer.status != raw.status:
            faults.append(f"{raw.name}: HTTP {answer.status}")
        elif raw.code is not None:
            content = json.loads(answer.body)
            code = content["error"]["code"] if "error" in content else 0
            if code != raw.code or content["id"] != raw.request_id:
                faults.append(f"{raw.name}: {code} {content['id']!r}")
        elif answer.body:
            faults.append(f"{raw.name}: a body of {len(answer.body)} octets")
    return faults


def fault_of(case: Case, answer: Answer) -> str:
    """What is wrong with the answer to a case, its form included; empty if nothing is."""
    if answer.status != 200:
        return f"HTTP {answer.status}"
    content = json.loads(answer.body)
    if content.get("jsonrpc") != "2.0" or content.get("id") != case.message["id"]:
        return f"not the answer to {case.message['id']}"
    if ("result" in content) == ("error" in content):
        return "neither or both of result and error"
    if "result" in content:
        return "a result" if case.code else ""
    error = content["error"]
    if error["code"] != case.code:
        return f"{error['code']} {error['message']}"
    if len(error["message"].encode()) > 128:
        return "a message above 128 octets"
    if (error["code"] == -201) != (set(error.get("data", {})) == {"parameters"}):
        return f"data {error.get('data')!r}"
    if case.missing and set(error["data"]["parameters"]) != set(case.missing):
        return f"missing {error['data']['parameters']}"
    return ""


def over_http(url: str) -> Post:
    """Messages to a server."""

    def post(body: bytes, headers: Mapping[str, str]) -> Answer:
        request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, _lower(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, _lower(error.headers), error.read())

    return post


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


if __name__ == "__main__":
    found = converse(over_http(sys.argv[1])) + check(over_http(sys.argv[1]))
    print(*found, sep="\n")
    sys.exit(bool(found))
