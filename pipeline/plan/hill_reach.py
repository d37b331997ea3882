"""How far devices on hills reach: the box that the padded grid has to hold beside its margin.

The height of each pixel's ground over its surroundings is that of the job ``heights``, here on the grid of
the territory alone, 3 m higher: the padded grid has another largest scale, which moves the samples by some
metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.interference_range import interference_range_km
from pipeline.grid.grid import Box, Grid
from pipeline.grid.polygons import Boundaries
from pipeline.plan.margin import limiting_channels, modes_of, required_margins_km
from pipeline.reference.ratio_tables import ModeKey, read_protection_tables
from pipeline.registers.transmitters import read_register
from pipeline.terrain.device_heights import BASE_FROM_M, HIGHEST_M, class_heights_m, height_classes
from pipeline.terrain.device_lines import RingSettings
from pipeline.terrain.height_files import base_height_m, elevation_around, knows_terrain, lowest_height_m
from pipeline.terrain.radial import MEAN_TO_KM
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.tile_sweeps import box_around, grid_lattice_deg
from pipeline.territory.codes import Surface
from pipeline.territory.masks import surface_mask
from pipeline.territory.rasters import Reach, boundaries_of, grid_of, run

# Heights for which radii are computed; a pixel counts with the next one above.
_RATIO = 1.5
_SLACK_M = 3.0
# Scale of the padded grid over that of the territory's own: a thousandth is more than any national grid has.
_SCALE_RESERVE = 1.002
_LAND_STEP_DEG = 0.01


def required_reach(config: Config, register: xr.Dataset | None = None, *, threads: int = 1) -> Reach:
    """How far victims matter around a territory, for the modes of the register (read if it is not given)."""
    found = read_register(config)[0] if register is None else register
    around_km = required_margins_km(config, found)
    if not knows_terrain(config):
        return Reach(around_km)
    hills = _hills(config, threads)
    modes = modes_of(config, found)
    land_box_m, sea_box_m = (
        _box_m(hills, _radii_km(config, modes, coastal=coastal)) for coastal in (False, True)
    )
    return Reach(around_km, (land_box_m, sea_box_m))


def hill_margin_km(configs: Sequence[Config], register: xr.Dataset, *, coastal: bool) -> float:
    """Margin on all sides that holds what the devices of several configurations of one territory reach."""
    if not any(map(knows_terrain, configs)):
        return 0.0
    hills = _hills(next(filter(knows_terrain, configs)), 1)
    radii_km = [_radii_km(config, modes_of(config, register), coastal=coastal) for config in configs]
    reached, own = _box_m(hills, np.max(radii_km, axis=0)), hills.grid.bounds_m
    lacking_m = (own[0] - reached[0], own[1] - reached[1], reached[2] - own[2], reached[3] - own[3])
    return max(lacking_m) / 1000.0


class _Hills(NamedTuple):
    """Pixels of the territory, and their class by sector on paths to 15 km and beyond: [pixel, sector, 2]."""

    grid: Grid
    inside: NDArray[np.bool_]
    classes: NDArray[np.uint8]


def _excess_m() -> NDArray[np.float64]:
    """Heights over the surroundings of the classes."""
    return class_heights_m(BASE_FROM_M, _RATIO) - BASE_FROM_M


def _hills(config: Config, threads: int) -> _Hills:
    boundaries = boundaries_of(config.territory)
    surface = run(boundaries, grid_of(config, boundaries, 0.0), coastal_km=0.0, threads=threads)["surface"]
    grid: Grid = surface.attrs["grid"]
    inside = surface.values == Surface.HOME
    return _Hills(grid, inside, _classes(config, boundaries, grid, inside, threads))


def _classes(
    config: Config, boundaries: Boundaries, grid: Grid, inside: NDArray[np.bool_], threads: int
) -> NDArray[np.uint8]:
    """Classes as of ``_Hills``; without heights all are the lowest: `validate` refuses the terrain model."""
    box_deg = box_around(*grid_lattice_deg(grid), MEAN_TO_KM)
    mask = surface_mask(boundaries, box_deg, step_deg=_LAND_STEP_DEG, threads=threads)
    place = mask.attrs["transform"]
    elevation = elevation_around(config, grid, LonLatRaster(mask.values, place.c, place.f, place.a, -place.e))
    if elevation is None:
        return np.zeros((int(inside.sum()), 1, 2), np.uint8)
    rings = RingSettings(config.protection.height_sectors, (MEAN_TO_KM,))
    (classes,) = height_classes(
        elevation, grid, inside, rings, [_excess_m() - _SLACK_M], void_m=config.terrain.void, threads=threads
    )
    return classes.reshape(-1, rings.sectors, rings.rings)


def _radii_km(config: Config, modes: list[ModeKey], *, coastal: bool) -> NDArray[np.float64]:
    """Maximum interference range of any device whose ground is so much higher than its surroundings."""
    tables = read_protection_tables(config.protection)
    channels = limiting_channels(config)
    # The range falls with the frequency: the lowest channel has the largest, another one is a check of it.
    chosen = sorted({channels[0], channels[-1]})

    def range_km(device: Device, excess: float) -> float:
        height_m = lowest_height_m(config, base_height_m(device) + excess)
        return interference_range_km(
            config,
            device,
            tables,
            modes=modes,
            channels=chosen,
            coastal=coastal,
            effective_m=min(height_m, HIGHEST_M),
        )

    devices = {(d.height_m, d.cap_dbm, d.dq_pct, d.emission_class): d for d in config.devices}.values()
    return np.array([max(range_km(device, float(excess)) for device in devices) for excess in _excess_m()])


def _box_m(hills: _Hills, radii_km: NDArray[np.float64]) -> Box:
    """Projected box of all that some pixel reaches in the direction of its sectors."""
    grid, classes = hills.grid, hills.classes
    row, col = np.nonzero(hills.inside)
    x_m, y_m = grid.xy_m(row.astype(np.float64) + 0.5, col.astype(np.float64) + 0.5)
    near_m = np.minimum(radii_km, MEAN_TO_KM) * 1000.0
    half_m = grid.resolution_m
    sides: list[tuple[float, float, float, float]] = []
    sectors = classes.shape[1]
    for sector in range(sectors):
        reach_m = np.maximum(near_m[classes[:, sector, 0]], radii_km[classes[:, sector, 1]] * 1000.0)
        reach_m = reach_m * grid.largest_scale() * _SCALE_RESERVE + half_m
        east, north = _span(sector, sectors)
        sides.append(
            (
                float((x_m + east[0] * reach_m).min()),
                float((y_m + north[0] * reach_m).min()),
                float((x_m + east[1] * reach_m).max()),
                float((y_m + north[1] * reach_m).max()),
            )
        )
    west, south, east_m, north_m = zip(*sides, strict=True)
    return min(west), min(south), max(east_m), max(north_m)


def _span(sector: int, sectors: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Least and largest part eastwards, and northwards, of the directions of a sector, 0 among them."""
    edges = np.radians(np.linspace(sector, sector + 1, 16) * 360.0 / sectors)
    east, north = np.sin(edges), np.cos(edges)
    return (min(float(east.min()), 0.0), max(float(east.max()), 0.0)), (
        min(float(north.min()), 0.0),
        max(float(north.max()), 0.0),
    )
