"""`channelmaps web` on a made-up run: complete, repeatable, from public layers alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pmtiles.reader import MemorySource, Reader
from pyproj import Transformer

from pipeline.errors import InputError
from pipeline.plan import run_files
from pipeline.plan.plan import load_plan
from pipeline.plan.territory_file import load_config
from pipeline.publish.web.web_files import layers_of
from tests.jobs import run_from
from tests.publish.web.made_up import CHANNELS, DEVICES, GRID, NOTICE, territory

WEB = Path("build/public/web")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_files_are_those_that_the_workflow_expects(made_up: Path) -> None:
    run_from("web", Path("territory.yaml"), Path("build"))
    plan = load_plan("territory.yaml")
    assert {f"public/web/{name}" for name in contents(WEB)} == set(run_files.web_files(plan))
    assert set(run_files.web_files(plan)) <= set(run_files.published_files(plan))
    shown = {f"public/{layer.raster}" for layer in layers_of(load_config(Path("territory.yaml")))}
    assert shown == set(run_files.web_sources(plan))
    assert {"available_channels_small_0dbm", "max_eirp_fixed30_ch22"} <= {Path(n).stem for n in contents(WEB)}


def test_same_layers_give_the_same_bytes(repository: Path, made_up: Path) -> None:
    """In another process (other hashes of texts), with other threads, over leftovers of a run before."""
    run_from("web", Path("territory.yaml"), Path("build"), threads=1)
    before = contents(WEB)
    (WEB / "maps.json").write_text("old")
    environment = os.environ | {"PYTHONPATH": str(repository), "PYTHONHASHSEED": "7"}
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "job",
        "web",
        "--config",
        "territory.yaml",
        "--build",
        "build",
    ]
    subprocess.run([*command, "--threads", "3"], check=True, env=environment, timeout=300)
    assert contents(WEB) == before


def test_page_needs_public_layers_only(made_up: Path) -> None:
    """The register may be gone; what it says is in no file of the page."""
    run_from("web", Path("territory.yaml"), Path("build"))
    before = contents(WEB)
    (made_up / "register.csv").write_text("gone")
    shutil.rmtree(WEB)
    run_from("web", Path("territory.yaml"), Path("build"))
    assert contents(WEB) == before
    assert not any(b"internal" in data for name, data in before.items() if name.endswith("json"))


def test_description_says_what_there_is(made_up: Path) -> None:
    run_from("web", Path("territory.yaml"), Path("build"))
    facts = json.loads((WEB / "maps.json").read_text())
    assert facts["title"] == "Made-up land"
    assert facts["statements"]["notice"] == NOTICE
    assert facts["statements"]["product"] == "DTT only, not for licensing"
    assert facts["statements"]["unverified"] == "coverage.q_min"
    devices = {entry["id"]: tuple(entry["levels_dbm"]) for entry in facts["devices"]}
    assert devices == DEVICES
    assert [entry["channel"] for entry in facts["devices"][1]["channels"]] == list(CHANNELS)
    assert [entry["centre_mhz"] for entry in facts["devices"][1]["channels"]] == [474.0, 482.0, 490.0]
    assert set(facts["present"]) | {f"numbers/{device}.pmtiles" for device in DEVICES} == set(facts["files"])
    labels = [entry["label"] for entry in facts["families"]["max_eirp"]["classes"]]
    present = {labels[i] for i in facts["present"]["tiles/max_eirp_small_ch22.pmtiles"]}
    assert {"not permitted", "not evaluated", "outside", "20 to 30"} <= present
    assert facts["grid"]["error_px"] < 0.001


def test_box_holds_the_territory_closely(made_up: Path) -> None:
    run_from("web", Path("territory.yaml"), Path("build"))
    box = json.loads((WEB / "maps.json").read_text())["box_deg"]
    row, col = np.argwhere(territory()).T
    to_lonlat = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
    lon_deg, lat_deg = to_lonlat.transform(
        GRID.west_m + (col + 0.5) * GRID.resolution_m, GRID.north_m - (row + 0.5) * GRID.resolution_m
    )
    assert box[0] < lon_deg.min() < box[0] + 0.05
    assert box[1] < lat_deg.min() < box[1] + 0.05
    assert box[2] - 0.05 < lon_deg.max() < box[2]
    assert box[3] - 0.05 < lat_deg.max() < box[3]


def test_archives_open_with_another_reader(made_up: Path) -> None:
    run_from("web", Path("territory.yaml"), Path("build"))
    data = contents(WEB)
    for name in (n for n in data if n.startswith("tiles/")):
        reader = Reader(MemorySource(data[name]))
        header = reader.header()
        assert header["clustered"]
        assert header["tile_type"].name == "PNG"
        assert header["tile_entries_count"] >= 2
        assert reader.metadata()["name"]


def test_boundaries_are_geojson_with_land_and_territory(made_up: Path) -> None:
    run_from("web", Path("territory.yaml"), Path("build"))
    features = json.loads((WEB / "boundaries.geojson").read_text())["features"]
    assert {"land", "territory", "home_border", "place"} == {
        feature["properties"]["kind"] for feature in features
    }
    assert all(feature["geometry"]["coordinates"] for feature in features)


def test_pictures_of_equal_layers_are_equal(made_up: Path) -> None:
    """Nothing but the values decides on a picture: not the name, not the device."""
    with rasterio.open("build/public/max_eirp_fixed30_ch21.tif") as source:
        values = source.read(1)
    with rasterio.open("build/public/max_eirp_small_ch23.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as sink:
        sink.write(values, 1)
    run_from("web", Path("territory.yaml"), Path("build"))
    pictures = []
    for name in ("max_eirp_fixed30_ch21", "max_eirp_small_ch23"):
        data = (WEB / f"tiles/{name}.pmtiles").read_bytes()
        start = Reader(MemorySource(data)).header()["tile_data_offset"]
        pictures.append(data[start:])
    assert pictures[0] == pictures[1]


def test_policy_names_the_server_of_the_basemap_and_no_other(made_up: Path) -> None:
    """With a basemap the page may ask its server for pictures; without, nobody but its own."""
    run_from("web", Path("territory.yaml"), Path("build"))
    before = (WEB / "index.html").read_text()
    assert "https:" not in before
    file = made_up / "territory.yaml"
    basemap = '{url: "https://maps.example.org/t/{z}/{x}/{y}.png", attribution: somebody}'
    file.write_text(file.read_text() + f"publish: {{basemap: {basemap}}}\n", encoding="utf-8")
    run_from("web", Path("territory.yaml"), Path("build"))
    after = (WEB / "index.html").read_text()
    assert after.count("https://maps.example.org") == 2
    assert after.replace(" https://maps.example.org", "") == before
    assert json.loads((WEB / "maps.json").read_text())["basemap"]["attribution"] == "somebody"


@pytest.mark.parametrize(
    "url",
    [
        "maps.example.org/{z}/{x}/{y}.png",
        "https://maps.example.org/{z}/{x}.png",
        "https://maps.example.org; script-src *//{z}/{x}/{y}.png",
        "https://{s}.example.org/{z}/{x}/{y}.png",
        "ftp://maps.example.org/{z}/{x}/{y}.png",
    ],
)
def test_address_of_a_basemap_is_checked(made_up: Path, url: str) -> None:
    """Also because it goes into the page's policy."""
    file = made_up / "territory.yaml"
    file.write_text(
        file.read_text() + f'publish: {{basemap: {{url: "{url}", attribution: a}}}}\n', encoding="utf-8"
    )
    with pytest.raises(InputError, match="url"):
        load_config(file)
