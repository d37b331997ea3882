"""Running one job of the table: the only way to reach the modules of jobs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.files import noting_files
from pipeline.hashing import basis_hash
from pipeline.plan.digest_records import write_record
from pipeline.plan.jobs import JOBS, Job
from pipeline.territory.rasters import Reach

# As the workflow has it unless its ``memory_gib`` says otherwise.
MEMORY_GIB = 2.0


def run_job(
    name: str,
    config: Config,
    build: Path,
    *,
    threads: int = 1,
    key: str = "",
    memory_gib: float = MEMORY_GIB,
    **wildcards: DeviceChannel | str,
) -> None:
    """Run a job for its channel, tile or device: read from ``build``, write there.

    ``memory_gib``: what it may use, where its row asks for that.
    ``key``: of its record, which is written with one only (``digest_records.py``). InputError for a name that
    is no job and for wildcards other than those of the job.
    """
    row = job_named(name)
    if set(wildcards) != set(row.wildcards):
        allowed = ", ".join(f"--{known}" for known in row.wildcards) or "none"
        raise InputError(f"job {name} is for other options", value=", ".join(wildcards), allowed=allowed)
    given: dict[str, object] = {"memory_gib": memory_gib, "key": key}
    values = {
        name: given[name] if name in given else _value(name, config, row, threads, key) for name in row.values
    }
    with noting_files() as written:
        import_module(row.module).main(config, build, threads=threads, **wildcards, **values)
    if key:
        write_record(build, row.name, wildcards, key, written)


def run_territory(config: Config, build: Path, reach: Reach, *, threads: int) -> None:
    """The job territory where what its devices reach does not follow from ``config`` alone."""
    import_module(JOBS["territory"].module).main(config, build, threads=threads, required=reach)


def job_named(name: str) -> Job:
    """The row of a job; InputError if there is none."""
    if name not in JOBS:
        raise InputError("is no job", value=name, allowed=", ".join(JOBS))
    return JOBS[name]


def title_of(name: str, **wildcards: DeviceChannel | str) -> str:
    """What a job has done, for its line at the end."""
    return job_named(name).title.format(**wildcards)


def _value(name: str, config: Config, row: Job, threads: int, key: str) -> object:
    """What ``main`` is given besides configuration and wildcards.

    What tells them loads nearly all of the package and reads its sources: 0.8 s that jobs without values are
    spared, and those with a key, which begins with the hashes of code and settings (``rules.key_of``).
    """
    if key and name in ("code", "basis"):
        code, *others = key.split("-")
        return code if name == "code" else basis_hash(code, others[0])
    from pipeline.plan.dependencies import basis_of, code_of

    if name == "code":
        return code_of(config, row.name)
    if name == "basis":
        return basis_of(config, row.name)
    if name == "required":
        from pipeline.plan.hill_reach import required_reach

        return required_reach(config, threads=threads)
    raise ValueError(f"{row.name}: no value {name}")
