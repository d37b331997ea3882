"""Layers of Resolution 612 on a grid, and the ground they stand on, in the small world of rectangles."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from islands import BOX, COUNTRIES, GEOD, STEP_DEG
from test_radar_distances import brute_force

from pipeline.coordination.radar.borders import CountryPolygon, foreign_borders, geocentric_m
from pipeline.coordination.radar.ground import (
    Ground,
    box_around,
    check_reach,
    clearance,
    clearance_at,
    land_mask,
    outline_deg,
    read_ground,
    window_of,
)
from pipeline.coordination.radar.radar_maps import (
    TABLE_COLUMNS,
    CandidateRadar,
    administration_table,
    candidate_radars,
    run,
)
from pipeline.coordination.radar.resolution612 import Noise, RequiredSeparation
from pipeline.errors import InputError
from pipeline.grid.grid import Grid

# A grid in UTM 33 around 9.5 E, 44.5 N: home, its coast and the sea.
GRID = Grid("EPSG:32632", 5000.0, 500_000.0, 4_960_000.0, 30, 24)
BORDERS = foreign_borders(COUNTRIES, "HHH", BOX)
LAND = land_mask([country.shape for country in COUNTRIES], BOX, STEP_DEG)
GROUND = Ground(COUNTRIES, BOX, 1000.0, clearance(LAND, BOX[0], BOX[3], STEP_DEG))
SEPARATION = RequiredSeparation(42.0, 60.0, 180.0)
RADARS = [
    CandidateRadar(42.0, Noise.QUIET_RURAL, SEPARATION),
    CandidateRadar(30.0, Noise.QUIET_RURAL, None),
    CandidateRadar(25.0, Noise.QUIET_RURAL, RequiredSeparation(25.0, 100.0, 320.0)),
]
NODATA = {
    "dist_foreign": -9999.0,
    "path": 255,
    "req": -9999.0,
    "margin": -9999.0,
    "coord": 255,
    "n_adm": 255,
    "adm_k": 0,
}
TYPES = {
    "dist_foreign": "float32",
    "path": "uint8",
    "req": "float32",
    "margin": "float32",
    "coord": "uint8",
    "n_adm": "uint8",
    "adm_k": "uint32",
}


def centres_deg() -> tuple[np.ndarray, np.ndarray]:
    x_m, y_m = np.meshgrid(502_500.0 + 5000.0 * np.arange(30), 4_957_500.0 - 5000.0 * np.arange(24))
    return pyproj.Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(x_m, y_m)


LON, LAT = centres_deg()
WANTED = shapely.contains_xy(COUNTRIES[0].shape, LON, LAT)


@pytest.fixture(scope="module")
def layers():
    return run(RADARS, GRID, WANTED, BORDERS, GROUND)


def test_layers_have_the_types_and_nodata_of_the_specification(layers):
    assert set(layers) == set(TYPES)
    for name, layer in layers.items():
        bands = 1 if name == "dist_foreign" else 3
        assert (layer.dtype, layer.shape) == (TYPES[name], (bands, 24, 30))
        assert layer.attrs["nodata"] == NODATA[name]
        assert (layer.values[:, ~WANTED] == NODATA[name]).all()
        assert layer.attrs["units"] == ("km" if TYPES[name] == "float32" else "1")
    assert WANTED.any()
    assert not WANTED.all()


def test_pixels_are_what_trying_every_border_point_gives(layers):
    rng = np.random.default_rng(3)
    wrong = 0
    for row, col in rng.permutation(np.argwhere(WANTED))[:25]:
        for band, radar in ((0, RADARS[0]), (2, RADARS[2])):
            nearest_km, margin_km, names = brute_force(LON[row, col], LAT[row, col], radar.separation)
            assert layers["dist_foreign"].values[0, row, col] == pytest.approx(nearest_km, abs=3e-3)
            bits = layers["adm_k"].values[band, row, col]
            found = {n for k, n in enumerate(BORDERS.administrations) if bits >> np.uint32(k) & 1}
            wrong += found != names or abs(layers["margin"].values[band, row, col] - margin_km) > 3e-3
            assert layers["n_adm"].values[band, row, col] == len(found)
            assert layers["coord"].values[band, row, col] == (margin_km <= 0)
    # Samples on the edge of a cell of the mask may fall on either side.
    assert wrong <= 1


def test_frequency_without_a_row_has_the_distance_alone(layers):
    for name in ("path", "req", "margin", "coord", "n_adm", "adm_k"):
        assert (layers[name].values[1] == NODATA[name]).all()
    assert (layers["dist_foreign"].values[0][WANTED] >= 0.0).all()


def test_table_tells_the_bits(layers):
    rows = administration_table(layers["adm_k"].values, RADARS, BORDERS.administrations)
    entries = [dict(zip(TABLE_COLUMNS, row, strict=True)) for row in rows]
    assert [e["adm"] for e in entries] == [*BORDERS.administrations] * 3
    for entry in entries:
        word = layers["adm_k"].values[int(entry["band"]) - 1]
        assert int(entry["pixels"]) == int(((word >> int(entry["bit"])) & 1).sum())
    assert {e["frequency_mhz"] for e in entries} == {"42", "30", "25"}
    assert next(iter(layers["margin"]["band"].values)) == "42 MHz, quiet_rural"


def test_more_than_32_administrations_take_a_second_band():
    codes = [f"A{chr(65 + k // 26)}{chr(65 + k % 26)}" for k in range(40)]
    strips = [shapely.box(8.8 + k / 50, 44.7, 8.81 + k / 50, 44.75) for k in range(40)]
    countries = [CountryPolygon(code, (code,), strip) for code, strip in zip(codes, strips, strict=True)]
    borders = foreign_borders(countries, "HHH", BOX)
    words = run(RADARS[:1], GRID, WANTED, borders, GROUND._replace(countries=countries))["adm_k"]
    assert words.shape[0] == 2
    assert [str(name)[-6:] for name in words["band"].values] == ["s 0-31", " 32-63"]
    rows = administration_table(words.values, RADARS[:1], borders.administrations)
    assert (rows[31][3:5], rows[32][3:5]) == (("1", "31"), ("2", "0"))


def test_places_abroad_and_at_sea_are_computed_if_asked_for():
    everywhere = np.ones_like(WANTED)
    found = run(RADARS[:1], GRID, everywhere, BORDERS, GROUND, abroad=True)
    distance = found["dist_foreign"].values[0]
    for country in COUNTRIES[1:]:
        inside = shapely.contains_xy(shapely.buffer(country.shape, -0.01), LON, LAT)
        if country.administrations:
            assert (distance[inside] == 0.0).all()
    at_sea = ~shapely.contains_xy(shapely.union_all([c.shape for c in COUNTRIES]), LON, LAT)
    assert (distance[at_sea] > 0.0).all()
    assert (found["path"].values[0][at_sea & (found["margin"].values[0] > -120)] == 2).all()


def test_what_lies_beyond_the_polygons_is_not_known():
    """Farther than the edge of a clip a nearer border may lie outside it: no number; decisions stay."""
    known = run(RADARS[:1], GRID, WANTED, BORDERS, GROUND)
    near = run(RADARS[:1], GRID, WANTED, BORDERS, GROUND._replace(reach_km=100.0))
    beyond = WANTED & (known["dist_foreign"].values[0] > 100.0)
    assert beyond.any()
    for name in ("dist_foreign", "margin", "req"):
        assert (near[name].values[0][beyond] == -9999.0).all()
        np.testing.assert_array_equal(near[name].values[0][~beyond], known[name].values[0][~beyond])
    np.testing.assert_array_equal(near["coord"].values, known["coord"].values)


def test_result_does_not_depend_on_threads(layers):
    for name, layer in run(RADARS, GRID, WANTED, BORDERS, GROUND, threads=2).items():
        np.testing.assert_array_equal(layer.values, layers[name].values)


def test_candidates_follow_frequency_noise_and_gap():
    (row, gap) = candidate_radars([13.5, 20.0], Noise.RURAL)
    assert row.separation == (13.0, 100.0, 480.0)
    assert gap.separation is None
    assert candidate_radars([20.0], Noise.QUIET_RURAL, conservative_gap=True)[0].separation == (
        16.0,
        100.0,
        450.0,
    )


# --- ground ---


def world_file(path, shapes=COUNTRIES):
    known = [("705", shapes[0].shape), ("380", shapes[1].shape), ("040", shapes[2].shape)]
    frame = gpd.GeoDataFrame(
        {"iso_numeric": [code for code, _ in known], "name": ["a", "b", "c"]},
        geometry=[shape for _, shape in known],
        crs="EPSG:4326",
    )
    frame.to_file(path, driver="GPKG")
    return path


def test_ground_ends_nowhere_within_reach(tmp_path):
    path = world_file(tmp_path / "world.gpkg")
    places = np.array([10.0, 10.5]), np.array([45.0, 45.2])
    to_edge_km = GEOD.inv(10.0, 45.0, 8.0, 45.0)[2] / 1000
    ground, ignored = read_ground(path, BOX, places, 150.0)
    assert ground.reach_km == pytest.approx(to_edge_km, rel=1e-3)
    assert not ignored
    assert {code for country in ground.countries for code in country.administrations} == {"SVN", "I", "AUT"}
    with pytest.raises(InputError, match=r"too near.*158 km.*320 km"):
        read_ground(path, BOX, places, 320.0)
    with pytest.raises(InputError, match="0 km"):
        check_reach(path, BOX, (np.array([7.9]), np.array([45.0])), 1.0)
    whole, _ = read_ground(path, None, places, 320.0)
    assert whole.reach_km == np.inf


@pytest.mark.parametrize("lon", [10.0, 179.0, -179.5])
@pytest.mark.parametrize("around_km", [50.0, 920.0])
def test_box_holds_all_that_is_needed(lon, around_km):
    west, south, east, north = box_around((np.array([lon]), np.array([45.0])), around_km)
    for azimuth in range(0, 360, 5):
        end_lon, end_lat, _ = GEOD.fwd(lon, 45.0, azimuth, 1000.0 * around_km)
        assert south < end_lat < north
        assert any(west < end_lon + turn < east for turn in (-360.0, 0.0, 360.0))
    assert east - west < 40.0


def test_box_is_cut_to_the_clip_and_whole_near_a_pole():
    assert box_around((np.array([10.0]), np.array([45.0])), 2000.0, BOX) == BOX
    assert box_around((np.array([10.0]), np.array([80.0])), 2000.0) == (-180.0, 60.0, 180.0, 90.0)


def test_land_beyond_the_180th_meridian_is_land(tmp_path):
    far = [
        CountryPolygon("a", (), shapely.box(179.0, 44.9, 180.0, 45.1)),
        CountryPolygon("b", (), shapely.box(-180.0, 44.9, -179.8, 45.1)),
        COUNTRIES[2],
    ]
    path = world_file(tmp_path / "world.gpkg", far)
    ground, _ = read_ground(path, None, (np.array([179.9]), np.array([45.0])), 20.0)
    rooms = []
    for lon in (179.5, 179.99, -179.99, -179.5):
        x, y, z = geocentric_m(np.array([[lon, 45.0]]))[0]
        rooms.append(clearance_at(ground.clearance, x, y, z) > 0.0)
    assert rooms == [True, True, True, False]


def test_outline_holds_the_wanted_pixels():
    wanted = np.zeros((24, 30), dtype=bool)
    wanted[5, 7] = wanted[20, 9] = True
    assert window_of(wanted) == (slice(5, 21), slice(7, 10))
    lon, lat = outline_deg(GRID, wanted)
    for row, col in [(5, 7), (5, 9), (20, 7), (20, 9)]:
        assert np.hypot(lon - LON[row, col], lat - LAT[row, col]).min() < 1e-9
