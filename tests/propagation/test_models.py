"""The table of propagation models: rows that resolve, ranges that hold, and what adding a row costs."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from pipeline.config.incumbents import Mobile
from pipeline.config.products import Sensitivity
from pipeline.config.reception import Propagation
from pipeline.coverage.fields import other_model_dbuvm
from pipeline.coverage.inputs import CoverageModel
from pipeline.errors import InputError
from pipeline.plan import dependencies
from pipeline.plan.territory_file import export_schema, load_config
from pipeline.propagation import models
from pipeline.propagation.homogeneous import DevicePath, loss_profile, loss_table_db, path_loss_db
from pipeline.propagation.models import MODELS, Model, model_named, model_names, module_of, regime_words
from pipeline.studies.predict import predict_command, predict_table
from pipeline.units import FIELD_TO_LOSS_DB
from tests.propagation import constant_loss

FLAT_PATH = ["d_km", "f_mhz", "device_m", "receiver_m", "time_pct", "over_sea", "effective_m"]
NEEDS = {"dem", "sea", "clearance", "profile", "clutter", "surroundings", "climate"}
# A link of 10 km at 600 MHz that every model of the table takes as valid.
LINK = {"f_mhz": 600.0, "d_km": 10.0, "ha_m": 50.0, "heff_m": 50.0, "h2_m": 1.5}


@pytest.fixture
def with_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table with a row more."""
    monkeypatch.setattr(models, "MODELS", (*MODELS, constant_loss.ROW))


@pytest.mark.parametrize("model", [*MODELS, constant_loss.ROW], ids=lambda model: model.name)
def test_row_resolves(model: Model) -> None:
    module = module_of(model)
    assert model.needs <= NEEDS
    assert model.regimes[0] == "undefined"
    assert len(set(model.regimes)) == len(model.regimes)
    assert set(model.link_required) <= set(model.link_columns)
    if model.roles & {"homogeneous", "receiver"}:
        assert list(inspect.signature(module.flat_path_loss_db).parameters) == FLAT_PATH
    if "link" in model.roles:
        assert list(inspect.signature(module.predict_links).parameters) == ["links"]
    if "coverage" in model.roles:
        assert model.name.upper() in CoverageModel.__members__


def test_coverage_dispatches_the_models_of_the_table_and_no_other() -> None:
    assert [code.name.lower() for code in CoverageModel] == list(model_names("coverage"))


def test_names_are_unique_and_the_table_loads_no_compiler() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS)
    code = "import sys, pipeline.propagation.models; sys.exit(bool({'numba', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "model",
    [m for m in MODELS if "link" in m.roles and "profile" not in m.needs],
    ids=lambda model: model.name,
)
def test_stated_validity_is_the_one_of_the_kernels(model: Model) -> None:
    for column, limits in (("f_mhz", model.f_mhz), ("d_km", model.d_km)):
        for limit, outside in zip(limits, (0.999, 1.001), strict=True):
            if 0.0 < limit < math.inf:
                table = pd.DataFrame([LINK | {column: limit}, LINK | {column: limit * outside}])
                assert list(predict_table(table, model.name)["valid"]) == [1, 0], (column, limit)


@pytest.mark.parametrize("name", ["p1546", "free_space", "hata", "extended_hata"])
def test_loss_and_field_go_by_the_constant_of_the_row(name: str) -> None:
    # The kernels of these models turn loss into field by the constant of P.1546.
    model = model_named(name)
    assert model.field_constant_db == FIELD_TO_LOSS_DB
    row = predict_table(pd.DataFrame([LINK]), model.name).iloc[0]
    assert row["field_dbuvm"] + row["loss_db"] == pytest.approx(139.3 + 20 * math.log10(600), abs=2e-6)
    assert row["branch"] in model.regimes[1:]


def test_added_model_is_a_choice_of_the_configuration(with_constant: None) -> None:
    assert Propagation(wsd_model="constant").wsd_model == "constant"
    assert Mobile(registers=["x.csv"], model="constant").model == "constant"
    assert Sensitivity(wsd_models=["constant"]).wsd_models == ["constant"]
    with pytest.raises(ValidationError, match="p1546, p1812, free_space, hata, extended_hata"):
        Propagation(coverage_model="constant")


def test_model_outside_the_table_is_refused() -> None:
    with pytest.raises(ValidationError, match="p1546, extended_hata"):
        Propagation(wsd_model="constant")
    # It gives no loss of a flat path in open surroundings.
    with pytest.raises(ValidationError, match="p1546, extended_hata"):
        Propagation(wsd_model="hata")


