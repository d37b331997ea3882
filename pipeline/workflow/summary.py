"""What a run did, for programs: which jobs, how long, what had changed, what was left out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.config.config import Config
from pipeline.errors import refused_by_machine
from pipeline.files import JsonObject, json_bytes, kind_of_start, write_whole
from pipeline.hashing import file_sha256, input_files
from pipeline.plan.dependencies import code_of
from pipeline.plan.jobs import JOBS
from pipeline.plan.plan import Plan
from pipeline.publish.manifest import shown
from pipeline.registers.transmitters import read_register
from pipeline.rows.row_models import RejectedRow
from pipeline.services.pmse.pmse_register import read_pmse_register

_FORMAT = "channelmaps-run/1"
FILE = "summary.json"
SUMMARY_FILE = kind_of_start("a summary of a run", rb'\s*\{\s*"format"\s*:\s*"channelmaps-run/')
_ROWS_LISTED = 100


def summary_of(
    config_path: Path, *, code: int, started: datetime, ended: datetime, **others: object
) -> JsonObject:
    """A summary with the parts that every one has; times in UTC.

    Among the others ``outcome``: published, unchanged, failed or refused.
    """
    return {
        "format": _FORMAT,
        "config": config_path.as_posix(),
        "exit": code,
        "started": started.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds"),
        "seconds": round((ended - started).total_seconds(), 3),
        **others,
    }


def write_summary(path: Path, summary: Mapping[str, object]) -> None:
    """Write a summary whole or not at all; where it cannot be written a line says so.

    It tells of a run and does not change how the run ended.
    """
    try:
        # Rows of registers that were left out are among it: for those who run it, as `internal/` is.
        write_whole(path, json_bytes(summary), mode=0o640)
    except OSError as error:
        print(f"channelmaps: {refused_by_machine(error, path, 'no summary')}", file=sys.stderr, flush=True)


def jobs_since(folder: Path, started: datetime) -> dict[str, JsonObject]:
    """Jobs finished since ``started``, by rule: number and seconds, from the files of their benchmarks."""
    found: dict[str, JsonObject] = {}
    for path in sorted(folder.rglob("*.tsv")):
        if path.stat().st_mtime < started.timestamp():
            continue
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        entry = found.setdefault(rule, {"jobs": 0, "seconds": 0.0})
        entry["jobs"] += 1
        entry["seconds"] = round(entry["seconds"] + _seconds(path), 2)
    return found


def seconds_per_job(plan: Plan) -> dict[str, float]:
    """Mean time of the jobs of each rule when they last ran."""
    entries = jobs_since(Path("benchmarks") / plan.config.name, datetime.fromtimestamp(0.0, UTC))
    return {rule: entry["seconds"] / entry["jobs"] for rule, entry in entries.items()}


def _seconds(path: Path) -> float:
    """Wall time in a benchmark file of Snakemake: the first column below the header."""
    try:
        return float(path.read_text().splitlines()[1].split("\t")[0])
    except (IndexError, ValueError):
        return 0.0


def changes_since(published: Mapping[str, Any] | None, plan: Plan) -> JsonObject:
    """Inputs, settings and code that differ from a published manifest; all inputs without one."""
    before = {} if published is None else {item["key"]: item for item in published["inputs"]}
    now = {key: path for key, path in input_files(plan.config) if path.is_file()}
    inputs = [
        {"key": key, "path": shown(path), "change": "changed" if key in before else "new"}
        for key, path in now.items()
        if key not in before or before[key]["sha256"] != file_sha256(path)
    ]
    inputs += [
        {"key": key, "path": item["path"], "change": "gone"} for key, item in before.items() if key not in now
    ]
    code = {} if published is None else published["software"]["code"]
    return {
        "changed_inputs": inputs,
        "config_changed": published is None or published["config"]["sha256"] != file_sha256(plan.config_path),
        "code_changed": [job for job in JOBS if code.get(job) != code_of(plan.config, job)],
    }


def rejected_rows(config: Config) -> JsonObject:
    """Rows of the transmitters and bookings that were left out: how many, and the first of them."""
    rows: list[RejectedRow] = read_register(config)[1]
    if config.services["pmse"].evaluated and config.pmse.registers:
        rows = rows + read_pmse_register(config)[1]
    return {"count": len(rows), "rows": [row._asdict() for row in rows[:_ROWS_LISTED]]}
