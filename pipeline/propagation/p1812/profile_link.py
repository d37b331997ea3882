"""One link of P.1812-8: profile, terminals and wave to losses, mechanism and everything in between."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.propagation.models import model_named
from pipeline.propagation.p1812.climate import SEA, inverse_normal, median_radius_km
from pipeline.propagation.p1812.growing_path import push, start_path
from pipeline.propagation.p1812.losses import (
    Air,
    Combination,
    Fixed,
    LengthTerms,
    Mechanisms,
    air_of,
    combine,
    ducting_db,
    ducting_terms,
    fixed_losses,
    length_terms,
    mechanisms,
    slant_free_space_db,
    time_terms,
    wave_terms,
)
from pipeline.propagation.p1812.path_geometry import (
    DuctingPath,
    PathGeometry,
    ducting_path,
    path_geometry,
    with_coasts,
)

_WORDS = model_named("p1812").regimes
LOS = _WORDS.index("los")
DIFFRACTION = _WORDS.index("diffraction")
TROPOSCATTER = _WORDS.index("troposcatter")
DUCTING = _WORDS.index("ducting")


class Wave(NamedTuple):
    """Frequency, per cent of time and of locations, polarisation, lapse rate and refractivity of one link."""

    f_ghz: float
    time_pct: float
    locations_pct: float
    location_sigma_db: float
    vertical: bool
    lapse_n_per_km: float
    refractivity: float


class Link(NamedTuple):
    """Basic transmission loss in dB, the mechanism that decides, and what they were made of."""

    loss_db: float
    regime: int
    latitude_deg: float
    f_ghz: float
    air: Air
    path: PathGeometry
    length: LengthTerms
    duct: DuctingPath
    fixed: Fixed
    terms: Mechanisms
    joined: Combination


@kernel
def p1812_link(
    d_km: NDArray[np.float64],
    terrain_m: NDArray[np.float64],
    cover_m: NDArray[np.float64],
    zone: NDArray[np.int64],
    antennas_m: tuple[float, float],
    coasts_km: tuple[float, float],
    latitude_deg: float,
    wave: Wave,
) -> Link:
    """P.1812-8 along a profile from the transmitter to the receiver.

    Arrays [n], n >= 3: distances from 0, ascending; terrain above sea level; height of the ground cover;
    radio-climatic zones. ``antennas_m``: above ground. ``coasts_km``: distances to the coast instead of those
    by the zones, unless the terminal itself is at sea; NaN = not given. ``latitude_deg``: half-way.
    """
    last = d_km.size - 1
    radius_km = median_radius_km(wave.lapse_n_per_km)
    profile = start_path(d_km, terrain_m, cover_m, zone, antennas_m[0], radius_km)
    for k in range(1, last):
        push(profile, k)
    path = path_geometry(profile, last, antennas_m[1], -math.inf)
    path = with_coasts(path, coasts_km, zone[0], zone[last])
    duct = ducting_path(profile, last, path, -math.inf)
    air = air_of(wave.refractivity, radius_km, latitude_deg, path.zones)
    length = length_terms(path.length_km)
    terms_of_f = wave_terms(wave.f_ghz, wave.vertical, radius_km)
    time = time_terms(wave.time_pct)
    fixed = fixed_losses(profile, last, path, length, terms_of_f, air, True)
    ducting = ducting_terms(path, duct, length, terms_of_f, air, fixed)
    terms = mechanisms(fixed, air, time, ducting_db(ducting, path.length_km, time))
    joined = combine(fixed, terms, path, length, air, time)
    # Over sea the field does not vary with the location (P.1812-8, 4.7).
    spread_db = 0.0
    if zone[last] != SEA:
        spread_db = -inverse_normal(wave.locations_pct / 100.0) * wave.location_sigma_db
    loss_db = max(terms.enhanced_db, joined.total_db + spread_db)
    regime = mechanism(fixed, length, terms, joined, path.median.clear, spread_db)
    return Link(loss_db, regime, latitude_deg, wave.f_ghz, air, path, length, duct, fixed, terms, joined)


@kernel
def mechanism(
    fixed: Fixed, length: LengthTerms, terms: Mechanisms, joined: Combination, clear: bool, spread_db: float
) -> int:
    """The mechanism that decides, as index of the regimes (``docs/method.md`` lists the rules in order)."""
    if terms.enhanced_db >= joined.total_db + spread_db:
        return LOS
    if terms.troposcatter_db < joined.before_scatter_db:
        return TROPOSCATTER
    if fixed.sight_weight >= 0.5:
        return LOS if clear else DIFFRACTION
    # Without diffraction the loss by ducting is the larger one, if only by less than a last digit.
    by_ducting = terms.diffraction_db > 0.0 and joined.least_ducting_db <= joined.diffraction_path_db
    if by_ducting and length.near_weight < 0.5:
        return DUCTING
    return DIFFRACTION


@kernel
def location_sigma_db(f_ghz: float, resolution_m: float, antenna_m: float, cover_m: float) -> float:
    """Standard deviation in dB of the field over locations in a square (P.1812-8, 4.7).

    ``resolution_m``: side of the square; ``cover_m``: ground cover at the receiver; well above it the field
    does not vary.
    """
    share = min(max(1.0 - (antenna_m - cover_m) / 10.0, 0.0), 1.0)
    return share * (0.024 * f_ghz + 0.52) * resolution_m**0.28


@kernel
def adjacent_terminals_loss_db(length_km: float, ends_m: tuple[float, float], f_ghz: float) -> float:
    """Loss in dB where the method divides by the length: free space, on no less than 1 m."""
    slant_km = math.hypot(length_km, 1e-3 * (ends_m[0] - ends_m[1]))
    return slant_free_space_db(max(slant_km, 1e-3), (0.0, 0.0), 92.4 + 20.0 * math.log10(f_ghz))
