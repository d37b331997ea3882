"""What a rule takes from the row of its job: shell line, files, log, benchmark, params, threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

from pipeline.config.bonds import channel_named
from pipeline.layers import LAYERS
from pipeline.plan import run_files
from pipeline.plan.dependencies import code_of, rows_of, settings_of
from pipeline.plan.digest_records import stem_of
from pipeline.plan.jobs import JOBS, Job
from pipeline.plan.plan import Plan, threads_per_job


def shell_line(job: str) -> str:
    """The command of a job's rule; everything is quoted, so that paths may have blanks."""
    options = "".join(f" --{name} {{wildcards.{name}:q}}" for name in JOBS[job].wildcards)
    # Only files that stay in the build folder are compared with a record of them.
    key = f" --key {_key_of_params(JOBS[job])}" if _leaves_files(JOBS[job]) else ""
    memory = " --memory-mb {resources.mem_mb}" if "memory_gib" in JOBS[job].values else ""
    return (
        f"python -m pipeline job {job} --config {{params.config:q}} --build {{params.build:q}}{options}{key}"
        f"{memory} --threads {{threads}} 2> >(tee {{log:q}} >&2)"
    )


def _leaves_files(row: Job) -> bool:
    return row.files is not None or any(layer.job == row.name for layer in LAYERS.values())


def _key_of_params(row: Job) -> str:
    """Pattern of the key of a job's record (``digest_records.py``): the hashes among its params."""
    names = ["code", *(["settings"] if row.settings else []), *(["rows"] if row.rows else [])]
    return "-".join(f"{{params.{name}}}" for name in names)


def key_of(plan: Plan, job: str, wildcards: Mapping[str, str]) -> str:
    """The same key for a job with its wildcards, from the plan."""
    params, members = rule_params(plan, job).values(), SimpleNamespace(**wildcards)
    return "-".join(value if isinstance(value, str) else value(members) for value in params)


def output_files(plan: Plan, job: str) -> list[str]:
    """Patterns of the files that a job writes, relative to where the workflow runs."""
    row = JOBS[job]
    wildcards = [f"{{{name}}}" for name in row.wildcards]
    if row.files is not None:
        names = getattr(run_files, row.files)(plan, *wildcards)
    else:
        fixed = dict(zip(row.wildcards, wildcards, strict=True))
        names = run_files.written_by(plan, job, **fixed)
    return [f"{plan.build.as_posix()}/{name}" for name in names]


def log_file(plan: Plan, job: str) -> str:
    """Pattern of the file that takes what a job says."""
    return f"logs/{plan.config.name}/{stem_of(job)}.log"


def benchmark_file(plan: Plan, job: str) -> str:
    """Pattern of the file that takes the time and memory of a job."""
    return f"benchmarks/{plan.config.name}/{stem_of(job)}.tsv"


def rule_params(plan: Plan, job: str) -> dict[str, str | Callable[[object], str]]:
    """Hashes of what a job depends on besides earlier jobs: a change of one runs it again."""
    row = JOBS[job]
    found: dict[str, str | Callable[[object], str]] = {"code": code_of(plan.config, job)}
    if row.settings:
        found["settings"] = settings_of(plan, job)
    if row.rows is not None:
        found["rows"] = lambda wildcards: _rows(plan, row, wildcards)
    return found


def _rows(plan: Plan, row: Job, wildcards: object) -> str:
    values = {name: getattr(wildcards, name) for name in row.wildcards}
    named = {k: channel_named(v) if k == "channel" else v for k, v in values.items()}
    return str(rows_of(plan, row.name, **named))


def rule_threads(plan: Plan, job: str, cores: int | None) -> int:
    """Threads of one job: one, all, or its part where the jobs of its rule share the cores."""
    kind = JOBS[job].threads
    if kind == "one":
        return 1
    return threads_per_job(cores, 1 if kind == "all" else len(getattr(plan, kind)))
