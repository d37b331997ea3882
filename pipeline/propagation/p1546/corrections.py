"""Corrections of Rec. ITU-R P.1546-6, Annex 5, each a scalar function of plain values."""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.kernels import inlined, inner, kernel
from pipeline.propagation.models import Surroundings

_RURAL = int(Surroundings.RURAL)
_SUBURBAN = int(Surroundings.SUBURBAN)
_SEA = int(Surroundings.SEA)

# Below this parameter an obstacle does not obstruct: J = 0 (eq. 12b).
_CLEAR_NU = -0.7806
# Clearance angle of a path over bare average ground, and the largest the curves hold for (sec. 11).
TCA_LOW_DEG = 0.55
_TCA_HIGH_DEG = 40.0
_TCA_K = 0.065
_TCA_REFERENCE_K = 0.036
# Half the width of a street: distance from the antenna to the clutter in front of it (eq. 28c).
_HALF_STREET_M = 27.0
_CLUTTER_K = 0.0108
_REFERENCE_H2_M = 10.0
_LEAST_CLUTTER_M = 1.0
EFFECTIVE_EARTH_KM = 4.0 / 3.0 * 6370.0
_REFRACTIVITY_N = 325.0
_D06_LEAST_KM = 0.001


@kernel
def knife_edge_db(nu: float) -> float:
    """J(nu): loss of a single knife edge in dB (P.1546-6, Annex 5, eq. 12b)."""
    if nu <= _CLEAR_NU:
        return 0.0
    shifted = nu - 0.1
    return 6.9 + 20.0 * math.log10(math.sqrt(shifted * shifted + 1.0) + shifted)


@kernel
def normal_deviate(x: float) -> float:
    """Qi(x): inverse complementary normal distribution, 0 < x < 1 (P.1546-6, Annex 5, eq. 36).

    The polynomial of the Recommendation, within 4.5e-4 of the exact value.
    """
    tail = x if x <= 0.5 else 1.0 - x
    t = math.sqrt(-2.0 * math.log(tail))
    above = (0.010328 * t + 0.802853) * t + 2.515517
    below = ((0.001308 * t + 0.189269) * t + 1.432788) * t + 1.0
    deviate = t - above / below
    return deviate if x <= 0.5 else -deviate


@kernel
def d06_km(f_mhz: float, h1_m: float, h2_m: float) -> float:
    """Distance at which 0.6 of the first Fresnel zone is just clear over a smooth earth (eq. 41)."""
    h1 = max(h1_m, 0.0)
    h2 = max(h2_m, 0.0)
    df = 3.89e-5 * f_mhz * h1 * h2
    dh = 4.1 * (math.sqrt(h1) + math.sqrt(h2))
    if dh <= 0.0:
        return _D06_LEAST_KM
    return max(df * dh / (df + dh), _D06_LEAST_KM)


@kernel
def slant_km(d_km: float, height_difference_m: float) -> float:
    """Length of the slope between the antennas (P.1546-6, Annex 5, eq. 37a-b)."""
    rise_km = 1e-3 * height_difference_m
    return math.sqrt(d_km * d_km + rise_km * rise_km)


@kernel
def slope_correction_db(d_km: float, height_difference_m: float) -> float:
    """20 log10(d / slope distance), never positive (P.1546-6, Annex 5, eq. 37)."""
    tangent = 1e-3 * height_difference_m / d_km
    square = tangent * tangent
    if square < 1e-4:
        # A logarithm saved for every pixel; off by less than 1e-16 dB here.
        return far_slope_correction_db(d_km, height_difference_m)
    return -10.0 * math.log10(1.0 + square)


@inlined
def far_slope_correction_db(d_km: float, height_difference_m: float) -> float:
    """The same by the first terms of the series of log10(1 + x): within 2e-6 dB up to a slope of 1 in 4."""
    tangent = 1e-3 * height_difference_m / d_km
    square = tangent * tangent
    return -4.342944819032518 * square * (1.0 - square * (0.5 - square * (1.0 / 3.0 - 0.25 * square)))


class Constants(NamedTuple):
    """What the corrections need of one frequency and percentage of time, computed once.

    ``root_f`` square root of the frequency in MHz; ``height_gain_db`` K_h2, dB per decade of receiver
    height (eq. 28); ``tca_reference_db`` first term of the clearance correction (eq. 32); ``sea_db`` the most
    by which a field over sea may exceed free space (eq. 3); ``scatter_db`` troposcatter field but for
    distance and angle (eq. 35).
    """

    f_mhz: float
    t_pct: float
    root_f: float
    height_gain_db: float
    tca_reference_db: float
    sea_db: float
    scatter_db: float


@kernel
def correction_constants(f_mhz: float, t_pct: float) -> Constants:
    """The terms of the corrections that depend on frequency and percentage of time alone."""
    root_f = math.sqrt(f_mhz)
    log_f = math.log10(f_mhz)
    # At 50 % the logarithm is zero but for rounding; a tiny negative number would give NaN.
    rarity = max(-math.log10(0.02 * t_pct), 0.0)
    loss_f = 5.0 * log_f - 2.5 * (log_f - 3.3) * (log_f - 3.3)
    scatter = 24.4 - loss_f + 0.15 * _REFRACTIVITY_N + 10.1 * rarity**0.7
    height_gain = 3.2 + 6.2 * log_f
    reference = knife_edge_db(_TCA_REFERENCE_K * root_f)
    return Constants(f_mhz, t_pct, root_f, height_gain, reference, 2.38 * rarity, scatter)


