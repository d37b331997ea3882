"""Intermediates that are not what their jobs wrote: found whatever their time, removed, not published."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.errors import InputError
from pipeline.files import noting_files, write_together, write_whole
from pipeline.plan import run_job as jobs
from pipeline.plan.digest_records import write_record
from pipeline.plan.digests import check_records, damaged_jobs, remove_damaged
from pipeline.plan.jobs import JOBS
from pipeline.plan.plan import Plan, load_plan
from pipeline.plan.rules import key_of, output_files, shell_line
from pipeline.plan.run_files import published_files
from pipeline.plan.territory_file import load_config

VICTIMS, WSD = ["21", "22", "23", "25"], [str(channel) for channel in range(21, 31)]
# As the rules of the workflow have them.
ALL_JOBS = {
    "territory": [{}],
    "terrain": [{"tile": "n46e014"}],
    **{job: [{"channel": channel} for channel in VICTIMS] for job in ("coverage", "protect")},
    "combine": [{"channel": channel} for channel in WSD],
    "query": [{"device": "fixed30"}],
    **{job: [{}] for job in ("reception", "availability", "choices", "web", "qgis", "stac")},
}
LAYER = Path("build/tiny/public/max_eirp_fixed30_ch25.tif")


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """A folder for what the first of these tests has made."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def computed(tiny: Path, kept: Path) -> Plan:
    """The plan of the tiny territory, with a small file in place of each that a job writes."""
    plan = load_plan(tiny)
    if (kept / "build").exists():
        shutil.copytree(kept / "build", "build")
        return plan
    for job, every in ALL_JOBS.items():
        for wildcards in every:
            paths = [Path(pattern.format(**wildcards)) for pattern in output_files(plan, job)]
            for path in paths:
                write_whole(path, f"content of {path}")
            write_record(plan.build, job, wildcards, key_of(plan, job, wildcards), paths)
    shutil.copytree("build", kept / "build")
    return plan


def keep_time(path: Path, change: Callable[[Path], object]) -> None:
    times = path.stat()
    change(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)


def in_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: dict[str, Callable[[Path], object]] = {
    "one bit": flip_a_bit,
    "cut off": lambda path: os.truncate(path, 5),
    "empty": lambda path: os.truncate(path, 0),
    "of another territory": lambda path: path.write_text(f"content of {path}".replace("tiny", "tony")),
    "other channel": lambda path: shutil.copy(LAYER.with_stem("max_eirp_fixed30_ch24"), path),
}
GONE: dict[str, Callable[[Path], object]] = {"deleted": Path.unlink, "a folder": in_folder}
FILES = {
    "build/tiny/territory/surface.tif": "territory",
    "build/tiny/terrain/n46e014.npz": "terrain/n46e014",
    "build/tiny/coverage/ch22_servers.json": "coverage/ch22",
    "build/tiny/protection/ch25_fixed30_label.tif": "protect/ch25",
    str(LAYER): "combine/ch25",
    "build/tiny/public/statistics.csv": "availability",
    "build/tiny/public/web/index.html": "web",
}


def test_files_as_they_were_written_are_neither_damaged_nor_refused(computed: Plan) -> None:
    assert damaged_jobs(computed) == []
    check_records(computed, published_files(computed))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("change", CHANGES)
def test_changed_file_with_its_time_kept_is_found_and_not_published(
    computed: Plan, file: str, change: str
) -> None:
    keep_time(Path(file), CHANGES[change])
    (found,) = damaged_jobs(computed)
    assert (str(found.file), found.problem) == (file, "is not what its job wrote")
    assert found.record == Path(f"build/tiny/.records/{FILES[file]}.json")
    with pytest.raises(InputError, match=rf"^{file}: is not what its job wrote: nothing is published"):
        check_records(computed, published_files(computed))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("change", GONE)
def test_missing_file_is_found_and_nothing_published(computed: Plan, file: str, change: str) -> None:
    GONE[change](Path(file))
    (found,) = damaged_jobs(computed)
    assert (str(found.file), found.problem) == (file, "is missing")
    with pytest.raises(InputError, match=rf"^{file}: is missing: nothing is published"):
        check_records(computed, published_files(computed))


def test_job_to_run_again_loses_all_its_files_and_its_record_and_no_other_job_does(computed: Plan) -> None:
    before = {path for path in computed.build.rglob("*") if path.is_file()}
    keep_time(Path("build/tiny/coverage/ch22.tif"), flip_a_bit)
    in_folder(Path("build/tiny/public/statistics.csv"))
    remove_damaged(damaged_jobs(computed))
    gone = {path.as_posix() for path in before if not path.exists()}
    coverage = {f"build/tiny/coverage/ch22{ending}" for ending in (".tif", "_class.tif", "_servers.json")}
    records = {f"build/tiny/.records/{job}.json" for job in ("coverage/ch22", "availability")}
    assert gone == coverage | records | set(output_files(computed, "availability"))
    again = {str(damage.record) for damage in damaged_jobs(computed)}
    assert again == records, "what was removed is still to be computed"
    assert {damage.problem for damage in damaged_jobs(computed)} == {""}, "and was told of already"


