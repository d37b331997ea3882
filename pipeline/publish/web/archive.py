"""Tiles into PMTiles archives: equal tiles give equal bytes, and a file appears complete or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import write

from pipeline.files import whole_file
from pipeline.grid.grid import Box

_Tiles = Mapping[tuple[int, int, int], bytes]


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
