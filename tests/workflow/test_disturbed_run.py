"""Runs for real that are disturbed: a register replaced, a workflow killed without its jobs, a full disk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.stand_in import summary
from tests.workflow.test_full_run import contents, run

pytestmark = pytest.mark.slow
WAIT_S = 300
COMPUTED = ("build", "results", ".snakemake", "benchmarks")


@pytest.fixture
def small(tiny: Path) -> Path:
    """The tiny territory with one channel; its results' folder."""
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [25]"))
    return tiny.parent / "results/tiny"


@contextmanager
def started(repository: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in a group of its own; none of it outlives the test."""
    line = [sys.executable, "-m", "pipeline", "run", "tiny.yaml", "--verbose", "--cores", "1"]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    with (
        Path("run.log").open("w") as log,
        subprocess.Popen(line, stdout=log, stderr=log, env=environment, start_new_session=True) as process,
    ):
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, Path("run.log").read_text()
        time.sleep(0.02)


def told(text: str) -> bool:
    return text in Path("run.log").read_text()


def jobs_of(group: int, word: str) -> list[int]:
    """Processes of a group with this word among the arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ProcessLookupError):
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
            if word.encode() in arguments and os.getpgid(int(folder.name)) == group:
                found.append(int(folder.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process goes on or is stopped; not one that is dead and not yet asked for."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


def test_register_replaced_while_a_run_computes_publishes_nothing(
    repository: Path, small: Path, change_station: Callable[..., None]
) -> None:
    change_station(3, erp_kw=5.0)
    run(repository)
    wanted_id, wanted = (small / "latest").resolve().name, contents((small / "latest").resolve())
    for folder in COMPUTED:
        shutil.rmtree(folder)
    change_station(3)
    run(repository)
    first = (small / "latest").resolve()
    before = contents(first)

    change_station(3, erp_kw=4.0)
    with started(repository) as process:
        wait_until(lambda: told("done: coverage"))
        change_station(3, erp_kw=5.0)
        assert process.wait(WAIT_S) == 1, Path("run.log").read_text()
    assert told("register.csv: has changed while the run computed: nothing is published")
    assert (small / "latest").resolve() == first
    assert contents(first) == before
    assert {path.name for path in small.iterdir()} <= {"latest", ".published", "summary.json", first.name}
    assert summary(small.parents[1] / "tiny.yaml")["outcome"] == "failed"

    run(repository)
    assert (small / "latest").resolve().name == wanted_id
    assert contents((small / "latest").resolve()) == wanted


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_folder_stays_held_by_a_job_whose_workflow_was_killed(repository: Path, small: Path) -> None:
    with started(repository) as process:
        wait_until(lambda: jobs_of(process.pid, "coverage"))
        (job, *_) = jobs_of(process.pid, "coverage")
        os.kill(job, signal.SIGSTOP)
        workflows = jobs_of(process.pid, "snakemake")
        assert workflows
        for pid in workflows:
            os.kill(pid, signal.SIGKILL)
        assert process.wait(WAIT_S) == 1
        assert alive(job)
        assert "has not ended" in run(repository, "--no-wait", expected_code=2)
        assert not (small / "latest").exists()
        os.kill(job, signal.SIGCONT)
        os.kill(job, signal.SIGKILL)
        wait_until(lambda: not jobs_of(process.pid, "coverage"))
    run(repository, "--no-wait", "--cores", "1")
    assert (small / "latest").exists()


def keep_time(path: Path, change: Callable[[Path], object]) -> None:
    times = path.stat()
    path.chmod(0o644)
    change(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def raise_20_db(path: Path) -> None:
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as layer:
        values = layer.read(1)
        layer.write(np.where(values > -32000, values + 2000, values).astype(values.dtype), 1)


def test_damaged_intermediates_are_computed_again_and_never_published(repository: Path, small: Path) -> None:
    run(repository)
    build, latest = Path("build/tiny"), small / "latest"
    published, computed = contents(latest), contents(build)
    name = latest.resolve().name
    layer, statistics, coverage = (
        build / "public/max_eirp_fixed30_ch25.tif",
        build / "public/statistics.csv",
        build / "coverage/ch25.tif",
    )
    keep_time(layer, raise_20_db)
    keep_time(statistics, lambda path: os.truncate(path, 100))
    coverage.unlink()
    record = build / ".records/protect/ch25.json"
    record.write_text("{")
    keep_time(latest / "public/statistics.csv", lambda path: os.truncate(path, 100))

    text = run(repository, "--if-changed")
    for line in (
        f"{layer}: is not what its job wrote: computed again",
        f"{statistics}: is not what its job wrote: computed again",
        f"{coverage}: is missing: computed again",
        f"{record}: cannot be read: computed again",
        f"results/tiny/latest/public/statistics.csv: has 100 bytes, published were "
        f"{len(published['public/statistics.csv'])}: published again",
    ):
        assert f"channelmaps: {line}\n" in text
    assert latest.resolve().name == name
    assert contents(latest) == published
    assert contents(build) == computed
    assert "nothing is computed" in run(repository, "--if-changed")

    keep_time(layer, raise_20_db)
    (small / ".published").unlink()
    job = ["--config", "tiny.yaml", "--build", "build/tiny"]
    refused = run_job(repository, "publish", *job)
    assert f"{layer}: is not what its job wrote: nothing is published" in refused
    assert contents(latest) == published


def run_job(repository: Path, *arguments: str) -> str:
    """What a job says that is refused."""
    line = [sys.executable, "-m", "pipeline", "job", *arguments]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    done = subprocess.run(line, text=True, capture_output=True, env=environment, timeout=WAIT_S)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Function that mounts a small disk as ``results``, or mounts it anew with other options."""
    folder = tmp_path / "results"

    def mounted(options: str) -> None:
        folder.mkdir(exist_ok=True)
        line = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60)
        if done.returncode:
            pytest.skip(f"no right to mount: {done.stderr.strip()}")

    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    yield mounted
    while os.path.ismount(folder):
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=60)


@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_results_on_a_disk_that_takes_no_more_stay_as_they_are(
    repository: Path,
    small: Path,
    mount: Callable[[str], None],
    change_station: Callable[..., None],
    disk: str,
) -> None:
    mount("size=200m")
    run(repository)
    first = (small / "latest").resolve()
    before = contents(first)
    change_station(3, erp_kw=5.0)
    used_kb = os.statvfs("results").f_blocks - os.statvfs("results").f_bfree
    used_kb *= os.statvfs("results").f_frsize // 1024
    mount(f"remount,size={used_kb + 64}k" if disk == "full" else "remount,ro")
    text = run(repository, expected_code=1)
    assert ("No space left on device" if disk == "full" else "Read-only file system") in text
    assert "Traceback" not in text
    assert (small / "latest").resolve() == first
    assert contents(first) == before
    names = {path.name for path in small.iterdir()}
    assert names <= {"latest", ".published", "summary.json", first.name}

    mount("remount,rw,size=200m")
    run(repository)
    assert (small / "latest").resolve() != first
