"""Whoever follows a citation finds it: files that are in the repository, sections that are in the method."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOTS = ("pipeline", "configs", "rules", "docs", "profiles", "envs", "tests", "data")
FILES = ("README.md", "CONTRIBUTING.md", "Snakefile", "Makefile", "pyproject.toml", ".ci/run")
READ = {".py", ".smk", ".yaml", ".yml", ".csv", ".json", ".md", ".toml", ".js", ".css", ".html", ".j2", ""}
SKIPPED = ("pipeline/publish/web/bundle", "pipeline/publish/web/page/node_modules")
DOCUMENT = re.compile(r"(?<![\w./<*-])([\w./-]*\w\.md)\b")
SECTIONS = re.compile(
    r"method\.md`?,\s+(?:#\s+)?sections?\s+(?:#\s+)?((?:\d+|,|and|to|\s|\([^)]*\)|(?:#\s))+)"
)
NAMED = re.compile(r"(\d+)\s*\(([^)]*)\)")


def texts(repository: Path) -> Iterator[tuple[Path, str]]:
    """Every text file of the project, with its place."""
    found = [path for root in ROOTS for path in sorted((repository / root).rglob("*"))]
    for path in [*found, *(repository / name for name in FILES)]:
        name = path.relative_to(repository).as_posix()
        built = "__pycache__" in path.parts or name.startswith(SKIPPED)
        if path.is_file() and path.suffix in READ and not built:
            yield path, path.read_text(encoding="utf-8", errors="replace")


def headings(repository: Path) -> dict[int, str]:
    """Names of the sections of docs/method.md by number."""
    text = (repository / "docs" / "method.md").read_text(encoding="utf-8")
    return {int(n): name for n, name in re.findall(r"^## (\d+)\. (.+)$", text, re.MULTILINE)}


def missing(path: Path, text: str, repository: Path) -> list[str]:
    """Documents that a file names and that are neither beside it nor at the top, nor in docs/."""
    places = [path.parent, repository, repository / "docs"]
    cited = {match[1] for match in DOCUMENT.finditer(text)}
    return sorted(name for name in cited if not any((place / name).is_file() for place in places))


def test_cited_documents_are_in_the_repository(repository: Path) -> None:
    lost = {
        path.relative_to(repository).as_posix(): names
        for path, text in texts(repository)
        if path != Path(__file__).resolve() and (names := missing(path, text, repository))
    }
    assert not lost


def test_cited_sections_of_the_method_exist(repository: Path) -> None:
    known = headings(repository)
    assert list(known) == list(range(1, len(known) + 1))
    for path, text in texts(repository):
        for match in SECTIONS.finditer(text):
            numbers = [int(n) for n in re.findall(r"\b\d+\b", re.sub(r"\([^)]*\)", "", match[1]))]
            assert numbers, (path.name, match[0])
            assert set(numbers) <= set(known), (path.name, match[0])
            for number, name in NAMED.findall(match[1]):
                assert re.sub(r"\s+(#\s+)?", " ", name).lower() == known[int(number)].lower(), match[0]


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("see docs/method.md, section 3", []),
        ("(protected.md, section 3)", ["protected.md"]),
        ("`query.md`", []),
        ("*.md, name.mdx", []),
    ],
)
def test_lost_documents_are_found(repository: Path, text: str, lost: list[str]) -> None:
    assert missing(repository / "pipeline" / "units.py", text, repository) == lost
