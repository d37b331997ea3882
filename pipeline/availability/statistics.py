"""Statistics of area and population: how many channels they have, and how much of them is not evaluated.

``statistics.csv`` by device and level, ``statistics_by_region.csv`` by the parts of a territory as well,
``not_evaluated.csv`` by device and channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.availability.classes import OUTSIDE_COUNT, level_name, published_levels_dbm
from pipeline.blocks import Slices, block_slices
from pipeline.config.bonds import DeviceChannel, plain_channel
from pipeline.config.config import Config
from pipeline.files import table_bytes, write_whole
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX, Grid
from pipeline.grid.open_rasters import OpenRasters
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED
from pipeline.territory.regions import ELSEWHERE, TOTAL, NamedRegions, project_regions, region_index

_CURVE_COLUMNS = ("device", "level_dbm", "channels_at_least", "area_pct", "population_pct")
_NOT_EVALUATED_COLUMNS = ("device", "channel", "area_km2", "area_pct", "population_pct")
_COUNTS = OUTSIDE_COUNT  # a pixel has 0 .. 254 channels
_AT_LEAST = (1, 5, 10)
_Histogram = NDArray[np.float64]


class Weights(NamedTuple):
    """True areas in km2 and persons of the pixels of a part [y, x]; None without population."""

    area_km2: NDArray[np.floating]
    population: NDArray[np.floating] | None


def weights_of(config: Config, build: Path, grid: Grid, opened: OpenRasters, part: Slices) -> Weights:
    """Weights of a part (rows, columns) of the grid."""
    area_km2 = grid.area_km2(*part)
    if config.population is None:
        return Weights(area_km2, None)
    return Weights(area_km2, np.nan_to_num(opened.window(build / "territory" / "population.tif", *part)[0]))


def write_statistics(curves: list[pd.DataFrame], path: Path) -> None:
    """Write the curves of all devices and levels; percentages to 0.0001, empty where unknown."""
    columns = list(_CURVE_COLUMNS)
    table = pd.concat(curves)[columns] if curves else pd.DataFrame(columns=columns)
    write_whole(path, table_bytes(table))


class AvailabilityCurve:
    """Share of area and of population with at least n available channels, from parts of the counts.

    SM.2405, Figures A5-3 and A5-4: weighted by the true area of each pixel.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._area_km2, self._population = np.zeros(_COUNTS), np.zeros(_COUNTS)
        self._known = True

    def add(self, count: NDArray[np.uint8], weights: Weights) -> None:
        """Add a part, [y, x]."""
        inside = count != OUTSIDE_COUNT
        self._known &= weights.population is not None
        for sums, weight in zip((self._area_km2, self._population), weights, strict=True):
            if weight is not None:
                sums += np.bincount(count[inside], weights=weight[inside], minlength=_COUNTS)

    def table(self, channels: int) -> pd.DataFrame:
        """Columns channels_at_least 1 .. ``channels``, area_pct, population_pct (NaN without population)."""
        return pd.DataFrame(
            {
                "channels_at_least": np.arange(1, channels + 1),
                "area_pct": _share_with_at_least(self._area_km2, channels),
                "population_pct": _share_with_at_least(self._population, channels) if self._known else np.nan,
            }
        )


def _share_with_at_least(by_count: _Histogram, channels: int) -> NDArray[np.float64]:
    """Per cent of the weight with at least 1 .. ``channels`` channels."""
    total = by_count.sum()
    if total <= 0:
        return np.full(channels, np.nan)
    at_least = np.cumsum(by_count[::-1])[::-1]
    return np.asarray(100.0 * at_least[1 : channels + 1] / total)


# --- not evaluated ------------------------------------------------------------------------------------------


class NotEvaluatedArea(NamedTuple):
    """Not evaluated land; shares of the territory's land and population, NaN without population."""

    area_km2: float
    area_pct: float
    population_pct: float


