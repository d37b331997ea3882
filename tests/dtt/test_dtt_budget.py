"""The budget of a DTT limit: its terms add up, and each is what the definition of the limit says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import yaml

from pipeline.budget import Budget
from pipeline.grid import raster
from pipeline.plan.territory_file import load_config
from pipeline.services.base import ServiceContext
from tests.asking import explain
from tests.dtt.test_protection_maps import (
    C_N_DB,
    CHANNEL,
    F_MHZ,
    HOME,
    SIZE,
    Case,
    calibration_by_definition_db,
    discrimination_by_definition_db,
    distance_by_definition_km,
    loss_by_definition_db,
    permissible_level_by_integral_db,
    ratio_by_definition_db,
    sea_share_by_definition,
)
from tests.jobs import run_from


def made(folder, repository, resolution_m: float, device: dict, **protection: object) -> Case:
    case = Case(folder, repository, resolution_m, device, **protection)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    return case


@pytest.fixture(scope="module")
def case(tmp_path_factory, repository) -> Case:
    """200 m pixels and a vertically polarised device: orthogonal to some of the servers."""
    device = {"polarisation": "V", "height_m": 30.0, "margin_db": 2.0}
    return made(tmp_path_factory.mktemp("budget"), repository, 200.0, device)


def explained(case: Case, k: int, x: tuple[int, int]) -> Budget | None:
    grid = raster.read_grid(case.folder / "territory/surface.tif")
    context = ServiceContext(case.config, case.folder, grid, (CHANNEL,))
    return explain("dtt", context, case.config.devices[0], CHANNEL + k, *x)


def targets(case: Case, count: int) -> list[tuple[int, int]]:
    places = np.random.default_rng(5).permutation(np.argwhere(case.surface == HOME))
    return [(int(row), int(col)) for row, col in places[:count]]


def check_sums(case: Case, k: int, count: int = 8) -> list[Budget]:
    """Terms add up to what ``prepare`` gives, with the same label, at some pixels."""
    limit, found = case.limit(CHANNEL + k), []
    for x in targets(case, count):
        explanation = explained(case, k, x)
        if explanation is None:
            assert math.isinf(limit.eirp_dbm[x])
            continue
        total_dbm = sum(term.value_db for term in explanation.terms)
        assert total_dbm == pytest.approx(limit.eirp_dbm[x], abs=1e-9)
        assert explanation.label == limit.label[x]
        found.append(explanation)
    return found


@pytest.mark.parametrize("k", [0, 1, -3])
def test_terms_add_up_to_the_limit(case, k):
    assert len(check_sums(case, k)) > 5


@pytest.mark.parametrize("k", [0, 1])
def test_each_term_is_what_the_definition_says(case, k):
    device = case.config.devices[0]
    for x in targets(case, 8):
        explanation = explained(case, k, x)
        terms = {term.name: term.value_db for term in explanation.terms}
        p = explanation.victim["row"], explanation.victim["col"]
        d_km = distance_by_definition_km(case, p, x)
        assert explanation.victim["distance_km"] == pytest.approx(d_km, abs=1e-4)
        sea_share = sea_share_by_definition(case, p, x, d_km)
        assert terms["path loss"] == pytest.approx(loss_by_definition_db(d_km, 30.0, sea_share), abs=1e-3)
        assert explanation.victim["sea_share"] == pytest.approx(sea_share, abs=1e-6)
        assert explanation.victim["h1_class_m"] == 30.0
        directed_db = discrimination_by_definition_db(case, p, x)
        assert terms["antenna discrimination"] == pytest.approx(directed_db, abs=1e-6)
        assert terms["nuisance field"] == case.nuisance[p]
        margin_db, sigma_db = case.wanted[p] - case.nuisance[p], 3.5 if d_km <= 0.08 else 5.5
        exact_db = permissible_level_by_integral_db(
            float(margin_db), float(case.sigma[p]), sigma_db, device.dq_pct / 100
        )
        assert -0.021 < terms["permissible interfering level"] - exact_db <= 1e-3
        taken_db = calibration_by_definition_db(float(margin_db), float(case.sigma[p]), sigma_db)
        assert terms["calibration of the nuisance sum"] == -taken_db
        assert terms["frequency"] == pytest.approx(-20 * math.log10(F_MHZ))
        ratio = "carrier to noise" if k == 0 else "protection ratio"
        assert -terms[ratio] == ratio_by_definition_db(case, p, k)
        assert (k == 0) == (-terms[ratio] in C_N_DB)
        assert terms["multiple-interference margin"] == -2.0
        assert abs(terms["single precision"]) < 5e-5


def test_selectivity_and_leakage_are_named(tmp_path, repository):
    """ACS with ACLR from the table of classes: class 3 leaks 10^(-(AFLR - 19.03)/10) of its power."""
    case = Case(tmp_path, repository, 400.0, {"emission_class": 3})
    rows = (tmp_path / "ratios.csv").read_text().replace("-1,,,pr_db,-30", "-1,,,acs_db,50")
    (tmp_path / "ratios.csv").write_text(rows)
    classes = "emission_class,offset,aflr_db,source,verified\n" + "\n".join(
        f"{c},{k},{60 + c},made up,false" for c in range(1, 6) for k in (1, 2, 3)
    )
    (tmp_path / "classes.csv").write_text(classes)
    settings = yaml.safe_load(case.config_path.read_text())
    settings["protection"]["device_classes"] = str(tmp_path / "classes.csv")
    case.config_path.write_text(yaml.safe_dump(settings))
    case.config = load_config(case.config_path)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    aclr_db = 63.0 - 10.0 * math.log10(80.0)
    for explanation in check_sums(case, -1, 6):
        terms = {term.name: term.value_db for term in explanation.terms}
        expected_db = -10.0 * math.log10(10**-5.0 + 10 ** (-aclr_db / 10))
        assert terms["selectivity and leakage"] == pytest.approx(expected_db)


def test_near_and_far_victims_add_up(tmp_path, repository):
    case = made(tmp_path, repository, 60.0, {"height_m": 1.5})
    assert len(check_sums(case, 0, 5)) == 5


def test_overload_adds_up(tmp_path, repository):
    case = made(tmp_path, repository, 400.0, {"height_m": 10.0}, overload=True)
    explanations = check_sums(case, 2)
    (overload,) = {e.terms[0].value_db for e in explanations if e.label == 13}
    assert overload == -40.0
    for e in (e for e in explanations if e.label == 13):
        facts = e.victim["overload"]
        assert (facts["o_th_dbm"], facts["o_db"], facts["k"]) == (-40.0, 0.0, 2)
        assert facts["row"]["verified"] is False


def test_slices_of_a_wide_device_add_up(tmp_path, repository):
    """A device of 10 MHz in the next channel of 8 MHz: 0.1 in the victim's slice, 0.8 and 0.1 beside."""
    case = made(tmp_path, repository, 400.0, {"bandwidth_mhz": 10.0})
    for explanation in check_sums(case, 1):
        assert "beyond -3 and +9 (72 MHz)" in explanation.victim["not_evaluated_offsets"]
        assert explanation.victim["slices"] == {"+0": 0.1, "+1": 0.8, "+2": 0.1}
        (note,) = [term.note for term in explanation.terms if term.name == "selectivity and leakage"]
        assert "share 0.800000" in note
        assert "not verified" in note
        ratio = explanation.victim["protection_ratio"]
        shares = {part["k"]: part["share"] for part in ratio["slices"]}
        assert shares == pytest.approx({0: 0.1, 1: 0.8, 2: 0.1})
        powers = [part["share"] * 10 ** (part["r_db"] / 10) for part in ratio["slices"]]
        assert ratio["r_eff_db"] == pytest.approx(10 * math.log10(sum(powers)), abs=1e-9)
        rows = {part["k"]: part["row"] for part in ratio["slices"] if "row" in part}
        assert {k: (row["value"], row["verified"]) for k, row in rows.items()}[2] == (-41.0, False)


