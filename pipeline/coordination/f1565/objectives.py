"""The tables of Rec. ITU-R F.1565-1 as exact fractions."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from pipeline.config.base import Section
from pipeline.config.load import read_model
from pipeline.shipped import TABLES

_F1565 = TABLES / "f1565.yaml"

Standard = Literal["G.826", "G.828"]
CountryRole = Literal["intermediate", "terminating"]
_NationalPortion = Literal["long_haul", "short_haul", "access"]

# Few digits and a small exponent: an exact fraction of anything longer is a way to exhaust memory.
_MAX_CHARACTERS = 40
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")


def exact(text: object) -> object:
    """A decimal text as an exact fraction; ValueError for anything else."""
    if isinstance(text, Fraction):
        return text
    if not isinstance(text, str) or len(text) > _MAX_CHARACTERS or not _DECIMAL.fullmatch(text.strip()):
        raise ValueError("not a decimal number")
    return Fraction(text.strip())


Exact = Annotated[Fraction, BeforeValidator(exact)]
_Range = tuple[Exact, Exact]


class _Section(Section):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Rates(_Section):
    """Bit rates of a row: (above, up to] in kbit/s, or one single rate."""

    above_kbps: Exact | None = None
    up_to_kbps: Exact


class InternationalRow(Rates):
    """The factors (b, c) of the three parameters; None: under study."""

    esr: _Range | None
    sesr: _Range
    bber: _Range


class InternationalTable(_Section):
    """Tables 1 to 4."""

    table: int
    country: CountryRole
    standard: Standard
    break_km: Exact
    rows: tuple[InternationalRow, ...]


class NationalRow(Rates):
    """What is multiplied by A, B or C; None: under study."""

    esr: Exact | None
    sesr: Exact
    bber: Exact


class NationalTable(_Section):
    """Tables 5 to 10: the same values for the three portions."""

    tables: dict[_NationalPortion, int]
    standard: Standard
    rows: tuple[NationalRow, ...]


class Ranges(_Section):
    """Notes 7 to 9."""

    a1: _Range
    b: _Range
    c: _Range
    b_plus_c: _Range
    a1_plus_b_plus_c: _Range


class Alias(_Section):
    """A line rate that counts as the rate of the container in it."""

    line_kbps: Exact
    as_kbps: Exact
    flag: str


class LongHaul(_Section):
    """Factor A by length."""

    short_offset: Exact
    break_km: Exact
    slope_per_km: Exact


class F1565Tables(_Section):
    """Everything of the Recommendation that is a number."""

    source: Annotated[str, Field(min_length=3)]
    verified: bool
    reference_length_km: Exact
    min_length_km: Exact
    month_s: Exact
    co_primary_share: Exact
    other_sources_divisor: Exact
    early_system_factor: Exact
    early_system_kbps: Exact
    aliases: tuple[Alias, ...]
    containers: dict[str, Exact]
    notes: dict[int, str]
    ranges: Ranges
    long_haul: LongHaul
    international: tuple[InternationalTable, ...]
    national: tuple[NationalTable, ...]


def read_tables(path: Path = _F1565) -> F1565Tables:
    """Read and check the tables."""
    return read_model(path, F1565Tables)
