"""`channelmaps devices poll-check`: would all devices have stopped in time for past bookings?

A device learns of a booking at its next question after the run that holds it. The worst one asks just before
that run is published, so a booking is obeyed by all if, from its entry to its start, there is time for

    run latency + polling interval + difference of the clocks + time of an answer

(docs/server.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from pipeline.files import Output, check_outputs, kind_of_table, write_output_rows
from pipeline.loop.device_rows import InstantCell
from pipeline.query.paws import instant_text
from pipeline.rows.row_models import IdCell, StrippedRow, read_rows

_COLUMNS = ("booking", "polling_s", "lead_s", "last_stops", "late_s")
_POLLING_S = (60, 300, 900, 3600, 86_400)
_SKEW_S, _DAY_S = 2.0, 86_400.0


class BookingTimesRow(StrippedRow):
    """When a booking was entered, and from when on it held."""

    id: IdCell
    booked_at: Annotated[InstantCell, Field(description="UTC, such as 2026-12-05T08:00:00Z")]
    start: Annotated[InstantCell, Field(description="UTC, such as 2026-12-05T12:00:00Z")]


class Delays(NamedTuple):
    """What passes from the entry of a booking to the silence of a device, but for its polling interval, s."""

    run_s: float
    answer_s: float

    def last_stop_s(self, booked_s: float, polling_s: float) -> float:
        """When the last device stops (UTC seconds) that must."""
        return booked_s + self.run_s + polling_s + _SKEW_S + self.answer_s


def late_s(booked_s: float, start_s: float, polling_s: float, delays: Delays) -> float:
    """How long after its start a booking may still be disturbed; 0: not at all."""
    return max(0.0, delays.last_stop_s(booked_s, polling_s) - start_s)


def longest_polling_s(bookings: Sequence[tuple[float, float]], delays: Delays) -> float:
    """The longest interval with which no booking (entry, start) is late; not above 0: there is none."""
    return min(
        (start_s - delays.last_stop_s(booked_s, 0.0) for booked_s, start_s in bookings), default=_DAY_S
    )


def poll_check_command(
    path: Path, out: Path, delays: Delays, *, devices: int, joule_per_request: float | None
) -> None:
    """Write how late each booking is obeyed by polling interval; print what each interval costs."""
    check_outputs([Output("--out", out, kind_of_table(*_COLUMNS))], [path])
    rows = read_rows(path, BookingTimesRow)
    times = [(float(row.booked_at), float(row.start)) for row in rows]
    write_output_rows(
        out,
        _COLUMNS,
        (
            (row.id, polling_s, f"{start_s - booked_s:g}", instant_text(int(last_s)), f"{late:g}")
            for polling_s in _POLLING_S
            for row, (booked_s, start_s) in zip(rows, times, strict=True)
            for last_s in [delays.last_stop_s(booked_s, polling_s)]
            for late in [late_s(booked_s, start_s, polling_s, delays)]
        ),
    )
    for polling_s in _POLLING_S:
        late = sum(late_s(*one, polling_s, delays) > 0.0 for one in times)
        asked = _DAY_S / polling_s
        joule = "" if joule_per_request is None else f", {asked * joule_per_request:g} J a device"
        load = f"{asked:g} requests a day and device, {asked * devices:g} in all"
        print(f"polling {polling_s} s: {late} of {len(times)} bookings late, {load}{joule}")
    longest_s = longest_polling_s(times, delays)
    print(
        f"no booking is late up to {longest_s:g} s"
        if longest_s >= _POLLING_S[0]
        else f"no interval of {_POLLING_S[0]} s or more is short enough for all"
    )
