"""Who gets what there is: levels of the register, shares of owners, several databases, wider circles, AMSL.

Levels by hand: 33.22 dBm in channel 46 at the first place of the examples.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from sqlalchemy import update
from starlette.testclient import TestClient

from pipeline.loop.storage import writing
from pipeline.loop.tables import DEVICE
from pipeline.loop.use_states import settle_uses
from tests.loop.databases import rows, url_of
from tests.loop.scene import BEGIN, RATES_OFF, ask, desc, place, publish_examples, serving, used
from tests.loop.test_devices import run

pytestmark = pytest.mark.usefixtures("each_database")
LOW, HIGH = desc(serialNumber="LOW"), desc(serialNumber="HIGH")
ONLY_46 = {"capabilities": {"frequencyRanges": [{"startHz": 670e6, "stopHz": 678e6}]}}
LIMIT, TURN_S = 33.22, 900 + 30


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    from tests.tiny import tiny

    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patched:
        config = tiny.__wrapped__(folder, patched)  # type: ignore[attr-defined]
        yield publish_examples(config, patched)


def at(client: TestClient, seconds: float) -> None:
    """Set the clock of the server to some seconds after the instant of the examples."""
    client.app.state.worker.served.clock.now_s = lambda: BEGIN.timestamp() + seconds  # type: ignore[attr-defined]


def registered(client: TestClient, device: dict[str, Any], **columns: Any) -> None:
    """Register a device, and what the regulator says of it."""
    assert "result" in ask(client, "register", deviceDesc=device)
    engine = client.app.state.worker.served.engine  # type: ignore[attr-defined]
    with writing(engine) as connection:
        of_device = update(DEVICE).where(DEVICE.c.serial_number == device["serialNumber"])
        connection.execute(of_device.values(columns))


def schedules(client: TestClient, device: dict[str, Any], **others: Any) -> list[tuple[str, str, set[int]]]:
    """Begin, end and frequencies in MHz of each schedule of an answer."""
    answer = ask(client, "getSpectrum", deviceDesc=device, **others)["result"]
    return [
        (
            one["eventTime"]["startTime"][11:],
            one["eventTime"]["stopTime"][11:],
            {
                round(point["hz"] / 1e6)
                for kind in one["spectra"][:1]
                for p in kind["profiles"]
                for point in p[::2]
            },
        )
        for one in answer["spectrumSpecs"][0]["spectrumSchedules"]
    ]


def notify(client: TestClient, device: dict[str, Any], dbm: float, hz: float = 670e6) -> int:
    answer = ask(client, "notifySpectrumUse", deviceDesc=device, spectra=used(hz, dbm))
    return int(answer.get("error", {"code": 0})["code"])


@pytest.mark.parametrize("policy", ["first_come", "priority"])
def test_lower_levels_make_room(results: Path, tmp_path: Path, policy: str) -> None:
    with serving(results, tmp_path, f"{RATES_OFF}policy: {policy}\n") as client:
        at(client, 0)
        registered(client, HIGH, priority=1)
        registered(client, LOW, priority=2)
        schedules(client, LOW)
        assert notify(client, LOW, LIMIT) == 0
        told = schedules(client, HIGH, **ONLY_46)
        if policy == "first_come":
            assert told == [("08:00:00Z", "23:00:00Z", set())]
            return
        assert told == [("08:00:00Z", "08:15:30Z", set()), ("08:15:30Z", "23:00:00Z", {670})]
        assert schedules(client, HIGH, **ONLY_46) == told  # the same question moves nothing
        assert notify(client, HIGH, LIMIT) == -202  # not yet
        assert notify(client, LOW, LIMIT) == -202  # no longer prolonged
        assert schedules(client, LOW, **ONLY_46) == [("08:00:00Z", "23:00:00Z", set())]
        assert rows(tmp_path, "SELECT until_at FROM use WHERE state = 'active'") == [
            (BEGIN.timestamp() + TURN_S,)
        ]
        at(client, 600)
        assert schedules(client, HIGH, **ONLY_46)[1][0] == "08:15:30Z"
        at(client, TURN_S)
        settle_uses(client.app.state.worker.served, round(BEGIN.timestamp()) + TURN_S)
        assert notify(client, HIGH, LIMIT) == 0
        found = "SELECT serial_number, use.state FROM use JOIN device USING (device_key)"
        states = dict(rows(tmp_path, f"{found} WHERE use.state != 'ended'"))
        assert states == {"LOW": "withdrawn", "HIGH": "active"}
        # A lower level displaces nobody.
        assert schedules(client, LOW, **ONLY_46)[0][2] == set()
        assert len(schedules(client, LOW, **ONLY_46)) == 1


def test_equal_levels_and_strangers_displace_nobody(results: Path, tmp_path: Path) -> None:
    with serving(results, tmp_path, f"{RATES_OFF}policy: priority\n") as client:
        at(client, 0)
        registered(client, HIGH, priority=1)
        registered(client, LOW, priority=1)
        schedules(client, LOW)
        assert notify(client, LOW, LIMIT) == 0
        for device in (HIGH, desc(serialNumber="STRANGER")):
            assert schedules(client, device, **ONLY_46) == [("08:00:00Z", "23:00:00Z", set())]


def test_bandwidth_of_an_owner(results: Path, tmp_path: Path) -> None:
    """Two channels of five; the second device has what the first left of the owner's share."""
    with serving(results, tmp_path, f"{RATES_OFF}sharing: {{max_bandwidth_mhz: 16}}\n") as client:
        at(client, 0)
        for device in (LOW, HIGH):
            registered(client, device, owner_key="dolina")
        registered(client, desc(serialNumber="OTHER"), owner_key="gora")
        # The highest levels: 33.22 dBm at 670, 29.73 dBm at 510 MHz.
        for device in (LOW, HIGH):
            assert schedules(client, device)[0][2] == {510, 670}
        assert notify(client, LOW, 0.0, 510e6) == 0
        assert notify(client, HIGH, 0.0) == 0
        assert schedules(client, HIGH)[0][2] == {510, 670}
        third = desc(serialNumber="THIRD")
        registered(client, third, owner_key="dolina")
        assert schedules(client, third)[0][2] == {510, 670}  # both are the owner's already
        assert schedules(client, desc(serialNumber="OTHER"))[0][2] == {510, 670}
        assert schedules(client, desc(serialNumber="NOBODY"))[0][2] == {510, 670}