def test_nothing_is_explained_where_no_victim_limits(case):
    assert explained(case, 10, targets(case, 1)[0]) is None


def test_threshold_method_names_the_field(tmp_path, repository):
    threshold = {"field_dbuvm": {"value": 60.0, "source": "test", "verified": False}, "offsets": [0]}
    case = Case(tmp_path, repository, 200.0, {}, method="threshold", threshold=threshold)
    path = case.folder / f"coverage/ch{CHANNEL}.tif"
    levels = raster.read(path)
    levels.values[1] = np.linspace(50, 70, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    raster.write(path, levels, tags={}, publish=False)
    assert explained(case, 0, (0, 3)) is None
    occupied = explained(case, 0, (11, 3))
    assert occupied.terms[0].value_db == -math.inf
    assert "of 60.00" in occupied.terms[0].note


def test_cap_beside_an_occupied_channel_is_explained(tmp_path, repository):
    threshold = {"field_dbuvm": {"value": 60.0, "source": "test", "verified": False}, "adjacent": "cap"}
    threshold["adjacent_cap_dbm"] = {1: 16.0}
    case = Case(tmp_path, repository, 200.0, {}, method="threshold", threshold=threshold)
    path = case.folder / f"coverage/ch{CHANNEL}.tif"
    levels = raster.read(path)
    levels.values[1] = 70.0
    raster.write(path, levels, tags={}, publish=False)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    beside = explained(case, 1, (11, 3))
    assert [(term.name, term.value_db) for term in beside.terms] == [("cap beside an occupied channel", 16.0)]
    assert case.limit(CHANNEL + 1).eirp_dbm[11, 3] == 16.0
