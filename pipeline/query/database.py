"""An open run: the values at a location and around it. The public names are those of ``query.py``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from pipeline.errors import InputError
from pipeline.files import JsonObject
from pipeline.grid import raster
from pipeline.grid.layer_files import SCALE_TAG, channel_bands
from pipeline.publish.release import MANIFEST
from pipeline.query.circle import Circle, block_minima, lowest_at_home, lowest_of_all
from pipeline.query.paws import Code, PawsError
from pipeline.query.results import read_run

# A location on the edge of a pixel, to the noise of the projection, touches both.
_TOUCH_M = 1e-6


class Database(NamedTuple):
    """An open run: ``facts`` and ``valid`` (UTC) from its manifest, query rasters by device id.

    ``minima`` by device id, as they come to be needed: see ``query_region.py``.
    """

    folder: Path
    run_id: str
    facts: JsonObject
    valid: dict[str, str]
    rasters: dict[str, raster.Opened]
    to_grid: Transformer
    minima: dict[str, NDArray[np.int16]]


class QueryLocation(NamedTuple):
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
            "run holds nothing for queries",
            file=run.folder / MANIFEST,
            field=min(missing),
            allowed="a run made by this version of the program",
        )
    facts = run.manifest["query"]
    rasters = {entry["id"]: raster.open_raster(run.folder / entry["file"]) for entry in facts["devices"]}
    _check_rasters(rasters, channel_bands("query", [entry["channel"] for entry in facts["channels"]]))
    grid = next(iter(rasters.values())).grid
    to_grid = grid.from_lonlat()
    valid = run.manifest["valid_utc"]
    return Database(run.folder, run.manifest["run_id"], facts, valid, rasters, to_grid, {})


def _check_rasters(rasters: Mapping[str, raster.Opened], bands: Sequence[str]) -> None:
    """Refuse files that are not those of the manifest: other channels, other grids, no scale."""
    first = next(iter(rasters.values()))
    for opened in rasters.values():
        layout = opened.layout
        if (layout.band_names, opened.grid) != (tuple(bands), first.grid) or SCALE_TAG not in layout.tags:
            raise InputError(
                "is not the query raster of this run",
                file=opened.source.name,
                allowed="a band for each channel of the manifest, all devices on one grid",
            )


def close_database(database: Database) -> None:
    """Close the files of a run."""
    for opened in database.rasters.values():
        opened.source.close()


def location_of(database: Database, lon_deg: float, lat_deg: float) -> QueryLocation:
    """A location on the grid; PawsError for what is none on Earth, or beyond the projection."""
    if not (abs(lat_deg) <= 90.0 and abs(lon_deg) <= 180.0):
        message = f"latitude {lat_deg:g}, longitude {lon_deg:g} is not a place on Earth (WGS84 degrees)"
        raise PawsError(Code.INVALID_VALUE, message)
    x_m, y_m = database.to_grid.transform(lon_deg, lat_deg)
    if not (math.isfinite(x_m) and math.isfinite(y_m)):
        raise outside_coverage(lon_deg, lat_deg)
    return QueryLocation(lon_deg, lat_deg, x_m, y_m)


def outside_coverage(lon_deg: float, lat_deg: float) -> PawsError:
    """The error for a location that the run does not cover; it names the numbers: they are often swapped."""
    message = f"latitude {lat_deg:g}, longitude {lon_deg:g} or a part of its uncertainty is not covered"
    return PawsError(Code.OUTSIDE_COVERAGE, message)


def pixel_of(database: Database, location: QueryLocation) -> JsonObject:
    """The pixel of a location; its id (CRS, size, south-west corner in metres) outlives the grid."""
    grid = next(iter(database.rasters.values())).grid
    row, col = grid.pixel_at(location.x_m, location.y_m)
    west_m, south_m = grid.xy_m(row + 1, col)
    return {"id": f"{grid.crs}/{grid.resolution_m:g}/E{west_m:.0f}N{south_m:.0f}", "row": row, "col": col}


def lowest_raw(
    database: Database, profile: JsonObject, location: QueryLocation, radius_m: float
) -> NDArray[np.int16]:
    """Lowest raw value [channel] of all pixels that a circle of true metres touches, also in part.

    Nodata where the circle reaches outside the territory.
    """
    opened = database.rasters[profile["id"]]
    return lowest_of_all(opened, circle_on(opened, location, radius_m))


def lowest_raw_at_home(
    database: Database, profile: JsonObject, location: QueryLocation, radius_m: float
) -> NDArray[np.int16]:
    """The same where pixels outside the territory do not count; the first time it reads the whole raster."""
    opened = database.rasters[profile["id"]]
    if profile["id"] not in database.minima:
        database.minima[profile["id"]] = block_minima(opened)
    return lowest_at_home(opened, circle_on(opened, location, radius_m), database.minima[profile["id"]])


def circle_on(opened: raster.Opened, location: QueryLocation, radius_m: float) -> Circle:
    """A circle of true metres on the grid: never smaller there than it is on the ground."""
    scale = float(opened.layout.tags[SCALE_TAG])
    return Circle(location.x_m, location.y_m, radius_m * scale + _TOUCH_M)
