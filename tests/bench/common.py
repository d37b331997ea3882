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


def median_s(
    function: Callable[[], object], repeats: int = 5, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Median duration of a call in seconds, after one call that compiles and warms up."""
    function()
    durations_s = []
    for _ in range(repeats):
        started_s = clock()
        function()
        durations_s.append(clock() - started_s)
    return statistics.median(durations_s)


def cpu_s(function: Callable[[], object], repeats: int = 5) -> float:
    """The same in seconds of processor time."""
    return median_s(function, repeats, time.process_time)
