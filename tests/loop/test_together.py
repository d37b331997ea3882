"""Devices together: what one uses is not offered to another, in whatever order, however many ask."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from pipeline.loop.counted import Counted
from pipeline.loop.storage import open_storage
from pipeline.loop.tables import META
from tests.loop.databases import rows, url_of
from tests.loop.scene import BEGIN, RATES_OFF, ask, desc, publish_examples, serving, used

pytestmark = pytest.mark.usefixtures("each_database")
LIMIT = 33.22  # of channel 46 at the place


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


def offered(client: TestClient, serial: str) -> float | None:
    """Level offered to a device in channel 46."""
    channels = ask(client, "getSpectrum", deviceDesc=desc(serialNumber=serial))["result"]["channels"]
    return next((one["dbm"] for one in channels if one["channel"] == 46), None)


def notify(client: TestClient, serial: str, dbm: float) -> dict:
    return ask(client, "notifySpectrumUse", deviceDesc=desc(serialNumber=serial), spectra=used(670e6, dbm))


def test_full_use_leaves_nothing_to_another(client: TestClient) -> None:
    assert offered(client, "1") == LIMIT
    assert "result" in notify(client, "1", LIMIT)
    assert offered(client, "2") is None
    assert offered(client, "1") == LIMIT  # its own use is left out
    ask(client, "notifySpectrumUse", deviceDesc=desc(serialNumber="1"), spectra=[])
    assert offered(client, "2") == LIMIT


def test_half_leaves_half(client: TestClient) -> None:
    """10 log10 2 = 3.0103 dB; levels are rounded down to 0.01."""
    offered(client, "1")
    notify(client, "1", LIMIT - 3.0103)
    second = offered(client, "2")
    assert second is not None
    assert LIMIT - 3.02 - 1e-9 <= second <= LIMIT - 3.00
    assert "result" in notify(client, "2", second)
    third = offered(client, "3")
    assert third is None or third < LIMIT - 26.0


def test_ten_tenths_fit_and_no_eleventh(client: TestClient) -> None:
    for number in range(10):
        assert offered(client, str(number)) >= LIMIT - 10.01
        assert "result" in notify(client, str(number), LIMIT - 10.0)
    assert offered(client, "10") is None


def test_offer_that_others_took_is_refused(client: TestClient, tmp_path: Path) -> None:
    assert offered(client, "1") == offered(client, "2") == LIMIT
    assert "result" in notify(client, "1", LIMIT - 1.0)
    refused = notify(client, "2", LIMIT)
    assert refused["error"] == {"code": -202, "message": "INVALID_VALUE: AGGREGATE: ask again"}
    left = offered(client, "2")
    assert left == pytest.approx(10 * math.log10(1 - 10**-0.1) + LIMIT, abs=0.011)
    assert "result" in notify(client, "2", left)


def test_many_at_once_never_exceed_the_limit(client: TestClient, tmp_path: Path) -> None:
    """50 devices ask and report the whole of what they are offered, at once; some ask again."""

    def walk(number: int) -> None:
        for _ in range(2):
            level = offered(client, str(number))
            if level is None or "result" in notify(client, str(number), level - 12.0):
                return

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(walk, range(50)))
    levels = [row[0] / 100 for row in rows(tmp_path, "SELECT eirp_cdbm FROM use WHERE state = 'active'")]
    assert len(levels) > 10
    assert sum(10 ** (dbm / 10) for dbm in levels) <= 10 ** (LIMIT / 10) * (1 + 1e-6)


@pytest.mark.parametrize("mode", ["off", "margin"])
def test_without_enforcing_everybody_gets_the_whole(results: Path, tmp_path: Path, mode: str) -> None:
    with serving(results, tmp_path, f"{RATES_OFF}aggregate: {mode}\n") as client:
        for serial in ("1", "2"):
            assert offered(client, serial) == LIMIT
            assert "result" in notify(client, serial, LIMIT)


def test_another_server_knows_at_once(results: Path, tmp_path: Path) -> None:
    with serving(results, tmp_path) as one, serving(results, tmp_path) as other:
        assert offered(one, "1") == offered(other, "2") == LIMIT
        assert "result" in notify(one, "1", LIMIT)
        assert offered(other, "2") is None
        ask(one, "notifySpectrumUse", deviceDesc=desc(serialNumber="1"), spectra=[])
        assert offered(other, "2") == LIMIT


def test_what_a_transaction_knows_stays_though_another_reads_an_older_state(
    client: TestClient, tmp_path: Path
) -> None:
    engine, counted, now_s = open_storage(url_of(tmp_path)), Counted(), math.ceil(BEGIN.timestamp())
    isolated = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with engine.connect().execution_options(**isolated) as former:
        if engine.dialect.name == "sqlite":
            former.exec_driver_sql("BEGIN")
        former.execute(select(META)).all()
        offered(client, "1")
        notify(client, "1", LIMIT)
        with engine.connect() as latest:
            _, known = counted.device(latest, "")
        _, before = counted.device(former, "")
    assert known.others("", now_s).chosen.tolist() == [True]
    assert before.others("", now_s).chosen.tolist() == []
