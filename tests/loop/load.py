"""`make load`: answers a second of one worker, and how long they take (docs/server.md).

`python -m tests.loop.load [RESULTS] [--seconds S] [--uses N] [--devices N]`: keep-alive connections ask for
devices at random places of a published run; without one, of a run of 28 channels that is made for it. The
server has the first core, the generator the second; rates are off. On a busy machine only the processor
seconds of the server tell something.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import uvloop
from pyproj import Transformer

from pipeline.loop.devices import key_of
from pipeline.loop.storage import open_storage
from pipeline.query.paws import instant_s
from tests import published
from tests.loop.scene import RATES_OFF, desc, params, place, publish_examples
from tests.tiny import tiny

CONNECTIONS, OFFERED_PER_S, OFFERED_WITH_USES_PER_S = 50, 400.0, 100.0
PLACES, USE_CDBM = 2000, -6000
REPOSITORY = Path(__file__).resolve().parents[2]
Centres = list[tuple[float, float]]


def run_of_28_channels(folder: Path) -> Path:
    """The folder of a territory whose run permits something in all of its 28 channels, everywhere."""

    def levels(seed: int, _: float) -> np.ndarray:
        shape = (published.HEIGHT, published.WIDTH)
        raw = np.random.default_rng(seed).integers(2000, 3600, shape).astype(np.int16)
        raw[:2], raw[-2:], raw[:, :2], raw[:, -2:] = [published.OUTSIDE] * 4
        return raw

    with pytest.MonkeyPatch.context() as patched:
        config = tiny.__wrapped__(folder, patched)  # type: ignore[attr-defined]
        patched.setattr("tests.loop.scene._levels", levels)
        return publish_examples(config, patched).absolute()


def centres_of(results: Path, count: int) -> Centres:
    """Longitude and latitude of pixels around which 100 m are inside."""
    manifest = json.loads((results / "latest" / "manifest.json").read_text())
    profile = manifest["query"]["devices"][0]
    with rasterio.open(results / "latest" / profile["file"]) as source:
        inside = source.read(1) > published.OUTSIDE
        parts = (slice(0, -2), slice(1, -1), slice(2, None))
        row, col = np.nonzero(np.logical_and.reduce([inside[one, two] for one in parts for two in parts]))
        chosen = np.random.default_rng(1).integers(0, row.size, count)
        x, y = source.transform * (col[chosen] + 1.5, row[chosen] + 1.5)
        lon, lat = Transformer.from_crs(source.crs, "EPSG:4326", always_xy=True).transform(x, y)
    return list(zip(lon.tolist(), lat.tolist(), strict=True))


def messages(centres: Centres) -> list[bytes]:
    """A whole HTTP request at each place, each of another device."""
    found = []
    for number, (lon, lat) in enumerate(centres):
        given = params("getSpectrum", location=place(lat, lon), deviceDesc=desc(serialNumber=f"L{number}"))
        message = {"jsonrpc": "2.0", "id": "1", "method": "spectrum.paws.getSpectrum", "params": given}
        body = json.dumps(message).encode()
        lines = ["POST /paws HTTP/1.1", "Host: x", "Content-Type: application/json"]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
        found.append(head.encode() + body)
    return found


async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> bytes:
    """Send a request and read its answer."""
    writer.write(message)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


async def ask_each(port: int, requests: list[bytes]) -> None:
    """Every request once, over all connections."""

    async def connection(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for message in requests[number::CONNECTIONS]:
            await one(reader, writer, message)
        writer.close()

    await asyncio.gather(*(connection(number) for number in range(CONNECTIONS)))


async def measure(port: int, requests: list[bytes], seconds: float, per_s: float | None) -> dict[str, float]:
    """Answers a second and their times over all connections; ``per_s`` None: as fast as may be.

    At a rate a request that is sent late because the one before was late counts from when it was due.
    """
    times_ms: list[float] = []
    answered = size = 0

    async def connection(number: int) -> None:
        nonlocal answered, size
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        rng = random.Random(number)
        between_s = 0.0 if per_s is None else CONNECTIONS / per_s
        due_s = time.perf_counter() + between_s * number / CONNECTIONS
        until_s = time.perf_counter() + seconds
        while max(due_s, time.perf_counter()) < until_s:
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            begun_s = time.perf_counter() if per_s is None else due_s
            answer = await one(reader, writer, rng.choice(requests))
            answered += b'"result"' in answer
            size += len(answer)
            times_ms.append(1e3 * (time.perf_counter() - begun_s))
            due_s += between_s
        writer.close()

    begun_s = time.perf_counter()
    await asyncio.gather(*(connection(number) for number in range(CONNECTIONS)))
    took_s = time.perf_counter() - begun_s
    times_ms.sort()
    return {
        "answers": len(times_ms),
        "answers_per_s": round(len(times_ms) / took_s, 1),
        "with_result": answered / len(times_ms),
        "bytes": round(size / len(times_ms)),
        "p50_ms": round(times_ms[len(times_ms) // 2], 2),
        "p99_ms": round(times_ms[int(0.99 * len(times_ms))], 2),
    }


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(results: Path, folder: Path) -> Iterator[tuple[int, int]]:
    """A server on the first core: its process and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    valid = json.loads((results / "latest" / "manifest.json").read_text())["valid_utc"]
    (folder / "loop.yaml").write_text(RATES_OFF)
    line = ["serve", "--results", results, "--db", f"sqlite:///{folder}/loop.db", "--loop"]
    line += [folder / "loop.yaml"]
    line += ["--listen", f"127.0.0.1:{port}", "--now", valid["startTime"]]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *map(str, line)],
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": "."},
            stderr=log,
        )
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(process.pid, {0})
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def load(results: Path, folder: Path, requests: list[bytes], seconds: float, per_s: float | None) -> Any:
    """One measure on a server that has been asked for each place before."""
    with server(results, folder) as (pid, port):
        uvloop.run(ask_each(port, requests))
        before_s = cpu_s(pid)
        found = uvloop.run(measure(port, requests, seconds, per_s))
        spent_s = cpu_s(pid) - before_s
    return found | {
        "cpu_ms_per_answer": round(1e3 * spent_s / found["answers"], 3),
        "answers_per_cpu_s": round(found["answers"] / spent_s, 1),
    }


