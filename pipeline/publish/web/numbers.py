"""The numbers behind the map: levels and limiting services of all channels, in blocks of pixels.

A block is a tile of a PMTiles archive at a single zoom, its x and y being column and row of the block on
the grid of the rasters (not of the web's map), so that the page shows the published numbers of the pixel
itself. A block, before gzip: for each channel the low bytes of its levels [64, 64], then the high bytes, then
the services. Levels are the raw int16 of ``max_eirp``, each less its left neighbour in its row.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX, Grid
from pipeline.grid.layer_files import raster_of
from pipeline.quantise import NODATA_CENTI

BLOCK_PX = 64
_LEVEL = 6


def number_zoom(grid: Grid) -> int:
    """The zoom with at least as many tiles each way as the grid has blocks."""
    blocks = -(-max(grid.width, grid.height) // BLOCK_PX)
    return (blocks - 1).bit_length()


def number_tiles(levels: list[Path], services: list[Path]) -> dict[tuple[int, int, int], bytes]:
    """Blocks with a pixel of the territory; files of one device, one of each kind per channel, in order."""
    grid = raster.read_grid(levels[0])
    zoom = number_zoom(grid)
    tiles = {}
    for row in range(0, grid.height, STRIP_PX):
        rows = slice(row, min(row + STRIP_PX, grid.height))
        level, service = (
            np.stack([raster.read(p, rows=rows).values for p in paths]) for paths in (levels, services)
        )
        for y, x, block_level, block_service in _blocks(level, service):
            tiles[zoom, x, row // BLOCK_PX + y] = pack(block_level, block_service)
    return tiles


def pack(levels: NDArray[np.int16], services: NDArray[np.uint8]) -> bytes:
    """Bytes of a block, both [channel, 64, 64]; see above."""
    steps = levels.view(np.uint16).copy()
    steps[:, :, 1:] -= steps[:, :, :-1].copy()
    parts = np.stack([steps & 0xFF, steps >> 8, services.astype(np.uint16)], axis=1).astype(np.uint8)
    return gzip.compress(parts.tobytes(), _LEVEL, mtime=0)


def _blocks(
    levels: NDArray[np.int16], services: NDArray[np.uint8]
) -> Iterator[tuple[int, int, NDArray[np.int16], NDArray[np.uint8]]]:
    """(block row, block column, levels, services) of a strip, filled up at its edges, empty ones left out."""
    _, height, width = levels.shape
    padding = ((0, 0), (0, -height % BLOCK_PX), (0, -width % BLOCK_PX))
    level = np.pad(levels, padding, constant_values=NODATA_CENTI)
    service = np.pad(services, padding, constant_values=int(raster_of("limiting_service").nodata))
    for y in range(level.shape[1] // BLOCK_PX):
        for x in range(level.shape[2] // BLOCK_PX):
            part = np.s_[:, y * BLOCK_PX : (y + 1) * BLOCK_PX, x * BLOCK_PX : (x + 1) * BLOCK_PX]
            if (level[part] != NODATA_CENTI).any():
                yield y, x, level[part], service[part]
