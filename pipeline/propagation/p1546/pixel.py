"""Rec. ITU-R P.1546-6 for rasters: one frequency and percentage prepared once, then one light call per pixel.

The prepared curves are the linear combination in frequency and time, so a pixel interpolates one table
instead of four. Where a limit of the Recommendation acts inside the combination the families are evaluated
one by one, with the code of single links: both give the same field.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import inlined, inner, kernel
from pipeline.propagation.free_space import FIELD_AT_1KM_DBUVM, free_space_field_dbuvm
from pipeline.propagation.models import Surroundings
from pipeline.propagation.p1546.corrections import (
    EFFECTIVE_EARTH_KM,
    TCA_LOW_DEG,
    Constants,
    correction_constants,
    sea_enhancement_db,
    slope_correction_db,
    terrain_clearance_db,
)
from pipeline.propagation.p1546.curves import (
    C_H1_NEG10_DB,
    COLD_SEA,
    LAND,
    NOMINAL_D_KM,
    WARM_SEA,
    Blend,
    Curves,
    CurveSurface,
    Distance,
    Height,
    below_10m_dbuvm,
    curve_field_dbuvm,
    negative_height_db,
    place_blend,
    place_distance,
    place_height,
)
from pipeline.propagation.p1546.link import (
    CURVES_FROM_KM,
    SEA_H1_MIN_M,
    antenna_rise_m,
    corrected_dbuvm,
    effective_height_m,
    maximum_dbuvm,
    mixed_dbuvm,
    sea_share_of,
)

_RURAL = int(Surroundings.RURAL)
# Fresnel distance D06 of 2000 MHz and 20 m: beyond it sea paths below 10 m no longer touch the maximum field.
_LOW_SEA_UP_TO_KM = 10.5
_REFERENCE_H2_M = 10.0
# Clutter at the receiver of a flat path: that of rural surroundings (P.1546-6, Annex 5, sec. 9).
_FLAT_CLUTTER_M = 10.0
_DB_PER_NEPER = 20.0 / math.log(10.0)


# Layers of ``PreparedCurves.tables_db``: fields of the three surfaces, clearances of their cells, bounds.
_CLEARANCE = 3
_BOUND = 6
_STEEPEST = 9


class PreparedCurves(NamedTuple):
    """What ``p1546_pixel_field`` knows of one frequency and percentage of time; made by ``prepare``.

    ``tables_db`` float64[10, 78 d, 8 h1], one array because each costs a kernel call some nanoseconds:
    0-2 the curves of ``CurveSurface`` in dB(uV/m); 3-5 how far the families stay below free space in the cell
    (i, j); 6-8 the largest of the curves of land and of the surface, made monotone from above; 9 the largest
    gain from 600 to 1200 m of the same at d or beyond, in columns 0-2. ``low_extra_db`` how far a height
    below 10 m may exceed the bound of 10 m; ``neg10_db`` Ch1 at -10 m.
    """

    tables_db: NDArray[np.float64]
    low_extra_db: float
    neg10_db: float
    blend: Blend
    constants: Constants


def prepare(curves: Curves, f_mhz: float, t_pct: float) -> PreparedCurves:
    """Combine ``curves`` (``load_curves``) for one frequency and percentage of time, taken into 1-50 %.

    P.1546-6, Annex 5, eq. 14 and 16.
    """
    t = min(max(t_pct, 1.0), 50.0)
    blend = place_blend(f_mhz, t)
    f_shares = np.array([1.0 - blend.f_weight, blend.f_weight])
    t_shares = np.array([1.0 - blend.t_weight, blend.t_weight])
    families = curves[blend.kf : blend.kf + 2, :, blend.kt : blend.kt + 2]
    field = np.einsum("f,t,fstdh->sdh", f_shares, t_shares, families)
    tables = np.zeros((10, *field.shape[1:]))
    tables[:_CLEARANCE] = field
    tables[_CLEARANCE:_BOUND, :-1, :-1] = _cell_clearance_db(families, f_shares, t_shares)
    gain = np.maximum(field[:, :, 7] - field[:, :, 6], 0.0)
    for s in CurveSurface:
        with_land = [LAND, int(s)]
        tables[_BOUND + s] = _monotone_bound(field[with_land])
        tables[_STEEPEST, :, s] = _running_maximum(gain[with_land].max(axis=0))
    neg10 = float(f_shares @ C_H1_NEG10_DB[blend.kf : blend.kf + 2])
    return PreparedCurves(tables, _low_extra_db(field, neg10), neg10, blend, correction_constants(f_mhz, t))


def _cell_clearance_db(
    families: NDArray[np.float64], f_shares: NDArray[np.float64], t_shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far the families in use, and their mean in frequency, stay below free space: float64[3, 77, 7].

    Free space and the interpolation are linear in log d, so the corners of a cell decide for all of it.
    """
    free_space = FIELD_AT_1KM_DBUVM - 20.0 * np.log10(NOMINAL_D_KM)[:, None]
    used = families[f_shares != 0.0][:, :, t_shares != 0.0]
    mean = np.einsum("f,fstdh->sdht", f_shares, families)[..., t_shares != 0.0]
    highest = np.maximum(used.max(axis=(0, 2)), mean.max(axis=-1))
    below = free_space - highest
    across = np.minimum(below[:, 1:, :], below[:, :-1, :])
    return np.minimum(across[:, :, 1:], across[:, :, :-1])


