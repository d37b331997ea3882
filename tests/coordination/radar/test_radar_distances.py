"""Coordination distances against pyproj and against looking at every path."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from islands import BBB, BOX, COUNTRIES, GEOD, STEP_DEG, Paths

from pipeline.coordination.radar import paths
from pipeline.coordination.radar.borders import (
    CountryPolygon,
    foreign_borders,
    geocentric_m,
    reach_km,
    read_countries,
)
from pipeline.coordination.radar.distances import CandidateSites, RadarDistances, compute_distances
from pipeline.coordination.radar.ground import clearance, land_mask
from pipeline.coordination.radar.resolution612 import (
    Noise,
    RequiredSeparation,
    read_itu_codes,
    required_separation,
)
from pipeline.errors import InputError
from pipeline.shipped import REPOSITORY

SEPARATION = RequiredSeparation(42.0, 60.0, 180.0)
BORDERS = foreign_borders(COUNTRIES, "HHH", BOX)
LAND = land_mask([country.shape for country in COUNTRIES], BOX, STEP_DEG)
CLEARANCE = clearance(LAND, BOX[0], BOX[3], STEP_DEG)


def grid(lon, lat):
    lon_deg, lat_deg = np.meshgrid(np.asarray(lon, float), np.asarray(lat, float))
    return lon_deg, lat_deg, np.ones(lon_deg.shape, bool), np.full(lon_deg.shape, -1, np.int16)


def layers(lon, lat, separation=SEPARATION, borders=BORDERS, room=CLEARANCE, **options) -> RadarDistances:
    return compute_distances(CandidateSites(*grid(lon, lat)), borders, room, separation, **options)


def concerned(result: RadarDistances, borders=BORDERS) -> np.ndarray:
    """bool[administration, y, x] from the bit masks."""
    words = [result.affected[a // 32] >> np.uint32(a % 32) & 1 for a in range(len(borders.administrations))]
    return np.array(words, dtype=bool)


# --- required distances ---


@pytest.mark.parametrize(
    ("frequency_mhz", "row_mhz"),
    [
        (4.463, 5),
        (4.0, 5),
        (6.0, 5),
        (6.001, None),
        (7.0, None),
        (3.999, None),
        (8.0, 9),
        (14.0, 13),
        (15.0, 16),
        (17.0, 16),
        (22.0, 25),
        (28.0, 25),
        (28.1, None),
        (39.0, 42),
        (45.0, 42),
        (45.1, None),
        (3.0, None),
    ],
)
def test_row_of_the_resolution_includes_both_ends(frequency_mhz, row_mhz):
    found = required_separation(frequency_mhz)
    assert (found and found.row_mhz) == row_mhz


def test_gap_between_rows_takes_the_next_lower_one_if_asked():
    assert required_separation(7.0, conservative_gap=True).row_mhz == 5
    assert required_separation(35.0, conservative_gap=True).row_mhz == 25
    assert required_separation(3.5, conservative_gap=True) is None


@pytest.mark.parametrize(
    ("frequency_mhz", "figures"),
    [
        (5, (120, 170, 790, 920)),
        (9, (100, 130, 590, 670)),
        (13, (100, 110, 480, 520)),
        (16, (80, 100, 390, 450)),
        (25, (80, 100, 280, 320)),
        (42, (80, 100, 200, 230)),
    ],
)
def test_distances_are_those_of_the_resolution(frequency_mhz, figures):
    rural, quiet = required_separation(frequency_mhz, Noise.RURAL), required_separation(frequency_mhz)
    assert (rural.land_km, quiet.land_km, rural.sea_km, quiet.sea_km) == figures


@pytest.mark.parametrize(
    ("noise", "over_sea", "d_km", "margin_km"),
    [
        (Noise.RURAL, False, 105, 5),
        (Noise.QUIET_RURAL, False, 105, -5),
        (Noise.RURAL, True, 500, 20),
        (Noise.QUIET_RURAL, True, 500, -20),
    ],
)
def test_margin_of_one_straight_path(noise, over_sea, d_km, margin_km):
    """A sliver of foreign land due east at 45 N, with sea or land all the way."""
    lon, lat, _ = GEOD.fwd(10.0, 45.0, 90.0, d_km * 1000.0)
    sliver = shapely.box(lon, lat - 0.005, lon + 0.1, lat + 0.005)
    borders = foreign_borders([CountryPolygon("f", ("FFF",), sliver)], "HHH")
    land = np.full((600, 1200), not over_sea)
    result = layers(
        [10.0], [45.0], required_separation(13.5, noise), borders, clearance(land, 8.0, 48.0, 0.01)
    )
    # The nearest corner of the sliver is some 40 m nearer than its side.
    assert result.distance_km[0, 0] == pytest.approx(d_km, abs=0.05)
    assert result.margin_km[0, 0] == pytest.approx(margin_km, abs=0.05)
    assert result.coordination[0, 0] == (margin_km <= 0)
    assert result.administrations[0, 0] == (margin_km <= 0)
    assert result.path[0, 0] == (2 if over_sea else 1)
    assert (
        result.required_km[0, 0] == {Noise.RURAL: (100, 480), Noise.QUIET_RURAL: (110, 520)}[noise][over_sea]
    )


def test_distance_equal_to_the_limit_needs_coordination():
    borders = foreign_borders([CountryPolygon("f", ("FFF",), shapely.box(11.0, 44.0, 12.0, 46.0))], "HHH")
    d_km = layers([10.0], [45.0], RequiredSeparation(5, 1, 2), borders).distance_km.astype(float)[0, 0]
    above, below = np.nextafter(np.float32(d_km), np.float32([1e6, 0])).astype(float)
    assert layers([10.0], [45.0], RequiredSeparation(5, above, 200.0), borders).coordination[0, 0] == 1
    assert layers([10.0], [45.0], RequiredSeparation(5, below, below), borders).coordination[0, 0] == 0


# --- distances and paths ---


def test_golden_geodesics():
    assert GEOD.inv(10, 45, 10, 46)[2] / 1000 == pytest.approx(111.14155, abs=1e-5)
    frame = np.empty(6)
    for (lon, lat), (end_lon, end_lat), expected_km in [
        ((10.0, 45.0), (10.0, 46.0), 111.14155),
        ((115.328333, -31.218333), (115.2, -8.75), 2487.617),
    ]:
        paths.fill_frame(lon, lat, frame)
        end = geocentric_m(np.array([[end_lon, end_lat]]))[0]
        # The arc that touches the ground at one end is 1 m off within 1000 km.
        assert _distance(frame, end) == pytest.approx(expected_km, rel=5e-5)
        assert GEOD.inv(lon, lat, end_lon, end_lat)[2] / 1000 == pytest.approx(expected_km, abs=1e-3)


def _distance(frame, end) -> float:
    return paths.distance_km.py_func(frame, *end)


@settings(max_examples=200, deadline=None)
@given(st.floats(-89, 89), st.floats(-180, 180), st.floats(0, 360), st.floats(0.001, 1000))
def test_distance_agrees_with_pyproj(lat, lon, azimuth, d_km):
    end_lon, end_lat, _ = GEOD.fwd(lon, lat, azimuth, d_km * 1000)
    frame = np.empty(6)
    paths.fill_frame(lon, lat, frame)
    assert _distance(frame, geocentric_m(np.array([[end_lon, end_lat]]))[0]) == pytest.approx(d_km, abs=2e-3)


@settings(max_examples=300, deadline=None)
@given(
    st.floats(8.1, 15.9),
    st.floats(42.1, 46.9),
    st.floats(8.1, 15.9),
    st.floats(42.1, 46.9),
    st.integers(1, 20),
)
def test_path_type_agrees_with_every_sample(lon, lat, end_lon, end_lat, samples):
    brute = Paths(LAND)
    frame = np.empty(6)
    paths.fill_frame(lon, lat, frame)
    end = geocentric_m(np.array([[end_lon, end_lat]]))[0]
    d_km = _distance(frame, end)
    rule = paths.Sampling(2.0, samples)
    found = paths.crosses_sea(CLEARANCE, frame, *end, d_km, rule, 0.0)
    nearby = [
        brute.crosses_sea(lon + e, lat + e, end_lon + e, end_lat + e, samples) for e in (0, 1e-3, -1e-3)
    ]
    # A sample within 100 m of the edge of a cell may fall on either side.
    assert found == nearby[0] or len(set(nearby)) == 2


@settings(max_examples=150, deadline=None)
@given(
    st.floats(8.2, 15.8),
    st.floats(42.2, 46.8),
    st.floats(8.2, 15.8),
    st.floats(42.2, 46.8),
    st.floats(0.1, 20),
    st.integers(0, 2**32 - 1),
)
def test_class_proven_for_a_group_holds_for_each_place(lon, lat, end_lon, end_lat, radius_km, seed):
    frame, place = np.empty(6), np.empty(6)
    paths.fill_frame(lon, lat, frame)
    end = geocentric_m(np.array([[end_lon, end_lat]]))[0]
    rule = paths.Sampling(2.0, 1)
    kind, share = paths.classify(CLEARANCE, frame, radius_km, *end, max(_distance(frame, end), 0.1), rule)
    rng = np.random.default_rng(seed)
    for azimuth, d_km in zip(rng.uniform(0, 360, 12), rng.uniform(0, radius_km, 12), strict=True):
        at_lon, at_lat, _ = GEOD.fwd(lon, lat, azimuth, 1000 * d_km)
        paths.fill_frame(at_lon, at_lat, place)
        length_km = _distance(place, end)
        sea = paths.crosses_sea(CLEARANCE, place, *end, length_km, rule, 0.0)
        assert kind == paths.PATH_UNSURE or sea == (kind == paths.PATH_SEA_OR_MIXED)
        assert sea == paths.crosses_sea(CLEARANCE, place, *end, length_km, rule, share)


def test_room_is_never_more_than_the_true_distance_to_the_other_kind():
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(8, 16, 3000), rng.uniform(42, 47, 3000)
    land = Paths(LAND).is_land(lon, lat)
    for k in range(300):
        row, col = int((BOX[3] - lat[k]) / STEP_DEG), int((lon[k] - BOX[0]) / STEP_DEG)
        room_km = CLEARANCE.clear_km[row, col]
        assert (room_km > 0) == land[k]
        other = land != land[k]
        d_m = GEOD.inv(np.full(other.sum(), lon[k]), np.full(other.sum(), lat[k]), lon[other], lat[other])[2]
        assert abs(room_km) <= d_m.min() / 1000 + 0.0011


# --- layers ---


def brute_force(lon: float, lat: float, separation=SEPARATION, borders=BORDERS):
    """Nearest distance, margin and administrations concerned by trying every border point."""
    brute = Paths(LAND)
    points = borders.lonlat_deg
    d_km = GEOD.inv(*np.tile([[lon], [lat]], len(points)), *points.T)[2] / 1000
    limit_km = np.full(len(points), separation.land_km)
    for i in np.flatnonzero(d_km - separation.sea_km <= (d_km - separation.land_km).min()):
        if brute.crosses_sea(lon, lat, *points[i]):
            limit_km[i] = separation.sea_km
    for i in np.flatnonzero((d_km > separation.land_km) & (d_km <= separation.sea_km)):
        if brute.crosses_sea(lon, lat, *points[i]):
            limit_km[i] = separation.sea_km
    names = {borders.administrations[a] for a in borders.points.administration[d_km <= limit_km]}
    return d_km.min(), (d_km - limit_km).min(), names


@pytest.mark.parametrize("step_deg", [0.003, 0.04])
def test_layers_agree_with_trying_every_border_point(step_deg):
    rng = np.random.default_rng(7)
    wrong = 0
    for corner_lon, corner_lat in [(8.3, 44.05), (9.5, 45.5), (10.5, 44.2), (10.02, 42.52), (9.2, 43.3)]:
        lon, lat = corner_lon + step_deg * np.arange(12), corner_lat + step_deg * np.arange(10)
        result = layers(lon, lat)
        bits = concerned(result)
        for i, j in zip(rng.integers(0, 10, 4), rng.integers(0, 12, 4), strict=True):
            nearest_km, margin_km, names = brute_force(lon[j], lat[i])
            assert result.distance_km[i, j] == pytest.approx(nearest_km, abs=2e-3)
            found = {n for n, bit in zip(BORDERS.administrations, bits[:, i, j], strict=True) if bit}
            wrong += found != names or abs(result.margin_km[i, j] - margin_km) > 2e-3
            assert result.administrations[i, j] == len(found)
            assert result.coordination[i, j] == (len(found) > 0) == (result.margin_km[i, j] <= 0)
    # Samples on the edge of a cell of the mask may fall on either side.
    assert wrong <= 1


def test_result_does_not_depend_on_threads_or_blocks():
    lon, lat = np.linspace(8.2, 10.9, 100), np.linspace(44.1, 46.0, 90)
    whole = layers(lon, lat)
    for one, other in zip(whole, layers(lon, lat, threads=2), strict=True):
        np.testing.assert_array_equal(one, other)
    part = layers(lon[13:77], lat[5:50])
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one[..., 5:50, 13:77], other)


def test_size_of_the_cells_does_not_change_the_result():
    lon, lat = np.linspace(8.2, 10.9, 30), np.linspace(44.1, 46.0, 30)
    whole = layers(lon, lat)
    for one, other in zip(whole, layers(lon, lat, resolution_km=5.0), strict=True):
        np.testing.assert_array_equal(one, other)


def test_farther_border_across_the_sea_can_be_the_decisive_one():
    """From the south of home: BBB lies beyond 60 km over land, the islands within 180 km over sea."""
    result = layers([9.8], [44.05])
    assert result.path[0, 0] == 2
    assert result.required_km[0, 0] == 180
    assert result.distance_km[0, 0] > 60
    assert concerned(result)[:, 0, 0].tolist() == [False, True, True]
    inland = layers([9.0], [46.5])
    assert inland.coordination[0, 0] == 0
    assert inland.distance_km[0, 0] == pytest.approx(GEOD.inv(9.0, 46.5, 11.0, 46.5)[2] / 1000, rel=2e-3)


def test_unwanted_places_are_nodata():
    lon_deg, lat_deg, wanted, abroad = grid([9.0, 9.1], [45.0])
    wanted[0, 1] = False
    result = compute_distances(
        CandidateSites(lon_deg, lat_deg, wanted, abroad), BORDERS, CLEARANCE, SEPARATION
    )
    nodata = (-9999.0, 255, -9999.0, -9999.0, 255, 255, 0)
    assert [layer[..., 0, 1].item() for layer in result] == list(nodata)
    assert result.distance_km[0, 0] > 0


def test_place_abroad_has_no_distance():
    lon_deg, lat_deg, wanted, abroad = grid([14.5], [46.0])
    abroad[:] = BORDERS.administrations.index("CCC")
    result = compute_distances(
        CandidateSites(lon_deg, lat_deg, wanted, abroad), BORDERS, CLEARANCE, SEPARATION
    )
    assert (result.distance_km[0, 0], result.margin_km[0, 0], result.coordination[0, 0]) == (0.0, -60.0, 1)
    assert concerned(result)[:, 0, 0].tolist() == [name == "CCC" for name in BORDERS.administrations]


def test_frequency_outside_the_rows_gives_the_distance_alone():
    result = layers([9.0], [45.0], required_separation(7.0))
    assert result.distance_km[0, 0] > 0
    assert [layer[..., 0, 0].item() for layer in result[1:]] == [255, -9999.0, -9999.0, 255, 255, 0]


def test_33_administrations_need_a_second_word():
    codes = [f"A{chr(65 + k // 26)}{chr(65 + k % 26)}" for k in range(40)]
    places = [shapely.box(8 + k / 50, 46, 8.01 + k / 50, 46.1) for k in range(40)]
    strips = [CountryPolygon(code, (code,), shape) for code, shape in zip(codes, places, strict=True)]
    borders = foreign_borders(strips, "HHH")
    result = layers([8.4], [45.9], borders=borders)
    assert result.affected.shape == (2, 1, 1)
    assert concerned(result, borders).sum() == result.administrations[0, 0] == 40


# --- borders ---


def test_edge_of_a_clip_is_no_border():
    lon, lat = BORDERS.lonlat_deg.T
    assert (lon < 16.0 - 1e-9).sum() > len(lon) - 5
    north = lat > 47.0 - 1e-9
    assert north.sum() <= 5
    # With the edges as borders the same place would lie next to one.
    unclipped = foreign_borders([CountryPolygon("b", ("BBB",), BBB)], "HHH")
    assert (unclipped.lonlat_deg[:, 1] > 47.0 - 1e-9).sum() > 100


def test_meridian_180_is_no_border():
    shapes = shapely.box(170, 60, 180, 65), shapely.box(-180, 60, -175, 65)
    halves = [CountryPolygon("f", ("FFF",), shape) for shape in shapes]
    lon = foreign_borders(halves, "HHH").lonlat_deg[:, 0]
    assert (np.abs(lon) > 179.999).sum() <= 4


def test_paths_and_distances_cross_the_180th_meridian():
    borders = foreign_borders([CountryPolygon("f", ("FFF",), shapely.box(-179.5, 50, -179, 51))], "HHH")
    room = clearance(np.zeros((300, 300), bool), 178.0, 52.0, 0.01)
    result = layers([179.5], [50.5], RequiredSeparation(5, 10, 100), borders, room)
    expected_km = GEOD.inv(179.5, 50.5, -179.5, 50.5)[2] / 1000
    assert result.distance_km[0, 0] == pytest.approx(expected_km, abs=0.02)
    assert result.path[0, 0] == 2


def test_border_points_are_at_most_a_kilometre_apart():
    lon, lat = foreign_borders([CountryPolygon("b", ("BBB",), BBB)], "HHH").lonlat_deg.T
    gaps_m = GEOD.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2]
    assert gaps_m.max() <= 1000.0
    edge = GEOD.inv(11, 47, 13, 47)[2] / 1000
    assert (lat > 47 - 1e-9).sum() == pytest.approx(math.ceil(edge), abs=4)


def test_own_islands_and_land_without_code_are_not_foreign():
    assert BORDERS.administrations == ("BBB", "CCC", "III")
    shapes = shapely.MultiPoint(BORDERS.lonlat_deg)
    assert shapely.distance(shapely.box(9.0, 42.1, 9.1, 42.2), shapes) > 0.5
    assert foreign_borders(COUNTRIES, "CCC").administrations == ("BBB", "HHH", "III")
    with pytest.raises(InputError):
        foreign_borders(COUNTRIES[:1], "HHH")


def test_groups_hold_their_points():
    points = BORDERS.points
    for g in range(len(points.radius_km)):
        own = points.points_m[points.first[g] : points.first[g + 1]]
        assert np.linalg.norm(own - points.centre_m[g], axis=1).max() <= 1000 * points.radius_km[g]
    assert points.first[-1] == len(points.points_m) == len(BORDERS.lonlat_deg)
    for a in range(len(BORDERS.administrations)):
        own = points.administration[points.first[points.groups[a]] : points.first[points.groups[a + 1]]]
        assert set(own) == {a}


def test_reach_of_a_clip_is_the_way_to_its_nearest_edge():
    expected_km = GEOD.inv(9.0, 45.0, 8.0, 45.0)[2] / 1000
    assert reach_km(BOX, np.array([9.0]), np.array([45.0])) == pytest.approx(expected_km, rel=1e-4)


def test_default_world_has_codes_for_all_and_reaches_far_enough(tmp_path: Path):
    source = REPOSITORY / "data" / "slovenia" / "world_clip_ne10m.gpkg"
    world = shutil.copy(source, tmp_path / source.name)
    countries, ignored = read_countries(Path(world), read_itu_codes())
    assert not ignored
    codes = {code for country in countries for code in country.administrations}
    assert {"SVN", "I", "AUT", "HNG", "HRV", "D", "SUI"} <= codes
    assert reach_km((-2.0, 35.0, 32.0, 57.5), np.array([13.4, 16.5]), np.array([45.4, 46.9])) > 920


@pytest.mark.shared_data
def test_every_country_of_the_world_is_in_the_table_of_codes(shared: Path, tmp_path: Path):
    world = shutil.copy(shared / "data" / "world" / "countries_ne10m.gpkg", tmp_path)
    countries, ignored = read_countries(Path(world), read_itu_codes())
    assert ignored == ["Antarctica"]
    by_name = {country.name: country.administrations for country in countries}
    assert by_name["Australia"] == ("AUS",)
    assert by_name["Siachen Glacier"] == ("IND", "PAK")
    assert by_name["Greenland"] == ("DNK",)
    assert len(countries) > 250


@pytest.mark.shared_data
def test_polygons_are_cut_at_the_180th_meridian(shared: Path, tmp_path: Path):
    world = shutil.copy(shared / "data" / "world" / "countries_ne10m.gpkg", tmp_path)
    countries, _ = read_countries(Path(world), read_itu_codes())
    fiji = next(country.shape for country in countries if country.name == "Fiji")
    steps_deg = [
        np.abs(np.diff(shapely.get_coordinates(p.exterior)[:, 0])).max() for p in shapely.get_parts(fiji)
    ]
    assert max(steps_deg) < 10.0
    assert not shapely.contains_xy(fiji, 0.0, -16.97)


@pytest.mark.shared_data
def test_lancelin_is_far_from_indonesia(shared: Path, tmp_path: Path):
    world = shutil.copy(shared / "data" / "world" / "countries_ne10m.gpkg", tmp_path)
    countries, _ = read_countries(Path(world), read_itu_codes())
    borders = foreign_borders([c for c in countries if "INS" in c.administrations], "AUS")
    lon, lat = borders.lonlat_deg.T
    nearest_km = (
        GEOD.inv(np.full_like(lon, 115.328333), np.full_like(lat, -31.218333), lon, lat)[2].min() / 1000
    )
    assert nearest_km < 2487.617  # a place on Bali; other islands lie farther south
    room = clearance(np.zeros((50, 35), bool), 95.0, 0.0, 1.0)
    result = layers([115.328333], [-31.218333], required_separation(4.463), borders, room)
    assert result.distance_km[0, 0] == pytest.approx(nearest_km, rel=1e-4)
    assert result.coordination[0, 0] == result.administrations[0, 0] == 0
