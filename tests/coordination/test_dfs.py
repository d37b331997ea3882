"""DFS parameters: the corrected signs, and what holds exactly on the edges."""

from __future__ import annotations

import math

import pytest

from pipeline.coordination.dfs import detection_threshold_dbm, needs_detection, read_dfs
from pipeline.errors import InputError
from pipeline.units import field_dbuvm


@pytest.mark.parametrize(
    ("eirp_mw", "threshold_dbm"),
    [(0.0, -62.0), (199.999, -62.0), (200.0, -64.0), (500.0, -64.0), (1000.0, -64.0)],
)
def test_stronger_device_must_hear_weaker_radars(eirp_mw, threshold_dbm):
    assert detection_threshold_dbm(read_dfs(), eirp_mw) == threshold_dbm


@pytest.mark.parametrize("eirp_mw", [1000.001, -1.0, math.nan])
def test_power_outside_the_table_is_refused(eirp_mw):
    with pytest.raises(InputError, match="eirp_mw"):
        detection_threshold_dbm(read_dfs(), eirp_mw)


def test_threshold_as_a_field_at_5500_mhz():
    """90.02 and 88.02 dB(uV/m) at 0 dBi."""
    assert field_dbuvm(-62.0, 5500.0) == pytest.approx(90.02, abs=0.01)
    assert field_dbuvm(-64.0, 5500.0) == pytest.approx(88.02, abs=0.01)


@pytest.mark.parametrize(
    ("from_mhz", "to_mhz", "expected"),
    [
        (5230.0, 5250.0, False),
        (5230.0, 5250.1, True),
        (5300.0, 5320.0, True),
        (5350.0, 5470.0, False),
        (5460.0, 5480.0, True),
        (5725.0, 5745.0, False),
        (5200.0, 5800.0, True),
    ],
)
def test_channel_that_touches_a_band_in_part_needs_detection(from_mhz, to_mhz, expected):
    assert needs_detection(read_dfs(), from_mhz, to_mhz) is expected


def test_times_of_the_table():
    dfs = read_dfs()
    assert (dfs.availability_check_s.value, dfs.non_occupancy_min.value) == (60.0, 30.0)
    assert (dfs.channel_move_s.value, dfs.averaging_us.value) == (10.0, 1.0)


def test_gap_between_thresholds_is_refused(tmp_path, repository):
    text = (repository / "configs/tables/dfs.yaml").read_text(encoding="utf-8")
    (tmp_path / "dfs.yaml").write_text(text.replace("from_mw: 200.0", "from_mw: 250.0"), encoding="utf-8")
    with pytest.raises(InputError, match=r"dfs\.yaml.*gap"):
        read_dfs(tmp_path / "dfs.yaml")
