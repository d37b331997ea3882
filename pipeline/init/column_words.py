"""What the headers of registers say in thirteen languages: columns, units and references by their words."""

from __future__ import annotations

import re
import unicodedata
from fnmatch import fnmatchcase
from functools import cache
from typing import Annotated, NamedTuple

from pydantic import Field

from pipeline.rows.row_models import RowModel, read_rows
from pipeline.shipped import TABLES

_TABLE = TABLES / "column_words.csv"
_BRACKETS = re.compile(r"\[([^\]]*)\]|\(([^)]*)\)")
_LETTERS = str.maketrans({"ł": "l", "đ": "d", "ø": "o", "ß": "ss", "æ": "ae", "ı": "i", "þ": "th"})
# Units as they stand in headers, in brackets or as the last word.
_UNITS = {
    "kw": "kW", "w": "W", "mw": "mW", "dbw": "dBW", "dbm": "dBm", "dbkw": "dBkW", "dbk": "dBk",
    "m": "m", "ft": "ft", "km": "km", "mhz": "MHz", "khz": "kHz", "ghz": "GHz", "hz": "Hz",
}  # fmt: skip


class _WordsRow(RowModel):
    column: Annotated[str, Field(min_length=1)]
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    words: Annotated[str, Field(min_length=1)]


class Header(NamedTuple):
    """A header as it is understood: words without signs and accents, the unit, None if none is stated."""

    text: str
    words: str
    unit: str | None


def header_words(text: str) -> str:
    """A text in small letters without accents and signs, words with one blank between them."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[a-z0-9]+", letters))


def understood(header: str) -> Header:
    """A header with its unit taken off: `ERP [dBW]`, `Freq. (MHz)`, `Agl (m)`, `erp_w`, `ERP max/dBW`."""
    name, _, times = header.partition("#")
    inside = [part for found in _BRACKETS.findall(name) for part in found if part]
    unit = next((known for part in inside if (known := _unit_of(part))), None)
    words = header_words(_BRACKETS.sub(" ", name))
    last = re.split(r"[\s/_,]+", name.strip())[-1]
    if unit is None and not inside and (unit := _unit_of(last)) and " " in words:
        words = words.rpartition(" ")[0]
    return Header(header, f"{words} {times}".strip(), unit)


def _unit_of(text: str) -> str | None:
    plain = text.strip().removeprefix("in ").strip()
    if plain == "MW":
        return "MW"
    return _UNITS.get(plain.lower())


@cache
def _dictionary() -> tuple[tuple[str, str], ...]:
    """(words, column), the longest first: `antenna height agl` before `height`."""
    rows = read_rows(_TABLE, _WordsRow)
    pairs = {(words, row.column) for row in rows for words in row.words.split("|")}
    return tuple(sorted(pairs, key=lambda pair: (-len(pair[0].split()), -len(pair[0]), pair)))


def columns_meant(header: Header) -> list[str]:
    """The columns that a header may mean: by its whole text, else by the longest words in it.

    Nothing for a header that only holds a word of less than three letters beside others.
    """
    whole = [column for words, column in _dictionary() if fnmatchcase(header.words, words)]
    if whole:
        return list(dict.fromkeys(whole))
    padded = f" {header.words} "
    found = [(words, column) for words, column in _dictionary() if len(words) > 2 and f" {words} " in padded]
    longest = max((len(words.split()) for words, _ in found), default=0)
    return list(dict.fromkeys(column for words, column in found if len(words.split()) == longest))
