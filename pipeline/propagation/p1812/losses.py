"""Losses of P.1812-8 from the geometry of a path: each mechanism and their combination (4.2, 4.4-4.6)."""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.kernels import kernel
from pipeline.propagation.p1812.climate import RADIUS_B0_KM, inland_weight, inverse_normal
from pipeline.propagation.p1812.diffraction import (
    DiffractionLosses,
    Obstruction,
    SphereTerms,
    bullington_db,
    sphere_terms,
    spherical_earth_db,
    wavelength_m,
)
from pipeline.propagation.p1812.growing_path import GrowingPath
from pipeline.propagation.p1812.path_geometry import DuctingPath, PathGeometry, smooth_obstruction

# 15 of 20 equal gaps over sea are 0.75 but for rounding, which must not decide over several dB.
_MOSTLY_SEA = 0.75 - 1e-9
# Largest gain by coupling over sea at both coasts (eq. 49).
_COUPLING_AT_MOST_DB = 12.0
SMOOTH_BELOW_M = 10.0
"""A path less rough than this in m counts as smooth (P.1812-8, eq. 55)."""
_LN_10 = math.log(10.0)


class WaveTerms(NamedTuple):
    """A frequency and polarisation, and what the losses take of them alone.

    In brackets the terms of the Recommendation without those of the path: ``free_space_db`` (Lbfs),
    ``scatter_db`` (Lf), ``coupling_db`` (Af with Alf), ``cube_root`` f^(1/3), ``root_wavelength`` in m^0.5.
    """

    f_ghz: float
    vertical: bool
    free_space_db: float
    scatter_db: float
    coupling_db: float
    cube_root: float
    root_wavelength: float
    median: SphereTerms
    b0: SphereTerms


class TimeTerms(NamedTuple):
    """A percentage of time and what the losses take of it alone.

    ``log_of_half`` log10(p / 50), ``normal`` I(p / 100), ``scatter_db`` the last term of Lbs.
    """

    time_pct: float
    log_of_half: float
    normal: float
    scatter_db: float


class Air(NamedTuple):
    """Refractivity, median Earth radius and time b0 of a path."""

    refractivity: float
    median_radius_km: float
    b0_pct: float


class Fixed(NamedTuple):
    """Losses and weights of a path and frequency that do not vary with time, in brackets their names.

    ``path_angle_mrad`` (theta), ``sight_weight`` (Fj), ``near_weight`` (Fk), ``free_space_db`` (Lbfs),
    ``enhanced_b0_db`` (Lb0b), ``per_decade_db``: enhancement for each decade of time, ``scatter_db`` (Lbs
    without its term of time), ``median``, ``b0`` diffraction at both Earth radii, ``b0_normal`` I(b0 / 100).
    """

    path_angle_mrad: float
    sight_weight: float
    near_weight: float
    free_space_db: float
    per_decade_db: float
    enhanced_b0_db: float
    scatter_db: float
    median: DiffractionLosses
    b0: DiffractionLosses
    b0_normal: float


class Ducting(NamedTuple):
    """Ducting of a path and frequency: loss without Ap, beta, its decadic logarithm, Gamma (eq. 46-56)."""

    fixed_db: float
    time_pct: float
    log_time: float
    gamma: float


class Mechanisms(NamedTuple):
    """Losses in dB of a path by mechanism; in brackets the names of the Recommendation.

    ``enhanced_db`` (Lb0p), ``time_weight`` (Fi), ``diffraction_db`` (Ldp), ``ducting_db`` (Lba; +inf where
    another loss is known to be less), ``troposcatter_db`` (Lbs).
    """

    enhanced_db: float
    time_weight: float
    diffraction_db: float
    ducting_db: float
    troposcatter_db: float


class Combination(NamedTuple):
    """The mechanisms joined, in dB; in brackets the names of the Recommendation.

    ``median_path_db`` (Lbd50), ``diffraction_path_db`` (Lbd), ``least_db`` (Lminb0p), ``least_ducting_db``
    (Lminbap), ``modified_db`` (Lbda), ``before_scatter_db`` (Lbam), ``total_db`` (Lbc): basic transmission
    loss of the median location.
    """

    median_path_db: float
    diffraction_path_db: float
    least_db: float
    least_ducting_db: float
    modified_db: float
    before_scatter_db: float
    total_db: float


