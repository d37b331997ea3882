"""An open run: which values a place and its surroundings have. The public names are those of ``query.py``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from pipeline import raster
from pipeline.errors import InputError
from pipeline.publish.query_raster import SCALE_TAG
from pipeline.publish.release import MANIFEST
from pipeline.quantise import NODATA_CENTI
from pipeline.territory.grid import LONLAT
from pipeline.tools.paws import Code, Json, PawsError
from pipeline.tools.results import read_run

# Rows read at a time: bounds memory where a region is large.
STRIP_PX = 256
# A place on the edge of a pixel, to the noise of the projection, touches both.
TOUCH_M = 1e-6
ABOVE_ALL = np.iinfo(np.int16).max


class Database(NamedTuple):
    """An open run: ``facts`` and ``valid`` (UTC) from its manifest, query rasters by device id."""

    folder: Path
    run_id: str
    facts: Json
    valid: dict[str, str]
    rasters: dict[str, raster.Opened]
    to_grid: Transformer


class Place(NamedTuple):
    """Where a device is; ``x_m``, ``y_m`` on the grid of the run."""

    lon_deg: float
    lat_deg: float
    x_m: float
    y_m: float


def open_database(results: Path) -> Database:
    """Open a run, or the latest of a territory; InputError where it holds no query rasters."""
    run = read_run(results)
    missing = {"query", "valid_utc"} - set(run.manifest)
    if missing:
        raise InputError(
            "run holds nothing for queries", file=run.folder / MANIFEST, field=min(missing),
            allowed="a run made by this version of the program",
        )  # fmt: skip
    facts = run.manifest["query"]
    rasters = {entry["id"]: raster.open_raster(run.folder / entry["file"]) for entry in facts["devices"]}
    grid = next(iter(rasters.values())).grid
    to_grid = Transformer.from_crs(LONLAT, grid.crs, always_xy=True)
    return Database(run.folder, run.manifest["run_id"], facts, run.manifest["valid_utc"], rasters, to_grid)


def close_database(database: Database) -> None:
    """Close the files of a run."""
    for opened in database.rasters.values():
        opened.source.close()


def place_of(database: Database, lon_deg: float, lat_deg: float) -> Place:
    """A place on the grid; PawsError for what is none on Earth, or beyond the projection."""
    if not (abs(lat_deg) <= 90.0 and abs(lon_deg) <= 180.0):
        message = f"latitude {lat_deg:g}, longitude {lon_deg:g} is not a place on Earth (WGS84 degrees)"
        raise PawsError(Code.INVALID_VALUE, message)
    x_m, y_m = database.to_grid.transform(lon_deg, lat_deg)
    if not (math.isfinite(x_m) and math.isfinite(y_m)):
        raise PawsError(Code.OUTSIDE_COVERAGE, "the place is not covered")
    return Place(lon_deg, lat_deg, x_m, y_m)


def pixel_of(database: Database, place: Place) -> Json:
    """The pixel that holds a place; its id (CRS, size, south-west corner in metres) outlives the grid."""
    grid = next(iter(database.rasters.values())).grid
    row = math.floor((grid.north_m - place.y_m) / grid.resolution_m)
    col = math.floor((place.x_m - grid.west_m) / grid.resolution_m)
    west_m = grid.west_m + col * grid.resolution_m
    south_m = grid.north_m - (row + 1) * grid.resolution_m
    return {
        "id": f"{grid.crs}/{grid.resolution_m:g}/E{west_m:.0f}N{south_m:.0f}",
        "row": row,
        "col": col,
    }


def lowest_raw(
    database: Database, profile: Json, place: Place, radius_m: float, *, skip_outside: bool = False
) -> NDArray[np.int16]:
    """Least raw value [channel] of all pixels that a circle touches, also those it touches in part.

    The codes lie below all levels, so they win: outside, then not permitted, then not evaluated. With
    ``skip_outside`` pixels outside the territory do not count.
    """
    opened = database.rasters[profile["id"]]
    grid = opened.grid
    reach_m = radius_m * float(opened.layout.tags[SCALE_TAG]) + TOUCH_M
    rows = _span((grid.north_m - place.y_m) / grid.resolution_m, reach_m / grid.resolution_m)
    cols = _span((place.x_m - grid.west_m) / grid.resolution_m, reach_m / grid.resolution_m)
    inside = rows.start >= 0 and cols.start >= 0 and rows.stop <= grid.height and cols.stop <= grid.width
    lowest = np.full(len(opened.layout.band_names), ABOVE_ALL, dtype=np.int16)
    if not inside and not skip_outside:
        lowest[:] = NODATA_CENTI
        return lowest
    rows, cols = _clipped(rows, grid.height), _clipped(cols, grid.width)
    for first in range(rows.start, rows.stop, STRIP_PX):
        strip = slice(first, min(first + STRIP_PX, rows.stop))
        values = raster.read_window(opened, strip, cols)[:, _touched(grid, place, strip, cols, reach_m)]
        if skip_outside:
            values = values[:, values[0] != NODATA_CENTI]
        lowest = np.minimum(lowest, values.min(axis=1, initial=ABOVE_ALL))
    return lowest


def _span(centre_px: float, reach_px: float) -> slice:
    return slice(math.floor(centre_px - reach_px), math.floor(centre_px + reach_px) + 1)


def _clipped(span: slice, size: int) -> slice:
    return slice(max(span.start, 0), min(span.stop, size))


def _touched(grid: raster.Grid, place: Place, rows: slice, cols: slice, reach_m: float) -> NDArray[np.bool_]:
    """Which pixels [y, x] of a window have a point within ``reach_m`` of a place."""
    west_m = grid.west_m + np.arange(cols.start, cols.stop) * grid.resolution_m
    north_m = grid.north_m - np.arange(rows.start, rows.stop) * grid.resolution_m
    dx_m = np.maximum(0.0, np.maximum(west_m - place.x_m, place.x_m - west_m - grid.resolution_m))
    dy_m = np.maximum(0.0, np.maximum(place.y_m - north_m, north_m - grid.resolution_m - place.y_m))
    return np.asarray(np.hypot(dx_m[np.newaxis, :], dy_m[:, np.newaxis]) <= reach_m)
