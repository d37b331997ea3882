"""True distances, azimuths and grid directions without a projection call per pixel.

Points are geocentric (ECEF, WGS84, on the ellipsoid) in metres. A *site frame* is the origin of a mast with
its local east, north and up axes; a *lattice* holds, every few pixels of a grid, the position and the
directions of the grid axes, from which every pixel is interpolated bilinearly (error far below 0.1 m).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.grid import Grid
from pipeline.kernels import borrowing, inlined, inner, kernel

# WGS84 (NIMA TR8350.2): semi-major axis and flattening.
SEMI_MAJOR_M = 6_378_137.0
_FLATTENING = 1.0 / 298.257223563
_SEMI_MAJOR_KM = 6378.137
ECCENTRICITY2 = _FLATTENING * (2.0 - _FLATTENING)

# Bilinear interpolation over L metres sags by L^2 / (4 R): 0.1 m, nearly vertical, at 1600 m.
_LATTICE_MAX_M = 1600.0
_LATTICE_MAX_PX = 16

# From the azimuth of the normal section to the geodesic's: e^2 cos^2(lat) sin(2 az) s^2 / (12 a^2) rad.
_NORMAL_SECTION_PER_M2 = ECCENTRICITY2 / (6.0 * SEMI_MAJOR_M**2)

# A pixel centre on the mast itself: keeps log d finite; the error is below a metre.
_NEAREST_KM = 1.0e-3
# The same, and the numbers of ``ray``, in single precision.
_NEAREST, _KM_PER_M, _LEAST_M2 = np.float32(_NEAREST_KM), np.float32(1.0e-3), np.float32(1.0e-9)
_ONE, _SIXTH, _FOURTH_ORDER = np.float32(1.0), np.float32(1.0 / 6.0), np.float32(0.075)
# Columns of the node array of a lattice.
_NODE_COLUMNS = 11


def _arctangent_series(terms: int) -> tuple[float, ...]:
    """Coefficients of t, t^3, t^5 ... of arctan t in degrees on [-1, 1], from its Chebyshev series.

    arctan t = 2 sum (-1)^k q^(2k+1) / (2k+1) T_(2k+1)(t), q = sqrt 2 - 1; the error is about the first term
    left out: 6e-8 deg for ten terms.
    """
    q = math.sqrt(2.0) - 1.0
    series = np.zeros(2 * terms)
    for k in range(terms):
        series[2 * k + 1] = 2.0 * (-1) ** k * q ** (2 * k + 1) / (2 * k + 1)
    powers = np.polynomial.chebyshev.cheb2poly(series)[1::2]
    return tuple(float(c) for c in np.degrees(powers))


class Lattice(NamedTuple):
    """Positions and grid directions at the centres of pixels (k step_px, l step_px) of a grid.

    ``nodes`` float64[rows, columns, 11]: position x, y, z in m; unit axis "a" along grid east (3) and axis
    "b" square to it (3), both horizontal; shear and aspect of the grid's north axis in (a, b): 0 and 1 where
    the projection is conformal.
    ``first_row``, ``first_col``: lattice indices of nodes[0, 0].
    """

    step_px: int
    first_row: int
    first_col: int
    nodes: NDArray[np.float64]


def _azimuth_in(number: type[Any]) -> Callable[[float, float], float]:
    """``azimuth_deg`` with constants of the precision of the vectors: twice as many fit a register."""
    a0, a1, a2, a3, a4, a5, a6, a7, a8, a9 = (number(c) for c in _arctangent_series(10))
    zero, one, quarter, half, whole = (number(c) for c in (0.0, 1.0, 90.0, 180.0, 360.0))

    @inlined
    def azimuth(east: float, north: float) -> float:
        a, b = abs(east), abs(north)
        big = max(a, b)
        t = min(a, b) / (big if big > zero else one)
        s = t * t
        s2 = s * s
        s4 = s2 * s2
        low = (a0 + a1 * s) + (a2 + a3 * s) * s2
        high = (a4 + a5 * s) + (a6 + a7 * s) * s2
        angle = t * (low + s4 * (high + s4 * (a8 + a9 * s)))
        angle = quarter - angle if a > b else angle
        angle = half - angle if north < zero else angle
        angle = whole - angle if east < zero else angle
        # An angle just west of north rounds to 360.
        return zero if angle >= whole else angle

    return cast("Callable[[float, float], float]", azimuth)


# Direction of a vector clockwise from north in [0, 360), 0 for no vector: within 1e-6 deg of arctan2, and
# within 6e-5 deg for vectors in single precision.
azimuth_deg = _azimuth_in(np.float64)
single_azimuth_deg = _azimuth_in(np.float32)


@kernel
def ecef_m(lon_deg: float, lat_deg: float) -> tuple[float, float, float]:
    """Geocentric position in m of a point on the WGS84 ellipsoid."""
    lon, lat = math.radians(lon_deg), math.radians(lat_deg)
    sin_lat, cos_lat = math.sin(lat), math.cos(lat)
    normal_m = SEMI_MAJOR_M / math.sqrt(1.0 - ECCENTRICITY2 * sin_lat * sin_lat)
    return (
        normal_m * cos_lat * math.cos(lon),
        normal_m * cos_lat * math.sin(lon),
        normal_m * (1.0 - ECCENTRICITY2) * sin_lat,
    )


@kernel
def positions_of_places_m(lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Geocentric positions in m [3, n] of places on the WGS84 ellipsoid."""
    found = np.empty((3, lon_deg.size))
    for i in range(lon_deg.size):
        found[0, i], found[1, i], found[2, i] = ecef_m(lon_deg[i], lat_deg[i])
    return found


