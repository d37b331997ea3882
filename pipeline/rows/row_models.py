"""Rows of a file as checked values: one pydantic model per kind of row, one way to say what is wrong.

The names of a model's fields are the columns of the file; the description of a field is what an error message
gives as allowed. What a field alone cannot say (another table, a second column) a validator of the model says
by raising ``row_problem``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.errors import InputError, fault_of_value, raise_first
from pipeline.hashing import file_sha256
from pipeline.rows.text_records import PRINTABLE_TEXT, Record, Records, read_csv, unfit_character

# A cell that a field refuses, in place of its value.
BAD = object()
# The size of the largest tables that are read once in a process; those shipped have less.
_KEPT_BYTES = 2**18
# Text of which every character can be printed.
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,4}(\.0*)?")

# --- cells --------------------------------------------------------------------------------------------------


def finite(text: str) -> float:
    """Text to a number; NaN, infinity, digit separators and words are refused."""
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError("not a number" if text.strip() else "value is missing")
    return float(text)


def _number(text: object) -> object:
    return finite(text) if isinstance(text, str) else text


def _number_or_none(text: object) -> object:
    return None if isinstance(text, str) and not text.strip() else _number(text)


def _whole(text: object) -> object:
    if not isinstance(text, str):
        return text
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError("value is missing" if not text.strip() else "not a whole number")
    return int(float(text))


def _true_or_false(text: object) -> object:
    if isinstance(text, str) and text not in ("true", "false"):
        raise ValueError("neither true nor false")
    return text == "true" if isinstance(text, str) else text


NumberCell = Annotated[float, BeforeValidator(_number)]
WholeCell = Annotated[int, BeforeValidator(_whole)]
# For ``float | None``: nothing stands for None.
MAY_BE_EMPTY = BeforeValidator(_number_or_none)
UPPER_CASE = BeforeValidator(lambda text: text.upper() if isinstance(text, str) else text)
IdCell = Annotated[
    str, Field(min_length=1, max_length=64, pattern=PRINTABLE, description="1 to 64 printable characters")
]
LonCell = Annotated[NumberCell, Field(ge=-180, le=180, description="-180 to 180, degrees east, WGS84")]
LatCell = Annotated[NumberCell, Field(ge=-90, le=90, description="-90 to 90, degrees north, WGS84")]


# --- rows ---------------------------------------------------------------------------------------------------


class RowModel(BaseModel):
    """Base of every kind of row: frozen, other columns ignored, no infinite numbers; knows its row."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, allow_inf_nan=False)

    row: Annotated[int, Field(description="number of the row in its file")] = 0
    file: Annotated[str, Field(description="the file")] = ""


class StrippedRow(RowModel):
    """A row whose cells count without the blanks around them, also those with a list of allowed words."""

    @model_validator(mode="before")
    @classmethod
    def _stripped(cls, values: Any) -> Any:  # noqa: ANN401 - whatever pydantic is given
        return {name: text.strip() if isinstance(text, str) else text for name, text in values.items()}


class SourcedRow(StrippedRow):
    """A row of a table of numbers: where they come from, and whether they were read there."""

    source: Annotated[str, Field(min_length=3, description="where the number comes from")]
    verified: Annotated[bool, BeforeValidator(_true_or_false), Field(description="true or false")]


_Row = TypeVar("_Row", bound=RowModel)
_Rules = TypeVar("_Rules")


class RejectedRow(NamedTuple):
    """A row that was refused, with everything its error message says."""

    file: str
    row: int
    field: str
    value: str
    allowed: str
    problem: str


def columns_of(model: type[RowModel], *, required: bool = False) -> tuple[str, ...]:
    """The columns of a kind of row: all, or those without a default."""
    fields = [
        (name, field) for name, field in model.model_fields.items() if name not in RowModel.model_fields
    ]
    return tuple(name for name, field in fields if field.is_required() or not required)


def rules_of(info: ValidationInfo, kind: type[_Rules]) -> _Rules:
    """What a validator checks a row against: the ``context`` of the reader; TypeError for another."""
    if not isinstance(info.context, kind):
        raise TypeError(f"a row is checked against {kind.__name__}, not {type(info.context).__name__}")
    return info.context


def row_problem(field: str, text: str, allowed: str, reason: str = "bad_value") -> PydanticCustomError:
    """What a validator of a model raises: the column at fault, what is wrong with it, what is allowed.

    ``reason``: its word in the reports of imports.
    """
    said = {"text": text, "field": field, "allowed": allowed, "reason": reason}
    return PydanticCustomError("row", "{text}", said)


