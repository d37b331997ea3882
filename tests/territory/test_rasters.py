"""The stage from a territory file to its rasters, and what it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
import world
import yaml
from pyproj import Geod

from pipeline.errors import InputError
from pipeline.grid import foreign_rasters, raster
from tests.jobs import run_from

PLACES = "latitude,longitude,population\n45.9,14.4,20000\n46.2,14.3,3000\n"
LAYERS = ("surface", "country", "coastal", "reach", "sea", "border", "neighbours", "population", "density")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    world.write_boundaries(folder / "b.gpkg")
    world.write_world(folder / "w.gpkg")
    (folder / "places.csv").write_text(PLACES, encoding="utf-8")
    return folder


def write_config(repository: Path, inputs: Path, path: Path, **sections) -> Path:
    """The default territory file with this folder's boundaries; ``sections`` replace keys of sections."""
    content = yaml.safe_load((repository / "configs" / "slovenia.yaml").read_text(encoding="utf-8"))
    content["territory"] |= {
        "home": ["AA"],
        "polygons": {"path": str(inputs / "b.gpkg")},
        "world": str(inputs / "w.gpkg"),
    }
    content["grid"] = {"crs": "EPSG:3794", "resolution_m": 500.0}
    content["population"] = {"places": str(inputs / "places.csv")}
    content["terrain"], content["protection"] = {}, {}
    content["registers"] = {"transmitters": [str(repository / "data" / "slovenia" / "transmitters.csv")]}
    for name, keys in sections.items():
        content[name] = (content.get(name) or {}) | keys
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def built(repository, inputs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    run_from("territory", write_config(repository, inputs, folder / "c.yaml"), folder / "build", threads=2)
    return folder / "build" / "territory"


def test_all_files_lie_on_one_grid(built):
    names = sorted(path.name for path in built.iterdir())
    others = ["countries.json", "land_lonlat.tif", "population.json", "repairs.json"]
    assert names == sorted([*(f"{name}.tif" for name in LAYERS), *others])
    grids = {raster.read_grid(built / f"{name}.tif") for name in LAYERS}
    assert len(grids) == 1
    dtypes = [rasterio.open(built / f"{name}.tif").dtypes[0] for name in LAYERS]
    assert dtypes == ["uint8", "uint8", "uint8", "uint8", "uint8", "float32", "float32", "float32", "float32"]


def test_country_indexes_are_those_of_the_list(built):
    codes = json.loads((built / "countries.json").read_text(encoding="utf-8"))
    assert codes == ["AA", "BB", "CC"]
    surface, country = (raster.read(built / f"{name}.tif").values for name in ("surface", "country"))
    assert set(np.unique(country[surface == 1])) == {1}
    assert set(np.unique(country[surface == 2])) == {0, 2, 3}
    assert set(np.unique(country[surface == 0])) == {0}


def test_place_lands_in_its_pixel_when_another_program_reads_it(built):
    """Guards against a mirrored or shifted map: asked by projected coordinates through GDAL."""
    with rasterio.open(built / "population.tif") as source:
        x, y = rasterio.warp.transform("EPSG:4326", source.crs, [14.4, 14.3, 14.4], [45.9, 46.2, 46.1])
        town, village, nobody = (value[0] for value in source.sample(zip(x, y, strict=True)))
        assert source.units == ("persons",)
        assert source.read(1).sum(dtype=float) == pytest.approx(23_000.0, rel=1e-6)
    # Equal parts on the pixels of the disc that holds a place at 2000 per km2; the areas differ by 1e-5.
    assert town == pytest.approx(20_000.0 / pixels_within(built, 14.4, 45.9, 20_000.0), rel=1e-4)
    assert village == pytest.approx(3_000.0 / pixels_within(built, 14.3, 46.2, 3_000.0), rel=1e-4)
    assert nobody == 0.0


def pixels_within(built, lon_deg: float, lat_deg: float, persons: float) -> int:
    """Pixel centres in the disc of a place inland."""
    lon, lat = raster.read_grid(built / "population.tif").lonlat_deg()
    place = np.full(lon.shape, lon_deg), np.full(lon.shape, lat_deg)
    distance_m = Geod(ellps="WGS84").inv(*place, lon, lat)[2]
    return int((distance_m <= 1000.0 * math.sqrt(persons / 2000.0 / math.pi)).sum())


def test_people_are_counted_by_country(built):
    accounts = json.loads((built / "population.json").read_text(encoding="utf-8"))
    total = {name: sum(account[name] for account in accounts.values()) for name in ("listed", "on_grid")}
    assert total["on_grid"] == pytest.approx(23_000.0)
    assert total["listed"] == sum(float(row.split(",")[2]) for row in PLACES.splitlines()[1:])


def test_land_mask_covers_all_transmitters(built, repository):
    land = foreign_rasters.read_external(built / "land_lonlat.tif")
    place = land.attrs["transform"]
    rows = (repository / "data" / "slovenia" / "transmitters.csv").read_text(encoding="utf-8").splitlines()
    header = rows[0].split(",")
    for row in rows[1:]:
        lon, lat = (float(row.split(",")[header.index(name)]) for name in ("lon", "lat"))
        col, line = ~place @ (lon, lat)
        assert 0 <= col < land.shape[1]
        assert 0 <= line < land.shape[0]


def test_second_run_writes_the_same_bytes(repository, inputs, built, tmp_path):
    run_from(
        "territory", write_config(repository, inputs, tmp_path / "c.yaml"), tmp_path / "build", threads=1
    )
    for path in sorted(built.iterdir()):
        assert (tmp_path / "build" / "territory" / path.name).read_bytes() == path.read_bytes(), path.name


def test_wider_margin_adds_pixels_and_changes_none(repository, inputs, built, tmp_path):
    config = write_config(
        repository,
        inputs,
        tmp_path / "c.yaml",
        grid={"crs": "EPSG:3794", "resolution_m": 500.0, "margin_km": 120.0},
    )
    run_from("territory", config, tmp_path / "build")
    small, large = (
        raster.read(folder / "surface.tif") for folder in (built, tmp_path / "build" / "territory")
    )
    a, b = small.attrs["grid"], large.attrs["grid"]
    row, col = round((b.north_m - a.north_m) / 500), round((a.west_m - b.west_m) / 500)
    assert row > 0
    assert col > 0
    np.testing.assert_array_equal(large.values[row : row + a.height, col : col + a.width], small.values)


def margin_of(folder: Path, box_lon_lat: tuple[float, float]) -> float:
    """Distance in km from a point of the territory's west edge to the west edge of the grid."""
    grid = raster.read_grid(folder / "territory" / "surface.tif")
    x_m = rasterio.warp.transform("EPSG:4326", grid.crs, [box_lon_lat[0]], [box_lon_lat[1]])[0][0]
    return (x_m - grid.west_m) / 1000.0


def test_margin_reaches_over_the_sea_only_where_there_is_one(repository, inputs, built, tmp_path):
    """About 70-80 km where victims may be coastal, 32-40 km on land (docs/method.md, section 10)."""
    inland = write_config(
        repository,
        inputs,
        tmp_path / "c.yaml",
        territory={"home": ["AA"], "polygons": None, "world": None, "bbox_deg": [14.2, 45.7, 14.6, 46.1]},
    )
    run_from("territory", inland, tmp_path / "build")
    assert 60.0 < margin_of(built.parent, (14.2, 45.9)) < 90.0
    assert 30.0 < margin_of(tmp_path / "build", (14.2, 45.9)) < 45.0
    given = write_config(
        repository,
        inputs,
        tmp_path / "d.yaml",
        territory={"home": ["AA"], "polygons": None, "world": None, "bbox_deg": [14.2, 45.7, 14.6, 46.1]},
        grid={"margin_km": 50.0},
    )
    run_from("territory", given, tmp_path / "given")
    assert margin_of(tmp_path / "given", (14.2, 45.9)) == pytest.approx(50.0, abs=2.0)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"grid": {"margin_km": 50.0}}, r"field margin_km: margin is smaller.*found 50\.0"),
        ({"grid": {"margin_km": 5.0}}, r"c\.yaml, grid, field margin_km: margin is smaller.*found 5\.0"),
        ({"grid": {"crs": "EPSG:4326"}}, r"c\.yaml, grid, field crs: CRS is not projected"),
        ({"grid": {"crs": "EPSG:999999"}}, r"unknown coordinate reference system; found 'EPSG:999999'"),
        ({"grid": {"resolution_m": 0.0}}, r"grid\.resolution_m: .*found 0\.0"),
        ({"territory": {"home": ["XX"]}}, r"home is not in the boundaries; found 'XX'; allowed: AA, BB, CC"),
        ({"territory": {"bbox_deg": [0.0, 0.0, 1.0, 1.0]}}, r"territory is empty"),
        ({"territory": {"polygons": {"path": "gone.gpkg"}}}, r"gone\.gpkg: file not found"),
        ({"territory": {"world": "gone.gpkg"}}, r"gone\.gpkg: file not found"),
        ({"population": {"places": "gone.csv"}}, r"gone\.csv: file not found"),
    ],
)
def test_bad_territory_is_refused(repository, inputs, tmp_path, sections, message):
    config = write_config(repository, inputs, tmp_path / "c.yaml", **sections)
    with pytest.raises(InputError, match=message):
        run_from("territory", config, tmp_path / "build")
    assert not (tmp_path / "build").exists()
