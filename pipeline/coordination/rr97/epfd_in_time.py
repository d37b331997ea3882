"""Epfd(down) at one earth station in the course of time (RR No. 22.5C.1).

    epfd = 10 log10 sum over stations in use of 10^(pfd(elevation) / 10) G(phi) / Gmax

Space stations move on circular orbits, the earth station turns with a sphere; J2 and station keeping are left
out. In use are the N_co of the largest contributions among those at or above the least elevation, and not
nearer to the visible geostationary arc than the avoidance angle (Rec. ITU-R S.1503). Time is cut into steps
in which no station moves by more than a sixteenth of the half-power beam, or of its angle from the wanted
satellite where that is larger: to the middle of a step the pattern changes by less than 0.4 dB.

What moves by less than delta from the middle of a step to its ends has within the step no epfd above

    10 log10 sum over the N_co largest of 10^(max of pfd within elevation +- delta / 10)
        (max of G within phi +- delta, not below the avoidance angle) / Gmax

with every station that is within delta of being in use. Steps in which that exceeds the largest epfd found
at a middle by more than 0.01 dB are cut further, so that the largest bound is the largest epfd to 0.01 dB,
and never less.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coordination.rr97.systems import NonGeostationarySystem, Shell, largest_pfd_dbw_m2
from pipeline.coordination.rr941.antenna_patterns import Segments, gain_dbi

_Array = NDArray[np.float64]
_Index = NDArray[np.intp]

_EARTH_RATE_RAD_S = 7.2921159e-5
_GRAVITATION_KM3_S2 = 398600.4418
_EARTH_RADIUS_KM = 6378.137
_GEOSTATIONARY_KM = 42164.0
_STEPS_IN_BEAM = 16
# How far the largest bound may be above the largest epfd; steps so short that nothing moves stay as they are.
_SHARPNESS_DB, _STILL_RAD = 0.01, 1e-8
# How far a station may move in the longest step: so far below the least elevation it is looked at, too.
_LONGEST_STEP_RAD = math.radians(2.0)
_STATIONS_AT_ONCE = 400_000
_ARC_STEP_RAD, _ARC_FINE_RAD = math.radians(3.0), math.radians(0.02)
# Seen from the Earth two satellites are farther apart than from its centre, by a factor of up to 1.18.
_ARC_HALF_RAD = 0.6 * _ARC_STEP_RAD


class Receiver(NamedTuple):
    """Earth station on the sphere, earth-fixed unit vectors [3].

    ``place`` from the centre of the Earth, ``wanted`` from the station to its satellite, ``longitude_rad``
    its own.
    """

    place: _Array
    wanted: _Array
    longitude_rad: float


class Course(NamedTuple):
    """Steps [n]: epfd in dB(W/m2) in the reference bandwidth, -inf without a station, and lengths in s.

    ``epfd_dbw_m2`` at the middle of a step; ``highest_dbw_m2`` what it does not exceed within the step.
    """

    epfd_dbw_m2: _Array
    highest_dbw_m2: _Array
    lengths_s: _Array


class _Steps(NamedTuple):
    """The same with the middles and the smallest angle of a station from the wanted satellite there."""

    middles_s: _Array
    lengths_s: _Array
    epfd_dbw_m2: _Array
    highest_dbw_m2: _Array
    nearest_rad: _Array

    def where(self, chosen: NDArray[np.bool_]) -> _Steps:
        return _Steps(*(values[chosen] for values in self))


class _Seen(NamedTuple):
    """Space stations [n] at times: index of the time, unit vector from the place [n, 3], elevation."""

    time: _Index
    towards: _Array
    elevation_rad: _Array


def receiver_at(lon_deg: float, lat_deg: float, satellite_deg: float) -> Receiver:
    """The earth station at a place that looks at the geostationary satellite of a longitude."""
    lon, lat, own = map(math.radians, (lon_deg, lat_deg, satellite_deg))
    place = np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])
    wanted = _GEOSTATIONARY_KM * np.array([math.cos(own), math.sin(own), 0.0]) - _EARTH_RADIUS_KM * place
    return Receiver(place, wanted / np.linalg.norm(wanted), lon)


def epfd_in_time(
    receiver: Receiver, system: NonGeostationarySystem, pattern: Segments, duration_s: float
) -> Course:
    """Epfd of all steps of the time from 0 to ``duration_s``; ``pattern`` that of the earth station."""
    rate_rad_s = max(_fastest_rad_s(shell) for shell in system.constellation)
    finest_rad = _half_power_beam_rad(pattern) / _STEPS_IN_BEAM
    settled_rad = max(finest_rad, math.radians(system.avoidance_deg) / _STEPS_IN_BEAM)
    count = math.ceil(duration_s * rate_rad_s / _LONGEST_STEP_RAD)
    length_s = duration_s / count
    middles_s: _Array = np.asarray((np.arange(count) + 0.5) * length_s, np.float64)
    found: list[_Steps] = []
    while middles_s.size:
        steps = _steps(receiver, system, pattern, middles_s, np.full(middles_s.size, length_s))
        done = rate_rad_s * length_s <= np.maximum(settled_rad, steps.nearest_rad / _STEPS_IN_BEAM)
        found.append(steps.where(done))
        middles_s, length_s = _halves_s(steps.where(~done)), 0.5 * length_s
    steps = _joined(found)
    while True:
        open_ones = (steps.highest_dbw_m2 > steps.epfd_dbw_m2.max() + _SHARPNESS_DB) & (
            rate_rad_s * steps.lengths_s > _STILL_RAD
        )
        if not open_ones.any():
            return Course(steps.epfd_dbw_m2, steps.highest_dbw_m2, steps.lengths_s)
        cut = steps.where(open_ones)
        finer = _steps(receiver, system, pattern, _halves_s(cut), np.repeat(0.5 * cut.lengths_s, 2))
        steps = _joined([steps.where(~open_ones), finer])


def _joined(parts: list[_Steps]) -> _Steps:
    return _Steps(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _halves_s(steps: _Steps) -> _Array:
    """Middles of the two halves of each step, one after the other."""
    quarters_s = np.multiply.outer(steps.lengths_s, np.array([-0.25, 0.25]))
    return np.asarray((steps.middles_s[:, np.newaxis] + quarters_s).ravel())


def _fastest_rad_s(shell: Shell) -> float:
    """No station of the shell moves faster as seen from the Earth: both speeds at the smallest distance."""
    axis_km = _EARTH_RADIUS_KM + shell.altitude_km
    return axis_km * (_motion_rad_s(shell) + _EARTH_RATE_RAD_S) / shell.altitude_km


def _motion_rad_s(shell: Shell) -> float:
    return math.sqrt(_GRAVITATION_KM3_S2 / (_EARTH_RADIUS_KM + shell.altitude_km) ** 3)


def _half_power_beam_rad(pattern: Segments) -> float:
    """Width of the beam between its points 3 dB down, by the main lobe of the pattern."""
    return 2.0 * math.radians(math.sqrt(3.0 / -pattern[0, 3]))


def _steps(
    receiver: Receiver,
    system: NonGeostationarySystem,
    pattern: Segments,
    middles_s: _Array,
    lengths_s: _Array,
) -> _Steps:
    """Steps [n] by their middles and lengths, so many at once as memory should hold stations."""
    stations = sum(shell.satellites for shell in system.constellation)
    at_once = max(1, _STATIONS_AT_ONCE // stations)
    parts = [slice(start, start + at_once) for start in range(0, middles_s.size, at_once)]
    return _joined(
        [_some_steps(receiver, system, pattern, middles_s[part], lengths_s[part]) for part in parts]
    )


def _some_steps(
    receiver: Receiver,
    system: NonGeostationarySystem,
    pattern: Segments,
    middles_s: _Array,
    lengths_s: _Array,
) -> _Steps:
    rate_rad_s = max(_fastest_rad_s(shell) for shell in system.constellation)
    lowest_rad = math.radians(system.min_elevation_deg) - _LONGEST_STEP_RAD
    shells = [_seen(receiver, shell, middles_s, lowest_rad) for shell in system.constellation]
    seen = _Seen(*(np.concatenate(parts) for parts in zip(*shells, strict=True)))
    phi_rad = _angle_rad(seen.towards, receiver.wanted)
    nearest_rad = np.full(middles_s.size, np.inf)
    np.minimum.at(nearest_rad, seen.time, phi_rad)

    def level_dbw_m2(moved_rad: _Array) -> _Array:
        """The largest epfd [times] if stations [n] are somewhere within an angle of where they are."""
        used = np.flatnonzero(_may_be_used(receiver, system, seen, phi_rad, moved_rad))
        moved_deg, phi_deg = np.degrees(moved_rad[used]), np.degrees(phi_rad[used])
        elevation_deg = np.degrees(seen.elevation_rad[used])
        pfd_dbw_m2 = largest_pfd_dbw_m2(system, elevation_deg - moved_deg, elevation_deg + moved_deg)
        low_deg = np.maximum(phi_deg - moved_deg, system.avoidance_deg)
        gain = _largest_gains_dbi(pattern, np.minimum(low_deg, 180.0), phi_deg + moved_deg)
        flux = 10.0 ** (0.1 * (pfd_dbw_m2 + gain - gain_dbi(pattern, 0.0)))
        total = _sum_of_largest(seen.time[used], flux, system.satellites_in_use, middles_s.size)
        with np.errstate(divide="ignore"):
            return np.asarray(10.0 * np.log10(total))

    still_rad, moved_rad = np.zeros(phi_rad.size), 0.5 * rate_rad_s * lengths_s[seen.time]
    return _Steps(middles_s, lengths_s, level_dbw_m2(still_rad), level_dbw_m2(moved_rad), nearest_rad)


def _seen(receiver: Receiver, shell: Shell, times_s: _Array, lowest_rad: float) -> _Seen:
    """Stations of a shell not lower than ``lowest_rad`` (which may lie below the horizon).

    Ascending node 360 p/P - we t, argument of latitude 360 s/S + 360 F p/T + n t. The cosine of the angle at
    the Earth's centre between a place and a station is C cos(argument - phase), C and phase being those of
    its plane.
    """
    axis_km, inclination = _EARTH_RADIUS_KM + shell.altitude_km, math.radians(shell.inclination_deg)
    in_plane = shell.satellites // shell.planes
    plane, slot = np.arange(shell.planes), 2.0 * math.pi * np.arange(in_plane) / in_plane
    node = 2.0 * math.pi * plane / shell.planes - _EARTH_RATE_RAD_S * times_s[:, np.newaxis]
    first = (
        2.0 * math.pi * shell.phasing * plane / shell.satellites
        + _motion_rad_s(shell) * times_s[:, np.newaxis]
    )
    x, y, z = receiver.place
    along = x * np.cos(node) + y * np.sin(node)
    across = (y * np.cos(node) - x * np.sin(node)) * math.cos(inclination) + z * math.sin(inclination)
    level, rising = (
        along * np.cos(first) + across * np.sin(first),
        across * np.cos(first) - along * np.sin(first),
    )
    cosine = level[..., np.newaxis] * np.cos(slot) + rising[..., np.newaxis] * np.sin(slot)
    farthest = math.acos(_EARTH_RADIUS_KM / axis_km * math.cos(lowest_rad)) - lowest_rad
    time, p, s = np.nonzero(cosine >= math.cos(farthest))
    argument, turned = first[time, p] + slot[s], node[time, p]
    flat = np.sin(argument) * math.cos(inclination)
    towards = axis_km * np.stack(
        [
            np.cos(turned) * np.cos(argument) - np.sin(turned) * flat,
            np.sin(turned) * np.cos(argument) + np.cos(turned) * flat,
            np.sin(argument) * math.sin(inclination),
        ],
        axis=-1,
    )
    towards -= _EARTH_RADIUS_KM * receiver.place
    towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
    return _Seen(time, towards, np.arcsin(np.clip(towards @ receiver.place, -1.0, 1.0)))


def _angle_rad(towards: _Array, other: _Array) -> _Array:
    """Angle between unit vectors [n, 3] and one [3] or as many, exact where it is small."""
    return np.asarray(2.0 * np.arcsin(np.minimum(0.5 * np.linalg.norm(towards - other, axis=-1), 1.0)))


def _may_be_used(
    receiver: Receiver, system: NonGeostationarySystem, seen: _Seen, phi_rad: _Array, moved_rad: _Array
) -> NDArray[np.bool_]:
    """Stations that are within ``moved_rad`` [n] of being high enough and far enough from the visible arc."""
    avoidance_rad = math.radians(system.avoidance_deg)
    high = seen.elevation_rad >= math.radians(system.min_elevation_deg) - moved_rad
    used = high & (phi_rad >= avoidance_rad - moved_rad)
    if avoidance_rad > 0.0:
        left = np.flatnonzero(used)
        used[left] = _clear_of_arc(receiver, seen.towards[left], avoidance_rad - moved_rad[left])
    return np.asarray(used)


def _clear_of_arc(receiver: Receiver, towards: _Array, clearance_rad: _Array) -> NDArray[np.bool_]:
    """Directions [n, 3] not nearer to the visible arc than angles [n].

    Some points of the arc decide for most: no other is nearer by more than half the distance of two.
    """
    nearest = (towards @ _towards_arc(receiver, _visible_arc_rad(receiver)).T).max(axis=1)
    clear = nearest <= np.cos(np.clip(clearance_rad + _ARC_HALF_RAD, 0.0, math.pi))
    clear |= clearance_rad <= 0.0
    open_ones = np.flatnonzero(~clear & (nearest <= np.cos(np.maximum(clearance_rad, 0.0))))
    clear[open_ones] = angle_from_arc_rad(receiver, towards[open_ones]) >= clearance_rad[open_ones]
    return np.asarray(clear)


def _visible_arc_rad(receiver: Receiver) -> _Array:
    """Longitudes of the part of the geostationary arc above the horizon, from end to end."""
    cos_lat = math.hypot(*receiver.place[:2])
    reach = math.acos(min(_EARTH_RADIUS_KM / (_GEOSTATIONARY_KM * max(cos_lat, 1e-12)), 1.0))
    steps = max(2, math.ceil(reach / _ARC_STEP_RAD))
    return np.asarray(receiver.longitude_rad + reach * np.linspace(-1.0, 1.0, 2 * steps + 1))


def angle_from_arc_rad(receiver: Receiver, towards: _Array) -> _Array:
    """Smallest angle of directions [n, 3] from the part of the geostationary arc above the horizon."""
    arc = _visible_arc_rad(receiver)
    best = arc[np.argmax(towards @ _towards_arc(receiver, arc).T, axis=1)]
    angle = np.full(best.size, np.inf)
    for width in (0.5 * (arc[1] - arc[0]), _ARC_FINE_RAD, _ARC_FINE_RAD):
        best = np.clip(_turning_point(receiver, towards, best, width), arc[0], arc[-1])
        angle = np.minimum(angle, _angle_rad(towards, _towards_arc(receiver, best)))
    return angle


def _turning_point(receiver: Receiver, towards: _Array, middle: _Array, width: float) -> _Array:
    """Longitudes at which the parabola through three angles' cosines is largest."""
    before, at, after = (
        np.einsum("nk,nk->n", towards, _towards_arc(receiver, middle + turn)) for turn in (-width, 0.0, width)
    )
    bend = before - 2.0 * at + after
    shift = np.where(bend < 0.0, 0.5 * (before - after) / np.where(bend < 0.0, bend, -1.0), 0.0)
    return np.asarray(middle + width * np.clip(shift, -2.0, 2.0))


