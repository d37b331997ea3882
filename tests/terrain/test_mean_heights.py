"""Effective height, height below 15 km and the antenna's horizon (P.1546-6 Annex 5 sec. 3 and 4.3)."""

from __future__ import annotations

import numpy as np
import pytest
from profile_reference import heights, mean_height, points
from surfaces import LAT_DEG, LON_DEG, mast, raster, relief

from pipeline.errors import InputError
from pipeline.terrain.lookup import hb_at, heff_at, radial_position
from pipeline.terrain.records import MastView, SweepSettings, TerrainSource
from pipeline.terrain.sweep import sweep_mast

VIEW = MastView(0.0, 360.0, 0.0, 20.0)
TCA_ON = SweepSettings(tca="on")
COARSE = SweepSettings(azimuth_step_deg=5.0, tca="off")


def sweep(site, elevation, settings=COARSE):
    return sweep_mast(site, elevation, None, VIEW, settings)


def test_flat_terrain_gives_the_height_above_ground_everywhere():
    result = sweep(mast(agl_m=50.0), raster(lambda *_: 120.0))
    np.testing.assert_allclose(result.heff_m, 50.0, atol=1e-3)
    np.testing.assert_allclose(result.hb_m, 50.0, atol=1e-3)
    assert result.terrain_source == TerrainSource.DEM
    assert result.ground_asl_m == pytest.approx(120.0)


@pytest.mark.parametrize("azimuth_deg", [0.0, 35.0, 90.0, 200.0, 315.0])
def test_effective_height_equals_an_independent_profile_mean(azimuth_deg):
    terrain, site = raster(relief), mast(agl_m=80.0, asl_m=700.0)
    result = sweep(site, terrain)
    wanted = 780.0 - mean_height(terrain, site, azimuth_deg, 3.0, 15.0)
    assert result.heff_m[round(azimuth_deg / 5.0)] == pytest.approx(wanted, abs=0.2)


def test_effective_height_over_a_tilted_plane_has_the_closed_form():
    # Height 10 m per km towards north: the mean of 3-15 km due north is that of 9 km.
    result = sweep(
        mast(asl_m=0.0, agl_m=100.0), raster(lambda lon, lat, az, d: 10 * d * np.cos(np.radians(az)))
    )
    assert result.heff_m[0] == pytest.approx(100.0 - 90.0, abs=0.1)
    assert result.heff_m[36] == pytest.approx(100.0 + 90.0, abs=0.1)
    assert result.heff_m[18] == pytest.approx(100.0, abs=0.1)
    assert result.heff_m[12] == pytest.approx(100.0 - 90.0 * np.cos(np.radians(60.0)), abs=0.1)


def test_effective_height_interpolates_the_end_points_of_3_to_15_km():
    # Ground d^2 metres: the mean of 3-15 km is (15^3 - 3^3) / (3 * 12) = 93 whatever the step of the probes.
    # A bilinear surface on 0.9 km pixels lies 0.2 m above the bowl; ends off by one probe would cost 3 m.
    for step_deg in (1 / 400, 1 / 120):
        bowl = raster(lambda lon, lat, az, d: d**2, step_deg=step_deg)
        assert sweep(mast(asl_m=0.0, agl_m=100.0), bowl).heff_m[7] == pytest.approx(7.0, abs=0.3)


def test_cone_gives_no_ripple_over_azimuth():
    cone = raster(lambda lon, lat, az, d: 900.0 - 20.0 * d)
    result = sweep(mast(asl_m=900.0), cone, SweepSettings(tca="off"))
    assert result.heff_m.size == 720
    assert np.ptp(result.heff_m) < 0.02
    assert result.heff_m[0] == pytest.approx(50.0 + 20.0 * 9.0, abs=0.5)


def test_hill_in_the_north_east_is_not_mirrored():
    hill = raster(lambda lon, lat, az, d: 300.0 * (np.abs((az - 50.0 + 180) % 360 - 180) < 20) * (d > 2.0))
    result = sweep(mast(asl_m=0.0), hill)
    low = np.flatnonzero(result.heff_m < -200.0) * 5.0
    assert low.min() >= 30.0
    assert low.max() <= 70.0
    assert low.size >= 7


@pytest.mark.parametrize("azimuth_deg", [20.0, 145.0, 300.0])
@pytest.mark.parametrize("d_km", [0.5, 4.0, 9.75, 15.0])
def test_hb_is_the_height_above_the_mean_from_a_fifth_of_the_path(azimuth_deg, d_km):
    terrain, site = raster(relief), mast(agl_m=80.0, asl_m=700.0)
    result = sweep(site, terrain)
    row = radial_position(azimuth_deg, result.azimuth_step_deg, result.heff_m.size)
    wanted = 780.0 - mean_height(terrain, site, azimuth_deg, 0.2 * d_km, d_km)
    assert hb_at(result.hb_m, result.hb_step_km, *row, d_km) == pytest.approx(wanted, abs=0.5)


