"""Distance of each pixel to the nearest marked pixel, exact, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel

NONE_IN_COLUMN = 65535
"""Distance in a column without any marked pixel."""


@kernel
def column_distance_px(marked: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Vertical distance in pixels to the nearest marked pixel of the same column; 65535: none."""
    none = np.full(marked.shape[1], np.uint16(NONE_IN_COLUMN), dtype=np.uint16)
    return column_distance_between_px(marked, none, none)


@kernel
def column_distance_between_px(
    marked: NDArray[np.bool_], above: NDArray[np.uint16], below: NDArray[np.uint16]
) -> NDArray[np.uint16]:
    """The same of some rows; ``above``, ``below`` uint16[x] distances of the rows before and behind them."""
    height, width = marked.shape
    distance = np.full((height, width), np.uint16(NONE_IN_COLUMN), dtype=np.uint16)
    for y in range(height):
        for x in range(width):
            before = above[x] if y == 0 else distance[y - 1, x]
            if marked[y, x]:
                distance[y, x] = 0
            elif before != NONE_IN_COLUMN:
                distance[y, x] = before + 1
    for y in range(height - 1, -1, -1):
        for x in range(width):
            behind = below[x] if y == height - 1 else distance[y + 1, x]
            if behind != NONE_IN_COLUMN and behind + 1 < distance[y, x]:
                distance[y, x] = behind + 1
    return distance


@kernel
def _carry(marked: NDArray[np.bool_], upward: bool, distance_px: NDArray[np.uint16]) -> None:
    """Take the distance of the row before some rows, uint16[x], to the last of them."""
    height, width = marked.shape
    for step in range(height):
        y = height - 1 - step if upward else step
        for x in range(width):
            if marked[y, x]:
                distance_px[x] = 0
            elif distance_px[x] != NONE_IN_COLUMN:
                distance_px[x] += 1


def strips_column_px(
    marked: Callable[[slice], NDArray[np.bool_]], strips: Sequence[slice], width: int
) -> Iterator[tuple[slice, NDArray[np.uint16]]]:
    """``column_distance_px`` by strips of all rows of a grid.

    ``marked`` is asked for bool[y, x] of each strip, three times: nothing of the size of the grid is held.
    """
    for rows, edges in zip(strips, column_edges_px(marked, strips, width), strict=True):
        yield rows, column_distance_between_px(marked(rows), *edges)


def column_edges_px(
    marked: Callable[[slice], NDArray[np.bool_]], strips: Sequence[slice], width: int
) -> list[tuple[NDArray[np.uint16], NDArray[np.uint16]]]:
    """Of each strip of all rows of a grid ``above`` and ``below`` of ``column_distance_between_px``.

    ``marked`` is asked for bool[y, x] of each strip, twice.
    """
    beyond = []
    for upward in (False, True):
        edge_px = np.full(width, NONE_IN_COLUMN, np.uint16)
        its = []
        for rows in reversed(strips) if upward else strips:
            its.append(edge_px.copy())
            _carry(marked(rows), upward, edge_px)
        beyond.append(its)
    return list(zip(beyond[0], reversed(beyond[1]), strict=True))


def widened_rows(marked: Callable[[slice], NDArray[np.bool_]], rows: slice, height: int) -> NDArray[np.bool_]:
    """``widened`` of some rows of a grid; ``marked`` tells those of any."""
    first = max(rows.start - 1, 0)
    around = widened(marked(slice(first, min(rows.stop + 1, height))))
    return around[rows.start - first : rows.stop - first]


def widened(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The marked pixels of [y, x] and the eight around each.

    Squares are as far apart as the centre of one and the ring of pixels around the other.
    """
    above_below = marked.copy()
    above_below[1:] |= marked[:-1]
    above_below[:-1] |= marked[1:]
    around = above_below.copy()
    around[:, 1:] |= above_below[:, :-1]
    around[:, :-1] |= above_below[:, 1:]
    return around


@kernel
def row_distance_px(column_px: NDArray[np.uint16], aspect: float = 1.0) -> NDArray[np.float32]:
    """Euclidean distance in pixels to the nearest marked pixel for whole rows of ``column_distance_px``.

    ``aspect``: height of a pixel over its width; the distance is in widths. Lower envelope of parabolas, one
    per column (Felzenszwalb and Huttenlocher 2012); infinity where nothing is marked in the whole grid.
    """
    height, width = column_px.shape
    result = np.full((height, width), np.inf, dtype=np.float32)
    vertex = np.empty(width, dtype=np.int64)
    start = np.empty(width + 1, dtype=np.float64)
    for y in range(height):
        last = -1
        for x in range(width):
            if column_px[y, x] == NONE_IN_COLUMN:
                continue
            own = (aspect * float(column_px[y, x])) ** 2 + float(x) ** 2
            meet = -np.inf
            while last >= 0:
                v = vertex[last]
                meet = (own - ((aspect * float(column_px[y, v])) ** 2 + float(v) ** 2)) / (2.0 * (x - v))
                if meet > start[last]:
                    break
                last -= 1
                meet = -np.inf
            last += 1
            vertex[last] = x
            start[last] = meet
        if last < 0:
            continue
        start[last + 1] = np.inf
        k = 0
        for x in range(width):
            while start[k + 1] < x:
                k += 1
            v = vertex[k]
            result[y, x] = np.sqrt((aspect * float(column_px[y, v])) ** 2 + float(x - v) ** 2)
    return result
