"""`channelmaps run`: check a territory file, compute what changed, say where the results lie."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import yaml

from pipeline.config.load import read_yaml
from pipeline.errors import InputError, refused_by_machine
from pipeline.files import Output, refuse_overwriting, write_whole
from pipeline.plan.dependencies import run_id
from pipeline.plan.digests import damaged_jobs, remove_damaged
from pipeline.plan.plan import Plan, load_plan, results_of
from pipeline.plan.territory_file import files_read, load_config
from pipeline.publish.release import LATEST, STAMP, damage_of, is_complete, renew_validity
from pipeline.publish.unchanged_inputs import state_of, watching
from pipeline.shipped import shipped
from pipeline.workflow.cluster import Cluster, cluster_variables, threads_of
from pipeline.workflow.earlier_runs import published_manifest, refuse_shrink, remove_old_runs
from pipeline.workflow.progress import say, watched
from pipeline.workflow.run_lines import ending, shortened
from pipeline.workflow.summary import (
    FILE,
    SUMMARY_FILE,
    changes_since,
    jobs_since,
    rejected_rows,
    seconds_per_job,
    summary_of,
    write_summary,
)
from pipeline.workflow.validate import validate_command
from pipeline.workflow.variants import own_intermediates

_STATE = Path(".snakemake")
_MOST_LINES = 5


class RunOptions(NamedTuple):
    """How to run.

    ``cores``: all of this machine by default. ``lenient``: leave out bad register rows. ``dry_run``: only
    list the jobs. ``if_changed``: do nothing if what would be computed is published. ``wait``: for another
    run in this folder to end; else refuse. ``accept_shrink``: of registers. ``keep_runs``: wins over the
    territory file. ``summary``: a second place for it. ``cluster``: computes the blocks. ``verbose``: show
    all that Snakemake and its jobs say, instead of a line per stage.
    """

    cores: int | None = None
    lenient: bool = False
    dry_run: bool = False
    if_changed: bool = False
    wait: bool = True
    accept_shrink: bool = False
    keep_runs: int | None = None
    summary: Path | None = None
    cluster: Cluster | None = None
    verbose: bool = False


DEFAULTS = RunOptions()


def run_command(config_path: Path, options: RunOptions = DEFAULTS) -> int:
    """Run the workflow in the working folder and return its exit code (0 done, 1 failed while computing).

    Refused input raises InputError before anything is computed; nothing is written but a summary asked for.
    """
    started = _now_utc()
    if options.summary is not None:
        _check_summary(config_path, options.summary)
    try:
        return _run(config_path, options, started)
    except InputError as error:
        if options.summary is not None:
            refused = summary_of(
                config_path, outcome="refused", code=2, started=started, ended=_now_utc(), error=str(error)
            )
            write_summary(options.summary, refused)
        raise
    except OSError as error:
        return _failed(error, Path())


def _check_summary(config_path: Path, summary: Path) -> None:
    """A summary replaces nothing but another; InputError, and then it is not written either.

    What the territory file names is not known if that is refused itself.
    """
    inputs = [config_path]
    with suppress(InputError):
        inputs += files_read(load_config(config_path))
    refuse_overwriting([Output("--summary", summary, SUMMARY_FILE)], inputs)


def _run(config_path: Path, options: RunOptions, started: datetime) -> int:
    _check(config_path, options)
    if not options.lenient:
        return _run_checked(config_path, options, started)
    with changed_copy(_lenient(config_path), "lenient") as copy:
        return _run_checked(copy, options, started)


def _run_checked(config_path: Path, options: RunOptions, started: datetime) -> int:
    with only_one_run(wait=options.wait) as lock, own_intermediates(config := load_config(config_path)):
        inputs = state_of(config_path, config)
        plan = load_plan(config_path)
        before = published_manifest(plan.results)
        if not options.accept_shrink:
            refuse_shrink(plan, before)
        if options.dry_run:
            return compute(plan, options, lock)
        facts = changes_since(before, plan) | {
            "territory": plan.config.name,
            "run_id": run_id(plan),
            "previous_run_id": before and before["run_id"],
            "rejected_rows": rejected_rows(plan.config),
        }
        try:
            with watching(plan.build, inputs, config_path, plan.config):
                code, done = _compute_and_tidy(plan, options, lock)
        except OSError as error:
            code, done = _failed(error, plan.results), {"outcome": "failed"}
        jobs = jobs_since(Path("benchmarks") / plan.config.name, started)
        times = {"started": started, "ended": _now_utc()}
        summary = summary_of(config_path, code=code, jobs=jobs, **times, **done, **facts)
        for path in filter(None, (plan.results / FILE, options.summary)):
            write_summary(path, summary)
    if code == 0 and (plan.results / LATEST).is_dir():
        say(ending(plan, facts))
    return code


def _check(config_path: Path, options: RunOptions) -> None:
    """Whatever keeps a run of a territory file from beginning raises InputError."""
    shown = list if options.verbose else partial(shortened, config_path)
    validate_command(config_path, lenient=options.lenient, shown=shown)
    _check_results(results_of(load_config(config_path)))
    if options.cluster is not None and not options.dry_run:
        threads = threads_of(options.cluster)
        say(f"{threads} threads of a cluster compute the blocks")


def _check_results(results: Path) -> None:
    """InputError where no run can be published: a file, a loop of links, a ``latest`` that is no link."""
    for folder in (results.parent, results):
        try:
            is_folder = not os.path.lexists(folder) or stat.S_ISDIR(folder.stat().st_mode)
        except OSError as error:
            problem = f"cannot hold runs ({error.strerror})"
            raise InputError(problem, file=folder, allowed="a folder, or nothing") from None
        if not is_folder:
            raise InputError("cannot hold runs", file=folder, allowed="a folder, or nothing")
    latest = results / LATEST
    if os.path.lexists(latest) and not latest.is_symlink():
        raise InputError("is not a link to a run", file=latest, allowed="a link, or nothing: move it away")


def _failed(error: OSError, folder: Path) -> int:
    """Say in one line what the machine refused; the exit code."""
    line = refused_by_machine(error, folder, "the run has failed")
    print(f"channelmaps: {line}", file=sys.stderr, flush=True)
    return 1


def _compute_and_tidy(plan: Plan, options: RunOptions, lock: IO[str]) -> tuple[int, dict[str, Any]]:
    """Compute if need be, renew the validity, remove old runs; the exit code, and facts for the summary."""
    unchanged = _is_published(plan)
    if not unchanged and _is_latest(plan):
        _tell_damage(plan.results, "published again")
    if unchanged and options.if_changed:
        say(f"Nothing has changed since run {run_id(plan)}: nothing is computed")
    elif compute(plan, options, lock) or _tell_damage(plan.results, "the run has failed"):
        return 1, {"outcome": "failed"}
    keep = options.keep_runs or plan.config.keep_runs
    return 0, {
        "outcome": "unchanged" if unchanged else "published",
        "validity_renewed": _is_published(plan) and renew_validity(plan.results, plan, _now_utc()),
        "removed_runs": remove_old_runs(plan.results, keep) if keep else [],
    }


def compute(plan: Plan, options: RunOptions, lock: IO[str]) -> int:
    """Run Snakemake; it and its jobs hold the lock as long as they live, whatever becomes of this process.

    They inherit it as their standard input, which is all that jobs of Snakemake inherit.
    """
    if plan.results.exists() and not is_complete(plan.results):
        (plan.results / STAMP).unlink(missing_ok=True)
    again = _damaged_intermediates(plan, remove=not options.dry_run)
    command = _snakemake_command(plan.config_path, options.cores or available_cores())
    arguments = [*(["--forcerun", *again] if again else []), *(["--dry-run"] if options.dry_run else [])]
    cluster = cluster_variables(options.cluster) if options.cluster else {}
    environment = {**os.environ, **cluster}
    if options.dry_run or options.verbose:
        done = subprocess.run([*command, *arguments], stdin=lock, env=environment)
        return 0 if done.returncode == 0 else 1
    log = Path("logs") / plan.config.name / "run.log"
    with watched(log, seconds_per_job(plan)) as stream:
        done = subprocess.run(
            [*command, *arguments], stdin=lock, stdout=stream, stderr=subprocess.STDOUT, env=environment
        )
    if done.returncode:
        print(
            f"channelmaps: computing has failed: all that was said is in {log}", file=sys.stderr, flush=True
        )
    return 0 if done.returncode == 0 else 1


def _damaged_intermediates(plan: Plan, *, remove: bool) -> list[str]:
    """Say which files are not what their jobs wrote; one file of each job that has to run again."""
    found = damaged_jobs(plan)
    told = [damage for damage in found if damage.problem]
    for damage in told[:_MOST_LINES]:
        print(f"channelmaps: {damage.file}: {damage.problem}: computed again", file=sys.stderr, flush=True)
    if len(told) > _MOST_LINES:
        more = f"and {len(told) - _MOST_LINES} more files of {plan.build}"
        print(f"channelmaps: {more}: computed again", file=sys.stderr, flush=True)
    if remove:
        remove_damaged(found)
    return [str(damage.outputs[0]) for damage in found] if told else []


def _tell_damage(results: Path, consequence: str) -> bool:
    """Say which file of ``latest`` is damaged, if there is one."""
    damage = damage_of(results) if (results / LATEST).is_symlink() else None
    if damage is not None:
        file, problem = damage
        print(f"channelmaps: {file}: {problem}: {consequence}", file=sys.stderr, flush=True)
    return damage is not None


def _snakemake_command(config_path: Path, cores: int) -> list[str]:
    """The command line that runs the workflow on this machine."""
    return [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(shipped("rules/workflow.smk")),
        "--profile",
        str(shipped("profiles/local")),
        "--cores",
        str(cores),
        "--config",
        f"territory={os.path.relpath(config_path)}",
    ]


def _is_published(plan: Plan) -> bool:
    """Whether ``latest`` is complete and is the run that these settings, inputs and code would give."""
    return _is_latest(plan) and is_complete(plan.results)


def _is_latest(plan: Plan) -> bool:
    """Whether ``latest`` has the name of the run that these settings, inputs and code would give."""
    latest = plan.results / LATEST
    return latest.is_symlink() and latest.readlink() == Path(run_id(plan))


def _lenient(config_path: Path) -> dict[str, Any]:
    """The settings of a territory file with ``registers.lenient`` on."""
    content = read_yaml(config_path)
    assert isinstance(content, dict)
    content.setdefault("name", config_path.stem)
    content["registers"]["lenient"] = True
    return content


@contextmanager
def changed_copy(content: Mapping[str, Any], stem: str) -> Iterator[Path]:
    """Changed settings, with their ``name``, as a file: the settings of a run stand in one file, always.

    Where they are refused, what was there before is there again: the file of an earlier run, or nothing.
    """
    copy = Path("build") / content["name"] / f"{stem}.yaml"
    before = copy.read_bytes() if copy.is_file() else None
    made = [folder for folder in (copy.parent, copy.parent.parent) if not folder.exists()]
    write_whole(copy, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    try:
        yield copy
    except InputError:
        if before is None:
            copy.unlink()
        else:
            write_whole(copy, before)
        for folder in made:
            with suppress(OSError):  # the run has begun, and left files there
                folder.rmdir()
        raise


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _now_utc() -> datetime:
    """The time; rasters never see it."""
    return datetime.now(UTC)


@contextmanager
def only_one_run(*, wait: bool = True) -> Iterator[IO[str]]:
    """Hold the working folder for one run; whatever lock Snakemake left there then belongs to a dead one.

    Yields the lock file: a child that inherits it goes on holding the folder. Without ``wait`` a folder that
    is held raises InputError.
    """
    _STATE.mkdir(exist_ok=True)
    with _opened_lock(_STATE / "run.lock") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            holder = f"another run in this folder ({stream.read().strip() or 'just begun'})"
            if not wait:
                raise InputError(
                    f"{holder} has not ended: nothing is done", file=_STATE / "run.lock"
                ) from None
            print(f"channelmaps: waiting for {holder} to end", file=sys.stderr, flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
        stream.truncate(0)
        stream.write(f"process {os.getpid()}, since {_now_utc().isoformat(timespec='seconds')}")
        stream.flush()
        _remove_stale_locks()
        yield stream


def _opened_lock(path: Path) -> IO[str]:
    """The lock file, open; InputError for one that is a link: what it leads to would be cut off."""
    try:
        descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666
        )
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise
        raise _no_lock(path) from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise _no_lock(path)
    return os.fdopen(descriptor, "a+")


def _no_lock(path: Path) -> InputError:
    return InputError(
        "cannot be the lock of a run", file=path, allowed="a file of its own, no link; remove it"
    )


def _remove_stale_locks() -> None:
    """Remove the lock files of a Snakemake that was killed."""
    for path in sorted((_STATE / "locks").glob("*.lock")):
        path.unlink(missing_ok=True)
