"""Weights of open numbers against the formulas of the ratio and of free space, by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pipeline.config.config import Config
from pipeline.plan.territory_file import load_config
from pipeline.publish.report.weights import OpenGroup, open_groups

MODES = [("DVB-T", "64QAM 2/3")]


def group_of(config: Config, key: str, value: object) -> OpenGroup:
    (group,) = open_groups(config, MODES, [{"key": key, "value": value, "source": "from memory"}])
    return group


@pytest.fixture
def config(tiny: Path) -> Config:
    return load_config(tiny)


def summed_db(*losses_db: float) -> float:
    return 10.0 * math.log10(sum(10.0 ** (-0.1 * loss) for loss in losses_db))


def test_selectivity_weighs_as_its_share_of_the_ratio(config: Config) -> None:
    """Most where the selectivity counts most beside the leakage, here one channel away."""
    group = group_of(config, "configs/tables/protection_ratios.csv:2", {"quantity": "acs_db", "value": "57"})
    assert (group.kind, group.table, group.values) == ("acs_db", "protection_ratios.csv", ["57"])
    # EN 301 598, class 1: 74 dB in 100 kHz one channel away, less 10 log10(80) for 8 MHz; receiver 57 dB.
    leakage_db = 74.0 - 10.0 * math.log10(80.0)
    adjacent_db = summed_db(56.0, leakage_db) - summed_db(57.0, leakage_db)
    assert group.weight_db == pytest.approx(adjacent_db)


def test_leakage_of_a_class_weighs_more_the_leakier_it_is(config: Config) -> None:
    row = {"emission_class": "1", "offset": "1", "aflr_db": "74.0"}
    weights = []
    for emission_class in (1, 5):
        devices = [config.devices[0].model_copy(update={"emission_class": emission_class})]
        one = config.model_copy(update={"devices": devices})
        weights.append(group_of(one, "configs/tables/device_classes.csv:2", row).weight_db)
    assert 0.0 < weights[0] < weights[1] < 1.0


def test_overload_weighs_a_db_for_a_db(config: Config) -> None:
    group = group_of(config, "x.csv:9", {"quantity": "oth_dbm", "value": "-5"})
    assert group.weight_db == pytest.approx(1.0)
    idle = config.devices[0].model_copy(update={"load": "idle"})
    one = config.model_copy(update={"devices": [idle]})
    assert group_of(one, "protection.overload_idle_db", 7.0).weight_db == pytest.approx(1.0)
    # The device of the territory is loaded: what idle ones cost is nothing to it.
    assert group_of(config, "protection.overload_idle_db", 7.0).weight_db == 0.0
    assert group_of(config, "protection.idle_penalty_db", 12.0).weight_db == 0.0


def test_distance_weighs_as_free_space_on_the_slope(config: Config) -> None:
    """30 m against 10 m above ground, 20 m apart, then 18 m."""
    group = group_of(config, "devices.0.min_separation_m", 20.0)
    assert group.weight_db == pytest.approx(20.0 * math.log10(math.hypot(20, 20) / math.hypot(18, 20)))
    assert group.is_share


@pytest.mark.parametrize("key", ["coverage.q_min", "incumbents.mobile.time_pct", "unknown.number"])
def test_what_only_a_run_tells_is_not_computed(config: Config, key: str) -> None:
    assert group_of(config, key, 0.7).weight_db is None


def test_groups_gather_rows_and_devices_the_heaviest_first(config: Config) -> None:
    entries = [
        {"key": "coverage.q_min", "value": 0.7, "source": "a"},
        *(
            {
                "key": f"r.csv:{n}",
                "value": {"quantity": "acs_db", "value": str(50 + n)},
                "source": f"s{n % 2}",
            }
            for n in range(2, 6)
        ),
        {"key": "devices.0.min_separation_m", "value": 20.0, "source": "b"},
        {"key": "devices.1.min_separation_m", "value": 10.0, "source": "b"},
        {"key": "bands.csv:2", "value": {"from_mhz": "608", "to_mhz": "614"}, "source": "c"},
    ]
    groups = open_groups(config, MODES, entries)
    assert {group.kind for group in groups[:2]} == {"acs_db", "devices.min_separation_m"}
    assert [(group.kind, group.numbers) for group in groups[2:]] == [("coverage.q_min", 1), ("bands.csv", 1)]
    rows = next(group for group in groups if group.kind == "acs_db")
    assert (rows.numbers, rows.values, rows.sources) == (4, ["52", "53", "54", "55"], ["s0", "s1"])
    assert next(group for group in groups if group.is_share).values == ["20.0", "10.0"]
