"""People of places: on the land of their own country, none lost, by a disc found again with other tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod, Transformer

from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import Boundaries
from pipeline.territory.codes import Surface
from pipeline.territory.masks import compute_masks
from pipeline.territory.places import (
    PeopleAccount,
    Settlement,
    places_population,
    read_places,
    without_polygon,
)

GRID = Grid("EPSG:3794", 200.0, 430_000.0, 110_000.0, 600, 500)
ELLIPSOID = Geod(ellps="WGS84")
# Three countries side by side: AA west, BB east of a slanting border, an island of AA in BB; south is sea.
BORDER = ((14.9, 45.0), (15.1, 46.5))
ISLAND = shapely.box(15.15, 45.6, 15.25, 45.66)
AA = shapely.union_all([shapely.Polygon([(14.0, 45.4), (14.9533, 45.4), (15.1, 46.5), (14.0, 46.5)]), ISLAND])
BB = shapely.difference(shapely.Polygon([(14.9533, 45.4), (16.5, 45.4), (16.5, 46.5), (15.1, 46.5)]), ISLAND)


def boundaries(*, countries=(AA, BB), codes=("AA", "BB"), land=None, known=(13.5, 45.0, 17.0, 47.0)):
    return Boundaries(
        tuple(codes), tuple(countries), (codes[0],), tuple(land or countries), known, None, countries[0]
    )


def placed(places, bounds=None, grid=GRID):
    """People of places, the masks, and the boundaries they lie in."""
    bounds = bounds or boundaries()
    masks = compute_masks(bounds, grid)
    return places_population(places, grid, masks, bounds), masks, bounds


EVERYWHERE = shapely.box(-180.0, -90.0, 180.0, 90.0)


def on_all_land(places, land=EVERYWHERE):
    """People of places where all ``land`` is one country's."""
    bounds = boundaries(countries=(EVERYWHERE,), codes=("AA",), land=(land,), known=EVERYWHERE.bounds)
    return places_population(places, GRID, compute_masks(bounds, GRID), bounds).persons


def local_area_km2(shape, lon: float, lat: float) -> float:
    """Area by shapely in a transverse Mercator projection of its own."""
    near = Transformer.from_crs(4326, f"+proj=tmerc +lat_0={lat} +lon_0={lon} +k=1", always_xy=True)
    moved = shapely.transform(
        shapely.segmentize(shape, 0.005), lambda xy: np.column_stack(near.transform(xy[:, 0], xy[:, 1]))
    )
    return moved.area / 1e6


def ring(lon: float, lat: float, radius_km: float, points: int = 720):
    """A disc of geodesics."""
    azimuth = np.arange(points) * 360.0 / points
    # A polygon of the area of the disc.
    factor = np.sqrt(2 * np.pi / points / np.sin(2 * np.pi / points))
    x, y, _ = ELLIPSOID.fwd(
        np.full(points, lon), np.full(points, lat), azimuth, np.full(points, 1000 * radius_km * factor)
    )
    return shapely.Polygon(np.column_stack([x, y]))


PLACES = [
    Settlement(14.95, 45.72, 90_000.0, "AA"),  # two kilometres from the border, on its own side
    Settlement(15.02, 45.75, 250_000.0, "BB"),
    Settlement(15.2, 45.63, 180_000.0, "AA"),  # on the island in BB, which is too small for it
    Settlement(15.6, 45.405, 60_000.0, "BB"),  # at the sea
]


@pytest.mark.parametrize("number", range(4))
def test_disc_of_a_place_holds_it_at_the_density_of_a_town(number):
    place = PLACES[number]
    result, masks, bounds = placed([place])
    own = bounds.countries[bounds.codes.index(place.country)]
    lon, lat = GRID.lonlat_deg()
    x, y = np.full(lon.shape, place.lon_deg), np.full(lon.shape, place.lat_deg)
    distance_km = ELLIPSOID.inv(x, y, lon, lat)[2] / 1000.0
    used = result.persons > 0
    assert shapely.contains_xy(own, lon[used], lat[used]).all()
    farthest = distance_km[used].max()
    # The smallest disc: its land holds the people, and every pixel of it has some.
    land_km2 = local_area_km2(
        shapely.intersection(own, ring(place.lon_deg, place.lat_deg, farthest)), place.lon_deg, place.lat_deg
    )
    needed_km2 = place.persons / 2000.0
    assert land_km2 <= needed_km2 * (1 + 1e-4)
    further = farthest + 0.05
    land_km2 = local_area_km2(
        shapely.intersection(own, ring(place.lon_deg, place.lat_deg, further)), place.lon_deg, place.lat_deg
    )
    assert land_km2 > needed_km2 or (
        not used[(distance_km > farthest) & (distance_km <= further)].any() and land_km2 > 0.99 * needed_km2
    )
    inside = (distance_km <= farthest) & (masks.country == bounds.codes.index(place.country) + 1)
    np.testing.assert_array_equal(used, inside)
    # By the area of the pixels; those beyond the grid have the rest.
    areas = GRID.area_km2()[used]
    people = result.accounts[place.country].on_grid * areas / areas.sum(dtype=float)
    np.testing.assert_allclose(result.persons[used], people, rtol=1e-5)


