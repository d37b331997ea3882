"""Which CRS place points on the Earth; apart from files of vectors, for who reads text needs no GDAL."""

from __future__ import annotations

from pyproj import CRS

# Radii of the ellipsoids and spheres in use for the Earth, with a margin.
_EARTH_M = (6_300_000.0, 6_400_000.0)


def is_on_earth(crs: CRS) -> bool:
    """Whether a CRS places points on the Earth: geographic or projected, on an ellipsoid of its size."""
    radius_m = crs.ellipsoid.semi_major_metre if crs.ellipsoid is not None else 0.0
    return (crs.is_geographic or crs.is_projected) and _EARTH_M[0] <= radius_m <= _EARTH_M[1]
