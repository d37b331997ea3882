"""Which border points matter to a group of locations: bounds that prove the rest does not.

Blocks consist of cells, cells of locations. What is proven for all locations of a block or cell is not looked
at again; what remains is computed for each location, so the result is that of trying all points at each one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coordination.radar.borders import BorderPoints
from pipeline.coordination.radar.ground import Clearance
from pipeline.coordination.radar.paths import (
    PATH_LAND,
    PATH_SEA_OR_MIXED,
    PATH_UNSURE,
    SPREAD_KM,
    Sampling,
    classify,
    crosses_sea,
    distance_km,
    land_share,
    land_tail,
)
from pipeline.coordination.radar.resolution612 import RequiredSeparation
from pipeline.kernels import kernel

# Whether an administration is affected: still to be found, at every location of a group, at none.
AFFECTED_UNKNOWN, AFFECTED_EVERYWHERE, AFFECTED_NOWHERE = 0, 1, 2


class BorderSearch(NamedTuple):
    """All that does not change from location to location."""

    points: BorderPoints
    clearance: Clearance
    sampling: Sampling
    limits: RequiredSeparation


class Survey(NamedTuple):
    """What a block knows of the groups of border points and of the administrations.

    ``order`` groups by rising ``lower_km``, a bound below the distance from any location of the block;
    ``land`` groups that are reached over land only; ``state`` per administration.
    """

    order: NDArray[np.int64]
    lower_km: NDArray[np.float64]
    land: NDArray[np.bool_]
    state: NDArray[np.uint8]


class Candidates(NamedTuple):
    """Border points that may matter: index and group, class of their paths, share of land known on these.

    ``group_share`` is the share known for all points of the group; after ``group_tail`` all is land again.
    """

    point: NDArray[np.int64]
    group: NDArray[np.int64]
    kind: NDArray[np.uint8]
    share: NDArray[np.float64]
    group_share: NDArray[np.float64]
    group_tail: NDArray[np.float64]


@kernel
def empty_candidates(size: int) -> Candidates:
    """Space for that many candidates."""
    point, group = np.empty(size, np.int64), np.empty(size, np.int64)
    return Candidates(point, group, np.empty(size, np.uint8), np.empty(size), np.empty(size), np.empty(size))


@kernel
def survey(scene: BorderSearch, frame: NDArray[np.float64], radius_km: float) -> Survey:
    """Bounds and classes for all locations within radius_km of the middle of a block."""
    points, limits = scene.points, scene.limits
    count = points.radius_km.size
    middle_km, lower_km = np.empty(count), np.empty(count)
    nearest_km = np.inf
    for g in range(count):
        c = points.centre_m[g]
        middle_km[g] = distance_km(frame, c[0], c[1], c[2])
        lower_km[g] = max(middle_km[g] - points.radius_km[g] - radius_km - SPREAD_KM, 0.0)
        nearest_km = min(nearest_km, middle_km[g] + points.radius_km[g] + radius_km + SPREAD_KM)
    reach_km = max(limits.sea_km, nearest_km - limits.land_km + limits.sea_km)
    land = np.zeros(count, dtype=np.bool_)
    for g in range(count):
        if lower_km[g] <= reach_km:
            c = points.centre_m[g]
            share = land_share(
                scene.clearance, frame, radius_km, c[0], c[1], c[2], points.radius_km[g], middle_km[g]
            )
            land[g] = share >= 1.0
    state = np.empty(points.groups.size - 1, dtype=np.uint8)
    for a in range(state.size):
        state[a] = _state(scene, frame, radius_km, middle_km, lower_km, land, a)
    return Survey(np.argsort(lower_km, kind="mergesort"), lower_km, land, state)


@kernel
def _state(
    scene: BorderSearch,
    frame: NDArray[np.float64],
    radius_km: float,
    middle_km: NDArray[np.float64],
    lower_km: NDArray[np.float64],
    land: NDArray[np.bool_],
    a: int,
) -> int:
    """Whether an administration is affected at all locations of a block, at none, or not yet known."""
    points, limits = scene.points, scene.limits
    possible = False
    for g in range(points.groups[a], points.groups[a + 1]):
        if middle_km[g] + points.radius_km[g] + radius_km + SPREAD_KM <= limits.land_km:
            return AFFECTED_EVERYWHERE
        if lower_km[g] <= limits.land_km or (lower_km[g] <= limits.sea_km and not land[g]):
            possible = True
    if not possible:
        return AFFECTED_NOWHERE
    for g in range(points.groups[a], points.groups[a + 1]):
        if not land[g] and lower_km[g] + 2.0 * radius_km <= limits.sea_km:
            p = points.points_m[points.first[g]]
            length_km = distance_km(frame, p[0], p[1], p[2])
            if length_km + radius_km + SPREAD_KM <= limits.sea_km:
                kind, _ = classify(
                    scene.clearance, frame, radius_km, p[0], p[1], p[2], length_km, scene.sampling
                )
                if kind == PATH_SEA_OR_MIXED:
                    return AFFECTED_EVERYWHERE
    return AFFECTED_UNKNOWN


@kernel
def _group_share(
    scene: BorderSearch,
    frame: NDArray[np.float64],
    radius_km: float,
    g: int,
    start: float = 0.0,
    end: float = 1.0,
) -> float:
    """Share that is land on all paths from within radius_km of a location to a group of border points."""
    c = scene.points.centre_m[g]
    length_km = distance_km(frame, c[0], c[1], c[2])
    far_km = scene.points.radius_km[g]
    return land_share(scene.clearance, frame, radius_km, c[0], c[1], c[2], far_km, length_km, start, end)


@kernel
def _group_tail(scene: BorderSearch, frame: NDArray[np.float64], radius_km: float, g: int) -> float:
    """Share after which all is land on all paths from within radius_km of a location to a group."""
    c = scene.points.centre_m[g]
    length_km = distance_km(frame, c[0], c[1], c[2])
    far_km = scene.points.radius_km[g]
    return land_tail(scene.clearance, frame, radius_km, c[0], c[1], c[2], far_km, length_km)


@kernel
def nearest_candidates(
    scene: BorderSearch, known: Survey, frame: NDArray[np.float64], radius_km: float, work: Candidates
) -> int:
    """Fill ``work`` with the points that can be nearest, or limiting (minimum d - D), in a cell."""
    points, limits = scene.points, scene.limits
    length_km = np.empty(work.point.size)
    n, nearest_km, least_km = 0, np.inf, np.inf
    for g in known.order:
        if known.lower_km[g] > nearest_km and known.lower_km[g] - limits.sea_km > least_km:
            break
        c = points.centre_m[g]
        lower_km = distance_km(frame, c[0], c[1], c[2]) - points.radius_km[g] - radius_km - SPREAD_KM
        land = known.land[g]
        if not land and lower_km - limits.sea_km <= least_km:
            land = _group_share(scene, frame, radius_km, g) >= 1.0
        limit_km = limits.land_km if land else limits.sea_km
        if lower_km > nearest_km and lower_km - limit_km > least_km:
            continue
        for i in range(points.first[g], points.first[g + 1]):
            p = points.points_m[i]
            d_km = distance_km(frame, p[0], p[1], p[2])
            nearest_km = min(nearest_km, d_km + radius_km + SPREAD_KM)
            low_km = d_km - radius_km - SPREAD_KM
            limiting = low_km - limit_km <= least_km
            if low_km > nearest_km and not limiting:
                continue
            kind, share = PATH_UNSURE, 0.0
            if land:
                kind, share = PATH_LAND, 1.0
            elif limiting:
                kind, share = classify(
                    scene.clearance, frame, radius_km, p[0], p[1], p[2], d_km, scene.sampling
                )
            sure_km = limits.sea_km if kind == PATH_SEA_OR_MIXED else limits.land_km
            least_km = min(least_km, d_km + radius_km + SPREAD_KM - sure_km)
            work.point[n], work.kind[n], work.share[n], length_km[n] = i, kind, share, d_km
            n += 1
    return _thinned(work, length_km, n, radius_km + SPREAD_KM, nearest_km, least_km, limits)


@kernel
def _thinned(
    work: Candidates,
    length_km: NDArray[np.float64],
    n: int,
    around_km: float,
    nearest_km: float,
    least_km: float,
    limits: RequiredSeparation,
) -> int:
    """Drop what the final bounds exclude; certain classes first, so that they spare tests of the others."""
    kept = 0
    order = np.empty(n, dtype=np.int64)
    for sure in (True, False):
        for k in range(n):
            low_km = length_km[k] - around_km
            limit_km = limits.land_km if work.kind[k] == PATH_LAND else limits.sea_km
            if (work.kind[k] != PATH_UNSURE) == sure and (
                low_km <= nearest_km or low_km - limit_km <= least_km
            ):
                order[kept] = k
                kept += 1
    point, kind, share = work.point[:n].copy(), work.kind[:n].copy(), work.share[:n].copy()
    for k in range(kept):
        work.point[k], work.kind[k], work.share[k] = point[order[k]], kind[order[k]], share[order[k]]
    return kept


@kernel
def affecting_candidates(
    scene: BorderSearch, known: Survey, frame: NDArray[np.float64], radius_km: float, a: int, work: Candidates
) -> tuple[int, int]:
    """State of an administration in a cell, and how many points in ``work`` can decide it there."""
    points, limits = scene.points, scene.limits
    n = 0
    for g in range(points.groups[a], points.groups[a + 1]):
        if known.lower_km[g] > (limits.land_km if known.land[g] else limits.sea_km):
            continue
        group_share = 1.0 if known.land[g] else _group_share(scene, frame, radius_km, g)
        limit_km = limits.sea_km if group_share < 1.0 else limits.land_km
        c = points.centre_m[g]
        if distance_km(frame, c[0], c[1], c[2]) - points.radius_km[g] - radius_km - SPREAD_KM > limit_km:
            continue
        tail = 0.0 if known.land[g] else _group_tail(scene, frame, radius_km, g)
        for i in range(points.first[g], points.first[g + 1]):
            p = points.points_m[i]
            d_km = distance_km(frame, p[0], p[1], p[2])
            low_km, high_km = d_km - radius_km - SPREAD_KM, d_km + radius_km + SPREAD_KM
            if high_km <= limits.land_km:
                return AFFECTED_EVERYWHERE, 0
            if low_km > limit_km:
                continue
            kind, share = PATH_LAND, 1.0
            if group_share < 1.0:
                kind, share = classify(
                    scene.clearance, frame, radius_km, p[0], p[1], p[2], d_km, scene.sampling
                )
            if kind == PATH_SEA_OR_MIXED and high_km <= limits.sea_km:
                return AFFECTED_EVERYWHERE, 0
            if kind != PATH_LAND or low_km <= limits.land_km:
                work.point[n], work.kind[n], work.share[n] = i, kind, share
                work.group[n], work.group_share[n], work.group_tail[n] = g, group_share, tail
                n += 1
    return (AFFECTED_UNKNOWN if n else AFFECTED_NOWHERE), n


@kernel
def nearest_and_limiting(
    scene: BorderSearch, frame: NDArray[np.float64], work: Candidates, n: int
) -> tuple[float, float, bool]:
    """Distance to the nearest candidate, minimum d - D of all, and whether the path of the latter is sea."""
    points, limits = scene.points, scene.limits
    nearest_km, least_km, over_sea = np.inf, np.inf, False
    for k in range(n):
        p = points.points_m[work.point[k]]
        d_km = distance_km(frame, p[0], p[1], p[2])
        nearest_km = min(nearest_km, d_km)
        if d_km - limits.sea_km >= least_km:
            continue
        sea = work.kind[k] == PATH_SEA_OR_MIXED
        if work.kind[k] == PATH_UNSURE:
            sea = crosses_sea(scene.clearance, frame, p[0], p[1], p[2], d_km, scene.sampling, work.share[k])
        margin_km = d_km - (limits.sea_km if sea else limits.land_km)
        if margin_km < least_km:
            least_km, over_sea = margin_km, sea
    return nearest_km, least_km, over_sea


@kernel
def _requires_coordination(scene: BorderSearch, frame: NDArray[np.float64], work: Candidates, k: int) -> bool:
    """Whether a candidate is within the required distance of a location."""
    p = scene.points.points_m[work.point[k]]
    d_km = distance_km(frame, p[0], p[1], p[2])
    if d_km <= scene.limits.land_km:
        return True
    if d_km > scene.limits.sea_km or work.kind[k] == PATH_LAND:
        return False
    return work.kind[k] == PATH_SEA_OR_MIXED or crosses_sea(
        scene.clearance, frame, p[0], p[1], p[2], d_km, scene.sampling, work.share[k], work.group_tail[k]
    )


@kernel
def is_affected(
    scene: BorderSearch, frame: NDArray[np.float64], work: Candidates, n: int, witness: int
) -> int:
    """The candidate that makes the administration affected at a location, -1 if none does.

    ``witness`` is tried first: what decided at the last location most often decides at this one too. Groups
    that are beyond the land limit and reached over land are passed over as one.
    """
    if witness >= 0 and _requires_coordination(scene, frame, work, witness):
        return witness
    k = 0
    while k < n:
        g, last = work.group[k], k + 1
        while last < n and work.group[last] == g:
            last += 1
        c = scene.points.centre_m[g]
        lower_km = distance_km(frame, c[0], c[1], c[2]) - scene.points.radius_km[g] - SPREAD_KM
        idle = lower_km > scene.limits.sea_km or (
            lower_km > scene.limits.land_km
            and _group_share(scene, frame, 0.0, g, work.group_share[k], work.group_tail[k])
            >= work.group_tail[k]
        )
        while k < last:
            if not idle and _requires_coordination(scene, frame, work, k):
                return k
            k += 1
    return -1


@kernel
def bit_words(administrations: int) -> int:
    """32-bit words that hold one bit per administration."""
    return math.ceil(administrations / 32)
