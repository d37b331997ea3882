"""`channelmaps validate`: what it reports, `--lenient`, and that all stages refuse what it refuses."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.cli import main as cli
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.plan.plan import load_plan
from pipeline.publish.manifest import make_manifest, utc_now
from pipeline.territory.rasters import CheckedTerritory
from pipeline.workflow import run as runs
from pipeline.workflow.validate import ROOMS, validate_command

# Those for which the shipped table of protection ratios has rows.
OFFSETS = set(range(-10, 11))


def report(capsys: pytest.CaptureFixture[str], path: Path, *, lenient: bool = False) -> dict[str, list[str]]:
    """The lines that validate prints, by their first words."""
    validate_command(path, lenient=lenient)
    title, *lines = capsys.readouterr().out.splitlines()
    found = {"title": [title]}
    for line in lines:
        assert line.startswith("  ")
        found.setdefault(line[2:16].strip(), []).append(line[16:])
    return found


def channels_of(ranges: list[str | int]) -> set[int]:
    """`["21-23", 30]` as a set, written out independently of the configuration's own reader."""
    found: set[int] = set()
    for item in ranges:
        first, _, last = str(item).partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def named(lines: list[str], names: Collection[str]) -> set[str]:
    """Those of some names with which a line begins."""
    return {line.split(":")[0] for line in lines} & set(names)


