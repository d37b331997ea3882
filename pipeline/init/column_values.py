"""What the cells of a column can be: channels, frequencies of a raster, places, powers, days, words.

A word in a header alone proposes nothing: the cells must agree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from pipeline.grid.grid import Box
from pipeline.registers.conversion.cell_numbers import CellProblem, NumberFormat, channel_number, number
from pipeline.registers.conversion.coordinate_notations import Axis, both, degrees, dms, grid_reference

_NOTHING = ("", "-", "--", "–", "—", "n/a", "N/A", "n.a.", "k.A.", "null", "NULL", "?")
_DAYS = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%Y%m%d",
    "%d.%m.%y",
    "%d. %m. %Y",
)
_CHANNELS = (2, 69)
# A place within so many degrees of the country's box may be one of a neighbour.
_AROUND_DEG = 6.0
_POLARISATIONS = (
    "h",
    "v",
    "m",
    "c",
    "hv",
    "h/v",
    "horizontal",
    "vertical",
    "mixed",
    "circular",
    "x",
    "s",
    "e",
)
_SYSTEMS = {
    "dvbt": "DVB-T", "dvbt2": "DVB-T2", "atsc": "ATSC", "atsc10": "ATSC", "8vsb": "ATSC", "t2": "DVB-T2",
    "dvbt1": "DVB-T",
    "isdbt": "ISDB-T", "isdbtb": "ISDB-T", "sbtvd": "ISDB-T", "dtmb": "DTMB", "atsc3": "ATSC3",
    "atsc30": "ATSC3",
}  # fmt: skip
_MOST_STATUS_WORDS = 12
# Of so many cells at least that say something: the others are faults of their rows.
_SHARE = 0.9


class ColumnCells(NamedTuple):
    """Cells of a column that say something, each text once with its count, and how numbers are written."""

    texts: Counter[str]
    form: NumberFormat

    def all_are(self, read: Callable[[str], object], share: float = _SHARE) -> bool:
        """Whether a reader takes all of the cells, or a share of them."""
        good = sum(count for text, count in self.texts.items() if _is_read(read, text))
        return bool(self.texts) and good >= share * self.texts.total()

    def numbers(self) -> list[float] | None:
        """The cells that are numbers; None if nearly all are not, or there is no cell."""
        read = [(number_of(text, self.form), count) for text, count in self.texts.items()]
        good = sum(count for value, count in read if value is not None)
        enough = bool(read) and good >= _SHARE * self.texts.total()
        return [value for value, _ in read if value is not None] if enough else None


def _is_read(read: Callable[[str], object], text: str) -> bool:
    try:
        return read(text) is not False
    except (CellProblem, ValueError):
        return False


def number_of(text: str, form: NumberFormat) -> float | None:
    """A cell as a number, None for any other."""
    try:
        return number(text, form)
    except CellProblem:
        return None


def channel_or_none(text: str) -> int | None:
    """A cell as a channel, None for any other."""
    try:
        return channel_number(text)
    except CellProblem:
        return None


def cells_of(column: Sequence[str], form: NumberFormat) -> ColumnCells:
    """The cells of a column without those that stand for nothing."""
    counts = Counter(" ".join(cell.split()) for cell in column)
    return ColumnCells(Counter({text: n for text, n in counts.items() if text not in _NOTHING}), form)


def nothings_of(columns: Sequence[Sequence[str]]) -> list[str]:
    """The texts of a table that stand for nothing, beside the empty one."""
    found = {text for column in columns for text in {" ".join(cell.split()) for cell in column}}
    return sorted(found & {*_NOTHING} - {""})


def are_channels(cells: ColumnCells) -> bool:
    """Channels of television, with or without a letter before them."""
    return cells.all_are(lambda text: _CHANNELS[0] <= channel_number(text) <= _CHANNELS[1])


def are_numbers(cells: ColumnCells, least: float, most: float) -> bool:
    """Numbers in a range."""
    values = cells.numbers()
    return values is not None and sum(least <= value <= most for value in values) >= _SHARE * len(values)


def frequency_unit(cells: ColumnCells, stated: str | None) -> str | None:
    """The unit in which the cells are frequencies of television bands; None if they are none."""
    values = cells.numbers()
    if values is None:
        return None
    for unit, factor in (("MHz", 1.0), ("kHz", 1e-3), ("Hz", 1e-6), ("GHz", 1e3)):
        if stated in (unit, None) and all(40.0 <= value * factor <= 960.0 for value in values):
            return unit
    return None


def notation_of(cells: ColumnCells, axis: str, box: Box | None) -> str | None:
    """How the cells are latitudes or longitudes around a country; None if they are none, or not there."""
    low, high = (-90.0, 90.0) if axis == "lat" else (-180.0, 180.0)
    if box is not None:
        west, south, east, north = box
        low, high = (south, north) if axis == "lat" else (west, east)
        low, high = low - _AROUND_DEG, high + _AROUND_DEG
    for name, read in (("degrees", degrees), ("dms", dms)):
        known = Axis(axis, {"O": "E"} if axis == "lon" else {})
        if cells.all_are(lambda text, r=read, k=known: low <= r(text, k) <= high):  # type: ignore[misc]
            return name
    return None


def both_notation(cells: ColumnCells, box: Box | None) -> str | None:
    """How the cells are latitude and longitude in one; None if they are none."""
    for name in ("degrees", "dms"):

        def read(text: str, n: str = name) -> bool:
            lat, lon = both(text, n, Axis("lat"), Axis("lon", {"O": "E"}))
            west, south, east, north = box or (-180.0, -90.0, 180.0, 90.0)
            near = south - _AROUND_DEG <= lat <= north + _AROUND_DEG
            return near and west - _AROUND_DEG <= lon <= east + _AROUND_DEG

        if cells.all_are(read):
            return name
    return None


def has_letter_o(cells: ColumnCells) -> bool:
    """Whether a hemisphere is written O, which is East in some languages and West in others."""
    return any(re.search(r"(?<![^\W\d_])[oO](?![^\W\d_])", text) for text in cells.texts)


def are_grid_references(cells: ColumnCells) -> bool:
    """References of the grid of Great Britain."""
    return cells.all_are(grid_reference)


def day_forms(cells: ColumnCells) -> list[str]:
    """The forms in which all cells are days; several where day and month cannot be told apart."""
    return [form for form in _DAYS if cells.all_are(lambda text, f=form: _day(text, f), 1.0)]  # type: ignore[misc]


def _day(text: str, form: str) -> bool:
    with suppress(ValueError):
        return 1950 <= datetime.strptime(text, form).year <= 2100
    return False


def are_polarisations(cells: ColumnCells) -> bool:
    """Letters or words of polarisations."""
    return cells.all_are(lambda text: text.lower() in _POLARISATIONS)


def systems_of(cells: ColumnCells) -> dict[str, str] | None:
    """System by its text; None if a text is none that the program knows."""
    found = {text: _SYSTEMS.get(re.sub(r"[^a-z0-9]", "", text.lower()), "") for text in cells.texts}
    return found if found and all(found.values()) else None


def are_country_codes(cells: ColumnCells, known: Callable[[str], object]) -> bool:
    """Two letters of countries."""
    return cells.all_are(lambda text: len(text) == 2 and known(text) is not None)


def are_words(cells: ColumnCells) -> bool:
    """Few words that repeat, such as those of a status."""
    return 0 < len(cells.texts) <= _MOST_STATUS_WORDS and all(
        re.search(r"[^\W\d_]", text) for text in cells.texts
    )


def are_names(cells: ColumnCells) -> bool:
    """Texts with letters."""
    return cells.all_are(lambda text: re.search(r"[^\W\d_]", text) is not None, 0.8)


def are_different(column: Sequence[str]) -> bool:
    """Whether every filled cell of a column is another one."""
    filled = [cell.strip() for cell in column if cell.strip()]
    return len(set(filled)) == len(filled) > 0


def pattern_values(cells: ColumnCells) -> tuple[str, list[float]] | None:
    """Separator and all values of cells with 36, 72 or 360 numbers each; None for other cells."""
    for separator in (";", "/", "|", " ", ","):
        values: list[float] = []
        for text in cells.texts:
            parts = [part for part in text.split(separator) if part.strip()]
            if len(parts) not in (36, 72, 360):
                break
            try:
                values += [number(part.strip(), cells.form) for part in parts]
            except CellProblem:
                break
        else:
            if values:
                return separator, values
    return None
