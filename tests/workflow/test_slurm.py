"""A run whose jobs SLURM starts, on this machine: controller and node of Debian, files as without it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.workflow.test_full_run import contents, run

CONFIGURATION = Path("/etc/slurm/slurm.conf")
# One node, of which it says that it has the cores and the memory that the profile asks for.
NODE = """ClusterName=test
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """What keeps a SLURM of its own from being started here; empty if nothing does."""
    absent = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed (`make test-slurm`)"
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return "snakemake-executor-plugin-slurm not installed (`make test-slurm`)"
    if os.geteuid() != 0 or CONFIGURATION.exists():
        return f"needs root, and a machine without {CONFIGURATION}"
    return ""


pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Controller and node."""
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "state").mkdir()
    CONFIGURATION.parent.mkdir(exist_ok=True)
    CONFIGURATION.write_text(NODE.format(host=socket.gethostname(), folder=folder))
    started = []
    try:
        if subprocess.run(["munge", "-n"], capture_output=True).returncode:
            Path("/run/munge").mkdir(exist_ok=True)
            started.append(subprocess.Popen(["munged", "--force", "--foreground"]))
        started += [subprocess.Popen([name, "-D"]) for name in ("slurmctld", "slurmd")]
        yield
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=60)
        CONFIGURATION.unlink()


def test_run_on_slurm_gives_the_same_bytes(repository: Path, tiny: Path, slurm: None) -> None:
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [22, 25]"))
    run(repository)
    results = tiny.parent / "results/tiny"
    wanted = contents(results / "latest")
    for folder in ("build", "results", ".snakemake", "benchmarks"):
        shutil.rmtree(tiny.parent / folder)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")]
    command += ["--profile", str(repository / "profiles/slurm"), "--config", "territory=tiny.yaml"]
    # No accounting here, and jobs of seconds.
    command += ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5"]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "submitted with SLURM jobid" in done.stderr
    assert contents(results / "latest") == wanted
