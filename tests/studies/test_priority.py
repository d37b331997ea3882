"""Levels of priority on stacks small enough to count by hand."""

from __future__ import annotations

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
