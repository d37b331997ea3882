"""Coverage of a whole small grid: against pair-by-pair computing, and what must not change a byte."""

from __future__ import annotations

import numpy as np
import pytest
from scene import CHANNEL, GRID, Scene, config, coverage_of, pixel_degrees, reference, scene

from pipeline.coverage.channel import merge_times, read_places
from pipeline.coverage.tiles import LEVEL_BANDS
from pipeline.grid.raster import make_array, write


@pytest.fixture(scope="module")
def made():
    return scene()


@pytest.fixture(scope="module")
def result(made):
    return coverage_of(made)


@pytest.fixture(scope="module")
def complete(made):
    return coverage_of(made, complete=True)


def sampled(made, count, seed=4):
    land = np.argwhere(np.isin(made.surface.values, (1, 2)))
    return np.random.default_rng(seed).permutation(land)[:count]


@pytest.mark.parametrize("spillover", [False, True])
def test_levels_agree_with_pair_by_pair_computing(made, complete, spillover):
    result = coverage_of(made, config(protect_spillover=True), complete=True) if spillover else complete
    degrees = pixel_degrees()
    levels, classes = result["levels"].values, result["classes"].values
    for row, col in sampled(made, 60):
        expected = reference(made, row, col, degrees, spillover=spillover)
        found = levels[:, row, col]
        assert classes[1, row, col] == expected.server + 1
        assert found[[0, 1, 2, 3]] == pytest.approx(expected[:4], abs=2e-3)
        assert found[4] == pytest.approx(expected.azimuth, abs=2e-3, nan_ok=True)
        assert found[5] == pytest.approx(expected.probability, abs=2e-4)


def test_pruning_keeps_wanted_levels_and_moves_nuisance_by_a_hundredth_at_most(result, complete):
    bands = [LEVEL_BANDS.index(name) for name in ("wanted_dbuvm", "field_dbuvm", "azimuth_deg")]
    pruned, full = result["levels"].values, complete["levels"].values
    assert np.array_equal(pruned[bands], full[bands], equal_nan=True)
    assert np.array_equal(result["classes"].values[1:], complete["classes"].values[1:])
    change_db = (full - pruned)[LEVEL_BANDS.index("nuisance_dbuvm")]
    assert np.nanmax(change_db) <= 0.01
    assert np.nanmin(change_db) >= -1e-5
    assert np.nanmax(change_db) > 0.0  # something was left out


@pytest.mark.parametrize(("block_px", "threads"), [(32, 1), (32, 2), (50, 2), (512, 2)])
def test_blocks_and_threads_do_not_change_a_byte(made, result, block_px, threads):
    other = coverage_of(made, block_px=block_px, threads=threads)
    for name in ("levels", "classes"):
        assert other[name].values.tobytes() == result[name].values.tobytes()


def test_own_transmitters_serve_at_home_and_foreign_ones_outside(made, result):
    server = result["classes"].values[1].astype(int) - 1
    country = made.transmitters["country"].values
    surface = made.surface.values
    assert (server[np.isin(surface, (1, 2))] >= 0).all()
    assert set(country[server[surface == 1]]) == {"SI"}
    assert set(country[server[surface == 2]]) == {"AT"}
    assert len(set(server[surface == 1])) > 2
    assert (made.transmitters["channel"].values[np.unique(server[server >= 0])] == CHANNEL).all()


def test_spillover_admits_every_transmitter_everywhere(made):
    server = coverage_of(made, config(protect_spillover=True))["classes"].values[1].astype(int) - 1
    country = made.transmitters["country"].values
    assert set(country[server[made.surface.values == 1]]) == {"SI", "AT"}


def test_sea_and_outside_hold_no_data(made, result):
    dry = np.isin(made.surface.values, (1, 2))
    assert np.isnan(result["levels"].values[:, ~dry]).all()
    assert (result["classes"].values[:, ~dry] == np.array([[65535], [0], [65535]])).all()
    assert np.isfinite(result["levels"].values[:4, dry]).all()


def test_served_is_probability_at_least_the_threshold(made, result):
    dry = np.isin(made.surface.values, (1, 2))
    q, served = result["levels"].values[5][dry], result["classes"].values[0][dry]
    assert np.array_equal(served, q >= np.float32(0.7))
    assert 0.02 < served.mean() < 0.98


def test_density_unserves_home_pixels_only_where_it_is_known_to_be_low(made, result, tmp_path):
    density = np.zeros(GRID.shape, np.float32)
    density[:20] = 5.0
    density[20:25] = np.nan
    people = make_array(density, GRID, units="km-2", long_name="density", nodata=np.nan)
    write(tmp_path / "density.tif", people, tags={}, publish=False)
    settings = config(min_density_per_km2=5.0)
    for block_px in (512, 32):
        of_people = {"density": tmp_path / "density.tif", "threads": 2, "block_px": block_px}
        served = coverage_of(made, settings, **of_people)["classes"].values[0]
        before = result["classes"].values[0]
        cleared = (made.surface.values == 1) & (np.arange(GRID.height) >= 25)[:, None]
        assert (served[cleared] == 0).all()
        assert np.array_equal(served[~cleared], before[~cleared])
        assert (before[cleared] == 1).any()


def test_places_no_device_reaches_count_as_outside(made, tmp_path):
    reach = np.random.default_rng(3).integers(0, 2, GRID.shape).astype(np.uint8)
    for name, values in (("surface", made.surface.values), ("reach", reach)):
        layer = make_array(values, GRID, units="", long_name=name, nodata=None)
        write(tmp_path / f"{name}.tif", layer, tags={}, publish=False)
    expected = np.where(reach == 1, made.surface.values, 255)
    assert np.array_equal(read_places(tmp_path).values, expected)


def test_no_own_transmitter_leaves_the_territory_unserved(made):
    foreign = made._replace(transmitters=made.transmitters.assign(country=("transmitter", ["AT"] * 14)))
    result = coverage_of(foreign)
    home = made.surface.values == 1
    assert np.isnan(result["levels"].values[:, home]).all()
    assert (result["classes"].values[:2, home] == 0).all()


def test_no_transmitter_in_the_channel_gives_an_empty_map(made):
    nobody = made.transmitters.isel(transmitter=slice(0, 0))
    planning = made.planning._replace(ratio_db=np.zeros((2, 0)))
    result = coverage_of(Scene(made.surface, nobody, {}, planning))
    assert np.isnan(result["levels"].values).all()
    assert (result["classes"].values[1] == 0).all()


def test_reception_of_either_percentage_of_time_is_served():
    """By hand: three pixels served at 1 %, at 50 %, at neither; q1 the larger, the nuisance of both kept."""
    rows, cols = slice(0, 1), slice(0, 3)
    levels = np.zeros((2, len(LEVEL_BANDS), 1, 3), np.float32)
    levels[0, 2:4], levels[1, 2:4] = 50.0, 44.0
    levels[:, -1, 0] = [[0.8, 0.3, np.nan], [0.9, 0.75, np.nan]]
    classes = np.zeros((2, 3, 1, 3), np.uint16)
    classes[:, 0, 0] = [[1, 0, 65535], [1, 1, 65535]]
    (merged,) = merge_times(*(iter([(rows, cols, levels[i].copy(), classes[i].copy())]) for i in (0, 1)))
    assert merged[3][0, 0].tolist() == [1, 1, 65535]
    assert merged[2][5, 0, :2].tolist() == pytest.approx([0.9, 0.75])
    assert merged[2][2, 0].tolist() == [50.0] * 3
    assert merged[2][6:, 0].tolist() == [[44.0] * 3] * 2
