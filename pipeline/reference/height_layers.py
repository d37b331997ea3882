"""Antenna heights that a database of white-space devices is to have layers for: a regulator's table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipeline.reference.ratio_tables import ANY
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows

_TYPES = ("A", "B")


class _LayerRow(SourcedRow):
    device_type: Annotated[Literal["*", "A", "B"], Field(description="*, A, B")]
    layer_m: Annotated[NumberCell, Field(ge=1, le=500, description="1 to 500 m")]


def read_height_layers(path: Path) -> dict[str, list[float]]:
    """Heights above ground in m by type of device, lowest first; InputError for a table that is none.

    They are not what a query goes by, which knows the layers of its run: ``validate`` names those missing.
    """
    rows = read_rows(path, _LayerRow)
    return {kind: sorted({row.layer_m for row in rows if row.device_type in (ANY, kind)}) for kind in _TYPES}
