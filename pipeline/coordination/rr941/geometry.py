"""Geometry of an earth station and two geostationary satellites (RR Appendix 8, Annexes I and II).

The satellites stand over the equator; the Earth is a sphere. Against exact vectors the angle differs by less
than 0.003 degrees.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel

# d = 42644 sqrt(1 - 0.2954 cos psi): 42644^2 = 42164^2 + 6371^2, 0.2954 = 2 * 42164 * 6371 / 42644^2.
_RANGE_SCALE_KM = 42644.0
_RANGE_COSINE = 0.2954
# Twice the radius of the orbit: the chord between two satellites is 84332 sin(theta_g / 2).
_CHORD_KM = 84332.0
_EARTH_TO_ORBIT = 6378.0 / 42164.0
_EARTH_RADIUS_KM = 6378.0
_ORBIT_RADIUS_KM = 42164.0


class Sight(NamedTuple):
    """What earth stations at n locations see of two satellites, float64 arrays [n].

    ``angle_deg`` topocentric separation of the two; ``own_*`` the satellite of the earth station's network,
    ``other_*`` that of the other network.
    """

    angle_deg: NDArray[np.float64]
    own_km: NDArray[np.float64]
    other_km: NDArray[np.float64]
    own_elevation_deg: NDArray[np.float64]
    other_elevation_deg: NDArray[np.float64]


@kernel
def cosine_of_arc(lon_deg: float, lat_deg: float, satellite_deg: float) -> float:
    """Cosine of the central angle psi between a location and the sub-satellite point."""
    return math.cos(math.radians(lat_deg)) * math.cos(math.radians(satellite_deg - lon_deg))


@kernel
def _range_km(cos_psi: float) -> float:
    """Distance from the location to the satellite."""
    return _RANGE_SCALE_KM * math.sqrt(1.0 - _RANGE_COSINE * cos_psi)


@kernel
def elevation_deg(cos_psi: float) -> float:
    """Elevation angle of the satellite, geometric, negative below the horizon."""
    sin_psi = math.sqrt(max(0.0, 1.0 - cos_psi * cos_psi))
    return math.degrees(math.atan2(cos_psi - _EARTH_TO_ORBIT, sin_psi))


@kernel
def geocentric_angle_deg(first_deg: float, second_deg: float, tolerance_deg: float) -> float:
    """Smallest separation of two orbital positions when both use up their tolerances (sum given), >= 0."""
    turn = abs(first_deg - second_deg) % 360.0
    return max(min(turn, 360.0 - turn) - tolerance_deg, 0.0)


@kernel
def topocentric_angle_deg(first_km: float, second_km: float, geocentric_deg: float) -> float:
    """Angle between two satellites seen from the location, by the law of cosines.

    acos((d1^2 + d2^2 - c^2) / (2 d1 d2)) with the chord c, written with the half angle, which keeps its
    digits where the angle is small. Tolerances shrink c while the distances stay: below the difference of
    the distances the angle is 0.
    """
    chord_km = _CHORD_KM * math.sin(0.5 * math.radians(geocentric_deg))
    difference_km = first_km - second_km
    square = (chord_km * chord_km - difference_km * difference_km) / (4.0 * first_km * second_km)
    return math.degrees(2.0 * math.asin(math.sqrt(min(max(square, 0.0), 1.0))))


@kernel
def angle_at_satellite_deg(
    lon_deg: float, lat_deg: float, aim_lon_deg: float, aim_lat_deg: float, satellite_deg: float
) -> float:
    """Angle at the satellite between a location on Earth and the point its beam aims at."""
    x1, y1, z1 = _from_satellite_km(lon_deg - satellite_deg, lat_deg)
    x2, y2, z2 = _from_satellite_km(aim_lon_deg - satellite_deg, aim_lat_deg)
    cross_x = y1 * z2 - z1 * y2
    cross_y = z1 * x2 - x1 * z2
    cross_z = x1 * y2 - y1 * x2
    cross = math.sqrt(cross_x * cross_x + cross_y * cross_y + cross_z * cross_z)
    return math.degrees(math.atan2(cross, x1 * x2 + y1 * y2 + z1 * z2))


@kernel
def _from_satellite_km(east_deg: float, lat_deg: float) -> tuple[float, float, float]:
    """Vector from the satellite to a location; x away from the Earth's centre through the satellite."""
    east, north = math.radians(east_deg), math.radians(lat_deg)
    return (
        _EARTH_RADIUS_KM * math.cos(north) * math.cos(east) - _ORBIT_RADIUS_KM,
        _EARTH_RADIUS_KM * math.cos(north) * math.sin(east),
        _EARTH_RADIUS_KM * math.sin(north),
    )


def sight(
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    own_deg: float,
    other_deg: float,
    tolerance_deg: float,
) -> Sight:
    """Angles and distances at locations [n] towards satellites at two longitudes; tolerances summed."""
    values = np.empty((5, lon_deg.size))
    geocentric_deg = geocentric_angle_deg(own_deg, other_deg, tolerance_deg)
    _fill_sight(lon_deg, lat_deg, own_deg, other_deg, geocentric_deg, values)
    return Sight(*values)


@kernel
def _fill_sight(
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    own_deg: float,
    other_deg: float,
    geocentric_deg: float,
    values: NDArray[np.float64],
) -> None:
    for i in range(lon_deg.size):
        own = cosine_of_arc(lon_deg[i], lat_deg[i], own_deg)
        other = cosine_of_arc(lon_deg[i], lat_deg[i], other_deg)
        values[1, i] = _range_km(own)
        values[2, i] = _range_km(other)
        values[0, i] = topocentric_angle_deg(values[1, i], values[2, i], geocentric_deg)
        values[3, i] = elevation_deg(own)
        values[4, i] = elevation_deg(other)
