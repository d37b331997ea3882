"""The built page is that of its sources and asks for nothing from elsewhere; its modules pass their tests."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.hashing import source_hash
from pipeline.plan.jobs import JOBS
from pipeline.plan.run_files import PAGE_FILES
from pipeline.publish.web.web_files import BUNDLE, page_files

PAGE = BUNDLE.parent / "page"


def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not on this machine")
    return found


def test_bundle_was_built_from_these_sources() -> None:
    """The first line of app.js names the sum of all sources; `make web` after a change of one."""
    names = [f"src/{path.name}" for path in (PAGE / "src").iterdir()]
    digest = hashlib.sha256()
    for name in sorted([*names, "build.mjs", "package.json", "package-lock.json"]):
        digest.update(f"{name} {hashlib.sha256((PAGE / name).read_bytes()).hexdigest()}\n".encode())
    first = page_files()["app.js"].split(b"\n", 1)[0].decode()
    assert first == f"/* sources {digest.hexdigest()} */"
    assert page_files()["index.html"] == (PAGE / "src/index.html").read_bytes()


def test_edited_page_makes_the_job_run_again(tmp_path: Path, repository: Path) -> None:
    for name in ("before", "after"):
        without = shutil.ignore_patterns("__pycache__", "page")
        shutil.copytree(repository / "pipeline", tmp_path / name / "pipeline", ignore=without)
    with (tmp_path / "after/pipeline/publish/web/bundle/app.css").open("a") as sink:
        sink.write("/* edited */")
    before, after = (source_hash(JOBS["web"].module, tmp_path / name) for name in ("before", "after"))
    assert before != after


@pytest.mark.slow
def test_build_gives_the_committed_bytes(tmp_path: Path) -> None:
    program = node()
    if shutil.which("npm") is None:
        pytest.skip("npm is not on this machine")
    shutil.copytree(PAGE, tmp_path / "page", ignore=shutil.ignore_patterns("node_modules"))
    install = ["npm", "ci", "--ignore-scripts", "--silent", "--prefix", str(tmp_path / "page")]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        pytest.skip(f"npm cannot install the packages: {done.stderr[-300:]}")
    build = [program, str(tmp_path / "page/build.mjs"), str(tmp_path / "out")]
    subprocess.run(build, check=True, timeout=300)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in PAGE_FILES} == page_files()


def test_modules_pass_their_own_tests() -> None:
    if not (PAGE / "node_modules/pmtiles").is_dir():
        pytest.skip("the page's packages are not installed (`make web`)")
    done = subprocess.run([node(), "--test"], cwd=PAGE, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)[1]) >= 15  # type: ignore[index]


def test_page_asks_for_nothing_from_elsewhere() -> None:
    """A policy that the browser enforces; the addresses in the program are names of formats and hints."""
    html = page_files()["index.html"].decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    allowed = {rule.split()[0]: set(rule.split()[1:]) for rule in policy[1].split(";")}
    assert allowed["default-src"] == {"'none'"}
    assert allowed["connect-src"] == {"'self'", "blob:"}
    assert allowed["script-src"] == {"'self'"}
    assert not re.search(r'(src|href)="(https?:)?//', html)
    assert not re.search(r"url\(\s*['\"]?(https?:)?//", page_files()["app.css"].decode())


def test_committed_files_name_no_place_of_download() -> None:
    text = (PAGE / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert text.count('"integrity": "sha512-') >= 29
    for path in [*PAGE.glob("*.*"), *(PAGE / "src").iterdir(), *(BUNDLE / name for name in PAGE_FILES)]:
        assert "registry." not in path.read_text(encoding="utf-8").replace("this.registry.", ""), path.name


def test_licences_of_all_packages_are_told() -> None:
    text = page_files()["LICENSES.txt"].decode()
    for name in ("maplibre-gl 6.", "pmtiles 4.", "fflate 0.", "earcut 3.", "gl-matrix 3."):
        assert f"\n{name}" in text
    assert text.count("Copyright") + text.count("copyright") > 20
