"""Sea length along radials, and the view of the grid from a mast."""

from __future__ import annotations

import numpy as np
import pytest
from profile_reference import GEOD, points
from surfaces import LAT_DEG, LON_DEG, mast, raster

from pipeline.terrain.lookup import radial_position, sea_at
from pipeline.terrain.records import LonLatRaster, MastView, SweepSettings
from pipeline.terrain.sweep import sweep_mast, view_of

SETTINGS = SweepSettings(azimuth_step_deg=5.0)
MASK_STEP_DEG = 0.0025


def sea(land, azimuth_deg, d_km, far_km=60.0):
    result = sweep_mast(mast(), None, land, MastView(0.0, 360.0, 0.0, far_km), SETTINGS)
    row = radial_position(azimuth_deg, result.azimuth_step_deg, result.heff_m.size)
    return sea_at(result.sea_pieces, result.sea_step_km, *row, d_km)


def mask(function):
    return raster(function, half_deg=0.8, step_deg=MASK_STEP_DEG, dtype=np.uint8)


@pytest.mark.parametrize("azimuth_deg", [0.0, 30.0, 90.0, 120.0, 270.0])
@pytest.mark.parametrize("d_km", [5.0, 20.4, 55.0])
def test_coast_along_a_meridian_gives_the_length_beyond_it(azimuth_deg, d_km):
    coast_deg = LON_DEG + 0.2
    land = mask(lambda lon, lat, az, d: lon < coast_deg)
    d_fine_km = np.linspace(0.0, d_km, 20001)
    lon, _ = points(LON_DEG, LAT_DEG, azimuth_deg, d_fine_km)
    wanted = np.mean(lon >= coast_deg) * d_km
    # A quarter of a kilometre of probing and half a pixel of the mask, across the coast.
    assert sea(land, azimuth_deg, d_km) == pytest.approx(wanted, abs=0.35)


def test_strait_counts_only_its_width():
    land = mask(lambda lon, lat, az, d: (d < 20.0) | (d > 31.0))
    assert sea(land, 45.0, 15.0) == 0.0
    assert sea(land, 45.0, 26.0) == pytest.approx(6.0, abs=0.4)
    assert sea(land, 45.0, 50.0) == pytest.approx(11.0, abs=0.5)


def test_open_sea_gives_the_whole_path_and_never_more():
    land = mask(lambda lon, lat, az, d: lon > 100.0)
    for d_km in (0.0, 0.7, 1.5, 33.3, 60.0):
        assert sea(land, 10.0, d_km) == pytest.approx(d_km)


def test_land_everywhere_needs_no_table():
    land = mask(lambda lon, lat, az, d: lon < 100.0)
    result = sweep_mast(mast(), None, land, MastView(0.0, 360.0, 0.0, 60.0), SETTINGS)
    assert result.sea_pieces.shape == (72, 0)
    assert sea(land, 12.0, 40.0) == 0.0
    without_mask = sweep_mast(mast(), None, None, MastView(0.0, 360.0, 0.0, 60.0), SETTINGS)
    assert without_mask.sea_pieces.shape == (72, 0)


def test_beyond_the_mask_its_edge_holds():
    land = mask(lambda lon, lat, az, d: lon < LON_DEG + 0.2)
    whole = sea(land, 90.0, 150.0, far_km=160.0)
    wanted_km = 150.0 - GEOD.line_length([LON_DEG, LON_DEG + 0.2], [LAT_DEG, LAT_DEG]) / 1000.0
    assert whole == pytest.approx(wanted_km, abs=0.5)


def test_beyond_the_longest_path_of_the_recommendation_the_part_over_sea_holds():
    """2 degrees of land, then sea: of 1000 km on the equator 2 * 111.3195 km are land, and so on beyond."""
    land = LonLatRaster(np.array([[1, 0, 0]], np.uint8), -2.0, 1.0, 4.0, 2.0)
    site = mast()._replace(lon_deg=0.0, lat_deg=0.0)
    result = sweep_mast(site, None, land, MastView(0.0, 360.0, 0.0, 3000.0), SETTINGS)
    assert result.sea_pieces.shape[1] == 1001
    part = 1.0 - 2 * 111.3195 / 1000.0
    for d_km in (1000.0, 1000.5, 2500.0):
        east = sea_at(result.sea_pieces, 1.0, *radial_position(90.0, 5.0, 72), d_km)
        assert east == pytest.approx(part * d_km, rel=1e-3)
    open_sea = np.broadcast_to(4 * np.arange(1001, dtype=np.uint16), (72, 1001)).copy()
    assert sea_at(open_sea, 1.0, 0, 1, 0.0, 2500.0) == 2500.0, "no mixed path"


def ring(west, south, east, north, count=65):
    lon = np.concatenate((np.linspace(west, east, count), np.full(count, east)))
    lon = np.concatenate((lon, np.linspace(east, west, count), np.full(count, west)))
    lat = np.concatenate((np.full(count, north), np.linspace(north, south, count)))
    lat = np.concatenate((lat, np.full(count, south), np.linspace(south, north, count)))
    return lon, lat


def test_view_from_inside_is_all_around():
    outline = ring(13.0, 45.0, 15.0, 47.0)
    view = view_of(14.0, 46.0, *outline)
    corner_km = max(GEOD.inv(14.0, 46.0, x, y)[2] for x, y in zip(*outline, strict=True)) / 1000.0
    assert (view.first_azimuth_deg, view.width_deg, view.near_km) == (0.0, 360.0, 0.0)
    assert corner_km <= view.far_km <= corner_km + 2.0


@pytest.mark.parametrize("site", [(10.0, 46.0), (14.0, 50.0), (18.0, 43.0), (12.9, 46.3)])
def test_view_from_outside_holds_every_point_of_the_grid(site):
    view = view_of(*site, *ring(13.0, 45.0, 15.0, 47.0))
    lon, lat = np.meshgrid(np.linspace(13.0, 15.0, 41), np.linspace(45.0, 47.0, 41))
    azimuth, _, d_m = GEOD.inv(np.full_like(lon, site[0]), np.full_like(lat, site[1]), lon, lat)
    assert np.all((azimuth - view.first_azimuth_deg) % 360.0 <= view.width_deg)
    assert np.all((d_m / 1000.0 >= view.near_km) & (d_m / 1000.0 <= view.far_km))
    assert view.width_deg < 200.0
    assert view.near_km > 0.6 * d_m.min() / 1000.0 - 1.0


def test_view_from_the_edge_is_all_around():
    assert view_of(13.0, 46.2, *ring(13.0, 45.0, 15.0, 47.0)).width_deg == 360.0
    assert view_of(12.98, 46.2, *ring(13.0, 45.0, 15.0, 47.0)).width_deg == 360.0