def _towards_arc(receiver: Receiver, longitude_rad: _Array) -> _Array:
    """Unit vectors [n, 3] from the place to longitudes of the geostationary orbit."""
    orbit = np.stack([np.cos(longitude_rad), np.sin(longitude_rad), np.zeros_like(longitude_rad)], axis=-1)
    towards = _GEOSTATIONARY_KM * orbit - _EARTH_RADIUS_KM * receiver.place
    return np.asarray(towards / np.linalg.norm(towards, axis=-1, keepdims=True))


def _gains_dbi(pattern: Segments, phi_deg: _Array) -> _Array:
    """Gains at off-axis angles [n]: the rows of the pattern as `gain_dbi` reads them."""
    row = np.minimum(np.searchsorted(pattern[:, 0], phi_deg, side="right"), pattern.shape[0] - 1)
    _, level, slope, curve = pattern[row].T
    return np.asarray(level + slope * np.log10(np.maximum(phi_deg, 1e-9)) + curve * phi_deg**2)


def _largest_gains_dbi(pattern: Segments, low_deg: _Array, high_deg: _Array) -> _Array:
    """Largest gains between off-axis angles [n]: within a row the gain falls or is level."""
    largest = _gains_dbi(pattern, low_deg)
    for start_deg in np.unique(pattern[np.isfinite(pattern[:, 0]), 0]):
        inside = (low_deg < start_deg) & (start_deg <= high_deg)
        largest = np.where(inside, np.maximum(largest, gain_dbi(pattern, start_deg)), largest)
    return np.asarray(largest)


def _sum_of_largest(time: _Index, flux: _Array, count: int, times: int) -> _Array:
    """Sum of the ``count`` largest values at each time [times]."""
    order = np.lexsort((-flux, time))
    time, flux = time[order], flux[order]
    rank = np.arange(time.size) - np.searchsorted(time, time, side="left")
    kept = rank < count
    return np.bincount(time[kept], weights=flux[kept], minlength=times).astype(np.float64)
