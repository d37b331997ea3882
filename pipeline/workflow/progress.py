"""What people see of a run while it computes: a line per stage, one percentage, the remaining time.

Snakemake and its jobs write into the log of the run, so that they live on whatever becomes of this process;
the log is read while it grows. What jobs say to people (``channelmaps: ...``) is passed on.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO, TextIO

from rich.progress import BarColumn, Progress, TextColumn

_LOOK_S = 0.2
# Seconds of a job in a territory of 2,300 x 2,000 pixels with six devices: they weigh the stages that a
# territory has no times of yet.
_TYPICAL_S = {
    "availability": 28.0,
    "choices": 15.0,
    "combine": 8.0,
    "coverage": 7.0,
    "heights": 7.0,
    "protect": 9.0,
    "publish": 15.0,
    "qgis": 8.0,
    "query": 5.0,
    "radar612": 19.0,
    "reception": 15.0,
    "territory": 10.0,
    "web": 30.0,
}
_OTHER_S = 4.0
_SHORTEST_S = 0.1
# Below this part of the work the time it took says nothing of the rest.
_KNOWN_PART = 0.03
_ALL = "all"
_COUNT = re.compile(r"(\w+)\s+(\d+)")
_FINISHED = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
_FAILED = re.compile(r"Error in rule (\w+):")
_LOG = re.compile(r"\s+log: (\S.*?)(?: \(check log file.*)?")
_NOTHING = "Nothing to be done"
_SAID = "channelmaps: "


class Stages:
    """The stages of a run, told from the lines of its log."""

    def __init__(
        self, typical_s: Mapping[str, float], tell: Callable[[str], None], warn: Callable[[str], None]
    ) -> None:
        self._typical_s = {**_TYPICAL_S, **typical_s}
        self._tell, self._warn = tell, warn
        self._jobs: dict[str, int] = {}
        self._done: Counter[str] = Counter()
        self._in_table = False
        self._started_s = 0.0
        self._failed = ""
        self._warned: set[str] = set()

    @property
    def part(self) -> float:
        """Part of the work that is done, 0 to 1."""
        work = sum(n * self._weight_s(rule) for rule, n in self._jobs.items())
        done = sum(n * self._weight_s(rule) for rule, n in self._done.items())
        return min(done / work, 1.0) if work else 0.0

    def left(self, now_s: float) -> str:
        """The remaining time in words, nothing where it is not known."""
        if not _KNOWN_PART <= self.part < 1.0:
            return ""
        return f"about {duration((now_s - self._started_s) * (1.0 - self.part) / self.part)} left"

    def read(self, line: str, now_s: float) -> None:
        """Take in one line of the log at a time in seconds."""
        if line.startswith(_SAID):
            self._warn_once(line)
        elif _NOTHING in line:
            self._tell(f"{_NOTHING}: all of it is computed already.")
        elif found := _FINISHED.match(line):
            self._finished(found[1], now_s)
        elif found := _FAILED.match(line):
            self._failed = found[1]
        elif self._failed and (found := _LOG.fullmatch(line)):
            self._warn_once(f"{_SAID}{self._failed} has failed: see {found[1]}")
            self._failed = ""
        self._table(line, now_s)

    def _warn_once(self, line: str) -> None:
        """Snakemake shows the log of a failed job, whose lines have been told when the job said them."""
        if line not in self._warned:
            self._warned.add(line)
            self._warn(line)

    def _table(self, line: str, now_s: float) -> None:
        """The table of jobs that a run begins with: a count for each rule."""
        if line.startswith("Job stats:"):
            self._in_table = not self._jobs
        elif self._in_table and (found := _COUNT.fullmatch(line.strip())):
            if found[1] == "total":
                self._in_table, self._started_s = False, now_s
                self._jobs.pop(_ALL, None)
                self._tell(f"Computing: {sum(self._jobs.values())} jobs in {len(self._jobs)} stages")
            else:
                self._jobs[found[1]] = int(found[2])

    def _finished(self, rule: str, now_s: float) -> None:
        if rule == _ALL:
            return
        self._done[rule] += 1
        if self._done[rule] == self._jobs.get(rule):
            jobs = f" ({self._jobs[rule]} jobs)" if self._jobs[rule] > 1 else ""
            after = duration(now_s - self._started_s)
            text = f"{100.0 * self.part:3.0f} %  {rule}{jobs} done after {after}"
            self._tell("; ".join(filter(None, (text, self.left(now_s)))))

    def _weight_s(self, rule: str) -> float:
        known = self._typical_s.get(rule, self._typical_s.get(rule.partition("_bonds")[0], _OTHER_S))
        return max(known, _SHORTEST_S)


def duration(seconds: float) -> str:
    """A time in two units at most: ``45 s``, ``2 min 10 s``, ``1 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest_s = divmod(whole, 60)
    return f"{minutes} min {rest_s} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def watched(log: Path, typical_s: Mapping[str, float]) -> Iterator[IO[bytes]]:
    """The log of a run, open for Snakemake to write; while it grows its stages are told.

    A bar on a terminal, lines alone in a file.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    bar = Progress(TextColumn("{task.percentage:3.0f} %"), BarColumn(), TextColumn("{task.description}"))
    at_terminal = sys.stdout.isatty()
    tell = _beside(bar) if at_terminal else say
    stages = Stages(typical_s, tell, _warn)
    ended = Event()
    shown: AbstractContextManager[object] = bar if at_terminal else nullcontext()
    with log.open("wb") as writing, log.open(encoding="utf-8", errors="replace") as reading, shown:
        thread = Thread(target=_follow, args=(reading, stages, ended, bar if at_terminal else None))
        thread.start()
        try:
            yield writing
        finally:
            ended.set()
            thread.join()


def _follow(reading: IO[str], stages: Stages, ended: Event, bar: Progress | None) -> None:
    """Read whole lines as they come, until the run has ended and all is read."""
    task = bar.add_task("", total=1.0) if bar else None
    rest = ""
    while True:
        last = ended.is_set()
        *lines, rest = (rest + reading.read()).split("\n")
        for line in lines:
            stages.read(line, time.monotonic())
        if bar is not None and task is not None:
            bar.update(task, completed=stages.part, description=stages.left(time.monotonic()))
        if last:
            return
        ended.wait(_LOOK_S)


def say(line: str) -> None:
    """Print a line at once. Where nobody reads any more (``| head``) the run goes on without a word."""
    _say_to(sys.stdout, line)


def _warn(line: str) -> None:
    _say_to(sys.stderr, line)


def _beside(bar: Progress) -> Callable[[str], None]:
    """How to print lines above a bar, as long as there is a terminal."""

    def tell(line: str) -> None:
        with suppress(OSError):
            bar.console.print(line)

    return tell


def _say_to(stream: TextIO, line: str) -> None:
    try:
        print(line, file=stream, flush=True)
    except OSError:
        # What could not be written stays in the stream, and would fail again when the program ends.
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
