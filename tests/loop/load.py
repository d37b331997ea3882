"""`make load`: how many answers a second one worker gives, and how long they take, on a published run.

`python -m tests.loop.load RESULTS [seconds]`: keep-alive connections ask for devices at random places as
fast as they are answered, then at a quarter of that. Rates are off; the generator runs beside the server. On
a busy machine only the answers per second of the server's processor tell something.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.loop.scene import RATES_OFF, desc, params, place

CONNECTIONS = 50
REPOSITORY = Path(__file__).resolve().parents[2]


def messages(bounds: tuple[float, float, float, float], count: int) -> list[bytes]:
    """Whole HTTP requests at random places."""
    rng, found = random.Random(1), []
    for number in range(count):
        lon, lat = rng.uniform(*bounds[:2]), rng.uniform(*bounds[2:])
        given = params("getSpectrum", location=place(lat, lon), deviceDesc=desc(serialNumber=f"L{number}"))
        message = {"jsonrpc": "2.0", "id": "1", "method": "spectrum.paws.getSpectrum", "params": given}
        body = json.dumps(message).encode()
        lines = [
            "POST /paws HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        head = "\r\n".join([*lines, "", ""])
        found.append(head.encode() + body)
    return found


async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> bytes:
    """Send a request and read its answer."""
    writer.write(message)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


async def measure(port: int, requests: list[bytes], seconds: float, per_s: float | None) -> dict[str, float]:
    """Answers a second and their times over all connections; ``per_s`` None: as fast as may be."""
    times_ms: list[float] = []
    answered = 0

    async def connection(number: int) -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        until_s, rng = time.perf_counter() + seconds, random.Random(number)
        while time.perf_counter() < until_s:
            begun_s = time.perf_counter()
            answer = await one(reader, writer, rng.choice(requests))
            answered += b'"result"' in answer
            times_ms.append(1e3 * (time.perf_counter() - begun_s))
            if per_s is not None:
                await asyncio.sleep(max(0.0, begun_s + CONNECTIONS / per_s - time.perf_counter()))
        writer.close()

    await asyncio.gather(*(connection(number) for number in range(CONNECTIONS)))
    times_ms.sort()
    return {
        "answers_per_s": round(len(times_ms) / seconds, 1),
        "with_result": answered / len(times_ms),
        "p50_ms": round(times_ms[len(times_ms) // 2], 2),
        "p99_ms": round(times_ms[int(0.99 * len(times_ms))], 2),
    }


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(results: Path, seconds: float) -> None:
    """Start a server, measure, print."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    valid = json.loads((results / "latest" / "manifest.json").read_text())["valid_utc"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "loop.yaml").write_text(RATES_OFF)
        line = [
            "serve",
            "--results",
            results,
            "--db",
            f"sqlite:///{folder}/loop.db",
            "--loop",
            f"{folder}/loop.yaml",
        ]
        line += ["--listen", f"127.0.0.1:{port}", "--now", valid["startTime"]]
        command = [sys.executable, "-m", "pipeline", *map(str, line)]
        server = subprocess.Popen(
            command, cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": "."}, stderr=subprocess.DEVNULL
        )
        try:
            requests = messages((14.0, 15.8, 45.7, 46.4), 2000)
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 0.5).close()
                    break
                except OSError:
                    time.sleep(0.2)
            before_s = cpu_s(server.pid)
            fast = asyncio.run(measure(port, requests, seconds, None))
            fast["answers_per_cpu_s"] = round(
                fast["answers_per_s"] * seconds / (cpu_s(server.pid) - before_s), 1
            )
            print(json.dumps({"as fast as may be": fast}))
            calm = asyncio.run(measure(port, requests, seconds, fast["answers_per_s"] / 4.0))
            print(json.dumps({"at a quarter of it": calm}))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 10.0)
