"""THE table of services: codes that never change, rows that resolve; a row more is a service more."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from service_scene import GRID, make_context, whole

from pipeline.availability.combine import combine
from pipeline.config.config import Config
from pipeline.layers import LAYERS
from pipeline.plan.territory_file import load_config
from pipeline.radio.emission import device_cap_dbm
from pipeline.services import base, evaluated, table
from pipeline.services.base import CheckedTerritory, ServiceContext, module_of
from pipeline.services.product import product_statement
from pipeline.services.table import (
    SERVICES,
    ServiceRow,
    code_labels,
    code_names,
    service_names,
    settings_context,
)
from tests.services import seven_dbm

# Values of published layers: what a reader of old files has.
CODES = {
    "none": (0, None),
    "dtt": (1, 1),
    "pmse": (2, 2),
    "radio_astronomy": (3, 3),
    "aeronautical": (4, 4),
    "mobile": (5, 5),
    "ppdr": (6, 6),
    "fixed": (7, 7),
    "foreign_dtt": (8, 8),
    "device_cap": (9, 9),
    "channel_caps": (9, 9),
    "reserved_channel": (10, 10),
    "exclusion_area": (11, 11),
    "relay_sites": (11, 11),
    "border_field": (12, 12),
    "receiver_overload": (13, 13),
    "not_evaluated": (14, None),
    "manual_adjustment": (15, 15),
    "in_band": (16, 0),
    "protected_station": (17, None),
    "custom": (18, 16),
    "outside": (255, None),
}
NAMES = service_names()
SEVEN = ServiceRow("seven", 19, 20, "seven dBm", "tests.services.seven_dbm")


def test_codes_and_bits_are_those_of_published_layers() -> None:
    assert {row.name: (row.code, row.flag) for row in SERVICES} == CODES


def test_rows_of_one_code_have_one_label_and_one_bit() -> None:
    assert len({row.name for row in SERVICES}) == len(SERVICES)
    for row in SERVICES:
        same = [other for other in SERVICES if other.code == row.code]
        assert {(other.label, other.flag) for other in same} == {(row.label, row.flag)}


def test_table_is_data_and_imports_nothing_of_the_package() -> None:
    source = inspect.getsource(table)
    assert "from pipeline" not in source
    assert "import pipeline" not in source


@pytest.mark.parametrize("row", [row for row in SERVICES if row.module is not None], ids=lambda row: row.name)
def test_row_names_a_module_with_the_functions_of_a_service(row: ServiceRow) -> None:
    module = module_of(row)
    for name in ("prepare", "explain", "check"):
        wanted = list(inspect.signature(getattr(base.ServiceModule, name)).parameters)[1:]
        assert list(inspect.signature(getattr(module, name)).parameters) == wanted


@pytest.mark.parametrize("row", [row for row in SERVICES if row.module is None], ids=lambda row: row.name)
def test_label_has_no_module(row: ServiceRow) -> None:
    assert not row.always
    with pytest.raises(ValueError, match=row.name):
        module_of(row)


def with_seven(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, status: dict[str, object]
) -> ServiceContext:
    """A territory in which nothing but the new row is evaluated, after the row was added."""
    out = {"status": "out_of_scope", "reason": "test"}
    context = make_context(tmp_path, repository, services=dict.fromkeys(NAMES, out))
    monkeypatch.setattr(table, "SERVICES", (*SERVICES, SEVEN))
    content = context.config.model_dump(mode="json")
    content["services"]["seven"] = status
    config = Config.model_validate(content, context=settings_context())
    return replace(context, config=config)


def test_a_row_more_is_a_service_more(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In raster, label, bit, explain, validate, names and labels; without a line of the package changed."""
    context = with_seven(tmp_path, repository, monkeypatch, {"status": "evaluate"})
    device = context.config.devices[0]
    services = evaluated.prepare_services(context, device, 30)
    layers = combine(
        evaluated.limits_on(services, *whole()),
        np.ones((GRID.height, GRID.width), np.bool_),
        cap_dbm=device_cap_dbm(device),
        settled_flags=evaluated.settled_flags(context.config, device),
    )
    inside = np.zeros((GRID.height, GRID.width), np.bool_)
    inside[seven_dbm.ROWS, seven_dbm.COLS] = True
    assert (layers.limit_centi_dbm == np.where(inside, 700, 3600)).all()
    assert (layers.limiting_service == np.where(inside, 19, 9)).all()
    assert layers.eval_flags.dtype == np.uint32
    assert (layers.eval_flags & (1 << 20) != 0).all()
    told = evaluated.explain_service(SEVEN, context, device, 30, (3, 4), 7.0)
    assert sum(term.value_db for term in told.terms) == 7.0
    assert (code_names()[told.label], code_labels()[told.label]) == ("seven", "seven dBm")
    assert [row.name for row in evaluated.evaluated_services(context.config)] == ["seven"]
    assert "tests.services.seven_dbm" in evaluated.service_modules(context.config)
    lines = list(
        module_of(SEVEN).check(SEVEN, context.config, CheckedTerritory(tmp_path, None, None, [], []))
    )
    assert lines == ["  seven         1 block"]


def test_a_row_more_that_is_not_evaluated_limits_nothing(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = {"status": "out_of_scope", "reason": "test"}
    context = with_seven(tmp_path, repository, monkeypatch, out)
    assert evaluated.evaluated_services(context.config) == []
    assert product_statement(context.config) == "DTT only, not for licensing"


def test_a_service_that_the_file_does_not_name_is_refused(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context(tmp_path, repository)
    monkeypatch.setattr(table, "SERVICES", (*SERVICES, SEVEN))
    content = context.config.model_dump(mode="json")
    with pytest.raises(ValueError, match="say for seven whether they are evaluated"):
        Config.model_validate(content, context=settings_context())
    content["services"]["sonar"] = {"status": "evaluate"}
    with pytest.raises(ValueError, match=r"is none of 'dtt', .* or 'seven'"):
        Config.model_validate(content, context=settings_context())


def test_every_bit_is_of_one_code_and_fits_the_layer() -> None:
    bits = {row.flag: row.code for row in SERVICES if row.flag is not None}
    assert {(row.flag, row.code) for row in SERVICES if row.flag is not None} == set(bits.items())
    raster = LAYERS["eval_flags"].raster
    assert raster is not None
    all_bits = sum(1 << bit for bit in bits)
    assert all_bits < np.iinfo(raster.dtype).max == raster.nodata


def test_service_that_a_territory_does_not_name_is_not_evaluated(repository):
    """Its bit is unset, as that of one out of scope; said to be absent it is set."""
    config = load_config(repository / "configs/slovenia.yaml")
    bit = 1 << table.service_row("in_band").flag
    assert "in_band" not in config.services
    assert not evaluated.settled_flags(config, config.devices[0]) & bit
    absent = type(config.services["dtt"])(applicable=False, reason="no users of the band")
    said = config.model_copy(update={"services": config.services | {"in_band": absent}})
    assert evaluated.settled_flags(said, config.devices[0]) & bit
