"""The exact form of docs/method.md, section 9, written out pair by pair: heights of the path and the coast.

Nothing is shared with the package: terrain, sea, losses are given as functions or plain arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

RADIALS, NODE_KM = 72, 0.25

Terrain = Callable[[np.ndarray, np.ndarray], np.ndarray]


class DeviceOnHill:
    """Means of the terrain along 72 straight lines from (x, y) in km, ``scale`` times as long as true."""

    def __init__(self, terrain: Terrain, x_km: float, y_km: float, half_px_km: float, scale: float = 1.0):
        at = (-half_px_km, 0.0, half_px_km)
        dx_km, dy_km = np.meshgrid(at, at)
        self.ground_m = float(terrain(x_km + dx_km, y_km + dy_km).max())
        azimuth, d_km = np.radians(5.0 * np.arange(RADIALS))[:, None], np.arange(61) * NODE_KM * scale
        along = terrain(x_km + np.sin(azimuth) * d_km, y_km + np.cos(azimuth) * d_km)
        self.below_m = self.ground_m - along

    def mean_m(self, k: int, from_km: float, to_km: float) -> float:
        """Trapezoid between two distances, ends interpolated."""
        nodes_km = np.arange(61) * NODE_KM
        inside = (nodes_km > from_km) & (nodes_km < to_km)
        d_km = np.concatenate([[from_km], nodes_km[inside], [to_km]])
        return float(np.trapezoid(np.interp(d_km, nodes_km, self.below_m[k]), d_km)) / (to_km - from_km)

    def h1_m(self, azimuth_deg: float, d_km: float, base_m: float) -> float:
        """Largest of the two lines and two nodes around, never below the antenna, at most 3000 m."""
        first = int(azimuth_deg // 5) % RADIALS
        lines = (first, (first + 1) % RADIALS)
        if d_km >= 15.0:
            excess_m = max(self.mean_m(k, 3.0, 15.0) for k in lines)
        else:
            node = min(max(int(d_km / NODE_KM), 1), 59)
            nodes = (node, min(node + 1, 59)) if d_km > NODE_KM else (1,)
            excess_m = max(self.mean_m(k, 0.2 * n * NODE_KM, n * NODE_KM) for k in lines for n in nodes)
        return min(max(base_m + excess_m, base_m), 3000.0)


def sea_distance_km(sea: np.ndarray, place: tuple[int, int], px_km: float) -> float:
    """Between the square of a pixel and the nearest square of sea."""
    ys, xs = np.nonzero(sea)
    if ys.size == 0:
        return math.inf
    gaps = np.hypot(np.maximum(abs(ys - place[0]) - 1, 0), np.maximum(abs(xs - place[1]) - 1, 0))
    return float(gaps.min()) * px_km


def mixed_db(land_db: float, sea_db: float, sea_share: float) -> float:
    """P.1546-6, Annex 5, section 8, in losses."""
    gain_db = max(0.0, land_db - sea_db)
    return land_db - (1.0 - (1.0 - sea_share) ** (2 / 3)) ** (1.0 + gain_db / 40.0) * gain_db
