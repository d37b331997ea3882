"""Slow readings of single parts of Rec. ITU-R P.1546-6 with SciPy, to hold the kernels against."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import RegularGridInterpolator

FREQUENCIES_MHZ = (100.0, 600.0, 2000.0)
TIMES_PCT = (1.0, 10.0, 50.0)
HEIGHTS_M = (10.0, 20.0, 37.5, 75.0, 150.0, 300.0, 600.0, 1200.0)
DISTANCES_KM = np.array(
    [*range(1, 20), *range(20, 100, 5), *range(100, 200, 10), *range(200, 1001, 25)], dtype=float
)


def deviate(x):
    """Qi of the Recommendation in its own terms T and C."""
    if x > 0.5:
        return -deviate(1 - x)
    t = math.sqrt(-2 * math.log(x))
    return t - (2.515517 + 0.802853 * t + 0.010328 * t**2) / (
        1 + 1.432788 * t + 0.189269 * t**2 + 0.001308 * t**3
    )


def knife_edge(nu):
    return 0.0 if nu <= -0.7806 else 6.9 + 20 * math.log10(math.hypot(nu - 0.1, 1) + nu - 0.1)


def land_interpolator(curves):
    """Field of land curves as a function of (f, t, d, h1), multilinear in log f, Qi(t), log d, log h1."""
    times = [-deviate(t / 100) for t in TIMES_PCT]
    axes = (np.log(FREQUENCIES_MHZ), times, np.log(DISTANCES_KM), np.log(HEIGHTS_M))
    table = RegularGridInterpolator(axes, curves[:, 0])

    def field(f_mhz, t_pct, d_km, h1_m):
        place = (math.log(f_mhz), -deviate(t_pct / 100), math.log(d_km), math.log(h1_m))
        return table(place).item()

    return field
