"""Countries of sites: squares whose owner is plain, and the default territory's own files."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from pipeline.registers.transmitters import country_of, fill_countries, read_transmitters, summary
from tests.channel_plans import named_plan


@pytest.fixture
def squares() -> gpd.GeoDataFrame:
    shapes = [shapely.box(10, 45, 11, 46), shapely.box(11, 45, 12, 46), shapely.box(13, 45, 14, 46)]
    return gpd.GeoDataFrame({"code": ["AA", "BB", None]}, geometry=shapes, crs="EPSG:4326")


def test_site_belongs_to_the_polygon_around_it(squares):
    assert country_of([10.5, 11.5], [45.5, 45.5], squares, "code").tolist() == ["AA", "BB"]


def test_site_on_a_border_belongs_to_the_country_listed_first(squares):
    assert country_of([11.0], [45.5], squares, "code").tolist() == ["AA"]
    assert country_of([11.0], [45.5], squares.iloc[::-1], "code").tolist() == ["BB"]


def test_site_just_off_the_shore_belongs_to_the_nearest_country(squares):
    # At 45.5 degrees north 5 km are 0.0641 degrees of longitude (WGS84).
    found = country_of([12.06, 12.07, 10.5, 10.5], [45.5, 45.5, 44.957, 44.950], squares, "code")
    assert found.tolist() == ["BB", "", "AA", ""]


def test_polygons_without_a_code_own_nothing(squares):
    assert country_of([13.5], [45.5], squares, "code").tolist() == [""]


def test_projected_polygons_give_the_same_countries(squares):
    assert country_of([10.5], [45.5], squares.to_crs("EPSG:3035"), "code").tolist() == ["AA"]


def test_no_sites_give_no_countries(squares):
    assert country_of([], [], squares, "code").shape == (0,)


def test_empty_countries_are_filled_and_counted(repository):
    folder = repository / "data" / "slovenia"
    dataset, _ = read_transmitters([folder / "transmitters.csv"], named_plan("8MHz"), lenient=False)
    empty = dataset["country"].to_numpy() == ""
    assert summary(dataset)["country_from_polygon"] == empty.sum() == 7
    countries = gpd.read_file(folder / "boundaries_ne10m.gpkg", layer="countries")
    filled = fill_countries(dataset, countries, "iso2")
    assert set(filled["country"].to_numpy()[empty]) == {"SI"}
    np.testing.assert_array_equal(filled["country_from_polygon"], empty)
    counts = summary(filled)
    assert (counts["country_from_polygon"], counts["country_unknown"]) == (7, 0)
    assert summary(fill_countries(dataset, countries.iloc[:0], "iso2"))["country_unknown"] == 7
