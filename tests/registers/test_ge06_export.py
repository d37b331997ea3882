"""A register as notices: the file and the losses that were written by hand, and the way back."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from pipeline.config.register_mapping import RegisterMapping
from pipeline.registers.ge06_export import NoticeForm, notices_of, plan_of_notices, read_stations_of
from pipeline.registers.importing import read_import
from pipeline.registers.register_files import register_text

PLAN = plan_of_notices(None)
FORM = NoticeForm("SVN", PLAN)
SAMPLE = Path(__file__).resolve().parents[1] / "reference/formats/x01_export_gt1"


def back(path: Path) -> list[dict[str, str]]:
    return [*csv.DictReader(_register(path).splitlines())]


def test_notices_are_those_written_by_hand() -> None:
    text, losses = notices_of(read_stations_of(SAMPLE / "register.csv", PLAN), FORM)
    assert text == (SAMPLE / "expected_gt1.txt").read_text(encoding="utf-8")
    with (SAMPLE / "expected_losses.csv").open(encoding="utf-8", newline="") as lines:
        assert [loss._asdict() for loss in losses] == [*csv.DictReader(lines)]


def test_round_trip(tmp_path: Path) -> None:
    stations = read_stations_of(SAMPLE / "register.csv", PLAN)
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text(notices_of(stations, FORM)[0], encoding="utf-8")
    rows = back(first)
    sent = {f"SVN:{row.id}": row for row, _ in stations if row.polarisation and row.antenna_height_agl_m}
    assert [row["id"] for row in rows] == [*sent]
    for row in rows:
        own = sent[row["id"]]
        assert (int(row["channel"]), row["polarisation"], row["sfn"]) == (
            own.channel,
            own.polarisation,
            own.sfn,
        )
        assert float(row["centre_mhz"]) == pytest.approx(own.centre_mhz, abs=1e-6)
        assert row["country"] == own.country
        assert abs(float(row["lon"]) - own.lon) <= 0.5 / 3600 + 1e-6
        assert abs(10 * math.log10(float(row["erp_kw"]) / own.erp_kw)) <= 0.006
        pattern = [float(value) for value in row["pattern_azimuth_attenuation_db"].split(";") if value]
        sampled = own.pattern_azimuth_attenuation_db[:: max(len(own.pattern_azimuth_attenuation_db) // 36, 1)]
        assert pattern == pytest.approx(sampled, abs=0.051)
    register = tmp_path / "register.csv"
    register.write_text(_register(first), encoding="utf-8")
    second.write_text(notices_of(read_stations_of(register, PLAN), FORM)[0], encoding="utf-8")
    assert second.read_bytes() == first.read_bytes()


def _register(path: Path) -> str:
    mapping = RegisterMapping.model_validate({"format": "ge06", "plan": "8MHz", "in": [str(path)]})
    found = read_import(mapping, None, {})
    return register_text(found.reading.written(), found.target)
