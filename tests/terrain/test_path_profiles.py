"""Profiles all around a mast: heights and zones at the places of PROJ's geodesics."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod

from pipeline.propagation.p1812.climate import SEA, Zone
from pipeline.terrain.path_profiles import MastSite, nearness_to_sea, profile_ground, sample_profile
from tests.terrain.surfaces import LAT_DEG, LON_DEG, raster, relief

RADIALS, SAMPLES, STEP_KM = 23, 81, 0.3
SITE = (LON_DEG, LAT_DEG)
# Sea west of this, 12 km from the mast.
SHORE_DEG = LON_DEG - 12.0 / (111.32 * np.cos(np.radians(LAT_DEG)))


def places():
    """Longitude and latitude [radial, sample] by PROJ."""
    azimuth_deg = 360.0 * np.arange(RADIALS)[:, None] / RADIALS
    d_m = 300.0 * np.arange(SAMPLES)[None, :]
    azimuth_deg, d_m = np.broadcast_arrays(azimuth_deg, d_m)
    lon_deg, lat_deg, _ = Geod(ellps="WGS84").fwd(
        np.full(d_m.shape, LON_DEG), np.full(d_m.shape, LAT_DEG), azimuth_deg, d_m
    )
    return lon_deg, lat_deg


def profiles_around(elevation, land=None, site_deg=SITE):
    """Heights and zones [radial, sample], and how many samples of each radial are known."""
    land = land or elevation._replace(values=np.ones(elevation.values.shape, np.uint8))
    ground, site = profile_ground(elevation, land), MastSite(*site_deg, np.nan, 30.0)
    terrain_m, zone = np.full((RADIALS, SAMPLES), np.nan), np.zeros((RADIALS, SAMPLES), np.int64)
    known = [
        sample_profile(ground, site, 360.0 * k / RADIALS, STEP_KM, terrain_m[k], np.empty(SAMPLES), zone[k])
        for k in range(RADIALS)
    ]
    return terrain_m, zone, known


def plane_m(lon, lat, azimuth=0.0, d_km=0.0):
    """Bilinear samples of a plane are exact; 100 m above the sea 10 km east of the mast."""
    return 100.0 + 20.0 * ((lon - LON_DEG) * 77.3 - 10.0) + 2.0 * (lat - LAT_DEG) * 111.0


def test_heights_are_those_of_the_places():
    lon_deg, lat_deg = places()
    terrain_m, zone, known = profiles_around(raster(plane_m))
    np.testing.assert_allclose(terrain_m, plane_m(lon_deg, lat_deg), atol=0.02)
    assert (zone == int(Zone.INLAND)).all()
    assert known == [SAMPLES] * RADIALS
    hills_m, _, _ = profiles_around(raster(relief, step_deg=1 / 1200))
    np.testing.assert_allclose(hills_m, relief(lon_deg, lat_deg, 0, 0), atol=1.0)


def test_zones_by_the_sea_and_the_height():
    lon_deg, lat_deg = places()
    land = raster(lambda lon, lat, azimuth, d_km: lon >= SHORE_DEG, dtype=np.uint8)
    terrain_m, zone, _ = profiles_around(raster(plane_m), land)
    height_m = plane_m(lon_deg, lat_deg)
    expected = np.where(height_m <= 100.0, int(Zone.COASTAL_LAND), int(Zone.INLAND))
    expected[lon_deg < SHORE_DEG] = SEA
    # Within a pixel of the shore the mask may say either.
    sure = (np.abs(lon_deg - SHORE_DEG) > 1 / 400) & (np.abs(height_m - 100.0) > 0.1)
    assert set(expected[sure]) == {1, 3, 4}
    np.testing.assert_array_equal(zone[sure], expected[sure])
    assert (terrain_m[:, 1:][zone[:, 1:] == SEA] == 0.0).all()


def test_land_is_coastal_up_to_50_km_from_the_sea():
    land = raster(lambda lon, lat, azimuth, d_km: lon >= LON_DEG - 0.7, half_deg=0.8, dtype=np.uint8)
    nearness = nearness_to_sea(land).values[320]
    km = (np.arange(640) + 0.5) / 400 * 111.195 * np.cos(np.radians(LAT_DEG)) - 0.1 * 77.24
    assert (nearness[km < -0.3] == 0).all()
    assert (nearness[(km > 0.3) & (km < 49.7)] == 1).all()
    assert (nearness[km > 50.3] == 2).all()
    assert (nearness_to_sea(land._replace(values=np.ones_like(land.values))).values == 2).all()


def test_beyond_the_elevations_nothing_is_known():
    _, _, known = profiles_around(raster(plane_m, half_deg=0.1))
    lon_deg, lat_deg = places()
    outside = np.maximum(np.abs(lon_deg - LON_DEG), np.abs(lat_deg - LAT_DEG)) > 0.1001
    first = np.argmax(outside, axis=1)
    assert outside.any(axis=1).all()
    # Over three samples the last height holds.
    assert (np.abs(np.array(known) - first - 3) <= 1).all()


@pytest.mark.parametrize("turn_deg", [-360.0, 360.0])
def test_a_full_turn_of_longitude_is_the_same_place(turn_deg):
    here_m, _, _ = profiles_around(raster(plane_m))
    there_m, _, _ = profiles_around(raster(plane_m), site_deg=(LON_DEG + turn_deg, LAT_DEG))
    np.testing.assert_allclose(there_m, here_m, atol=1e-3)
