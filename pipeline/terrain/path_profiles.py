"""Path profiles of elevations and a land mask: the profile between two places, zones of land and sea."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.grid.foreign_rasters import read_external
from pipeline.grid.geodesy import radial_knots
from pipeline.grid.grid import GEOD, LONLAT, Box
from pipeline.kernels import kernel
from pipeline.propagation.p1812.climate import INLAND, SEA, Zone
from pipeline.propagation.p1812.profile_links import Profile
from pipeline.terrain.elevation import heights_at, load_elevation, pixels_at
from pipeline.terrain.radial import KNOT_KM
from pipeline.terrain.records import KM_PER_DEG, LonLatRaster
from pipeline.terrain.sweep import dem_step_km
from pipeline.terrain.tile_sweeps import box_around

# Coastal land lies at most this high and this far from the sea (P.1812-8, Table 2).
_COASTAL_M, _COASTAL_KM = 100.0, 50.0
_COASTAL = int(Zone.COASTAL_LAND)
AT_SEA, _NEAR_SEA, _FAR = 0, 1, 2
# A profile has points between its ends, however short it is.
_FEWEST_PARTS = 4


def profile_between(
    dem: Sequence[Path], land: Path | None, ends_deg: tuple[tuple[float, float], tuple[float, float]]
) -> Profile:
    """The profile along the geodesic between two places (longitude, latitude), in equal steps.

    The step is that of the elevations or a little less; they are bilinear between their pixels. There is no
    cover. ``land``: raster in degrees, 0 = sea, anything else land; sea is at 0 m. None: all is inland.
    NaN where no file knows the elevation.
    """
    (lon_deg, lat_deg), end_deg = ends_deg
    azimuth_deg, _, length_m = GEOD.inv(lon_deg, lat_deg, *end_deg)
    length_km = 1e-3 * length_m
    knot_km = KNOT_KM * np.arange(math.ceil(length_km / KNOT_KM) + 2)
    lon_knots, lat_knots = np.empty(knot_km.size), np.empty(knot_km.size)
    radial_knots(lon_deg, lat_deg, azimuth_deg, KNOT_KM, lon_knots, lat_knots)
    mask = None if land is None else _land_in(land, box_around(lon_knots, lat_knots, _COASTAL_KM))
    elevation = load_elevation(dem, box_around(lon_knots, lat_knots, 0.0), mask)
    step_km = KNOT_KM
    if elevation is not None:
        step_km = dem_step_km(elevation, max(abs(lat_deg), abs(end_deg[1])))
    parts = max(math.ceil(length_km / step_km - 1e-9), _FEWEST_PARTS)
    d_km = np.linspace(0.0, length_km, parts + 1)
    at_lon, at_lat = np.interp(d_km, knot_km, lon_knots), np.interp(d_km, knot_km, lat_knots)
    terrain_m = np.full(d_km.size, np.nan)
    if elevation is not None:
        terrain_m = heights_at(elevation.values, *pixels_at(elevation, at_lon, at_lat))
    zone = (
        np.full(d_km.size, INLAND)
        if mask is None
        else _zones(nearness_to_sea(mask), at_lon, at_lat, terrain_m)
    )
    terrain_m[zone == SEA] = 0.0
    return Profile(d_km, terrain_m, np.zeros(d_km.size), zone)


def _land_in(land: Path, box: Box) -> LonLatRaster:
    """The part of a land mask in a box."""
    data = read_external(land, bounds=box)
    if data.attrs["crs"] != LONLAT:
        raise InputError("is not in degrees", file=land, field="crs", value=data.attrs["crs"], allowed=LONLAT)
    place = data.attrs["transform"]
    return LonLatRaster((data.values != 0).astype(np.uint8), place.c, place.f, place.a, -place.e)


def nearness_to_sea(land: LonLatRaster) -> LonLatRaster:
    """Of each pixel of a land mask: sea, land near it (``_NEAR_SEA``), or land far from it (``_FAR``).

    The length of a degree is that of the mask's middle.
    """
    values = np.where(land.values == 0, AT_SEA, _FAR).astype(np.uint8)
    if not land.values.all():
        from scipy.ndimage import distance_transform_edt  # 0.2 s that every job would take

        middle_deg = land.north_deg - 0.5 * land.values.shape[0] * land.step_lat_deg
        across = math.cos(math.radians(middle_deg))
        km_per_px = KM_PER_DEG * land.step_lat_deg, KM_PER_DEG * land.step_lon_deg * across
        sea_km = distance_transform_edt(land.values, sampling=km_per_px)
        values[(values == _FAR) & (sea_km <= _COASTAL_KM)] = _NEAR_SEA
    return land._replace(values=values)


@kernel
def zone_of(nearness: int, height_m: float) -> int:
    """The radio-climatic zone of a place by a code of ``nearness_to_sea`` (P.1812-8, Table 2)."""
    if nearness == AT_SEA:
        return SEA
    return _COASTAL if nearness == _NEAR_SEA and height_m <= _COASTAL_M else INLAND


def _zones(
    nearness: LonLatRaster,
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    terrain_m: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Radio-climatic zones of places by the pixels of ``nearness_to_sea``; beyond it its edge holds."""
    places = zip(pixels_at(nearness, lon_deg, lat_deg), nearness.values.shape, strict=True)
    row, col = (np.clip(np.floor(at + 0.5).astype(int), 0, size - 1) for at, size in places)
    near = nearness.values[row, col]
    return np.array([zone_of(*place) for place in zip(near, terrain_m, strict=True)], dtype=np.int64)
