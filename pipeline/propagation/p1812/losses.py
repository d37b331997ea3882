"""Losses of P.1812-8 from the geometry of a path: each mechanism and their combination (4.2, 4.4-4.6)."""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.kernels import kernel
from pipeline.propagation.p1812.climate import RADIUS_B0_KM, inland_weight, inverse_normal
from pipeline.propagation.p1812.diffraction import DiffractionLosses, delta_bullington_db
from pipeline.propagation.p1812.path_geometry import PathGeometry

# 15 of 20 equal gaps over sea are 0.75 but for rounding, which must not decide over several dB.
_MOSTLY_SEA = 0.75 - 1e-9


class Conditions(NamedTuple):
    """Wave and atmosphere of a path: frequency, time not exceeded, polarisation, refractivity, b0, radius."""

    f_ghz: float
    time_pct: float
    vertical: bool
    refractivity: float
    b0_pct: float
    median_radius_km: float


class Mechanisms(NamedTuple):
    """Losses in dB of a path by mechanism; in brackets the names of the Recommendation.

    ``path_angle_mrad`` (theta), ``free_space_db`` (Lbfs), ``enhanced_db`` (Lb0p), ``enhanced_b0_db`` (Lb0b),
    ``median`` and ``b0`` (diffraction at both Earth radii), ``time_weight`` (Fi), ``diffraction_db`` (Ldp),
    ``ducting_db`` (Lba), ``troposcatter_db`` (Lbs).
    """

    path_angle_mrad: float
    free_space_db: float
    enhanced_db: float
    enhanced_b0_db: float
    median: DiffractionLosses
    b0: DiffractionLosses
    time_weight: float
    diffraction_db: float
    ducting_db: float
    troposcatter_db: float


class Combination(NamedTuple):
    """The mechanisms joined, in dB, with the weights; in brackets the names of the Recommendation.

    ``median_path_db`` (Lbd50), ``diffraction_path_db`` (Lbd), ``least_db`` (Lminb0p), ``least_ducting_db``
    (Lminbap), ``near_weight`` (Fk), ``modified_db`` (Lbda), ``sight_weight`` (Fj), ``before_scatter_db``
    (Lbam), ``total_db`` (Lbc): basic transmission loss of the median location.
    """

    median_path_db: float
    diffraction_path_db: float
    least_db: float
    least_ducting_db: float
    near_weight: float
    modified_db: float
    sight_weight: float
    before_scatter_db: float
    total_db: float


@kernel
def slant_free_space_db(length_km: float, ends_m: tuple[float, float], f_ghz: float) -> float:
    """Basic transmission loss of free space in dB along the slant (P.1812-8, eq. 8)."""
    slant2_km2 = length_km**2 + (1e-3 * (ends_m[0] - ends_m[1])) ** 2
    return 92.4 + 20.0 * math.log10(f_ghz) + 10.0 * math.log10(slant2_km2)


@kernel
def enhancement_db(horizons_km: float, time_pct: float) -> float:
    """Es, multipath and focusing in dB, at most 0, of both horizon distances together (P.1812-8, eq. 9)."""
    return 2.6 * (1.0 - math.exp(-horizons_km / 10.0)) * math.log10(time_pct / 50.0)


@kernel
def troposcatter_db(
    length_km: float, path_angle_mrad: float, f_ghz: float, time_pct: float, refractivity: float
) -> float:
    """Loss by troposcatter in dB (P.1812-8, eq. 44, 45)."""
    by_frequency_db = 25.0 * math.log10(f_ghz) - 2.5 * math.log10(f_ghz / 2.0) ** 2
    by_time_db = 10.125 * max(0.0, math.log10(50.0 / time_pct)) ** 0.7
    by_path_db = 20.0 * math.log10(length_km) + 0.573 * path_angle_mrad
    return 190.1 + by_frequency_db + by_path_db - 0.15 * refractivity - by_time_db


