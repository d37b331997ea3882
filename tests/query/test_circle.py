"""Least values of circles: against all pixels one by one, and against geodesics on the ellipsoid."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod, Transformer

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import SCALE_TAG
from pipeline.query import database
from pipeline.query.database import (
    ABOVE_ALL,
    Circle,
    QueryLocation,
    block_minima,
    circle_on,
    lowest_at_home,
    lowest_of_all,
)
from tests.published import OUTSIDE

CHANNELS = 4
Make = Callable[[np.ndarray, Grid], raster.Opened]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Write values [channel, y, x] as a query raster and open it."""
    opened: list[raster.Opened] = []

    def write(values: np.ndarray, grid: Grid) -> raster.Opened:
        path = tmp_path / f"query{len(opened)}.tif"
        everything = [(slice(0, grid.height), slice(0, grid.width), values)]
        layout = raster.layout_on(
            grid,
            [f"channel {k}" for k in range(len(values))],
            dtype="int16",
            nodata=OUTSIDE,
            units="dBm",
            long_name="x",
            tags={SCALE_TAG: f"{grid.largest_scale():.9f}"},
        )
        raster.write_blocks(path, layout, everything, publish=True, tile_px=32)
        opened.append(raster.open_raster(path))
        return opened[-1]

    yield write
    for one in opened:
        one.source.close()


