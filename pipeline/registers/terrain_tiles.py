"""Terrain tiles: squares whose masts one job sweeps, of one degree or, for a continent, of more."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

# A job takes seconds to start, so that a continent has no more than some tens of them: 1,324 squares of one
# degree with generated masts of Europe are 39 of eight.
MOST_TILES = 48


def with_tiles(transmitters: xr.Dataset) -> xr.Dataset:
    """The dataset with ``tile`` [transmitter]: terrain tile of each mast, of 1, 2, 4 ... degrees."""
    lon_deg, lat_deg = (transmitters[name].values.tolist() for name in ("lon_deg", "lat_deg"))
    side_deg = 1
    while True:
        pairs = zip(lon_deg, lat_deg, strict=True)
        names = [tile_name(lon, lat, side_deg) for lon, lat in pairs]
        if len(set(names)) <= MOST_TILES:
            return transmitters.assign(tile=("transmitter", np.array(names, dtype=np.str_)))
        side_deg *= 2


def tile_name(lon_deg: float, lat_deg: float, side_deg: int = 1) -> str:
    """Name of a square of whole degrees by its south-west corner, such as ``n46e014``."""
    south, west = (side_deg * math.floor(place_deg / side_deg) for place_deg in (lat_deg, lon_deg))
    return f"{'n' if south >= 0 else 's'}{abs(south):02d}{'e' if west >= 0 else 'w'}{abs(west):03d}"
