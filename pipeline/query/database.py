"""An open run: the values at a location and around it. The public names are those of ``query.py``.

Around a location counts the lowest value of all pixels that a circle touches, of every channel. Codes are
below all levels, so they win: outside, then not permitted, then not evaluated. A circle of many kilometres
contains millions of pixels; :func:`lowest_at_home` reads few of them and finds the same minimum: a block
that is in the circle as a whole counts by its own lowest value, which is known beforehand, and one that
lies in it in part is read only if that value could lower the answer of a channel.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize
from shapely import Polygon

from pipeline.errors import InputError
from pipeline.files import INTERNAL, JsonObject
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import SCALE_TAG, channel_bands
from pipeline.publish.release import MANIFEST
from pipeline.quantise import NODATA_CENTI
from pipeline.query.manifest_check import check_manifest
from pipeline.query.paws import Code, PawsError, instant_s
from pipeline.query.profiles import channel_entries
from pipeline.query.raster_values import (
    QUERY_BLOCK_PX,
    AnyOpened,
    Overlay,
    close_raster,
    keep_blocks,
    values_of,
)
from pipeline.query.results import Run, published_file, read_public_run

# --- a circle on one raster ---------------------------------------------------------------------------------


# Rows read at a time: bounds memory where a region is large.
_STRIP_PX = 256
ABOVE_ALL = np.iinfo(np.int16).max
# Blocks this near to the circle are looked at: which of their pixels it touches is decided one by one.
_SLACK_M = 1e-3


class Circle(NamedTuple):
    """A circle on the grid of a raster, projected metres."""

    x_m: float
    y_m: float
    reach_m: float


def lowest_of_all(opened: AnyOpened, circle: Circle) -> NDArray[np.int16]:
    """Lowest raw value [channel] of all pixels touched, also in part; nodata if one of them is outside."""
    grid = opened.grid
    rows, cols = spans(grid, circle)
    if rows.start < 0 or cols.start < 0 or rows.stop > grid.height or cols.stop > grid.width:
        return np.full(len(opened.layout.band_names), NODATA_CENTI, dtype=np.int16)
    strips = [
        slice(first, min(first + _STRIP_PX, rows.stop)) for first in range(rows.start, rows.stop, _STRIP_PX)
    ]
    return np.minimum.reduce([_lowest_in(opened, circle, strip, cols) for strip in strips])


def block_minima(opened: AnyOpened) -> NDArray[np.int16]:
    """Lowest raw value [channel, block row, block column] of the pixels that are not outside.

    ``ABOVE_ALL`` for a block without any. It reads the whole raster.
    """
    grid = opened.grid
    edges = np.arange(0, grid.width, QUERY_BLOCK_PX)
    strips = []
    for first in range(0, grid.height, QUERY_BLOCK_PX):
        rows = slice(first, min(first + QUERY_BLOCK_PX, grid.height))
        values = _inside(values_of(opened, rows, slice(0, grid.width)))
        strips.append(np.minimum.reduceat(values.min(axis=1), edges, axis=1))
    return np.stack(strips, axis=1)


def lowest_at_home(opened: AnyOpened, circle: Circle, minima: NDArray[np.int16]) -> NDArray[np.int16]:
    """Lowest raw value [channel] of the pixels touched that are not outside; nodata where there are none."""
    near_m, far_m = _block_distances_m(opened.grid, circle, minima.shape[1:])
    whole = far_m <= circle.reach_m
    lowest = minima[:, whole].min(axis=1, initial=ABOVE_ALL)
    for row, col in np.argwhere((near_m <= circle.reach_m + _SLACK_M) & ~whole).tolist():
        if (minima[:, row, col] < lowest).any():
            lowest = np.minimum(lowest, _lowest_in_block(opened, circle, row, col))
    lowest[lowest == ABOVE_ALL] = NODATA_CENTI
    return lowest


def _lowest_in_block(opened: AnyOpened, circle: Circle, row: int, col: int) -> NDArray[np.int16]:
    sizes = (opened.grid.height, opened.grid.width)
    rows, cols = (
        slice(QUERY_BLOCK_PX * k, min(QUERY_BLOCK_PX * (k + 1), size))
        for k, size in zip((row, col), sizes, strict=True)
    )
    values = values_of(opened, rows, cols)[:, touched(opened.grid, circle, rows, cols)]
    return np.asarray(_inside(values).min(axis=1, initial=ABOVE_ALL))


def _lowest_in(opened: AnyOpened, circle: Circle, rows: slice, cols: slice) -> NDArray[np.int16]:
    values = values_of(opened, rows, cols)[:, touched(opened.grid, circle, rows, cols)]
    return np.asarray(values.min(axis=1, initial=ABOVE_ALL))


def _inside(values: NDArray[np.int16]) -> NDArray[np.int16]:
    """Values in which what is outside never is the lowest."""
    return np.where(values == NODATA_CENTI, np.int16(ABOVE_ALL), values)


def spans(grid: Grid, circle: Circle) -> tuple[slice, slice]:
    """Rows and columns of the square around a circle; they may lie beyond the grid."""
    reach_px = circle.reach_m / grid.resolution_m
    centre_px = grid.row_col(circle.x_m, circle.y_m)
    first, last = ([math.floor(at + side * reach_px) for at in centre_px] for side in (-1, 1))
    return slice(first[0], last[0] + 1), slice(first[1], last[1] + 1)


def touched(grid: Grid, circle: Circle, rows: slice, cols: slice) -> NDArray[np.bool_]:
    """Which pixels [y, x] of a window have a point within the circle."""
    west_m, north_m = grid.xy_m(
        np.arange(rows.start, rows.stop, dtype=np.float64), np.arange(cols.start, cols.stop, dtype=np.float64)
    )
    dx_m = np.maximum(0.0, np.maximum(west_m - circle.x_m, circle.x_m - west_m - grid.resolution_m))
    dy_m = np.maximum(0.0, np.maximum(circle.y_m - north_m, north_m - grid.resolution_m - circle.y_m))
    return np.asarray(np.hypot(dx_m[np.newaxis, :], dy_m[:, np.newaxis]) <= circle.reach_m)


def _block_distances_m(
    grid: Grid, circle: Circle, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances [block row, block column] from the centre to the nearest and to the farthest point."""
    side_m = QUERY_BLOCK_PX * grid.resolution_m
    west_m = grid.west_m + side_m * np.arange(shape[1], dtype=np.float64)
    south_m = grid.north_m - side_m * np.arange(1, shape[0] + 1, dtype=np.float64)
    (near_x, far_x), (near_y, far_y) = (
        _ends_m(west_m, side_m, circle.x_m),
        _ends_m(south_m, side_m, circle.y_m),
    )
    return np.hypot(near_x, near_y[:, np.newaxis]), np.hypot(far_x, far_y[:, np.newaxis])


