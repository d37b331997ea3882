"""Path profiles of elevations, a land mask and land cover: between two places, and all around a mast."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.territory import Clutter
from pipeline.errors import InputError
from pipeline.grid.foreign_rasters import read_external
from pipeline.grid.geodesy import radial_knots
from pipeline.grid.grid import GEOD, LONLAT, Box
from pipeline.kernels import kernel
from pipeline.propagation.p1812.climate import INLAND, SEA, Zone
from pipeline.propagation.p1812.profile_links import Profile
from pipeline.terrain.elevation import heights_at, load_elevation, nearest_pixels, pixels_at
from pipeline.terrain.land_cover import LandCover, load_land_cover
from pipeline.terrain.radial import KNOT_KM, pixel_knots, sample_heights
from pipeline.terrain.records import LonLatRaster, inland_km
from pipeline.terrain.sweep import Frame, dem_step_km, frame_of
from pipeline.terrain.tile_sweeps import box_around, land_raster

# Coastal land lies at most this high and this far from the sea (P.1812-8, Table 2).
_COASTAL_M, _COASTAL_KM = 100.0, 50.0
_COASTAL = int(Zone.COASTAL_LAND)
AT_SEA, _NEAR_SEA, _FAR = 0, 1, 2
# A profile has points between its ends, however short it is.
_FEWEST_PARTS = 4
# Samples of unknown height or cover over which the last known one holds.
_GAP_SAMPLES = 3
_BARE, _NO_HEIGHTS_M = np.empty((0, 0), np.uint16), np.empty(0)


class ProfileGround(NamedTuple):
    """Terrain above sea level in m, and by ``coast`` uint8[y, x] what is sea, near it, and farther inland.

    ``cover``: uint16[y, x], land cover of which ``cover_m`` is the height by code; no row: bare terrain.
    """

    height_m: NDArray[np.float32]
    frame: Frame
    coast: NDArray[np.uint8]
    coast_frame: Frame
    cover: NDArray[np.uint16]
    cover_frame: Frame
    cover_m: NDArray[np.float64]


class MastSite(NamedTuple):
    """A mast as the kernels take it: degrees, ground above sea level (NaN: of the DEM), antenna over it."""

    lon_deg: float
    lat_deg: float
    ground_m: float
    antenna_m: float


class PathSources(NamedTuple):
    """Files that profiles between places are taken from; ``land``: raster in degrees, 0 = sea."""

    dem: tuple[Path, ...]
    land: Path | None = None
    clutter: Clutter | None = None


class PathSurroundings(NamedTuple):
    """Terrain above sea level, land mask and land cover around paths; None where nothing is known."""

    elevation: LonLatRaster | None
    land: LonLatRaster | None
    cover: LandCover | None


def load_surroundings(sources: PathSources, box: Box) -> PathSurroundings:
    """What the files know of the paths in a box in degrees."""
    west, south, east, north = box
    mask = None
    if sources.land is not None:
        mask = _land_in(
            sources.land, box_around(np.array([west, east]), np.array([south, north]), _COASTAL_KM)
        )
    elevation = load_elevation(sources.dem, box, mask)
    return PathSurroundings(elevation, mask, load_land_cover(sources.clutter, box, mask))


def box_of_path(ends_deg: tuple[tuple[float, float], tuple[float, float]]) -> Box:
    """Box in degrees that holds the geodesic between two places (longitude, latitude)."""
    lon_knots, lat_knots = _knots(ends_deg)
    return box_around(lon_knots, lat_knots, 0.0)


def _knots(
    ends_deg: tuple[tuple[float, float], tuple[float, float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes of points ``KNOT_KM`` apart on a geodesic, to beyond its end."""
    (lon_deg, lat_deg), end_deg = ends_deg
    azimuth_deg, _, length_m = GEOD.inv(lon_deg, lat_deg, *end_deg)
    count = math.ceil(1e-3 * length_m / KNOT_KM) + 2
    lon_knots, lat_knots = np.empty(count), np.empty(count)
    radial_knots(lon_deg, lat_deg, azimuth_deg, KNOT_KM, lon_knots, lat_knots)
    return lon_knots, lat_knots


