"""How many channels the parts of a territory have: area and population by region and number of channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.availability.classes import OUTSIDE_COUNT, level_name, published_levels_dbm
from pipeline.blocks import block_slices
from pipeline.config.config import Config
from pipeline.files import table_bytes, write_whole
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX
from pipeline.territory.regions import ELSEWHERE, TOTAL, NamedRegions, project_regions, region_index

_COUNTS = OUTSIDE_COUNT  # a pixel has 0 .. 254 channels
_AT_LEAST = (1, 5, 10)

_Histogram = NDArray[np.float64]


class Tally(NamedTuple):
    """Area in km2 and persons by region and number of available channels, each float64[region, channels].

    The last region is the land that lies in none. ``population`` is None without population.
    """

    area_km2: _Histogram
    population: _Histogram | None


def count_layers(config: Config) -> list[tuple[str, str]]:
    """(device, level as in file names) of the published counts."""
    return [
        (device.id, level_name(level_dbm))
        for device in config.devices
        for level_dbm in published_levels_dbm(config, device)
    ]


def tallies(regions: NamedRegions, paths: Sequence[Path], population: Path | None) -> list[Tally]:
    """A tally for each layer of counts; ``regions`` in lon/lat, ``population`` the raster of persons."""
    grid = raster.read_grid(paths[0])
    local = project_regions(regions, grid)
    found = [_empty(len(regions.names), population is not None) for _ in paths]
    # What does not reach the grid has no number on it.
    number = np.array([*(regions.names.index(name) for name in local.names), len(regions.names)])
    for rows, _ in block_slices(grid.shape, (STRIP_PX, grid.width)):
        region = number[region_index(local, grid, rows)]
        area_km2 = grid.area_km2(rows)
        persons = None if population is None else np.nan_to_num(raster.read(population, rows=rows).values)
        for path, tally in zip(paths, found, strict=True):
            count = raster.read(path, rows=rows).values
            _add(tally.area_km2, region, count, area_km2)
            if tally.population is not None and persons is not None:
                _add(tally.population, region, count, persons)
    return found


def region_table(names: Sequence[str], tally: Tally) -> pd.DataFrame:
    """Rows by region that holds land of the territory, then ``elsewhere`` if there is any, then ``total``.

    Mean and median number of channels are weighted by area; the median is the least number that half of the
    area does not exceed. Shares in per cent of the region's area and population; NaN without population.
    """
    return pd.DataFrame(list(_rows(names, tally)))


def write_table(tables: Sequence[pd.DataFrame], path: Path) -> None:
    """Write all rows; numbers to 0.0001, empty where unknown."""
    table = pd.concat(tables)
    first = ["device", "level_dbm"]
    table = table[[*first, *(name for name in table.columns if name not in first)]]
    write_whole(path, table_bytes(table))


def _empty(regions: int, with_people: bool) -> Tally:
    shape = (regions + 1, _COUNTS)
    return Tally(np.zeros(shape), np.zeros(shape) if with_people else None)


def _add(
    sums: _Histogram, region: NDArray[np.integer], count: NDArray[np.uint8], weight: NDArray[np.floating]
) -> None:
    """Add the weights of the pixels inside the territory to ``sums``[region, count]."""
    inside = count != OUTSIDE_COUNT
    place = region[inside].astype(np.int64) * _COUNTS + count[inside]
    sums += np.bincount(place, weights=weight[inside], minlength=sums.size).reshape(sums.shape)


def _rows(names: Sequence[str], tally: Tally) -> Iterator[dict[str, object]]:
    parts = [(name, slice(place, place + 1)) for place, name in enumerate([*names, ELSEWHERE])]
    for name, rows in [*parts, (TOTAL, slice(None))]:
        area_km2 = tally.area_km2[rows].sum(axis=0)
        population = np.zeros(_COUNTS) if tally.population is None else tally.population[rows].sum(axis=0)
        if area_km2.any():
            yield _row(name, area_km2, population, known=tally.population is not None)


def _row(name: str, area_km2: _Histogram, population: _Histogram, *, known: bool) -> dict[str, object]:
    """One region from its area and population by number of channels."""
    return {
        "region": name,
        "area_km2": area_km2.sum(),
        "population": population.sum() if known else np.nan,
        "channels_mean": np.average(np.arange(_COUNTS), weights=area_km2),
        "channels_median": int(np.searchsorted(np.cumsum(area_km2), 0.5 * area_km2.sum())),
        **{f"area_at_least_{n}_pct": _share_pct(area_km2, n) for n in _AT_LEAST},
        **{f"population_at_least_{n}_pct": _share_pct(population, n) for n in _AT_LEAST},
    }


def _share_pct(by_count: _Histogram, at_least: int) -> float:
    """Per cent of the weight with so many channels; NaN without any weight."""
    total = by_count.sum()
    return float(100.0 * by_count[at_least:].sum() / total) if total > 0.0 else float("nan")
