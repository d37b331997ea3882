"""Errors a user can mend: they name the file, the place in it, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """Refused input: reported as one line on stderr with exit code 2, before anything is computed.

    ``file`` the file at fault; ``row`` its line (1 = first line) or a key such as ``grid.resolution_m``;
    ``field`` the column or key; ``value`` what stands there; ``allowed`` what would be accepted.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        row: int | str | None = None,
        field: str | None = None,
        value: object = None,
        allowed: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = None if file is None else str(file)
        self.row = row
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(self._line())

    def _line(self) -> str:
        where = [self.file] if self.file else []
        if self.row is not None:
            where.append(f"row {self.row}" if isinstance(self.row, int) else f"{self.row}")
        if self.field:
            where.append(f"field {self.field}")
        parts = [", ".join(where), self.problem] if where else [self.problem]
        text = ": ".join(parts)
        if self.value is not None:
            text += f"; found {_one_line(self.value)}"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        return text


def refused_by_machine(error: OSError, file: str | Path, consequence: str) -> InputError:
    """A full or read-only disk or missing rights as one line; ``file`` where the error names none."""
    named = error.filename2 or error.filename or file
    return InputError(f"{error.strerror or type(error).__name__}: {consequence}", file=named)


@contextmanager
def in_file(file: str | Path) -> Iterator[None]:
    """Name ``file`` in an InputError that names none: settings are checked where their file is not known."""
    try:
        yield
    except InputError as error:
        if error.file is not None:
            raise
        raise InputError(
            error.problem,
            file=file,
            row=error.row,
            field=error.field,
            value=error.value,
            allowed=error.allowed,
        ) from None


def _one_line(value: object) -> str:
    """The value as printable ASCII-safe text of bounded length: hostile input must not break the terminal."""
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
