"""What a regulator asks of the loop: uses against a new run, polling against bookings, the listing."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.config.loop import Loop
from pipeline.errors import InputError
from pipeline.loop.grants import decide
from pipeline.loop.ground_heights import GroundRange
from pipeline.loop.listing import faults_of
from pipeline.loop.recheck import limit_of, running_uses, verdicts
from pipeline.loop.served import Clock, Served
from pipeline.loop.storage import open_storage, writing
from tests.loop import scene as loop_scene
from tests.loop.scene import ask, desc, publish_examples, serving, used


def run(*line: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*line], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


# --- polling ------------------------------------------------------------------------------------------------


def test_lateness_by_hand(tmp_path: Path) -> None:
    """10 min of a run, 2 s of clocks, 1 s of an answer: 30 min of lead do for 900 s, not for 3600 s."""
    (tmp_path / "b.csv").write_text(
        "id,booked_at,start\n"
        "soon,2026-12-05T08:00:00Z,2026-12-05T08:30:00Z\n"
        "early,2026-12-04T08:00:00Z,2026-12-05T08:30:00Z\n"
    )
    line = ["devices", "poll-check", f"{tmp_path}/b.csv", "--run-s", "600", "--devices", "100"]
    told = run(*line, "--joule-per-request", "2", "--out", f"{tmp_path}/late.csv")
    assert "polling 900 s: 0 of 2 bookings late, 96 requests a day and device, 9600 in all, 192 J" in told
    assert "polling 3600 s: 1 of 2 bookings late, 24 requests" in told
    assert "no booking is late up to 1197 s" in told  # 1800 - 600 - 2 - 1
    late = {(row["booking"], row["polling_s"]): row for row in rows_of(tmp_path / "late.csv")}
    assert late["soon", "3600"]["late_s"] == "2403"  # 600 + 3600 + 3 - 1800
    assert late["soon", "3600"]["last_stops"] == "2026-12-05T09:10:03Z"
    assert late["soon", "900"]["late_s"] == late["early", "3600"]["late_s"] == "0"
    (tmp_path / "b.csv").write_text("id,booked_at,start\nnow,2026-12-05T08:00:00Z,2026-12-05T08:01:00Z\n")
    assert "no interval of 60 s or more is short enough" in run(*line, "--out", f"{tmp_path}/late.csv")
    (tmp_path / "b.csv").write_text("id,booked_at,start\nnow,yesterday,2026-12-05T08:01:00Z\n")
    with pytest.raises(InputError, match=r"row 2.*booked_at"):
        run(*line, "--out", f"{tmp_path}/late.csv")


# --- uses and a new run -------------------------------------------------------------------------------------


def test_uses_that_a_new_run_no_longer_allows(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channel 46 falls from 33.22 to 29.00 dBm: 30 dBm there are too much, 25 and 28.9 dBm for each alone."""
    results = publish_examples(tiny, monkeypatch).absolute()
    now_s = int(loop_scene.BEGIN.timestamp()) + 60
    with serving(results, tmp_path, loop_scene.RATES_OFF + "aggregate: off\n") as client:
        for serial, hz, dbm in (
            ("1", 670e6, 30.0),
            ("2", 670e6, 28.9),
            ("3", 670e6, 25.0),
            ("4", 502e6, 20.0),
        ):
            device = desc(serialNumber=serial)
            ask(client, "getSpectrum", deviceDesc=device)
            assert "result" in ask(client, "notifySpectrumUse", deviceDesc=device, spectra=used(hz, dbm))
        served = client.app.state.worker.served
        assert [one.action for one in verdicts(served, running_uses(served), now_s)] == ["keep"] * 4
        monkeypatch.setitem(loop_scene.FIRST_CDBM, 46, 2900)
        publish_examples(tiny, monkeypatch, "fedcba9876543210")
        client.app.state.worker.journal.flush()
        with sqlite3.connect(tmp_path / "loop.db") as connection:
            connection.execute("UPDATE device SET priority = 1 WHERE serial_number = '3'")
        served.refresh()
        assert served.database.run_id == "fedcba9876543210"
        running = running_uses(served)
        assert [one.use.eirp_cdbm for one in running] == [2500, 3000, 2890, 2000]
        assert [limit_of(served, one, now_s) for one in running] == [29.0, 29.0, 29.0, 28.94]
        found = verdicts(served, running, now_s)
        assert [one.action for one in found] == ["keep", "to_withdraw: limit", "keep", "keep"]
        served.loop = served.loop.model_copy(update={"aggregate": "enforce"})
        # 10 ** -0.4 = 0.398 of the limit are taken by the first, 0.977 would be by the third: 1.375 > 1.
        found = verdicts(served, running, now_s)
        assert [one.action for one in found] == [
            "keep",
            "to_withdraw: limit",
            "to_withdraw: aggregate",
            "keep",
        ]
    out = tmp_path / "recheck.csv"
    loop = ["--loop", f"{tmp_path}/loop.yaml", "--db", f"sqlite:///{tmp_path}/loop.db"]
    told = run("devices", "recheck", "--results", str(results), "--out", str(out), *loop, code=1)
    assert "4 uses, 1 to withdraw" in told
    assert [row["excess_db"] for row in rows_of(out)] == ["0.00", "1.00", "0.00", "0.00"]


