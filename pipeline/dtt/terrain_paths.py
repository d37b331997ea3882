"""Paths of devices over terrain: Rec. ITU-R P.1812-8 from the device to receivers, for 1 % of time.

Median of locations; the receiver stands at its height above the ground, sea by the land mask. Maps of limits
keep the path of section 9 of docs/method.md; this one is what they are held against (section 39).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.coverage.profile_fields import PlacesGround, ground_in
from pipeline.errors import InputError
from pipeline.grid.grid import GEOD, Grid
from pipeline.terrain.loss_tables import PlacePath, Waves, path_to, waves_of
from pipeline.terrain.records import Mast
from pipeline.terrain.tile_sweeps import box_around, grid_lattice_deg, read_land

DEVICE_TIME_PCT = 1.0
"""Percentage of time that the path of an interfering device is computed for."""
_MARGIN_KM = 2.0


def terrain_of_grid(config: Config, build: Path, grid: Grid) -> PlacesGround:
    """Terrain, coasts and land cover of the whole grid; InputError without a terrain model."""
    land = read_land(build / "territory" / "land_lonlat.tif")
    lon_deg, lat_deg = grid_lattice_deg(grid)
    found = ground_in(config, box_around(lon_deg, lat_deg, _MARGIN_KM), land, float(np.abs(lat_deg).max()))
    if found is None:
        raise InputError(
            "no paths over terrain", file=config.file, row="terrain.dem", allowed="a terrain model"
        )
    return found


def waves_of_device(config: Config, device: Device, f_mhz: float) -> Waves:
    """The wave of a device: vertical if it says so, in the air of the territory."""
    waves = waves_of(config.propagation, [f_mhz], device.polarisation == "V")
    return waves._replace(time_pct=np.array([DEVICE_TIME_PCT]))


def device_mast(device: Device, lon_deg: float, lat_deg: float) -> Mast:
    """A device on the ground of the terrain model."""
    return Mast(device.id, lon_deg, lat_deg, device.height_m, math.nan, math.nan)


def terrain_path(
    terrain: PlacesGround,
    device: Device,
    waves: Waves,
    ends_deg: tuple[tuple[float, float], tuple[float, float]],
    receiver_m: float,
) -> PlacePath | None:
    """The path from a device to a receiver, both (longitude, latitude); None over unknown terrain."""
    (lon_deg, lat_deg), victim_deg = ends_deg
    azimuth_deg, _, length_m = GEOD.inv(lon_deg, lat_deg, *victim_deg)
    mast = device_mast(device, lon_deg, lat_deg)
    place = float(azimuth_deg), 1e-3 * float(length_m)
    return path_to(mast, terrain.profiles, waves, terrain.step_km, *place, receiver_m)
