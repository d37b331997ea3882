"""Tiles of the web map: pictures of the layers, the numbers behind them, and the archives that hold them.

A picture has one class per pixel, taken from the nearest pixel of the grid, never mixed.

The numbers are levels and limiting services of all channels, in blocks of pixels. A block is a tile of a
PMTiles archive at a single zoom, its x and y being column and row of the block on the grid of the rasters
(not of the web's map), so that the page shows the published numbers of the pixel itself. A block, before
gzip: for each channel the low bytes of its levels [64, 64], then the high bytes, then the services. Levels
are the raw int16 of ``max_eirp``, each less its left neighbour in its row.

Equal tiles give equal archives, byte by byte, and a file appears complete or not at all.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import write

from pipeline.files import whole_file
from pipeline.grid import raster
from pipeline.grid.grid import Box, Grid
from pipeline.grid.layer_files import empty_values, raster_of
from pipeline.grid.stacks import parts
from pipeline.publish.styles import Scheme, palette
from pipeline.publish.web.tile_pixels import TilePixels
from pipeline.quantise import NODATA_CENTI

BLOCK_PX = 64
_GZIP_LEVEL = 6
# Pictures that are remembered, of a few KB each.
_MOST_PICTURES = 20_000
_Tiles = Mapping[tuple[int, int, int], bytes]


class Pictures:
    """Pictures of all layers on the same tiles, for several threads; nearly half of them are like another."""

    def __init__(self, tiles: Sequence[TilePixels]) -> None:
        """Begin with none."""
        self._tiles = tiles
        self._known: dict[bytes, bytes] = {}

    def of_layer(self, scheme: Scheme, classes: NDArray[np.uint8]) -> dict[tuple[int, int, int], bytes]:
        """PNG of every tile of a layer, ``classes`` of the window of the territory."""
        outside = next(place for place, entry in enumerate(scheme.classes) if entry.rgba[3] == 0)
        colours = palette(scheme)
        return {
            (tile.zoom, tile.x, tile.y): self._picture(tile.drawn(classes, outside), colours)
            for tile in self._tiles
        }

    def _picture(self, pixels: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
        key = blake2b(pixels.tobytes()).digest() + colours.tobytes()
        found = self._known.get(key)
        if found is None:
            found = png(pixels, colours)
            if len(self._known) < _MOST_PICTURES:
                self._known[key] = found
        return found


def png(pixels: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    """A picture [height, width] of positions in ``colours`` [n, 4]; two pixels share a byte up to 16.

    Packed by runs alone: looking for repeats takes twenty times as long and saves a seventh.
    """
    image = Image.frombytes("P", pixels.shape[::-1], pixels.tobytes())
    image.putpalette(colours[:, :3].tobytes(), "RGB")
    stream = io.BytesIO()
    image.save(
        stream,
        "PNG",
        bits=4 if len(colours) <= 16 else 8,
        transparency=colours[:, 3].tobytes(),
        compress_type=zlib.Z_RLE,
    )
    return stream.getvalue()


# --- numbers ------------------------------------------------------------------------------------------------


def number_zoom(grid: Grid) -> int:
    """The zoom with at least as many tiles each way as the grid has blocks."""
    blocks = -(-max(grid.width, grid.height) // BLOCK_PX)
    return (blocks - 1).bit_length()


def number_tiles(levels: list[Path], services: list[Path]) -> dict[tuple[int, int, int], bytes]:
    """Blocks with a pixel of the territory; files of one device, one of each kind per channel, in order.

    Without files of ``services`` theirs is nodata.
    """
    grid = raster.read_grid(levels[0])
    zoom = number_zoom(grid)
    tiles = {}
    of_services: Iterable[raster.Part | None] = parts(services, grid) if services else repeat(None)
    for (rows, cols, level), of_service in zip(parts(levels, grid), of_services, strict=False):
        service = empty_values("limiting_service", level.shape) if of_service is None else of_service[2]
        for y, x, block_level, block_service in _blocks(level, service):
            place = cols.start // BLOCK_PX + x, rows.start // BLOCK_PX + y
            tiles[zoom, *place] = pack(block_level, block_service)
    return tiles


def pack(levels: NDArray[np.int16], services: NDArray[np.uint8]) -> bytes:
    """Bytes of a block, both [channel, 64, 64]; see above."""
    steps = levels.view(np.uint16).copy()
    steps[:, :, 1:] -= steps[:, :, :-1].copy()
    parts = np.stack([steps & 0xFF, steps >> 8, services.astype(np.uint16)], axis=1).astype(np.uint8)
    return gzip.compress(parts.tobytes(), _GZIP_LEVEL, mtime=0)


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


# --- archives -----------------------------------------------------------------------------------------------


def write_archive(
    path: Path,
    tiles: _Tiles,
    *,
    box_deg: Box,
    tile_type: TileType,
    compression: Compression,
    metadata: Mapping[str, Any],
) -> None:
    """Write tiles (zoom, x, y) -> bytes; x beyond 180 degrees is brought back to the archive's 0 .. 2^zoom.

    In the order of their ids, so that neighbours lie side by side and one range request brings several.
    """
    by_id = {zxy_to_tileid(z, x % 2**z, y): data for (z, x, y), data in tiles.items()}
    with whole_file(path) as waiting, write(waiting) as sink:
        for tile_id in sorted(by_id):
            sink.write_tile(tile_id, by_id[tile_id])
        sink.finalize(_header(box_deg, tile_type, compression), dict(metadata))


def _header(box_deg: Box, tile_type: TileType, compression: Compression) -> dict[str, Any]:
    west, south, east, north = (round(value * 1e7) for value in box_deg)
    return {
        "tile_type": tile_type,
        "tile_compression": compression,
        "min_lon_e7": west,
        "min_lat_e7": south,
        "max_lon_e7": east,
        "max_lat_e7": north,
        "center_zoom": 0,
        "center_lon_e7": (west + east) // 2,
        "center_lat_e7": (south + north) // 2,
    }
