"""The files that a fresh machine starts from."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

from tests.test_package import FILES, SOURCES

RUN_TIME, DEVELOPMENT, SITE = "requirements.lock", "requirements-dev.lock", "requirements-docs.lock"


def locked(repository: Path, *names: str) -> set[str]:
    """Names of the packages that lock files pin."""
    texts = [(repository / name).read_text() for name in names]
    return {found.lower() for text in texts for found in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}


@pytest.mark.parametrize(("name", "packages"), [(RUN_TIME, 50), (DEVELOPMENT, 10), (SITE, 20)])
def test_lock_has_hashes_and_no_address(repository: Path, name: str, packages: int) -> None:
    text = (repository / name).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("--hash=", "hash="), flags=re.MULTILINE)
    assert not re.search(r"(^|\s)/\w", text)
    entries = re.split(r"\n(?=[a-z0-9])", text, flags=re.IGNORECASE)
    assert len(entries) > packages
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.]+", entry), entry[:60]
        assert "--hash=sha256:" in entry, entry[:60]


def test_locks_have_every_dependency_once(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    run_time = [*project["dependencies"], *extras["cluster"], *extras["build"]]
    names = {re.split(r"[\[<>=! ]", entry)[0].lower() for entry in run_time}
    assert names <= locked(repository, RUN_TIME)
    names |= {re.split(r"[\[<>=! ]", entry)[0].lower() for entry in extras["dev"]}
    assert names <= locked(repository, RUN_TIME, DEVELOPMENT)
    assert not locked(repository, RUN_TIME) & locked(repository, DEVELOPMENT)
    site = {re.split(r"[\[<>=! ]", extras[name][0])[0].lower() for name in ("browser", "docs", "lock", "pdf")}
    assert site <= locked(repository, SITE)
    assert not locked(repository, RUN_TIME) & locked(repository, SITE)


def test_packages_of_two_locks_have_one_version(repository: Path) -> None:
    """pip refuses two versions of a package where tests in a browser install both."""
    found = [
        dict(re.findall(r"^([\w.-]+)==([\w.]+)", (repository / name).read_text(), re.M))
        for name in (DEVELOPMENT, SITE)
    ]
    both = found[0].keys() & found[1].keys()
    assert {name: found[0][name] for name in both} == {name: found[1][name] for name in both}


def test_make_installs_locked_packages_only(repository: Path) -> None:
    """A line of the Makefile or the Dockerfile that installs has hashes, or installs this package alone."""
    lines = re.sub(
        r"\\\n", " ", (repository / "Makefile").read_text() + (repository / "Dockerfile").read_text()
    )
    installing = [part for part in re.split(r"\n|&&", lines) if re.search(r"pip (install|wheel)", part)]
    assert len(installing) >= 6
    for line in installing:
        assert "--require-hashes" in line or "--no-deps" in line, line


def test_maps_need_no_tools_of_development(repository: Path) -> None:
    tools = {"pytest", "hypothesis", "mypy", "ruff", "black", "snakefmt"}
    assert not tools & locked(repository, RUN_TIME)
    makefile = (repository / "Makefile").read_text()
    assert "maps: $(INSTALLED)" in makefile
    for target in ("test", "test-all", "lint", "bench", "format"):
        assert f"\n{target}: $(TOOLS)" in makefile


def test_image_is_built_from_all_that_the_wheel_is_built_from(repository: Path) -> None:
    let_through = (repository / ".dockerignore").read_text().split()
    assert {f"!{name}" for name in (*SOURCES, *FILES)} <= set(let_through)


def test_ci_script_is_executable_and_runs_the_tests(repository: Path) -> None:
    script = repository / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()


def test_snakefile_is_short_and_without_logic(repository: Path) -> None:
    lines = (repository / "Snakefile").read_text().splitlines()
    told = [line for line in lines if line and not line.startswith("#")]
    assert told == ['include: "rules/workflow.smk"', 'workflow.default_target = "all"']
    for path in [repository / "Snakefile", *sorted((repository / "rules").glob("*.smk"))]:
        text = path.read_text()
        assert not re.search(r"^\s*(run|script):", text, flags=re.MULTILINE), path.name
        rules = re.findall(r"^rule (\w+):", text, flags=re.MULTILINE)
        for section in ("log:", "benchmark:", "conda:", "threads:"):
            expected = len([rule for rule in rules if rule != "all"])
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
        "setup.py",
        "Dockerfile",
        "CITATION.cff",
    ]
    paths = [repository / name for name in names] + sorted((repository / "rules").glob("*.smk"))
    for path in paths:
        assert not re.search(r"/(work|root|home|opt|tmp)/", path.read_text()), path.name