@kernel
def _site_shielding_db(horizon_mrad: float, horizon_km: float, f_ghz: float) -> float:
    """Ast, Asr: shielding of a terminal's site against a duct, in dB (P.1812-8, eq. 48)."""
    excess_mrad = horizon_mrad - 0.1 * horizon_km
    if excess_mrad <= 0.0:
        return 0.0
    near_db = 20.0 * math.log10(1.0 + 0.361 * excess_mrad * math.sqrt(f_ghz * horizon_km))
    return near_db + 0.264 * excess_mrad * f_ghz ** (1.0 / 3.0)


@kernel
def _coast_coupling_db(sea_share: float, coast_km: float, horizon_km: float, antenna_m: float) -> float:
    """Act, Acr: coupling of a coastal terminal into a duct over sea, in dB, at most 0 (P.1812-8, eq. 49).

    ``antenna_m``: height above sea level.
    """
    if sea_share < _MOSTLY_SEA or coast_km > min(horizon_km, 5.0):
        return 0.0
    return -3.0 * math.exp(-0.25 * coast_km**2) * (1.0 + math.tanh(0.07 * (50.0 - antenna_m)))


@kernel
def ducting_db(path: PathGeometry, wave: Conditions) -> float:
    """Loss by ducting and layer reflection in dB (P.1812-8, eq. 46-56)."""
    f_ghz, horizons, zones = wave.f_ghz, path.horizons, path.zones
    from_km, to_km = horizons.from_transmitter_km, horizons.from_receiver_km
    low_f_db = 45.375 - 137.0 * f_ghz + 92.5 * f_ghz**2 if f_ghz < 0.5 else 0.0
    coupling_db = (
        102.45
        + 20.0 * math.log10(f_ghz)
        + 20.0 * math.log10(from_km + to_km)
        + low_f_db
        + _site_shielding_db(horizons.transmitter_mrad, from_km, f_ghz)
        + _site_shielding_db(horizons.receiver_mrad, to_km, f_ghz)
        + _coast_coupling_db(zones.sea_share, zones.coast_from_transmitter_km, from_km, path.ends_m[0])
        + _coast_coupling_db(zones.sea_share, zones.coast_from_receiver_km, to_km, path.ends_m[1])
    )
    angle_mrad = 1e3 * path.length_km / wave.median_radius_km
    angle_mrad += min(horizons.transmitter_mrad, 0.1 * from_km) + min(horizons.receiver_mrad, 0.1 * to_km)
    per_mrad_db = 5e-5 * wave.median_radius_km * f_ghz ** (1.0 / 3.0)
    time_pct = _ducting_time_pct(path, wave)
    return coupling_db + per_mrad_db * angle_mrad + _by_time_db(path.length_km, wave.time_pct, time_pct)


@kernel
def _ducting_time_pct(path: PathGeometry, wave: Conditions) -> float:
    """beta: b0 corrected for the geometry and the roughness of the path, in per cent (eq. 52-55)."""
    length_km, surface_m = path.length_km, path.surface.ducting_m
    alpha = max(-3.4, -0.6 - 3.5e-9 * length_km**3.1 * inland_weight(path.zones.inland_km))
    roots = math.sqrt(path.ends_m[0] - surface_m[0]) + math.sqrt(path.ends_m[1] - surface_m[1])
    geometry = min(1.0, (500.0 * length_km**2 / (wave.median_radius_km * roots**2)) ** alpha)
    roughness = 1.0
    if path.roughness_m > 10.0:
        between_km = length_km - path.horizons.from_transmitter_km - path.horizons.from_receiver_km
        between_km = min(between_km, 40.0)
        roughness = math.exp(-4.6e-5 * (path.roughness_m - 10.0) * (43.0 + 6.0 * between_km))
    return wave.b0_pct * geometry * roughness


@kernel
def _by_time_db(length_km: float, time_pct: float, ducting_pct: float) -> float:
    """Ap: variation with time of the anomalous propagation in dB (P.1812-8, eq. 51, 56)."""
    log_beta = math.log10(ducting_pct)
    gamma = 1.076 / (2.0058 - log_beta) ** 1.012
    gamma *= math.exp(-(9.51 - 4.8 * log_beta + 0.198 * log_beta**2) * 1e-6 * length_km**1.13)
    ratio = time_pct / ducting_pct
    return -12.0 + (1.2 + 3.7e-3 * length_km) * math.log10(ratio) + 12.0 * ratio**gamma


