"""A run whose jobs SLURM starts, on this machine: controller and node of Debian, files as without it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.workflow.test_full_run import contents, run

CONFIGURATION = Path("/etc/slurm/slurm.conf")
# One node, of which it says that it has the cores and the memory that the profile asks for. Nothing but the
# controller knows how a job ended, as there is no accounting: it keeps that for a day, not for five minutes.
NODE = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
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
MinJobAge=86400
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


def said(*command: str) -> str:
    """What a command says; nothing where it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def wait_until(answer: str, *command: str, folder: Path, started: list[subprocess.Popen[bytes]]) -> None:
    """Until a command answers with the text; what the daemons wrote if one ends, or after two minutes."""
    end_s = time.monotonic() + 120
    while answer not in said(*command):
        ended = any(process.poll() is not None for process in started)
        if ended or time.monotonic() > end_s:
            logs = [path.read_text(errors="replace")[-3000:] for path in sorted(folder.glob("*.out"))]
            pytest.fail("\n".join([f"no {answer!r} from {' '.join(command)}", *logs]))
        time.sleep(0.5)


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Controller and node, ready for jobs."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    CONFIGURATION.parent.mkdir(exist_ok=True)
    # SLURM looks for the name up to the first dot.
    CONFIGURATION.write_text(NODE.format(host=socket.gethostname().partition(".")[0], folder=folder))
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> None:
        with (folder / f"{command[0]}.out").open("wb") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))

    try:
        if not said("munge", "-n"):
            Path("/run/munge").mkdir(exist_ok=True)
            # The key belongs to the user `munge`, and nobody but systemd starts a program as that user here.
            start("munged", "--force", "--foreground")
        wait_until("MUNGE", "munge", "-n", folder=folder, started=started)
        start("slurmctld", "-D")
        start("slurmd", "-D")
        wait_until("idle", "sinfo", "--noheader", "--format=%T", folder=folder, started=started)
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
    submitted = done.stderr.count("submitted with SLURM jobid")
    assert submitted > 10
    assert said("squeue", "--noheader", "--states=all", "--format=%T").split() == ["COMPLETED"] * submitted
    assert contents(results / "latest") == wanted