def check_report(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    """Compare the report of a shipped territory with its files, read with nothing of the package."""
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    register = pd.concat(pd.read_csv(file) for file in settings["registers"]["transmitters"])
    said = report(capsys, path)
    assert said["title"] == [f"{path.stem}: {settings['title']}"]
    assert f"transmitters {len(register)}," in said["transmitters"][0]
    wsd = channels_of(settings["channels"]["wsd"])
    limiting = {c for c in register["channel"] if wsd & {c + offset for offset in OFFSETS}}
    assert said["DTT channels"] == [" ".join(map(str, sorted(limiting)))]
    assert said["for channels"] == [" ".join(map(str, sorted(wsd)))]
    assert settings["grid"]["crs"] in said["grid"][0]
    assert f"{settings['grid']['resolution_m']:g} m" in said["grid"][0]
    left_out = {
        name for name, service in settings["services"].items() if service.get("status") == "out_of_scope"
    }
    absent = {name for name, service in settings["services"].items() if service.get("applicable") is False}
    assert named(said.get("not evaluated", []), settings["services"]) == left_out - absent
    assert named(said.get("not present", []), settings["services"]) == absent
    q_min = settings["coverage"]["q_min"]
    open_numbers = "\n".join(said.get("not verified", []))
    assert (f"coverage.q_min = {q_min['value']}" in open_numbers) == (not q_min["verified"])
    assert ("not for licensing" in "".join(said.get("product", []))) == bool(left_out - absent)


def test_default_territory_is_reported_as_its_files_say(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    check_report(capsys, Path("configs/slovenia.yaml"))


@pytest.mark.slow
@pytest.mark.shared_data
def test_real_territory_is_reported_as_its_files_say(
    repository: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shared.is_dir()
    monkeypatch.chdir(repository)
    check_report(capsys, Path("configs/lithuania.yaml"))


def test_levels_above_the_cap_and_open_numbers_are_named(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.write_text(tiny.read_text().replace("cap_dbm: 36.0", "cap_dbm: 19.5"))
    said = report(capsys, tiny)
    assert said["not written"] == [
        "fixed30 at 20 dBm: above its cap of 19.5 dBm",
        "fixed30 at 36 dBm: above its cap of 19.5 dBm",
    ]
    numbers = [line.split(" = ")[0] for line in said["not verified"]]
    assert numbers == [
        "coverage.q_min",
        "protection.idle_penalty_db",
        "protection.overload_idle_db",
        "devices.0.min_separation_m",
    ]
    assert said["product"] == ["DTT only, not for licensing"]


def test_validate_writes_nothing(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(capsys, tiny)
    assert sorted(path.name for path in tiny.parent.iterdir()) == ["register.csv", "tiny.yaml"]


BAD_ROWS = {3: ("erp_kw", "-1"), 5: ("multiplex_mode", "1024QAM 2/3")}


@pytest.fixture
def with_bad_rows(tiny: Path) -> Path:
    """The tiny territory with one fault each in the lines 3 (station B) and 5 (station D)."""
    path = tiny.parent / "register.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for line, (column, value) in BAD_ROWS.items():
        rows[line - 2][column] = value
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return tiny


def test_lenient_lists_the_rows_it_leaves_out(
    with_bad_rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=r"register\.csv, row 3, field erp_kw.*1 more bad row"):
        validate_command(with_bad_rows)
    said = report(capsys, with_bad_rows, lenient=True)
    assert len(said["rejected"]) == 2
    for line, (row, (column, value)) in zip(said["rejected"], BAD_ROWS.items(), strict=True):
        assert line.startswith(f"register.csv, row {row}, field {column}")
        assert value in line
    assert said["DTT channels"] == ["21 23"]
    assert "transmitters 3, rejected_rows 2" in said["transmitters"][0]


def test_lenient_run_keeps_its_settings_and_counts_in_the_manifest(
    with_bad_rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = []

    def finished(command: list[str], **_: object) -> object:
        commands.append(command)
        return runs.subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(runs.subprocess, "run", finished)
    with pytest.raises(InputError):
        runs.run_command(with_bad_rows)
    assert commands == []
    assert runs.run_command(with_bad_rows, runs.RunOptions(lenient=True)) == 0
    (command,) = commands
    copy = Path("build/tiny/lenient.yaml")
    assert f"territory={copy}" in command
    plain = yaml.safe_load(with_bad_rows.read_text())
    assert yaml.safe_load(copy.read_text()) == plain | {
        "name": "tiny",
        "registers": {"transmitters": ["register.csv"], "lenient": True},
    }
    plan = load_plan(copy)
    assert (plan.build, plan.results) == (Path("build/tiny"), Path("results/tiny"))
    assert plan.victims == [21, 23]
    manifest = make_manifest(plan, "run", {}, {}, utc_now())
    assert manifest["register"]["rejected_rows"] == 2
    assert manifest["register"]["transmitters"] == 3


@pytest.mark.parametrize("stage", [["territory"], ["terrain", "--tile", "n46e014"], ["publish"]])
def test_stages_refuse_an_unknown_mode_as_validate_does(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: list[str]
) -> None:
    register = tiny.parent / "register.csv"
    register.write_text(register.read_text().replace("64QAM 2/3", "64QAM 9/9", 1))
    lines = []
    for arguments in (
        ["validate", "tiny.yaml"],
        ["job", *stage, "--config", "tiny.yaml", "--build", "build"],
    ):
        monkeypatch.setattr(cli.sys, "argv", ["channelmaps", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code == 2
        lines.append(capsys.readouterr().err)
    assert "register.csv, row 2, field multiplex_mode: unknown mode of DVB-T; found '64QAM 9/9'" in lines[0]
    assert lines[1] == lines[0]
    assert not (tiny.parent / "build").exists()


def test_every_stage_reads_the_register_in_the_one_checked_way(repository: Path) -> None:
    sources = [*(repository / "pipeline").rglob("*.py")]
    users = {path.name for path in sources if "read_transmitters" in path.read_text(encoding="utf-8")}
    assert users == {"transmitters.py"}


def test_grid_holds_the_box_with_the_margin(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = report(capsys, tiny)["grid"][0].split()
    width, height = int(words[0]), int(words[2])
    # 0.3 degrees of longitude at 46.1 N and 0.2 degrees of latitude, in pixels of 500 m.
    box = np.array([0.3 * 111.32 * np.cos(np.radians(46.1)), 0.2 * 111.15]) / 0.5
    margins = (np.array([width, height]) - box) / 2.0
    assert margins[0] == pytest.approx(margins[1], abs=2.0)
    assert margins.min() > 40.0  # the device reaches farther than 20 km


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_rooms_are_asked_with_one_signature(room: ModuleType) -> None:
    hints = get_type_hints(room.check)
    assert [*hints.values()] == [Config, CheckedTerritory, Iterator[str]]
