"""Writing files: each appears complete or not at all, and a failure leaves what was there.

The only module that opens a file for writing. What is written waits beside its place under a hidden name and
is renamed at the end, so that a reader finds the old file or the new one. What a user names is checked before
anything is computed: it may replace an earlier output of the same kind, and nothing else.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar

from pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# An object of a JSON document.
JsonObject = dict[str, Any]
# Folder, in build/ and in a run, of what names or locates protected stations.
INTERNAL = "internal"
_INTERNAL_FOLDER_MODE, _INTERNAL_FILE_MODE = 0o750, 0o640

# What spreadsheets begin a formula with, full-width forms too; apostrophes before it keep them from it.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf(inity)?|nan)", re.IGNORECASE)
_Cell = TypeVar("_Cell")
_LINE_END, _SCRATCH_SUFFIX = "\r\n", ".tmp"
# How much of an existing file tells its kind: the header of a wide table.
_HEAD_BYTES = 65_536
# Folders of the working folder that belong to runs, and what a folder of one holds wherever it is.
_FOLDERS_OF_RUNS = ("results", "build")
_MARKS_OF_RUNS = ((".published",), ("manifest.json", "public"), ("territory/surface.tif",))
# Lists that are being filled with the paths that get a new file.
_JOURNALS: list[list[Path]] = []


def json_bytes(document: object) -> bytes:
    """A document as UTF-8 text; numbers that do not exist must be None."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def table_bytes(table: pd.DataFrame, number_format: str | None = "%.4f") -> bytes:
    """A table as CSV; numbers to 0.0001 (``number_format`` None: all digits), empty where unknown."""
    safe = table.rename(columns=inert)
    for name in safe.columns[[kind.kind not in "iufb" for kind in safe.dtypes]]:
        safe[name] = safe[name].map(inert)
    lines = _Lines()
    safe.to_csv(lines, index=False, float_format=number_format, lineterminator=_LINE_END)
    return lines.getvalue().encode()


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows by column as the text of a CSV."""
    return "".join(_table_lines(columns, ([row[name] for name in columns] for row in rows)))


class _Lines(io.StringIO):
    """Lines that end with LF from a writer to which both CR and LF end one, so that it quotes both."""

    def write(self, line: str) -> int:
        return super().write(f"{line.removesuffix(_LINE_END)}\n")


def _table_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    lines = _Lines()
    writer = csv.writer(lines, lineterminator=_LINE_END)
    for cells in chain([columns], rows):
        writer.writerow(map(inert, cells))
        yield lines.getvalue()
        lines.seek(0)
        lines.truncate()


def inert(cell: _Cell) -> _Cell:
    """A cell of a table as no spreadsheet computes it: an apostrophe before what would be a formula.

    Numbers stay as they are, also as text. ``text_of_cell`` takes the apostrophe off again, always.
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"  # type: ignore[return-value]
    return cell


def text_of_cell(cell: str) -> str:
    """The text that a cell of a table stands for: without the apostrophe of ``inert``."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


@contextmanager
def scratch_beside(path: Path, suffix: str = _SCRATCH_SUFFIX) -> Iterator[Path]:
    """A hidden path beside ``path``, in a folder made if need be; gone at the end. Errors name ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = _hidden(path, suffix)
    try:
        with _named(path, scratch):
            yield scratch
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


