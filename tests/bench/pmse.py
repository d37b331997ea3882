"""PMSE limits of the 10,356 British assignments of 2014, all at once, in 40 channels on a million pixels.

Once on 100 m pixels around London, where the assignments crowd, once on 1 km pixels over the whole country.
The register is read anew for every channel, as every job of the workflow does.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import yaml

from pipeline.blocks import map_blocks
from pipeline.config.config import Config
from pipeline.grid.grid import Grid
from pipeline.services.base import ServiceContext
from pipeline.shipped import REPOSITORY
from tests.asking import prepare
from tests.bench.common import shared_folder

SIDE_PX = 1000
BLOCK_PX = 512
THREADS = 2
LONDON = Grid("EPSG:27700", 100.0, 480_000.0, 230_000.0, SIDE_PX, SIDE_PX)
COUNTRY = Grid("EPSG:27700", 1000.0, 0.0, 1_000_000.0, SIDE_PX, SIDE_PX)


def settings(register: Path) -> Config:
    """The default territory with the British register and the channels 21 to 60."""
    content = yaml.safe_load((REPOSITORY / "configs" / "slovenia.yaml").read_text(encoding="utf-8"))
    content["name"] = "british"
    content["channels"]["wsd"] = ["21-60"]
    content["services"]["pmse"] = {"status": "evaluate"}
    content["pmse"] = {"registers": [str(register)], "crs": "EPSG:27700"}
    return Config.model_validate(content)


def limited_pixels(config: Config, grid: Grid, channel: int) -> int:
    """Pixels in which some assignment limits the first device in one channel."""
    limit = prepare("pmse", ServiceContext(config, Path(), grid, ()), config.devices[0], channel)
    assert limit is not None
    blocks = map_blocks(limit, grid.shape, BLOCK_PX, THREADS, name=f"pmse {channel}")
    return sum(int(np.isfinite(block.eirp_dbm).sum()) for _, _, block in blocks)


def measure() -> dict[str, float]:
    """Seconds for 40 channels on each grid, and how many pixels are limited."""
    config = settings(shared_folder() / "data" / "real" / "uk" / "pmse_2014.csv")
    limited_pixels(config, LONDON._replace(width=8, height=8), 21)  # compile
    result = {}
    for name, grid in (("pmse_10356x40x1e6", LONDON), ("pmse_country_10356x40x1e6", COUNTRY)):
        started_s = time.perf_counter()
        pixels = sum(limited_pixels(config, grid, channel) for channel in config.channels.wsd)
        result[f"{name}_s"] = time.perf_counter() - started_s
        result[f"{name}_limited_pixels"] = float(pixels)
    return result


if __name__ == "__main__":
    for key, value in measure().items():
        print(f"{key} {value:.4g}")
