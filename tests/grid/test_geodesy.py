"""Distances, azimuths and grid directions against pyproj (GeographicLib and PROJ)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pyproj import Geod, Transformer

from pipeline.grid.geodesy import (
    azimuth_deg,
    ecef_m,
    grid_azimuth_deg,
    lattice,
    pixel_frames,
    rays,
    rays_to,
    site_frame,
    site_frames,
)
from pipeline.grid.grid import Grid

ELLIPSOID = Geod(ellps="WGS84")
GRIDS = [
    Grid("EPSG:3794", 100.0, 370_000.0, 200_000.0, 130, 90),
    Grid("EPSG:3035", 200.0, 2_600_000.0, 2_000_000.0, 100, 70),
    Grid("EPSG:32720", 1000.0, 200_000.0, 6_500_000.0, 40, 50),
]


def turned(difference_deg):
    return (np.asarray(difference_deg) + 180.0) % 360.0 - 180.0


@pytest.mark.parametrize(
    ("reach_m", "tolerance_m", "tolerance_deg"), [(300e3, 0.1, 4e-5), (1000e3, 1.0, 1e-4)]
)
@pytest.mark.parametrize("lat_deg", [-52.0, -0.01, 21.0, 46.1, 65.0])
def test_ray_agrees_with_geodesic(lat_deg, reach_m, tolerance_m, tolerance_deg):
    rng = np.random.default_rng(5)
    azimuths, distances_m = rng.uniform(0, 360, 2000), rng.uniform(50, reach_m, 2000)
    lon_deg = 178.9
    lons, lats, _ = ELLIPSOID.fwd(np.full(2000, lon_deg), np.full(2000, lat_deg), azimuths, distances_m)
    points = np.array([ecef_m(x, y) for x, y in zip(lons, lats, strict=True)]).T.copy()
    d_km, az_deg = np.empty(2000), np.empty(2000)
    rays(site_frame(lon_deg, lat_deg), points, d_km, az_deg)
    assert np.abs(1e3 * d_km - distances_m).max() < tolerance_m
    # 1e-4 m sideways is what double precision leaves of a geocentric position
    assert (np.abs(turned(az_deg - azimuths)) < tolerance_deg + np.degrees(1e-4 / distances_m)).all()


def test_ray_on_the_mast_is_finite():
    d_km, az_deg = np.empty(1), np.empty(1)
    frame = site_frame(14.0, 46.0)
    rays(frame, frame[:3].reshape(3, 1).copy(), d_km, az_deg)
    assert d_km[0] == 1e-3
    assert az_deg[0] == 0.0


def test_site_frames_are_orthonormal_rows():
    frames = site_frames(np.array([14.0, -60.0]), np.array([46.0, -33.0]))
    for frame in frames:
        axes = frame[3:].reshape(3, 3)
        assert np.allclose(axes @ axes.T, np.eye(3), atol=1e-15)
        assert np.linalg.det(axes) == pytest.approx(1.0)
    assert site_frames(np.array([]), np.array([])).shape == (0, 12)


def test_azimuth_agrees_with_arctan2_all_around():
    angles = np.concatenate([np.linspace(0, 360, 20_001)[:-1], [1e-7, 360 - 1e-7, 45, 135, 225, 315]])
    for angle in angles:
        east, north = math.sin(math.radians(angle)), math.cos(math.radians(angle))
        found = azimuth_deg(7.3 * east, 7.3 * north)
        assert 0.0 <= found < 360.0
        assert abs(turned(found - math.degrees(math.atan2(east, north)))) < 1e-6


def _frames(grid, row=0, col=0, height=None, width=None):
    height, width = height or grid.height, width or grid.width
    area = lattice(grid, slice(row, row + height), slice(col, col + width))
    frames = np.empty((11, height, width))
    pixel_frames(area.step_px, area.first_row, area.first_col, area.nodes, row, col, frames)
    return frames


def _degrees(grid):
    x_m = grid.west_m + (np.arange(grid.width) + 0.5) * grid.resolution_m
    y_m = grid.north_m - (np.arange(grid.height) + 0.5) * grid.resolution_m
    return Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(*np.meshgrid(x_m, y_m))


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.crs)
def test_pixel_positions_are_interpolated_within_a_decimetre(grid):
    lons, lats = _degrees(grid)
    exact = np.array([ecef_m(x, y) for x, y in zip(lons.ravel(), lats.ravel(), strict=True)]).T
    assert np.abs(_frames(grid)[:3].reshape(3, -1) - exact).max() < 0.1


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.crs)
def test_pixel_frames_do_not_depend_on_the_block(grid):
    whole = _frames(grid)
    assert np.array_equal(whole[:, 13:31, 7:40], _frames(grid, 13, 7, 18, 33))


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.crs)
def test_rays_to_a_window_are_those_to_its_pixels(grid):
    """Bit for bit those to the positions of whole frames, and the geodesics of another library."""
    lons, lats = _degrees(grid)
    site = float(lons[0, 0]) + 1.3, float(lats[0, 0]) + 0.8
    frame = site_frames(np.array(site[:1]), np.array(site[1:]))[0]
    d_km, azimuths = (np.empty(lons.size) for _ in range(2))
    rays(frame, _frames(grid)[:3].reshape(3, -1), d_km, azimuths)
    for rows, cols in [(slice(0, grid.height), slice(0, grid.width)), (slice(13, 31), slice(7, 40))]:
        for found, whole in zip(rays_to(*site, grid, rows, cols), (d_km, azimuths), strict=True):
            assert np.array_equal(found, whole.reshape(lons.shape)[rows, cols])
    turned_deg, _, length_m = ELLIPSOID.inv(
        *(np.full(lons.size, at) for at in site), lons.ravel(), lats.ravel()
    )
    assert np.abs(d_km - 1e-3 * length_m).max() < 1e-3
    assert np.abs(turned(azimuths - turned_deg)).max() < 1e-3


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.crs)
def test_grid_azimuth_is_the_direction_of_the_geodesic_on_the_grid(grid):
    lons, lats = _degrees(grid)
    site = lons[0, 0] + 1.3, lats[0, 0] + 0.8
    lons, lats, there = lons.ravel(), lats.ravel(), np.ones(lons.size)
    azimuths, _, _ = ELLIPSOID.inv(lons, lats, site[0] * there, site[1] * there)
    to_grid = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    ahead = to_grid.transform(*ELLIPSOID.fwd(lons, lats, azimuths, 20 * there)[:2])
    behind = to_grid.transform(*ELLIPSOID.fwd(lons, lats, azimuths, -20 * there)[:2])
    expected = np.degrees(np.arctan2(ahead[0] - behind[0], ahead[1] - behind[1]))
    frames = _frames(grid).reshape(11, -1)
    towards = np.array(ecef_m(*site))[:, None] - frames[:3]
    a, b = (towards * frames[3:6]).sum(axis=0), (towards * frames[6:9]).sum(axis=0)
    found = [grid_azimuth_deg(*values) for values in zip(a, b, frames[9], frames[10], strict=True)]
    assert np.abs(turned(np.array(found) - expected)).max() < 1e-3


def test_largest_scale_bounds_measured_scales():
    grid = Grid("EPSG:32633", 200.0, 200_000.0, 5_250_000.0, 2500, 1500)
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    rng = np.random.default_rng(2)
    x_m = grid.west_m + rng.uniform(0, 500_000, 3000)
    y_m = grid.north_m - rng.uniform(0, 300_000, 3000)
    angle = rng.uniform(0, 2 * np.pi, 3000)
    start, end = (
        to_degrees.transform(x_m + s * np.sin(angle), y_m + s * np.cos(angle)) for s in (-500.0, 500.0)
    )
    measured = 1000.0 / ELLIPSOID.inv(*start, *end)[2]
    assert measured.max() <= grid.largest_scale() + 1e-9
    # 300 km west of the central meridian: 0.9996 (1 + x^2 / 2 R^2)
    assert grid.largest_scale() == pytest.approx(0.9996 * (1 + (300 / 6386) ** 2 / 2), abs=3e-5)
