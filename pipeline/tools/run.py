"""`channelmaps run`: check a territory file, compute what changed, say where the results lie."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from pipeline.config import REPOSITORY
from pipeline.config_file import load_config
from pipeline.errors import InputError
from pipeline.publish.release import LATEST, STAMP, is_complete
from pipeline.tools.validate import validate_command
from pipeline.workflow import results_of

STATE = Path(".snakemake")


def run_command(
    config_path: Path, *, cores: int | None = None, arguments: tuple[str, ...] = (), lenient: bool = False
) -> int:
    """Run the workflow in the working folder and return its exit code (0 done, 1 failed while computing).

    ``cores``: all of this machine by default. ``arguments`` are passed on to Snakemake. Refused input raises
    InputError before anything is computed.
    """
    snakefile = REPOSITORY / "Snakefile"
    if not snakefile.is_file():
        raise InputError("the workflow is part of the source checkout, which is not here", file=snakefile)
    validate_command(config_path, lenient=lenient)
    if lenient:
        config_path = lenient_copy(config_path)
    results = results_of(load_config(config_path))
    with only_one_run():
        if results.exists() and not is_complete(results):
            (results / STAMP).unlink(missing_ok=True)
        code = subprocess.run(
            [*snakemake_command(config_path, cores or available_cores()), *arguments]
        ).returncode
    if code == 0 and (results / LATEST).is_dir():
        print(where(results), flush=True)
    return 0 if code == 0 else 1


def snakemake_command(config_path: Path, cores: int) -> list[str]:
    """The command line that runs the workflow on this machine."""
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"),
        "--profile", str(REPOSITORY / "profiles" / "local"), "--cores", str(cores),
        "--config", f"territory={os.path.relpath(config_path)}",
    ]  # fmt: skip


def lenient_copy(config_path: Path) -> Path:
    """The territory file with ``registers.lenient`` on: the settings of a run stand in one file, always."""
    content = yaml.safe_load(config_path.read_text(encoding="utf-8"))
    content.setdefault("name", config_path.stem)
    content["registers"]["lenient"] = True
    copy = Path("build") / content["name"] / "lenient.yaml"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return copy


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def only_one_run() -> Iterator[None]:
    """Hold the working folder for one run; whatever lock Snakemake left there then belongs to a dead one."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "run.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("channelmaps: waiting for another run in this folder to end", file=sys.stderr, flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
        remove_stale_locks()
        yield


def remove_stale_locks() -> None:
    """Remove the lock files of a Snakemake that was killed."""
    for path in sorted((STATE / "locks").glob("*.lock")):
        path.unlink(missing_ok=True)


def where(results: Path) -> str:
    """Where the results lie and what to open first."""
    latest = results / LATEST
    return "\n".join(
        [
            f"Results: {latest} (run {latest.resolve().name})",
            f"  maximum e.i.r.p., one band per channel   {latest}/public/max_eirp_<device>.vrt",
            f"  number of free channels                  {latest}/public/available_channels_*.tif",
            f"  shares of area and population            {latest}/public/statistics.csv",
            f"  what went in, what was left out          {latest}/manifest.json",
        ]
    )
