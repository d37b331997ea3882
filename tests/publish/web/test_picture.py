"""Pictures of the layers against an independent reprojection, and the PNG itself against another decoder."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import yaml
from PIL import Image
from pyproj import Transformer

from pipeline.publish.styles import class_index, read_schemes
from pipeline.publish.web.place import box_of_pixels, pixels_of_lonlat, zooms_of
from pipeline.publish.web.web_tiles import Pictures, TilePixels, png, pyramid
from pipeline.shipped import TABLES
from tests.publish.web.made_up import GRID, levels, territory

TABLE = yaml.safe_load((TABLES / "map_classes.yaml").read_text(encoding="utf-8"))["schemes"]
TILE_PX = 512
HALF_M = math.pi * 6_378_137.0


def colour_of(family: str, raw: int) -> tuple[int, int, int, int]:
    """Colour of a raw value, straight from the table."""
    table = TABLE[family]
    entry = table.get("codes", {}).get(raw)
    if entry is None:
        entry = [level for level in table["levels"] if level["from"] <= round(raw * table["scale"], 9)][-1]
    if entry["colour"] == "transparent":
        return 0, 0, 0, 0
    return *bytes.fromhex(entry["colour"][1:]), 255


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGBA"))


def test_tiles_show_the_nearest_pixel_of_the_grid_at_every_zoom() -> None:
    """8,000 tile pixels, each taken by pyproj to the grid; those within 1 m of an edge are left out."""
    inside = territory()
    raw = levels(inside, seed=3)
    box_px = (0.0, 0.0, float(GRID.width), float(GRID.height))
    box_deg = box_of_pixels(GRID, box_px)
    zooms = zooms_of(box_deg, GRID.resolution_m)
    tiles = pyramid(pixels_of_lonlat(GRID, box_deg), inside, box_deg, zooms)
    scheme = read_schemes()["max_eirp"]
    drawn = Pictures(tiles).of_layer(scheme, class_index(scheme, raw))
    pictures = {key: decoded(data) for key, data in drawn.items()}
    assert {zoom for zoom, _, _ in pictures} == set(zooms)
    to_grid = Transformer.from_crs("EPSG:3857", GRID.crs, always_xy=True)
    chance = np.random.default_rng(5)
    seen = set()
    for (zoom, x, y), picture in pictures.items():
        across, down = chance.integers(0, TILE_PX, (2, 8000 // len(pictures)))
        step_m = 2.0 * HALF_M / 2**zoom / TILE_PX
        east_m, north_m = to_grid.transform(
            -HALF_M + (x * TILE_PX + across + 0.5) * step_m, HALF_M - (y * TILE_PX + down + 0.5) * step_m
        )
        cols, rows = (east_m - GRID.west_m) / GRID.resolution_m, (GRID.north_m - north_m) / GRID.resolution_m
        for i, j, row, col in zip(down, across, rows, cols, strict=True):
            if min(abs(row - round(row)), abs(col - round(col))) < 1.0 / GRID.resolution_m:
                continue
            on_grid = 0 <= row < GRID.height and 0 <= col < GRID.width
            value = int(raw[math.floor(row), math.floor(col)]) if on_grid else -32768
            assert tuple(picture[i, j]) == colour_of("max_eirp", value), (zoom, x, y, i, j)
            seen.add(value if value < -9000 else "level")
    assert seen == {"level", -9999, -9998, -32768}


def test_every_tile_with_a_pixel_of_the_territory_is_there() -> None:
    inside = np.zeros((GRID.height, GRID.width), dtype=bool)
    inside[40, 60] = True
    box_deg = box_of_pixels(GRID, (60.0, 40.0, 61.0, 41.0))
    finest = zooms_of(box_deg, GRID.resolution_m)[-1]
    tiles = pyramid(pixels_of_lonlat(GRID, box_deg), inside, box_deg, [finest])
    assert len(tiles) == 1
    assert set(np.unique(tiles[0].source)) == {-1, 40 * GRID.width + 60}


@pytest.mark.parametrize("colours", [2, 16, 17, 200])
def test_png_holds_its_pixels(colours: int) -> None:
    chance = np.random.default_rng(colours)
    palette = chance.integers(0, 256, (colours, 4)).astype(np.uint8)
    pixels = chance.integers(0, colours, (33, 64)).astype(np.uint8)
    assert np.array_equal(decoded(png(pixels, palette)), palette[pixels])


def test_equal_pictures_of_two_layers_have_their_own_colours() -> None:
    """A picture that was drawn before is taken for the same classes in the same colours alone."""
    schemes = read_schemes()
    tile = TilePixels(0, 0, 0, np.arange(64 * 64, dtype=np.int32).reshape(64, 64))
    pictures = Pictures([tile])
    for name in ("available_channels", "max_eirp", "available_channels"):
        for shift in (0, 1, 0):
            classes = ((np.arange(64 * 64) + shift) % 5).astype(np.uint8).reshape(64, 64)
            (found,) = pictures.of_layer(schemes[name], classes).values()
            expected = [schemes[name].classes[place].rgba for place in classes.ravel()[:5]]
            assert [tuple(pixel) for pixel in decoded(found)[0, :5].tolist()] == expected
