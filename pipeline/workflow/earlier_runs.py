"""The runs before this one: what the new one is compared with, and which of them stay.

A register that lost many rows since the published run is more often a failed transfer than news. Of the old
runs the newest stay, the latest always.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config.config import Config
from pipeline.errors import InputError, refused_by_machine
from pipeline.plan.dependencies import run_id
from pipeline.plan.plan import Plan
from pipeline.publish.release import INTERNAL_MANIFEST, LATEST, MANIFEST, WITHHELD, is_sealed
from pipeline.registers.named_registers import register_sizes
from pipeline.registers.stations import PMSE_KEY

# --- compared -----------------------------------------------------------------------------------------------


def published_manifest(results: Path) -> dict[str, Any] | None:
    """Manifest of ``latest``, the internal one if there are two; None if it cannot be read or is damaged."""
    try:
        found = json.loads((results / LATEST / MANIFEST).read_text(encoding="utf-8"))
        if isinstance(found, dict) and WITHHELD in found:
            found = json.loads((results / LATEST / INTERNAL_MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    needed = {"run_id", "inputs", "config", "software", "register_rows"}
    return found if isinstance(found, dict) and needed <= set(found) and is_sealed(found) else None


def refuse_shrink(plan: Plan, before: Mapping[str, Any] | None) -> None:
    """InputError for a register that is too small beside that of the published run, or if nobody can say."""
    _check_comparable(plan.results, before, run_id(plan))
    if before is not None:
        sizes = register_sizes(plan.config, plan.register, plan.bookings)
        check_shrink(plan.config, sizes, before, plan.config_path)


def _check_comparable(results: Path, published: Mapping[str, Any] | None, run_id: str) -> None:
    """Refuse to go on without a manifest of ``latest``: nobody can say then whether a register has shrunk.

    No ``latest``, no comparison. Nor is one needed if it is the run that is to be computed: the id stands for
    the content of its registers.
    """
    latest = results / LATEST
    if published is not None or not latest.is_symlink() or latest.readlink() == Path(run_id):
        return
    raise InputError(
        "manifest of the published run cannot be read: whether a register has shrunk is not known",
        file=latest / MANIFEST,
        allowed="the run's own file put back, or --accept-shrink if the registers are known to be whole",
    )


def check_shrink(config: Config, sizes: Mapping[str, int], published: Mapping[str, Any], file: Path) -> None:
    """Refuse a register that is smaller than in a published manifest by more than the configured share.

    A register that the territory file no longer names has not shrunk.
    """
    registers = config.registers
    for key, before in sorted(published.get("register_rows", {}).items()):
        share_pct = registers.max_shrink_bookings_pct if key == PMSE_KEY else registers.max_shrink_pct
        if key not in sizes or before - sizes[key] <= before * share_pct / 100.0:
            continue
        raise InputError(
            f"register had {before} rows in run {published.get('run_id')}",
            file=file,
            row=key,
            value=sizes[key],
            allowed=f"a loss of {share_pct:g} % (registers.max_shrink{'_bookings' * (key == PMSE_KEY)}_pct), "
            "or --accept-shrink if the rows are meant to be gone",
        )


# --- kept ---------------------------------------------------------------------------------------------------


_RUN_ID = re.compile(r"[0-9a-f]{16}")


def remove_old_runs(results: Path, keep: int) -> list[str]:
    """Remove all but the ``keep`` newest runs of a territory, by time of computing; the ids removed, sorted.

    ``latest`` counts as the newest, whenever it was computed. A run disappears at once, by its new name.
    What cannot be removed gets a line of warning and is tried again after the next run.
    """
    latest = (results / LATEST).resolve().name
    found = {path.name: _computed_at(path) for path in results.iterdir() if _is_run(path)}
    order = sorted(found, key=lambda name: (name == latest, found[name], name), reverse=True)
    old = sorted(name for name in order[keep:] if name != latest)
    removed = [name for name in old if _taken_away(results / name, results / f".{name}.removed")]
    for leftover in results.glob(".*.removed"):
        try:
            shutil.rmtree(leftover)
        except OSError as error:
            _warn(error, leftover)
    return removed


def _taken_away(folder: Path, leaving: Path) -> bool:
    """Whether the run has got the name under which it is removed."""
    try:
        shutil.rmtree(leaving, ignore_errors=True)
        folder.rename(leaving)
    except OSError as error:
        _warn(error, folder)
        return False
    return True


def _warn(error: OSError, path: Path) -> None:
    line = refused_by_machine(error, path, "an old run cannot be removed")
    print(f"channelmaps: {line}", file=sys.stderr, flush=True)


def _is_run(path: Path) -> bool:
    named = _RUN_ID.fullmatch(path.name) is not None
    return named and path.is_dir() and not path.is_symlink() and (path / MANIFEST).is_file()


def _computed_at(path: Path) -> str:
    """Time of a run in ISO 8601, UTC; a manifest that cannot be read counts as the oldest."""
    try:
        return str(json.loads((path / MANIFEST).read_text(encoding="utf-8"))["computed_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
