"""A small territory computed whole and in two parts: one map, pixel by pixel, and files for its readers.

What is expected are the published files of the whole run.
"""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from pipeline.publish.web import web_files
from pipeline.studies import joined_web
from pipeline.studies.joined_maps import join_command
from tests.publish.test_qgis import needs_qgis, probed
from tests.publish.test_stac import schema_errors
from tests.tiny import CONFIG, STATIONS, write_register
from tests.workflow.test_full_run import run

pytestmark = pytest.mark.slow
BOX = "[14.0, 46.0, 14.3, 46.2]"
BOXES = {"tiny": BOX, "tiny-1-1": "[14.0, 46.0, 14.15, 46.2]", "tiny-1-2": "[14.15, 46.0, 14.3, 46.2]"}
PARTS = ("tiny-1-1", "tiny-1-2")
SECRET = "secretary"
LEVELS, CHANNELS = (0, 20, 36), (22, 25)
PUBLISHED = [
    *(f"max_eirp_fixed30_ch{channel}" for channel in CHANNELS),
    *(f"limiting_service_fixed30_ch{channel}" for channel in CHANNELS),
    *(f"eval_flags_fixed30_ch{channel}" for channel in CHANNELS),
    *(f"availability_fixed30_{level}dbm" for level in LEVELS),
    *(f"available_channels_fixed30_{level}dbm" for level in LEVELS),
]


def write_territory(folder: Path) -> None:
    """Three countries; the parts meet within the home land. A closed area whose name is protected."""
    countries = {
        "SI": (13.9, 45.9, 14.4, 46.3),
        "IT": (13.0, 45.5, 13.9, 46.8),
        "AT": (13.9, 46.3, 15.5, 47.0),
    }
    frames = {
        "countries": gpd.GeoDataFrame(
            {"iso2": list(countries)}, geometry=[shapely.box(*box) for box in countries.values()], crs=4326
        ),
        "land": gpd.GeoDataFrame(geometry=[shapely.box(12.5, 45.7, 16.5, 47.5)], crs=4326),
    }
    for name, frame in frames.items():
        frame.to_file(folder / "land.gpkg", layer=name, driver="GPKG")
    area = gpd.GeoDataFrame(
        {"channels": ["25"], "reason": [SECRET]}, geometry=[shapely.box(14.12, 46.05, 14.2, 46.1)], crs=4326
    )
    area.to_file(folder / f"{SECRET}.gpkg", driver="GPKG")
    write_register(folder / "register.csv", STATIONS)
    text = CONFIG.replace('wsd: ["21-30"]', "wsd: [22, 25]").replace(
        "[register.csv]", "[register.csv], accept: [E]"
    )
    text = text.replace("  home: [SI]", "  home: [SI]\n  polygons: {path: land.gpkg}")
    text += f"areas: {{exclusions: [{SECRET}.gpkg]}}\n"
    for name, box in BOXES.items():
        (folder / f"{name}.yaml").write_text(text.replace(BOX, box), encoding="utf-8")


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """The folder with the results of all three, and what is joined of two in ``joined``."""
    folder = tmp_path_factory.mktemp("parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_territory(folder)
        for name in BOXES:
            run(repository, "--cores", "1", config=f"{name}.yaml")
        join_command([Path(f"results/{name}/latest") for name in PARTS], Path("joined"))
    return folder


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [*PUBLISHED, "max_eirp_fixed30"])
def test_every_published_value_is_that_of_the_whole(joined: Path, name: str) -> None:
    whole = joined / "results/tiny/latest/public" / name
    ending = ".vrt" if name == "max_eirp_fixed30" else ".tif"
    with (
        rasterio.open(whole.with_name(name + ending)) as wanted,
        rasterio.open(joined / f"joined/public/{name}.vrt") as found,
    ):
        values, place = wanted.read(), wanted.transform
        shown = np.full_like(values, wanted.nodata)
        row = round((place.f - found.transform.f) / -place.e)
        col = round((found.transform.c - place.c) / place.a)
        shown[:, row : row + found.height, col : col + found.width] = found.read()
        np.testing.assert_array_equal(shown, values)
        assert (values != wanted.nodata).sum() > 2000
        for label in ("descriptions", "units", "scales", "offsets", "dtypes", "nodatavals", "crs"):
            assert getattr(found, label) == getattr(wanted, label), label
        tags = {key: text for key, text in wanted.tags().items() if key not in {"AREA_OR_POINT", "hash"}}
        assert tags.items() <= found.tags().items()


