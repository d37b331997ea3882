"""Clients that no server should stumble over: odd numbers and names, odd headers, a clock that goes back."""

from __future__ import annotations

import gzip
import json
import shutil
import ssl
import subprocess
import time
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from pipeline.loop import journal, server
from pipeline.loop.serve import listening as address
from pipeline.loop.serve import uvicorn_options
from tests.loop.scene import (
    BEGIN,
    RATES_OFF,
    ask,
    desc,
    listening,
    params,
    place,
    publish_examples,
    serving,
    used,
)
from tests.loop.test_rest import TOKEN

pytestmark = pytest.mark.usefixtures("each_database")
FCC = "rulesets: [{id: FccTvBandWhiteSpace-2010, profiles: {FIXED: fixed30}}]\n"


def card(name: str) -> dict[str, Any]:
    return {"owner": ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", name]]]}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    from tests.tiny import tiny

    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patched:
        config = tiny.__wrapped__(folder, patched)  # type: ignore[attr-defined]
        yield publish_examples(config, patched)


@pytest.fixture
def client(results: Path, tmp_path: Path):
    with serving(results, tmp_path, RATES_OFF + TOKEN) as found:
        yield found


def code(answer: dict[str, Any]) -> int:
    return answer.get("error", {"code": 0})["code"]


@pytest.mark.parametrize("lon", [1e12, 1e300, -1e300])
def test_places_beyond_the_earth_do_not_stop_the_journal(client: TestClient, lon: float) -> None:
    assert code(ask(client, "getSpectrum", location=place(46.0, lon))) == -202
    client.app.state.worker.journal.flush()
    ask(client, "getSpectrum")
    assert code(ask(client, "notifySpectrumUse", spectra=used(670e6, 30.0))) == 0


def test_line_that_cannot_be_written_holds_up_no_other(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = journal.note_device

    def note_but_one(connection: Any, given: Any, now_s: int) -> None:
        if given.device.serial_number == "odd":
            raise ValueError
        note(connection, given, now_s)

    monkeypatch.setattr(journal, "note_device", note_but_one)
    ask(client, "getSpectrum", deviceDesc=desc(serialNumber="odd"))
    ask(client, "getSpectrum")
    assert code(ask(client, "notifySpectrumUse", spectra=used(670e6, 30.0))) == 0


def test_name_with_a_nul_is_refused(client: TestClient) -> None:
    assert code(ask(client, "getSpectrum", deviceDesc=desc(serialNumber="a\0"))) == -202


def test_address_is_the_last_of_several_lines(results: Path, tmp_path: Path) -> None:
    loop = "rate: {device_per_s: 0, address_per_s: 0.001, address_burst: 1}\n"
    with serving(results, tmp_path, loop, behind_proxy=True) as client:
        body = json.dumps({"jsonrpc": "2.0", "id": "1", "method": "x"})
        statuses = [
            client.post(
                "/paws",
                content=body,
                headers=[
                    ("content-type", "application/json"),
                    ("x-forwarded-for", f"10.0.0.{number}"),
                    ("x-forwarded-for", "192.0.2.1"),
                ],
            ).status_code
            for number in range(2)
        ]
    assert statuses == [200, 429]


def test_nothing_is_redirected(client: TestClient) -> None:
    assert client.post("/paws/", json={}, follow_redirects=False).status_code == 404


def test_no_decision_while_the_clock_is_back(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(client, "init")
    clock, now_s = client.app.state.worker.served.clock, BEGIN.timestamp() - 3600
    monkeypatch.setattr(clock, "now_s", lambda: now_s)
    response = client.post("/paws", json={"jsonrpc": "2.0", "id": "1", "method": "x"})
    assert (response.status_code, "retry-after" in response.headers) == (503, True)
    now_s += 7200
    assert code(ask(client, "init")) == 0


def test_names_of_no_method_are_counted_together(client: TestClient) -> None:
    for number in range(3):
        client.post("/paws", json={"jsonrpc": "2.0", "id": "1", "method": f"method{number}"})
    assert "method1" not in client.get("/metrics").text
    assert 'method="other",code="-32601"} 3' in client.get("/metrics").text


@pytest.mark.parametrize("after", ["²", "9" * 30, "x", "-1"])
def test_odd_row_numbers_are_refused(client: TestClient, after: str) -> None:
    headers = {"authorization": "Bearer secret"}
    assert client.get("/v1/uses", params={"after": after}, headers=headers).status_code == 400


def test_null_members_of_other_rules_are_absent(results: Path, tmp_path: Path) -> None:
    with serving(results, tmp_path, RATES_OFF + FCC) as client:
        given = desc(fccId=None, fccTvbdDeviceType=None, rulesetIds=None)
        (spec,) = ask(client, "getSpectrum", deviceDesc=given)["result"]["spectrumSpecs"]
    assert spec["rulesetInfo"]["rulesetId"] == "ETSI-EN-301-598-2.1.1"


def test_owner_is_not_changed_by_asking(client: TestClient) -> None:
    assert code(ask(client, "register", deviceOwner=card("A"))) == 0
    assert code(ask(client, "getSpectrum", owner=card("A"))) == 0
    assert code(ask(client, "getSpectrum", owner=card("B"))) == -202


def test_registration_is_refused_in_the_order_of_checks(results: Path, tmp_path: Path) -> None:
    abroad = params("register", location=place(47.0707, 15.4395))["location"]
    with serving(results, tmp_path, RATES_OFF + "registration: off\n") as client:
        assert code(ask(client, "register", location=abroad)) == -104
        assert code(ask(client, "register")) == -103
    own = "rulesets: [{id: ETSI-EN-301-598-2.1.1, registration: off}]\n"
    with serving(results, tmp_path, RATES_OFF + own) as client:
        assert code(ask(client, "register", location=abroad)) == -302


def test_body_that_was_cut_off_is_refused(client: TestClient) -> None:
    packed = gzip.compress(json.dumps({"jsonrpc": "2.0", "id": "1", "method": "x"}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    statuses = [
        client.post("/paws", content=body, headers=headers).status_code for body in (packed, packed[:-8])
    ]
    assert statuses == [200, 400]


def test_fault_in_keeping_house_does_not_end_it(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def forget(now_s: int, keep_days: int) -> None:
        calls.append(now_s)
        raise OSError

    monkeypatch.setattr(server, "_FORGET_S", 0.0)
    with serving(results, tmp_path) as client:
        client.app.state.worker.journal.forget = forget
        until_s = time.monotonic() + 10.0
        while len(calls) < 2 and time.monotonic() < until_s:
            time.sleep(0.05)
    assert len(calls) > 1


def test_database_that_cannot_be_written_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise OperationalError("", {}, Exception("database or disk is full"))

    with monkeypatch.context() as patched:
        patched.setattr(client.app.state.worker.journal, "_write", full)
        ask(client, "init")
        client.app.state.worker.journal.flush()
        response = client.get("/health")
        assert (response.status_code, response.json()["db"]) == (503, "failed")
    client.app.state.worker.journal.flush()
    assert client.get("/health").status_code == 200


def test_master_of_the_register_is_no_slave(client: TestClient) -> None:
    ask(client, "register")
    given = desc(etsiEnDeviceCategory="slave")
    (found,) = ask(client, "verifyDevice", deviceDescs=[given])["result"]["deviceValidities"]
    assert (found["isValid"], found["reason"]) == (False, "not a slave")


def test_availability_is_told_by_the_clock_of_the_server(client: TestClient) -> None:
    found = client.get("/v1/availability?lon=15.2206&lat=46.4003").json()
    assert found["timestamp"].startswith("2026-12-05T08:0")


# --- certificates of clients --------------------------------------------------------------------------------


def certificate(folder: Path, name: str, *more: str) -> Path:
    """A certificate in ``<name>.pem``, its key in ``<name>.key``; signed by itself, or by ``-CA`` of more."""
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    files = ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
    line = ["openssl", "req", "-x509", *made, *files, *more]
    subprocess.run(line, cwd=folder, check=True, capture_output=True)
    return folder / f"{name}.pem"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs OpenSSL to make certificates")
def test_only_clients_with_a_certificate_are_answered(results: Path, tmp_path: Path) -> None:
    ca = certificate(tmp_path, "ca")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE")
    own = certificate(tmp_path, "server", *signed, "-addext", "subjectAltName=IP:127.0.0.1")
    known, stranger = certificate(tmp_path, "known", *signed), certificate(tmp_path, "stranger")
    where = address("127.0.0.1:0", own, own.with_suffix(".key"), workers=1, client_ca=ca)

    def status(url: str, client: Path | None) -> int:
        context = ssl.create_default_context(cafile=ca)
        if client is not None:
            context.load_cert_chain(client, client.with_suffix(".key"))
        connection = HTTPSConnection(urlsplit(url).netloc, context=context, timeout=60)
        with closing(connection):
            connection.request("GET", "/health")
            return connection.getresponse().status

    with listening(results, tmp_path, **uvicorn_options(where)) as url:
        assert status(url, known) == 200
        for client in (None, stranger):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                status(url, client)
        assert status(url, known) == 200
