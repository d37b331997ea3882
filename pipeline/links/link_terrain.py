"""Paths of links over terrain: profiles, what is in sight, losses by P.1812 in several frequencies.

A path is looked at once, from A to B: its loss holds for both directions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import on_threads
from pipeline.config.config import Config
from pipeline.coverage.profile_fields import PlacesGround, ground_in
from pipeline.grid.grid import GEOD
from pipeline.kernels import kernel
from pipeline.links.sight import sight_numbers
from pipeline.propagation.p1812.climate import half_way_latitude_deg, median_radius_km
from pipeline.propagation.p1812.profile_links import Profile
from pipeline.propagation.p1812.radial_losses import SharedTerms, end_losses, shared_terms
from pipeline.terrain.loss_tables import Waves, waves_of
from pipeline.terrain.path_profiles import MastSite, ProfileGround, sample_profile
from pipeline.terrain.tile_sweeps import box_around, land_raster
from pipeline.territory.masks import surface_mask
from pipeline.territory.rasters import boundaries_of

# Samples of a profile are as far apart as those of the terrain model, at most so far.
_STEP_MAX_KM = 0.1
_FEWEST_PARTS = 4
_MARGIN_KM = 1.0
# How far inland P.1812 knows a coast.
_COAST_KM = 50.0
_TIME_PCT = 50.0
_PATHS_A_TIME = 500


class LinkEnds(NamedTuple):
    """Both ends of paths [n]: degrees, antennas above ground in m; length in km and bearing from A, B."""

    lon_deg: NDArray[np.float64]
    lat_deg: NDArray[np.float64]
    antennas_m: NDArray[np.float64]
    d_km: NDArray[np.float64]
    bearings_deg: NDArray[np.float64]


class LinkGround(NamedTuple):
    """Terrain of an area as profiles read it, the distance of their samples, the air of the territory."""

    profiles: ProfileGround
    step_km: float
    lapse_n_per_km: float
    refractivity: float


class PathLooks(NamedTuple):
    """What is found on paths [n]: ``known`` whether the terrain of all of it is.

    ``sight`` float64[n, 7], the fields of ``PathSight``; ``loss_db`` [n, f], NaN
    where the terrain is not known.
    """

    known: NDArray[np.bool_]
    sight: NDArray[np.float64]
    loss_db: NDArray[np.float64]


def link_ends(
    lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64], antennas_m: NDArray[np.float64]
) -> LinkEnds:
    """Paths [n] between places, each array [n, 2] for A and B."""
    ab_deg, ba_deg, length_m = GEOD.inv(lon_deg[:, 0], lat_deg[:, 0], lon_deg[:, 1], lat_deg[:, 1])
    bearings_deg = np.stack([ab_deg, ba_deg], axis=1) % 360.0
    return LinkEnds(lon_deg, lat_deg, antennas_m, 1e-3 * np.asarray(length_m), bearings_deg)


def ground_of_links(
    config: Config, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> LinkGround | None:
    """Terrain around places in degrees, any number; None where the territory has none there."""
    if config.terrain.dem is None:
        return None
    box = box_around(lon_deg.ravel(), lat_deg.ravel(), _MARGIN_KM)
    west, south, east, north = box_around(lon_deg.ravel(), lat_deg.ravel(), _COAST_KM)
    whole = math.floor(west), math.floor(south), math.ceil(east), math.ceil(north)
    land = land_raster(surface_mask(boundaries_of(config.territory), whole))
    found: PlacesGround | None = ground_in(config, box, land, float(np.mean(lat_deg)))
    if found is None:
        return None
    waves = waves_of(config.propagation, [600.0], vertical=False)
    step_km = min(found.step_km, _STEP_MAX_KM)
    return LinkGround(found.profiles, step_km, waves.lapse_n_per_km, waves.refractivity)


def look_along(
    ground: LinkGround,
    ends: LinkEnds,
    f_mhz: Sequence[float],
    *,
    vertical: bool = False,
    sight: bool = True,
    threads: int = 1,
    time_pct: float = _TIME_PCT,
) -> PathLooks:
    """Losses of paths in several frequencies, and what is in sight; the same for any number of threads.

    ``sight`` False: only losses, in less time. ``time_pct``: share of the time of the losses.
    """
    count = ends.d_km.size
    shared = _shared(ground, f_mhz, vertical, time_pct)
    looks = PathLooks(
        np.zeros(count, np.bool_), np.full((count, 7), np.nan), np.full((count, len(f_mhz)), np.nan)
    )

    def run(first: int) -> None:
        part = slice(first, first + _PATHS_A_TIME)
        _look_at(
            ground.profiles,
            LinkEnds(*(values[part] for values in ends)),
            ground.step_km,
            float(np.mean(f_mhz)) if sight else math.nan,
            shared,
            PathLooks(looks.known[part], looks.sight[part], looks.loss_db[part]),
        )

    for _ in on_threads(run, ((first,) for first in range(0, count, _PATHS_A_TIME)), threads):
        pass
    return looks


def waves_of_links(ground: LinkGround, f_mhz: Sequence[float]) -> Waves:
    """Horizontal waves of some frequencies in the air of the territory, half of the time."""
    f_ghz, time_pct = 1e-3 * np.array(f_mhz), np.array([_TIME_PCT])
    return Waves(f_ghz, time_pct, False, ground.lapse_n_per_km, ground.refractivity)


def _shared(ground: LinkGround, f_mhz: Sequence[float], vertical: bool, time_pct: float) -> SharedTerms:
    return shared_terms(
        np.ones(1),
        [1e-3 * f for f in f_mhz],
        [time_pct],
        vertical=vertical,
        median_radius_km=median_radius_km(ground.lapse_n_per_km),
        refractivity=ground.refractivity,
    )


def profile_of_link(ground: LinkGround, ends: LinkEnds, row: int) -> Profile | None:
    """The profile of one path; None where its terrain is not known."""
    d_km = _samples_km(ends.d_km[row], ground.step_km)
    terrain_m, cover_m = np.empty(d_km.size), np.empty(d_km.size)
    zone = np.empty(d_km.size, np.int64)
    known = _profile(
        ground.profiles,
        ends.lon_deg[row, 0],
        ends.lat_deg[row, 0],
        ends.bearings_deg[row, 0],
        d_km,
        terrain_m,
        cover_m,
        zone,
    )
    return Profile(d_km, terrain_m, cover_m, zone) if known else None


@kernel
def _samples_km(length_km: float, step_km: float) -> NDArray[np.float64]:
    parts = max(math.ceil(length_km / step_km - 1e-9), _FEWEST_PARTS)
    return np.linspace(0.0, length_km, parts + 1)


@kernel
def _profile(
    ground: ProfileGround,
    lon_deg: float,
    lat_deg: float,
    bearing_deg: float,
    d_km: NDArray[np.float64],
    terrain_m: NDArray[np.float64],
    cover_m: NDArray[np.float64],
    zone: NDArray[np.int64],
) -> bool:
    """Fill the profile [n] of a path; False where the terrain is not known up to its end."""
    site = MastSite(lon_deg, lat_deg, math.nan, 0.0)
    return sample_profile(ground, site, bearing_deg, d_km[1], terrain_m, cover_m, zone) == d_km.size


@kernel
def _look_at(
    ground: ProfileGround, ends: LinkEnds, step_km: float, f_mhz: float, shared: SharedTerms, looks: PathLooks
) -> None:
    """Fill ``looks`` of some paths; ``f_mhz`` of the Fresnel zone, NaN: nothing is looked for in sight."""
    for row in range(ends.d_km.size):
        lon_deg, lat_deg = ends.lon_deg[row, 0], ends.lat_deg[row, 0]
        d_km = _samples_km(ends.d_km[row], step_km)
        terrain_m, cover_m = np.empty(d_km.size), np.empty(d_km.size)
        zone = np.empty(d_km.size, np.int64)
        bearing_deg = ends.bearings_deg[row, 0]
        known = _profile(ground, lon_deg, lat_deg, bearing_deg, d_km, terrain_m, cover_m, zone)
        looks.known[row] = known
        if not known:
            continue
        antennas_m = (ends.antennas_m[row, 0], ends.antennas_m[row, 1])
        if not math.isnan(f_mhz):
            from_a, from_b, clear, los, fresnel, over_m, edges = sight_numbers(
                d_km, terrain_m, cover_m, antennas_m, f_mhz
            )
            looks.sight[row, 0], looks.sight[row, 1], looks.sight[row, 2] = from_a, from_b, clear
            looks.sight[row, 3], looks.sight[row, 4] = 1.0 if los else 0.0, 1.0 if fresnel else 0.0
            looks.sight[row, 5], looks.sight[row, 6] = over_m, float(edges)
        half_way_deg = half_way_latitude_deg(
            math.radians(lat_deg), math.radians(bearing_deg), d_km[d_km.size - 1]
        )
        frequencies = shared.waves.shape[0]
        loss_db = np.empty((frequencies, 1, d_km.size))
        regime = np.empty((frequencies, 1, d_km.size), np.uint8)
        end_losses(d_km, terrain_m, cover_m, zone, half_way_deg, antennas_m, shared, loss_db, regime)
        for i in range(frequencies):
            looks.loss_db[row, i] = loss_db[i, 0, d_km.size - 1]
