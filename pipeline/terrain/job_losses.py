"""Job losses: losses from the masts of a 1-degree square by a model that sees the whole profile.

Input: register, padded grid, land mask, terrain model. Output: ``losses/<tile>.npz``, tables by mast, channel
and polarisation.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.grid.raster import read
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.registers.transmitters import read_register
from pipeline.terrain.elevation import elevation_of
from pipeline.terrain.land_cover import load_land_cover
from pipeline.terrain.loss_tables import MastLosses, require_known, run, table_name, waves_of, write_losses
from pipeline.terrain.path_profiles import ProfileGround, profile_ground
from pipeline.terrain.records import Mast, SweepSettings
from pipeline.terrain.sweep import TcaLattice, dem_step_km, tca_lattice, view_of
from pipeline.terrain.tile_sweeps import (
    above_ground,
    box_around,
    grid_lattice_deg,
    masts_of_tile,
    on_lattice,
    outline_of,
    read_land,
)
from pipeline.territory.masks import is_land

_BESIDE_KM = 2.0


def main(config: Config, build: Path, *, threads: int, tile: str) -> None:
    """Tables of the masts of one 1-degree square to ``<build>/losses/<tile>.npz``."""
    register, _ = read_register(config)
    masts = masts_of_tile(register, tile)
    reach, surface = (read(build / "territory" / f"{name}.tif") for name in ("reach", "surface"))
    lon_deg, lat_deg = grid_lattice_deg(reach.attrs["grid"])
    # Only on land there are receivers.
    needed = on_lattice((reach.values == 1) & is_land(surface.values))
    land = read_land(build / "territory" / "land_lonlat.tif")
    sites = [np.array([getattr(mast, name) for mast in masts]) for name in ("lon_deg", "lat_deg")]
    box = box_around(np.append(sites[0], lon_deg), np.append(sites[1], lat_deg), _BESIDE_KM)
    elevation = elevation_of(config.terrain, box, land)
    if elevation is None:
        raise InputError("no terrain model", row="terrain.dem", allowed="a raster of heights")
    cover = load_land_cover(config.terrain.clutter, box, land)
    ground, lattices = profile_ground(elevation, land, cover), {}
    found: dict[str, MastLosses] = {}
    for mast in masts:
        view = view_of(mast.lon_deg, mast.lat_deg, outline_of(lon_deg), outline_of(lat_deg))
        lattice = tca_lattice(dem_step_km(elevation, mast.lat_deg), view, SweepSettings())
        lattices[mast.key] = lattice
        standing = above_ground(mast, elevation)
        tables = _tables(config, register, standing, ground, lattice, threads=threads)
        # All tables of a mast end where its terrain does.
        require_known(mast, next(iter(tables.values())).codes[0], lattice, lon_deg, lat_deg, needed)
        found |= tables
    write_losses(build / "losses" / f"{tile}.npz", lattices, found)
    print(f"losses {tile}: {len(masts)} masts, {len(found)} tables", file=sys.stderr)


def _tables(
    config: Config,
    register: xr.Dataset,
    mast: Mast,
    ground: ProfileGround,
    lattice: TcaLattice,
    *,
    threads: int,
) -> dict[str, MastLosses]:
    """Losses by name of all channels and polarisations of a mast."""
    rows = np.flatnonzero(register["mast"].values == mast.key)
    channels, polarisations = (register[name].values[rows] for name in ("channel", "polarisation"))
    found: dict[str, MastLosses] = {}
    for vertical in (False, True):
        used = sorted({int(c) for c in channels[(polarisations == "V") == vertical]})
        if not used:
            continue
        f_mhz = [channel_centre_mhz(config.channels, channel) for channel in used]
        waves = waves_of(config.propagation, f_mhz, vertical)
        tables = run(mast, ground, lattice, waves, config.coverage.receiver_height_m, threads=threads)
        found |= {
            table_name(mast.key, channel, vertical): MastLosses(tables.codes[i], tables.regimes[i])
            for i, channel in enumerate(used)
        }
    return found