def test_hb_joins_the_effective_height_at_15_km():
    result = sweep(mast(), raster(relief))
    np.testing.assert_allclose(result.hb_m[:, -1], result.heff_m, atol=1e-3)


def test_site_height_of_the_record_wins_over_the_terrain():
    terrain = raster(lambda *_: 100.0)
    assert sweep(mast(agl_m=30.0, asl_m=250.0), terrain).heff_m[0] == pytest.approx(180.0, abs=1e-3)
    assert sweep(mast(agl_m=30.0, asl_m=250.0), terrain).ground_asl_m == 250.0


def test_without_terrain_haat_else_height_above_ground_is_used_and_said():
    by_agl, by_haat = sweep(mast(agl_m=30.0), None), sweep(mast(agl_m=30.0, haat_m=212.0), None)
    assert set(by_agl.heff_m) == {30.0}
    assert set(by_haat.heff_m) == {212.0}
    assert (by_agl.terrain_source, by_haat.terrain_source) == (TerrainSource.AGL, TerrainSource.HAAT)
    assert np.isnan(hb_at(by_agl.hb_m, by_agl.hb_step_km, 0, 1, 0.0, 5.0))
    assert by_agl.tca_counts.shape[1] == 0


def test_mast_with_neither_height_is_refused():
    with pytest.raises(InputError, match="HAAT"):
        sweep(mast(agl_m=float("nan")), None)


def test_mast_outside_the_terrain_falls_back():
    result = sweep(mast(agl_m=40.0, asl_m=300.0, haat_m=90.0, lon_deg=20.0), raster(relief))
    assert result.terrain_source == TerrainSource.HAAT
    assert set(result.heff_m) == {90.0}


def test_radials_average_what_is_known_and_the_sweep_is_partial():
    # Known to 9 km only towards the east of a plane that rises 10 m per km towards the east; the last
    # probe before the edge may lie 0.25 km short of it.
    def plane(lon, lat, az, d):
        east_km = d * np.sin(np.radians(az))
        return np.where(east_km > 9.0, np.nan, 10.0 * east_km)

    result = sweep(mast(asl_m=0.0, agl_m=100.0), raster(plane))
    assert result.terrain_source == TerrainSource.PARTIAL
    assert result.heff_m[18] == pytest.approx(100.0 - 60.0, abs=1.3)
    assert result.heff_m[54] == pytest.approx(100.0 + 90.0, abs=0.1)
    assert np.isfinite(result.hb_m).all()


def test_radial_without_any_terrain_follows_the_rule_without_terrain():
    def western_half(lon, lat, az, d):
        return np.where((lon > LON_DEG + 0.001) & (np.abs(lat - LAT_DEG) < 0.02), np.nan, 200.0)

    result = sweep(mast(agl_m=60.0, asl_m=150.0), raster(western_half))
    east = radial_position(90.0, 5.0, 72)
    assert heff_at(result.heff_m, *east) == 60.0
    assert result.hb_m[54, 20] == pytest.approx(10.0, abs=1e-3)
    # P.1546-6 sec. 3: h1 = ha to 3 km; heff = ha here, so h1 = ha beyond as well.
    assert hb_at(result.hb_m, result.hb_step_km, *east, 8.0) == pytest.approx(60.0)


def test_horizon_angle_is_the_steepest_view_within_15_km():
    terrain, site = raster(relief), mast(agl_m=20.0, asl_m=450.0)
    result = sweep(site, terrain, TCA_ON._replace(azimuth_step_deg=15.0))
    d_km = 0.25 * np.arange(1, 61)
    for k in (0, 7, 13, 20):
        profile = heights(terrain, *points(LON_DEG, LAT_DEG, 15.0 * k, d_km))
        wanted = np.degrees(np.arctan((profile - 470.0) / (1000.0 * d_km))).max()
        assert result.theta_eff1_deg[k] == pytest.approx(wanted, abs=0.02)
    assert np.isnan(sweep(site, terrain).theta_eff1_deg).all()


def test_horizon_ignores_terrain_beyond_15_km():
    wall = raster(lambda lon, lat, az, d: 500.0 * (d > 16.0))
    result = sweep(mast(agl_m=50.0, asl_m=0.0), wall, TCA_ON)
    np.testing.assert_allclose(result.theta_eff1_deg, np.degrees(np.arctan(-50.0 / 15000.0)), atol=1e-3)


def test_step_that_does_not_divide_the_circle_is_refused():
    with pytest.raises(InputError, match="circle"):
        sweep(mast(), None, SweepSettings(azimuth_step_deg=0.7))