@inner
def sea_enhancement_db(d_km: float, sea_db: float) -> float:
    """Ese: how far a field over sea may exceed free space (P.1546-6, Annex 5, eq. 3)."""
    return sea_db * (1.0 - math.exp(-d_km / 8.94))


@inner
def terrain_clearance_db(tca_deg: float, constants: Constants) -> float:
    """Correction for the clearance angle at the receiver in dB (P.1546-6, Annex 5, eq. 32).

    ``tca_deg`` highest elevation angle of the terrain within 16 km of the receiver towards the transmitter.
    """
    angle = min(max(tca_deg, TCA_LOW_DEG), _TCA_HIGH_DEG)
    return constants.tca_reference_db - knife_edge_db(_TCA_K * angle * constants.root_f)


@inner
def receiver_correction_db(
    area: int, d_km: float, h1_m: float, h2_m: float, r2_m: float, constants: Constants
) -> float:
    """Correction for the height ``h2_m`` of the receiving antenna in dB (P.1546-6, Annex 5, sec. 9).

    ``area`` a code of ``Surroundings``; ``r2_m`` clutter height around the receiver, unused in rural
    surroundings and at sea.
    """
    if area in (_RURAL, _SEA):
        if h2_m == _REFERENCE_H2_M:
            return 0.0
        full = constants.height_gain_db * math.log10(h2_m / _REFERENCE_H2_M)
        return full if area == _RURAL else _over_sea_db(full, d_km, h1_m, h2_m, constants.f_mhz)
    path_m = 1000.0 * d_km
    clutter_m = max((path_m * r2_m - 15.0 * h1_m) / (path_m - 15.0), _LEAST_CLUTTER_M)
    if h2_m < clutter_m:
        below_m = clutter_m - h2_m
        angle = math.degrees(math.atan(below_m / _HALF_STREET_M))
        correction = 6.03 - knife_edge_db(_CLUTTER_K * constants.root_f * math.sqrt(below_m * angle))
    else:
        correction = constants.height_gain_db * math.log10(h2_m / clutter_m)
    if clutter_m < _REFERENCE_H2_M:
        correction -= constants.height_gain_db * math.log10(_REFERENCE_H2_M / clutter_m)
    return correction


@inner
def _over_sea_db(full_db: float, d_km: float, h1_m: float, h2_m: float, f_mhz: float) -> float:
    """Receiver over or beside the sea: no height loss where 0.6 of the Fresnel zone is clear (eq. 29)."""
    if h2_m >= _REFERENCE_H2_M:
        return full_db
    d10 = d06_km(f_mhz, h1_m, _REFERENCE_H2_M)
    if d_km >= d10:
        return full_db
    dh2 = d06_km(f_mhz, h1_m, h2_m)
    if d_km <= dh2:
        return 0.0
    return full_db * math.log10(d_km / dh2) / math.log10(d10 / dh2)


@inner
def transmitter_clutter_db(ha_m: float, r1_m: float, f_mhz: float) -> float:
    """Correction for clutter of height ``r1_m`` around the transmitter in dB (P.1546-6, Annex 5, eq. 30).

    Applies above the clutter too, where the grazing path still loses up to J(0).
    """
    above_m = ha_m - r1_m
    angle = math.degrees(math.atan(above_m / _HALF_STREET_M))
    nu = _CLUTTER_K * math.sqrt(f_mhz) * math.sqrt(above_m * angle)
    return -knife_edge_db(nu if r1_m >= ha_m else -nu)


@inner
def troposcatter_dbuvm(
    d_km: float, theta_eff1_deg: float, theta_eff2_deg: float, constants: Constants
) -> float:
    """Field of 1 kW e.r.p. by tropospheric scatter in dB(uV/m) (P.1546-6, Annex 5, eq. 35).

    The angles are the horizon elevations at the transmitter and, not clipped, at the receiver.
    """
    scatter_deg = math.degrees(d_km / EFFECTIVE_EARTH_KM) + theta_eff1_deg + theta_eff2_deg
    return constants.scatter_db - 20.0 * math.log10(d_km) - 10.0 * max(scatter_deg, 0.0)


@kernel
def location_sigma_db(area: int, f_mhz: float, terrain: bool, wa_m: float) -> float:
    """Standard deviation of the field over locations in dB (P.1546-6, Annex 5, sec. 12).

    With terrain known the spread inside a square of side ``wa_m``; otherwise the value of the surroundings.
    """
    if terrain and not math.isnan(wa_m):
        return (0.024 * f_mhz / 1000.0 + 0.52) * wa_m**0.28
    if area == _RURAL:
        return 12.0
    return 10.0 if area == _SUBURBAN else 8.0
