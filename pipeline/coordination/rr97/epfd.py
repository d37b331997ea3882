"""Nos. 9.7A and 9.7B: non-geostationary systems and large earth stations of geostationary networks.

Condition 1 looks at the earth station, condition 2 at the equivalent power flux-density epfd(down) that the
constellation produces there. "For any percentage of the time" makes the maximum epfd decisive, and it has a
bound that needs no simulation: the stations in use are at most N_co, each at the highest power flux-density
of the mask, none nearer to the geostationary arc than the avoidance angle alpha_0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntFlag
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coordination.rr941.appendix5 import CoordinationLimits, EpfdBand
from pipeline.coordination.rr941.earth_station_patterns import Segments, gain_dbi, max_gain_beyond_dbi
from pipeline.kernels import kernel

_EARTH_RATE_RAD_S = 7.2921159e-5
_GRAVITATION_KM3_S2 = 398600.4418
_EQUATORIAL_RADIUS_KM = 6378.137


class Condition(IntFlag):
    """Codes of rr97ab_cond."""

    NONE = 0
    LARGE_STATION = 1
    EPFD = 2


class StationFigures(NamedTuple):
    """Earth station of a geostationary network."""

    gain_dbi: float
    g_over_t_dbk: float
    bandwidth_mhz: float


class Walker(NamedTuple):
    """Constellation T/P/F of circular orbits."""

    satellites: int
    planes: int
    phasing: int
    inclination_deg: float
    altitude_km: float


def condition_1(
    frequency_mhz: float, station: StationFigures, limits: CoordinationLimits, *, overlap: bool = True
) -> bool:
    """Overlap of frequencies and a station at or above all limits of its band; False outside the bands."""
    return overlap and any(
        row.from_mhz <= frequency_mhz <= row.to_mhz
        and station.gain_dbi >= row.gain_dbi
        and station.g_over_t_dbk >= row.g_over_t_dbk
        and station.bandwidth_mhz >= row.bandwidth_mhz
        for row in limits.condition_1
    )


def epfd_band(frequency_mhz: float, limits: CoordinationLimits) -> EpfdBand | None:
    """The band of condition 2 that holds a frequency."""
    bands = limits.condition_2.bands
    return next((row for row in bands if row.from_mhz <= frequency_mhz <= row.to_mhz), None)


def epfd_limit_dbw_m2(band: EpfdBand, altitudes_km: Sequence[float], limits: CoordinationLimits) -> float:
    """Threshold in the band's reference bandwidth: low constellations, or any satellite high."""
    low = all(altitude <= limits.condition_2.low_orbit_km for altitude in altitudes_km)
    return band.low_dbw_m2 if low else band.high_dbw_m2


def epfd_bound_dbw_m2(
    pfd_max_dbw_m2: float, satellites_in_use: int, avoidance_deg: float, pattern: Segments
) -> float:
    """pfd_max + 10 log10 N_co + G(alpha_0) - Gmax, G the largest gain at any angle from alpha_0 on."""
    off_axis_db = max_gain_beyond_dbi(pattern, avoidance_deg) - gain_dbi(pattern, 0.0)
    return pfd_max_dbw_m2 + 10.0 * math.log10(satellites_in_use) + off_axis_db


def condition_2(epfd_dbw_m2: NDArray[np.float64], limit_dbw_m2: float) -> NDArray[np.bool_]:
    """Where epfd(down) [n] exceeds the threshold; a level that is not known does not."""
    return np.asarray(epfd_dbw_m2 > limit_dbw_m2)


def conditions(first: bool, second: bool | None) -> Condition:
    """Bit mask; ``second`` None: epfd cannot be evaluated, condition 1 alone decides (Resolution 85).

    Coordination is required where both bits are set.
    """
    code = Condition.LARGE_STATION if first else Condition.NONE
    if second is None:
        return code | Condition.EPFD if first else code
    return code | Condition.EPFD if second else code


@kernel
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
    axis_km = _EQUATORIAL_RADIUS_KM + walker.altitude_km
    motion_rad_s = math.sqrt(_GRAVITATION_KM3_S2 / axis_km**3)
    plane = np.arange(walker.planes)[:, None]
    node = 2.0 * math.pi * plane / walker.planes - _EARTH_RATE_RAD_S * time_s
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
