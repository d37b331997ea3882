"""The stations of a channel: which transmitters matter, their countries, modes and terrain profiles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import on_threads
from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.coverage.inputs import Paths, paths_of
from pipeline.grid.geodesy import outline_m, site_frames
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import read_countries
from pipeline.radio.channel_plan import plan_neighbours
from pipeline.reference.ratio_tables import ModeKey
from pipeline.registers.guard_intervals import guard_intervals
from pipeline.registers.transmitters import fill_countries, read_register
from pipeline.terrain.loss_tables import LossTable, read_loss_table
from pipeline.terrain.records import Sweep, read_sweeps, without_profiles

ORDINARY_BANDS = ("ordinary_nuisance_dbuvm", "ordinary_nuisance_sigma_db")
"""Bands of the nuisance at 50 % of time, beside that of planning, where the settings ask for both."""


def read_network(config: Config, grid: Grid, channel: int) -> xr.Dataset:
    """The transmitters that matter in a channel, with countries and modes filled in."""
    return network_of(config, grid, plan_neighbours(config.channels, channel))


def network_of(config: Config, grid: Grid, channels: Iterable[int]) -> xr.Dataset:
    """Those of some channels within reach of a grid, in order of id, likewise."""
    register, _ = read_register(config)
    selected = select_channels(register, channels)
    reached = within_reach(selected, outline_m(grid), config.channels.reach_km)
    selected = selected.isel(transmitter=reached)
    default = config.coverage.default_mode
    return with_default_mode(with_countries(config, selected), (default.system, default.mode))


def select_channels(transmitters: xr.Dataset, channels: Iterable[int]) -> xr.Dataset:
    """The transmitters of some channels, in order of id."""
    chosen = np.isin(transmitters["channel"].values, list(channels))
    selected = transmitters.isel(transmitter=chosen)
    return selected.isel(transmitter=np.argsort(selected["id"].values, kind="stable"))


def within_reach(
    transmitters: xr.Dataset, positions_m: NDArray[np.float64], reach_km: float
) -> NDArray[np.bool_]:
    """Which transmitters lie within ``reach_km`` of the nearest of some geocentric points [n, 3]."""
    return places_within_reach(
        transmitters["lon_deg"].values, transmitters["lat_deg"].values, positions_m, reach_km
    )


def places_within_reach(
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    positions_m: NDArray[np.float64],
    reach_km: float,
) -> NDArray[np.bool_]:
    """Which places [m] lie within ``reach_km`` of the nearest of some geocentric points [n, 3]."""
    sites, which = np.unique(np.stack([lon_deg, lat_deg]), axis=1, return_inverse=True)
    frames = site_frames(sites[0], sites[1])
    nearest_m = [np.sqrt(np.min(np.sum((positions_m - frame[:3]) ** 2, axis=1))) for frame in frames]
    near: NDArray[np.bool_] = np.array(nearest_m)[which.ravel()] <= 1000.0 * reach_km
    return near


def with_default_mode(transmitters: xr.Dataset, default: ModeKey) -> xr.Dataset:
    """The dataset with every empty ``mode``, and the system beside it, replaced by the default."""
    given = transmitters["mode"].values != ""
    return transmitters.assign(
        system=("transmitter", np.where(given, transmitters["system"].values, default[0])),
        mode=("transmitter", np.where(given, transmitters["mode"].values, default[1])),
    )


def with_countries(config: Config, transmitters: xr.Dataset) -> xr.Dataset:
    """Stations without a country get that of the polygon around them; a mere box is home."""
    polygons = config.territory.polygons
    if polygons is None:
        stated = transmitters["country"].values
        own = np.where(stated == "", config.territory.home[0], stated)
        return transmitters.assign(country=("transmitter", own))
    countries = read_countries(polygons)
    return fill_countries(transmitters, countries, polygons.country_field)


def station_details(
    config: Config, transmitters: xr.Dataset, ground_asl_m: NDArray[np.float64]
) -> list[dict[str, object]]:
    """Place, mast, its tile, heights and guard interval of every transmitter, for the account of a limit.

    Height above ground (not of a station whose height above average terrain is given) and ground above sea
    level [transmitter] where known, the guard interval where it belongs to a network, its type and the rule
    of its own by which it is protected where the register has them.
    """
    guard, details = guard_intervals(transmitters, config.coverage), []
    names = ("lon_deg", "lat_deg", "antenna_height_agl_m", "mast", "tile", "sfn")
    columns = [transmitters[name].values.tolist() for name in names]
    rows = zip(*columns, ground_asl_m.tolist(), _own_rules(transmitters), strict=True)
    for row, (lon_deg, lat_deg, agl_m, mast, tile, sfn, ground_m, own_rule) in enumerate(rows):
        found: dict[str, object] = {"lon": lon_deg, "lat": lat_deg, "mast": mast, "tile": tile}
        heights_m = {"antenna_agl_m": agl_m, "ground_asl_m": ground_m}
        found |= {name: height_m for name, height_m in heights_m.items() if math.isfinite(height_m)}
        if sfn:
            found["guard_us"] = float(guard.guard_us[row])
            found["guard_assumed"] = bool(guard.assumed[row])
        details.append(found | own_rule)
    return details


def _own_rules(transmitters: xr.Dataset) -> list[dict[str, object]]:
    """Type and rule of protection of each station, as far as its register says."""
    names = ("station_type", "protection", "dq_pct", "threshold_dbuvm")
    rows = zip(*(transmitters[name].values.tolist() for name in names), strict=True)
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [{name: value for name, value in row.items() if _stated(value)} for row in found]


def _stated(value: str | float) -> bool:
    return value != "" and not (isinstance(value, float) and math.isnan(value))


def load_losses(
    config: Config, build: Path, transmitters: xr.Dataset, threads: int = 1
) -> Iterator[LossTable] | None:
    """The loss table of each transmitter, from the files of their tiles; None if the model has no tables."""
    if not sees_profiles(config.propagation.coverage_model):
        return None
    columns = [transmitters[name].values.tolist() for name in ("tile", "mast", "channel", "polarisation")]

    def stored(tile: str, mast: str, channel: int, polarisation: str) -> LossTable:
        return read_loss_table(build / "losses" / f"{tile}.npz", mast, channel, polarisation == "V")

    return on_threads(stored, zip(*columns, strict=True), threads)


def load_sweeps(build: str | Path, transmitters: xr.Dataset) -> dict[str, Sweep]:
    """The terrain profiles of all masts of some transmitters, from the files of their tiles."""
    tiles: dict[str, set[str]] = {}
    for tile, mast in zip(transmitters["tile"].values, transmitters["mast"].values, strict=True):
        tiles.setdefault(str(tile), set()).add(str(mast))
    sweeps: dict[str, Sweep] = {}
    for tile, masts in sorted(tiles.items()):
        sweeps |= read_sweeps(Path(build) / "terrain" / f"{tile}.npz", sorted(masts))
    return sweeps


def load_paths(config: Config, build: Path, transmitters: xr.Dataset, threads: int = 1) -> Paths:
    """The same as arrays for the kernels; no more than a few profiles are held beside them.

    Without what depends on the distance for a model that has tables of files, and does not ask for it.
    """
    with_tables = sees_profiles(config.propagation.coverage_model)
    pairs = zip(transmitters["mast"].values.tolist(), transmitters["tile"].values.tolist(), strict=True)
    tiles = dict(pairs)

    def stored(mast: str) -> Sweep:
        sweep = read_sweeps(build / "terrain" / f"{tiles[mast]}.npz", [mast])[mast]
        return without_profiles(sweep) if with_tables else sweep

    return paths_of(transmitters, stored, threads)
