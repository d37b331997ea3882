"""A radial of P.1812-8 that grows sample by sample, and the searches along it.

Every receiver of a radial sees the samples between the transmitter and itself. What decides among them lies
on an upper convex hull (the largest slope seen from the receiver), is a running maximum (the largest slope
seen from the transmitter) or is found by bounds of blocks of samples (the worst point of a clear path). The
curvature of the Earth is taken off the heights, ``height - 500 d^2 / radius``: what is left is the same for
every receiver.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import borrowing, kernel
from pipeline.propagation.p1812.climate import NO_RUNS, RADIUS_B0_KM, ZoneRuns, next_zone
from pipeline.propagation.p1812.diffraction import nu_sqrt_m

# Kinds of heights: covered at both radii, bare at the median radius, bare without curvature.
COVERED, COVERED_B0, BARE, FLAT = 0, 1, 2, 3
_KINDS = 4
_BLOCK = 16
_TOP = _BLOCK * _BLOCK
# A bound may lie below its value by what rounding does to heights of some km.
_ROUNDING_M = 1e-9
_ROUNDING = 1.0 + 1e-9


class GrowingPath(NamedTuple):
    """Samples of one radial, float64[n], and what is known of those pushed so far.

    ``bare``: kind of the bare terrain, ``COVERED`` where there is no cover at all. ``curved_m``:
    float64[4, n], heights of each kind less the curvature. ``hull``: int64[4, n], their upper hulls, of which
    ``hull_size`` samples count. ``steepest``: int64[4], the sample with the largest slope from the antenna.
    ``highest_m``: float64[4, n / 16], largest height by block, ``tops_m`` that of 16 blocks. ``sums``:
    float64[2], of the least squares. ``runs``: float64[7], ``ZoneRuns``. ``worst``: int64[4], where the last
    search along a clear path ended.
    """

    d_km: NDArray[np.float64]
    terrain_m: NDArray[np.float64]
    covered_m: NDArray[np.float64]
    zone: NDArray[np.int64]
    antenna_m: float
    median_radius_km: float
    bare: int
    curved_m: NDArray[np.float64]
    hull: NDArray[np.int64]
    hull_size: NDArray[np.int64]
    steepest: NDArray[np.int64]
    highest_m: NDArray[np.float64]
    tops_m: NDArray[np.float64]
    sums: NDArray[np.float64]
    runs: NDArray[np.float64]
    worst: NDArray[np.int64]


@kernel
def start_path(
    d_km: NDArray[np.float64],
    terrain_m: NDArray[np.float64],
    cover_m: NDArray[np.float64],
    zone: NDArray[np.int64],
    antenna_m: float,
    median_radius_km: float,
) -> GrowingPath:
    """A radial from an antenna ``antenna_m`` above the first sample, with nothing pushed yet."""
    count = d_km.size
    covered_m = terrain_m + cover_m
    curved_m = np.empty((_KINDS, count))
    for i in range(count):
        d2_km2 = d_km[i] * d_km[i]
        curved_m[COVERED, i] = covered_m[i] - 500.0 / median_radius_km * d2_km2
        curved_m[COVERED_B0, i] = covered_m[i] - 500.0 / RADIUS_B0_KM * d2_km2
        curved_m[BARE, i] = terrain_m[i] - 500.0 / median_radius_km * d2_km2
        curved_m[FLAT, i] = terrain_m[i]
    runs = np.zeros(len(NO_RUNS))
    runs[5:] = -1.0
    return GrowingPath(
        d_km,
        terrain_m,
        covered_m,
        zone,
        terrain_m[0] + antenna_m,
        median_radius_km,
        BARE if cover_m.any() else COVERED,
        curved_m,
        np.empty((_KINDS, count), np.int64),
        np.zeros(_KINDS, np.int64),
        np.zeros(_KINDS, np.int64),
        np.full((_KINDS, count // _BLOCK + 1), -math.inf),
        np.full((_KINDS, count // _TOP + 1), -math.inf),
        np.zeros(2),
        runs,
        np.zeros(_KINDS, np.int64),
    )


@borrowing
def push(path: GrowingPath, k: int) -> None:
    """Let the sample ``k`` stand between the transmitter and the receivers to come; in order from 1."""
    d_km, sums = path.d_km, path.sums
    sums[0], sums[1] = add_segment(sums[0], sums[1], d_km, path.terrain_m, k)
    runs = next_zone(runs_of(path), path.zone[k - 1], path.zone[k], 0.5 * (d_km[k - 1] + d_km[k]))
    for position in range(len(runs)):
        path.runs[position] = runs[position]
    block, top = k // _BLOCK, k // _TOP
    for kind in range(_KINDS):
        if kind == BARE and path.bare != BARE:
            continue
        _grow_hull(path.hull, path.hull_size, d_km, path.curved_m, kind, k)
        before, height_m = path.steepest[kind], path.curved_m[kind, k]
        slope = (height_m - path.antenna_m) / d_km[k]
        if before == 0 or slope > (path.curved_m[kind, before] - path.antenna_m) / d_km[before]:
            path.steepest[kind] = k
        path.highest_m[kind, block] = max(path.highest_m[kind, block], height_m)
        path.tops_m[kind, top] = max(path.tops_m[kind, top], height_m)


@borrowing
def add_segment(
    area: float, moment: float, d_km: NDArray[np.float64], terrain_m: NDArray[np.float64], k: int
) -> tuple[float, float]:
    """The sums of the least squares with the segment that ends at sample ``k`` (Attachment 1, 5.1)."""
    before, step_km = k - 1, d_km[k] - d_km[k - 1]
    area += step_km * (terrain_m[k] + terrain_m[before])
    moment += step_km * (
        terrain_m[k] * (2.0 * d_km[k] + d_km[before]) + terrain_m[before] * (d_km[k] + 2.0 * d_km[before])
    )
    return area, moment


@borrowing
def runs_of(path: GrowingPath) -> ZoneRuns:
    """The zones passed so far."""
    r = path.runs
    return ZoneRuns(r[0], r[1], r[2], r[3], r[4], r[5], r[6])


@borrowing
def _grow_hull(
    hull: NDArray[np.int64],
    hull_size: NDArray[np.int64],
    d_km: NDArray[np.float64],
    curved_m: NDArray[np.float64],
    kind: int,
    k: int,
) -> None:
    """Put sample ``k`` on the upper hull of a kind, after taking off what it hides."""
    size = hull_size[kind]
    while size >= 2:
        a, b = hull[kind, size - 2], hull[kind, size - 1]
        rise_m, run_km = curved_m[kind, b] - curved_m[kind, a], d_km[b] - d_km[a]
        if rise_m * (d_km[k] - d_km[b]) > (curved_m[kind, k] - curved_m[kind, b]) * run_km:
            break
        size -= 1
    hull[kind, size] = k
    hull_size[kind] = size + 1


@borrowing
def steepest_from_receiver(path: GrowingPath, kind: int, at_km: float, receiver_m: float) -> int:
    """Position on the hull of the largest slope seen from a receiver beyond all pushed samples.

    ``receiver_m``: above sea level, less the curvature of the kind. Slopes along a hull rise, then fall.
    """
    hull, curved_m, d_km = path.hull, path.curved_m, path.d_km
    low, high = 0, path.hull_size[kind] - 1
    while low < high:
        middle = (low + high) // 2
        a, b = hull[kind, middle], hull[kind, middle + 1]
        a_m, b_m = curved_m[kind, a] - receiver_m, curved_m[kind, b] - receiver_m
        if a_m * (at_km - d_km[b]) < b_m * (at_km - d_km[a]):
            low = middle + 1
        else:
            high = middle
    return low


@borrowing
def highest_above_slope(path: GrowingPath, kind: int, slope_m_per_km: float) -> int:
    """Position on the hull of the sample that stands highest above lines of a slope."""
    hull, curved_m, d_km = path.hull, path.curved_m, path.d_km
    low, high = 0, path.hull_size[kind] - 1
    while low < high:
        middle = (low + high) // 2
        a, b = hull[kind, middle], hull[kind, middle + 1]
        if curved_m[kind, b] - curved_m[kind, a] > slope_m_per_km * (d_km[b] - d_km[a]):
            low = middle + 1
        else:
            high = middle
    return low


@borrowing
def worst_of_clear_path(
    path: GrowingPath, kind: int, radius_km: float, end: int, receiver_m: float, at_least: float
) -> tuple[float, int]:
    """Largest nu sqrt(wavelength) in m^0.5 of a path with all samples below the ray, and its last sample.

    ``end``: index of the receiver's sample. ``at_least``: what is returned if no value is as large. All
    samples of a block lie lower than ``over_m`` above the ray; negative, their least weight bounds them. The
    search begins with the sample where the one before it ended: near it, most bounds are too low.
    """
    d_km, heights_m = path.d_km, path.covered_m if kind < BARE else path.terrain_m
    length_km, from_m, curved_m = d_km[end], path.antenna_m, path.curved_m
    slope = (receiver_m - from_m) / length_km - 500.0 / radius_km * length_km
    best, at = at_least, path.worst[kind]
    if at > 0:
        best = max(best, nu_sqrt_m(d_km[at], heights_m[at], length_km, from_m, receiver_m, radius_km))
    for top in range((end - 1) // _TOP + 1):
        first, last = max(top * _TOP, 1), min(top * _TOP + _TOP, end) - 1
        highest_m = path.tops_m[kind, top] - from_m
        if _below(best, highest_m, slope, d_km[first], d_km[last], length_km):
            continue
        for block in range(first // _BLOCK, last // _BLOCK + 1):
            start, stop = max(block * _BLOCK, 1), min(block * _BLOCK + _BLOCK, end)
            highest_m = path.highest_m[kind, block] - from_m
            if _below(best, highest_m, slope, d_km[start], d_km[stop - 1], length_km):
                continue
            for i in range(start, stop):
                if _below(best, curved_m[kind, i] - from_m, slope, d_km[i], d_km[i], length_km):
                    continue
                nu = nu_sqrt_m(d_km[i], heights_m[i], length_km, from_m, receiver_m, radius_km)
                if nu >= best:
                    best, at = nu, i
    path.worst[kind] = at
    return best, at


@kernel
def _below(
    best: float, highest_m: float, slope: float, first_km: float, last_km: float, length_km: float
) -> bool:
    """Whether samples between two distances, none higher than ``highest_m``, all have a smaller nu."""
    over_m = highest_m - min(slope * first_km, slope * last_km) + _ROUNDING_M
    if over_m >= 0.0:
        return False
    nearest_km = min(max(0.5 * length_km, first_km), last_km)
    # Squares of the negative nu, which spare a root and a division.
    at_most = best * best * nearest_km * (length_km - nearest_km) * _ROUNDING
    return best >= 0.0 or over_m * over_m * 0.002 * length_km > at_most


@borrowing
def highest_between(
    path: GrowingPath,
    first: int,
    last: int,
    surface_m: tuple[float, float],
    length_km: float,
    at_least_m: float,
) -> float:
    """Highest terrain in m above a line, among the samples ``first`` to ``last``, at least ``at_least_m``.

    ``surface_m``: the line at 0 km and at ``length_km`` (P.1812-8, Attachment 1, 5.6.2).
    """
    d_km, terrain_m = path.d_km, path.terrain_m
    rise = (surface_m[1] - surface_m[0]) / length_km
    highest_m = at_least_m
    for block in range(first // _BLOCK, last // _BLOCK + 1):
        start, end = max(block * _BLOCK, first), min(block * _BLOCK + _BLOCK - 1, last)
        lowest_m = surface_m[0] + min(rise * d_km[start], rise * d_km[end])
        if path.highest_m[FLAT, block] - lowest_m + _ROUNDING_M <= highest_m:
            continue
        for i in range(start, end + 1):
            highest_m = max(highest_m, terrain_m[i] - (surface_m[0] + rise * d_km[i]))
    return highest_m
