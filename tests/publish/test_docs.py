"""The documents name every file of a run, no file that no run has, and only files that are there."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
import typer

from pipeline.cli.main import app
from pipeline.config.products import Publish
from pipeline.plan.plan import load_plan
from pipeline.plan.run_files import published_files
from tests.test_architecture import ROOMS

WILD = {
    "<device>": r"[a-z0-9_-]+",
    "<level>": r"-?[\d.]+",
    "<territory>": r"[a-z0-9-]+",
    "<block>": r"[\d.]+-[\d.]+",
    "NN": r"\d\d",
    "*": r".+",
    "<mode>": "[a-z0-9-]+",
    "<km>": r"[\d.]+",
    "<slice>": r"(?:base|s\d{3})",
}
# Files that the default territory does not ask for.
ELSEWHERE = [
    "public/web/",
    "public/statistics_by_region.csv",
    "public/allotment_unused_223-224.tif",
    "public/allotment_shares.csv",
    "public/reach_fixed30_qpsk-1-2.tif",
    "public/reach_channel_fixed30_qpsk-1-2.tif",
    "public/reach_channels_fixed30_qpsk-1-2_5.tif",
    "public/reach_statistics.csv",
    "public/rr97ab_epfd_simulated.tif",
    "public/rr97ab_exceedance.tif",
    "public/rr97ab_epfd_distribution.csv",
]
FOLDERS = ("public/", "internal/", "stac/", "<territory>", "report", "manifest.json")


def expanded(name: str) -> list[str]:
    """``a_{b,c}.tif`` as ``a_b.tif`` and ``a_c.tif``."""
    parts = [part.split(",") for part in re.split(r"[{}]", name)]
    return ["".join(choice) for choice in product(*parts)]


def patterns(text: str) -> dict[str, re.Pattern[str]]:
    """Every file named in a table of the document, as a regular expression."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    quoted = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    names = [full for name in quoted if name.startswith(FOLDERS) for full in expanded(name)]
    wild = "|".join(map(re.escape, WILD))
    return {
        name: re.compile("".join(WILD.get(part, re.escape(part)) for part in re.split(f"({wild})", name)))
        for name in names
    }


def files_of_default_run(repository: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(repository)
    pages = ("report.html", "report_annex.html", "report.pdf", "manifest.json")
    both = [f"{folder}{name}" for folder in ("", "internal/") for name in pages]
    plan = load_plan("configs/slovenia.yaml")
    hidden = plan.config.model_copy(update={"publish": Publish(limiting_service="internal")})
    protection = plan.config.protection.model_copy(update={"wsd_terrain": "checked"})
    checked = plan.config.model_copy(update={"protection": protection})
    propagation = plan.config.propagation.model_copy(update={"coverage_model": "p1812"})
    by_profile = plan.config.model_copy(update={"propagation": propagation})
    configs = (plan.config, hidden, checked, by_profile)
    names = {name for config in configs for name in published_files(plan._replace(config=config))}
    return [*sorted(names), *both]


def test_every_published_file_is_documented(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = patterns((repository / "docs/outputs.md").read_text())
    files = files_of_default_run(repository, monkeypatch)
    assert len(files) > 300
    assert not [name for name in files if not any(known[one].fullmatch(name) for one in known)]


@pytest.mark.parametrize("document", ["README.md", "docs/outputs.md"])
def test_every_documented_file_is_published(
    repository: Path, monkeypatch: pytest.MonkeyPatch, document: str
) -> None:
    known = patterns((repository / document).read_text())
    files = files_of_default_run(repository, monkeypatch) + ELSEWHERE
    assert len(known) > 10
    assert not [name for name in known if not any(known[name].fullmatch(file) for file in files)]


def test_links_between_documents_lead_somewhere(repository: Path) -> None:
    for path in [repository / "README.md", *sorted((repository / "docs").glob("*.md"))]:
        text = path.read_text()
        linked = re.findall(r"\]\(([^)#:]+)\)", text)
        linked += re.findall(r"`((?:docs|profiles)/[\w/.-]+\.(?:md|yaml))`", text)
        for name in linked:
            there = [path.parent / name, repository / name]
            assert any(place.exists() for place in there), f"{path.name}: {name}"


def test_picture_of_the_readme_is_small(repository: Path) -> None:
    assert "docs/images/slovenia_available_channels.png" in (repository / "README.md").read_text()
    assert (repository / "docs/images/slovenia_available_channels.png").stat().st_size < 300_000


def test_picture_of_the_folders_has_every_room(repository: Path) -> None:
    text = (repository / "docs/architecture.md").read_text()
    named = set(re.findall(r"\w+", text.split("## The rooms")[1].split("Three layers")[0]))
    assert {room for room in ROOMS if not room.startswith("__")} <= named


def documents(repository: Path) -> list[Path]:
    """Every document that is written for readers of the repository."""
    top = [repository / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md")]
    return [*top, *sorted((repository / "docs").rglob("*.md"))]


def test_modules_named_in_documents_exist(repository: Path) -> None:
    for path in documents(repository):
        for name in re.findall(r"`([\w/]+\.py)\b", path.read_text()):
            found = [*(repository / "pipeline").rglob(name), *(repository / "tests").rglob(name)]
            assert found or (repository / name).is_file(), f"{path.name}: {name}"


def test_ways_of_numbers_name_what_the_modules_have(repository: Path) -> None:
    ways = (repository / "docs/architecture.md").read_text().split("### From ")[1:]
    assert len(ways) == 3
    for way in ways:
        rows = [line.split(" | ") for line in way.splitlines() if line.startswith("| ") and ".py`" in line]
        modules = [re.findall(r"`([\w/]+\.py)`", row[-1]) for row in rows]
        for row, names in zip(rows, modules, strict=True):
            texts = "".join((repository / "pipeline" / name).read_text() for name in names)
            assert all(re.search(rf"\b{name}\b", texts) for name in re.findall(r"`(\w+)`", row[-2])), row
        assert len({name for names in modules for name in names}) <= 30
        assert len({name for row in rows for name in re.findall(r"`(\w+)`", row[-2])}) <= 8
        assert way.count("\\|>") <= 4


def test_commands_in_documents_exist_with_their_options(repository: Path) -> None:
    top = typer.main.get_command(app)
    for path in documents(repository):
        text = path.read_text().replace("\\\n", " ")
        for call in re.finditer(r"(?:^|[`\s/])channelmaps ([a-z][^`\n#]*)", text, re.MULTILINE):
            command = top
            for word in call[1].split():
                command = getattr(command, "commands", {}).get(word, command)
            assert command is not top, f"{path.name}: channelmaps {call[1]}"
            known = {option for param in command.params for option in [*param.opts, *param.secondary_opts]}
            assert set(re.findall(r"--[a-z0-9-]+", call[1])) <= {*known, "--help"}, (
                f"{path.name}: channelmaps {call[1]}"
            )
