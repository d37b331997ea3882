"""Levels of priority on stacks small enough to count by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.config.products import Priority
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.raster import make_array
from pipeline.plan.territory_file import load_config
from pipeline.quantise import NODATA_CENTI
from pipeline.studies.priority_maps import priority_classes, priority_command, priority_shares

CHANNELS = [21, 22, 23, 24]
# Five pixels: all four free, three free, two free and two not permitted, two free and two not evaluated,
# outside. Raw 0.01 dBm.
MAX_EIRP = np.array(
    [
        [2000, 2000, 2000, 2000, NODATA_CENTI],
        [2500, 2500, 2500, 2500, NODATA_CENTI],
        [3600, 3600, -9999, -9998, NODATA_CENTI],
        [2000, 1999, -9999, -9998, NODATA_CENTI],
    ],
    dtype=np.int16,
)[:, np.newaxis]


def level(**values) -> Priority:
    return Priority.model_validate(
        {"level": 1, "device": "d", "eirp_dbm": 20.0, "channels": ["21-24"]} | values
    )


def classes(**values):
    return priority_classes(MAX_EIRP, CHANNELS, level(**values))[:, 0].tolist()


def test_first_level_gets_every_channel_that_is_free():
    assert classes() == [[1, 1, 1, 1, 255], [1, 1, 1, 1, 255], [1, 1, 0, 2, 255], [1, 0, 0, 2, 255]]


def test_low_level_gets_a_channel_only_where_more_than_two_are_free():
    assert classes(more_than_free=2) == [
        [1, 1, 0, 0, 255],
        [1, 1, 0, 0, 255],
        [1, 1, 0, 2, 255],
        [1, 0, 0, 2, 255],
    ]
    # Three free in the second pixel: not more than three.
    assert classes(more_than_free=3)[0] == [1, 0, 0, 0, 255]


def test_channels_of_other_levels_count_as_free_but_are_not_given():
    found = classes(more_than_free=2, channels=[22])
    assert found == [[0, 0, 0, 0, 255], [1, 1, 0, 0, 255], [0, 0, 0, 0, 255], [0, 0, 0, 0, 255]]


def test_larger_protection_ratio_asks_for_more_permitted_power():
    # 20 dBm and 6 dB of protection: only the 36 dBm of channel 23 remain.
    assert classes(protection_db=6.0)[2] == [1, 1, 0, 2, 255]
    assert classes(protection_db=6.0)[:2] == [[0, 0, 0, 0, 255]] * 2
    assert classes(protection_db=6.0, more_than_free=1)[2] == [0, 0, 0, 2, 255]


def test_shares_are_weighted_by_area_and_people():
    found = priority_shares(
        priority_classes(MAX_EIRP, CHANNELS, level(channels=[23, 24])),
        CHANNELS,
        level(channels=[23, 24]),
        np.array([[1.0, 2.0, 3.0, 4.0, 50.0]]),
        np.array([[0.0, 30.0, np.nan, 10.0, 99.0]]),
    )
    assert found["channel"].tolist() == ["23", "24", "any"]
    assert found["area_pct"].tolist() == pytest.approx([30.0, 10.0, 30.0])
    assert found["population_pct"].tolist() == pytest.approx([75.0, 0.0, 75.0])
    without = priority_shares(
        np.full((1, 1, 5), 255, np.uint8), [21], level(channels=[21]), np.ones((1, 5)), None
    )
    assert without[["area_pct", "population_pct"]].isna().all().all()


@pytest.fixture
def territory(tmp_path, repository):
    """Slovenia's settings with levels of priority, and maps of five pixels for one device."""

    def make(*levels):
        content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
        content |= {"priority": list(levels), "population": None}
        content["channels"]["wsd"] = ["21-24"]
        (tmp_path / "case.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return tmp_path / "case.yaml"

    grid = Grid("EPSG:3794", 200.0, 500_000.0, 100_000.0, 5, 1)
    for channel, values in zip(CHANNELS, MAX_EIRP, strict=True):
        layer = make_array(values, grid, units="dBm", long_name="x", nodata=NODATA_CENTI)
        raster.write(tmp_path / f"limits/fixed30_ch{channel}.tif", layer, tags={}, publish=False)
    return make


HIGH = {"level": 1, "device": "fixed30", "eirp_dbm": 20.0, "channels": ["21-24"]}
LOW = HIGH | {"level": 2, "more_than_free": 2, "channels": [21, 24]}


def test_command_writes_maps_and_one_table(territory, tmp_path):
    priority_command(territory(LOW, HIGH), tmp_path / "out", build=tmp_path)
    table = pd.read_csv(tmp_path / "out/priority.csv")
    assert table["level"].tolist() == [1] * 5 + [2] * 3
    some = table[table["channel"] == "any"]
    # Pixels are equal in area to a few millionths: 4 of 4 and 2 of 4.
    assert some["area_pct"].tolist() == pytest.approx([100.0, 50.0], abs=0.01)
    low = raster.read(tmp_path / "out/priority_2.tif")
    assert low.values[:, 0].tolist() == [
        [1, 1, 0, 0, 255],
        [0, 0, 0, 0, 255],
        [0, 0, 0, 0, 255],
        [1, 0, 0, 2, 255],
    ]
    assert low["band"].values.tolist() == [f"channel {channel}" for channel in CHANNELS]
    count = raster.read(tmp_path / "out/priority_channels_2.tif")
    assert count.values[0].tolist() == [2, 1, 0, 0, 255]


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ([HIGH, HIGH], "twice"),
        ([HIGH | {"device": "other"}], "fixed30"),
        ([HIGH | {"channels": [60]}], "60"),
        ([HIGH | {"protection_db": 17.0}], "cap"),
        ([HIGH | {"more_than_free": -1}], "more_than_free"),
    ],
)
def test_impossible_levels_are_refused(territory, levels, said):
    with pytest.raises(InputError, match=said):
        load_config(territory(*levels))


