"""What goes wrong: bodies that nobody would send, and a server that is killed while it is asked."""

from __future__ import annotations

import copy
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.loop.scene import RATES_OFF, TYPES, desc, params, place, publish_examples, serving, used

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


def check_bodies(results: Path, folder: Path, count: int) -> None:
    rng = random.Random(count)
    with serving(results, folder) as client:
        for _ in range(count):
            body = odd_body(rng)
            response = client.post("/paws", content=body, headers={"content-type": "application/json"})
            assert response.status_code in (200, 204), body
            answers = response.json() if response.content else []
            for answer in answers if isinstance(answers, list) else [answers]:
                assert answer["jsonrpc"] == "2.0", body
                assert answer.get("error", {"code": 0})["code"] != -32603, body
        assert client.get("/health").status_code == 200


def test_odd_bodies_are_answered(results: Path, tmp_path: Path) -> None:
    check_bodies(results, tmp_path, 500)


@pytest.mark.slow
def test_many_odd_bodies_are_answered(results: Path, tmp_path: Path) -> None:
    check_bodies(results, tmp_path, 20_000)


# --- killed -------------------------------------------------------------------------------------------------


@contextmanager
def process(results: Path, folder: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """A server of its own, and where it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "loop.yaml").write_text(RATES_OFF + "aggregate: margin\n")
    line = [
        "serve",
        "--results",
        results,
        "--db",
        f"sqlite:///{folder}/loop.db",
        "--loop",
        folder / "loop.yaml",
    ]
    line += ["--listen", f"127.0.0.1:{port}", "--now", "2026-12-05T08:00:00Z"]
    started = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *map(str, line)],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"PYTHONPATH": "."},
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx2.get(f"{url}/health")
                break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield started, url
    finally:
        started.kill()
        started.wait()


def call(client: httpx2.Client, url: str, method: str, serial: str, **members: Any) -> bool:
    """Whether a request was acknowledged."""
    given = params(method, deviceDesc=desc(serialNumber=serial), **members)
    message = {"jsonrpc": "2.0", "id": "1", "method": f"spectrum.paws.{method}", "params": given}
    return "result" in client.post(f"{url}/paws", json=message).json()


def walk_until_killed(results: Path, folder: Path, serials: Iterator[int], seconds: float) -> set[str]:
    """Devices ask and report until the server is killed; those that were acknowledged."""
    acknowledged = set()
    with process(results, folder) as (started, url), httpx2.Client() as client:
        killing = subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -9 {started.pid}"])
        try:
            for serial in serials:
                if call(client, url, "getSpectrum", f"k{serial}") and call(
                    client, url, "notifySpectrumUse", f"k{serial}", spectra=used(670e6, 10.0)
                ):
                    acknowledged.add(f"k{serial}")
        except httpx2.TransportError:
            pass
        killing.wait()
        assert started.wait(30) == -signal.SIGKILL
    return acknowledged


def check_kills(results: Path, folder: Path, count: int) -> None:
    rng = random.Random(count)
    acknowledged: set[str] = set()
    for number in range(count):
        serials = iter(range(10_000 * number, 10_000 * number + 9_999))
        acknowledged |= walk_until_killed(results, folder, serials, rng.uniform(0.5, 2.0))
    with sqlite3.connect(folder / "loop.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        wanted = "SELECT serial_number, count(*) FROM use JOIN device USING (device_key) GROUP BY 1"
        found = dict(connection.execute(wanted).fetchall())
    assert len(acknowledged) > count
    assert acknowledged <= set(found)
    assert set(found.values()) == {1}
    assert len(set(found) - acknowledged) <= count  # stored, but killed before the answer was sent


def test_no_acknowledged_notice_is_lost(results: Path, tmp_path: Path) -> None:
    check_kills(results, tmp_path, 2)


@pytest.mark.slow
def test_no_acknowledged_notice_is_lost_in_many_kills(results: Path, tmp_path: Path) -> None:
    check_kills(results, tmp_path, 50)