def random_levels(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Levels with few low ones, so that the least of a circle lies anywhere; a hole and a coast outside."""
    values = rng.integers(-9000, 3600, (CHANNELS, height, width)).astype(np.int16)
    values = np.where(rng.random(values.shape) < 0.99, np.int16(3600), values)
    row, col = np.indices((height, width))
    outside = (col > 0.9 * width + 4 * np.sin(row / 5.0)) | (np.hypot(row - 40, col - 50) < 9)
    values[:, outside] = OUTSIDE
    return values


def squares(grid: Grid) -> np.ndarray:
    """Every pixel [y, x] as a polygon."""
    row, col = np.indices(grid.shape)
    west, north = grid.west_m + col * grid.resolution_m, grid.north_m - row * grid.resolution_m
    return shapely.box(west, north - grid.resolution_m, west + grid.resolution_m, north)


@pytest.mark.parametrize("size", [(150, 170), (128, 96), (31, 200)])
def test_least_at_home_is_that_of_all_pixels_touched(make: Make, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(size)
    grid = Grid("EPSG:3794", 100.0, 400_000.0, 100_000.0, size[1], size[0])
    values = random_levels(rng, *size)
    opened, pixels = make(values, grid), squares(grid)
    minima, empty = block_minima(opened), 0
    for _ in range(150):
        x_m = rng.uniform(grid.west_m - 1500.0, grid.west_m + 100.0 * size[1] + 1500.0)
        y_m = rng.uniform(grid.north_m - 100.0 * size[0] - 1500.0, grid.north_m + 1500.0)
        circle = Circle(x_m, y_m, 10.0 ** rng.uniform(0.0, 4.2))
        touched = shapely.distance(pixels, shapely.Point(x_m, y_m)) <= circle.reach_m
        home = values[:, touched & (values[0] != OUTSIDE)]
        wanted = home.min(axis=1, initial=ABOVE_ALL)
        wanted[wanted == ABOVE_ALL] = OUTSIDE
        empty += home.size == 0
        assert lowest_at_home(opened, circle, minima).tolist() == wanted.tolist()
    assert 0 < empty < 75


@pytest.mark.parametrize("strip_px", [7, 256])
def test_least_of_all_is_outside_where_one_pixel_is(
    make: Make, monkeypatch: pytest.MonkeyPatch, strip_px: int
) -> None:
    monkeypatch.setattr(database, "_STRIP_PX", strip_px)
    rng = np.random.default_rng(7)
    grid = Grid("EPSG:3794", 100.0, 400_000.0, 100_000.0, 170, 150)
    values = random_levels(rng, 150, 170)
    opened, pixels = make(values, grid), squares(grid)
    whole, kinds = shapely.union_all(pixels).buffer(-1e-6), {True: 0, False: 0}
    for _ in range(100):
        x_m, y_m = rng.uniform(400_000.0, 417_000.0), rng.uniform(85_000.0, 100_000.0)
        circle = Circle(x_m, y_m, 10.0 ** rng.uniform(0.0, 3.3))
        place = shapely.Point(x_m, y_m)
        wanted = values[:, shapely.distance(pixels, place) <= circle.reach_m].min(axis=1)
        if shapely.distance(whole.exterior, place) <= circle.reach_m:
            wanted[:] = OUTSIDE
        kinds[bool(wanted[0] == OUTSIDE)] += 1
        assert lowest_of_all(opened, circle).tolist() == wanted.tolist()
    assert min(kinds.values()) > 10


@pytest.mark.parametrize("corner", ["edge", "crossing"])
def test_place_on_an_edge_belongs_to_all_pixels_that_share_it(make: Make, corner: str) -> None:
    grid = Grid("EPSG:3794", 100.0, 400_000.0, 100_000.0, 64, 64)
    values = np.arange(64 * 64, dtype=np.int16).reshape(1, 64, 64)
    opened = make(values, grid)
    y_m = 100_000.0 - (3000.0 if corner == "crossing" else 3050.0)
    circle = circle_on(opened, QueryLocation(0.0, 0.0, 402_000.0, y_m), 0.0)
    rows = (29, 31) if corner == "crossing" else (30, 31)
    assert lowest_of_all(opened, circle)[0] == values[0, rows[0] : rows[1], 19:21].min()
    assert values[0, rows[0] : rows[1], 19:21].size == (4 if corner == "crossing" else 2)


@pytest.mark.parametrize(
    ("crs", "lon_deg", "lat_deg"),
    [("EPSG:3794", 14.5, 46.1), ("EPSG:3857", 14.5, 46.1), ("EPSG:3035", -8.5, 38.5), ("EPSG:3035", 26, 66)],
)
def test_circle_is_never_smaller_than_on_the_ground(
    make: Make, crs: str, lon_deg: float, lat_deg: float
) -> None:
    """Mercator stretches by 1.44 at 46 degrees; the equal-area grid along one axis only."""
    rng = np.random.default_rng(3)
    to_grid = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    east_m, north_m = to_grid.transform(lon_deg, lat_deg)
    grid = Grid(crs, 100.0, round(east_m, -3) - 15_000.0, round(north_m, -3) + 15_000.0, 300, 300)
    values = rng.permutation(300 * 300).reshape(1, 300, 300) % 30_000
    opened = make(values.astype(np.int16), grid)
    for _ in range(25):
        lon, lat = lon_deg + rng.uniform(-0.02, 0.02), lat_deg + rng.uniform(-0.02, 0.02)
        radius_m = 10.0 ** rng.uniform(1.0, 3.9)
        circle = circle_on(opened, QueryLocation(lon, lat, *to_grid.transform(lon, lat)), radius_m)
        found = int(lowest_of_all(opened, circle)[0])
        assert found <= values[0][on_the_ground(grid, to_grid, lon, lat, radius_m)].min()
        assert found >= values[0][on_the_ground(grid, to_grid, lon, lat, 1.05 * radius_m + 250.0)].min()


def on_the_ground(
    grid: Grid, to_grid: Transformer, lon_deg: float, lat_deg: float, radius_m: float
) -> np.ndarray:
    """Pixels [y, x] that hold a point of a dense mesh of a geodesic circle."""
    azimuth_deg, distance_m = np.meshgrid(
        np.linspace(0.0, 360.0, 1441), np.linspace(0.0, radius_m, max(3, math.ceil(radius_m / 40.0)))
    )
    start = np.full(azimuth_deg.shape, lon_deg), np.full(azimuth_deg.shape, lat_deg)
    lon, lat, _ = Geod(ellps="GRS80").fwd(*start, azimuth_deg, distance_m)
    x_m, y_m = to_grid.transform(lon, lat)
    found = np.zeros(grid.shape, dtype=bool)
    rows = np.floor((grid.north_m - y_m) / grid.resolution_m).astype(int)
    cols = np.floor((x_m - grid.west_m) / grid.resolution_m).astype(int)
    found[rows, cols] = True
    return found


def test_damaged_file_is_named(make: Make, tmp_path: Path) -> None:
    grid = Grid("EPSG:3794", 100.0, 400_000.0, 100_000.0, 200, 200)
    rng = np.random.default_rng(1)
    path = Path(make(rng.integers(-9000, 3600, (1, 200, 200)).astype(np.int16), grid).source.name)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 3)
    path.write_bytes(content)
    opened = raster.open_raster(path)
    with pytest.raises(InputError, match=rf"{path.name}: raster is damaged"):
        lowest_of_all(opened, Circle(410_000.0, 90_000.0, 9000.0))
    opened.source.close()
