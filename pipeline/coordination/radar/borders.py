"""Foreign territory as points: every border and coast, at most 1 km apart, grouped for the search.

Near the places whose distances are wanted the points stand closer: the nearest point is nowhere more than 10
m farther away than the border itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from pipeline.coordination.radar.resolution612 import ItuCodes
from pipeline.errors import InputError
from pipeline.grid.geodesy import ECCENTRICITY2, SEMI_MAJOR_M
from pipeline.grid.grid import GEOD, LONLAT, Box, Grid
from pipeline.grid.polygons import read_frame

_SPACING_KM = 1.0
# A border d away is at most s^2 / (8 d) nearer than the nearest of its points, which are s apart.
_EXACT_KM = 0.01
# Points per group: a few kilometres of border.
_GROUP = 32
# An edge counts as cut if it runs along the cutting line within this.
_ON_LINE_DEG = 1.0e-7
_METRES_PER_DEGREE = 111_700.0


class CountryPolygon(NamedTuple):
    """A polygon in lon/lat with the codes of its administrations: none, one, or all parties of a dispute."""

    name: str
    administrations: tuple[str, ...]
    shape: BaseGeometry


class BorderPoints(NamedTuple):
    """Points in the order of administrations and rings, grouped; what the kernels need.

    ``points_m`` float64[n, 3] geocentric; ``administration`` int32[n] index; groups g hold the points
    ``first[g]:first[g + 1]`` within ``radius_km[g]`` of ``centre_m[g]``; administration a has the groups
    ``groups[a]:groups[a + 1]``.
    """

    points_m: NDArray[np.float64]
    administration: NDArray[np.int32]
    first: NDArray[np.int32]
    centre_m: NDArray[np.float64]
    radius_km: NDArray[np.float64]
    groups: NDArray[np.int32]


class Borders(NamedTuple):
    """Foreign administrations in alphabetical order, their border points, and lon/lat of these [n, 2]."""

    administrations: tuple[str, ...]
    points: BorderPoints
    lonlat_deg: NDArray[np.float64]


class NearPlaces(NamedTuple):
    """Places lon/lat [n, 2], one or more, whose distances are wanted: these, and all within ``around_km``.

    Of ``lattice``, if there is one, only the middles of its pixels.
    """

    lonlat_deg: NDArray[np.float64]
    around_km: float = 0.0
    lattice: Grid | None = None


def read_countries(path: Path, codes: ItuCodes) -> tuple[list[CountryPolygon], list[str]]:
    """Country polygons with ITU codes, and the names of those left out because they have none.

    The file has ``iso_numeric`` (may be empty) and ``name``; coordinates are lon/lat.
    """
    frame = read_frame(path, repaired=False)
    for field in ("iso_numeric", "name"):
        if field not in frame:
            raise InputError("no such attribute", file=path, field=field, allowed=", ".join(frame.columns))
    if not frame.crs.equals(LONLAT, ignore_axis_order=True):
        raise InputError("not in lon/lat", file=path, field="crs", allowed=LONLAT)
    countries, ignored = [], []
    for iso, name, shape in zip(frame["iso_numeric"], frame["name"], frame.geometry, strict=True):
        found = codes.by_iso_numeric.get(iso) if isinstance(iso, str) and iso else codes.by_name.get(name)
        if shape is None or shape.is_empty:
            continue
        if not found:
            ignored.append(str(name))
        countries.append(CountryPolygon(str(name), found or (), _unwound(shape) if found else shape))
    return countries, sorted(ignored)


def _unwound(shape: BaseGeometry) -> BaseGeometry:
    """The polygons of a shape, those that jump over the 180th meridian cut there into two."""
    parts = []
    for part in _polygons(shape):
        lon_deg = shapely.get_coordinates(part.exterior)[:, 0]
        if np.abs(np.diff(lon_deg)).max() <= 180.0:
            parts.append(part)
            continue
        east = shapely.make_valid(shapely.transform(part, _eastward))
        parts.append(shapely.clip_by_rect(east, 0.0, -90.0, 180.0, 90.0))
        beyond = shapely.clip_by_rect(east, 180.0, -90.0, 360.0, 90.0)
        parts.append(shapely.transform(beyond, lambda xy: xy - np.array([360.0, 0.0])))
    return shapely.MultiPolygon([polygon for part in parts for polygon in _polygons(part)])


def _eastward(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([xy[:, 0] % 360.0, xy[:, 1]])


def _polygons(shape: BaseGeometry) -> list[BaseGeometry]:
    """All polygons of a shape, whatever it is made of; lines and points that a cut left are dropped."""
    if shape.geom_type == "Polygon":
        return [] if shape.is_empty else [shape]
    return [polygon for part in getattr(shape, "geoms", ()) for polygon in _polygons(part)]


def foreign_borders(
    countries: Sequence[CountryPolygon], own: str, clip_deg: Box | None = None, near: NearPlaces | None = None
) -> Borders:
    """Border points of all administrations but ``own``; of a disputed area for each other party.

    ``clip_deg`` is the box the polygons were cut to: its edges are no borders, nor is the 180th meridian.
    Without ``near`` points are 1 km apart everywhere.
    """
    by_code: dict[str, list[NDArray[np.float64]]] = {}
    for country in countries:
        for code in country.administrations:
            if code != own:
                by_code.setdefault(code, []).extend(_chains(country.shape, clip_deg))
    if near is not None:
        by_code = {code: _closer(chains, near) for code, chains in by_code.items()}
    administrations = tuple(sorted(code for code, chains in by_code.items() if chains))
    if not administrations:
        raise InputError("no foreign territory in the polygons", row="administration", value=own)
    chains = [(index, chain) for index, code in enumerate(administrations) for chain in by_code[code]]
    return Borders(
        administrations, _grouped(chains, len(administrations)), np.concatenate([c for _, c in chains])
    )


def reach_km(clip_deg: Box, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]) -> float:
    """Shortest distance from locations to the edge of a clip: nothing farther may be concluded from it."""
    edge = shapely.segmentize(shapely.box(*clip_deg), 0.05).exterior
    x, y = np.asarray(edge.coords).T
    least_m = math.inf
    for lon, lat in zip(np.ravel(lon_deg), np.ravel(lat_deg), strict=True):
        least_m = min(least_m, GEOD.inv(np.full_like(x, lon), np.full_like(y, lat), x, y)[2].min())
    return least_m / 1000.0


def _chains(shape: BaseGeometry, clip_deg: Box | None) -> list[NDArray[np.float64]]:
    """Runs of border points [n, 2] of the rings of a polygon, without what a cut made."""
    chains = []
    for part in _polygons(shape):
        for ring in [part.exterior, *part.interiors]:
            chains += _kept(np.asarray(ring.coords)[:, :2], clip_deg)
    return chains


def _kept(ring: NDArray[np.float64], clip_deg: Box | None) -> list[NDArray[np.float64]]:
    west, south, east, north = clip_deg or (-180.0, -90.0, 180.0, 90.0)
    lines = [(0, -180.0), (0, 180.0), (1, -90.0), (0, west), (0, east), (1, south), (1, north)]
    cut = np.zeros(len(ring) - 1, dtype=bool)
    for axis, value in lines:
        on = np.abs(ring[:, axis] - value) < _ON_LINE_DEG
        cut |= on[:-1] & on[1:]
    chains, start = [], 0
    for edge in [*np.flatnonzero(cut), len(cut)]:
        if edge > start:
            chains.append(_dense(ring[start : edge + 1]))
        start = edge + 1
    return chains


def _dense(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """The line with points at most 1 km apart; edges are straight in lon/lat."""
    step = np.diff(line, axis=0)
    cosine = np.cos(np.radians(np.minimum(np.abs(line[:-1, 1]), np.abs(line[1:, 1]))))
    length_m = _METRES_PER_DEGREE * np.hypot(step[:, 0] * cosine, step[:, 1])
    return _divided(line, np.ceil(length_m / (1000.0 * _SPACING_KM)))


def _divided(line: NDArray[np.float64], pieces: NDArray[np.float64]) -> NDArray[np.float64]:
    """The line with each edge cut into so many pieces, one at least."""
    count = np.maximum(pieces, 1.0).astype(np.int64)
    edge = np.repeat(np.arange(len(count)), count)
    share = (np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)) / count[edge]
    return np.vstack([line[edge] + share[:, None] * np.diff(line, axis=0)[edge], line[-1:]])


def _closer(chains: Sequence[NDArray[np.float64]], near: NearPlaces) -> list[NDArray[np.float64]]:
    """Chains of points 1 km apart with more points where places are near."""
    tree = cKDTree(geocentric_m(near.lonlat_deg))
    return [_halved(chain, tree, near) for chain in chains]


def _halved(chain: NDArray[np.float64], tree: cKDTree, near: NearPlaces) -> NDArray[np.float64]:
    """The chain with edges halved until none is too long for its distance from the nearest place."""
    while True:
        points_m = geocentric_m(chain)
        length_km = 1e-3 * np.linalg.norm(np.diff(points_m, axis=0), axis=1)
        away_km = 1e-3 * tree.query(0.5 * (points_m[:-1] + points_m[1:]))[0] - near.around_km
        if near.lattice is not None:
            away_km = np.maximum(away_km, _from_centres_km(0.5 * (chain[:-1] + chain[1:]), near.lattice))
        away_km = np.maximum(away_km - 0.5 * length_km, 0.0)
        long = length_km > np.maximum(np.sqrt(8.0 * _EXACT_KM * away_km), 2.0 * _EXACT_KM)
        if not long.any():
            return chain
        chain = _divided(chain, 1.0 + long)


def _from_centres_km(lonlat_deg: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Distances of points [n, 2] from the nearest middle of a pixel of an endless grid, rather too short."""
    row, col = grid.row_col(*grid.from_lonlat().transform(*lonlat_deg.T))
    off_px = np.hypot(row % 1.0 - 0.5, col % 1.0 - 0.5)
    return np.asarray(0.99e-3 * grid.resolution_m * np.where(np.isfinite(off_px), off_px, 0.0))