# --- requests and grants ------------------------------------------------------------------------------------

DEVICES = (
    "id,category,kind,type,emission_class,technology_id,manufacturer_id,model_id,serial_number,ruleset_ids,"
    "lon,lat,height_m,power_dbm,bandwidth_mhz,from_mhz,to_mhz\n"
)
DEVICE = (
    "m{0},master,fixed,A,1,ofdm,Alpvox,Bridge-30,{0},ETSI-EN-301-598-2.1.1,15.2206,46.4003,30,36,8,470,694\n"
)
PERIOD = "2026-12-05T08:00:00Z,2026-12-05T20:00:00Z"


def requested(
    tmp_path: Path, results: Path, *rows: str, heading: str = DEVICES, device: str = DEVICE
) -> list[dict[str, str]]:
    """Answers to requests of devices at one place."""
    db = f"sqlite:///{tmp_path}/loop.db"
    (tmp_path / "devices.csv").write_text(heading + "".join(device.format(k) for k in range(1, 4)))
    run("devices", "import", f"{tmp_path}/devices.csv", "--db", db)
    head = "device,channel,eirp_dbm,start,stop,purpose\n"
    (tmp_path / "requests.csv").write_text(head + "".join(f"{row},{PERIOD},link\n" for row in rows))
    line = ["devices", "request", f"{tmp_path}/requests.csv", "--results", str(results)]
    run(*line, "--out", f"{tmp_path}/answers.csv", "--db", db)
    return rows_of(tmp_path / "answers.csv")


