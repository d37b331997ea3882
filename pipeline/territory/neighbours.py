"""How far each pixel of the territory is from the land of each foreign country: distances between squares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.services import OTHER_LAND
from pipeline.grid.distance import (
    column_distance_px,
    row_distance_px,
    strips_column_px,
    widened,
    widened_rows,
)
from pipeline.grid.grid import STRIP_PX, Grid, strips_of_rows
from pipeline.territory.codes import NO_COUNTRY, Surface
from pipeline.territory.masks import territory_window

COASTAL = " coastal"


class Layers(NamedTuple):
    """The territory's masks, uint8[y, x]; see ``codes`` and ``masks``."""

    surface: NDArray[np.uint8]
    country: NDArray[np.uint8]
    coastal: NDArray[np.uint8]


class ForeignLand(NamedTuple):
    """Land of one country, or the part of it near the sea; ``number`` 0 = land that no polygon names."""

    name: str
    number: int
    coastal: bool


def foreign_lands(layers: Layers, codes: Sequence[str]) -> list[ForeignLand]:
    """Foreign lands on the grid, each with its coastal part if it has one; at least the unnamed land.

    Named ``<code>``, ``<code> coastal``, ``*`` and ``* coastal``.
    """
    found, coast, outside = set[tuple[int, bool]](), False, False
    for rows in strips_of_rows(0, len(layers.surface), STRIP_PX):
        surface, country, coastal = (layer[rows] for layer in layers)
        foreign = surface == Surface.FOREIGN
        for at_coast in (False, True):
            its = country[foreign & (coastal == 1)] if at_coast else country[foreign]
            found |= {(number, at_coast) for number in np.unique(its).tolist()}
        coast, outside = coast or bool(coastal.any()), outside or bool((surface == Surface.OUTSIDE).any())
    # Where no sea is known, land beyond all files is not taken for a coast.
    if coast and outside:
        found.add((NO_COUNTRY, True))
    names = {NO_COUNTRY: OTHER_LAND} | dict(enumerate(codes, 1))
    lands = sorted(found | {(NO_COUNTRY, False)})
    return [ForeignLand(names[n] + COASTAL * at_coast, n, at_coast) for n, at_coast in lands]


def neighbour_parts_km(
    lands: Sequence[ForeignLand], layers: Layers, grid: Grid
) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
    """Parts of the grid: distance in km from each HOME pixel to the nearest pixel of each land, [land, y, x].

    Smallest distance between the two pixels as squares over the largest scale of the grid, rounded down: 0
    where they touch. NaN off the territory; infinite beyond the margin of the grid: not known there.
    """
    reach_px = _margin_px(layers.surface)
    km_per_px = grid.resolution_m / 1000.0 / grid.largest_scale()
    strips = list(strips_of_rows(0, grid.height, STRIP_PX))
    columns = [strips_column_px(partial(_beside, land, layers), strips, grid.width) for land in lands]
    for rows, by_land in zip(strips, zip(*columns, strict=True), strict=True):
        home = layers.surface[rows] == Surface.HOME
        # Of home pixels alone: dozens of lands on whole rows are more than all masks.
        its_km = np.empty((len(lands), np.count_nonzero(home)), np.float32)
        for (_, column_px), out_km in zip(by_land, its_km, strict=True):
            if out_km.size:
                distance_px = row_distance_px(column_px)[home]
                distance_px[distance_px > reach_px] = np.inf
                out_km[:] = _below(distance_px.astype(np.float64) * km_per_px)
        number = np.cumsum(home, dtype=np.int32).reshape(home.shape) - 1
        for cols in strips_of_rows(0, grid.width, STRIP_PX):
            values_km = np.full((len(lands), *home[:, cols].shape), np.nan, dtype=np.float32)
            values_km[:, home[:, cols]] = its_km[:, number[:, cols][home[:, cols]]]
            yield rows, cols, values_km


def square_distance_px(marked: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance in pixels between each pixel and the nearest marked one as squares; infinite without any."""
    return row_distance_px(column_distance_px(widened(marked)))


def _beside(land: ForeignLand, layers: Layers, rows: slice) -> NDArray[np.bool_]:
    """Pixels of a land and those around them: the distance to their centres is that of the squares.

    That is hypot(max(|dy| - 1, 0), max(|dx| - 1, 0)) once every marked pixel is widened by one to all sides.
    """

    def marked(part: slice) -> NDArray[np.bool_]:
        return land_mask(land, Layers(*(layer[part] for layer in layers)))

    return widened_rows(marked, rows, len(layers.surface))


def land_of_band(name: str, codes: Sequence[str]) -> ForeignLand:
    """The land that a band of ``neighbours.tif`` is about; ``codes`` as in ``countries.json``."""
    code = name.removesuffix(COASTAL)
    index = NO_COUNTRY if code == OTHER_LAND else codes.index(code) + 1
    return ForeignLand(name, index, name.endswith(COASTAL))


def nearest_pixel(marked: NDArray[np.bool_], row: int, col: int) -> tuple[int, int]:
    """The marked pixel that is nearest to a pixel as squares, the first of several by rows."""
    rows, cols = np.nonzero(marked)
    gaps = (np.maximum(np.abs(rows - row) - 1, 0), np.maximum(np.abs(cols - col) - 1, 0))
    nearest = int(np.argmin(np.hypot(*gaps)))
    return int(rows[nearest]), int(cols[nearest])


def land_mask(land: ForeignLand, layers: Layers) -> NDArray[np.bool_]:
    """Pixels of a land; what lies beyond all boundary files may be land that no polygon names."""
    there: NDArray[np.bool_] = (layers.surface == Surface.FOREIGN) & (layers.country == land.number)
    if land.coastal:
        there &= layers.coastal == 1
    if land.number == NO_COUNTRY:
        there |= layers.surface == Surface.OUTSIDE
    return there


def _margin_px(surface: NDArray[np.uint8]) -> int:
    """Pixels between the territory and the nearest edge of the grid."""
    rows, cols = territory_window(surface)
    height, width = surface.shape
    return min(rows.start, cols.start, height - rows.stop, width - cols.stop)


def _below(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above each value: a distance must not grow by storing it."""
    nearest = values.astype(np.float32)
    return np.where(nearest > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)
