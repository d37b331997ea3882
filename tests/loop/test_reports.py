"""Reports on devices: chosen by the database, as a loop over all rows chooses."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from sqlalchemy import Engine, event, insert

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.loop.period import Period
from pipeline.loop.storage import open_storage, writing
from pipeline.loop.tables import DEVICE, OFFER, REQUEST, USE, WITHDRAWAL
from pipeline.loop.use_states import stopped_uses
from pipeline.loop.uses import COUNTED
from pipeline.loop.withdrawals import Order, channel_numbers, stops, withdrawn_channels
from pipeline.query.results import Run
from tests.loop.databases import is_sqlite, url_of
from tests.loop.test_devices import area_of, run, table

pytestmark = pytest.mark.usefixtures("each_database")
AUG_31_22H_S = int(datetime(2026, 8, 31, 22, tzinfo=UTC).timestamp())
USED: dict[str, Any] = {
    "run_id": "r", "profile": "fixed30", "layers": ["fixed30"], "start_hz": 670e6, "stop_hz": 678e6,
    "radius_m": 20.0, "body_sha256": "", "created_at": AUG_31_22H_S, "from_at": AUG_31_22H_S,
    "state": "ended", "device_key": "k", "channel": "46", "eirp_cdbm": 2999, "lon_e7": 152_249_000,
    "lat_e7": 464_000_000, "ended_at": None,
}  # fmt: skip
OFFERED = {
    "run_id": "r", "profile": "fixed30", "lon_e7": 0, "lat_e7": 0, "radius_m": 0.0, "limits": [], "spec": [],
    "from_at": 0, "until_at": 0,
}  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> str:
    return url_of(tmp_path)


def store(db: str, kind: Any, *entries: dict[str, Any]) -> None:
    with writing(open_storage(db)) as connection:
        connection.execute(insert(kind), list(entries))


def device(key: str, **others: Any) -> dict[str, Any]:
    usual = {"category": "master", "ruleset_ids": ["ETSI"], "details": {}, "state": "registered"}
    return usual | {"device_key": key, "created_at": 1, "updated_at": 1, "version": 1} | others


def report(tmp_path: Path, db: str, *options: str) -> dict[str, list[tuple[str, str, str]]]:
    """Lines of a report by kind."""
    run("devices", "report", "--out", f"{tmp_path}/out.csv", "--db", db, *options)
    found = defaultdict(list)
    for row in table(f"{tmp_path}/out.csv"):
        found[row["what"]].append((row["name"], row["count"], row["value"]))
    return found


# --- what is read -------------------------------------------------------------------------------------------


@contextmanager
def rows_read() -> Iterator[dict[str, tuple[int, str]]]:
    """Within: rows and plan (of SQLite) of each statement that reads uses."""
    found: dict[str, tuple[int, str]] = {}

    def note(_: Any, cursor: Any, statement: str, given: Any, *__: Any) -> None:
        if statement.startswith("SELECT") and " use" in statement:
            again = cursor.connection.cursor()
            count = len(again.execute(statement, given).fetchall())
            plan = again.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()
            found[statement] = (count, "; ".join(str(step[-1]) for step in plan))

    event.listen(Engine, "after_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "after_cursor_execute", note)


def test_lost_and_stopped_are_not_looked_for_in_all_uses(tmp_path: Path, db: str) -> None:
    """Of 2000 uses 1 is lost, 1 of the device that an order stops; the database hands out these alone."""
    if not is_sqlite():
        pytest.skip("plans are those of SQLite")
    since_s = AUG_31_22H_S + 100
    over = {"until_at": since_s - 10, "ended_at": since_s - 10}
    others = [USED | over | {"device_key": f"d{number}"} for number in range(1998)]
    running = {"until_at": since_s + 1000, "ended_at": None}
    lost, stopped = ({"state": state, "device_key": key} for state, key in (("lost", "x"), ("active", "y")))
    store(db, USE, *others, USED | running | lost, USED | running | stopped)
    store(db, REQUEST, *({"created_at": since_s - 50, "method": "init", "code": 0, "ms": 1.0,
                          "device_key": key} for key in ("x", "y", "d1")))  # fmt: skip
    store(db, WITHDRAWAL, {"created_at": 1, "scope": "device", "target": "y", "from_at": since_s,
                           "reason": "x", "ordered_by": "x"})  # fmt: skip
    out = ["--out", f"{tmp_path}/out.csv", "--db", db]
    with rows_read() as read:
        run("devices", "lost", *out)
        assert [row["device"] for row in table(out[1])] == ["x"]
        run("devices", "stop-report", "1", *out)
    assert [row["device"] for row in table(out[1])] == ["y"]
    assert [count for count, _ in read.values()] == [1, 1, 1, 1]
    for _, plan in read.values():
        assert "SCAN use" not in plan
    assert all("request_of_device" in plan for _, plan in read.values() if "offer" in plan)


# --- equal to a loop over all -------------------------------------------------------------------------------


def random_uses(rng: random.Random, count: int) -> list[dict[str, Any]]:
    found = []
    for number in range(1, count + 1):
        from_s = AUG_31_22H_S + rng.randrange(-90_000, 90_000)
        until_s = from_s + rng.randrange(1, 90_000)
        lat_deg = rng.choice((46.4, -46.4, 68.0, 80.0)) + rng.uniform(-0.2, 0.2)
        found.append(USED | {
            "id": number, "device_key": f"d{rng.randrange(20)}", "from_at": from_s, "until_at": until_s,
            "ended_at": rng.choice((None, rng.randrange(from_s, until_s + 5))),
            "state": rng.choice((*COUNTED, "ended", "expired", "withdrawn")),
            "channel": rng.choice(("20", "21", "20-21", "21-23", "46")),
            "eirp_cdbm": rng.randrange(-500, 3600),
            "lon_e7": round(1e7 * (rng.choice((15.2, 179.9, -179.9)) + rng.uniform(-0.1, 0.1))),
            "lat_e7": round(1e7 * lat_deg), "radius_m": rng.choice((0.0, 50.0, 3000.0, 60_000.0)),
        })  # fmt: skip
    return found


def test_orders_stop_what_a_loop_over_all_uses_finds(tmp_path: Path, db: str) -> None:
    rng = random.Random(1)
    uses = random_uses(rng, 400)
    devices = {
        f"d{k}": device(f"d{k}", register_id=f"m{k}" if k % 2 else None, owner_key=f"o{k % 3}",
                        ruleset_ids=["ETSI", "FCC"] if k % 5 else ["FCC"])
        for k in range(15)
    }  # fmt: skip
    store(db, USE, *uses)
    store(db, DEVICE, *devices.values())
    areas = [shapely.box(lon, lat, lon + 0.05, lat + 0.05)
             for lon in (15.1, 15.22, 179.9) for lat in (46.4, -46.5, 68.0, 80.0)]  # fmt: skip
    given = [("device", "d3", None), ("device", "m5", None), ("device", "d19", None), ("owner", "o1", None),
             ("ruleset", "ETSI", None), ("all", "", None), ("channel", "20", None), ("channel", "21", None),
             ("channel", "20-21", None), *(("area", "a", shapely.to_wkb(one)) for one in areas)]  # fmt: skip
    counted = set()
    with open_storage(db).connect() as connection:
        for number, (scope, target, geometry) in enumerate(given):
            order = Order(number, 0, scope, target, geometry, None, "x")
            expected = {
                use["id"] for use in uses if use["state"] in COUNTED and is_stopped(order, use, devices)
            }
            assert stopped_uses(connection, [order]).keys() == expected, order
            if expected:
                counted.add(scope)
    assert counted == {"device", "owner", "ruleset", "all", "channel", "area"}


def is_stopped(order: Order, use: dict[str, Any], devices: dict[str, dict[str, Any]]) -> bool:
    if order.scope in ("channel", "area"):
        place = ((use["lon_e7"] / 1e7, use["lat_e7"] / 1e7),)
        return bool(
            {"*", *channel_numbers(use["channel"])} & withdrawn_channels([order], place, use["radius_m"])
        )
    row = devices.get(use["device_key"])
    return stops(order, use["device_key"], row, row["ruleset_ids"] if row else [])


def test_hours_are_those_of_a_loop_over_all_uses(tmp_path: Path, db: str) -> None:
    uses = random_uses(random.Random(2), 300)
    store(db, USE, *uses)
    period = Period(AUG_31_22H_S - 3000, AUG_31_22H_S + 40_000)
    options = ["--from", "2026-08-31T21:10:00Z", "--to", "2026-09-01T09:06:40Z"]
    hours: dict[str, float] = defaultdict(float)
    highest: dict[str, float] = defaultdict(lambda: -200.0)
    regions: dict[str, float] = defaultdict(float)
    steps, begun = [], 0
    for use in uses:
        end_s = min(
            use["until_at"] if use["ended_at"] is None else use["ended_at"], use["until_at"], period.to_s
        )
        begin_s = max(use["from_at"], period.from_s)
        if end_s > begin_s or period.from_s <= use["from_at"] < period.to_s:
            begun += 1
            hours[use["channel"]] += max(0, end_s - begin_s) / 3600
            highest[use["channel"]] = max(highest[use["channel"]], use["eirp_cdbm"] / 100)
            south, west = (np.floor(use[name] / 1e6) / 10 for name in ("lat_e7", "lon_e7"))
            regions[f"{use['channel']} {south:.1f} {west:.1f}"] += max(0, end_s - begin_s) / 3600
        if end_s > begin_s:
            steps += [(begin_s, 1), (end_s, -1)]
    found = report(tmp_path, db, *options)
    assert {(name, float(value)) for name, _, value in found["channel-hours"]} == set(highest.items())
    assert {name: float(count) for name, count, _ in found["channel-hours"]} == pytest.approx(hours, abs=0.01)
    by_region = {name: float(count) for name, count, _ in found["channel-hours by region"]}
    assert by_region == pytest.approx(regions, abs=0.01)
    assert sum(int(count) for _, count, _ in found["uses"]) == begun
    on_air, most = 0, 0
    for _, step in sorted(steps):
        on_air += step
        most = max(most, on_air)
    assert [int(count) for _, count, _ in found["most uses at once"]] == [most]


# --- by hand ------------------------------------------------------------------------------------------------


def test_report_of_a_period_and_a_zone_by_hand(tmp_path: Path, db: str) -> None:
    """A use over the end of August, 2 h and 3 h; one of a whole day far away."""
    far = {"channel": "30", "eirp_cdbm": -50, "lon_e7": 150_000_000, "lat_e7": 464_000_000}
    for one, hours in (({}, 5), (far, 24)):
        until_s = AUG_31_22H_S + 3600 * hours
        store(db, USE, USED | one | {"until_at": until_s, "ended_at": until_s})
    period = ["--from", "2026-08-31T23:00:00Z", "--to", "2026-09-01T01:00:00Z"]
    for options, expected in (
        ([], {("30", "24.0", "-0.5"), ("46", "5.0", "29.99")}),
        (period, {("30", "2.0", "-0.5"), ("46", "2.0", "29.99")}),
        (["--from", "2026-09-01T12:00:00Z"], {("30", "10.0", "-0.5")}),
    ):
        assert set(report(tmp_path, db, *options)["channel-hours"]) == expected
    zone, out = ["--zone", area_of(tmp_path, 15.22, 15.23)], f"{tmp_path}/zone.csv"
    for options, hours in (([], ["2.0", "3.0"]), (period, ["1.0", "1.0"])):
        run("devices", "report", "--out", out, "--db", db, *zone, *options)
        common_cells = {"channel": "46", "eirp_from_dbm": "20", "lon": "15.22", "lat": "46.4", "uses": "1"}
        months = zip(("2026-08", "2026-09"), hours, strict=True)
        assert table(out) == [{"month": name, **common_cells, "hours": h} for name, h in months]


def test_zone_of_so_many_kilometres(tmp_path: Path, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A territory of 3 x 3 pixels of 10 km with a border of two: 0, 10 and 20 km from neighbours."""
    grid = Grid("EPSG:3035", 10_000.0, 4_600_000.0, 2_600_000.0, 7, 7)
    surface = np.full((7, 7), 2, dtype=np.uint8)
    surface[2:5, 2:5] = 1
    km = np.full((2, 7, 7), np.nan, dtype=np.float32)
    km[0, 2:5, 2:5], km[1, 2:5, 2:5] = (0.0, 10.0, 20.0), np.inf
    folder = tmp_path / "build" / "x" / "territory"
    folder.mkdir(parents=True)
    for name, values, nodata in (("surface", surface, None), ("neighbours", km, np.nan)):
        bands = ["XX", "YY"] if values.ndim == 3 else None
        data = raster.make_array(values, grid, units="", long_name=name, nodata=nodata, band_names=bands)
        raster.write(folder / f"{name}.tif", data, tags={}, publish=False)
    made = Run(tmp_path, tmp_path, {"config": {"settings": {}}, "territory": "x"})
    monkeypatch.setattr("pipeline.loop.zone_report.read_run", lambda _: made)
    for col in range(1, 6):
        lon_deg, lat_deg = (
            float(np.asarray(one).item()) for one in grid.lonlat_deg(slice(3, 4), slice(col, col + 1))
        )
        place = {"lon_e7": round(1e7 * lon_deg), "lat_e7": round(1e7 * lat_deg), "channel": str(20 + col)}
        store(db, USE, USED | place | {"until_at": AUG_31_22H_S + 3600})
    line = ["devices", "report", "--out", f"{tmp_path}/out.csv", "--db", db, "--zone"]
    for zone_km, channels in (("10", ["22", "23"]), ("9.9", ["22"]), ("0.1", ["22"])):
        run(*line, zone_km, "--results", "x")
        assert [row["channel"] for row in table(f"{tmp_path}/out.csv")] == channels
    for zone, problem in (("20.1", "beyond the grid"), ("x.geojson", "is no zone"), ("0", "is no zone")):
        with pytest.raises(InputError, match=problem):
            run(*line, zone, "--results", "x")
    with pytest.raises(InputError, match="is no zone"):
        run(*line, "10")