@contextmanager
def _named(path: Path, scratch: Path) -> Iterator[None]:
    """Name ``path`` in an OSError that names no file or the scratch in its place."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename in {None, str(scratch)}:
            error.filename = str(path)
        if error.filename2 == str(scratch):
            error.filename2 = str(path)
        raise


def _hidden(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name.lstrip('.')}{suffix}")


@contextmanager
def noting_files() -> Iterator[list[Path]]:
    """The paths that get a file meanwhile, in any thread of this process, in the order of time."""
    _JOURNALS.append([])
    try:
        yield _JOURNALS[-1]
    finally:
        _JOURNALS.pop()


def _put_in_place(waiting: Path, path: Path, noted: bool = True) -> None:
    waiting.replace(path)
    for journal in _JOURNALS if noted else ():
        journal.append(path)


@contextmanager
def whole_file(path: Path, *, noted: bool = True) -> Iterator[Path]:
    """A path to write to, for what is too large or too foreign to be given as bytes; renamed at the end.

    What is in a folder ``internal`` is closed to others. What is not ``noted`` is in no record of a job.
    """
    with scratch_beside(path) as waiting:
        keep_from_others(path.parent)
        yield waiting
        keep_from_others(waiting)
        _put_in_place(waiting, path, noted)


@contextmanager
def whole_stream(path: Path) -> Iterator[BinaryIO]:
    """The same as a stream to write to, for what comes in parts."""
    with whole_file(path) as waiting, waiting.open("wb") as stream:
        yield stream


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
            with _named(path, waiting[path]):
                waiting[path].write_bytes(_encoded(content))
        for path in contents:
            _put_in_place(waiting[path], path)


def copy_whole(source: Path, path: Path, *, mode: int | None = None) -> None:
    """Copy the content of a file; ``mode`` the permissions of the copy."""
    with whole_file(path) as waiting:
        shutil.copyfile(source, waiting)
        if mode is not None:
            _set_mode(waiting, mode)


def keep_aside(contents: Mapping[Path, Path | bytes]) -> None:
    """Write files that are in no record of a job; a path is a file that gets a further name, or OSError."""
    for path, content in contents.items():
        with whole_file(path, noted=False) as waiting:
            waiting.unlink(missing_ok=True)
            waiting.write_bytes(content) if isinstance(content, bytes) else waiting.hardlink_to(content)


def disk_fault(path: Path, said: str, room_bytes: int = 65_536) -> OSError:
    """Why a library could not write a file: found by asking for room beside it; else what it ``said``."""
    try:
        with scratch_beside(path, ".probe.tmp") as probe, probe.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, room_bytes)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:  # not every file system can be asked
            return OSError(error.errno, error.strerror, str(path))
    return OSError(errno.EIO, said, str(path))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encoded(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content


class OutputKind(NamedTuple):
    """A kind of file that a command writes; ``fits`` says of the first bytes of a file whether it is one."""

    name: str
    fits: Callable[[bytes], bool]


class Output(NamedTuple):
    """A file that a user names with an option; ``makes_folder``: its folder is made if need be."""

    option: str
    path: Path
    kind: OutputKind
    makes_folder: bool = False


def kind_of_start(name: str, pattern: bytes) -> OutputKind:
    """Files that begin with a pattern."""
    compiled = re.compile(pattern)
    return OutputKind(name, lambda head: compiled.match(head) is not None)


def kind_of_table(*columns: str) -> OutputKind:
    """CSV files with these columns, and possibly others."""

    def fits(head: bytes) -> bool:
        line = head.decode("utf-8", "replace").splitlines()[:1]
        return set(columns) <= {cell.strip() for cells in csv.reader(line) for cell in cells}

    return OutputKind(f"a table with the columns {', '.join(columns)}", fits)


PNG_FILE = kind_of_start("a PNG picture", rb"\x89PNG\r\n")
GEOTIFF_FILE = kind_of_start("a GeoTIFF", rb"II[*+]\0|MM\0[*+]")


def check_outputs(outputs: Sequence[Output], inputs: Iterable[Path]) -> None:
    """Refuse, before anything is computed, outputs that cannot be written or would replace something else.

    ``inputs`` files and folders that the command reads. InputError names the path and its option.
    """
    refuse_overwriting(outputs, inputs)
    for output in outputs:
        with _as_input_error(output.path, output.option):
            _check_place(output.path, makes_folder=output.makes_folder)


def check_output_folder(
    option: str, folder: Path, products: Mapping[str, OutputKind], inputs: Iterable[Path]
) -> None:
    """The same for the ``products``, by name, in a folder that is made if need be."""
    with _as_input_error(folder, option):
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    found = [Output(option, folder / name, kind, makes_folder=True) for name, kind in products.items()]
    check_outputs(found, inputs)


def refuse_overwriting(outputs: Sequence[Output], inputs: Iterable[Path]) -> None:
    """Refuse outputs that are inputs, one file, in a folder of runs, or in the place of another kind of file.

    Links, hard links too, lead to what they stand for.
    """
    read = [_Place.of(path) for path in inputs]
    taken: list[_Place] = []
    for output in outputs:
        place = _Place.of(output.path)
        if any(place.is_at(other) for other in read):
            fault: _Fault | None = _Fault("would change an input of this command", "another path")
        elif any(place.is_at(other) for other in taken):
            fault = _Fault("would overwrite another output of this command", "another path")
        else:
            fault = _fault_of_place(output)
        if fault is not None:
            raise InputError(fault.problem, file=output.path, row=output.option, allowed=fault.allowed)
        taken.append(place)


class _Fault(NamedTuple):
    problem: str
    allowed: str


def _fault_of_place(output: Output) -> _Fault | None:
    """What an output would harm that is neither an input nor another output; None if nothing."""
    if not str(output.path).isprintable():
        return _Fault("path with a character that cannot be printed", "printable characters")
    if folder := _folder_of_runs(output.path):
        return _Fault("lies in a folder of runs", f"a path outside of {folder}")
    if os.path.islink(output.path):  # noqa: PTH114 a name that is too long is none
        return _Fault("is a link, which would be replaced", "the file that it leads to")
    if _is_of_another_kind(output):
        return _Fault("would overwrite another kind of file", f"a new file, or {output.kind.name}")
    return None


class _Place(NamedTuple):
    """Where a path leads: the path behind all links, and the file there, if any, whatever its name."""

    real: str
    file: tuple[int, int] | None
    is_folder: bool

    @classmethod
    def of(cls, path: Path) -> _Place:
        """The place of a path that need not exist."""
        real = os.path.realpath(path)
        try:
            found = Path(real).stat()
        except (OSError, ValueError):
            return cls(real, None, False)
        return cls(real, (found.st_dev, found.st_ino), stat.S_ISDIR(found.st_mode))

    def is_at(self, other: _Place) -> bool:
        """Whether this is the other place or lies in it; on some disks names may differ in case only."""
        same = self.file is not None and self.file == other.file
        inside = other.is_folder and self.real.startswith(other.real.rstrip(os.sep) + os.sep)
        return same or inside or self.real.casefold() == other.real.casefold()


def _folder_of_runs(path: Path) -> str | None:
    """The folder above a path that belongs to a run, published or under way; None if there is none."""
    working = {Path(os.path.realpath(name)) for name in _FOLDERS_OF_RUNS}
    for place in (Path(os.path.realpath(path.parent)), Path(os.path.realpath(path)).parent):
        for folder in (place, *place.parents):
            if folder.parent in working or _is_of_a_run(folder):
                return str(folder)
    return None


def _is_of_a_run(folder: Path) -> bool:
    try:
        return any(all((folder / name).exists() for name in names) for names in _MARKS_OF_RUNS)
    except PermissionError:
        return False


def _is_of_another_kind(output: Output) -> bool:
    """Whether something other than an earlier output, or nothing yet, is at a path; folders are not asked."""
    try:
        found = output.path.stat()
    except (OSError, ValueError):
        return False
    if stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and not found.st_size):
        return False
    try:
        if not stat.S_ISREG(found.st_mode):  # pipes and devices are replaced, not written to
            return True
        with output.path.open("rb") as stream:
            return not output.kind.fits(stream.read(_HEAD_BYTES))
    except (OSError, csv.Error):
        return True


def _check_place(path: Path, *, makes_folder: bool) -> None:
    """OSError where a file cannot be written."""
    folder = path.parent
    while makes_folder and not os.path.lexists(folder):
        folder = folder.parent
    if path.is_dir() or not folder.is_dir():
        code = errno.EISDIR if path.is_dir() else errno.ENOTDIR if folder.exists() else errno.ENOENT
        raise OSError(code, os.strerror(code))
    with TemporaryFile(dir=folder):  # the rights alone say little: to the superuser /proc is writable too
        pass
    for place in (path, _hidden(path, _SCRATCH_SUFFIX)):
        with suppress(FileNotFoundError):
            place.stat()  # a name that is too long, links in a circle


@contextmanager
def _as_input_error(path: Path, option: str | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = f"cannot be written ({error.strerror or type(error).__name__})"
        raise InputError(problem, file=path, row=option, allowed="a path in an existing folder") from None


def write_output(path: Path, content: bytes | str) -> None:
    """Write a file that a user names, in a folder that exists; InputError where that cannot be."""
    with _output_file(path) as waiting:
        waiting.write_bytes(_encoded(content))


def write_output_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV that a user names, row by row; InputError where that cannot be."""
    with _output_file(path) as waiting, waiting.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(_table_lines(columns, rows))


@contextmanager
def _output_file(path: Path) -> Iterator[Path]:
    with _as_input_error(path):
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        with scratch_beside(path) as waiting:
            yield waiting
            waiting.replace(path)