def test_maps_say_something(joined: Path) -> None:
    with rasterio.open(joined / "results/tiny/latest/public/max_eirp_fixed30_ch22.tif") as whole:
        assert len(np.unique(whole.read())) > 20


def test_files_are_those_of_the_runs_and_cost_no_disk(joined: Path) -> None:
    for name in PUBLISHED:
        for part in PARTS:
            tile = joined / f"joined/public/{name}/{part}.tif"
            assert tile.samefile(joined / f"results/{part}/latest/public/{name}.tif")
        text = (joined / f"joined/public/{name}.vrt").read_text()
        assert set(re.findall(r">([^<>]+\.tif)<", text)) == {f"{name}/{part}.tif" for part in PARTS}


def test_catalogue_is_valid_and_leads_to_the_files(joined: Path) -> None:
    folder = joined / "joined/stac"
    collection = read(folder / "collection.json")
    assert schema_errors(collection, "collection.json") == []
    names = [link["href"] for link in collection["links"] if link["rel"] == "item"]
    assert sorted(names) == sorted(f"./{p.name}" for p in folder.iterdir() if p.name != "collection.json")
    assert len(names) == 2 * 3
    hrefs = []
    for name in names:
        item = read(folder / name)
        assert schema_errors(item, "item.json") == []
        assert item["collection"] == collection["id"] == "tiny"
        for asset in item["assets"].values():
            hrefs.append(asset["href"])
            with rasterio.open(folder / asset["href"]) as file:
                assert item["properties"]["proj:transform"] == list(file.transform)[:6]
                assert [band["name"] for band in asset["bands"]] == list(file.descriptions)
    assert sorted(hrefs) == sorted(f"../public/{name}/{part}.tif" for name in PUBLISHED for part in PARTS)
    assert (folder / collection["assets"]["project"]["href"]).is_file()


def layers_of(project: Path) -> dict[str, tuple[str, str]]:
    """Names, files without their endings and styles of the raster layers of a project, by id."""
    found = {}
    for layer in ET.parse(project).getroot().iter("maplayer"):
        if layer.attrib["type"] == "raster":
            source = layer.findtext("datasource") or ""
            style = ET.tostring(layer.find("pipe"), encoding="unicode")
            found[layer.findtext("id") or ""] = (layer.findtext("layername"), Path(source).stem, style)
            assert (project.parent / source).is_file(), source
    return found


def test_project_shows_what_that_of_the_whole_shows(joined: Path) -> None:
    whole = joined / "results/tiny/latest/public/tiny_public.qgs"
    found = joined / "joined/public/tiny_public.qgs"
    assert layers_of(found) == layers_of(whole)
    trees = [ET.parse(path).getroot().find("layer-tree-group") for path in (found, whole)]
    names = [[node.attrib.get("name") for node in tree.iter()] for tree in trees]
    assert names[0] == names[1]
    assert (found.parent / "max_eirp_fixed30_ch22.qml").is_file()


