"""Ten conversations with a device, word for word: requests that were written down, and what answers them.

The answers are written down too (RFC 7545; levels by hand in the rasters): the program computes none of them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.loop.scene import LISTING, RATES_OFF, desc, place, publish_examples, send, serving

pytestmark = pytest.mark.usefixtures("each_database")
TALKS: dict[str, Any] = json.loads((Path(__file__).parent / "conversations.json").read_text())
# Members of this program beside those of RFC 7545; devices ignore them.
OWN = ("pixel", "channels", "device", "layers", "runId", "location")


@pytest.fixture
def client(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    results = publish_examples(tiny, monkeypatch)
    (tmp_path / "listing.json").write_text(LISTING)
    with serving(results, tmp_path, f"{RATES_OFF}listing: {tmp_path}/listing.json\n") as found:
        yield found


def without_own(answer: Any) -> Any:
    """An answer without the members of our own."""
    if isinstance(answer, dict) and "result" in answer:
        result = {name: value for name, value in answer["result"].items() if name not in OWN}
        for entry in result.get("geoSpectrumSpecs", []):
            for name in set(OWN) - {"location"}:
                entry.pop(name, None)
        return answer | {"result": result}
    return answer


def at_eight(answer: Any) -> Any:
    """An answer whose first minute of the server's clock, which has begun, is the instant of the examples."""
    return json.loads(re.sub(r"T08:00:\d\dZ", "T08:00:00Z", json.dumps(answer)))


def test_conversations(client) -> None:
    """In the order in which a device goes through them, on one server."""
    slave = desc(serialNumber="KS-000007", modelId="Client-10", etsiEnDeviceCategory="slave")
    registration = {
        "type": "REGISTRATION_REQ",
        "version": "1.0",
        "deviceDesc": slave,
        "masterDeviceDesc": desc(),
        "location": place(),
    }
    assert "result" in send(client, "register", registration)
    for name, talk in TALKS.items():
        for _ in range(2):  # the same twice gets the same answer
            response = client.post("/paws", json=talk["request"])
            assert response.status_code == 200, name
            assert response.headers["content-type"] == "application/json"
            assert at_eight(without_own(response.json())) == talk["response"], name


def test_numbers_that_are_whole_are_written_so(client) -> None:
    text = client.post("/paws", json=TALKS["spectrum_for_a_master"]["request"]).text
    for part in (
        '"resolutionBwHz":8000000,',
        '"maxLocationChange":50,',
        '"maxTotalBwHz":8000000,',
        '{"hz":494000000,"dbm":24.24}',
    ):
        assert part in text
