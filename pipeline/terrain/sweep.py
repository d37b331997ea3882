"""The radial terrain profiles of a mast: all that its paths need of terrain and sea."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.grid.grid import GEOD
from pipeline.terrain.radial import (
    KNOT_KM,
    MEAN_FROM_KM,
    MEAN_TO_KM,
    clearance_angles,
    height_at,
    mean_terrain,
    pixel_knots,
    sea_lengths,
)
from pipeline.terrain.records import (
    KM_PER_DEG,
    SEA_PIECES,
    LonLatRaster,
    Mast,
    MastView,
    Sweep,
    SweepSettings,
    TerrainSource,
)

# Spacing of the radials of clearance angles at the range limit, in DEM steps, and how far it may grow
# before ranges are thinned as well: docs/decisions/0002-terrain-sweeps.md.
ARC_DEM_STEPS = 1.0
ARC_MAX_GROWTH = 8.0
# Distance between probes of terrain means; a finer DEM is probed at its own step.
PROBE_KM = 0.25
# P.1546-6 has no longer path: farther on, the part over sea is that up to here.
SEA_TO_KM = 1000.0
# A mast this near to the outline of the grid counts as standing inside.
INSIDE_KM = 5.0
FULL_CIRCLE_DEG = 360.0

Frame = tuple[float, float, float, float]


class _Heights(NamedTuple):
    """Heights of one mast's antenna: the profile's fields of the same names, and where they come from."""

    source: TerrainSource
    heff_m: NDArray[np.float32]
    hb_m: NDArray[np.float32]
    theta_deg: NDArray[np.float32]


class TcaLattice(NamedTuple):
    """Polar lattice of clearance angles: the terrain is sampled every ``sample_km``."""

    first_azimuth_deg: float
    azimuth_step_deg: float
    radials: int
    sample_km: float
    first: int  # sample of the first range
    stride: int  # samples between ranges
    ranges: int


def sweep_mast(
    mast: Mast,
    elevation: LonLatRaster | None,
    land: LonLatRaster | None,
    view: MastView,
    settings: SweepSettings,
    receivers: LonLatRaster | None = None,
) -> Sweep:
    """Radial terrain profiles of a mast, made once for all pixels in its view.

    ``elevation`` reaches 15 km around the mast; ``receivers`` is the terrain of the view and 16 km around it
    (default: the same raster). Two, so that a far mast does not make one huge raster necessary.
    The record's site height wins over the DEM: coarse terrain clips peaks. Without land mask all is land.
    """
    ground_m = mast.site_height_asl_m
    if math.isnan(ground_m) and elevation is not None:
        ground_m = ground_at(elevation, mast.lon_deg, mast.lat_deg)
    heights = _heights(mast, elevation, ground_m, settings)
    receivers = receivers or elevation
    with_tca = receivers is not None and tca_applies(receivers, mast.lat_deg, settings)
    lattice, counts = _clearance(mast, receivers if with_tca else None, view, settings)
    return Sweep(
        terrain_source=int(heights.source),
        ground_asl_m=ground_m,
        azimuth_step_deg=settings.azimuth_step_deg,
        heff_m=heights.heff_m,
        theta_eff1_deg=heights.theta_deg if with_tca else np.full_like(heights.theta_deg, np.nan),
        hb_step_km=settings.hb_step_km,
        hb_m=heights.hb_m,
        sea_step_km=settings.sea_step_km,
        sea_pieces=_sea(mast, land, view, settings),
        tca_first_azimuth_deg=lattice.first_azimuth_deg,
        tca_azimuth_step_deg=lattice.azimuth_step_deg,
        tca_first_km=lattice.first * lattice.sample_km,
        tca_step_km=lattice.stride * lattice.sample_km,
        tca_counts=counts,
    )


def frame_of(raster: LonLatRaster) -> Frame:
    """Corner and steps in degrees as the kernels take them."""
    return raster.west_deg, raster.north_deg, raster.step_lon_deg, raster.step_lat_deg


def dem_step_km(elevation: LonLatRaster, lat_deg: float) -> float:
    """The coarser of the two steps of a DEM at a latitude."""
    across_deg = elevation.step_lon_deg * math.cos(math.radians(lat_deg))
    return max(elevation.step_lat_deg, across_deg) * KM_PER_DEG


def tca_applies(elevation: LonLatRaster, lat_deg: float, settings: SweepSettings) -> bool:
    """Whether clearance angles are computed: asked for, or ``auto`` with terrain that is fine enough."""
    fine = dem_step_km(elevation, lat_deg) * 1000.0 <= settings.tca_max_dem_step_m
    return settings.tca == "on" or (settings.tca == "auto" and fine)


def ground_at(elevation: LonLatRaster, lon_deg: float, lat_deg: float) -> float:
    """Height of the terrain at a point in m; NaN where the DEM does not know it."""
    col, row = np.empty(1), np.empty(1)
    pixel_knots(lon_deg, lat_deg, 0.0, frame_of(elevation), elevation.values.shape[1], col, row)
    return float(height_at(elevation.values, row[0], col[0]))


def radial_count(azimuth_step_deg: float) -> int:
    """Number of radials all around; the step must divide the circle."""
    count = round(FULL_CIRCLE_DEG / azimuth_step_deg)
    if abs(count * azimuth_step_deg - FULL_CIRCLE_DEG) > 1e-6:
        raise InputError(
            "step does not divide the circle",
            row="terrain",
            field="azimuth_step_deg",
            value=azimuth_step_deg,
            allowed="360 / n, e.g. 0.5",
        )
    return count


def _heights(
    mast: Mast, elevation: LonLatRaster | None, ground_m: float, settings: SweepSettings
) -> _Heights:
    """Effective heights by the DEM, where it is unknown by HAAT, else by the height above ground."""
    radials = radial_count(settings.azimuth_step_deg)
    fallback_m, source = _fallback(mast)
    unknown = np.full(radials, np.nan, np.float32)
    antenna_m = ground_m + mast.antenna_height_agl_m
    if elevation is None or math.isnan(antenna_m):
        heff_m = np.full(radials, fallback_m, np.float32)
        return _Heights(source, heff_m, np.empty((radials, 0), np.float32), unknown)
    mean_m, known_km, short_mean_m, theta_deg = _mean_terrain(mast, elevation, antenna_m, settings)
    if not known_km.any():
        heff_m = np.full(radials, fallback_m, np.float32)
        return _Heights(source, heff_m, np.empty((radials, 0), np.float32), theta_deg)
    heff_m = np.where(np.isnan(mean_m), fallback_m, antenna_m - mean_m).astype(np.float32)
    bare_m = _height_without_terrain(mast.antenna_height_agl_m, heff_m, short_mean_m.shape[1])
    hb_m = np.where(np.isnan(short_mean_m), bare_m, antenna_m - short_mean_m).astype(np.float32)
    whole = known_km.min() > (MEAN_TO_KM - MEAN_FROM_KM) * (1.0 - 1e-3) and not np.isnan(short_mean_m).any()
    return _Heights(TerrainSource.DEM if whole else TerrainSource.PARTIAL, heff_m, hb_m, theta_deg)


def _fallback(mast: Mast) -> tuple[float, TerrainSource]:
    """Height that stands for the effective height where no terrain is known.

    A HAAT of exactly 0 is one that was never computed: the height above ground says more.
    """
    if not math.isnan(mast.haat_m) and (mast.haat_m != 0.0 or math.isnan(mast.antenna_height_agl_m)):
        return mast.haat_m, TerrainSource.HAAT
    if math.isnan(mast.antenna_height_agl_m):
        raise InputError(
            "neither height above ground nor HAAT is known",
            row=f"mast {mast.key}",
            field="antenna_height_agl_m",
            allowed="one of antenna_height_agl_m and haat_m",
        )
    return mast.antenna_height_agl_m, TerrainSource.AGL


def _mean_terrain(
    mast: Mast, elevation: LonLatRaster, antenna_m: float, settings: SweepSettings
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    radials = radial_count(settings.azimuth_step_deg)
    short_count = round(MEAN_TO_KM / settings.hb_step_km) + 1
    probe_km = min(PROBE_KM, dem_step_km(elevation, mast.lat_deg))
    mean_m, known_km, theta_deg = (np.empty(radials, np.float32) for _ in range(3))
    short_mean_m = np.empty((radials, short_count), np.float32)
    mean_terrain(
        elevation.values,
        frame_of(elevation),
        (mast.lon_deg, mast.lat_deg, antenna_m),
        settings.azimuth_step_deg,
        math.ceil(MEAN_TO_KM / probe_km),
        mean_m,
        known_km,
        short_mean_m,
        theta_deg,
    )
    return mean_m, known_km, short_mean_m, theta_deg


def _height_without_terrain(agl_m: float, heff_m: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """h1 [azimuth, k] of paths to 15 km without terrain: P.1546-6 Annex 5 sec. 3.1, eq. (4), (5)."""
    d_km = np.linspace(0.0, MEAN_TO_KM, count)
    share = np.clip((d_km - MEAN_FROM_KM) / (MEAN_TO_KM - MEAN_FROM_KM), 0.0, 1.0)
    return agl_m + (heff_m[:, None].astype(np.float64) - agl_m) * share


def _sea(
    mast: Mast, land: LonLatRaster | None, view: MastView, settings: SweepSettings
) -> NDArray[np.uint16]:
    radials = radial_count(settings.azimuth_step_deg)
    none = np.empty((radials, 0), np.uint16)
    if land is None or not (land.values == 0).any():
        return none
    count = math.ceil(min(view.far_km, SEA_TO_KM) / settings.sea_step_km) + 1
    pieces = np.empty((radials, count), np.uint16)
    knots = math.ceil(count * settings.sea_step_km / KNOT_KM) + 2
    col_knots, row_knots = np.empty(knots), np.empty(knots)
    for j in range(radials):
        azimuth_deg = j * settings.azimuth_step_deg
        columns = land.values.shape[1]
        pixel_knots(mast.lon_deg, mast.lat_deg, azimuth_deg, frame_of(land), columns, col_knots, row_knots)
        sea_lengths(land.values, col_knots, row_knots, settings.sea_step_km, SEA_PIECES, pieces[j])
    return pieces if pieces.any() else none


def tca_lattice(dem_km: float, view: MastView, settings: SweepSettings) -> TcaLattice:
    """Polar lattice of clearance angles over a view, within the memory allowed.

    Where one DEM step in range and between radials needs more cells than allowed, radials are thinned first
    (little is lost near the mast), then ranges by a whole number; the terrain is searched at every sample.
    """
    sample_km = settings.tca_step_km or dem_km
    arc_km = settings.tca_arc_km or ARC_DEM_STEPS * dem_km
    width_deg = min(view.width_deg, FULL_CIRCLE_DEG)
    first = max(int(view.near_km / sample_km), 0)
    samples = math.ceil(view.far_km / sample_km) - first + 1
    turn = math.radians(width_deg) * view.far_km / arc_km
    excess = max(turn * samples / settings.tca_max_cells, 1.0)
    stride = math.ceil(excess / ARC_MAX_GROWTH)
    intervals = max(math.ceil(turn / max(excess / stride, 1.0)), 4)
    full = width_deg >= FULL_CIRCLE_DEG
    return TcaLattice(
        first_azimuth_deg=0.0 if full else view.first_azimuth_deg,
        azimuth_step_deg=width_deg / intervals,
        radials=intervals if full else intervals + 1,
        sample_km=sample_km,
        first=first,
        stride=stride,
        ranges=math.ceil((samples - 1) / stride) + 1,
    )


def _clearance(
    mast: Mast, elevation: LonLatRaster | None, view: MastView, settings: SweepSettings
) -> tuple[TcaLattice, NDArray[np.int16]]:
    """Clearance angles in the view of a mast; an empty table without terrain."""
    if elevation is None:
        return TcaLattice(0.0, FULL_CIRCLE_DEG, 1, 1.0, 0, 1, 0), np.empty((1, 0), np.int16)
    lattice = tca_lattice(dem_step_km(elevation, mast.lat_deg), view, settings)
    counts = np.empty((lattice.radials, lattice.ranges), np.int16)
    clearance_angles(
        elevation.values,
        frame_of(elevation),
        (mast.lon_deg, mast.lat_deg),
        (lattice.first_azimuth_deg, lattice.azimuth_step_deg),
        lattice.first,
        lattice.stride,
        lattice.sample_km,
        counts,
    )
    return lattice, counts


def view_of(
    lon_deg: float, lat_deg: float, outline_lon_deg: NDArray[np.float64], outline_lat_deg: NDArray[np.float64]
) -> MastView:
    """The receiving grid as seen from a mast, a kilometre wider on all sides.

    ``outline_*``: closed ring around the padded grid, vertices some kilometres apart, either sense of turn.
    """
    sites = np.full_like(outline_lon_deg, lon_deg), np.full_like(outline_lat_deg, lat_deg)
    azimuth_deg, _, length_m = GEOD.inv(*sites, outline_lon_deg, outline_lat_deg)
    d_km = np.asarray(length_m) / 1000.0
    far_km = float(d_km.max()) + 1.0
    steps_deg = (np.diff(azimuth_deg) + 180.0) % FULL_CIRCLE_DEG - 180.0
    near_km = _nearest_km(np.radians(azimuth_deg), d_km) - 1.0
    if abs(steps_deg.sum()) > 180.0 or near_km < INSIDE_KM:
        return MastView(0.0, FULL_CIRCLE_DEG, 0.0, far_km)
    turned_deg = azimuth_deg[0] + np.concatenate(([0.0], np.cumsum(steps_deg)))
    slack_deg = math.degrees(1.0 / near_km)
    first_deg = float(turned_deg.min()) - slack_deg
    width_deg = float(turned_deg.max()) + slack_deg - first_deg
    return MastView(first_deg % FULL_CIRCLE_DEG, min(width_deg, FULL_CIRCLE_DEG), near_km, far_km)


def _nearest_km(azimuth_rad: NDArray[np.float64], d_km: NDArray[np.float64]) -> float:
    """Distance to a ring of points joined by straight lines on the plane of azimuths and distances."""
    x_km, y_km = d_km * np.sin(azimuth_rad), d_km * np.cos(azimuth_rad)
    dx_km, dy_km = np.diff(x_km), np.diff(y_km)
    length2 = np.maximum(dx_km**2 + dy_km**2, 1e-12)
    along = np.clip(-(x_km[:-1] * dx_km + y_km[:-1] * dy_km) / length2, 0.0, 1.0)
    return float(np.hypot(x_km[:-1] + along * dx_km, y_km[:-1] + along * dy_km).min())
