"""Statistics by region against a count of single pixels, and what is refused of a file of regions."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Geod, Transformer

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.plan.dependencies import settings_of
from pipeline.plan.plan import load_plan
from pipeline.plan.run_files import published_files
from pipeline.plan.territory_file import load_config
from pipeline.rows.text_records import own_rows
from pipeline.territory.regions import project_regions, read_regions, region_index
from pipeline.workflow.validate import validate_command
from tests.jobs import run_from

GRID = Grid("EPSG:3794", 500.0, 423_000.0, 117_500.0, 44, 47)
TO_LONLAT = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
BOX = shapely.box(14.0, 46.0, 14.3, 46.2)
TABLE = "public/statistics_by_region.csv"
# Two parts of one region, a triangle, a square beyond the territory; the rest is elsewhere.
WEST = [shapely.box(13.9, 45.9, 14.1, 46.1), shapely.box(13.9, 46.15, 14.1, 46.3)]
TRIANGLE = shapely.Polygon([(14.15, 46.02), (14.28, 46.05), (14.2, 46.17)])
FAR = shapely.box(15.0, 46.0, 15.2, 46.2)
FOUR = {"name": ["West", "West", "Kot ž", "Far"], "geometry": [*WEST, TRIANGLE, FAR]}


def write_regions(path: Path, columns: dict[str, list], **options: str) -> Path:
    gpd.GeoDataFrame(columns, crs="EPSG:4326").to_file(path, **options)
    return path


def with_regions(config: Path, name: str, more: str = "") -> Path:
    config.write_text(config.read_text() + f"report: {{regions: {{path: {name}{more}}}}}\n")
    return config


@pytest.fixture
def counted(tiny: Path) -> Path:
    """The tiny territory with regions, people, and random counts on every third level."""
    chance = np.random.default_rng(5)
    write_regions(tiny.parent / "regions.gpkg", FOUR)
    (tiny.parent / "places.csv").write_text("latitude,longitude,population\n46.1,14.1,10\n")
    with_regions(tiny, "regions.gpkg")
    tiny.write_text(tiny.read_text() + "population: {places: places.csv}\n")
    build, shape = load_plan(tiny).build, (GRID.height, GRID.width)
    outside = ~shapely.contains_xy(BOX, *centres_deg())
    for level in ("0", "20", "36"):
        count = chance.integers(0, 11, shape).astype(np.uint8)
        count[outside] = 255
        write(build / f"public/available_channels_fixed30_{level}dbm.tif", count, 255)
    people = (chance.random(shape) * 40.0).astype(np.float32)
    people[outside] = np.nan
    write(build / "territory/population.tif", people, None)
    return tiny


def write(path: Path, values: np.ndarray, nodata: int | None) -> None:
    layer = raster.make_array(values, GRID, units="", long_name="test", nodata=nodata)
    path.parent.mkdir(parents=True, exist_ok=True)
    raster.write(path, layer, tags={}, publish=False)


@cache
def centres_deg() -> tuple[np.ndarray, np.ndarray]:
    x_m = GRID.west_m + 500.0 * (np.arange(GRID.width) + 0.5)
    y_m = GRID.north_m - 500.0 * (np.arange(GRID.height) + 0.5)
    return TO_LONLAT.transform(*np.meshgrid(x_m, y_m))


@cache
def pixel_km2(row: int, col: int) -> float:
    """Area of one pixel as a polygon on the ellipsoid."""
    west_m, north_m = GRID.west_m + 500.0 * col, GRID.north_m - 500.0 * row
    square = np.array([[0, 0], [0, -500], [500, -500], [500, 0]])
    corners = square + np.array((west_m, north_m))
    area_m2, _ = Geod(ellps="WGS84").polygon_area_perimeter(*TO_LONLAT.transform(*corners.T))
    return abs(area_m2) / 1e6


def by_hand(build: Path, level: str) -> dict[str, list[tuple[int, float, float]]]:
    """(channels, km2, persons) of all pixels of each region, one pixel after the other."""
    count = raster.read(build / f"public/available_channels_fixed30_{level}dbm.tif").values
    people = raster.read(build / "territory/population.tif").values
    lon, lat = centres_deg()
    found: dict[str, list[tuple[int, float, float]]] = {}
    for row, col in np.argwhere(count != 255):
        point = shapely.Point(lon[row, col], lat[row, col])
        inside = {"West": any(part.contains(point) for part in WEST), "Kot ž": TRIANGLE.contains(point)}
        name = next((name for name, holds in inside.items() if holds), "elsewhere")
        pixel = (int(count[row, col]), pixel_km2(row, col), float(people[row, col]))
        for key in (name, "total"):
            found.setdefault(key, []).append(pixel)
    return found


def test_table_is_that_of_single_pixels(counted: Path) -> None:
    build = load_plan(counted).build
    run_from("regions", counted, build)
    table = pd.read_csv(build / TABLE)
    assert table["region"].tolist() == 3 * ["Kot ž", "West", "elsewhere", "total"]
    assert set(table["device"]) == {"fixed30"}
    for level in ("0", "20", "36"):
        expected = by_hand(build, level)
        for name, pixels in expected.items():
            (row,) = table[(table.region == name) & (table.level_dbm == float(level))].to_dict("records")
            count, km2, persons = np.array(pixels).T
            assert row["area_km2"] == pytest.approx(km2.sum(), rel=1e-4)
            assert row["population"] == pytest.approx(persons.sum(), rel=1e-5)
            assert row["channels_mean"] == pytest.approx((count * km2).sum() / km2.sum(), abs=1e-3)
            # Pixels differ in size by 1e-4 here, so that the middle pixel holds the middle of the area.
            assert row["channels_median"] == np.median(count)
            for n in (1, 5, 10):
                share_pct = 100.0 * km2[count >= n].sum() / km2.sum()
                assert row[f"area_at_least_{n}_pct"] == pytest.approx(share_pct, abs=1e-2)
                share_pct = 100.0 * persons[count >= n].sum() / persons.sum()
                assert row[f"population_at_least_{n}_pct"] == pytest.approx(share_pct, abs=1e-2)


def test_name_of_a_region_is_no_formula_and_is_read_as_it_was(counted: Path) -> None:
    name = '=HYPERLINK("http://x.example","West")'
    write_regions(counted.parent / "regions.gpkg", {"name": [name], "geometry": [BOX.buffer(0.1)]})
    build = load_plan(counted).build
    run_from("regions", counted, build)
    lines = (build / TABLE).read_text().splitlines()
    assert any('"\'=HYPERLINK(""http' in line for line in lines)
    assert not any(cell.startswith("=") for line in csv.reader(lines) for cell in line)
    assert name in {row["region"] for row in own_rows(build / TABLE)}


def test_table_without_people_and_without_gaps_says_so(counted: Path) -> None:
    write_regions(counted.parent / "regions.gpkg", {"name": ["All"], "geometry": [BOX.buffer(0.1)]})
    counted.write_text(counted.read_text().replace("population: {places: places.csv}\n", ""))
    build = load_plan(counted).build
    run_from("regions", counted, build)
    table = pd.read_csv(build / TABLE)
    assert table["region"].tolist() == 3 * ["All", "total"]
    assert table.filter(like="population").isna().all(axis=None)
    assert table["area_km2"].nunique() == 1


def test_region_does_not_depend_on_format_or_crs(counted: Path) -> None:
    build = load_plan(counted).build
    texts = set()
    for name, crs in [("regions.gpkg", 4326), ("r.geojson", 4326), ("r.shp", 4326), ("p.gpkg", 3794)]:
        # Dense, so that edges stay where they are in another CRS.
        frame = gpd.GeoDataFrame(FOUR, crs="EPSG:4326")
        frame.geometry = frame.geometry.segmentize(0.002)
        frame.to_crs(crs).to_file(counted.parent / name)
        counted.write_text(counted.read_text().replace("report:", "# report:"))
        run_from("regions", with_regions(counted, name), build)
        texts.add((build / TABLE).read_bytes())
    assert len(texts) == 1


def test_table_is_published_only_with_regions(tiny: Path) -> None:
    assert TABLE not in published_files(load_plan(tiny))
    before = settings_of(load_plan(tiny), "regions")
    write_regions(tiny.parent / "regions.geojson", FOUR)
    plan = load_plan(with_regions(tiny, "regions.geojson"))
    assert TABLE in published_files(plan)
    first = settings_of(plan, "regions")
    write_regions(tiny.parent / "regions.geojson", FOUR | {"name": ["W", "W", "T", "F"]})
    assert len({before, first, settings_of(load_plan(tiny), "regions")}) == 3
    assert settings_of(plan, "availability") == settings_of(load_plan(tiny), "availability")


def test_renamed_region_of_a_shapefile_is_another_input(tiny: Path) -> None:
    """The names stand in the .dbf beside the .shp."""
    write_regions(tiny.parent / "r.shp", FOUR)
    plan = load_plan(with_regions(tiny, "r.shp"))
    first = settings_of(plan, "regions")
    write_regions(tiny.parent / "r.shp", FOUR | {"name": ["W", "W", "T", "F"]})
    assert settings_of(load_plan(tiny), "regions") != first


REFUSED = {
    "unknown field": ({"geometry": [TRIANGLE], "title": ["x"]}, "name_field.*title"),
    "no name": ({"geometry": [TRIANGLE, FAR], "name": ["x", " "]}, "row 2, field name: region has no name"),
    "name of a row": ({"geometry": [TRIANGLE], "name": ["elsewhere"]}, "elsewhere"),
    "number": ({"geometry": [TRIANGLE], "name": [7]}, "no name.*allowed: a text"),
    "far away": ({"geometry": [FAR], "name": ["x"]}, "no region touches the territory"),
    "line": ({"geometry": [shapely.LineString(TRIANGLE.exterior.coords)], "name": ["x"]}, "not a polygon"),
    "character": (
        {"geometry": [TRIANGLE], "name": ["a\x0b"]},
        "row 1, field name: holds the character U.000B",
    ),
    "overlap": (
        {"geometry": [WEST[0], shapely.box(14.0, 46.0, 14.2, 46.1)], "name": ["a", "b"]},
        "regions overlap; found 'a and b by 50 %",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_regions_are_refused_before_anything_is_computed(tiny: Path, case: str) -> None:
    columns, message = REFUSED[case]
    write_regions(tiny.parent / "regions.gpkg", columns)
    with pytest.raises(InputError, match=f"regions.gpkg.*{message}"):
        validate_command(with_regions(tiny, "regions.gpkg"))


def test_missing_file_layer_and_key_are_refused(tiny: Path) -> None:
    plain = tiny.read_text()
    with pytest.raises(InputError, match=r"report.regions.path.*does not exist"):
        validate_command(with_regions(tiny, "none.gpkg"))
    for layer in ("a", "b"):
        write_regions(tiny.parent / "two.gpkg", FOUR, layer=layer)
    tiny.write_text(plain)
    with pytest.raises(InputError, match=r"which layer.*allowed: a, b"):
        validate_command(with_regions(tiny, "two.gpkg"))
    tiny.write_text(plain)
    validate_command(with_regions(tiny, "two.gpkg", ", layer: b"))
    tiny.write_text(plain)
    with pytest.raises(InputError, match="name_feild"):
        load_config(with_regions(tiny, "two.gpkg", ", name_feild: x"))


def test_sliver_goes_to_the_first_name(tiny: Path) -> None:
    lon, lat = centres_deg()
    edge_deg = float(lon[20, 15])  # some pixel's centre is in both
    neighbours = [
        shapely.box(14.0, 46.0, edge_deg + 3e-4, 46.2),
        shapely.box(edge_deg - 3e-4, 46.0, 14.3, 46.2),
    ]
    write_regions(tiny.parent / "regions.gpkg", {"name": ["b", "a"], "geometry": neighbours})
    settings = load_config(with_regions(tiny, "regions.gpkg")).report.regions
    assert settings is not None
    regions = read_regions(settings, BOX)
    assert regions.names == ("a", "b")
    index = region_index(project_regions(regions, GRID), GRID, slice(0, GRID.height))
    inside = shapely.contains_xy(BOX, lon, lat)
    np.testing.assert_array_equal(index[inside], (lon < edge_deg - 3e-4)[inside])
    assert (index[lon < 13.99] == 2).all()


def test_validate_names_the_regions(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_regions(tiny.parent / "regions.gpkg", FOUR)
    validate_command(with_regions(tiny, "regions.gpkg"))
    assert "regions       2 that touch the territory: Kot ž, West" in capsys.readouterr().out


def test_schema_documents_the_regions(repository: Path) -> None:
    schema = json.loads((repository / "configs/schema.json").read_text())
    assert set(schema["$defs"]["Regions"]["properties"]) == {"path", "layer", "name_field"}
