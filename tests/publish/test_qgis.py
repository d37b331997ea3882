"""Styles and projects: well formed, true of the layers, and as a real QGIS reads them (if there is one)."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from pipeline import workflow as jobs
from pipeline.publish import qgis
from pipeline.publish.catalogue import families
from pipeline.publish.qml import legend_of
from pipeline.publish.styles import read_schemes
from tests.publish.every_layer import NOTICE, TITLE, working_folder, write_every_layer
from tests.tiny import STATIONS

SYSTEM_PYTHON = "/usr/bin/python3"
PROBE = Path(__file__).with_name("qgis_probe.py")
SEA, LAND = (223, 233, 240), (241, 238, 231)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[jobs.Plan]:
    with working_folder(tmp_path_factory.mktemp("qgis")) as config:
        found = write_every_layer(config)
        qgis.main(config, found.build)
        yield found._replace(build=found.build.resolve())


def project(plan: jobs.Plan, name: str) -> ET.Element:
    return ET.parse(plan.build / name).getroot()


def both(plan: jobs.Plan) -> list[str]:
    return [jobs.public_project(plan), jobs.internal_project(plan)]


def test_every_raster_has_a_style_with_outside_or_names(plan: jobs.Plan) -> None:
    assert set(families(plan)) == set(jobs.raster_files(plan))
    for file, family in families(plan).items():
        top = ET.parse(plan.build / Path(file).with_suffix(".qml")).getroot()
        labels = [e.get("label") for e in top.iter() if e.tag in {"item", "paletteEntry"}]
        assert labels, file
        assert len(set(labels)) == len(labels), file
        assert ("outside" in labels) == (family in read_schemes()), file


@pytest.mark.parametrize(
    ("raw", "label"),
    [(-32768, "outside"), (-9999, "not permitted"), (-9998, "not evaluated"), (-9997, "below -20 dBm"),
     (-2001, "below -20 dBm"), (-2000, "-20 to -10 dBm"), (-1, "-10 to 0 dBm"), (0, "0 to 10 dBm"),
     (3599, "30 to 36 dBm"), (3600, "36 dBm and more"), (5000, "36 dBm and more")],
)  # fmt: skip
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_first_upper_bound_that_holds_a_value_is_its_class(raw: int, label: str, kind: type) -> None:
    legend = legend_of(read_schemes()["max_eirp"], unit="dBm", whole=True)
    value = kind(raw) * kind(0.01)
    assert next(entry.label for entry in legend.entries if value <= float(entry.value)) == label


def test_six_percent_is_not_above_the_threshold() -> None:
    legend = legend_of(read_schemes()["rr941_dtt"], unit="%", whole=False)
    found = [next(e.label for e in legend.entries if v <= float(e.value)) for v in (6.0, 6.0001)]
    assert found == ["3 to 6 %", "above 6 to 12 %"]


def test_projects_have_relative_paths_to_files_and_distinct_ids(plan: jobs.Plan) -> None:
    for name in both(plan):
        top, folder = project(plan, name), (plan.build / name).parent
        ids = [e.text or "" for e in top.findall("projectlayers/maplayer/id")]
        assert len(set(ids)) == len(ids)
        assert min(map(len, ids)) > 10, "QGIS would replace it"
        assert [e.get("id") for e in top.iter("layer-tree-layer")] == ids
        for source in top.findall("projectlayers/maplayer/datasource"):
            path = (source.text or "").split("|")[0]
            assert path.startswith(("./", "../"))
            assert (folder / path).is_file(), path


def test_project_for_everybody_tells_nothing_of_stations(plan: jobs.Plan) -> None:
    text = (plan.build / jobs.public_project(plan)).read_text()
    assert "transmitters" not in text
    assert "Site 1" not in text
    assert "dtt_server" not in text
    internal = (plan.build / jobs.internal_project(plan)).read_text()
    assert "transmitters.gpkg|layername=transmitters" in internal
    assert "Site 1 (S1)" in internal


def test_groups_are_those_of_the_interface(plan: jobs.Plan) -> None:
    tree = project(plan, jobs.public_project(plan)).find("layer-tree-group")
    assert tree is not None
    assert [child.get("name") for child in tree] == [
        "Boundaries", "Availability", "Maximum e.i.r.p. by channel", "Limiting service by channel",
        "Evaluated services by channel", "DTT", "Coordination", "Land",
    ]  # fmt: skip
    inside = tree.findall("layer-tree-group[@name='Maximum e.i.r.p. by channel']//layer-tree-layer")
    assert [layer.get("name") for layer in inside] == ["Channel 22", "Channel 25"]


def test_every_raster_of_a_project_carries_the_notice(plan: jobs.Plan) -> None:
    for name in both(plan):
        layers = project(plan, name).findall("projectlayers/maplayer[@type='raster']")
        assert {layer.findtext("abstract") for layer in layers} == {NOTICE}


def test_transmitters_are_the_register(plan: jobs.Plan) -> None:
    frame = gpd.read_file(plan.build / jobs.TRANSMITTERS)
    assert frame["id"].tolist() == [station[0] for station in STATIONS]
    assert frame.geometry.x.tolist() == pytest.approx([station[1] for station in STATIONS])


def test_same_layers_give_same_bytes(plan: jobs.Plan) -> None:
    before = {name: (plan.build / name).read_bytes() for name in jobs.qgis_files(plan)}
    qgis.main(plan.config_path, plan.build)
    assert {name: (plan.build / name).read_bytes() for name in jobs.qgis_files(plan)} == before


# --- a real QGIS --------------------------------------------------------------------------------------------


def has_qgis() -> bool:
    if shutil.which(SYSTEM_PYTHON) is None:
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", "import qgis.core"], capture_output=True).returncode == 0


needs_qgis = pytest.mark.skipif(
    not has_qgis(), reason="no QGIS on this machine; `make test-qgis` installs it"
)


@pytest.fixture(scope="module")
def seen(plan: jobs.Plan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What QGIS says of both projects, by name; rasters opened alone with the first; pictures beside."""
    found, folder = {}, tmp_path_factory.mktemp("seen")
    alone = [str(plan.build / file) for file in jobs.raster_files(plan)]
    for name, rasters in zip(both(plan), (alone, []), strict=True):
        result = folder / f"{Path(name).stem}.json"
        line = [SYSTEM_PYTHON, str(PROBE), str(plan.build / name), str(result), *rasters]
        environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300)
        assert result.is_file(), done.stderr
        found[name] = json.loads(result.read_text()) | {"picture": result.with_suffix(".png")}
    return found