def _running_maximum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest value at this distance or beyond, along the first axis."""
    return np.maximum.accumulate(values[::-1], axis=0)[::-1]


def _monotone_bound(field_dbuvm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least table not below any of [surface, 78, 8] that falls with distance and rises with height."""
    highest = field_dbuvm.max(axis=0)
    return _running_maximum(np.maximum.accumulate(highest, axis=1))


def _low_extra_db(field_dbuvm: NDArray[np.float64], neg10_db: float) -> float:
    """Most by which a field for h1 < 10 m exceeds that of 10 m on any surface (eq. 9, 11)."""
    drop = field_dbuvm[:, :, 0] - field_dbuvm[:, :, 1]
    # Eq. 11: (E20 - E10) log2(h1/10), h1 >= 3 m; eq. 9: half of (E10 - E20 + Ch1(-10)).
    over_sea = max(float(drop.max()) * math.log2(10.0 / SEA_H1_MIN_M), 0.0)
    return max(over_sea, 0.5 * (float(drop.max()) + neg10_db), 0.0)


@inner
def _cell_dbuvm(tables: NDArray[np.float64], layer: int, d: Distance, j: int, weight: float) -> float:
    """Bilinear value of a layer of ``PreparedCurves.tables_db`` at ``d`` between the heights j and j + 1."""
    i = d.i
    low = tables[layer, i, j] + d.weight * (tables[layer, i + 1, j] - tables[layer, i, j])
    high = tables[layer, i, j + 1] + d.weight * (tables[layer, i + 1, j + 1] - tables[layer, i, j + 1])
    return low + weight * (high - low)


@kernel
def _low_land_dbuvm(
    tables: NDArray[np.float64], blend: Blend, neg10_db: float, d: Distance, h1_m: float
) -> float:
    """Land field for h1 < 10 m from the prepared curves (P.1546-6, Annex 5, eq. 9 and 12)."""
    e10 = _cell_dbuvm(tables, LAND, d, 0, 0.0)
    e20 = _cell_dbuvm(tables, LAND, d, 1, 0.0)
    negative_db = 0.0
    if h1_m < 0.0:
        low = negative_height_db(blend.kf, h1_m)
        negative_db = low + blend.f_weight * (negative_height_db(blend.kf + 1, h1_m) - low)
    return below_10m_dbuvm(h1_m, e10, e20, neg10_db, negative_db)


@inner
def _limited_dbuvm(
    prepared: PreparedCurves, curves: Curves, s: int, d: Distance, h1_m: float, limit_dbuvm: float
) -> float:
    """Field over one surface where a limit or a rule for sea may act on a single family."""
    if h1_m < 10.0 and s == LAND and prepared.blend.f_mhz <= 2000.0:
        return _low_land_dbuvm(prepared.tables_db, prepared.blend, prepared.neg10_db, d, h1_m)
    sea_db = prepared.constants.sea_db
    return curve_field_dbuvm(curves, s, prepared.blend, d, place_height(h1_m), sea_db, limit_dbuvm)


@inlined
def _surface_dbuvm(
    prepared: PreparedCurves,
    curves: Curves,
    s: int,
    d: Distance,
    h1: Height,
    limit_dbuvm: float,
    excess_db: float,
) -> float:
    """Field over one surface; ``excess_db`` = limit minus free space on the level distance.

    Straight from the prepared curves where most pixels lie; the rest is a call, which costs more.
    """
    tables, by_frequency = prepared.tables_db, s == LAND or prepared.blend.f_mhz >= 100.0
    in_table = 10.0 <= h1.m <= 1200.0 and d.km <= 1000.0
    if in_table and by_frequency and -excess_db <= tables[_CLEARANCE + s, d.i, h1.j]:
        return _cell_dbuvm(tables, s, d, h1.j, h1.weight)
    return _limited_dbuvm(prepared, curves, s, d, h1.m, limit_dbuvm)


