"""Representative clutter heights by class of land cover: a table for each legend, or the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows, refuse_second

NO_DATA = 65535
"""Code of pixels that a raster knows nothing of, and of places beyond it."""
HIGHEST_CODE = 9999


class _ClassRow(SourcedRow):
    code: Annotated[
        Annotated[int, Field(ge=0, le=HIGHEST_CODE)] | Literal["nodata"],
        Field(description=f"0 to {HIGHEST_CODE}, or nodata for unknown land cover"),
    ]
    land_cover: Annotated[str, Field(min_length=1, description="what the class is")]
    clutter_height_m: Annotated[NumberCell, Field(ge=0, le=100, description="0 to 100 m")]


def read_clutter_heights(path: Path) -> NDArray[np.float64]:
    """Height in m by code, float64[65536]; NaN without a row. InputError for a table that is none.

    The height at ``NO_DATA`` is that of the row ``nodata``.
    """
    heights_m = np.full(NO_DATA + 1, np.nan)
    rows = read_rows(path, _ClassRow)
    refuse_second(path, rows, ("code",))
    for row in rows:
        heights_m[NO_DATA if row.code == "nodata" else row.code] = row.clutter_height_m
    return heights_m
