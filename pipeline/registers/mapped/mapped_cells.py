"""Cells of a mapped table, column by column: each text is read once, problems are kept by row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from operator import add
from typing import NamedTuple

from pipeline.config.register_mapping import ColumnMapping, FileText, Quantity, UnitOf
from pipeline.errors import InputError
from pipeline.registers.conversion import power_units
from pipeline.registers.conversion.cell_numbers import (
    CellProblem,
    NumberFormat,
    channel_number,
    day,
    each,
    fault_of_key,
    joined,
    number,
)
from pipeline.rows.foreign_text import ForeignTable, one_blank
from pipeline.rows.workbook_numbers import number_cells

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_BETWEEN = "\x1f"
_DIMENSIONS = {"_kw": "kW", "_h": "kW", "_v": "kW", "_m": "m", "_mhz": "MHz", "_deg": "deg", "_db": "dB"}
# Neither plane, or both: the register knows them as mixed.
_MIXED = dict.fromkeys(("c", "circular", "elliptical", "slant", "mixed", "dual"), "M")
DATES = ("valid_from", "valid_to", "when")
_TIMES = ("start", "finish")
_TEXTS = {
    "id", "site", "sfn", "country", "polarisation", "system", "multiplex_mode", "fft", "guard", "status",
    "kind", "situation", "environment", "pattern", "effective_heights_m", "coastal",
    "criterion", "code", "channels", "reason", "source", "who", "why", "wkt",
}  # fmt: skip


class Converted(NamedTuple):
    """Values by row, None where there is none, and the problems of cells by row."""

    values: Sequence[object]
    problems: dict[int, CellProblem]


class SecondTable(NamedTuple):
    """A joined table: its cells, the columns that come from it, and the index of its row by row."""

    cells: MappedCells
    columns: frozenset[str]
    partners: list[int | None]


class MappedCells:
    """The cells of a table by header: blanks made one, texts that mean "not given" empty."""

    def __init__(
        self, foreign: ForeignTable, form: FileText, na: Iterable[str], second: SecondTable | None = None
    ) -> None:
        """Remember the table, with the columns of the second one in it; ``na`` of all columns."""
        self.foreign, self.form, self._second = foreign, form, second
        self._numbers: frozenset[tuple[int, int]] | None = None
        self.count = len(foreign.table.rows)
        self.used: set[str] = set()
        self._first: set[str] = set()
        self._na = {"", *map(one_blank, na)}
        self._clean: dict[str, list[str]] = {}

    def of(self, header: str, na: Sequence[str] = ()) -> list[str]:
        """Cells of a column; InputError if there is none of that name."""
        name = self._known(header)
        if name not in self._clean:
            raw = self.foreign.table.columns[name]
            texts = {cell: one_blank(cell) for cell in set(raw)}
            texts = {cell: "" if text in self._na else text for cell, text in texts.items()}
            self._clean[name] = [texts[cell] for cell in raw]
        cells = self._clean[name]
        further = {one_blank(text) for text in na}
        return ["" if cell in further else cell for cell in cells] if further else cells

    def figures(self, header: str, column: ColumnMapping | Quantity | None = None) -> list[str]:
        """Cells of a column of numbers: those that a workbook holds as numbers get the column's signs."""
        texts = self.of(header, () if column is None else column.na)
        if (second := self._from_second(header)) is not None:
            own = second.cells.figures(header, column)
            return ["" if i is None else own[i] for i in second.partners]
        decimal = self.number_format(header, column).decimal
        if self.foreign.sheet is None or decimal == ".":
            return texts
        table = self.foreign.table
        if self._numbers is None:
            self._numbers = number_cells(table.path, self.foreign.sheet)
        place = table.headers.index(self._name(header))
        return [
            _with_sign(text, decimal) if (row, place) in self._numbers else text
            for row, text in zip(table.rows, texts, strict=True)
        ]

    def _from_second(self, header: str) -> SecondTable | None:
        second = self._second
        return second if second is not None and self._name(header) in second.columns else None

    def as_they_stand(self, header: str) -> list[str]:
        """Cells of a column without any change."""
        return self.foreign.table.columns[self._known(header)]

    def number_format(self, header: str, column: ColumnMapping | Quantity | None = None) -> NumberFormat:
        """Decimal and thousands sign of a column, those of the table that it comes from; not the same."""
        if (second := self._from_second(header)) is not None:
            return second.cells.number_format(header, column)
        decimal = getattr(column, "decimal", None) or self.form.decimal
        stated = getattr(column, "thousands", None)
        thousands = self.form.thousands if stated is None else stated
        typed = self._name(header) in (self.foreign.typed or ())
        if decimal == thousands and not typed:
            raise InputError(
                "decimal and thousands sign are the same",
                file=self.foreign.table.path,
                field=header,
                value=decimal,
                allowed='two signs; thousands: "" of a column without any',
            )
        return NumberFormat(decimal, thousands, typed)

    def not_used(self) -> list[str]:
        """Headers that no part of the mapping names, in their order.

        InputError for one that is named, where another column of the same name holds something else.
        """
        columns = self.foreign.table.columns
        for name in sorted(self.used - self._first):
            others = [other for other in columns if re.fullmatch(rf"{re.escape(name)}#\d+", other)]
            if not self.used & {*others} and any(columns[other] != columns[name] for other in others):
                allowed = ", ".join([f"{name}#1", *others])
                raise InputError(
                    "stands above several columns", file=self.foreign.table.path, field=name, allowed=allowed
                )
        return [name for name in self.foreign.table.headers if name and name not in self.used]

    def _name(self, header: str) -> str:
        """The column that a header names: ``Name#1`` is the first of that name."""
        name, columns = one_blank(header), self.foreign.table.columns
        first = name.removesuffix("#1")
        return first if name not in columns and first in columns else name

    def _known(self, header: str) -> str:
        name = self._name(header)
        if name != one_blank(header):
            self._first.add(name)
        if name not in self.foreign.table.columns:
            table = self.foreign.table
            known = ", ".join(name for name in table.headers if name)
            row = self.form.header_row if self.foreign.points is None and self.foreign.typed is None else None
            raise InputError("column is missing", file=table.path, row=row, field=name, allowed=known)
        self.used.add(name)
        return name


