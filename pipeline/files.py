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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# An object of a JSON document.
JsonObject = dict[str, Any]

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
    """A path to write to, for what is too large or too foreign to be given as bytes; renamed at the end."""
    with scratch_beside(path) as waiting:
        yield waiting
        waiting.replace(path)


def write_whole(path: Path, content: bytes | str, *, mode: int | None = None, durable: bool = False) -> None:
    """Write one file; its folder is made if need be.

    ``mode`` its permissions; ``durable``: on the disk, whatever happens to the machine, when this returns.
    """
    with whole_file(path) as waiting:
        waiting.write_bytes(_encoded(content))
        if mode is not None:
            waiting.chmod(mode)
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
            waiting.chmod(mode)


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
        with whole_file(path) as waiting:
            yield waiting
    except OSError as error:
        problem = f"cannot be written ({error.strerror or type(error).__name__})"
        raise InputError(problem, file=path, allowed="a path in an existing folder") from None
