"""The suite of RFC 7545 against this server: in its own process, and by itself over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.loop import rfc7545_suite as suite
from tests.loop.scene import LISTING, RATES_OFF, listening, publish_examples, serving

SUITE = Path(suite.__file__)


def settings_of(folder: Path) -> str:
    (folder / "listing.json").write_text(LISTING)
    return f"{RATES_OFF}listing: {folder}/listing.json\n"


@pytest.fixture
def client(each_database: None, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    results = publish_examples(tiny, monkeypatch)
    with serving(results, tmp_path, settings_of(tmp_path)) as found:
        yield found


def test_conversations(client) -> None:
    """In the order in which a device goes through them, on one server; then what else a client may send."""

    def post(body: bytes, headers: Mapping[str, str]) -> suite.Answer:
        response = client.post("/paws", content=body, headers=dict(headers))
        return suite.Answer(response.status_code, response.headers, response.content)

    assert suite.converse(post) == []
    assert suite.check(post) == []


def test_suite_is_a_program_of_its_own(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Isolated it finds nothing of the program; the server is reached over HTTP as a device reaches it."""
    results = publish_examples(tiny, monkeypatch)
    with listening(results, tmp_path, settings_of(tmp_path)) as url:
        line = [sys.executable, "-I", SUITE, url]
        done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_numbers_that_are_whole_are_written_so(client) -> None:
    text = client.post("/paws", json=suite.QUERY).text
    for part in (
        '"resolutionBwHz":8000000,',
        '"maxLocationChange":50,',
        '"maxTotalBwHz":8000000,',
        '{"hz":494000000,"dbm":24.24}',
    ):
        assert part in text


def test_suite_finds_what_is_wrong() -> None:
    """A server that has one answer for all fails nearly all; each answer is looked at by itself."""

    def always(content: str) -> suite.Post:
        def post(body: bytes, _: Mapping[str, str]) -> suite.Answer:
            sent = json.loads(body) if body[:1] == b"{" and body[-1:] == b"}" and b'"id"' in body else {}
            told = {"jsonrpc": "2.0", "id": sent.get("id")} | json.loads(content)
            return suite.Answer(200, {"content-type": "application/json"}, json.dumps(told).encode())

        return post

    count = len(list(suite.cases()))
    assert count > 500
    good = sum(case.code == 0 for case in suite.cases())
    assert len(suite.check(always('{"result": {}}'))) >= count - good
    refusing = '{"error": {"code": -202, "message": "INVALID_VALUE"}}'
    right = sum(case.code == -202 for case in suite.cases())
    assert len(suite.check(always(refusing))) >= count - right
    assert len(suite.converse(always('{"result": {}}'))) == 2 * len(suite.TALKS)
