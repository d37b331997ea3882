"""Kernels that share counts of cells among pixels and sum over windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel


@kernel
def count_points(
    position: NDArray[np.float64],
    step_px: int,
    pad_px: int,
    points: int,
    on_land: NDArray[np.uint8],
    dry: NDArray[np.int32],
    every: NDArray[np.int32],
) -> None:
    """Count in ``every`` the sample points of all pixels by source cell, in ``dry`` those on land.

    ``position`` [2, rows, cols]: fractional (row, column) in the source of a lattice of grid positions, one
    per ``step_px`` pixels, that begins ``pad_px`` pixels outside the grid. Each pixel, also of that pad, has
    points x points sample points; beyond the grid they count as land. ``on_land`` uint8[height, width].
    """
    height, width = on_land.shape
    row = np.empty((width + 2 * pad_px) * points)
    col = np.empty((width + 2 * pad_px) * points)
    for line in range((height + 2 * pad_px) * points):
        source_line(position, step_px, points, line, row, col)
        y = line // points - pad_px
        for k in range(row.size):
            cell_row, cell_col = int(np.floor(row[k])), int(np.floor(col[k]))
            if not (0 <= cell_row < every.shape[0] and 0 <= cell_col < every.shape[1]):
                continue
            x = k // points - pad_px
            beyond = y < 0 or y >= height or x < 0 or x >= width
            every[cell_row, cell_col] += 1
            if beyond or on_land[y, x] == 1:
                dry[cell_row, cell_col] += 1


@kernel
def share_counts(
    counts: NDArray[np.float64],
    position: NDArray[np.float64],
    step_px: int,
    pad_px: int,
    points: int,
    on_land: NDArray[np.uint8],
    dry: NDArray[np.int32],
    every: NDArray[np.int32],
    first_row: int,
    persons: NDArray[np.float64],
) -> None:
    """Fill the rows ``persons`` (from ``first_row`` on): each point takes its share of its cell's count.

    The share is one over the cell's points on land, or over all its points where none is. NaN where no sample
    point of a pixel lies in a cell with data. Other arguments as :func:`count_points`.
    """
    height, width = persons.shape
    row = np.empty((width + 2 * pad_px) * points)
    col = np.empty((width + 2 * pad_px) * points)
    persons[:] = np.nan
    for line in range(height * points):
        source_line(position, step_px, points, line + (first_row + pad_px) * points, row, col)
        y = line // points
        for k in range(pad_px * points, (pad_px + width) * points):
            cell_row, cell_col = int(np.floor(row[k])), int(np.floor(col[k]))
            if not (0 <= cell_row < counts.shape[0] and 0 <= cell_col < counts.shape[1]):
                continue
            count = counts[cell_row, cell_col]
            if np.isnan(count):
                continue
            x = k // points - pad_px
            if np.isnan(persons[y, x]):
                persons[y, x] = 0.0
            if dry[cell_row, cell_col] == 0:
                persons[y, x] += count / every[cell_row, cell_col]
            elif on_land[first_row + y, x] == 1:
                persons[y, x] += count / dry[cell_row, cell_col]


@kernel
def source_line(
    position: NDArray[np.float64],
    step_px: int,
    points: int,
    line: int,
    row: NDArray[np.float64],
    col: NDArray[np.float64],
) -> None:
    """Source (row, column) of the sample points of one line, by bilinear interpolation in the lattice."""
    v = (line + 0.5) / (points * step_px)
    j = min(int(v), position.shape[1] - 2)
    v -= j
    for k in range(row.size):
        u = (k + 0.5) / (points * step_px)
        i = min(int(u), position.shape[2] - 2)
        u -= i
        a, b, c, d = (1.0 - v) * (1.0 - u), (1.0 - v) * u, v * (1.0 - u), v * u
        row[k] = a * position[0, j, i] + b * position[0, j, i + 1]
        row[k] += c * position[0, j + 1, i] + d * position[0, j + 1, i + 1]
        col[k] = a * position[1, j, i] + b * position[1, j, i + 1]
        col[k] += c * position[1, j + 1, i] + d * position[1, j + 1, i + 1]


@kernel
def window_sums(values: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    """Sum over the (2 half + 1)-pixel square around each pixel, cut at the edges.

    Added in a fixed order without differences of running sums: zeros stay exactly 0.
    """
    height, width = values.shape
    across = np.zeros((height, width))
    for y in range(height):
        for offset in range(-half, half + 1):
            for x in range(max(0, -offset), min(width, width - offset)):
                across[y, x] += values[y, x + offset]
    total = np.zeros((height, width))
    for y in range(height):
        for k in range(max(y - half, 0), min(y + half + 1, height)):
            for x in range(width):
                total[y, x] += across[k, x]
    return total