class OpenLand:
    """Sums over parts of a device's limits: land and persons, of what is not evaluated and of all."""

    def __init__(self, channels: int) -> None:
        """Begin with nothing."""
        # By channel; land and persons; not evaluated and all.
        self._sums = np.zeros((channels, 2, 2))

    def add(self, limits: NDArray[np.int16], weights: Weights) -> None:
        """Add the pixels of a part [channel, y, x]."""
        inside, all_of_it = np.zeros(limits.shape[1:], np.bool_), np.zeros(2)
        for sums, raw in zip(self._sums, limits, strict=True):
            its = raw != NODATA_CENTI
            if not np.array_equal(its, inside):  # mostly the same in all channels
                inside, all_of_it = its, _sums_of(weights, its)
            sums[:, 0] += _sums_of(weights, raw == NOT_EVALUATED)
            sums[:, 1] += all_of_it

    def areas(self) -> list[NotEvaluatedArea]:
        """What is not evaluated of each channel."""
        return [
            NotEvaluatedArea(float(land[0]), _part_pct(land), _part_pct(persons))
            for land, persons in self._sums
        ]


def _sums_of(weights: Weights, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Land and persons of some pixels."""
    found = np.zeros(2)
    if chosen.any():
        for place, weight in enumerate(weights):
            if weight is not None:
                found[place] = np.nansum(weight[chosen], dtype=np.float64)
    return found


def not_evaluated_table(
    device: str, channels: Sequence[DeviceChannel], areas: Sequence[NotEvaluatedArea]
) -> pd.DataFrame:
    """One row for each channel of a device."""
    rows = [(device, plain_channel(at), *area) for at, area in zip(channels, areas, strict=True)]
    return pd.DataFrame(rows, columns=list(_NOT_EVALUATED_COLUMNS))


def write_not_evaluated(tables: Sequence[pd.DataFrame], path: Path) -> None:
    """Write the rows of all devices; numbers to 0.0001, empty where unknown."""
    write_whole(path, table_bytes(pd.concat(tables)))


def _part_pct(part_and_whole: NDArray[np.float64]) -> float:
    part, whole = part_and_whole
    return float(100.0 * part / whole) if whole > 0.0 else float("nan")


# --- regions ------------------------------------------------------------------------------------------------


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
    return pd.DataFrame(list(_region_rows(names, tally)))


def write_regions(tables: Sequence[pd.DataFrame], path: Path) -> None:
    """Write all rows; numbers to 0.0001, empty where unknown."""
    table = pd.concat(tables)
    first = ["device", "level_dbm"]
    table = table[[*first, *(name for name in table.columns if name not in first)]]
    write_whole(path, table_bytes(table))


def _empty(regions: int, with_population: bool) -> Tally:
    shape = (regions + 1, _COUNTS)
    return Tally(np.zeros(shape), np.zeros(shape) if with_population else None)


def _add(
    sums: _Histogram, region: NDArray[np.integer], count: NDArray[np.uint8], weight: NDArray[np.floating]
) -> None:
    """Add the weights of the pixels inside the territory to ``sums``[region, count]."""
    inside = count != OUTSIDE_COUNT
    place = region[inside].astype(np.int64) * _COUNTS + count[inside]
    sums += np.bincount(place, weights=weight[inside], minlength=sums.size).reshape(sums.shape)


def _region_rows(names: Sequence[str], tally: Tally) -> Iterator[dict[str, object]]:
    parts = [(name, slice(place, place + 1)) for place, name in enumerate([*names, ELSEWHERE])]
    for name, rows in [*parts, (TOTAL, slice(None))]:
        area_km2 = tally.area_km2[rows].sum(axis=0)
        population = np.zeros(_COUNTS) if tally.population is None else tally.population[rows].sum(axis=0)
        if area_km2.any():
            yield _region_row(name, area_km2, population, known=tally.population is not None)


def _region_row(name: str, area_km2: _Histogram, population: _Histogram, *, known: bool) -> dict[str, object]:
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
