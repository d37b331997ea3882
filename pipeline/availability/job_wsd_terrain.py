"""Job wsd_terrain: how far the paths behind the limits by DTT are from paths over terrain, at sampled pixels.

``internal/wsd_terrain.csv``, ``wsd_terrain_worst.csv`` and ``wsd_terrain_<device>.tif``; no limit changes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.availability.terrain_check import PathStatus, check_paths
from pipeline.availability.terrain_check_files import write_checks
from pipeline.config.config import Config
from pipeline.reference.limiting_channels import victim_channels
from pipeline.registers.transmitters import read_register


def main(config: Config, build: Path, *, threads: int) -> None:
    """Check the sample of all devices and channels and write what was found."""
    register, _ = read_register(config)
    victims = victim_channels(config, register["channel"].values.tolist(), config.all_device_channels())
    grid, pixels, checks = check_paths(config, build, victims, threads=threads)
    write_checks(config, build, grid, pixels, checks)
    compared = sum(int((check.paths.status == PathStatus.CHECKED).sum()) for check in checks)
    sampled = sum(check.paths.status.size for check in checks)
    print(f"paths over terrain: {compared} of {sampled} compared", file=sys.stderr)
    if compared == 0:
        print("paths over terrain: nothing is known; a larger wsd_terrain_pct finds more", file=sys.stderr)
