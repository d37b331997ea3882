"""Losses of P.1812-8 all around a mast: one table of radials by ranges for each antenna, frequency and time.

All samples of a radial are computed, even if not all of them are kept.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.kernels import kernel
from pipeline.propagation.loss_tables import PolarLattice, count_of
from pipeline.propagation.p1812.climate import half_way_latitude_deg
from pipeline.propagation.p1812.profile_link import adjacent_terminals_loss_db
from pipeline.propagation.p1812.radial_losses import SharedTerms, radial_losses, shared_terms

# Parts of the step from the mast to the first sample: a path needs points between its ends.
_NEAR_PARTS = 4
_RADIALS_A_TASK = 32


class RadialProfiles(NamedTuple):
    """Terrain above sea level, height of the ground cover and radio-climatic zone, [radials, samples]."""

    terrain_m: NDArray[np.float32]
    cover_m: NDArray[np.float32]
    zone: NDArray[np.uint8]


class MastWave(NamedTuple):
    """A mast and what it is computed for.

    ``antenna_m`` and ``receivers_m``: above ground. ``median_radius_km``: effective radius of the Earth.
    """

    latitude_deg: float
    antenna_m: float
    receivers_m: tuple[float, ...]
    f_ghz: tuple[float, ...]
    time_pct: tuple[float, ...]
    vertical: bool
    median_radius_km: float
    refractivity: float


def polar_counts(
    lattice: PolarLattice, profiles: RadialProfiles, mast: MastWave, threads: int = 1
) -> NDArray[np.uint16]:
    """Basic transmission losses around a mast in 0.01 dB, uint16[receiver, frequency, time, radial, range].

    The same for any number of threads. A loss of 655.35 dB or more is 655.35 dB. Node 0 of a radial is free
    space between the antennas; a first node one sample away is a path over bare ground that rises or falls
    evenly. ``InputError`` where the terrain is not known.
    """
    shape = (lattice.radials, lattice.samples)
    if not all(part.shape == shape for part in profiles):
        raise ValueError(f"profiles {[part.shape for part in profiles]}, the lattice has {shape}")
    if not np.isfinite(profiles.terrain_m).all():
        raise InputError("P.1812 needs the terrain all around a mast", row="terrain", field="dem")
    d_km = np.arange(lattice.samples, dtype=np.float64) * lattice.sample_km
    near_km = np.arange(_NEAR_PARTS + 1, dtype=np.float64) / _NEAR_PARTS * lattice.sample_km
    shared, near = _terms(mast, d_km), _terms(mast, near_km)
    receivers_m = np.array(mast.receivers_m)
    sizes = receivers_m.size, len(mast.f_ghz), len(mast.time_pct)
    counts = np.empty((*sizes, lattice.radials, lattice.ranges), np.uint16)

    def fill(first: int) -> None:
        last = min(first + _RADIALS_A_TASK, lattice.radials)
        site = math.radians(mast.latitude_deg), mast.antenna_m
        _fill_radials(
            (first, last), lattice, profiles, site, receivers_m, (d_km, near_km), shared, near, counts
        )

    with ThreadPoolExecutor(max_workers=threads) as pool:
        list(pool.map(fill, range(0, lattice.radials, _RADIALS_A_TASK)))
    return counts


def _terms(mast: MastWave, d_km: NDArray[np.float64]) -> SharedTerms:
    return shared_terms(
        d_km,
        mast.f_ghz,
        mast.time_pct,
        vertical=mast.vertical,
        median_radius_km=mast.median_radius_km,
        refractivity=mast.refractivity,
    )


@kernel
def _fill_radials(
    part: tuple[int, int],
    lattice: PolarLattice,
    profiles: RadialProfiles,
    site: tuple[float, float],
    receivers_m: NDArray[np.float64],
    distances_km: tuple[NDArray[np.float64], NDArray[np.float64]],
    shared: SharedTerms,
    near: SharedTerms,
    counts: NDArray[np.uint16],
) -> None:
    """Fill radials ``part[0]`` to ``part[1]`` - 1 of a table.

    ``site``: latitude in radians, antenna in m; ``distances_km``, ``shared`` and ``near``: of the samples and
    of the points between the mast and the first one.
    """
    latitude, antenna_m = site
    d_km, near_km = distances_km
    terrain_m, cover_m = np.empty(d_km.size), np.empty(d_km.size)
    zone, half_way_deg = np.empty(d_km.size, np.int64), np.empty(d_km.size)
    shape = (receivers_m.size, shared.waves.shape[0], shared.times.shape[0], d_km.size)
    loss_db, regime = np.empty(shape), np.empty(shape, np.uint8)
    for k in range(part[0], part[1]):
        azimuth = 2.0 * math.pi * k / lattice.radials
        for n in range(d_km.size):
            terrain_m[n], cover_m[n] = profiles.terrain_m[k, n], profiles.cover_m[k, n]
            zone[n] = profiles.zone[k, n]
            half_way_deg[n] = half_way_latitude_deg(latitude, azimuth, d_km[n])
        radial_losses(
            d_km, terrain_m, cover_m, zone, half_way_deg, antenna_m, receivers_m, shared, loss_db, regime
        )
        _fill_near(near_km, terrain_m, zone, half_way_deg[1], antenna_m, receivers_m, near, loss_db)
        for r, i, t in np.ndindex(shape[:3]):
            for n in range(lattice.ranges):
                counts[r, i, t, k, n] = count_of(loss_db[r, i, t, n * lattice.stride])


@kernel
def _fill_near(
    d_km: NDArray[np.float64],
    terrain_m: NDArray[np.float64],
    zone: NDArray[np.int64],
    half_way_deg: float,
    antenna_m: float,
    receivers_m: NDArray[np.float64],
    near: SharedTerms,
    loss_db: NDArray[np.float64],
) -> None:
    """Fill the losses at the mast and one sample away, which have no sample between."""
    last = d_km.size - 1
    ground_m = terrain_m[0] + d_km / d_km[last] * (terrain_m[1] - terrain_m[0])
    zones = np.where(d_km < 0.5 * d_km[last], zone[0], zone[1])
    half_way, none_m = np.full(d_km.size, half_way_deg), np.zeros(d_km.size)
    shape = (*loss_db.shape[:3], d_km.size)
    near_db, regime = np.empty(shape), np.empty(shape, np.uint8)
    radial_losses(d_km, ground_m, none_m, zones, half_way, antenna_m, receivers_m, near, near_db, regime)
    for r, i, t in np.ndindex(shape[:3]):
        ends_m = (antenna_m, float(receivers_m[r]))
        loss_db[r, i, t, 0] = adjacent_terminals_loss_db(0.0, ends_m, near.waves[i, 0])
        loss_db[r, i, t, 1] = near_db[r, i, t, last]
