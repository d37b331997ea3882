"""Old runs: the newest stay, the latest always."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from pipeline.publish.release import LATEST, MANIFEST

RUN_ID = re.compile(r"[0-9a-f]{16}")


def remove_old_runs(results: Path, keep: int) -> list[str]:
    """Remove all but the ``keep`` newest runs of a territory, by time of computing; the ids removed, sorted.

    ``latest`` counts as the newest, whenever it was computed. A run disappears at once, by its new name.
    """
    latest = (results / LATEST).resolve().name
    found = {path.name: _computed_at(path) for path in results.iterdir() if _is_run(path)}
    order = sorted(found, key=lambda name: (name == latest, found[name], name), reverse=True)
    removed = sorted(name for name in order[keep:] if name != latest)
    for name in removed:
        leaving = results / f".{name}.removed"
        shutil.rmtree(leaving, ignore_errors=True)
        (results / name).rename(leaving)
    for leftover in results.glob(".*.removed"):
        shutil.rmtree(leftover)
    return removed


def _is_run(path: Path) -> bool:
    named = RUN_ID.fullmatch(path.name) is not None
    return named and path.is_dir() and not path.is_symlink() and (path / MANIFEST).is_file()


def _computed_at(path: Path) -> str:
    """Time of a run in ISO 8601, UTC; a manifest that cannot be read counts as the oldest."""
    try:
        return str(json.loads((path / MANIFEST).read_text(encoding="utf-8"))["computed_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