# --- what does not depend on the path -----------------------------------------------------------------------


@kernel
def wave_terms(f_ghz: float, vertical: bool, median_radius_km: float) -> WaveTerms:
    """Terms of a frequency in GHz and a polarisation (P.1812-8, eq. 8, 44, 47)."""
    log_f = math.log10(f_ghz)
    low_f_db = 45.375 - 137.0 * f_ghz + 92.5 * f_ghz**2 if f_ghz < 0.5 else 0.0
    return WaveTerms(
        f_ghz,
        vertical,
        92.4 + 20.0 * log_f,
        25.0 * log_f - 2.5 * math.log10(f_ghz / 2.0) ** 2,
        102.45 + 20.0 * log_f + low_f_db,
        f_ghz ** (1.0 / 3.0),
        math.sqrt(wavelength_m(f_ghz)),
        sphere_terms(f_ghz, vertical, median_radius_km, True),
        sphere_terms(f_ghz, vertical, RADIUS_B0_KM, True),
    )


@kernel
def time_terms(time_pct: float) -> TimeTerms:
    """Terms of a percentage of time (P.1812-8, eq. 9, 40, 44)."""
    log_of_half = math.log10(time_pct / 50.0)
    scatter_db = 10.125 * max(0.0, -log_of_half) ** 0.7
    return TimeTerms(time_pct, log_of_half, inverse_normal(time_pct / 100.0), scatter_db)


# --- free space, diffraction, troposcatter ------------------------------------------------------------------


@kernel
def slant_free_space_db(length_km: float, ends_m: tuple[float, float], f_term_db: float) -> float:
    """Basic transmission loss of free space in dB along the slant (P.1812-8, eq. 8)."""
    slant2_km2 = length_km**2 + (1e-3 * (ends_m[0] - ends_m[1])) ** 2
    return f_term_db + 10.0 * math.log10(slant2_km2)


@kernel
def fixed_losses(
    profile: GrowingPath, end: int, path: PathGeometry, wave: WaveTerms, air: Air, complete: bool
) -> Fixed:
    """What does not vary with time (P.1812-8, 4.2-4.4 and the weights of 4.6).

    ``complete``: with all terms, also those that do not count.
    """
    horizons, length_km = path.horizons, path.length_km
    angle_mrad = 1e3 * length_km / air.median_radius_km + horizons.transmitter_mrad + horizons.receiver_mrad
    free_db = slant_free_space_db(length_km, path.ends_m, wave.free_space_db)
    per_decade_db = 2.6 * (1.0 - math.exp(-horizons.together_km / 10.0))
    return Fixed(
        angle_mrad,
        1.0 - 0.5 * (1.0 + math.tanh(3.0 * 0.8 * (angle_mrad - 0.3) / 0.3)),
        1.0 - 0.5 * (1.0 + math.tanh(3.0 * 0.5 * (length_km - 20.0) / 20.0)),
        free_db,
        per_decade_db,
        free_db + per_decade_db * math.log10(air.b0_pct / 50.0),
        190.1 + wave.scatter_db + 20.0 * math.log10(length_km) + 0.573 * angle_mrad - 0.15 * air.refractivity,
        _diffraction(profile, end, path, wave, path.median, wave.median, complete),
        _diffraction(profile, end, path, wave, path.b0, wave.b0, complete),
        inverse_normal(air.b0_pct / 100.0),
    )


@kernel
def _diffraction(
    profile: GrowingPath,
    end: int,
    path: PathGeometry,
    wave: WaveTerms,
    actual: Obstruction,
    sphere: SphereTerms,
    complete: bool,
) -> DiffractionLosses:
    """Complete diffraction loss at one effective Earth radius (P.1812-8, 4.3.4, eq. 37-39)."""
    surface_m, length_km = path.surface.diffraction_m, path.length_km
    h1_m, h2_m = path.ends_m[0] - surface_m[0], path.ends_m[1] - surface_m[1]
    actual_db = bullington_db(actual.nu_sqrt_m / wave.root_wavelength, length_km)
    spherical_db = spherical_earth_db(
        sphere, wave.f_ghz, wave.vertical, path.zones.sea_share, length_km, (h1_m, h2_m)
    )
    smooth_db = math.nan
    if complete or spherical_db > 0.0:
        smooth = smooth_obstruction(profile, end, h1_m, h2_m, sphere.radius_km)
        smooth_db = bullington_db(smooth.nu_sqrt_m / wave.root_wavelength, length_km)
    more_db = spherical_db - smooth_db if spherical_db > 0.0 else 0.0
    return DiffractionLosses(actual_db, smooth_db, spherical_db, actual_db + max(more_db, 0.0))


