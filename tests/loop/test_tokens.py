"""Tokens of owners' devices, and the traffic that masters tell of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from pipeline.loop.storage import writing
from pipeline.loop.tables import DEVICE
from tests.loop.databases import rows, url_of
from tests.loop.scene import BEGIN, RATES_OFF, desc, params, publish_examples, serving
from tests.loop.test_devices import run

pytestmark = pytest.mark.usefixtures("each_database")
HASHES = {name: sha256(name.encode()).hexdigest() for name in ("of-dolina", "of-gora", "of-all", "admin")}
TOKENS = f"{{{HASHES['of-dolina']}: dolina, {HASHES['of-gora']}: gora, {HASHES['of-all']}: ''}}"
PERIOD = {"from": "2026-12-05T08:00:00Z", "until": "2026-12-05T09:00:00Z"}


@pytest.fixture
def client(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    results = publish_examples(tiny, monkeypatch)
    loop = f"{RATES_OFF}client_tokens: {TOKENS}\nadmin_token_sha256: {HASHES['admin']}\n"
    with serving(results, tmp_path, loop) as found:
        yield found


def code_of(client: TestClient, method: str, token: str | None, **members: Any) -> int:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    message = {"jsonrpc": "2.0", "id": "1", "method": f"spectrum.paws.{method}"}
    answer = client.post(
        "/paws", json=message | {"params": params(method, **members)}, headers=headers
    ).json()
    return int(answer.get("error", {"code": 0})["code"])


def test_devices_bring_the_token_of_their_owner(client: TestClient) -> None:
    for token, code in ((None, -301), ("nonsense", -301), ("admin", -301), ("of-dolina", 0)):
        assert code_of(client, "register", token) == code
    with writing(client.app.state.worker.served.engine) as connection:  # type: ignore[attr-defined]
        connection.execute(update(DEVICE).values(owner_key="dolina"))
    for method in ("init", "getSpectrum"):
        for token, code in ((None, -301), ("of-gora", -301), ("of-dolina", 0), ("of-all", 0)):
            assert code_of(client, method, token) == code
    assert code_of(client, "getSpectrum", "of-gora", deviceDesc=desc(serialNumber="ANOTHER")) == 0


def told(client: TestClient, token: str | None, entries: Any, **headers: str) -> tuple[int, Any]:
    given = {"content-type": "application/json"} | headers
    given |= {} if token is None else {"authorization": f"Bearer {token}"}
    content = entries if isinstance(entries, str) else json.dumps(entries)
    response = client.post("/v1/telemetry", content=content, headers=given)
    return response.status_code, response.json() if response.content else None


def test_traffic_is_kept_and_reported(client: TestClient, tmp_path: Path) -> None:
    assert code_of(client, "register", "of-dolina") == 0
    with writing(client.app.state.worker.served.engine) as connection:  # type: ignore[attr-defined]
        connection.execute(update(DEVICE).values(owner_key="dolina", register_id="m1"))
    entry = PERIOD | {"device": "m1", "bytes_up": 2**40, "bytes_down": 5, "outage_s": 12.5}
    assert told(client, "of-dolina", [entry]) == (200, {"stored": 1})
    assert told(client, "of-dolina", [entry | {"bytes_down": 7}]) == (200, {"stored": 1})  # told again
    later = "device,from,until,bytes_up,snr_db\nm1,2026-12-05T09:00:00Z,2026-12-05T09:30:00Z,100,\n"
    assert told(client, "of-all", later, **{"content-type": "text/csv"}) == (200, {"stored": 1})
    assert rows(tmp_path, "SELECT bytes_down, snr_db FROM telemetry ORDER BY from_at") == [
        (7, None),
        (None, None),
    ]
    run("devices", "report", "--out", f"{tmp_path}/report.csv", "--db", url_of(tmp_path))
    lines = (tmp_path / "report.csv").read_text().splitlines()
    assert any(line.startswith("traffic in octets,") and line.endswith(f",2,{2**40 + 107}") for line in lines)
    assert any(line.startswith("outage in s,") and line.endswith(",2,12.5") for line in lines)
    client.app.state.worker.journal.forget(round(BEGIN.timestamp()) + 500 * 86_400, 400)  # type: ignore[attr-defined]
    assert rows(tmp_path, "SELECT COUNT(*) FROM telemetry") == [(0,)]


def test_table_without_its_columns_is_refused(client: TestClient) -> None:
    as_csv = {"content-type": "text/csv"}
    for table in ("{}", "", "device,from\n"):
        assert told(client, "admin", table, **as_csv)[0] == 400
    assert told(client, "admin", "device,from,until\n", **as_csv) == (200, {"stored": 0})


@pytest.mark.parametrize(
    ("token", "entries", "status"),
    [
        (None, [], 401),
        ("nonsense", [], 401),
        ("admin", [], 200),
        ("of-dolina", {}, 400),
        ("of-dolina", "nonsense", 400),
        ("of-dolina", [PERIOD], 400),
        ("of-dolina", [PERIOD | {"device": "m9"}], 404),
        ("of-dolina", [PERIOD | {"device": "m9", "bytes_up": -1}], 400),
        ("of-dolina", [PERIOD | {"device": "m9", "place": "here"}], 400),
        ("of-dolina", [PERIOD | {"device": "m9", "until": "2026-12-05T09:00:01Z"}], 400),
        ("of-dolina", [PERIOD | {"device": "m9", "until": "2026-13-05T09:00:00Z"}], 400),
        ("of-dolina", "[" * 100_000, 400),
    ],
)
def test_what_is_no_traffic_is_refused(client: TestClient, token: str, entries: Any, status: int) -> None:
    assert told(client, token, entries)[0] == status
