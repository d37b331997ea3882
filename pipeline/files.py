"""Writing files: each appears complete or not at all, and a failure leaves what was there.

The only module that opens a file for writing. What is written waits beside its place under a hidden name and
is renamed at the end, so that a reader finds the old file or the new one.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# An object of a JSON document.
JsonObject = dict[str, Any]
# Folder, in build/ and in a run, of what names or locates protected stations.
INTERNAL = "internal"
_INTERNAL_FOLDER_MODE, _INTERNAL_FILE_MODE = 0o750, 0o640

# --- contents -----------------------------------------------------------------------------------------------


def json_bytes(document: object) -> bytes:
    """A document as UTF-8 text; numbers that do not exist must be None."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def table_bytes(table: pd.DataFrame, number_format: str | None = "%.4f") -> bytes:
    """A table as CSV; numbers to 0.0001 (``number_format`` None: all digits), empty where unknown."""
    return table.to_csv(index=False, float_format=number_format, lineterminator="\n").encode()


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows by column as the text of a CSV."""
    stream = io.StringIO()
    _write_rows(stream, columns, ([row[name] for name in columns] for row in rows))
    return stream.getvalue()


def _write_rows(stream: IO[str], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


# --- files of a run -----------------------------------------------------------------------------------------


@contextmanager
def scratch_beside(path: Path, suffix: str = ".tmp") -> Iterator[Path]:
    """A hidden path in the folder of ``path``, which is made if need be; nothing is left there at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name.lstrip('.')}{suffix}")
    try:
        yield scratch
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, for what is too large or too foreign to be given as bytes; renamed at the end.

    A file in a folder ``internal`` is closed to others, and so is the folder; a stricter umask holds.
    """
    with scratch_beside(path) as waiting:
        keep_from_others(path.parent)
        yield waiting
        keep_from_others(waiting)
        waiting.replace(path)


def keep_from_others(path: Path) -> None:
    """Take all rights of others from a folder ``internal``, or from a file in one; nothing for other paths.

    What belongs to somebody else stays as it is: its owner has made it so.
    """
    folder, file = path.name == INTERNAL and path.is_dir(), path.parent.name == INTERNAL and path.is_file()
    if folder or file:
        mode = stat.S_IMODE(path.stat().st_mode)
        kept = mode & (_INTERNAL_FOLDER_MODE if folder else _INTERNAL_FILE_MODE)
        if kept != mode:
            with suppress(PermissionError):
                path.chmod(kept)


def _set_mode(path: Path, mode: int) -> None:
    """Give a new file its permissions; what is not for others gets no more than the umask has left."""
    closed = path.parent.name == INTERNAL or not mode & 0o007
    path.chmod(mode & stat.S_IMODE(path.stat().st_mode) if closed else mode)


def write_whole(path: Path, content: bytes | str, *, mode: int | None = None, durable: bool = False) -> None:
    """Write one file; its folder is made if need be.

    ``mode`` its permissions; ``durable``: on the disk, whatever happens to the machine, when this returns.
    """
    with whole_file(path) as waiting:
        waiting.write_bytes(_encoded(content))
        if mode is not None:
            _set_mode(waiting, mode)
        if durable:
            _sync(waiting)
    if durable:
        _sync(path.parent)


def write_together(contents: Mapping[Path, bytes | str]) -> None:
    """Write files so that none appears before all are complete; each replaces its old self at once."""
    with ExitStack() as stack:
        waiting = {path: stack.enter_context(scratch_beside(path)) for path in contents}
        for path, content in contents.items():
            waiting[path].write_bytes(_encoded(content))
        for path in contents:
            waiting[path].replace(path)


def copy_whole(source: Path, path: Path, *, mode: int | None = None) -> None:
    """Copy the content of a file; ``mode`` the permissions of the copy."""
    with whole_file(path) as waiting:
        shutil.copyfile(source, waiting)
        if mode is not None:
            _set_mode(waiting, mode)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encoded(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content


# --- files that a user names --------------------------------------------------------------------------------


def write_output(path: Path, content: bytes | str) -> None:
    """Write a file that a user names, in a folder that exists; InputError where that cannot be."""
    with _output_file(path) as waiting:
        waiting.write_bytes(_encoded(content))


def write_output_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV that a user names, row by row; InputError where that cannot be."""
    with _output_file(path) as waiting, waiting.open("w", encoding="utf-8", newline="") as stream:
        _write_rows(stream, columns, rows)


@contextmanager
def _output_file(path: Path) -> Iterator[Path]:
    try:
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        with scratch_beside(path) as waiting:
            yield waiting
            waiting.replace(path)
    except OSError as error:
        problem = f"cannot be written ({error.strerror or type(error).__name__})"
        raise InputError(problem, file=path, allowed="a path in an existing folder") from None
