"""Errors a user can mend: they name the file, the place in it, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_MOST_TOLD = 50
# What is wrong, by pydantic's name for the kind of fault; its own sentences are for programmers.
_KINDS = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "invalid_key": "has a key that is no text",
    "greater_than": "is not more than {gt:g}",
    "greater_than_equal": "is less than {ge:g}",
    "less_than": "is not less than {lt:g}",
    "less_than_equal": "is more than {le:g}",
    "multiple_of": "is no multiple of {multiple_of:g}",
    "finite_number": "is no finite number",
    "too_short": "has {actual_length} items, fewer than {min_length}",
    "too_long": "has {actual_length} items, more than {max_length}",
    "string_too_short": "text has fewer than {min_length} characters",
    "string_too_long": "text has more than {max_length} characters",
    "string_pattern_mismatch": "text is not of the form wanted",
    "literal_error": "is none of {expected}",
    "enum": "is none of {expected}",
    "none_required": "is not empty",
    "int_from_float": "is no whole number",
    "union_tag_invalid": "is of no kind that is known",
    "union_tag_not_found": "is of no kind that is known",
    "model_attributes_type": "is no section of settings",
    "date_from_datetime_inexact": "is no day",
}
_TYPES = {
    "int_type": "is no whole number", "int_parsing": "is no whole number",
    "int_parsing_size": "is no whole number",
    "float_type": "is no number", "float_parsing": "is no number", "decimal_type": "is no number",
    "decimal_parsing": "is no number", "string_type": "is no text", "string_unicode": "is no text",
    "bool_type": "is neither true nor false", "bool_parsing": "is neither true nor false",
    "list_type": "is no list", "tuple_type": "is no list", "set_type": "is no list",
    "dict_type": "is no section",
    "mapping_type": "is no section", "model_type": "is no section of settings", "path_type": "is no path",
    "datetime_type": "is no time", "datetime_parsing": "is no time", "date_type": "is no day",
    "date_parsing": "is no day", "time_type": "is no time",
    "time_parsing": "is no time",
}  # fmt: skip
# Faults quote what was found, and names of files are as long as one likes.
_MOST_CHARACTERS = 300
_POINTS_ELSEWHERE = "See previous exception for details."


class InputError(ValueError):
    """Refused input: reported as one line on stderr with exit code 2, before anything is computed.

    ``file`` the file at fault; ``row`` its line (1 = first line) or a key such as ``grid.resolution_m``;
    ``field`` the column or key; ``value`` what stands there; ``allowed`` what would be accepted. ``faults``:
    all that are known, each for itself, where this one is told for several.
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
        self.faults: tuple[InputError, ...] = (self,)
        super().__init__(self._line())

    def _line(self) -> str:
        where = [self.file] if self.file else []
        if self.row is not None:
            where.append(f"row {self.row}" if isinstance(self.row, int) else f"{self.row}")
        if self.field:
            where.append(f"field {self.field}")
        problem = _bounded(self.problem)
        parts = [_bounded(", ".join(where)), problem] if where else [problem]
        text = ": ".join(parts)
        if self.value is not None:
            text += f"; found {_one_line(self.value)}"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        return _printable(text)


def raise_first(faults: Sequence[InputError]) -> None:
    """Raise the first fault, if there is one; it knows the others."""
    if faults:
        faults[0].faults = tuple(part for fault in faults for part in fault.faults)
        raise faults[0]


def refused_by_machine(error: OSError, file: str | Path, consequence: str) -> InputError:
    """A full or read-only disk or missing rights as one line; ``file`` where the error names none."""
    named = error.filename2 or error.filename or file
    return InputError(f"{error.strerror or type(error).__name__}: {consequence}", file=named)


def fault_lines(faults: Iterable[InputError]) -> Iterator[str]:
    """The faults by file, the first 50 of each with how many more there are."""
    by_file: dict[str | None, list[InputError]] = {}
    for fault in faults:
        by_file.setdefault(fault.file, []).append(fault)
    for file, found in by_file.items():
        yield from map(str, found[:_MOST_TOLD])
        if len(found) > _MOST_TOLD:
            yield f"{file or 'settings'}: and {len(found) - _MOST_TOLD} more"


def fault_of_value(problem: Mapping[str, Any]) -> str:
    """What is wrong with a value, by the kind of fault that pydantic found; our own checks have own words."""
    kind, known = str(problem["type"]), problem.get("ctx", {})
    if kind in ("value_error", "assertion_error"):
        return str(problem["msg"]).partition(", ")[2]
    if "_" not in kind and kind not in _KINDS:  # the kinds of our own checks are single words
        return str(problem["msg"])
    said = _KINDS.get(kind) or _TYPES.get(kind, "is not what is wanted")
    return said.format(**known)


def words_of(error: BaseException) -> str:
    """What a library says of a file, in one sentence; that of the cause, if it points there."""
    while _POINTS_ELSEWHERE in str(error) and (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error).partition(";")[0].removesuffix(_POINTS_ELSEWHERE).strip() or type(error).__name__


@contextmanager
def in_file(file: str | Path) -> Iterator[None]:
    """Name ``file`` in an InputError that names none: settings are checked where their file is not known."""
    try:
        yield
    except InputError as error:
        if error.file is not None:
            raise
        raise with_file(error, file) from None


def with_file(error: InputError, file: str | Path) -> InputError:
    """The same fault with a file, if it names none."""
    if error.file is not None:
        return error
    return InputError(
        error.problem, file=file, row=error.row, field=error.field, value=error.value, allowed=error.allowed
    )


def _one_line(value: object) -> str:
    """The value as text of bounded length."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "a number of very many digits"
    return _bounded(text, 120)


def _bounded(text: str, most: int = _MOST_CHARACTERS) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _printable(text: str) -> str:
    """Text without characters that end lines or steer terminals: names of files may hold any."""
    return text if text.isprintable() else "".join(map(_printable_character, text))


def _printable_character(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
