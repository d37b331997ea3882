"""A server that is killed while it is asked: what it acknowledged is there, once, and no sum is exceeded."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from tests.loop.databases import is_sqlite, rows, url_of, without_postgresql
from tests.loop.scene import RATES_OFF, desc, params, publish_examples, used

REPOSITORY = Path(__file__).resolve().parents[2]
LIMIT = 33.22  # of channel 46 at the place
CLIENTS = 4
USES = "SELECT serial_number, eirp_cdbm FROM use JOIN device USING (device_key) WHERE use.state = 'active'"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    from tests.tiny import tiny

    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patched:
        config = tiny.__wrapped__(folder, patched)  # type: ignore[attr-defined]
        yield publish_examples(config, patched).absolute()


@contextmanager
def process(results: Path, folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """A server of its own, and where it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "loop.yaml").write_text(RATES_OFF)
    line = ["serve", "--results", results, "--db", url_of(folder), "--loop", folder / "loop.yaml"]
    line += ["--listen", f"127.0.0.1:{port}", "--now", "2026-12-05T08:00:00Z", *options]
    started = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *map(str, line)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([".", os.environ.get("PYTHONPATH", "")])},
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):
            try:
                httpx2.get(f"{url}/health")
                break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield started, url
    finally:
        started.terminate()  # several workers: their master ends them
        try:
            started.wait(60)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def call(client: httpx2.Client, url: str, method: str, serial: str, **members: Any) -> dict[str, Any] | None:
    """The result of a request; None where it was refused."""
    given = params(method, deviceDesc=desc(serialNumber=serial), **members)
    message = {"jsonrpc": "2.0", "id": "1", "method": f"spectrum.paws.{method}", "params": given}
    found: dict[str, Any] | None = client.post(f"{url}/paws", json=message, timeout=60.0).json().get("result")
    return found


class Acknowledged(NamedTuple):
    """Devices whose registration was acknowledged; level in dBm that was acknowledged, by device."""

    registered: set[str]
    levels: dict[str, float]


def serials(prefix: str, count: int) -> Iterator[str]:
    """Serial numbers of the devices of one client."""
    return (f"{prefix}-{number}" for number in range(count))


def walk(url: str, names: Iterator[str], acknowledged: Acknowledged, below_db: float) -> None:
    """Devices register, ask and report until the server is gone."""
    with httpx2.Client() as client:
        try:
            for serial in names:
                if call(client, url, "register", serial) is not None:
                    acknowledged.registered.add(serial)
                answer = call(client, url, "getSpectrum", serial) or {"channels": []}
                offered = [one["dbm"] for one in answer["channels"] if one["channel"] == 46]
                level = round(offered[0] - below_db, 2) if offered else -60.0
                spectra = used(670e6, level)
                if call(client, url, "notifySpectrumUse", serial, spectra=spectra) is not None:
                    acknowledged.levels[serial] = level
        except httpx2.TransportError:
            pass


def kill_under_load(results: Path, folder: Path, number: int, rng: random.Random) -> Acknowledged:
    """Several clients at once until the server is killed amid their notices; what they know to be done."""
    found = Acknowledged(set(), {})
    with process(results, folder) as (started, url), ThreadPoolExecutor(CLIENTS) as pool:
        walking = [
            pool.submit(walk, url, serials(f"k{number}-{client}", 100_000), found, 20.0)
            for client in range(CLIENTS)
        ]
        after, until_s = rng.randint(2, 30), time.monotonic() + 60.0
        while len(found.levels) < after and time.monotonic() < until_s:
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.05))
        started.send_signal(signal.SIGKILL)
        assert started.wait(60) == -signal.SIGKILL
        for one in walking:
            one.result()
    return found


