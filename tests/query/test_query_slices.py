"""Bookings by the hour: what is answered at any minute is what the bookings of that minute alone allow.

The reference knows no slices: for each minute the assignments that hold are found here, from the texts of the
register, and the maps are computed for a register of these alone, without any time.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import rasterio
import yaml

from pipeline.loop.audit import Exchange, findings_of
from pipeline.plan.plan import load_plan, slice_names
from pipeline.plan.run_files import booked_files, max_eirp_files, written_by
from pipeline.publish.manifest import make_manifest
from pipeline.publish.release import release
from pipeline.query.answer_table import answer_text
from pipeline.query.database import Database, close_database, open_database, parts_between
from pipeline.query.paws_request import respond
from pipeline.query.query import Request, answer
from pipeline.query.raster_values import values_of
from pipeline.query.results_data import availability_at
from tests.jobs import run_from
from tests.loop import scene

ZONE = ZoneInfo("Europe/Ljubljana")
SERVICES = ("dtt", "foreign_dtt", "radio_astronomy", "aeronautical", "mobile", "ppdr", "fixed")
TERRITORY = """
territory: {home: [SI], bbox_deg: [14.0, 46.0, 14.2, 46.15]}
grid: {crs: "EPSG:3794", resolution_m: 500.0}
channels:
  plan: [{first_channel: 21, last_channel: 48, first_centre_mhz: 474.0, width_mhz: 8.0}]
  wsd: ["21-24", "40-41"]
devices:
  - {id: fixed30, emission_class: 1, height_m: 30.0, cap_dbm: 36.0, min_eirp_dbm: -5.0, load: loaded,
     min_separation_m: {value: 20.0, source: test, verified: false}}
  - {id: low5, emission_class: 5, height_m: 10.0, cap_dbm: 20.0, min_eirp_dbm: -40.0, load: loaded,
     min_separation_m: {value: 20.0, source: test, verified: false}}
