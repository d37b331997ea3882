"""Patterns against independent interpolation: scipy, and hand-computed values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from scipy.interpolate import interp1d

from pipeline.radio.antennas import attenuation_at, expand_pattern, expand_vertical, vertical_attenuation_at


@njit
def look_up(pattern_db, azimuth_deg):
    return attenuation_at(pattern_db, azimuth_deg)


def random_pattern(points: int) -> np.ndarray:
    values = np.random.default_rng(points).uniform(0, 30, points)
    values[points // 3] = 0.0
    return values


@pytest.mark.parametrize("points", [36, 72])
def test_lookup_equals_linear_interpolation_of_the_given_points(points):
    values = random_pattern(points)
    turns = np.concatenate([values, values, values, values[:1]])
    reference = interp1d(np.arange(turns.size) * 360 / points - 360, turns)
    pattern_db = expand_pattern(values)
    for azimuth_deg in np.linspace(-359.9, 719.9, 2001):
        assert look_up(pattern_db, azimuth_deg) == pytest.approx(reference(azimuth_deg), abs=1e-5)


def test_pattern_is_closed_across_north():
    values = np.zeros(36)
    values[35] = 10.0
    pattern_db = expand_pattern(values)
    assert [look_up(pattern_db, az) for az in (350.0, 352.5, 355.0, 360.0, -5.0)] == pytest.approx(
        [10.0, 7.5, 5.0, 0.0, 5.0], abs=1e-6
    )


@given(st.floats(-720, 720))
def test_lookup_has_a_period_of_360_degrees_and_no_seam(azimuth_deg):
    pattern_db = expand_pattern(random_pattern(36))
    here = look_up(pattern_db, azimuth_deg)
    assert look_up(pattern_db, azimuth_deg + 360.0) == pytest.approx(here, abs=1e-4)
    # The steepest slope of this pattern is below 30 dB in 10 degrees.
    assert abs(look_up(pattern_db, azimuth_deg + 1e-3) - here) <= 3.1e-3


def test_no_pattern_radiates_the_full_power_everywhere():
    assert not expand_pattern([]).any()


@pytest.mark.parametrize("points", [1, 35, 37, 360])
def test_other_numbers_of_points_are_refused(points):
    with pytest.raises(ValueError, match="36 or 72"):
        expand_pattern(np.zeros(points))


@pytest.mark.parametrize(
    ("depression_deg", "tilt_deg", "expected_db"),
    [
        (0.0, 0.0, 0.0),
        (1.0, 0.0, 2.0),
        (3.0, 0.0, 6.0),
        (1.0, 1.0, 0.0),  # the beam is tilted onto the point
        (0.0, 1.0, 1.5),  # the horizon is then 1 degree above the axis
        (-9.0, 0.0, 3.0),
        (-60.0, 0.0, 3.0),
        (95.0, 0.0, 10.0),
    ],
)
def test_vertical_pattern_is_linear_between_points_and_turned_by_the_tilt(
    depression_deg, tilt_deg, expected_db
):
    table_db = expand_vertical([-2.0, 0.0, 2.0, 5.0], [3.0, 0.0, 4.0, 10.0])
    found_db = vertical_attenuation_at(table_db, depression_deg, tilt_deg)
    assert found_db == pytest.approx(expected_db, abs=1e-4)


def test_missing_vertical_pattern_attenuates_nothing():
    assert vertical_attenuation_at(expand_vertical([], []), 30.0, 2.0) == 0.0