def check_kills(results: Path, folder: Path, count: int) -> None:
    rng = random.Random(count)
    registered: set[str] = set()
    levels: dict[str, float] = {}
    for number in range(count):
        found = kill_under_load(results, folder, number, rng)
        registered |= found.registered
        levels |= found.levels
    assert len(levels) > count
    if is_sqlite():
        assert rows(folder, "PRAGMA integrity_check") == [("ok",)]
    states = rows(folder, "SELECT serial_number, state FROM device")
    assert len(states) == len(dict(states))
    assert registered <= {serial for serial, state in states if state == "registered"}
    wanted = (
        "SELECT serial_number, eirp_cdbm FROM use JOIN device USING (device_key) WHERE use.state = 'active'"
    )
    stored = rows(folder, wanted)
    uses = {serial: cdbm / 100.0 for serial, cdbm in stored}
    assert len(stored) == len(uses)
    assert {serial: uses.get(serial) for serial in levels} == pytest.approx(levels)
    assert len(uses) - len(levels) <= CLIENTS * count  # stored, but killed before the answer was sent
    assert sum(10 ** (dbm / 10) for dbm in uses.values()) <= 10 ** (LIMIT / 10) * (1 + 1e-6)


def test_what_was_acknowledged_outlives_kills(each_database: None, results: Path, tmp_path: Path) -> None:
    check_kills(results, tmp_path, 5 if is_sqlite() else 2)


@pytest.mark.slow
def test_what_was_acknowledged_outlives_many_kills(
    each_database: None, results: Path, tmp_path: Path
) -> None:
    check_kills(results, tmp_path, 50)


def test_two_workers_at_once_never_exceed_the_limit(
    each_database: None, results: Path, tmp_path: Path
) -> None:
    """Devices ask two processes and report a quarter of what they are offered; some come too late."""
    found = Acknowledged(set(), {})
    with process(results, tmp_path, "--workers", "2") as (_, url), ThreadPoolExecutor(8) as pool:
        for one in [pool.submit(walk, url, serials(f"w{k}", 2), found, 6.0) for k in range(12)]:
            one.result()
    wanted = (
        "SELECT serial_number, eirp_cdbm FROM use JOIN device USING (device_key) WHERE use.state = 'active'"
    )
    uses = {serial: cdbm / 100.0 for serial, cdbm in rows(tmp_path, wanted)}
    assert uses == pytest.approx(found.levels)
    assert len(uses) > 4
    assert sum(10 ** (dbm / 10) for dbm in uses.values()) <= 10 ** (LIMIT / 10) * (1 + 1e-6)


def test_postgresql_is_tested() -> None:
    if (why := without_postgresql()) is not None:
        pytest.skip(why)


@pytest.mark.slow
def test_run_published_under_load_loses_no_request(tmp_path: Path) -> None:
    """Four clients ask without a pause while one run takes the place of another, several times."""
    from tests.tiny import tiny

    answers: list[tuple[int, str]] = []
    with pytest.MonkeyPatch.context() as patched:
        config = tiny.__wrapped__(tmp_path, patched)  # type: ignore[attr-defined]
        results = publish_examples(config, patched).absolute()
        stop = time.monotonic() + 600.0
        done = False

        def ask_on(url: str, serial: str) -> None:
            given = params("getSpectrum", deviceDesc=desc(serialNumber=serial))
            message = {"jsonrpc": "2.0", "id": "1", "method": "spectrum.paws.getSpectrum", "params": given}
            with httpx2.Client() as client:
                while not done and time.monotonic() < stop:
                    response = client.post(f"{url}/paws", json=message, timeout=60.0)
                    answers.append((response.status_code, response.json()["result"]["runId"]))

        with process(results, tmp_path) as (_, url), ThreadPoolExecutor(CLIENTS) as pool:
            asking = [pool.submit(ask_on, url, f"p{number}") for number in range(CLIENTS)]
            for run_id in ("1" * 16, "2" * 16, "3" * 16):
                before = len(answers)
                publish_examples(config, patched, run_id)
                while len(answers) < before + 200 or not any(one[1] == run_id for one in answers[before:]):
                    time.sleep(0.05)
                    assert time.monotonic() < stop
            done = True
            for one in asking:
                one.result()  # raises for a request that was lost
    assert {status for status, _ in answers} == {200}
    seen = list(dict.fromkeys(run_id for _, run_id in answers))
    assert seen == ["0123456789abcdef", "1" * 16, "2" * 16, "3" * 16]