@needs_qgis
def test_qgis_opens_the_project_as_that_of_the_whole(joined: Path, tmp_path: Path) -> None:
    """The joined folder lies elsewhere and alone; a VRT is shown as the one file of the whole is."""
    shutil.copytree(joined / "joined", tmp_path / "alone")
    found = probed(tmp_path / "alone/public/tiny_public.qgs", tmp_path)
    (tmp_path / "whole").mkdir()
    whole = probed(joined / "results/tiny/latest/public/tiny_public.qgs", tmp_path / "whole")
    assert found["opened"]
    assert [key for key, layer in found["layers"].items() if not layer["valid"]] == []
    assert set(found["layers"]) == set(whole["layers"])
    for key, layer in found["layers"].items():
        for fact in ("name", "crs", "legend"):
            assert layer[fact] == whole["layers"][key][fact], (key, fact)
    for fact in ("title", "crs", "shown", "themes", "ticked", "printed"):
        assert found[fact] == whole[fact], fact
    assert found["extent"] == pytest.approx(whole["extent"])


def test_web_map_has_the_numbers_of_the_whole(joined: Path) -> None:
    web = joined / "joined/public/web"
    facts, whole = (read(folder / "maps.json") for folder in (web, joined / "results/tiny/latest/public/web"))
    for key in ("devices", "families", "services", "present", "statements"):
        assert facts[key] == whole[key], key
    assert facts["box_deg"] == pytest.approx(whole["box_deg"], abs=1e-9)
    assert all((web.parent / raster).is_file() for raster in facts["rasters"].values())
    assert {p.name for p in web.iterdir()} == {
        *web_files.PAGE_FILES,
        "maps.json",
        "boundaries.geojson",
        "tiles",
        "numbers",
    }


def test_summary_names_the_parts_and_their_common_period(joined: Path) -> None:
    facts = read(joined / "joined/joined.json")
    runs = [read(joined / f"results/{name}/latest/manifest.json") for name in PARTS]
    assert [part["run_id"] for part in facts["parts"]] == [run["run_id"] for run in runs]
    assert [part["territory"] for part in facts["parts"]] == list(PARTS)
    assert facts["valid_utc"] == {
        "startTime": max(run["valid_utc"]["startTime"] for run in runs),
        "stopTime": min(run["valid_utc"]["stopTime"] for run in runs),
    }
    assert facts["product"] == runs[0]["product"]
    assert facts["notes"] == runs[0]["notes"]


def test_nothing_internal_is_joined(joined: Path) -> None:
    files = [path for path in (joined / "joined").rglob("*") if path.is_file()]
    assert not [path for path in files if "internal" in path.relative_to(joined).parts]
    inside = read(joined / "results/tiny-1-1/latest/internal/manifest.json")
    assert SECRET in json.dumps(inside)
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_web_map_of_too_many_pixels_has_some_of_them(joined: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """47 x 45 pixels where 300 may be shown: the middle ones of squares of 3."""
    monkeypatch.chdir(joined)
    monkeypatch.setattr(joined_web, "WEB_PIXELS", 300)
    join_command([Path(f"results/{name}/latest") for name in PARTS], Path("thinned"))
    facts, whole = (read(joined / f"{name}/public/web/maps.json") for name in ("thinned", "joined"))
    assert read(joined / "thinned/joined.json")["web_map_step_px"] == 3
    assert facts["grid"]["resolution_m"] == 3 * whole["grid"]["resolution_m"]
    assert facts["statements"]["notice"] == "This web map has one of 3 x 3 pixels; the rasters have all."
    assert facts["rasters"] == whole["rasters"]
    assert {path.name for path in (joined / "thinned").iterdir()} == {"joined.json", "public", "stac"}
    source, target = joined / "thinned/public/max_eirp_fixed30_ch22.vrt", joined / "thin.tif"
    joined_web.write_thinned(source, target, 3)
    with rasterio.open(source) as all_pixels, rasterio.open(target) as some:
        values = all_pixels.read(1)
        last = [3 * (size // 3) for size in values.shape]
        np.testing.assert_array_equal(some.read(1), values[1 : last[0] : 3, 1 : last[1] : 3])
        assert some.bounds[0::3] == all_pixels.bounds[0::3]