def test_sum_of_a_country_is_that_of_the_list():
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(14.0, 16.5, 400), rng.uniform(45.3, 46.4, 400)
    codes = rng.choice(["AA", "BB", "CC"], 400)
    persons = np.round(10.0 ** rng.uniform(2.0, 5.2, 400))
    places = [Settlement(*row) for row in zip(lon, lat, persons, codes, strict=True)]
    result, masks, _ = placed(places)
    for number, code in enumerate(("AA", "BB"), start=1):
        layer = result.persons[masks.country == number].sum(dtype=np.float64)
        account = result.accounts[code]
        listed = persons[codes == code].sum()
        assert account.listed == listed
        assert layer + account.beyond_grid + account.not_placed == pytest.approx(listed, rel=1e-9)
        assert account.on_grid == pytest.approx(layer, rel=1e-9)
        assert account.not_placed > 0.0  # some lie deep in the other country
    assert result.accounts["CC"] == PeopleAccount(
        persons[codes == "CC"].sum(), 0.0, 0.0, listed_of(persons, codes)
    )
    assert result.persons[masks.surface == Surface.SEA].sum() == 0.0


def listed_of(persons, codes) -> float:
    return float(persons[codes == "CC"].sum())


def test_place_off_its_country_lives_on_the_nearest_land_of_it():
    # 12,000 people: 6 km2, of which the border at 14.9933 E leaves the far side of a disc.
    result, masks, _ = placed([Settlement(15.01, 45.7, 12_000.0, "AA")])
    used = result.persons > 0
    assert (masks.country[used] == 1).all()
    assert result.persons.sum(dtype=float) == pytest.approx(12_000.0, rel=1e-9)
    assert used.sum() * 0.04 == pytest.approx(6.0, rel=0.05)
    # 50 km from AA nothing of it is in reach.
    assert placed([Settlement(15.85, 46.0, 10.0, "AA")])[0].accounts["AA"].not_placed == 10.0


def test_disc_without_a_pixel_is_the_nearest_pixel_within_two_kilometres():
    # An islet of 60 m: its disc has land, and no pixel centre lies on it.
    islet = shapely.box(15.3, 45.3, 15.3008, 45.3006)
    coast = shapely.box(15.0, 45.31, 16.0, 46.0)
    far = shapely.box(15.0, 45.5, 16.0, 46.0)
    place = Settlement(15.3004, 45.3003, 5.0, "AA")
    for mainland, moved in ((coast, False), (far, True)):
        grid = GRID._replace(north_m=90_000.0)
        bounds = boundaries(countries=(shapely.union_all([islet, mainland]),), codes=("AA",))
        masks = compute_masks(bounds, grid)
        result = places_population([place], grid, masks, bounds)
        assert result.accounts["AA"].not_placed == (5.0 if moved else 0.0)
        assert result.persons.sum() == (0.0 if moved else 5.0)


def test_place_without_a_country_is_of_the_polygon_around_it():
    result, masks, _ = placed([Settlement(15.3, 45.9, 20_000.0), Settlement(13.6, 45.1, 7.0)])
    assert result.persons[masks.country == 2].sum(dtype=float) == pytest.approx(20_000.0, rel=1e-9)
    assert result.accounts[""] == PeopleAccount(7.0, 0.0, 0.0, 7.0)


def test_disc_is_fifty_kilometres_at_most():
    # Ten million people need a disc of 40 km; on half of it, cut by the border, they crowd.
    result, _, _ = placed([Settlement(15.0, 45.75, 1e7, "AA")])
    lon, lat = GRID.lonlat_deg()
    used = result.persons > 0
    x, y = np.full(used.sum(), 15.0), np.full(used.sum(), 45.75)
    assert ELLIPSOID.inv(x, y, lon[used], lat[used])[2].max() == pytest.approx(50_000.0, abs=150.0)
    account = result.accounts["AA"]
    assert account.on_grid + account.beyond_grid == pytest.approx(1e7, rel=1e-9)
    assert account.beyond_grid > 0.0


