"""Old runs: the newest stay, the latest always."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from pipeline.errors import refused_by_machine
from pipeline.publish.release import LATEST, MANIFEST

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
