"""What a server tells beside PAWS: places, the register to who may see it, public files and no others."""

from __future__ import annotations

from hashlib import sha256

import pytest
from starlette.testclient import TestClient

from pipeline.loop.request_limits import Buckets
from tests.loop.scene import RATES_OFF, ask, publish_examples, serving, used

TOKEN = f"admin_token_sha256: {sha256(b'secret').hexdigest()}\n"
PLACE = "/v1/availability?lon=15.2206&lat=46.4003"


@pytest.fixture(scope="module")
def client(each_database: None, tmp_path_factory: pytest.TempPathFactory):
    from tests.tiny import tiny

    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patched:
        config = tiny.__wrapped__(folder, patched)  # type: ignore[attr-defined]
        results = publish_examples(config, patched).absolute()
        with serving(results, tmp_path_factory.mktemp("db"), RATES_OFF + TOKEN) as found:
            yield found


def test_availability_is_that_of_a_query(client: TestClient) -> None:
    found = client.get(f"{PLACE}&height=28&uncertainty=20").json()
    assert [one["channel"] for one in found["channels"]] == [24, 25, 26, 46, 47]
    for query, status, code in (
        ("lon=15.4395&lat=47.0707", 404, -104),
        ("lon=x&lat=46", 400, -202),
        ("lon=15", 400, -201),
        ("lon=nan&lat=46", 400, -202),
        ("lon=15.2206&lat=46.4003&device=none", 400, -102),
    ):
        response = client.get(f"/v1/availability?{query}")
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_register_is_shown_to_who_has_the_token(client: TestClient) -> None:
    ask(client, "register")
    ask(client, "getSpectrum")
    ask(client, "notifySpectrumUse", spectra=used(670e6, 30.0))
    for path in ("/v1/devices", "/v1/uses"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
        (row,) = client.get(path, headers={"authorization": "Bearer secret"}).json()
        assert row["state"] in ("registered", "active")
        assert (
            client.get(f"{path}?after={row['id']}", headers={"authorization": "Bearer secret"}).json() == []
        )


def test_metrics(client: TestClient) -> None:
    ask(client, "init")
    text = client.get("/metrics").text
    assert 'channelmaps_requests_total{method="init",code="0"}' in text
    assert "KX-000451" not in text


def test_public_files_and_no_others(client: TestClient) -> None:
    assert client.get("/public/query_fixed30.tif").status_code == 200
    part = client.get("/public/query_fixed30.tif", headers={"range": "bytes=0-3"})
    assert (part.status_code, part.content[:2]) == (206, b"II")
    for path in (
        "/public/../manifest.json",
        "/public/%2e%2e/manifest.json",
        "/public//etc/passwd",
        "/internal/manifest.json",
    ):
        assert client.get(path).status_code == 404


def test_every_path_is_described(client: TestClient) -> None:
    described = client.get("/v1/openapi.json").json()
    assert described["openapi"].startswith("3.")
    for path in described["paths"]:
        assert client.get(path).status_code != 404


def test_places_are_not_asked_for_without_end(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = client.app.state.worker
    monkeypatch.setitem(worker._buckets, "place", Buckets(0.1, 2))
    statuses = [client.get(PLACE) for _ in range(3)]
    assert [one.status_code for one in statuses] == [200, 200, 429]
    assert int(statuses[2].headers["retry-after"]) in (10, 11)
    assert "result" in ask(client, "init")  # devices behind the address are still answered
