"""Which jobs Snakemake would run after a change: the real Snakefile, with empty files in place of results."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.plan.plan import load_plan
from pipeline.plan.run_files import (
    coverage_files,
    protection_files,
    published_files,
    terrain_files,
    territory_files,
    two_digits,
)
from tests.jobs import snakemake
from tests.plan.test_plan import COORDINATION, SECTIONS

Change = Callable[..., None]


def planned(repository: Path) -> dict[str, list[str]]:
    """Channels or tiles of the jobs that a run would start, by rule."""
    text = snakemake(repository, "--dry-run")
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=(?:local)?rule )", text)[1:]:
        rule = re.match(r"(?:local)?rule (\w+):", block)
        wildcard = re.search(r"wildcards: \w+=(\w+)", block.split("\n\n")[0])
        assert rule is not None
        found.setdefault(rule[1], []).append(wildcard[1] if wildcard else "")
    found.pop("all", None)
    return {name: sorted(values) for name, values in found.items()}


def finish(repository: Path, tiny: Path) -> None:
    """Leave the working folder as after a complete run."""
    plan = load_plan(tiny)
    outputs = [plan.build / name for name in territory_files(plan)]
    outputs += [plan.build / name for c in plan.victims for name in terrain_files(plan, c)]
    for channel in map(two_digits, plan.victims):
        outputs += [plan.build / name for name in coverage_files(plan, channel)]
        outputs += [plan.build / name for name in protection_files(plan, channel)]
    outputs += [plan.build / name for name in published_files(plan)]
    for path in [*outputs, plan.results / ".published"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    snakemake(repository, "--touch", "--forceall")


def test_dag_of_a_clean_folder_has_every_job_once(repository: Path, tiny: Path) -> None:
    wsd = [str(channel) for channel in range(21, 31)]
    victims = ["21", "22", "23", "25"]
    assert planned(repository) == {
        "territory": [""],
        "terrain": ["n46e014"],
        "coverage": victims,
        "protect": victims,
        "reception": [""],
        "combine": wsd,
        "availability": [""],
        "choices": [""],
        "query": ["fixed30"],
        "web": [""],
        "qgis": [""],
        "stac": [""],
        "publish": [""],
    }


@pytest.mark.slow
def test_dag_has_a_job_for_each_bond(repository: Path, tiny: Path) -> None:
    """Rules by the number of channels: each job writes the layers of the devices that use so many."""
    text = tiny.read_text()
    device = text[text.index("  - id: fixed30") : text.index("levels_dbm:")]
    pair = device.replace("fixed30", "pair") + "    bond: 2\n    bandwidth_mhz: 16.0\n"
    tiny.write_text(text.replace("levels_dbm:", pair + "levels_dbm:").replace('["21-30"]', '["21-23"]'))
    printed = snakemake(repository, "--dry-run")
    rules = re.findall(r"rule (combine\w*):", printed)
    assert sorted(rules) == ["combine"] * 3 + ["combine_bonds_of_2"] * 2
    for name in ("max_eirp_pair_ch21-22.tif", "max_eirp_pair_ch22-23.tif", "max_eirp_fixed30_ch21.tif"):
        assert name in printed
    assert "max_eirp_pair_ch21.tif" not in printed
    names = published_files(load_plan(tiny))
    for name in ("public/eval_flags_pair_ch21-22.tif", "public/limiting_service_pair_ch22-23.tif"):
        assert name in names
    assert {"stac/pair_ch21-22.json", "public/web/tiles/max_eirp_pair_ch22-23.pmtiles"} <= set(names)


@pytest.mark.slow
def test_dag_of_a_territory_with_coordination_has_its_jobs(repository: Path, tiny: Path) -> None:
    tiny.write_text(tiny.read_text() + SECTIONS)
    found = planned(repository)
    assert {rule: found[rule] for rule in COORDINATION} == {rule: [""] for rule in COORDINATION}


@pytest.mark.slow
def test_dag_after_changes_has_only_what_they_concern(
    repository: Path, tiny: Path, change_station: Change
) -> None:
    finish(repository, tiny)
    assert planned(repository) == {}
    (tiny.parent / "register.csv").touch()
    tiny.touch()
    assert planned(repository) == {}, "a new time without new content"
    original = tiny.read_text()

    change_station(3, erp_kw=2.0)  # D, channel 25: nothing on 24 and 26
    assert planned(repository) == {
        "coverage": ["25"],
        "protect": ["25"],
        "reception": [""],
        "combine": ["22", "23", "24", "25", "26", "27", "28"],
        "availability": [""],
        "choices": [""],
        "query": ["fixed30"],
        "web": [""],
        "qgis": [""],
        "stac": [""],
        "publish": [""],
    }
    change_station(2, erp_kw=2.0)  # C, channel 23: its neighbour 22 hears it, 24 is empty
    assert planned(repository)["coverage"] == ["22", "23"]
    change_station(3, lon=14.2)  # a moved mast: the sweeps of its square, and what reads them
    moved = planned(repository)
    assert moved["terrain"] == ["n46e014"]
    assert "territory" not in moved
    change_station(3)
    assert planned(repository) == {}, "the edit was taken back"

    for old, new, expected in [
        (
            "levels_dbm: [0.0, 20.0, 36.0]",
            "levels_dbm: [0.0, 20.0]",
            {"availability", "choices", "web", "qgis", "stac", "publish"},
        ),
        ("devices:", "validity_hours: 48.0\ndevices:", {"qgis", "stac", "publish"}),
        ("devices:", "query: {block_px: 16}\ndevices:", {"query", "qgis", "stac", "publish"}),
        (
            "fixed: {status: out_of_scope, reason: test}",
            "fixed: {applicable: false, reason: test}",
            {"combine", "availability", "choices", "query", "web", "qgis", "stac", "publish"},
        ),
    ]:
        tiny.write_text(original.replace(old, new))
        assert set(planned(repository)) == expected, new
    tiny.write_text(original)
    assert planned(repository) == {}
