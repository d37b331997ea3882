"""Which jobs run again after an edit of the code: hashes of a copy of the sources, nothing is computed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import hashing
from pipeline.layers import LAYERS
from pipeline.plan import dependencies
from pipeline.plan.dependencies import code_of
from pipeline.plan.jobs import JOBS
from pipeline.plan.territory_file import load_config

VIEWS = {"web", "qgis", "stac", "publish"}
Edit = Callable[[str, str], set[str]]


@pytest.fixture
def edited(repository: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Jobs whose code differs after a line was added to a file of a copy."""
    root = tmp_path / "copy"
    for folder in ("pipeline", "configs/tables"):
        shutil.copytree(repository / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "requirements.lock", root)
    config = load_config(tiny)

    def hashes() -> dict[str, str]:
        hashing._imports.cache_clear()
        source_hash = hashing.source_hash.__wrapped__
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dependencies, "source_hash", lambda modules: source_hash(modules, root))
            return {job: code_of(config, job) for job in JOBS}

    def changed(file: str, line: str) -> set[str]:
        before = hashes()
        with (root / file).open("a", encoding="utf-8") as stream:
            stream.write(f"\n{line}\n")
        after = hashes()
        return {job for job in JOBS if before[job] != after[job]}

    return changed


def test_edited_service_concerns_the_combination_where_it_is_evaluated(edited: Edit) -> None:
    assert edited("pipeline/services/dtt.py", "# edited") == {"combine", "choices", "wsd_terrain"}
    assert edited("pipeline/services/radio_astronomy.py", "# edited") == set()


def test_edited_kernel_of_a_model_concerns_coverage_and_protection_and_not_the_territory(
    edited: Edit,
) -> None:
    changed = edited("pipeline/propagation/p1546/curves.py", "# edited")
    assert {"coverage", "protect"} <= changed
    assert not {"territory", "terrain", "availability", "regions"} & changed


def test_models_of_receivers_count_where_services_are_asked(tiny: Path) -> None:
    text = tiny.read_text(encoding="utf-8")
    tiny.write_text(
        text + "propagation: {coverage_model: extended_hata, wsd_model: extended_hata}\n", encoding="utf-8"
    )
    config = load_config(tiny)
    p1546 = "pipeline.propagation.p1546.method"
    assert p1546 in dependencies._modules_of(config, JOBS["combine"])
    assert p1546 not in dependencies._modules_of(config, JOBS["protect"])


def test_models_of_devices_do_not_concern_coverage(tiny: Path) -> None:
    """Else a comparison of models would compute the coverage again for each model of the devices."""
    config = load_config(tiny)
    other = config.model_copy(
        update={"propagation": config.propagation.model_copy(update={"wsd_model": "extended_hata"})}
    )
    different = {job for job in JOBS if code_of(config, job) != code_of(other, job)}
    assert "protect" in different
    assert not {"territory", "terrain", "coverage", "reception"} & different


def test_words_of_the_configuration_concern_nothing(edited: Edit) -> None:
    assert edited("pipeline/config/territory.py", '"""Words."""') == set()


@pytest.mark.parametrize("table", ["layers", "plan/jobs", "propagation/models", "services/table"])
def test_text_of_a_table_concerns_nothing(edited: Edit, table: str) -> None:
    assert edited(f"pipeline/{table}.py", "# edited") == set()


def changed_by(tiny: Path, patch: Callable[[], None]) -> set[str]:
    config = load_config(tiny)
    before = {job: code_of(config, job) for job in JOBS}
    patch()
    return {job for job in JOBS if before[job] != code_of(config, job)}


def test_changed_title_concerns_what_shows_it(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = LAYERS["max_eirp"]
    view = row._replace(view=row.view._replace(title="Other title"))
    assert changed_by(tiny, lambda: monkeypatch.setitem(LAYERS, "max_eirp", view)) == VIEWS


def test_changed_unit_of_a_layer_concerns_its_producer(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = LAYERS["max_eirp"]
    assert row.raster is not None
    raster = row._replace(raster=row.raster._replace(unit="W"))
    assert changed_by(tiny, lambda: monkeypatch.setitem(LAYERS, "max_eirp", raster)) == {row.job}


def test_changed_label_of_a_service_concerns_what_shows_it(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tuple(row._replace(label="other label") for row in dependencies.SERVICES)
    assert changed_by(tiny, lambda: monkeypatch.setattr(dependencies, "SERVICES", rows)) == VIEWS


def test_every_row_names_functions_that_there_are() -> None:
    from importlib import import_module
    from inspect import signature

    from pipeline.plan import run_files

    for row in JOBS.values():
        names = signature(import_module(row.module).main).parameters
        assert list(names) == ["config", "build", "threads", *row.wildcards, *row.values], row.name
        if row.files is not None:
            assert list(signature(getattr(run_files, row.files)).parameters) == ["plan", *row.wildcards]
        if row.rows is not None:
            assert list(signature(getattr(dependencies, row.rows)).parameters) == ["plan", *row.wildcards]
    assert {layer.job for layer in LAYERS.values()} <= set(JOBS)
