"""Losses over terrain from a base station to the clients around it: tables that serve all its channels.

The radials of P.1812 serve all clients of a station (docs/method.md, section 46). Maps and sites read the
same tables; a link of ``channelmaps links`` has a path of its own.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel
from pipeline.dtt.terrain_paths import LossesAround, all_losses_around, losses_at_db
from pipeline.links.base_stations import BaseStation
from pipeline.links.link_terrain import LinkGround, link_ends, look_along, waves_of_links
from pipeline.terrain.records import Mast, MastView
from pipeline.terrain.sweep import FULL_CIRCLE_DEG

# Nearer clients have a path of their own: there edges of shadows lie close, and paths are short.
_OWN_PATH_KM = 5.0
_BEYOND_KM = 0.1
# Between tables so far apart losses are linear in dB over the logarithm of the frequency: to 0.2 dB.
_MHZ_APART = 100.0


class StationTerrain(NamedTuple):
    """Losses between a station and clients ``client_m`` above ground within ``radius_km``.

    ``f_mhz`` of the channels that are asked for; ``tables`` by rising frequency, the first and the last are
    those of the lowest and the highest channel.
    """

    ground: LinkGround
    station: BaseStation
    client_m: float
    radius_km: float
    f_mhz: Mapping[DeviceChannel, float]
    tables: Sequence[LossesAround]


def station_terrain(
    ground: LinkGround,
    station: BaseStation,
    client_m: float,
    f_mhz: Mapping[DeviceChannel, float],
    radius_km: float,
) -> StationTerrain:
    """Tables around a station for half of the time; the same for any number of threads."""
    low_mhz, high_mhz = min(f_mhz.values()), max(f_mhz.values())
    knots_mhz = np.geomspace(low_mhz, high_mhz, math.ceil((high_mhz - low_mhz) / _MHZ_APART) + 1)
    tables = all_losses_around(
        ground.profiles,
        ground.step_km,
        Mast(station.id, station.lon, station.lat, station.height_m, math.nan, math.nan),
        waves_of_links(ground, knots_mhz.tolist()),
        client_m,
        MastView(0.0, FULL_CIRCLE_DEG, 0.0, radius_km + _BEYOND_KM),
        threads=os.cpu_count() or 1,
    )
    return StationTerrain(ground, station, client_m, radius_km, f_mhz, tables)


def losses_to_clients(
    terrain: StationTerrain,
    places_deg: tuple[NDArray[np.float64], NDArray[np.float64]],
    d_km: NDArray[np.float64],
    bearing_deg: NDArray[np.float64],
) -> dict[DeviceChannel, NDArray[np.float64]]:
    """Losses by channel to clients [n]; NaN where the terrain is not known, and beyond the radius.

    ``d_km``, ``bearing_deg`` from the station. Clients within 5 km have a path of their own.
    """
    near = np.flatnonzero(d_km < _OWN_PATH_KM)
    station, (lon_deg, lat_deg) = terrain.station, places_deg
    ends = link_ends(
        np.stack([np.full(near.size, station.lon), lon_deg[near]], axis=1),
        np.stack([np.full(near.size, station.lat), lat_deg[near]], axis=1),
        np.tile([station.height_m, terrain.client_m], (near.size, 1)),
    )
    f_mhz = list(terrain.f_mhz.values())
    looks = look_along(terrain.ground, ends, f_mhz, sight=False, threads=os.cpu_count() or 1)
    over_db = [losses_at_db(table, d_km, bearing_deg) for table in terrain.tables]
    log_knots = np.log([table.f_mhz for table in terrain.tables])
    found = {}
    for c, (channel, f) in enumerate(terrain.f_mhz.items()):
        place = float(np.interp(math.log(f), log_knots, np.arange(log_knots.size)))
        low, high = math.floor(place), math.ceil(place)
        found[channel] = over_db[low] + (place - low) * (over_db[high] - over_db[low])
        found[channel][near] = looks.loss_db[:, c]
    return found
