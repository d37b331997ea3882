"""`channelmaps run` around the workflow: locks, deleted results, exit codes."""

from __future__ import annotations

import select
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.publish.release import release
from pipeline.workflow import run as runs


class Recorder:
    """Stands for Snakemake: remembers the command and returns an exit code."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        return subprocess.CompletedProcess(command, self.code)


def with_snakemake(monkeypatch: pytest.MonkeyPatch, code: int = 0) -> Recorder:
    recorder = Recorder(code)
    monkeypatch.setattr(runs.subprocess, "run", recorder)
    return recorder


def publish(tiny: Path, run_id: str = "run1") -> Path:
    source = tiny.parent / "a.tif"
    source.write_bytes(b"a")
    results = tiny.parent / "results/tiny"
    facts = {"run_id": run_id, "inputs": [], "config": {"sha256": ""}, "software": {"code": {}}}
    facts |= {"register_rows": {"registers.transmitters": 5}}
    release(
        {"public/a.tif": source},
        results,
        run_id,
        lambda d: {**facts, "outputs": [{"path": n, "sha256": s, "bytes": 1} for n, s in d.items()]},
    )
    return results


def test_run_uses_all_cores_and_says_where_results_lie(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = with_snakemake(monkeypatch)
    publish(tiny)
    assert runs.run_command(tiny) == 0
    (command,) = recorder.commands
    assert command[command.index("--cores") + 1] == str(runs.available_cores())
    assert "territory=tiny.yaml" in command
    assert "results/tiny/latest" in capsys.readouterr().out


def test_run_that_fails_returns_1(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_snakemake(monkeypatch, code=3)
    assert runs.run_command(tiny) == 1


def test_run_refuses_bad_input_before_computing(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = with_snakemake(monkeypatch)
    tiny.write_text(tiny.read_text().replace("height_m: 30.0", "height_m: -1.0"))
    with pytest.raises(InputError):
        runs.run_command(tiny)
    assert recorder.commands == []
    assert not (tiny.parent / "results").exists()


def test_run_publishes_again_what_was_deleted(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_snakemake(monkeypatch)
    results = publish(tiny)
    runs.run_command(tiny)
    assert (results / ".published").exists()
    (results / "run1/public/a.tif").unlink()
    runs.run_command(tiny)
    assert not (results / ".published").exists()


def test_run_removes_the_lock_of_a_killed_run(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_snakemake(monkeypatch)
    lock = tiny.parent / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("x")
    runs.run_command(tiny)
    assert not lock.exists()


def test_second_run_in_the_same_folder_waits(
    repository: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(repository))
    program = (
        "import sys\nfrom pipeline.workflow.run import only_one_run\n"
        "with only_one_run():\n    print('in', flush=True)\n    sys.stdin.readline()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", program]
    with (
        subprocess.Popen(command, text=True, **pipes) as first,  # type: ignore[call-overload]
        subprocess.Popen(command, text=True, **pipes) as second,  # type: ignore[call-overload]
    ):
        # Whichever comes first holds the folder; the other one says that it waits, until the first ends.
        readable = {first.stderr: second, second.stderr: first}
        ready, _, _ = select.select(list(readable), [], [], 60)
        assert "waiting" in ready[0].readline()
        holder = readable[ready[0]]
        waiting = first if holder is second else second
        assert holder.stdout.readline() == "in\n"
        lock = tiny.parent / ".snakemake/locks/0.output.lock"
        lock.parent.mkdir(parents=True)
        lock.write_text("left by a run that was killed")
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert waiting.stdout.readline() == "in\n"
        assert not lock.exists()
        waiting.stdin.write("\n")
        waiting.stdin.flush()
