"""Path profiles of elevations and a land mask: between two places, and all around a mast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from pipeline.errors import InputError
from pipeline.grid.foreign_rasters import read_external
from pipeline.grid.geodesy import radial_knots
from pipeline.grid.grid import GEOD, LONLAT, Box
from pipeline.kernels import kernel
from pipeline.propagation.loss_tables import PolarLattice
from pipeline.propagation.p1812.climate import INLAND, SEA, Zone
from pipeline.propagation.p1812.polar_table import RadialProfiles
from pipeline.propagation.p1812.profile_links import Profile
from pipeline.terrain.elevation import heights_at, load_elevation, pixels_at
from pipeline.terrain.radial import KNOT_KM, pixel_knots, sample_heights
from pipeline.terrain.records import KM_PER_DEG, LonLatRaster
from pipeline.terrain.sweep import Frame, dem_step_km, frame_of
from pipeline.terrain.tile_sweeps import box_around

# Coastal land lies at most this high and this far from the sea (P.1812-8, Table 2).
_COASTAL_M, _COASTAL_KM = 100.0, 50.0
_COASTAL = int(Zone.COASTAL_LAND)
_AT_SEA, _NEAR_SEA, _FAR = 0, 1, 2
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
    values = np.where(land.values == 0, _AT_SEA, _FAR).astype(np.uint8)
    if not land.values.all():
        middle_deg = land.north_deg - 0.5 * land.values.shape[0] * land.step_lat_deg
        across = math.cos(math.radians(middle_deg))
        km_per_px = KM_PER_DEG * land.step_lat_deg, KM_PER_DEG * land.step_lon_deg * across
        sea_km = distance_transform_edt(land.values, sampling=km_per_px)
        values[(values == _FAR) & (sea_km <= _COASTAL_KM)] = _NEAR_SEA
    return land._replace(values=values)


def profiles_around(
    elevation: LonLatRaster,
    nearness: LonLatRaster | None,
    site_deg: tuple[float, float],
    lattice: PolarLattice,
) -> RadialProfiles:
    """The profiles of a lattice around a site (longitude, latitude): NaN where an elevation is not known.

    There is no cover. ``nearness`` as of ``nearness_to_sea``; None: all is inland.
    """
    if nearness is None:
        nearness = LonLatRaster(np.full((1, 1), _FAR, np.uint8), *site_deg, 1.0, 1.0)
    shape = lattice.radials, lattice.samples
    profiles = RadialProfiles(
        np.empty(shape, np.float32), np.zeros(shape, np.float32), np.empty(shape, np.uint8)
    )
    _fill_profiles(
        elevation.values,
        frame_of(elevation),
        nearness.values,
        frame_of(nearness),
        site_deg,
        lattice.sample_km,
        profiles.terrain_m,
        profiles.zone,
    )
    return profiles


@kernel
def _fill_profiles(
    elevation_m: NDArray[np.float32],
    elevation_frame: Frame,
    nearness: NDArray[np.uint8],
    nearness_frame: Frame,
    site_deg: tuple[float, float],
    step_km: float,
    terrain_m: NDArray[np.float32],
    zone: NDArray[np.uint8],
) -> None:
    """Fill terrain and zones [radial, sample]; beyond the land mask its edge holds."""
    radials, samples = terrain_m.shape
    knots = math.ceil((samples - 1) * step_km / KNOT_KM) + 2
    col, row, near_col, near_row = np.empty((4, knots))
    lon_deg, lat_deg = site_deg
    rows, cols = nearness.shape
    for k in range(radials):
        azimuth_deg = 360.0 * k / radials
        pixel_knots(lon_deg, lat_deg, azimuth_deg, elevation_frame, elevation_m.shape[1], col, row)
        pixel_knots(lon_deg, lat_deg, azimuth_deg, nearness_frame, cols, near_col, near_row)
        sample_heights(elevation_m, col, row, 0, step_km, terrain_m[k])
        for n in range(samples):
            position = n * step_km / KNOT_KM
            knot = min(int(position), knots - 2)
            along = position - knot
            y = near_row[knot] + (near_row[knot + 1] - near_row[knot]) * along
            x = near_col[knot] + (near_col[knot + 1] - near_col[knot]) * along
            y, x = min(max(y, 0.0), rows - 1.0), min(max(x, 0.0), cols - 1.0)
            zone[k, n] = _zone_of(nearness[int(y + 0.5), int(x + 0.5)], terrain_m[k, n])
            if zone[k, n] == SEA:
                terrain_m[k, n] = 0.0


@kernel
def _zone_of(nearness: int, height_m: float) -> int:
    """The radio-climatic zone of a place (P.1812-8, Table 2)."""
    if nearness == _AT_SEA:
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
    return np.array([_zone_of(*place) for place in zip(near, terrain_m, strict=True)], dtype=np.int64)
