"""Bodies that nobody would send: all of them are answered, and none is an incident."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loop.scene import TYPES, desc, params, place, publish_examples, serving, used

ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1e308,
    -1e308,
    10**300,
    1e-320,
    "",
    "x" * 70,
    "\u0000",
    "ä" * 40,
    "\ud83d\ude00",
    [],
    {},
    [[]],
    [None],
    {"a": {}},
    "NaN",
    "2026-12-05T08:00:00Z",
    95.5,
    "A",
    "1",
    "master",
    "slave",
    670e6,
    8e6,
    [{"hz": 1, "dbm": 2}],
    {"point": {}},
    {"region": {"exterior": []}},
    place(),
    desc(),
    used(670e6, 30),
    ["vcard", [["fn", {}, "text", {}]]],
]
WHOLE = {
    name: params(name)
    | {
        "masterDeviceDesc": desc(),
        "masterDeviceLocation": place(),
        "spectra": used(670e6, 20.0),
        "deviceDescs": [desc(), desc(etsiEnDeviceCategory="slave")],
        "capabilities": {"frequencyRanges": [{"startHz": 470e6, "stopHz": 694e6}]},
        "requestType": "Generic Slave",
        "deviceOwner": {"owner": ["vcard", [["fn", {}, "text", "A"]]]},
        "owner": {"owner": ["vcard", [["fn", {}, "text", "A"]]]},
    }
    for name in TYPES
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    from tests.tiny import tiny

    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patched:
        config = tiny.__wrapped__(folder, patched)  # type: ignore[attr-defined]
        yield publish_examples(config, patched).absolute()


def places_of(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every object or list within plain data, with each of its names or indexes."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_of(value[key])


def odd_body(rng: random.Random) -> bytes:
    """A request with some of its members changed, left out, or its text damaged."""
    method = rng.choice(sorted(TYPES))
    given = json.loads(json.dumps(WHOLE[method]))
    for name in rng.sample(sorted(given), rng.randint(0, len(given))):
        if name not in ("type", "version", "deviceDesc"):
            given.pop(name)
    for _ in range(rng.randint(0, 3)):
        holder, key = rng.choice(list(places_of(given if given else {"params": given})))
        if isinstance(holder, dict) and rng.random() < 0.3:
            holder.pop(key)
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD))
    message: Any = {
        "jsonrpc": "2.0",
        "id": rng.choice(ODD[:12]),
        "method": f"spectrum.paws.{method}",
        "params": given,
    }
    body = bytearray(json.dumps(message if rng.random() < 0.9 else [message, rng.choice(ODD)]).encode())
    if rng.random() < 0.1:
        body[rng.randrange(len(body))] = rng.randrange(256)
    return bytes(body)


def resident_mib() -> float:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def check_bodies(results: Path, folder: Path, count: int) -> float:
    """Growth of memory in MiB over the second half."""
    rng, before_mib = random.Random(count), 0.0
    with serving(results, folder) as client:
        for number in range(count):
            if number == count // 2:
                before_mib = resident_mib()
            body = odd_body(rng)
            response = client.post("/paws", content=body, headers={"content-type": "application/json"})
            assert response.status_code in (200, 204), body
            answers = response.json() if response.content else []
            for answer in answers if isinstance(answers, list) else [answers]:
                assert answer["jsonrpc"] == "2.0", body
                assert answer.get("error", {"code": 0})["code"] != -32603, body
        assert client.get("/health").status_code == 200
        return resident_mib() - before_mib


def test_odd_bodies_are_answered(results: Path, tmp_path: Path) -> None:
    check_bodies(results, tmp_path, 500)


@pytest.mark.slow
def test_many_odd_bodies_are_answered(results: Path, tmp_path: Path) -> None:
    assert check_bodies(results, tmp_path, 20_000) < 10.0
