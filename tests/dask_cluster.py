"""A Dask scheduler and three worker processes on this machine, started as docs/dask.md says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


@contextmanager
def dask_cluster(folder: Path, scratch: Path, workers: int = 3) -> Iterator[str]:
    """Address of the scheduler; the workers run in ``folder``, their files go to ``scratch``."""
    found = scratch / "scheduler.json"
    scheduler = f"scheduler --host 127.0.0.1 --port 0 --no-dashboard --scheduler-file {found}"
    worker = (
        f"worker --scheduler-file {found} --nworkers {workers} --nthreads 1 --no-dashboard "
        f"--local-directory {scratch}"
    )
    processes = [_start(scheduler.split(), folder, scratch)]
    try:
        processes += [_start(worker.split(), folder, scratch)] if workers else []
        yield _address_when_ready(found, workers)
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(timeout=60)


def _start(arguments: list[str], folder: Path, scratch: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with (scratch / f"{arguments[0]}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments], cwd=folder, env=environment, stdout=log, stderr=log
        )


def _address_when_ready(found: Path, workers: int) -> str:
    from distributed import Client

    for _ in range(600):
        if found.exists() and found.read_text():
            break
        time.sleep(0.1)
    address: str = json.loads(found.read_text())["address"]
    with Client(address, timeout=60) as client:
        client.wait_for_workers(workers, timeout=60) if workers else None
    return address
