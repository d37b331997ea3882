"""Field strength of one link by Rec. ITU-R P.1546-6: the steps of Annex 6 in their order."""

from __future__ import annotations

import math

from pipeline.kernels import inlined, inner, kernel
from pipeline.propagation.free_space import free_space_field_dbuvm
from pipeline.propagation.models import Surroundings, model_named
from pipeline.propagation.p1546.corrections import (
    Constants,
    correction_constants,
    d06_km,
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
from pipeline.propagation.p1546.curves import (
    COLD_SEA,
    LAND,
    NOMINAL_D_KM,
    WARM_SEA,
    Blend,
    Curves,
    Distance,
    curve_field_dbuvm,
    place_blend,
    place_distance,
    place_height,
)

_AREA_SEA = int(Surroundings.SEA)

_REGIMES = model_named("p1546").regimes
_UNDEFINED = _REGIMES.index("undefined")
_ON_LAND = _REGIMES.index("land")
_LAND_BELOW_10M = _REGIMES.index("land_h1_below_10m")
_LAND_NEGATIVE = _REGIMES.index("land_h1_negative")
_LAND_ABOVE_1200M = _REGIMES.index("land_h1_above_1200m")
_ON_SEA = _REGIMES.index("sea")
_SEA_BELOW_10M = _REGIMES.index("sea_h1_below_10m")
_SEA_ABOVE_1200M = _REGIMES.index("sea_h1_above_1200m")
_SEA_LOW_F = _REGIMES.index("sea_below_100mhz")
_MIXED = _REGIMES.index("mixed")
_BEYOND = _REGIMES.index("beyond_1000km")
_TROPOSCATTER = _REGIMES.index("troposcatter")
_BELOW_1KM = _REGIMES.index("below_1km")
_BELOW_40M = _REGIMES.index("below_40m")
_FIELD_LIMIT = _REGIMES.index("field_limit")

_NEAREST_KM = 0.04
CURVES_FROM_KM = 1.0
_LAST_CURVE_KM = float(NOMINAL_D_KM[-1])
_TERRAIN_HEIGHT_FROM_KM = 15.0
_H1_MAX_M = 3000.0
# Over sea the antenna is taken at least this high (sec. 3; sec. 8 for a part of the path).
SEA_H1_MIN_M = 3.0


@inner
def effective_height_m(
    d_km: float, only_sea: bool, terrain: bool, heff_m: float, ha_m: float, hb_m: float
) -> float:
    """Transmitting antenna height h1 in m (P.1546-6, Annex 5, sec. 3).

    An absent height is replaced by the nearest known one; ``link_is_valid`` reports it.
    """
    if only_sea:
        h1 = max(heff_m if not math.isnan(heff_m) else ha_m, SEA_H1_MIN_M)
        return min(h1, _H1_MAX_M)
    heff = ha_m if math.isnan(heff_m) else heff_m
    if d_km >= _TERRAIN_HEIGHT_FROM_KM:
        h1 = heff
    elif terrain:
        h1 = heff if math.isnan(hb_m) else hb_m
    elif math.isnan(ha_m):
        h1 = heff
    elif d_km <= 3.0:
        h1 = ha_m
    else:
        h1 = ha_m + (heff - ha_m) * (d_km - 3.0) / 12.0
    return min(h1, _H1_MAX_M)


@inner
def mixed_dbuvm(land_dbuvm: float, sea_dbuvm: float, sea_share: float) -> float:
    """Field of a mixed path from those of an all-land and an all-sea path (P.1546-6, Annex 5, sec. 8)."""
    excess = sea_dbuvm - land_dbuvm
    a0 = 1.0 - (1.0 - sea_share) ** (2.0 / 3.0)
    a = a0 ** max(1.0, 1.0 + excess / 40.0)
    return land_dbuvm + a * excess


@inner
def path_field_dbuvm(
    curves: Curves,
    blend: Blend,
    d: Distance,
    h1_m: float,
    sea_share: float,
    sea: int,
    sea_db: float,
    limit: float,
) -> float:
    """Field of 1 kW e.r.p. over land, sea or a mixed path (P.1546-6, Annex 6, steps 5-11).

    ``sea_share`` sea length over path length; ``sea`` the code of ``CurveSurface`` of the sea; ``limit`` the
    maximum field of the whole path in dB(uV/m).
    """
    land = 0.0
    if sea_share < 1.0:
        land = curve_field_dbuvm(curves, LAND, blend, d, place_height(h1_m), sea_db, limit)
        if sea_share <= 0.0:
            return land
    sea_height = place_height(max(h1_m, SEA_H1_MIN_M))
    over_sea = curve_field_dbuvm(curves, sea, blend, d, sea_height, sea_db, limit)
    if sea_share >= 1.0:
        return over_sea
    return mixed_dbuvm(land, over_sea, sea_share)


@inner
def near_field_dbuvm(e_1km_dbuvm: float, d_km: float, rise_m: float) -> float:
    """Field below 1 km from the field at 1 km (P.1546-6, Annex 5, eq. 38); NaN where the antennas touch."""
    slant = slant_km(d_km, rise_m)
    if d_km <= _NEAREST_KM:
        return free_space_field_dbuvm(slant) if slant > 0.0 else math.nan
    slant_from = slant_km(_NEAREST_KM, rise_m)
    slant_to = slant_km(CURVES_FROM_KM, rise_m)
    near = free_space_field_dbuvm(slant_from)
    return near + (e_1km_dbuvm - near) * math.log(slant / slant_from) / math.log(slant_to / slant_from)


@inner
def maximum_dbuvm(d_km: float, rise_m: float, sea_share: float, sea_db: float) -> float:
    """Emax on the slope distance, sea part in proportion (P.1546-6, Annex 5, sec. 2; Annex 6, step 19)."""
    slant = slant_km(d_km, rise_m)
    if slant <= 0.0:
        return math.nan
    return free_space_field_dbuvm(slant) + sea_share * sea_enhancement_db(d_km, sea_db)


@inner
def curve_regime(f_mhz: float, d_km: float, h1_m: float, sea_share: float) -> int:
    """Index of the regime for the part of steps 5-11 that gives the field; ``d_km`` at least 1."""
    if d_km > _LAST_CURVE_KM:
        return _BEYOND
    if 0.0 < sea_share < 1.0:
        return _MIXED
    if sea_share >= 1.0:
        if f_mhz < 100.0 and d_km < d06_km(600.0, h1_m, 10.0):
            return _SEA_LOW_F
        if h1_m < 10.0:
            return _SEA_BELOW_10M
        return _SEA_ABOVE_1200M if h1_m > 1200.0 else _ON_SEA
    if h1_m < 0.0:
        return _LAND_NEGATIVE
    if h1_m < 10.0:
        return _LAND_BELOW_10M
    return _LAND_ABOVE_1200M if h1_m > 1200.0 else _ON_LAND


@inlined
def corrected_dbuvm(
    field_dbuvm: float,
    regime: int,
    d_km: float,
    h1_m: float,
    rise_m: float,
    slope_db: float,
    tca_deg: float,
    eff1_deg: float,
    eff2_deg: float,
    area: int,
    h2_m: float,
    r2_m: float,
    transmitter_db: float,
    constants: Constants,
) -> tuple[float, int]:
    """Field after the corrections of P.1546-6, Annex 6, steps 12-17, and the index of the limiting regime."""
    d1 = max(d_km, CURVES_FROM_KM)
    field = field_dbuvm
    if not math.isnan(tca_deg):
        field += terrain_clearance_db(tca_deg, constants)
    if not (math.isnan(eff1_deg) or math.isnan(eff2_deg)):
        scatter = troposcatter_dbuvm(d1, eff1_deg, eff2_deg, constants)
        if scatter > field:
            field = scatter
            regime = _TROPOSCATTER
    field += receiver_correction_db(area, d1, h1_m, h2_m, r2_m, constants)
    field += transmitter_db + slope_db
    if d_km < CURVES_FROM_KM:
        regime = _BELOW_40M if d_km <= _NEAREST_KM else _BELOW_1KM
        field = near_field_dbuvm(field, d_km, rise_m)
    return field, regime


@inner
def antenna_rise_m(ha_m: float, h2_m: float, htter_m: float, hrter_m: float) -> float:
    """How far the transmitting antenna stands above the receiving one (sec. 14); 0 where not known."""
    if math.isnan(ha_m):
        return 0.0
    if math.isnan(htter_m) or math.isnan(hrter_m):
        return ha_m - h2_m
    return ha_m + htter_m - h2_m - hrter_m


@inner
def location_correction_db(q_pct: float, area: int, f_mhz: float, terrain: bool, wa_m: float) -> float:
    """Correction from 50 % to ``q_pct`` of locations in dB; none at sea (P.1546-6, Annex 5, sec. 12)."""
    if q_pct == 50.0 or area == _AREA_SEA:
        return 0.0
    return normal_deviate(0.01 * q_pct) * location_sigma_db(area, f_mhz, terrain, wa_m)


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
    """Field of 1 kW e.r.p. in dB(uV/m), index of the regime, validity (P.1546-6, Annex 6). NaN = absent.

    ``curves`` of ``load_curves``; ``sea_km`` length of the path over sea, ``warm_sea`` whether any of it is
    warm, ``only_sea`` whether the path is a single stretch of sea (h1 is then the height above the sea);
    ``heff_m``, ``ha_m``, ``hb_m`` the heights of sec. 3, ``terrain`` whether terrain is known; ``area`` a
    code of ``Surroundings``; ``r1_m``, ``r2_m`` clutter at transmitter and receiver; ``wa_m`` side of the
    square for the spread of locations. Outside validity the value is still given; NaN only where undefined.
    """
    h1 = effective_height_m(d_km, only_sea, terrain, heff_m, ha_m, hb_m)
    defined = f_mhz > 0.0 and 0.0 <= d_km < math.inf and 0.0 < t_pct < 100.0 and 0.0 < q_pct < 100.0
    if not (defined and h2_m > 0.0) or math.isnan(h1):
        return math.nan, _UNDEFINED, False
    t = min(max(t_pct, 1.0), 50.0)
    constants = correction_constants(f_mhz, t)
    blend = place_blend(f_mhz, t)
    rise = antenna_rise_m(ha_m, h2_m, htter_m, hrter_m)
    sea_share = sea_share_of(d_km, sea_km, only_sea)
    d1 = max(d_km, CURVES_FROM_KM)
    d = place_distance(d1, math.log(d1))
    slope_db = slope_correction_db(d1, rise)
    sea = WARM_SEA if warm_sea else COLD_SEA
    limit = maximum_dbuvm(d1, rise, sea_share, constants.sea_db)
    field = path_field_dbuvm(curves, blend, d, h1, sea_share, sea, constants.sea_db, limit)
    regime = curve_regime(f_mhz, d1, h1, sea_share)
    known_clutter = not (math.isnan(r1_m) or math.isnan(ha_m))
    transmitter_db = transmitter_clutter_db(ha_m, r1_m, f_mhz) if known_clutter else 0.0
    field, regime = corrected_dbuvm(
        field,
        regime,
        d_km,
        h1,
        rise,
        slope_db,
        tca_deg,
        eff1_deg,
        eff2_deg,
        area,
        h2_m,
        r2_m,
        transmitter_db,
        constants,
    )
    field += location_correction_db(q_pct, area, f_mhz, terrain, wa_m)
    if d_km < CURVES_FROM_KM:
        limit = maximum_dbuvm(d_km, rise, sea_share, constants.sea_db)
    if field > limit:
        field, regime = limit, _FIELD_LIMIT
    if math.isnan(field):
        return math.nan, _UNDEFINED, False
    ranges = _ranges_hold(f_mhz, t_pct, d_km, area, h2_m, q_pct, wa_m, terrain)
    heights = _heights_hold(d_km, only_sea, terrain, heff_m, ha_m, hb_m)
    pairs = _pairs_hold(ha_m, r1_m, htter_m, hrter_m, eff1_deg, eff2_deg)
    return field, regime, ranges and heights and pairs


@inner
def sea_share_of(d_km: float, sea_km: float, only_sea: bool) -> float:
    """Sea part of the path, 0 to 1; an unknown length counts as land."""
    if only_sea:
        return 1.0
    if d_km > 0.0 and sea_km > 0.0:
        return min(sea_km / d_km, 1.0)
    return 0.0


@inner
def _ranges_hold(
    f_mhz: float, t_pct: float, d_km: float, area: int, h2_m: float, q_pct: float, wa_m: float, terrain: bool
) -> bool:
    """Whether the plain inputs lie in the ranges of P.1546-6, Annex 5, sec. 1, 9 and 12."""
    if not (30.0 <= f_mhz <= 4000.0 and 1.0 <= t_pct <= 50.0 and 0.0 < d_km <= _LAST_CURVE_KM):
        return False
    if h2_m < (3.0 if area == _AREA_SEA else 1.0) or not 1.0 <= q_pct <= 99.0:
        return False
    # The spread inside a square is only wanted away from the median.
    return not terrain or q_pct == 50.0 or area == _AREA_SEA or 50.0 <= wa_m <= 1000.0


@inner
def _heights_hold(
    d_km: float, only_sea: bool, terrain: bool, heff_m: float, ha_m: float, hb_m: float
) -> bool:
    """Whether h1 comes from given heights and lies within the range of P.1546-6, Annex 5, sec. 3."""
    if d_km < CURVES_FROM_KM and math.isnan(ha_m):
        return False
    if only_sea:
        return SEA_H1_MIN_M <= heff_m <= _H1_MAX_M
    if d_km < _TERRAIN_HEIGHT_FROM_KM and terrain and not math.isnan(hb_m):
        return hb_m <= _H1_MAX_M
    if d_km <= 3.0 and not terrain and not math.isnan(ha_m):
        return ha_m <= _H1_MAX_M
    return heff_m <= _H1_MAX_M


@inner
def _pairs_hold(
    ha_m: float, r1_m: float, htter_m: float, hrter_m: float, eff1_deg: float, eff2_deg: float
) -> bool:
    """Whether no correction had to be left out because one of its inputs is absent."""
    clutter = math.isnan(r1_m) or not math.isnan(ha_m)
    ground = math.isnan(htter_m) == math.isnan(hrter_m)
    return clutter and ground and math.isnan(eff1_deg) == math.isnan(eff2_deg)
