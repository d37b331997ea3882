"""How far devices on hills reach: what the padded grid and the computation of coverage have to hold.

The height of each pixel's ground over its surroundings is that of the job ``heights``, here on the grid of
the territory alone, 3 m higher: the padded grid has another largest scale, which moves the samples by some
metres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.dtt.interference_range import limiting_loss_db
from pipeline.dtt.path_losses import path_ranges_km
from pipeline.dtt.station_rules import strictest_settings
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import Boundaries
from pipeline.plan.margin import limiting_channels, modes_of, required_margins_km
from pipeline.reference.ratio_tables import ModeKey, read_protection_tables
from pipeline.registers.transmitters import read_register
from pipeline.terrain.device_heights import class_heights_m
from pipeline.terrain.height_files import (
    base_height_m,
    base_heights_m,
    elevation_around,
    knows_terrain,
    lowest_height_m,
)
from pipeline.terrain.radial import MEAN_TO_KM
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.square_heights import SquareHeights
from pipeline.terrain.tile_sweeps import box_around, grid_lattice_deg, land_raster
from pipeline.territory.codes import Surface
from pipeline.territory.masks import surface_mask
from pipeline.territory.rasters import Reach, boundaries_of, grid_of, run
from pipeline.territory.reach import HillReach

# Heights and distances from the sea for which there are radii: finer than the classes of the search.
_RATIO = 1.1
_SEA_KM = tuple(5.0 * step for step in range(25))
_SLACK_M = 3.0
_LAND_STEP_DEG = 0.01


def required_reach(config: Config, register: xr.Dataset | None = None, *, threads: int = 1) -> Reach:
    """How far victims matter around a territory, for the modes of the register (read if it is not given)."""
    found = read_register(config)[0] if register is None else register
    around_km = required_margins_km(config, found)
    if not knows_terrain(config):
        return Reach(around_km)
    config = strictest_settings(config, found)
    return Reach(around_km, hills_of([config], modes_of(config, found), threads=threads))


def hills_of(configs: Sequence[Config], modes: Sequence[ModeKey], *, threads: int = 1) -> HillReach:
    """Devices of one territory on their ground; with several configurations, the farthest reach of any.

    The configurations differ in what a device may radiate, not in territory, terrain or classes.
    """
    config = configs[0]
    boundaries = boundaries_of(config.territory)
    surface = run(boundaries, grid_of(config, boundaries, 0.0), coastal_km=0.0, threads=threads)["surface"]
    grid: Grid = surface.attrs["grid"]
    inside = surface.values == Surface.HOME
    bases_m = base_heights_m(config)
    sea_km = np.array([*_SEA_KM, math.inf])
    return HillReach(
        grid,
        inside,
        _ground(config, boundaries, grid, inside, threads),
        [_edges_m(config, base_m) for base_m in bases_m],
        [np.max([_radii_km(one, base_m, modes, sea_km) for one in configs], axis=0) for base_m in bases_m],
        sea_km,
        MEAN_TO_KM,
    )


def reach_facts(config: Config, register: xr.Dataset) -> dict[str, object]:
    """What the reach of devices on hills depends on beside territory and terrain; nothing on flat land."""
    if not knows_terrain(config):
        return {}
    protection = config.protection
    return {
        "losses_db": limiting_losses_db(strictest_settings(config, register), modes_of(config, register)),
        "channels": _outer_channels(config),
        "heights_m": sorted({float(device.height_m) for device in config.devices}),
        "model": config.propagation.wsd_model,
        "receiver_m": config.coverage.receiver_height_m,
        "lowest_m": [protection.assumed_heff_m, min(_RATIO, protection.height_ratio)],
        "sea": protection.sea_paths,
    }


def limiting_losses_db(config: Config, modes: Sequence[ModeKey]) -> list[float]:
    """Losses from which on no victim limits any device, in the lowest and in the highest channel."""
    tables = read_protection_tables(config.protection)
    channels = _outer_channels(config)
    least_db = config.grid.least_limiting_losses_db or []
    floors_db = least_db if len(least_db) == len(channels) else [-math.inf] * len(channels)
    return [
        max(floor_db, *(limiting_loss_db(config, d, tables, modes=modes, channel=c) for d in config.devices))
        for c, floor_db in zip(channels, floors_db, strict=True)
    ]


def _outer_channels(config: Config) -> list[int]:
    """The range falls with the frequency: the lowest channel has the largest, the highest checks it."""
    channels = limiting_channels(config)
    return sorted({channels[0], channels[-1]})


def _ground(
    config: Config, boundaries: Boundaries, grid: Grid, inside: NDArray[np.bool_], threads: int
) -> SquareHeights:
    """Ground of the territory; level without heights: `validate` refuses the terrain model."""
    box_deg = box_around(*grid_lattice_deg(grid), MEAN_TO_KM)
    mask = surface_mask(boundaries, box_deg, step_deg=_LAND_STEP_DEG, threads=threads)
    elevation = elevation_around(config, grid, land_raster(mask))
    level = LonLatRaster(np.zeros((2, 2), np.float32), box_deg[0], box_deg[3], 1.0, 1.0)
    sectors, void_m = config.protection.height_sectors, config.terrain.void
    return SquareHeights(elevation or level, grid, inside, sectors, void_m=void_m, threads=threads)


def _edges_m(config: Config, base_m: float) -> NDArray[np.float32]:
    """Heights above the surroundings up to which the classes of a base height reach."""
    return (_heights_m(config, base_m) - base_m - _SLACK_M).astype(np.float32)


def _heights_m(config: Config, base_m: float) -> NDArray[np.float64]:
    return class_heights_m(lowest_height_m(config, base_m), min(_RATIO, config.protection.height_ratio))


def _radii_km(
    config: Config, base_m: float, modes: Sequence[ModeKey], sea_km: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Maximum interference range of the devices of a base height, as of ``HillReach``."""
    heights_m = _heights_m(config, base_m)
    lengths_km = np.concatenate([np.zeros((1, sea_km.size)), sea_km[:, np.newaxis] + sea_km[np.newaxis, :]])
    different_km, place = np.unique(lengths_km, return_inverse=True)
    devices = {d.height_m: d for d in config.devices if base_height_m(d) == base_m}
    limits = list(zip(_outer_channels(config), limiting_losses_db(config, modes), strict=True))
    by_length_km = np.max(
        [
            path_ranges_km(config, device, channel, from_db, heights_m, different_km, MEAN_TO_KM)
            for device in devices.values()
            for channel, from_db in limits
        ],
        axis=0,
    )
    radii_km: NDArray[np.float64] = by_length_km[:, place.reshape(lengths_km.shape)]
    return radii_km
