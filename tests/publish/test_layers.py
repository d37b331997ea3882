"""The table of layers: every row holds, and a row more is a layer more wherever layers are shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline.availability.classes import Availability
from pipeline.grid import raster
from pipeline.grid.layer_files import fields_of, layer_file, make_layer, style_name
from pipeline.layers import LAYERS, Layer, Raster, View
from pipeline.plan.jobs import JOBS
from pipeline.plan.plan import Plan
from pipeline.plan.published_layers import published_layers
from pipeline.plan.run_files import published_files, stac_items, style_file, web_sources
from pipeline.publish.legends import NAMERS
from pipeline.publish.outputs_page import updated
from pipeline.publish.styles import read_schemes
from pipeline.shipped import TABLES
from tests.jobs import run_from
from tests.publish.every_layer import GRID, inside, working_folder, write_every_layer

PATH_FIELDS = {"device", "level", "channel", "dtt_channel", "case", "block", "mode", "km", "slice"}
# As `state.js` of the page puts together the names of its pictures.
PATHS_OF_WEB = {"available_channels": "{device}_{level}dbm", "reach": "{device}_{mode}"}
MADE_UP = Layer(
    "made_up",
    "public/made_up_{device}_ch{channel}.tif",
    "combine",
    View("Made up {channel}", ("Made-up layers", "{device}"), "radar612_coord", "a made-up layer", web=True),
    Raster("uint8", 255, "1", "made up for {device}, channel {channel}", "channel {channel}"),
)


@pytest.mark.parametrize("row", LAYERS.values(), ids=lambda row: row.family)
def test_row_holds(row: Layer) -> None:
    assert LAYERS[row.family] is row
    assert row.path.partition("/")[0] in {"public", "internal"}
    assert row.job in JOBS
    assert set(fields_of(row.path)) <= PATH_FIELDS
    assert row.view.qgis in {"public", "internal"}
    if row.view.scheme is not None:
        assert row.view.scheme in read_schemes(TABLES / "map_classes.yaml")
    if row.view.web:
        assert row.view.scheme is not None
        of_one = PATHS_OF_WEB.get(row.family, "{device}_ch{channel}")
        assert row.path == f"public/{row.family}_{of_one}.tif"
    if row.raster is None:
        assert not row.view.group
        return
    assert np.array(row.raster.nodata).astype(row.raster.dtype) == pytest.approx(
        row.raster.nodata, nan_ok=True
    )
    assert row.raster.rounding in {"", "floor", "ceil", "nearest"}
    if row.view.scheme is None:
        assert row.view.legend
        assert row.raster.codes or style_name(row) in {*NAMERS, "eval_flags"}


def test_paths_are_different() -> None:
    assert len({row.path for row in LAYERS.values()}) == len(LAYERS)


def test_codes_are_those_of_the_code() -> None:
    row = LAYERS["availability"].raster
    assert row is not None
    names = {int(code): code.name.lower().replace("_", " ") for code in Availability}
    assert dict(row.codes) == names


def test_codes_of_a_row_have_classes_of_their_scheme() -> None:
    schemes = read_schemes()
    for row in LAYERS.values():
        if row.raster is not None and row.raster.codes and row.view.scheme is not None:
            classes = {entry.code for entry in schemes[row.view.scheme].classes}
            assert {code for code, _ in row.raster.codes} <= classes


def test_document_has_the_tables_of_the_rows(repository: Path) -> None:
    text = (repository / "docs/outputs.md").read_text(encoding="utf-8")
    assert updated(text) == text, "run `make docs`"


def produce(plan: Plan) -> list[str]:
    """Write the made-up layer of every device and channel: 1 within the territory."""
    files = []
    for found in published_layers(plan.config):
        if found.layer.family == "made_up":
            values = np.where(inside(), 1, 255).astype(np.uint8)
            layer = make_layer("made_up", values, GRID, found.fields)
            raster.write(plan.build / found.file, layer, tags={"device": "x", "hash": "y"}, publish=True)
            files.append(found.file)
    return files


def test_a_row_and_its_producer_are_a_layer_everywhere(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LAYERS, "made_up", MADE_UP)
    with working_folder(tmp_path) as tiny:
        plan = write_every_layer(tiny, coordination="")
        files = produce(plan)
        assert files == [layer_file("made_up", device="fixed30", channel=channel) for channel in plan.wsd]
        for job in ("qgis", "stac", "web"):
            run_from(job, tiny, plan.build)
        with rasterio.open(plan.build / files[0]) as source:
            assert (source.dtypes[0], source.nodata, source.units[0]) == ("uint8", 255, "1")
            assert source.descriptions == ("channel 22",)
            assert source.tags()["long_name"] == "made up for fixed30, channel 22"
        assert {*files, *map(style_file, files)} <= set(published_files(plan))
        assert "not required" in (plan.build / style_file(files[0])).read_text()
        assert files[0] in stac_items(plan)["fixed30_ch22"]
        item = json.loads((plan.build / "stac/fixed30_ch22.json").read_text())
        assert item["assets"]["made_up_fixed30_ch22"]["bands"][0]["nodata"] == 255
        project = (plan.build / f"{plan.config.name}.qgs").read_text()
        assert 'name="Made-up layers"' in project
        assert 'name="Made up 22"' in project
        maps = json.loads((plan.build / "public/web/maps.json").read_text())
        assert maps["families"]["made_up"]["title"] == "Coordination under Resolution 612"
        assert files[0] in web_sources(plan)
        archive = "tiles/made_up_fixed30_ch22.pmtiles"
        assert archive in maps["files"]
        assert (plan.build / "public/web" / archive).is_file()
    text = updated((repository / "docs/outputs.md").read_text(encoding="utf-8"))
    assert "| `public/made_up_<device>_chNN.tif` | uint8 | a made-up layer |" in text
