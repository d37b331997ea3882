"""One word for one thing, the field's: phrases that this project once made up stay out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

# Phrase: what the field says.
WORDS = {
    r"allowed[ _]?nuisance": "permissible interfering level relative to the nuisance field",
    r"proven[ _]?radi(us|i)": "maximum interference range",
    r"protected[ _]side": "conservative",
    r"walls": "building entry loss",
    r"cure[sd]?": "required margin",
    r"concerned administrations?": "affected administrations",
    r"heard": "coverage range at reference sensitivity",
    r"recollect(ed|ion|ions)?": "quoted from memory, unverified",
    r"the house": "internal use",
}
# Names of the program count as well: an underscore ends a word.
PATTERN = re.compile(rf"(?<![a-z0-9])({'|'.join(WORDS)})(?![a-z0-9])", re.IGNORECASE)
ROOTS = ("pipeline", "configs", "rules", "docs", "profiles", "envs")
FILES = ("README.md", "CONTRIBUTING.md", "Snakefile", "Makefile", "pyproject.toml", "data/README.md")
# Built or installed: the sources of the page are read in src/.
BUILT = ("pipeline/publish/web/bundle", "pipeline/publish/web/page/node_modules")
# An island is called that.
NAMES = re.compile(r"\bHeard (I\.|Island)")


def texts(repository: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every text file that is read by people or by the program."""
    found = [path for root in ROOTS for path in sorted((repository / root).rglob("*"))]
    for path in [*found, *(repository / name for name in FILES)]:
        name = path.relative_to(repository).as_posix()
        if path.is_file() and "__pycache__" not in path.parts and not name.startswith(BUILT):
            yield name, path.read_text(encoding="utf-8", errors="replace")


def findings(name: str, text: str) -> list[str]:
    """Place, phrase and the better word; a phrase may be broken over two lines of a paragraph."""
    flat = NAMES.sub("", text)
    spaced = re.sub(r"\s+(?:#\s)?", " ", flat)
    if not PATTERN.search(spaced):
        return []
    lines = flat.splitlines()
    pairs = [f"{line} {after.lstrip(' #')}" for line, after in zip(lines, [*lines[1:], ""], strict=True)]
    return [
        f"{name}:{number}: {match[0]!r}: say {better(match[0])!r}"
        for number, (line, pair) in enumerate(zip(lines, pairs, strict=True), 1)
        for match in PATTERN.finditer(pair)
        if match.start() <= len(line)
    ]


def better(phrase: str) -> str:
    """What the field says for a phrase."""
    return next(word for pattern, word in WORDS.items() if re.fullmatch(pattern, phrase, re.IGNORECASE))


def test_the_fields_words_are_used(repository: Path) -> None:
    assert not [line for name, text in texts(repository) for line in findings(name, text)]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a proven radius", 1),
        ("# the proven\n# radius of it", 1),
        ("wall_db: 7", 0),
        ("proven_radius_km(walls)", 2),
        ("secure, curated", 0),
        ("walls and the Walls", 2),
        ("334,Heard I. and McDonald Is.", 0),
        ("FeatureCollection", 0),
    ],
)
def test_phrases_are_found_whole(text: str, count: int) -> None:
    assert len(findings("a", text)) == count