@inlined
def _path_dbuvm(
    prepared: PreparedCurves,
    curves: Curves,
    d: Distance,
    h1_m: float,
    sea_share: float,
    warm_sea: bool,
    limit_dbuvm: float,
    excess_db: float,
) -> float:
    """Field over land, sea or a mixed path (P.1546-6, Annex 6, steps 5-11)."""
    h1 = place_height(h1_m)
    if sea_share <= 0.0:
        return _surface_dbuvm(prepared, curves, LAND, d, h1, limit_dbuvm, excess_db)
    h1_sea = place_height(SEA_H1_MIN_M) if h1_m < SEA_H1_MIN_M else h1
    s = WARM_SEA if warm_sea else COLD_SEA
    over_sea = _surface_dbuvm(prepared, curves, s, d, h1_sea, limit_dbuvm, excess_db)
    if sea_share >= 1.0:
        return over_sea
    over_land = _surface_dbuvm(prepared, curves, LAND, d, h1, limit_dbuvm, excess_db)
    return mixed_dbuvm(over_land, over_sea, sea_share)


@inlined
def p1546_pixel_field(
    prepared: PreparedCurves,
    curves: Curves,
    d_km: float,
    heff_m: float,
    hb_m: float,
    ha_m: float,
    h2_m: float,
    r2_m: float,
    area: int,
    sea_km: float,
    warm_sea: bool,
    tca_deg: float,
    theta_eff1_deg: float,
    terrain: bool,
    rise_m: float = math.nan,
) -> float:
    """Median field of 1 kW e.r.p. in dB(uV/m) at one pixel: ``p1546_field`` without its rarer inputs.

    ``prepared`` = ``prepare(curves, f_mhz, t_pct)``. Heights as in ``p1546_field``; ``sea_km`` sea part of
    the path, the whole path taken as sea where it reaches ``d_km``; ``tca_deg`` clearance angle at the
    receiver, not clipped, NaN = unknown; with ``theta_eff1_deg`` (horizon angle at the transmitter) the
    troposcatter floor is applied. ``rise_m`` how far the transmitting antenna stands above the receiving one
    by the heights of the terrain (eq. 37b); NaN = by their heights above ground. NaN where undefined.
    """
    only_sea = sea_km >= d_km
    h1 = effective_height_m(d_km, only_sea, terrain, heff_m, ha_m, hb_m)
    if not (0.0 <= d_km < math.inf and h2_m > 0.0) or math.isnan(h1):
        return math.nan
    sea_share = sea_share_of(d_km, sea_km, only_sea)
    rise = antenna_rise_m(ha_m, h2_m, math.nan, math.nan) if math.isnan(rise_m) else rise_m
    d1 = max(d_km, CURVES_FROM_KM)
    ln_d = math.log(d1)
    d = place_distance(d1, ln_d)
    slope_db = slope_correction_db(d1, rise)
    excess_db = slope_db
    if sea_share > 0.0:
        excess_db += sea_share * sea_enhancement_db(d1, prepared.constants.sea_db)
    limit = FIELD_AT_1KM_DBUVM - _DB_PER_NEPER * ln_d + excess_db
    field = _path_dbuvm(prepared, curves, d, h1, sea_share, warm_sea, limit, excess_db)
    eff1 = math.nan if math.isnan(tca_deg) else theta_eff1_deg
    field = corrected_dbuvm(
        field, 0, d_km, h1, rise, slope_db, tca_deg, eff1, tca_deg, area, h2_m, r2_m, 0.0, prepared.constants
    )[0]
    if d_km < CURVES_FROM_KM:
        limit = maximum_dbuvm(d_km, rise, sea_share, prepared.constants.sea_db)
    return limit if field > limit else field


@kernel
def device_field_dbuvm(
    prepared: PreparedCurves,
    curves: Curves,
    d_km: float,
    h1_m: float,
    ha_m: float,
    h2_m: float,
    sea_km: float,
) -> float:
    """Median field of 1 kW e.r.p. of a device in dB(uV/m), ``sea_km`` of the path over cold sea.

    ``h1_m`` its effective height at any distance, ``ha_m`` its antenna above ground, ``h2_m`` that of the
    receiver, in rural surroundings. The slope counts the antennas alone, no terrain heights (docs/method.md,
    section 9).
    """
    nan = math.nan
    return p1546_pixel_field(
        prepared, curves, d_km, h1_m, h1_m, ha_m, h2_m, _FLAT_CLUTTER_M, _RURAL, sea_km, False, nan, nan, True
    )


