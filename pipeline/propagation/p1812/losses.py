"""Losses of P.1812-8 from the geometry of a path: each mechanism and their combination (4.2, 4.4-4.6)."""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.kernels import borrowing, kernel
from pipeline.propagation.p1812.climate import (
    LN_10,
    RADIUS_B0_KM,
    ZoneLengths,
    inland_weight,
    inverse_normal,
    inverse_normal_of_log_pct,
    log_of_anomalous_time,
)
from pipeline.propagation.p1812.diffraction import (
    DB_PER_NEPER,
    DiffractionLosses,
    Grounds,
    Obstruction,
    SphereTerms,
    bullington_db,
    grounds_of,
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
_LN_50, _LN_500 = math.log(50.0), math.log(500.0)
# Losses added as powers: further apart than this the smaller one changes no digit of the sum.
_APART_DB = 100.0


class WaveTerms(NamedTuple):
    """A frequency and polarisation, and what the losses take of them alone.

    In brackets the terms of the Recommendation without those of the path: ``free_space_db`` (Lbfs),
    ``scatter_db`` (Lf), ``coupling_db`` (Af with Alf); ``grounds`` and both radii of the Earth (4.3.2).
    """

    f_ghz: float
    free_space_db: float
    scatter_db: float
    coupling_db: float
    wavelength: float
    per_root_wavelength: float
    grounds: Grounds
    median: SphereTerms
    b0: SphereTerms


class TimeTerms(NamedTuple):
    """A percentage of time and what the losses take of it alone.

    ``log_pct``: its natural logarithm, ``log_of_half`` log10(p / 50), ``normal`` I(p / 100), ``scatter_db``
    the last term of Lbs.
    """

    time_pct: float
    log_pct: float
    log_of_half: float
    normal: float
    scatter_db: float


class LengthTerms(NamedTuple):
    """What the losses take of the length alone: ``log_km``, its natural logarithm, ``near_weight`` (Fk),
    ``roughness_growth`` with the length in alpha (eq. 54), ``gamma_growth`` in Gamma (eq. 53).
    """

    log_km: float
    near_weight: float
    roughness_growth: float
    gamma_growth: float


class Air(NamedTuple):
    """Refractivity and median Earth radius; of a path ``inland_weight`` (tau) and ``log_b0``, the natural
    logarithm of the time b0 in per cent.
    """

    refractivity: float
    median_radius_km: float
    inland_weight: float
    log_b0: float


class Fixed(NamedTuple):
    """Losses and weights of a path and frequency that do not vary with time, in brackets their names.

    ``path_angle_mrad`` (theta), ``sight_weight`` (Fj), ``log_together``: of the distance to both horizons,
    natural, ``free_space_db`` (Lbfs), ``per_decade_db``: enhancement for each decade of time,
    ``enhanced_b0_db`` (Lb0b), ``scatter_db`` (Lbs without its term of time), ``median``, ``b0`` diffraction
    at both Earth radii, ``b0_normal`` I(b0 / 100).
    """

    path_angle_mrad: float
    sight_weight: float
    log_together: float
    free_space_db: float
    per_decade_db: float
    enhanced_b0_db: float
    scatter_db: float
    median: DiffractionLosses
    b0: DiffractionLosses
    b0_normal: float


class Ducting(NamedTuple):
    """Ducting of a path and frequency: loss without Ap, natural logarithm of beta, Gamma (eq. 46-56)."""

    fixed_db: float
    log_time: float
    gamma: float


NO_DUCTING = Ducting(0.0, 0.0, 0.0)
"""What stands for ducting that is not known; Gamma is never 0."""


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


# --- what does not depend on the profile --------------------------------------------------------------------


@kernel
def wave_terms(f_ghz: float, vertical: bool, median_radius_km: float) -> WaveTerms:
    """Terms of a frequency in GHz and a polarisation (P.1812-8, eq. 8, 44, 47)."""
    log_f = math.log10(f_ghz)
    low_f_db = 45.375 - 137.0 * f_ghz + 92.5 * f_ghz**2 if f_ghz < 0.5 else 0.0
    grounds = grounds_of(f_ghz, vertical)
    return WaveTerms(
        f_ghz,
        92.4 + 20.0 * log_f,
        25.0 * log_f - 2.5 * math.log10(f_ghz / 2.0) ** 2,
        102.45 + 20.0 * log_f + low_f_db,
        wavelength_m(f_ghz),
        1.0 / math.sqrt(wavelength_m(f_ghz)),
        grounds,
        sphere_terms(grounds, median_radius_km),
        sphere_terms(grounds, RADIUS_B0_KM),
    )


@kernel
def time_terms(time_pct: float) -> TimeTerms:
    """Terms of a percentage of time (P.1812-8, eq. 9, 40, 44)."""
    log_of_half = math.log10(time_pct / 50.0)
    scatter_db = 10.125 * max(0.0, -log_of_half) ** 0.7
    return TimeTerms(time_pct, math.log(time_pct), log_of_half, inverse_normal(time_pct / 100.0), scatter_db)


@kernel
def length_terms(length_km: float) -> LengthTerms:
    """Terms of a path's length in km, > 0 (P.1812-8, eq. 53, 54, 58)."""
    log_km = math.log(length_km)
    return LengthTerms(
        log_km,
        _falling(3.0 * 0.5 * (length_km - 20.0) / 20.0),
        3.5e-9 * math.exp(3.1 * log_km),
        1e-6 * math.exp(1.13 * log_km),
    )


@kernel
def _falling(x: float) -> float:
    """1 - (1 + tanh x) / 2, from 1 far below 0 to 0 far above (P.1812-8, eq. 57, 58)."""
    return 1.0 / (1.0 + math.exp(2.0 * x))


@kernel
def air_of(refractivity: float, median_radius_km: float, latitude_deg: float, zones: ZoneLengths) -> Air:
    """The air of a path by its latitude half-way and its zones (P.1812-8, 3.6)."""
    tau = inland_weight(zones.inland_km)
    log_b0 = log_of_anomalous_time(latitude_deg, zones.land_km, tau)
    return Air(refractivity, median_radius_km, tau, log_b0)


# --- free space, diffraction, troposcatter ------------------------------------------------------------------


@kernel
def slant_free_space_db(length_km: float, ends_m: tuple[float, float], f_term_db: float) -> float:
    """Basic transmission loss of free space in dB along the slant (P.1812-8, eq. 8)."""
    slant2_km2 = length_km**2 + (1e-3 * (ends_m[0] - ends_m[1])) ** 2
    return f_term_db + DB_PER_NEPER * math.log(slant2_km2)


@borrowing
def fixed_losses(
    profile: GrowingPath,
    end: int,
    path: PathGeometry,
    length: LengthTerms,
    wave: WaveTerms,
    air: Air,
    complete: bool,
) -> Fixed:
    """What does not vary with time (P.1812-8, 4.2-4.4 and the weights of 4.6).

    ``complete``: with all terms, also those that do not count.
    """
    horizons, length_km = path.horizons, path.length_km
    angle_mrad = 1e3 * length_km / air.median_radius_km + horizons.transmitter_mrad + horizons.receiver_mrad
    free_db = slant_free_space_db(length_km, path.ends_m, wave.free_space_db)
    per_decade_db = 2.6 * (1.0 - math.exp(-0.1 * horizons.together_km))
    scatter_db = 190.1 + wave.scatter_db + 2.0 * DB_PER_NEPER * length.log_km
    return Fixed(
        angle_mrad,
        _falling(3.0 * 0.8 * (angle_mrad - 0.3) / 0.3),
        math.log(horizons.together_km) if horizons.transhorizon else length.log_km,
        free_db,
        per_decade_db,
        free_db + per_decade_db * ((air.log_b0 - _LN_50) / LN_10),
        scatter_db + 0.573 * angle_mrad - 0.15 * air.refractivity,
        _diffraction(profile, end, path, wave, path.median, wave.median, complete),
        _diffraction(profile, end, path, wave, path.b0, wave.b0, complete),
        inverse_normal_of_log_pct(air.log_b0),
    )


@borrowing
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
    actual_db = bullington_db(actual.nu_sqrt_m * wave.per_root_wavelength, length_km)
    spherical_db = spherical_earth_db(
        sphere, wave.grounds, wave.wavelength, path.zones.sea_share, length_km, (h1_m, h2_m)
    )
    smooth_db = math.nan
    if complete or spherical_db > 0.0:
        smooth = smooth_obstruction(profile, end, h1_m, h2_m, sphere.radius_km)
        smooth_db = bullington_db(smooth.nu_sqrt_m * wave.per_root_wavelength, length_km)
    more_db = spherical_db - smooth_db if spherical_db > 0.0 else 0.0
    return DiffractionLosses(actual_db, smooth_db, spherical_db, actual_db + max(more_db, 0.0))


# --- ducting ------------------------------------------------------------------------------------------------


@kernel
def _site_shielding_db(horizon_mrad: float, horizon_km: float, wave: WaveTerms) -> float:
    """Ast, Asr: shielding of a terminal's site against a duct, in dB (P.1812-8, eq. 48)."""
    excess_mrad = horizon_mrad - 0.1 * horizon_km
    if excess_mrad <= 0.0:
        return 0.0
    near = 1.0 + 0.361 * excess_mrad * math.sqrt(wave.f_ghz * horizon_km)
    return 2.0 * DB_PER_NEPER * math.log(near) + 0.264 * excess_mrad * wave.grounds.cube_root


@kernel
def _coast_coupling_db(sea_share: float, coast_km: float, horizon_km: float, antenna_m: float) -> float:
    """Act, Acr: coupling of a coastal terminal into a duct over sea, in dB, at most 0 (P.1812-8, eq. 49).

    ``antenna_m``: height above sea level.
    """
    if sea_share < _MOSTLY_SEA or coast_km > min(horizon_km, 5.0):
        return 0.0
    return -3.0 * math.exp(-0.25 * coast_km**2) * (1.0 + math.tanh(0.07 * (50.0 - antenna_m)))


@kernel
def _coupling_db(fixed: Fixed, wave: WaveTerms) -> float:
    """Af without what the sites of the terminals add to it, in dB (P.1812-8, eq. 47)."""
    return wave.coupling_db + 2.0 * DB_PER_NEPER * fixed.log_together


@kernel
def _per_mrad_db(air: Air, wave: WaveTerms) -> float:
    """gamma_d, specific attenuation by angle in dB/mrad (P.1812-8, eq. 51)."""
    return 5e-5 * air.median_radius_km * wave.grounds.cube_root


@kernel
def ducting_terms(
    path: PathGeometry, duct: DuctingPath, length: LengthTerms, wave: WaveTerms, air: Air, fixed: Fixed
) -> Ducting:
    """Ducting and layer reflection without the variation with time (P.1812-8, eq. 46-56)."""
    horizons, zones = path.horizons, path.zones
    from_km, to_km = duct.from_transmitter_km, duct.from_receiver_km
    coupling_db = (
        _coupling_db(fixed, wave)
        + _site_shielding_db(horizons.transmitter_mrad, from_km, wave)
        + _site_shielding_db(horizons.receiver_mrad, to_km, wave)
        + _coast_coupling_db(zones.sea_share, zones.coast_from_transmitter_km, from_km, path.ends_m[0])
        + _coast_coupling_db(zones.sea_share, zones.coast_from_receiver_km, to_km, path.ends_m[1])
    )
    angle_mrad = 1e3 * path.length_km / air.median_radius_km
    angle_mrad += min(horizons.transmitter_mrad, 0.1 * from_km) + min(horizons.receiver_mrad, 0.1 * to_km)
    log_time = _log_of_ducting_time(path, duct, length, air)
    decades = log_time / LN_10
    log_gamma = -1.012 * math.log(2.0058 - decades)
    log_gamma -= (9.51 - 4.8 * decades + 0.198 * decades**2) * length.gamma_growth
    return Ducting(coupling_db + _per_mrad_db(air, wave) * angle_mrad, log_time, 1.076 * math.exp(log_gamma))


@kernel
def _log_of_ducting_time(path: PathGeometry, duct: DuctingPath, length: LengthTerms, air: Air) -> float:
    """Natural logarithm of beta: b0 corrected for the geometry and the roughness of the path (eq. 52-55)."""
    surface_m = path.surface.ducting_m
    alpha = max(-3.4, -0.6 - length.roughness_growth * air.inland_weight)
    roots = math.sqrt(path.ends_m[0] - surface_m[0]) + math.sqrt(path.ends_m[1] - surface_m[1])
    log_share = _LN_500 + 2.0 * length.log_km - math.log(air.median_radius_km * roots**2)
    log_time = air.log_b0 + min(0.0, log_share * alpha)
    if duct.roughness_m > SMOOTH_BELOW_M:
        between_km = min(path.length_km - duct.from_transmitter_km - duct.from_receiver_km, 40.0)
        log_time -= 4.6e-5 * (duct.roughness_m - SMOOTH_BELOW_M) * (43.0 + 6.0 * between_km)
    return log_time


@kernel
def ducting_db(terms: Ducting, length_km: float, time: TimeTerms) -> float:
    """Lba, loss by ducting and layer reflection in dB (P.1812-8, eq. 46, 51)."""
    log_ratio = time.log_pct - terms.log_time
    by_time_db = -12.0 + (1.2 + 3.7e-3 * length_km) * (log_ratio / LN_10)
    return terms.fixed_db + by_time_db + 12.0 * math.exp(log_ratio * terms.gamma)


@kernel
def ducting_at_least_db(
    path: PathGeometry, wave: WaveTerms, air: Air, fixed: Fixed, time: TimeTerms
) -> float:
    """A loss in dB that ducting is not below, without the horizons of the path.

    Shielding is at least 0, a terminal's elevation at most its horizon's share, beta at most b0.
    """
    horizons, length_km = path.horizons, path.length_km
    coupling_db = _coupling_db(fixed, wave)
    if path.zones.sea_share >= _MOSTLY_SEA:
        coupling_db -= _COUPLING_AT_MOST_DB
    angle_mrad = 1e3 * length_km / air.median_radius_km
    angle_mrad += min(horizons.transmitter_mrad, 0.0) + min(horizons.receiver_mrad, 0.0)
    by_time_db = -12.0 + (1.2 + 3.7e-3 * length_km) * ((time.log_pct - air.log_b0) / LN_10)
    return coupling_db + _per_mrad_db(air, wave) * angle_mrad + by_time_db


# --- all mechanisms at a time -------------------------------------------------------------------------------


@kernel
def mechanisms(fixed: Fixed, air: Air, time: TimeTerms, ducting: float) -> Mechanisms:
    """Losses of a path by mechanism at a percentage of time; ``ducting`` as in ``Mechanisms``."""
    weight = 1.0 if time.log_pct <= air.log_b0 else time.normal / fixed.b0_normal
    diffraction_db = fixed.median.total_db
    if time.time_pct != 50.0:
        diffraction_db += weight * (fixed.b0.total_db - fixed.median.total_db)
    enhanced_db = fixed.free_space_db + fixed.per_decade_db * time.log_of_half
    return Mechanisms(enhanced_db, weight, diffraction_db, ducting, fixed.scatter_db - time.scatter_db)


@kernel
def combine(
    fixed: Fixed, terms: Mechanisms, path: PathGeometry, length: LengthTerms, air: Air, time: TimeTerms
) -> Combination:
    """The losses by mechanism joined (P.1812-8, 4.6, eq. 57-63)."""
    median_path_db = fixed.free_space_db + fixed.median.total_db
    path_db = terms.enhanced_db + terms.diffraction_db
    over_land_db = (1.0 - path.zones.sea_share) * terms.diffraction_db
    if time.log_pct < air.log_b0:
        least_db = terms.enhanced_db + over_land_db
    else:
        beyond_db = fixed.enhanced_b0_db + over_land_db - median_path_db
        least_db = median_path_db + beyond_db * terms.time_weight
    ducting_db = max(terms.ducting_db, terms.enhanced_db)
    apart_db = abs(terms.ducting_db - terms.enhanced_db)
    if apart_db < _APART_DB:
        ducting_db += 2.5 * math.log1p(math.exp(-apart_db / 2.5))
    modified_db = path_db
    if ducting_db <= path_db:
        modified_db = ducting_db + (path_db - ducting_db) * length.near_weight
    before_db = modified_db + (least_db - modified_db) * fixed.sight_weight
    total_db = min(terms.troposcatter_db, before_db)
    apart_db = abs(terms.troposcatter_db - before_db)
    if apart_db < _APART_DB:
        total_db -= 0.5 * DB_PER_NEPER * math.log(1.0 + math.exp(apart_db * (-0.2 * LN_10)))
    return Combination(median_path_db, path_db, least_db, ducting_db, modified_db, before_db, total_db)