def check_record(path: Path, record: Record, model: type[_Row], context: object = None) -> _Row:
    """One checked row; InputError names file, row, field, value and what is allowed."""
    _check_characters(path, record, model)
    try:
        place = {"row": record.row, "file": str(path)}
        return model.model_validate({**record.values, **place}, context=context)
    except ValidationError as error:
        raise _fault(path, record, model, error) from None


def _check_characters(path: Path, record: Record, model: type[RowModel]) -> None:
    """Refuse characters that break what is made of them, also those that would be taken off as blanks."""
    for name, field in model.model_fields.items():
        text = record.values.get(name) if name not in {"row", "file"} else None
        if isinstance(text, str) and (found := unfit_character(text)):
            raise InputError(
                f"holds the character {found}",
                file=path,
                row=record.row,
                field=name,
                value=text,
                allowed=field.description or PRINTABLE_TEXT,
            )


def taken_cells(model: type[RowModel], name: str, cells: Iterable[Any]) -> dict[Any, Any]:
    """The different cells of a column with what its field takes them for; ``BAD`` for one that it refuses."""
    field = TypeAdapter(model.model_fields[name].rebuild_annotation(), config=model.model_config)
    take = field.validator.validate_python
    known: dict[Any, Any] = {}
    for cell in set(cells):
        try:
            known[cell] = take(cell)
        except ValidationError:
            known[cell] = BAD
        if isinstance(cell, str) and not cell.isprintable() and unfit_character(cell):
            known[cell] = BAD
    return known


class FieldFault(NamedTuple):
    """What a model says first of a row: column, problem, what is allowed, and pydantic's word for it.

    ``reason``: that of a ``row_problem``, empty of another.
    """

    field: str
    problem: str
    allowed: str | None
    kind: str
    reason: str


def first_fault(model: type[RowModel], error: ValidationError) -> FieldFault:
    """The first fault of a row."""
    first = error.errors()[0]
    said: Mapping[str, Any] = first.get("ctx", {}) if first["type"] == "row" else {}
    field = str(said.get("field") or (first["loc"] or ("(row)",))[0])
    known = model.model_fields.get(field)
    allowed = said.get("allowed") or (known.description if known else None)
    return FieldFault(field, fault_of_value(first), allowed, first["type"], str(said.get("reason", "")))


def _fault(path: Path, record: Record, model: type[RowModel], error: ValidationError) -> InputError:
    first = first_fault(model, error)
    return InputError(
        first.problem,
        file=path,
        row=record.row,
        field=first.field,
        value=record.values.get(first.field, ""),
        allowed=first.allowed,
    )


# --- files --------------------------------------------------------------------------------------------------


def read_records(path: Path, required: Sequence[str], *, may_be_empty: bool = False) -> Records:
    """Read a file by its suffix; ``required`` columns must exist (lon and lat may be a geometry).

    A file without a row is refused unless it ``may_be_empty``.
    """
    readers = {".csv": read_csv, ".gpkg": _read_geopackage, ".geojson": _read_geojson}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError("unknown kind of table", file=path, allowed="a .csv, .gpkg or .geojson file")
    if not path.is_file():
        problem = "is not a file" if path.exists() else "file does not exist"
        raise InputError(problem, file=path)
    records = reader(path, required)
    if not (records.readable or records.faults or may_be_empty):
        raise InputError("holds no rows", file=path, allowed="one row or more below the header")
    return records


def _read_geopackage(path: Path, required: Sequence[str]) -> Records:
    from pipeline.rows.features import read_geopackage

    return read_geopackage(path, required)


def _read_geojson(path: Path, required: Sequence[str]) -> Records:
    from pipeline.rows.features import read_geojson

    return read_geojson(path, required)


def read_rows(
    path: Path,
    model: type[_Row],
    *,
    columns: Sequence[str] | None = None,
    context: object = None,
    may_be_empty: bool = False,
) -> list[_Row]:
    """All rows of a file; the first bad one is refused.

    ``columns`` that must exist, by default those without a default; ``context`` for validators. A small table
    that is as it was is not read again in a process: tables of ratios are asked for at every turn.
    """
    required = columns_of(model, required=True) if columns is None else tuple(columns)
    digest = _digest_of_small(path) if context is None else None
    if digest is not None:
        return [*_kept_rows(path, digest, model, required, may_be_empty=may_be_empty)]
    return _good_rows(path, model, required, context, may_be_empty=may_be_empty)


