"""The site of the documentation: pages of all settings and services, a whole menu, notebooks that run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import api
from pipeline.plan.territory_file import export_schema
from pipeline.publish.site_pages import SECTIONS, SETTINGS_PAGE, method_sections, service_pages, settings_page
from pipeline.services.table import SERVICES
from tests.published import publish

NOTEBOOKS = ("results", "models")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(export_schema())


def menu(node: object) -> list[str]:
    """Files of the menu in their order."""
    if isinstance(node, str):
        return [node]
    values = node.values() if isinstance(node, dict) else node
    return [name for value in values for name in menu(value)]


def test_every_setting_is_there_with_its_meaning(schema: dict[str, Any]) -> None:
    text = settings_page(schema)
    sections = {"Territory file": schema} | {
        name: entry for name, entry in schema["$defs"].items() if "properties" in entry
    }
    parts = {part.split("\n", 1)[0]: part for part in text.split("\n## ")[1:]}
    assert set(parts) == set(sections)
    for name, section in sections.items():
        rows = re.findall(r"^\| `(\w+)` \| .+ \| .* \| .+ \|$", parts[name], re.MULTILINE)
        assert rows == list(section["properties"]), name


def test_links_between_sections_lead_somewhere(schema: dict[str, Any]) -> None:
    text = settings_page(schema)
    heads = {head.lower() for head in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    linked = set(re.findall(r"\]\(#([^)]+)\)", text))
    plain = {name.lower() for name, entry in schema["$defs"].items() if "properties" not in entry}
    assert linked - plain
    assert linked <= heads


def test_kinds_ranges_and_defaults_are_those_of_the_schema(schema: dict[str, Any]) -> None:
    text = settings_page(schema)
    assert "| `resolution_m` | number > 0" in text or "| `resolution_m` | number ≥" in text
    assert "| `home` | list of text | **required** |" in text
    assert "| `pdf` | true, false | `true` |" in text
    assert re.search(r"\| `limiting_service` \| `full`, `grouped`, `internal` \| `full` \|", text)


def test_each_service_has_a_page_with_its_formula(repository: Path) -> None:
    method = (repository / "docs/method.md").read_text()
    pages = service_pages(method)
    limiting = [row.name for row in SERVICES if row.module is not None]
    assert list(pages) == limiting
    assert set(SECTIONS) == set(limiting)
    for row in SERVICES:
        if row.module is not None:
            heads = re.findall(r"^## (\d+)\. ", pages[row.name], re.MULTILINE)
            assert heads == [str(number) for number in SECTIONS[row.name]]
            assert f"`{row.code}`" in pages[row.name]
    assert "RA.769" in pages["radio_astronomy"]
    assert "PMSE" in pages["pmse"]


def test_sections_of_the_method_are_numbered_without_gaps(repository: Path) -> None:
    sections = method_sections((repository / "docs/method.md").read_text())
    assert list(sections) == list(range(1, len(sections) + 1))


def test_menu_has_every_page_once(repository: Path) -> None:
    site = yaml.safe_load((repository / "mkdocs.yml").read_text())
    docs = repository / "docs"
    written = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    services = service_pages((docs / "method.md").read_text())
    made = {f"{SETTINGS_PAGE}.md", *(f"services/{name}.md" for name in services)}
    listed = menu(site["nav"])
    assert len(listed) == len(set(listed))
    assert set(listed) == written | made


@pytest.mark.slow
def test_site_is_built_without_a_warning(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: make docs")
    pytest.importorskip("material", reason="mkdocs-material is not installed: make docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for page in ("index.html", "settings/index.html", "services/pmse/index.html", "gallery/index.html"):
        assert (tmp_path / "site" / page).is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs(repository: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Cell by cell without a kernel of notebooks, on a small run that stands for that of the demo."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setitem(sys.modules, "channelmaps", api)  # the name that an installation gives it
    publish(tiny)
    Path("results/demo").symlink_to("tiny")
    cells = json.loads((repository / f"docs/notebooks/{name}.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 4
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")
    known: dict[str, object] = {}
    for number, text in enumerate(code, 1):
        exec(compile(text, f"{name}, code cell {number}", "exec"), known)
