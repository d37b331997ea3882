"""Malformed tables: one good row with one thing wrong, and what must come of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError

# What is no finite number of anything, whatever the column.
NO_NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e999",
    "abc",
    "1,5",
    "1_000",
    "0x10",
    "\uff11",
    "1;2",
    ";",
    "1 2",
    "+",
    "true",
    "None",
    "1.5.2",
    '"',
    "=1+1",
    "46\xb03'",
    "9" * 4000,
    "1" * 400,
    "\x1b[31m",
    "1e300",
    "-1e300",
    "\u202e1",
    "--1",
    "1e",
)


class Case(NamedTuple):
    """A file's text, and where its fault is: row and field that the error names; None: of the whole file."""

    name: str
    text: str
    row: int | None
    field: str | None


def as_csv(row: Mapping[str, str]) -> str:
    """A table of one row."""
    with io.StringIO() as stream:
        csv.writer(stream, lineterminator="\n").writerows([list(row), list(row.values())])
        return stream.getvalue()


def cells(good: Mapping[str, str], columns: Iterable[str], values: Iterable[str]) -> Iterator[Case]:
    """Each of the values in each of the columns."""
    for column in columns:
        for value in values:
            yield Case(f"{column}={value[:20]!r}", as_csv({**good, column: value}), 2, column)


def files(good: Mapping[str, str], required: str) -> Iterator[Case]:
    """Faults of the header, of the width of rows and of the text as a whole; ``required``: a column."""
    head, line = as_csv(good).splitlines()
    less = {name: value for name, value in good.items() if name != required}
    yield Case("empty", "", None, None)
    yield Case("newlines", "\n\n\n", None, None)
    yield Case("header alone", head + "\n", None, None)
    yield Case("no header", line + "\n", None, None)
    yield Case("column is missing", as_csv(less), 1, required)
    yield Case("column in capitals", as_csv({**less, required.upper() + "X": "1"}), 1, required)
    yield Case("column twice", f"{head},{required}\n{line},1\n", 1, required)
    yield Case("semicolons", f"{head}\n{line}\n".replace(",", ";"), None, None)
    yield Case("tabs", f"{head}\n{line}\n".replace(",", "\t"), None, None)
    yield Case("row too wide", f"{head}\n{line},1\n", 2, None)
    yield Case("row too narrow", f"{head}\n{line.rpartition(',')[0]}\n", 2, None)
    yield Case("second row too wide", f"{head}\n{line}\n{line},1\n", 3, None)
    yield Case("open quote", f'{head}\n"{line}\n', None, None)
    yield Case("NUL", f"{head}\n{line}\0\n", 2, None)
    yield Case("JSON", '{"lon": 1}', None, None)
    yield Case("HTML", "<html>\n<body>\n", None, None)


def verdicts(path: Path, cases: Iterable[Case], run: Callable[[], object]) -> list[str]:
    """What is wrong with how each case is taken: nothing if all are refused in one line that names the place.

    ``run`` reads ``path``. Whatever else it raises passes through: that would be a traceback.
    """
    wrong = []
    for case in cases:
        path.write_text(case.text, encoding="utf-8")
        try:
            run()
        except InputError as error:
            if not str(error).isprintable() or len(str(error)) > 900:
                wrong.append(f"{case.name}: not one line: {str(error)[:200]!r}")
            if error.file != str(path) or (case.row, case.field) != (
                None if case.row is None else error.row,
                None if case.field is None else error.field,
            ):
                wrong.append(f"{case.name}: does not name its place: {error}")
        else:
            wrong.append(f"{case.name}: accepted")
    return wrong
