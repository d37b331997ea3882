"""Writing a result whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.errors import InputError


def write_whole(path: Path, text: str) -> None:
    """Write UTF-8 text beside ``path``, then put it in its place; a failure leaves what was there."""
    waiting = path.with_name(path.name + ".tmp")
    try:
        waiting.write_text(text, encoding="utf-8", newline="\n")
        waiting.replace(path)
    except OSError as error:
        with suppress(OSError):
            waiting.unlink()
        problem = f"cannot be written ({error.strerror or type(error).__name__})"
        raise InputError(problem, file=path, allowed="a path in an existing folder") from None


def as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """A table as CSV text."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
