"""Geodesic radials against pyproj, sampling against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from profile_reference import GEOD, heights, points
from surfaces import LAT_DEG, LON_DEG, raster, relief

from pipeline.grid.geodesy import radial_knots
from pipeline.terrain.radial import KNOT_KM, height_at, pixel_knots, sample_heights
from pipeline.terrain.sweep import frame_of


@pytest.mark.parametrize("lat_deg", [-60.0, -5.0, 0.0, 46.0, 70.0])
def test_radial_follows_the_geodesic_within_a_metre_to_1000_km(lat_deg):
    lon, lat = np.empty(501), np.empty(501)
    for azimuth_deg in np.arange(0.0, 360.0, 15.0):
        radial_knots(14.0, lat_deg, azimuth_deg, 2.0, lon, lat)
        wanted = points(14.0, lat_deg, azimuth_deg, 2.0 * np.arange(501))
        assert np.max(GEOD.inv(lon, lat, *wanted)[2]) < 1.0


def test_radial_stays_continuous_across_the_date_line():
    lon, lat = np.empty(51), np.empty(51)
    radial_knots(179.5, 50.0, 90.0, 2.0, lon, lat)
    assert np.all(np.diff(lon) > 0)
    assert lon[-1] > 180.0


def test_pixel_knots_place_a_mast_beyond_180_deg_in_a_raster_that_crosses_it():
    col, row = np.empty(2), np.empty(2)
    pixel_knots(-179.5, 50.0, 90.0, (170.0, 60.0, 0.1, 0.1), 200, col, row)
    assert col[0] == pytest.approx(105.0 - 0.5, abs=1e-6)
    assert row[0] == pytest.approx(99.5, abs=1e-6)


@pytest.mark.parametrize("azimuth_deg", [0.0, 33.0, 90.0, 179.5, 251.0])
def test_sampled_profile_equals_bilinear_heights_at_geodesic_points(azimuth_deg):
    terrain = raster(relief)
    col, row = np.empty(15), np.empty(15)
    pixel_knots(LON_DEG, LAT_DEG, azimuth_deg, frame_of(terrain), terrain.values.shape[1], col, row)
    profile = np.empty(200, np.float32)
    sample_heights(terrain.values, col, row, 10, 0.1, profile)
    wanted = heights(terrain, *points(LON_DEG, LAT_DEG, azimuth_deg, 0.1 * (10 + np.arange(200))))
    # Knots 2 km apart put a sample at most 0.1 m off; the relief is no steeper than 0.3.
    assert KNOT_KM == 2.0
    np.testing.assert_allclose(profile, wanted, atol=0.05)


def test_height_outside_the_outer_edge_is_unknown_and_holds_in_the_outer_half_pixel():
    values = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    assert height_at(values, 0.5, 0.5) == 2.5
    assert height_at(values, -0.4, 0.0) == 1.0
    assert height_at(values, 1.4, 1.4) == 4.0
    for row, col in ((-0.6, 0.0), (0.0, 1.6), (2.0, 0.0), (float("nan"), 0.0)):
        assert np.isnan(height_at(values, row, col))


def test_height_beside_an_unknown_pixel_is_the_mean_of_the_known_ones():
    values = np.array([[np.nan, 2.0], [2.0, 2.0]], np.float32)
    assert height_at(values, 0.5, 0.5) == pytest.approx(2.0)
    assert np.isnan(height_at(values, 0.1, 0.1))
    assert np.isnan(height_at(np.full((2, 2), np.nan, np.float32), 0.5, 0.5))
