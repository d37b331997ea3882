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
from pipeline.publish.web.place import (
    Fit,
    box_of_pixels,
    evaluate,
    pixels_of_lonlat,
    tile_centres_deg,
    zooms_of,
)
from pipeline.publish.web.tile_pixels import TerritoryWindow, TilePixels, pyramid
from pipeline.publish.web.web_tiles import Pictures, png
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


def whole(inside: np.ndarray) -> TerritoryWindow:
    """A window of all rows and columns."""
    return TerritoryWindow(slice(0, inside.shape[0]), slice(0, inside.shape[1]), inside)


def below(place: Fit, tile: TilePixels) -> tuple[np.ndarray, np.ndarray]:
    """Column and row on the grid below the pixels of a tile."""
    return evaluate(place, *tile_centres_deg(tile.zoom, tile.x, tile.y))


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
    tiles = list(pyramid(pixels_of_lonlat(GRID, box_deg), whole(inside), box_deg, zooms))
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
    (tile,) = pyramid(pixels_of_lonlat(GRID, box_deg), whole(inside), box_deg, [finest])
    classes = np.ones(inside.shape, np.uint8)
    classes[40, 60] = 2
    assert set(np.unique(tile.drawn(classes, 0))) == {0, 2}


@pytest.mark.parametrize(("step", "type_of_codes"), [(1.0, np.uint8), (8.0, np.uint16)])
def test_steps_of_a_tile_lead_to_the_pixels_of_the_grid(step: float, type_of_codes: type) -> None:
    """Those that a turned and bent way names, pixel by pixel; far ones are too many for a byte."""
    box_deg, size = (13.0, 45.0, 15.0, 47.0), round(700 * step)
    first, second = (np.zeros((3, 3)) for _ in range(2))
    first[0, :], second[:, 0] = (size / 2, 250.0 * step, 20.0 * step), (size / 2, -260.0 * step, 9.0 * step)
    first[1, 0], second[0, 1] = 40.0 * step, -55.0 * step
    place = Fit(box_deg, first, second, 0.0)
    inside = np.random.default_rng(4).random((size, size)) < 0.7
    classes = np.random.default_rng(5).integers(0, 9, (size, size)).astype(np.uint8)
    tiles = list(pyramid(place, whole(inside), box_deg, [5, 6, 7, 8]))
    assert np.dtype(type_of_codes) in {tile.codes.dtype for tile in tiles}
    for tile in tiles:
        lon_deg, lat_deg = tile_centres_deg(tile.zoom, tile.x, tile.y)
        in_box = ((lon_deg >= 13.0) & (lon_deg <= 15.0)) & ((lat_deg >= 45.0) & (lat_deg <= 47.0))[:, None]
        expected = np.full((TILE_PX, TILE_PX), 9, np.uint8)
        col, row = (np.floor(values).astype(int)[in_box] for values in below(place, tile))
        expected[in_box] = np.where(inside[row, col], classes[row, col], 9)
        assert np.array_equal(tile.drawn(classes, 9), expected), tile[:3]


def test_a_window_is_enough() -> None:
    """Rows and columns around the territory are not held, and the pictures are the same."""
    inside = np.zeros((GRID.height, GRID.width), dtype=bool)
    inside[40:90, 60:81] = np.random.default_rng(6).random((50, 21)) < 0.9
    raw = levels(inside, seed=3)
    box_deg = box_of_pixels(GRID, (60.0, 40.0, 81.0, 90.0))
    place, zooms = pixels_of_lonlat(GRID, box_deg), zooms_of(box_deg, GRID.resolution_m)
    scheme = read_schemes()["max_eirp"]
    part = np.s_[40:90, 60:81]
    found, expected = (
        Pictures(list(pyramid(place, window, box_deg, zooms))).of_layer(scheme, class_index(scheme, values))
        for window, values in ((TerritoryWindow(*part, inside[part]), raw[part]), (whole(inside), raw))
    )
    assert found == expected


@pytest.mark.parametrize("colours", [2, 16, 17, 200])
def test_png_holds_its_pixels(colours: int) -> None:
    chance = np.random.default_rng(colours)
    palette = chance.integers(0, 256, (colours, 4)).astype(np.uint8)
    pixels = chance.integers(0, colours, (33, 64)).astype(np.uint8)
    assert np.array_equal(decoded(png(pixels, palette)), palette[pixels])


def test_equal_pictures_of_two_layers_have_their_own_colours() -> None:
    """A picture that was drawn before is taken for the same classes in the same colours alone."""
    schemes = read_schemes()
    first, steps = np.arange(0, 64 * 64, 64, dtype=np.int32), np.arange(2, dtype=np.int32)
    codes = np.full((64, 64), 3, np.uint8)
    codes[:, 0] = 1
    tile = TilePixels(0, 0, 0, first, steps, codes)
    pictures = Pictures([tile])
    for name in ("available_channels", "max_eirp", "available_channels"):
        for shift in (0, 1, 0):
            classes = ((np.arange(64 * 64) + shift) % 5).astype(np.uint8).reshape(64, 64)
            (found,) = pictures.of_layer(schemes[name], classes).values()
            expected = [schemes[name].classes[place].rgba for place in classes.ravel()[:5]]
            assert [tuple(pixel) for pixel in decoded(found)[0, :5].tolist()] == expected
