"""What the terrain of a path decides for P.1812-8, whatever the frequency and the percentage of time."""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.kernels import borrowing, kernel
from pipeline.propagation.p1812.climate import RADIUS_B0_KM, SEA, ZoneLengths, next_zone, zone_lengths
from pipeline.propagation.p1812.diffraction import Obstruction, bullington_nu_sqrt_m, nu_sqrt_m
from pipeline.propagation.p1812.growing_path import (
    COVERED,
    COVERED_B0,
    FLAT,
    GrowingPath,
    add_segment,
    highest_above_slope,
    highest_between,
    runs_of,
    steepest_from_receiver,
    worst_of_clear_path,
)

# The sample with the largest slope stands above a line before any other does, but for rounding.
_ROUNDING_M = 1e-9


class Horizons(NamedTuple):
    """Horizons of both terminals: elevation angles and distances (P.1812-8, Attachment 1, 4).

    ``together_km``: sum of both distances, the length of a path with line of sight. ``first``, ``last``:
    their samples, -1 for a path with line of sight: its worst point is searched for where it counts
    (``DuctingPath``).
    """

    transhorizon: bool
    transmitter_mrad: float
    receiver_mrad: float
    together_km: float
    first: int
    last: int


class SmoothSurface(NamedTuple):
    """Least-squares smooth surfaces in m above sea level, at transmitter and receiver (Attachment 1, 5).

    ``fit``: the straight line itself; ``diffraction``: lowered below obstructions and terminals; ``ducting``:
    lowered below the terminals. ``obstruction_m``: highest point above the line between the antennas, if any
    stands above it.
    """

    fit_m: tuple[float, float]
    obstruction_m: float
    diffraction_m: tuple[float, float]
    ducting_m: tuple[float, float]


class PathGeometry(NamedTuple):
    """What a path is whatever the frequency and the time, without what only counts for some of them.

    ``ends_m``: antennas above sea level. The two obstructions: of the profile with clutter, at the median
    Earth radius and at that of the time b0.
    """

    length_km: float
    ends_m: tuple[float, float]
    zones: ZoneLengths
    horizons: Horizons
    surface: SmoothSurface
    median: Obstruction
    b0: Obstruction


class DuctingPath(NamedTuple):
    """What ducting needs besides: distances to the horizons, and hm, the highest terrain above the ducting
    surface between them, in m (Attachment 1, 5.6.2).
    """

    from_transmitter_km: float
    from_receiver_km: float
    roughness_m: float


@borrowing
def path_geometry(path: GrowingPath, end: int, receiver_m: float, least_nu_sqrt_m: float) -> PathGeometry:
    """Geometry of the path to a receiver ``receiver_m`` above sample ``end``, all before it being pushed.

    ``least_nu_sqrt_m``: clear paths whose nu sqrt(wavelength) is less need not be told apart; -inf: all are.
    """
    length_km = path.d_km[end]
    ends_m = (path.antenna_m, path.terrain_m[end] + receiver_m)
    edge_km = 0.5 * (path.d_km[end - 1] + length_km)
    runs = next_zone(runs_of(path), path.zone[end - 1], path.zone[end], edge_km)
    return PathGeometry(
        length_km,
        ends_m,
        zone_lengths(runs, path.zone[0], path.zone[end], length_km),
        _horizons(path, end, ends_m[1]),
        _smooth_surface(path, end, ends_m[1], least_nu_sqrt_m > -math.inf),
        obstruction(path, COVERED, path.median_radius_km, end, ends_m[1], least_nu_sqrt_m),
        obstruction(path, COVERED_B0, RADIUS_B0_KM, end, ends_m[1], least_nu_sqrt_m),
    )


@borrowing
def ducting_path(
    path: GrowingPath, end: int, geometry: PathGeometry, least_roughness_m: float
) -> DuctingPath:
    """Horizons and roughness of a path; a roughness below ``least_roughness_m`` counts as that."""
    d_km, first, last = path.d_km, geometry.horizons.first, geometry.horizons.last
    if first < 0:
        _, first = worst_of_clear_path(
            path, path.bare, path.median_radius_km, end, geometry.ends_m[1], -math.inf
        )
        last = first
    surface_m = geometry.surface.ducting_m
    roughness_m = highest_between(path, first, last, surface_m, geometry.length_km, least_roughness_m)
    return DuctingPath(d_km[first], geometry.length_km - d_km[last], roughness_m)


@kernel
def with_coasts(path: PathGeometry, coasts_km: tuple[float, float], first: int, last: int) -> PathGeometry:
    """The path with given distances to the coast (NaN = as it is) for terminals that are not at sea.

    ``first`` and ``last``: zones of the terminals.
    """
    zones = path.zones
    from_transmitter_km, from_receiver_km = (zones.coast_from_transmitter_km, zones.coast_from_receiver_km)
    if first != SEA and not math.isnan(coasts_km[0]):
        from_transmitter_km = coasts_km[0]
    if last != SEA and not math.isnan(coasts_km[1]):
        from_receiver_km = coasts_km[1]
    return PathGeometry(
        path.length_km,
        path.ends_m,
        ZoneLengths(zones.sea_share, zones.land_km, zones.inland_km, from_transmitter_km, from_receiver_km),
        path.horizons,
        path.surface,
        path.median,
        path.b0,
    )


