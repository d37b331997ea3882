"""Synthetic surfaces around one mast for the terrain tests."""

from __future__ import annotations

import numpy as np
from pyproj import Geod

from pipeline.terrain.records import LonLatRaster, Mast

LON_DEG, LAT_DEG = 14.0, 46.0
NAN = float("nan")


def mast(agl_m=50.0, asl_m=NAN, haat_m=NAN, lon_deg=LON_DEG, lat_deg=LAT_DEG):
    """A mast in the middle of the surfaces."""
    return Mast("m", lon_deg, lat_deg, agl_m, asl_m, haat_m)


def raster(function, half_deg=0.4, step_deg=1 / 400, lon_deg=LON_DEG, lat_deg=LAT_DEG, dtype=np.float32):
    """``function(lon, lat, azimuth, d_km)`` at the pixel centres; azimuth and distance from the middle."""
    count = round(2 * half_deg / step_deg)
    west, north = lon_deg - half_deg, lat_deg + half_deg
    lon = west + (np.arange(count) + 0.5) * step_deg
    lat = north - (np.arange(count) + 0.5) * step_deg
    lon, lat = np.meshgrid(lon, lat)
    azimuth, _, d_m = Geod(ellps="WGS84").inv(
        np.full_like(lon, lon_deg), np.full_like(lat, lat_deg), lon, lat
    )
    values = np.broadcast_to(function(lon, lat, azimuth, d_m / 1000.0), lon.shape).astype(dtype)
    return LonLatRaster(values, west, north, step_deg, step_deg)


def relief(lon, lat, azimuth, d_km):
    """Rough, asymmetric hills of some hundred metres, smooth on the scale of a pixel."""
    x, y = (lon - LON_DEG) * 77.0, (lat - LAT_DEG) * 111.0
    return (
        400 + 150 * np.sin(x / 1.7 + 0.3) * np.cos(y / 2.3) + 90 * np.sin(0.9 * y - 0.4 * x) + 6 * x - 3 * y
    )
