"""The device that manufacturers read goes through its life on a server that runs."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

from tests.loop.databases import url_of
from tests.loop.scene import BEGIN, listening, publish_examples
from tests.loop.test_devices import run

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "device.py"


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("example_device", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["example_device"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["example_device"]


def test_it_needs_nothing_of_the_program() -> None:
    tree = ast.parse(EXAMPLE.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_life_of_a_device(example, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers, asks, reports, moves, loses contact, comes back, is withdrawn."""
    results = publish_examples(tiny, monkeypatch)
    now_s = BEGIN.timestamp() + 1.0
    db = url_of(tmp_path)
    with listening(results, tmp_path) as url:
        device = example.Device(url, "E-1", 28.0, clock=lambda: now_s)
        device.place = (46.4003, 15.2206)
        device.begin()
        assert device.on_air() is None
        assert device.poll() == "on air"
        assert device.on_air()[:2] == (670e6, 33.22)  # the strongest channel, 46
        assert "active" in run("devices", "show", device_key(db), "--db", db)
        device.place = (46.4003, 15.2206 + 60.0 / 76_900.0)  # 60 m east: more than 50 m
        assert device.on_air() is None
        assert device.poll() == "on air"
        assert device.on_air() is not None
        device.url = "http://127.0.0.1:1/paws"  # nobody there
        assert device.poll().startswith("no answer")
        assert device.on_air() is not None
        now_s += 901.0
        assert device.on_air() is None
        device.url = url
        now_s -= 901.0  # the clock of the server did not go on
        assert device.poll() == "on air"
        run("devices", "withdraw", "--device", device_key(db), "--reason", "test", "--db", db)
        assert device.poll() == "UNAUTHORIZED: withdrawn: test"
        assert device.on_air() is None


def device_key(db: str) -> str:
    """The key of the only device."""
    return run("devices", "list", "--db", db).split("\t")[0]
