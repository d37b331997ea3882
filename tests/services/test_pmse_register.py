"""The PMSE register: what is read, what is refused, what lenient reading leaves out."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.services.pmse.pmse_register import active_between, read_pmse, read_pmse_kinds, summary

KINDS = {
    "wireless_microphone",
    "in_ear_monitor",
    "talkback",
    "programme_audio_link",
    "programme_video_link",
    "data_link",
}
ROW = {
    "id": "1",
    "kind": "wireless_microphone",
    "lon": "14.5",
    "lat": "46.05",
    "antenna_height_agl_m": "5",
    "freq_mhz": "520.5",
    "bandwidth_mhz": "0.2",
    "start": "2026-01-01",
    "finish": "2026-12-31",
    "situation": "indoor",
}


def write(path: Path, *rows: dict[str, str]) -> Path:
    """Rows as CSV, each changed from ROW."""
    full = [ROW | row for row in rows]
    columns = list(dict.fromkeys(name for row in [ROW, *full] for name in row))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(full)
    return path


def read(tmp_path: Path, *rows: dict[str, str], **options):
    return read_pmse([write(tmp_path / "pmse.csv", *rows)], KINDS, **options)


def test_row_becomes_numbers_and_minutes(tmp_path):
    dataset, rejected = read(tmp_path, {"start": "01/02/2026 09:30", "finish": "2026-02-01T21:15"})
    assert rejected == []
    values = {name: variable.values[0] for name, variable in dataset.data_vars.items()}
    assert (values["x"], values["y"], dataset.attrs["crs"]) == (14.5, 46.05, "EPSG:4326")
    minutes = (np.datetime64("2026-02-01T09:30") - np.datetime64("1970-01-01T00:00")).astype(int)
    assert values["start_minute"] == minutes
    assert values["finish_minute"] == minutes + 705


def test_day_without_a_time_is_the_whole_day(tmp_path):
    dataset, _ = read(tmp_path, {"start": "2026-05-01", "finish": "01/05/2026"})
    for at, inside in (("2026-04-30T23:59", True), ("2026-05-01T23:59", True), ("2026-05-02T00:00", False)):
        assert active_between(dataset, at, 0.1).tolist() == [inside], at


ZONE = "Europe/Ljubljana"


@pytest.mark.parametrize(
    ("start", "finish", "at", "hours", "active"),
    [
        # 29 March: 2:00 to 3:00 does not come. 2:30 is 3:30 by winter time, 1:30 by summer time.
        ("2026-03-28T20:00", "2026-03-29T02:30", "2026-03-29T03:30", 1.0, True),
        ("2026-03-28T20:00", "2026-03-29T02:30", "2026-03-29T03:31", 1.0, False),
        ("2026-03-29T02:30", "2026-03-29T05:00", "2026-03-29T01:00", 0.5, False),
        ("2026-03-29T02:30", "2026-03-29T05:00", "2026-03-29T01:00", 0.6, True),
        # 25 October: 2:00 to 3:00 comes twice; from 2:45 for half an hour ends at 2:15.
        ("2026-10-25T02:45", "2026-10-25T02:15", "2026-10-25T00:00", 24.0, True),
        ("2026-10-25T02:45", "2026-10-25T02:15", "2026-10-25T03:00", 24.0, False),
        ("2026-10-25T02:45", "2026-10-25T02:15", "2026-10-25T00:00", 2.0, False),
        # Past midnight, and to the last minute of a day.
        ("2026-12-05T22:00", "2026-12-06T01:00", "2026-12-06T00:30", 1.0, True),
        ("2026-12-05T22:00", "2026-12-05T23:59", "2026-12-06T00:00", 24.0, False),
        ("2026-12-05T22:00", "2026-12-06T00:00", "2026-12-06T00:00", 24.0, True),
        ("2026-12-06T00:00", "2026-12-06T01:00", "2026-12-05T00:00", 24.0, False),
    ],
)
def test_bookings_across_changes_of_the_clocks_and_midnight(tmp_path, start, finish, at, hours, active):
    dataset, _ = read(tmp_path, {"start": start, "finish": finish}, time_zone=ZONE)
    assert active_between(dataset, at, hours).tolist() == [active]


def test_times_that_come_twice_or_not_at_all_are_named(tmp_path):
    rows = [
        {"id": "a", "start": "2026-03-29T01:59", "finish": "2026-03-29T02:00"},
        {"id": "b", "start": "2026-10-25T02:59", "finish": "2026-10-25T03:00"},
        {"id": "c", "start": "2026-07-01T02:30", "finish": "9999-12-31T23:59"},
    ]
    dataset, _ = read(tmp_path, *rows, time_zone=ZONE)
    assert dataset.attrs["odd_times"] == [
        "a: finish 2026-03-29T02:00 does not come (clocks are put forward) in Europe/Ljubljana",
        "b: start 2026-10-25T02:59 comes twice (clocks are put back) in Europe/Ljubljana",
    ]
    assert read(tmp_path, *rows)[0].attrs["odd_times"] == [], "in UTC there are none"


@pytest.mark.parametrize("zone", [ZONE, "UTC"])
def test_booking_that_ends_before_it_starts_is_refused_on_other_days(tmp_path, zone):
    for day in ("2026-10-24", "2026-10-25"):
        with pytest.raises(InputError, match="ends before it starts"):
            read(tmp_path, {"start": f"{day}T04:45", "finish": f"{day}T04:15"}, time_zone=zone)


@pytest.mark.parametrize(
    ("at", "hours", "fault"),
    [
        ("2026-03-29T02:30", 24.0, r"pmse\.at: 2026-03-29T02:30 does not come \(clocks are put forward\)"),
        ("2026-10-25T02:00", 24.0, r"pmse\.at: 2026-10-25T02:00 comes twice \(clocks are put back\)"),
        ("2026-03-29T01:30", 1.0, "validity_hours: the period ends at 2026-03-29T02:30, as it begins"),
        ("2026-03-29T03:00", 24.0, None),
        ("2026-03-29T01:59", 24.0, None),
        ("2026-10-25T03:00", 24.0, None),
        ("2026-10-25T01:59", 24.0, None),
    ],
)
def test_period_begins_at_a_time_that_comes_once(tiny, at, hours, fault):
    text = f"pmse: {{at: {at}}}\nquery: {{time_zone: {ZONE}}}\nvalidity_hours: {hours}\n"
    tiny.write_text(tiny.read_text() + text)
    if fault is None:
        load_config(tiny)
    else:
        with pytest.raises(InputError, match=fault):
            load_config(tiny)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "id"),
        ({"kind": "wireless_mic"}, "kind"),
        ({"lon": ""}, "lon"),
        ({"lon": "181"}, "lon"),
        ({"lat": "nan"}, "lat"),
        ({"lat": "-90.5"}, "lat"),
        ({"lon": "0", "lat": "0"}, "lon"),
        ({"antenna_height_agl_m": "-1"}, "antenna_height_agl_m"),
        ({"antenna_height_agl_m": "901"}, "antenna_height_agl_m"),
        ({"freq_mhz": ""}, "freq_mhz"),
        ({"freq_mhz": "520500000"}, "freq_mhz"),
        ({"bandwidth_mhz": "0"}, "bandwidth_mhz"),
        ({"bandwidth_mhz": "200"}, "bandwidth_mhz"),
        ({"start": "tomorrow"}, "start"),
        ({"start": "2026-13-01"}, "start"),
        ({"start": "31/02/2026 10:00"}, "start"),
        ({"finish": "2025-12-31T23:59"}, "finish"),
        ({"situation": "inside"}, "situation"),
        ({"environment": "forest"}, "environment"),
    ],
)
def test_bad_value_is_refused_with_its_place(tmp_path, change, field):
    with pytest.raises(InputError) as refused:
        read(tmp_path, {"id": "0"}, change)
    assert (refused.value.row, refused.value.field) == (3, field)
    assert refused.value.allowed


def test_id_given_twice_is_refused_also_over_two_files(tmp_path):
    paths = [write(tmp_path / name, {}) for name in ("a.csv", "b.csv")]
    with pytest.raises(InputError, match="id occurs twice") as refused:
        read_pmse(paths, KINDS)
    assert refused.value.file == str(paths[1])


@pytest.mark.parametrize("column", sorted(ROW))
def test_missing_column_is_refused(tmp_path, column):
    path = tmp_path / "pmse.csv"
    path.write_text(",".join(name for name in ROW if name != column) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="column is missing"):
        read_pmse([path], KINDS, lenient=True)


def test_lenient_reading_leaves_bad_rows_out_and_names_them(tmp_path):
    rows = [{"id": "a"}, {"id": "b", "kind": "radio"}, {"id": "a"}, {"id": "c", "freq_mhz": "x"}]
    dataset, rejected = read(tmp_path, *rows, lenient=True)
    assert dataset["id"].values.tolist() == ["a"]
    assert [(row.row, row.field) for row in rejected] == [(3, "kind"), (4, "id"), (5, "freq_mhz")]
    assert summary(dataset, np.ones(1, bool))["rejected_rows"] == 3
    with pytest.raises(InputError, match="and 2 more bad rows"):
        read(tmp_path, *rows)


def test_register_without_rows_has_no_assignments(tmp_path):
    dataset, rejected = read(tmp_path)
    assert dataset.sizes["assignment"] == 0
    assert rejected == []
    assert active_between(dataset, "2026-01-01T00:00", 24.0).size == 0


def test_projected_places_are_taken_as_they_stand(tmp_path):
    # The usual worked example of the National Grid: TG 51409 13177 = 52 39' 28.72" N, 1 42' 57.79" E.
    row = {"easting_m": "651409.804", "northing_m": "313177.450", "lon": "1.716053", "lat": "52.657977"}
    dataset, _ = read(tmp_path, row, crs="EPSG:27700")
    assert (dataset["x"].values[0], dataset["y"].values[0]) == (651409.804, 313177.45)
    assert dataset.attrs["crs"] == "EPSG:27700"
    alone = {name: row[name] for name in ("easting_m", "northing_m")} | {"lon": "", "lat": ""}
    assert read(tmp_path, alone, crs="EPSG:27700")[0].sizes["assignment"] == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"easting_m": "651409", "northing_m": "313477"}, "m from lon and lat"),
        ({"easting_m": "313177", "northing_m": "651409"}, "m from lon and lat"),
        ({"easting_m": "651409", "northing_m": ""}, "value is missing"),
    ],
)
def test_place_that_contradicts_itself_is_refused(tmp_path, change, problem):
    row = {"lon": "1.716053", "lat": "52.657977"} | change
    with pytest.raises(InputError, match=problem):
        read(tmp_path, row, crs="EPSG:27700")
    assert read(tmp_path, row, crs="EPSG:27700", lenient=True)[0].sizes["assignment"] == 0


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:999999"])
def test_crs_must_be_a_projected_one(tmp_path, crs):
    with pytest.raises(InputError, match="CRS"):
        read(tmp_path, {"easting_m": "1", "northing_m": "1"}, crs=crs)


@pytest.mark.shared_data
def test_british_register_of_2014_is_read_whole(shared):
    path = shared / "data" / "real" / "uk" / "pmse_2014.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    dataset, rejected = read_pmse([path], KINDS, crs="EPSG:27700")
    assert rejected == []
    assert Counter(dataset["kind"].values.tolist()) == Counter(row["kind"] for row in rows)
    assert dataset.sizes["assignment"] == 10_356

    # Active on a day, counted by hand from text: year, month, day as one number.
    def day(text: str) -> int:
        return int(text[6:10] + text[3:5] + text[:2])

    expected = sum(day(row["start"]) <= 20140601 <= day(row["finish"]) for row in rows)
    assert active_between(dataset, "2014-06-01T00:00", 24.0).sum() == expected == 6165


def test_illustrative_venues_lie_in_slovenia(repository):
    folder = repository / "data" / "slovenia"
    kinds = read_pmse_kinds(repository / "configs" / "tables" / "pmse_kinds.csv")
    dataset, rejected = read_pmse([folder / "pmse.csv"], kinds)
    countries = gpd.read_file(folder / "boundaries_ne10m.gpkg", layer="countries")
    home = countries[countries["iso2"] == "SI"].geometry.iloc[0]
    assert rejected == []
    assert dataset.sizes["assignment"] == 19
    # The coast of the boundary file is generalised.
    assert shapely.contains_xy(home.buffer(0.01), dataset["x"].values, dataset["y"].values).all()


def minute(text: str) -> int:
    return int((np.datetime64(text) - np.datetime64("1970-01-01T00:00")).astype("timedelta64[m]").astype(int))


@pytest.mark.parametrize(
    "text", ["2026-12-05T18:00:00", "2026-12-05 18:00:59", "2026-12-05T18:00:00.000Z", "2026-12-05T18:00Z"]
)
def test_times_with_seconds_or_z_are_the_minute_as_written(tmp_path, text):
    dataset, _ = read(tmp_path, {"start": text, "finish": text})
    assert dataset["start_minute"].values[0] == minute("2026-12-05T18:00")
    assert dataset["finish_minute"].values[0] == minute("2026-12-05T18:00")


@pytest.mark.parametrize("text", ["2026-12-05T18:00+02:00", "2026-12-05T18:00:61", "2026-12-05T25:00"])
def test_times_of_other_zones_or_no_clock_are_refused(tmp_path, text):
    with pytest.raises(InputError) as refused:
        read(tmp_path, {"start": text})
    assert refused.value.field == "start"


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_geopackage_times_days_and_null(tmp_path, zone):
    rows = [{name: ROW[name] for name in ROW if name not in {"lon", "lat"}} | {"id": str(i)} for i in (1, 2)]
    frame = gpd.GeoDataFrame(rows, geometry=[shapely.Point(14.6, 46.1)] * 2, crs="EPSG:4326")
    for name in ("antenna_height_agl_m", "freq_mhz", "bandwidth_mhz"):
        frame[name] = frame[name].astype(float)
    frame["start"] = pd.to_datetime(["2026-12-05T18:00:00"] * 2).tz_localize(zone)
    frame["finish"] = pd.to_datetime(["2026-12-05T23:30:00", None]).tz_localize(zone)
    frame.to_file(tmp_path / "bookings.gpkg", engine="pyogrio")
    dataset, _ = read_pmse([tmp_path / "bookings.gpkg"], KINDS)
    assert dataset["start_minute"].values.tolist() == [minute("2026-12-05T18:00")] * 2
    assert dataset["finish_minute"].values[0] == minute("2026-12-05T23:30")
    assert summary(dataset, np.ones(2, bool))["without_finish"] == 1
    # A column of days (no time): the last day counts to its end.
    frame["start"] = frame["finish"] = [date(2026, 5, 1)] * 2
    frame.to_file(tmp_path / "days.gpkg", engine="pyogrio")
    days, _ = read_pmse([tmp_path / "days.gpkg"], KINDS)
    assert days["start_minute"].values[0] == minute("2026-05-01T00:00")
    assert days["finish_minute"].values[0] == minute("2026-05-01T23:59")


def test_equipment_and_its_power_are_carried_along(tmp_path):
    given = {"device_id": "SN-4711", "power_dbm": "17", "eirp_dbm": ""}
    dataset, _ = read(tmp_path, given, {"id": "2"})
    assert dataset["device_id"].values.tolist() == ["SN-4711", ""]
    np.testing.assert_array_equal(dataset["power_dbm"].values, [17.0, np.nan])
    with pytest.raises(InputError, match="power_dbm is given too"):
        read(tmp_path, given | {"eirp_dbm": "17"})
