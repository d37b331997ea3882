"""The record of a job: key and SHA-256 of what it wrote, beside its files.

    build/<territory>/.records/<job>/<channel, tile or device>.json     {"key": ..., "outputs": {name: sum}}

The runner of jobs writes it after the job's files; what is done with it see ``digests.py``, which needs the
plan of all jobs. A job does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.config.bonds import Bond
from pipeline.files import json_bytes, write_whole
from pipeline.grid.layer_files import two_digits
from pipeline.hashing import sha256_of_files
from pipeline.plan.jobs import JOBS

_FOLDER = ".records"
# Of channels in the names of logs.
_PREFIX = {"channel": "ch"}

Wildcards = Mapping[str, str]
Digests = Mapping[str, str]


class JobRecord(NamedTuple):
    """What a job depended on, and the sums of the files that it wrote."""

    key: str
    outputs: Digests


def stem_of(job: str) -> str:
    """Pattern of the name that a job has among files of jobs: ``coverage/ch{channel}``."""
    parts = [f"{_PREFIX.get(name, '')}{{{name}}}" for name in JOBS[job].wildcards]
    return "/".join([job, *parts])


def record_file(build: Path, job: str, wildcards: Wildcards) -> Path:
    """Where the record of a job is."""
    return build / _FOLDER / f"{stem_of(job).format(**wildcards)}.json"


def wildcard_text(value: object) -> str:
    """A wildcard as it stands in names of files: channels and bonds in two digits."""
    return two_digits(value) if isinstance(value, int | Bond) else str(value)


def write_record(
    build: Path, job: str, wildcards: Mapping[str, object], key: str, written: Iterable[Path]
) -> None:
    """Note the sums of the files that a job has written into ``build``."""
    root = build.resolve()
    paths = {path.resolve() for path in written}
    inside = sorted(path for path in paths if path.is_relative_to(root) and path.is_file())
    found = {path.relative_to(root).as_posix(): sum_ for path, sum_ in sha256_of_files(inside).items()}
    texts = {name: wildcard_text(value) for name, value in wildcards.items()}
    write_whole(record_file(build, job, texts), json_bytes({"key": key, "outputs": found}))


def read_record(path: Path) -> JobRecord | None:
    """The record of a job; None where there is none to be read."""
    try:
        found = json.loads(path.read_bytes())
        key, outputs = found["key"], found["outputs"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    whole = isinstance(key, str) and isinstance(outputs, dict)
    return JobRecord(key, outputs) if whole else None
