"""The files of data/slovenia are what data/README.md says they are."""

import csv
import hashlib
import re

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import rasterio
import shapely


@pytest.fixture(scope="module")
def folder(repository):
    return repository / "data" / "slovenia"


@pytest.fixture(scope="module")
def stations(folder):
    with (folder / "transmitters.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_input_is_listed_with_its_checksum(repository, folder):
    readme = (repository / "data" / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([^`]+\.\w+)` \|.*`([0-9a-f]{64})` \|$", readme, flags=re.MULTILINE))
    measured = repository / "data/validation/benin/measurements.csv"
    files = {path.name: path for path in folder.iterdir() if path.suffix != ".py"} | {
        "benin/measurements.csv": measured
    }
    assert listed == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_network_has_the_size_and_the_features_described(stations):
    home = [row for row in stations if row["id"].startswith("SI")]
    assert (len(stations), len(home)) == (66, 41)
    assert (len({row["site"] for row in stations}), len({row["site"] for row in home})) == (36, 23)
    networks = {"SI-A-WEST", "SI-A-EAST", "SI-B-WEST", "SI-B-EAST"}
    assert {row["sfn"] for row in home} == networks | {""}
    assert {row["country"] for row in stations} == {"SI", "IT", "AT", "HR", "HU", ""}
    for network in networks:
        assert len({row["channel"] for row in home if row["sfn"] == network}) == 1
    assert {row["channel"] for row in home} & {row["channel"] for row in stations if row not in home}
    assert all(21 <= int(row["channel"]) <= 48 and 0.5 <= float(row["erp_kw"]) <= 50 for row in stations)


def test_modes_are_those_of_the_table_of_modes(repository, stations):
    with (repository / "configs" / "tables" / "modes.csv").open(encoding="utf-8", newline="") as lines:
        known = {(row["system"], row["mode"]) for row in csv.DictReader(lines)}
    used = {(row["system"], row["multiplex_mode"]) for row in stations if row["multiplex_mode"]}
    assert used <= known
    assert len(used) >= 5


def test_sites_lie_in_their_country(folder, stations):
    countries = gpd.read_file(folder / "boundaries_ne10m.gpkg", layer="countries")
    for row in stations:
        site = shapely.Point(float(row["lon"]), float(row["lat"]))
        assert countries[countries.contains(site)]["iso2"].tolist() == [row["country"] or "SI"], row["site"]


def test_heights_of_sites_agree_with_the_terrain(folder, stations):
    with rasterio.open(folder / "dem_globe_30s.tif") as source:
        heights_m = source.read(1)
        for row in stations:
            i, j = source.index(float(row["lon"]), float(row["lat"]))
            around_m = heights_m[i - 2 : i + 3, j - 2 : j + 3]
            assert abs(float(row["site_height_asl_m"]) - around_m.max()) <= 250, row["site"]


def test_world_clip_reaches_1100_km_beyond_slovenia(folder):
    world = gpd.read_file(folder / "world_clip_ne10m.gpkg", layer="countries")
    assert world.is_valid.all()
    assert len(world) == 41
    assert world["iso2"].is_unique
    home = world[world["iso2"] == "SI"].geometry.iloc[0]
    edge = shapely.segmentize(shapely.box(-2, 35, 32, 57.5).exterior, 0.25)
    assert shapely.box(*world.total_bounds).covers(shapely.box(-1.99, 35.01, 31.99, 57.49))
    geod = pyproj.Geod(ellps="WGS84")
    border = np.array(shapely.get_coordinates(home))[::20]
    for x, y in shapely.get_coordinates(edge):
        distance_m = geod.inv(np.full(len(border), x), np.full(len(border), y), border[:, 0], border[:, 1])[2]
        assert distance_m.min() >= 1_100_000


@pytest.mark.shared_data
def test_world_clip_is_the_world_cut_at_the_box(folder, shared):
    world = gpd.read_file(shared / "data" / "world" / "countries_ne10m.gpkg").set_index("name").geometry
    clip = gpd.read_file(folder / "world_clip_ne10m.gpkg").set_index("name").geometry.sort_index()
    box = shapely.box(-2, 35, 32, 57.5)
    expected = world[world.intersects(box)].intersection(box).sort_index()
    assert clip.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(shapely.area(clip.to_numpy()), shapely.area(expected.to_numpy()), rtol=1e-12)