# --- ducting ------------------------------------------------------------------------------------------------


@kernel
def _site_shielding_db(horizon_mrad: float, horizon_km: float, wave: WaveTerms) -> float:
    """Ast, Asr: shielding of a terminal's site against a duct, in dB (P.1812-8, eq. 48)."""
    excess_mrad = horizon_mrad - 0.1 * horizon_km
    if excess_mrad <= 0.0:
        return 0.0
    near_db = 20.0 * math.log10(1.0 + 0.361 * excess_mrad * math.sqrt(wave.f_ghz * horizon_km))
    return near_db + 0.264 * excess_mrad * wave.cube_root


@kernel
def _coast_coupling_db(sea_share: float, coast_km: float, horizon_km: float, antenna_m: float) -> float:
    """Act, Acr: coupling of a coastal terminal into a duct over sea, in dB, at most 0 (P.1812-8, eq. 49).

    ``antenna_m``: height above sea level.
    """
    if sea_share < _MOSTLY_SEA or coast_km > min(horizon_km, 5.0):
        return 0.0
    return -3.0 * math.exp(-0.25 * coast_km**2) * (1.0 + math.tanh(0.07 * (50.0 - antenna_m)))


@kernel
def ducting_terms(path: PathGeometry, duct: DuctingPath, wave: WaveTerms, air: Air) -> Ducting:
    """Ducting and layer reflection without the variation with time (P.1812-8, eq. 46-56)."""
    horizons, zones, length_km = path.horizons, path.zones, path.length_km
    from_km, to_km = duct.from_transmitter_km, duct.from_receiver_km
    coupling_db = (
        wave.coupling_db
        + 20.0 * math.log10(horizons.together_km)
        + _site_shielding_db(horizons.transmitter_mrad, from_km, wave)
        + _site_shielding_db(horizons.receiver_mrad, to_km, wave)
        + _coast_coupling_db(zones.sea_share, zones.coast_from_transmitter_km, from_km, path.ends_m[0])
        + _coast_coupling_db(zones.sea_share, zones.coast_from_receiver_km, to_km, path.ends_m[1])
    )
    angle_mrad = 1e3 * length_km / air.median_radius_km
    angle_mrad += min(horizons.transmitter_mrad, 0.1 * from_km) + min(horizons.receiver_mrad, 0.1 * to_km)
    per_mrad_db = 5e-5 * air.median_radius_km * wave.cube_root
    time_pct = _ducting_time_pct(path, duct, air)
    log_time = math.log10(time_pct)
    gamma = 1.076 / (2.0058 - log_time) ** 1.012
    gamma *= math.exp(-(9.51 - 4.8 * log_time + 0.198 * log_time**2) * 1e-6 * length_km**1.13)
    return Ducting(coupling_db + per_mrad_db * angle_mrad, time_pct, log_time, gamma)


@kernel
def _ducting_time_pct(path: PathGeometry, duct: DuctingPath, air: Air) -> float:
    """beta: b0 corrected for the geometry and the roughness of the path, in per cent (eq. 52-55)."""
    length_km, surface_m = path.length_km, path.surface.ducting_m
    alpha = max(-3.4, -0.6 - 3.5e-9 * length_km**3.1 * inland_weight(path.zones.inland_km))
    roots = math.sqrt(path.ends_m[0] - surface_m[0]) + math.sqrt(path.ends_m[1] - surface_m[1])
    geometry = min(1.0, (500.0 * length_km**2 / (air.median_radius_km * roots**2)) ** alpha)
    roughness = 1.0
    if duct.roughness_m > SMOOTH_BELOW_M:
        between_km = length_km - duct.from_transmitter_km - duct.from_receiver_km
        between_km = min(between_km, 40.0)
        roughness = math.exp(-4.6e-5 * (duct.roughness_m - SMOOTH_BELOW_M) * (43.0 + 6.0 * between_km))
    return air.b0_pct * geometry * roughness


