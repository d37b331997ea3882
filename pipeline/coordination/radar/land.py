"""Land and sea for the path test, with the clearance around every location that lets the test stride."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.grid.distance import column_distance_px, row_distance_px
from pipeline.grid.geodesy import ECCENTRICITY2
from pipeline.grid.grid import Box
from pipeline.kernels import inlined
from pipeline.territory.masks import rasterised

# 30 arc seconds are 0.93 km: fine enough for samples every 2 km (docs/method.md, section 29).
MASK_STEP_DEG = 1.0 / 120.0
# Shortest degree of WGS84 (of latitude at the equator, 110.574 km).
DEGREE_KM = 110.57
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
    height_km = step_deg * DEGREE_KM
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
