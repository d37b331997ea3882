"""Codes of countries: ISO 3166-1, and how widespread boundary files write them.

Evidence of the files: attribute lists of GISCO, geoBoundaries, GADM and Natural Earth; no field is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from pipeline.rows.row_models import SourcedRow, read_rows
from pipeline.shipped import TABLES

if TYPE_CHECKING:
    import geopandas as gpd

_TABLE = TABLES / "countries.csv"
# GISCO writes the codes of the European Union, which differ from ISO 3166 for two countries.
_OF_GISCO = {"EL": "GR", "UK": "GB"}

CodeKind = Literal["as_stated", "iso3", "gisco"]
"""How a boundary file writes its countries: as the registers do, in three letters, or as GISCO."""


class _CountryRow(SourcedRow):
    iso_numeric: Annotated[str, Field(pattern=r"^(\d{3})?$", description="three digits or empty")]
    iso2: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="two letters")]
    iso3: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="three letters")]
    name: str


class Country(NamedTuple):
    """One country of ISO 3166-1."""

    iso2: str
    iso3: str
    iso_numeric: str
    name: str


class BoundarySource(NamedTuple):
    """A widespread kind of boundary file: what it is recognised by, and where codes and names stand.

    ``level``: the value of an attribute in rows of whole countries, where a file mixes levels.
    """

    name: str
    fields: tuple[str, ...]
    code_fields: tuple[str, ...]
    name_fields: tuple[str, ...]
    codes: CodeKind
    level: tuple[str, int] | None = None


# The first one that fits counts: NUTS before countries, as both have CNTR_* fields.
_SOURCES = (
    BoundarySource("gisco_nuts", ("NUTS_ID", "CNTR_CODE"), ("CNTR_CODE",), ("NAME_LATN", "NUTS_NAME"),
                   "gisco", ("LEVL_CODE", 0)),
    BoundarySource("gisco_countries", ("CNTR_ID",), ("CNTR_ID",), ("NAME_ENGL", "CNTR_NAME"), "gisco"),
    BoundarySource("geoboundaries", ("shapeGroup", "shapeName"), ("shapeGroup",), ("shapeName",), "iso3"),
    BoundarySource("gadm", ("GID_0",), ("GID_0",),
                   (*(f"NAME_{level}" for level in (5, 4, 3, 2, 1, 0)), "COUNTRY"), "iso3"),
    BoundarySource("natural_earth", ("ADM0_A3", "ISO_A2"), ("ISO_A2_EH", "ISO_A2"), ("NAME", "ADMIN"),
                   "as_stated"),
)  # fmt: skip
_OWN = BoundarySource("own", ("iso2",), ("iso2",), ("name", "NAME"), "as_stated")


@cache
def countries() -> tuple[Country, ...]:
    """All countries of the table, by their two letters."""
    rows = read_rows(_TABLE, _CountryRow)
    return tuple(sorted(Country(row.iso2, row.iso3, row.iso_numeric, row.name) for row in rows))


@cache
def _by_iso3() -> dict[str, str]:
    return {country.iso3: country.iso2 for country in countries()}


@cache
def iso2_by_number() -> dict[str, str]:
    """Two letters by the three digits of ISO 3166-1."""
    return {country.iso_numeric: country.iso2 for country in countries() if country.iso_numeric}


def country_named(iso2: str) -> Country | None:
    """A country by its two letters; None for one that is not in the table."""
    return next((country for country in countries() if country.iso2 == iso2.upper()), None)


def iso2_of(code: object, kind: CodeKind) -> str:
    """A code of a boundary file in two letters; empty for none and for one that stands for no country."""
    text = code.strip() if isinstance(code, str) else ""
    if kind == "as_stated":
        return text
    if kind == "iso3":
        return _by_iso3().get(text.upper(), "")
    return _OF_GISCO.get(text, text)


def with_codes(frame: gpd.GeoDataFrame, field: str, kind: CodeKind) -> gpd.GeoDataFrame:
    """The polygons with the codes of a field in two letters; as they stand if the file has them so."""
    if kind == "as_stated" or field not in frame:
        return frame
    coded = frame.assign(**{field: [iso2_of(code, kind) for code in frame[field]]})
    coded.attrs.update(frame.attrs)
    return coded


def source_of(fields: Collection[str]) -> BoundarySource | None:
    """The kind of a boundary file by its attributes; None for one that is not known."""
    known = (_OWN, *_SOURCES)
    return next((source for source in known if all(name in fields for name in source.fields)), None)


def field_among(fields: Collection[str], names: Sequence[str]) -> str:
    """The first of some names that a file has; empty if it has none."""
    return next((name for name in names if name in fields), "")
