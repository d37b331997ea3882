"""Job terrain: one radial sweep for every mast of a 1-degree square.

Input: register, padded grid, land mask, DEM. Output: ``terrain/<tile>.npz``, sweeps by mast key.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.config.config import Config
from pipeline.grid.raster import read_grid
from pipeline.registers.transmitters import read_register
from pipeline.terrain.clearance import CLEARANCE_KM
from pipeline.terrain.elevation import load_elevation, require_cover
from pipeline.terrain.sweep import view_of
from pipeline.terrain.sweep_file import facts_of, write_sweeps
from pipeline.terrain.tile_sweeps import (
    box_around,
    box_of_masts,
    grid_lattice_deg,
    masts_of_tile,
    outline_of,
    read_land,
    run,
    settings_of,
    summary,
)


def main(config: Config, build: Path, *, threads: int, tile: str) -> None:
    """Sweep the masts of one 1-degree square and write ``<build>/terrain/<tile>.npz``."""
    register, _ = read_register(config)
    masts = masts_of_tile(register, tile)
    territory = build / "territory"
    lon_deg, lat_deg = grid_lattice_deg(read_grid(territory / "surface.tif"))
    land = read_land(territory / "land_lonlat.tif")
    elevation = receivers = None
    if config.terrain.dem is not None:
        receivers = load_elevation(config.terrain.dem, box_around(lon_deg, lat_deg, CLEARANCE_KM), land)
        require_cover(receivers, lon_deg, lat_deg, files=config.terrain.dem)
        elevation = load_elevation(config.terrain.dem, box_of_masts(masts), land)
    outline = outline_of(lon_deg), outline_of(lat_deg)
    views = {mast.key: view_of(mast.lon_deg, mast.lat_deg, *outline) for mast in masts}
    sweeps = run(masts, elevation, receivers, land, views, settings_of(config.terrain), threads=threads)
    write_sweeps(build / "terrain" / f"{tile}.npz", sweeps)
    print(f"terrain {tile}: {summary(map(facts_of, sweeps.values()))}", file=sys.stderr)
