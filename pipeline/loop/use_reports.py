"""`channelmaps devices report` and `placed`: what devices did in a period, what is on air now."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Table, func, select

from pipeline.files import Output, check_outputs, kind_of_table, write_output_rows
from pipeline.loop.device_tools import area_of
from pipeline.loop.devices import PLACE_STEPS
from pipeline.loop.storage import files_of, open_storage
from pipeline.loop.tables import DEVICE, OFFER, REQUEST, USE, WITHDRAWAL
from pipeline.loop.telemetry import traffic_rows
from pipeline.loop.uses import ALIVE, GRANTED

_CENTI = 100.0
_PLACED = (*ALIVE, GRANTED)  # what is only reserved does not transmit yet
_REPORT = ("what", "name", "count", "value")
_ZONE = ("month", "channel", "eirp_from_dbm", "lon", "lat", "uses", "hours")
_CLASS_DB = 10
# A kilometre or so: neighbours learn no place more closely.
_PLACE_DIGITS = 2
_HOUR_S = 3600.0


class Period(NamedTuple):
    """UTC seconds, half open."""

    from_s: float
    to_s: float

    def holds(self, at_s: float) -> bool:
        """Whether an instant is in it."""
        return self.from_s <= at_s < self.to_s

    def seconds_of(self, use: Row[Any], now_s: int) -> float:
        """How long a use was on air in it; until now at most."""
        until_s = min(use.ended_at or use.until_at, use.until_at, max(now_s, use.from_at), self.to_s)
        return max(0.0, until_s - max(use.from_at, self.from_s))


def report_command(out: Path, db: str, period: Period, zone: Path | None = None) -> None:
    """Write devices, uses, refusals and hours by kind; with a ``zone`` the uses inside its polygons alone."""
    inputs = files_of(db) if zone is None else [zone, *files_of(db)]
    columns = _REPORT if zone is None else _ZONE
    check_outputs([Output("--out", out, kind_of_table(*columns))], inputs)
    with open_storage(db).connect() as connection:
        rows = _report_rows(connection, period) if zone is None else _zone_rows(connection, period, zone)
        found = list(rows)
    write_output_rows(out, columns, found)


def _report_rows(connection: Connection, period: Period) -> Iterator[Sequence[object]]:
    now_s = int(time.time())
    for state, count in connection.execute(select(DEVICE.c.state, func.count()).group_by(DEVICE.c.state)):
        yield "devices", state, count, ""
    states: Counter[str] = Counter()
    hours: defaultdict[str, float] = defaultdict(float)
    most_dbm: dict[str, float] = {}
    for use in connection.execute(select(USE)):
        seconds = period.seconds_of(use, now_s)
        if seconds > 0.0 or period.holds(use.from_at):
            states[use.state] += 1
            hours[use.channel] += seconds
            most_dbm[use.channel] = max(most_dbm.get(use.channel, -200.0), use.eirp_cdbm / _CENTI)
    for state, count in sorted(states.items()):
        yield "uses", state, count, ""
    for channel, seconds in sorted(hours.items()):
        yield "channel-hours", channel, round(seconds / _HOUR_S, 2), most_dbm[channel]
    answers: Counter[tuple[str, int]] = Counter()
    for one in connection.execute(select(REQUEST.c.created_at, REQUEST.c.method, REQUEST.c.code)):
        if period.holds(one.created_at):
            answers[one.method, one.code] += 1
    for (method, code), count in sorted(answers.items()):
        yield f"answers to {method}", code, count, ""
    yield from traffic_rows(connection)
    yield "offers", "", _count(connection, OFFER, period), ""
    yield "orders to stop", "", _count(connection, WITHDRAWAL, period), ""


def _count(connection: Connection, table: Table, period: Period) -> int:
    return sum(period.holds(at_s) for at_s in connection.execute(select(table.c.created_at)).scalars())


def _zone_rows(connection: Connection, period: Period, zone: Path) -> Iterator[Sequence[object]]:
    """Uses by month, channel, class of e.i.r.p. and kilometre; each month in which a use was on air."""
    import shapely

    area, now_s = shapely.from_wkb(area_of(zone)), int(time.time())
    shapely.prepare(area)
    uses: Counter[tuple[object, ...]] = Counter()
    total_s: defaultdict[tuple[object, ...], float] = defaultdict(float)
    for use in connection.execute(select(USE)):
        lon_deg, lat_deg = use.lon_e7 / PLACE_STEPS, use.lat_e7 / PLACE_STEPS
        if not area.intersects(shapely.Point(lon_deg, lat_deg)):
            continue
        level_dbm = math.floor(use.eirp_cdbm / _CENTI / _CLASS_DB) * _CLASS_DB
        place = round(lon_deg, _PLACE_DIGITS), round(lat_deg, _PLACE_DIGITS)
        for name, month in _months(use, period, now_s):
            key: tuple[object, ...] = (name, use.channel, level_dbm, *place)
            uses[key] += 1
            total_s[key] += month.seconds_of(use, now_s)
    for row in sorted(uses, key=str):
        yield *row, uses[row], round(total_s[row] / _HOUR_S, 2)


def _months(use: Row[Any], period: Period, now_s: int) -> Iterator[tuple[str, Period]]:
    """The months in which a use was on air, each as far as it is in the period."""
    begin_s = max(use.from_at, period.from_s)
    end_s = begin_s + period.seconds_of(use, now_s)
    at = datetime.fromtimestamp(begin_s, UTC)
    year, month = at.year, at.month
    while begin_s < end_s:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        next_s = datetime(year, month, 1, tzinfo=UTC).timestamp()
        name = datetime.fromtimestamp(begin_s, UTC).strftime("%Y-%m")
        yield name, Period(begin_s, min(next_s, end_s))
        begin_s = next_s


def placed_command(out: Path, db: str) -> None:
    """Write the uses that count as a table that ``channelmaps aggregate --devices`` reads."""
    columns = ("lon", "lat", "channel", "eirp_dbm", "device")
    check_outputs([Output("--out", out, kind_of_table(*columns))], files_of(db))
    with open_storage(db).connect() as connection:
        uses = connection.execute(select(USE).where(USE.c.state.in_(_PLACED))).all()
    rows = (
        (use.lon_e7 / PLACE_STEPS, use.lat_e7 / PLACE_STEPS, use.channel, use.eirp_cdbm / _CENTI, use.profile)
        for use in uses
    )
    write_output_rows(out, columns, rows)