@pytest.mark.parametrize("damage", ["{", "[]", "7", '{"key": 1, "outputs": {}}', '{"key": "a"}', "[" * 90000])
def test_damaged_record_is_no_record(computed: Plan, damage: str) -> None:
    record = Path("build/tiny/.records/combine/ch25.json")
    record.write_text(damage)
    (found,) = damaged_jobs(computed)
    assert (found.file, found.problem, LAYER in found.outputs) == (record, "cannot be read", True)
    with pytest.raises(InputError, match=r"ch25\.tif: is not what its job wrote: nothing is published"):
        check_records(computed, published_files(computed))


def test_files_without_a_record_are_computed_again(computed: Plan) -> None:
    record = Path("build/tiny/.records/combine/ch25.json")
    record.unlink()
    (found,) = damaged_jobs(computed)
    assert (found.file, found.problem) == (record, "is missing")


@pytest.mark.parametrize(("ahead_s", "found"), [(-5.0, False), (5.0, False), (3600.0, True)])
def test_file_of_a_clock_that_was_ahead_is_computed_again(
    computed: Plan, ahead_s: float, found: bool
) -> None:
    """It would pass for newer than what is computed from now on, and never be computed from that."""
    now_s = 1.8e9
    for path in computed.build.rglob("*"):
        os.utime(path, (now_s - 60.0, now_s - 60.0))
    os.utime(LAYER, (now_s + ahead_s, now_s + ahead_s))
    damages = damaged_jobs(computed, now_s)
    assert [(damage.file, damage.problem) for damage in damages] == [
        (LAYER, "is dated in the future")
    ] * found


def test_record_that_leaves_out_a_file_does_not_cover_it(computed: Plan) -> None:
    record = Path("build/tiny/.records/combine/ch25.json")
    content = json.loads(record.read_text())
    del content["outputs"]["public/max_eirp_fixed30_ch25.tif"]
    record.write_text(json.dumps(content))
    (found,) = damaged_jobs(computed)
    assert found.file == LAYER


def test_folder_of_another_territory_with_its_records_is_not_taken_for_this_one(
    computed: Plan, change_station: Callable[..., None]
) -> None:
    """Files and records fit together; they are of other inputs: channel 25 and its neighbours' limits."""
    change_station(3, erp_kw=5.0)
    found = damaged_jobs(load_plan(computed.config_path))
    jobs_found = {str(damage.record.relative_to("build/tiny/.records")) for damage in found}
    assert "coverage/ch25.json" in jobs_found
    assert "coverage/ch22.json" not in jobs_found
    assert {damage.problem for damage in found} == {""}


def test_nothing_is_told_of_a_folder_in_which_nothing_was_computed(tiny: Path) -> None:
    found = damaged_jobs(load_plan(tiny))
    assert len(found) == sum(map(len, ALL_JOBS.values()))
    assert {damage.problem for damage in found} == {""}


def test_runner_records_what_a_job_puts_in_place(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = Path("build/tiny")

    class Module:
        @staticmethod
        def main(*_: object, **__: object) -> None:
            write_whole(build / "coverage/ch07.tif", b"a")
            write_together({build / "public/b.csv": "b", Path("elsewhere/c.csv"): "c"})

    monkeypatch.setattr(jobs, "import_module", lambda _: Module)
    config = load_config(tiny)
    jobs.run_job("coverage", config, build, channel=7)
    assert not (build / ".records").exists(), "no key, no record"
    jobs.run_job("coverage", config, build, key="code-settings-rows", channel=7)
    sums = {"coverage/ch07.tif": hashlib.sha256(b"a"), "public/b.csv": hashlib.sha256(b"b")}
    assert json.loads((build / ".records/coverage/ch07.json").read_text()) == {
        "key": "code-settings-rows",
        "outputs": {name: digest.hexdigest() for name, digest in sums.items()},
    }


@pytest.mark.parametrize(
    ("job", "wildcards"), [("combine", {"channel": "07"}), ("availability", {}), ("reception", {})]
)
def test_job_with_the_key_of_its_rule_is_given_what_it_would_find_itself(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, job: str, wildcards: dict[str, str]
) -> None:
    given: list[dict[str, object]] = []

    class Module:
        @staticmethod
        def main(*_: object, **values: object) -> None:
            given.append(values)

    monkeypatch.setattr(jobs, "import_module", lambda _: Module)
    plan = load_plan(tiny)
    for key in ("", key_of(plan, job, wildcards)):
        jobs.run_job(job, plan.config, plan.build, key=key, **wildcards)
    alone, by_key = given
    # A job that keeps its layers is told under which key.
    assert by_key.pop("key", "") in ("", key_of(plan, job, wildcards))
    assert alone.pop("key", "") == ""
    assert JOBS[job].values
    assert by_key == alone


def test_files_put_in_place_are_noted_only_meanwhile(tmp_path: Path) -> None:
    with noting_files() as outer:
        write_whole(tmp_path / "a", "a")
        with noting_files() as inner:
            write_whole(tmp_path / "b", "b")
    write_whole(tmp_path / "c", "c")
    assert [path.name for path in outer] == ["a", "b"]
    assert [path.name for path in inner] == ["b"]


def test_every_rule_hands_its_key_to_the_job() -> None:
    """All that leave files in the build folder: publishing leaves none, and nothing would read its record."""
    assert "--key" not in shell_line("publish")
    for job, row in JOBS.items():
        if job == "publish":
            continue
        parts = [
            "{params.code}",
            *["{params.settings}"] * bool(row.settings),
            *["{params.rows}"] * bool(row.rows),
        ]
        assert f"--key {'-'.join(parts)} " in shell_line(job)
