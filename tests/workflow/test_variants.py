"""Intermediates of a what-if and of the published maps: folders of their own, also after a kill."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.workflow import variants
from pipeline.workflow.variants import own_intermediates, restore

PUBLISHED = SimpleNamespace(name="x", results=None)
WHAT_IF = SimpleNamespace(name="x", results="x-what-if")
METADATA = Path(".snakemake/metadata/job")


def write(path: Path, text: str) -> None:
    """As jobs write: a new file takes the place of the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name("waiting")
    waiting.write_text(text)
    waiting.replace(path)


def note(text: str) -> None:
    """As Snakemake writes its records: into the file that is there."""
    METADATA.parent.mkdir(parents=True, exist_ok=True)
    METADATA.write_text(text)


def texts(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    build = Path("build/x")
    for name in (".records/job.json", "coverage/ch21.tif", "combined/ch21.tif"):
        write(build / name, "published")
    note("published")
    return build


@pytest.mark.parametrize("links", [True, False])
def test_both_keep_their_own(published: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", lambda path, target: path.joinpath("none").read_text())
    before, time_ns = texts(published), (published / "coverage/ch21.tif").stat().st_mtime_ns
    for change in ("one", "other"):
        with own_intermediates(WHAT_IF):
            assert texts(published) == before  # where the change begins
            write(published / "combined/ch21.tif", change)
            write(published / "more.tif", change)
            note(change)
        assert texts(published) == before
        assert METADATA.read_text() == "published"
        assert (published / "coverage/ch21.tif").stat().st_mtime_ns == time_ns
        assert texts(Path("build/x-what-if")) == before | {"combined/ch21.tif": change, "more.tif": change}
    assert {path.name for path in Path("build").iterdir()} == {"x", "x-what-if"}


def test_a_run_that_fails_leaves_the_published_ones(published: Path) -> None:
    before = texts(published)
    with pytest.raises(ZeroDivisionError), own_intermediates(WHAT_IF):
        write(published / "combined/ch21.tif", str(1 // len("")))
    assert texts(published) == before


@pytest.mark.parametrize("killed_in", ["what-if", "metadata", "build"])
def test_a_killed_what_if_is_put_back_by_the_next_run(
    published: Path, monkeypatch: pytest.MonkeyPatch, killed_in: str
) -> None:
    before = texts(published)
    what_if = own_intermediates(WHAT_IF)
    with monkeypatch.context() as stopped:
        # What a kill leaves: nothing of what comes afterwards is done.
        stopped.setattr(variants, "_replace", lambda *_: None)
        what_if.__enter__()
        write(published / "combined/ch21.tif", "what-if")
        note("what-if")
        kept = Path("build/x.kept")
        if killed_in != "what-if":
            METADATA.unlink()
            METADATA.parent.rmdir()
        if killed_in == "build":
            (kept / "metadata").replace(METADATA.parent)
        stopped.setattr(variants, "restore", lambda _: None)
        what_if.__exit__(None, None, None)
    with own_intermediates(PUBLISHED):
        assert texts(published) == before
        assert METADATA.read_text() == "published"
    assert not kept.exists()


def test_a_what_if_before_any_run_leaves_what_it_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with own_intermediates(WHAT_IF):
        write(Path("build/x/.records/job.json"), "what-if")
        note("what-if")
    assert texts(Path("build/x")) == texts(Path("build/x-what-if")) == {".records/job.json": "what-if"}


def test_nothing_kept_is_nothing_put_back(published: Path) -> None:
    before = texts(published)
    restore(published)
    assert texts(published) == before


def test_what_if_that_is_refused_before_it_has_intermediates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal is told, not a folder that is not there."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError), own_intermediates(WHAT_IF):
        _ = 1 // len("")
