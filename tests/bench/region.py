"""One tile of a continent: 450 km of the generated Italian network at 100 m, eight channels in one run.

What docs/continent.md says of Europe and Africa is held against it. `make bench` leaves it out:
`python -m tests.bench region`.
"""

from __future__ import annotations

from pathlib import Path

from tests.bench.common import shared_folder
from tests.bench.italy import write_territory
from tests.bench.whole_runs import run_from_nothing

FOLDER = Path("build") / "bench-region"
# 450 km each way; the north of Italy, half of it abroad or at sea.
BOX_DEG = (7.0, 42.75, 12.65, 46.8)


CHANNELS = "30-37"


def measure() -> dict[str, float]:
    """Wall seconds, processor seconds and peak memory by stage, and what stands on the disk."""
    config_path = write_territory(shared_folder() / "data" / "italy", FOLDER, BOX_DEG)
    text = config_path.read_text(encoding="utf-8")
    config_path.write_text(text.replace('["21-60"]', f'["{CHANNELS}"]'), encoding="utf-8")
    return run_from_nothing(config_path)
