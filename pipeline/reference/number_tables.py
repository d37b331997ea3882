"""The number tables of configs/tables: read, checked row by row, each number with its source.

``InputError`` names file, line, column, value and what is allowed. ``*`` in a column of names means all.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError
from pipeline.radio.emission import CLASS_OFFSETS

ANY = "*"
ModeKey = tuple[str, str]


class Mode(NamedTuple):
    """One transmission mode: C/N needed in fixed reception and noise bandwidth."""

    c_n_db: float
    noise_bandwidth_mhz: float


class Ratio(NamedTuple):
    """One row of a table of protection ratios; bounds of the wanted level at 0 dBi, infinite where open.

    ``quantity``: ``acs_db`` selectivity of the receiver, ``pr_db`` the protection ratio itself, ``oth_dbm``
    overload threshold (NaN = not known).
    """

    row: int
    system: str
    mode: str
    emission_class: str
    offset: int
    from_dbm: float
    to_dbm: float
    quantity: str
    value: float


class PmseKind(NamedTuple):
    """A kind of PMSE use: least wanted power at the receiver (NaN = not known), and its set of ratios."""

    wanted_dbm: float
    ratios: str


class Unverified(NamedTuple):
    """A number that was not read in its source, for the manifest."""

    file: str
    row: int
    source: str


class Row(NamedTuple):
    """One line of a CSV file with what error messages need."""

    file: Path
    line: int
    values: dict[str, str]


MODE_COLUMNS = ("system", "mode", "c_n_db", "noise_bandwidth_mhz")
CLASS_COLUMNS = ("emission_class", "offset", "aflr_db")
RATIO_COLUMNS = ("system", "mode", "emission_class", "offset", "from_dbm", "to_dbm", "quantity", "value")
PMSE_KIND_COLUMNS = ("kind", "wanted_dbm", "ratios")
PMSE_RATIO_COLUMNS = ("ratios", "offset", "emission_class", "ratio_db")
DTT_COLUMNS = ("wanted_system", "wanted_mode", "offset", "pr_db")
QUANTITIES = ("acs_db", "pr_db", "oth_dbm")
CLASSES = (1, 2, 3, 4, 5)
MAX_OFFSET = 99


def read_modes(path: Path) -> dict[ModeKey, Mode]:
    """C/N [dB] and noise bandwidth [MHz] by (system, mode)."""
    modes: dict[ModeKey, Mode] = {}
    for row in read_rows(path, MODE_COLUMNS):
        key = (_text(row, "system"), _text(row, "mode"))
        _refuse_second(row, "mode", key, modes)
        modes[key] = Mode(
            read_number(row, "c_n_db", -20, 60), read_number(row, "noise_bandwidth_mhz", 0.1, 20)
        )
    return modes


def read_device_classes(path: Path) -> dict[int, dict[int, float]]:
    """AFLR [dB, 100 kHz relative to the in-block 8 MHz] by class and distance in channels 1, 2, 3+."""
    classes: dict[int, dict[int, float]] = {}
    for row in read_rows(path, CLASS_COLUMNS):
        offsets = classes.setdefault(read_whole(row, "emission_class", 1, 5), {})
        offset = read_whole(row, "offset", 1, 3)
        _refuse_second(row, "offset", offset, offsets)
        offsets[offset] = read_number(row, "aflr_db", 0, 150)
    for number in CLASSES:
        if missing := sorted(set(CLASS_OFFSETS) - set(classes.get(number, {}))):
            raise InputError(
                f"class {number} lacks a leakage ratio",
                file=path,
                field="offset",
                value=missing,
                allowed="offsets 1, 2, 3 for the classes 1 to 5",
            )
    return classes


def read_ratios(path: Path) -> list[Ratio]:
    """All rows of a table of protection ratios; which of them are needed is checked where they are used."""
    return [_ratio(row) for row in read_rows(path, RATIO_COLUMNS)]


def read_dtt_ratios(path: Path) -> dict[tuple[str, str, int], float]:
    """Protection ratio [dB] DTT against DTT by (system, mode or ``*``, offset -1, 0 or 1)."""
    ratios: dict[tuple[str, str, int], float] = {}
    for row in read_rows(path, DTT_COLUMNS):
        offset = read_whole(row, "offset", -1, 1)
        key = (_text(row, "wanted_system"), _text(row, "wanted_mode"), offset)
        _refuse_second(row, "offset", key, ratios)
        ratios[key] = read_number(row, "pr_db", -100, 60)
    return ratios


def read_pmse_kinds(path: Path) -> dict[str, PmseKind]:
    """Kinds of PMSE use by name; a kind without wanted power or set of ratios has no numbers."""
    kinds: dict[str, PmseKind] = {}
    for row in read_rows(path, PMSE_KIND_COLUMNS):
        kind = _text(row, "kind")
        _refuse_second(row, "kind", kind, kinds)
        kinds[kind] = PmseKind(read_number(row, "wanted_dbm", -150, 0, empty=math.nan), row.values["ratios"])
    return kinds


def read_pmse_ratios(path: Path) -> dict[tuple[str, int, int], float]:
    """Protection ratio [dB] of PMSE against a device by (set, distance in channels, emission class)."""
    ratios: dict[tuple[str, int, int], float] = {}
    for row in read_rows(path, PMSE_RATIO_COLUMNS):
        offset, emission_class = (
            read_whole(row, "offset", 0, MAX_OFFSET),
            read_whole(row, "emission_class", 1, 5),
        )
        key = (_text(row, "ratios"), offset, emission_class)
        _refuse_second(row, "ratios", key, ratios)
        ratios[key] = read_number(row, "ratio_db", -150, 60)
    return ratios


def unverified_rows(path: Path) -> list[Unverified]:
    """The rows of any table that were not read in their source."""
    rows = read_rows(path, ())
    return [
        Unverified(path.name, row.line, row.values["source"])
        for row in rows
        if row.values["verified"] == "false"
    ]


def read_rows(path: Path, columns: Sequence[str]) -> list[Row]:
    """The lines of a CSV file with at least ``columns``, ``source`` and ``verified``."""
    rows = list(_lines(path, (*columns, "source", "verified")))
    if not rows:
        raise InputError("table has no rows", file=path)
    for row in rows:
        if len(row.values["source"]) < 3:
            _refuse(row, "source", "where the number comes from")
        if row.values["verified"] not in ("true", "false"):
            _refuse(row, "verified", "true or false")
    return rows


def _lines(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as UTF-8 text ({type(error).__name__})", file=path) from None
    reader = csv.DictReader(text.splitlines(), strict=True)
    try:
        header = reader.fieldnames or []
        if missing := [name for name in columns if name not in header]:
            raise InputError(
                "column is missing", file=path, row=1, field=missing[0], allowed=", ".join(columns)
            )
        for values in reader:
            if None in values or None in values.values():
                raise InputError("line has another number of fields", file=path, row=reader.line_num)
            yield Row(path, reader.line_num, {name: value.strip() for name, value in values.items()})
    except csv.Error as error:
        raise InputError(f"is not valid CSV: {error}", file=path, row=reader.line_num) from None


def _ratio(row: Row) -> Ratio:
    quantity = row.values["quantity"]
    if quantity not in QUANTITIES:
        _refuse(row, "quantity", ", ".join(QUANTITIES))
    emission_class = row.values["emission_class"]
    if emission_class not in (ANY, *map(str, CLASSES)):
        _refuse(row, "emission_class", "* or 1 to 5")
    system, mode = _text(row, "system"), _text(row, "mode")
    if system == ANY != mode:
        _refuse(row, "mode", "* where system is *")
    from_dbm = read_number(row, "from_dbm", -200, 100, empty=-math.inf)
    to_dbm = read_number(row, "to_dbm", -200, 100, empty=math.inf)
    if from_dbm >= to_dbm:
        _refuse(row, "to_dbm", f"more than from_dbm = {from_dbm}")
    if quantity == "oth_dbm" and (emission_tiered(from_dbm, to_dbm) or (system, mode) != (ANY, ANY)):
        _refuse(row, "quantity", "oth_dbm for all systems, modes and wanted levels at once")
    limits = {"acs_db": (0.0, 150.0), "pr_db": (-150.0, 60.0), "oth_dbm": (-100.0, 50.0)}[quantity]
    value = read_number(row, "value", *limits, empty=math.nan if quantity == "oth_dbm" else None)
    offset = read_whole(row, "offset", -MAX_OFFSET, MAX_OFFSET)
    if quantity == "acs_db" and offset == 0:
        _refuse(row, "offset", "another channel than 0: co-channel there is no selectivity")
    return Ratio(row.line, system, mode, emission_class, offset, from_dbm, to_dbm, quantity, value)


def emission_tiered(from_dbm: float, to_dbm: float) -> bool:
    """Whether a row holds for some wanted levels only."""
    return not (math.isinf(from_dbm) and math.isinf(to_dbm))


def _text(row: Row, field: str) -> str:
    if not row.values[field]:
        _refuse(row, field, "a name or *")
    return row.values[field]


def read_number(row: Row, field: str, low: float, high: float, *, empty: float | None = None) -> float:
    """A number within its range, ``empty`` for an empty field; otherwise refused."""
    text = row.values[field]
    if not text and empty is not None:
        return empty
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        _refuse(row, field, f"a number from {low} to {high}" + (" or nothing" if empty is not None else ""))
    return number


def read_whole(row: Row, field: str, low: int, high: int) -> int:
    """A whole number within its range; otherwise refused."""
    text = row.values[field]
    digits = text[1:] if text[:1] in "+-" else text
    if not (digits.isascii() and digits.isdecimal() and low <= int(text) <= high):
        _refuse(row, field, f"a whole number from {low} to {high}")
    return int(text)


def _refuse_second(row: Row, field: str, key: object, known: object) -> None:
    if key in known:  # type: ignore[operator]
        raise InputError("is given twice", file=row.file, row=row.line, field=field, value=str(key))


def _refuse(row: Row, field: str, allowed: str) -> None:
    raise InputError(
        "value is not allowed",
        file=row.file,
        row=row.line,
        field=field,
        value=row.values[field],
        allowed=allowed,
    )
