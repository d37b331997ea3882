"""The table of plausibility of a finished build, by the coverage itself, in manifest, report and log."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.coverage.channel import CLASS_BANDS
from pipeline.coverage.home_reception import idle_in_coverage
from pipeline.grid.grid import Grid
from pipeline.grid.raster import layout_on, read_grid, write_blocks
from pipeline.plan.plan import load_plan
from pipeline.plan.plausibility import register_facts, table_lines
from pipeline.publish.disclosure import public_facts
from pipeline.publish.manifest import run_facts, utc_now
from pipeline.publish.report.basis import plausibility
from pipeline.publish.report.page import page
from pipeline.territory.codes import Surface
from tests.jobs import run_from
from tests.tiny import STATIONS, write_register


def coverage_of(build: Path, grid: Grid, channel: int, ids: list[str], server: np.ndarray) -> None:
    """Files of the job coverage in which ``server`` (numbers from 1, 0 none) serves its pixels."""
    served = np.where(server > 0, 1, 0)
    classes = np.stack([served, server, np.zeros_like(server)]).astype(np.uint16)
    layout = layout_on(grid, CLASS_BANDS, dtype="uint16", nodata=65535, units="1", long_name="test")
    blocks = iter([(slice(0, grid.height), slice(0, grid.width), classes)])
    (build / "coverage").mkdir(exist_ok=True)
    write_blocks(build / f"coverage/ch{channel:02d}_class.tif", layout, blocks, publish=False)
    content = {"transmitters": [{"id": name} for name in ids], "modes": []}
    (build / f"coverage/ch{channel:02d}_servers.json").write_text(json.dumps(content), encoding="utf-8")


def links(tiny: Path, *longitudes: float) -> None:
    head = (
        "id,lon,lat,f_mhz,bandwidth_mhz,noise_figure_db,gain_dbi,feeder_db,antenna_height_m,acs_db,"
        "azimuth_deg,pattern\n"
    )
    rows = [f"SECRET-{i},{lon},46.1,546,1,5,14,2,20,80,90,F.699\n" for i, lon in enumerate(longitudes)]
    (tiny.parent / "links.csv").write_text(head + "".join(rows), encoding="utf-8")
    content = yaml.safe_load(tiny.read_text(encoding="utf-8"))
    content["services"]["fixed"] = {"status": "evaluate"}
    content["incumbents"] = {"fixed": {"registers": ["links.csv"]}}
    tiny.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture
def territory(tiny: Path) -> Path:
    """The tiny territory with a link at home and one outside, its masks computed."""
    links(tiny, 14.1, 20.0)
    run_from("territory", tiny, load_plan(tiny).build)
    return tiny


def test_served_pixels_at_home_are_counted_and_less_than_a_tenth_of_a_km2_is_none(tmp_path: Path) -> None:
    grid = Grid("EPSG:3794", 100.0, 400_000.0, 100_000.0, 40, 30)
    surface = np.full(grid.shape, int(Surface.HOME), np.uint8)
    surface[:, 20:] = int(Surface.FOREIGN)
    layout = layout_on(grid, ("surface",), dtype="uint8", nodata=None, units="", long_name="test")
    (tmp_path / "territory").mkdir()
    block = (slice(0, 30), slice(0, 40), surface)
    write_blocks(tmp_path / "territory/surface.tif", layout, iter([block]), publish=False)
    server = np.zeros(grid.shape, np.uint16)
    server[0, :10], server[1, :9], server[:, 20:] = 1, 2, 3  # 0.10 km2, 0.09 km2, 6 km2 abroad
    coverage_of(tmp_path, grid, 21, ["A", "B", "C", "D"], server)
    assert idle_in_coverage(tmp_path, {21: ["A", "B", "C", "D"]}) == {"B", "C", "D"}
    assert idle_in_coverage(tmp_path, {21: ["A"], 22: ["E"]}) is None


def test_table_of_a_run_stands_in_manifest_report_and_log(territory: Path) -> None:
    plan = load_plan(territory)
    grid = read_grid(plan.build / "territory/surface.tif")
    for channel in plan.victims:
        own = [name for name, _, _, its, _ in STATIONS if its == channel]
        everywhere = np.full(grid.shape, 0 if own == ["B"] else 1, np.uint16)
        coverage_of(plan.build, grid, channel, own, everywhere)
    transmitters, receivers = register_facts(plan)
    assert transmitters.serving_nothing_at_home == 1
    assert transmitters.ids["serving_nothing_at_home"] == ["B"]
    assert (transmitters.rows, transmitters.in_reach, transmitters.far_from_home) == (5, 5, 1)
    assert (receivers.rows, receivers.in_reach, receivers.receivers_outside) == (2, 2, 1)
    assert receivers.ids == {}
    facts = run_facts(plan, "x", {}, utc_now())
    text = page("test", plausibility(facts))
    assert "Transmitters, serving_nothing_at_home: B." in text
    assert "Transmitters, far_from_home: E." in text
    assert "SECRET" not in text + json.dumps(facts["plausibility"])
    public = [line["register"] for line in public_facts(facts)["plausibility"]]
    assert public == ["register.csv", "incumbents.fixed.registers"]
    lines = list(table_lines(facts["plausibility"]))
    assert lines[0].startswith("  plausibility  register.csv: rows 5, in_reach 5, out_of_reach 0, serving")
    assert lines[1].endswith("links.csv: rows 2, in_reach 2, out_of_reach 0, receivers_outside 1, accepted 0")


def test_without_a_territory_there_is_no_table(tiny: Path) -> None:
    write_register(tiny.parent / "register.csv", STATIONS)
    assert register_facts(load_plan(tiny)) == []
    assert plausibility({"plausibility": []}) == []