@inner
def _arc_coefficients(squared_k: float) -> tuple[float, float, float, float, float, float]:
    """Series of distance and longitude to second order in epsilon: error below 0.1 m over 1000 km.

    Returns scale A1, C11, C12 (distance from arc), C'11, C'12 (arc from distance) and epsilon.
    C. F. F. Karney, Algorithms for geodesics, J. Geodesy 87 (2013), eq. (17), (18), (21).
    """
    root = math.sqrt(1.0 + squared_k)
    eps = (root - 1.0) / (root + 1.0)
    scale = (1.0 + 0.25 * eps * eps) / (1.0 - eps)
    return scale, -0.5 * eps, -eps * eps / 16.0, 0.5 * eps, 0.3125 * eps * eps, eps


@kernel
def radial_knots(
    lon_deg: float,
    lat_deg: float,
    azimuth_deg: float,
    knot_km: float,
    lon_out: NDArray[np.float64],
    lat_out: NDArray[np.float64],
) -> None:
    """Fill the positions at 0, knot, 2 knot, ... km on the geodesic that leaves with a true azimuth.

    Karney (2013), direct problem, sec. 2; longitudes stay continuous (may pass 180 deg). Not for the poles.
    """
    f = _FLATTENING
    polar_km = _SEMI_MAJOR_KM * (1.0 - f)
    alpha = math.radians(azimuth_deg)
    beta = math.atan((1.0 - f) * math.tan(math.radians(lat_deg)))
    sin_beta, cos_beta = math.sin(beta), math.cos(beta)
    sin_alpha, cos_alpha = math.sin(alpha), math.cos(alpha)
    sin_0 = sin_alpha * cos_beta
    cos_0 = math.hypot(cos_alpha, sin_alpha * sin_beta)
    sigma_1 = math.atan2(sin_beta, cos_alpha * cos_beta)
    omega_1 = math.atan2(sin_0 * math.sin(sigma_1), math.cos(sigma_1))
    second_e2 = f * (2.0 - f) / (1.0 - f) ** 2
    scale, c1, c2, r1, r2, eps = _arc_coefficients(second_e2 * cos_0 * cos_0)
    tau_1 = sigma_1 + c1 * math.sin(2.0 * sigma_1) + c2 * math.sin(4.0 * sigma_1)
    n = f / (2.0 - f)
    a3 = 1.0 - (0.5 - 0.5 * n) * eps - 0.25 * eps * eps  # eq. (24)
    c31 = (0.25 - 0.25 * n) * eps  # eq. (25)
    lon_1 = sigma_1 + c31 * math.sin(2.0 * sigma_1)
    for i in range(lon_out.size):
        tau = tau_1 + i * knot_km / (polar_km * scale)
        sigma = tau + r1 * math.sin(2.0 * tau) + r2 * math.sin(4.0 * tau)
        sin_sigma, cos_sigma = math.sin(sigma), math.cos(sigma)
        tan_beta = cos_0 * sin_sigma / math.hypot(cos_0 * cos_sigma, sin_0)
        lat_out[i] = math.degrees(math.atan(tan_beta / (1.0 - f)))
        turn = math.atan2(sin_0 * sin_sigma, cos_sigma) - omega_1
        turn -= 2.0 * math.pi * math.floor(turn / (2.0 * math.pi) + 0.5)
        lag = f * sin_0 * a3 * (sigma + c31 * math.sin(2.0 * sigma) - lon_1)
        lon_out[i] = lon_deg + math.degrees(turn - lag)


