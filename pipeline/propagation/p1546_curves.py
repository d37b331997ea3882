"""Interpolation of the curves of Rec. ITU-R P.1546-6 in distance, height, frequency and time.

Annex 5, sec. 4-7 and Annex 6, steps 5-10. Distance first, then height, frequency and time: the order
matters where the maximum field cuts in and for antennas below 10 m.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.numba_options import kernel
from pipeline.propagation.p1546_corrections import (
    d06_km,
    free_space_dbuvm,
    knife_edge_db,
    normal_deviate,
    sea_enhancement_db,
)
from pipeline.propagation.p1546_tables import NOMINAL_D_KM, NOMINAL_H1_M, NOMINAL_MHZ, Surface

Curves = NDArray[np.float64]
LAND = int(Surface.LAND)

LN_D = np.log(NOMINAL_D_KM)
PER_LN_D = 1.0 / np.diff(LN_D)
LN_H = np.log(NOMINAL_H1_M)
PER_LN_H = 1.0 / np.diff(LN_H)
LN_F = np.log(NOMINAL_MHZ)
# Qi(0.01), Qi(0.1), Qi(0.5) by the polynomial of the Recommendation.
Q_NOMINAL = np.array([normal_deviate.py_func(x) for x in (0.01, 0.1, 0.5)])

# Sharpness of the edge that stands for a negative height, at 100, 600, 2000 MHz (eq. 12).
K_NU = np.array([1.35, 3.31, 6.00])


@kernel
def distance_cell(d_km: float) -> tuple[int, float]:
    """Index of the tabulated distance below and the logarithmic weight of the one above (eq. 13)."""
    if d_km < 20.0:
        i = max(int(d_km) - 1, 0)
    elif d_km < 100.0:
        i = 19 + int((d_km - 20.0) * 0.2)
    elif d_km < 200.0:
        i = 35 + int((d_km - 100.0) * 0.1)
    else:
        i = min(45 + int((d_km - 200.0) * 0.04), 76)
    return i, (math.log(d_km) - LN_D[i]) * PER_LN_D[i]


@kernel
def height_cell(h1_m: float) -> tuple[int, float]:
    """Index of the tabulated height below and the logarithmic weight of the one above (eq. 8)."""
    if h1_m <= 10.0:
        return 0, 0.0
    if h1_m < 75.0:
        j = 0 if h1_m < 20.0 else (1 if h1_m < 37.5 else 2)
    elif h1_m < 300.0:
        j = 3 if h1_m < 150.0 else 4
    else:
        j = 5 if h1_m < 600.0 else 6
    return j, (math.log(h1_m) - LN_H[j]) * PER_LN_H[j]


@kernel
def frequency_cell(f_mhz: float) -> tuple[int, float]:
    """Index of the nominal frequency below and the logarithmic weight of the one above (eq. 14)."""
    k = 0 if f_mhz < 600.0 else 1
    return k, (math.log(f_mhz) - LN_F[k]) / (LN_F[k + 1] - LN_F[k])


@kernel
def time_cell(t_pct: float) -> tuple[int, float]:
    """Index of the nominal percentage below and the weight of the one above (eq. 16)."""
    k = 0 if t_pct < 10.0 else 1
    q = normal_deviate(0.01 * t_pct)
    return k, (Q_NOMINAL[k] - q) / (Q_NOMINAL[k] - Q_NOMINAL[k + 1])


@kernel
def tabulated_dbuvm(curves: Curves, kf: int, s: int, kt: int, i: int, wd: float, j: int, wh: float) -> float:
    """Field of family (kf, s, kt) inside the cell (i, j), weights ``wd`` in distance and ``wh`` in height."""
    low = curves[kf, s, kt, i, j] + wd * (curves[kf, s, kt, i + 1, j] - curves[kf, s, kt, i, j])
    high = curves[kf, s, kt, i, j + 1] + wd * (curves[kf, s, kt, i + 1, j + 1] - curves[kf, s, kt, i, j + 1])
    return low + wh * (high - low)


@kernel
def negative_height_db(kf: int, h1_m: float) -> float:
    """Ch1: correction for a transmitting antenna below the mean terrain (P.1546-6, Annex 5, eq. 12)."""
    angle_deg = math.degrees(math.atan(-h1_m / 9000.0))
    return 6.03 - knife_edge_db(K_NU[kf] * angle_deg)


# Ch1 at h1 = -10 m for each nominal frequency (eq. 9).
C_H1_NEG10_DB = np.array([negative_height_db.py_func(kf, -10.0) for kf in range(3)])


@kernel
def below_10m_dbuvm(kf: int, h1_m: float, e10_dbuvm: float, e20_dbuvm: float) -> float:
    """Field over land for h1 < 10 m from the curves of 10 and 20 m (P.1546-6, Annex 5, eq. 9 and 12)."""
    e0_dbuvm = e10_dbuvm + 0.5 * (e10_dbuvm - e20_dbuvm + C_H1_NEG10_DB[kf])
    if h1_m < 0.0:
        return e0_dbuvm + negative_height_db(kf, h1_m)
    return e0_dbuvm + 0.1 * h1_m * (e10_dbuvm - e0_dbuvm)


@kernel
def sea_maximum_dbuvm(d_km: float, t_pct: float) -> float:
    """Emax over sea on the level distance (P.1546-6, Annex 5, eq. 1 and 3)."""
    return free_space_dbuvm(d_km) + sea_enhancement_db(d_km, t_pct)


@kernel
def sea_below_10m_dbuvm(
    curves: Curves,
    kf: int,
    s: int,
    kt: int,
    d_km: float,
    i: int,
    wd: float,
    h1_m: float,
    t_pct: float,
    maximum_dbuvm: float,
) -> float:
    """Field of a nominal family over sea for h1 < 10 m (P.1546-6, Annex 5, eq. 10 and 11)."""
    f_mhz = NOMINAL_MHZ[kf]
    d06_h1 = d06_km(f_mhz, h1_m, 10.0)
    if d_km <= d06_h1:
        return maximum_dbuvm
    share = math.log2(h1_m / 10.0)
    d06_20 = d06_km(f_mhz, 20.0, 10.0)
    if d_km < d06_20:
        i20, w20 = distance_cell(d06_20)
        near = sea_maximum_dbuvm(d06_h1, t_pct)
        e10 = tabulated_dbuvm(curves, kf, s, kt, i20, w20, 0, 0.0)
        e20 = tabulated_dbuvm(curves, kf, s, kt, i20, w20, 1, 0.0)
        far = e10 + (e20 - e10) * share
        return near + (far - near) * math.log(d_km / d06_h1) / math.log(d06_20 / d06_h1)
    e10 = tabulated_dbuvm(curves, kf, s, kt, i, wd, 0, 0.0)
    e20 = tabulated_dbuvm(curves, kf, s, kt, i, wd, 1, 0.0)
    far_share = (d_km - d06_20) / d_km
    sea_like = e10 + (e20 - e10) * share
    return sea_like * (1.0 - far_share) + below_10m_dbuvm(kf, h1_m, e10, e20) * far_share


@kernel
def family_dbuvm(
    curves: Curves,
    kf: int,
    s: int,
    kt: int,
    d_km: float,
    i: int,
    wd: float,
    h1_m: float,
    j: int,
    wh: float,
    t_pct: float,
    maximum_dbuvm: float,
) -> float:
    """Field at d and h1 of one nominal frequency and percentage of time (Annex 6, step 8)."""
    if h1_m >= 10.0:
        return min(tabulated_dbuvm(curves, kf, s, kt, i, wd, j, wh), maximum_dbuvm)
    if s != LAND:
        return sea_below_10m_dbuvm(curves, kf, s, kt, d_km, i, wd, h1_m, t_pct, maximum_dbuvm)
    e10 = tabulated_dbuvm(curves, kf, s, kt, i, wd, 0, 0.0)
    e20 = tabulated_dbuvm(curves, kf, s, kt, i, wd, 1, 0.0)
    return below_10m_dbuvm(kf, h1_m, e10, e20)


@kernel
def _at_frequency_dbuvm(
    curves: Curves,
    s: int,
    kt: int,
    kf: int,
    wf: float,
    f_mhz: float,
    d_km: float,
    i: int,
    wd: float,
    h1_m: float,
    j: int,
    wh: float,
    t_pct: float,
    maximum_dbuvm: float,
) -> float:
    """Field of a nominal percentage of time at the wanted frequency (eq. 14); capped above 2000 MHz."""
    low = family_dbuvm(curves, kf, s, kt, d_km, i, wd, h1_m, j, wh, t_pct, maximum_dbuvm)
    if wf == 0.0:
        return low
    high = family_dbuvm(curves, kf + 1, s, kt, d_km, i, wd, h1_m, j, wh, t_pct, maximum_dbuvm)
    field = low + wf * (high - low)
    return min(field, maximum_dbuvm) if f_mhz > 2000.0 else field


@kernel
def _sea_below_100mhz_dbuvm(
    curves: Curves,
    s: int,
    kt: int,
    wf: float,
    f_mhz: float,
    d_km: float,
    i: int,
    wd: float,
    h1_m: float,
    j: int,
    wh: float,
    t_pct: float,
    maximum_dbuvm: float,
) -> float:
    """Field over sea below 100 MHz, where extrapolation alone fails at short distances (eq. 15)."""
    d600 = d06_km(600.0, h1_m, 10.0)
    if d_km >= d600:
        return _at_frequency_dbuvm(
            curves, s, kt, 0, wf, f_mhz, d_km, i, wd, h1_m, j, wh, t_pct, maximum_dbuvm
        )
    df = d06_km(f_mhz, h1_m, 10.0)
    if d_km <= df:
        return sea_maximum_dbuvm(d_km, t_pct)
    i600, w600 = distance_cell(d600)
    limit = sea_maximum_dbuvm(d600, t_pct)
    far = _at_frequency_dbuvm(curves, s, kt, 0, wf, f_mhz, d600, i600, w600, h1_m, j, wh, t_pct, limit)
    near = sea_maximum_dbuvm(df, t_pct)
    return near + (far - near) * math.log(d_km / df) / math.log(d600 / df)


@kernel
def curve_field_dbuvm(
    curves: Curves, s: int, f_mhz: float, t_pct: float, d_km: float, h1_m: float, maximum_dbuvm: float
) -> float:
    """Field over a path of one kind, 1 kW e.r.p., receiver at the reference height (Annex 6, steps 5-10).

    ``curves`` float64[3, 3, 3, 78, 8] of ``load_curves``; ``s`` a code of ``Surface``; 1 <= d_km.
    """
    i, wd = distance_cell(d_km)
    j, wh = height_cell(h1_m)
    kf, wf = frequency_cell(f_mhz)
    kt, wt = time_cell(t_pct)
    low_sea = s != LAND and f_mhz < 100.0
    field = 0.0
    for step in range(2):
        weight = wt if step == 1 else 1.0 - wt
        if weight == 0.0:
            continue
        if low_sea:
            at_f = _sea_below_100mhz_dbuvm(
                curves, s, kt + step, wf, f_mhz, d_km, i, wd, h1_m, j, wh, t_pct, maximum_dbuvm
            )
        else:
            at_f = _at_frequency_dbuvm(
                curves, s, kt + step, kf, wf, f_mhz, d_km, i, wd, h1_m, j, wh, t_pct, maximum_dbuvm
            )
        field += weight * at_f
    return field
