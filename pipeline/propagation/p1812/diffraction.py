"""Diffraction of P.1812-8, 4.3: Bullington part, first term over the spherical Earth, and their sum."""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.kernels import kernel

# Ground constants of P.1812-8, 4.3.2: relative permittivity and conductivity in S/m.
_LAND = (22.0, 0.003)
_SEA = (80.0, 5.0)
# Clearance required for no loss, over the root of what stands under it (eq. 26), and its square half-way.
_REQUIRED = 17.456
_REQUIRED_HALF_WAY = _REQUIRED**2 / 4.0
# Decibels of a natural logarithm, which costs half of a decadic one.
DB_PER_NEPER = 10.0 / math.log(10.0)
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
    return 6.9 + 2.0 * DB_PER_NEPER * math.log(math.sqrt((nu - 0.1) ** 2 + 1.0) + nu - 0.1)


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


class Grounds(NamedTuple):
    """What both grounds are for a frequency and polarisation at any Earth radius.

    ``land``, ``sea``: the normalised admittances K times the cube root of the radius in km;
    ``cube_root``: f^(1/3).
    """

    land: float
    sea: float
    cube_root: float


class SphereTerms(NamedTuple):
    """Both grounds at one Earth radius."""

    radius_km: float
    land: GroundTerms
    sea: GroundTerms


@kernel
def grounds_of(f_ghz: float, vertical: bool) -> Grounds:
    """Both grounds for a frequency and polarisation (P.1812-8, eq. 30)."""
    return Grounds(
        _admittance_cbrt_km(_LAND[0], _LAND[1], f_ghz, vertical),
        _admittance_cbrt_km(_SEA[0], _SEA[1], f_ghz, vertical),
        f_ghz ** (1.0 / 3.0),
    )


@kernel
def _admittance_cbrt_km(
    permittivity: float, conductivity_s_per_m: float, f_ghz: float, vertical: bool
) -> float:
    """Normalised admittance K of one ground times the cube root of the radius in km (P.1812-8, eq. 30)."""
    loss_term = (18.0 * conductivity_s_per_m / f_ghz) ** 2
    admittance = 0.036 * f_ghz ** (-1.0 / 3.0) * ((permittivity - 1.0) ** 2 + loss_term) ** -0.25
    return admittance * math.sqrt(permittivity**2 + loss_term) if vertical else admittance


@kernel
def sphere_terms(grounds: Grounds, radius_km: float) -> SphereTerms:
    """Ground terms at an Earth radius (P.1812-8, 4.3.2)."""
    per_root = math.exp(math.log(radius_km) / -3.0)
    return SphereTerms(
        radius_km,
        _ground_terms(grounds.land * per_root, grounds.cube_root, per_root),
        _ground_terms(grounds.sea * per_root, grounds.cube_root, per_root),
    )


@kernel
def _ground_terms(admittance: float, cube_root: float, per_root: float) -> GroundTerms:
    """Terms of one ground; ``per_root``: radius^(-1/3) (P.1812-8, eq. 29-33, 36)."""
    k2 = admittance**2
    beta = (1.0 + 1.6 * k2 + 0.67 * k2**2) / (1.0 + 4.5 * k2 + 1.53 * k2**2)
    return GroundTerms(
        2.0 + 2.0 * DB_PER_NEPER * math.log(admittance),
        21.88 * beta * cube_root * per_root**2,
        beta * 0.9575 * beta * cube_root**2 * per_root,
    )


@kernel
def _height_gain_db(height: float, floor_db: float) -> float:
    """G(Y) in dB of the normalised height B (P.1812-8, eq. 35, 36)."""
    if height > 2.0:
        gain_db = 17.6 * math.sqrt(height - 1.1) - 0.5 * DB_PER_NEPER * math.log(height - 1.1) - 8.0
    else:
        gain_db = 2.0 * DB_PER_NEPER * math.log(height + 0.1 * height**3)
    return max(gain_db, floor_db)


@kernel
def _first_term_of_ground_db(ground: GroundTerms, length_km: float, heights_m: tuple[float, float]) -> float:
    """First term of the residue series over one ground, in dB; may be negative (P.1812-8, eq. 29-36)."""
    x = ground.distance_per_km * length_km
    log_x = math.log(x)
    if x >= 1.6:
        distance_db = 11.0 + DB_PER_NEPER * log_x - 17.6 * x
    else:
        distance_db = -2.0 * DB_PER_NEPER * log_x - 5.6488 * math.exp(1.425 * log_x)
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
    grounds: Grounds,
    wavelength: float,
    sea_share: float,
    length_km: float,
    heights_m: tuple[float, float],
) -> float:
    """Loss over the smooth spherical Earth in dB (P.1812-8, 4.3.2, eq. 22-27).

    ``wavelength`` in m. ``heights_m``: both antennas above the smooth surface, > 0. Beyond the horizon the
    first term stands as it is, negative too; before it, it fades in with the clearance, which is nowhere less
    than that of the lower antenna half-way, nor the clearance required more than there.
    """
    h1_m, h2_m = heights_m
    radius_km = sphere.radius_km
    least_m = min(h1_m, h2_m) - 125.0 * length_km * length_km / radius_km
    if least_m > 0.0 and least_m * least_m > _REQUIRED_HALF_WAY * length_km * wavelength:
        return 0.0
    root1, root2 = math.sqrt(h1_m), math.sqrt(h2_m)
    if length_km >= math.sqrt(2e-3 * radius_km) * (root1 + root2):
        return _first_term_db(sphere, sea_share, length_km, heights_m)
    d1_km = _tightest_km(length_km, h1_m, h2_m, radius_km)
    d2_km = length_km - d1_km
    clear_m = (h1_m - 500.0 * d1_km**2 / radius_km) * d2_km + (h2_m - 500.0 * d2_km**2 / radius_km) * d1_km
    clear_m /= length_km
    required_m = _REQUIRED * math.sqrt(d1_km * d2_km * wavelength / length_km)
    if clear_m > required_m:
        return 0.0
    just_seen_km = 500.0 * (length_km / (root1 + root2)) ** 2
    first_db = _first_term_db(sphere_terms(grounds, just_seen_km), sea_share, length_km, heights_m)
    return (1.0 - clear_m / required_m) * max(0.0, first_db)


@kernel
def _tightest_km(length_km: float, h1_m: float, h2_m: float, radius_km: float) -> float:
    """Where a ray with line of sight comes closest to the sphere, from the first antenna (eq. 24, 25).

    cos(pi/3 + arccos(x)/3) = sin(arcsin(x)/3): without cancellation on short paths.
    """
    c = (h1_m - h2_m) / (h1_m + h2_m)
    m = 250.0 * length_km**2 / (radius_km * (h1_m + h2_m))
    sine = min(max(1.5 * c * math.sqrt(3.0 * m / (m + 1.0) ** 3), -1.0), 1.0)
    b = 2.0 * math.sqrt((m + 1.0) / (3.0 * m)) * math.sin(math.asin(sine) / 3.0)
    return 0.5 * length_km * (1.0 + b)
