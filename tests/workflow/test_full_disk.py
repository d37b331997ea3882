"""Disks that are full, read-only or in a muddle: the published run stays, one line says what happened."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.files import write_whole
from pipeline.plan.digest_records import write_record
from pipeline.workflow import summary as run_summary
from pipeline.workflow.run import run_command
from tests.jobs import run_from
from tests.stand_in import FEW, Workflow, add_run, publish, summary


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("obstacle", ["a file for a folder", "a folder for the file", "full disk"])
def test_summary_that_cannot_be_written_leaves_the_exit_code(
    tiny: Path,
    workflow: Workflow,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    obstacle: str,
) -> None:
    place = tiny.parent / "log/summary.json"
    workflow.code = code
    if obstacle == "a file for a folder":
        place.parent.touch()
    elif obstacle == "a folder for the file":
        place.mkdir(parents=True)
    else:
        monkeypatch.setattr(run_summary, "write_whole", full)
    assert run_command(tiny, FEW._replace(summary=place)) == code
    lines = [line for line in capfd.readouterr().err.splitlines() if "no summary" in line]
    assert len(lines) == (2 if obstacle == "full disk" else 1)  # there, and in the folder of results
    assert all("summary.json" in line or "log" in line for line in lines)


def test_refused_run_stays_refused_without_a_place_for_its_summary(tiny: Path, workflow: Workflow) -> None:
    (tiny.parent / "log").touch()
    (tiny.parent / "register.csv").unlink()
    with pytest.raises(InputError, match=r"register\.csv"):
        run_command(tiny, FEW._replace(summary=tiny.parent / "log/summary.json"))


def test_run_that_cannot_be_removed_is_warned_of_and_the_others_go(
    tiny: Path, workflow: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    results = publish(tiny).parent
    stuck, leaves = (add_run(results, number, "2026-11-01").name for number in (1, 2))
    (results / f".{stuck}.removed").touch()  # no folder can be given this name
    assert run_command(tiny, FEW._replace(keep_runs=1)) == 0
    assert summary(tiny)["removed_runs"] == [leaves]
    assert (results / stuck / "public/a.tif").exists()
    assert not (results / leaves).exists()
    lines = [line for line in capfd.readouterr().err.splitlines() if "cannot be removed" in line]
    assert lines
    assert all(stuck in line for line in lines)


def test_validity_that_cannot_be_renewed_fails_and_leaves_the_manifest(
    tiny: Path, workflow: Workflow, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = publish(tiny, datetime.now(UTC) - timedelta(hours=13))
    before = (folder / "manifest.json").read_bytes()
    write_bytes = Path.write_bytes

    def cut_off(path: Path, content: bytes) -> int:
        if path.parent.resolve() != folder.resolve():
            return write_bytes(path, content)
        write_bytes(path, content[:99])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", cut_off)
    assert run_command(tiny, FEW._replace(if_changed=True)) == 1
    assert summary(tiny)["outcome"] == "failed"
    assert (folder / "manifest.json").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "public"]
    assert (
        "results/tiny/latest/manifest.json: No space left on device: the run has failed"
        in capfd.readouterr().err
    )


@pytest.mark.parametrize("where", ["build", ".snakemake"])
def test_folder_that_cannot_be_written_fails_in_one_line(
    tiny: Path, workflow: Workflow, capfd: pytest.CaptureFixture[str], where: str
) -> None:
    first = publish(tiny)
    (tiny.parent / where).touch()
    assert run_command(tiny, FEW) == 1
    assert workflow.runs == 0
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"channelmaps: {where}")
    assert line.endswith(": the run has failed")
    assert (tiny.parent / "results/tiny/latest").readlink() == Path(first.name)


@pytest.fixture
def small_disk(tiny: Path) -> Iterator[Path]:
    """A disk of 256 KiB as ``results/``."""
    folder = tiny.parent / "results"
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(line, capture_output=True, timeout=60).returncode:
        pytest.skip("no right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=60)


@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_publishing_to_a_disk_that_takes_no_more_leaves_latest(
    tiny: Path,
    small_disk: Path,
    change_station: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    disk: str,
) -> None:
    first = publish(tiny)
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    change_station(0, erp_kw=2.0)
    layer = tiny.parent / "build/tiny/public/a.txt"
    layer.parent.mkdir(parents=True)
    layer.write_bytes(bytes(1_000_000))
    write_record(Path("build/tiny"), "availability", {}, "of its rule", [layer])
    monkeypatch.setattr("pipeline.publish.job_publish.published_files", lambda _: ["public/a.txt"])
    monkeypatch.setattr(
        "pipeline.publish.job_publish.write_reports",
        lambda reports, *_: [write_whole(path, "report") or path for path in reports],
    )
    problem = "No space left on device"
    if disk == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True, timeout=60)
        problem = "Read-only file system"
    with pytest.raises(InputError, match=rf"^results/tiny/\S*: {problem}: nothing is published$"):
        run_from("publish", Path("tiny.yaml"), Path("build/tiny"))
    assert (small_disk / "tiny/latest").readlink() == Path(first.name)
    assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == before
    assert {path.name for path in first.parent.iterdir()} == {"latest", ".published", first.name}