@inner
def flat_path_field_dbuvm(
    prepared: PreparedCurves, curves: Curves, d_km: float, h1_m: float, h2_m: float, sea_km: float
) -> float:
    """The same over flat land: the antenna above ground, ``h1_m``, is the effective height."""
    return device_field_dbuvm(prepared, curves, d_km, h1_m, h1_m, h2_m, sea_km)


@kernel
def p1546_upper_bound(
    prepared: PreparedCurves,
    d_km: float,
    h1_max_m: float,
    sea_share: float,
    warm_sea: bool,
    h2_m: float = _REFERENCE_H2_M,
    theta_min_deg: float = -180.0,
) -> float:
    """Field in dB(uV/m) for 1 kW e.r.p. that no pixel at ``d_km`` or beyond exceeds; never rises with d.

    Assumes h1 (heff, hb, ha, whichever applies) <= ``h1_max_m``, a receiver not above ``h2_m`` and at most
    ``sea_share`` of each path over sea. ``theta_min_deg`` is a lower bound of transmitter horizon plus
    clearance angle, for the troposcatter floor; NaN where no clearance angle is given to the pixels. Loose,
    but never wrong, outside 100-2000 MHz and up to 10.5 km over sea.
    """
    if d_km <= 0.0:
        return math.inf
    limit = free_space_field_dbuvm(d_km)
    if sea_share > 0.0:
        limit += sea_share * sea_enhancement_db(d_km, prepared.constants.sea_db)
    f_mhz = prepared.blend.f_mhz
    near_sea = sea_share > 0.0 and d_km <= _LOW_SEA_UP_TO_KM
    if d_km < CURVES_FROM_KM or near_sea or not 100.0 <= f_mhz <= 2000.0:
        return limit
    field = _curve_bound_dbuvm(prepared, d_km, h1_max_m, LAND)
    if sea_share > 0.0:
        over_sea = _curve_bound_dbuvm(prepared, d_km, h1_max_m, WARM_SEA if warm_sea else COLD_SEA)
        field += _sea_excess_bound_db(over_sea - field, sea_share)
    if not math.isnan(theta_min_deg):
        field += max(terrain_clearance_db(TCA_LOW_DEG, prepared.constants), 0.0)
        angle = math.degrees(d_km / EFFECTIVE_EARTH_KM) + theta_min_deg
        scatter = prepared.constants.scatter_db - 20.0 * math.log10(d_km) - 10.0 * max(angle, 0.0)
        field = max(field, scatter)
    if h2_m > _REFERENCE_H2_M:
        field += prepared.constants.height_gain_db * math.log10(h2_m / _REFERENCE_H2_M)
    return min(field, limit)


@inner
def _sea_excess_bound_db(excess_db: float, sea_share: float) -> float:
    """Most by which a mixed path may exceed land where sea exceeds land by up to ``excess_db`` >= 0.

    A Delta = A0^(1 + Delta / 40) Delta (P.1546-6, Annex 5, sec. 8) rises up to Delta = -40 / ln A0 only.
    """
    if sea_share >= 1.0:
        return excess_db
    a0 = 1.0 - (1.0 - sea_share) ** (2.0 / 3.0)
    excess = min(excess_db, -40.0 / math.log(a0))
    return excess * a0 ** (1.0 + excess / 40.0)


@inner
def _curve_bound_dbuvm(prepared: PreparedCurves, d_km: float, h1_max_m: float, s: int) -> float:
    """Bound of the curves of land and of the surface ``s`` from the monotone tables."""
    d = place_distance(d_km, math.log(d_km))
    last = min(d.weight, 1.0)
    d = Distance(d_km, d.i, last)
    if h1_max_m <= 1200.0:
        h1 = place_height(max(h1_max_m, 10.0))
        return _cell_dbuvm(prepared.tables_db, _BOUND + s, d, h1.j, h1.weight) + prepared.low_extra_db
    weight = place_height(h1_max_m).weight - 1.0
    low = prepared.tables_db[_STEEPEST, d.i, s]
    steepest = low + d.weight * (prepared.tables_db[_STEEPEST, d.i + 1, s] - low)
    top = _cell_dbuvm(prepared.tables_db, _BOUND + s, d, 6, 1.0)
    return top + weight * steepest + prepared.low_extra_db