@needs_qgis
def test_qgis_opens_both_projects_with_every_layer_valid(plan: jobs.Plan, seen: dict[str, Any]) -> None:
    for name in both(plan):
        facts, expected = seen[name], project(plan, name).findall("projectlayers/maplayer/id")
        assert facts["opened"]
        assert facts["title"] == TITLE
        assert facts["crs"] == "EPSG:3794"
        assert set(facts["layers"]) == {e.text for e in expected}
        for key, layer in facts["layers"].items():
            assert layer["valid"], key
            assert layer["crs"] == ("EPSG:4326" if key.startswith("vector_") else "EPSG:3794"), key
    assert seen[both(plan)[1]]["layers"]["vector_transmitters"]["features"] == len(STATIONS)


@needs_qgis
def test_qgis_takes_the_style_beside_every_raster(plan: jobs.Plan, seen: dict[str, Any]) -> None:
    for path, layer in seen[both(plan)[0]]["rasters"].items():
        top = ET.parse(Path(path).with_suffix(".qml")).getroot()
        wanted = [e.get("label") for e in top.iter() if e.tag in {"item", "paletteEntry"}]
        assert layer["valid"], path
        assert [label for label, _ in layer["legend"]] == wanted, path


@needs_qgis
def test_legend_of_qgis_has_units_and_tells_codes_apart(plan: jobs.Plan, seen: dict[str, Any]) -> None:
    legend = dict(seen[both(plan)[0]]["layers"]["max_eirp_fixed30_ch22_band1"]["legend"])
    assert "0 to 10 dBm" in legend
    codes = [legend[name] for name in ("not permitted", "not evaluated", "outside")]
    assert codes == ["#ff141414", "#ffc6c6c6", "#00000000"]
    assert list(legend.values()).count("#ff141414") == list(legend.values()).count("#ffc6c6c6") == 1


@needs_qgis
def test_picture_of_qgis_shows_the_layer_on_land_in_the_sea(plan: jobs.Plan, seen: dict[str, Any]) -> None:
    """Colours drawn are those of the classes that occur; around the disc the land of the territory shows."""
    with rasterio.open(seen[both(plan)[0]]["picture"]) as picture:
        colours = {tuple(int(v) for v in c) for c in picture.read([1, 2, 3]).reshape(3, -1).T}
    legend = seen[both(plan)[0]]["layers"]["available_channels_fixed30_0dbm_band1"]["legend"]
    wanted = {tuple(bytes.fromhex(colour[3:])) for _, colour in legend if colour.startswith("#ff")}
    assert wanted <= colours
    assert colours & {SEA, LAND}