@kernel
def site_frame(lon_deg: float, lat_deg: float) -> NDArray[np.float64]:
    """float64[12]: geocentric origin in m and the local east, north and up unit axes of a site."""
    lon, lat = math.radians(lon_deg), math.radians(lat_deg)
    sin_lon, cos_lon, sin_lat, cos_lat = math.sin(lon), math.cos(lon), math.sin(lat), math.cos(lat)
    frame = np.empty(12)
    frame[0], frame[1], frame[2] = ecef_m(lon_deg, lat_deg)
    frame[3], frame[4], frame[5] = -sin_lon, cos_lon, 0.0
    frame[6], frame[7], frame[8] = -sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat
    frame[9], frame[10], frame[11] = cos_lat * cos_lon, cos_lat * sin_lon, sin_lat
    return frame


def site_frames(lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[n, 12]: the frames of n sites."""
    return np.array([site_frame(x, y) for x, y in zip(lon_deg, lat_deg, strict=True)]).reshape(-1, 12)


@inlined
def ray(frame: NDArray[np.float64], x_m: float, y_m: float, z_m: float) -> tuple[float, float]:
    """Geodesic distance in km (at least 1 m) and azimuth in deg from a site to a geocentric point.

    The chord c drops below the site's horizon by u, and sin(half the arc angle) = -u / c on the circle that
    osculates the path: s = c (1 + w/6 + 3 w^2/40), w = (u/c)^2. The azimuth is the normal section's, turned
    into the geodesic's. Within 0.1 m and 4e-5 deg up to 300 km, 1 m and 1e-4 deg up to 1000 km.
    """
    dx, dy, dz = x_m - frame[0], y_m - frame[1], z_m - frame[2]
    east = dx * frame[3] + dy * frame[4]
    north = dx * frame[6] + dy * frame[7] + dz * frame[8]
    up = dx * frame[9] + dy * frame[10] + dz * frame[11]
    chord2 = east * east + north * north + up * up
    w = up * up / (chord2 + 1.0e-9)
    turn = _NORMAL_SECTION_PER_M2 * frame[8] * frame[8] * east * north
    distance_km = 1.0e-3 * math.sqrt(chord2) * (1.0 + w * (1.0 / 6.0 + 0.075 * w))
    return max(distance_km, _NEAREST_KM), azimuth_deg(east - turn * north, north + turn * east)


@kernel
def rays(
    frame: NDArray[np.float64],
    positions_m: NDArray[np.float64],
    d_km: NDArray[np.float64],
    az_deg: NDArray[np.float64],
) -> None:
    """Fill distance and azimuth [n] from one site to positions [3, n]; written so that it vectorises."""
    for i in range(positions_m.shape[1]):
        d_km[i], az_deg[i] = ray(frame, positions_m[0, i], positions_m[1, i], positions_m[2, i])


class TilePlaces(NamedTuple):
    """Pixels of a tile from its centre, in single precision: to 1 mm there, to 0.1 m seen from 1000 km away.

    ``centre_m`` float64[3] geocentric; ``around_m`` float32[3, pixel] from there; ``axes`` float32[6, pixel]:
    the axes "a" and "b" of each pixel (see :class:`Lattice`).
    """

    centre_m: NDArray[np.float64]
    around_m: NDArray[np.float32]
    axes: NDArray[np.float32]


@inner
def tile_places(frames: NDArray[np.float64], centre_m: NDArray[np.float64]) -> TilePlaces:
    """Pixels of ``frames`` float64[11, pixel] (of ``pixel_frames``) around a point near them."""
    around_m, axes = np.empty((3, frames.shape[1]), np.float32), np.empty((6, frames.shape[1]), np.float32)
    for n in range(3):
        for p in range(frames.shape[1]):
            around_m[n, p] = frames[n, p] - centre_m[n]
    for n in range(6):
        for p in range(frames.shape[1]):
            axes[n, p] = frames[3 + n, p]
    return TilePlaces(centre_m, around_m, axes)


@borrowing
def tile_rays(
    frame: NDArray[np.float64], pixels: TilePlaces, d_km: NDArray[np.float32], az_deg: NDArray[np.float32]
) -> None:
    """Fill distance and azimuth [pixel] from one site as ``ray`` has them, in single precision."""
    centre_m, x_m, y_m, z_m = pixels.centre_m, pixels.around_m[0], pixels.around_m[1], pixels.around_m[2]
    dx, dy, dz = centre_m[0] - frame[0], centre_m[1] - frame[1], centre_m[2] - frame[2]
    east_m = np.float32(dx * frame[3] + dy * frame[4])
    north_m = np.float32(dx * frame[6] + dy * frame[7] + dz * frame[8])
    up_m = np.float32(dx * frame[9] + dy * frame[10] + dz * frame[11])
    east_x, east_y = np.float32(frame[3]), np.float32(frame[4])
    north_x, north_y, north_z = np.float32(frame[6]), np.float32(frame[7]), np.float32(frame[8])
    up_x, up_y, up_z = np.float32(frame[9]), np.float32(frame[10]), np.float32(frame[11])
    turn_per_m2 = np.float32(_NORMAL_SECTION_PER_M2 * frame[8] * frame[8])
    for p in range(x_m.size):
        x, y, z = x_m[p], y_m[p], z_m[p]
        east = east_m + (x * east_x + y * east_y)
        north = north_m + (x * north_x + y * north_y + z * north_z)
        up = up_m + (x * up_x + y * up_y + z * up_z)
        chord2 = east * east + north * north + up * up
        w = up * up / (chord2 + _LEAST_M2)
        turn = turn_per_m2 * east * north
        d_km[p] = max(_KM_PER_M * np.sqrt(chord2) * (_ONE + w * (_SIXTH + _FOURTH_ORDER * w)), _NEAREST)
        az_deg[p] = single_azimuth_deg(east - turn * north, north + turn * east)


@inlined
def grid_azimuth_deg(a: float, b: float, shear: float, aspect: float) -> float:
    """Grid azimuth of a horizontal vector (a, b) on the axes of a pixel (see :class:`Lattice`)."""
    return azimuth_deg((a - shear * b) * aspect, b)


@kernel
def pixel_frames(
    step_px: int,
    first_row: int,
    first_col: int,
    nodes: NDArray[np.float64],
    row: int,
    col: int,
    frames: NDArray[np.float64],
) -> None:
    """Interpolate frames float64[11, rows, cols] of a tile from (row, col) of the grid.

    The components are those of :class:`Lattice`; each is bilinear within a lattice cell, so the frame of a
    pixel does not depend on the tile it is computed in.
    """
    inverse = 1.0 / step_px
    for i in range(frames.shape[1]):
        node_row = (row + i) // step_px
        v = ((row + i) - node_row * step_px) * inverse
        upper, lower = nodes[node_row - first_row], nodes[node_row - first_row + 1]
        for j in range(frames.shape[2]):
            node_col = (col + j) // step_px
            u = ((col + j) - node_col * step_px) * inverse
            k = node_col - first_col
            w00, w01, w10, w11 = (1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u
            for n in range(_NODE_COLUMNS):
                frames[n, i, j] = (
                    w00 * upper[k, n] + w01 * upper[k + 1, n] + w10 * lower[k, n] + w11 * lower[k + 1, n]
                )


def lattice_step_px(resolution_m: float) -> int:
    """Pixels between lattice nodes: the largest power of two up to 16 within 1600 m, at least 1."""
    step_px = _LATTICE_MAX_PX
    while step_px > 1 and step_px * resolution_m > _LATTICE_MAX_M:
        step_px //= 2
    return step_px


def lattice(grid: Grid, rows: slice | None = None, cols: slice | None = None) -> Lattice:
    """The lattice that covers rows x cols of a grid (default all of it).

    Nodes lie at multiples of the step, whatever the block, so equal pixels get equal frames. Axes come from
    central differences of the neighbouring nodes: the convergence and distortion of any projection.
    """
    rows, cols = rows or slice(0, grid.height), cols or slice(0, grid.width)
    step_px = lattice_step_px(grid.resolution_m)
    first_row, first_col = rows.start // step_px, cols.start // step_px
    # One ring more than needed: for interpolation in the last cell and for differences at the edge.
    node_rows = np.arange(first_row - 1, (rows.stop - 1) // step_px + 3)
    node_cols = np.arange(first_col - 1, (cols.stop - 1) // step_px + 3)
    positions_m = positions_of_pixels_m(grid, node_rows * step_px, node_cols * step_px)
    return Lattice(step_px, first_row, first_col, _nodes(positions_m))


def outline_m(grid: Grid) -> NDArray[np.float64]:
    """Geocentric positions [n, 3] of lattice nodes all over a grid, at most some ten kilometres apart."""
    step_px = lattice_step_px(grid.resolution_m)
    last = [(size - 1) // step_px + 1 for size in grid.shape]
    every = max(1, (min(last) + 1) // 64)
    node_rows, node_cols = (np.append(np.arange(0, end, every), end) * step_px for end in last)
    return positions_of_pixels_m(grid, node_rows, node_cols).reshape(-1, 3)


def positions_of_pixels_m(
    grid: Grid, rows: NDArray[np.integer], cols: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Geocentric positions [rows, cols, 3] in m of the centres of pixels, which may lie beside the grid."""
    x_m = grid.west_m + (cols + 0.5) * grid.resolution_m
    y_m = grid.north_m - (rows + 0.5) * grid.resolution_m
    lon_deg, lat_deg = grid.to_lonlat().transform(*np.meshgrid(x_m, y_m))
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    normal_m = SEMI_MAJOR_M / np.sqrt(1.0 - ECCENTRICITY2 * np.sin(lat) ** 2)
    across_m = normal_m * np.cos(lat)
    return np.stack(
        [across_m * np.cos(lon), across_m * np.sin(lon), (1.0 - ECCENTRICITY2) * normal_m * np.sin(lat)],
        axis=-1,
    )


def _nodes(positions_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Node array [rows-2, cols-2, 11] from positions [rows, cols, 3] with a ring around."""
    inner = positions_m[1:-1, 1:-1]
    up = inner / np.array([1.0, 1.0, 1.0 - ECCENTRICITY2])
    up /= np.linalg.norm(up, axis=-1, keepdims=True)
    along_x = _horizontal(positions_m[1:-1, 2:] - positions_m[1:-1, :-2], up)
    along_y = _horizontal(positions_m[:-2, 1:-1] - positions_m[2:, 1:-1], up)
    length_x = np.linalg.norm(along_x, axis=-1, keepdims=True)
    axis_a = along_x / length_x
    axis_b = np.cross(up, axis_a)
    on_a = np.sum(along_y * axis_a, axis=-1, keepdims=True)
    on_b = np.sum(along_y * axis_b, axis=-1, keepdims=True)
    return np.ascontiguousarray(
        np.concatenate([inner, axis_a, axis_b, on_a / on_b, on_b / length_x], axis=-1)
    )


def _horizontal(vectors: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors - np.sum(vectors * up, axis=-1, keepdims=True) * up


def rays_to(
    lon_deg: float, lat_deg: float, grid: Grid, rows: slice, cols: slice
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Geodesic distance [km] and azimuth [deg] from a point to the pixel centres of a window."""
    d_km, bearing_deg = np.empty((2, rows.stop - rows.start, cols.stop - cols.start))
    site = site_frame(lon_deg, lat_deg)
    _fill_rays(site, *lattice(grid, rows, cols), rows.start, cols.start, d_km, bearing_deg)
    return d_km, bearing_deg


@kernel
def _fill_rays(
    frame: NDArray[np.float64],
    step_px: int,
    first_row: int,
    first_col: int,
    nodes: NDArray[np.float64],
    row: int,
    col: int,
    d_km: NDArray[np.float64],
    az_deg: NDArray[np.float64],
) -> None:
    """``rays`` from a site to a window [y, x] from (row, col) on; positions of one row at a time are kept.

    They are those of ``pixel_frames``, without the axes.
    """
    inverse, width = 1.0 / step_px, d_km.shape[1]
    positions_m = np.empty((3, width))
    for i in range(d_km.shape[0]):
        node_row = (row + i) // step_px
        v = ((row + i) - node_row * step_px) * inverse
        upper, lower = nodes[node_row - first_row], nodes[node_row - first_row + 1]
        for node_col in range(col // step_px, (col + width - 1) // step_px + 1):
            k, start = node_col - first_col, node_col * step_px - col
            for j in range(max(start, 0), min(start + step_px, width)):
                u = (j - start) * inverse
                w00, w01, w10, w11 = (1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u
                for n in range(3):
                    positions_m[n, j] = (
                        w00 * upper[k, n] + w01 * upper[k + 1, n] + w10 * lower[k, n] + w11 * lower[k + 1, n]
                    )
        rays(frame, positions_m, d_km[i], az_deg[i])
