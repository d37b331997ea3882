"""Countries, land and sea as far as the distances of Resolution 612 reach from some locations.

Land and sea come with the clearance around every cell, which lets the test of a path stride.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from pipeline.coordination.radar.borders import CountryPolygon, reach_km, read_countries
from pipeline.coordination.radar.resolution612 import read_itu_codes
from pipeline.errors import InputError
from pipeline.grid.distance import column_distance_px, row_distance_px
from pipeline.grid.geodesy import ECCENTRICITY2
from pipeline.grid.grid import Box, Grid
from pipeline.grid.polygons import cut
from pipeline.kernels import inlined
from pipeline.territory.masks import rasterised

# --- land and sea -------------------------------------------------------------------------------------------


# 30 arc seconds are 0.93 km: fine enough for samples every 2 km (docs/method.md, section 29).
MASK_STEP_DEG = 1.0 / 120.0
# Shortest degree of WGS84 (of latitude at the equator, 110.574 km).
_DEGREE_KM = 110.57
# Longest degree (of longitude at the equator is 111.320 km, of latitude at the poles 111.694 km).
_LONG_DEGREE_KM = 111.7
# Clearance beyond this is not used: it bounds how far geodesics bend towards the pole (3 km at 60 degrees).
_MAX_CLEAR_KM = 300.0
_POLEWARD_DEG = 0.3
# Smallest clearance, so that its sign always distinguishes land from sea.
_MIN_CLEAR_KM = 1.0e-3


class Clearance(NamedTuple):
    """Clearance around each cell of a lon/lat raster, rows from north to south.

    ``clear_km`` float32[y, x]: on land (positive) no sea is within this distance of any point of the cell,
    on sea (negative) no land is. Locations outside the raster count as sea without clearance (conservative).
    """

    clear_km: NDArray[np.float32]
    west_deg: float
    north_deg: float
    per_deg: float


def land_mask(
    shapes: Iterable[BaseGeometry], box_deg: Box, step_deg: float = MASK_STEP_DEG
) -> NDArray[np.bool_]:
    """True where the centre of a cell is on land, bool[y, x] of a lon/lat box; lakes are land."""
    west, south, east, north = box_deg
    shape = math.ceil((north - south) / step_deg - 1e-9), math.ceil((east - west) / step_deg - 1e-9)
    return rasterised(shapes, shape, Affine(step_deg, 0.0, west, 0.0, -step_deg, north))


def clearance(
    land: NDArray[np.bool_], west_deg: float, north_deg: float, step_deg: float = MASK_STEP_DEG
) -> Clearance:
    """Clearance around the cells of a mask: never more than the true one, whatever the latitude."""
    south_deg = north_deg - land.shape[0] * step_deg
    poleward = min(max(abs(north_deg), abs(south_deg)) + _POLEWARD_DEG, 90.0)
    height_km = step_deg * _DEGREE_KM
    width_km = max(height_km * math.cos(math.radians(poleward)), 1e-9)
    # From centre to centre; half a diagonal at either end belongs to the cells.
    diagonal_km = math.hypot(step_deg * _LONG_DEGREE_KM, step_deg * _LONG_DEGREE_KM)
    room = np.full(land.shape, 0.0, dtype=np.float32)
    for kind, sign in ((land, 1.0), (~land, -1.0)):
        # A ring of the other kind: what is beyond the raster is not known.
        other = np.pad(~kind, 1, constant_values=True)
        distance_km = width_km * row_distance_px(column_distance_px(other), height_km / width_km)
        usable = np.clip(distance_km[1:-1, 1:-1] - diagonal_km, _MIN_CLEAR_KM, _MAX_CLEAR_KM)
        room[kind] = sign * usable[kind]
    return Clearance(room, west_deg, north_deg, 1.0 / step_deg)


@inlined
def clearance_at(clearance: Clearance, x_m: float, y_m: float, z_m: float) -> float:
    """Clearance in km above or below a geocentric point; its sign distinguishes land (+) from sea (-)."""
    lon_deg = math.degrees(math.atan2(y_m, x_m))
    lat_deg = math.degrees(math.atan2(z_m, (1.0 - ECCENTRICITY2) * math.sqrt(x_m * x_m + y_m * y_m)))
    col = int(((lon_deg - clearance.west_deg) % 360.0) * clearance.per_deg)
    row = math.floor((clearance.north_deg - lat_deg) * clearance.per_deg)
    if row < 0 or row >= clearance.clear_km.shape[0] or col >= clearance.clear_km.shape[1]:
        return -_MIN_CLEAR_KM
    return clearance.clear_km[row, col]


# --- what is known around some locations --------------------------------------------------------------------


# Longitudes and latitudes [n].
LonLats = tuple[NDArray[np.float64], NDArray[np.float64]]
# Places along each side of a window: its outline in lon/lat.
_OUTLINE_POINTS = 17
# Paths bend towards the poles: a buffer beside them.
_BUFFER_DEG = 1.0


class Ground(NamedTuple):
    """Country polygons, the box they were cut to (None: the whole world), and land and sea within reach.

    ``reach_km`` the shortest distance from a location to the edge of the box: nothing is known beyond it.
    """

    countries: list[CountryPolygon]
    clip_deg: Box | None
    reach_km: float
    clearance: Clearance


def read_ground(
    path: Path, clip_deg: Box | None, locations: LonLats, needed_km: float
) -> tuple[Ground, list[str]]:
    """The ground around some locations, and the names of polygons left out because they have no ITU code.

    Refused if the box ends nearer to a location than ``needed_km``: its edge is not a border.
    """
    countries, ignored = read_countries(path, read_itu_codes())
    known_km = check_reach(path, clip_deg, locations, needed_km)
    box = box_around(locations, needed_km, clip_deg)
    land = land_mask(_shapes_in([country.shape for country in countries], box), box)
    return Ground(countries, clip_deg, known_km, clearance(land, box[0], box[3])), ignored


def check_reach(path: Path, clip_deg: Box | None, locations: LonLats, needed_km: float) -> float:
    """Shortest distance from locations to the edge of the box, refused if less than needed or outside it."""
    if clip_deg is None:
        return math.inf
    lon_deg, lat_deg = locations
    west, south, east, north = clip_deg
    inside = (west < lon_deg) & (lon_deg < east) & (south < lat_deg) & (lat_deg < north)
    known_km = reach_km(clip_deg, lon_deg, lat_deg) if inside.all() else 0.0
    if known_km < needed_km:
        raise InputError(
            "country polygons end too near to the territory or to a radar",
            file=path,
            row="clip_deg",
            value=f"{known_km:.0f} km around",
            allowed=f"at least {needed_km:g} km around",
        )
    return known_km


def window_of(wanted: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns that just hold the wanted pixels [y, x], of which there are some."""
    rows, cols = (np.flatnonzero(wanted.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def outline_deg(grid: Grid, wanted: NDArray[np.bool_]) -> LonLats:
    """Longitude and latitude of locations along the sides of the window that holds the wanted pixels."""
    rows, cols = (
        np.unique(np.linspace(part.start, part.stop - 1, _OUTLINE_POINTS).round().astype(int))
        for part in window_of(wanted)
    )
    locations = [
        *((row, col) for row in rows for col in (cols[0], cols[-1])),
        *((row, col) for row in (rows[0], rows[-1]) for col in cols),
    ]
    found = [grid.lonlat_deg(slice(row, row + 1), slice(col, col + 1)) for row, col in locations]
    return np.array([lon[0, 0] for lon, _ in found]), np.array([lat[0, 0] for _, lat in found])


def joined(locations: Sequence[LonLats]) -> LonLats:
    """Several lists of locations as one."""
    return np.concatenate([lon for lon, _ in locations]), np.concatenate([lat for _, lat in locations])


def box_around(locations: LonLats, around_km: float, clip_deg: Box | None = None) -> Box:
    """Box of whole degrees around all locations within a distance of some, cut to a clip.

    It may reach beyond the 180th meridian, and has all longitudes where a pole is near.
    """
    lon_deg, lat_deg = locations
    margin_deg = around_km / _DEGREE_KM + _BUFFER_DEG
    south, north = math.floor(lat_deg.min() - margin_deg), math.ceil(lat_deg.max() + margin_deg)
    cosine = math.cos(math.radians(min(max(abs(south), abs(north)), 90)))
    wide_deg = margin_deg / max(cosine, 1e-3)
    west, east = math.floor(lon_deg.min() - wide_deg), math.ceil(lon_deg.max() + wide_deg)
    if east - west >= 360:
        west, east = -180, 180
    box = float(west), float(max(south, -90)), float(east), float(min(north, 90))
    if clip_deg is None:
        return box
    lows, highs = zip(box[:2], clip_deg[:2], strict=True), zip(box[2:], clip_deg[2:], strict=True)
    (west_deg, south_deg), (east_deg, north_deg) = map(max, lows), map(min, highs)
    return west_deg, south_deg, east_deg, north_deg


def _shapes_in(shapes: Sequence[BaseGeometry], box: Box) -> list[BaseGeometry]:
    """The parts of shapes within a box, also of those on the other side of the 180th meridian."""
    west, south, east, north = box
    parts = []
    for turn_deg in (-360.0, 0.0, 360.0):
        there = cut(shapes, (west - turn_deg, south, east - turn_deg, north))
        parts += [translate(part, xoff=turn_deg) for part in there]
    return parts
