"""Tiles of the web's map, and which pixel of the grid lies under each of theirs.

Of a tile the way from one of its pixels to the next is kept, in steps on the grid: there are few different
ones, so that a pixel is a byte where the number of its pixel on the grid would be four.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.grid import STRIP_PX, Box, strips_of_rows
from pipeline.kernels import kernel
from pipeline.publish.web.place import Fit, evaluate, tile_centres_deg, tiles_of


class TerritoryWindow(NamedTuple):
    """Rows and columns of the grid that just hold the territory; ``inside`` it bool[row, column] of them."""

    rows: slice
    cols: slice
    inside: NDArray[np.bool_]

    def strips(self) -> Iterator[tuple[slice, slice]]:
        """Strips of rows, as rows of the grid and of the window; no tile of a file lies in two."""
        top = self.rows.start
        for strip in strips_of_rows(top - top % STRIP_PX, self.rows.stop):
            first = max(strip.start, top)
            yield slice(first, strip.stop), slice(first - top, strip.stop - top)


class TilePixels(NamedTuple):
    """A tile and, for each of its pixels [512, 512], the pixel of a window of the grid below its centre.

    Pixels of the window are counted row by row. A row of the tile begins at ``first`` int32[512]; each pixel
    lies one of ``steps`` int32[n] farther than the one before, the one by the number ``code`` // 2, and on
    the territory if ``code`` (unsigned[512, 512]) is odd.
    """

    zoom: int
    x: int
    y: int
    first: NDArray[np.int32]
    steps: NDArray[np.int32]
    codes: NDArray[Any]

    def drawn(self, classes: NDArray[np.uint8], outside: int) -> NDArray[np.uint8]:
        """Classes of the tile's pixels from those of the window [row, column]; ``outside`` off territory."""
        found = np.empty(self.codes.shape, np.uint8)
        _fill_classes(self.first, self.steps, self.codes, classes.ravel(), np.uint8(outside), found)
        return found


def pyramid(
    place: Fit, territory: TerritoryWindow, box_deg: Box, zooms: Sequence[int]
) -> Iterator[TilePixels]:
    """All tiles that hold a pixel of the territory."""
    for zoom in zooms:
        for x, y in tiles_of(box_deg, zoom):
            row, col, held = _pixels_below(place, territory, tile_centres_deg(zoom, x, y))
            if held.any():
                yield TilePixels(zoom, x, y, *_in_steps(row, col, held, territory.inside.shape[1]))


def _pixels_below(
    place: Fit, territory: TerritoryWindow, centres_deg: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """Row and column in the window and whether the territory is there, [lat, lon]; its nearest one beyond."""
    lon_deg, lat_deg = centres_deg
    west, south, east, north = place.box
    known = ((lat_deg >= south) & (lat_deg <= north))[:, None] & ((lon_deg >= west) & (lon_deg <= east))
    # Beyond their box polynomials leap.
    position = evaluate(place, np.clip(lon_deg, west, east), np.clip(lat_deg, south, north))
    found = []
    for values, span in zip(position[::-1], territory[:2], strict=True):
        number = np.floor(values)
        known &= (number >= span.start) & (number < span.stop)
        found.append((np.clip(number, span.start, span.stop - 1) - span.start).astype(np.int32))
    row, col = found
    return row, col, known & territory.inside[row, col]


def _in_steps(
    row: NDArray[np.int32], col: NDArray[np.int32], held: NDArray[np.bool_], width: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[Any]]:
    """``first``, ``steps`` and ``codes`` of a tile from the pixels of a window of a width."""
    down, right = (np.diff(number, axis=1, prepend=number[:, :1]) for number in (row, col))
    least_down, least_right = int(down.min()), int(right.min())
    ways_right = int(right.max()) - least_right + 1
    number = (down - least_down) * ways_right + (right - least_right)
    most = int(number.max())
    of_down, of_right = np.divmod(np.arange(most + 1), ways_right)
    steps = (of_down + least_down) * width + of_right + least_right
    codes = (2 * number + held).astype(np.min_scalar_type(2 * most + 1))
    return row[:, 0] * np.int32(width) + col[:, 0], steps.astype(np.int32), codes


@kernel
def _fill_classes(
    first: NDArray[np.int32],
    steps: NDArray[np.int32],
    codes: NDArray[Any],
    classes: NDArray[np.uint8],
    outside: np.uint8,
    found: NDArray[np.uint8],
) -> None:
    """Fill ``found`` uint8[y, x] as ``TilePixels.drawn`` says; ``classes`` uint8[pixel]."""
    for y in range(codes.shape[0]):
        place = np.int64(first[y])
        for x in range(codes.shape[1]):
            code = np.int64(codes[y, x])
            place += steps[code >> 1]
            found[y, x] = classes[place] if code & 1 else outside
