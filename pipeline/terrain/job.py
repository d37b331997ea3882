"""Job terrain: the radial terrain profiles of every mast of a 1-degree square.

Input: register, padded grid, land mask, DEM. Output: ``terrain/<tile>.npz``, profiles by mast key.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.config.config import Config
from pipeline.grid.raster import read
from pipeline.registers.transmitters import read_register
from pipeline.terrain.records import facts_of, write_sweeps
from pipeline.terrain.tile_sweeps import (
    grid_lattice_deg,
    heights_of_receivers,
    masts_of_tile,
    on_lattice,
    read_land,
    summary,
    sweep_towards,
)


def main(config: Config, build: Path, *, threads: int, tile: str) -> None:
    """Profiles of the masts of one 1-degree square to ``<build>/terrain/<tile>.npz``."""
    register, _ = read_register(config)
    reach = read(build / "territory" / "reach.tif")
    lattice_deg, needed = grid_lattice_deg(reach.attrs["grid"]), on_lattice(reach.values == 1)
    land = read_land(build / "territory" / "land_lonlat.tif")
    masts = masts_of_tile(register, tile)
    receivers = heights_of_receivers(lattice_deg, land, config.terrain, needed)
    sweeps = sweep_towards(masts, lattice_deg, receivers, land, config.terrain, threads=threads)
    write_sweeps(build / "terrain" / f"{tile}.npz", sweeps)
    print(f"terrain {tile}: {summary(map(facts_of, sweeps.values()))}", file=sys.stderr)
