"""`channelmaps run` on the tiny territory, for real: complete, repeatable, and only what changed again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import raster
from pipeline import workflow as jobs

Change = Callable[..., None]
pytestmark = pytest.mark.slow


def run(repository: Path, *arguments: str, command: str = "run", expected_code: int = 0) -> str:
    environment = os.environ | {"PYTHONPATH": str(repository)}
    line = [sys.executable, "-m", "pipeline", command, "tiny.yaml", *arguments]
    done = subprocess.run(line, text=True, capture_output=True, env=environment, timeout=1500)
    assert done.returncode == expected_code, done.stdout + done.stderr
    return done.stdout + done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a run but the manifest, which tells the time."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_run_from_clean_then_after_changes(repository: Path, tiny: Path, change_station: Change) -> None:
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [22, 25]"))
    results = tiny.parent / "results/tiny"

    text = run(repository)
    assert "Results: results/tiny/latest" in text
    first = (results / "latest").resolve()
    before = contents(first)
    assert set(before) == set(jobs.published_files(jobs.load_plan(tiny)))
    listed = {
        item["path"]: item["sha256"] for item in json.loads((first / "manifest.json").read_text())["outputs"]
    }
    assert set(listed) == set(before)
    eirp = raster.read(first / "public/max_eirp_fixed30_ch25.tif").values
    assert (eirp != -32768).any()

    text = run(repository)
    assert "Nothing to be done" in text
    assert (results / "latest").resolve() == first

    change_station(3, erp_kw=5.0)
    text = run(repository)
    second = (results / "latest").resolve()
    assert second != first
    assert "coverage of channel 25" in text
    assert "coverage of channel 21" not in text
    changed = {name for name, data in contents(second).items() if before[name] != data}
    assert "internal/dtt_field_ch25.tif" in changed
    assert not any("ch21" in name or "ch23" in name for name in changed if name.startswith("internal"))
    assert contents(first) == before

    change_station(3)
    run(repository)
    assert (results / "latest").resolve() == first
    assert contents(first) == before

    (first / "public/statistics.csv").unlink()
    run(repository)
    assert contents(first) == before

    tiny.write_text(tiny.read_text().replace("height_m: 30.0", "height_m: -3.0"))
    text = run(repository, expected_code=2)
    assert "height_m" in text
    assert (results / "latest").resolve() == first


def test_run_from_clean_twice_gives_the_same_bytes(repository: Path, tiny: Path) -> None:
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [28]"))
    run(repository)
    before = contents((tiny.parent / "results/tiny/latest").resolve())
    for folder in ("build", "results", ".snakemake"):
        subprocess.run(["rm", "-rf", folder], check=True)
    run(repository)
    assert contents((tiny.parent / "results/tiny/latest").resolve()) == before


def test_what_if_equals_a_full_run_and_leaves_the_published_one(repository: Path, tiny: Path) -> None:
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [28]"))
    run(repository)
    latest = (tiny.parent / "results/tiny/latest").resolve()
    before = contents(latest)
    change = "devices.fixed30.dq_pct=5"
    text = run(repository, "--set", change, command="what-if")
    assert "combine" in text
    assert "coverage of channel" not in text
    assert (tiny.parent / "results/tiny/latest").resolve() == latest
    assert contents(latest) == before
    found = contents((tiny.parent / "results/tiny-what-if/latest").resolve())
    for folder in ("build", "results", ".snakemake"):
        subprocess.run(["rm", "-rf", folder], check=True)
    run(repository, "--set", change, command="what-if")
    assert contents((tiny.parent / "results/tiny-what-if/latest").resolve()) == found
    assert found != before
