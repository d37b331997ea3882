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
    """The band of condition 2 that contains a frequency."""
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
    """Bit mask; ``second`` None: epfd cannot be evaluated, only condition 1 counts (Resolution 85).

    Coordination is required where both bits are set.
    """
    code = Condition.LARGE_STATION if first else Condition.NONE
    if second is None:
        return code | Condition.EPFD if first else code
    return code | Condition.EPFD if second else code
