"""Terrain clearance angles (P.1546-6 Annex 5 sec. 11) against brute force, closed forms and profiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profile_reference import clearance_deg
from scipy.ndimage import distance_transform_edt
from surfaces import LAT_DEG, LON_DEG, mast, raster, relief

from pipeline.grid.foreign_rasters import read_external
from pipeline.terrain.elevation import from_external
from pipeline.terrain.lookup import tca_at
from pipeline.terrain.radial import steepest_slopes
from pipeline.terrain.records import TCA_COUNT_DEG, TCA_UNKNOWN, MastView, SweepSettings
from pipeline.terrain.sweep import sweep_mast, tca_lattice

VIEW = MastView(0.0, 360.0, 0.0, 30.0)
ON = SweepSettings(tca="on", azimuth_step_deg=10.0)


def sweep(elevation, view=VIEW, settings=ON):
    return sweep_mast(mast(asl_m=500.0), elevation, None, view, settings)


def look(result, azimuth_deg, d_km):
    lattice = (
        result.tca_first_azimuth_deg,
        result.tca_azimuth_step_deg,
        result.tca_first_km,
        result.tca_step_km,
    )
    return tca_at(result.tca_counts, *lattice, azimuth_deg, d_km)


def naive_slopes(height_m, window, step_m):
    """Receiver by receiver, in float32 as stored."""
    best = np.full(height_m.size, -np.inf, np.float32)
    for k in range(height_m.size):
        eye_m = height_m[k] + np.float32(10.0)
        for j in range(max(k - window, 0), k):
            seen = (height_m[j] - eye_m) * np.float32(1.0 / ((k - j) * step_m))
            if seen > best[k]:
                best[k] = seen
    return best


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 90), st.booleans())
def test_slopes_equal_brute_force_bit_for_bit(seed, size, window, holes):
    random = np.random.default_rng(seed)
    height_m = np.cumsum(random.normal(0.0, 20.0, size)).astype(np.float32)
    if holes:
        height_m[random.random(size) < 0.3] = np.nan
    slope = np.empty(size, np.float32)
    steepest_slopes(height_m, window, 90.0, slope)
    np.testing.assert_array_equal(slope, naive_slopes(height_m, window, 90.0))


def test_flat_terrain_is_seen_at_the_farthest_point_of_16_km():
    result = sweep(raster(lambda *_: 300.0))
    for d_km in (2.0, 10.0, 16.0, 25.0):
        # The last sample lies up to one step (0.28 km) short of the mast or of 16 km.
        wanted = -np.degrees(np.arctan(10.0 / (1000.0 * min(d_km, 16.0))))
        assert look(result, 123.0, d_km) == pytest.approx(wanted, rel=0.06)


@pytest.mark.parametrize("behind_km", [3.0, 7.0, 15.0])
def test_wall_gives_the_angle_of_its_height_over_its_distance(behind_km):
    step_deg = 1 / 400
    wall = raster(lambda lon, lat, az, d: 200.0 * (np.abs(d - 10.0) < 0.35), step_deg=step_deg)
    wanted = np.degrees(np.arctan((200.0 - 10.0) / (1000.0 * behind_km)))
    # The wall is 0.7 km thick and its edge is spread over a pixel: seen from its far side.
    nearer = np.degrees(np.arctan((200.0 - 10.0) / (1000.0 * (behind_km - 0.5))))
    assert wanted <= look(sweep(wall), 77.0, 10.0 + behind_km) <= nearer


def test_wall_beyond_16_km_or_behind_the_receiver_is_not_seen():
    wall = sweep(raster(lambda lon, lat, az, d: 200.0 * (np.abs(d - 10.0) < 0.4)))
    assert look(wall, 77.0, 27.0) < 0.0
    assert look(wall, 77.0, 9.0) < 0.0


def test_angles_are_not_clipped():
    steep = sweep(raster(lambda lon, lat, az, d: 3000.0 * (d < 5.0)))
    assert look(steep, 10.0, 6.0) > 60.0
    slope = sweep(raster(lambda lon, lat, az, d: 100.0 * d))
    assert look(slope, 10.0, 6.0) == pytest.approx(-np.degrees(np.arctan(0.1)), abs=0.15)


@pytest.mark.parametrize(
    ("azimuth_deg", "d_km"), [(0.0, 5.0), (47.3, 12.1), (181.0, 22.0), (359.9, 28.7), (270.2, 0.9)]
)
def test_angle_equals_the_profile_of_the_point(azimuth_deg, d_km):
    terrain = raster(relief)
    step_km = d_km / round(d_km / 0.1)
    wanted = clearance_deg(terrain, LON_DEG, LAT_DEG, azimuth_deg, d_km, step_km)
    found = look(sweep(terrain, settings=ON._replace(tca_step_km=0.1, tca_arc_km=0.1)), azimuth_deg, d_km)
    assert found == pytest.approx(wanted, abs=0.15)


def test_angles_do_not_depend_on_the_sector_in_view():
    terrain = raster(relief)
    whole, part = sweep(terrain), sweep(terrain, MastView(350.0, 40.0, 8.0, 28.0))
    assert part.tca_counts.size < 0.15 * whole.tca_counts.size
    inside = [
        (look(whole, a, d), look(part, a, d)) for a in (351.0, 0.0, 17.3, 29.0) for d in (8.5, 17.0, 27.5)
    ]
    np.testing.assert_allclose(*zip(*inside, strict=True), atol=0.2)
    assert np.isnan(look(part, 200.0, 17.0))
    assert np.isnan(look(part, 10.0, 5.0))


def test_receiver_in_a_hole_has_no_angle_and_holes_are_passed_over():
    def terrain(lon, lat, az, d):
        return np.where((d > 12.0) & (d < 14.0), np.nan, 300.0)

    result = sweep(raster(terrain))
    assert np.isnan(look(result, 40.0, 13.0))
    assert look(result, 40.0, 15.0) == pytest.approx(-np.degrees(np.arctan(10.0 / 15000.0)), abs=0.002)


def test_coarse_terrain_gives_no_angle_unless_asked_for():
    coarse, fine = raster(lambda *_: 0.0, step_deg=1 / 300), raster(lambda *_: 0.0, step_deg=1 / 800)
    auto = SweepSettings(azimuth_step_deg=10.0)
    assert sweep(coarse, settings=auto).tca_counts.shape[1] == 0
    assert sweep(fine, settings=auto).tca_counts.shape[1] > 0
    assert sweep(coarse, settings=ON).tca_counts.shape[1] > 0
    assert sweep(fine, settings=auto._replace(tca="off")).tca_counts.shape[1] == 0
    assert np.isnan(look(sweep(coarse, settings=auto), 10.0, 5.0))


@pytest.mark.parametrize("max_cells", [10**9, 2_000_000, 300_000, 100_000])
@pytest.mark.parametrize("view", [MastView(0.0, 360.0, 0.0, 300.0), MastView(100.0, 50.0, 120.0, 300.0)])
def test_lattice_keeps_to_its_memory_and_covers_the_view(max_cells, view):
    lattice = tca_lattice(0.09, view, SweepSettings(tca_max_cells=max_cells))
    assert lattice.radials * lattice.ranges <= 1.1 * max_cells
    assert lattice.first * lattice.sample_km <= view.near_km
    last_km = (lattice.first + (lattice.ranges - 1) * lattice.stride) * lattice.sample_km
    assert last_km >= view.far_km - 1e-6
    assert (lattice.radials - (view.width_deg < 360.0)) * lattice.azimuth_step_deg == pytest.approx(
        view.width_deg
    )


def test_counts_resolve_two_thousandths_of_a_degree_and_mark_the_unknown():
    assert TCA_COUNT_DEG * 32767 > 40.0  # P.1546-6 clips at 40 deg
    assert sweep(raster(lambda *_: np.nan * 1.0)).tca_counts.max() == TCA_UNKNOWN


@pytest.mark.shared_data
def test_alpine_tile_agrees_with_point_profiles(shared):
    terrain = from_external(read_external(shared / "data" / "srtm3" / "N46E008.tif"))
    nearest = distance_transform_edt(np.isnan(terrain.values), return_distances=False, return_indices=True)
    terrain = terrain._replace(values=terrain.values[tuple(nearest)])
    site = mast(lon_deg=8.5, lat_deg=46.5)
    result = sweep_mast(site, terrain, None, VIEW, SweepSettings(azimuth_step_deg=10.0))
    random = np.random.default_rng(5)
    error = []
    for azimuth_deg, d_km in zip(random.uniform(0, 360, 300), random.uniform(3, 29, 300), strict=True):
        step_km = d_km / round(d_km / 0.0927)
        wanted = clearance_deg(terrain, 8.5, 46.5, azimuth_deg, d_km, step_km)
        error.append(look(result, azimuth_deg, d_km) - wanted)
    # Interpolation between radials up to a pixel apart in rough terrain.
    assert np.median(np.abs(error)) < 0.2
    assert abs(np.median(error)) < 0.05
