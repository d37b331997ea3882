"""`channelmaps sensitivity`: the variants, the spread of layers counted by hand, and a real chain."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.plan.margin import modes_of, required_margin_km
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register
from pipeline.studies.sensitivity import common_reach, narrowed, spread_bands, statistics, variants_of
from tests.jobs import run_from
from tests.terrain.test_land_cover import raster as cover
from tests.workflow.test_refusals import dem, section

OUT, NO, OPEN = -32768, -9999, -9998
FEW = (
    "sensitivity: {coverage_models: [], wsd_models: [], location_sigmas_db: [], dqs_pct: [1.0, 2.0], "
    "idle_penalties_db: [], loaded: false, ratio_tables: [], choices: false}\n"
)


def test_variants_change_one_thing_each(tiny: Path) -> None:
    config = narrowed(load_config(tiny), 24, "fixed30")
    variants = {variant.name: variant.config for variant in variants_of(config)}
    assert set(variants) == {
        "base",
        "coverage-extended_hata",
        "wsd-extended_hata",
        "sigma-4.5",
        "sigma-6.5",
        "dq-0.5",
        "dq-2",
        "idle-0",
        "idle-12",
        "idle-26",
        "ratios-protection_ratios_cautious",
        "choice-offsets",
        "choice-beyond_table",
        "choice-idle_on",
        "choice-overload",
        "choice-fw_calibration",
        "choice-min_eirp_dbm",
    }
    assert variants["base"] == config
    assert variants["coverage-extended_hata"].propagation.coverage_model == "extended_hata"
    assert variants["coverage-extended_hata"].propagation.wsd_model == "p1546"
    assert variants["wsd-extended_hata"].propagation.wsd_model == "extended_hata"
    assert variants["sigma-6.5"].coverage.location_sigma_db == 6.5
    assert variants["sigma-6.5"].protection.far_sigma_db == 6.5
    assert variants["dq-2"].devices[0].dq_pct == 2.0
    assert variants["choice-fw_calibration"].protection.fw_calibration == "off"
    assert variants["choice-beyond_table"].protection.beyond_table == "last_row"
    assert {(tuple(c.channels.wsd), len(c.devices)) for c in variants.values()} == {((24,), 1)}


def test_margin_suffices_for_the_strictest_variant(tiny: Path) -> None:
    """A smaller dq, another model or sigma reach farther: one grid has to hold them all."""
    without = tiny.read_text()
    tiny.write_text(without + FEW.replace("[1.0, 2.0]", "[1.0]"))
    alone_km = narrowed(load_config(tiny), 24, "fixed30").grid.margin_km
    tiny.write_text(without + FEW.replace("[1.0, 2.0]", "[0.1]"))
    assert narrowed(load_config(tiny), 24, "fixed30").grid.margin_km > alone_km + 1.0


@pytest.mark.parametrize(
    ("channel", "device", "extra", "message"),
    [
        (40, "fixed30", "", "not a channel"),
        (24, "x", "", "no such device"),
        (24, "fixed30", "protection: {method: threshold}\n", "has no sensitivity"),
    ],
)
def test_other_channels_devices_and_methods_are_refused(tiny: Path, channel, device, extra, message) -> None:
    tiny.write_text(tiny.read_text() + extra)
    with pytest.raises(InputError, match=message):
        narrowed(load_config(tiny), channel, device)


def test_spread_is_highest_less_lowest_and_codes_stay_codes() -> None:
    raw = np.array(
        [[[1000, 1500, NO, NO, OPEN, OUT]], [[1200, -300, 100, NO, 50, OUT]], [[900, 0, 200, NO, NO, OUT]]],
        dtype=np.int16,
    )
    spread, lowest, highest = spread_bands(raw)[:, 0].tolist()
    assert spread == [300, 1800, NO, NO, OPEN, OUT]
    assert lowest == [900, -300, NO, NO, OPEN, OUT]
    assert highest == [1200, 1500, 200, NO, OPEN, OUT]


def test_statistics_are_weighted_by_area() -> None:
    base, other = [[1000, 2000, NO, OUT]], [[1100, 2400, 500, OUT]]
    area_km2 = np.array([[3.0, 1.0, 4.0, 9.0]], dtype=np.float32)
    first, second = statistics(["base", "x"], np.array([base, other], np.int16), area_km2, [20.0])
    assert (first["variant"], float(str(first["mean_db"]))) == ("base", 0.0)
    assert float(str(second["mean_db"])) == pytest.approx((3 * 1.0 + 1 * 4.0) / 4)
    assert float(str(second["p50_db"])) == 2.5
    assert float(str(first["not_permitted_pct"])) == 50.0
    assert float(str(second["available_20dbm_pct"])) == pytest.approx(100 / 8)


def test_levels_are_available_by_the_limits_before_the_least_eirp() -> None:
    """24.15 dBm at least: 20 dBm is not permitted as a maximum, and yet available in half of the area."""
    raw, limits = np.array([[[NO, NO]]], np.int16), np.array([[[2000, 1000]]], np.int16)
    (row,) = statistics(["base"], raw, np.ones((1, 2), np.float32), [20.0], limits)
    assert (row["not_permitted_pct"], row["available_20dbm_pct"]) == ("100.0000", "50.0000")


def chain(config_path: Path, build: Path, channel: int, *more: str) -> np.ndarray:
    """The layer that the stages give without the tool; ``more``: jobs besides, of a tile or of all."""
    run_from("territory", config_path, build)
    run_from("terrain", config_path, build, tile="n46e014")
    for job in more:
        run_from(job, config_path, build, **({"tile": "n46e014"} if job == "losses" else {}))
    for victim in (21, 22, 23, 25):
        run_from("coverage", config_path, build, channel=victim)
        run_from("protect", config_path, build, channel=victim)
    run_from("combine", config_path, build, channel=channel)
    layer = raster.read(build / f"public/max_eirp_fixed30_ch{channel}.tif").values
    return layer[layer != OUT]


@pytest.mark.slow
def test_spread_equals_that_of_two_separate_runs(tiny: Path, tmp_path: Path) -> None:
    """Territories with dq 1 % and 2 % computed apart, on their own grids, against one call."""
    original = tiny.read_text()
    (tmp_path / "other.yaml").write_text(
        original.replace("height_m: 30.0", "height_m: 30.0\n    dq_pct: 2.0")
    )
    runs = [chain(tmp_path / name, tmp_path / f"b-{name}", 24) for name in ("tiny.yaml", "other.yaml")]
    tiny.write_text(original + FEW)
    out = tmp_path / "out"
    command = ["sensitivity", str(tiny), "--channel", "24", "--device", "fixed30", "--out", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    spread = raster.read(out / "sensitivity_fixed30_ch24.tif")
    inside = spread.values[0] != OUT
    both = np.stack(runs).astype(int)
    assert (both > -9000).all()
    expected = [both.max(axis=0) - both.min(axis=0), both.min(axis=0), both.max(axis=0)]
    assert [band[inside].tolist() for band in spread.values] == [band.tolist() for band in expected]
    assert expected[0].max() > 100
    rows = list(csv.DictReader((out / "sensitivity_fixed30_ch24.csv").open()))
    assert [row["variant"] for row in rows] == ["base", "dq-2"]
    again = CliRunner().invoke(app, command)
    assert "coverage of channel" not in again.output


@pytest.mark.slow
def test_coverage_by_p1812_is_a_variant_with_tables_of_its_own(tiny: Path, tmp_path: Path) -> None:
    """On hills, against territories computed apart by each of the two models."""
    row, col = np.mgrid[:100, :120]
    heights_m = (300.0 + 200.0 * np.sin(row / 2.0) * np.cos(col / 3.0)).astype(np.float32)
    cover(tmp_path / "dem.tif", heights_m, corner=(11.0, 48.5), step=0.05)
    original = f"{tiny.read_text()}terrain: {{dem: [dem.tif]}}\n"
    tiny.write_text(original)
    (tmp_path / "other.yaml").write_text(original + "propagation: {coverage_model: p1812}\n")
    runs = [
        chain(tmp_path / "tiny.yaml", tmp_path / "b-tiny", 24, "heights"),
        chain(tmp_path / "other.yaml", tmp_path / "b-other", 24, "losses", "heights"),
    ]
    tiny.write_text(original + FEW.replace("[1.0, 2.0]", "[]").replace("models: []", "models: [p1812]", 1))
    out = tmp_path / "out"
    command = ["sensitivity", str(tiny), "--channel", "24", "--device", "fixed30", "--out", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((out / "sensitivity_fixed30_ch24.csv").open()))
    assert [row["variant"] for row in rows] == ["base", "coverage-p1812"]
    spread = raster.read(out / "sensitivity_fixed30_ch24.tif").values
    both = np.stack(runs).astype(int)
    levels = (both > -9000).all(axis=0)
    assert levels.sum() > 100
    # Tables end where the grid does, which is that of all variants here: radials lie otherwise, in 0.01 dB.
    apart = np.abs(spread[0][spread[0] != OUT].astype(int) - np.ptp(both, axis=0))[levels]
    assert apart.mean() < 0.5
    assert np.quantile(apart, 0.99) <= 10
    assert apart.max() <= 50
    assert np.ptp(both, axis=0)[levels].max() > 100


@pytest.mark.slow
def test_model_without_heights_reaches_its_own_range(tiny: Path) -> None:
    """All variants share the land in reach; extended Hata knows no hills and reaches farther on flat land."""
    section("terrain: {dem: [dem.tif]}", dem(12.8))(tiny.parent)
    config = narrowed(load_config(tiny), 24, "fixed30")
    margin_km = config.grid.margin_km
    assert margin_km is not None
    variants = variants_of(config)
    reach = common_reach(config, variants, margin_km, 1)
    assert reach.hills is not None
    (flat,) = [v.config for v in variants if v.config.propagation.wsd_model == "extended_hata"]
    modes = modes_of(config, read_register(config)[0])
    assert reach.hills.near_km >= required_margin_km(flat, modes, coastal=False) > 15.0
    assert common_reach(config, variants[:1], margin_km, 1).hills.near_km == 15.0
