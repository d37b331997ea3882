"""Reading sweeps between radials and ranges: linear, without seams."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.terrain.lookup import hb_at, heff_at, radial_position, sea_at, tca_at
from pipeline.terrain.records import TCA_COUNT_DEG, TCA_UNKNOWN

FULL = (0.0, 30.0, 0.0, 0.5)  # first azimuth, its step, first range, its step


PLACES = [
    (0.0, 0, 1, 0.0),
    (0.25, 0, 1, 0.5),
    (359.75, 719, 0, 0.5),
    (-0.25, 719, 0, 0.5),
    (360.0, 0, 1, 0.0),
    (725.1, 10, 11, 0.2),
]


@pytest.mark.parametrize(("azimuth_deg", "lower", "upper", "weight"), PLACES)
def test_radial_position_wraps_at_north(azimuth_deg, lower, upper, weight):
    found = radial_position(azimuth_deg, 0.5, 720)
    assert found[:2] == (lower, upper)
    assert found[2] == pytest.approx(weight, abs=1e-9)


def test_radial_position_stays_in_range_for_angles_just_below_a_turn():
    for azimuth_deg in (np.nextafter(360.0, 0.0), -1e-17, np.nextafter(0.0, -1.0)):
        lower, upper, weight = radial_position(azimuth_deg, 0.5, 720)
        assert 0 <= lower < 720
        assert 0 <= upper < 720
        assert 0.0 <= weight <= 1.0


def test_lookups_reproduce_a_bilinear_function_and_hold_at_the_ends():
    k, n = np.meshgrid(np.arange(12), np.arange(61), indexing="ij")
    table = (3.0 * k + 0.5 * n + 0.25 * k * n).astype(np.float32)
    lower, upper, weight = radial_position(100.0, 30.0, 12)
    at = 100.0 / 30.0

    def wanted(d_km):
        column = min(d_km / 0.25, 60.0)
        return 3.0 * at + 0.5 * column + 0.25 * at * column

    for d_km in (0.0, 0.1, 7.3, 14.99, 15.0, 40.0):
        assert hb_at(table, 0.25, lower, upper, weight, d_km) == pytest.approx(wanted(d_km), rel=1e-6)
    assert heff_at(table[:, 0].copy(), lower, upper, weight) == pytest.approx(10.0)


def test_sea_is_never_longer_than_the_path():
    table = np.full((12, 5), 12, np.uint16)
    assert sea_at(table, 1.0, 0, 1, 0.5, 2.0) == 2.0


def test_clearance_angle_is_interpolated_across_north():
    counts = np.zeros((12, 40), np.int16)
    counts[11], counts[0] = 1000, 3000
    assert tca_at(counts, *FULL, 345.0, 7.2) == pytest.approx(2000 * TCA_COUNT_DEG)
    assert tca_at(counts, *FULL, -7.5, 7.2) == pytest.approx(2500 * TCA_COUNT_DEG)
    counts[:] = 100 * np.arange(40)
    assert tca_at(counts, *FULL, 123.0, 7.3) == pytest.approx(1460 * TCA_COUNT_DEG)


def test_sector_is_not_closed_and_may_span_north():
    counts = (100 * np.arange(5)[:, None] * np.ones(10)).astype(np.int16)
    sector = (340.0, 10.0, 20.0, 1.0)
    assert tca_at(counts, *sector, 355.0, 22.0) == pytest.approx(150 * TCA_COUNT_DEG)
    assert tca_at(counts, *sector, 5.0, 22.0) == pytest.approx(250 * TCA_COUNT_DEG)
    assert tca_at(counts, *sector, 20.0, 22.0) == pytest.approx(400 * TCA_COUNT_DEG)
    for azimuth_deg, d_km in ((300.0, 22.0), (335.0, 22.0), (0.0, 18.0), (0.0, 30.0)):
        assert np.isnan(tca_at(counts, *sector, azimuth_deg, d_km))


def test_unknown_neighbours_are_left_out_of_the_mean():
    counts = np.full((12, 4), 500, np.int16)
    counts[3, 1] = TCA_UNKNOWN
    assert tca_at(counts, *FULL, 95.0, 0.6) == pytest.approx(500 * TCA_COUNT_DEG)
    assert np.isnan(tca_at(counts, *FULL, 90.0, 0.5))
    counts[:] = TCA_UNKNOWN
    assert np.isnan(tca_at(counts, *FULL, 95.0, 0.6))
