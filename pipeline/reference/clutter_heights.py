"""Representative clutter heights by class of land cover: a table for each legend, or the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from pipeline.errors import InputError
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows

NO_DATA = 65535
"""Code of pixels that a raster knows nothing of, and of places beyond it."""
HIGHEST_CODE = 9999
_NO_DATA_WORD = "nodata"


def _code(text: object) -> object:
    return NO_DATA if text == _NO_DATA_WORD else text


class _ClassRow(SourcedRow):
    code: Annotated[
        int,
        BeforeValidator(_code),
        Field(
            ge=0, le=NO_DATA, description=f"0 to {HIGHEST_CODE}, or {_NO_DATA_WORD} for unknown land cover"
        ),
    ]
    land_cover: Annotated[str, Field(min_length=1, description="what the class is")]
    clutter_height_m: Annotated[NumberCell, Field(ge=0, le=100, description="0 to 100 m")]


def read_clutter_heights(path: Path) -> NDArray[np.float64]:
    """Height in m by code, float64[65536]; NaN without a row. InputError for a table that is none.

    The height at ``NO_DATA`` is that of the row ``nodata``.
    """
    heights_m = np.full(NO_DATA + 1, np.nan)
    for row in read_rows(path, _ClassRow):
        allowed = f"0 to {HIGHEST_CODE}, or {_NO_DATA_WORD}, each once"
        if HIGHEST_CODE < row.code < NO_DATA or not np.isnan(heights_m[row.code]):
            raise InputError(
                "class has no place in the table",
                file=path,
                row=row.row,
                field="code",
                value=row.code,
                allowed=allowed,
            )
        heights_m[row.code] = row.clutter_height_m
    return heights_m
