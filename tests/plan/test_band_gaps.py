"""Stations in numbers that follow each other across a gap of the plan do not reach each other's channels."""

from __future__ import annotations

import shutil

import pytest
import yaml

from pipeline.coverage.network import read_network
from pipeline.grid.grid import Grid
from pipeline.plan.plan import load_plan, near_channel

FOLDER = "cases/02-numbers-adjacent-not-frequencies"


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "channel", "near"),
    [
        ("ch4-alone", 4, ["US4"]),
        ("ch4-with-ch5", 4, ["US4"]),  # 66-72 | 76-82 MHz
        ("ch6-alone", 6, ["US6"]),
        ("ch6-with-ch7", 6, ["US6"]),  # 82-88 | 174-180 MHz
        ("ch6-with-ch8-control", 6, ["US6"]),
        ("ch13-alone", 13, ["US13"]),
        ("ch13-with-ch14", 13, ["US13"]),  # 210-216 | 470-476 MHz
    ],
)
def test_band_gap_keeps_stations_out(shared, tmp_path, monkeypatch, name, channel, near):
    monkeypatch.chdir(tmp_path)
    shutil.copy(shared / FOLDER / f"{name}.csv", tmp_path)
    content = yaml.safe_load((shared / FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    plan = load_plan("case.yaml")
    assert channel in plan.victims
    assert plan.register["id"].values[near_channel(plan, channel)].tolist() == near
    grid = Grid("EPSG:3794", 500.0, 460_000.0, 110_000.0, 20, 20)
    assert read_network(plan.config, grid, channel)["id"].values.tolist() == near
