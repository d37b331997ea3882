"""Land that no country's polygon holds because two layers of boundaries draw the coast a little differently.

A single pixel of it would be land of an unknown neighbour, and nothing would be evaluated within its reach.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.grid import strips_of_rows
from pipeline.territory.codes import NO_COUNTRY, Surface

# Coast lines of Natural Earth 1:10 million are simplified by up to about 0.3 km, others by more.
SLIVER_KM = 1.0

# Rows and columns of pixels, with the surface and the country that they get.
_Joined = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8], NDArray[np.uint8]]


class _Runs(NamedTuple):
    """Neighbouring pixels of a row, int64[run]: row, first column, column behind the last; in this order."""

    row: NDArray[np.int64]
    first: NDArray[np.int64]
    stop: NDArray[np.int64]


def join_slivers(surface: NDArray[np.uint8], country: NDArray[np.uint8], resolution_m: float) -> int:
    """Give slivers to the country of the nearest land, in place; number of pixels.

    ``surface`` codes and ``country`` indexes uint8[y, x]. A sliver is connected land without a country,
    all of which lies within ``SLIVER_KM`` of land with one. Other land stays without.
    """
    runs = _runs_of_open_land(surface, country)
    if not len(runs.row):
        return 0
    patch = _patches_of(runs)
    order = np.argsort(patch, kind="stable")
    bounds = np.append(np.flatnonzero(np.diff(patch[order], prepend=-1)), order.size)
    reach_px, joined = 1000.0 * SLIVER_KM / resolution_m, list[_Joined]()
    for first, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        joined += _joined(_Runs(*(part[order[first:stop]] for part in runs)), surface, country, reach_px)
    for y, x, code, index in joined:
        surface[y, x], country[y, x] = code, index
    return sum(len(y) for y, *_ in joined)


def _runs_of_open_land(surface: NDArray[np.uint8], country: NDArray[np.uint8]) -> _Runs:
    """Runs of land without a country, from the north and west: a few numbers each, where pixels are many."""
    found: list[NDArray[np.int64]] = []
    for rows in strips_of_rows(0, len(surface)):
        open_land = (surface[rows] == Surface.FOREIGN) & (country[rows] == NO_COUNTRY)
        steps = np.diff(np.pad(open_land, ((0, 0), (1, 1))).view(np.int8), axis=1)
        row, first = np.nonzero(steps == 1)
        found.append(np.stack([row + rows.start, first, np.nonzero(steps == -1)[1]]))
    return _Runs(*np.concatenate(found, axis=1))


def _patches_of(runs: _Runs) -> NDArray[np.int32]:
    """Number of the connected patch of each run, corners included."""
    from scipy.sparse import coo_matrix  # 0.2 s that every job would take
    from scipy.sparse.csgraph import connected_components

    a_row, below = int(runs.stop.max()) + 2, runs.row + 1
    low = np.searchsorted(runs.row * a_row + runs.stop, below * a_row + runs.first, side="left")
    high = np.searchsorted(runs.row * a_row + runs.first, below * a_row + runs.stop, side="right")
    number = np.maximum(high - low, 0)
    upper = np.repeat(np.arange(number.size), number)
    lower = np.arange(upper.size) - np.repeat(np.cumsum(number) - number, number) + np.repeat(low, number)
    touching = coo_matrix((np.ones(upper.size, np.int8), (upper, lower)), (number.size, number.size))
    patches: NDArray[np.int32] = connected_components(touching, directed=False)[1]
    return patches


def _joined(
    runs: _Runs, surface: NDArray[np.uint8], country: NDArray[np.uint8], reach_px: float
) -> list[_Joined]:
    """What becomes of the pixels of a patch, part by part; nothing where one is too far from other land."""
    found: list[_Joined] = []
    around_px, height = int(reach_px) + 1, len(surface)
    for rows in strips_of_rows(int(runs.row.min()), int(runs.row.max()) + 1):
        its = (runs.row >= rows.start) & (runs.row < rows.stop)
        left, right = int(runs.first[its].min()), int(runs.stop[its].max())
        for cols in strips_of_rows(left, right):
            patch = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.bool_)
            for row, first, stop in zip(*(part[its].tolist() for part in runs), strict=True):
                patch[row - rows.start, max(first - cols.start, 0) : max(stop - cols.start, 0)] = True
            if not patch.any():
                continue
            top, west = max(rows.start - around_px, 0), max(cols.start - around_px, 0)
            around = slice(top, min(rows.stop + around_px, height)), slice(west, cols.stop + around_px)
            nearest = _nearest_land(patch, (rows.start - top, cols.start - west), country[around], reach_px)
            if nearest is None:
                return []
            (y, x), place = np.nonzero(patch), (nearest[0] + top, nearest[1] + west)
            found.append((y + rows.start, x + cols.start, surface[place], country[place]))
    return found


def _nearest_land(
    patch: NDArray[np.bool_], place: tuple[int, int], country: NDArray[np.uint8], reach_px: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Row and column of the nearest pixel with a country for each pixel of a patch; None: one is too far.

    ``place`` of the patch's corner in ``country`` [y, x].
    """
    from scipy.ndimage import distance_transform_edt

    known = country != NO_COUNTRY
    if not known.any():
        return None
    distance_px, indexes = distance_transform_edt(~known, return_indices=True)
    own = tuple(slice(first, first + size) for first, size in zip(place, patch.shape, strict=True))
    row, col = (index[own][patch] for index in indexes)
    return (row, col) if (distance_px[own][patch] <= reach_px).all() else None
