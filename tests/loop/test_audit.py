"""Audit of another database: ours passes, one that is too generous in any way does not."""

from __future__ import annotations

import copy
import csv
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyogrio
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.loop.audit_sample import requests_for
from pipeline.query.database import close_database, open_database
from pipeline.query.paws_request import respond
from tests.loop.scene import publish_examples, serving

Line = dict[str, Any]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory):
    """A run, and what our own server answers to a sample of places, some of them outside."""
    from tests.tiny import tiny

    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patched:
        config = tiny.__wrapped__(folder, patched)  # type: ignore[attr-defined]
        results = publish_examples(config, patched).absolute()
        database = open_database(results)
        requests = [
            *requests_for(database, "random:60", "fixed30", 3),
            *requests_for(database, "grid:12", "fixed30", 3),
        ]
        with serving(results, tmp_path_factory.mktemp("db")) as client:
            lines = [
                {
                    "request": request,
                    "response": client.post("/paws", json=request).json(),
                    "receivedAt": datetime(2026, 12, 5, 8, 0, tzinfo=UTC).isoformat(),
                }
                for request in requests
            ]
        yield results, lines, database
        close_database(database)


def audited(scene: Any, folder: Path, change: Callable[[Line], None]) -> tuple[int, Counter[str]]:
    """Exit code and findings for answers of which each was changed."""
    results, lines, _ = scene
    changed = copy.deepcopy(lines)
    for line in changed:
        change(line)
    (folder / "answers.jsonl").write_text("\n".join(json.dumps(line) for line in changed))
    line = [
        "audit",
        "--results",
        str(results),
        "--answers",
        f"{folder}/answers.jsonl",
        "--out",
        f"{folder}/out",
    ]
    done = CliRunner().invoke(app, line)
    verdict = json.loads((folder / "out/audit.json").read_text())
    assert verdict["answers"] == len(lines)
    points = pyogrio.read_info(folder / "out/audit.gpkg", layer="findings")["features"]
    with (folder / "out/audit.csv").open() as table:
        placed = [row for row in csv.DictReader(table) if _is_number(row["lon"]) and _is_number(row["lat"])]
    assert points == len(placed)
    text = (folder / "out/audit.html").read_text()
    assert f"Audit: {verdict['verdict']}" in text
    assert all(name in text for name in verdict["findings"])
    return done.exit_code, Counter(verdict["findings"])


def _is_number(text: str) -> bool:
    try:
        return bool(text) and float(text) is not None
    except ValueError:
        return False


def spectra(line: Line) -> list[Line]:
    specs = line["response"].get("result", {}).get("spectrumSpecs", [])
    return [one for spec in specs for schedule in spec["spectrumSchedules"] for one in schedule["spectra"]]


def test_own_answers_pass(scene: Any, tmp_path: Path) -> None:
    assert audited(scene, tmp_path, lambda line: None) == (0, Counter())
    codes = Counter(line["response"].get("error", {}).get("code") for line in scene[1])
    assert codes[None] > 60
    assert codes[-104] > 3


def test_levels_above_and_below(scene: Any, tmp_path: Path) -> None:
    def raised(by_db: float) -> Callable[[Line], None]:
        def change(line: Line) -> None:
            for spectrum in spectra(line):
                for point in (point for profile in spectrum["profiles"] for point in profile):
                    point["dbm"] += by_db

        return change

    channels = sum(
        len(line["response"]["result"]["channels"]) for line in scene[1] if "result" in line["response"]
    )
    assert audited(scene, tmp_path, raised(0.02)) == (1, Counter(TOO_HIGH=2 * channels))
    assert audited(scene, tmp_path, raised(0.005)) == (0, Counter())
    assert audited(scene, tmp_path, raised(-0.5)) == (0, Counter(TOO_LOW=2 * channels))


def test_uncertainty_ignored(scene: Any, tmp_path: Path) -> None:
    def change(line: Line) -> None:
        request = copy.deepcopy(line["request"])
        request["params"]["location"]["point"] |= {"semiMajorAxis": 0, "semiMinorAxis": 0}
        line["response"] = respond(scene[2], request, datetime(2026, 12, 5, 8, 0, tzinfo=UTC))

    code, found = audited(scene, tmp_path, change)
    assert code == 1
    assert set(found) <= {"UNCERTAINTY_IGNORED", "OUTSIDE_ANSWERED"}
    assert found


