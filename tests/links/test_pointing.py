"""Pointing: the least of all directions is what is published; an antenna gains where no victims are."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.links.pointing import (
    MAX_CREDIT_DB,
    DirectionalLimits,
    best_azimuth_deg,
    directional_limits,
    permitted_on_axis_dbm,
    with_and_without_direction,
)
from pipeline.plan.plan import load_plan
from pipeline.publish.manifest import make_manifest, utc_now
from pipeline.publish.release import release
from pipeline.query.results import read_run
from tests.dtt.test_protection_maps import CHANNEL, Case
from tests.jobs import run_from
from tests.studies.test_explain import DEVICE, explained, publish, raw_and_places

NOWHERE = DirectionalLimits(np.full(72, math.inf), 36.0, -40.0, 36.0, open=True)


def beam(bearing_deg: np.ndarray) -> np.ndarray:
    """30 dB down beyond 30 degrees off north."""
    return np.where(np.abs((bearing_deg + 180.0) % 360.0 - 180.0) <= 30.0, 0.0, 30.0)


def test_a_victim_behind_the_antenna_is_credited_no_more_than_15_db() -> None:
    sectors = np.full(72, math.inf)
    sectors[36] = 10.0  # from 180 to 185 degrees
    limits = NOWHERE._replace(sector_dbm=sectors)
    assert permitted_on_axis_dbm(limits, np.zeros_like) == 10.0
    assert permitted_on_axis_dbm(limits, beam) == 10.0 + MAX_CREDIT_DB
    assert permitted_on_axis_dbm(limits, lambda bearings: beam(bearings - 180.0)) == 10.0
    axis_deg, level_dbm = best_azimuth_deg([limits], beam)
    assert (axis_deg, level_dbm) == (0.0, 25.0)


def test_caps_and_what_has_no_direction_stay() -> None:
    sectors = np.full(72, math.inf)
    sectors[36] = 30.0
    limits = NOWHERE._replace(sector_dbm=sectors)
    assert permitted_on_axis_dbm(limits, beam) == 36.0
    assert permitted_on_axis_dbm(limits._replace(other_dbm=12.0), beam) == 12.0
    assert math.isnan(permitted_on_axis_dbm(limits._replace(least_dbm=37.0), beam))
    assert math.isnan(permitted_on_axis_dbm(limits._replace(open=False), beam))


@pytest.fixture
def case(tmp_path: Path, repository: Path) -> Case:
    folder = tmp_path / "build/case"
    folder.mkdir(parents=True)
    return Case(folder, repository, 400.0, {"height_m": 10.0, "min_eirp_dbm": -80.0})


@pytest.mark.parametrize("offset", [0, 1])
def test_without_direction_it_is_the_published_number(case: Case, offset: int) -> None:
    run_folder = publish(case)
    run = read_run(run_folder)
    channel = CHANNEL + offset
    raw, lon, lat = raw_and_places(run_folder, channel)
    places = np.random.default_rng(5).permutation(np.argwhere(raw != -32768))[:6]
    for x in map(tuple, places):
        limits = directional_limits(run, run.build, (float(lon[x]), float(lat[x])), channel, DEVICE)
        if raw[x] == -9999:
            assert math.isnan(limits.omni_dbm)
        else:
            assert limits.omni_dbm == pytest.approx(raw[x] / 100, abs=0.0101)
        for axis in (0.0, 120.0, 240.0):
            own = permitted_on_axis_dbm(limits, lambda bearings, a=axis: beam(bearings - a))
            omni = limits.omni_dbm
            assert math.isnan(omni) or omni - 1e-9 <= own <= omni + MAX_CREDIT_DB + 0.01


def test_sectors_are_credited_by_the_command(case: Case, tmp_path: Path) -> None:
    """Two sectors back to back: each may what its own victims leave, at least what is published."""
    publish(case)
    run_from("query", case.config_path, case.folder, device=DEVICE)
    files = {f"public/{path.name}": path for path in sorted((case.folder / "public").glob("*.tif"))}
    plan = load_plan(case.config_path)._replace(build=case.folder)
    results = case.folder.parents[1] / "results/case"
    folder = release(
        files, results, "run2", lambda digests: make_manifest(plan, "run2", files, digests, utc_now())
    )
    raw, lon, lat = raw_and_places(folder, CHANNEL)
    x = tuple(np.argwhere(raw > -9998)[0])
    station = f"""
