"""What the benchmark modules share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared"


class Skipped(Exception):
    """A benchmark that cannot run here, with the reason."""


def shared_folder() -> Path:
    """The folder with reference data beside the checkout; Skipped where it is absent."""
    if not (SHARED / "data").is_dir():
        raise Skipped("reference data folder ../shared is not beside this checkout")
    return SHARED


def median_s(function: Callable[[], object], repeats: int = 5) -> float:
    """Median duration of a call in seconds, after one call that compiles and warms up."""
    function()
    durations_s = []
    for _ in range(repeats):
        started_s = time.perf_counter()
        function()
        durations_s.append(time.perf_counter() - started_s)
    return statistics.median(durations_s)


def cpu_s(function: Callable[[], object], repeats: int = 5) -> float:
    """Median CPU seconds of a call, after one call that compiles and warms up."""
    function()
    durations_s = []
    for _ in range(repeats):
        started_s = time.process_time()
        function()
        durations_s.append(time.process_time() - started_s)
    return statistics.median(durations_s)
