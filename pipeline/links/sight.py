"""What is in sight along a path profile, its Fresnel zone, obstructions (docs/method.md, section 43)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel

# Earth of 4/3 of the mean radius 6371 km, as Annex 5 of Report SM.2405 does not say.
EFFECTIVE_RADIUS_KM = 4.0 / 3.0 * 6371.0
# From this share of places in sight of the other antenna on, reception was there on all paths (SM.2405).
EXPECTED_ABOVE_PCT = 50.0
_FRESNEL_SHARE = 0.6
_LIGHT_M_GHZ = 0.299792458


class PathSight(NamedTuple):
    """What stands on a path. Shares in per cent of the samples between the ends; ``nan`` without any.

    ``visible_*_pct``: where an antenna of the other end's height would be seen from an end; ``clear_pct``:
    where the line between both antennas runs above terrain and cover. ``edges``: stretches above that line,
    ``obstruction_m`` the largest height above it, 0 where there is none.
    """

    visible_from_a_pct: float
    visible_from_b_pct: float
    clear_pct: float
    los: bool
    fresnel60_clear: bool
    obstruction_m: float
    edges: int

    @property
    def visible_pct(self) -> float:
        """The mean of both ends, which decides whether reception is expected."""
        return 0.5 * (self.visible_from_a_pct + self.visible_from_b_pct)

    @property
    def reception_expected(self) -> bool:
        """The criterion of Annex 5: more than half of the path in sight."""
        return self.visible_pct > EXPECTED_ABOVE_PCT


@kernel
def sight_numbers(
    d_km: NDArray[np.float64],
    terrain_m: NDArray[np.float64],
    cover_m: NDArray[np.float64],
    antennas_m: tuple[float, float],
    f_mhz: float,
) -> tuple[float, float, float, bool, bool, float, int]:
    """The fields of ``PathSight`` of a profile [n] in equal steps; ``antennas_m`` above ground."""
    last = d_km.size - 1
    length_km = d_km[last]
    a_m, b_m = terrain_m[0] + antennas_m[0], terrain_m[last] + antennas_m[1]
    from_a, from_b = (
        _visible(d_km, terrain_m, cover_m, antennas_m, False),
        _visible(d_km, terrain_m, cover_m, antennas_m, True),
    )
    clear, edges, above = 0, 0, False
    fresnel, deepest_m = True, 0.0
    for i in range(1, last):
        share = d_km[i] / length_km
        bulge_m = 500.0 * d_km[i] * (length_km - d_km[i]) / EFFECTIVE_RADIUS_KM
        over_m = terrain_m[i] + cover_m[i] + bulge_m - ((1.0 - share) * a_m + share * b_m)
        zone_m = math.sqrt(1e3 * _LIGHT_M_GHZ / (1e-3 * f_mhz) * d_km[i] * (length_km - d_km[i]) / length_km)
        fresnel = fresnel and over_m <= -_FRESNEL_SHARE * zone_m
        if over_m < 0.0:
            clear += 1
            above = False
        else:
            edges += 0 if above else 1
            above = True
            deepest_m = max(deepest_m, over_m)
    between = last - 1
    share_pct = 100.0 * clear / between if between > 0 else math.nan
    return from_a, from_b, share_pct, clear == between, fresnel, deepest_m, edges


@kernel
def _visible(
    d_km: NDArray[np.float64],
    terrain_m: NDArray[np.float64],
    cover_m: NDArray[np.float64],
    antennas_m: tuple[float, float],
    from_b: bool,
) -> float:
    """Per cent of the samples between the ends at which the other end's antenna would be seen from an end.

    The cover of the place itself hides nothing there; what lies on the curved Earth is lowered instead.
    """
    last = d_km.size - 1
    own_m, other_m = (antennas_m[1], antennas_m[0]) if from_b else antennas_m
    start = last if from_b else 0
    eye_m = terrain_m[start] + own_m
    steepest, seen = -math.inf, 0
    for n in range(1, last):
        i = last - n if from_b else n
        away_km = abs(d_km[i] - d_km[start])
        fall_m = 500.0 * away_km * away_km / EFFECTIVE_RADIUS_KM
        ground_m = terrain_m[i] - fall_m - eye_m
        if (ground_m + other_m) / away_km >= steepest:
            seen += 1
        steepest = max(steepest, (ground_m + cover_m[i]) / away_km)
    return 100.0 * seen / (last - 1) if last > 1 else math.nan
