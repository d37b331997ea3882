"""Numbers of the report: the statistics as published, shares of limiting services, run times."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX

OUTSIDE = 255
Row = dict[str, str]


class RuleTime(NamedTuple):
    """Jobs of one rule of the workflow: wall time in seconds, largest memory in MB."""

    rule: str
    jobs: int
    total_s: float
    longest_s: float
    memory_mb: float


def read_rows(path: Path) -> list[Row]:
    """Rows of a published table, values as printed."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def curves_of(rows: Sequence[Row], device: str, column: str) -> dict[float, NDArray[np.float64]]:
    """Shares in percent by level, [n - 1] for at least n channels; empty where the column is."""
    own = [row for row in rows if row["device"] == device and row[column]]
    curves: dict[float, list[tuple[int, float]]] = {}
    for row in own:
        point = (int(row["channels_at_least"]), float(row[column]))
        curves.setdefault(float(row["level_dbm"]), []).append(point)
    return {level: np.array([share for _, share in sorted(points)]) for level, points in curves.items()}


def median_channels(shares_pct: Iterable[str]) -> int:
    """The largest number of channels that at least half has; ``shares_pct``[n - 1] as published."""
    return sum(1 for share in shares_pct if share and float(share) >= 50.0)


def service_shares_pct(paths: Sequence[Path]) -> NDArray[np.float64]:
    """Percent of the territory's true area by limiting service: float64[layer, code]; layers on one grid."""
    grid = raster.read_grid(paths[0])
    area_km2 = np.zeros((len(paths), OUTSIDE))
    for first in range(0, grid.height, STRIP_PX):
        rows = slice(first, min(first + STRIP_PX, grid.height))
        pixel_km2 = grid.area_km2(rows).ravel()
        for place, path in enumerate(paths):
            codes = raster.read(path, rows=rows).values.ravel()
            area_km2[place] += np.bincount(codes, weights=pixel_km2, minlength=OUTSIDE + 1)[:OUTSIDE]
    total_km2 = area_km2.sum(axis=1, keepdims=True)
    return 100.0 * np.divide(area_km2, total_km2, out=np.zeros_like(area_km2), where=total_km2 > 0.0)


def rule_times(folder: Path, leave_out: Iterable[str] = ()) -> list[RuleTime]:
    """Run times from the benchmark files ``<rule>.tsv`` and ``<rule>/<job>.tsv``, the longest rule first."""
    jobs: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        if rule not in leave_out:
            jobs.setdefault(rule, []).extend(_measured(path))
    times = [_rule_time(rule, np.array(found)) for rule, found in jobs.items() if found]
    return sorted(times, key=lambda time: (-time.total_s, time.rule))


def _rule_time(rule: str, found: NDArray[np.float64]) -> RuleTime:
    """``found`` [job, (seconds, megabytes)]."""
    seconds, megabytes = found.T
    return RuleTime(rule, len(found), float(seconds.sum()), float(seconds.max()), float(megabytes.max()))


def _measured(path: Path) -> list[tuple[float, float]]:
    """Seconds and megabytes of the jobs in one file; a job too short to be measured has no memory."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [(_number(row.get("s")), _number(row.get("max_rss"))) for row in rows]


def _number(text: str | None) -> float:
    try:
        return float(text or 0.0)
    except ValueError:
        return 0.0
