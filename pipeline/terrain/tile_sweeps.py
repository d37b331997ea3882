"""Radial terrain profiles of the masts of a terrain tile: what they need of register, grid and DEM."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.territory import Terrain
from pipeline.grid.foreign_rasters import read_external
from pipeline.grid.grid import Box, Grid
from pipeline.registers.terrain_tiles import tile_name
from pipeline.terrain.elevation import elevation_of, require_cover
from pipeline.terrain.radial import CLEARANCE_KM, MEAN_TO_KM
from pipeline.terrain.records import (
    KM_PER_DEG,
    LonLatRaster,
    Mast,
    MastView,
    Sweep,
    SweepFacts,
    SweepSettings,
    TerrainSource,
)
from pipeline.terrain.sweep import ground_at, sweep_mast, view_of

# Points per side of the lattice on which the grid's outline and the cover of the DEM are examined.
_LATTICE_POINTS = 129
# Buffer around the terrain that the profiles touch.
_BUFFER_KM = 1.0


def run(
    masts: Sequence[Mast],
    elevation: LonLatRaster | None,
    receivers: LonLatRaster | None,
    land: LonLatRaster | None,
    views: Mapping[str, MastView],
    settings: SweepSettings,
    *,
    threads: int = 1,
) -> dict[str, Sweep]:
    """Profiles by mast key; ``elevation`` around the masts, ``receivers`` around the grid."""

    def sweep(mast: Mast) -> Sweep:
        standing = above_ground(mast, elevation)
        return sweep_mast(standing, elevation, land, views[mast.key], settings, receivers)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        return dict(zip([mast.key for mast in masts], pool.map(sweep, masts), strict=True))


def above_ground(mast: Mast, elevation: LonLatRaster | None) -> Mast:
    """The mast on the terrain where its stated site height would put the antenna below ground.

    A site height of 0 that means "not known" would otherwise take all protection from a mast on a mountain.
    """
    if elevation is None or math.isnan(mast.site_height_asl_m):
        return mast
    terrain_m = ground_at(elevation, mast.lon_deg, mast.lat_deg)
    agl_m = 0.0 if math.isnan(mast.antenna_height_agl_m) else mast.antenna_height_agl_m
    buried = mast.site_height_asl_m + agl_m < terrain_m
    return mast._replace(site_height_asl_m=terrain_m) if buried else mast


def heights_of_receivers(
    lattice_deg: tuple[NDArray[np.float64], NDArray[np.float64]],
    land: LonLatRaster,
    terrain: Terrain,
    needed: NDArray[np.bool_] | None = None,
) -> LonLatRaster | None:
    """The terrain model around a lattice of longitudes and latitudes, each [rows, cols]; None without one.

    ``needed``: points of the lattice whose heights are asked for, None = all; InputError where it lacks them.
    """
    if terrain.dem is None:
        return None
    receivers = elevation_of(terrain, box_around(*lattice_deg, CLEARANCE_KM), land)
    require_cover(receivers, *lattice_deg, files=terrain.dem, needed=needed)
    return receivers


def sweep_towards(
    masts: Sequence[Mast],
    lattice_deg: tuple[NDArray[np.float64], NDArray[np.float64]],
    receivers: LonLatRaster | None,
    land: LonLatRaster,
    terrain: Terrain,
    *,
    threads: int = 1,
) -> dict[str, Sweep]:
    """Profiles by mast key for receivers within a lattice; ``receivers`` of ``heights_of_receivers``."""
    elevation = elevation_of(terrain, box_of_masts(masts), land)
    outline = outline_of(lattice_deg[0]), outline_of(lattice_deg[1])
    views = {mast.key: view_of(mast.lon_deg, mast.lat_deg, *outline) for mast in masts}
    return run(masts, elevation, receivers, land, views, settings_of(terrain), threads=threads)


def settings_of(terrain: Terrain) -> SweepSettings:
    """Settings of the profiles from the section of the configuration."""
    return SweepSettings(
        azimuth_step_deg=terrain.azimuth_step_deg, tca=terrain.tca, tca_max_dem_step_m=terrain.tca_max_step_m
    )


def masts_of_tile(register: xr.Dataset, tile: str) -> list[Mast]:
    """The different masts of one tile, by key."""
    rows = np.flatnonzero(register["tile"].values == tile)
    keys = register["mast"].values
    first = {str(keys[row]): int(row) for row in rows[::-1]}
    names = ("lon_deg", "lat_deg", "antenna_height_agl_m", "site_height_asl_m", "haat_m")
    columns = [register[name].values for name in names]
    return [Mast(key, *(float(column[first[key]]) for column in columns)) for key in sorted(first)]


def by_square(masts: Iterable[Mast]) -> dict[str, list[Mast]]:
    """Masts by 1-degree square, both by name: of which terrain is read at a time, and what is kept."""
    squares: dict[str, list[Mast]] = {}
    for mast in masts:
        squares.setdefault(tile_name(mast.lon_deg, mast.lat_deg), []).append(mast)
    return dict(sorted(squares.items()))


def grid_lattice_deg(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes of a lattice over the grid from corner to corner, north to south."""
    west_m, south_m, east_m, north_m = grid.bounds_m
    x_m, y_m = np.linspace(west_m, east_m, _LATTICE_POINTS), np.linspace(north_m, south_m, _LATTICE_POINTS)
    lon_deg, lat_deg = grid.to_lonlat().transform(*np.meshgrid(x_m, y_m))
    return lon_deg, lat_deg


