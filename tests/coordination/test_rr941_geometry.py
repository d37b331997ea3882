"""Geometry of AP8 against vectors and the worked places of the specification."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from satellites import exact_view

from pipeline.coordination.rr941.geometry import (
    angle_at_satellite_deg,
    geocentric_angle_deg,
    sight,
    topocentric_angle_deg,
)


def seen(lon_deg, lat_deg, own_deg, other_deg, tolerance_deg=0.0):
    return sight(np.array([lon_deg]), np.array([lat_deg]), own_deg, other_deg, tolerance_deg)


@pytest.mark.parametrize(
    ("lat", "lon", "own", "other", "angle", "own_km", "other_km", "own_elevation", "other_elevation"),
    [
        (0.0, 0.0, 0.0, 8.0, 9.4164, 35795.6, 35868.5, 90.00, 80.58),
        (24.7, 46.7, 42.0, 50.5, 9.8241, 36498.1, 36490.3, 60.63, 60.79),
        (30.0, 31.0, 26.0, 36.5, 12.0319, 36811.2, 36816.2, 54.60, 54.51),
        (60.0, 50.0, 53.0, 63.5, 11.2334, 39373.7, 39463.1, 21.89, 20.97),
        (21.4, 39.8, 26.0, 36.0, 11.5805, 36507.5, 36324.3, 60.43, 64.55),
    ],
)
def test_worked_places(lat, lon, own, other, angle, own_km, other_km, own_elevation, other_elevation):
    view = seen(lon, lat, own, other)
    assert view.angle_deg[0] == pytest.approx(angle, abs=6e-5)
    assert (view.own_km[0], view.other_km[0]) == pytest.approx((own_km, other_km), abs=0.06)
    assert view.own_elevation_deg[0] == pytest.approx(own_elevation, abs=0.006)
    assert view.other_elevation_deg[0] == pytest.approx(other_elevation, abs=0.006)


@settings(max_examples=300, deadline=None)
@given(
    own=st.floats(-180, 180),
    east=st.floats(-50, 50),
    lat=st.floats(-65, 65),
    apart=st.floats(0.5, 20),
    west=st.booleans(),
)
def test_angle_is_within_3_millidegrees_of_vectors(own, east, lat, apart, west):
    """AP8 takes 6371 km in the distance and 6378 km in the elevation: the angle is 0.026 % smaller."""
    lon, other = own + east, own + (-apart if west else apart)
    view = seen(lon, lat, own, other)
    angle, _, elevation = exact_view(lon, lat, own, other)
    if elevation < 5.0 or view.other_elevation_deg[0] < 5.0:
        return
    assert view.angle_deg[0] == pytest.approx(angle, rel=2.7e-4)
    if apart <= 11.0:
        assert view.angle_deg[0] == pytest.approx(angle, abs=0.003)
    assert view.own_elevation_deg[0] == pytest.approx(elevation, abs=1e-6)


@settings(deadline=None)
@given(own=st.floats(-180, 180), lon=st.floats(-180, 180), lat=st.floats(-90, 90))
def test_distance_is_within_10_km_of_vectors(own, lon, lat):
    _, distance_km, _ = exact_view(lon, lat, own, own + 8.0)
    assert seen(lon, lat, own, own + 8.0).own_km[0] == pytest.approx(distance_km, abs=10.0)


@settings(deadline=None)
@given(first=st.floats(-180, 180), second=st.floats(-180, 180), turns=st.integers(-2, 2))
def test_separation_wraps_and_is_symmetric(first, second, turns):
    apart = geocentric_angle_deg(first, second, 0.0)
    assert 0.0 <= apart <= 180.0
    assert geocentric_angle_deg(second, first, 0.0) == pytest.approx(apart, abs=1e-9)
    assert geocentric_angle_deg(first + 360.0 * turns, second, 0.0) == pytest.approx(apart, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "tolerance", "apart"),
    [(179.0, -179.0, 0.0, 2.0), (10.0, 12.0, 0.1, 1.9), (10.0, 10.05, 0.1, 0.0), (-90.0, 90.0, 0.0, 180.0)],
)
def test_separation_by_hand(first, second, tolerance, apart):
    assert geocentric_angle_deg(first, second, tolerance) == pytest.approx(apart, abs=1e-12)


def test_tolerance_shrinks_the_angle_and_leaves_the_distances():
    nominal, shrunk = seen(46.7, 24.7, 42.0, 50.5), seen(46.7, 24.7, 42.0, 50.5, 0.2)
    assert (shrunk.own_km, shrunk.other_km) == (nominal.own_km, nominal.other_km)
    # By the law of cosines on the printed distances: chord 84332 sin(8.3/2 deg).
    chord = 84332.0 * np.sin(np.radians(4.15))
    d1, d2 = nominal.own_km[0], nominal.other_km[0]
    expected = np.degrees(np.arccos((d1**2 + d2**2 - chord**2) / (2 * d1 * d2)))
    assert shrunk.angle_deg[0] == pytest.approx(expected, abs=1e-9)
    assert shrunk.angle_deg[0] < nominal.angle_deg[0]


def test_same_position_and_tolerances_beyond_the_separation_give_angle_zero():
    assert seen(46.7, 24.7, 42.0, 42.0).angle_deg[0] == 0.0
    assert seen(0.0, 50.0, 42.0, 42.3, 0.5).angle_deg[0] == 0.0
    assert topocentric_angle_deg(36000.0, 36100.0, 0.01) == 0.0


@settings(deadline=None)
@given(lon=st.floats(-40, 40), lat=st.floats(-40, 40))
def test_angle_at_the_satellite_is_zero_at_its_aim_and_symmetric(lon, lat):
    assert angle_at_satellite_deg(lon, lat, lon, lat, 0.0) == pytest.approx(0.0, abs=1e-6)
    there = angle_at_satellite_deg(lon, lat, 5.0, 10.0, 0.0)
    assert angle_at_satellite_deg(5.0, 10.0, lon, lat, 0.0) == pytest.approx(there, abs=1e-9)


def test_limb_of_the_earth_is_seen_at_8_7_degrees():
    # asin(6378 / 42164) where the ray touches the sphere: cos psi = 6378 / 42164.
    limb_deg = np.degrees(np.arccos(6378.0 / 42164.0))
    expected = np.degrees(np.arcsin(6378.0 / 42164.0))
    assert angle_at_satellite_deg(limb_deg, 0.0, 0.0, 0.0, 0.0) == pytest.approx(expected, abs=1e-9)
