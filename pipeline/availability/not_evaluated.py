"""How much of the territory is not evaluated, by device and channel: ``public/not_evaluated.csv``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.blocks import block_slices
from pipeline.files import table_bytes, write_whole
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED

_COLUMNS = ("device", "channel", "area_km2", "area_pct", "population_pct")


class OpenArea(NamedTuple):
    """Not evaluated land; shares of the territory's land and population, NaN without population."""

    area_km2: float
    area_pct: float
    population_pct: float


def open_area(
    path: Path, area_km2: NDArray[np.floating], population: NDArray[np.floating] | None
) -> OpenArea:
    """Not evaluated part of one ``max_eirp`` file; true areas and persons of its pixels, [y, x]."""
    shape = area_km2.shape
    land, persons = np.zeros(2), np.zeros(2)
    for rows, cols in block_slices((shape[0], shape[1]), (STRIP_PX, shape[1])):
        raw = raster.read(path, rows=rows).values
        for i, chosen in enumerate((raw == NOT_EVALUATED, raw != NODATA_CENTI)):
            land[i] += area_km2[rows, cols][chosen].sum(dtype=np.float64)
            if population is not None:
                persons[i] += np.nansum(population[rows, cols][chosen], dtype=np.float64)
    return OpenArea(float(land[0]), _per_cent(land), _per_cent(persons))


def open_area_table(
    files: Sequence[tuple[str, int, Path]],
    area_km2: NDArray[np.floating],
    population: NDArray[np.floating] | None,
) -> pd.DataFrame:
    """One row for each (device, channel, ``max_eirp`` file)."""
    return pd.DataFrame(_rows(files, area_km2, population), columns=list(_COLUMNS))


def write_open_area(table: pd.DataFrame, path: Path) -> None:
    """Write the table; numbers to 0.0001, empty where unknown."""
    write_whole(path, table_bytes(table))


def _rows(
    files: Sequence[tuple[str, int, Path]],
    area_km2: NDArray[np.floating],
    population: NDArray[np.floating] | None,
) -> Iterator[tuple[object, ...]]:
    for device, channel, path in files:
        yield (device, channel, *open_area(path, area_km2, population))


def _per_cent(part_and_whole: NDArray[np.float64]) -> float:
    part, whole = part_and_whole
    return float(100.0 * part / whole) if whole > 0.0 else float("nan")
