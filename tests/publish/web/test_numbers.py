"""The archive of numbers gives back every pixel of the rasters."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline.grid import stacks
from pipeline.grid.grid import Grid
from pipeline.publish.web.web_tiles import BLOCK_PX, number_tiles, number_zoom, pack
from tests.publish.web.made_up import CHANNELS, GRID


def unpacked(data: bytes, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels and services [channel, 64, 64], by the layout that the module describes."""
    parts = np.frombuffer(gzip.decompress(data), dtype=np.uint8).reshape(channels, 3, BLOCK_PX, BLOCK_PX)
    steps = parts[:, 0].astype(np.int64) + 256 * parts[:, 1].astype(np.int64)
    levels = np.cumsum(steps, axis=2) % 65536
    return np.where(levels > 32767, levels - 65536, levels), parts[:, 2]


def test_block_comes_back() -> None:
    chance = np.random.default_rng(2)
    levels = chance.integers(-32768, 32768, (5, BLOCK_PX, BLOCK_PX)).astype(np.int16)
    services = chance.integers(0, 256, levels.shape).astype(np.uint8)
    found = unpacked(pack(levels, services), 5)
    assert np.array_equal(found[0], levels)
    assert np.array_equal(found[1], services)


@pytest.mark.parametrize("strip_px", [64, 128, 512])
def test_every_pixel_of_the_rasters_is_in_its_block(
    made_up: Path, monkeypatch: pytest.MonkeyPatch, strip_px: int
) -> None:
    monkeypatch.setattr(stacks, "STRIP_PX", strip_px)
    monkeypatch.setattr(stacks, "_PART_PX", strip_px)
    public = made_up / "build/public"
    files = {
        layer: [public / f"{layer}_small_ch{channel}.tif" for channel in CHANNELS]
        for layer in ("max_eirp", "limiting_service")
    }
    tiles = number_tiles(files["max_eirp"], files["limiting_service"])
    zoom = number_zoom(GRID)
    levels = np.full((len(CHANNELS), GRID.height, GRID.width), -32768)
    services = np.full(levels.shape, 255)
    for (z, x, y), data in tiles.items():
        assert z == zoom
        rows, cols = (slice(n * BLOCK_PX, (n + 1) * BLOCK_PX) for n in (y, x))
        size = levels[0, rows, cols].shape
        for whole, part in zip((levels, services), unpacked(data, len(CHANNELS)), strict=True):
            whole[:, rows, cols] = part[:, : size[0], : size[1]]
    for layer, whole in (("max_eirp", levels), ("limiting_service", services)):
        for path, found in zip(files[layer], whole, strict=True):
            with rasterio.open(path) as source:
                assert np.array_equal(found, source.read(1)), path.name


def test_zoom_has_room_for_all_blocks() -> None:
    grid = Grid("EPSG:3794", 200.0, 0.0, 0.0, 64, 64)
    assert number_zoom(grid) == 0
    assert number_zoom(grid._replace(width=65)) == 1
    assert number_zoom(grid._replace(height=64 * 5)) == 3