def profile_between(
    ground: PathSurroundings, ends_deg: tuple[tuple[float, float], tuple[float, float]]
) -> Profile:
    """The profile along the geodesic between two places (longitude, latitude), in equal steps.

    The step is that of the elevations or a little less; they are bilinear between their pixels, land cover is
    that of the pixel. Sea is at 0 m and bare; without a land mask all is inland, without land cover all is
    bare. NaN where no file knows the elevation or the cover.
    """
    (lon_deg, lat_deg), end_deg = ends_deg
    length_km = 1e-3 * GEOD.inv(lon_deg, lat_deg, *end_deg)[2]
    lon_knots, lat_knots = _knots(ends_deg)
    elevation, step_km = ground.elevation, KNOT_KM
    if elevation is not None:
        step_km = dem_step_km(elevation, max(abs(lat_deg), abs(end_deg[1])))
    parts = max(math.ceil(length_km / step_km - 1e-9), _FEWEST_PARTS)
    d_km = np.linspace(0.0, length_km, parts + 1)
    knot_km = KNOT_KM * np.arange(lon_knots.size)
    at_lon, at_lat = np.interp(d_km, knot_km, lon_knots), np.interp(d_km, knot_km, lat_knots)
    terrain_m, cover_m = np.full(d_km.size, np.nan), np.zeros(d_km.size)
    if elevation is not None:
        terrain_m = heights_at(elevation.values, *pixels_at(elevation, at_lon, at_lat))
    if ground.cover is not None:
        classes, heights_m = ground.cover
        cover_m = heights_m[classes.values[nearest_pixels(classes, at_lon, at_lat)]]
    zone = np.full(d_km.size, INLAND)
    if ground.land is not None:
        near = nearness_to_sea(_part_of(ground.land, box_around(lon_knots, lat_knots, _COASTAL_KM)))
        zone = _zones(near, at_lon, at_lat, terrain_m)
    terrain_m[zone == SEA] = cover_m[zone == SEA] = 0.0
    return Profile(d_km, terrain_m, cover_m, zone)


def _land_in(land: Path, box: Box) -> LonLatRaster:
    """The part of a land mask in a box."""
    data = read_external(land, bounds=box)
    if data.attrs["crs"] != LONLAT:
        raise InputError("is not in degrees", file=land, field="crs", value=data.attrs["crs"], allowed=LONLAT)
    others = np.unique(data.values[(data.values != 0) & (data.values != 1)])
    if others.size:
        value = "no data" if np.isnan(others[0]) else float(others[0])
        what = "is no land mask of the area needed"
        raise InputError(what, file=land, value=value, allowed="0 sea and 1 land, everywhere")
    return land_raster(data.astype(np.uint8))


def _part_of(land: LonLatRaster, box: Box) -> LonLatRaster:
    """The part of a land mask around one path: its zones do not depend on what else was read."""
    lon_deg, lat_deg = np.array([box[0], box[2]]), np.array([box[3], box[1]])
    (top, bottom), (left, right) = (at.tolist() for at in nearest_pixels(land, lon_deg, lat_deg))
    west_deg, north_deg = land.west_deg + left * land.step_lon_deg, land.north_deg - top * land.step_lat_deg
    values = land.values[top : bottom + 1, left : right + 1]
    return land._replace(values=values, west_deg=west_deg, north_deg=north_deg)


def nearness_to_sea(land: LonLatRaster) -> LonLatRaster:
    """Of each pixel of a land mask: sea, land near it (``_NEAR_SEA``), or land far from it (``_FAR``).

    The length of a degree is that of the mask's middle.
    """
    values = np.where(land.values == 0, AT_SEA, _FAR).astype(np.uint8)
    middle_deg = land.north_deg - 0.5 * land.values.shape[0] * land.step_lat_deg
    values[(values == _FAR) & (inland_km(land, middle_deg) <= _COASTAL_KM)] = _NEAR_SEA
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
    row, col = nearest_pixels(nearness, lon_deg, lat_deg)
    near = nearness.values[row, col]
    return np.array([zone_of(*place) for place in zip(near, terrain_m, strict=True)], dtype=np.int64)


# --- all around a mast --------------------------------------------------------------------------------------