def test_report_on_bookings_orders_and_what_devices_do_together(tmp_path: Path, db: str) -> None:
    """Answers held for 900 s; a run takes 600 s: a booking needs 1502 s (2 s of clocks)."""
    begin_s = AUG_31_22H_S
    store(db, USE, USED | {"until_at": begin_s + 7200, "ended_at": begin_s + 1000, "state": "withdrawn"},
          USED | {"until_at": begin_s + 500, "device_key": "z", "state": "active"})  # fmt: skip
    store(db, OFFER, OFFERED | {"device_key": "k", "created_at": begin_s, "expires_at": begin_s + 900})
    store(db, WITHDRAWAL, {"created_at": begin_s, "scope": "channel", "target": "46", "from_at": begin_s + 60,
                           "reason": "x", "ordered_by": "x", "restored_at": begin_s + 5000})  # fmt: skip
    (tmp_path / "b.csv").write_text(
        "id,booked_at,start\n"
        "soon,2026-08-31T22:00:00Z,2026-08-31T22:20:00Z\n"
        "early,2026-08-31T22:00:00Z,2026-08-31T22:26:00Z\n"
        "other,2026-09-02T22:00:00Z,2026-09-02T22:00:00Z\n"
    )
    (tmp_path / "a.csv").write_text("channel,pixels_in_reach,fall_max_pct\n30,7,0.4321\n")
    found = report(
        tmp_path, db, "--from", "2026-08-31T00:00:00Z", "--to", "2026-09-01T12:00:00Z", "--run-s", "600",
        "--bookings", f"{tmp_path}/b.csv", "--aggregate", f"{tmp_path}/a.csv", "--html", f"{tmp_path}/a.html",
    )  # fmt: skip
    assert found["late bookings"] == [("of 2", "1", "")]
    assert found["late booking in s"] == [("soon", "", "302.0")]  # 600 + 900 + 2 - 1200
    assert found["largest q1 - q2 in points"] == [("30", "", "0.4321")]
    assert found["silence after an order in s"] == [("1", "2", "940")]
    assert found["most uses at once"] == [("2026-08-31T22:00:00Z", "2", "")]
    page = (tmp_path / "a.html").read_text()
    for shown in ("2026-08-31T00:00:00Z to 2026-09-01T12:00:00Z", "<td>soon</td>", "0.4321", "940"):
        assert shown in page
    with pytest.raises(InputError, match="--run-s"):
        report(tmp_path, db, "--bookings", f"{tmp_path}/b.csv")
    for at, serials in (("22:05:00", ["46", "46"]), ("22:10:00", ["46"]), ("23:00:00", [])):
        run("devices", "placed", "--at", f"2026-08-31T{at}Z", "--out", f"{tmp_path}/p.csv", "--db", db)
        assert [row["channel"] for row in table(f"{tmp_path}/p.csv")] == serials
