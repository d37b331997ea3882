"""Jobs of the table, run in the process of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pipeline.plan.run_job import run_job
from pipeline.plan.territory_file import load_config


def run_from(job: str, config_path: str | Path, build: str | Path, **options: int | str) -> None:
    """Run a job of a territory file, as its command does."""
    run_job(job, load_config(config_path), Path(build), **options)


def snakemake(
    repository: Path, *arguments: str, territory: str = "tiny.yaml", folder: Path | None = None
) -> str:
    """Run the real Snakefile on a territory file in ``folder`` (None: the working one); all that it says."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")]
    command += ["--cores", "1", "--scheduler", "greedy", *arguments, "--config", f"territory={territory}"]
    run = subprocess.run(
        command,
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(repository)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr
