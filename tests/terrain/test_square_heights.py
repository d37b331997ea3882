"""Heights over the surroundings by squares: those of their pixels, and bounds that are never below them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.terrain.device_heights import height_classes
from pipeline.terrain.device_lines import RingSettings
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.square_heights import SquareHeights
from pipeline.territory.reach import squares_with

SECTORS, EDGES_M = 24, np.arange(-600.0, 900.0, 7.0)
SHAPE = (45, 70)
BEFORE_PX = (3, 7)


def terrain(grid: Grid, step_deg: float, seed: int) -> LonLatRaster:
    """Rough hills, 0.4 degrees around a grid."""
    rng = np.random.default_rng(seed)
    west, south, east, north = grid.box_deg()
    shape = int((north - south + 0.8) / step_deg), int((east - west + 0.8) / step_deg)
    y, x = np.mgrid[: shape[0], : shape[1]] * step_deg
    height_m = 300.0 + 250.0 * np.sin(70.0 * x) * np.cos(55.0 * y) + rng.uniform(0.0, 80.0, shape)
    return LonLatRaster(height_m.astype(np.float32), west - 0.4, north + 0.4, step_deg, step_deg)


def classes_by_pixels(elevation: LonLatRaster, grid: Grid, inside: np.ndarray) -> np.ndarray:
    """Classes of all pixels on paths from 15 km on, [pixel, sector]."""
    rings = RingSettings(SECTORS, (), far_only=True)
    ((found,),) = height_classes(elevation, grid, inside, rings, [EDGES_M], strip_px=grid.height)
    return found


@pytest.mark.parametrize(
    ("resolution_m", "step_deg", "sides_px"),
    [
        (100.0, 1 / 120, (10, 10)),
        (100.0, 1 / 1200, (10, 10)),
        (1000.0, 1 / 240, (1, 1)),
        (250.0, 1 / 120, (4, 1)),
    ],
)
def test_exact_heights_are_the_largest_of_the_pixels_and_bounds_hold_them(resolution_m, step_deg, sides_px):
    grid, rng = (
        Grid("EPSG:3794", resolution_m, 480_000.0, 140_000.0, SHAPE[1], SHAPE[0]),
        np.random.default_rng(1),
    )
    elevation = terrain(grid, step_deg, 3)
    inside = (rng.random(SHAPE) < 0.8) & (np.add.outer(np.arange(SHAPE[0]), np.arange(SHAPE[1])) > 30)
    heights = SquareHeights(elevation, grid, inside, SECTORS, threads=2)
    squares = squares_with(inside, sides_px, BEFORE_PX)
    wanted = rng.random((len(squares.place), SECTORS)) < 0.3
    exact_m, bound_m = heights.exact_m(squares, wanted), heights.bounds_m(squares)
    largest = np.zeros(wanted.shape, int)
    pixels = np.argwhere(inside)
    for (row, col), classes in zip(pixels, classes_by_pixels(elevation, grid, inside), strict=True):
        number = squares.number[(row + BEFORE_PX[0]) // sides_px[0], (col + BEFORE_PX[1]) // sides_px[1]]
        largest[number] = np.maximum(largest[number], classes)
    class_of = np.searchsorted(EDGES_M.astype(np.float32), exact_m)
    assert wanted.any()
    np.testing.assert_array_equal(class_of[wanted], largest[wanted])
    assert (exact_m[~wanted] == -np.inf).all()
    assert (bound_m >= exact_m).all()
    assert np.median(bound_m[wanted] - exact_m[wanted]) < 700.0


def test_unknown_heights_are_bounded_by_nothing_and_exact_ones_are_those_of_the_pixels():
    grid, inside = Grid("EPSG:3794", 500.0, 480_000.0, 140_000.0, 20, 20), np.ones((20, 20), bool)
    elevation = terrain(grid, 1 / 120, 5)
    elevation.values[:, : elevation.values.shape[1] // 2] = np.nan
    squares = squares_with(inside, (2, 2), (0, 0))
    heights = SquareHeights(elevation, grid, inside, SECTORS, void_m=100.0)
    bound_m, wanted = heights.bounds_m(squares), np.zeros((len(squares.place), SECTORS), bool)
    assert np.isinf(bound_m).any()
    wanted[:, 3] = True
    rings = RingSettings(SECTORS, (), far_only=True)
    ((classes,),) = height_classes(
        elevation, grid, inside, rings, [EDGES_M], void_m=100.0, strip_px=grid.height
    )
    of_squares = classes.reshape(10, 2, 10, 2, SECTORS).max(axis=(1, 3))[
        squares.place[:, 0], squares.place[:, 1]
    ]
    exact_m = heights.exact_m(squares, wanted)[:, 3]
    np.testing.assert_array_equal(np.searchsorted(EDGES_M.astype(np.float32), exact_m), of_squares[:, 3])
    with pytest.raises(InputError, match="terrain has a void below the territory"):
        SquareHeights(elevation, grid, inside, SECTORS)
