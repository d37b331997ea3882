"""Inputs that change while a run computes: nothing is published of the mixture, and nothing of it is kept.

A run notes the state of every file it depends on in ``build/<territory>/.inputs.json`` before it reads them.
Publishing compares, and so does the end of the run. The note of a run that was killed stays: if files have
changed since, or the machine has been started anew, which may have cut off what was being written, the next
run discards what the killed one left. Otherwise it resumes there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.files import write_whole
from pipeline.hashing import input_files
from pipeline.plan.dependencies import sources_of_jobs

NOTE = ".inputs.json"
# Member of the note: the files that were in the build folder.
_KEPT = "kept"
# Linux: another text after every start of the machine.
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
State = dict[str, Any]


def state_of(config_path: Path, config: Config) -> State:
    """Inode, size and time of the territory file, its inputs and the jobs' sources; None for no file."""
    sources = sources_of_jobs(config)
    paths = {path.resolve() for path in (config_path, *sources, *dict(input_files(config)).values())}
    boot = BOOT_ID.read_text().strip() if BOOT_ID.is_file() else ""
    return {"boot": boot, "files": {str(path): _state_of_file(path) for path in sorted(paths)}}


@contextmanager
def watching(build: Path, before: State, config_path: Path, config: Config) -> Iterator[None]:
    """Compute under a note of ``before``, the state before the first file was read.

    What was computed while a file changed is removed from ``build`` at the end.
    """
    note = build / NOTE
    if note.is_file() and {**_read(note), _KEPT: None} != {**before, _KEPT: None}:
        _drop_newer(build, note, before)
    kept = {str(path.relative_to(build)): _state_of_file(path) for path in _files_in(build)}
    write_whole(note, json.dumps({**before, _KEPT: kept}), durable=True)
    yield
    if state_of(config_path, config) != before:
        _drop_newer(build, note, before)
    os.sync()  # an outage from here on finds all files whole
    note.unlink(missing_ok=True)


def check_unchanged(build: Path, config_path: Path, config: Config) -> None:
    """InputError if a file has changed since the run in ``build`` began; nothing without a note of one."""
    note = build / NOTE
    if not note.is_file():
        return
    before, now = _read(note).get("files", {}), state_of(config_path, config)["files"]
    changed = sorted(path for path in {*before, *now} if before.get(path) != now.get(path))
    if changed:
        raise InputError(
            "has changed while the run computed: nothing is published",
            file=changed[0],
            allowed="inputs that stay as they are; run again",
        )


def _state_of_file(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def _read(note: Path) -> State:
    """The note; what an outage left of one counts as a note of other files."""
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _files_in(build: Path) -> list[Path]:
    return sorted(path for path in build.rglob("*") if path.is_file())


def _drop_newer(build: Path, note: Path, state: State) -> None:
    """Remove what was written under a note, whatever the clock said; the jobs that wrote it run again.

    Where the note is torn the time decides.
    """
    began_ns, kept = note.stat().st_mtime_ns, _read(note).get(_KEPT)
    for path in _files_in(build):
        found = path.stat()
        older = found.st_mtime_ns < began_ns
        if isinstance(kept, dict):
            older = kept.get(str(path.relative_to(build))) == _state_of_file(path)
        if not older and str(path.resolve()) not in state["files"]:
            path.unlink()
