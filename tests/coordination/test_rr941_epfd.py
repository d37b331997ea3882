"""Nos. 9.7A and 9.7B: conditions, the bound of epfd, and a constellation that must stay below the bound."""

import math

import numpy as np
import pytest
from constellation import Walker, epfd_sum_dbw_m2, walker_positions_km
from satellites import ORBIT_KM, angle_deg, from_centre_km, minus

from pipeline.coordination.rr97.epfd import (
    Condition,
    StationFigures,
    condition_1,
    condition_2,
    conditions,
    epfd_band,
    epfd_bound_dbw_m2,
    epfd_limit_dbw_m2,
)
from pipeline.coordination.rr941.antenna_patterns import pattern_segments
from pipeline.coordination.rr941.appendix5 import read_limits

LIMITS = read_limits()
LARGE = pattern_segments("S.1428", 11200.0, gain_dbi=64.0)
WALKER = Walker(40, 5, 1, 53.0, 1200.0)


@pytest.mark.parametrize(
    ("mhz", "gain", "g_over_t", "bandwidth", "holds"),
    [
        (11200, 64.0, 44.0, 250, True),
        (11200, 63.99, 44.0, 250, False),
        (11200, 64, 43.99, 250, False),
        (11200, 64, 44, 249.9, False),
        (18000, 67.9, 46, 900, False),
        (18000, 68.0, 44, 800, True),
        (18000, 68.0, 44, 799, False),
        (19900, 68, 44, 800, True),
        (15000, 70, 50, 1000, False),
        (19000, 70, 50, 1000, False),
        (10700, 64, 44, 250, True),
        (12750, 64, 44, 250, True),
        (12751, 70, 50, 900, False),
    ],
)
def test_condition_1(mhz, gain, g_over_t, bandwidth, holds):
    station = StationFigures(gain, g_over_t, bandwidth)
    assert condition_1(mhz, station, LIMITS) is holds
    assert condition_1(mhz, station, LIMITS, overlap=False) is False


@pytest.mark.parametrize(
    ("mhz", "altitudes", "limit"),
    [
        (11200, [1200, 2500], -174.5),
        (11200, [1200, 2500.1], -202),
        (18000, [550], -157),
        (20000, [8000], -185),
    ],
)
def test_threshold_by_band_and_altitude(mhz, altitudes, limit):
    band = epfd_band(mhz, LIMITS)
    assert band is not None
    assert epfd_limit_dbw_m2(band, altitudes, LIMITS) == limit
    assert not band.verified


def test_no_threshold_outside_the_bands():
    assert epfd_band(15000, LIMITS) is None


def test_bound_by_the_worked_example():
    bound = epfd_bound_dbw_m2(-146.0, 1, 2.0, LARGE)
    assert bound == pytest.approx(-188.526, abs=6e-4)
    assert not condition_2(bound, -174.5)
    bound = epfd_bound_dbw_m2(-146.0, 1, 0.0, LARGE)
    assert bound == pytest.approx(-146.0)
    assert condition_2(bound, -174.5)
    assert not condition_2(-174.5, -174.5)
    assert epfd_bound_dbw_m2(-146.0, 4, 2.0, LARGE) == pytest.approx(-188.526 + 6.0206, abs=1e-3)
    # Far off axis the pattern rises again: the largest gain beyond 40 degrees is -7 dBi, not -12.
    assert epfd_bound_dbw_m2(-146.0, 1, 40.0, LARGE) == pytest.approx(-146 - 7 - 64)


def test_codes_of_the_conditions():
    assert [
        int(conditions(a, b)) for a, b in ((False, False), (True, False), (False, True), (True, True))
    ] == [0, 1, 2, 3]
    # Resolution 85: without an epfd, condition 1 decides alone.
    assert conditions(True, None) == Condition.LARGE_STATION | Condition.EPFD
    assert conditions(False, None) == Condition.NONE


def test_epfd_of_two_stations_by_hand():
    total = epfd_sum_dbw_m2(
        np.array([10.0, 13.0]),
        np.array([30.0, 20.0]),
        np.array([1000.0, 2000.0]),
        np.array([2.0, 50.0]),
        LARGE,
    )
    first = 10 ** ((10 + 30 + 21.474 - 64) / 10) / (4 * math.pi * 1e12)
    second = 10 ** ((13 + 20 - 12 - 64) / 10) / (4 * math.pi * 4e12)
    assert total == pytest.approx(10 * math.log10(first + second), abs=1e-3)
    nothing = np.empty(0)
    assert epfd_sum_dbw_m2(nothing, nothing, nothing, nothing, LARGE) == -math.inf


def test_constellation_by_the_worked_positions():
    positions = walker_positions_km(WALKER, 0.0)
    assert positions.shape == (5, 8, 3)
    np.testing.assert_allclose(positions[0, 0], [7578.137, 0, 0], atol=1e-3)
    np.testing.assert_allclose(positions[1, 0], [1634.41952, 7338.96885, 946.76787], atol=1e-4)


def off_axis_deg(time_s):
    """Angles from the direction to 42 E and distances of the satellites seen at 24.7 N 46.7 E."""
    place = from_centre_km(6378.137, 46.7, 24.7)
    wanted = minus(from_centre_km(ORBIT_KM, 42.0, 0.0), place)
    satellites = [minus(tuple(p), place) for p in walker_positions_km(WALKER, time_s).reshape(-1, 3)]
    seen = [s for s in satellites if angle_deg(s, place) < 90.0]
    return [angle_deg(s, wanted) for s in seen], [math.hypot(*s) for s in seen]


def test_nearest_passage_to_the_wanted_satellite():
    angles = {t: min(off_axis_deg(t)[0], default=180.0) for t in range(11150, 11251, 10)}
    assert min(angles, key=angles.__getitem__) == 11200
    assert angles[11200] == pytest.approx(0.95784, abs=2e-4)


def test_simulated_epfd_stays_below_the_bound():
    """The four nearest, 2 degrees and more from the wanted satellite, each at the highest pfd."""
    bound = epfd_bound_dbw_m2(-146.0, 4, 2.0, LARGE)
    largest = -math.inf
    for time_s in range(0, 86400, 1200):
        angles, distances = off_axis_deg(time_s)
        used = sorted((a, d) for a, d in zip(angles, distances, strict=True) if a >= 2.0)[:4]
        if used:
            angle, distance = (np.array(column) for column in zip(*used, strict=True))
            # The power that gives the highest pfd of the mask at that distance.
            power = -146.0 + 10 * np.log10(4 * math.pi * (distance * 1000) ** 2)
            largest = max(largest, epfd_sum_dbw_m2(power, np.zeros(angle.size), distance, angle, LARGE))
    assert -240.0 < largest <= bound
