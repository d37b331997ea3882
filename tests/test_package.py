"""The wheel: it holds every file that the program reads, and works where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.publish.test_qgis import has_qgis, probed

SOURCES = ("configs", "data", "envs", "pipeline", "plugins", "profiles", "rules")
FILES = ("LICENSE", "README.md", "Snakefile", "pyproject.toml", "setup.py")
# Not for users of the program: what builds the page of the web map, and measurements of the tests.
LEFT_OUT = ("pipeline/publish/web/page/", "pipeline/api/", "data/validation/")


@pytest.fixture(scope="module")
def source(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a wheel is built from: building leaves files beside the sources."""
    top = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in SOURCES:
        shutil.copytree(repository / name, top / name, ignore=ignored)
    for name in FILES:
        shutil.copy(repository / name, top)
    return top


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    subprocess.run([*command, "-w", source / "dist", source], check=True, cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`channelmaps` in an environment with the wheel, and the other packages of this one, no checkout."""
    top = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", top], check=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(top)})
    # A plain line: editable installs of that folder (this checkout) are not seen.
    Path(packages, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", top / "bin/python", "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", "-q", wheel], check=True)
    return top / "bin" / "channelmaps"


def run(program: Path, *arguments: object, folder: Path) -> str:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [program, *map(str, arguments)], cwd=folder, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_wheel_holds_every_file_that_the_program_reads(source: Path, wheel: Path) -> None:
    files = [path.relative_to(source).as_posix() for top in SOURCES for path in (source / top).rglob("*.*")]
    wanted = {name for name in files if (source / name).is_file() and not name.startswith(LEFT_OUT)}
    wanted = {name for name in wanted if not name.startswith(("build", "dist"))}
    held = set(zipfile.ZipFile(wheel).namelist())
    expected = {name if name.startswith("pipeline/") else f"pipeline/shipped/{name}" for name in wanted}
    assert len(expected) > 300
    assert not expected - held
    assert "channelmaps/__init__.py" in held
    assert any(name.endswith("licenses/LICENSE") for name in held)
    assert {name.split("/")[0] for name in held if ".dist-info" not in name} == {"channelmaps", "pipeline"}


def test_installed_program_says_its_version(repository: Path, installed: Path, tmp_path: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert run(installed, "--version", folder=tmp_path) == f"channelmaps {project['version']}\n"
    citation = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


def test_installed_package_is_imported_as_channelmaps(installed: Path, tmp_path: Path) -> None:
    program = "import channelmaps, pipeline.shipped as s; print(channelmaps.__file__, s.TABLES)"
    module, tables = run(installed.with_name("python"), "-c", program, folder=tmp_path).split()
    top = str(installed.parents[1])
    assert module.startswith(top)
    assert tables.startswith(top)
    assert Path(tables, "modes.csv").is_file()


def test_schema_of_the_wheel_is_that_of_the_checkout(
    repository: Path, installed: Path, tmp_path: Path
) -> None:
    assert run(installed, "schema", folder=tmp_path) == (repository / "configs/schema.json").read_text()


def test_interface_for_programs_is_one_short_file(repository: Path) -> None:
    (module,) = (repository / "pipeline/api").glob("*.py")
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 80


@pytest.mark.slow
def test_demo_is_valid_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    program = "from pipeline.workflow.demo import DEMO, copy_example; copy_example(DEMO)"
    run(installed.with_name("python"), "-c", program, folder=tmp_path)
    text = run(installed, "validate", "configs/demo.yaml", folder=tmp_path)
    assert "Slovenia at 500 m, demonstration" in text
    assert "for channels  21 22 23\n" in text


@pytest.mark.slow
def test_demo_runs_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    """From nothing to a whole run; its files name no place of this machine, a second run computes nothing."""
    text = run(installed, "demo", "--no-show", "--cores", "2", folder=tmp_path)
    assert "100 %" in text
    assert len(text.splitlines()) < 60
    latest = tmp_path / "results/demo/latest"
    for name in ("report.html", "demo.qgs", "public/web/index.html", "public/query_portable.tif"):
        assert (latest / name).is_file(), name
    manifest = (latest / "manifest.json").read_text()
    assert str(tmp_path) not in manifest
    assert str(installed.parents[1]) not in manifest
    assert "configs/tables/modes.csv" in manifest
    assert "Nothing to be done" in run(installed, "run", "configs/demo.yaml", folder=tmp_path)
    place = ("--results", latest, "--lon", 14.5, "--lat", 46.05)
    assert '"AVAIL_SPECTRUM_RESP"' in run(installed, "query", *place, folder=tmp_path)
    if has_qgis():
        shown = probed(latest / "demo.qgs", tmp_path)
        assert len(shown["layers"]) > 20
        assert [name for name, layer in shown["layers"].items() if not layer["valid"]] == []