def _ends_m(
    low_m: NDArray[np.float64], side_m: float, at_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances along an axis to the nearest and to the farthest point of intervals from ``low_m``."""
    before_m, beyond_m = low_m - at_m, at_m - low_m - side_m
    return np.maximum(0.0, np.maximum(before_m, beyond_m)), -np.minimum(before_m, beyond_m)


# --- a run --------------------------------------------------------------------------------------------------


# A location on the edge of a pixel, to the noise of the projection, touches both.
_TOUCH_M = 1e-6
# Edges of regions: 0.005 degrees of longitude bend by 0.02 m; what is near them is touched.
_STEP_DEG, _SLACK_PX = 0.005, 1e-3


def with_blocks(database: Database, most_bytes: int) -> Database:
    """The same run, of whose rasters so many bytes stay in memory at most: for many questions."""
    parts = [database, *(() if database.base is None else (database.base,))]
    parts += [part.database for part in database.slices]
    count = sum(len(one.rasters) for one in {id(one): one for one in parts}.values())
    known: dict[int, Database] = {}

    def keeping(one: Database) -> Database:
        if id(one) not in known:
            rasters = {name: keep_blocks(opened, most_bytes // count) for name, opened in one.rasters.items()}
            known[id(one)] = one._replace(rasters=rasters, minima={})
        return known[id(one)]

    base = None if database.base is None else keeping(database.base)
    slices = tuple(part._replace(database=keeping(part.database)) for part in database.slices)
    return keeping(database)._replace(slices=slices, base=base)


class Database(NamedTuple):
    """An open run: ``facts`` and ``valid`` (UTC) from its manifest, query rasters by device id.

    ``minima`` by device id, as they come to be needed: see ``lowest_raw_at_home``. ``slices``: the same for
    parts of its period, if bookings change within it; the rasters of the run are the least of all of them.
    ``base``: without bookings, known with ``slices`` only.
    """

    folder: Path
    run_id: str
    facts: JsonObject
    valid: dict[str, str]
    rasters: Mapping[str, AnyOpened]
    to_grid: Transformer
    minima: dict[str, NDArray[np.int16]]
    slices: tuple[SlicedRun, ...] = ()
    base: Database | None = None


class SlicedRun(NamedTuple):
    """A run from one instant to another (UTC seconds, half open)."""

    from_s: int
    until_s: int
    database: Database


class QueryLocation(NamedTuple):
    """Where a device is; ``x_m``, ``y_m`` on the grid of the run."""

    lon_deg: float
    lat_deg: float
    x_m: float
    y_m: float


def open_database(results: Path) -> Database:
    """Open a run, or the latest of a territory; InputError without query rasters, or with damaged ones."""
    run = read_public_run(results)
    check_manifest(run.folder / MANIFEST, run.manifest, "query")
    facts = run.manifest["query"]
    rasters = _opened(run, {entry["id"]: entry["file"] for entry in facts["devices"]})
    grid = next(iter(rasters.values())).grid
    to_grid = grid.from_lonlat()
    valid = run.manifest["valid_utc"]
    whole = Database(run.folder, run.manifest["run_id"], facts, valid, rasters, to_grid, {})
    base = _without_bookings(run, whole)
    return whole if base is None else whole._replace(slices=tuple(_sliced(run, base)), base=base)


def _opened(run: Run, files: Mapping[str, str]) -> dict[str, raster.Opened]:
    """Query rasters by device; InputError for what is not of this run."""
    facts = run.manifest["query"]
    rasters = {device: raster.open_raster(published_file(run, name)) for device, name in files.items()}
    bands = {entry["id"]: _bands_of(facts, entry) for entry in facts["devices"]}
    _check_rasters(rasters, bands)
    return rasters


def _without_bookings(run: Run, whole: Database) -> Database | None:
    """The run without bookings; None where they do not change, or nobody may read what is internal.

    Then the least of all slices holds all the time.
    """
    entries = {entry["id"]: entry.get("base_file") for entry in whole.facts["devices"]}
    slices = whole.facts.get("slices", ())
    if not slices or None in entries.values() or not os.access(run.folder / INTERNAL, os.R_OK | os.X_OK):
        return None
    return whole._replace(rasters=_opened(run, entries), minima={})


def _sliced(run: Run, base: Database) -> Iterator[SlicedRun]:
    """The run slice by slice; where the same bookings hold again, it is the same."""
    known = {"{}": base}
    for part in base.facts["slices"]:
        key = json.dumps(part["files"], sort_keys=True)
        if key not in known:
            over = _opened(run, part["files"])
            rasters = {
                name: _over(over.get(name), cast(raster.Opened, one)) for name, one in base.rasters.items()
            }
            known[key] = base._replace(rasters=rasters, minima={})
        yield SlicedRun(instant_s(part["startTime"]), instant_s(part["stopTime"]), known[key])


def _over(top: raster.Opened | None, base: raster.Opened) -> AnyOpened:
    return base if top is None else Overlay(top, base)


def parts_between(database: Database, from_s: int, until_s: int) -> list[SlicedRun]:
    """The run from one instant to another, without gaps: where no slice tells, the least of all holds."""
    found: list[SlicedRun] = []
    at_s = from_s
    for part in database.slices:
        begin_s, end_s = max(part.from_s, at_s), min(part.until_s, until_s)
        if begin_s >= end_s:
            continue
        if begin_s > at_s:
            found.append(SlicedRun(at_s, begin_s, database))
        found.append(SlicedRun(begin_s, end_s, part.database))
        at_s = end_s
    return [*found, SlicedRun(at_s, until_s, database)] if at_s < until_s else found


def _bands_of(facts: JsonObject, profile: JsonObject) -> list[str]:
    return channel_bands("query", [entry["channel"] for entry in channel_entries(facts, profile)])


def _check_rasters(rasters: Mapping[str, raster.Opened], bands: Mapping[str, Sequence[str]]) -> None:
    """Refuse files that are not those of the manifest: other channels, other grids, no scale."""
    first = next(iter(rasters.values()))
    for device, opened in rasters.items():
        layout = opened.layout
        if (layout.band_names, opened.grid) != (
            tuple(bands[device]),
            first.grid,
        ) or SCALE_TAG not in layout.tags:
            raise InputError(
                "is not the query raster of this run",
                file=opened.source.name,
                allowed="a band for each channel of the manifest, all devices on one grid",
            )


def close_database(database: Database) -> None:
    """Close the files of a run."""
    without = () if database.base is None else (database.base,)
    for one in (database, *without, *(part.database for part in database.slices)):
        for opened in one.rasters.values():
            close_raster(opened)


def refuse_partial(database: Database) -> None:
    """PawsError for a run that leaves out incumbents: it is for study, no device may go by it."""
    if statement := database.facts.get("refused"):
        raise PawsError(Code.UNIMPLEMENTED, str(statement))


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


def lowest_raw_in_region(
    database: Database, profile: JsonObject, corners_deg: Sequence[tuple[float, float]]
) -> NDArray[np.int16]:
    """Lowest raw value [channel] of all pixels that a ring of (longitude, latitude) encloses or touches.

    Nodata where it reaches outside the territory. Its edges are straight in longitude and latitude.
    """
    opened = database.rasters[profile["id"]]
    grid = opened.grid
    outside = np.full(len(opened.layout.band_names), NODATA_CENTI, dtype=np.int16)
    # Corners first: edges around the Earth have a hundred thousand points each.
    for lon_deg, lat_deg in (np.asarray(corners_deg, dtype=np.float64).T, _along(corners_deg)):
        x_m, y_m = database.to_grid.transform(lon_deg, lat_deg)
        if not (np.isfinite(x_m).all() and np.isfinite(y_m).all()):
            return outside
        row, col = grid.row_col(x_m, y_m)
        if min(row.min(), col.min()) < 0.0 or row.max() >= grid.height or col.max() >= grid.width:
            return outside
    # In pixels, wider by what the rounding of edges to pixels could leave out.
    ring = Polygon(np.column_stack([col, row])).buffer(_SLACK_PX)
    west, north, east, south = (math.floor(edge) for edge in ring.bounds)
    if west < 0 or north < 0 or east >= grid.width or south >= grid.height:
        return outside
    rows, cols = slice(north, south + 1), slice(west, east + 1)
    shape = (south + 1 - north, east + 1 - west)
    touched = rasterize(
        [ring], shape, transform=Affine.translation(west, north), all_touched=True, dtype=np.uint8
    )
    return np.asarray(values_of(opened, rows, cols)[:, touched > 0].min(axis=1))


def _along(corners_deg: Sequence[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points along the edges of a ring, close enough for straight lines between them on a grid."""
    corners = np.asarray(corners_deg, dtype=np.float64)
    parts = [
        np.linspace(a, b, 2 + int(np.abs(b - a).max() / _STEP_DEG))[:-1]
        for a, b in itertools.pairwise(corners)
    ]
    lon_deg, lat_deg = np.concatenate([*parts, corners[-1:]]).T
    return lon_deg, lat_deg


def circle_on(opened: AnyOpened, location: QueryLocation, radius_m: float) -> Circle:
    """A circle of true metres on the grid: never smaller there than it is on the ground."""
    scale = float(opened.layout.tags[SCALE_TAG])
    return Circle(location.x_m, location.y_m, radius_m * scale + _TOUCH_M)