# --- what is in the database --------------------------------------------------------------------------------


def _fill(folder: Path, table: str, common: dict[str, Any], names: list[str], rows: Iterator[Any]) -> None:
    open_storage(f"sqlite:///{folder}/loop.db").dispose()
    columns = [*common, *names]
    marks = ", ".join("?" * len(columns))
    with closing(sqlite3.connect(folder / "loop.db")) as connection, connection:
        connection.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
            ((*common.values(), *row) for row in rows),
        )


def fill_uses(folder: Path, centres: Centres, profile: str, channels: list[Any], from_s: int) -> None:
    """Active uses of other devices, one at each place: very weak, so that they leave something."""
    common = {
        "created_at": from_s,
        "run_id": "x",
        "profile": profile,
        "layers": json.dumps([profile]),
        "eirp_cdbm": USE_CDBM,
        "radius_m": 20.0,
        "body_sha256": "x",
        "from_at": from_s,
        "until_at": from_s + 80_000,
        "state": "active",
    }
    names = ["device_key", "channel", "start_hz", "stop_hz", "lon_e7", "lat_e7"]
    rows = (
        (f"u{k}", str(one["channel"]), one["start_hz"], one["stop_hz"], round(lon * 1e7), round(lat * 1e7))
        for k, (lon, lat) in enumerate(centres)
        for one in [channels[k % len(channels)]]
    )
    _fill(folder, "use", common, names, rows)


def fill_devices(folder: Path, count: int) -> None:
    """Registered devices, those that ask among them."""
    common = {
        "created_at": 0,
        "category": "master",
        "kind": "fixed",
        "ruleset_ids": '["ETSI-EN-301-598-2.1.1"]',
        "details": "{}",
        "state": "registered",
        "updated_at": 0,
        "version": 1,
    }
    keys = ((key_of("Alpvox", "Bridge-30", f"L{k}"), f"L{k}") for k in range(count))
    _fill(folder, "device", common, ["device_key", "serial_number"], keys)


def main(argv: list[str]) -> None:
    """Measure and print, a line of JSON each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--uses", type=int, default=10_000)
    parser.add_argument("--devices", type=int, default=1_000_000)
    given = parser.parse_args(argv)
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run").mkdir()
        results = given.results.absolute() if given.results else run_of_28_channels(folder / "run")
        requests = messages(centres_of(results, PLACES))
        for what in ("empty", "uses", "devices"):
            (folder / what).mkdir()
        fast = load(results, folder / "empty", requests, given.seconds, None)
        print(json.dumps({"static, as fast as may be": fast}), flush=True)
        calm = load(results, folder / "empty", requests, given.seconds, OFFERED_PER_S)
        print(json.dumps({f"static, {OFFERED_PER_S:g}/s offered": calm}), flush=True)
        manifest = json.loads((results / "latest" / "manifest.json").read_text())
        facts = manifest["query"]
        start_s = instant_s(manifest["valid_utc"]["startTime"])
        profile, channels = facts["devices"][0]["id"], facts["channels"]
        fill_uses(folder / "uses", centres_of(results, given.uses), profile, channels, start_s)
        used = load(results, folder / "uses", requests, given.seconds, OFFERED_WITH_USES_PER_S)
        print(json.dumps({f"{given.uses} uses, {OFFERED_WITH_USES_PER_S:g}/s offered": used}), flush=True)
        fill_devices(folder / "devices", given.devices)
        many = load(results, folder / "devices", requests, given.seconds, None)
        slower = many["cpu_ms_per_answer"] / fast["cpu_ms_per_answer"] - 1.0
        print(json.dumps({f"{given.devices} devices": many, "slower_pct": round(100.0 * slower, 1)}))


if __name__ == "__main__":
    main(sys.argv[1:])