levels_dbm: [0.0]
query: {time_zone: Europe/Ljubljana}
"""
HEAD = "id,kind,lon,lat,antenna_height_agl_m,freq_mhz,bandwidth_mhz,start,finish,situation"
MICROPHONE = "{id},{kind},{lon},{lat},,{freq},0.2,{start},{finish},outdoor"
ROWS = [
    ("noon", "wireless_microphone", 14.05, 46.05, 630.1, "2026-12-05T12:00", "2026-12-05T23:59"),
    ("late", "talkback", 14.05, 46.0505, 498.0, "2026-12-05T14:00", "2026-12-05T23:00"),
    ("early", "in_ear_monitor", 14.15, 46.10, 482.0, "2026-12-04T08:00", "2026-12-05T03:15"),
    ("again", "wireless_microphone", 14.05, 46.051, 630.1, "2026-12-05T06:00", "2026-12-05T06:29"),
    ("open", "wireless_microphone", 14.11, 46.08, 474.0, "", ""),
    ("other day", "wireless_microphone", 14.12, 46.08, 474.0, "2026-12-06T00:00", "2026-12-06T12:00"),
]
NIGHT = [
    ("twice", "wireless_microphone", 14.05, 46.05, 630.1, "2026-10-25T02:30", "2026-10-25T02:45"),
    ("until", "wireless_microphone", 14.10, 46.08, 482.0, "2026-10-24T20:00", "2026-10-25T02:10"),
    ("after", "wireless_microphone", 14.12, 46.02, 498.0, "2026-10-25T03:00", "2026-10-25T04:00"),
]
SPRING = [("gap", "wireless_microphone", 14.05, 46.05, 630.1, "2026-03-29T02:30", "2026-03-29T02:30")]


def write(folder: Path, name: str, rows: list[tuple], **pmse: object) -> Path:
    """A territory file with PMSE alone and a register of ``rows``."""
    names = ("id", "kind", "lon", "lat", "freq", "start", "finish")
    lines = [MICROPHONE.format(**dict(zip(names, row, strict=True))) for row in rows]
    (folder / f"{name}.csv").write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    content = yaml.safe_load(TERRITORY)
    absent = {"applicable": False, "reason": "test"}
    content["services"] = dict.fromkeys(SERVICES, absent) | {"pmse": {"status": "evaluate"}}
    content["pmse"] = {"registers": [f"{name}.csv"], "environment": "urban"} | pmse
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder / f"{name}.yaml"


def compute(path: Path) -> Path:
    """The layers of a territory file; the build folder."""
    plan = load_plan(path)
    run_from("territory", path, plan.build)
    for channel in plan.wsd:
        run_from("combine", path, plan.build, channel=channel)
    return plan.build


def publish(path: Path) -> Path:
    """A run of a territory file."""
    plan, build = load_plan(path), compute(path)
    files = {}
    for device in plan.config.devices:
        run_from("query", path, build, device=device.id)
        names = [*written_by(plan, "query", device=device.id), *max_eirp_files(plan, device.id)]
        files |= {name: build / name for name in names}
    now = datetime(2026, 12, 4, 23, 0, tzinfo=UTC)
    return release(
        files, plan.results, "run", lambda digests: make_manifest(plan, "run", files, digests, now)
    )


def layers(path: Path, build: Path, device: str) -> np.ndarray:
    """Published values [channel, y, x] of a device, read by rasterio alone."""
    found = []
    for name in max_eirp_files(load_plan(path), device):
        with rasterio.open(build / name) as source:
            found.append(source.read(1))
    return np.stack(found)


def holds(row: tuple, minute: datetime) -> bool:
    """Whether a booking holds in the minute that begins at an instant, read so that it is longer."""
    start, finish = row[-2:]
    folds = [
        [datetime.fromisoformat(text).replace(tzinfo=ZONE, fold=fold).astimezone(UTC) for fold in (0, 1)]
        for text in (start, finish)
        if text
    ]
    return not folds or min(folds[0]) <= minute <= max(folds[1])


def values_at(database: Database, device: str, at: datetime) -> np.ndarray:
    """What is answered for every pixel in a minute."""
    at_s = int(at.timestamp())
    (part,) = parts_between(database, at_s, at_s + 60)
    opened = part.database.rasters[device]
    return values_of(opened, slice(0, opened.grid.height), slice(0, opened.grid.width))


@pytest.mark.parametrize(
    ("rows", "at", "begin", "hours"),
    [
        pytest.param(ROWS, "2026-12-05", "2026-12-04T23:00Z", 24, marks=pytest.mark.slow),
        (NIGHT, "2026-10-25", "2026-10-24T22:00Z", 25),  # clocks are put back
        pytest.param(SPRING, "2026-03-29", "2026-03-28T23:00Z", 23, marks=pytest.mark.slow),
    ],
)
def test_every_minute_is_that_of_its_bookings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[tuple], at: str, begin: str, hours: int
) -> None:
    monkeypatch.chdir(tmp_path)
    run = publish(write(tmp_path, "day", rows, at=at))
    database = open_database(run)
    known: dict[tuple[str, ...], Path] = {}
    for number in range(60 * hours):
        minute = datetime.fromisoformat(begin) + timedelta(minutes=number)
        holding = [row for row in rows if holds(row, minute)]
        key = tuple(row[0] for row in holding)
        if key not in known:
            known[key] = write(tmp_path, f"set{len(known)}", holding)
            build = compute(known[key])
            wanted = {one: layers(known[key], build, one) for one in ("fixed30", "low5")}
            (tmp_path / f"{known[key].stem}.json").write_text(json.dumps(key))
            np.savez(tmp_path / f"{known[key].stem}.npz", **wanted)
        if minute.minute in (0, 1, 29, 30, 31, 45, 46, 59, 15, 16, 10, 11):
            wanted = np.load(tmp_path / f"{known[key].stem}.npz")
            for device in ("fixed30", "low5"):
                np.testing.assert_array_equal(
                    values_at(database, device, minute), wanted[device], str(minute)
                )
    assert len(known) > 1
    # The published layers are the least of all minutes.
    for device in ("fixed30", "low5"):
        each = [np.load(tmp_path / f"{path.stem}.npz")[device].astype(int) for path in known.values()]
        np.testing.assert_array_equal(
            layers(tmp_path / "day.yaml", Path("build/day"), device), np.min(each, axis=0)
        )
    close_database(database)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("day")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        yield folder / publish(write(folder, "day", ROWS, at="2026-12-05"))


PLACE = (14.05, 46.0503)


def test_booking_in_the_afternoon_leaves_the_morning(day: Path) -> None:
    database = open_database(day)
    message = answer(database, Request(*PLACE, "fixed30"), datetime(2026, 12, 4, 23, tzinfo=UTC))
    schedules = message["spectrumSpecs"][0]["spectrumSchedules"]
    edges = [one["eventTime"]["startTime"] for one in schedules]
    assert {"2026-12-04T23:00:00Z", "2026-12-05T11:00:00Z", "2026-12-05T13:00:00Z"} <= set(edges)
    assert schedules[-1]["eventTime"]["stopTime"] == "2026-12-05T23:00:00Z"
    assert edges[1:] == [one["eventTime"]["stopTime"] for one in schedules[:-1]]
    by_start = {one["eventTime"]["startTime"]: one["spectra"][0]["profiles"] for one in schedules}
    assert 622e6 in {points[0]["hz"] for points in by_start["2026-12-05T05:30:00Z"]}
    assert all(point["hz"] != 622e6 for points in by_start["2026-12-05T11:00:00Z"] for point in points)
    assert 40 in [one["channel"] for one in message["channels"]]
    noon = answer(database, Request(*PLACE, "fixed30"), datetime(2026, 12, 5, 12, tzinfo=UTC))
    assert 40 not in [one["channel"] for one in noon["channels"]]
    first = noon["spectrumSpecs"][0]["spectrumSchedules"][0]
    assert first["eventTime"]["startTime"] == "2026-12-05T11:00:00Z"
    text = answer_text(database.facts, message)
    assert "From 2026-12-05T11:00:00Z on: " in text
    close_database(database)


def test_table_for_programs_ends_with_the_bookings(day: Path) -> None:
    found = availability_at(day, *PLACE, device="fixed30")  # the period is not over or all of it is told
    assert found.attrs["valid_until"] < "2026-12-05T23:00:00Z"


def test_time_that_no_slice_covers_has_the_strictest_limit(day: Path) -> None:
    database = open_database(day)
    begin_s = database.slices[0].from_s
    without = database._replace(slices=(database.slices[0], *database.slices[2:]))
    parts = parts_between(without, begin_s - 100, begin_s + 90_000)
    assert [one.database is database or one.database is without for one in parts].count(True) == 3
    assert (parts[0].from_s, parts[-1].until_s) == (begin_s - 100, begin_s + 90_000)
    assert all(a.until_s == b.from_s for a, b in itertools.pairwise(parts))
    close_database(database)


def test_without_the_internal_folder_the_strictest_limit_holds(day: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results/day/run"
    shutil.copytree(day, copy, ignore=shutil.ignore_patterns("internal"))
    database, whole = open_database(copy), open_database(day)
    now = datetime(2026, 12, 5, 8, tzinfo=UTC)
    (only,) = answer(database, Request(*PLACE, "fixed30"), now)["spectrumSpecs"][0]["spectrumSchedules"]
    assert only["eventTime"] == {"startTime": "2026-12-04T23:00:00Z", "stopTime": "2026-12-05T23:00:00Z"}
    assert 622e6 not in {points[0]["hz"] for points in only["spectra"][0]["profiles"]}
    for one in (database, whole):
        close_database(one)


def test_runs_whose_bookings_do_not_change_have_no_more_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, rows, more in (
        ("undated", ROWS, {}),
        ("always", ROWS[4:], {"at": "2026-12-05"}),
        ("far", [(*ROWS[0][:4], 1500.0, *ROWS[0][5:])], {"at": "2026-12-05"}),
    ):
        plan = load_plan(write(tmp_path, name, rows, **more))
        assert (plan.slices, slice_names(plan), booked_files(plan, "fixed30")) == ([], [], [])


def test_server_offers_the_morning_until_the_booking(day: Path, tmp_path: Path) -> None:
    begin, place = datetime(2026, 12, 5, 8, tzinfo=UTC), scene.place(PLACE[1], PLACE[0], 0)
    ids = {"rulesetIds": ["ETSI-EN-301-598-2.1.1"]}
    with scene.serving(day.parent, tmp_path, begin=begin) as client:
        given = {"location": place, "antenna": {"height": 30.0}, "deviceDesc": scene.desc(**ids)}
        result = scene.ask(client, "getSpectrum", **given)["result"]
        schedules = result["spectrumSpecs"][0]["spectrumSchedules"]
        database = open_database(day)
        wanted = answer(database, Request(*PLACE, "fixed30", 30.0, of_whole_kind=True), begin)
        expected = wanted["spectrumSpecs"][0]["spectrumSchedules"]
        close_database(database)
        assert [one["spectra"] for one in schedules] == [one["spectra"] for one in expected]
        assert schedules[0]["eventTime"]["startTime"].startswith("2026-12-05T08:00:0")
        assert [one["eventTime"]["startTime"] for one in schedules[1:]] == [
            one["eventTime"]["startTime"] for one in expected[1:]
        ]
        assert scene.ask(client, "notifySpectrumUse", location=place, spectra=scene.used(622e6, 10.0))[
            "result"
        ]
    with sqlite3.connect(tmp_path / "loop.db") as connection:
        ((until_s,),) = connection.execute("SELECT until_at FROM use").fetchall()
    assert until_s == datetime(2026, 12, 5, 11, tzinfo=UTC).timestamp()


def test_audit_finds_a_database_that_ignores_the_booking(day: Path) -> None:
    database, instant = open_database(day), datetime(2026, 12, 5, 8, tzinfo=UTC)
    where = {"location": scene.place(PLACE[1], PLACE[0], 0), "antenna": {"height": 30.0}}
    request = {
        "jsonrpc": "2.0",
        "id": "1",
        "method": "spectrum.paws.getSpectrum",
        "params": scene.params("getSpectrum", **where),
    }
    response = respond(database, request, instant)
    told = findings_of(database, Exchange(request, response, instant.timestamp()))
    assert {one.name for one in told} == set()
    morning, *later = response["result"]["spectrumSpecs"][0]["spectrumSchedules"]
    morning["eventTime"]["stopTime"] = later[-1]["eventTime"]["stopTime"]
    response["result"]["spectrumSpecs"][0]["spectrumSchedules"] = [morning]
    told = findings_of(database, Exchange(request, response, instant.timestamp()))
    assert ("NOT_PERMITTED_OFFERED", "40") in {(one.name, one.channel) for one in told}
    close_database(database)
