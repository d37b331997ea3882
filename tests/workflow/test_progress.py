"""What people see of a run: lines of stages made of what Snakemake says, failures, the end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path

import pytest

from pipeline.plan.plan import load_plan
from pipeline.workflow.progress import Stages, duration, watched
from pipeline.workflow.run import run_command
from pipeline.workflow.run_lines import ending, shortened
from pipeline.workflow.validate import validate_command
from tests.published import publish
from tests.stand_in import FEW, Workflow, summary
from tests.stand_in import publish as publish_stand_in

TABLE = """Job stats:
job         count
--------  -------
coverage        2
protect         1
all             1
total           4

Select jobs to execute...
"""


def finished(rule: str) -> str:
    return f"[Sun Nov 29 09:32:59 2026]\nFinished jobid: 5 (Rule: {rule})\n1 of 4 steps (25%) done\n"


def told(parts: list[tuple[float, str]]) -> tuple[list[str], list[str], Stages]:
    """What is told and warned of for text of a log at times in seconds; coverage: 30 s a job, protect 40."""
    lines: list[str] = []
    warned: list[str] = []
    stages = Stages({"coverage": 30.0, "protect": 40.0}, lines.append, warned.append)
    for now_s, text in parts:
        for line in text.splitlines():
            stages.read(line, now_s)
    return lines, warned, stages


def test_stage_is_one_line_when_its_last_job_is_done() -> None:
    lines, warned, stages = told([(100.0, TABLE), (130.0, finished("coverage"))])
    assert (len(lines), warned) == (1, [])
    assert stages.part == pytest.approx(0.3)
    # 30 of 100 s of work took 30 s: 70 s are left.
    assert stages.left(130.0) == "about 1 min 10 s left"
    parts = [(100.0, TABLE), (130.0, finished("coverage")), (190.0, finished("coverage"))]
    lines, _, _ = told(parts)
    assert lines == [
        "Computing: 3 jobs in 2 stages",
        " 60 %  coverage (2 jobs) done after 1 min 30 s; about 1 min 0 s left",
    ]
    lines, _, stages = told([*parts, (220.0, finished("protect")), (220.0, finished("all"))])
    assert lines[2:] == ["100 %  protect done after 2 min 0 s"]
    assert stages.part == 1.0


def test_what_jobs_say_to_people_and_the_log_of_a_failed_job_are_passed_on() -> None:
    text = (
        "channelmaps: NO_FREQ_OVERLAP, left out\nError in rule coverage:\n    message: None\n    jobid: 3\n"
        "    log: logs/tiny/coverage/ch21.log (check log file(s) for error details)\n    log: other\n"
    )
    lines, warned, _ = told([(0.0, TABLE), (1.0, text)])
    assert len(lines) == 1
    assert warned == [
        "channelmaps: NO_FREQ_OVERLAP, left out",
        "channelmaps: coverage has failed: see logs/tiny/coverage/ch21.log",
    ]


def test_line_of_a_failed_job_is_told_once() -> None:
    """Snakemake shows the log of a failed job after what the job has said itself."""
    line, other = "channelmaps: dem.tif: cannot be read", "channelmaps: said in the log alone"
    log = "logs/tiny/coverage/ch21.log"
    text = f"{line}\nError in rule coverage:\n    log: {log} (check log file(s) for error details)\n"
    text += f"Logfile {log}:\n=====\n{line}\n{other}\n=====\n"
    _, warned, _ = told([(0.0, TABLE), (1.0, text)])
    assert warned == [line, f"channelmaps: coverage has failed: see {log}", other]


@contextmanager
def unread() -> Iterator[None]:
    """A stdout whose reader is gone, as that of ``| grep -m1``."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream, redirect_stdout(stream):
        yield