def _grouped(chains: Sequence[tuple[int, NDArray[np.float64]]], count: int) -> BorderPoints:
    sizes = [min(_GROUP, len(c) - k) for _, c in chains for k in range(0, len(c), _GROUP)]
    owner = np.array([a for a, c in chains for _ in range(0, len(c), _GROUP)], dtype=np.int32)
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    points_m = geocentric_m(np.concatenate([c for _, c in chains]))
    mean_m = np.add.reduceat(points_m, first[:-1], axis=0) / np.diff(first)[:, None]
    away_m = np.linalg.norm(points_m - np.repeat(mean_m, np.diff(first), axis=0), axis=1)
    # A chord of some kilometres is shorter than its arc by parts in 1e7.
    radius_km = np.maximum.reduceat(away_m, first[:-1]) * 1.001e-3 + 0.01
    groups = np.searchsorted(owner, np.arange(count + 1)).astype(np.int32)
    return BorderPoints(points_m, np.repeat(owner, np.diff(first)), first, mean_m, radius_km, groups)


def geocentric_m(lonlat_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Geocentric positions float64[n, 3] on the ellipsoid of lon/lat float64[n, 2]."""
    lon, lat = np.radians(lonlat_deg).T
    normal_m = SEMI_MAJOR_M / np.sqrt(1.0 - ECCENTRICITY2 * np.sin(lat) ** 2)
    across_m = normal_m * np.cos(lat)
    up_m = (1.0 - ECCENTRICITY2) * normal_m * np.sin(lat)
    return np.stack([across_m * np.cos(lon), across_m * np.sin(lon), up_m], axis=1)
