"""The command on files in a temporary folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.coordination.radar.cr372_register import radar_apply_command
from pipeline.errors import InputError


class Result(NamedTuple):
    refused: bool
    report: list[dict[str, Any]]
    out: bytes | None

    def codes(self, severity: str | None = None) -> list[str]:
        return [e["code"] for e in self.report if severity in (None, e["severity"])]


Apply = Callable[..., Result]


@pytest.fixture
def apply(tmp_path: Path) -> Apply:
    def run(
        register: bytes | str, submission: bytes | str, mode: str = "strict", day: str = "20.01.2015"
    ) -> Result:
        paths = {name: tmp_path / name for name in ("db.csv", "in.csv", "new.csv", "report.json")}
        for name, content in (("db.csv", register), ("in.csv", submission)):
            paths[name].write_bytes(content if isinstance(content, bytes) else content.encode("latin-1"))
        for name in ("new.csv", "report.json"):
            paths[name].unlink(missing_ok=True)
        before = paths["db.csv"].read_bytes()
        try:
            radar_apply_command(
                paths["db.csv"], paths["in.csv"], mode, paths["new.csv"], paths["report.json"], day
            )
            refused = False
        except InputError:
            refused = True
        assert paths["db.csv"].read_bytes() == before
        assert not list(tmp_path.glob(".*.tmp"))
        out = paths["new.csv"].read_bytes() if paths["new.csv"].exists() else None
        report = json.loads(paths["report.json"].read_text(encoding="ascii"))
        assert all(set(e) == {"line", "code", "severity", "field", "value", "message"} for e in report)
        assert refused == (out is None)
        if mode == "strict" and not refused:
            assert not any(e["severity"] == "ERROR" for e in report)
        return Result(refused, report, out)

    return run