def test_territory_without_levels_is_refused(territory, tmp_path):
    with pytest.raises(InputError, match="priority"):
        priority_command(territory(), tmp_path / "out", build=tmp_path)


def test_levels_look_at_the_limits_before_the_least_eirp(territory, tmp_path):
    """20 dBm of a device with 24.15 dBm at least: its maximum e.i.r.p. has none of them, the limits all."""
    grid = Grid("EPSG:3794", 200.0, 500_000.0, 100_000.0, 5, 1)
    for channel, values in zip(CHANNELS, MAX_EIRP, strict=True):
        least = np.where((values < 2415) & (values > -9998), np.int16(-9999), values)
        layer = make_array(least, grid, units="dBm", long_name="x", nodata=NODATA_CENTI)
        raster.write(tmp_path / f"public/max_eirp_fixed30_ch{channel}.tif", layer, tags={}, publish=False)
    priority_command(territory(HIGH), tmp_path / "out", build=tmp_path)
    count = raster.read(tmp_path / "out/priority_channels_1.tif")
    assert count.values[0].tolist() == [4, 3, 2, 2, 255]


def test_bonds_are_channels_of_a_level_that_has_all_of_theirs(territory, tmp_path):
    """Bonds 21-22, 22-23, 23-24; the level has 21, 22 and 24, so only the first is its own."""
    content = yaml.safe_load(territory(HIGH | {"device": "wide", "channels": [21, 22, 24]}).read_text())
    wide = content["devices"][0] | {"id": "wide", "bond": 2, "bandwidth_mhz": 16.0}
    content["devices"].append(wide)
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    grid = Grid("EPSG:3794", 200.0, 500_000.0, 100_000.0, 5, 1)
    for bond, values in zip(("21-22", "22-23", "23-24"), MAX_EIRP, strict=False):
        layer = make_array(values, grid, units="dBm", long_name="x", nodata=NODATA_CENTI)
        raster.write(tmp_path / f"limits/wide_ch{bond}.tif", layer, tags={}, publish=False)
    priority_command(tmp_path / "case.yaml", tmp_path / "out", build=tmp_path)
    assert pd.read_csv(tmp_path / "out/priority.csv")["channel"].tolist() == ["21-22", "any"]
    found = raster.read(tmp_path / "out/priority_1.tif")
    assert found["band"].values.tolist() == [f"channel {bond}" for bond in ("21-22", "22-23", "23-24")]
    assert found.values[:, 0].tolist() == [[1, 1, 1, 1, 255], [0, 0, 0, 0, 255], [0, 0, 0, 0, 255]]
    count = raster.read(tmp_path / "out/priority_channels_1.tif")
    assert count.attrs["units"] == "bonds of 2 channels"


def test_level_without_a_bond_of_its_device_is_refused(territory):
    content = yaml.safe_load(territory(HIGH | {"channels": [21, 23]}).read_text())
    content["devices"].append(content["devices"][0] | {"id": "wide", "bond": 2, "bandwidth_mhz": 16.0})
    content["priority"][0]["device"] = "wide"
    path = territory()
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(InputError, match="no 2 channels in a row"):
        load_config(path)


