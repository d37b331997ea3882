"""Italy at 100 m with a generated network: all layers of 40 channels from nothing, in one run on two cores.

Takes half an hour, so that `make bench` leaves it out: `python -m tests.bench nation`.
"""

from __future__ import annotations

from pathlib import Path

from tests.bench.common import shared_folder
from tests.bench.italy import write_territory
from tests.bench.whole_runs import run_from_nothing

FOLDER = Path("build") / "bench-nation"


def measure() -> dict[str, float]:
    """Wall seconds, processor seconds and peak memory by stage, and what stands on the disk."""
    return run_from_nothing(write_territory(shared_folder() / "data" / "italy", FOLDER))
