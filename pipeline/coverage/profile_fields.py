"""Wanted fields at single places by a model that sees the whole profile: each place has one of its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.coverage.fields import shape_fields
from pipeline.coverage.inputs import ChannelInputs
from pipeline.coverage.loss_lookup import field_1kw_dbuvm
from pipeline.coverage.point_fields import rays_from
from pipeline.errors import InputError
from pipeline.grid.grid import Box
from pipeline.terrain.elevation import elevation_of
from pipeline.terrain.land_cover import load_land_cover
from pipeline.terrain.loss_tables import Waves, losses_to, unknown_path, waves_of
from pipeline.terrain.path_profiles import ProfileGround, profile_ground
from pipeline.terrain.records import LonLatRaster, Mast
from pipeline.terrain.sweep import dem_step_km
from pipeline.terrain.tile_sweeps import above_ground, box_around, masts_of_tile

_MARGIN_KM = 2.0


class PlacesGround(NamedTuple):
    """Terrain around places and masts, as profiles read it, and the distance of their samples."""

    elevation: LonLatRaster
    profiles: ProfileGround
    step_km: float


class ProfileFields(NamedTuple):
    """Field in dB(uV/m), distance in km, and regime of the model at places [n]."""

    field_dbuvm: NDArray[np.float64]
    d_km: NDArray[np.float64]
    regime: NDArray[np.int64]


def ground_of_paths(
    config: Config,
    transmitters: xr.Dataset,
    land: LonLatRaster,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
) -> PlacesGround:
    """Terrain of all paths from some transmitters to places [n] in degrees; ``land`` uint8, 0 sea."""
    sites = transmitters["lon_deg"].values, transmitters["lat_deg"].values
    lon, lat = np.append(sites[0], lon_deg), np.append(sites[1], lat_deg)
    found = ground_in(config, box_around(lon, lat, _MARGIN_KM), land, float(lat.mean()))
    if found is None:
        raise InputError("no heights on the paths", row="terrain.dem", allowed="a raster that covers them")
    return found


def ground_in(config: Config, box: Box, land: LonLatRaster, lat_deg: float) -> PlacesGround | None:
    """Terrain and cover of all paths within a box, in steps of its model at a latitude; None without one."""
    elevation = elevation_of(config.terrain, box, land)
    if elevation is None:
        return None
    cover = load_land_cover(config.terrain.clutter, box, land)
    return PlacesGround(elevation, profile_ground(elevation, land, cover), dem_step_km(elevation, lat_deg))


def profile_fields(
    config: Config,
    transmitter: xr.Dataset,
    inputs: ChannelInputs,
    number: int,
    ground: PlacesGround,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    h2_m: float,
    ground_m: NDArray[np.float64],
) -> ProfileFields:
    """Fields of one transmitter at places [n], ``h2_m`` above ground, as ``point_fields``.

    ``transmitter``: a network of this one alone, ``number`` its place in ``inputs``; ``ground_m`` [n] of the
    places above sea level, NaN unknown. InputError where the terrain of a path is not known.
    """
    mast, waves = mast_and_waves(config, transmitter, inputs, ground)
    d_km, az_deg = rays_from(inputs, number, lon_deg, lat_deg)
    excess_db, regime = losses_to(mast, ground.profiles, waves, ground.step_km, az_deg, d_km, h2_m)
    _refuse_unknown(mast, excess_db, lon_deg, lat_deg)
    field_dbuvm = field_1kw_dbuvm(d_km, excess_db)
    every, receiver = np.arange(lon_deg.size), inputs.receiver._replace(h2_m=h2_m)
    heights_m = ground_m.astype(np.float32)
    shape_fields(inputs.stations, inputs.paths, receiver, number, every, heights_m, d_km, az_deg, field_dbuvm)
    return ProfileFields(field_dbuvm, d_km, regime)


def mast_and_waves(
    config: Config, transmitter: xr.Dataset, inputs: ChannelInputs, ground: PlacesGround
) -> tuple[Mast, Waves]:
    """The mast of one transmitter, not below ground, and its wave in the air of the territory."""
    (mast,) = masts_of_tile(transmitter, str(transmitter["tile"].values[0]))
    vertical = str(transmitter["polarisation"].values[0]) == "V"
    waves = waves_of(config.propagation, [float(inputs.model.f_mhz[1])], vertical)
    return above_ground(mast, ground.elevation), waves


def _refuse_unknown(
    mast: Mast, loss_db: NDArray[np.float64], lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> None:
    if np.isnan(loss_db).any():
        place = int(np.argmax(np.isnan(loss_db)))
        raise unknown_path(mast, lon_deg[place], lat_deg[place], "places")
