"""Tables of a dump of the FCC's Licensing and Management System: `.dat` in a folder or ZIP, as records.

`|` between cells without quoting, names in line 1 in any case and order, records end with `|^|` [S].
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from pipeline.errors import InputError
from pipeline.rows.foreign_text import RegisterFault, file_in, need_columns

_END = "|^|"


class LmsRow(NamedTuple):
    """A record: the line on which it begins, its cells by lower-case name."""

    row: int
    cells: dict[str, str]


@contextmanager
def opened_table(path: Path, table: str) -> Iterator[tuple[IO[str], Path]]:
    """A table of the folder (a file of it stands for it) or the ZIP as text."""
    name = f"{table}.dat"
    if path.is_dir() or path.suffix.lower() == ".dat":
        found = file_in(path, name)
        if found is None:
            raise InputError("table is missing", file=path, value=name)
        with found.open(encoding="utf-8-sig", newline="") as stream:
            yield stream, found
        return
    if not zipfile.is_zipfile(path):
        raise InputError("is neither a folder nor a ZIP", file=path, allowed="a dump with facility.dat")
    with zipfile.ZipFile(path) as archive:
        names = [member for member in archive.namelist() if member.lower().rpartition("/")[2] == name]
        if not names:
            raise InputError("table is missing", file=path, value=name)
        with archive.open(names[0]) as raw:
            yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline=""), path / names[0]


def lms_records(path: Path, table: str, needed: Sequence[str]) -> Iterator[LmsRow]:
    """The records of a table, one by one: the largest of them has more than a million."""
    with opened_table(path, table) as (stream, file):
        try:
            yield from _records(stream, file, needed)
        except UnicodeDecodeError:
            raise RegisterFault(
                "not_utf8", "is no UTF-8 text", file=file, field="(file)", allowed="UTF-8"
            ) from None


def _records(stream: IO[str], file: Path, needed: Sequence[str]) -> Iterator[LmsRow]:
    names: list[str] = []
    waiting, begun = "", 0
    for line_number, line in enumerate(stream, start=1):
        begun = begun or line_number
        waiting += line
        text = waiting.rstrip("\r\n")
        if not text.endswith(_END):
            continue
        cells = text.removesuffix(_END).split("|")
        if not names:
            names = [cell.strip().lower() for cell in cells]
            need_columns(file, names, needed)
        elif len(cells) != len(names):
            raise RegisterFault(
                "bad_row", "record has the wrong number of cells", file=file, row=begun, field="(row)",
                value=len(cells), allowed=f"{len(names)}, as in the header",
            )  # fmt: skip
        else:
            yield LmsRow(begun, dict(zip(names, map(str.strip, cells), strict=True)))
        waiting, begun = "", 0
    if waiting.strip():
        raise RegisterFault(
            "bad_row", "last record does not end: the file was cut off", file=file, row=begun, field="(row)",
            value="", allowed=_END,
        )  # fmt: skip