def test_place_fills_the_disc_of_its_population():
    place = Settlement(14.9, 45.7, 40_000.0)  # 20 km2: radius 2523 m
    persons = on_all_land([place])
    assert persons.sum(dtype=float) == pytest.approx(40_000.0, rel=1e-6)
    # Pixels whose centre lies in the disc: 20 km2 of them but for the lattice.
    assert (persons > 0).sum() == pytest.approx(500, abs=5)
    rows, cols = np.nonzero(persons)
    x_m, y_m = Transformer.from_crs(4326, 3794, always_xy=True).transform(14.9, 45.7)
    east = GRID.west_m + (cols + 0.5) * 200 - x_m
    north = GRID.north_m - (rows + 0.5) * 200 - y_m
    assert np.hypot(east, north).max() == pytest.approx(2523, abs=150)
    assert abs(east.mean()) < 50
    assert abs(north.mean()) < 50


def test_small_place_is_one_pixel_at_its_position():
    persons = on_all_land([Settlement(14.9, 45.7, 30.0)])
    lon, lat = GRID.lonlat_deg()
    row, col = np.argwhere(persons)[0]
    assert (persons > 0).sum() == 1
    assert (lon[row, col], lat[row, col]) == pytest.approx((14.9, 45.7), abs=0.0015)


def test_place_at_the_sea_spreads_over_land_and_keeps_its_people():
    lon, _ = GRID.lonlat_deg()
    land = shapely.box(14.9, 45.0, 17.0, 47.0)
    persons = on_all_land([Settlement(14.899, 45.7, 40_000.0)], land)
    assert persons[lon < 14.9].sum() == 0.0
    assert persons.sum(dtype=float) == pytest.approx(40_000.0, rel=1e-6)
    at_sea = on_all_land([Settlement(14.5, 45.7, 40_000.0)], land)
    assert at_sea.sum(dtype=float) == pytest.approx(40_000.0, rel=1e-6)


def test_place_at_the_edge_keeps_the_half_inside():
    x_m, y_m = GRID.west_m, GRID.north_m - 50_000.0
    lon, lat = Transformer.from_crs(3794, 4326, always_xy=True).transform(x_m, y_m)
    persons = on_all_land([Settlement(lon, lat, 40_000.0), Settlement(5.0, 45.0, 1e6)])
    assert persons.sum(dtype=float) == pytest.approx(20_000.0, rel=0.05)


def places_file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_places_are_read_by_column_name(tmp_path):
    path = places_file(tmp_path / "p.csv", "name,population,longitude,latitude\nPtuj,17858,15.87,46.42\n")
    assert read_places(path) == [Settlement(15.87, 46.42, 17858.0, name="Ptuj")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,population,longitude\nA,1,2\n", r"row 1, field latitude: column is missing"),
        ("latitude,longitude,population\n46,15,x\n", r"row 2, field population: .*'x'"),
        ("latitude,longitude,population\n46,15,5\n46,15,-5\n", r"row 3, field population: .*0 to 1e\+09"),
        ("latitude,longitude,population\n146,15,5\n", r"field latitude: .*'146'"),
        ("latitude,longitude,population\n46,nan,5\n", r"field longitude: .*'nan'"),
        ("latitude,longitude,population\n46,15\n", r"field population"),
        ("latitude,longitude,population\n", r"no places"),
        ("", r"column is missing"),
    ],
)
def test_bad_places_are_refused_with_row_and_field(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_places(places_file(tmp_path / "p.csv", text))


def test_missing_places_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="file not found"):
        read_places(tmp_path / "gone.csv")


def test_country_of_a_place_is_read_from_the_list(tmp_path):
    text = "population,longitude,latitude,countrycode\n5,15,46,si\n6,15,46,\n"
    assert [place.country for place in read_places(places_file(tmp_path / "p.csv", text))] == ["SI", ""]
    text = "population,longitude,latitude,country\n5,15,46,SVN\n"
    with pytest.raises(InputError, match=r"row 2, field country: not a country code.*'SVN'.*two letters"):
        read_places(places_file(tmp_path / "p.csv", text))


def test_places_of_a_country_without_polygon_are_told():
    places = [
        Settlement(15.0, 46.0, 5.0, "CC"),
        Settlement(15.0, 46.0, 2.0, "DD"),
        Settlement(15.0, 46.0, 9.0),
    ]
    (line,) = without_polygon(places, boundaries())
    assert "7 persons of 2 places in CC, DD" in line
    assert not list(without_polygon(places[2:], boundaries()))
    assert not list(without_polygon(places, boundaries(countries=(EVERYWHERE,), codes=("AA",))))
