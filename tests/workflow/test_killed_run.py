"""A run that is killed leaves what readers see as it was, and the next one ends with the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.publish.release import is_complete
from tests.dask_cluster import dask_cluster
from tests.workflow.test_full_run import contents, run

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


def killed_after(repository: Path, jobs: int) -> list[str]:
    """Start a run with all its children in a group of their own and kill them once so many jobs are done."""
    environment = os.environ | {"PYTHONPATH": str(repository)}
    line = [sys.executable, "-m", "pipeline", "run", "tiny.yaml", "--verbose", "--cores", "2"]
    done = []
    with subprocess.Popen(
        line, text=True, stdout=subprocess.PIPE, env=environment, start_new_session=True
    ) as process:
        for text in process.stdout:
            done += [text] if text.startswith("done:") else []
            if len(done) == jobs:
                os.killpg(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    return done


def test_run_on_a_cluster_that_loses_a_worker_gives_the_same_bytes(
    repository: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [22, 25]"))
    run(repository)
    latest = tiny.parent / "results/tiny/latest"
    name, wanted = latest.resolve().name, contents(latest)
    for folder in ("build", "results", ".snakemake", "benchmarks"):
        shutil.rmtree(tiny.parent / folder)

    with dask_cluster(tiny.parent, tmp_path_factory.mktemp("dask")) as address:
        with distributed.Client(address) as client:
            pids = client.run(os.getpid)
        text = run_and_kill(repository, address, next(iter(pids.values())))
        with distributed.Client(address) as client:
            computed = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter)
    assert "3 threads of a cluster compute the blocks" in text
    assert computed > 40  # four steps a block
    assert latest.resolve().name == name
    assert contents(latest) == wanted


def run_and_kill(repository: Path, address: str, worker_pid: int) -> str:
    """Run on a cluster and kill one of its workers once the first channel is covered."""
    environment = os.environ | {"PYTHONPATH": str(repository)}
    line = [sys.executable, "-m", "pipeline", "run", "tiny.yaml", "--verbose", "--cores", "2"]
    line += ["--dask-address", address]
    told = []
    with subprocess.Popen(
        line, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as process:
        for text in process.stdout:
            told.append(text)
            if text.startswith("done: coverage") and worker_pid:
                os.kill(worker_pid, signal.SIGKILL)
                worker_pid = 0
    assert process.returncode == 0, "".join(told)
    assert worker_pid == 0
    return "".join(told)


def test_killed_run_leaves_latest_and_the_next_ends_with_the_same_bytes(
    repository: Path, tiny: Path, change_station: Callable[..., None]
) -> None:
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [22, 25]"))
    results = tiny.parent / "results/tiny"
    change_station(3, erp_kw=5.0)
    run(repository)
    wanted_id, wanted = (results / "latest").resolve().name, contents((results / "latest").resolve())
    for folder in ("build", "results", ".snakemake", "benchmarks"):
        shutil.rmtree(tiny.parent / folder)

    change_station(3)
    run(repository)
    first = (results / "latest").resolve()
    before, told = contents(first), (results / "summary.json").read_bytes()
    change_station(3, erp_kw=5.0)
    for jobs in (1, 3):
        assert killed_after(repository, jobs)
        assert (results / "latest").resolve() == first
        assert contents(first) == before
        assert is_complete(results)
        assert (results / "summary.json").read_bytes() == told
        assert {path.name for path in results.iterdir()} == {
            "latest",
            ".published",
            "summary.json",
            first.name,
        }

    run(repository, "--no-wait", "--if-changed", "--keep-runs", "1")
    second = (results / "latest").resolve()
    assert second.name == wanted_id != first.name
    assert contents(second) == wanted
    assert not first.exists()
    summary = json.loads((results / "summary.json").read_text())
    assert (summary["outcome"], summary["removed_runs"]) == ("published", [first.name])
    assert summary["jobs"]["publish"]["jobs"] == 1
    assert "territory" not in summary["jobs"]
    assert "Nothing has changed" in run(repository, "--if-changed")
