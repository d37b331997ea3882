"""Whole runs of a territory as processes of their own, and what their jobs took."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

CORES = 2


class JobsOfStage(NamedTuple):
    """What all jobs of a stage took together, and the largest of them."""

    cpu_s: float
    peak_gib: float


def run(config_path: Path, killed_at_pct: int | None = None) -> float:
    """Seconds of a run, or until all its processes are killed at a percentage of its jobs."""
    started_s = time.perf_counter()
    command = [sys.executable, "-m", "pipeline", "run", str(config_path), "--cores", str(CORES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        for line in process.stdout or ():
            print(line, end="", file=sys.stderr, flush=True)
            done = re.search(r"(\d+) ?%", line)
            if killed_at_pct is not None and done and int(done[1]) >= killed_at_pct:
                os.killpg(process.pid, signal.SIGKILL)
                break
    if killed_at_pct is None and process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - started_s


def run_from_nothing(config_path: Path) -> dict[str, float]:
    """Wall seconds of a run without any file of an earlier one, then processor seconds and GiB by stage."""
    name = config_path.parent.name
    for folder in ("territory", "terrain", "coverage", "protection", "limits", "public", "internal", ".kept"):
        shutil.rmtree(config_path.parent / folder, ignore_errors=True)
    for folder in ("benchmarks", "results"):
        shutil.rmtree(Path(folder) / name, ignore_errors=True)
    prefix, wall_s = name.removeprefix("bench-"), run(config_path)
    stages = stages_of(name)
    return {
        f"{prefix}_whole_wall_s": wall_s,
        f"{prefix}_whole_peak_gib": max(stage.peak_gib for stage in stages.values()),
        **{f"{prefix}_whole_{stage}_cpu_s": took.cpu_s for stage, took in stages.items()},
        **{f"{prefix}_whole_{stage}_peak_gib": took.peak_gib for stage, took in stages.items()},
        **{
            f"{prefix}_whole_{folder}_gb": bytes_of(config_path.parent / folder) / 1e9
            for folder in ("terrain", "territory", "coverage", "protection", "limits", "public")
        },
    }


def stages_of(name: str) -> dict[str, JobsOfStage]:
    """By stage, of the last run of a territory; Snakemake looks at a job every few seconds."""
    found = defaultdict[str, list[dict[str, str]]](list)
    folder = Path("benchmarks") / name
    for path in sorted(folder.rglob("*.tsv")):
        stage = path.relative_to(folder).parts[0].removesuffix(".tsv")
        found[stage] += csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t")
    return {
        stage: JobsOfStage(
            sum(_number(row["cpu_time"]) for row in rows),
            max(_number(row["max_rss"]) for row in rows) / 1024.0,
        )
        for stage, rows in found.items()
    }


def _number(text: str) -> float:
    """A column of Snakemake; it says ``-`` or ``NA`` of jobs that were too short to look at."""
    return 0.0 if text in ("-", "NA") else float(text)


def bytes_of(folder: Path) -> int:
    """Bytes on the disk of all files in a folder."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
