"""The curves of Rec. ITU-R P.1546-6 and their interpolation in distance, height, frequency and time.

Annex 5, sec. 4-7 and Annex 6, steps 5-10. Distance first, then height, frequency and time: the order
matters where the maximum field cuts in and for antennas below 10 m. The figures are ITU's (see
p1546_curves.txt beside the file). To rebuild the file from a CSV with the columns ``frequency_mhz, path,
time_percent, distance_km, h10 ... h1200``:

    python -m pipeline.propagation.p1546.curves curves.csv p1546_curves.npz
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.files import write_whole
from pipeline.kernels import constant, inner, kernel
from pipeline.propagation.free_space import free_space_field_dbuvm
from pipeline.propagation.p1546.corrections import d06_km, knife_edge_db, normal_deviate, sea_enhancement_db

Curves = NDArray[np.float64]
NOMINAL_MHZ = np.array([100.0, 600.0, 2000.0])
NOMINAL_T_PCT = np.array([1.0, 10.0, 50.0])
NOMINAL_H1_M = np.array([10.0, 20.0, 37.5, 75.0, 150.0, 300.0, 600.0, 1200.0])
NOMINAL_D_KM = np.concatenate(
    [np.arange(1, 20), np.arange(20, 100, 5), np.arange(100, 200, 10), np.arange(200, 1001, 25)]
).astype(np.float64)

_FILE = "p1546_curves.npz"
_PATHS = ("land", "cold_sea", "warm_sea")
_HEIGHT_COLUMNS = ("h10", "h20", "h37_5", "h75", "h150", "h300", "h600", "h1200")
_STEP_DB = 1e-6


class CurveSurface(IntEnum):
    """Kind of path of a family of curves: second index of the table."""

    LAND = 0
    COLD_SEA = 1
    WARM_SEA = 2


LAND, COLD_SEA, WARM_SEA = (constant(surface) for surface in CurveSurface)

_LN_D = np.log(NOMINAL_D_KM)
_PER_LN_D = 1.0 / np.diff(_LN_D)
_LN_H = np.log(NOMINAL_H1_M)
_PER_LN_H = 1.0 / np.diff(_LN_H)
_LN_F = np.log(NOMINAL_MHZ)
# Qi(0.01), Qi(0.1), Qi(0.5) by the polynomial of the Recommendation.
_Q_NOMINAL = np.array([normal_deviate.py_func(x) for x in (0.01, 0.1, 0.5)])

# Sharpness of the edge that stands for a negative height, at 100, 600, 2000 MHz (eq. 12).
_K_NU = np.array([1.35, 3.31, 6.00])


@cache
def load_curves() -> NDArray[np.float64]:
    """Field strength in dB(uV/m) for 1 kW e.r.p.: float64[3 f, 3 surface, 3 t, 78 d, 8 h1].

    Axes follow ``NOMINAL_MHZ``, ``CurveSurface``, ``NOMINAL_T_PCT``, ``NOMINAL_D_KM``, ``NOMINAL_H1_M``. The
    same array at each call: not to be written to.
    """
    with resources.files(__package__).joinpath(_FILE).open("rb") as stream, np.load(stream) as stored:
        # Division by a power of ten rounds once: the same doubles as reading the decimals of the source.
        return stored["field_microdb"].astype(np.float64) / 1e6


class Distance(NamedTuple):
    """A path length and its place in the table: index of the node below, weight of the one above (eq. 13)."""

    km: float
    i: int
    weight: float


class Height(NamedTuple):
    """An antenna height h1 and its place in the table (eq. 8); below 10 m it stands at the 10 m node."""

    m: float
    j: int
    weight: float


class Blend(NamedTuple):
    """Places of frequency and time: nominal value below, weight of the one above (eq. 14, 16)."""

    f_mhz: float
    kf: int
    f_weight: float
    kt: int
    t_weight: float


@inner
def place_distance(d_km: float, ln_d: float) -> Distance:
    """Place of ``d_km`` >= 1, its natural logarithm ``ln_d``; the last interval reaches beyond 1000 km."""
    if d_km < 20.0:
        i = max(int(d_km) - 1, 0)
    elif d_km < 100.0:
        i = 19 + int((d_km - 20.0) * 0.2)
    elif d_km < 200.0:
        i = 35 + int((d_km - 100.0) * 0.1)
    else:
        i = int(min(45.0 + (d_km - 200.0) * 0.04, 76.0))
    return Distance(d_km, i, (ln_d - _LN_D[i]) * _PER_LN_D[i])


@inner
def place_height(h1_m: float) -> Height:
    """Place of ``h1_m``; the last interval reaches above 1200 m."""
    if h1_m <= 10.0:
        return Height(h1_m, 0, 0.0)
    # A sum of comparisons: heights of neighbouring pixels jump, and a mispredicted branch costs more.
    low = int(h1_m >= 20.0) + int(h1_m >= 37.5) + int(h1_m >= 75.0)
    j = low + int(h1_m >= 150.0) + int(h1_m >= 300.0) + int(h1_m >= 600.0)
    return Height(h1_m, j, (math.log(h1_m) - _LN_H[j]) * _PER_LN_H[j])


@kernel
def place_blend(f_mhz: float, t_pct: float) -> Blend:
    """Places of ``f_mhz``, reaching below 100 and above 2000 MHz, and of 1 <= ``t_pct`` <= 50."""
    kf = 0 if f_mhz < 600.0 else 1
    f_weight = (math.log(f_mhz) - _LN_F[kf]) / (_LN_F[kf + 1] - _LN_F[kf])
    kt = 0 if t_pct < 10.0 else 1
    q = normal_deviate(0.01 * t_pct)
    return Blend(f_mhz, kf, f_weight, kt, (_Q_NOMINAL[kt] - q) / (_Q_NOMINAL[kt] - _Q_NOMINAL[kt + 1]))


@inner
def tabulated_dbuvm(
    curves: Curves, kf: int, s: int, kt: int, d: Distance, j: int, height_weight: float
) -> float:
    """Field of the family (kf, s, kt) at ``d`` between the heights j and j + 1."""
    i = d.i
    low = curves[kf, s, kt, i, j] + d.weight * (curves[kf, s, kt, i + 1, j] - curves[kf, s, kt, i, j])
    if height_weight == 0.0:
        return low
    above = curves[kf, s, kt, i, j + 1]
    high = above + d.weight * (curves[kf, s, kt, i + 1, j + 1] - above)
    return low + height_weight * (high - low)


@kernel
def negative_height_db(kf: int, h1_m: float) -> float:
    """Ch1: correction for a transmitting antenna below the mean terrain (P.1546-6, Annex 5, eq. 12)."""
    angle_deg = math.degrees(math.atan(-h1_m / 9000.0))
    return 6.03 - knife_edge_db(_K_NU[kf] * angle_deg)


# Ch1 at h1 = -10 m for each nominal frequency (eq. 9).
C_H1_NEG10_DB = np.array([negative_height_db.py_func(kf, -10.0) for kf in range(3)])


@inner
def below_10m_dbuvm(
    h1_m: float, e10_dbuvm: float, e20_dbuvm: float, neg10_db: float, negative_db: float
) -> float:
    """Field over land for h1 < 10 m from the curves of 10 and 20 m (P.1546-6, Annex 5, eq. 9 and 12).

    ``neg10_db`` Ch1 at -10 m; ``negative_db`` Ch1 at h1, used below 0 m.
    """
    e0_dbuvm = e10_dbuvm + 0.5 * (e10_dbuvm - e20_dbuvm + neg10_db)
    if h1_m < 0.0:
        return e0_dbuvm + negative_db
    return e0_dbuvm + 0.1 * h1_m * (e10_dbuvm - e0_dbuvm)


@inner
def _low_land_dbuvm(kf: int, h1_m: float, e10_dbuvm: float, e20_dbuvm: float) -> float:
    """``below_10m_dbuvm`` at a nominal frequency."""
    negative_db = negative_height_db(kf, h1_m) if h1_m < 0.0 else 0.0
    return below_10m_dbuvm(h1_m, e10_dbuvm, e20_dbuvm, C_H1_NEG10_DB[kf], negative_db)


@inner
def sea_maximum_dbuvm(d_km: float, sea_db: float) -> float:
    """Emax over sea on the level distance (P.1546-6, Annex 5, eq. 1 and 3)."""
    return free_space_field_dbuvm(d_km) + sea_enhancement_db(d_km, sea_db)


@inner
def _low_sea_dbuvm(
    curves: Curves, kf: int, s: int, kt: int, d: Distance, h1_m: float, sea_db: float, maximum_dbuvm: float
) -> float:
    """Field of a nominal family over sea for h1 < 10 m (P.1546-6, Annex 5, eq. 10 and 11)."""
    f_mhz = NOMINAL_MHZ[kf]
    d06_h1 = d06_km(f_mhz, h1_m, 10.0)
    if d.km <= d06_h1:
        return maximum_dbuvm
    share = math.log2(h1_m / 10.0)
    d06_20 = d06_km(f_mhz, 20.0, 10.0)
    if d.km < d06_20:
        at_20 = place_distance(d06_20, math.log(d06_20))
        near = sea_maximum_dbuvm(d06_h1, sea_db)
        e10 = tabulated_dbuvm(curves, kf, s, kt, at_20, 0, 0.0)
        e20 = tabulated_dbuvm(curves, kf, s, kt, at_20, 1, 0.0)
        far = e10 + (e20 - e10) * share
        return near + (far - near) * math.log(d.km / d06_h1) / math.log(d06_20 / d06_h1)
    e10 = tabulated_dbuvm(curves, kf, s, kt, d, 0, 0.0)
    e20 = tabulated_dbuvm(curves, kf, s, kt, d, 1, 0.0)
    far_share = (d.km - d06_20) / d.km
    sea_like = e10 + (e20 - e10) * share
    return sea_like * (1.0 - far_share) + _low_land_dbuvm(kf, h1_m, e10, e20) * far_share


@inner
def _family_dbuvm(
    curves: Curves, kf: int, s: int, kt: int, d: Distance, h1: Height, sea_db: float, maximum_dbuvm: float
) -> float:
    """Field at d and h1 of one nominal frequency and percentage of time (Annex 6, step 8)."""
    if h1.m >= 10.0:
        return min(tabulated_dbuvm(curves, kf, s, kt, d, h1.j, h1.weight), maximum_dbuvm)
    if s != LAND:
        return _low_sea_dbuvm(curves, kf, s, kt, d, h1.m, sea_db, maximum_dbuvm)
    e10 = tabulated_dbuvm(curves, kf, s, kt, d, 0, 0.0)
    e20 = tabulated_dbuvm(curves, kf, s, kt, d, 1, 0.0)
    return _low_land_dbuvm(kf, h1.m, e10, e20)


@inner
def _at_frequency_dbuvm(
    curves: Curves,
    s: int,
    kt: int,
    blend: Blend,
    d: Distance,
    h1: Height,
    sea_db: float,
    maximum_dbuvm: float,
) -> float:
    """Field of a nominal percentage of time at the wanted frequency (eq. 14); capped above 2000 MHz."""
    low = _family_dbuvm(curves, blend.kf, s, kt, d, h1, sea_db, maximum_dbuvm)
    if blend.f_weight == 0.0:
        return low
    high = _family_dbuvm(curves, blend.kf + 1, s, kt, d, h1, sea_db, maximum_dbuvm)
    field = low + blend.f_weight * (high - low)
    return min(field, maximum_dbuvm) if blend.f_mhz > 2000.0 else field


@inner
def _sea_below_100mhz_dbuvm(
    curves: Curves,
    s: int,
    kt: int,
    blend: Blend,
    d: Distance,
    h1: Height,
    sea_db: float,
    maximum_dbuvm: float,
) -> float:
    """Field over sea below 100 MHz, where extrapolation alone fails at short distances (eq. 15).

    As in the reference code the families at d600 are limited by the maximum field of the wanted distance.
    """
    d600 = d06_km(600.0, h1.m, 10.0)
    if d.km >= d600:
        return _at_frequency_dbuvm(curves, s, kt, blend, d, h1, sea_db, maximum_dbuvm)
    df = d06_km(blend.f_mhz, h1.m, 10.0)
    if d.km <= df:
        return sea_maximum_dbuvm(d.km, sea_db)
    at_600 = place_distance(d600, math.log(d600))
    far = _at_frequency_dbuvm(curves, s, kt, blend, at_600, h1, sea_db, maximum_dbuvm)
    near = sea_maximum_dbuvm(df, sea_db)
    return near + (far - near) * math.log(d.km / df) / math.log(d600 / df)


@inner
def curve_field_dbuvm(
    curves: Curves, s: int, blend: Blend, d: Distance, h1: Height, sea_db: float, maximum_dbuvm: float
) -> float:
    """Field over a path of one kind, 1 kW e.r.p., receiver at the reference height (Annex 6, steps 5-10).

    ``curves`` float64[3, 3, 3, 78, 8] of ``load_curves``; ``s`` a code of ``CurveSurface``; ``sea_db`` and
    ``maximum_dbuvm`` the terms of eq. 3 and 1 for the wanted percentage of time and distance.
    """
    low_sea = s != LAND and blend.f_mhz < 100.0
    field = 0.0
    for step in range(2):
        weight = blend.t_weight if step == 1 else 1.0 - blend.t_weight
        if weight == 0.0:
            continue
        kt = blend.kt + step
        if low_sea:
            at_f = _sea_below_100mhz_dbuvm(curves, s, kt, blend, d, h1, sea_db, maximum_dbuvm)
        else:
            at_f = _at_frequency_dbuvm(curves, s, kt, blend, d, h1, sea_db, maximum_dbuvm)
        field += weight * at_f
    return field


def build_file(csv: Path, out: Path) -> None:
    """Write the compact table file: the decimals of ``csv`` as int32 multiples of 1e-6 dB(uV/m)."""
    table = pd.read_csv(csv)
    keys = ["frequency_mhz", "path", "time_percent", "distance_km"]
    levels: list[Sequence[object]] = [list(NOMINAL_MHZ), _PATHS, list(NOMINAL_T_PCT), list(NOMINAL_D_KM)]
    order: pd.MultiIndex = pd.MultiIndex.from_product(levels, names=keys)
    field = table.set_index(keys).loc[order, list(_HEIGHT_COLUMNS)].to_numpy()
    shape = (NOMINAL_MHZ.size, len(_PATHS), NOMINAL_T_PCT.size, NOMINAL_D_KM.size, NOMINAL_H1_M.size)
    field_microdb = np.rint(field.reshape(shape) / _STEP_DB).astype(np.int32)
    stream = io.BytesIO()
    np.savez_compressed(stream, field_microdb=field_microdb)
    write_whole(out, stream.getvalue())


if __name__ == "__main__":
    build_file(Path(sys.argv[1]), Path(sys.argv[2]))
