"""Terrain of any CRS and tiling as one elevation; terrain that does not cover the grid is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from pyproj import CRS, Geod, Transformer
from surfaces import LAT_DEG, LON_DEG

from pipeline.config.territory import Terrain
from pipeline.errors import InputError
from pipeline.terrain.elevation import (
    elevation_of,
    fill_coast_voids,
    from_external,
    heights_at,
    load_elevation,
    merge,
    require_cover,
    with_sea_level,
)
from pipeline.terrain.height_files import coast_lines
from pipeline.terrain.records import LonLatRaster
from tests.rasters import write_raster

STEP_DEG = 0.01
BOX = (13.8, 45.9, 14.3, 46.2)


def plane_m(lon_deg, lat_deg):
    return 500.0 + 300.0 * (lon_deg - LON_DEG) - 200.0 * (lat_deg - LAT_DEG)


def tile(west, north, columns=50, rows=50, step=STEP_DEG, dtype=np.float32):
    """A plane on pixel centres as ``read_external`` gives it."""
    lon = west + (np.arange(columns) + 0.5) * step
    lat = north - (np.arange(rows) + 0.5) * step
    values = plane_m(*np.meshgrid(lon, lat)).astype(dtype)
    place = Affine(step, 0.0, west, 0.0, -step, north)
    return xr.DataArray(
        values, dims=("y", "x"), attrs={"crs": "EPSG:4326", "transform": place, "nodata": None}
    )


def write(path, data):
    """A raster as ``read_external`` gives it."""
    attrs = data.attrs
    return write_raster(path, data.values, attrs["transform"], crs=attrs["crs"], nodata=attrs["nodata"])


def height(elevation, lon_deg, lat_deg):
    row = (elevation.north_deg - np.atleast_1d(lat_deg)) / elevation.step_lat_deg - 0.5
    col = (np.atleast_1d(lon_deg) - elevation.west_deg) / elevation.step_lon_deg - 0.5
    return heights_at(elevation.values, row, col)


def lattice(west, south, east, north, count=41):
    return np.meshgrid(np.linspace(west, east, count), np.linspace(north, south, count))


def test_filling_values_become_unknown():
    data = tile(13.8, 46.2, 4, 4)
    data.values[0] = [-500.0, -9999.0, 9999.0, -400.0]
    data.values[1, 0] = 777.0
    data.attrs["nodata"] = 777.0
    values = from_external(data).values
    assert np.isnan(values[0, :3]).all()
    assert values[0, 3] == -400.0
    assert np.isnan(values[1, 0])
    assert np.isfinite(values[2:]).all()


def test_south_up_raster_is_turned():
    data = tile(13.8, 46.2)
    up = data.copy(data=data.values[::-1])
    up.attrs["transform"] = Affine(STEP_DEG, 0.0, 13.8, 0.0, STEP_DEG, 46.2 - 50 * STEP_DEG)
    turned, plain = from_external(up), from_external(data)
    np.testing.assert_array_equal(turned.values, plain.values)
    assert turned.north_deg == pytest.approx(plain.north_deg)


def test_mirrored_raster_is_refused():
    data = tile(13.8, 46.2)
    data.attrs["transform"] = Affine(-STEP_DEG, 0.0, 14.3, 0.0, -STEP_DEG, 46.2)
    with pytest.raises(InputError, match="mirrored"):
        from_external(data)


def test_projected_terrain_lies_where_it_did():
    # A plane in UTM coordinates, evaluated at lon/lat through pyproj.
    x = 400_000.0 + 500.0 * (np.arange(120) + 0.5)
    y = 5_150_000.0 - 500.0 * (np.arange(100) + 0.5)
    values = (0.01 * (x[None, :] - 430_000.0) - 0.02 * (y[:, None] - 5_125_000.0) + 800.0).astype(np.float32)
    place = Affine(500.0, 0.0, 400_000.0, 0.0, -500.0, 5_150_000.0)
    data = xr.DataArray(
        values, dims=("y", "x"), attrs={"crs": "EPSG:32633", "transform": place, "nodata": -1.0}
    )
    elevation = from_external(data)
    east, north = (
        np.array([402_000.0, 430_000.0, 455_000.0]),
        np.array([5_148_000.0, 5_125_000.0, 5_103_000.0]),
    )
    lon, lat = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(east, north)
    wanted = 0.01 * (east - 430_000.0) - 0.02 * (north - 5_125_000.0) + 800.0
    np.testing.assert_allclose(height(elevation, lon, lat), wanted, atol=0.5)
    assert elevation.step_lat_deg * 111.2 == pytest.approx(0.5, rel=0.01)


def test_files_are_joined_and_cut_to_the_box(tmp_path):
    files = [write(tmp_path / "w.tif", tile(13.5, 46.5)), write(tmp_path / "e.tif", tile(14.0, 46.5))]
    files += [write(tmp_path / "sw.tif", tile(13.5, 46.0)), write(tmp_path / "se.tif", tile(14.0, 46.0))]
    elevation = load_elevation(files, BOX, None)
    assert elevation.values.shape == (30, 50)
    assert np.isfinite(elevation.values).all()
    lon, lat = lattice(13.82, 45.92, 14.28, 46.18)
    np.testing.assert_allclose(
        height(elevation, lon.ravel(), lat.ravel()), plane_m(lon, lat).ravel(), atol=0.01
    )


def test_file_across_the_date_line_serves_a_box_on_the_other_side(tmp_path):
    data = tile(-180.0, 46.2)
    data.values[:] = 10.0 * np.arange(50)
    elevation = load_elevation([write(tmp_path / "dem.tif", data)], (179.8, 45.9, 180.2, 46.1), None)
    assert elevation.west_deg < 180.0
    assert height(elevation, 180.1, 46.0)[0] == pytest.approx(10.0 * (0.1 / STEP_DEG - 0.5), abs=0.01)
    assert np.isnan(height(elevation, 179.9, 46.0)[0])


def test_terrain_elsewhere_is_none(tmp_path):
    assert load_elevation([write(tmp_path / "dem.tif", tile(20.0, 50.0))], BOX, None) is None


def test_tiles_of_different_models_are_refused():
    coarse = from_external(tile(14.0, 46.2, 20, 20, step=0.025))
    shifted = from_external(tile(14.004, 46.2))
    for other in (coarse, shifted):
        with pytest.raises(InputError, match="common pixels"):
            merge([from_external(tile(13.5, 46.2)), other], BOX)


def test_unknown_heights_are_sea_level_only_over_sea():
    values = np.full((30, 50), np.nan, np.float32)
    values[:, :5] = 7.0
    elevation = LonLatRaster(values, 13.8, 46.2, STEP_DEG, STEP_DEG)
    land = np.zeros((100, 400), np.uint8)
    land[:, :200] = 1  # east of 14.0 is sea
    filled = with_sea_level(elevation, LonLatRaster(land, 13.5, 46.35, 0.0025, 0.0025)).values
    assert (filled[:, :5] == 7.0).all()
    assert np.isnan(filled[5, 5:20]).all()
    assert (filled[5, 21:] == 0.0).all()
    # South of the mask (46.1) nothing is known.
    assert np.isnan(filled[15, 30])


def test_unknown_heights_near_the_coast_are_sea_level_if_asked_for():
    """By brute force: geodesic distance to the nearest sea pixel; farther inland a void stays one."""
    values = np.full((20, 60), np.nan, np.float32)
    values[3, 3] = 7.0
    step_deg = 0.005
    land = np.ones((20, 60), np.uint8)
    land[:, 40:] = 0
    land[:4, 30:] = 0
    mask = LonLatRaster(land, 13.8, 46.2, step_deg, step_deg)
    row, col = np.mgrid[:20, :60]
    lon_deg, lat_deg = 13.8 + step_deg * (col + 0.5), 46.2 - step_deg * (row + 0.5)
    sea = land == 0
    nearest_km = np.array(
        [
            Geod(ellps="WGS84")
            .inv(np.full(sea.sum(), x), np.full(sea.sum(), y), lon_deg[sea], lat_deg[sea])[2]
            .min()
            for x, y in zip(lon_deg.ravel(), lat_deg.ravel(), strict=True)
        ]
    ).reshape(20, 60)
    elevation = with_sea_level(LonLatRaster(values, 13.8, 46.2, step_deg, step_deg), mask)
    assert np.isnan(elevation.values).sum() == (~sea).sum() - 1
    assert fill_coast_voids(elevation, mask, 0.0) == 0
    number = fill_coast_voids(elevation, mask, 3.0)
    near = (nearest_km < 2990.0) & ~sea & (values != 7.0)
    far = (nearest_km > 3010.0) & (values != 7.0)
    assert (elevation.values[near] == 0.0).all()
    assert np.isnan(elevation.values[far]).all()
    assert near.sum() <= number <= (~sea).sum() - 1 - far.sum()
    assert number > 100
    assert values[3, 3] == 7.0


@pytest.mark.parametrize("north_deg", [71.0, -57.0])
def test_voids_at_a_coast_reach_at_no_latitude_farther_than_stated(north_deg):
    """A mask from 57 to 71 degrees: a column is 1.7 times as wide at one end as at the other."""
    step_deg, coast_km = 0.02, 5.0
    land = np.ones((700, 30), np.uint8)
    land[:, 0] = 0
    mask = LonLatRaster(land, 13.0, north_deg, step_deg, step_deg)
    elevation = LonLatRaster(np.full(land.shape, np.nan, np.float32), 13.0, north_deg, step_deg, step_deg)
    fill_coast_voids(with_sea_level(elevation, mask), mask, coast_km)
    lat_deg = north_deg - step_deg * (np.arange(700) + 0.5)
    column_km = 111.195 * step_deg * np.cos(np.radians(lat_deg))
    reached = np.isfinite(elevation.values).sum(axis=1) - 1
    assert (reached * column_km < coast_km + 0.02).all()
    assert reached.min() == reached.max() == math.floor(coast_km / column_km.max())


def test_terrain_that_ends_at_the_coast_covers_a_territory_that_says_so(tmp_path):
    data = tile(13.8, 46.2)
    data.values[:, 25:30] = np.nan
    land = np.ones((50, 50), np.uint8)
    land[:, 30:] = 0
    mask = LonLatRaster(land, 13.8, 46.2, STEP_DEG, STEP_DEG)
    dem = [write(tmp_path / "dem.tif", data)]
    box = (13.8, 45.7, 14.3, 46.2)
    points = (13.85, 45.75, 14.25, 46.15)
    assert not covers(elevation_of(Terrain(dem=dem), box, mask), points)
    assert not covers(elevation_of(Terrain(dem=dem, coast_void_km=1.0), box, mask), points)
    assert covers(elevation_of(Terrain(dem=dem, coast_void_km=4.5), box, mask), points)
    assert elevation_of(Terrain(), box, mask) is None


def test_voids_at_the_coast_are_counted_and_told():
    values = np.full((4, 6), np.nan, np.float32)
    land = np.array([[1, 1, 1, 1, 0, 0]] * 4, np.uint8)
    mask = LonLatRaster(land, 13.8, 46.2, STEP_DEG, STEP_DEG)
    elevation = with_sea_level(LonLatRaster(values, 13.8, 46.2, STEP_DEG, STEP_DEG), mask)
    (line,) = coast_lines(Terrain(coast_void_km=1.0), elevation, mask)
    assert line.startswith("  terrain       4 pixels of no known height on land within 1 km")
    assert not list(coast_lines(Terrain(), elevation, mask))


def covers(elevation, box):
    """Whether a terrain model is accepted for a grid."""
    try:
        require_cover(elevation, *lattice(*box), files=["dem.tif"])
    except InputError:
        return False
    return True


def test_terrain_that_covers_the_grid_passes():
    elevation = from_external(tile(13.8, 46.2))  # 13.8 to 14.3 E, 45.9 to 46.2 N
    assert covers(elevation, (13.8, 45.9, 14.3, 46.2))
    assert not covers(elevation, (13.7, 45.9, 14.3, 46.2))
    assert not covers(elevation, (13.8, 45.9, 14.3, 46.3))


def test_terrain_that_ends_inside_the_grid_is_refused_with_what_is_missing():
    with pytest.raises(InputError) as refusal:
        require_cover(from_external(tile(13.8, 46.2)), *lattice(13.8, 45.9, 14.5, 46.2), files=["dem.tif"])
    assert "dem.tif" in str(refusal.value)
    assert "14.50 deg east" in str(refusal.value)
    with pytest.raises(InputError, match=r"100\.0 %"):
        require_cover(None, *lattice(*BOX), files=["dem.tif"])


def test_hole_of_a_missing_tile_is_refused_but_single_voids_pass():
    elevation = from_external(tile(13.8, 46.2))
    elevation.values[10, 10] = np.nan
    assert covers(elevation, BOX)
    elevation.values[10:13, 10:14] = np.nan  # 0.8 % of the box, but in one piece
    with pytest.raises(InputError, match="does not cover"):
        require_cover(elevation, *lattice(*BOX), files=["dem.tif"])


@pytest.mark.parametrize(
    ("unit", "unit_m"),
    [("", 1.0), ("metre", 1.0), ("foot", 0.3048), ("ft", 0.3048), ("US survey foot", 1200 / 3937)],
)
def test_unit_of_the_heights_is_converted(tmp_path, unit, unit_m):
    data = tile(13.8, 46.2)
    path = write(tmp_path / "dem.tif", data.copy(data=(data.values / unit_m).astype(np.float32)))
    with rasterio.open(path, "r+") as sink:
        sink.units = (unit,)
    elevation = load_elevation([path], BOX, None)
    assert height(elevation, 14.05, 46.05)[0] == pytest.approx(plane_m(14.05, 46.05), abs=0.001)


def test_other_units_are_refused_by_name(tmp_path):
    path = write(tmp_path / "dem.tif", tile(13.8, 46.2))
    with rasterio.open(path, "r+") as sink:
        sink.units = ("fathom",)
    with pytest.raises(InputError, match=r"dem\.tif.*unit.*fathom"):
        load_elevation([path], BOX, None)


def test_scale_and_offset_of_the_band_are_applied(tmp_path):
    data = tile(13.8, 46.2)
    path = write(tmp_path / "dem.tif", data.copy(data=np.round((data.values + 100) * 10).astype(np.int16)))
    with rasterio.open(path, "r+") as sink:
        sink.scales, sink.offsets = (0.1,), (-100.0,)
    elevation = load_elevation([path], BOX, None)
    assert height(elevation, 14.05, 46.05)[0] == pytest.approx(plane_m(14.05, 46.05), abs=0.06)


@pytest.mark.parametrize("crs", ["EPSG:4807", "EPSG:4312"])
def test_other_angles_meridians_and_datums_are_brought_to_wgs84(tmp_path, crs):
    # Grads from Paris; MGI. The plane is of the places of the pixels by pyproj.
    known = CRS.from_user_input(crs)
    unit_deg = math.degrees(known.axis_info[0].unit_conversion_factor)
    to_crs = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    west, north = to_crs.transform(13.7, 46.3)
    step = STEP_DEG / unit_deg
    place = Affine(step, 0.0, west, 0.0, -step, north)
    x, y = np.meshgrid(west + (np.arange(80) + 0.5) * step, north - (np.arange(60) + 0.5) * step)
    heights = (30.0 * plane_m(*to_crs.transform(x, y, direction="INVERSE")) - 14000).astype(np.float32)
    attrs = {"crs": crs, "transform": place, "nodata": None}
    path = write(tmp_path / "dem.tif", xr.DataArray(heights, dims=("y", "x"), attrs=attrs))
    elevation = load_elevation([path], BOX, None)
    right = 30.0 * plane_m(14.05, 46.05) - 14000  # 9 m per 0.001 deg east
    assert height(elevation, 14.05, 46.05)[0] == pytest.approx(right, abs=0.5)


def copernicus(folder, south, west, step_lon):
    """A tile as Copernicus has it: pixel centres on whole degrees, wider steps of longitude from 50 N on."""
    columns, rows, step_lat = round(1.0 / step_lon), 240, 1.0 / 240
    place = Affine(step_lon, 0.0, west - step_lon / 2, 0.0, -step_lat, south + 1.0 + step_lat / 2)
    lon, lat = west + np.arange(columns) * step_lon, south + 1.0 - np.arange(rows) * step_lat
    attrs = {"crs": "EPSG:4326", "transform": place, "nodata": None}
    heights = 500.0 + 300.0 * (lon[None, :] - 14.0) - 20.0 * (lat[:, None] - 50.0)
    data = xr.DataArray(heights.astype(np.float32), dims=("y", "x"), attrs=attrs)
    return write(folder / f"N{south}_E{west}.tif", data)


@pytest.mark.parametrize(("limit", "wider"), [(50, (1.0, 1.5)), (60, (1.5, 2.0)), (70, (2.0, 3.0))])
def test_tiles_whose_step_of_longitude_changes_by_latitude_are_one_model(tmp_path, limit, wider):
    files = [copernicus(tmp_path, limit - 1, west, wider[0] / 240) for west in (13, 14)]
    files += [copernicus(tmp_path, limit, west, wider[1] / 240) for west in (13, 14)]
    box = (13.5, limit - 0.4, 14.5, limit + 0.4)
    lon, lat = (axis.ravel() for axis in lattice(13.51, limit - 0.39, 14.49, limit + 0.39, 97))
    right = 500.0 + 300.0 * (lon - 14.0) - 20.0 * (lat - 50.0)
    for order in (files, files[::-1]):
        elevation = load_elevation(order, box, None)
        assert elevation.step_lon_deg == pytest.approx(wider[0] / 240)
        np.testing.assert_allclose(height(elevation, lon, lat), right, atol=0.01)
    require_cover(elevation, *lattice(13.51, limit - 0.39, 14.49, limit + 0.39), files=files)


def test_tiles_of_two_steps_at_one_latitude_are_refused(tmp_path):
    files = [copernicus(tmp_path, 49, 13, 1.0 / 240), copernicus(tmp_path, 49, 14, 1.5 / 240)]
    with pytest.raises(InputError, match="common pixels"):
        load_elevation(files, (13.5, 49.2, 14.5, 49.8), None)
