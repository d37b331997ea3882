"""Terrain quantities point by point, for the tests alone: NumPy, SciPy, pyproj; no kernel of the package."""

from __future__ import annotations

import numpy as np
from pyproj import Geod
from scipy.ndimage import map_coordinates

GEOD = Geod(ellps="WGS84")


def points(lon_deg, lat_deg, azimuth_deg, d_km):
    """Longitudes and latitudes at distances along one azimuth."""
    d_km = np.atleast_1d(np.asarray(d_km, dtype=float))
    full = np.ones_like(d_km)
    lon, lat, _ = GEOD.fwd(lon_deg * full, lat_deg * full, azimuth_deg * full, d_km * 1000.0)
    return np.asarray(lon), np.asarray(lat)


def heights(raster, lon_deg, lat_deg):
    """Bilinear heights by SciPy; points must lie well inside."""
    row = (raster.north_deg - lat_deg) / raster.step_lat_deg - 0.5
    col = (lon_deg - raster.west_deg) / raster.step_lon_deg - 0.5
    return map_coordinates(raster.values.astype(float), [row, col], order=1, mode="constant", cval=np.nan)


def mean_height(raster, mast, azimuth_deg, from_km, to_km, samples=6001):
    """Mean terrain between two distances by a fine trapezoid."""
    d_km = np.linspace(from_km, to_km, samples)
    profile = heights(raster, *points(mast.lon_deg, mast.lat_deg, azimuth_deg, d_km))
    return np.trapezoid(profile, d_km) / (to_km - from_km)


def clearance_deg(raster, lon_deg, lat_deg, azimuth_deg, d_km, step_km, receiver_m=10.0, reach_km=16.0):
    """Largest elevation angle from 10 m above a point at ``d_km`` back over samples ``step_km`` apart."""
    back_km = step_km * np.arange(1, int(min(reach_km, d_km) / step_km + 1e-9) + 1)
    eye_m = heights(raster, *points(lon_deg, lat_deg, azimuth_deg, d_km))[0] + receiver_m
    profile = heights(raster, *points(lon_deg, lat_deg, azimuth_deg, d_km - back_km))
    return float(np.degrees(np.arctan((profile - eye_m) / (1000.0 * back_km))).max())