def test_added_model_is_in_the_schema(with_constant: None) -> None:
    properties = Propagation.model_json_schema()["properties"]
    assert properties["wsd_model"]["enum"] == ["p1546", "extended_hata", "constant"]
    assert properties["coverage_model"]["enum"] == ["p1546", "p1812", "free_space", "hata", "extended_hata"]
    assert '"constant"' in export_schema()


def test_schema_names_the_models_of_the_table(repository) -> None:
    assert '"constant"' not in export_schema()
    assert export_schema() == (repository / "configs" / "schema.json").read_text(encoding="utf-8")


def test_added_model_predicts_links(with_constant: None, tmp_path) -> None:
    links, out = tmp_path / "links.csv", tmp_path / "out.csv"
    links.write_text("f_mhz,d_km,ptx_kw\n600,10,1\n600,20,2\n2000,10,\n", encoding="utf-8")
    predict_command("constant", links, out)
    found = pd.read_csv(out)
    field_dbuvm = 139.36 - 120.0 + 20 * math.log10(600)
    assert list(found["loss_db"]) == pytest.approx([120.0, 120.0, 120.0], abs=1e-6)
    assert list(found["field_dbuvm"][:2]) == pytest.approx([field_dbuvm, field_dbuvm + 3.0103], abs=1e-5)
    assert list(found["branch"]) == ["constant"] * 3
    assert list(found["valid"]) == [1, 1, 0]
    assert "constant" in regime_words()
    assert "constant" in model_names("link")


def test_added_model_is_a_choice_of_predict() -> None:
    # The help is made when the module is read, so the row is added before, in a process of its own.
    code = (
        "from pipeline.propagation import models\n"
        "from tests.propagation import constant_loss\n"
        "models.MODELS = (*models.MODELS, constant_loss.ROW)\n"
        "from typer.testing import CliRunner\n"
        "from pipeline.cli.main import app\n"
        "print(CliRunner().invoke(app, ['predict', '--help'], env={'COLUMNS': '200'}).output)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "p1546, free_space, hata, extended_hata, fcc, constant" in " ".join(shown.split())
    assert "fcc_f5050_below_15km, constant" in " ".join(shown.split())


def test_model_that_is_not_in_the_table_predicts_nothing() -> None:
    with pytest.raises(InputError) as refused:
        predict_table(pd.DataFrame([LINK]), "constant")
    assert refused.value.allowed == "p1546, free_space, hata, extended_hata, fcc"


def test_added_model_is_the_loss_of_a_device_but_for_free_space(with_constant: None) -> None:
    d_km = np.array([0.05, 1.0, 10.0, 100.0])
    free_db = 32.4 + 20 * math.log10(600) + 20 * np.log10(d_km)
    expected_db = [free_db[0], 120.0, 120.0, free_db[3]]
    assert path_loss_db(d_km, 600.0, 10.0, model="constant") == pytest.approx(expected_db, abs=1e-9)
    over_sea_db = path_loss_db(d_km, 600.0, 10.0, model="constant", path="sea")
    assert over_sea_db[1] == pytest.approx(117.0)


def test_added_model_fills_the_tables_of_a_device(with_constant: None) -> None:
    tables = loss_table_db(
        np.array([[0.05, 2.0], [2.0, 3.0]]), 2.5, 600.0, 10.0, model="constant", coastal=True
    )
    assert tables.far_db.tolist() == [[math.inf, 117.0], [117.0, math.inf]]
    path = DevicePath("constant", 600.0, 10.0, 30.0, 10.0, math.inf)
    profile = loss_profile(path, 1.0)
    near = profile.left_db[: int(math.log(10.0) / 1e-3)]
    assert near.min() == near.max() == 120.0


def test_table_of_a_model_knows_its_row_by_name_only() -> None:
    with pytest.raises(KeyError):
        model_named("constant")


def test_code_of_a_job_holds_that_of_the_models_it_asks(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(tiny)
    jobs = ("protect", "combine", "territory", "availability")
    before = [dependencies.code_of(config, job) for job in jobs]
    monkeypatch.setattr(dependencies, "MODELS", MODELS[1:])
    after = [dependencies.code_of(config, job) for job in jobs]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False, True, True]


def test_coverage_has_no_field_of_a_model_that_it_does_not_know() -> None:
    assert math.isnan(other_model_dbuvm(99, 600.0, 10.0, 100.0, 10.0, 0))
