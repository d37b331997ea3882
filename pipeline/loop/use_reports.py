"""`channelmaps devices report` and `placed`: what devices did in a period, what is on air at an instant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Table,
    cast,
    desc,
    func,
    literal,
    or_,
    select,
    union_all,
)

from pipeline.files import (
    Output,
    check_outputs,
    kind_of_start,
    kind_of_table,
    write_output,
    write_output_rows,
)
from pipeline.loop.devices import PLACE_STEPS
from pipeline.loop.period import Period
from pipeline.loop.poll_check import BookingTimesRow, Delays, late_s
from pipeline.loop.silence import time_to_silence_s
from pipeline.loop.storage import files_of, open_storage
from pipeline.loop.tables import DEVICE, OFFER, REQUEST, USE, WITHDRAWAL
from pipeline.loop.telemetry import traffic_rows
from pipeline.loop.uses import ALIVE, GRANTED
from pipeline.loop.withdrawals import orders_given
from pipeline.publish.report.page import element, page, table
from pipeline.query.paws import instant_text
from pipeline.rows.row_models import RowModel, read_rows

_CENTI = 100.0
_PLACED = (*ALIVE, GRANTED)  # what is only reserved does not transmit yet
_COLUMNS = ("what", "name", "count", "value")
_HTML_FILE = kind_of_start("a page", rb"<!doctype html>")
_HOUR_S = 3600.0
# Places are counted in tenths of a degree from there, as whole numbers of the database.
_TENTH_E7, _WEST_E7, _SOUTH_E7 = 1_000_000, -1_800_000_000, -900_000_000
ReportLine = Sequence[object]


class AggregateMaximum(RowModel):
    """What of a line of ``aggregate.csv`` the report tells."""

    channel: int
    fall_max_pct: Annotated[float, Field(description="largest q1 - q2 in percentage points")]


class ReportInputs(NamedTuple):
    """Tables that the report is made with: bookings and the delay of runs, what devices do together."""

    bookings: Path | None = None
    run_s: float | None = None
    aggregate: Path | None = None

    def files(self) -> list[Path]:
        """Those that are given."""
        return [path for path in (self.bookings, self.aggregate) if path is not None]


def report_command(
    out: Path, db: str, period: Period, inputs: ReportInputs, html: Path | None = None
) -> None:
    """Write devices, uses, refusals and hours by kind as a table, with ``html`` as a page too."""
    outputs = [Output("--out", out, kind_of_table(*_COLUMNS))]
    outputs += [] if html is None else [Output("--html", html, _HTML_FILE)]
    check_outputs(outputs, [*inputs.files(), *files_of(db)])
    bookings = [] if inputs.bookings is None else read_rows(inputs.bookings, BookingTimesRow)
    maxima = [] if inputs.aggregate is None else read_rows(inputs.aggregate, AggregateMaximum)
    with open_storage(db).connect() as connection:
        lines = list(_lines(connection, period, int(time.time())))
        if inputs.run_s is not None:
            lines += _late_bookings(connection, period, bookings, inputs.run_s)
    lines += [("largest q1 - q2 in points", one.channel, "", one.fall_max_pct) for one in maxima]
    write_output_rows(out, _COLUMNS, lines)
    if html is not None:
        write_output(html, _page(lines, period).encode())


def _lines(connection: Connection, period: Period, now_s: int) -> Iterator[ReportLine]:
    for state, count in connection.execute(select(DEVICE.c.state, func.count()).group_by(DEVICE.c.state)):
        yield "devices", state, count, ""
    yield from _uses(connection, period, now_s)
    yield from _most_at_once(connection, period, now_s)
    answers = select(REQUEST.c.method, REQUEST.c.code, func.count()).where(period.holds(REQUEST.c.created_at))
    kinds = (REQUEST.c.method, REQUEST.c.code)
    for method, code, count in connection.execute(answers.group_by(*kinds).order_by(*kinds)):
        yield f"answers to {method}", code, count, ""
    yield from traffic_rows(connection)
    yield "offers", "", _count(connection, OFFER, period), ""
    yield "orders to stop", "", _count(connection, WITHDRAWAL, period), ""
    for order in orders_given(connection, period.holds(WITHDRAWAL.c.created_at)):
        stopped, silent_s = time_to_silence_s(connection, order)
        yield "silence after an order in s", order.number, stopped, silent_s


def _uses(connection: Connection, period: Period, now_s: int) -> Iterator[ReportLine]:
    """Uses by state, hours and highest level by channel, and by channel and tenth of a degree."""
    seconds, was = period.seconds_of_use(now_s), period.has_use(now_s)
    states = select(USE.c.state, func.count()).where(was).group_by(USE.c.state).order_by(USE.c.state)
    for state, count in connection.execute(states):
        yield "uses", state, count, ""
    south = (cast(USE.c.lat_e7, BigInteger) - _SOUTH_E7) // _TENTH_E7
    west = (cast(USE.c.lon_e7, BigInteger) - _WEST_E7) // _TENTH_E7
    kinds, names = (USE.c.channel, south.label("south"), west.label("west")), ("channel", "south", "west")
    by_place = select(*kinds, func.sum(seconds), func.max(USE.c.eirp_cdbm)).where(was)
    found = connection.execute(by_place.group_by(*names).order_by(*names)).all()
    for channel, places in groupby(found, key=lambda row: str(row[0])):
        rows = list(places)
        hours = round(sum(float(row[3]) for row in rows) / _HOUR_S, 2)
        yield "channel-hours", channel, hours, max(row[4] for row in rows) / _CENTI
    for channel, south_at, west_at, total_s, highest in found:
        place = f"{south_at / 10 - 90:.1f} {west_at / 10 - 180:.1f}"
        hours = round(float(total_s) / _HOUR_S, 2)
        yield "channel-hours by region", f"{channel} {place}", hours, highest / _CENTI


def _most_at_once(connection: Connection, period: Period, now_s: int) -> Iterator[ReportLine]:
    """The first instant at which the most uses were on air."""
    begin_s, end_s = period.span_of_use(now_s)
    ends = union_all(
        *(
            select(at_s.label("at_s"), literal(step).label("step")).where(end_s > begin_s)
            for at_s, step in ((begin_s, 1), (end_s, -1))
        )
    ).subquery()
    # What ends at an instant is over before what begins then.
    on_air = func.sum(ends.c.step).over(order_by=(ends.c.at_s, ends.c.step))
    most = select(ends.c.at_s, on_air.label("uses")).order_by(desc("uses"), ends.c.at_s).limit(1)
    for at_s, count in connection.execute(most):
        yield "most uses at once", instant_text(at_s), int(count), ""


def _count(connection: Connection, counted: Table, period: Period) -> int:
    wanted = select(func.count()).select_from(counted).where(period.holds(counted.c.created_at))
    return int(connection.execute(wanted).scalar_one())


def _late_bookings(
    connection: Connection, period: Period, bookings: Sequence[BookingTimesRow], run_s: float
) -> Iterator[ReportLine]:
    """Bookings of the period that some device may have obeyed too late, with the intervals handed out."""
    longest = select(func.max(OFFER.c.expires_at - OFFER.c.created_at))
    polling_s = connection.execute(longest.where(period.holds(OFFER.c.created_at))).scalar()
    late = [
        (one.id, late_s(one.booked_at, one.start, polling_s, Delays(run_s, 0.0)))
        for one in bookings
        if polling_s is not None and period.from_s <= one.start < period.to_s
    ]
    found = [(name, seconds) for name, seconds in late if seconds > 0.0]
    yield "late bookings", f"of {len(late)}", len(found), ""
    for name, seconds in found:
        yield "late booking in s", name, "", round(seconds, 1)


def _page(lines: Sequence[ReportLine], period: Period) -> str:
    """The report to read: a table for each kind of line."""
    first, last = (instant_text(at_s) if at_s in range(1, Period().to_s) else "" for at_s in period)
    parts = [
        element("h1", "Devices and what they used"),
        element("p", f"{first or '...'} to {last or 'now'}"),
    ]
    for what, group in groupby(lines, key=lambda line: str(line[0])):
        parts.append(table([what, "count", "value"], [tuple(map(str, line[1:])) for line in group], "tnn"))
    return page("Devices", parts)


def placed_command(out: Path, db: str, at_s: int | None = None) -> None:
    """Write the uses that count now, or counted at an instant, as ``channelmaps aggregate`` reads them."""
    columns = ("lon", "lat", "channel", "eirp_dbm", "device")
    check_outputs([Output("--out", out, kind_of_table(*columns))], files_of(db))
    counted: ColumnElement[bool] = USE.c.state.in_(_PLACED)
    if at_s is not None:
        on_air = Period(at_s, at_s + 1).seconds_of_use(at_s + 1) > 0
        counted = on_air & or_(counted, USE.c.ended_at.is_not(None))
    with open_storage(db).connect() as connection:
        uses = connection.execute(select(USE).where(counted).order_by(USE.c.id)).all()
    write_output_rows(out, columns, map(_placed, uses))


def _placed(use: Row[tuple[object, ...]]) -> tuple[object, ...]:
    lon_deg, lat_deg = use.lon_e7 / PLACE_STEPS, use.lat_e7 / PLACE_STEPS
    return lon_deg, lat_deg, use.channel, use.eirp_cdbm / _CENTI, use.profile
