"""The tables of configs/tables for PMSE: minimum wanted power by kind of use, ratios against devices."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from pipeline.reference.ratio_tables import ClassCell, NameCell
from pipeline.rows.row_models import MAY_BE_EMPTY, NumberCell, SourcedRow, WholeCell, read_rows, refuse_second

_WantedPower = Annotated[float, Field(ge=-150, le=0)]


class PmseKind(NamedTuple):
    """A kind of PMSE use: minimum wanted power at the receiver (NaN = not known), and its set of ratios."""

    wanted_dbm: float
    ratios: str


class _KindRow(SourcedRow):
    kind: NameCell
    wanted_dbm: Annotated[_WantedPower | None, MAY_BE_EMPTY, Field(description="-150 to 0 dBm or empty")]
    ratios: Annotated[str, Field(description="a set of ratios or empty")]


class _PmseRatioRow(SourcedRow):
    ratios: NameCell
    offset: Annotated[WholeCell, Field(ge=0, le=99, description="0 to 99 channels")]
    emission_class: ClassCell
    ratio_db: Annotated[NumberCell, Field(ge=-150, le=60, description="-150 to 60 dB")]


def read_pmse_kinds(path: Path) -> dict[str, PmseKind]:
    """Kinds of PMSE use by name; a kind without wanted power or set of ratios has no numbers."""
    rows = read_rows(path, _KindRow)
    refuse_second(path, rows, ("kind",))
    return {
        row.kind: PmseKind(math.nan if row.wanted_dbm is None else row.wanted_dbm, row.ratios) for row in rows
    }


def read_pmse_ratios(path: Path) -> dict[tuple[str, int, int], float]:
    """Protection ratio [dB] of PMSE against a device by (set, distance in channels, emission class)."""
    rows = read_rows(path, _PmseRatioRow)
    refuse_second(path, rows, ("offset", "emission_class", "ratios"))
    return {(row.ratios, row.offset, row.emission_class): row.ratio_db for row in rows}
