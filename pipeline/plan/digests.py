"""What every job wrote, by SHA-256: an intermediate that is something else now is computed again, not used.

The runner of jobs writes a record after the job's files (``digest_records.py``). Its key is the hashes among
the params of its rule: settings, rows of registers, code. A run begins by comparing. Where the record is
missing, damaged, of another key or not that of the files, they are removed, and Snakemake runs the rule and
all that follows it. Publishing compares once more, so that what was damaged meanwhile is not published.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.config.bonds import channel_named, channels_in
from pipeline.errors import InputError
from pipeline.hashing import sha256_of_files
from pipeline.plan.digest_records import Digests, Wildcards, read_record, record_file, wildcard_text
from pipeline.plan.jobs import JOBS, Job
from pipeline.plan.plan import Plan, slice_names, with_bond
from pipeline.plan.published_layers import published_layers
from pipeline.plan.rules import key_of, output_files

_GONE, _CHANGED, _AHEAD = "is missing", "is not what its job wrote", "is dated in the future"
# Clocks of other machines that write into the folder.
_CLOCK_SLACK_S = 10.0


class Damage(NamedTuple):
    """A job whose files are not, or not known to be, those it wrote for the plan.

    ``outputs`` all that it writes, relative to where the workflow runs; ``problem`` of the ``file`` at fault,
    empty where there is nothing to tell: not computed yet, or computed for other inputs.
    """

    record: Path
    outputs: Sequence[Path]
    file: Path
    problem: str


def damaged_jobs(plan: Plan, now_s: float | None = None) -> list[Damage]:
    """Jobs of a plan to run again; empty where all files are those that their jobs wrote for this plan.

    A file dated after ``now_s`` (seconds since 1970; None: by the clock) was written by a clock that was
    ahead: it would pass for newer than what it is made of.
    """
    latest_s = _CLOCK_SLACK_S + (time.time() if now_s is None else now_s)
    jobs = list(_jobs_of(plan))
    outputs = [_outputs(plan, *job) for job in jobs]
    records = [read_record(record_file(plan.build, *job)) for job in jobs]
    sums = sha256_of_files({path for paths in outputs for path in paths})
    found: list[Damage] = []
    for job, paths, record in zip(jobs, outputs, records, strict=True):
        file = record_file(plan.build, *job)
        if record is None:
            computed = any(path.exists() for path in paths)
            problem = "cannot be read" if file.exists() else _GONE if computed else ""
            found.append(Damage(file, paths, file, problem))
        elif record.key != key_of(plan, *job):
            found.append(Damage(file, paths, file, ""))
        else:
            wrong = _first_wrong(plan.build, record.outputs, paths, sums) or _first_ahead(paths, latest_s)
            found += [] if wrong is None else [Damage(file, paths, *wrong)]
    return found


def remove_damaged(damages: Iterable[Damage]) -> None:
    """Remove the files of jobs that have to run again, and their records."""
    for damage in damages:
        for path in (*damage.outputs, damage.record):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def check_records(plan: Plan, names: Iterable[str]) -> None:
    """InputError if one of ``names`` of the build folder, or a file they rest on, is not what a job wrote."""
    known: dict[str, str] = {}
    for job in _jobs_of(plan):
        record = read_record(record_file(plan.build, *job))
        known |= {} if record is None else record.outputs
    paths = [plan.build / name for name in (*names, *known)]
    wrong = _first_wrong(plan.build, known, paths, sha256_of_files(paths))
    if wrong is not None:
        file, problem = wrong
        raise InputError(
            f"{problem}: nothing is published",
            file=file,
            allowed="the file that was computed; `channelmaps run` computes it again",
        )


def _first_wrong(
    build: Path, known: Digests, paths: Iterable[Path], sums: Mapping[Path, str | None]
) -> tuple[Path, str] | None:
    """The first file that is not the recorded one, and what is wrong with it."""
    for path in paths:
        if sums[path] is None:
            return path, _GONE
        if sums[path] != known.get(path.relative_to(build).as_posix()):
            return path, _CHANGED
    return None


def _first_ahead(paths: Iterable[Path], latest_s: float) -> tuple[Path, str] | None:
    """The first file that is newer than it can be."""
    return next(((path, _AHEAD) for path in paths if path.stat().st_mtime > latest_s), None)


def _outputs(plan: Plan, job: str, wildcards: Wildcards) -> list[Path]:
    if JOBS[job].threads == "device_channels":  # what it writes are layers of the devices of such a channel
        plan = with_bond(plan, len(channels_in(channel_named(wildcards["channel"]))))
    return [Path(pattern.format(**wildcards)) for pattern in output_files(plan, job)]


def _jobs_of(plan: Plan) -> Iterator[tuple[str, Wildcards]]:
    """All jobs that write into the build folder, with their wildcards."""
    for row in JOBS.values():
        if output_files(plan, row.name):
            yield from ((row.name, wildcards) for wildcards in _wildcards_of(plan, row))


def _wildcards_of(plan: Plan, row: Job) -> list[Wildcards]:
    """Values of the wildcards of a job: of its layers, or of the member of the plan that counts its jobs."""
    if not row.wildcards:
        return [{}]
    if row.files is not None:
        (name,) = row.wildcards
        return [{name: wildcard_text(value)} for value in getattr(plan, row.threads)]
    found: dict[tuple[str, ...], None] = {}
    for layer in published_layers(plan.config, plan.victims, slice_names(plan), job=row.name):
        found[tuple(wildcard_text(layer.fields[name]) for name in row.wildcards)] = None
    return [dict(zip(row.wildcards, values, strict=True)) for values in found]
