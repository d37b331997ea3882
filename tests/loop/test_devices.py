"""The register of devices, notices of use, orders to stop: what devices are told, what is kept of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, text, update
from starlette.testclient import TestClient
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.loop.events import first_broken_event
from pipeline.loop.storage import open_storage, writing
from pipeline.loop.tables import METADATA, OFFER, REQUEST, USE
from pipeline.loop.use_states import settle_uses
from pipeline.registers.areas import read_exclusions
from tests.loop.databases import is_sqlite, rows, url_of
from tests.loop.scene import BEGIN, RATES_OFF, ask, desc, place, publish_examples, serving, used

pytestmark = pytest.mark.usefixtures("each_database")
HEAD = (
    "id,category,kind,type,emission_class,technology_id,manufacturer_id,model_id,serial_number,ruleset_ids,"
    "owner,lon,lat,height_m,power_dbm,bandwidth_mhz,from_mhz,to_mhz,master_id,valid_until\n"
)
MASTER = (
    "m1,master,fixed,A,1,ofdm,Alpvox,Bridge-30,KX-000451,ETSI-EN-301-598-2.1.1,"
    "dolina,15.2,46.4,28,30,8,470,694,,\n"
)
SLAVE = "s1,slave,portable,A,1,ofdm,Alpvox,Client-10,KS-7,ETSI-EN-301-598-2.1.1,,,,,20,8,470,694,m1,{until}\n"
CONTACTS = "id,kind,fn,email\ndolina,org,Dolina Net,noc@dolina.example\n"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    from tests.tiny import tiny

    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patched:
        config = tiny.__wrapped__(folder, patched)  # type: ignore[attr-defined]
        yield publish_examples(config, patched)


@pytest.fixture
def client(results: Path, tmp_path: Path):
    with serving(results, tmp_path) as found:
        yield found


@pytest.fixture
def db(tmp_path: Path) -> str:
    return url_of(tmp_path)


def table(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))


def run(*line: str) -> str:
    done = CliRunner().invoke(app, [*line], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def enter(tmp_path: Path, db: str, text: str) -> str:
    (tmp_path / "devices.csv").write_text(text)
    (tmp_path / "contacts.csv").write_text(CONTACTS)
    return run(
        "devices", "import", f"{tmp_path}/devices.csv", "--contacts", f"{tmp_path}/contacts.csv", "--db", db
    )


# --- the register -------------------------------------------------------------------------------------------


def test_tables_are_those_that_migrations_make(db: str) -> None:
    with open_storage(db).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_database_is_its_owners_alone_and_on_the_disk(client: TestClient, tmp_path: Path) -> None:
    if not is_sqlite():
        pytest.skip("a file of SQLite")
    assert (tmp_path / "loop.db").stat().st_mode & 0o777 == 0o600
    assert rows(tmp_path, "PRAGMA journal_mode") == [("wal",)]


def test_what_is_imported_comes_out_again(tmp_path: Path, db: str) -> None:
    assert enter(tmp_path, db, HEAD + MASTER + SLAVE.format(until="2027-01-01")).startswith(
        "2 devices, 2 new"
    )
    assert enter(tmp_path, db, HEAD + MASTER + SLAVE.format(until="2027-01-01")).startswith(
        "2 devices, 0 new"
    )
    run("devices", "export", "--out", f"{tmp_path}/out.csv", "--db", db)
    first = (tmp_path / "out.csv").read_text()
    assert "2027-01-01T00:00:00Z" in first
    run("devices", "import", f"{tmp_path}/out.csv", "--db", db)
    run("devices", "export", "--out", f"{tmp_path}/out.csv", "--db", db)
    assert (tmp_path / "out.csv").read_text() == first
    assert (
        run("devices", "list", "--db", db).splitlines()[0]
        == "m1\tregistered\tmaster\tAlpvox Bridge-30 KX-000451\t-"
    )


def test_change_keeps_what_was(tmp_path: Path, db: str) -> None:
    enter(tmp_path, db, HEAD + MASTER)
    enter(tmp_path, db, HEAD + MASTER.replace(",28,", ",20,"))
    shown = json.loads(run("devices", "show", "m1", "--db", db))
    assert (shown["height_m"], shown["version"], shown["history"][0]["before"]["height_m"]) == (20, 2, 28)
    assert first_broken_event(open_storage(db).connect()) is None
    with open_storage(db).begin() as connection:
        connection.execute(text("UPDATE event SET detail = '{}' WHERE id = 1"))
    assert first_broken_event(open_storage(db).connect()) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("master,fixed", "boss,fixed"), "field category"),
        ((",1,ofdm", ",6,ofdm"), "field emission_class"),
        ((",1,ofdm", ",,ofdm"), "field emission_class: is missing"),
        (("15.2,46.4", ",46.4"), "field lon: is missing"),
        (("470,694", "694,470"), "field from_mhz"),
        (("KX-000451", "x" * 65), "field serial_number"),
        (("dolina", "nobody"), "field owner: is no contact"),
    ],
)
def test_bad_row_is_refused_and_nothing_entered(
    tmp_path: Path, db: str, change: tuple[str, str], told: str
) -> None:
    with pytest.raises(InputError, match=f"row 3.*{told}"):
        enter(
            tmp_path,
            db,
            HEAD + MASTER.replace("KX-000451", "1").replace("m1", "m0") + MASTER.replace(*change),
        )
    if Path(tmp_path / "loop.db").exists():
        assert rows(tmp_path, "SELECT count(*) FROM device") == [(0,)]


def test_registered_slave_may_operate_until_its_licence_ends(
    client: TestClient, tmp_path: Path, db: str
) -> None:
    slave = desc(serialNumber="KS-7", modelId="Client-10", etsiEnDeviceCategory="slave")
    for until, wanted in (("2026-12-04", "licence expired"), ("2027-01-01", None)):
        enter(tmp_path, db, HEAD + MASTER + SLAVE.format(until=until))
        (found,) = ask(client, "verifyDevice", deviceDescs=[slave])["result"]["deviceValidities"]
        assert (found["isValid"], found.get("reason")) == (wanted is None, wanted)
    (master,) = ask(client, "verifyDevice", deviceDescs=[desc()])["result"]["deviceValidities"]
    assert master["reason"] == "not a slave"
    run("devices", "retire", "s1", "--db", db)
    (found,) = ask(client, "verifyDevice", deviceDescs=[slave])["result"]["deviceValidities"]
    assert found["reason"] == "retired"
    asked = ask(client, "init", deviceDesc=slave)
    assert asked["error"]["code"] == -301


# --- notices ------------------------------------------------------------------------------------------------


def notify(client: TestClient, spectra: list[dict[str, Any]], **members: Any) -> int:
    return ask(client, "notifySpectrumUse", spectra=spectra, **members).get("error", {"code": 0})["code"]


def states(tmp_path: Path) -> list[tuple]:
    return rows(tmp_path, "SELECT channel, eirp_cdbm, state FROM use ORDER BY id")


def test_notice_needs_an_offer_at_the_place(client: TestClient, tmp_path: Path) -> None:
    assert notify(client, used(670e6, 30.0)) == -202
    ask(client, "getSpectrum")
    assert notify(client, used(670e6, 30.0), location=place(46.4012)) == -202  # 100 m away
    assert notify(client, used(670e6, 30.0), location=place(46.4005)) == 0  # 22 m
    assert notify(client, used(670e6, 30.0), deviceDesc=desc(serialNumber="2")) == -202
    assert states(tmp_path) == [("46", 3000, "active")]


def test_notice_again_is_the_same_use(client: TestClient, tmp_path: Path) -> None:
    ask(client, "getSpectrum")
    for _ in range(2):
        assert notify(client, used(670e6, 30.0)) == 0
    assert notify(client, used(494e6, 20.0)) == 0
    assert notify(client, used(670e6, 30.0)) == 0
    assert notify(client, []) == 0
    assert notify(client, []) == 0
    assert states(tmp_path) == [("46", 3000, "ended"), ("24", 2000, "ended"), ("46", 3000, "ended")]


@pytest.mark.parametrize(
    ("spectra", "code"),
    [
        (used(670e6, 33.22), 0),
        (used(670e6, 33.23), -202),
        (used(670e6, 14.189, 1e5), 0),
        (used(670e6, 14.20, 1e5), -202),
        (used(670e6, 10.0, 1e6), -202),  # another resolution
        (used(662e6, -10.0), -202),  # not offered
        (used(674e6, 20.0), 0),  # half in 46, half in 47
        (used(494e6, 20.0, width_hz=24e6), -202),  # three channels, one is allowed
        (used(510e6, 20.0, width_hz=168e6), -202),  # from 26 to 46: what is between is not offered
        (used(672e6, 30.0, width_hz=1e6), 0),
        (used(670e6, 30.0) + used(670e6, 9.0, 1e5), 0),
        (used(670e6, 30.0) + used(670e6, 15.0, 1e5), -202),
    ],
)
def test_every_frequency_is_within_the_offer(
    client: TestClient, spectra: list[dict[str, Any]], code: int
) -> None:
    ask(client, "getSpectrum")
    assert notify(client, spectra) == code


def test_total_power_is_that_of_the_weakest_channel(client: TestClient, tmp_path: Path) -> None:
    """Half in channel 46 (33.22 dBm), half in 47 (27.55): 27.55 dBm in all, each half counts as 24.54."""
    ask(client, "getSpectrum")
    assert notify(client, used(674e6, 24.53)) == 0
    assert notify(client, used(674e6, 24.55)) == -202
    assert states(tmp_path) == [("46", 2453, "active"), ("47", 2453, "active")]


def test_slope_counts_at_its_highest(client: TestClient, tmp_path: Path) -> None:
    ask(client, "getSpectrum")
    slope = [{"resolutionBwHz": 8e6, "profiles": [[{"hz": 670e6, "dbm": 10}, {"hz": 678e6, "dbm": 30.001}]]}]
    assert notify(client, slope) == 0
    assert states(tmp_path) == [("46", 3001, "active")]
    slope[0]["profiles"][0][1]["dbm"] = 33.5
    assert notify(client, slope) == -202


def test_uses_expire_and_silent_devices_are_lost(client: TestClient, tmp_path: Path) -> None:
    ask(client, "getSpectrum")
    assert notify(client, used(670e6, 30.0)) == 0
    served, begin_s = client.app.state.worker.served, int(BEGIN.timestamp())
    client.app.state.worker.journal.flush()
    settle_uses(served, begin_s + 900)
    assert states(tmp_path) == [("46", 3000, "active")]
    settle_uses(served, begin_s + 1000)
    assert states(tmp_path) == [("46", 3000, "lost")]
    settle_uses(served, begin_s + 15 * 3600)
    assert states(tmp_path) == [("46", 3000, "expired")]


# --- slaves -------------------------------------------------------------------------------------------------

SLAVE_DESC = desc(serialNumber="KS-7", modelId="Client-10", etsiEnDeviceCategory="slave")


def test_slave_is_answered_through_its_master(client: TestClient) -> None:
    behalf = {"deviceDesc": SLAVE_DESC, "masterDeviceLocation": place(), "masterDeviceDesc": desc()}
    missing = ask(client, "getSpectrum", deviceDesc=SLAVE_DESC)["error"]
    assert sorted(missing["data"]["parameters"]) == ["masterDeviceDesc", "masterDeviceLocation"]
    assert ask(client, "getSpectrum", **behalf)["error"]["code"] == -302
    of_master = ask(client, "getSpectrum")["result"]["channels"]
    own = ask(client, "getSpectrum", **behalf)["result"]
    assert own["channels"] == of_master
    assert own["deviceDesc"] == SLAVE_DESC
    anywhere = ask(client, "getSpectrum", **behalf, location=None)["result"]
    # The master reaches farther than the border of the levels: 29.34 dBm in channel 46, nothing else.
    assert anywhere["channels"] == [{"channel": 46, "dbm": 29.34}]
    assert notify(client, used(670e6, 29.0), **behalf, location=None) == 0


def test_generic_slaves(client: TestClient) -> None:
    generic = {"requestType": "Generic Slave", "masterDeviceLocation": place(), "location": None}
    found = ask(client, "getSpectrum", **generic)["result"]
    assert found["channels"] == [{"channel": 46, "dbm": 29.34}]
    assert found["deviceDesc"] == desc()
    made_up = ask(client, "getSpectrum", **generic, masterDeviceDesc=desc(), deviceDesc=None)["result"]
    assert made_up["deviceDesc"]["etsiEnDeviceCategory"] == "slave"
    assert made_up["channels"] == found["channels"]


# --- orders to stop -----------------------------------------------------------------------------------------


def test_withdrawn_device_is_refused_until_restored(client: TestClient, tmp_path: Path, db: str) -> None:
    enter(tmp_path, db, HEAD + MASTER + SLAVE.format(until=""))
    told = run("devices", "withdraw", "--device", "m1", "--reason", "interference", "--db", db)
    assert "last device stops by" in told
    for method in ("init", "register", "getSpectrum"):
        assert ask(client, method)["error"] == {
            "code": -301,
            "message": "UNAUTHORIZED: withdrawn: interference",
        }
    assert "result" in ask(client, "init", deviceDesc=desc(serialNumber="2"))
    run("devices", "restore", "1", "--db", db)
    assert "result" in ask(client, "init")
    run("devices", "withdraw", "--all", "--reason", "all", "--db", db, "--until", "2026-12-05T07:00:00Z")
    assert "result" in ask(client, "init")
    run("devices", "withdraw", "--ruleset", "ETSI-EN-301-598-2.1.1", "--reason", "rules", "--db", db)
    (found,) = ask(client, "verifyDevice", deviceDescs=[SLAVE_DESC])["result"]["deviceValidities"]
    assert found["reason"] == "withdrawn: rules"


def test_use_of_a_withdrawn_device_ends_when_it_must_know(
    client: TestClient, tmp_path: Path, db: str
) -> None:
    ask(client, "getSpectrum")
    assert notify(client, used(670e6, 30.0)) == 0
    order = ["--ruleset", "ETSI-EN-301-598-2.1.1", "--reason", "rules", "--from", "2026-12-05T08:00:00Z"]
    run("devices", "withdraw", *order, "--db", db)
    ordered_s = int(BEGIN.timestamp())
    served = client.app.state.worker.served
    settle_uses(served, ordered_s + 900)
    assert states(tmp_path) == [("46", 3000, "active")]
    settle_uses(served, ordered_s + 931)
    assert states(tmp_path) == [("46", 3000, "withdrawn")]


def area_of(tmp_path: Path, west: float, east: float) -> str:
    ring = [[west, 46.39], [east, 46.39], [east, 46.41], [west, 46.41], [west, 46.39]]
    shape = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [shape]}))
    return f"{tmp_path}/a.geojson"


@pytest.mark.parametrize(
    ("scope", "ended"),
    [
        (("--channel", "46"), {"46"}),
        (("--channel", "47"), {"47"}),
        (("--channel", "30"), set()),
        (("--area", "15.22,15.23"), {"46", "47"}),  # the place is 15.2206
        (("--area", "15.221,15.23"), {"46", "47"}),  # 31 m from it, the circle is 20 m: within twice that
        (("--area", "15.23,15.24"), set()),
    ],
)
def test_running_uses_of_withdrawn_channels_and_areas_end(
    client: TestClient, tmp_path: Path, db: str, scope: tuple[str, str], ended: set[str]
) -> None:
    ask(client, "getSpectrum")
    points = [{"hz": at, "dbm": 20.0} for at in (670e6, 686e6)]
    with_both = [{"resolutionBwHz": 8e6, "profiles": [points]}]
    served = client.app.state.worker.served
    client.app.state.worker.journal.flush()
    with writing(served.engine) as connection:  # an offer of both at once
        (spec,) = connection.execute(select(OFFER.c.spec)).one()
        assert spec[2:4] == [8e6, 8e6]
        connection.execute(update(OFFER).values(spec=[*spec[:2], 16e6, 16e6, *spec[4:]]))
    assert notify(client, with_both) == 0
    name, value = scope
    target = area_of(tmp_path, *map(float, value.split(","))) if name == "--area" else value
    # From the clock of the server on, which settles uses too.
    run(
        "devices",
        "withdraw",
        name,
        target,
        "--reason",
        "rescue",
        "--from",
        "2026-12-05T08:00:00Z",
        "--db",
        db,
    )
    ordered_s = int(BEGIN.timestamp())
    settle_uses(served, ordered_s + 929)
    assert {channel for channel, _, state in states(tmp_path) if state == "active"} == {"46", "47"}
    settle_uses(served, ordered_s + 931)
    assert {channel for channel, _, state in states(tmp_path) if state == "withdrawn"} == ended


def test_who_was_not_contact_since_an_order_and_who_is_lost(
    client: TestClient, tmp_path: Path, db: str
) -> None:
    """Two devices on air in channels 46 and 47, an order for both: one asks again, the other says nothing."""
    for serial, hz in (("1", 670e6), ("2", 678e6)):
        ask(client, "getSpectrum", deviceDesc=desc(serialNumber=serial))
        assert notify(client, used(hz, 20.0), deviceDesc=desc(serialNumber=serial)) == 0
    served = client.app.state.worker.served
    client.app.state.worker.journal.flush()
    begin_s = int(BEGIN.timestamp())
    at = "2026-12-05T08:02:00Z"
    area = area_of(tmp_path, 15.22, 15.23)
    written = ["--write-area", f"{tmp_path}/stop.geojson"]
    run("devices", "withdraw", "--area", area, "--reason", "rescue", "--from", at, *written, "--db", db)
    run("devices", "withdraw", "--channel", "30", "--reason", "x", "--from", at, "--db", db)
    with writing(served.engine) as connection:  # a later word of the first
        keys = connection.execute(select(USE.c.device_key).order_by(USE.c.id)).scalars().all()
        connection.execute(
            insert(REQUEST).values(
                created_at=begin_s + 300, method="getSpectrum", device_key=keys[0], code=0, ms=1.0
            )
        )
    out = f"{tmp_path}/out.csv"
    for number, silent in (("1", ["47"]), ("2", [])):
        said = run("devices", "stop-report", number, "--out", out, "--db", db)
        assert (
            said == f"order {number}: {2 - 2 * (number == '2')} uses, {len(silent)} without a contact since\n"
        )
        assert [row["channel"] for row in table(out)] == silent
    settle_uses(served, begin_s + 1000)
    run("devices", "lost", "--out", out, "--db", db)
    (row,) = [row for row in table(out) if row["state"] == "lost"]
    assert (row["channel"], row["eirp_dbm"], row["last_contact_at"][:16]) == (
        "47",
        "20.0",
        "2026-12-05T08:00",
    )
    (shape,) = read_exclusions([Path(written[1])])
    assert (shape.channels, shape.values["reason"]) == (None, "rescue")
    assert shape.shape.bounds == pytest.approx((15.22, 46.39, 15.23, 46.41))
    with pytest.raises(InputError, match="--write-area"):
        run("devices", "withdraw", "--all", "--reason", "x", *written, "--db", db)
    with pytest.raises(InputError, match="no order that stands"):
        run("devices", "stop-report", "9", "--out", out, "--db", db)


def test_withdrawn_channels_and_areas_vanish(client: TestClient, tmp_path: Path, db: str) -> None:
    def channels(**members: Any) -> list[int]:
        return [one["channel"] for one in ask(client, "getSpectrum", **members)["result"]["channels"]]

    run("devices", "withdraw", "--channel", "46", "--reason", "x", "--db", db, "--lower-polling", "60")
    assert channels() == [24, 25, 26, 47]
    info = ask(client, "getSpectrum")["result"]["spectrumSpecs"][0]["rulesetInfo"]
    assert info["maxPollingSecs"] == 60
    area = area_of(tmp_path, 15.22, 15.23)
    run("devices", "withdraw", "--area", area, "--reason", "x", "--db", db)
    assert channels() == []
    assert channels(location=place(46.4003, 15.30)) == [24, 25, 26, 47]
    # A region of which a corner far from the area comes first.
    around = [(15.30, 46.42), (15.20, 46.42), (15.20, 46.38), (15.30, 46.38), (15.30, 46.42)]
    exterior = [{"longitude": lon, "latitude": lat} for lon, lat in around]
    assert channels(location={"region": {"exterior": exterior}}) == []


def test_order_says_one_thing(db: str) -> None:
    for line in ([], ["--all", "--channel", "46"], ["--channel", "x"], ["--device", "nobody"]):
        with pytest.raises(InputError):
            run("devices", "withdraw", "--reason", "x", "--db", db, *line)


def test_reports(client: TestClient, tmp_path: Path, db: str) -> None:
    ask(client, "getSpectrum")
    notify(client, used(670e6, 30.0))
    client.app.state.worker.journal.flush()
    run("devices", "report", "--out", f"{tmp_path}/report.csv", "--db", db)
    assert "uses,active,1," in (tmp_path / "report.csv").read_text()
    run("devices", "placed", "--out", f"{tmp_path}/placed.csv", "--db", db)
    assert (tmp_path / "placed.csv").read_text().splitlines()[1] == "15.2206,46.4003,46,30.0,fixed30"


def test_nothing_of_devices_is_published(results: Path, tmp_path: Path) -> None:
    with serving(results, tmp_path, RATES_OFF) as client:
        ask(
            client,
            "register",
            deviceOwner={"owner": ["vcard", [["email", {}, "text", "noc@dolina.example"]]]},
        )
        ask(client, "getSpectrum")
        notify(client, used(670e6, 30.0))
    for path in results.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"KX-000451" not in content
            assert b"dolina" not in content
