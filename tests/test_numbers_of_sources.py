"""The table of numbers and tests names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROW = re.compile(r"^\| [^|]+ \| [^|]+ \| `(tests/[a-z0-9_/]+\.py)(?:::(test_[a-z0-9_]+))?` \|$", re.MULTILINE)
HEADING = "## Numbers of the sources and their tests"


def test_every_row_names_a_test_that_exists(repository: Path) -> None:
    text = (repository / "docs" / "validation.md").read_text(encoding="utf-8").partition(HEADING)[2]
    rows = ROW.findall(text)
    # All lines of the tables but their headers and the rules below.
    headers = text.count("| source | number | test |")
    assert len(rows) == sum(line.startswith("|") for line in text.splitlines()) - 2 * headers > 80
    for path, name in rows:
        content = (repository / path).read_text(encoding="utf-8")
        assert f"def {name}(" in content if name else "def test_" in content, (path, name)
