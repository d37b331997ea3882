"""Rasters as others make them: one band, written by GDAL without this project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine


def write_raster(
    path: Path, values: np.ndarray, place: Affine, *, crs: str = "EPSG:4326", nodata: float | None = None
) -> Path:
    """Write [row, column] values as a GeoTIFF whose corners ``place`` gives; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = values.shape
    size = {"width": columns, "height": rows, "count": 1, "dtype": values.dtype.name}
    with rasterio.open(path, "w", "GTiff", **size, crs=crs, transform=place, nodata=nodata) as target:
        target.write(values, 1)
    return path
