"""Zones and affected administrations of registered radars (docs/method.md, section 29)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely
import shapely.affinity
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.coordination.radar.borders import Borders, NearPlaces, foreign_borders
from pipeline.coordination.radar.cr372_records import (
    EMITTING,
    Radar,
    eirp_dbw,
    frequency_mhz,
    latitude_deg,
    longitude_deg,
)
from pipeline.coordination.radar.ground import Clearance, Ground
from pipeline.coordination.radar.paths import Sampling, crosses_sea, fill_frame, first_sea_km, sampling
from pipeline.coordination.radar.resolution612 import (
    MAX_EIRP_DBW,
    Noise,
    RequiredSeparation,
    required_separation,
)
from pipeline.grid.grid import GEOD, LONLAT
from pipeline.kernels import kernel

_AZIMUTH_STEP_DEG = 1.0
_SIDE_STEP_KM = 10.0
# About 5 m: closes what straight sides leave open between sectors that begin at different distances.
_GAP_DEG = 5e-5
_ZONE_COLUMNS = ("radar", "adm", "d_l_km", "d_s_km", "flags")
ZONE_GEOMETRIES = {"radar612_zone": "MultiPolygon", "radar612_affected": "Point"}
_AFFECTED_COLUMNS = ("radar", "adm", "d_min_km", "path", "margin_km")
_Interval = tuple[float, float]


class RegisteredRadar(NamedTuple):
    """A registered radar with what its zone needs; ``separation`` None: it has no zone, ``flags`` say why."""

    key: str
    administration: str
    lon_deg: float
    lat_deg: float
    separation: RequiredSeparation | None
    flags: tuple[str, ...]


class Affected(NamedTuple):
    """A foreign administration near a radar: nearest distance, and the limiting path with its margin."""

    administration: str
    least_km: float
    over_sea: bool
    margin_km: float


def stations(
    radars: Sequence[Radar], noise: Noise = Noise.QUIET_RURAL, *, conservative_gap: bool = False
) -> list[RegisteredRadar]:
    """Stations of a register in its order, those without a usable location left out."""
    found = []
    for radar in radars:
        lon, lat = longitude_deg(radar), latitude_deg(radar)
        if lon is None or lat is None:
            continue
        separation, flags = _separation(radar, noise, conservative_gap)
        found.append(RegisteredRadar(_station_key(radar), radar.adm, lon, lat, separation, flags))
    return found


def _station_key(radar: Radar) -> str:
    """One text per radar: administration, its reference or the site, type of station, frequency, location."""
    name = radar.adm_ref_id or radar.site_name
    return " ".join([radar.adm, name, radar.stn_type, radar.freq_assgn, radar.lat, radar.long])


def _separation(radar: Radar, noise: Noise, gap: bool) -> tuple[RequiredSeparation | None, tuple[str, ...]]:
    """Required distances of a record, and its flags. The Resolution is about emissions."""
    if radar.stn_type not in EMITTING:
        return None, ("RX_NO_COORD",)
    flags, power_dbw = [], eirp_dbw(radar)
    if power_dbw is None:
        flags.append("EIRP_MISSING")
    elif power_dbw > MAX_EIRP_DBW:
        flags.append("EIRP_OVER_LIMIT")
    frequency = frequency_mhz(radar)
    separation = None if frequency is None else required_separation(frequency, noise, conservative_gap=gap)
    if separation is None:
        flags.append("RES612_NOT_APPLICABLE")
    return separation, tuple(flags)


def zone_intervals(sea_km: float, land_limit_km: float, sea_limit_km: float) -> list[_Interval]:
    """Where a border concerns the radar along one azimuth: [0, D_L] and (r_s, D_S], joined if they touch.

    ``sea_km`` r_s is the distance to the first sea sample, infinite if there is none within D_S.
    """
    if sea_km <= land_limit_km:
        return [(0.0, sea_limit_km)]
    if sea_km >= sea_limit_km:
        return [(0.0, land_limit_km)]
    return [(0.0, land_limit_km), (sea_km, sea_limit_km)]


def sea_profile_km(
    station: RegisteredRadar, clearance: Clearance, sea_min_km: float = 2.0
) -> NDArray[np.float64]:
    """Distance to the first sea along azimuths 0, 1 ... 359 degrees, infinite where none is within D_S."""
    assert station.separation is not None
    limit_km = station.separation.sea_km
    azimuths = np.arange(0.0, 360.0, _AZIMUTH_STEP_DEG)
    ends = GEOD.fwd(*_repeated(station, azimuths), azimuths, np.full_like(azimuths, 1000.0 * limit_km))
    return _sea_profile(
        clearance, station.lon_deg, station.lat_deg, ends[0], ends[1], limit_km, sampling(sea_min_km)
    )


def zone(station: RegisteredRadar, clearance: Clearance, sea_min_km: float = 2.0) -> BaseGeometry:
    """The zone of a radar as a MultiPolygon in lon/lat, cut at the 180th meridian."""
    assert station.separation is not None
    _, land_km, sea_km = station.separation
    sectors = []
    for k, first_km in enumerate(sea_profile_km(station, clearance, sea_min_km)):
        for near_km, far_km in zone_intervals(first_km, land_km, sea_km):
            sectors.append(_sector(station, k * _AZIMUTH_STEP_DEG, near_km, far_km))
    parts = [_wound_back(shapely.make_valid(sector)) for sector in sectors]
    joined = shapely.union_all(parts)
    closed = joined.buffer(_GAP_DEG, join_style="mitre").buffer(-_GAP_DEG, join_style="mitre")
    polygons = [part for part in shapely.get_parts(closed) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(polygons)


def affected(
    station: RegisteredRadar, borders: Borders, clearance: Clearance, sea_min_km: float = 2.0
) -> list[Affected]:
    """Administrations whose territory is within the required distance of a radar."""
    assert station.separation is not None
    _, land_km, sea_km = station.separation
    lon, lat = borders.lonlat_deg.T
    d_km = GEOD.inv(*_repeated(station, lon), lon, lat)[2] / 1000.0
    within = np.flatnonzero(d_km <= sea_km)
    sea = np.zeros(lon.size, dtype=bool)
    points_m = borders.points.points_m[within]
    sea[within] = paths_over_sea(station, points_m, d_km[within], clearance, sea_min_km)
    margin_km = d_km - np.where(sea, sea_km, land_km)
    found = []
    for index, name in enumerate(borders.administrations):
        own = np.flatnonzero(borders.points.administration == index)
        best = own[np.argmin(margin_km[own])]
        if margin_km[best] <= 0.0:
            found.append(Affected(name, float(d_km[own].min()), bool(sea[best]), float(margin_km[best])))
    return found


def paths_over_sea(
    station: RegisteredRadar,
    points_m: NDArray[np.float64],
    d_km: NDArray[np.float64],
    clearance: Clearance,
    sea_min_km: float,
) -> NDArray[np.bool_]:
    """Whether the paths from a radar to geocentric points [n, 3] so far away [n] cross that much sea."""
    return _paths(clearance, station.lon_deg, station.lat_deg, points_m, d_km, sampling(sea_min_km))


def zone_layers(
    found: Sequence[RegisteredRadar], ground: Ground, sea_min_km: float
) -> dict[str, gpd.GeoDataFrame]:
    """Zones of registered radars, and the administrations foreign to each that they concern."""
    owners = sorted({station.administration for station in found if station.separation is not None})
    borders_of = {
        name: foreign_borders(ground.countries, name, ground.clip_deg, _sites_of(found, name))
        for name in owners
    }
    return {
        "radar612_zone": zones_frame(found, ground.clearance, sea_min_km),
        "radar612_affected": affected_frame(found, borders_of, ground.clearance, sea_min_km),
    }


def _sites_of(found: Sequence[RegisteredRadar], owner: str) -> NearPlaces:
    """Places of an administration's radars."""
    sites = [(station.lon_deg, station.lat_deg) for station in found if station.administration == owner]
    return NearPlaces(np.array(sites))


