"""Distances to foreign lands against brute force over all pairs of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Proj

from pipeline.grid.grid import Grid
from pipeline.territory import neighbours
from pipeline.territory.neighbours import (
    Layers,
    foreign_lands,
    land_mask,
    land_of_band,
    nearest_pixel,
    neighbour_parts_km,
    square_distance_px,
)

SEA, HOME, FOREIGN, OUTSIDE = 0, 1, 2, 255
GRID = Grid("EPSG:3794", 200.0, 400_000.0, 150_000.0, 40, 34)


def largest_scale_by_corners(grid: Grid) -> float:
    x_m = grid.west_m + np.linspace(0, grid.width * grid.resolution_m, 50)
    y_m = grid.north_m - np.linspace(0, grid.height * grid.resolution_m, 50)
    projection = Proj(grid.crs)
    lon, lat = projection(*np.meshgrid(x_m, y_m), inverse=True)
    return float(np.max(projection.get_factors(lon, lat).tissot_semimajor))


def gap_px(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Smallest distance between two unit squares, from their edges."""
    return float(np.hypot(*(max(0.0, max(p, q) - (min(p, q) + 1)) for p, q in zip(a, b, strict=True))))


@pytest.fixture
def layers() -> Layers:
    """Home in the middle, two countries, unnamed land, sea and the end of the clip around it."""
    rng = np.random.default_rng(5)
    surface = np.full((34, 40), FOREIGN, np.uint8)
    country = rng.choice([0, 2, 3], surface.shape).astype(np.uint8)
    sea = rng.random(surface.shape) < 0.3
    surface[sea] = SEA
    surface[rng.random(surface.shape) < 0.02] = OUTSIDE
    surface[11:23, 12:28] = HOME
    surface[14:16, 20:22] = SEA
    country[surface != FOREIGN] = 0
    coastal = ((rng.random(surface.shape) < 0.5) & ((surface == FOREIGN) | (surface == HOME))).astype(
        np.uint8
    )
    return Layers(surface, country, coastal)


def test_distance_between_squares_is_that_of_all_pairs():
    rng = np.random.default_rng(1)
    marked = rng.random((20, 25)) < 0.02
    marked[0, 0] = marked[-1, -1] = True
    found = square_distance_px(marked)
    for y, x in np.ndindex(marked.shape):
        expected = min(gap_px((y, x), tuple(p)) for p in np.argwhere(marked))
        assert found[y, x] == pytest.approx(expected, rel=1e-6), (y, x)


def test_bands_are_those_of_the_lands(layers):
    names = [land.name for land in foreign_lands(layers, ["AA", "BB", "CC"])]
    assert names == ["*", "* coastal", "BB", "BB coastal", "CC", "CC coastal"]
    inland = layers._replace(coastal=np.zeros_like(layers.coastal))
    assert [land.name for land in foreign_lands(inland, ["AA", "BB", "CC"])] == ["*", "BB", "CC"]


def test_distance_to_each_land_is_that_of_all_pairs(layers):
    lands = foreign_lands(layers, ["AA", "BB", "CC"])
    parts = [values for _, _, values in neighbour_parts_km(lands, layers, GRID)]
    found = np.concatenate(parts, axis=1)
    scale = largest_scale_by_corners(GRID)
    there = {
        "BB": (layers.surface == FOREIGN) & (layers.country == 2),
        "CC coastal": (layers.surface == FOREIGN) & (layers.country == 3) & (layers.coastal == 1),
        "*": ((layers.surface == FOREIGN) & (layers.country == 0)) | (layers.surface == OUTSIDE),
    }
    names = [land.name for land in lands]
    for name, mask in there.items():
        values_km = found[names.index(name)]
        assert np.isnan(values_km[layers.surface != HOME]).all()
        for y, x in np.argwhere(layers.surface == HOME):
            expected_km = 0.2 / scale * min(gap_px((y, x), tuple(p)) for p in np.argwhere(mask))
            assert values_km[y, x] == pytest.approx(expected_km, rel=1e-6)
            assert values_km[y, x] <= expected_km * (1 + 1e-9)


def marked_by_name(layers: Layers, name: str) -> np.ndarray:
    """Pixels of a band by what its name says; AA, BB, CC are countries 1 to 3."""
    code, _, coast = name.partition(" ")
    number = 0 if code == "*" else ["AA", "BB", "CC"].index(code) + 1
    marked = (layers.surface == FOREIGN) & (layers.country == number)
    if coast:
        marked &= layers.coastal == 1
    return marked | (layers.surface == OUTSIDE) if code == "*" else marked


@pytest.mark.parametrize(("strip_px", "part_px"), [(7, 9), (5, 40), (34, 6)])
def test_parts_have_the_distances_of_all_pairs_up_to_the_margin(layers, monkeypatch, strip_px, part_px):
    """Lands of few pixels, most of them out of reach of most parts; the margin is 11 pixels."""
    monkeypatch.setattr(neighbours, "STRIP_PX", strip_px)
    monkeypatch.setattr(neighbours, "_PART_PX", part_px)
    rng = np.random.default_rng(17)
    surface = np.where((layers.surface == HOME) | (rng.random((34, 40)) < 0.06), layers.surface, SEA)
    layers = layers._replace(
        surface=surface.astype(np.uint8), country=np.where(surface == FOREIGN, layers.country, 0)
    )
    lands = foreign_lands(layers, ["AA", "BB", "CC"])
    found = np.full((len(lands), *surface.shape), -1.0)
    for rows, cols, values_km in neighbour_parts_km(lands, layers, GRID):
        assert values_km.shape[1:] == surface[rows, cols].shape
        found[:, rows, cols] = values_km
    scale, beyond = largest_scale_by_corners(GRID), 0
    for land, values_km in zip(lands, found, strict=True):
        there = np.argwhere(marked_by_name(layers, land.name))
        assert np.isnan(values_km[surface != HOME]).all()
        for y, x in np.argwhere(surface == HOME):
            apart_px = min(gap_px((y, x), tuple(p)) for p in there)
            beyond += apart_px > 11
            assert values_km[y, x] == pytest.approx(0.2 / scale * apart_px if apart_px <= 11 else np.inf)
    assert 0 < beyond < found.size / 10


def test_distance_beyond_the_margin_is_not_known(layers):
    """Only one foreign pixel, 14 pixels away from the nearest home pixel; the margin is 11."""
    surface = np.where(layers.surface == HOME, HOME, SEA).astype(np.uint8)
    country = np.zeros_like(surface)
    surface[5, 0], country[5, 0] = FOREIGN, 2
    lone = Layers(surface, country, np.zeros_like(surface))
    lands = foreign_lands(lone, ["AA", "BB"])
    ((_, _, values_km),) = neighbour_parts_km(lands, lone, GRID)
    home = surface == HOME
    assert np.isinf(values_km[:, home]).all()


def test_nearest_pixel_and_band_lead_back_to_the_land(layers):
    land = land_of_band("CC coastal", ["AA", "BB", "CC"])
    mask = land_mask(land, layers)
    nearest = nearest_pixel(mask, 15, 13)
    gaps = [gap_px((15, 13), tuple(p)) for p in np.argwhere(mask)]
    assert mask[nearest]
    assert gap_px((15, 13), nearest) == min(gaps)