def dimension(target: str) -> str:
    """The unit of a column's numbers by its name: kW, m, MHz, deg, dB, or nothing."""
    return next((unit for end, unit in _DIMENSIONS.items() if target.endswith(end)), "")


def headers_of(column: ColumnMapping) -> list[str]:
    """The headers that a column is made of."""
    if column.template is not None:
        return _PLACEHOLDER.findall(column.template)
    parts = [part.from_ for part in (column.power, column.gain, column.loss) if part is not None]
    return [*(column.from_ or parts)]


def convert(cells: MappedCells, target: str, column: ColumnMapping) -> Converted:
    """The values of a column of the register."""
    if column.template is not None:
        return Converted(_from_template(cells, column.template), {})
    if column.power is not None and column.gain is not None:
        return _radiated(cells, target, column, column.power, column.gain)
    headers = headers_of(column)
    if _is_no_number(target):
        parts = [cells.of(header, column.na) for header in headers]
    else:
        parts = [cells.figures(header, column) for header in headers]
    texts = parts[0] if len(parts) == 1 else [joined(row) for row in zip(*parts, strict=True)]
    if column.map or column.otherwise is not None:
        texts = _mapped(texts, column)
    return _read(cells, target, column, texts)


def _is_no_number(target: str) -> bool:
    return target in {"polarisation", "channel", *_TEXTS, *DATES, *_TIMES}


def _with_sign(text: str, decimal: str) -> str:
    """The text of a number with a point as one with another sign, without exponent; other texts unchanged."""
    try:
        return format(Decimal(text), "f").replace(".", decimal)
    except InvalidOperation:
        return text


def _read(cells: MappedCells, target: str, column: ColumnMapping, texts: list[str]) -> Converted:
    if target == "polarisation":
        return Converted([_MIXED.get(text.lower(), text.upper()) or None for text in texts], {})
    if target in _TEXTS:
        return Converted([text or None for text in texts], {})
    if target == "channel":
        return Converted(*each(texts, channel_number))
    if target in DATES:
        shift_days = cells.foreign.serial_shift_days
        workbook = cells.foreign.sheet is not None
        return Converted(
            *each(
                texts,
                lambda text: day(
                    text, column.format, workbook=workbook, serial_shift_days=shift_days
                ).isoformat(),
            )
        )
    if target in _TIMES:
        return Converted(*each(texts, lambda text: _time(text, column.format)))
    return _numbers(cells, target, column, texts)


def _time(text: str, form: str | None) -> str:
    """A time in the codes of ``strptime``; a day alone where the form has no hours."""
    try:
        moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
    except ValueError:
        raise CellProblem(
            "bad_value", "no such time", f"a time written {form or 'yyyy-mm-ddThh:mm'}"
        ) from None
    has_hours = any(code in form for code in ("%H", "%I", "%c", "%X")) if form else len(text) > 10
    return moment.strftime("%Y-%m-%dT%H:%M" if has_hours else "%Y-%m-%d")