def test_messages_of_jobs_are_passed_on_where_nobody_reads_the_stages(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with unread(), watched(tmp_path / "run.log", {}) as stream:
        for text in (TABLE, finished("protect"), "channelmaps: dem.tif: cannot be read\n"):
            stream.write(text.encode())
            stream.flush()
            time.sleep(0.25)  # longer than between two looks at the log
    assert capfd.readouterr().err == "channelmaps: dem.tif: cannot be read\n"


def test_run_that_is_published_has_not_failed_where_nobody_reads(
    tiny: Path, workflow: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    with unread():
        assert run_command(tiny, FEW) == 0
    assert summary(tiny)["outcome"] == "published"
    assert "the run has failed" not in capfd.readouterr().err


def test_run_of_which_nothing_has_changed_has_not_failed_where_nobody_reads(
    tiny: Path, workflow: Workflow
) -> None:
    publish_stand_in(tiny)
    with unread():
        assert run_command(tiny, FEW._replace(if_changed=True)) == 0
    assert (summary(tiny)["outcome"], workflow.runs) == ("unchanged", 0)


def test_program_ends_well_where_nobody_reads() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = "from pipeline.workflow.progress import say; say('a'); say('b' * 100_000)"
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_nothing_to_be_done_is_said() -> None:
    lines, _, stages = told([(0.0, "Nothing to be done (all requested files are present and up to date).")])
    assert lines == ["Nothing to be done: all of it is computed already."]
    assert stages.left(1.0) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (130.0, "2 min 10 s"), (3900.0, "1 h 5 min")],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_log_is_read_while_it_grows_and_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "logs/tiny/run.log"
    with watched(log, {}) as stream:
        for text in (TABLE[:25], TABLE[25:], finished("protect"), "chatter\n", finished("coverage") * 2):
            stream.write(text.encode())
            stream.flush()
    said = capsys.readouterr().out.splitlines()
    assert [line.split(" done")[0] for line in said] == [
        "Computing: 3 jobs in 2 stages",
        said[1].split(" done")[0],
        "100 %  coverage (2 jobs)",
    ]
    assert re.match(r" \d\d %  protect done after", said[1])
    assert "chatter" in log.read_text()


def test_run_keeps_the_chatter_in_its_log_and_names_it_where_it_fails(
    tiny: Path, workflow: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    workflow.code = 1
    assert run_command(tiny, FEW) == 1
    assert "all that was said is in logs/tiny/run.log" in capfd.readouterr().err
    assert (tiny.parent / "logs/tiny/run.log").is_file()


def test_end_names_what_to_open_what_changed_and_what_is_open(tiny: Path) -> None:
    publish(tiny)
    plan = load_plan(tiny)
    latest = plan.results / "latest"
    facts = {"run_id": "a", "previous_run_id": None}
    text = ending(plan, facts)
    manifest = json.loads((latest / "manifest.json").read_text())
    assert f"unverified    {len(manifest['unverified'])} numbers" in text
    assert all(entry["service"] in text for entry in manifest["not_evaluated"])
    assert "the first run of this territory" in text
    assert f"{latest}/manifest.json" in text
    assert "web map" not in text  # this run has none
    changed = {"changed_inputs": [{"path": f"r{n}.csv"} for n in range(5)], "config_changed": True}
    facts |= {"previous_run_id": "b", "code_changed": []} | changed
    assert "inputs r0.csv, r1.csv, r2.csv and 2 more; the territory file (channelmaps compare" in ending(
        plan, facts
    )
    assert "nothing has changed" in ending(plan, facts | {"previous_run_id": "a"})
    beside = plan._replace(results=plan.results.with_name(f"{plan.config.name}-what-if"))
    assert f"channelmaps compare {latest} {beside.results / 'latest'} --out changes" in ending(beside, facts)


def test_check_of_a_run_counts_what_validate_prints(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    validate_command(tiny)
    whole = capsys.readouterr().out.splitlines()
    validate_command(tiny, shown=partial(shortened, tiny))
    *kept, last = capsys.readouterr().out.splitlines()
    assert [line for line in whole if line in kept] == kept
    left_out = [line for line in whole if line not in kept]
    assert sum(int(count) for count in re.findall(r"\((\d+)\)", last)) == len(left_out) > 2
    assert not [line for line in left_out if "not safe" in line or "no data of" in line]
    assert "not verified (" in last
