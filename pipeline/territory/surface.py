"""Land and sea in longitude and latitude, for path sections from transmitters far beyond the grid."""

from __future__ import annotations

import math
import warnings
from typing import Literal

import numpy as np
import shapely
import xarray as xr
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from rasterio.errors import NotGeoreferencedWarning

from pipeline.blocks import map_blocks
from pipeline.grid.grid import LONLAT, STRIP_PX, Box, Grid
from pipeline.grid.polygons import Boundaries, cut
from pipeline.territory.masks import rasterised

STEP_DEG = 0.0025
# A mask of more pixels takes twice the step, and so on: 0.3 GB of memory at most.
_MAX_PIXELS = 300_000_000
# Room for the ends of radials, which pass the box by less than a degree.
ROOM_DEG = 0.5


def paths_box_deg(grid: Grid, lon_deg: ArrayLike, lat_deg: ArrayLike) -> Box:
    """Box of whole degrees that holds the grid and all sites, with half a degree to spare."""
    west, south, east, north = grid.box_deg()
    lon, lat = np.append(lon_deg, [west, east]), np.append(lat_deg, [south, north])
    low = math.floor(lon.min() - ROOM_DEG), math.floor(lat.min() - ROOM_DEG)
    high = math.ceil(lon.max() + ROOM_DEG), math.ceil(lat.max() + ROOM_DEG)
    return max(low[0], -180), max(low[1], -90), min(high[0], 180), min(high[1], 90)


def surface_mask(
    boundaries: Boundaries,
    box_deg: Box,
    *,
    step_deg: float = STEP_DEG,
    unknown: Literal["land", "sea"] = "land",
    threads: int = 1,
) -> xr.DataArray:
    """Mask uint8[y, x] of a box, 1 land and 0 sea, rows from north to south; attributes crs and transform.

    Lakes are land (P.1546 knows sea and land; lakes of the boundary files count as land here). Inside the
    box of the boundary file its land decides, beyond it the world polygons. Where neither says anything the
    place counts as ``unknown``: land by default, because the edge of a clip is not a coast.
    """
    west, south, east, north = box_deg
    while (east - west) * (north - south) / step_deg**2 > _MAX_PIXELS:
        step_deg *= 2.0
    width, height = math.ceil((east - west) / step_deg), math.ceil((north - south) / step_deg)
    transform = Affine(step_deg, 0.0, west, 0.0, -step_deg, north)
    values = np.empty((height, width), dtype=np.uint8)

    def strip(rows: slice, cols: slice) -> NDArray[np.uint8]:
        return _strip(boundaries, transform, rows, width, unknown)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for rows, _, part in map_blocks(strip, values.shape, (STRIP_PX, width), threads, name="land and sea"):
            values[rows] = part
    attrs = {
        "crs": LONLAT,
        "transform": transform,
        "units": "",
        "long_name": "land 1, sea 0",
        "nodata": None,
        "categories": {0: "sea", 1: "land"},
    }
    return xr.DataArray(values, dims=("y", "x"), attrs=attrs)


def _strip(
    boundaries: Boundaries, transform: Affine, rows: slice, width: int, unknown: str
) -> NDArray[np.uint8]:
    shape, place = (rows.stop - rows.start, width), transform @ Affine.translation(0, rows.start)
    land = rasterised(boundaries.land, shape, place)
    if boundaries.world_land is None:
        result = land | (unknown == "land")
    else:
        result = land | rasterised(boundaries.world_land, shape, place)
    if boundaries.known_box_deg is not None:
        known = rasterised(cut([shapely.box(*boundaries.known_box_deg)], (-180, -90, 180, 90)), shape, place)
        result[known] = land[known]
    return result.astype(np.uint8)
