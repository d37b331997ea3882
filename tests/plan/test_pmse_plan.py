"""Which jobs a PMSE booking concerns, and what the manifest says of the bookings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.plan.dependencies import pmse_rows_of_channel, settings_of
from pipeline.plan.plan import Plan, load_plan
from pipeline.publish.manifest import make_manifest

HEADER = "id,kind,lon,lat,antenna_height_agl_m,freq_mhz,bandwidth_mhz,start,finish,situation"
BOOKINGS = [
    "a,wireless_microphone,14.1,46.1,,506,0.2,2026-05-01,2026-05-31,indoor",
    "b,wireless_microphone,14.2,46.1,,538,0.2,2026-06-01,2026-06-30,indoor",
]
ALL = range(21, 31)


@pytest.fixture
def booked(tiny: Path) -> Path:
    """The tiny territory with two bookings that reach two channels each way."""
    text = tiny.read_text(encoding="utf-8")
    text = text.replace("pmse: {status: out_of_scope, reason: test}", "pmse: {status: evaluate}")
    tiny.write_text(text + "pmse: {registers: [pmse.csv], farthest_offset: 2}\n", encoding="utf-8")
    write(tiny, BOOKINGS)
    return tiny


def write(tiny: Path, bookings: list[str]) -> None:
    (tiny.parent / "pmse.csv").write_text("\n".join([HEADER, *bookings]) + "\n", encoding="utf-8")


def changed(before: Plan, after: Plan) -> list[int]:
    """Channels of devices that have to be computed again."""
    assert settings_of(before, "combine") == settings_of(after, "combine")
    return [c for c in ALL if pmse_rows_of_channel(before, c) != pmse_rows_of_channel(after, c)]


def test_booking_concerns_the_channels_within_its_offsets(booked: Path) -> None:
    before = load_plan(booked)
    write(booked, [*BOOKINGS, "c,talkback,14.1,46.1,,514,0.2,,,outdoor"])
    assert changed(before, load_plan(booked)) == [24, 25, 26, 27, 28]
    write(booked, [BOOKINGS[0].replace(",506,", ",482,"), BOOKINGS[1]])
    assert changed(before, load_plan(booked)) == [21, 22, 23, 24, 25, 26, 27]


def test_order_of_the_rows_concerns_nothing(booked: Path) -> None:
    before = load_plan(booked)
    write(booked, BOOKINGS[::-1])
    assert changed(before, load_plan(booked)) == []


def test_another_date_concerns_the_channels_whose_bookings_differ(booked: Path) -> None:
    text = booked.read_text(encoding="utf-8")

    def plan(date: str) -> Plan:
        booked.write_text(text.replace("farthest_offset: 2", f"farthest_offset: 2, at: {date}"), "utf-8")
        return load_plan(booked)

    assert changed(plan("2026-05-10"), plan("2026-05-20")) == []
    assert changed(plan("2026-05-10"), plan("2026-07-01")) == [23, 24, 25, 26, 27]
    assert changed(plan("2026-05-10"), plan("2026-06-10")) == [23, 24, 25, 26, 27, 28, 29, 30]


def test_rule_of_the_bookings_concerns_every_channel(booked: Path) -> None:
    before = load_plan(booked)
    booked.write_text(booked.read_text("utf-8").replace("farthest_offset: 2", "environment: urban"), "utf-8")
    assert settings_of(before, "combine") != settings_of(load_plan(booked), "combine")


def test_bookings_of_a_service_out_of_scope_are_not_read(tiny: Path) -> None:
    before = load_plan(tiny)
    tiny.write_text(tiny.read_text("utf-8") + "pmse: {registers: [absent.csv]}\n", "utf-8")
    assert load_plan(tiny).bookings is None
    assert changed(before, load_plan(tiny)) == []


def test_manifest_counts_the_bookings_and_holds_for_their_day(booked: Path) -> None:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    more = [f"{name},talkback,{lon},46.1,,514,0.2,,,outdoor" for name, lon in (("c", 14.1), ("d", 200))]
    write(booked, [*BOOKINGS, *more])
    text = booked.read_text("utf-8").replace("farthest_offset: 2", "at: 2026-05-10T06:30")
    text = text.replace("transmitters: [register.csv]", "transmitters: [register.csv], lenient: true")
    booked.write_text(text, "utf-8")
    manifest = make_manifest(load_plan(booked), "run", {}, {}, now)
    assert manifest["valid"] == {"from": "2026-05-10T06:30:00", "until": "2026-05-11T06:30:00"}
    assert manifest["bookings"] == {
        "at": "2026-05-10T06:30",
        "assignments": 3,
        "active": 2,
        "rejected_rows": 1,
        "without_start": 1,
        "without_finish": 1,
        "without_height": 3,
    }
    booked.write_text(text.replace(", at: 2026-05-10T06:30", ""), "utf-8")
    manifest = make_manifest(load_plan(booked), "run", {}, {}, now)
    assert manifest["valid"]["from"] == "2026-11-21T12:00:00+00:00"
    assert (manifest["bookings"]["at"], manifest["bookings"]["active"]) == (None, 3)
