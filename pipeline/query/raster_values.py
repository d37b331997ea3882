"""Values of open query rasters: of one file, of one over another, of blocks that stay in memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.quantise import AS_BASE

QUERY_BLOCK_PX = 32
"""Side of the blocks that query rasters are stored in."""
# Of larger windows the blocks are not kept.
_MOST_BLOCKS = 4


class Overlay(NamedTuple):
    """A raster of a slice over that without bookings: read as one."""

    top: raster.Opened
    base: raster.Opened

    @property
    def grid(self) -> Grid:
        """Of both."""
        return self.top.grid

    @property
    def layout(self) -> raster.Layout:
        """Of both, but for the values."""
        return self.top.layout


class Kept(NamedTuple):
    """A raster of which the blocks that were read last stay in memory, ``most`` of them."""

    opened: raster.Opened | Overlay
    blocks: OrderedDict[tuple[int, int], NDArray[np.int16]]
    most: int

    @property
    def grid(self) -> Grid:
        """Of the raster."""
        return self.opened.grid

    @property
    def layout(self) -> raster.Layout:
        """Of the raster."""
        return self.opened.layout

    def block(self, row: int, col: int) -> NDArray[np.int16]:
        """Raw values [channel, y, x] of one block."""
        found = self.blocks.pop((row, col), None)
        if found is None:
            sizes = (self.grid.height, self.grid.width)
            found = values_of(
                self.opened,
                *(
                    slice(QUERY_BLOCK_PX * at, min(QUERY_BLOCK_PX * (at + 1), size))
                    for at, size in zip((row, col), sizes, strict=True)
                ),
            )
        self.blocks[row, col] = found
        if len(self.blocks) > self.most:
            self.blocks.popitem(last=False)
        return found


AnyOpened = raster.Opened | Overlay | Kept


def keep_blocks(opened: AnyOpened, most_bytes: int) -> AnyOpened:
    """The same raster, of which so many bytes stay in memory at most."""
    if isinstance(opened, Kept):
        return opened
    block_bytes = (
        len(opened.layout.band_names) * QUERY_BLOCK_PX * QUERY_BLOCK_PX * np.dtype(np.int16).itemsize
    )
    return Kept(opened, OrderedDict(), max(1, most_bytes // block_bytes))


def values_of(opened: AnyOpened, rows: slice, cols: slice) -> NDArray[np.int16]:
    """Raw values [channel, y, x] of a part of a raster; of an overlay the base where it says nothing."""
    if isinstance(opened, Kept):
        return _values_of_blocks(opened, rows, cols)
    if isinstance(opened, raster.Opened):
        return raster.read_window(opened, rows, cols)
    over = raster.read_window(opened.top, rows, cols)
    as_base = over <= AS_BASE
    return np.where(as_base, raster.read_window(opened.base, rows, cols), over) if as_base.any() else over


def _values_of_blocks(kept: Kept, rows: slice, cols: slice) -> NDArray[np.int16]:
    top, left = rows.start // QUERY_BLOCK_PX, cols.start // QUERY_BLOCK_PX
    high, wide = ((span.stop - 1) // QUERY_BLOCK_PX + 1 for span in (rows, cols))
    if (high - top) * (wide - left) > _MOST_BLOCKS:
        return values_of(kept.opened, rows, cols)
    lines = [
        np.concatenate([kept.block(row, col) for col in range(left, wide)], axis=2)
        if wide - left > 1
        else kept.block(row, left)
        for row in range(top, high)
    ]
    values = lines[0] if len(lines) == 1 else np.concatenate(lines, axis=1)
    y, x = QUERY_BLOCK_PX * top, QUERY_BLOCK_PX * left
    return values[:, rows.start - y : rows.stop - y, cols.start - x : cols.stop - x]


def close_raster(opened: AnyOpened) -> None:
    """Close the file of a raster; of an overlay that on top, the base is a raster by itself."""
    inner = opened.opened if isinstance(opened, Kept) else opened
    (inner.top if isinstance(inner, Overlay) else inner).source.close()