def _mapped(texts: Sequence[str], column: ColumnMapping) -> list[str]:
    table = {one_blank(text): value for text, value in column.map.items()}
    other = column.otherwise
    return [table.get(text, text if other is None or not text else other) for text in texts]


def _from_template(cells: MappedCells, template: str) -> list[object]:
    before, *pieces = _PLACEHOLDER.split(template)
    headers, behind = pieces[::2], pieces[1::2]
    if not headers:
        raise InputError(
            "template names no column", row="template", value=template, allowed="text with {Header}"
        )
    rows = zip(*(cells.of(header) for header in headers), strict=True)
    return [before + "".join(map(add, row, behind)) if any(row) else None for row in rows]


# --- numbers with units -------------------------------------------------------------------------------------


def _units(cells: MappedCells, unit: str | UnitOf, default: str) -> list[str] | str:
    """The unit of every row: one for all, or the texts of the column beside the values."""
    if not isinstance(unit, UnitOf):
        return unit or default
    table = {one_blank(text): value for text, value in unit.map.items()}
    return [table.get(text, text) for text in cells.of(unit.from_)]


def _with_units(texts: Sequence[str], units: list[str] | str) -> list[str]:
    """Texts with their units where these differ by row; empty where there is no text."""
    if isinstance(units, str):
        return list(texts)
    return [text and f"{text}{_BETWEEN}{unit}" for text, unit in zip(texts, units, strict=True)]


def _numbers(cells: MappedCells, target: str, column: ColumnMapping, texts: list[str]) -> Converted:
    form, wanted = cells.number_format(headers_of(column)[0], column), dimension(target)
    units = _units(cells, column.unit, wanted)
    if isinstance(units, str) and units:
        _refuse_bad_unit(target, units, wanted)
    power = wanted == "kW"

    def read(text: str) -> float:
        figure, _, beside = text.partition(_BETWEEN)
        unit = units if isinstance(units, str) else beside
        value = number(figure, form)
        if power:
            return power_units.erp_kw(value, unit, column.reference)
        return power_units.in_unit_of(wanted, value, unit) if wanted else value

    return Converted(*each(_with_units(texts, units), read))


def _refuse_bad_unit(target: str, unit: str, wanted: str) -> None:
    with fault_of_key(f"columns.{target}.unit", unit):
        if wanted:
            power_units.check_unit(unit, wanted)
        elif unit:
            raise power_units.unknown_unit(unit, ["no unit"])


def _radiated(
    cells: MappedCells, target: str, column: ColumnMapping, power: Quantity, gain: Quantity
) -> Converted:
    """The e.r.p. of the transmitter's power, the gain of the antenna and the loss of the feeder."""
    if not isinstance(power.unit, UnitOf):
        _refuse_bad_unit(f"{target}.power", power.unit, "kW")
    gain_unit = _units(cells, gain.unit, "")
    loss = [""] * cells.count if column.loss is None else cells.figures(column.loss.from_, column.loss)
    gains = _with_units(cells.figures(gain.from_, gain), gain_unit)
    powers = _with_units(cells.figures(power.from_, power), _units(cells, power.unit, ""))
    texts = [
        p and f"{p}\x1e{g}\x1e{minus}" for p, g, minus in zip(powers, gains, loss, strict=True)
    ]  # no power: nothing is given
    read = _radiated_reader(cells, (power, gain, column.loss), gain_unit)
    return Converted(*each(texts, read))


def _radiated_reader(
    cells: MappedCells, parts: tuple[Quantity, Quantity, Quantity | None], gain_unit: list[str] | str
) -> Callable[[str], float]:
    power, _, loss = parts
    forms = [NumberFormat() if part is None else cells.number_format(part.from_, part) for part in parts]
    power_unit = power.unit if isinstance(power.unit, str) else ""

    def read(text: str) -> float:
        powers, gains, minus = text.split("\x1e")
        figure, _, unit = powers.partition(_BETWEEN)
        kw = power_units.power_kw(number(figure, forms[0]), unit or power_unit)
        figure, _, unit = gains.partition(_BETWEEN)
        if not figure:
            raise CellProblem("missing", "gain is missing", "a gain in dBi or dBd")
        unit = unit or (gain_unit if isinstance(gain_unit, str) else "")
        loss_db = number(minus, forms[2]) if minus and loss is not None else 0.0
        return power_units.radiated_kw(kw, number(figure, forms[1]), unit, loss_db)

    return read