def test_owner_at_its_limit_is_refused(results: Path, tmp_path: Path) -> None:
    """Both are offered two channels; 8 MHz are one: the second use of another one is too much."""
    with serving(results, tmp_path, f"{RATES_OFF}sharing: {{max_bandwidth_mhz: 8}}\n") as client:
        at(client, 0)
        low_only = {"capabilities": {"frequencyRanges": [{"startHz": 494e6, "stopHz": 502e6}]}}
        for device in (LOW, HIGH):
            registered(client, device, owner_key="dolina")
        assert schedules(client, HIGH)[0][2] == {670}
        assert schedules(client, LOW, **low_only)[0][2] == {494}
        assert notify(client, HIGH, 0.0) == 0
        assert notify(client, LOW, 0.0, 494e6) == -202


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ("max_share_of_available: 0.4", {510, 670}),
        ("max_share_of_available: 0.01", {670}),
        ("max_devices_per_km2: 1", {494, 502, 510, 670, 678}),
    ],
)
def test_part_of_the_channels(results: Path, tmp_path: Path, limits: str, wanted: set[int]) -> None:
    with serving(results, tmp_path, f"{RATES_OFF}sharing: {{{limits}}}\n") as client:
        at(client, 0)
        for device in (LOW, HIGH):
            registered(client, device, owner_key="dolina")
        assert schedules(client, LOW)[0][2] == wanted
        assert notify(client, LOW, 0.0) == 0
        if limits.startswith("max_devices"):  # a second one within 564 m, another 1.1 km away
            assert schedules(client, HIGH)[0][2] == set()
            assert schedules(client, HIGH, location=place(lat=46.41))[0][2] == wanted


def test_hours_of_a_day(results: Path, tmp_path: Path) -> None:
    """Two hours: used from 8 to 9, so from 12 there is one; the next day there are two again."""
    with serving(results, tmp_path, f"{RATES_OFF}sharing: {{max_hours_per_day: 2}}\n") as client:
        at(client, 0)
        registered(client, LOW, owner_key="dolina")
        assert schedules(client, LOW)[0][:2] == ("08:00:00Z", "10:00:00Z")
        assert notify(client, LOW, 0.0) == 0
        at(client, 3600)
        ask(client, "notifySpectrumUse", deviceDesc=LOW, spectra=[])
        at(client, 4 * 3600)
        assert schedules(client, LOW)[0][:2] == ("12:00:00Z", "13:00:00Z")
        assert notify(client, LOW, 0.0) == 0
        at(client, 5 * 3600)
        ask(client, "notifySpectrumUse", deviceDesc=LOW, spectra=[])
        assert schedules(client, LOW)[0][2] == set()