def profile_ground(
    elevation: LonLatRaster, land: LonLatRaster, cover: LandCover | None = None
) -> ProfileGround:
    """Terrain, coasts and land cover as the profiles read them; ``land`` uint8, 0 sea."""
    coast = nearness_to_sea(land)
    classes, heights_m = cover or LandCover(coast._replace(values=_BARE), _NO_HEIGHTS_M)
    return ProfileGround(
        elevation.values,
        frame_of(elevation),
        coast.values,
        frame_of(coast),
        classes.values,
        frame_of(classes),
        heights_m,
    )


@kernel
def sample_profile(
    ground: ProfileGround,
    site: MastSite,
    azimuth_deg: float,
    step_km: float,
    terrain_m: NDArray[np.float64],
    cover_m: NDArray[np.float64],
    zone: NDArray[np.int64],
) -> int:
    """Fill heights, cover and zones along a radial; number of samples before what is not known.

    Sea has the height 0 and no cover, the site the height that is stated for it. Over a gap of few samples,
    and as far beyond the edge of a raster, the last height or cover holds.
    """
    n = terrain_m.size
    knots = int(n * step_km / KNOT_KM) + 3
    col, row, height_m = np.empty(knots), np.empty(knots), np.empty(n, np.float32)
    pixel_knots(site.lon_deg, site.lat_deg, azimuth_deg, ground.coast_frame, ground.coast.shape[1], col, row)
    codes_along(ground.coast, col, row, step_km, zone)
    pixel_knots(site.lon_deg, site.lat_deg, azimuth_deg, ground.frame, ground.height_m.shape[1], col, row)
    sample_heights(ground.height_m, col, row, 0, step_km, height_m)
    _cover_along(ground, site, azimuth_deg, step_km, col, row, cover_m)
    if not math.isnan(site.ground_m):
        height_m[0] = site.ground_m
    gap = cover_gap = 0
    for i in range(n):
        terrain_m[i] = 0.0 if zone[i] == AT_SEA and i > 0 else height_m[i]
        # The cover of the site itself counts nowhere.
        cover_m[i] = 0.0 if zone[i] == AT_SEA or (i == 0 and math.isnan(cover_m[i])) else cover_m[i]
        gap = gap + 1 if math.isnan(terrain_m[i]) else 0
        cover_gap = cover_gap + 1 if math.isnan(cover_m[i]) else 0
        if max(gap, cover_gap) > (_GAP_SAMPLES if i > 0 else 0):
            return i
        if gap > 0:
            terrain_m[i] = terrain_m[i - 1]
        if cover_gap > 0:
            cover_m[i] = cover_m[i - 1]
        zone[i] = zone_of(zone[i], terrain_m[i])
    return n


@kernel
def _cover_along(
    ground: ProfileGround,
    site: MastSite,
    azimuth_deg: float,
    step_km: float,
    col_knots: NDArray[np.float64],
    row_knots: NDArray[np.float64],
    cover_m: NDArray[np.float64],
) -> None:
    """Fill the heights of the land cover along a radial, NaN unknown; overwrites the knots."""
    cover_m[:] = 0.0
    if ground.cover.shape[0] == 0:
        return
    classes = np.empty(cover_m.size, np.int64)
    columns = ground.cover.shape[1]
    pixel_knots(site.lon_deg, site.lat_deg, azimuth_deg, ground.cover_frame, columns, col_knots, row_knots)
    codes_along(ground.cover, col_knots, row_knots, step_km, classes)
    for i in range(cover_m.size):
        cover_m[i] = ground.cover_m[classes[i]]


@kernel
def codes_along(
    codes: NDArray[Any],
    col_knots: NDArray[np.float64],
    row_knots: NDArray[np.float64],
    step_km: float,
    out: NDArray[np.int64],
) -> None:
    """Fill the codes of the pixels below the samples of a radial; beyond the raster its edge holds."""
    rows, cols = codes.shape
    for i in range(out.size):
        position = i * step_km / KNOT_KM
        knot = int(position)
        along = position - knot
        col = col_knots[knot] + (col_knots[knot + 1] - col_knots[knot]) * along
        row = row_knots[knot] + (row_knots[knot + 1] - row_knots[knot]) * along
        y = min(max(math.floor(row + 0.5), 0), rows - 1)
        x = min(max(math.floor(col + 0.5), 0), cols - 1)
        out[i] = codes[y, x]
