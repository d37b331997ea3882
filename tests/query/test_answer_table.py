"""`channelmaps query` at a terminal: a table with what the message holds."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.query.answer_table import answer_text
from pipeline.query.query import Request, answer, close_database, open_database
from tests.published import publish, with_devices


@pytest.fixture
def results(tiny: Path) -> Path:
    with_devices(tiny, ("a30", "A", 1, 30.0), ("a10", "A", 1, 10.0))
    publish(tiny)
    return tiny.parent / "results/tiny/latest"


@pytest.fixture
def at_terminal(results: Path, repository: Path) -> Callable[..., tuple[int, str]]:
    """Exit code and all output of the command where its output is a terminal."""

    def call(*arguments: str) -> tuple[int, str]:
        upper, lower = pty.openpty()
        command = [sys.executable, "-m", "pipeline", "query", "--results", str(results), *arguments]
        environment = os.environ | {"PYTHONPATH": str(repository)}
        done = subprocess.run(command, stdout=lower, stderr=lower, env=environment, check=False)
        os.close(lower)
        return done.returncode, os.read(upper, 100_000).decode()

    return call


def test_table_has_channels_edges_and_limits_of_the_message(results: Path) -> None:
    database = open_database(results)
    message = answer(database, Request(14.16, 46.1, uncertainty_m=50.0))
    text = answer_text(database.facts, message)
    close_database(database)
    rows = re.findall(r"^ +(\d+) +([\d.]+) - ([\d.]+) +(-?[\d.]+)$", text, re.MULTILINE)
    assert [(int(row[0]), float(row[3])) for row in rows] == [
        (entry["channel"], entry["dbm"]) for entry in message["channels"]
    ]
    assert rows
    for channel, low, high, _ in rows:
        centre_mhz = 474 + 8 * (int(channel) - 21)
        assert (float(low), float(high)) == (centre_mhz - 4, centre_mhz + 4)
    assert f"{len(rows)} of 10 channels available" in text
    assert "46.10000 N, 14.16000 E, within 50 m" in text
    assert "a10, a30" in text


def test_channels_that_are_absent_are_named(results: Path) -> None:
    database = open_database(results)
    message = answer(database, Request(14.16, 46.1))
    close_database(database)
    kept = [entry for entry in message["channels"] if entry["channel"] in {21, 25}]
    facts = database.facts
    text = answer_text(facts, message | {"channels": kept})
    assert text.endswith("Not to be used: 22 to 24, 26 to 30." if len(kept) == 2 else ".")
    none = answer_text(facts, message | {"channels": []})
    assert "0 of 10 channels available.\nNot to be used: 21 to 30." in none
    assert "max dBm" not in none


def test_terminal_gets_a_table_and_json_when_asked(at_terminal: Callable[..., tuple[int, str]]) -> None:
    place = ("--lon", "14.16", "--lat", "46.1")
    code, text = at_terminal(*place)
    assert code == 0
    assert "channels available" in text
    assert "{" not in text
    assert at_terminal(*place, "--json")[1].lstrip().startswith("{")
    code, text = at_terminal("--lon", "14.16", "--lat", "60")
    assert code == 0
    assert "OUTSIDE_COVERAGE" in text
    assert "{" not in text
