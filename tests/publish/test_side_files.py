"""What GDAL and QGIS tell of a published raster beside its tags: title, credits, licence, validity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import rasterio

from pipeline.grid.raster import read_layout
from pipeline.plan.dependencies import settings_of
from pipeline.plan.jobs import JOBS
from pipeline.plan.plan import Plan, load_plan
from pipeline.plan.run_files import project_to_pass_on, raster_files, view_file, viewed_files
from tests.jobs import run_from
from tests.publish.every_layer import TITLE, working_folder, write_every_layer
from tests.publish.test_qgis import needs_qgis, probed

CREDIT, LICENCE = "Borders: somebody & others, <2026>.", "CC-BY-4.0"
TERMS = f'attribution: "{CREDIT}"\nlicence: {LICENCE}\n'
DEVICE, OTHER = "public/max_eirp_fixed30_ch22.tif", "internal/dtt_served_ch21.tif"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    with working_folder(tmp_path_factory.mktemp("side")) as config:
        config.write_text(TERMS + config.read_text(), encoding="utf-8")
        found = write_every_layer(config, coordination="")
        for job in ("qgis", "stac"):
            run_from(job, config, found.build)
        yield found._replace(build=found.build.resolve())


def tags(path: Path) -> dict[str, str]:
    with rasterio.open(path) as source:
        return dict(source.tags())


def test_every_raster_says_title_attribution_licence_beside_its_own_tags(plan: Plan) -> None:
    for file in raster_files(plan):
        if file.endswith(".tif"):
            with rasterio.Env(GDAL_PAM_ENABLED="NO"):
                own = tags(plan.build / file)
            found = tags(plan.build / file)
            assert own.items() <= found.items(), file
            assert found["title"].startswith(f"{TITLE}: "), file
            assert (found["attribution"], found["licence"]) == (CREDIT, LICENCE), file
            assert ("validity" in found) == ("fixed30" in file), file


def test_title_is_that_of_territory_and_layer(plan: Plan) -> None:
    name = read_layout(plan.build / DEVICE).long_name
    assert tags(plan.build / DEVICE)["title"] == f"{TITLE}: {name}"


def test_view_says_what_its_raster_says(plan: Plan) -> None:
    for file in viewed_files(plan):
        view, whole = tags(plan.build / view_file(file)), tags(plan.build / file)
        assert {name: whole[name] for name in ("title", "attribution", "licence", "validity")} == view


def test_validity_is_the_period_of_the_bookings_or_its_length(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tags(plan.build / DEVICE)["validity"].startswith(
        f"{plan.config.validity_hours:g} h; begin and end"
    )
    period = ("2026-12-04T23:00:00Z", "2026-12-05T23:00:00Z")
    monkeypatch.setattr("pipeline.publish.side_files.period_of_bookings", lambda plan: period)
    run_from("qgis", plan.config_path, plan.build)
    assert tags(plan.build / DEVICE)["validity"] == "2026-12-04T23:00:00Z/2026-12-05T23:00:00Z"
    monkeypatch.undo()
    run_from("qgis", plan.config_path, plan.build)


def test_licence_is_in_the_catalogue(plan: Plan) -> None:
    found = json.loads((plan.build / "stac/collection.json").read_text())
    assert found["license"] == LICENCE
    assert CREDIT in found["description"]


def test_new_licence_computes_no_map(plan: Plan) -> None:
    """Of all jobs it concerns those alone that write for readers."""
    text = plan.config_path.read_text().replace(LICENCE, "other terms")
    changed = plan.config_path.with_name("changed.yaml")
    changed.write_text(text)
    after = load_plan(changed)
    assert {job for job in JOBS if settings_of(plan, job) != settings_of(after, job)} == {
        "qgis",
        "stac",
        "web",
    }


@needs_qgis
def test_qgis_tells_them_of_a_raster_opened_alone(plan: Plan, tmp_path: Path) -> None:
    found = probed(plan.build / project_to_pass_on(plan), tmp_path, str(plan.build / DEVICE))
    (layer,) = found["rasters"].values()
    for text in (LICENCE, "Borders: somebody", f"{TITLE}: layer", "begin and end"):
        assert text in layer["information"], text
