"""What a record of the register leaves out: its administration, its height above average terrain."""

from __future__ import annotations

import math

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from pipeline.grid.grid import LONLAT

# Generalised coastlines leave stations on the shore outside every polygon; farther out a station is at sea.
_SHORE_KM = 5.0
_KM_PER_DEGREE = 111.2


def country_of(
    lon_deg: ArrayLike, lat_deg: ArrayLike, countries: gpd.GeoDataFrame, field: str
) -> NDArray[np.str_]:
    """Code of the country that contains each site, float[n] -> str[n]; "" where there is none.

    ``countries``: polygons in any CRS with the code in column ``field``; those without a code are ignored.
    A site on a border belongs to the country listed first; one in no country to the nearest within 5 km.
    """
    known = countries[countries[field].notna() & (countries[field] != "")].to_crs(LONLAT)
    shapes, codes = known.geometry.to_numpy(), [str(code) for code in known[field]]
    sites = np.atleast_1d(shapely.points(np.asarray(lon_deg, float), np.asarray(lat_deg, float)))
    owner = np.full(sites.size, -1)
    pairs = shapely.STRtree(shapes).query(sites, predicate="intersects")
    for site, shape in sorted(zip(*pairs.tolist(), strict=True), reverse=True):
        owner[site] = shape
    for site in np.flatnonzero(owner < 0):
        owner[site] = _nearest(sites[site], shapes)
    return np.array([codes[shape] if shape >= 0 else "" for shape in owner], dtype=np.str_)


def fill_countries(transmitters: xr.Dataset, countries: gpd.GeoDataFrame, field: str) -> xr.Dataset:
    """The dataset with every empty ``country`` taken from the polygons, and which ones were.

    Adds ``country_from_polygon`` bool [transmitter]. A site in no country keeps the empty text.
    """
    stated = transmitters["country"].to_numpy()
    empty = stated == ""
    found = country_of(
        transmitters["lon_deg"].to_numpy()[empty], transmitters["lat_deg"].to_numpy()[empty], countries, field
    )
    filled = pd.Series(stated, dtype=object)
    filled[empty] = found
    return transmitters.assign(
        country=("transmitter", filled.to_numpy(dtype=np.str_)),
        country_from_polygon=("transmitter", empty & (filled != "").to_numpy()),
    )


def with_missing_haat(transmitters: xr.Dataset, minimum_m: float) -> xr.Dataset:
    """The dataset with every absent or zero ``haat_m`` raised to the height above ground or ``minimum_m``.

    Records of the FCC contain 0 where it never was computed, among them most of Canada and Mexico; taken
    literally, hardly any of their coverage would be protected. ``mast`` keys follow.
    """
    haat_m, agl_m = (transmitters[name].values for name in ("haat_m", "antenna_height_agl_m"))
    missing = np.isnan(haat_m) | (haat_m == 0.0)
    filled_m = np.where(missing, np.fmax(agl_m, minimum_m), haat_m)
    masts = [
        f"{key}_{height_m:g}" if changed else key
        for key, height_m, changed in zip(transmitters["mast"].values, filled_m, missing, strict=True)
    ]
    return transmitters.assign(
        haat_m=("transmitter", filled_m, transmitters["haat_m"].attrs),
        mast=("transmitter", np.array(masts, dtype=np.str_)),
    )


def _nearest(site: shapely.Point, shapes: NDArray[np.object_]) -> int:
    """Index of the nearest polygon within ``_SHORE_KM``, -1 if there is none."""
    margin_deg = _SHORE_KM / _KM_PER_DEGREE
    narrowing = math.cos(math.radians(site.y))
    wide_deg = margin_deg / max(narrowing, 0.01)
    box = shapely.box(site.x - wide_deg, site.y - margin_deg, site.x + wide_deg, site.y + margin_deg)
    near = np.flatnonzero(shapely.intersects(shapes, box))
    if near.size == 0:
        return -1
    parts = shapely.clip_by_rect(shapes[near], *box.bounds)
    local_km = shapely.transform(
        parts, lambda xy: (xy - [site.x, site.y]) * [narrowing, 1.0] * _KM_PER_DEGREE
    )
    distance_km = shapely.distance(local_km, shapely.Point(0.0, 0.0))
    best = int(np.argmin(distance_km))
    return int(near[best]) if distance_km[best] <= _SHORE_KM else -1