stations:
  - id: mast
    lon: {lon[x]}
    lat: {lat[x]}
    height_m: 10.0
    device: {DEVICE}
    sectors:
      - {{id: A, azimuth_deg: 90.0, beamwidth_deg: 60.0, gain_dbi: 10, power_dbm: 60, radios: [{{id: "1"}}]}}
      - {{id: B, azimuth_deg: 270.0, beamwidth_deg: 60.0, gain_dbi: 10, power_dbm: 60, radios: [{{id: "1"}}]}}
"""
    (tmp_path / "stations.yaml").write_text(station)
    line = ["basestation", str(tmp_path / "stations.yaml"), "--results", str(results), "--model", "p1546"]
    line += ["--cpe", "a8_bowtie" if DEVICE == "portable" else "a8_panel", "--pointing", "--try-azimuths"]
    done = CliRunner().invoke(app, [*line, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, (done.output, done.exception)
    with (tmp_path / "out/internal/permitted_azimuth.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["channel"] == str(CHANNEL)]
    assert len(rows) == 2 * 72
    found = [float(row["limit_dbm"]) for row in rows if row["sector"] == "A" and row["limit_dbm"]]
    assert min([*found, 36.0]) == pytest.approx(raw[x] / 100, abs=0.0101)
    # The strictest sector names the station whose reception the budget of the published number is of.
    strictest = min((row for row in rows if row["limit_dbm"]), key=lambda row: float(row["limit_dbm"]))
    answer = explained(folder, CHANNEL, lon[x], lat[x])
    facts = next(one["victim"] for one in (answer, *answer["next_limits"]) if "station" in one["victim"])
    assert strictest["victim_service"] == "dtt"
    named = facts["station"]["id"], str(facts["channel"])
    assert (strictest["victim_id"], strictest["victim_channel"]) == named
    gains = {row["sector"]: float(row["pointing_gain_db"]) for row in rows}
    assert all(0.0 <= gain <= MAX_CREDIT_DB + 0.01 for gain in gains.values())
    with (tmp_path / "out/stations_out.csv").open(encoding="utf-8", newline="") as stream:
        radios = list(csv.DictReader(stream))
    for row in radios:
        if row["channel"]:
            assert float(row["best_azimuth_dbm"]) >= float(row["permitted_dbm"]) - 0.011
            assert float(row["best_azimuth_deg"]) % 5.0 == 0.0


def test_the_best_azimuth_needs_limits_by_direction(tmp_path: Path) -> None:
    line = ["basestation", "x.yaml", "--results", "none", "--out", str(tmp_path / "out"), "--try-azimuths"]
    assert "--pointing" in str(CliRunner().invoke(app, line).exception)


def test_ends_of_a_link_are_credited(case: Case, tmp_path: Path) -> None:
    """An end with a pattern may at least what is published, at most 15 dB more; without one just that."""
    publish(case)
    run_from("query", case.config_path, case.folder, device=DEVICE)
    files = {f"public/{path.name}": path for path in sorted((case.folder / "public").glob("*.tif"))}
    plan = load_plan(case.config_path)._replace(build=case.folder)
    results = case.folder.parents[1] / "results/case"
    folder = release(
        files, results, "run3", lambda digests: make_manifest(plan, "run3", files, digests, utc_now())
    )
    raw, lon, lat = raw_and_places(folder, CHANNEL)
    x = tuple(np.argwhere(raw > -9998)[0])
    head = "id,a_lon,a_lat,b_lon,b_lat,channel,a_eirp_dbm,a_gain_dbi,a_height_m,b_height_m,device,"
    head += "a_azimuth_deg,a_pattern\n"
    rows = [
        f"{name},{lon[x]},{lat[x]},{lon[x] + 0.05},{lat[x]},{CHANNEL},70,12,10,10,{DEVICE},{pointing}"
        for name, pointing in (("plain", ","), ("yagi", "point,BT.419"), ("away", "270,BT.419"))
    ]
    (tmp_path / "links.csv").write_text(head + "\n".join(rows) + "\n")
    line = ["links", str(tmp_path / "links.csv"), "--results", str(results), "--model", "p1546", "--pointing"]
    done = CliRunner().invoke(app, [*line, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, (done.output, done.exception)
    with (tmp_path / "out/links.csv").open(encoding="utf-8", newline="") as stream:
        found = {row["id"]: row for row in csv.DictReader(stream)}
    assert found["plain"]["pointing_a_db"] == ""
    assert float(found["plain"]["permitted_a_dbm"]) == pytest.approx(raw[x] / 100, abs=0.006)
    limits = directional_limits(read_run(results), case.folder, (lon[x], lat[x]), CHANNEL, DEVICE)
    for name, axis in (("yagi", 90.0), ("away", 270.0)):
        level = float(found[name]["permitted_a_dbm"])
        assert raw[x] / 100 - 0.006 <= level <= raw[x] / 100 + MAX_CREDIT_DB + 0.02

        def yagi(bearing_deg: np.ndarray, axis: float = axis) -> np.ndarray:
            off = np.abs((bearing_deg - axis + 180.0) % 360.0 - 180.0)
            return 16.0 * np.clip((off - 20.0) / 40.0, 0.0, 1.0)

        assert level == pytest.approx(max(permitted_on_axis_dbm(limits, yagi), raw[x] / 100), abs=0.02)
    (tmp_path / "places.csv").write_text(f"id,lon,lat\na,{lon[x]},{lat[x]}\nb,{lon[x] + 0.05},{lat[x]}\n")
    line = ["links", "--places", str(tmp_path / "places.csv"), "--pairs", "1:20", "--results", str(results)]
    line += ["--model", "p1546", "--template", "a5_high", "--channel", str(CHANNEL), "--pointing"]
    done = CliRunner().invoke(app, [*line, "--out", str(tmp_path / "pairs")])
    assert done.exit_code == 0, (done.output, done.exception)
    with (tmp_path / "pairs/links.csv").open(encoding="utf-8", newline="") as stream:
        (pair,) = list(csv.DictReader(stream))
    # Antennas of settlements point at each other: the first may what the link with `point` may.
    assert float(pair["eirp_dbm"]) == pytest.approx(float(found["yagi"]["permitted_a_dbm"]), abs=0.011)
    line = ["links", str(tmp_path / "links.csv"), "--pointing", "--out", str(tmp_path / "never")]
    assert "--results" in str(CliRunner().invoke(app, line).exception)


def test_a_border_field_has_no_direction() -> None:
    """It belongs to the service of foreign reception, but its limit stays whatever the antenna does."""
    levels = [("dtt", 30.0), ("foreign_dtt", 10.0), ("pmse", 20.0)]
    assert with_and_without_direction(levels, 36.0) == (30.0, 10.0)
    assert with_and_without_direction([("dtt", 5.0)], 36.0) == (5.0, 36.0)


def test_a_filter_never_takes_from_a_limit_and_gives_nothing_in_the_channel(case: Case) -> None:
    """The scene has whole ratios, which a filter leaves as they are; the floor of leakage falls with it."""
    run_folder = publish(case)
    run = read_run(run_folder)
    for channel in (CHANNEL, CHANNEL + 1):
        raw, lon, lat = raw_and_places(run_folder, channel)
        x = tuple(np.argwhere(raw > -9998)[0])
        place = float(lon[x]), float(lat[x])
        plain, filtered = (
            directional_limits(run, run.build, place, channel, DEVICE, db).sector_dbm.min() for db in (0, 10)
        )
        assert math.isfinite(plain)
        assert plain <= filtered <= plain + 10.0
        assert channel != CHANNEL or plain == filtered
