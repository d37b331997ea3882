"""A Dask scheduler and three worker processes on this machine, started as docs/dask.md says."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline import blocks
from pipeline.blocks import TlsFiles

REPOSITORY = Path(__file__).resolve().parents[1]


def make_certificate(folder: Path, name: str) -> TlsFiles:
    """A certificate that is its own authority, and its key; the test is skipped without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    cert, key = folder / f"{name}_cert.pem", folder / f"{name}_key.pem"
    request = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {key} -out {cert}"
    subprocess.run(request.split(), check=True, capture_output=True)
    return TlsFiles(cert, cert, key)


def as_on_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on functions and tasks are packed, unpacked and computed by two threads, as a worker does."""

    def computed(function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], _: str) -> Iterator[Any]:
        there = pickle.loads(blocks.packed(function))
        with ThreadPoolExecutor(max_workers=2) as pool:
            yield from pool.map(lambda task: there(*pickle.loads(pickle.dumps(task))), list(tasks))

    monkeypatch.setenv(blocks.SCHEDULER_VARIABLE, "tcp://127.0.0.1:9")
    monkeypatch.setattr(blocks, "_on_cluster", computed)


@contextmanager
def dask_cluster(folder: Path, scratch: Path, workers: int = 3, tls: TlsFiles | None = None) -> Iterator[str]:
    """Address of the scheduler; the workers run in ``folder``, their files go to ``scratch``."""
    found = scratch / "scheduler.json"
    files = f"--tls-ca-file {tls.ca} --tls-cert {tls.cert} --tls-key {tls.key}" if tls else ""
    protocol = "tls" if tls else "tcp"
    scheduler = (
        f"scheduler --host 127.0.0.1 --protocol {protocol} --port 0 --dashboard-address 127.0.0.1:0 "
        f"--scheduler-file {found} {files}"
    )
    worker = (
        f"worker --scheduler-file {found} --host {protocol}://127.0.0.1 --dashboard-address 127.0.0.1:0 "
        f"--nworkers {workers} --nthreads 1 --local-directory {scratch} {files}"
    )
    processes = [_start(scheduler.split(), folder, scratch)]
    try:
        processes += [_start(worker.split(), folder, scratch)] if workers else []
        yield _address_when_ready(found, workers, tls)
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


def _address_when_ready(found: Path, workers: int, tls: TlsFiles | None) -> str:
    from distributed import Client, Security

    for _ in range(600):
        if found.exists() and found.read_text():
            break
        time.sleep(0.1)
    address: str = json.loads(found.read_text())["address"]
    names = ("tls_ca_file", "tls_client_cert", "tls_client_key")
    shown = dict(zip(names, map(str, tls), strict=True)) if tls else {}
    with Client(address, timeout=60, security=Security(**shown)) as client:
        client.wait_for_workers(workers, timeout=60) if workers else None
    return address