def test_shares_of_two_databases(results: Path, tmp_path: Path) -> None:
    """Each has half of what one device may: 3.01 dB less; both together never more."""
    with serving(results, tmp_path, f"{RATES_OFF}databases: 2\n") as client:
        at(client, 0)
        answer = ask(client, "getSpectrum", deviceDesc=LOW)["result"]
        (offered,) = (one["dbm"] for one in answer["channels"] if one["channel"] == 46)
        assert offered == math.floor(100 * (LIMIT + 10 * math.log10(0.5))) / 100
        assert notify(client, LOW, offered) == 0
        ask(client, "getSpectrum", deviceDesc=HIGH)
        assert notify(client, HIGH, 20.0) == -202
        assert 2 * 10 ** (offered / 10) <= 10 ** (LIMIT / 10)


def test_located_by_network(results: Path, tmp_path: Path) -> None:
    """20 m as it says, 500 m by its method; the border of the two levels is 400 m away."""
    near_border = place(lat=46.3036, lon=15.2206)
    loop = f"{RATES_OFF}min_uncertainty_m: {{network: 3000}}\n"
    with serving(results, tmp_path, loop) as client:
        registered(client, LOW, details={"location_method": "network"})
        registered(client, HIGH, details={"location_method": "gnss"})
        found = {}
        for device in (LOW, HIGH):
            assert "result" in ask(client, "register", deviceDesc=device, location=near_border)
            answer = ask(client, "getSpectrum", deviceDesc=device, location=near_border)["result"]
            found[device["serialNumber"]] = {one["channel"]: one["dbm"] for one in answer["channels"]}
        assert found["LOW"] == {46: 29.34}
        assert len(found["HIGH"]) > 1


# --- heights above sea level --------------------------------------------------------------------------------


@pytest.fixture
def hilly(tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """The examples on ground that rises to the east: 300 m, and 10 m more each 0.01 degrees from 15.2 on."""
    lon = 15.1 + (np.arange(500) + 0.5) / 1000
    rise = 300.0 + 1000.0 * np.maximum(lon - 15.2, 0.0)
    heights = np.tile(rise.astype(np.float32), (600, 1))
    profile = {"driver": "GTiff", "width": 500, "height": 600, "count": 1, "dtype": "float32"}
    transform = Affine(0.001, 0, 15.1, 0, -0.001, 46.7)
    with rasterio.open(tiny.parent / "dem.tif", "w", crs="EPSG:4326", transform=transform, **profile) as sink:
        sink.write(heights, 1)
    tiny.write_text(tiny.read_text() + "terrain: {dem: [dem.tif]}\n")
    return publish_examples(tiny, monkeypatch)


@pytest.mark.parametrize(
    ("lon", "height", "wanted"),
    [
        (15.15, 328.0, ["fixed10", "fixed30"]),  # 28 m above ground, as the examples are
        (15.15, 309.0, ["fixed10"]),
        (15.15, 333.0, -102),  # 33 m: no layer
        (15.25, 333.0, ["fixed10"]),  # below the ground there
        (15.05, 328.0, -103),  # no terrain
    ],
)
def test_height_above_sea_level(hilly: Path, tmp_path: Path, lon: float, height: float, wanted: Any) -> None:
    with serving(hilly, tmp_path) as client:
        antenna = {"height": height, "heightType": "AMSL", "heightUncertainty": 0}
        answer = ask(client, "getSpectrum", antenna=antenna, location=place(lon=lon, axis_m=20))
        if isinstance(wanted, int):
            assert answer["error"]["code"] == wanted
        else:
            assert answer["result"]["layers"] == wanted


def test_height_above_sea_level_without_terrain(results: Path, tmp_path: Path) -> None:
    with serving(results, tmp_path) as client:
        antenna = {"height": 328, "heightType": "AMSL"}
        assert ask(client, "getSpectrum", antenna=antenna)["error"]["code"] == -103
        outside = place(lat=47.0707, lon=15.4395)
        assert ask(client, "getSpectrum", antenna=antenna, location=outside)["error"]["code"] == -104


def test_shares_are_written(results: Path, tmp_path: Path) -> None:
    with serving(results, tmp_path) as client:
        at(client, 0)
        registered(client, LOW, owner_key="dolina")
        schedules(client, LOW)
        assert notify(client, LOW, 0.0) == 0
        at(client, 1800)
        ask(client, "notifySpectrumUse", deviceDesc=LOW, spectra=[])
    run("devices", "shares", "--out", f"{tmp_path}/share.csv", "--db", url_of(tmp_path))
    assert (tmp_path / "share.csv").read_text().splitlines()[1:] == ["dolina,46.4 15.2,4.00,46,1"]
