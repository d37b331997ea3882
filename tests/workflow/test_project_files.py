"""The files that a fresh machine starts from."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path


def test_lock_has_hashes_and_no_address(repository: Path) -> None:
    text = (repository / "requirements.lock").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("--hash=", "hash="), flags=re.MULTILINE)
    assert not re.search(r"(^|\s)/\w", text)
    entries = re.split(r"\n(?=[a-z0-9])", text, flags=re.IGNORECASE)
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.]+", entry), entry[:60]
        assert "--hash=sha256:" in entry, entry[:60]


def test_lock_has_every_dependency(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[<>=! ]", entry)[0].lower() for entry in wanted}
    locked = set(re.findall(r"^([\w.-]+)==", (repository / "requirements.lock").read_text(), re.MULTILINE))
    assert names <= {name.lower() for name in locked}


def test_ci_script_is_executable_and_runs_the_tests(repository: Path) -> None:
    script = repository / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()


def test_snakefile_is_short_and_without_logic(repository: Path) -> None:
    lines = (repository / "Snakefile").read_text().splitlines()
    assert len(lines) < 60
    for path in [repository / "Snakefile", *sorted((repository / "rules").glob("*.smk"))]:
        text = path.read_text()
        assert not re.search(r"^\s*(run|script):", text, flags=re.MULTILINE), path.name
        rules = re.findall(r"^rule (\w+):", text, flags=re.MULTILINE)
        for section in ("log:", "benchmark:", "conda:", "threads:"):
            expected = 0 if path.name in {"Snakefile", "common.smk"} else len(rules)
            assert text.count(section) >= (expected if section != "threads:" else 0), (path.name, section)


def test_text_files_name_no_machine(repository: Path) -> None:
    names = [
        "Makefile",
        "Snakefile",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        ".ci/run",
        "pyproject.toml",
    ]
    paths = [repository / name for name in names] + sorted((repository / "rules").glob("*.smk"))
    for path in paths:
        assert not re.search(r"/(work|root|home|opt|tmp)/", path.read_text()), path.name
