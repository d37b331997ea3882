"""The padded grid: snapped, bounded, in true size, and refused where it cannot be made."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod, Transformer

from pipeline.errors import InputError
from pipeline.grid.grid import Grid, make_grid

GEOD = Geod(ellps="GRS80")


@pytest.mark.parametrize("resolution_m", [100.0, 200.0, 250.0, 1000.0])
def test_grid_holds_bounds_and_margin_and_is_snapped(resolution_m):
    bounds = (374_321.1, 30_001.0, 620_000.0, 194_000.5)
    grid = make_grid("EPSG:3794", resolution_m, bounds, 40_000.0)
    west, south, east, north = grid.bounds_m
    for edge in (west, south, east, north):
        assert edge % resolution_m == 0.0
    assert west <= 374_321.1 - 40_000 < west + resolution_m
    assert south <= 30_001.0 - 40_000 < south + resolution_m
    assert east - resolution_m < 620_000.0 + 40_000 <= east
    assert north - resolution_m < 194_000.5 + 40_000 <= north


def test_grid_south_west_of_the_origin_is_snapped_outward():
    grid = make_grid("EPSG:3794", 200.0, (-350.0, -350.0, -50.0, -50.0), 0.0)
    assert grid == Grid("EPSG:3794", 200.0, -400.0, 0.0, 2, 2)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4258"])
def test_geographic_crs_is_refused(crs):
    with pytest.raises(InputError, match=f"not projected; found '{crs}'"):
        make_grid(crs, 200.0, (13, 45, 16, 47), 0.0, file="x.yaml")


@pytest.mark.parametrize("crs", ["EPSG:999999", "Gauss-Krueger"])
def test_unknown_crs_is_refused(crs):
    with pytest.raises(InputError, match="unknown coordinate reference system"):
        make_grid(crs, 200.0, (0, 0, 1000, 1000), 0.0)


def test_crs_in_feet_is_refused():
    with pytest.raises(InputError, match="not in metres"):
        make_grid("EPSG:2263", 200.0, (0, 0, 1000, 1000), 0.0)


@pytest.mark.parametrize("resolution_m", [0.0, -200.0, float("nan"), float("inf")])
def test_pixel_size_that_is_not_positive_is_refused(resolution_m):
    with pytest.raises(InputError, match="pixel size"):
        make_grid("EPSG:3794", resolution_m, (0, 0, 1000, 1000), 0.0)


def test_grid_that_is_too_large_is_refused_before_memory_is_taken():
    with pytest.raises(InputError, match=r"too large.*60000 x 60000"):
        make_grid("EPSG:3035", 10.0, (0, 0, 600_000, 600_000), 0.0)


@pytest.mark.parametrize(("crs", "scale"), [("EPSG:3857", "1.44"), ("EPSG:32719", "1.3[78]")])
def test_crs_with_wrong_distances_is_refused(crs, scale):
    x_m, y_m = Transformer.from_crs(4326, crs, always_xy=True).transform([14.0, 14.3], [46.0, 46.2])
    bounds_m = (min(x_m), min(y_m), max(x_m), max(y_m))
    with pytest.raises(InputError, match=f"distances in this CRS are {scale}"):
        make_grid(crs, 200.0, bounds_m, 0.0)


@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:3346", "EPSG:32633"])
def test_crs_made_for_the_place_is_taken(crs):
    x_m, y_m = Transformer.from_crs(4326, crs, always_xy=True).transform([20.0, 21.0], [55.0, 55.5])
    grid = make_grid(crs, 1000.0, (min(x_m), min(y_m), max(x_m), max(y_m)), 0.0)
    assert grid.crs == crs


def test_territory_off_the_projection_is_refused():
    with pytest.raises(InputError, match="cannot be projected"):
        make_grid("EPSG:3794", 200.0, (0, 0, float("inf"), 1000), 0.0)


@pytest.mark.parametrize("crs", ["EPSG:3794", "EPSG:3035", "EPSG:3395"])
def test_pixel_area_is_that_of_the_geodesic_polygon(crs):
    x_m, y_m = Transformer.from_crs(4326, crs, always_xy=True).transform(14.5, 46.0)
    grid = Grid(crs, 1000.0, 1000.0 * (x_m // 1000.0), 1000.0 * (y_m // 1000.0) + 100_000.0, 150, 100)
    area = grid.area_km2()
    assert area.shape == grid.shape
    to_lonlat = Transformer.from_crs(crs, 4326, always_xy=True)
    for row, col in ((0, 0), (70, 33), (99, 149)):
        west, north = grid.west_m + col * 1000.0, grid.north_m - row * 1000.0
        edge = np.linspace(0.0, 1000.0, 5)[:-1]
        x = np.concatenate([west + edge, west + 1000 + 0 * edge, west + 1000 - edge, west + 0 * edge])
        y = np.concatenate([north + 0 * edge, north - edge, north - 1000 + 0 * edge, north - 1000 + edge])
        expected = abs(GEOD.polygon_area_perimeter(*to_lonlat.transform(x, y))[0]) / 1e6
        assert area[row, col] == pytest.approx(expected, rel=2e-5)


def test_area_of_a_part_is_that_part_of_the_whole():
    grid = Grid("EPSG:3857", 1000.0, 1_500_000.0, 5_800_000.0, 150, 200)
    whole = grid.area_km2()
    np.testing.assert_array_equal(grid.area_km2(slice(70, 190), slice(5, 9)), whole[70:190, 5:9])


def test_lonlat_of_pixels_and_box_enclose_each_other():
    grid = Grid("EPSG:3035", 10_000.0, 4_500_000.0, 2_700_000.0, 40, 30)
    lon, lat = grid.lonlat_deg()
    west, south, east, north = grid.box_deg()
    assert west < lon.min() < lon.max() < east
    assert south < lat.min() < lat.max() < north
    part = grid.lonlat_deg(slice(2, 4), slice(7, 8))
    np.testing.assert_array_equal(part[0], lon[2:4, 7:8])
    x, y = Transformer.from_crs(4326, 3035, always_xy=True).transform(lon[3, 7], lat[3, 7])
    assert (x, y) == pytest.approx((4_575_000.0, 2_665_000.0), abs=0.01)


@pytest.mark.parametrize(
    ("grid", "scale"),
    [
        (Grid("EPSG:3035", 100.0, 4.0e6, 3.2e6, 1, 1), 1.0),
        (Grid("EPSG:3035", 100.0, 2.7e6, 2.0e6, 1, 1), 1.0),
        (Grid("EPSG:32633", 100.0, 499_950.0, 5_000_050.0, 1, 1), 0.9996**2),
    ],
)
def test_pixels_are_true_on_an_equal_area_grid_and_off_by_the_scale_squared_on_a_conformal_one(grid, scale):
    assert grid.area_km2() == pytest.approx(np.array([[0.01 / scale]]), rel=1e-6)


def test_areal_scale_is_one_on_an_equal_area_grid_and_scale_squared_on_a_conformal_one():
    x_m, y_m = np.array([4.0e6, 2.7e6]), np.array([3.2e6, 2.0e6])
    equal_area = Grid("EPSG:3035", 100.0, 4.0e6, 3.2e6, 1, 1)
    assert equal_area.areal_scale(x_m, y_m) == pytest.approx([1.0, 1.0], abs=1e-6)
    grid = Grid("EPSG:32633", 100.0, 499_950.0, 5_000_050.0, 1, 1)
    assert grid.areal_scale(np.array([500e3]), np.array([5e6])) == pytest.approx([0.9996**2], abs=1e-9)


def test_pixels_and_projected_points_are_turned_into_each_other():
    grid = Grid("EPSG:3794", 25.0, 400_000.0, 200_000.0, 300, 200)
    rows, cols = slice(40, 72), slice(16, 144)
    part = grid.window(rows, cols)
    assert part.bounds_m == grid.box_m(rows, cols) == (400_400.0, 198_200.0, 403_600.0, 199_000.0)
    assert (part.shape, grid.offset_px(part)) == ((32, 128), (40, 16))
    lon_deg, lat_deg = part.lonlat_deg()
    assert grid.pixel_of(lon_deg[3, 5], lat_deg[3, 5]) == (43, 21)
    assert grid.pixel_at(*grid.xy_m(43, 21)) == (43, 21)
    assert grid.pixel_at(399_999.0, 200_001.0) == (-1, -1) == grid.pixel_at(float("inf"), 0.0)
    assert grid.has_pixel(199, 299)
    assert not grid.has_pixel(200, 0)
    assert grid.spanning((400_000.0, 199_990.0, 400_026.0, 200_000.0)).shape == (1, 2)
