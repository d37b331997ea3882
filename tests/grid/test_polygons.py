"""Boundary files: read in any CRS, and refused with file, field and what is there."""

from __future__ import annotations

import geopandas as gpd
import pytest
import shapely
from pyproj import Transformer

from pipeline.errors import InputError
from pipeline.grid.polygons import box_boundaries, project, read_boundaries
from tests.territory import world


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return world.write_boundaries(tmp_path_factory.mktemp("boundaries") / "b.gpkg")


def test_boundaries_name_countries_in_order_and_know_their_box(path):
    found = read_boundaries(path, ["AA"])
    assert found.codes == ("AA", "BB", "CC")
    assert found.home == ("AA",)
    assert found.known_box_deg == pytest.approx(world.BOX)
    assert found.territory.equals(world.HOME)


def test_box_cuts_the_territory_only(path):
    found = read_boundaries(path, ["AA"], bbox_deg=(14.0, 45.0, 14.4, 46.0))
    assert found.territory.bounds == pytest.approx((14.2, 45.7, 14.4, 46.0))
    assert found.countries[0].equals(world.HOME)


def test_several_home_codes_are_one_territory(path):
    found = read_boundaries(path, ["AA", "CC"])
    assert found.territory.area == pytest.approx(world.HOME.area + world.NORTH.area)


def test_file_in_a_projected_crs_gives_the_same_polygons(path, tmp_path):
    other = read_boundaries(world.write_boundaries(tmp_path / "p.gpkg", crs=world.CRS), ["AA"])
    assert other.territory.symmetric_difference(world.HOME).area < 1e-6 * world.HOME.area


def test_long_edges_bend_with_the_projection():
    wide = shapely.box(5.0, 60.0, 25.0, 61.0)
    projected = project([wide], "EPSG:3035")[0]
    x, y = Transformer.from_crs(4326, 3035, always_xy=True).transform(20.0, 60.0)
    # 60 N at 20 E lies on the edge; a straight chord would miss it by kilometres.
    assert projected.exterior.distance(shapely.Point(x, y)) < 1.0


def test_box_alone_is_land_of_home_everywhere():
    found = box_boundaries(["US"], (-90.0, 30.0, -88.0, 32.0))
    assert found.territory.equals(shapely.box(-90.0, 30.0, -88.0, 32.0))
    assert found.countries[0].contains(shapely.Point(-100, 40))


def test_box_at_sea_is_refused(tmp_path):
    file = world.write_world(tmp_path / "w.gpkg")
    with pytest.raises(InputError, match="territory is empty"):
        box_boundaries(["AA"], (14.0, 40.0, 15.0, 45.0), world=file)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.gpkg: file not found"):
        read_boundaries(tmp_path / "gone.gpkg", ["AA"])


def test_file_that_is_no_vector_file_is_refused(tmp_path):
    (tmp_path / "a.gpkg").write_text("nothing", encoding="utf-8")
    with pytest.raises(InputError, match="not a polygon file"):
        read_boundaries(tmp_path / "a.gpkg", ["AA"])


def test_missing_layer_is_refused_with_those_there_are(path):
    with pytest.raises(InputError, match=r"no such layer.*'borders'.*countries, land"):
        read_boundaries(path, ["AA"], countries_layer="borders")


def test_missing_attribute_is_refused_with_those_there_are(path):
    with pytest.raises(InputError, match=r"no such attribute.*'iso3'.*iso2"):
        read_boundaries(path, ["AA"], country_field="iso3")


def test_home_that_is_not_in_the_file_is_refused(path):
    with pytest.raises(InputError, match=r"home.*'XX'.*AA, BB, CC"):
        read_boundaries(path, ["XX"])


def test_territory_outside_the_box_is_refused(path):
    with pytest.raises(InputError, match="territory is empty"):
        read_boundaries(path, ["AA"], bbox_deg=(0.0, 0.0, 1.0, 1.0))


def test_file_without_crs_is_refused(tmp_path):
    file = tmp_path / "a.gpkg"
    gpd.GeoDataFrame({"iso2": ["AA"]}, geometry=[world.HOME]).to_file(file, layer="countries", driver="GPKG")
    with pytest.raises(InputError, match="no coordinate reference system"):
        read_boundaries(file, ["AA"], land_layer=None)


def test_lines_instead_of_polygons_are_refused(tmp_path):
    file = tmp_path / "a.gpkg"
    frame = gpd.GeoDataFrame({"iso2": ["AA"]}, geometry=[shapely.LineString(world.HOME.exterior)], crs=4326)
    frame.to_file(file, layer="countries", driver="GPKG")
    with pytest.raises(InputError, match=r"row 1.*not a polygon.*LineString"):
        read_boundaries(file, ["AA"], land_layer=None)


def test_empty_layer_is_refused(tmp_path):
    file = tmp_path / "a.gpkg"
    frame = gpd.GeoDataFrame({"iso2": ["AA"]}, geometry=[world.HOME], crs=4326).iloc[:0]
    frame.to_file(file, layer="countries", driver="GPKG", geometry_type="Polygon")
    with pytest.raises(InputError, match="empty"):
        read_boundaries(file, ["AA"], land_layer=None)


def test_self_crossing_polygon_is_repaired(tmp_path):
    file = tmp_path / "a.gpkg"
    bow = shapely.Polygon([(14, 45), (15, 46), (15, 45), (14, 46)])
    frame = gpd.GeoDataFrame({"iso2": ["AA"]}, geometry=[bow], crs=4326)
    frame.to_file(file, layer="countries", driver="GPKG")
    assert read_boundaries(file, ["AA"], land_layer=None).territory.area == pytest.approx(0.5)