def answered(line: Line) -> Line:
    result: Line = line["response"].get("result", {})
    return result


@pytest.mark.parametrize(
    ("name", "code", "change"),
    [
        (
            "SIMULTANEOUS_MISSING",
            1,
            lambda spec: spec.update(etsiEnSimultaneousChannelOperationRestriction="0"),
        ),
        ("TOO_LONG", 1, lambda spec: spec["rulesetInfo"].update(maxPollingSecs=86400)),
        (
            "TOO_LONG",
            1,
            lambda spec: spec["spectrumSchedules"][0]["eventTime"].update(stopTime="2026-12-06T23:00:00Z"),
        ),
        (
            "TOO_LONG",
            1,
            lambda spec: spec["spectrumSchedules"][0]["eventTime"].update(stopTime="9999-12-05T23:00:00Z"),
        ),
        ("BAD_MESSAGE", 0, lambda spec: spec.pop("spectrumSchedules")),
        ("TOO_HIGH", 1, lambda spec: spec["spectrumSchedules"][0]["spectra"].pop(1)),
    ],
)
def test_other_faults(
    scene: Any, tmp_path: Path, name: str, code: int, change: Callable[[Line], None]
) -> None:
    def all_specs(line: Line) -> None:
        for spec in answered(line).get("spectrumSpecs", []):
            change(spec)

    found = audited(scene, tmp_path, all_specs)
    assert found[0] == code
    assert set(found[1]) == {name}


def test_only_adjacent_channels_are_several_too(scene: Any, tmp_path: Path) -> None:
    def change(line: Line) -> None:
        for spec in answered(line).get("spectrumSpecs", []):
            spec["etsiEnSimultaneousChannelOperationRestriction"] = "0"
        for spectrum in spectra(line):
            del spectrum["profiles"][1:]

    code, found = audited(scene, tmp_path, change)
    assert (code, set(found)) == (1, {"SIMULTANEOUS_MISSING", "MISSING_CHANNEL"})


def test_levels_in_another_resolution(scene: Any, tmp_path: Path) -> None:
    def raised(line: Line) -> None:
        for one in [one for one in spectra(line) if one["resolutionBwHz"] == 8e6]:
            other = copy.deepcopy(one) | {"resolutionBwHz": 1e6}
            for point in (point for profile in other["profiles"] for point in profile):
                point["dbm"] -= 9.0  # 9.03 dB for an eighth of the width
            line["response"]["result"]["spectrumSpecs"][0]["spectrumSchedules"][0]["spectra"].append(other)

    code, found = audited(scene, tmp_path, raised)
    assert (code, set(found)) == (1, {"TOO_HIGH"})


def test_no_number_is_no_level(scene: Any, tmp_path: Path) -> None:
    def change(line: Line) -> None:
        for spectrum in spectra(line):
            for point in (point for profile in spectrum["profiles"] for point in profile):
                point["dbm"] = float("nan")

    assert set(audited(scene, tmp_path, change)[1]) == {"BAD_MESSAGE"}


def test_line_whose_request_is_none_is_refused(scene: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"request": "x", "response": {}, "receivedAt": "2026-12-05T08:00:00Z"}')
    out = ["--out", f"{tmp_path}/out"]
    done = CliRunner().invoke(app, ["audit", "--results", str(scene[0]), "--answers", str(path), *out])
    assert "is no answer" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_places_outside_and_old_answers(scene: Any, tmp_path: Path) -> None:
    inside = next(line["response"] for line in scene[1] if answered(line).get("channels"))

    def everywhere(line: Line) -> None:
        if "error" in line["response"]:
            line["response"] = inside

    assert set(audited(scene, tmp_path, everywhere)[1]) == {"OUTSIDE_ANSWERED"}

    def old(line: Line) -> None:
        line["receivedAt"] = "2026-12-05T09:00:00Z"

    assert set(audited(scene, tmp_path, old)[1]) == {"STALE"}

    def refused(line: Line) -> None:
        line["response"] = {"jsonrpc": "2.0", "error": {"code": -301, "message": ""}, "id": "a"}

    code, found = audited(scene, tmp_path, refused)
    assert (code, set(found)) == (0, {"WRONG_CODE"})