def zones_frame(
    found: Sequence[RegisteredRadar], clearance: Clearance, sea_min_km: float = 2.0
) -> gpd.GeoDataFrame:
    """Layer ``radar612_zone``: a row per radar that has a zone, D_L and D_S in km, flags joined by ``;``."""
    rows: list[dict[str, object]] = []
    shapes: list[BaseGeometry] = []
    for station in found:
        if station.separation is None:
            continue
        rows.append(
            {
                "radar": station.key,
                "adm": station.administration,
                "d_l_km": station.separation.land_km,
                "d_s_km": station.separation.sea_km,
                "flags": ";".join(station.flags),
            }
        )
        shapes.append(zone(station, clearance, sea_min_km))
    return _frame(rows, _ZONE_COLUMNS, shapes)


def affected_frame(
    found: Sequence[RegisteredRadar],
    borders_of: Mapping[str, Borders],
    clearance: Clearance,
    sea_min_km: float = 2.0,
) -> gpd.GeoDataFrame:
    """Layer ``radar612_affected``: one row per radar and administration affected, at the radar's location.

    ``borders_of`` the administration of each radar that has a zone: its own territory is not foreign.
    """
    rows: list[dict[str, object]] = []
    shapes: list[BaseGeometry] = []
    for station in found:
        if station.separation is None:
            continue
        for entry in affected(station, borders_of[station.administration], clearance, sea_min_km):
            rows.append(
                {
                    "radar": station.key,
                    "adm": entry.administration,
                    "d_min_km": entry.least_km,
                    "path": "sea_or_mixed" if entry.over_sea else "land",
                    "margin_km": entry.margin_km,
                }
            )
            shapes.append(shapely.Point(station.lon_deg, station.lat_deg))
    return _frame(rows, _AFFECTED_COLUMNS, shapes)


