"""How much a use counts, and what no notice may do: slaves in reach of a master, regions, odd numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Geod
from sqlalchemy import update
from starlette.testclient import TestClient

from pipeline.loop.counted import CountedUse, use_table
from pipeline.loop.members import UsedSpectrum
from pipeline.loop.residual import are_within
from pipeline.loop.storage import writing
from pipeline.loop.tables import USE
from pipeline.loop.use_states import settle_uses
from pipeline.loop.uses import Offer, OfferedWindow, uses_within
from pipeline.query.paws import PawsError, Segment
from tests.loop.databases import rows, url_of
from tests.loop.scene import BEGIN, ask, desc, place, publish_examples, serving, used
from tests.loop.test_devices import SLAVE_DESC, run

pytestmark = pytest.mark.usefixtures("each_database")
GENERIC = {"requestType": "Generic Slave", "masterDeviceLocation": place(), "location": None}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    from tests.tiny import tiny

    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patched:
        config = tiny.__wrapped__(folder, patched)  # type: ignore[attr-defined]
        yield publish_examples(config, patched)


@pytest.fixture
def client(results: Path, tmp_path: Path):
    with serving(results, tmp_path) as found:
        yield found


def notify(client: TestClient, spectra: list[dict[str, Any]], **members: Any) -> Any:
    return ask(client, "notifySpectrumUse", spectra=spectra, **members).get("error", {"code": 0})["code"]


def channels(client: TestClient, **members: Any) -> dict[int, float]:
    found = ask(client, "getSpectrum", **members)["result"]["channels"]
    return {one["channel"]: one["dbm"] for one in found}


def region(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    corners = [(west, north), (west, south), (east, south), (east, north), (west, north)]
    return {"region": {"exterior": [{"longitude": lon, "latitude": lat} for lon, lat in corners]}}


def test_slave_without_place_counts_in_all_of_its_masters_reach(client: TestClient, tmp_path: Path) -> None:
    """29.34 dBm is all that the reach permits: at the master alone it would be 41 % of 33.22 dBm."""
    behalf = {"deviceDesc": SLAVE_DESC, "masterDeviceLocation": place(), "masterDeviceDesc": desc()}
    ask(client, "getSpectrum")
    ask(client, "getSpectrum", **behalf, location=None)
    assert notify(client, used(670e6, 29.34), **behalf, location=None) == 0
    ((radius_m,),) = rows(tmp_path, "SELECT radius_m FROM use")
    assert radius_m > 5000.0
    assert 46 not in channels(client, deviceDesc=desc(serialNumber="2"))


def test_use_anywhere_in_a_region_counts_at_its_worst_place(client: TestClient) -> None:
    """Its first corner is where 33.22 dBm are permitted, its others where 29.34 dBm are."""
    across = region(15.20, 46.30, 15.21, 46.35)
    assert channels(client, location=across) == {46: 29.34}
    assert notify(client, used(670e6, 29.34), location=across) == 0
    other = {"deviceDesc": desc(serialNumber="2")}
    assert 46 not in channels(client, **other)
    assert 46 not in channels(client, **other, location=across)


def test_use_of_the_master_counts_for_generic_slaves(client: TestClient) -> None:
    ask(client, "getSpectrum")
    assert channels(client, **GENERIC) == {46: 29.34}
    assert notify(client, used(670e6, 33.22)) == 0
    assert channels(client, **GENERIC) == {}


def test_offer_to_generic_slaves_is_not_their_masters(client: TestClient, tmp_path: Path) -> None:
    ask(client, "getSpectrum", **GENERIC)
    assert notify(client, used(670e6, 20.0)) == -202
    ask(client, "getSpectrum")
    assert notify(client, used(670e6, 20.0)) == 0
    # A notice on behalf of a slave does not take the place of its master's use.
    assert notify(client, [], masterDeviceLocation=place()) == -202
    assert rows(tmp_path, "SELECT state FROM use") == [("active",)]


@pytest.mark.parametrize(
    ("spectra", "code"),
    [
        (used(670e6, -5000.0), 0),
        (used(670e6, -1e308), 0),
        (used(670e6, 90.0, width_hz=0.0), -202),
        (used(670e6, 90.0, width_hz=1e-4), -202),
        (used(670e6, 20.0) + used(502e6, 0.0, 1e5), -202),  # 16 MHz in two spectra
    ],
)
def test_odd_notices(client: TestClient, spectra: list[dict[str, Any]], code: int) -> None:
    ask(client, "getSpectrum")
    assert notify(client, spectra) == code


def test_same_notice_lasts_as_long_as_the_newest_offer(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.loop.served._LONGEST_ANSWER_S", 3600)
    now_s = BEGIN.timestamp()
    clock = client.app.state.worker.served.clock
    monkeypatch.setattr(clock, "now_s", lambda: now_s)
    ask(client, "getSpectrum")
    assert notify(client, used(670e6, 30.0)) == 0
    now_s += 800
    ask(client, "getSpectrum")
    now_s += 200
    assert notify(client, used(670e6, 30.0)) == 0
    settle_uses(client.app.state.worker.served, int(BEGIN.timestamp()) + 3700)
    ((until_s, ended),) = rows(tmp_path, "SELECT until_at, ended_at FROM use")
    assert (until_s, ended) == (BEGIN.timestamp() + 800 + 3600, None)
    now_s += 1000  # the newest offer is over: ask again
    assert notify(client, used(670e6, 30.0)) == -202


def test_withdrawn_channel_cannot_be_taken_by_an_older_offer(client: TestClient, tmp_path: Path) -> None:
    ask(client, "getSpectrum")
    db = url_of(tmp_path)
    run(
        "devices",
        "withdraw",
        "--channel",
        "46",
        "--reason",
        "x",
        "--db",
        db,
        "--from",
        "2026-12-05T07:00:00Z",
    )
    assert notify(client, used(670e6, 30.0)) == -202
    assert notify(client, used(502e6, 20.0)) == 0


def test_notice_from_an_unsure_place_is_refused(client: TestClient) -> None:
    ask(client, "getSpectrum")
    assert notify(client, used(670e6, 30.0), location=place(confidence=60)) == -103


def test_use_of_a_device_that_a_new_run_lacks_leaves_nothing(client: TestClient, tmp_path: Path) -> None:
    ask(client, "getSpectrum")
    assert notify(client, used(670e6, 10.0)) == 0
    with writing(client.app.state.worker.served.engine) as connection:
        connection.execute(update(USE).values(layers=["gone"]))
    assert channels(client, deviceDesc=desc(serialNumber="2")) == {}


def test_offer_is_for_the_circle_that_was_asked_for(client: TestClient) -> None:
    """33 dBm are for 20 m around the place; 9 km around it 29.34 dBm are all there is."""
    ask(client, "getSpectrum")
    assert notify(client, used(670e6, 33.0), location=place(axis_m=9000)) == -202
    assert notify(client, used(670e6, 33.0), location=place(axis_m=71)) == -202
    assert notify(client, used(670e6, 33.0), location=place(axis_m=69)) == 0


def test_members_of_other_messages_are_ignored(client: TestClient) -> None:
    ask(client, "getSpectrum")
    assert notify(client, used(670e6, 30.0), requestType="x") == 0
    assert "result" in ask(client, "register", requestType="x")


def test_use_of_one_of_several_bonds_that_overlap_counts_once() -> None:
    """20 dBm in 16 MHz are within each bond; in both of them they would be 21.8 dBm."""
    first, second = Segment("21-22", 470e6, 486e6, 20.0), Segment("22-23", 478e6, 494e6, 25.0)
    window = OfferedWindow(0, 100, (first, second))
    offer = Offer(
        offer_id=None,
        run_id="r",
        profile="p",
        layers=("p",),
        windows=(window,),
        resolutions_hz=(16e6,),
        bandwidth_hz=16e6,
        most_total_hz=16e6,
        most_contiguous_hz=16e6,
        least_limit_for_all=True,
        expires_s=100,
        circle=(15.0, 46.0, 0.0),
    )

    def used_in(start_hz: float, stop_hz: float, dbm: float) -> list[tuple[str, int]]:
        spectra = [UsedSpectrum(16e6, [[(start_hz, dbm), (stop_hz, dbm)]])]
        return [(one.segment.channel, one.eirp_cdbm) for one in uses_within(offer, window, spectra)]

    assert used_in(470e6, 486e6, 20.0) == [("21-22", 2000)]
    assert used_in(478e6, 494e6, 20.0) == [("22-23", 2000)]
    assert used_in(478e6, 486e6, 20.0) == [("21-22", 2000)]  # in both: where it takes more
    with pytest.raises(PawsError, match=r"20\.1 dBm above 20 dBm"):
        used_in(478e6, 494e6, 20.1)  # the frequencies of both carry the lower level


def test_uses_in_reach_are_those_of_the_ellipsoid() -> None:
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(13.0, 17.0, 2000), rng.uniform(45.0, 47.0, 2000)
    uses = {
        k: ("d", CountedUse(k, ("p",), "21", 0, *place, 0.0))
        for k, place in enumerate(zip(lon.tolist(), lat.tolist(), strict=True))
    }
    reach_m = rng.uniform(0.0, 2e5, 2000)
    found = are_within(use_table(uses, dict.fromkeys(uses, 1)), (15.0, 46.0, 0.0), reach_m)
    _, _, apart_m = Geod(ellps="WGS84").inv(np.full(2000, 15.0), np.full(2000, 46.0), lon, lat)
    assert (found == (apart_m <= reach_m)).all()
    assert 500 < found.sum() < 1500
