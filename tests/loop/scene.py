"""A published run with the levels of the worked conversations, written by hand, and a server on it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from starlette.testclient import TestClient

from pipeline.loop.serve import TimedHttp
from pipeline.loop.server import ServerSettings, make_app
from tests import published
from tests.loop.databases import url_of

BEGIN = datetime(2026, 12, 5, 8, 0, tzinfo=UTC)
# North of this row the levels of the first place, south of it those of the second (46.2412 N, 15.2675 E).
_BORDER_ROW = 150
FIRST_CDBM = {24: 2424, 25: 2894, 26: 2973, 46: 3322, 47: 2755}
SECOND_CDBM = {28: 3043, 46: 2934}
RATES_OFF = "rate: {device_per_s: 0, address_per_s: 0, register_per_min: 0}\n"
LISTING = '{"neighbours": [{"authority": "at", "uri": "https://tvws.example.at/paws"}]}'
SETTINGS = """
validity_hours: 24.0
query: {authority: SI, time_zone: Europe/Ljubljana}
"""
DEVICES = (("fixed30", "A", 1, 30.0), ("fixed10", "A", 1, 10.0), ("slave10", "A", 5, 10.0))


def _levels(seed: int, _: float) -> np.ndarray:
    """Raw levels [y, x] of a channel: the seeds that a run is published with number devices and channels."""
    channel = seed % 1000
    raw = np.full((published.HEIGHT, published.WIDTH), published.NOT_PERMITTED, dtype=np.int16)
    raw[:_BORDER_ROW] = FIRST_CDBM.get(channel, published.NOT_PERMITTED)
    raw[_BORDER_ROW:] = SECOND_CDBM.get(channel, published.NOT_PERMITTED)
    raw[:2], raw[-2:], raw[:, :2], raw[:, -2:] = [published.OUTSIDE] * 4
    return raw


def publish_examples(tiny: Path, monkeypatch: pytest.MonkeyPatch, run_id: str = "0123456789abcdef") -> Path:
    """The folder of a territory whose latest run has the levels of the examples, valid on 5 December 2026."""
    for name, value in {"WEST_M": 500_000.0, "NORTH_M": 160_000.0, "WIDTH": 200, "HEIGHT": 250}.items():
        monkeypatch.setattr(published, name, value)
    monkeypatch.setattr(published, "random_levels", _levels)
    if "slave10" not in tiny.read_text():
        published.with_devices(tiny, *DEVICES)
        tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', 'wsd: ["21-48"]') + SETTINGS)
    run = published.publish(tiny, run_id, now=datetime(2026, 12, 4, 23, 0, tzinfo=UTC))
    return run.parent


@contextmanager
def serving(results: Path, folder: Path, loop: str = RATES_OFF, begin: datetime = BEGIN, **others: Any):
    """A client of a server of a run, its database in a folder."""
    (folder / "loop.yaml").write_text(loop)
    settings = ServerSettings(
        results=results, db=url_of(folder), loop=folder / "loop.yaml", begin=begin, **others
    )
    with TestClient(make_app(settings), client=("127.0.0.1", 50000)) as client:
        yield client


@contextmanager
def listening(results: Path, folder: Path, loop: str = RATES_OFF, **options: Any):
    """Where a server listens, in a thread of this process; ``options`` of uvicorn."""
    (folder / "loop.yaml").write_text(loop)
    settings = ServerSettings(
        results=results.absolute(), db=url_of(folder), loop=folder / "loop.yaml", begin=BEGIN
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"http": TimedHttp} | options | {"port": port, "log_level": "error"}
    server = uvicorn.Server(uvicorn.Config(make_app(settings), **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}/paws"
    finally:
        server.should_exit = True
        thread.join(60)


def desc(**changes: Any) -> dict[str, Any]:
    """The master of the examples, with changes."""
    return {
        "serialNumber": "KX-000451",
        "manufacturerId": "Alpvox",
        "modelId": "Bridge-30",
        "rulesetIds": ["ETSI-EN-301-598-2.1.1"],
        "etsiEnDeviceType": "A",
        "etsiEnDeviceEmissionsClass": "1",
        "etsiEnTechnologyId": "alpvox-ofdm-2",
        "etsiEnDeviceCategory": "master",
    } | changes


def place(lat: float = 46.4003, lon: float = 15.2206, axis_m: float = 20, **others: Any) -> dict[str, Any]:
    """A GeoLocation, by default the first place of the examples."""
    centre = {"latitude": lat, "longitude": lon}
    point = {"center": centre, "semiMajorAxis": axis_m, "semiMinorAxis": axis_m, "orientation": 0}
    return {"point": point, "confidence": 95} | others


ANTENNA = {"height": 28, "heightType": "AGL", "heightUncertainty": 1}
TYPES = {
    "init": "INIT_REQ",
    "register": "REGISTRATION_REQ",
    "getSpectrum": "AVAIL_SPECTRUM_REQ",
    "getSpectrumBatch": "AVAIL_SPECTRUM_BATCH_REQ",
    "notifySpectrumUse": "SPECTRUM_USE_NOTIFY",
    "verifyDevice": "DEV_VALID_REQ",
}


def params(method: str, **members: Any) -> dict[str, Any]:
    """Parameters of a method for the master of the examples; a member given as None is left out."""
    usual: dict[str, Any] = {
        "type": TYPES[method],
        "version": "1.0",
        "deviceDesc": desc(),
        "location": place(),
    }
    if method in ("register", "getSpectrum", "getSpectrumBatch"):
        usual["antenna"] = ANTENNA
    if method == "getSpectrumBatch":
        usual["locations"] = [usual.pop("location")]
    if method == "verifyDevice":
        usual = {"type": TYPES[method], "version": "1.0"}
    return {name: value for name, value in (usual | members).items() if value is not None}


def ask(client: TestClient, method: str, **members: Any) -> dict[str, Any]:
    """The answer to a request, as plain data."""
    return send(client, method, params(method, **members))


def send(client: TestClient, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to given parameters."""
    message = {"jsonrpc": "2.0", "id": "1", "method": f"spectrum.paws.{method}", "params": given}
    response = client.post("/paws", json=message)
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def used(hz: float, dbm: float, resolution_hz: float = 8e6, width_hz: float = 8e6) -> list[dict[str, Any]]:
    """Spectra of a use of one channel."""
    points = [{"hz": at, "dbm": dbm} for at in (hz, hz + width_hz)]
    return [{"resolutionBwHz": resolution_hz, "profiles": [points]}]
