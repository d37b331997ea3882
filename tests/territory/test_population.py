"""People: none lost, none at sea where there is land, where the source says, and bad sources refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.transform import from_origin

from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.territory.population import density_strips, population_strips, read_counts, window_sums

GRID = Grid("EPSG:3794", 200.0, 430_000.0, 110_000.0, 600, 500)
ALL_LAND = np.ones((GRID.height, GRID.width), dtype=np.uint8)


def write_counts(path: Path, values: np.ndarray, west: float, north: float, step: float, **options) -> Path:
    place = from_origin(west, north, step, step)
    shape = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype}
    options = {"crs": "EPSG:4326", "transform": place, "nodata": None} | options
    with rasterio.open(path, "w", driver="GTiff", **shape, **options) as sink:
        sink.write(values, 1)
    return path


def population_of(path: Path, grid: Grid = GRID, surface: np.ndarray = ALL_LAND) -> np.ndarray:
    return np.concatenate([strip for _, strip in population_strips(read_counts(path, grid), grid, surface)])


def island_counts(shape: tuple[int, int]) -> np.ndarray:
    """Counts that are zero in the outer cells: everything lies wholly in the grid."""
    counts = np.random.default_rng(8).gamma(0.3, 200.0, shape)
    counts[:2], counts[-2:], counts[:, :2], counts[:, -2:] = 0, 0, 0, 0
    return counts


@pytest.mark.parametrize("step", [1 / 1200, 1 / 120, 1 / 12])
@pytest.mark.parametrize("resolution_m", [100.0, 200.0, 1000.0])
def test_total_is_kept_for_any_pair_of_resolutions(tmp_path, step, resolution_m):
    # 14.3 E, 46.25 N and what lies 70 km east and south is wholly in the grid of 120 km x 100 km
    extent_deg, side_m = (0.2, 50_000) if step < 0.001 else (0.6, 120_000)
    counts = island_counts((round(extent_deg / step), round(1.5 * extent_deg / step)))
    path = write_counts(tmp_path / "p.tif", counts, 14.3, 46.25, step)
    size = round(side_m / resolution_m)
    grid = Grid("EPSG:3794", resolution_m, 430_000.0, 130_000.0, size, size)
    persons = population_of(path, grid, np.ones(grid.shape, np.uint8))
    assert persons.dtype == np.float32
    assert np.nansum(persons, dtype=float) == pytest.approx(counts.sum(), rel=1e-6)


def test_people_stay_in_their_cell(tmp_path):
    counts = np.zeros((60, 80))
    counts[20, 30] = 1000.0
    path = write_counts(tmp_path / "p.tif", counts, 14.4, 46.2, 1 / 120)
    persons = population_of(path)
    lon, lat = GRID.lonlat_deg()
    west, north = 14.4 + 30 / 120, 46.2 - 20 / 120
    slack = 0.0015  # half a pixel
    half = 1 / 240
    there = np.maximum(np.abs(lon - west - half), np.abs(lat - north + half)) < half + slack
    assert persons[there].sum() == pytest.approx(1000.0)
    assert persons[~there & np.isfinite(persons)].sum() == 0.0
    # evenly: the cell of 0.60 km2 touches some 21 pixels of 0.04 km2
    assert persons[persons > 0].size == pytest.approx(21, abs=8)
    assert np.nanmax(persons) < 2.0 * 1000.0 * 0.04 / 0.597


def test_cell_over_the_edge_keeps_the_part_inside(tmp_path):
    x_m, y_m = GRID.west_m, GRID.north_m - 30_000.0
    lon, lat = Transformer.from_crs(3794, 4326, always_xy=True).transform(x_m, y_m)
    path = write_counts(tmp_path / "p.tif", np.full((1, 1), 800.0), lon - 1 / 24, lat, 1 / 12)
    assert np.nansum(population_of(path)) == pytest.approx(400.0, rel=0.05)


def test_people_of_a_coastal_cell_live_on_land(tmp_path):
    counts = np.zeros((6, 8))
    counts[2:4, 3] = 500.0
    path = write_counts(tmp_path / "p.tif", counts, 14.4, 46.2, 1 / 12)
    lon, lat = GRID.lonlat_deg()
    # cell column 3 is 14.65..14.733; sea east of 14.66 except in the lower cell, where all is sea
    surface = np.where((lon > 14.66) | (lat < 46.2 - 3 / 12), 0, 1).astype(np.uint8)
    persons = population_of(path, surface=surface)
    upper = lat > 46.2 - 3 / 12
    assert np.nansum(persons[upper & (surface == 0)]) == 0.0
    assert np.nansum(persons[upper], dtype=float) == pytest.approx(500.0)
    assert np.nansum(persons[~upper], dtype=float) == pytest.approx(500.0)  # kept even without land


def test_no_data_is_nan_and_zero_is_zero(tmp_path):
    counts = np.full((60, 80), 0.0, dtype=np.float32)
    counts[:, :40] = -3.4028230607370965e38
    path = write_counts(tmp_path / "p.tif", counts, 14.4, 46.2, 1 / 120, nodata=-3.4028230607370965e38)
    persons = population_of(path)
    lon, lat = GRID.lonlat_deg()
    inside = (lat > 45.71) & (lat < 46.19)
    assert (persons[inside & (lon > 14.74) & (lon < 15.06)] == 0.0).all()
    assert np.isnan(persons[inside & (lon > 14.41) & (lon < 14.72)]).all()
    assert np.isnan(persons[lon < 14.39]).all()


def test_strips_do_not_change_the_result(tmp_path, monkeypatch):
    path = write_counts(tmp_path / "p.tif", island_counts((72, 108)), 14.3, 46.25, 1 / 120)
    first = population_of(path)
    monkeypatch.setattr("pipeline.territory.population.STRIP_PX", 61)
    np.testing.assert_array_equal(population_of(path), first)


def test_negative_and_infinite_counts_are_refused(tmp_path):
    for bad, message in ((-1.0, "negative"), (np.inf, "infinite")):
        counts = np.zeros((60, 80))
        counts[30, 40] = bad
        path = write_counts(tmp_path / "p.tif", counts, 14.4, 46.2, 1 / 120)
        with pytest.raises(InputError, match=message):
            read_counts(path, GRID)


def test_missing_or_distant_population_raster_is_refused(tmp_path):
    with pytest.raises(InputError, match="file not found"):
        read_counts(tmp_path / "gone.tif", GRID)
    path = write_counts(tmp_path / "p.tif", np.zeros((60, 80)), 4.4, 46.2, 1 / 120)
    with pytest.raises(InputError, match="does not touch"):
        read_counts(path, GRID)


def test_population_raster_without_crs_is_refused(tmp_path):
    path = write_counts(tmp_path / "p.tif", np.zeros((60, 80)), 14.4, 46.2, 1 / 120, crs=None)
    with pytest.raises(InputError, match="coordinate reference system"):
        read_counts(path, GRID)


def density_of(population: np.ndarray, surface: np.ndarray = ALL_LAND, grid: Grid = GRID) -> np.ndarray:
    return np.concatenate(
        [strip for _, strip in density_strips(lambda rows: population[rows], grid, surface)]
    )


@pytest.mark.parametrize(
    ("resolution_m", "side"), [(100.0, 11), (200.0, 5), (250.0, 5), (1000.0, 1), (2500.0, 1)]
)
def test_density_is_taken_over_a_kilometre_or_more(resolution_m, side):
    grid = Grid("EPSG:3794", resolution_m, 430_000.0, 110_000.0, 60, 50)
    people = np.zeros((50, 60), np.float32)
    people[20, 30] = 100.0
    density = density_of(people, np.ones((50, 60), np.uint8), grid)
    assert (density > 0).sum() == side * side
    area_km2 = side * side * float(grid.area_km2()[20, 30])
    assert density[20, 30] == pytest.approx(100.0 / area_km2, rel=1e-5)
    assert side * resolution_m >= 1000.0


def test_density_counts_land_only_and_is_the_same_in_strips(monkeypatch):
    generator = np.random.default_rng(6)
    people = generator.gamma(0.2, 50.0, ALL_LAND.shape).astype(np.float32)
    surface = (generator.random(ALL_LAND.shape) < 0.7).astype(np.uint8)
    people[100:130, 40:80] = np.nan
    density = density_of(people, surface)
    row, col = 250, 300
    window = np.s_[row - 2 : row + 3, col - 2 : col + 3]
    land = surface[window] == 1
    expected = people[window][land].sum(dtype=float) / (land.sum() * GRID.area_km2()[row, col])
    assert surface[row, col] == 1
    assert density[row, col] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(density[surface == 0]).all()
    assert np.isnan(density[100:130, 40:80]).all()
    monkeypatch.setattr("pipeline.territory.population.STRIP_PX", 43)
    np.testing.assert_array_equal(density_of(people, surface), density)
    monkeypatch.setattr("pipeline.territory.population._ROWS_A_TIME", 7)
    np.testing.assert_array_equal(density_of(people, surface), density)


def test_window_sums_equal_plain_sums():
    values = np.random.default_rng(1).random((23, 31))
    found = window_sums(values, 3)
    for y, x in ((0, 0), (11, 15), (22, 30), (0, 17)):
        part = values[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4]
        assert found[y, x] == pytest.approx(part.sum(), rel=1e-12)


@pytest.mark.shared_data
@pytest.mark.slow
def test_italys_people_are_all_there(shared):
    path = shared / "data" / "italy" / "population_istat2023_30s.tif"
    grid = Grid("EPSG:3035", 500.0, 3_970_000.0, 2_750_000.0, 2320, 2890)
    persons = population_of(path, grid, np.ones(grid.shape, np.uint8))
    with rasterio.open(path) as source:
        assert np.nansum(persons, dtype=float) == pytest.approx(source.read(1).sum(dtype=float), rel=1e-6)


def test_impossible_counts_are_refused_and_stated_no_data_is_not(tmp_path):
    counts = np.full((60, 80), 5.0)
    counts[30, 40] = 1e38
    with pytest.raises(InputError, match=r"impossible number of persons.*1e\+38"):
        read_counts(write_counts(tmp_path / "p.tif", counts, 14.4, 46.2, 1 / 120), GRID)
    path = write_counts(tmp_path / "q.tif", counts, 14.4, 46.2, 1 / 120, nodata=1e38)
    assert np.nanmax(read_counts(path, GRID).values) == 5.0


def test_scale_of_the_counts_is_applied(tmp_path):
    counts = np.round(10.0 * island_counts((40, 60))).astype(np.int32)
    plain = write_counts(tmp_path / "p.tif", counts / 10.0, 14.4, 46.2, 1 / 120)
    scaled = write_counts(tmp_path / "s.tif", counts, 14.4, 46.2, 1 / 120)
    with rasterio.open(scaled, "r+") as sink:
        sink.scales = (0.1,)
    np.testing.assert_allclose(read_counts(scaled, GRID).values, read_counts(plain, GRID).values, rtol=1e-12)


def test_south_up_population_equals_north_up(tmp_path):
    counts = island_counts((40, 60))
    plain = write_counts(tmp_path / "p.tif", counts, 14.4, 46.2, 1 / 120)
    up = Affine(1 / 120, 0.0, 14.4, 0.0, 1 / 120, 46.2 - 40 / 120)
    turned = write_counts(
        tmp_path / "t.tif", np.ascontiguousarray(counts[::-1]), 14.4, 46.2, 1 / 120, transform=up
    )
    np.testing.assert_allclose(population_of(turned), population_of(plain), rtol=1e-6)