def _frame(
    rows: list[dict[str, object]], columns: Sequence[str], shapes: list[BaseGeometry]
) -> gpd.GeoDataFrame:
    geometry = gpd.GeoSeries(shapes, crs=LONLAT)
    return gpd.GeoDataFrame(rows, columns=list(columns), geometry=geometry, crs=LONLAT)


def _repeated(
    station: RegisteredRadar, like: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.full_like(like, station.lon_deg), np.full_like(like, station.lat_deg)


def _sector(station: RegisteredRadar, azimuth_deg: float, near_km: float, far_km: float) -> BaseGeometry:
    """One degree of a ring, half of it on either side; longitudes run on beyond 180 degrees if they must.

    The sides have corners at the same distances in all sectors, so that neighbours leave no gap between them.
    """
    left, right = azimuth_deg - _AZIMUTH_STEP_DEG / 2.0, azimuth_deg + _AZIMUTH_STEP_DEG / 2.0
    between_km = np.arange(0.0, far_km, _SIDE_STEP_KM)
    side_km = [near_km, *between_km[between_km > near_km].tolist(), far_km]
    corners = [(left, d) for d in side_km] + [(azimuth_deg, far_km)] + [(right, d) for d in side_km[::-1]]
    azimuths, lengths_m = np.array([(a % 360.0, 1000.0 * d) for a, d in corners]).T
    lon, lat, _ = GEOD.fwd(*_repeated(station, azimuths), azimuths, lengths_m)
    turns = np.round((lon - station.lon_deg) / 360.0)
    return shapely.Polygon(np.column_stack([lon - 360.0 * turns, lat]))


def _wound_back(shape: BaseGeometry) -> BaseGeometry:
    """The shape with what is located beyond the 180th meridian moved to the other side."""
    west, _, east, _ = shape.bounds
    if west >= -180.0 and east <= 180.0:
        return shape
    lows = (-540.0, -180.0, 180.0)
    worlds = [(low, shapely.clip_by_rect(shape, low, -90.0, low + 360.0, 90.0)) for low in lows]
    parts = [shapely.affinity.translate(part, xoff=-180.0 - low) for low, part in worlds]
    return shapely.union_all([part for part in parts if not part.is_empty])


@kernel
def _sea_profile(
    clearance: Clearance,
    lon_deg: float,
    lat_deg: float,
    end_lon_deg: NDArray[np.float64],
    end_lat_deg: NDArray[np.float64],
    limit_km: float,
    sampling: Sampling,
) -> NDArray[np.float64]:
    frame, end = np.empty(6), np.empty(6)
    fill_frame(lon_deg, lat_deg, frame)
    found = np.empty(end_lon_deg.size)
    for k in range(found.size):
        fill_frame(end_lon_deg[k], end_lat_deg[k], end)
        found[k] = first_sea_km(clearance, frame, end[0], end[1], end[2], limit_km, sampling)
    return found


@kernel
def _paths(
    clearance: Clearance,
    lon_deg: float,
    lat_deg: float,
    points_m: NDArray[np.float64],
    d_km: NDArray[np.float64],
    sampling: Sampling,
) -> NDArray[np.bool_]:
    frame = np.empty(6)
    fill_frame(lon_deg, lat_deg, frame)
    sea = np.empty(d_km.size, dtype=np.bool_)
    for k in range(sea.size):
        p = points_m[k]
        sea[k] = crosses_sea(clearance, frame, p[0], p[1], p[2], d_km[k], sampling, 0.0)
    return sea
