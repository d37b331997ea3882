"""Symbols of the ITU for countries and geographical areas, such as SVN, E and SUI, and codes of ISO 3166."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import Field

from pipeline.grid.country_codes import iso2_by_number
from pipeline.registers.conversion.cell_numbers import CellProblem
from pipeline.rows.row_models import SourcedRow, read_rows
from pipeline.shipped import TABLES

_TABLE = TABLES / "itu_codes.csv"


class _SymbolRow(SourcedRow):
    name: str
    iso_numeric: Annotated[str, Field(pattern=r"^(\d{3})?$", description="three digits of ISO 3166 or empty")]
    area: Annotated[str, Field(pattern=r"^([A-Z]{1,3})?$", description="one to three letters or empty")]


@cache
def _areas() -> dict[str, str]:
    """Symbol -> code; of areas that share a symbol, such as islands, the one that was read in a source."""
    rows = sorted(read_rows(_TABLE, _SymbolRow), key=lambda row: not row.verified)
    found: dict[str, str] = {}
    for row in rows:
        if row.area and row.iso_numeric:
            found.setdefault(row.area, iso2_by_number()[row.iso_numeric])
    return found


def country_of_symbol(symbol: str) -> str | None:
    """Two-letter code of a symbol of the ITU; None for one that is not in the table."""
    return _areas().get(symbol.strip().upper())


def country_of_cell(text: str) -> str:
    """The same of a cell; CellProblem for a symbol that is not in the table."""
    country = country_of_symbol(text)
    if country is None:
        raise CellProblem("bad_value", "unknown country", "a symbol of configs/tables/itu_codes.csv")
    return country


@cache
def _symbols() -> dict[str, str]:
    return {code: symbol for symbol, code in _areas().items()}


def symbol_of_country(country: str) -> str | None:
    """Symbol of the ITU of a two-letter code; None for one that is not in the table."""
    return _symbols().get(country.strip().upper())
