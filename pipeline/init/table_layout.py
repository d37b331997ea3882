"""How a foreign table is written: encoding, separator, header row, signs of numbers, found by its content.

What two readings allow is left open (None) and asked for; a file in a code page is shown for a look.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError
from pipeline.rows.foreign_files import is_foreign_kind, read_foreign
from pipeline.rows.foreign_text import ForeignTable, TextFormat, foreign_text
from pipeline.rows.gdal_tables import sheet_records
from pipeline.rows.text_records import MOST_BYTES, content_of, separated

_SEPARATORS = (";", "\t", "|", ",")
# Code pages of Windows by the country whose language has their letters; 1252 of all others.
_CODE_PAGES = {
    "windows-1250": "AL BA CZ HR HU ME PL RO SI SK",
    "windows-1251": "BG BY KG KZ MK MN RS RU TJ UA",
    "windows-1257": "EE LT LV",
}
# Records that show how a table is written.
_LOOKED_AT = 400
_TITLE_RECORDS = 40
_FIGURE = re.compile(r"[+-]?\d[\d.,' ]*")
_GROUPS = {sign: re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:\{sign}\d{{3}})+") for sign in ".,"}
_DAY = re.compile(r"\d{1,4}\.\d{1,2}\.\d{2,4}\.?")


class TableLayout(NamedTuple):
    """How a table is written; ``decimal`` None: two readings are possible.

    ``rows`` below the header that hold something, ``blank_rows`` that hold nothing; ``sheet`` of a workbook.
    ``words``: some that a code page other than UTF-8 gave, for a look.
    """

    encoding: str
    separator: str
    decimal: str | None
    thousands: str
    header_row: int
    rows: int
    blank_rows: int
    sheet: str | None = None
    words: tuple[str, ...] = ()


class LaidOut(NamedTuple):
    """A table with its layout."""

    layout: TableLayout
    foreign: ForeignTable


def lay_out(path: Path, country: str) -> LaidOut | None:
    """A table of a country as it is written; None for a file that is no table."""
    if is_foreign_kind(path):
        return _of_kind(path)
    encoding, text = decoded_text(path, country)
    separator = _separator(path, text)
    if separator is None:
        return None
    records = [*separated(path, text, separator)]
    header_row = header_of(records)
    if header_row is None:
        return None
    foreign = read_foreign(path, TextFormat(encoding, separator, header_row))
    below = [cells for row, cells in records if row > header_row]
    blank = sum(not any(map(str.strip, cells)) for cells in below)
    decimal, thousands = signs_of(foreign.table.columns.values())
    if separator == "," and decimal is None:
        decimal = "."
    plain = encoding.startswith("utf")
    layout = TableLayout(
        encoding, separator, decimal, thousands, header_row, len(below) - blank, blank,
        words=() if plain else _odd_words(text),
    )  # fmt: skip
    return LaidOut(layout, foreign)


def _of_kind(path: Path) -> LaidOut | None:
    """A workbook with one sheet of a table, or a vector file."""
    header_row: int
    sheet: str | None
    header_row, sheet = 1, None
    if sheets := sheet_records(path):
        headers = {name: row for name, cells in sheets.items() if (row := header_of(cells)) is not None}
        if len(headers) != 1:
            return None
        ((sheet, header_row),) = headers.items()
    foreign = read_foreign(path, TextFormat(header_row=header_row), sheet=sheet)
    decimal, thousands = signs_of(
        column for name, column in foreign.table.columns.items() if name not in (foreign.typed or ())
    )
    layout = TableLayout(
        TextFormat().encoding, "", decimal, thousands, header_row, len(foreign.table.rows), 0, sheet
    )
    return LaidOut(layout, foreign)


# --- text ---------------------------------------------------------------------------------------------------


def decoded_text(path: Path, country: str) -> tuple[str, str]:
    """Encoding and text: by its mark, else strict UTF-8, else the code page of the country's letters."""
    content = content_of(path, MOST_BYTES)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", foreign_text(path, "utf-16")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        pages = (page for page, countries in _CODE_PAGES.items() if country in countries.split())
        encoding = next(pages, "windows-1252")
    else:
        encoding = TextFormat().encoding
    return encoding, foreign_text(path, encoding)


def _odd_words(text: str, most: int = 3) -> tuple[str, ...]:
    words = dict.fromkeys(word for word in re.findall(r"\w{3,}", text) if not word.isascii())
    return tuple(words)[:most]


def _separator(path: Path, text: str) -> str | None:
    """The sign that cuts most records into the same number of cells, two at least."""
    best: tuple[int, int, str] | None = None
    for sign in _SEPARATORS:
        try:
            widths = Counter(len(cells) for _, cells in _head(separated(path, text, sign)))
        except InputError:
            continue
        width, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1]), default=(1, 0))
        if width > 1 and (best is None or (count, width) > best[:2]):
            best = count, width, sign
    return None if best is None else best[2]


def _head(records: Iterable[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    return [record for record, _ in zip(records, range(_LOOKED_AT), strict=False)]


def header_of(records: Sequence[tuple[int, Sequence[str]]]) -> int | None:
    """The row of the header: the first as wide as most, of texts, with numbers below some of them."""
    filled = [record for record in records[:_LOOKED_AT] if any(map(str.strip, record[1]))]
    if len(filled) < 2:
        return None
    width = Counter(len(cells) for _, cells in filled).most_common(1)[0][0]
    for i, (row, cells) in enumerate(filled[:_TITLE_RECORDS]):
        texts = [k for k, cell in enumerate(cells) if cell.strip() and not _FIGURE.fullmatch(cell.strip())]
        if len(cells) != width or len(texts) < 2 or sum(map(bool, map(str.strip, cells))) < 0.6 * width:
            continue
        below = [other for _, other in filled[i + 1 : i + 6] if len(other) == width]
        if any(_FIGURE.fullmatch(other[k].strip()) for other in below for k in texts):
            return row
    return None


def signs_of(columns: Iterable[Sequence[str]]) -> tuple[str | None, str]:
    """Decimal and thousands sign of the cells that are figures; decimal None where both readings fit.

    A sign before another one, or twice in a figure, is that of thousands; one that three digits alone do not
    follow is that of decimals; `1.107` alone tells nothing.
    """
    decimals: set[str] = set()
    seen: set[str] = set()
    grouped: set[str] = set()
    for column in columns:
        for cell in {cell.strip() for cell in column}:
            if not _FIGURE.fullmatch(cell) or _DAY.fullmatch(cell):
                continue
            for sign, other in ((",", "."), (".", ",")):
                if sign not in cell:
                    continue
                seen.add(sign)
                if _GROUPS[sign].fullmatch(cell.partition(other)[0]) and (
                    other in cell or cell.count(sign) > 1
                ):
                    grouped.add(sign)
                elif not _GROUPS[sign].fullmatch(cell):
                    decimals.add(sign)
    return _signs(decimals, seen, grouped)


def _signs(decimals: set[str], seen: set[str], grouped: set[str]) -> tuple[str | None, str]:
    if len(decimals) == 1 and not decimals & grouped:
        (decimal,) = decimals
        other = "," if decimal == "." else "."
        return decimal, other if other in seen else ""
    if decimals or (seen and not grouped):
        return None, ""
    if len(grouped) == 1 and seen == grouped:
        (thousands,) = grouped
        return ("," if thousands == "." else "."), thousands
    return (None, "") if seen else (".", "")