def _digest_of_small(path: Path) -> str | None:
    """None of a larger file, and of what cannot be read: why not, the reader of records says."""
    try:
        return file_sha256(path) if path.stat().st_size <= _KEPT_BYTES else None
    except OSError:
        return None


@lru_cache(maxsize=64)
def _kept_rows(
    path: Path, _sha256: str, model: type[_Row], required: tuple[str, ...], *, may_be_empty: bool
) -> list[_Row]:
    return _good_rows(path, model, required, None, may_be_empty=may_be_empty)


def _good_rows(
    path: Path, model: type[_Row], required: Sequence[str], context: object, *, may_be_empty: bool
) -> list[_Row]:
    rows, faults = _checked(path, model, required, context, may_be_empty=may_be_empty)
    raise_first(faults)
    return rows


def read_by_id(
    paths: Iterable[Path],
    model: type[_Row],
    *,
    columns: Sequence[str] | None = None,
    context: object = None,
    may_be_empty: bool = False,
    faults_of: Callable[[Path, list[_Row]], Iterable[InputError]] = lambda path, rows: (),
) -> tuple[list[_Row], list[InputError]]:
    """The good rows of several files in order of ``id``, which is unique, and the faults of the others.

    ``faults_of`` the rows of a file, for what is checked of all at once. Faults in order of file and row.
    """
    required = columns_of(model, required=True) if columns is None else columns
    known: dict[str, _Row] = {}
    faults: list[InputError] = []
    for path in paths:
        rows, found = _checked(Path(path), model, required, context, may_be_empty=may_be_empty)
        second = [*enter_by_id(rows, known)]
        new = {row.row: row for row in rows if known.get(_id(row)) is row}
        others = [*faults_of(Path(path), list(new.values()))]
        for fault in others:
            del known[_id(new[_row_of(fault)])]
        faults.extend(sorted([*found, *second, *others], key=_row_of))
    return [known[key] for key in sorted(known)], faults


def _checked(
    path: Path, model: type[_Row], required: Sequence[str], context: object, *, may_be_empty: bool
) -> tuple[list[_Row], list[InputError]]:
    """The good rows of a file and the faults of the others, both in order of row."""
    records = read_records(path, required, may_be_empty=may_be_empty)
    rows, faults = [], list(records.faults)
    for record in records.readable:
        try:
            rows.append(check_record(path, record, model, context))
        except InputError as fault:
            faults.append(fault)
    return rows, sorted(faults, key=_row_of)


def _id(row: RowModel) -> str:
    return str(getattr(row, "id"))  # noqa: B009 - kinds of rows that have one


def enter_by_id(rows: Iterable[_Row], known: dict[str, _Row]) -> Iterator[InputError]:
    """Enter rows by id; yields the fault of each whose id is known already."""
    for row in rows:
        if known.setdefault(_id(row), row) is not row:
            yield InputError(
                "id occurs twice",
                file=row.file,
                row=row.row,
                field="id",
                value=_id(row),
                allowed="a unique id",
            )


def _row_of(fault: InputError) -> int:
    return fault.row if isinstance(fault.row, int) else 0


def refuse_second(path: Path, rows: Iterable[_Row], fields: Sequence[str]) -> None:
    """Refuse a row with the same values in ``fields`` as one before it."""
    known: set[tuple[object, ...]] = set()
    for row in rows:
        key = tuple(getattr(row, name) for name in fields)
        if key in known:
            value = " ".join(str(part) for part in key)
            raise InputError("is given twice", file=path, row=row.row, field=fields[-1], value=value)
        known.add(key)


def refuse_unless_lenient(faults: Sequence[InputError], *, lenient: bool) -> list[RejectedRow]:
    """The faults of a register for the manifest; not ``lenient``: the first is raised, with their number."""
    if faults and not lenient:
        counted = _with_count(faults[0], len(faults) - 1)
        counted.faults = tuple(faults)
        raise counted
    return [_as_rejected(fault) for fault in faults]


def _with_count(fault: InputError, others: int) -> InputError:
    if others == 0:
        return fault
    return InputError(
        f"{fault.problem} (and {others} more bad rows)",
        file=fault.file,
        row=fault.row,
        field=fault.field,
        value=fault.value,
        allowed=fault.allowed,
    )


def _as_rejected(fault: InputError) -> RejectedRow:
    return RejectedRow(
        file=fault.file or "",
        row=_row_of(fault),
        field=fault.field or "",
        value="" if fault.value is None else str(fault.value),
        allowed=fault.allowed or "",
        problem=fault.problem,
    )