RATIOS = [{"id": f"PR{k + 1}", "add_db": add_db} for k, add_db in enumerate((0.0, 3.0, 6.0, 10.0))]


def table(levels=(20.0, 18.0, 14.0, 10.0), channels=lambda level, pr: ["21-24"], **low):
    """A table of four levels by four ratios, as Fig. A7-4 has it; ``low``: more of the last level."""
    rows = [{"level": k + 1, "device": "fixed30", "eirp_dbm": eirp_dbm} for k, eirp_dbm in enumerate(levels)]
    rows[-1] |= low
    cells = [
        {"level": row["level"], "pr": ratio["id"], "channels": channels(row["level"], ratio["id"])}
        for row in rows
        for ratio in RATIOS
    ]
    return {
        "protection_ratios": RATIOS,
        "levels": rows,
        "cells": [cell for cell in cells if cell["channels"]],
    }


def with_table(territory, content):
    path = territory(HIGH)
    settings = yaml.safe_load(path.read_text())
    settings["priority"] = content
    path.write_text(yaml.safe_dump(settings))
    return path


def test_table_of_levels_and_ratios_is_sixteen_blocks(territory, tmp_path):
    priority_command(with_table(territory, table()), tmp_path / "out", build=tmp_path)
    found = pd.read_csv(tmp_path / "out/priority.csv")
    some = found[found["channel"] == "any"]
    assert some[["level", "pr"]].values.tolist() == [
        [n, f"pr{k}"] for n in (1, 2, 3, 4) for k in (1, 2, 3, 4)
    ]
    for row in some.itertuples():
        needed = {1: 20.0, 2: 18.0, 3: 14.0, 4: 10.0}[row.level] + {"pr1": 0, "pr2": 3, "pr3": 6, "pr4": 10}[
            row.pr
        ]
        free = (MAX_EIRP[:, 0, :4] >= round(100 * needed)).any(axis=0)
        assert row.area_pct == pytest.approx(25.0 * free.sum(), abs=0.01), (row.level, row.pr)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"priority_4_pr2.tif", "priority_channels_1_pr4.tif"} <= names
    assert len(names) == 33


def test_higher_ratio_never_leaves_more_channels(territory):
    levels = load_config(with_table(territory, table())).priority
    for level_number in (1, 2, 3, 4):
        free = [
            priority_classes(MAX_EIRP, CHANNELS, level) == 1
            for level in levels
            if level.level == level_number
        ]
        for lower, higher in pairwise(free):
            assert not (higher & ~lower).any()


def test_channels_of_all_cells_of_a_ratio_count_as_free_or_the_cell_s_own(territory):
    """Level 4 may use channels 23, 24 of PR1; level 1 has 21, 22: four count where all do, two of its own."""
    sets = {(1, "PR1"): [21, 22], (4, "PR1"): [23, 24], (1, "PR2"): [21]}
    # Free at 20 dBm in the four pixels: four, three, two and one of the channels.
    for count, given in (("all", [True, True, False, False]), ("own", [False] * 4)):
        content = table((20.0, 20.0, 20.0, 20.0), lambda *cell: sets.get(cell), more_than_free=2, count=count)
        levels = load_config(with_table(territory, content)).priority
        assert [level.name for level in levels] == ["1_pr1", "1_pr2", "4_pr1"]
        classes_found = priority_classes(MAX_EIRP, CHANNELS, levels[2])[:, 0]
        assert (classes_found[2, :4] == 1).tolist() == given
        assert not (classes_found[:2, :4] == 1).any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t["cells"][0].update(pr="PR9"), "PR9 is no row and column"),
        (lambda t: t["cells"][0].update(level=5), "level 5"),
        (lambda t: t["cells"].append(t["cells"][0]), "named twice"),
        (lambda t: t["levels"].append(t["levels"][0]), "levels names one twice"),
        (
            lambda t: t["protection_ratios"].append({"id": "pr1", "add_db": 1.0}),
            "protection_ratios names one twice",
        ),
        (lambda t: t["protection_ratios"][0].update(add_db=-1.0), "protection_ratios.0.add_db"),
        (lambda t: t["cells"][0].update(channels=[60]), "not in channels.wsd"),
        (lambda t: t["levels"][0].update(eirp_dbm=30.0), "more than the cap"),
        (lambda t: t.update(colour="red"), "colour"),
    ],
)
def test_table_that_contradicts_itself_is_refused(territory, change, said):
    content = yaml.safe_load(yaml.safe_dump(table()))
    change(content)
    with pytest.raises(InputError, match=said):
        load_config(with_table(territory, content))
