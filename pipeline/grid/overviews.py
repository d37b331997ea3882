"""Overviews of published rasters: smaller pictures in the file, the last of them no larger than one tile.

GDAL makes them as well, but takes ten times as long for files of many bands. These have the values that it
gives them (3.10, drivers COG and GTiff), so that a file is the same byte for byte whoever makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Lines and columns of the source that are in memory at a time: a row of pieces reads each of its tiles once.
_STRIP_PX, _PIECE_PX = 512, 1024
# Of the size of a window in source pixels, against noise of the ratio.
_NOISE_PX = 1e-8
# GDAL makes an overview from the one before in squares of so many pixels; where it would hold more than so
# many bytes of that one (and 2 pixels on), it begins again from the full resolution.
_SQUARE_PX, _MARGIN_PX, _MOST_BYTES = 512, 2, 10 * 1024 * 1024


class Reduction(NamedTuple):
    """From a raster (height, width) to an overview; of ``classes`` the most frequent, else the nearest."""

    source_shape: tuple[int, int]
    shape: tuple[int, int]
    classes: bool
    nodata: float | int | None


class Piece(NamedTuple):
    """Rows and columns of an overview, and those of the source that they are made from."""

    rows: slice
    cols: slice
    source_rows: slice
    source_cols: slice


class _Windows(NamedTuple):
    """First line or column of each window, and the one after the last."""

    first: NDArray[np.int64]
    stop: NDArray[np.int64]

    @property
    def longest(self) -> int:
        return int((self.stop - self.first).max(initial=0))

    def at(self, places: slice | NDArray[np.int64]) -> _Windows:
        return _Windows(self.first[places], self.stop[places])

    def moved(self, by_px: int) -> _Windows:
        return _Windows(self.first + by_px, self.stop + by_px)

    def members(self) -> Iterator[NDArray[np.int64]]:
        """The first of each window, the second, ...; the last once more where there are no others."""
        return (np.minimum(self.first + step, self.stop - 1) for step in range(self.longest))


def overview_shapes(shape: tuple[int, int], tile_px: int) -> Iterator[tuple[int, int]]:
    """(height, width) of the overviews of a raster, each half of the one before, down to one tile."""
    while max(shape) > tile_px:
        shape = (max(shape[0] // 2, 1), max(shape[1] // 2, 1))
        yield shape


def from_the_one_before(shape: tuple[int, int], before: tuple[int, int], pixel_bytes: int) -> bool:
    """Whether an overview is made from the next larger one; else from the full resolution.

    ``pixel_bytes``: of a pixel in all bands.
    """
    wide, tall = min(shape[1], _SQUARE_PX) * before[1] / shape[1], _SQUARE_PX * before[0] / shape[0]
    held_px = (_MARGIN_PX + int(wide)) * (_MARGIN_PX + int(tall))
    return before[1] > shape[1] and held_px * pixel_bytes <= _MOST_BYTES


def pieces_of(reduction: Reduction) -> Iterator[Piece]:
    """The pieces of an overview, row by row from the north-west."""
    down, across = (
        list(_spans(*sizes))
        for sizes in zip(reduction.shape, reduction.source_shape, (_STRIP_PX, _PIECE_PX), strict=True)
    )
    for (rows, source_rows), (cols, source_cols) in product(down, across):
        yield Piece(rows, cols, source_rows, source_cols)


def _spans(size_px: int, source_px: int, most_px: int) -> Iterator[tuple[slice, slice]]:
    """Lines or columns of an overview, about ``most_px`` of the source at a time, and those of the source."""
    step, windows = max(1, most_px * size_px // source_px), _windows(size_px, source_px)
    for start in range(0, size_px, step):
        own = slice(start, min(start + step, size_px))
        part = windows.at(own)
        yield own, slice(int(part.first[0]), int(part.stop[-1]))


def reduced(values: NDArray[Any], reduction: Reduction, piece: Piece) -> NDArray[Any]:
    """Values [band, y, x] of a piece of an overview from those of the source; see :func:`pieces_of`."""
    (source_height, source_width), (height, width) = reduction.source_shape, reduction.shape
    if not reduction.classes:
        lines = _nearest(height, source_height)[piece.rows] - piece.source_rows.start
        return values[:, lines][:, :, _nearest(width, source_width)[piece.cols] - piece.source_cols.start]
    windows = _windows(height, source_height).at(piece.rows).moved(-piece.source_rows.start)
    columns = _windows(width, source_width).at(piece.cols).moved(-piece.source_cols.start)
    shape = len(values), windows.first.size, columns.first.size
    found = np.full(shape, reduction.nodata or 0, values.dtype)
    used = _with_values(values, columns, reduction.nodata)
    if used.stop > used.start:
        found[..., used] = _most_frequent(values, windows, columns.at(used), reduction.nodata)
    return found


def _with_values(values: NDArray[Any], windows: _Windows, nodata: float | int | None) -> slice:
    """Columns of the overview that have values in some line."""
    if nodata is None:
        return slice(0, windows.first.size)
    columns = np.flatnonzero((values != nodata).any(axis=(0, 1)))
    if columns.size == 0:
        return slice(0, 0)
    return slice(int((windows.stop <= columns[0]).sum()), int((windows.first <= columns[-1]).sum()))


def _nearest(size_px: int, source_px: int) -> NDArray[np.int64]:
    """Line or column of the source for each of an overview."""
    nearest = (0.5 + np.arange(size_px) * (source_px / size_px)).astype(np.int64)
    return np.minimum(nearest, source_px - 1)


def _windows(size_px: int, source_px: int) -> _Windows:
    """What each line or column of an overview overlaps of the source."""
    ratio, place = source_px / size_px, np.arange(size_px)
    first = (place * ratio + _NOISE_PX).astype(np.int64)
    stop = np.ceil((place + 1) * ratio - _NOISE_PX).astype(np.int64)
    return _Windows(first, np.minimum(np.maximum(stop, first + 1), source_px))


def _most_frequent(
    values: NDArray[Any], lines: _Windows, columns: _Windows, nodata: float | int | None
) -> NDArray[Any]:
    """The value that most pixels of a window have, of equal ones the first that has so many; never nodata."""
    found, highest = (_over_windows(extreme, values, lines, columns) for extreme in (np.minimum, np.maximum))
    # Most windows are of one value.
    band, y, x = np.nonzero(found != highest)
    pixels, inside = _pixels_of(values, band, lines.at(y), columns.at(x))
    codes = [code for code in np.unique(pixels) if code != nodata]
    best = np.full(band.size, nodata or 0, values.dtype)
    most = np.zeros(band.size, dtype=np.uint32)
    counts = np.zeros((len(codes), band.size), dtype=np.uint32)
    for pixel, known in zip(pixels, inside, strict=True):
        for code, count in zip(codes, counts, strict=True):
            here = (pixel == code) & known
            count += here
            leads = here & (count > most)
            np.copyto(most, count, where=leads)
            np.copyto(best, code, where=leads)
    found[band, y, x] = best
    return found


def _over_windows(
    extreme: np.ufunc, values: NDArray[Any], lines: _Windows, columns: _Windows
) -> NDArray[Any]:
    """Least or largest value [band, y, x] of each window."""
    tall = reduce(extreme, (values[:, line] for line in lines.members()))
    return np.asarray(reduce(extreme, (tall[:, :, column] for column in columns.members())))


def _pixels_of(
    values: NDArray[Any], band: NDArray[np.int64], lines: _Windows, columns: _Windows
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values [member, window] of the pixels of windows, by lines, and which of them are in the window."""
    pairs = list(product(lines.members(), columns.members()))
    places = product(range(lines.longest), range(columns.longest))
    inside = [(lines.first + y < lines.stop) & (columns.first + x < columns.stop) for y, x in places]
    pixels = [values[band, line, column] for line, column in pairs]
    return np.array(pixels, dtype=values.dtype), np.array(inside, dtype=np.bool_)
