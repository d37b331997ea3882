"""Home stations that serve nothing at home: estimated by the fields around them, or of the coverage.

A station with a wrong height, power, pattern or place protects no reception, and its channel looks free.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import NormalDist

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.coverage.inputs import ChannelInputs, channel_inputs, planning_of
from pipeline.coverage.network import with_default_mode
from pipeline.coverage.point_fields import point_fields
from pipeline.coverage.receiver_ground import ground_at
from pipeline.grid.grid import GEOD, Grid, strips_of_rows
from pipeline.grid.raster import read, read_grid
from pipeline.terrain.records import LonLatRaster, Mast, MastView, Sweep, SweepSettings
from pipeline.terrain.tile_sweeps import masts_of_tile
from pipeline.terrain.tile_sweeps import run as sweep_masts
from pipeline.territory.codes import Surface

# Less than this served at home is nothing: a relay station serves a village.
_ALMOST_NOTHING_KM2 = 0.1
# Places around a station: 10 on each circle, every second circle turned, up to where a lighthouse or a mast
# beyond the border serves.
_CIRCLES_KM = (1.0, 2.0, 4.0, 7.0, 11.0, 16.0, 22.0, 30.0, 40.0, 50.0)
_ON_A_CIRCLE = 10
# The radials of the estimate stand where the places are; without clearance angles.
_ESTIMATE = SweepSettings(azimuth_step_deg=18.0, tca="off")
_AT_HOME = (int(Surface.HOME), int(Surface.HOME_BEYOND))


def estimated_idle(
    config: Config,
    register: xr.Dataset,
    home: NDArray[np.bool_],
    victims: Iterable[int],
    surface: xr.DataArray,
    elevation: LonLatRaster | None,
) -> set[str]:
    """Ids of home stations on channels ``victims`` whose field serves none of up to 100 pixels around.

    ``register`` with countries; ``home`` [transmitter] those asked for; ``surface`` of the padded grid.
    Served: the field of the station alone reaches ``coverage.q_min`` against noise (docs/method.md,
    section 4), clearance angles and sea left aside.
    """
    idle: set[str] = set()
    for channel in victims:
        network = register.isel(transmitter=np.flatnonzero(home & (register["channel"].values == channel)))
        if network.sizes["transmitter"]:
            network = network.isel(transmitter=np.argsort(network["id"].values, kind="stable"))
            idle |= set(_idle_of_channel(config, network, channel, surface, elevation))
    return idle


def _idle_of_channel(
    config: Config, network: xr.Dataset, channel: int, surface: xr.DataArray, elevation: LonLatRaster | None
) -> Iterator[str]:
    masts = [m for tile in sorted(set(network["tile"].values.tolist())) for m in masts_of_tile(network, tile)]
    if sees_profiles(config.propagation.coverage_model):
        # What tells a station that serves a valley from one that serves nothing needs no profiles.
        estimate = config.propagation.model_copy(update={"coverage_model": "p1546"})
        config = config.model_copy(update={"propagation": estimate})
    default = config.coverage.default_mode
    network = with_default_mode(network, (default.system, default.mode))
    planning = planning_of(config, network, channel)
    inputs = channel_inputs(network, _sweeps(masts, elevation), planning, config, channel)
    needed_db = NormalDist().inv_cdf(inputs.q_min) * inputs.rules.wanted_sigma_db
    sites = network["lon_deg"].values, network["lat_deg"].values
    for number, places in enumerate(_places_at_home(*sites, surface)):
        if places[0].size == 0 or not _serves(inputs, number, places, elevation, needed_db):
            yield str(network["id"].values[number])


def _sweeps(masts: list[Mast], elevation: LonLatRaster | None) -> dict[str, Sweep]:
    views = dict.fromkeys([mast.key for mast in masts], MastView(0.0, 360.0, 0.0, _CIRCLES_KM[-1]))
    return sweep_masts(masts, elevation, None, None, views, _ESTIMATE)


def _serves(
    inputs: ChannelInputs,
    number: int,
    places: tuple[NDArray[np.float64], NDArray[np.float64]],
    elevation: LonLatRaster | None,
    needed_db: float,
) -> bool:
    ground_m = None if elevation is None else ground_at(elevation, *places)
    field_dbuvm, _ = point_fields(inputs, number, *places, inputs.receiver.h2_m, ground_m)
    noise_dbuvm = inputs.rules.noise_dbuvm[inputs.stations.mode[number]]
    return bool((field_dbuvm >= noise_dbuvm + needed_db).any())


def _places_at_home(
    lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64], surface: xr.DataArray
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """For each site [n] longitudes and latitudes of the centres of home land pixels on circles around it."""
    grid: Grid = surface.attrs["grid"]
    circle, place = np.divmod(np.arange(len(_CIRCLES_KM) * _ON_A_CIRCLE), _ON_A_CIRCLE)
    azimuth_deg = 360.0 / _ON_A_CIRCLE * (place + 0.5 * (circle % 2))
    distance_m = 1000.0 * np.array(_CIRCLES_KM)[circle]
    site, sites = np.repeat(np.arange(lon_deg.size), circle.size), lon_deg.size
    ways = np.tile(azimuth_deg, sites), np.tile(distance_m, sites)
    lon, lat, _ = GEOD.fwd(lon_deg[site], lat_deg[site], *ways)
    at_row, at_col, inside = grid.pixels_of(lon, lat)
    pixels = site[inside], at_row[inside].astype(np.int64), at_col[inside].astype(np.int64)
    shape = (sites, *grid.shape)
    site, row, col = np.unravel_index(np.unique(np.ravel_multi_index(pixels, shape)), shape)
    home = np.isin(surface.values[row, col], _AT_HOME)
    site, row, col = site[home], row[home], col[home]
    middles = row.astype(np.float64) + 0.5, col.astype(np.float64) + 0.5
    centres_deg = grid.to_lonlat().transform(*grid.xy_m(*middles))
    ends = np.searchsorted(site, np.arange(1, sites))
    yield from zip(*(np.split(np.asarray(part), ends) for part in centres_deg), strict=True)


def idle_in_coverage(build: Path, candidates: Mapping[int, Iterable[str]]) -> set[str] | None:
    """Which of the home stations listed by channel serve less than 0.1 km2 at home; None: not computed.

    ``build`` has the files of the jobs territory and coverage.
    """
    surface, idle = build / "territory" / "surface.tif", set()
    for channel, ids in candidates.items():
        stem = build / "coverage" / f"ch{channel:02d}"
        classes, servers = Path(f"{stem}_class.tif"), Path(f"{stem}_servers.json")
        if not (surface.is_file() and classes.is_file() and servers.is_file()):
            return None
        content = json.loads(servers.read_text(encoding="utf-8"))
        pixels = _pixels_served(classes, surface, len(content["transmitters"]))
        pixel_km2 = (read_grid(surface).resolution_m / 1000.0) ** 2
        served_km2 = dict(
            zip([row["id"] for row in content["transmitters"]], pixels * pixel_km2, strict=True)
        )
        idle |= {name for name in ids if served_km2.get(name, 0.0) < _ALMOST_NOTHING_KM2}
    return idle


def _pixels_served(classes: Path, surface: Path, stations: int) -> NDArray[np.int64]:
    """Served pixels at home by number of the best server, int64[station]."""
    counts = np.zeros(stations + 1, dtype=np.int64)
    height = read_grid(surface).height
    for rows in strips_of_rows(0, height):
        served, server = read(classes, rows=rows, bands=["served", "server"]).values
        home = np.isin(read(surface, rows=rows).values, _AT_HOME)
        counts += np.bincount(server[(served == 1) & home], minlength=stations + 1)[: stations + 1]
    return counts[1:]
