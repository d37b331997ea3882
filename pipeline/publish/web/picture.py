"""Layers as pictures: one class per pixel, taken from the nearest pixel of the grid, never mixed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.grid.grid import Box
from pipeline.publish.styles import Scheme, palette
from pipeline.publish.web.place import Fit, evaluate, tile_centres_deg, tiles_of

_NOWHERE = -1


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
            if (source != _NOWHERE).any():
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
    source = np.where(known, row * width + col, _NOWHERE).astype(np.int32)
    source[~inside.ravel()[source] | ~known] = _NOWHERE
    return source


def draw(
    scheme: Scheme, classes: NDArray[np.uint8], tiles: Sequence[TilePixels]
) -> dict[tuple[int, int, int], bytes]:
    """PNG of every tile of a layer, ``classes`` [height, width] as ``class_index`` gives them."""
    outside = next(place for place, entry in enumerate(scheme.classes) if entry.rgba[3] == 0)
    pixels = np.append(classes.ravel(), np.uint8(outside))  # _NOWHERE is the position of the last one
    colours = palette(scheme)
    return {(tile.zoom, tile.x, tile.y): png(pixels[tile.source], colours) for tile in tiles}


def png(pixels: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    """A picture [height, width] of positions in ``colours`` [n, 4]; two pixels share a byte up to 16."""
    image = Image.frombytes("P", pixels.shape[::-1], pixels.tobytes())
    image.putpalette(colours[:, :3].tobytes(), "RGB")
    stream = io.BytesIO()
    image.save(
        stream,
        "PNG",
        bits=4 if len(colours) <= 16 else 8,
        transparency=colours[:, 3].tobytes(),
        compress_level=9,
    )
    return stream.getvalue()
