"""Building entry loss (Rec. ITU-R P.2109): what a signal loses between the open and a place in a building."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal, NamedTuple

Building = Literal["traditional", "thermally_efficient"]
# Stated range of frequency.
LOWEST_GHZ, _HIGHEST_GHZ = 0.08, 100.0
_PER_ELEVATION_DB = 0.212


class _Coefficients(NamedTuple):
    """Table 1: of the medians (r to t, w, x) and of the standard deviations (u, v, y, z) of both parts."""

    r: float
    s: float
    t: float
    u: float
    v: float
    w: float
    x: float
    y: float
    z: float


_OF_BUILDING: dict[Building, _Coefficients] = {
    "traditional": _Coefficients(12.64, 3.72, 0.96, 9.6, 2.0, 9.1, -3.0, 4.5, -2.0),
    "thermally_efficient": _Coefficients(28.19, -3.0, 8.48, 13.5, 3.8, 27.8, -2.9, 9.4, -2.1),
}


def building_entry_db(
    f_ghz: float, building: Building, *, probability_pct: float = 50.0, elevation_deg: float = 0.0
) -> float:
    """Loss in dB that is not exceeded in a part of all places in buildings (P.2109, 3).

    ``elevation_deg``: of the path at the building, up or down. Negative for the smallest percentages.
    ValueError outside 0.08 to 100 GHz or 0 to 100 %, both ends of the latter excluded.
    """
    if not LOWEST_GHZ <= f_ghz <= _HIGHEST_GHZ:
        raise ValueError(f"{f_ghz:g} GHz is outside {LOWEST_GHZ:g} to {_HIGHEST_GHZ:g} GHz")
    if not 0.0 < probability_pct < 100.0:
        raise ValueError(f"{probability_pct:g} % is not between 0 and 100 %")
    c, log_f = _OF_BUILDING[building], math.log10(f_ghz)
    deviate = NormalDist().inv_cdf(probability_pct / 100.0)
    median_db = c.r + c.s * log_f + c.t * log_f * log_f + _PER_ELEVATION_DB * abs(elevation_deg)
    through_db = median_db + deviate * (c.u + c.v * log_f)
    around_db = c.w + c.x * log_f + deviate * (c.y + c.z * log_f)
    return 10.0 * math.log10(10.0 ** (0.1 * through_db) + 10.0 ** (0.1 * around_db) + 10.0**-0.3)
