"""Pictures of the relief for the web map: transparent black and white over whatever layer lies below."""

from __future__ import annotations

from collections.abc import Sequence
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
    tiles: dict[_Tile, bytes] = {}
    wanted = {(zoom, x, y) for zoom in zooms for x, y in tiles_of(box_deg, zoom)}

    def shades_of(zoom: int, x: int, y: int) -> _Shades:
        """Shades of a tile; it is drawn, and so are those that it is the mean of, one after another."""
        if (zoom, x, y) not in wanted:
            return np.full((WEB_TILE_PX, WEB_TILE_PX), FLAT_SHADE, dtype=np.uint8)
        if zoom == zooms[-1]:
            shades = _tile_shades(paths, zoom, x, y)
        else:
            four = [[shades_of(zoom + 1, 2 * x + i, 2 * y + j) for i in (0, 1)] for j in (0, 1)]
            shades = _mean_of_four(four)
        tiles[zoom, x, y] = png(shade_steps(shades), shade_palette())
        return shades

    for x, y in tiles_of(box_deg, zooms[0]):
        shades_of(zooms[0], x, y)
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


def _mean_of_four(four: Sequence[Sequence[_Shades]]) -> _Shades:
    """Shades of a tile from those of the next zoom, two rows of two."""
    means = np.block(four).reshape(WEB_TILE_PX, 2, WEB_TILE_PX, 2).mean(axis=(1, 3))
    return np.round(means).astype(np.uint8)
