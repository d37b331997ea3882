"""What a server tells beside PAWS: places, the register to who may see it, public files and no others."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
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
        ("lon=1_5&lat=46", 400, -202),
        ("lon=%D9%A1%D9%A5&lat=46", 400, -202),
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
        for after in ("x", "-1", "1.5", "", "9" * 19):
            odd = client.get(f"{path}?after={after}", headers={"authorization": "Bearer secret"})
            assert odd.status_code == 400
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


ODD_TEXTS = (
    "",
    "0",
    "-1",
    "15.2206",
    "46.4003",
    "1e308",
    "-1e999",
    "nan",
    "inf",
    "٤",
    "1_0",
    " 1 ",
    "fixed30",
    "%00",
    "x" * 5000,
    "15.22&lon=14",
    "ä",
    "9" * 400,
)


def odd_requests(described: dict, rng: random.Random, count: int) -> Iterator[tuple[str, str, bytes, dict]]:
    """Method, address, body and headers of requests to the paths of a description, with odd values."""
    calls = [
        (path, method, call) for path, calls in described["paths"].items() for method, call in calls.items()
    ]
    for _ in range(count):
        path, method, call = rng.choice(calls)
        names = [one["name"] for one in call.get("parameters", [])]
        given = rng.choices([*names, "nothing"], k=rng.randint(0, 4))
        query = "&".join(f"{name}={rng.choice(ODD_TEXTS)}" for name in given)
        entry = rng.choice([{}, [], 5, [{}], [{"device": 5}], [{"device": "x", "from": "", "until": None}]])
        body = json.dumps(entry).encode() if "requestBody" in call else b""
        token = rng.choice(["secret", "wrong", ""])
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": rng.choice(["application/json", "text/csv", ""]),
        }
        yield method.upper(), f"{path}?{query}", body, headers


def test_odd_requests_get_an_answer_that_is_described(client: TestClient) -> None:
    """Every status is one that the description has for the path; none is a fault of the server."""
    described = client.get("/v1/openapi.json").json()
    tried = set()
    for method, address, body, headers in odd_requests(described, random.Random(1), 600):
        response = client.request(method, address, content=body, headers=headers)
        path = address.partition("?")[0]
        tried.add(path)
        assert str(response.status_code) in described["paths"][path][method.lower()]["responses"], address
    assert tried == set(described["paths"])