def on_lattice(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the pixels below the points of ``grid_lattice_deg`` are marked."""
    rows, cols = (
        np.linspace(0.0, size, _LATTICE_POINTS).astype(np.int64).clip(max=size - 1) for size in marked.shape
    )
    found: NDArray[np.bool_] = marked[np.ix_(rows, cols)]
    return found


def outline_of(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outer points of a lattice as a closed ring."""
    sides = (lattice[0], lattice[1:, -1], lattice[-1, -2::-1], lattice[-2::-1, 0])
    return np.concatenate(sides)


def box_around(lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64], margin_km: float) -> Box:
    """Box in degrees that holds points and what lies within a margin of them."""
    buffer_deg = (margin_km + _BUFFER_KM) / KM_PER_DEG
    south, north = float(lat_deg.min()) - buffer_deg, float(lat_deg.max()) + buffer_deg
    across_deg = buffer_deg / np.cos(np.radians(min(max(abs(south), abs(north)), 89.0)))
    return float(lon_deg.min() - across_deg), south, float(lon_deg.max() + across_deg), north


def box_of_masts(masts: Sequence[Mast]) -> Box:
    """Box in degrees that the effective heights of the masts need."""
    lon_deg = np.array([mast.lon_deg for mast in masts])
    lat_deg = np.array([mast.lat_deg for mast in masts])
    return box_around(lon_deg, lat_deg, MEAN_TO_KM)


def read_land(path: str | Path) -> LonLatRaster:
    """The land mask of the job territory: uint8, 0 sea, 1 land."""
    return land_raster(read_external(path).astype(np.uint8))


def land_raster(mask: xr.DataArray) -> LonLatRaster:
    """A land mask in degrees as the profiles read it."""
    place = mask.attrs["transform"]
    return LonLatRaster(mask.values, place.c, place.f, place.a, -place.e)


def summary(sweeps: Iterable[SweepFacts]) -> dict[str, int]:
    """Counts for the log and the manifest: masts by source of heights, with clearance angles, with sea."""
    facts = list(sweeps)
    numbers = {source.name.lower(): sum(fact.source == source for fact in facts) for source in TerrainSource}
    numbers["with_clearance_angles"] = sum(fact.with_clearance_angles for fact in facts)
    numbers["with_sea"] = sum(fact.with_sea for fact in facts)
    return numbers
