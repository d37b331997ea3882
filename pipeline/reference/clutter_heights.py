"""What a class of land cover stands for: a height for profiles, surroundings for Okumura-Hata.

A table for each legend, or the user's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.propagation.hata import Environment
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows, refuse_second

NO_DATA = 65535
"""Code of pixels that a raster knows nothing of, and of places beyond it."""
HIGHEST_CODE = 9999
NO_ENVIRONMENT = 255


class _ClassRow(SourcedRow):
    code: Annotated[
        Annotated[int, Field(ge=0, le=HIGHEST_CODE)] | Literal["nodata"],
        Field(description=f"0 to {HIGHEST_CODE}, or nodata for unknown land cover"),
    ]
    land_cover: Annotated[str, Field(min_length=1, description="what the class is")]
    clutter_height_m: Annotated[NumberCell, Field(ge=0, le=100, description="0 to 100 m")]
    environment: Annotated[
        Literal["open", "suburban", "urban", ""], Field(description="open, suburban, urban, or empty")
    ] = ""


def read_clutter_heights(path: Path) -> NDArray[np.float64]:
    """Height in m by code, float64[65536]; NaN without a row. InputError for a table that is none.

    The height at ``NO_DATA`` is that of the row ``nodata``.
    """
    heights_m = np.full(NO_DATA + 1, np.nan)
    for code, row in _read(path).items():
        heights_m[code] = row.clutter_height_m
    return heights_m


def read_environments(path: Path) -> NDArray[np.uint8]:
    """Code of ``Environment`` by code of a class, uint8[65536]; ``NO_ENVIRONMENT`` without one."""
    environments = np.full(NO_DATA + 1, NO_ENVIRONMENT, np.uint8)
    for code, row in _read(path).items():
        if row.environment:
            environments[code] = Environment[row.environment.upper()]
    return environments


def _read(path: Path) -> dict[int, _ClassRow]:
    """Rows by code, of unknown cover by ``NO_DATA``."""
    rows = read_rows(path, _ClassRow)
    refuse_second(path, rows, ("code",))
    return {NO_DATA if row.code == "nodata" else row.code: row for row in rows}
