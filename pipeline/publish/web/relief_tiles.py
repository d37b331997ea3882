"""Pictures of the relief for the web map: transparent black and white over whatever layer lies below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pmtiles.tile import Compression, TileType

from pipeline.grid.grid import Box
from pipeline.publish.relief import FLAT_SHADE, heights_m, shade, shade_palette, shade_steps
from pipeline.publish.web.place import EQUATOR_M, WEB_TILE_PX, tile_centres_deg, tiles_of
from pipeline.publish.web.web_tiles import png, write_archive

_Tile = tuple[int, int, int]
_Shades = NDArray[np.uint8]


def write_relief(path: Path, paths: Sequence[Path], box_deg: Box, zooms: range) -> None:
    """Write the archive of the relief: the finest zoom from the terrain, coarser ones means of it."""
    shades = {
        (zooms[-1], x, y): _tile_shades(paths, zooms[-1], x, y) for x, y in tiles_of(box_deg, zooms[-1])
    }
    tiles: dict[_Tile, bytes] = {}
    for zoom in reversed(zooms):
        if zoom != zooms[-1]:
            shades = {(zoom, x, y): _mean_of_four(shades, zoom, x, y) for x, y in tiles_of(box_deg, zoom)}
        tiles |= {tile: png(shade_steps(values), shade_palette()) for tile, values in shades.items()}
    write_archive(
        path,
        tiles,
        box_deg=box_deg,
        tile_type=TileType.PNG,
        compression=Compression.NONE,
        metadata={"name": "relief of the terrain"},
    )


def _tile_shades(paths: Sequence[Path], zoom: int, x: int, y: int) -> _Shades:
    """Shades of one tile, [512, 512]; a pixel around it is read besides, so that tiles have no seams."""
    lon_deg, lat_deg = tile_centres_deg(zoom, x, y)
    lon_deg, lat_deg = (_extended(values) for values in (lon_deg, lat_deg))
    box_deg = float(lon_deg[0]), float(lat_deg[-1]), float(lon_deg[-1]), float(lat_deg[0])
    step_m = EQUATOR_M / 2**zoom / WEB_TILE_PX * np.cos(np.radians(lat_deg[1:-1]))[:, None]
    heights = heights_m(paths, box_deg, float(step_m.min()), *np.meshgrid(lon_deg, lat_deg))
    return shade(heights, step_m)


def _extended(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[2 * values[0] - values[1]], values, [2 * values[-1] - values[-2]]])


def _mean_of_four(finer: Mapping[_Tile, _Shades], zoom: int, x: int, y: int) -> _Shades:
    """Shades of a tile from the four of the next zoom; flat land where one of them is not there."""
    flat = np.full((WEB_TILE_PX, WEB_TILE_PX), FLAT_SHADE, dtype=np.uint8)
    parts = [[finer.get((zoom + 1, 2 * x + i, 2 * y + j), flat) for i in (0, 1)] for j in (0, 1)]
    means = np.block(parts).reshape(WEB_TILE_PX, 2, WEB_TILE_PX, 2).mean(axis=(1, 3))
    return np.round(means).astype(np.uint8)
