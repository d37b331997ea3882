"""Diffraction of P.1812-8, 4.3: Bullington part, first term over the spherical Earth, and their sum."""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.kernels import kernel

# Ground constants of P.1812-8, 4.3.2: relative permittivity and conductivity in S/m.
_LAND = (22.0, 0.003)
_SEA = (80.0, 5.0)
CLEAR_NU = -0.78
"""A path whose diffraction parameter is not above this has no diffraction loss (P.1812-8, eq. 12)."""


class Obstruction(NamedTuple):
    """The decisive point of a profile: nu sqrt(wavelength) in m^0.5, and whether the path is clear."""

    nu_sqrt_m: float
    clear: bool


class DiffractionLosses(NamedTuple):
    """Losses in dB at one effective Earth radius: of the profile, a smooth one, the sphere, and together.

    That of the smooth profile is NaN where it was not asked for and does not count.
    """

    actual_db: float
    smooth_db: float
    spherical_db: float
    total_db: float


@kernel
def wavelength_m(f_ghz: float) -> float:
    """Wavelength in m as all public codes of P.1812 have it."""
    return 0.2998 / f_ghz


@kernel
def nu_sqrt_m(
    at_km: float, height_m: float, length_km: float, from_m: float, to_m: float, radius_km: float
) -> float:
    """Diffraction parameter times the root of the wavelength, of one profile point (P.1812-8, eq. 15)."""
    rest_km = length_km - at_km
    above_m = height_m + 500.0 * at_km * rest_km / radius_km - (from_m * rest_km + to_m * at_km) / length_km
    return above_m * nu_weight(at_km, length_km)


@kernel
def nu_weight(at_km: float, length_km: float) -> float:
    """What heights above the ray are multiplied with, least half-way (P.1812-8, eq. 15, 20)."""
    return math.sqrt(0.002 * length_km / (at_km * (length_km - at_km)))


@kernel
def bullington_nu_sqrt_m(
    slope_m_per_km: float, back_m_per_km: float, length_km: float, from_m: float, to_m: float
) -> float:
    """Diffraction parameter of the Bullington point, where both horizon rays meet (P.1812-8, eq. 18-20)."""
    both = slope_m_per_km + back_m_per_km
    if both <= 0.0:
        return 0.0
    at_km = (to_m - from_m + back_m_per_km * length_km) / both
    rest_km = length_km - at_km
    above_m = from_m + slope_m_per_km * at_km - (from_m * rest_km + to_m * at_km) / length_km
    return above_m * nu_weight(at_km, length_km)


@kernel
def knife_edge_db(nu: float) -> float:
    """J(nu), loss of one knife edge in dB (P.1812-8, eq. 12)."""
    if nu <= CLEAR_NU:
        return 0.0
    return 6.9 + 20.0 * math.log10(math.sqrt((nu - 0.1) ** 2 + 1.0) + nu - 0.1)


@kernel
def bullington_db(nu: float, length_km: float) -> float:
    """Bullington loss in dB of the decisive point's diffraction parameter (P.1812-8, eq. 17, 21)."""
    edge_db = knife_edge_db(nu)
    return edge_db + (1.0 - math.exp(-edge_db / 6.0)) * (10.0 + 0.02 * length_km)


class GroundTerms(NamedTuple):
    """What the first term takes of one ground at one Earth radius, frequency and polarisation.

    ``floor_db`` of the height gain (of K), ``distance_per_km`` (X), ``height_per_m`` (B) (eq. 29-36).
    """

    floor_db: float
    distance_per_km: float
    height_per_m: float


class SphereTerms(NamedTuple):
    """Both grounds at one Earth radius; without sea on the path that of land stands for it."""

    radius_km: float
    land: GroundTerms
    sea: GroundTerms


@kernel
def sphere_terms(f_ghz: float, vertical: bool, radius_km: float, with_sea: bool) -> SphereTerms:
    """Ground terms at an Earth radius (P.1812-8, 4.3.2)."""
    land = sea = _ground_terms(_LAND[0], _LAND[1], f_ghz, vertical, radius_km)
    if with_sea:
        sea = _ground_terms(_SEA[0], _SEA[1], f_ghz, vertical, radius_km)
    return SphereTerms(radius_km, land, sea)


