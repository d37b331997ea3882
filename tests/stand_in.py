"""A stand-in for the workflow: tests of what surrounds it take no time to compute."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from pipeline.plan.dependencies import run_id
from pipeline.plan.plan import load_plan
from pipeline.publish.manifest import make_manifest
from pipeline.publish.release import release
from pipeline.workflow import run as runs
from pipeline.workflow.run import RunOptions

NOW = datetime.now(UTC).replace(microsecond=0)
FEW = RunOptions(cores=1)


class Workflow:
    """Stands for Snakemake: publishes one file under the run id of the territory, as the last job does."""

    def __init__(self) -> None:
        self.code = 0
        self.runs = 0

    def __call__(self, command: list[str], stdin: IO[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.runs += 1
        assert os.path.sameopenfile(stdin.fileno(), os.open(".snakemake/run.lock", os.O_RDONLY))
        if self.code == 0 and "--dry-run" not in command:
            (territory,) = [word for word in command if word.startswith("territory=")]
            publish(Path(territory.removeprefix("territory=")))
        return subprocess.CompletedProcess(command, self.code)


def publish(config: Path, now: datetime = NOW) -> Path:
    """Publish the tiny territory as it stands, with one small file; the run's folder."""
    plan, source = load_plan(config), Path("a.txt")
    source.write_text("a")
    benchmark = Path("benchmarks/tiny/coverage/ch21.tsv")
    benchmark.parent.mkdir(parents=True, exist_ok=True)
    benchmark.write_text("s\th:m:s\n12.5\t0:00:12\n")
    files, run = {"public/a.txt": source}, run_id(plan)
    return release(files, plan.results, run, lambda digests: make_manifest(plan, run, files, digests, now))


@pytest.fixture
def workflow(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Workflow:
    stand_in = Workflow()
    monkeypatch.setattr(runs.subprocess, "run", stand_in)
    monkeypatch.setattr(runs, "validate_command", lambda *_, **__: None)  # has its own tests
    return stand_in


def summary(tiny: Path) -> dict:
    return json.loads((tiny.parent / "results/tiny/summary.json").read_text())


def add_run(results: Path, number: int, computed_at: str) -> Path:
    folder = results / f"{number:016x}"
    (folder / "public").mkdir(parents=True)
    (folder / "public/a.tif").write_text("a")
    (folder / "public/a.tif").chmod(0o444)
    (folder / "manifest.json").write_text(json.dumps({"computed_at": computed_at}))
    return folder
