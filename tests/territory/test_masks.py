"""Masks: every pixel is what its centre lies on, by shapely; edges of clips are no coasts."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import world
from pyproj import Geod
from scipy.ndimage import distance_transform_edt

from pipeline.errors import InputError
from pipeline.grid.grid import Grid, make_grid
from pipeline.grid.polygons import Boundaries, box_boundaries, project, read_boundaries
from pipeline.territory.codes import Surface
from pipeline.territory.masks import (
    border_strips_km,
    coastal_mask,
    compute_masks,
    distance_strips_km,
    territory_window,
)

SEA, HOME, FOREIGN, BEYOND, OUTSIDE = (int(code) for code in (0, 1, 2, 3, 255))


@pytest.fixture(scope="module")
def boundaries(tmp_path_factory) -> Boundaries:
    return read_boundaries(world.write_boundaries(tmp_path_factory.mktemp("b") / "b.gpkg"), ["AA"])


def grid_around(boundaries: Boundaries, resolution_m: float, margin_m: float, crs: str = world.CRS) -> Grid:
    return make_grid(crs, resolution_m, project([boundaries.territory], crs)[0].bounds, margin_m)


def at(grid: Grid, values: np.ndarray, lon_deg: float, lat_deg: float) -> int:
    """Value of the pixel whose centre is nearest, found through the pixels' own coordinates."""
    lon, lat = grid.lonlat_deg()
    return int(values.flat[np.argmin((lon - lon_deg) ** 2 * 0.5 + (lat - lat_deg) ** 2)])


def test_known_places_get_their_codes(boundaries):
    grid = grid_around(boundaries, 500.0, 45_000.0)
    surface, country = compute_masks(boundaries, grid)
    places = {
        (14.4, 45.9): (HOME, 1),
        (14.8, 45.9): (FOREIGN, 2),  # east: BB
        (14.3, 46.2): (FOREIGN, 3),  # north: CC
        (14.1, 45.9): (FOREIGN, 0),  # west: land without a code
        (14.4, 45.6): (SEA, 0),  # south
        (14.4, 45.45): (OUTSIDE, 0),  # below the clip, no coast there
        (13.9, 45.9): (OUTSIDE, 0),
    }
    found = {place: (at(grid, surface, *place), at(grid, country, *place)) for place in places}
    assert found == places


def test_random_pixels_are_what_shapely_says(boundaries):
    grid = grid_around(boundaries, 200.0, 40_000.0)
    surface, country = compute_masks(boundaries, grid)
    lon, lat = grid.lonlat_deg()
    chosen = np.random.default_rng(5).choice(lon.size, 4000, replace=False)
    points = shapely.points(lon.flat[chosen], lat.flat[chosen])
    land = shapely.union_all(boundaries.land)
    clip = shapely.box(*world.BOX)
    expected = np.where(
        shapely.contains(world.HOME, points),
        HOME,
        np.where(
            shapely.contains(land, points), FOREIGN, np.where(shapely.contains(clip, points), SEA, OUTSIDE)
        ),
    )
    assert (surface.flat[chosen] == expected).all()
    owner = np.zeros(points.size)
    for index, shape in enumerate(boundaries.countries, 1):
        owner[shapely.contains(shape, points)] = index
    assert (country.flat[chosen] == owner).all()
    assert set(np.unique(expected)) == {SEA, HOME, FOREIGN, OUTSIDE}


@pytest.mark.parametrize("crs", ["EPSG:3794", "EPSG:3035", "EPSG:32633"])
def test_area_is_that_of_the_polygon_on_the_ellipsoid(boundaries, crs):
    grid = grid_around(boundaries, 100.0, 5_000.0, crs)
    surface, _ = compute_masks(boundaries, grid)
    found_km2 = grid.area_km2()[surface == HOME].sum(dtype=float)
    # Parallels are not geodesics: give the polygon many vertices.
    lon, lat = shapely.segmentize(world.HOME, 0.005).exterior.xy
    expected_km2 = abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0]) / 1e6
    assert found_km2 == pytest.approx(expected_km2, rel=5e-4)


def test_world_polygons_decide_beyond_the_clip_only(boundaries, tmp_path):
    path = world.write_boundaries(tmp_path / "b.gpkg")
    wide = read_boundaries(path, ["AA"], world=world.write_world(tmp_path / "w.gpkg"))
    grid = grid_around(wide, 500.0, 45_000.0)
    surface, country = compute_masks(wide, grid)
    assert at(grid, surface, 13.9, 45.9) == FOREIGN
    assert at(grid, country, 13.9, 45.9) == 0
    assert at(grid, surface, 13.9, 45.55) == SEA
    # 45.65 N is land of the world file, but the boundary file knows better there
    assert at(grid, surface, 14.4, 45.65) == SEA
    assert not (surface == OUTSIDE).any()


def test_home_polygons_alone_know_nothing_around_them(tmp_path):
    path = world.write_boundaries(tmp_path / "b.gpkg", land=False)
    alone = read_boundaries(path, ["AA", "BB", "CC"], land_layer=None)
    assert alone.known_box_deg is not None  # the fourth polygon has no code: somebody else's land
    only = Boundaries(("AA",), (world.HOME,), ("AA",), (world.HOME,), None, None, world.HOME)
    grid = grid_around(only, 500.0, 10_000.0)
    surface, _ = compute_masks(only, grid)
    assert set(np.unique(surface)) == {HOME, OUTSIDE}


