"""Land, borders and places below the layers."""

from __future__ import annotations

from pathlib import Path

import shapely
from shapely.geometry import shape

from pipeline.grid.polygons import Boundaries
from pipeline.publish.web.boundaries import boundary_features, place_features, view_box_deg

WEST, EAST = shapely.box(10.0, 45.0, 12.0, 47.0), shapely.box(12.0, 45.0, 14.0, 47.0)
VIEW = (9.0, 44.0, 15.0, 48.0)


def boundaries(**changed: object) -> Boundaries:
    """Two neighbours that fill the file's box; beyond it, the world file knows land in the south."""
    facts = {
        "codes": ("AA", "BB"),
        "countries": (WEST, EAST),
        "home": ("AA",),
        "land": (WEST, EAST),
        "known_box_deg": (10.0, 45.0, 14.0, 47.0),
        "world_land": (shapely.box(0.0, 40.0, 30.0, 46.0),),
        "territory": WEST,
    }
    return Boundaries(**(facts | changed))  # type: ignore[arg-type]


def drawn(kind: str, found: Boundaries) -> shapely.Geometry:
    features = boundary_features(found, VIEW, 200.0)
    return shapely.union_all([shape(f["geometry"]) for f in features if f["properties"]["kind"] == kind])


def test_land_beyond_the_file_is_that_of_the_world() -> None:
    expected = shapely.union_all([WEST, EAST, shapely.box(9.0, 44.0, 15.0, 46.0)])
    assert shapely.equals(drawn("land", boundaries()), expected)
    assert shapely.equals(drawn("land", boundaries(world_land=None)), shapely.union(WEST, EAST))
    with_sea = drawn("land", boundaries(land=(WEST,)))
    assert shapely.equals(with_sea, shapely.difference(expected, EAST)), (
        "what the file knows as sea stays sea"
    )


def test_borders_leave_out_the_edges_of_the_file() -> None:
    border = drawn("border", boundaries())
    assert border.length == shapely.LineString([(12, 45), (12, 47)]).length
    assert drawn("border", boundaries(known_box_deg=None)).length > 10


def test_borders_beyond_the_file_are_those_of_the_world() -> None:
    """Of two countries in the south the part within the file's box counts nothing, nor where they end."""
    south = (shapely.box(0.0, 40.0, 11.0, 46.0), shapely.box(11.0, 40.0, 30.0, 46.0))
    expected = shapely.MultiLineString([[(12, 45), (12, 47)], [(11, 44), (11, 45)]])
    assert shapely.equals(drawn("border", boundaries(world_land=south)), expected)
    alone = drawn("border", boundaries(world_land=south, countries=(), known_box_deg=None))
    assert shapely.equals(alone, shapely.LineString([(11, 44), (11, 46)]))


def test_territory_is_outlined_whole() -> None:
    assert drawn("home_border", boundaries()).length == 8.0
    assert shapely.equals(drawn("territory", boundaries()), WEST)


def test_largest_places_in_the_view_have_names(tmp_path: Path) -> None:
    path = tmp_path / "places.csv"
    rows = [
        "name,latitude,longitude,population",
        "Small,46.0,11.0,10",
        "Big,46.5,13.123456,9000",
        "Away,10.0,11.0,99999",
        ",46.0,11.5,500",
    ]
    path.write_text("\n".join(rows), encoding="utf-8")
    found = place_features(path, VIEW, WEST)
    names = [(f["properties"]["name"], f["properties"]["rank"], f["properties"]["home"]) for f in found]
    assert names == [("Big", 0, False), ("Small", 1, True)]
    assert found[0]["geometry"]["coordinates"] == [13.12346, 46.5]
    path.write_text("latitude,longitude,population\n46.0,11.0,10", encoding="utf-8")
    assert place_features(path, VIEW, WEST) == []
    assert place_features(None, VIEW, WEST) == []


def test_places_of_the_territory_stay_beside_larger_ones(tmp_path: Path) -> None:
    rows = ["name,latitude,longitude,population", "Home,46.0,11.0,1", "Abroad,46.0,13.5,2"]
    rows += [f"City {n},46.0,13.0,{1000 + n}" for n in range(150)]
    (tmp_path / "places.csv").write_text("\n".join(rows), encoding="utf-8")
    found = place_features(tmp_path / "places.csv", VIEW, WEST)
    assert [f["properties"]["name"] for f in found[-2:]] == ["City 0", "Home"]
    assert [f["properties"]["rank"] for f in found] == list(range(151))


def test_view_has_room_around_the_territory() -> None:
    assert view_box_deg((10.0, 45.0, 14.0, 47.0)) == (7.0, 42.0, 17.0, 50.0)
    assert view_box_deg((10.0, 84.0, 10.1, 84.9))[3] == 85.0
