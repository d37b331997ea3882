"""Land and sea in lon/lat: polygons inside the clip, the world beyond, land where nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import world

from pipeline.grid.grid import Grid
from pipeline.grid.polygons import read_boundaries
from pipeline.territory.masks import paths_box_deg, surface_mask

BOX = (13, 45, 16, 47)


def at(mask, lon_deg: float, lat_deg: float) -> int:
    col, row = ~mask.attrs["transform"] @ (lon_deg, lat_deg)
    return int(mask.values[int(row), int(col)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("surface")
    world.write_boundaries(path / "b.gpkg")
    world.write_world(path / "w.gpkg")
    return path


def test_land_and_sea_are_what_shapely_says(folder):
    found = read_boundaries(folder / "b.gpkg", ["AA"], world=folder / "w.gpkg")
    mask = surface_mask(found, BOX)
    assert mask.shape == (800, 1200)
    generator = np.random.default_rng(4)
    col, row = generator.integers(0, 1200, 3000), generator.integers(0, 800, 3000)
    lon, lat = mask.attrs["transform"] @ (col + 0.5, row + 0.5)
    points = shapely.points(lon, lat)
    known = shapely.contains(shapely.box(*world.BOX), points)
    land = shapely.contains(shapely.union_all(found.land), points)
    assert (mask.values[row, col] == np.where(known, land, lat > 45.6)).all()


def test_edge_of_a_clip_is_no_coast(folder):
    found = read_boundaries(folder / "b.gpkg", ["AA"])
    mask = surface_mask(found, BOX)
    assert at(mask, 13.5, 46.0) == 1  # nothing known: land
    assert at(mask, 14.5, 45.3) == 1
    assert at(mask, 14.5, 45.6) == 0  # sea of the file
    assert at(surface_mask(found, BOX, unknown="sea"), 13.5, 46.0) == 0
    assert at(surface_mask(found, BOX, unknown="sea"), 14.5, 46.0) == 1


def test_mask_does_not_depend_on_threads(folder):
    found = read_boundaries(folder / "b.gpkg", ["AA"])
    np.testing.assert_array_equal(surface_mask(found, BOX).values, surface_mask(found, BOX, threads=3).values)


def test_wide_boxes_take_a_coarser_step(folder, monkeypatch):
    monkeypatch.setattr("pipeline.territory.masks._MAX_PIXELS", 100_000)
    found = read_boundaries(folder / "b.gpkg", ["AA"])
    mask = surface_mask(found, BOX)
    assert mask.size <= 100_000
    assert at(mask, 14.5, 45.6) == 0


def test_box_holds_grid_and_sites_in_whole_degrees():
    grid = Grid("EPSG:3794", 200.0, 400_000.0, 160_000.0, 1000, 1000)
    # the grid alone: about 13.7..16.3 E, 44.8..46.6 N
    assert paths_box_deg(grid, [], []) == (13, 44, 17, 48)
    assert paths_box_deg(grid, [9.3, 15.0], [45.0, 51.7]) == (8, 44, 17, 53)
    assert paths_box_deg(grid, [-179.9], [89.9]) == (-180, 44, 17, 90)
