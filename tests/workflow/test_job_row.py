"""A job is a row and a rule: one more of each, and the workflow knows it, runs it and logs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROW = """
import pipeline.plan.jobs as table

table.JOBS["extra"] = table.Job(
    name="extra",
    title="extra of channel {channel}",
    module="extra_job",
    files=None,
    settings=("levels_dbm",),
    wildcards=("channel",),
    rows="rows_of_channel",
    values=("code",),
)
"""
MODULE = """
import sys


def main(config, build, *, threads, channel, code):
    print("said by the job", file=sys.stderr)
    (build / "extra").mkdir(parents=True, exist_ok=True)
    (build / f"extra/ch{channel}.txt").write_text(f"{config.name} {channel} {threads} {len(code)}")
"""
RULE = """
include: "{repository}/Snakefile"


rule extra:
    output:
        f"{{BUILD}}/extra/ch{{{{channel}}}}.txt",
    log:
        derived.log_file(PLAN, "extra"),
    benchmark:
        derived.benchmark_file(PLAN, "extra")
    threads: threads_of("extra")
    params:
        **params_of("extra"),
    shell:
        derived.shell_line("extra")
"""


@pytest.mark.slow
def test_job_of_one_row_and_one_rule_is_planned_run_and_logged(repository: Path, tiny: Path) -> None:
    folder = tiny.parent
    (folder / "code").mkdir()
    (folder / "code/sitecustomize.py").write_text(ROW)
    (folder / "code/extra_job.py").write_text(MODULE)
    (folder / "Snakefile").write_text(RULE.format(repository=repository))
    territory = folder / "my territory.yaml"  # a path with a blank has to work
    territory.write_text(f"name: tiny\n{tiny.read_text()}")

    def snakemake(*arguments: str) -> str:
        line = [sys.executable, "-m", "snakemake", "--cores", "1", "--scheduler", "greedy", *arguments]
        line += ["build/tiny/extra/ch21.txt", "--config", f"territory={territory.name}"]
        environment = os.environ | {"PYTHONPATH": f"{folder / 'code'}:{repository}"}
        done = subprocess.run(line, cwd=folder, env=environment, text=True, capture_output=True, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "rule extra" in snakemake("--dry-run")
    assert "done: extra of channel 21" in snakemake()
    assert (folder / "build/tiny/extra/ch21.txt").read_text() == "tiny 21 1 16"
    assert "said by the job" in (folder / "logs/tiny/extra/ch21.log").read_text()
    assert (folder / "benchmarks/tiny/extra/ch21.tsv").is_file()
    assert "Nothing to be done" in snakemake("--dry-run")
