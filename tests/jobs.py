"""Jobs of the table, run in the process of the tests."""

from __future__ import annotations

from pathlib import Path

from pipeline.plan.run_job import run_job
from pipeline.plan.territory_file import load_config


def run_from(job: str, config_path: str | Path, build: str | Path, **options: int | str) -> None:
    """Run a job of a territory file, as its command does."""
    run_job(job, load_config(config_path), Path(build), **options)