@kernel
def _ground_terms(
    permittivity: float, conductivity_s_per_m: float, f_ghz: float, vertical: bool, radius_km: float
) -> GroundTerms:
    """Terms of one ground (P.1812-8, eq. 29-33, 36)."""
    loss_term = (18.0 * conductivity_s_per_m / f_ghz) ** 2
    admittance = 0.036 * (radius_km * f_ghz) ** (-1.0 / 3.0)
    admittance *= ((permittivity - 1.0) ** 2 + loss_term) ** -0.25
    if vertical:
        admittance *= math.sqrt(permittivity**2 + loss_term)
    k2 = admittance**2
    beta = (1.0 + 1.6 * k2 + 0.67 * k2**2) / (1.0 + 4.5 * k2 + 1.53 * k2**2)
    return GroundTerms(
        2.0 + 20.0 * math.log10(admittance),
        21.88 * beta * (f_ghz / radius_km**2) ** (1.0 / 3.0),
        beta * 0.9575 * beta * (f_ghz**2 / radius_km) ** (1.0 / 3.0),
    )


@kernel
def _height_gain_db(height: float, floor_db: float) -> float:
    """G(Y) in dB of the normalised height B (P.1812-8, eq. 35, 36)."""
    if height > 2.0:
        gain_db = 17.6 * math.sqrt(height - 1.1) - 5.0 * math.log10(height - 1.1) - 8.0
    else:
        gain_db = 20.0 * math.log10(height + 0.1 * height**3)
    return max(gain_db, floor_db)


@kernel
def _first_term_of_ground_db(ground: GroundTerms, length_km: float, heights_m: tuple[float, float]) -> float:
    """First term of the residue series over one ground, in dB; may be negative (P.1812-8, eq. 29-36)."""
    x = ground.distance_per_km * length_km
    if x >= 1.6:
        distance_db = 11.0 + 10.0 * math.log10(x) - 17.6 * x
    else:
        distance_db = -20.0 * math.log10(x) - 5.6488 * x**1.425
    first_db = _height_gain_db(ground.height_per_m * heights_m[0], ground.floor_db)
    return -distance_db - first_db - _height_gain_db(ground.height_per_m * heights_m[1], ground.floor_db)


@kernel
def _first_term_db(
    sphere: SphereTerms, sea_share: float, length_km: float, heights_m: tuple[float, float]
) -> float:
    """First-term loss in dB; over mixed ground the decibels are weighted by length (P.1812-8, eq. 28)."""
    loss_db = 0.0
    if sea_share > 0.0:
        loss_db += sea_share * _first_term_of_ground_db(sphere.sea, length_km, heights_m)
    if sea_share < 1.0:
        loss_db += (1.0 - sea_share) * _first_term_of_ground_db(sphere.land, length_km, heights_m)
    return loss_db


@kernel
def spherical_earth_db(
    sphere: SphereTerms,
    f_ghz: float,
    vertical: bool,
    sea_share: float,
    length_km: float,
    heights_m: tuple[float, float],
) -> float:
    """Loss over the smooth spherical Earth in dB (P.1812-8, 4.3.2, eq. 22-27).

    ``heights_m``: both antennas above the smooth surface, > 0. Beyond the horizon the first term stands as it
    is, negative too; before it, it fades in with the clearance.
    """
    h1_m, h2_m = heights_m
    radius_km = sphere.radius_km
    horizon_km = math.sqrt(2.0 * radius_km) * (math.sqrt(1e-3 * h1_m) + math.sqrt(1e-3 * h2_m))
    if length_km >= horizon_km:
        return _first_term_db(sphere, sea_share, length_km, heights_m)
    c = (h1_m - h2_m) / (h1_m + h2_m)
    m = 250.0 * length_km**2 / (radius_km * (h1_m + h2_m))
    # cos(pi/3 + arccos(x)/3) = sin(arcsin(x)/3): without cancellation on short paths.
    sine = min(max(1.5 * c * math.sqrt(3.0 * m / (m + 1.0) ** 3), -1.0), 1.0)
    b = 2.0 * math.sqrt((m + 1.0) / (3.0 * m)) * math.sin(math.asin(sine) / 3.0)
    d1_km = 0.5 * length_km * (1.0 + b)
    d2_km = length_km - d1_km
    clear_m = (h1_m - 500.0 * d1_km**2 / radius_km) * d2_km + (h2_m - 500.0 * d2_km**2 / radius_km) * d1_km
    clear_m /= length_km
    required_m = 17.456 * math.sqrt(d1_km * d2_km * wavelength_m(f_ghz) / length_km)
    if clear_m > required_m:
        return 0.0
    just_seen_km = 500.0 * (length_km / (math.sqrt(h1_m) + math.sqrt(h2_m))) ** 2
    just_seen = sphere_terms(f_ghz, vertical, just_seen_km, sea_share > 0.0)
    first_db = _first_term_db(just_seen, sea_share, length_km, heights_m)
    return (1.0 - clear_m / required_m) * max(0.0, first_db)