# --- horizons and smooth surface ----------------------------------------------------------------------------


@borrowing
def _horizons(path: GrowingPath, end: int, to_m: float) -> Horizons:
    """Horizons over the bare terrain at the median Earth radius.

    Slopes are compared as tangents: angles would make ties that are none.
    """
    d_km, radius_km, from_m = path.d_km, path.median_radius_km, path.antenna_m
    length_km = d_km[end]
    first = path.steepest[path.bare]
    highest = _tangent(path.terrain_m[first] - from_m, d_km[first], radius_km)
    straight = _tangent(to_m - from_m, length_km, radius_km)
    if highest > straight:
        last, back = _receiver_horizon(path, end, to_m)
        last = max(last, first)
        together_km = d_km[first] + (length_km - d_km[last])
        return Horizons(True, 1e3 * math.atan(highest), 1e3 * math.atan(back), together_km, first, last)
    back = _tangent(from_m - to_m, length_km, radius_km)
    return Horizons(False, 1e3 * math.atan(straight), 1e3 * math.atan(back), length_km, -1, -1)


@kernel
def _tangent(rise_m: float, run_km: float, radius_km: float) -> float:
    """Tangent of the elevation of a point, less the curvature of the Earth (Attachment 1, eq. 73, 77)."""
    return rise_m / (1e3 * run_km) - run_km / (2.0 * radius_km)


@borrowing
def _receiver_horizon(path: GrowingPath, end: int, to_m: float) -> tuple[int, float]:
    """The last sample with the largest tangent seen from the receiver, and the tangent."""
    d_km, length_km = path.d_km, path.d_km[end]
    to_curved_m = to_m - 500.0 / path.median_radius_km * length_km**2
    found = steepest_from_receiver(path, path.bare, length_km, to_curved_m)
    at, highest = 0, -math.inf
    for position in range(max(found - 1, 0), min(found + 2, path.hull_size[path.bare])):
        i = path.hull[path.bare, position]
        tangent = _tangent(path.terrain_m[i] - to_m, length_km - d_km[i], path.median_radius_km)
        if tangent >= highest:
            at, highest = i, tangent
    return at, highest


@borrowing
def _smooth_surface(path: GrowingPath, end: int, to_m: float, above_only: bool) -> SmoothSurface:
    """Smooth surfaces of the path (P.1812-8, Attachment 1, 5.1-5.6.1).

    ``above_only``: how far all terrain lies below the line between the antennas need not be known.
    """
    d_km, terrain_m, length_km = path.d_km, path.terrain_m, path.d_km[end]
    area, moment = add_segment(path.sums[0], path.sums[1], d_km, terrain_m, end)
    fit_m = ((2.0 * area * length_km - moment) / length_km**2, (moment - area * length_km) / length_km**2)
    steepest, above_m = path.steepest[FLAT], -math.inf
    if not above_only or _over_line_m(path, steepest, end, to_m) > -_ROUNDING_M:
        above_m = _obstruction_height_m(path, end, to_m)
    lower_m = (0.0, 0.0)
    if above_m > 0.0:
        from_slope = _over_line_m(path, steepest, end, to_m) / d_km[steepest]
        to_slope = _steepest_over_line(path, end, to_m)
        both = from_slope + to_slope
        lower_m = (above_m * from_slope / both, above_m * to_slope / both)
    ground_m = (terrain_m[0], terrain_m[end])
    return SmoothSurface(
        fit_m,
        above_m,
        (min(fit_m[0] - lower_m[0], ground_m[0]), min(fit_m[1] - lower_m[1], ground_m[1])),
        (min(fit_m[0], ground_m[0]), min(fit_m[1], ground_m[1])),
    )


@borrowing
def _over_line_m(path: GrowingPath, i: int, end: int, to_m: float) -> float:
    """Height of a sample above the straight line between both antennas, without the Earth's curvature."""
    d_km, length_km = path.d_km[i], path.d_km[end]
    return path.terrain_m[i] - (path.antenna_m * (length_km - d_km) + to_m * d_km) / length_km


@borrowing
def _obstruction_height_m(path: GrowingPath, end: int, to_m: float) -> float:
    """Highest terrain above the straight line between both antennas; negative if none stands above it."""
    found = highest_above_slope(path, FLAT, (to_m - path.antenna_m) / path.d_km[end])
    above_m = -math.inf
    for position in range(max(found - 1, 0), min(found + 2, path.hull_size[FLAT])):
        above_m = max(above_m, _over_line_m(path, path.hull[FLAT, position], end, to_m))
    return above_m


