"""`channelmaps devices report --zone`: the uses in a coordination zone, as a neighbour may know them."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, func, select

from pipeline.errors import InputError
from pipeline.files import Output, check_outputs, kind_of_table, write_output_rows
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.loop.device_tools import area_of
from pipeline.loop.devices import PLACE_STEPS
from pipeline.loop.period import Period
from pipeline.loop.storage import files_of, open_storage
from pipeline.loop.tables import USE
from pipeline.query.results import read_run
from pipeline.studies.coordination_zone import known_zone_km

_CENTI, _CLASS_DB, _HOUR_S = 100.0, 10, 3600.0
_COLUMNS = ("month", "channel", "eirp_from_dbm", "lon", "lat", "uses", "hours")
# A kilometre or so: neighbours learn no place more closely.
_PLACE_DIGITS = 2
_Holds = Callable[[float, float], bool]


def zone_report_command(out: Path, db: str, period: Period, zone: str, results: Path | None) -> None:
    """Write uses by month, channel, class of e.i.r.p. and kilometre.

    ``zone``: a file of polygons, or how many km from neighbours it reaches, by the maps of ``results``.
    """
    path = Path(zone)
    inputs = [*([path] if path.is_file() else []), *files_of(db)]
    check_outputs([Output("--out", out, kind_of_table(*_COLUMNS))], inputs)
    where, holds = _of_polygons(path) if path.is_file() else ([], _near_neighbours(zone, results))
    with open_storage(db).connect() as connection:
        rows = list(_rows(connection, period, where, holds))
    write_output_rows(out, _COLUMNS, rows)


def _of_polygons(path: Path) -> tuple[list[ColumnElement[bool]], _Holds]:
    """What the database can tell of polygons, their box, and whether they hold a place."""
    import shapely

    area = shapely.from_wkb(area_of(path))
    shapely.prepare(area)
    west, south, east, north = (PLACE_STEPS * edge_deg for edge_deg in area.bounds)
    where: list[ColumnElement[bool]] = [
        USE.c.lon_e7.between(math.floor(west), math.ceil(east)),
        USE.c.lat_e7.between(math.floor(south), math.ceil(north)),
    ]
    return where, lambda lon_deg, lat_deg: bool(area.intersects(shapely.Point(lon_deg, lat_deg)))


def _near_neighbours(zone: str, results: Path | None) -> _Holds:
    """Whether a place of the territory is within a distance of any neighbour's land."""
    allowed = "a file of polygons, or kilometres with --results"
    try:
        zone_km = float(zone)
    except ValueError:
        raise InputError("is no zone", field="--zone", value=zone, allowed=allowed) from None
    if results is None or not zone_km > 0.0:
        raise InputError("is no zone", field="--zone", value=zone, allowed=allowed)
    folder = read_run(results).build / "territory"
    surface = raster.read(folder / "surface.tif")
    grid: Grid = surface.attrs["grid"]
    if zone_km > (known_km := known_zone_km(surface.values, grid)):
        allowed = f"up to {known_km:.3g} km, what the grid shows around the territory"
        raise InputError("reaches beyond the grid", field="--zone", value=zone, allowed=allowed)
    near = (raster.read(folder / "neighbours.tif", stacked=True).values <= zone_km).any(axis=0)

    def holds(lon_deg: float, lat_deg: float) -> bool:
        row, col = grid.pixel_of(lon_deg, lat_deg)
        return grid.has_pixel(row, col) and bool(np.asarray(near)[row, col])

    return holds


def _rows(
    connection: Connection, period: Period, where: Sequence[ColumnElement[bool]], holds: _Holds
) -> Iterator[Sequence[object]]:
    now_s = int(time.time())
    uses: Counter[tuple[object, ...]] = Counter()
    total_s: defaultdict[tuple[object, ...], float] = defaultdict(float)
    for month in _months(connection, period, where, now_s):
        name, seconds = (
            datetime.fromtimestamp(month.from_s, UTC).strftime("%Y-%m"),
            month.seconds_of_use(now_s),
        )
        columns = (USE.c.channel, USE.c.eirp_cdbm, USE.c.lon_e7, USE.c.lat_e7, seconds.label("seconds"))
        for use in connection.execute(select(*columns).where(*where, seconds > 0)):
            lon_deg, lat_deg = use.lon_e7 / PLACE_STEPS, use.lat_e7 / PLACE_STEPS
            if holds(lon_deg, lat_deg):
                key = _kind_of(name, use, lon_deg, lat_deg)
                uses[key] += 1
                total_s[key] += use.seconds
    for row in sorted(uses, key=str):
        yield *row, uses[row], round(total_s[row] / _HOUR_S, 2)


def _kind_of(month: str, use: Row[Any], lon_deg: float, lat_deg: float) -> tuple[object, ...]:
    """What is told of a use: its month, channel, class of e.i.r.p. and kilometre."""
    level_dbm = math.floor(use.eirp_cdbm / _CENTI / _CLASS_DB) * _CLASS_DB
    return month, use.channel, level_dbm, round(lon_deg, _PLACE_DIGITS), round(lat_deg, _PLACE_DIGITS)


def _months(
    connection: Connection, period: Period, where: Sequence[ColumnElement[bool]], now_s: int
) -> Iterator[Period]:
    """The months of a period in which there are uses, the first and the last one as far as they are in it."""
    found = connection.execute(select(func.min(USE.c.from_at), func.max(USE.c.until_at)).where(*where)).one()
    if found[0] is None:
        return
    begin_s, end_s = max(found[0], period.from_s), min(found[1], period.to_s, max(now_s, found[0]) + 1)
    at = datetime.fromtimestamp(begin_s, UTC)
    year, month = at.year, at.month
    while begin_s < end_s:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        next_s = int(datetime(year, month, 1, tzinfo=UTC).timestamp())
        yield Period(begin_s, min(next_s, end_s))
        begin_s = next_s
