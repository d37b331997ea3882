"""Layers as pictures: one class per pixel, taken from the nearest pixel of the grid, never mixed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.grid import Box
from pipeline.publish.styles import Scheme, palette
from pipeline.publish.web.place import Fit, evaluate, tile_centres_deg, tiles_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PALETTE_IMAGE, LEVEL = 3, 9
NOWHERE = -1


class TilePixels(NamedTuple):
    """A tile and, for each of its pixels [512, 512], the grid's pixel there: row x width + column, or -1."""

    zoom: int
    x: int
    y: int
    source: NDArray[np.int32]


def pyramid(place: Fit, inside: NDArray[np.bool_], box_deg: Box, zooms: Sequence[int]) -> list[TilePixels]:
    """All tiles that hold a pixel of the territory, with the grid's pixel under each tile pixel's centre.

    ``inside``: the territory [height, width]; one MB a tile is kept, shared by all layers.
    """
    found = []
    for zoom in zooms:
        for x, y in tiles_of(box_deg, zoom):
            source = source_pixels(place, inside, tile_centres_deg(zoom, x, y))
            if (source != NOWHERE).any():
                found.append(TilePixels(zoom, x, y, source))
    return found


def source_pixels(
    place: Fit, inside: NDArray[np.bool_], centres_deg: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> NDArray[np.int32]:
    """The grid's pixel that holds each centre, -1 outside the territory; int32[lat, lon]."""
    lon_deg, lat_deg = centres_deg
    height, width = inside.shape
    west, south, east, north = place.box
    col, row = (np.floor(values) for values in evaluate(place, lon_deg, lat_deg))
    known = ((lon_deg >= west) & (lon_deg <= east))[None, :] & ((lat_deg >= south) & (lat_deg <= north))[
        :, None
    ]
    known &= (col >= 0) & (col < width) & (row >= 0) & (row < height)
    source = np.where(known, row * width + col, NOWHERE).astype(np.int32)
    source[~inside.ravel()[source] | ~known] = NOWHERE
    return source


def draw(
    scheme: Scheme, classes: NDArray[np.uint8], tiles: Sequence[TilePixels]
) -> dict[tuple[int, int, int], bytes]:
    """PNG of every tile of a layer, ``classes`` [height, width] as ``class_index`` gives them."""
    outside = next(place for place, entry in enumerate(scheme.classes) if entry.rgba[3] == 0)
    pixels = np.append(classes.ravel(), np.uint8(outside))  # NOWHERE is the position of the last one
    colours = palette(scheme)
    return {(tile.zoom, tile.x, tile.y): png(pixels[tile.source], colours) for tile in tiles}


def png(pixels: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    """A picture [height, width] of positions in ``colours`` [n, 4], n up to 256 (PNG, third edition, 11.2).

    Up to 16 colours two pixels share a byte. No filter: neighbours are equal or unlike, never graded.
    """
    height, width = pixels.shape
    depth = 4 if len(colours) <= 16 and width % 2 == 0 else 8
    lines = pixels[:, 0::2] << 4 | pixels[:, 1::2] if depth == 4 else pixels
    filtered = np.zeros((height, lines.shape[1] + 1), dtype=np.uint8)
    filtered[:, 1:] = lines
    chunks: Mapping[bytes, bytes] = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, depth, PALETTE_IMAGE, 0, 0, 0),
        b"PLTE": colours[:, :3].tobytes(),
        b"tRNS": colours[:, 3].tobytes(),
        b"IDAT": zlib.compress(filtered.tobytes(), LEVEL),
        b"IEND": b"",
    }
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks.items())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