@borrowing
def _steepest_over_line(path: GrowingPath, end: int, to_m: float) -> float:
    """Largest height above that line over the distance to the receiver, in m/km."""
    length_km = path.d_km[end]
    found = steepest_from_receiver(path, FLAT, length_km, to_m)
    steepest = -math.inf
    for position in range(max(found - 1, 0), min(found + 2, path.hull_size[FLAT])):
        i = path.hull[FLAT, position]
        steepest = max(steepest, _over_line_m(path, i, end, to_m) / (length_km - path.d_km[i]))
    return steepest


# --- obstructions -------------------------------------------------------------------------------------------


@borrowing
def obstruction(
    path: GrowingPath, kind: int, radius_km: float, end: int, to_m: float, least_nu_sqrt_m: float
) -> Obstruction:
    """The decisive point of the profile with its cover (P.1812-8, 4.3.1)."""
    d_km, from_m, length_km = path.d_km, path.antenna_m, path.d_km[end]
    curvature = 500.0 / radius_km
    i = path.steepest[kind]
    slope = _slope(path.covered_m[i], d_km[i], length_km, curvature, from_m)
    if slope < (to_m - from_m) / length_km:
        nu, _ = worst_of_clear_path(path, kind, radius_km, end, to_m, least_nu_sqrt_m)
        return Obstruction(nu, True)
    found = steepest_from_receiver(path, kind, length_km, to_m - curvature * length_km**2)
    back = -math.inf
    for position in range(max(found - 1, 0), min(found + 2, path.hull_size[kind])):
        i = path.hull[kind, position]
        back = max(back, _slope(path.covered_m[i], length_km - d_km[i], length_km, curvature, to_m))
    return Obstruction(bullington_nu_sqrt_m(slope, back, length_km, from_m, to_m), False)


@kernel
def _slope(height_m: float, away_km: float, length_km: float, curvature: float, eye_m: float) -> float:
    """Slope in m/km from an antenna at ``eye_m`` to a sample with the bulge of the Earth (eq. 13, 16)."""
    bulge_m = curvature * away_km * (length_km - away_km)
    return (height_m + bulge_m - eye_m) / away_km


@borrowing
def smooth_obstruction(
    path: GrowingPath, end: int, h1_m: float, h2_m: float, radius_km: float
) -> Obstruction:
    """``obstruction`` of a profile of the same distances with all heights 0 (P.1812-8, 4.3.4).

    Along it both slopes and the diffraction parameter have one maximum, so the samples beside it decide.
    """
    d_km, length_km = path.d_km, path.d_km[end]
    curvature = 500.0 / radius_km
    slope = back = -math.inf
    start, stop = _samples_about(path, end, math.sqrt(h1_m / curvature))
    for i in range(start, stop):
        slope = max(slope, _slope(0.0, d_km[i], length_km, curvature, h1_m))
    if slope < (h2_m - h1_m) / length_km:
        nu = -math.inf
        start, stop = _samples_about(path, end, _worst_over_sphere_km(length_km, h1_m, h2_m, curvature))
        for i in range(start, stop):
            nu = max(nu, nu_sqrt_m(d_km[i], 0.0, length_km, h1_m, h2_m, radius_km))
        return Obstruction(nu, True)
    start, stop = _samples_about(path, end, length_km - math.sqrt(h2_m / curvature))
    for i in range(start, stop):
        back = max(back, _slope(0.0, length_km - d_km[i], length_km, curvature, h2_m))
    return Obstruction(bullington_nu_sqrt_m(slope, back, length_km, h1_m, h2_m), False)


@borrowing
def _samples_about(path: GrowingPath, end: int, at_km: float) -> tuple[int, int]:
    """First sample and the one after the last of those beside a place, with one more on each side."""
    d_km, length_km = path.d_km, path.d_km[end]
    share = min(max(at_km / length_km, 0.0), 1.0)
    i = min(int(share * end), end - 1)
    while i > 0 and d_km[i] > at_km:
        i -= 1
    while i < end - 1 and d_km[i + 1] <= at_km:
        i += 1
    start = min(max(i - 1, 1), end - 1)
    return start, max(min(i + 3, end), start + 1)


@kernel
def _worst_over_sphere_km(length_km: float, h1_m: float, h2_m: float, curvature: float) -> float:
    """Where the diffraction parameter over a smooth sphere is largest, in km from the transmitter.

    With z = (D - x) / x its derivative vanishes at the one positive root of a cubic (the signs of the
    coefficients change once); the root is found by Newton's method kept between bounds.
    """
    a, b, c = h1_m / length_km, h2_m / length_km, curvature * length_km
    low, high = 0.0, math.inf
    z = math.sqrt(b / a)
    for _ in range(60):
        value = ((-a * z + b - 2.0 * a - c) * z + 2.0 * b - a + c) * z + b
        if value > 0.0:
            low = z
        else:
            high = z
        slope = (-3.0 * a * z + 2.0 * (b - 2.0 * a - c)) * z + 2.0 * b - a + c
        following = z - value / slope if slope != 0.0 else z
        if not low < following < high:
            following = 0.5 * (low + high) if high < math.inf else 2.0 * z
        if abs(following - z) <= 1e-9 * z:
            break
        z = following
    return length_km / (1.0 + z)
