"""Wanted fields at single places: the kernels of the job coverage without its grid.

The radial terrain profiles are made for the box of the places instead of the padded grid; where the terrain
is fine enough for clearance angles their lattice may therefore be denser than that of the maps.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.coverage.fields import WANTED, tile_fields
from pipeline.coverage.inputs import (
    ChannelInputs,
    FieldModel,
    Paths,
    Stations,
    TvReceiver,
    channel_inputs,
    planning_of,
)
from pipeline.coverage.loss_lookup import LookupRoom, lookup_room
from pipeline.coverage.network import with_countries, with_default_mode
from pipeline.coverage.receiver_ground import ground_at
from pipeline.errors import InputError
from pipeline.grid.geodesy import positions_of_places_m, rays
from pipeline.grid.grid import Box
from pipeline.kernels import kernel
from pipeline.propagation.hata import add_environments
from pipeline.terrain.elevation import elevation_of, require_cover
from pipeline.terrain.radial import CLEARANCE_KM
from pipeline.terrain.records import LonLatRaster, Sweep, UnknownTerrain
from pipeline.terrain.tile_sweeps import box_around, land_raster, masts_of_tile, sweep_towards
from pipeline.territory.masks import BUFFER_DEG, surface_mask
from pipeline.territory.rasters import boundaries_of

# Points per side of the lattice over the box of the places; its outline bounds what a mast sees.
_LATTICE_POINTS = 33
_MARGIN_KM = 1.0


class PointTerrain(NamedTuple):
    """What paths from some transmitters to places [n] share.

    ``land``: land and sea around places and sites; ``sweeps``: profiles by mast key; ``ground_m`` [n] of the
    places above sea level, NaN unknown or without a terrain model.
    """

    land: LonLatRaster
    sweeps: dict[str, Sweep]
    ground_m: NDArray[np.float64]


def terrain_to_points(
    config: Config, transmitters: xr.Dataset, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> PointTerrain:
    """Land, terrain profiles and ground for paths from some transmitters to places [n] in degrees."""
    lattice = _lattice_deg(lon_deg, lat_deg)
    land = _land_around(config, transmitters, *lattice)
    receivers = _receivers(config, lattice, land, lon_deg, lat_deg)
    tiles = sorted(set(transmitters["tile"].values.tolist()))
    masts = [mast for tile in tiles for mast in masts_of_tile(transmitters, tile)]
    sweeps = sweep_towards(masts, lattice, receivers, land, config.terrain)
    unknown_m = np.full(lon_deg.size, np.nan)
    ground_m = unknown_m if receivers is None else ground_at(receivers, lon_deg, lat_deg)
    return PointTerrain(land, sweeps, ground_m)


def _receivers(
    config: Config,
    lattice_deg: tuple[NDArray[np.float64], NDArray[np.float64]],
    land: LonLatRaster,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
) -> LonLatRaster | None:
    """The terrain model around the places; where it does not cover them the first one beyond it is named."""
    files = config.terrain.dem
    if files is None:
        return None
    receivers = elevation_of(config.terrain, box_around(*lattice_deg, CLEARANCE_KM), land)
    try:
        require_cover(receivers, *lattice_deg, files=files, area="box around the places")
    except InputError:
        unknown = np.ones(lon_deg.size, np.bool_)
        if receivers is not None:
            unknown = np.isnan(ground_at(receivers, lon_deg, lat_deg))
        if not unknown.any():
            raise
        place = int(np.argmax(unknown))
        allowed = f"a place within {', '.join(map(str, files))}"
        raise UnknownTerrain(
            "no height of the ground is known", (float(lon_deg[place]), float(lat_deg[place])), allowed
        ) from None
    return receivers


def point_inputs(
    config: Config, transmitters: xr.Dataset, sweeps: dict[str, Sweep], channel: int
) -> ChannelInputs:
    """The transmitters of one channel ready for ``point_fields``, in order of id."""
    default = config.coverage.default_mode
    network = with_default_mode(with_countries(config, transmitters), (default.system, default.mode))
    return channel_inputs(network, sweeps, planning_of(config, network, channel), config, channel)


@kernel
def fields_at_places(
    stations: Stations,
    paths: Paths,
    model: FieldModel,
    receiver: TvReceiver,
    t: int,
    time: int,
    pixels: NDArray[np.int64],
    ground_m: NDArray[np.float32],
    d_km: NDArray[np.floating],
    az_deg: NDArray[np.floating],
    field_dbuvm: NDArray[np.floating],
    room: LookupRoom,
) -> None:
    """``tile_fields`` for Python: a way in that is kept compiled."""
    tile_fields(stations, paths, model, receiver, t, time, pixels, ground_m, d_km, az_deg, field_dbuvm, room)


def point_fields(
    inputs: ChannelInputs,
    number: int,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    h2_m: float,
    ground_m: NDArray[np.float64] | None = None,
    environments: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Field in dB(uV/m) and distance in km of transmitter ``number`` at places [n], ``h2_m`` above ground.

    ``ground_m`` [n] their ground above sea level; None, NaN = unknown. ``environments`` [n] as of
    ``surroundings_at``.
    """
    d_km, az_deg = rays_from(inputs, number, lon_deg, lat_deg)
    field_dbuvm = np.empty(lon_deg.size)
    stations, paths, model = inputs.stations, inputs.paths, inputs.model
    receiver = inputs.receiver._replace(h2_m=h2_m)
    every = np.arange(lon_deg.size)
    ground = np.full(lon_deg.size, np.nan, np.float32) if ground_m is None else ground_m.astype(np.float32)
    fields_at_places(
        stations,
        paths,
        model,
        receiver,
        number,
        WANTED,
        every,
        ground,
        d_km,
        az_deg,
        field_dbuvm,
        lookup_room(every.size),
    )
    if environments is not None:
        add_environments(model.f_mhz[stations.offset[number] + 1], environments, every, field_dbuvm)
    return field_dbuvm, d_km


def rays_from(
    inputs: ChannelInputs, number: int, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance in km and azimuth in degrees from a transmitter to places [n]."""
    d_km, az_deg = np.empty(lon_deg.size), np.empty(lon_deg.size)
    rays(inputs.stations.frame[number], positions_of_places_m(lon_deg, lat_deg), d_km, az_deg)
    return d_km, az_deg


def _lattice_deg(
    lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lattice over the box of the places, north to south."""
    west, south, east, north = box_around(lon_deg, lat_deg, _MARGIN_KM)
    x_deg, y_deg = np.linspace(west, east, _LATTICE_POINTS), np.linspace(north, south, _LATTICE_POINTS)
    lon, lat = np.meshgrid(x_deg, y_deg)
    return lon, lat


def _land_around(
    config: Config, transmitters: xr.Dataset, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> LonLatRaster:
    """Land and sea around places and sites."""
    lon = np.append(transmitters["lon_deg"].values, lon_deg)
    lat = np.append(transmitters["lat_deg"].values, lat_deg)
    west, south = (max(math.floor(v.min() - BUFFER_DEG), -m) for v, m in ((lon, 180), (lat, 90)))
    east, north = (min(math.ceil(v.max() + BUFFER_DEG), m) for v, m in ((lon, 180), (lat, 90)))
    box: Box = (west, south, east, north)
    mask = surface_mask(boundaries_of(config.territory), box)
    return land_raster(mask)
