"""A Walker constellation of circular orbits and the epfd of its stations: the bound is never below it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coordination.rr941.antenna_patterns import gain_dbi

EARTH_RATE_RAD_S = 7.2921159e-5
GRAVITATION_KM3_S2 = 398600.4418
EQUATORIAL_RADIUS_KM = 6378.137


class Walker(NamedTuple):
    """Constellation T/P/F of circular orbits."""

    satellites: int
    planes: int
    phasing: int
    inclination_deg: float
    altitude_km: float


def epfd_sum_dbw_m2(
    power_dbw: NDArray[np.float64],
    transmit_gain_dbi: NDArray[np.float64],
    distance_km: NDArray[np.float64],
    off_axis_deg: NDArray[np.float64],
    pattern: NDArray[np.float64],
) -> float:
    """Epfd of stations [n] at one receiver: 10 log10 sum P Gt / (4 pi d^2) Gr(phi) / Gr_max (RR 22.5C.1).

    Power in dBW in the reference bandwidth; -inf without stations.
    """
    total = 0.0
    peak_dbi = gain_dbi(pattern, 0.0)
    for i in range(power_dbw.size):
        off_axis_db = gain_dbi(pattern, off_axis_deg[i]) - peak_dbi
        level_db = power_dbw[i] + transmit_gain_dbi[i] + off_axis_db
        total += 10.0 ** (0.1 * level_db) / (4.0e6 * math.pi * distance_km[i] * distance_km[i])
    return 10.0 * math.log10(total) if total > 0.0 else -math.inf


def walker_positions_km(walker: Walker, time_s: float) -> NDArray[np.float64]:
    """Earth-fixed positions [planes, satellites in a plane, 3] of a Walker constellation.

    Ascending node 360 p/P - we t, argument of latitude 360 s/S + 360 F p/T + n t, n = sqrt(mu / a^3).
    """
    in_plane = walker.satellites // walker.planes
    axis_km = EQUATORIAL_RADIUS_KM + walker.altitude_km
    motion_rad_s = math.sqrt(GRAVITATION_KM3_S2 / axis_km**3)
    plane = np.arange(walker.planes)[:, None]
    node = 2.0 * math.pi * plane / walker.planes - EARTH_RATE_RAD_S * time_s
    place = np.arange(in_plane)[None, :] / in_plane + walker.phasing * plane / walker.satellites
    latitude_argument = 2.0 * math.pi * place + motion_rad_s * time_s
    inclination = math.radians(walker.inclination_deg)
    along, across = np.cos(latitude_argument), np.sin(latitude_argument)
    level = across * math.cos(inclination)
    return axis_km * np.stack(
        [
            np.cos(node) * along - np.sin(node) * level,
            np.sin(node) * along + np.cos(node) * level,
            across * math.sin(inclination),
        ],
        axis=-1,
    )
