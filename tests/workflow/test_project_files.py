"""The files that a fresh machine starts from."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from pipeline.plan.jobs import JOBS
from tests.test_package import FILES, SOURCES

RUN_TIME, DEVELOPMENT, SITE = "requirements.lock", "requirements-dev.lock", "requirements-docs.lock"
SERVER = "requirements-server.lock"


def locked(repository: Path, *names: str) -> set[str]:
    """Names of the packages that lock files pin."""
    texts = [(repository / name).read_text() for name in names]
    return {found.lower() for text in texts for found in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}


@pytest.mark.parametrize(("name", "packages"), [(RUN_TIME, 50), (SERVER, 5), (DEVELOPMENT, 10), (SITE, 20)])
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
    """A package of one of the first two is in no other: `make maps` installs both.

    But for colorama: `make maps` takes it on Windows only, the site needs it everywhere.
    """
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {
        RUN_TIME: [*project["dependencies"], *extras["cluster"], *extras["build"]],
        SERVER: extras["server"],
        DEVELOPMENT: [*extras["dev"], *extras["postgresql"]],
        SITE: [*extras["browser"], *extras["docs"], *extras["lock"], *extras["pdf"]],
    }
    before: set[str] = set()
    for lock, entries in asked.items():
        names = {re.split(r"[\[<>=! ]", entry)[0].lower() for entry in entries}
        assert names <= before | locked(repository, lock), lock
        assert before & locked(repository, lock) == ({"colorama"} if lock == SITE else set()), lock
        before |= locked(repository, lock) if lock in (RUN_TIME, SERVER) else set()


def test_site_has_colorama_on_every_platform(repository: Path) -> None:
    """mkdocs-material imports it; without it `make docs` installs nothing, as it has no hash."""
    pins = [re.findall(r"^colorama==.*$", (repository / name).read_text(), re.M) for name in (RUN_TIME, SITE)]
    assert ["sys_platform" in pin for (pin,) in pins] == [True, False]


def test_packages_of_two_locks_have_one_version(repository: Path) -> None:
    """pip refuses two versions of a package where tests in a browser install both."""
    found = [
        dict(re.findall(r"^([\w.-]+)==([\w.]+)", (repository / name).read_text(), re.M))
        for name in (DEVELOPMENT, SITE)
    ]
    both = found[0].keys() & found[1].keys()
    assert {name: found[0][name] for name in both} == {name: found[1][name] for name in both}


def test_only_locked_packages_are_installed(repository: Path) -> None:
    """What Makefile and Dockerfile install has hashes, but for this package itself."""
    makefile = (repository / "Makefile").read_text()
    assert re.search(r"^LOCKED := \$\(INSTALL\) --require-hashes ", makefile, re.MULTILINE)
    text = re.sub(r"^INSTALL := .*$", "", makefile, flags=re.MULTILINE).replace(
        "$(LOCKED)", "$(INSTALL) --require-hashes"
    )
    text = re.sub(r"\\\n", " ", text + (repository / "Dockerfile").read_text())
    parts = [
        part for part in re.split(r"\n|&&", text) if re.search(r"pip (install|wheel)|\$\(INSTALL\)", part)
    ]
    assert len(parts) == 8
    for part in parts:
        assert "--require-hashes" in part or "--no-deps" in part, part


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


def test_slurm_knows_every_rule_that_takes_more_than_one_thread(repository: Path) -> None:
    """Others are given one processor, and ask for all of the node in the job: SLURM refuses that."""
    profile = yaml.safe_load((repository / "profiles/slurm/config.yaml").read_text())
    assert {name for name, job in JOBS.items() if job.threads != "one"} <= profile["set-threads"].keys()
