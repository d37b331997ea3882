"""Field strength of one link by Rec. ITU-R P.1546-6: the steps of Annex 6 in their order."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.numba_options import kernel
from pipeline.propagation.branches import Branch
from pipeline.propagation.p1546_corrections import (
    free_space_dbuvm,
    location_sigma_db,
    normal_deviate,
    receiver_correction_db,
    sea_enhancement_db,
    slant_km,
    slope_correction_db,
    terrain_clearance_db,
    transmitter_clutter_db,
    troposcatter_dbuvm,
)
from pipeline.propagation.p1546_curves import Curves, curve_field_dbuvm
from pipeline.propagation.p1546_tables import Area, Surface

_LAND = int(Surface.LAND)
_COLD = int(Surface.COLD_SEA)
_WARM = int(Surface.WARM_SEA)
_AREA_SEA = int(Area.SEA)

_UNDEFINED = int(Branch.UNDEFINED)
_ON_LAND = int(Branch.LAND)
_ON_LAND_BELOW_10M = int(Branch.LAND_H1_BELOW_10M)
_ON_LAND_NEGATIVE = int(Branch.LAND_H1_NEGATIVE)
_ON_LAND_ABOVE_1200M = int(Branch.LAND_H1_ABOVE_1200M)
_ON_SEA = int(Branch.SEA)
_ON_SEA_BELOW_10M = int(Branch.SEA_H1_BELOW_10M)
_ON_SEA_ABOVE_1200M = int(Branch.SEA_H1_ABOVE_1200M)
_ON_SEA_LOW_F = int(Branch.SEA_BELOW_100MHZ)
_MIXED = int(Branch.MIXED)
_BEYOND = int(Branch.BEYOND_1000KM)
_TROPOSCATTER = int(Branch.TROPOSCATTER)
_BELOW_1KM = int(Branch.BELOW_1KM)
_BELOW_40M = int(Branch.BELOW_40M)
_FIELD_LIMIT = int(Branch.FIELD_LIMIT)

NEAR_KM = 0.04
CURVES_FROM_KM = 1.0
TERRAIN_HEIGHT_FROM_KM = 15.0
H1_MAX_M = 3000.0
# Over sea the antenna is taken at least this high (sec. 3; sec. 8 for a part of the path).
SEA_H1_MIN_M = 3.0


@kernel
def effective_height_m(
    d_km: float, only_sea: bool, terrain: bool, heff_m: float, ha_m: float, hb_m: float
) -> float:
    """Transmitting antenna height h1 in m (P.1546-6, Annex 5, sec. 3).

    An absent height is replaced by the nearest known one; ``link_is_valid`` reports it.
    """
    if only_sea:
        h1 = max(heff_m if not math.isnan(heff_m) else ha_m, SEA_H1_MIN_M)
        return min(h1, H1_MAX_M)
    heff = ha_m if math.isnan(heff_m) else heff_m
    if d_km >= TERRAIN_HEIGHT_FROM_KM:
        h1 = heff
    elif terrain:
        h1 = heff if math.isnan(hb_m) else hb_m
    elif math.isnan(ha_m):
        h1 = heff
    elif d_km <= 3.0:
        h1 = ha_m
    else:
        h1 = ha_m + (heff - ha_m) * (d_km - 3.0) / 12.0
    return min(h1, H1_MAX_M)


@kernel
def mixed_dbuvm(land_dbuvm: float, sea_dbuvm: float, sea_share: float) -> float:
    """Field of a mixed path from those of an all-land and an all-sea path (P.1546-6, Annex 5, sec. 8)."""
    excess = sea_dbuvm - land_dbuvm
    a0 = 1.0 - (1.0 - sea_share) ** (2.0 / 3.0)
    a = a0 ** max(1.0, 1.0 + excess / 40.0)
    return land_dbuvm + a * excess


@kernel
def path_field_dbuvm(
    curves: Curves,
    f_mhz: float,
    t_pct: float,
    d_km: float,
    h1_m: float,
    sea_share: float,
    sea: int,
    slope_db: float,
) -> float:
    """Field of 1 kW e.r.p. over land, sea or a mixed path (P.1546-6, Annex 6, steps 5-11).

    ``sea_share`` sea length over path length; ``sea`` the code of ``Surface`` of the sea; ``slope_db`` the
    slope correction, by which the maximum field is lowered. ``d_km`` at least 1.
    """
    maximum = free_space_dbuvm(d_km) + slope_db
    if sea_share > 0.0:
        maximum += sea_share * sea_enhancement_db(d_km, t_pct)
    land = 0.0
    if sea_share < 1.0:
        land = curve_field_dbuvm(curves, _LAND, f_mhz, t_pct, d_km, h1_m, maximum)
        if sea_share <= 0.0:
            return land
    over_sea = curve_field_dbuvm(curves, sea, f_mhz, t_pct, d_km, max(h1_m, SEA_H1_MIN_M), maximum)
    if sea_share >= 1.0:
        return over_sea
    return mixed_dbuvm(land, over_sea, sea_share)


@kernel
def near_field_dbuvm(e_1km_dbuvm: float, d_km: float, height_difference_m: float) -> float:
    """Field below 1 km from the field at 1 km (P.1546-6, Annex 5, eq. 38)."""
    slant = slant_km(d_km, height_difference_m)
    if d_km <= NEAR_KM:
        return free_space_dbuvm(slant) if slant > 0.0 else math.nan
    slant_from = slant_km(NEAR_KM, height_difference_m)
    slant_to = slant_km(CURVES_FROM_KM, height_difference_m)
    near = free_space_dbuvm(slant_from)
    return near + (e_1km_dbuvm - near) * math.log(slant / slant_from) / math.log(slant_to / slant_from)


@kernel
def p1546_field(
    curves: Curves,
    f_mhz: float,
    t_pct: float,
    d_km: float,
    sea_km: float,
    warm_sea: bool,
    only_sea: bool,
    heff_m: float,
    ha_m: float,
    hb_m: float,
    terrain: bool,
    h2_m: float,
    r2_m: float,
    area: int,
    r1_m: float,
    q_pct: float,
    wa_m: float,
    tca_deg: float,
    htter_m: float,
    hrter_m: float,
    eff1_deg: float,
    eff2_deg: float,
) -> tuple[float, int, bool]:
    """Field of 1 kW e.r.p. in dB(uV/m), code of ``Branch``, validity (P.1546-6, Annex 6). NaN = absent."""
    h1 = effective_height_m(d_km, only_sea, terrain, heff_m, ha_m, hb_m)
    rise = 0.0
    if not math.isnan(ha_m):
        rise = ha_m - h2_m
        if not (math.isnan(htter_m) or math.isnan(hrter_m)):
            rise += htter_m - hrter_m
    t = min(max(t_pct, 1.0), 50.0)
    sea_share = min(sea_km / d_km, 1.0) if d_km > 0.0 else (1.0 if only_sea else 0.0)
    sea = _WARM if warm_sea else _COLD
    d1 = max(d_km, CURVES_FROM_KM)
    slope_db = slope_correction_db(d1, rise)
    field = path_field_dbuvm(curves, f_mhz, t, d1, h1, sea_share, sea, slope_db)
    branch = 1
    if not math.isnan(tca_deg):
        field += terrain_clearance_db(tca_deg, f_mhz)
    if not (math.isnan(eff1_deg) or math.isnan(eff2_deg)):
        scatter = troposcatter_dbuvm(d1, eff1_deg, eff2_deg, f_mhz, t)
        if scatter > field:
            field = scatter
            branch = _TROPOSCATTER
    field += receiver_correction_db(area, d1, h1, h2_m, r2_m, f_mhz)
    if not (math.isnan(r1_m) or math.isnan(ha_m)):
        field += transmitter_clutter_db(ha_m, r1_m, f_mhz)
    field += slope_db
    if d_km < CURVES_FROM_KM:
        field = near_field_dbuvm(field, d_km, rise)
    if q_pct != 50.0 and area != _AREA_SEA:
        field += normal_deviate(0.01 * q_pct) * location_sigma_db(area, f_mhz, terrain, wa_m)
    limit = free_space_dbuvm(slant_km(d_km, rise)) + sea_share * sea_enhancement_db(d_km, t)
    if field > limit:
        field = limit
        branch = _FIELD_LIMIT
    return field, branch, True