def test_requests_are_validated_and_granted_within_what_is_left(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """33.22 dBm are permitted in channel 46: 30.20 leave just as much (half), then nothing fits."""
    results = publish_examples(tiny, monkeypatch).absolute()
    answers = requested(tmp_path, results, "m1,46,30.20", "m2,46,30.20", "m3,46,33.3", "m1,30,1", "m1,99,1")
    assert [(row["state"], row["possible_dbm"], row["status"]) for row in answers] == [
        ("available", "33.22", "validated"),
        ("available", "33.22", "validated"),
        ("available", "33.22", "refused"),
        ("not_permitted", "", "refused"),
        ("no_such_channel", "", "refused"),
    ]
    db = ["--results", str(results), "--db", f"sqlite:///{tmp_path}/loop.db"]
    run("devices", "decide", "1", "--grant", "--by", "Novak", *db)
    # The rest of 33.22 dBm after 30.20 dBm: 10 log10(10^3.322 - 10^3.020) = 30.2197.
    with serving(results, tmp_path) as client:
        found = ask(client, "getSpectrum")["result"]["channels"]
        assert {one["channel"]: one["dbm"] for one in found}[46] == 30.21
        own = ask(client, "getSpectrum", deviceDesc=desc(serialNumber="1"))["result"]["channels"]
        assert {one["channel"]: one["dbm"] for one in own}[46] == 33.22  # its own grant is its own
    run("devices", "decide", "2", "--grant", "--by", "Novak", *db)
    for number in ("3", "2", "9"):
        with pytest.raises(InputError, match="is no open request"):
            run("devices", "decide", number, "--grant", "--by", "Novak", *db)
    (answer,) = requested(tmp_path, results, "m3,46,20")
    # 10 log10(10^3.322 - 2 10^3.020) = 6.705
    assert (answer["possible_dbm"], answer["status"]) == ("6.70", "refused")
    run("devices", "digest", "--since", "2026-01-01T00:00:00Z", "--out", f"{tmp_path}/d.csv", *db[2:])
    digest = rows_of(tmp_path / "d.csv")
    assert [row["status"] for row in digest] == [
        "granted",
        "granted",
        "refused",
        "refused",
        "refused",
        "refused",
    ]
    assert (digest[0]["decided_by"], digest[0]["device"], digest[3]["reason"]) == (
        "Novak",
        "m1",
        "not_permitted",
    )
    with sqlite3.connect(tmp_path / "loop.db") as connection:
        states = connection.execute("SELECT state, eirp_cdbm FROM use ORDER BY id").fetchall()
    assert states == [("granted", 3020), ("granted", 3020)]


def test_grant_to_a_device_above_sea_level_needs_the_ground(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """330 m above sea level on ground of 300 m are 30 m above it; without ground heights nobody knows."""
    results = publish_examples(tiny, monkeypatch).absolute()
    above_sea = {
        "heading": DEVICES.replace("height_m", "height_m,height_type"),
        "device": DEVICE.replace(",30,36,", ",330,AMSL,36,"),
    }
    (answer,) = requested(tmp_path, results, "m1,46,20", **above_sea)
    assert (answer["state"], answer["status"]) == ("unimplemented", "refused")
    for ground_m, state in ((300.0, "available"), (0.0, "unsupported")):
        ground = GroundRange(ground_m, ground_m)
        monkeypatch.setattr("pipeline.loop.asked_places.ground_around", lambda *_, found=ground: found)
        (answer,) = requested(tmp_path, results, "m1,46,20", **above_sea)
        assert answer["state"] == state
        assert answer["possible_dbm"] == ("33.22" if state == "available" else "")


def test_grants_at_once_never_exceed_what_is_allowed(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve decisions at once for requests of half of what is permitted: two are granted."""
    results = publish_examples(tiny, monkeypatch).absolute()
    rows = [f"m{1 + number % 3},46,30.20" for number in range(12)]
    requested(tmp_path, results, *rows)
    engine = open_storage(f"sqlite:///{tmp_path}/loop.db")
    servers = [Served(results, engine, Loop(), Clock()) for _ in range(4)]
    for served in servers:
        served.residual()

    def decided(number: int) -> bool:
        for _ in range(100):
            try:
                with writing(engine) as connection:
                    now_s, served = int(time.time()), servers[number % 4]
                    decide(served, connection, number, grant=True, by="x", reason="", now_s=now_s)
                return True
            except InputError:
                return False
            except OperationalError:  # another one writes for longer than is waited for
                time.sleep(0.05)
        return False

    with ThreadPoolExecutor(4) as pool:
        granted = list(pool.map(decided, range(1, 13)))
    with sqlite3.connect(tmp_path / "loop.db") as connection:
        uses = connection.execute("SELECT eirp_cdbm FROM use WHERE state = 'granted'").fetchall()
    assert sum(granted) == len(uses) == 2
    assert sum(10.0 ** (cdbm / 1000.0) for (cdbm,) in uses) <= 10.0**3.322


# --- listing ------------------------------------------------------------------------------------------------

HEAD = "name,uri,ruleset_ids,approved_from,approved_until,revoked_at\n"
NOW = datetime.now(UTC)


def day(days: float) -> str:
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def approvals(folder: Path) -> list[str]:
    rows = [
        f"Good,https://good.example/paws,ETSI-EN-301-598-2.1.1;X,{day(-10)},{day(100)},",
        f"Over,https://over.example/paws,X,{day(-100)},{day(-10)},",
        f"Long over,https://long.example/paws,X,{day(-100)},{day(-31)},",
        f"Revoked,https://revoked.example/paws,X,{day(-100)},{day(100)},{day(-1)}",
        f"To come,https://later.example/paws,X,{day(1)},{day(100)},",
    ]
    (folder / "approved.csv").write_text(HEAD + "\n".join(rows) + "\n")
    (folder / "neighbours.csv").write_text("authority,uri,name\nAT,https://tvws.example.at/paws,Austria\n")
    line = [
        "listing",
        "build",
        f"{folder}/approved.csv",
        "--authority",
        "SI",
        "--out",
        f"{folder}/listing.json",
    ]
    return [*line, "--neighbours", f"{folder}/neighbours.csv"]


def test_listing_has_the_approved_databases(tmp_path: Path) -> None:
    run(*approvals(tmp_path))
    listing = json.loads((tmp_path / "listing.json").read_text())
    sample = [{"name": "Good", "uris": [{"uri": "https://good.example/paws", "protocol": "paws"}]}]
    assert (listing["dbs"], listing["maxRefreshMinutes"], listing["authority"]) == (sample, 1440, "si")
    shown = {one["name"]: one for one in listing["databases"]}
    assert set(shown) == {"Good", "Over", "Revoked", "To come"}
    assert shown["Revoked"]["revokedAt"] == day(-1)
    assert shown["Good"]["rulesetIds"] == ["ETSI-EN-301-598-2.1.1", "X"]
    assert listing["neighbours"] == [
        {"authority": "at", "uri": "https://tvws.example.at/paws", "name": "Austria"}
    ]
    for uri, code in (("https://good.example/paws", 0), ("https://revoked.example/paws", 1)):
        run("listing", "check", f"{tmp_path}/listing.json", "--uri", uri, code=code)
    now_s = int(NOW.timestamp())
    assert faults_of(listing, None, now_s) == []
    assert faults_of(listing, None, now_s + 8 * 86_400) != []  # holds for a week
    assert faults_of({**listing, "dbs": []}, None, now_s) == ["dbs are not the approved ones of databases"]
    assert faults_of({"dbs": []}, None, now_s) != []
    (tmp_path / "approved.csv").write_text(HEAD + f"Bad,http://x.example,X,{day(0)},{day(1)},\n")
    with pytest.raises(InputError, match=r"row 2.*uri"):
        run(*approvals_line(tmp_path))


def approvals_line(folder: Path) -> list[str]:
    return ["listing", "build", f"{folder}/approved.csv", "--authority", "SI", "--out", f"{folder}/l.json"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs OpenSSL")
def test_signature_tells_a_change(tmp_path: Path) -> None:
    import subprocess

    for command in (
        ["genpkey", "-algorithm", "ed25519", "-out", "private.pem"],
        ["pkey", "-in", "private.pem", "-pubout", "-out", "public.pem"],
        ["genpkey", "-algorithm", "ed25519", "-out", "other.pem"],
        ["pkey", "-in", "other.pem", "-pubout", "-out", "other_public.pem"],
    ):
        subprocess.run(["openssl", *command], cwd=tmp_path, check=True)
    listing = f"{tmp_path}/listing.json"
    run(*approvals(tmp_path), "--key", f"{tmp_path}/public.pem")
    assert len(json.loads(Path(listing).read_text())["keyId"]) == 16
    run("listing", "sign", listing, "--key", f"{tmp_path}/private.pem", "--out", f"{listing}.sig")
    assert len(Path(f"{listing}.sig").read_bytes()) == 64
    run("listing", "check", listing, "--key", f"{tmp_path}/public.pem")
    run("listing", "check", listing, "--key", f"{tmp_path}/other_public.pem", code=1)
    Path(listing).write_text(Path(listing).read_text().replace("good.example", "evil.example"))
    assert "is not by" in run("listing", "check", listing, "--key", f"{tmp_path}/public.pem", code=1)
    with pytest.raises(InputError, match="key"):
        run("listing", "check", listing, "--key", listing)
