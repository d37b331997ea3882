"""Receiving patterns of fixed links against figures worked by hand from Rec. ITU-R F.699."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.radio.antennas import f699_gain_dbi, gain_table_dbi, largest_gain_dbi


@pytest.mark.parametrize(
    ("angle", "gain", "f_mhz", "expected"),
    [
        # 20 dBi below 1 GHz: D/lambda 4.1210, first lobe 11.225 dBi, main lobe to 14.376 deg.
        (0.0, 20.0, 460.0, 20.0),
        (10.0, 20.0, 460.0, 15.754),
        (20.0, 20.0, 460.0, 11.225),
        (60.0, 20.0, 460.0, 1.396),
        (180.0, 20.0, 460.0, -5.075),
        # The same above 1 GHz: the back starts at 48 degrees.
        (60.0, 20.0, 1400.0, 3.850),
        # 44.0 dBi: D/lambda 65.31; 48.5 dBi: 109.65, where other formulas hold.
        (5.0, 44.0, 2000.0, 16.376),
        (90.0, 44.0, 2000.0, -8.150),
        (5.0, 48.5, 2000.0, 14.526),
        (0.9, 48.5, 2000.0, 32.600),
        (90.0, 48.5, 2000.0, -10.0),
    ],
)
def test_f699_reproduces_worked_figures(angle: float, gain: float, f_mhz: float, expected: float) -> None:
    assert f699_gain_dbi(angle, gain, f_mhz) == pytest.approx(expected, abs=0.002)


@settings(deadline=None)
@given(st.floats(0, 180), st.floats(0, 10), st.floats(15.0, 45.0), st.sampled_from([150.0, 800.0, 3000.0]))
def test_f699_never_rises_away_from_the_axis_by_more_than_its_joins(
    angle: float, more: float, gain: float, f_mhz: float
) -> None:
    later = min(angle + more, 180.0)
    # The patterns of the Recommendation have joins of up to about half a decibel at the first side lobe.
    assert f699_gain_dbi(later, gain, f_mhz) <= f699_gain_dbi(angle, gain, f_mhz) + 0.6


def test_small_antenna_is_outside_the_range() -> None:
    with pytest.raises(InputError, match=r"F\.699"):
        f699_gain_dbi(0.0, 3.0, 460.0)


def test_filed_pattern_is_turned_by_the_axis_and_taken_over_the_width() -> None:
    attenuation = ";".join(str(abs(i if i <= 18 else 36 - i) * 1.0) for i in range(36))
    table = gain_table_dbi(attenuation, 12.0, 460.0)
    assert table[[0, 100, 1800, 3500]] == pytest.approx([12.0, 11.0, -6.0, 11.0])
    assert largest_gain_dbi(table, 90.0, 0.0) == pytest.approx(3.0)
    assert largest_gain_dbi(table, -90.0, 10.0) == pytest.approx(4.0)
    assert largest_gain_dbi(table, 179.0, 180.0) == 12.0


def test_no_pattern_means_full_gain_everywhere() -> None:
    assert np.ptp(gain_table_dbi("", 15.0, 847.0)) == 0.0


@settings(deadline=None)
@given(st.floats(-720.0, 720.0), st.floats(0.0, 180.0))
def test_largest_gain_is_that_of_the_nearest_angle(from_axis: float, half_width: float) -> None:
    table = gain_table_dbi("F.699", 20.0, 460.0)
    off_axis = abs((from_axis + 180.0) % 360.0 - 180.0)
    nearest = f699_gain_dbi(max(off_axis - half_width, 0.0), 20.0, 460.0)
    found = largest_gain_dbi(table, from_axis, half_width)
    assert nearest - 1e-9 <= found
    # A tenth of a degree further in, at most.
    assert found <= f699_gain_dbi(max(off_axis - half_width - 0.11, 0.0), 20.0, 460.0) + 0.6
    assert math.isfinite(found)
