"""Does the geodesic between two locations cross the sea? Sampled, and proven for whole groups of locations.

A path is *sea or mixed* if enough of its samples lie on sea: samples at equal spacing of at most
``sample_km``, without its two ends (they are coasts and borders themselves). The clearance around each sample
(:mod:`ground`) lets the test skip samples that cannot be sea; the result is that of looking at all of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coordination.radar.ground import Clearance, clearance_at
from pipeline.grid.geodesy import ECCENTRICITY2, ecef_m
from pipeline.kernels import inlined, kernel

_SAMPLE_KM = 2.0
_CHORD_RADIUS_KM = 6371.0
# Classes of a path seen from a whole group of locations.
PATH_UNSURE, PATH_LAND, PATH_SEA_OR_MIXED = 0, 1, 2
# Between great circles that begin at one location: their gap exceeds linear interpolation by theta^2 / 15.6,
# 0.2 % for 1000 km, 3 % for 4000 km. Ellipsoid and rounding stay below the second number.
_SPREAD, SPREAD_KM = 1.03, 0.05
# Least stride of a proof.
_STRIDE_KM = 0.25


class Sampling(NamedTuple):
    """Longest spacing of the samples and how many of them must lie on sea."""

    sample_km: float
    sea_samples: int


def sampling(sea_min_km: float = 2.0, sample_km: float = _SAMPLE_KM) -> Sampling:
    """Each sample stands for its spacing: a sea of 2 km is one sample, as in docs/method.md, section 29."""
    return Sampling(sample_km, max(1, math.ceil(sea_min_km / sample_km - 1e-9)))


@kernel
def fill_frame(lon_deg: float, lat_deg: float, frame: NDArray[np.float64]) -> None:
    """Fill frame float64[6]: geocentric position in m and unit normal of the ellipsoid."""
    lon, lat = math.radians(lon_deg), math.radians(lat_deg)
    frame[0], frame[1], frame[2] = ecef_m(lon_deg, lat_deg)
    frame[3] = math.cos(lat) * math.cos(lon)
    frame[4] = math.cos(lat) * math.sin(lon)
    frame[5] = math.sin(lat)


@inlined
def distance_km(frame: NDArray[np.float64], x_m: float, y_m: float, z_m: float) -> float:
    """Length of the shortest way on WGS84: the arc of the circle that touches the ground at the location.

    The chord c dips by u below the horizon, sin(half the angle) = u / c. Within 1 m up to 1000 km.
    """
    dx, dy, dz = x_m - frame[0], y_m - frame[1], z_m - frame[2]
    up = dx * frame[3] + dy * frame[4] + dz * frame[5]
    chord2 = dx * dx + dy * dy + dz * dz
    w = up * up / (chord2 + 1.0e-9)
    if w > 0.02:  # beyond 1800 km
        s = math.sqrt(min(w, 1.0))
        return 1.0e-3 * math.sqrt(chord2) * math.asin(s) / s
    return 1.0e-3 * math.sqrt(chord2) * (1.0 + w * (1.0 / 6.0 + w * (0.075 + w * 0.044642857)))


@inlined
def _chord_share(t: float, length_km: float) -> float:
    """Share of the chord below the share t of the arc, so that samples lie at equal spacing on the ground."""
    h = 0.5 * length_km / _CHORD_RADIUS_KM
    x = (2.0 * t - 1.0) * h
    h2, x2 = h * h, x * x
    above = x * (1.0 + x2 * (1.0 / 3.0 + x2 * (2.0 / 15.0 + x2 * 17.0 / 315.0)))
    below = h * (1.0 + h2 * (1.0 / 3.0 + h2 * (2.0 / 15.0 + h2 * 17.0 / 315.0)))
    return 0.5 + 0.5 * above / below if below > 0.0 else t


@inlined
def _clearance_on_path(
    clearance: Clearance,
    frame: NDArray[np.float64],
    x_m: float,
    y_m: float,
    z_m: float,
    t: float,
    length_km: float,
) -> float:
    """Clearance in km at the share t of the way from a location to a point."""
    s = _chord_share(t, length_km)
    return clearance_at(
        clearance,
        frame[0] + s * (x_m - frame[0]),
        frame[1] + s * (y_m - frame[1]),
        frame[2] + s * (z_m - frame[2]),
    )


@kernel
def crosses_sea(
    clearance: Clearance,
    frame: NDArray[np.float64],
    x_m: float,
    y_m: float,
    z_m: float,
    length_km: float,
    sampling: Sampling,
    known_land: float,
    known_tail: float = 1.0,
) -> bool:
    """Whether the path is sea or mixed; those before the share ``known_land`` are land.

    So are those after the share ``known_tail``.
    """
    n = math.ceil(length_km / sampling.sample_km)
    k = max(1, int(known_land * n))
    spacing_km = length_km / max(n, 1)
    found, last = 0, min(n - 1, math.ceil(known_tail * n))
    while k <= last:
        clear_km = _clearance_on_path(clearance, frame, x_m, y_m, z_m, k / n, length_km)
        if clear_km < 0.0:
            found += 1
            if found >= sampling.sea_samples:
                return True
            k += 1
        else:
            k += max(1, math.ceil(clear_km / spacing_km))
    return False


@kernel
def first_sea_km(
    clearance: Clearance,
    frame: NDArray[np.float64],
    x_m: float,
    y_m: float,
    z_m: float,
    length_km: float,
    sampling: Sampling,
) -> float:
    """Distance of the first sea sample on the way to a point, infinite if there is none.

    With several samples needed, that of the last of these: from there on the path counts as mixed.
    """
    n = math.ceil(length_km / sampling.sample_km)
    found, k = 0, 1
    while k <= n:
        clear_km = _clearance_on_path(clearance, frame, x_m, y_m, z_m, k / n, length_km)
        if clear_km < 0.0:
            found += 1
            if found >= sampling.sea_samples:
                return k * length_km / n
            k += 1
        else:
            k += max(1, math.ceil(clear_km * n / length_km))
    return np.inf


@kernel
def land_share(
    clearance: Clearance,
    frame: NDArray[np.float64],
    near_km: float,
    x_m: float,
    y_m: float,
    z_m: float,
    far_km: float,
    length_km: float,
    start: float = 0.0,
    end: float = 1.0,
) -> float:
    """Share of the way that is land on every path from within near_km of a location to within far_km of one.

    1 if all of it is. Paths at the share t lie within (1 - t) near + t far of the one in the middle. What
    comes before ``start`` and after ``end`` is known to be land.
    """
    t = start
    # Per share: the clearance can shrink by the length of the way while the bundle of paths may widen.
    closing_km = max(length_km, _STRIDE_KM) + max(_SPREAD * (far_km - near_km), 0.0)
    while t < end:
        wide_km = _SPREAD * ((1.0 - t) * near_km + t * far_km) + SPREAD_KM
        clear_km = _clearance_on_path(clearance, frame, x_m, y_m, z_m, t, length_km)
        if clear_km < wide_km + _STRIDE_KM:
            return t
        t += (clear_km - wide_km) / closing_km
    return 1.0


@kernel
def land_tail(
    clearance: Clearance,
    frame: NDArray[np.float64],
    near_km: float,
    x_m: float,
    y_m: float,
    z_m: float,
    far_km: float,
    length_km: float,
) -> float:
    """Share of the way after which all of it is land on every path: :func:`land_share` from the far end."""
    t = 1.0
    closing_km = max(length_km, _STRIDE_KM) + max(_SPREAD * (near_km - far_km), 0.0)
    while t > 0.0:
        wide_km = _SPREAD * ((1.0 - t) * near_km + t * far_km) + SPREAD_KM
        clear_km = _clearance_on_path(clearance, frame, x_m, y_m, z_m, t, length_km)
        if clear_km < wide_km + _STRIDE_KM:
            return t
        t -= (clear_km - wide_km) / closing_km
    return 0.0


@kernel
def classify(
    clearance: Clearance,
    frame: NDArray[np.float64],
    near_km: float,
    x_m: float,
    y_m: float,
    z_m: float,
    length_km: float,
    sampling: Sampling,
) -> tuple[int, float]:
    """Class of all paths from within near_km of a location to one point, and the share that is land on all.

    Sea is certain where a stretch of the middle path has land no nearer than the paths are wide plus half
    the length that holds enough samples of each of them.
    """
    share = land_share(clearance, frame, near_km, x_m, y_m, z_m, 0.0, length_km)
    if share >= 1.0:
        return PATH_LAND, 1.0
    stretch_km = 0.5 * sampling.sample_km * (sampling.sea_samples + 1)
    t = max(share, (stretch_km + near_km) / length_km)
    last = 1.0 - stretch_km / length_km
    while t < last:
        needed_km = _SPREAD * (1.0 - t) * near_km + SPREAD_KM + stretch_km
        clear_km = _clearance_on_path(clearance, frame, x_m, y_m, z_m, t, length_km)
        if -clear_km > needed_km:
            return PATH_SEA_OR_MIXED, share
        t += max(clear_km + needed_km, _STRIDE_KM) / length_km
    return PATH_UNSURE, share


@kernel
def middle(
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    frame: NDArray[np.float64],
) -> float:
    """Fill the frame of the middle of wanted locations [y, x]; the radius in km around them, -1 if none."""
    count, total = 0, np.zeros(3)
    for i in range(lon_deg.shape[0]):
        for j in range(lon_deg.shape[1]):
            if wanted[i, j]:
                x_m, y_m, z_m = ecef_m(lon_deg[i, j], lat_deg[i, j])
                count += 1
                total[0] += x_m
                total[1] += y_m
                total[2] += z_m
    if count == 0:
        return -1.0
    lat = math.atan2(total[2], (1.0 - ECCENTRICITY2) * math.hypot(total[0], total[1]))
    fill_frame(math.degrees(math.atan2(total[1], total[0])), math.degrees(lat), frame)
    radius_km = 0.0
    for i in range(lon_deg.shape[0]):
        for j in range(lon_deg.shape[1]):
            if wanted[i, j]:
                x_m, y_m, z_m = ecef_m(lon_deg[i, j], lat_deg[i, j])
                radius_km = max(radius_km, distance_km(frame, x_m, y_m, z_m))
    return radius_km + 0.01
