"""Without devices the server answers what `channelmaps query` does, whatever run is the latest."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.query.paws import PawsError
from pipeline.query.query import Database, Request, answer, close_database, open_database
from tests import published
from tests.loop.scene import DEVICES, RATES_OFF, ask, params, place, publish_examples, send, serving

COUNT = 300


def asked_of(database: Database, request: Request, now: datetime) -> dict[str, Any] | int:
    """The answer of a query, or the code of its error."""
    try:
        return answer(database, request, now)
    except PawsError as error:
        return int(error.code)


def test_same_as_query_at_random_places(tiny: Path, tmp_path: Path) -> None:
    """Random levels; places inside, at the edge and outside, all heights and uncertainties."""
    published.with_devices(tiny, *DEVICES)
    results = published.publish(tiny).parent.absolute()
    rng = random.Random(7)
    now = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    database = open_database(results)
    codes = set()
    with serving(results, tmp_path, begin=now) as client:
        for number in range(COUNT):
            lon, lat = rng.uniform(14.03, 14.31), rng.uniform(46.01, 46.19)
            height, radius = rng.choice([1.0, 9.0, 10.0, 17.5, 30.0, 30.5]), rng.choice([0.0, 50.0, 700.0])
            given = params("getSpectrum", location=place(lat, lon, radius), antenna={"height": height})
            found = send(client, "getSpectrum", given)
            wanted = asked_of(database, Request(lon, lat, "fixed30", height, radius, of_whole_kind=True), now)
            if isinstance(wanted, int):
                assert found["error"]["code"] == wanted, number
                codes.add(wanted)
                continue
            (spec,), (own,) = wanted["spectrumSpecs"], found["result"]["spectrumSpecs"]
            (schedule,), (own_schedule,) = spec["spectrumSchedules"], own["spectrumSchedules"]
            assert own_schedule["spectra"] == schedule["spectra"]
            for name in ("frequencyRanges", "needsSpectrumReport", "maxTotalBwHz", "maxContiguousBwHz"):
                assert own[name] == spec[name]
            assert found["result"]["channels"] == wanted["channels"]
    close_database(database)
    assert codes == {-102, -104}


def test_new_run_answers_without_a_lost_request(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = publish_examples(tiny, monkeypatch).absolute()
    with serving(results, tmp_path) as client:
        assert ask(client, "getSpectrum")["result"]["runId"] == "0123456789abcdef"
        publish_examples(tiny, monkeypatch, "fedcba9876543210")
        found = set()
        until_s = time.monotonic() + 30.0
        while "fedcba9876543210" not in found and time.monotonic() < until_s:
            found.add(ask(client, "getSpectrum")["result"]["runId"])
            time.sleep(0.05)
        assert "fedcba9876543210" in found
        assert client.get("/health").json()["run"] == "fedcba9876543210"


def test_settings_stand_in_the_territory_file_too(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import InputError
    from pipeline.loop.served import loop_settings

    tiny.write_text(tiny.read_text() + "loop: {aggregate: off, registration: required}\n")
    results = publish_examples(tiny, monkeypatch).absolute()
    assert loop_settings(results, None).registration == "required"
    assert loop_settings(results, None).aggregate == "off"
    (tmp_path / "other.yaml").write_text("registraton: off\n")
    with pytest.raises(InputError, match="registraton"):
        loop_settings(results, tmp_path / "other.yaml")
    (tmp_path / "other.yaml").write_text(RATES_OFF)
    assert loop_settings(results, tmp_path / "other.yaml").registration == "optional"
