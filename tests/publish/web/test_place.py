"""Places on the grid and on the web's map, against pyproj and the closed form of Mercator's projection."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pyproj import Transformer

from pipeline.grid.grid import Grid
from pipeline.publish.web.place import (
    WEB_TILE_PX,
    box_of_pixels,
    evaluate,
    fit,
    lonlat_of_pixels,
    pixels_of_lonlat,
    tile_centres_deg,
    tiles_of,
    worst_px,
    zooms_of,
)

GRIDS = {
    "Slovenia": (Grid("EPSG:3794", 200.0, 304_200.0, 262_200.0, 1910, 1501), (349.0, 349.0, 1560.0, 1152.0)),
    "Europe": (Grid("EPSG:3035", 1000.0, 2_600_000.0, 5_400_000.0, 3000, 3800), (0.0, 0.0, 3000.0, 3800.0)),
    "Britain, with a shift of datum": (
        Grid("EPSG:27700", 100.0, 0.0, 1_220_000.0, 6500, 12000),
        (200.0, 300.0, 6400.0, 11900.0),
    ),
    "Fiji, across 180 degrees": (
        Grid("EPSG:32760", 200.0, 500_000.0, 8_250_000.0, 2500, 2500),
        (0.0, 0.0, 2500.0, 2500.0),
    ),
    "south, near the equator": (
        Grid("EPSG:32736", 500.0, 100_000.0, 10_100_000.0, 1000, 900),
        (0.0, 0.0, 1000.0, 900.0),
    ),
}


@pytest.mark.parametrize("name", GRIDS)
def test_pixels_are_those_of_the_projection(name: str) -> None:
    grid, box_px = GRIDS[name]
    box_deg = box_of_pixels(grid, box_px)
    place = pixels_of_lonlat(grid, box_deg)
    room = 0.05  # off the edges, some of which lie beyond the area for which the datum shift is meant
    lon_deg, lat_deg = (
        np.linspace(low + room * (high - low), high - room * (high - low), 40)
        for low, high in ((box_deg[0], box_deg[2]), (box_deg[1], box_deg[3]))
    )
    col, row = evaluate(place, lon_deg, lat_deg)
    to_grid = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    x_m, y_m = to_grid.transform(*np.meshgrid((lon_deg + 180.0) % 360.0 - 180.0, lat_deg))
    assert np.abs(col - (x_m - grid.west_m) / grid.resolution_m).max() < 0.003
    assert np.abs(row - (grid.north_m - y_m) / grid.resolution_m).max() < 0.003
    cols, rows = (np.linspace(box_px[i] + 300, box_px[i + 2] - 300, 9) for i in (0, 1))
    assert worst_px(place, grid, *(values.ravel() for values in np.meshgrid(cols, rows))) < 0.003


@pytest.mark.parametrize("name", GRIDS)
def test_way_back_leads_to_the_pixel(name: str) -> None:
    grid, box_px = GRIDS[name]
    box_deg = box_of_pixels(grid, box_px)
    there, back = pixels_of_lonlat(grid, box_deg), lonlat_of_pixels(grid, box_px, box_deg)
    for col in np.linspace(box_px[0], box_px[2], 7):
        for row in np.linspace(box_px[1], box_px[3], 7):
            lon_deg, lat_deg = evaluate(back, np.array([col]), np.array([row]))
            found = evaluate(there, lon_deg.ravel(), lat_deg.ravel())
            assert np.abs(np.ravel(found) - [col, row]).max() < 0.003


@pytest.mark.parametrize("name", GRIDS)
def test_box_holds_all_corners(name: str) -> None:
    grid, box_px = GRIDS[name]
    west, south, east, north = box_of_pixels(grid, box_px)
    to_lonlat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    for col in (box_px[0], box_px[2]):
        for row in (box_px[1], box_px[3]):
            lon_deg, lat_deg = to_lonlat.transform(
                grid.west_m + col * grid.resolution_m, grid.north_m - row * grid.resolution_m
            )
            assert west <= lon_deg + 360.0 * (lon_deg < west) <= east
            assert south <= lat_deg <= north


def test_what_no_polynomial_follows_is_refused() -> None:
    grid, box_px = GRIDS["Slovenia"]
    box_deg = box_of_pixels(grid, box_px)
    place = pixels_of_lonlat(grid, box_deg)
    shifted = place._replace(first=place.first + 0.6 * (np.indices(place.first.shape).sum(axis=0) == 0))
    pixels = np.array([400.5, 800.5]), np.array([400.5, 700.5])
    assert worst_px(place, grid, *pixels) < 1e-3
    with pytest.raises(ValueError, match="not smooth"):
        worst_px(shifted, grid, *pixels)
    with pytest.raises(ValueError, match="not defined"):
        fit(lambda u, v: (np.where(u < 0, np.inf, u), v), (-1.0, -1.0, 1.0, 1.0), 1e-9)


def test_error_of_a_fit_is_told() -> None:
    rough = fit(lambda u, v: (np.abs(u), v), (-1.0, -1.0, 1.0, 1.0), 1e-9)
    assert 0.01 < rough.error < 0.2
    smooth = fit(lambda u, v: (u * v + u**3, v - 4.0), (2.0, 3.0, 5.0, 4.0), 1e-6)
    assert smooth.error < 1e-6
    assert smooth.first.shape == (7, 7)


def test_tile_centres_are_those_of_mercator() -> None:
    zoom, x, y = 9, 276, 181
    lon_deg, lat_deg = tile_centres_deg(zoom, x, y)
    half_m = math.pi * 6_378_137.0
    step_m = 2.0 * half_m / 2**zoom / WEB_TILE_PX
    east_m = -half_m + (x * WEB_TILE_PX + np.arange(WEB_TILE_PX) + 0.5) * step_m
    north_m = half_m - (y * WEB_TILE_PX + np.arange(WEB_TILE_PX) + 0.5) * step_m
    to_lonlat = Transformer.from_crs("EPSG:3857", "EPSG:4326", always_xy=True)
    assert np.abs(to_lonlat.transform(east_m, np.full(WEB_TILE_PX, north_m[0]))[0] - lon_deg).max() < 1e-9
    assert np.abs(to_lonlat.transform(np.full(WEB_TILE_PX, east_m[0]), north_m)[1] - lat_deg).max() < 1e-9


def test_finest_pictures_are_no_coarser_than_the_grid() -> None:
    box_deg = (13.3, 45.4, 16.6, 46.9)
    zooms = zooms_of(box_deg, 200.0)
    pixel_m = [40_075_016.686 * math.cos(math.radians(45.4)) / WEB_TILE_PX / 2**zoom for zoom in zooms]
    assert pixel_m[-1] <= 200.0 < pixel_m[-2]
    assert len(list(tiles_of(box_deg, zooms[0]))) <= 4
    assert zooms_of((-10.0, -5.0, 10.0, 5.0), 76_000.0)[-1] == 1  # 78,272 m at zoom 0, on the equator


def test_tiles_count_on_across_180_degrees() -> None:
    assert sorted({x for x, _ in tiles_of((177.0, -20.0, 182.0, -16.0), 6)}) == [63, 64]