@kernel
def path_mechanisms(path: PathGeometry, wave: Conditions) -> Mechanisms:
    """Losses of a path by mechanism (P.1812-8, 4.2-4.5)."""
    horizons = path.horizons
    angle_mrad = 1e3 * path.length_km / wave.median_radius_km
    angle_mrad += horizons.transmitter_mrad + horizons.receiver_mrad
    horizons_km = horizons.from_transmitter_km + horizons.from_receiver_km
    free_db = slant_free_space_db(path.length_km, path.ends_m, wave.f_ghz)
    median = _diffraction(path, wave, False)
    b0 = _diffraction(path, wave, True)
    time_weight = _time_weight(wave.time_pct, wave.b0_pct)
    diffraction_db = median.total_db
    if wave.time_pct != 50.0:
        diffraction_db += time_weight * (b0.total_db - median.total_db)
    return Mechanisms(
        angle_mrad,
        free_db,
        free_db + enhancement_db(horizons_km, wave.time_pct),
        free_db + enhancement_db(horizons_km, wave.b0_pct),
        median,
        b0,
        time_weight,
        diffraction_db,
        ducting_db(path, wave),
        troposcatter_db(path.length_km, angle_mrad, wave.f_ghz, wave.time_pct, wave.refractivity),
    )


@kernel
def _diffraction(path: PathGeometry, wave: Conditions, at_b0: bool) -> DiffractionLosses:
    """Diffraction at the Earth radius of the median, or at that of the time b0."""
    surface_m = path.surface.diffraction_m
    return delta_bullington_db(
        path.actual_b0 if at_b0 else path.actual_median,
        path.smooth_b0 if at_b0 else path.smooth_median,
        wave.f_ghz,
        wave.vertical,
        path.zones.sea_share,
        path.length_km,
        (path.ends_m[0] - surface_m[0], path.ends_m[1] - surface_m[1]),
        RADIUS_B0_KM if at_b0 else wave.median_radius_km,
    )


@kernel
def _time_weight(time_pct: float, b0_pct: float) -> float:
    """Fi: weight of the diffraction at the Earth radius of b0 (P.1812-8, eq. 40)."""
    if time_pct <= b0_pct:
        return 1.0
    return inverse_normal(time_pct / 100.0) / inverse_normal(b0_pct / 100.0)


@kernel
def combine(terms: Mechanisms, path: PathGeometry, wave: Conditions) -> Combination:
    """The losses by mechanism joined (P.1812-8, 4.6, eq. 57-63)."""
    sight = 1.0 - 0.5 * (1.0 + math.tanh(3.0 * 0.8 * (terms.path_angle_mrad - 0.3) / 0.3))
    near = 1.0 - 0.5 * (1.0 + math.tanh(3.0 * 0.5 * (path.length_km - 20.0) / 20.0))
    median_path_db = terms.free_space_db + terms.median.total_db
    path_db = terms.enhanced_db + terms.diffraction_db
    over_land_db = (1.0 - path.zones.sea_share) * terms.diffraction_db
    if wave.time_pct < wave.b0_pct:
        least_db = terms.enhanced_db + over_land_db
    else:
        beyond_db = terms.enhanced_b0_db + over_land_db - median_path_db
        least_db = median_path_db + beyond_db * terms.time_weight
    larger_db = max(terms.ducting_db, terms.enhanced_db)
    apart_db = abs(terms.ducting_db - terms.enhanced_db)
    ducting_db = larger_db + 2.5 * math.log1p(math.exp(-apart_db / 2.5))
    modified_db = path_db
    if ducting_db <= path_db:
        modified_db = ducting_db + (path_db - ducting_db) * near
    before_db = modified_db + (least_db - modified_db) * sight
    lower_db = min(terms.troposcatter_db, before_db)
    apart_db = abs(terms.troposcatter_db - before_db)
    total_db = lower_db - 5.0 * math.log10(1.0 + 10.0 ** (-0.2 * apart_db))
    return Combination(
        median_path_db, path_db, least_db, ducting_db, near, modified_db, sight, before_db, total_db
    )
