"""Scheduled runs: nothing without a change, one at a time, old runs, shrunken registers, summaries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.publish.release import is_complete
from pipeline.publish.unchanged_inputs import check_unchanged
from pipeline.workflow import run as runs
from pipeline.workflow.earlier_runs import check_shrink, remove_old_runs
from pipeline.workflow.run import run_command
from tests.stand_in import FEW, NOW, Workflow, add_run, publish, summary
from tests.tiny import STATIONS, write_register

Change = Callable[..., None]


# --- only what changed --------------------------------------------------------------------------------------


def test_unchanged_territory_computes_nothing_and_says_so(
    tiny: Path, workflow: Workflow, capsys: pytest.CaptureFixture[str]
) -> None:
    options = FEW._replace(if_changed=True)
    assert run_command(tiny, options) == 0
    assert workflow.runs == 1
    latest = (tiny.parent / "results/tiny/latest").resolve()
    capsys.readouterr()
    assert run_command(tiny, options) == 0
    assert workflow.runs == 1
    assert f"Nothing has changed since run {latest.name}" in capsys.readouterr().out
    assert (summary(tiny)["outcome"], summary(tiny)["run_id"]) == ("unchanged", latest.name)


@pytest.mark.parametrize("what", ["register", "setting", "file gone"])
def test_any_change_is_computed(tiny: Path, workflow: Workflow, change_station: Change, what: str) -> None:
    run_command(tiny, FEW)
    if what == "register":
        change_station(0, erp_kw=2.0)
    elif what == "setting":
        tiny.write_text(tiny.read_text().replace("cap_dbm: 36.0", "cap_dbm: 36.0\n    margin_db: 1.0"))
    else:
        (tiny.parent / "results/tiny/latest/public/a.txt").unlink()
    assert run_command(tiny, FEW._replace(if_changed=True)) == 0
    assert workflow.runs == 2
    assert run_command(tiny, FEW._replace(if_changed=True)) == 0
    assert workflow.runs == 2


def test_without_the_option_the_workflow_is_asked(tiny: Path, workflow: Workflow) -> None:
    run_command(tiny, FEW)
    run_command(tiny, FEW)
    assert workflow.runs == 2
    assert summary(tiny)["outcome"] == "unchanged"


def valid(tiny: Path) -> dict:
    return json.loads((tiny.parent / "results/tiny/latest/manifest.json").read_text())


@pytest.mark.parametrize(("age_h", "renewed"), [(11.0, False), (13.0, True), (200.0, True)])
def test_validity_is_renewed_when_less_than_half_is_left(
    tiny: Path, workflow: Workflow, age_h: float, renewed: bool
) -> None:
    computed = datetime.now(UTC) - timedelta(hours=age_h)
    folder = publish(tiny, computed)
    before = valid(tiny)
    assert run_command(tiny, FEW._replace(if_changed=True)) == 0
    after = valid(tiny)
    assert workflow.runs == 0
    assert summary(tiny)["validity_renewed"] == renewed
    assert (after["valid"] != before["valid"]) == renewed
    if renewed:
        left = datetime.fromisoformat(after["valid"]["until"]) - datetime.now(UTC)
        assert timedelta(hours=23.9) < left <= timedelta(hours=24)
        assert after["valid_utc"]["stopTime"] == after["valid"]["until"].replace("+00:00", "Z")
    same = before.keys() - {"valid", "valid_utc"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "public"]


@pytest.mark.parametrize(("ahead_h", "renewed"), [(0.0, False), (0.5, True), (2000.0, True)])
def test_period_that_a_clock_ahead_has_put_into_the_future_is_renewed(
    tiny: Path, workflow: Workflow, ahead_h: float, renewed: bool
) -> None:
    publish(tiny, datetime.now(UTC) + timedelta(hours=ahead_h))
    assert run_command(tiny, FEW._replace(if_changed=True)) == 0
    assert summary(tiny)["validity_renewed"] == renewed
    period = valid(tiny)["valid"]
    assert datetime.fromisoformat(period["from"]) <= datetime.now(UTC)
    assert datetime.fromisoformat(period["until"]) <= datetime.now(UTC) + timedelta(hours=24)
    assert is_complete(tiny.parent / "results/tiny")


def test_period_of_less_than_a_minute_is_refused(tiny: Path) -> None:
    tiny.write_text(tiny.read_text() + "validity_hours: 1.0e-300\n")
    with pytest.raises(InputError, match=r"validity_hours.*found 1e-300"):
        load_config(tiny)


# --- one at a time ------------------------------------------------------------------------------------------


@pytest.fixture
def holder(repository: Path, tiny: Path):
    """Another process that holds the folder until its input ends."""
    program = (
        "import sys\nfrom pipeline.workflow.run import only_one_run\n"
        "with only_one_run():\n    print('in', flush=True)\n    sys.stdin.read()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(repository)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], text=True, env=environment, **pipes) as process:
        assert process.stdout.readline() == "in\n"
        yield process
        process.stdin.close()


def test_run_refuses_a_folder_that_is_held(tiny: Path, workflow: Workflow, holder: subprocess.Popen) -> None:
    with pytest.raises(InputError, match=rf"another run .*process {holder.pid}, since 20"):
        run_command(tiny, FEW._replace(wait=False))
    assert workflow.runs == 0
    assert not (tiny.parent / "results").exists()
    holder.stdin.close()
    holder.wait()
    assert run_command(tiny, FEW._replace(wait=False)) == 0


def test_folder_stays_held_while_jobs_of_a_killed_run_live(repository: Path, tiny: Path) -> None:
    """The workflow starts its jobs as the child here does: they inherit nothing but its standard streams."""
    program = (
        "import os, subprocess, sys\nfrom pipeline.workflow.run import only_one_run\n"
        "with only_one_run() as lock:\n"
        "    job = 'echo in; while test ! -e go; do sleep 0.05; done'\n"
        "    child = f'import os, subprocess as s; s.Popen({job!r}, shell=True); os.kill(os.getpid(), 9)'\n"
        "    subprocess.run([sys.executable, '-c', child], stdin=lock)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(repository)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], text=True, env=environment, **pipes) as process:
        assert process.stdout.readline() == "in\n"
        process.wait()
        with pytest.raises(InputError, match="has not ended"), runs.only_one_run(wait=False):
            pass
        Path("go").touch()
        assert process.stdout.read() == ""  # the job is ending; its files are closed in any order
    end = time.monotonic() + 10
    while True:
        try:
            with runs.only_one_run(wait=False):
                return
        except InputError:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_what_was_computed_while_a_register_changed_is_not_kept(
    tiny: Path, workflow: Workflow, change_station: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        Path("build/tiny/mixed.tif").touch()
        change_station(0, erp_kw=2.0)
        change_station(0)  # and is put back
        with pytest.raises(InputError, match=r"register\.csv: has changed while the run computed"):
            check_unchanged(Path("build/tiny"), Path("tiny.yaml"), load_config(tiny))
        return subprocess.CompletedProcess(command, 1)

    first = publish(tiny)
    change_station(0, erp_kw=3.0)
    monkeypatch.setattr(runs.subprocess, "run", compute)
    assert run_command(tiny, FEW) == 1
    assert not Path("build/tiny/mixed.tif").exists()
    assert (tiny.parent / "results/tiny/latest").readlink() == Path(first.name)
    assert summary(tiny)["outcome"] == "failed"


@pytest.mark.parametrize("kind", ["link", "dangling link", "loop", "hard link", "folder", "pipe"])
def test_lock_that_is_no_file_of_its_own_is_refused_and_what_it_leads_to_stays(
    tiny: Path, workflow: Workflow, kind: str
) -> None:
    lock, target = Path(".snakemake/run.lock"), Path("precious.txt")
    lock.parent.mkdir()
    target.write_text("precious")
    if kind == "hard link":
        lock.hardlink_to(target)
    elif kind == "folder":
        lock.mkdir()
    elif kind == "pipe":
        os.mkfifo(lock)
    else:
        lock.symlink_to({"link": target.absolute(), "dangling link": "none", "loop": "run.lock"}[kind])
    with pytest.raises(InputError, match=r"^\.snakemake/run\.lock: cannot be the lock of a run"):
        run_command(tiny, FEW)
    assert target.read_text() == "precious"
    assert not Path(".snakemake/none").exists()
    assert workflow.runs == 0


PLACES = {
    "results is a file": ("results", Path.touch),
    "results of the territory is a file": ("results/tiny", Path.touch),
    "results is a loop": ("results", lambda path: path.symlink_to("results")),
    "results of the territory is a loop": ("results/tiny", lambda path: path.symlink_to("tiny")),
    "results leads nowhere": ("results", lambda path: path.symlink_to("nowhere")),
    "latest is a file": ("results/tiny/latest", Path.touch),
    "latest is a folder": ("results/tiny/latest", Path.mkdir),
}


@pytest.mark.parametrize("case", PLACES)
def test_place_that_cannot_hold_runs_is_refused_before_anything_is_computed(
    tiny: Path, workflow: Workflow, case: str
) -> None:
    name, make = PLACES[case]
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    make(Path(name))
    with pytest.raises(InputError, match=rf"^{name}: "):
        run_command(tiny, FEW)
    assert workflow.runs == 0
    assert os.path.lexists(name)


# --- old runs -----------------------------------------------------------------------------------------------


def test_newest_runs_stay_and_latest_always(tmp_path: Path) -> None:
    for number in range(6):
        add_run(tmp_path, number, f"2026-11-0{number + 1}T00:00:00+00:00")
    (tmp_path / "latest").symlink_to(f"{0:016x}")  # taken back to the oldest
    for name in ("notes", "0123456789abcdeX", f"{9:016x}"):  # not runs: wrong names, no manifest
        (tmp_path / name).mkdir()
    removed = remove_old_runs(tmp_path, 3)
    assert removed == [f"{number:016x}" for number in (1, 2, 3)]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"latest", "notes", "0123456789abcdeX", *(f"{n:016x}" for n in (0, 4, 5, 9))}
    assert remove_old_runs(tmp_path, 1) == [f"{number:016x}" for number in (4, 5)]
    assert (tmp_path / "latest/public/a.tif").exists()


def test_what_was_left_of_a_removal_goes_with_the_next(tmp_path: Path) -> None:
    add_run(tmp_path, 1, "2026-11-01").rename(tmp_path / f".{1:016x}.removed")
    add_run(tmp_path, 2, "2026-11-02")
    (tmp_path / "latest").symlink_to(f"{2:016x}")
    assert remove_old_runs(tmp_path, 1) == []
    assert {path.name for path in tmp_path.iterdir()} == {"latest", f"{2:016x}"}


@pytest.mark.parametrize("by", ["option", "setting"])
def test_run_removes_old_runs(tiny: Path, workflow: Workflow, change_station: Change, by: str) -> None:
    if by == "setting":
        tiny.write_text(tiny.read_text() + "keep_runs: 2\n")
    options = FEW._replace(keep_runs=2 if by == "option" else None)
    seen = []
    for erp_kw in (1.0, 2.0, 3.0):
        change_station(0, erp_kw=erp_kw)
        publish_time = NOW - timedelta(hours=10 - erp_kw)
        folder = publish(tiny, publish_time)
        seen.append(folder.name)
    assert run_command(tiny, options) == 0
    folders = {path.name for path in (tiny.parent / "results/tiny").iterdir() if path.is_dir()}
    assert folders - {"latest"} == set(seen[1:])
    assert summary(tiny)["removed_runs"] == [seen[0]]


def test_failed_run_removes_nothing(tiny: Path, workflow: Workflow, change_station: Change) -> None:
    first = publish(tiny)
    change_station(0, erp_kw=2.0)
    publish(tiny)
    change_station(0, erp_kw=3.0)
    workflow.code = 1
    assert run_command(tiny, FEW._replace(keep_runs=1)) == 1
    assert first.is_dir()


# --- shrunken registers -------------------------------------------------------------------------------------


def test_register_that_lost_too_many_rows_is_refused_until_accepted(tiny: Path, workflow: Workflow) -> None:
    run_command(tiny, FEW)
    write_register(tiny.parent / "register.csv", STATIONS[:3])  # 5 -> 3 is 40 %
    note = tiny.parent / "note.json"
    with pytest.raises(
        InputError, match=r"registers\.transmitters.*had 5 rows.*found 3.*20 %.*accept-shrink"
    ):
        run_command(tiny, FEW._replace(summary=note))
    assert workflow.runs == 1
    assert json.loads(note.read_text())["outcome"] == "refused"
    assert summary(tiny)["outcome"] == "published", "that of the run before"
    assert run_command(tiny, FEW._replace(accept_shrink=True)) == 0
    assert run_command(tiny, FEW) == 0, "the smaller register is the published one now"


@pytest.mark.parametrize(("left", "allowed_pct", "refused"), [(4, 20, False), (4, 19, True), (3, 40, False)])
def test_share_is_that_of_the_territory_file(
    tiny: Path, workflow: Workflow, left: int, allowed_pct: int, refused: bool
) -> None:
    text = tiny.read_text().replace("[register.csv]", f"[register.csv], max_shrink_pct: {allowed_pct}")
    tiny.write_text(text)
    run_command(tiny, FEW)
    write_register(tiny.parent / "register.csv", STATIONS[:left])
    if refused:
        with pytest.raises(InputError, match="had 5 rows"):
            run_command(tiny, FEW)
    else:
        assert run_command(tiny, FEW) == 0


def test_rows_that_lenient_reading_leaves_out_count_as_lost(tiny: Path, workflow: Workflow) -> None:
    run_command(tiny, FEW)
    register = tiny.parent / "register.csv"
    register.write_text(register.read_text().replace(",1.0,100,", ",none,100,", 2))
    with pytest.raises(InputError, match="had 5 rows"):
        run_command(tiny, FEW._replace(lenient=True))
    assert run_command(tiny, FEW._replace(lenient=True, accept_shrink=True)) == 0
    found = summary(tiny)["rejected_rows"]
    assert found["count"] == 2
    assert [(row["file"], row["row"], row["field"]) for row in found["rows"]] == [
        ("register.csv", 2, "erp_kw"),
        ("register.csv", 3, "erp_kw"),
    ]


@pytest.mark.parametrize("damage", ["cut off", "no object", "no counts", "file gone", "folder gone"])
def test_published_run_that_cannot_be_compared_is_refused_until_accepted(
    tiny: Path, workflow: Workflow, change_station: Change, damage: str
) -> None:
    manifest = publish(tiny) / "manifest.json"
    manifest.chmod(0o644)
    text = manifest.read_text()
    if damage == "folder gone":
        shutil.rmtree(manifest.parent)
    elif damage == "file gone":
        manifest.unlink()
    else:
        counts = json.loads(text)
        del counts["register_rows"]
        manifest.write_text({"cut off": text[:-9], "no object": "7", "no counts": json.dumps(counts)}[damage])
    change_station(0, erp_kw=2.0)
    with pytest.raises(
        InputError, match=r"latest/manifest\.json.*whether a register has shrunk.*accept-shrink"
    ):
        run_command(tiny, FEW)
    assert workflow.runs == 0
    assert run_command(tiny, FEW._replace(accept_shrink=True)) == 0
    assert run_command(tiny, FEW) == 0, "what is published now can be compared"


def test_damaged_manifest_of_the_same_inputs_is_mended(tiny: Path, workflow: Workflow) -> None:
    """The run id stands for the content of the registers: they have not shrunk."""
    manifest = publish(tiny) / "manifest.json"
    text = manifest.read_text()
    manifest.unlink()
    manifest.write_text(text[:-9])
    assert run_command(tiny, FEW._replace(if_changed=True)) == 0
    assert workflow.runs == 1
    assert valid(tiny)["run_id"] == manifest.parent.name


@pytest.mark.parametrize(("what", "problem"), [("empty", "holds no rows"), ("gone", "does not exist")])
@pytest.mark.parametrize("accept", [False, True])
def test_register_without_rows_is_no_register_even_if_accepted(
    tiny: Path, workflow: Workflow, what: str, problem: str, accept: bool
) -> None:
    publish(tiny)
    register = tiny.parent / "register.csv"
    if what == "empty":
        register.write_text(register.read_text().splitlines()[0] + "\n")
    else:
        register.unlink()
    with pytest.raises(InputError, match=rf"register\.csv.*{problem}"):
        run_command(tiny, FEW._replace(accept_shrink=accept))
    assert workflow.runs == 0


@pytest.mark.parametrize(("left", "refused"), [(3, False), (2, False), (1, True), (0, True)])
def test_bookings_may_lose_half_their_rows_and_not_all(tiny: Path, left: int, refused: bool) -> None:
    published = {"run_id": "a", "register_rows": {"pmse.registers": 4}}
    sizes = {"pmse.registers": left}
    config = load_config(tiny)
    if refused:
        with pytest.raises(InputError, match=r"pmse\.registers: register had 4 rows.*50 %"):
            check_shrink(config, sizes, published, tiny)
    else:
        check_shrink(config, sizes, published, tiny)


# --- summary ------------------------------------------------------------------------------------------------


def test_summary_tells_what_the_run_did(tiny: Path, workflow: Workflow, change_station: Change) -> None:
    started = datetime.now(UTC)
    second_place = tiny.parent / "log/summary.json"
    run_command(tiny, FEW)
    first = summary(tiny)
    change_station(0, erp_kw=2.0)
    run_command(tiny, FEW._replace(summary=second_place))
    found = summary(tiny)
    assert json.loads(second_place.read_text()) == found
    assert (found["outcome"], found["exit"], found["territory"]) == ("published", 0, "tiny")
    assert found["previous_run_id"] == first["run_id"] != found["run_id"]
    assert found["run_id"] == (tiny.parent / "results/tiny/latest").resolve().name
    assert found["jobs"] == {"coverage": {"jobs": 1, "seconds": 12.5}}
    (changed,) = found["changed_inputs"]
    assert (changed["key"], changed["change"]) == ("registers.transmitters.0", "changed")
    assert (found["config_changed"], found["code_changed"]) == (False, [])
    assert first["previous_run_id"] is None
    assert {item["change"] for item in first["changed_inputs"]} == {"new"}
    begun, ended = (datetime.fromisoformat(found[name]) for name in ("started", "ended"))
    assert started - timedelta(seconds=1) <= begun <= ended <= datetime.now(UTC)
    assert 0 <= found["seconds"] < 60


def test_summary_of_a_failed_run_says_so_and_leaves_latest(
    tiny: Path, workflow: Workflow, change_station: Change
) -> None:
    first = publish(tiny)
    change_station(0, erp_kw=2.0)
    workflow.code = 1
    assert run_command(tiny, FEW) == 1
    assert (summary(tiny)["outcome"], summary(tiny)["exit"]) == ("failed", 1)
    assert summary(tiny)["run_id"] != first.name
    assert (tiny.parent / "results/tiny/latest").readlink() == Path(first.name)


def test_dry_run_leaves_no_trace(tiny: Path, workflow: Workflow) -> None:
    assert run_command(tiny, FEW._replace(dry_run=True)) == 0
    assert not (tiny.parent / "results").exists()
