"""Readers of results/ see a whole run or the one before."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.publish import release as releases
from pipeline.publish.release import damage_of, is_complete, release


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "build"
    (folder / "public").mkdir(parents=True)
    (folder / "public/a.tif").write_bytes(b"aaaa")
    (folder / "public/b.tif").write_bytes(b"bbbb")
    return folder


def publish(build: Path, run_id: str, note: str = "") -> Path:
    files = {name: build / name for name in ("public/a.tif", "public/b.tif")}
    return release(files, build.parent / "results", run_id, lambda d: describe(d, note))


def describe(digests: dict[str, str], note: str = "") -> dict[str, object]:
    return {"note": note, "outputs": [{"path": name, "sha256": digest} for name, digest in digests.items()]}


def test_release_shows_a_complete_read_only_set_under_a_relative_link(build: Path) -> None:
    publish(build, "run1")
    results = build.parent / "results"
    assert (results / "latest").readlink() == Path("run1")
    assert (results / "latest/public/a.tif").read_bytes() == b"aaaa"
    assert (results / ".published").read_text() == "run1\n"
    assert {p.name for p in results.iterdir()} == {"latest", "run1", ".published"}
    modes = {oct(p.stat().st_mode & 0o777) for p in (results / "run1").rglob("*") if p.is_file()}
    assert modes == {"0o444"}
    assert is_complete(results)


def test_release_leaves_the_workflows_own_files_writable(build: Path) -> None:
    """Snakemake refuses to replace write-protected outputs; root alone would not notice."""
    publish(build, "run1")
    assert (build / "public/a.tif").stat().st_mode & 0o200


def test_release_is_not_changed_by_later_changes_in_build(build: Path) -> None:
    publish(build, "run1")
    with (build / "public/a.tif").open("r+b") as stream:
        stream.write(b"XXXX")
    assert (build.parent / "results/run1/public/a.tif").read_bytes() == b"aaaa"


@pytest.mark.parametrize("broken_step", ["copyfile", "describe", "rename"])
def test_release_that_fails_leaves_latest(
    build: Path, monkeypatch: pytest.MonkeyPatch, broken_step: str
) -> None:
    publish(build, "run1")
    (build / "public/a.tif").write_bytes(b"new")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    describing = describe
    if broken_step == "copyfile":
        monkeypatch.setattr(releases.shutil, "copyfile", fail)
    elif broken_step == "rename":
        monkeypatch.setattr(releases, "_put_in_place", fail)
    else:
        describing = fail  # type: ignore[assignment]
    files = {name: build / name for name in ("public/a.tif", "public/b.tif")}
    results = build.parent / "results"
    with pytest.raises(OSError, match="disk full"):
        release(files, results, "run2", describing)
    assert (results / "latest").readlink() == Path("run1")
    assert {p.name for p in results.iterdir()} == {"latest", "run1", ".published"}
    assert (results / "latest/public/a.tif").read_bytes() == b"aaaa"
    assert is_complete(results)


@pytest.mark.parametrize("blocked", [".published.tmp", ".latest.tmp"])
def test_disk_that_takes_no_stamp_or_link_leaves_latest(
    build: Path, monkeypatch: pytest.MonkeyPatch, blocked: str
) -> None:
    publish(build, "run1")
    write_bytes, symlink_to = Path.write_bytes, Path.symlink_to

    def refuse(path: Path) -> None:
        if path.name.startswith(blocked):
            raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", lambda path, *a, **k: refuse(path) or write_bytes(path, *a, **k))
    monkeypatch.setattr(Path, "symlink_to", lambda path, *a, **k: refuse(path) or symlink_to(path, *a, **k))
    with pytest.raises(OSError, match="disk full"):
        publish(build, "run2")
    results = build.parent / "results"
    assert is_complete(results)
    assert (results / "latest").readlink() == Path("run1")
    names = {p.name for p in results.iterdir()}
    whole = {"run2"} if blocked == ".latest.tmp" else set()
    assert names == {"latest", "run1", ".published"} | whole


def test_release_removes_what_a_killed_one_left(build: Path) -> None:
    results = build.parent / "results"
    (results / ".run0.tmp/public").mkdir(parents=True)
    (results / ".run0.tmp/public/a.tif").touch()
    (results / ".published.tmp").touch()
    (results / ".latest.tmp").symlink_to("run0")
    publish(build, "run1")
    assert {p.name for p in results.iterdir()} == {"latest", "run1", ".published"}


def test_damaged_folder_stays_where_its_successor_cannot_take_its_place(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = publish(build, "run1")
    (folder / "public/b.tif").unlink()
    rename = Path.rename

    def fail_into_place(path: Path, target: Path) -> Path:
        if path.name == ".run1.tmp":
            raise OSError("disk full")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_into_place)
    with pytest.raises(OSError, match="disk full"):
        publish(build, "run1")
    assert (build.parent / "results/latest/public/a.tif").read_bytes() == b"aaaa"


def test_release_of_a_missing_file_leaves_latest(build: Path) -> None:
    publish(build, "run1")
    (build / "public/b.tif").unlink()
    with pytest.raises(FileNotFoundError):
        publish(build, "run2")
    assert (build.parent / "results/latest").readlink() == Path("run1")


def test_release_of_the_same_run_again_keeps_its_files(build: Path) -> None:
    folder = publish(build, "run1")
    before = {p.name: p.stat().st_ino for p in (folder / "public").iterdir()}
    publish(build, "run1", note="later")
    assert {p.name: p.stat().st_ino for p in (folder / "public").iterdir()} == before
    assert json.loads((folder / "manifest.json").read_text())["note"] == "later"


def test_release_of_the_same_run_again_takes_its_newer_report(build: Path) -> None:
    """The report tells times, so it may differ where no layer does."""
    layers = {"public/a.tif": build / "public/a.tif"}
    files = {**layers, "report.html": build / "report.html"}
    inodes = set()
    for text in ("first", "second"):
        (build / "report.html").write_text(text)
        folder = release(files, build.parent / "results", "run1", lambda digests: {"digests": digests})
        inodes.add((folder / "public/a.tif").stat().st_ino)
        assert text == (folder / "report.html").read_text()
    assert len(inodes) == 1
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["digests"]["report.html"] == hashlib.sha256(b"second").hexdigest()


def test_release_moves_latest_back_to_an_earlier_run(build: Path) -> None:
    publish(build, "run1")
    (build / "public/a.tif").write_bytes(b"new")
    publish(build, "run2")
    (build / "public/a.tif").write_bytes(b"aaaa")
    publish(build, "run1")
    results = build.parent / "results"
    assert (results / "latest").readlink() == Path("run1")
    assert (results / "latest/public/a.tif").read_bytes() == b"aaaa"
    assert (results / "run2/public/a.tif").read_bytes() == b"new"


def test_release_mends_a_damaged_folder_of_the_same_run(build: Path) -> None:
    folder = publish(build, "run1")
    (folder / "public/b.tif").unlink()
    assert not is_complete(folder.parent)
    publish(build, "run1")
    assert (folder / "public/b.tif").read_bytes() == b"bbbb"
    assert is_complete(folder.parent)


def test_release_stores_an_unchanged_file_once(build: Path) -> None:
    first = publish(build, "run1")
    (build / "public/a.tif").write_bytes(b"new")
    second = publish(build, "run2")
    assert (first / "public/b.tif").samefile(second / "public/b.tif")
    assert not (first / "public/a.tif").samefile(second / "public/a.tif")


def test_release_does_not_link_a_published_file_that_was_tampered_with(build: Path) -> None:
    first = publish(build, "run1")
    (first / "public/b.tif").chmod(0o644)
    (first / "public/b.tif").write_bytes(b"evil")
    second = publish(build, "run2")
    assert (second / "public/b.tif").read_bytes() == b"bbbb"


@pytest.mark.parametrize("damage", ["stamp", "link", "manifest", "file"])
def test_is_complete_notices_what_was_deleted(build: Path, damage: str) -> None:
    folder = publish(build, "run1")
    results = folder.parent
    victims = {"stamp": results / ".published", "link": results / "latest"}
    victims |= {"manifest": folder / "manifest.json", "file": folder / "public/a.tif"}
    victims[damage].unlink()
    assert not is_complete(results)


def test_statistics_in_a_side_file_are_no_damage(build: Path) -> None:
    """A program that looks at a raster may write them there; the raster itself is guarded as before."""
    side = build / "public/a.tif.aux.xml"
    side.write_text("<PAMDataset/>")
    files = {"public/a.tif": build / "public/a.tif", "public/a.tif.aux.xml": side}
    folder = release(files, build.parent / "results", "run1", describe)
    for name in ("public/a.tif.aux.xml", "public/a.tif"):
        path = folder / name
        assert is_complete(folder.parent)
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b" ")
    assert damage_of(folder.parent) == (folder.parent / "latest/public/a.tif", "is not what was published")


@pytest.mark.parametrize("name", ["manifest.json", "internal/manifest.json"])
@pytest.mark.parametrize("change", ["gone", "note"])
def test_damage_of_either_manifest_is_noticed(build: Path, name: str, change: str) -> None:
    files = {"public/a.tif": build / "public/a.tif"}
    results = build.parent / "results"
    folder = release(files, results, "run1", describe, lambda facts: {**facts, "note": "", "withheld": {}})
    assert damage_of(results) is None
    manifest = folder / name
    text = manifest.read_text()
    manifest.unlink()
    if change == "note":
        manifest.write_text(text.replace('"note": "', '"note": "x'))
    problem = "cannot be read" if change == "gone" else "is not what was published"
    assert damage_of(results) == (results / "latest" / name, problem)
    assert not is_complete(results)


def test_a_pdf_that_is_not_made_again_goes(build: Path) -> None:
    """It would tell of another time than the report beside it, and no manifest would name it."""
    results = build.parent / "results"
    for name, text in (("report.html", "old"), ("report.pdf", "old")):
        (build / name).write_text(text)
    names = ("public/a.tif", "report.html", "report.pdf")
    release({name: build / name for name in names}, results, "run1", describe)
    (build / "report.html").write_text("new")
    release({name: build / name for name in names[:2]}, results, "run1", describe)
    assert (results / "latest/report.html").read_text() == "new"
    assert not (results / "latest/report.pdf").exists()
    assert is_complete(results)