def test_own_land_beyond_the_box_is_protected_but_no_target(tmp_path):
    path = world.write_boundaries(tmp_path / "b.gpkg")
    cut = read_boundaries(path, ["AA"], bbox_deg=(14.3, 45.6, 14.5, 46.0))
    grid = grid_around(cut, 500.0, 15_000.0)
    surface, country = compute_masks(cut, grid)
    assert at(grid, surface, 14.4, 45.9) == HOME
    assert at(grid, surface, 14.25, 45.9) == BEYOND
    assert at(grid, country, 14.25, 45.9) == 1
    assert at(grid, surface, 14.65, 45.9) == FOREIGN


def test_box_without_polygons_is_home_with_own_land_around():
    box = box_boundaries(["US"], (14.2, 45.7, 14.6, 46.1))
    grid = grid_around(box, 500.0, 10_000.0)
    surface, country = compute_masks(box, grid)
    lon, lat = grid.lonlat_deg()
    inside = (lon > 14.2) & (lon < 14.6) & (lat > 45.7) & (lat < 46.1)
    assert (surface == np.where(inside, HOME, BEYOND)).all()
    assert (country == 1).all()


def test_territory_smaller_than_a_pixel_is_refused():
    tiny = box_boundaries(["AA"], (14.2, 45.7, 14.2001, 45.7001))
    grid = Grid(world.CRS, 5000.0, 430_000.0, 90_000.0, 10, 10)
    with pytest.raises(InputError, match="no pixel centre"):
        compute_masks(tiny, grid)


def test_masks_do_not_depend_on_threads_or_strips(boundaries, monkeypatch):
    grid = grid_around(boundaries, 200.0, 40_000.0)
    first = compute_masks(boundaries, grid, threads=1)
    monkeypatch.setattr("pipeline.territory.masks.STRIP_PX", 37)
    second = compute_masks(boundaries, grid, threads=3)
    np.testing.assert_array_equal(first.surface, second.surface)
    np.testing.assert_array_equal(first.country, second.country)


def test_neighbours_share_pixels_without_gap_or_overlap(boundaries):
    grid = grid_around(boundaries, 200.0, 20_000.0)
    _, country = compute_masks(boundaries, grid)
    lon, lat = grid.lonlat_deg()
    # AA and BB share the meridian 14.6 E
    strip = (np.abs(lon - 14.6) < 0.02) & (lat > 45.72) & (lat < 46.08)
    assert (country[strip] == np.where(lon[strip] < 14.6, 1, 2)).all()


def test_coastal_land_is_within_the_distance_of_the_sea(boundaries):
    grid = grid_around(boundaries, 200.0, 30_000.0)
    surface, _ = compute_masks(boundaries, grid)
    coastal = coastal_mask(surface, 200.0, 5.0)
    distance_km = distance_transform_edt(surface != SEA) * 0.2
    land = (surface == HOME) | (surface == FOREIGN)
    np.testing.assert_array_equal(coastal, land & (distance_km <= 5.0))
    assert coastal.any()
    # The clip's edges are no coast: nothing coastal in the north.
    lat = grid.lonlat_deg()[1]
    assert not coastal[lat > 45.8].any()


def test_inland_territory_has_no_coast():
    surface = np.full((50, 60), int(Surface.HOME), np.uint8)
    surface[:5] = OUTSIDE
    assert not coastal_mask(surface, 200.0, 100.0).any()


def test_border_distance_is_to_foreign_land(boundaries):
    grid = grid_around(boundaries, 500.0, 30_000.0)
    surface, _ = compute_masks(boundaries, grid)
    found = np.concatenate([strip for _, strip in border_strips_km(surface, 500.0)])
    expected = distance_transform_edt(surface != FOREIGN) * 0.5
    np.testing.assert_allclose(found[surface == HOME], expected[surface == HOME], rtol=1e-6)
    assert np.isnan(found[surface != HOME]).all()


def test_distance_strips_come_in_order():
    marked = np.random.default_rng(2).random((40, 30)) < 0.02
    strips = list(distance_strips_km(lambda rows: marked[rows], marked.shape, 250.0, strip_px=7))
    assert [rows.start for rows, _ in strips] == list(range(0, 40, 7))
    found = np.concatenate([strip for _, strip in strips])
    np.testing.assert_allclose(found, distance_transform_edt(~marked) * 0.25, rtol=1e-6)


def test_window_just_holds_the_territory():
    surface = np.full((20, 30), FOREIGN, np.uint8)
    surface[3, 7] = surface[11, 5] = HOME
    assert territory_window(surface) == (slice(3, 12), slice(5, 8))


@pytest.mark.shared_data
def test_slovenia_has_its_area_and_its_towns(shared):
    found = read_boundaries(shared / "data" / "slovenia" / "boundaries_ne10m.gpkg", ["SI"])
    grid = grid_around(found, 200.0, 30_000.0)
    surface, country = compute_masks(found, grid)
    # 20 273 km2 (Statistical Office); Natural Earth 10m is generalised
    assert grid.area_km2()[surface == HOME].sum(dtype=float) == pytest.approx(20_273, rel=0.01)
    codes = ("", *found.codes)
    towns = {
        (14.505, 46.056): "SI",
        (15.645, 46.558): "SI",
        (13.60, 45.525): "SI",
        (13.776, 45.65): "IT",
        (15.978, 45.815): "HR",
        (15.44, 47.07): "AT",
    }
    assert {place: codes[at(grid, country, *place)] for place in towns} == towns
    assert at(grid, surface, 13.4, 45.45) == SEA
