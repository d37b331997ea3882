"""How the cost of a channel grows with pixels and masts: the stages on a part of the generated network.

Exponents are those between one size and the next. `make bench` leaves it out: `python -m tests.bench growth`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from tests.bench.common import shared_folder
from tests.bench.italy import BOX_DEG, CHANNEL, CORES, KEY, run_stage, sweep, write_territory

FOLDER = Path("build") / "bench-growth"
RESOLUTIONS_M = (400.0, 200.0, 100.0, 50.0)
# 200 km each way, hills and plain, with masts all around.
PART_DEG = (10.0, 43.6, 12.5, 45.4)
MASTS = (25, 50, 100, 200, 400)
RESOLUTION_OF_MASTS_M = 200.0
STAGES = ("territory", "heights", "coverage", "protect", "combine")


def measure() -> dict[str, float]:
    """Processor seconds of each stage by pixels and by masts, and exponents."""
    data = shared_folder() / "data" / "italy"
    _stages(write_territory(data, FOLDER / "compiled", PART_DEG, RESOLUTIONS_M[0]))
    by_pixels = {
        resolution_m: _stages(write_territory(data, FOLDER / f"{resolution_m:g}m", PART_DEG, resolution_m))
        for resolution_m in RESOLUTIONS_M
    }
    by_masts = {number: _stages(_thinned(data, number)) for number in MASTS}
    return {
        **{f"growth_{m:g}m_{stage}_cpu_s": s for m, took in by_pixels.items() for stage, s in took.items()},
        **{f"growth_{n}masts_{stage}_cpu_s": s for n, took in by_masts.items() for stage, s in took.items()},
        **_exponents("pixels", {m**-2: took for m, took in by_pixels.items()}),
        **_exponents("masts", by_masts),
    }


def _thinned(data: Path, masts: int) -> Path:
    """All of Italy with every so many of its masts."""
    config_path = write_territory(data, FOLDER / f"{masts}masts", BOX_DEG, RESOLUTION_OF_MASTS_M)
    register = config_path.parent / "transmitters.csv"
    header, *rows = register.read_text(encoding="utf-8").splitlines()
    sites = sorted({row.split(",")[1] for row in rows})
    kept = set(sites[:: len(sites) // masts])
    text = "\n".join([header, *(row for row in rows if row.split(",")[1] in kept)])
    register.write_text(text + "\n", encoding="utf-8")
    return config_path


def _stages(config_path: Path) -> dict[str, float]:
    """Processor seconds of the stages of a channel."""
    threads = "--threads", str(CORES)
    of_channel = ("--channel", str(CHANNEL), *KEY, *threads)
    options: Mapping[str, Sequence[str]] = {"territory": threads, "heights": threads}
    took = {}
    for stage in STAGES:
        if stage == "heights":
            sweep(config_path)
        took[stage] = run_stage(stage, config_path, *options.get(stage, of_channel)).cpu_s
    return took


def _exponents(name: str, sizes: Mapping[float, Mapping[str, float]]) -> dict[str, float]:
    """Exponents of the cost between one size and the next, by stage."""
    found = {}
    for number, (smaller, larger) in enumerate(pairwise(sizes), 1):
        growth = math.log(larger / smaller)
        for stage in STAGES:
            ratio = sizes[larger][stage] / sizes[smaller][stage]
            found[f"growth_exponent_{name}_{number}_{stage}"] = math.log(ratio) / growth
    return found
