"""Antenna patterns: worked values, joins, falling envelopes, limits of definition."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.coordination.rr941.antenna_patterns import (
    PATTERN_NAMES,
    Beam,
    BeamContour,
    PatternError,
    beam_relative_db,
    gain_dbi,
    max_gain_beyond_dbi,
    pattern_segments,
    relative_gain_of_beam_db,
    relative_gain_of_contours_db,
)

LIGHT = 299.792458


def by_ratio(pattern, ratio):
    """Segments of an antenna of a given D/lambda: 1 wavelength per metre."""
    return pattern_segments(pattern, LIGHT, diameter_m=ratio)


@pytest.mark.parametrize(
    ("ratio", "phi", "gain"),
    [
        (100, 0, 47.700), (100, 1, 32.000), (100, 5, 14.526), (100, 60, -10.0),
        (50, 1.5, 27.617), (50, 5, 17.536), (50, 60, -6.990),
        (200, 0.2, 49.721), (200, 0.5, 36.515), (200, 1, 32.000),
    ],
)  # fmt: skip
def test_ap8_by_the_worked_values(ratio, phi, gain):
    assert gain_dbi(by_ratio("AP8", ratio), phi) == pytest.approx(gain, abs=6e-4)


@pytest.mark.parametrize(
    ("phi", "gain"),
    [(0, 64), (0.1, 54.923), (0.5, 36.526), (1, 29), (2, 21.474), (5, 11.526), (10, 4), (50, -12), (100, -7),
     (150, -12)],
)  # fmt: skip
def test_s1428_by_the_worked_values(phi, gain):
    assert gain_dbi(pattern_segments("S.1428", 11200.0, gain_dbi=64.0), phi) == pytest.approx(gain, abs=6e-4)


@pytest.mark.shared_data
def test_patterns_equal_the_golden_file(shared):
    golden = json.loads((shared / "data" / "rr941_golden.json").read_text())
    for ratio, phi, gain in golden["ap8_pattern"]:
        assert gain_dbi(by_ratio("AP8", ratio), phi) == pytest.approx(gain, abs=1e-9)
    for phi, gain in golden["s1428_64dBi"]:
        segments = pattern_segments("S.1428", 11200.0, gain_dbi=64.0)
        assert gain_dbi(segments, phi) == pytest.approx(gain, abs=1e-9)


def falling(constant, slope, phi):
    return constant - slope * math.log10(phi)


def below(constant, ratio, phi=1.0):
    """Envelope of antennas of few wavelengths: constant - 10 log10(D/lambda) - 25 log10(phi)."""
    return constant - 10 * math.log10(ratio) - 25 * math.log10(phi)


@pytest.mark.parametrize(
    ("pattern", "ratio", "phi", "gain"),
    [
        # S.465-6: phi_min = 100/60 = 1.667; max(2, 114/30^1.09) = 2.80 for 30 wavelengths.
        ("S.465", 60, 1.66, 20 * math.log10(60) + 7.7), ("S.465", 60, 1.67, falling(32, 25, 1.67)),
        ("S.465", 200, 1.0, 32.0), ("S.465", 30, 2.79, 20 * math.log10(30) + 7.7),
        ("S.465", 30, 2.81, falling(32, 25, 2.81)), ("S.465", 60, 47.9, falling(32, 25, 47.9)),
        ("S.465", 60, 48.0, -10.0), ("S.465", 60, 180.0, -10.0),
        # S.580-6 as in the BR pattern: 29 - 25 log phi, a shelf of -3.5, then 32 - 25 log phi.
        ("S.580", 120, 5.0, falling(29, 25, 5)), ("S.580", 120, 19.9, falling(29, 25, 19.9)),
        ("S.580", 120, 22.0, -3.5), ("S.580", 120, 26.0, -3.5), ("S.580", 120, 30.0, falling(32, 25, 30)),
        ("S.580", 120, 47.8, falling(32, 25, 47.8)), ("S.580", 120, 47.9, -10.0),
        ("S.580", 40, 5.0, below(52, 40, 5.0)), ("S.580", 40, 90.0, below(10, 40)),
        # S.1428 in its two lower ranges.
        ("S.1428", 22, 10.0, 4.0), ("S.1428", 22, 50.0, -9.0), ("S.1428", 22, 100.0, -5.0),
        ("S.1428", 22, 170.0, -5.0), ("S.1428", 25, 130.0, -5.0), ("S.1428", 25.1, 130.0, -9.0),
        ("S.1428", 60, 20.0, falling(29, 25, 20)), ("S.1428", 60, 50.0, -9.0), ("S.1428", 60, 100.0, -4.0),
        ("S.1428", 60, 150.0, -9.0), ("S.1428", 60, 1.5, falling(29, 25, 95 / 60)),
        # AP8: the angle of 48 degrees belongs to the last branch, also where 100 lambda/D lies beyond it.
        ("AP8", 50, 48.0, below(10, 50)), ("AP8", 150, 48.0, -10.0), ("AP8", 99, 1.2, below(52, 99, 1.2)),
        ("AP8", 1.5, 47.9, 2 + 15 * math.log10(1.5)), ("AP8", 1.5, 50.0, below(10, 1.5)),
    ],
)  # fmt: skip
def test_branches_by_hand(pattern, ratio, phi, gain):
    assert gain_dbi(by_ratio(pattern, ratio), phi) == pytest.approx(gain, abs=1e-9)


def test_diameter_and_gain_give_the_same_pattern():
    for pattern, constant in (("AP8", 7.7), ("S.465", 7.7), ("S.580", 10 * math.log10(0.7 * math.pi**2))):
        by_gain = pattern_segments(pattern, 12500.0, gain_dbi=20 * math.log10(75.0) + constant)
        np.testing.assert_allclose(by_gain, by_ratio(pattern, 75.0), rtol=1e-9)
    large = pattern_segments("S.1428", 12500.0, gain_dbi=20 * math.log10(602.56) + 8.4)
    np.testing.assert_allclose(large, by_ratio("S.1428", 602.56), rtol=1e-9)


@settings(max_examples=200, deadline=None)
@given(ratio=st.floats(21, 1000), pattern=st.sampled_from(PATTERN_NAMES), data=st.data())
def test_envelope_falls_up_to_30_degrees(ratio, pattern, data):
    segments = by_ratio(pattern, ratio)
    near = data.draw(st.floats(0, 30))
    far = data.draw(st.floats(near, 30))
    # 0.3 dB: joins that the texts round (S.1428 beyond 100 wavelengths, AP8 at phi_r).
    assert gain_dbi(segments, far) <= gain_dbi(segments, near) + 0.3


@settings(max_examples=200, deadline=None)
@given(ratio=st.floats(21, 1000), pattern=st.sampled_from(["AP8", "S.580", "S.1428"]))
def test_joins_are_continuous_up_to_48_degrees(ratio, pattern):
    segments = by_ratio(pattern, ratio)
    for end in segments[:-1, 0]:
        if end < 33.0:
            step = gain_dbi(segments, end) - gain_dbi(segments, np.nextafter(end, 0.0))
            assert abs(step) < 0.3


@pytest.mark.parametrize("pattern", PATTERN_NAMES)
def test_gain_beyond_an_angle_is_the_largest_of_a_fine_scan(pattern):
    segments = by_ratio(pattern, 150.0)
    scan = np.array([gain_dbi(segments, phi) for phi in np.linspace(0, 180, 18001)])
    for k in (0, 50, 200, 1000, 5000, 9000, 15000):
        assert max_gain_beyond_dbi(segments, k / 100) == pytest.approx(scan[k:].max(), abs=1e-2)
    # S.1428 rises again behind the dish.
    assert max_gain_beyond_dbi(by_ratio("S.1428", 150.0), 50.0) == -7.0


@pytest.mark.parametrize(
    ("pattern", "size"),
    [("AP8", {"gain_dbi": 9.2}), ("AP8", {"diameter_m": 0.01}), ("S.1428", {"gain_dbi": 33.7}),
     ("S.1428", {"diameter_m": 0.4}), ("AP8", {}), ("AP8", {"gain_dbi": 40.0, "diameter_m": 1.0})],
)  # fmt: skip
def test_antenna_outside_the_definition_is_refused(pattern, size):
    with pytest.raises(PatternError):
        pattern_segments(pattern, 12500.0, **size)


@pytest.mark.parametrize(
    ("offset", "relative_db"),
    [(0.0, 0.0), (1.0, -3.0), (2.0, -12.0), (2.87, -24.71), (2.9, -25.0), (6.3, -25.0),
     (20.0, falling(-5, 25, 20)), (100.0, -40.0)],
)  # fmt: skip
def test_beam_of_s672_by_hand(offset, relative_db):
    assert beam_relative_db(0.5 * offset, 0.5, 2.88, -25.0, 40.0) == pytest.approx(relative_db, abs=0.01)


@settings(deadline=None)
@given(near=st.floats(0, 80), step=st.floats(0, 80), peak=st.floats(-5, 60))
def test_beam_never_rises_outwards_nor_above_its_maximum(near, step, peak):
    inner = beam_relative_db(near, 1.0, 2.58, -20.0, peak)
    # 0.03 dB: 2.58 and 6.32 are rounded where the branches meet.
    assert beam_relative_db(near + step, 1.0, 2.58, -20.0, peak) <= inner + 0.03
    assert inner <= 0.0
    assert peak + inner >= min(0.0, peak) - 1e-9


def test_beam_is_full_at_its_aim_and_3_db_down_at_half_the_beamwidth():
    lon, lat = np.array([46.7, 46.7]), np.array([24.7, 24.7])
    beam = Beam(46.7, 24.7, 1.0, -25.0, 35.0)
    assert relative_gain_of_beam_db(lon, lat, 42.0, beam)[0] == pytest.approx(0.0, abs=1e-9)
    # Sub-satellite beam: a place at longitude x is seen at atan(R sin x / (r - R cos x)).
    x = math.radians(8.0)
    psi = math.degrees(math.atan(6378 * math.sin(x) / (42164 - 6378 * math.cos(x))))
    beam = Beam(42.0, 0.0, psi, -25.0, 35.0)
    assert relative_gain_of_beam_db(np.array([50.0]), np.zeros(1), 42.0, beam)[0] == pytest.approx(
        -3.0, abs=1e-6
    )


def test_contours_give_the_level_of_the_next_inner_line():
    def square(half):
        return [(-179 - half, -half), (-179 + half, -half), (-179 + half, half), (-179 - half, half)]

    contours = [
        BeamContour(-2.0, square(2.0)),
        BeamContour(-6.0, square(5.0)),
        BeamContour(-20.0, square(9.0)),
    ]
    # Across the 180th meridian: 184, 188 and 194 east are 3, 7 and 13 degrees off the middle at 181.
    lon = np.array([-179.0, -176.0, 174.0, -172.0 - 360.0 + 360.0, 168.0])
    relative_db = relative_gain_of_contours_db(lon, np.zeros(5), 170.0, contours)
    assert relative_db.tolist() == [0.0, -2.0, -6.0, -6.0, -20.0]