@kernel
def ducting_db(terms: Ducting, length_km: float, time: TimeTerms) -> float:
    """Lba, loss by ducting and layer reflection in dB (P.1812-8, eq. 46, 51)."""
    log_ratio = math.log10(time.time_pct) - terms.log_time
    by_time_db = -12.0 + (1.2 + 3.7e-3 * length_km) * log_ratio
    return terms.fixed_db + by_time_db + 12.0 * math.exp(_LN_10 * log_ratio * terms.gamma)


@kernel
def ducting_at_least_db(path: PathGeometry, wave: WaveTerms, air: Air, time: TimeTerms) -> float:
    """A loss in dB that ducting is not below, without the horizons of the path.

    Shielding is at least 0, a terminal's elevation at most its horizon's share, beta at most b0.
    """
    horizons, length_km = path.horizons, path.length_km
    coupling_db = wave.coupling_db + 20.0 * math.log10(horizons.together_km)
    if path.zones.sea_share >= _MOSTLY_SEA:
        coupling_db -= _COUPLING_AT_MOST_DB
    angle_mrad = 1e3 * length_km / air.median_radius_km
    angle_mrad += min(horizons.transmitter_mrad, 0.0) + min(horizons.receiver_mrad, 0.0)
    per_mrad_db = 5e-5 * air.median_radius_km * wave.cube_root
    by_time_db = -12.0 + (1.2 + 3.7e-3 * length_km) * math.log10(time.time_pct / air.b0_pct)
    return coupling_db + per_mrad_db * angle_mrad + by_time_db


# --- all mechanisms at a time -------------------------------------------------------------------------------


@kernel
def mechanisms(fixed: Fixed, path: PathGeometry, air: Air, time: TimeTerms, ducting: float) -> Mechanisms:
    """Losses of a path by mechanism at a percentage of time; ``ducting`` as in ``Mechanisms``."""
    weight = 1.0 if time.time_pct <= air.b0_pct else time.normal / fixed.b0_normal
    diffraction_db = fixed.median.total_db
    if time.time_pct != 50.0:
        diffraction_db += weight * (fixed.b0.total_db - fixed.median.total_db)
    enhanced_db = fixed.free_space_db + fixed.per_decade_db * time.log_of_half
    return Mechanisms(enhanced_db, weight, diffraction_db, ducting, fixed.scatter_db - time.scatter_db)


@kernel
def combine(fixed: Fixed, terms: Mechanisms, path: PathGeometry, air: Air, time: TimeTerms) -> Combination:
    """The losses by mechanism joined (P.1812-8, 4.6, eq. 57-63)."""
    median_path_db = fixed.free_space_db + fixed.median.total_db
    path_db = terms.enhanced_db + terms.diffraction_db
    over_land_db = (1.0 - path.zones.sea_share) * terms.diffraction_db
    if time.time_pct < air.b0_pct:
        least_db = terms.enhanced_db + over_land_db
    else:
        beyond_db = fixed.enhanced_b0_db + over_land_db - median_path_db
        least_db = median_path_db + beyond_db * terms.time_weight
    larger_db = max(terms.ducting_db, terms.enhanced_db)
    apart_db = abs(terms.ducting_db - terms.enhanced_db)
    ducting_db = larger_db + 2.5 * math.log1p(math.exp(-apart_db / 2.5))
    modified_db = path_db
    if ducting_db <= path_db:
        modified_db = ducting_db + (path_db - ducting_db) * fixed.near_weight
    before_db = modified_db + (least_db - modified_db) * fixed.sight_weight
    lower_db = min(terms.troposcatter_db, before_db)
    apart_db = abs(terms.troposcatter_db - before_db)
    total_db = lower_db - 5.0 * math.log10(1.0 + math.exp(_LN_10 * (-0.2 * apart_db)))
    return Combination(median_path_db, path_db, least_db, ducting_db, modified_db, before_db, total_db)
