"""The benchmark driver survives modules that are absent, skipped, slow or broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import __main__ as bench


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with benchmark modules of its own."""
    place = tmp_path / "tests" / "bench"
    place.mkdir(parents=True)
    for name in ("__main__.py", "common.py"):
        (place / name).write_text((bench.FOLDER / name).read_text())
    monkeypatch.setattr(bench, "FOLDER", place)
    monkeypatch.setattr(bench, "REPOSITORY", tmp_path)
    return place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def measure():\n    print('noise')\n    return {'x_s': 1.5}\n", {"x_s": 1.5}),
        (
            "from tests.bench.common import Skipped\ndef measure():\n    raise Skipped('no data')\n",
            {"skipped": "no data"},
        ),
        ("def measure():\n    raise ValueError\n", {"failed": "exit code 1"}),
        ("import time\ndef measure():\n    time.sleep(60)\n", {"failed": "took longer than 1 s"}),
    ],
)
def test_measure_apart_reports_what_happened(folder: Path, text: str, expected: dict[str, object]) -> None:
    (folder / "links.py").write_text(text)
    limit_s = 1 if "sleep" in text else 60
    assert bench.measure_apart("links", limit_s) == expected


def test_main_writes_all_results_and_fails_if_one_failed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "links.py").write_text("def measure():\n    return {'links_per_s': 2.0}\n")
    assert bench.main() == 0
    written = json.loads((folder.parents[1] / "benchmarks/latest.json").read_text())
    assert written["links_per_s"] == 2.0
    assert "italy" in written["skipped"]
    assert "links_per_s" in capsys.readouterr().out
    (folder / "links.py").write_text("1 / 0\n")
    assert bench.main() == 1
