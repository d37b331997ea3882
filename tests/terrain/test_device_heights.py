"""Heights of pixels over their surroundings: shapes of which the means are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.terrain import device_lines
from pipeline.terrain.device_heights import class_heights_m, exact_excess_m, height_classes
from pipeline.terrain.device_lines import RingSettings
from pipeline.terrain.records import LonLatRaster
from tests.dask_cluster import as_on_a_worker

GRID = Grid("EPSG:3794", 100.0, 500_000.0, 100_000.0, 3, 3)
ALL = np.ones((3, 3), bool)
RINGS = RingSettings(24, (1.0, 2.0, 4.0, 7.0, 11.0, 15.0))
STEP_DEG = 0.002


def surface(height_of) -> LonLatRaster:
    """A terrain model of 222 x 155 m cells; ``height_of`` km east and north of the middle pixel."""
    lon, lat = (float(value.item()) for value in GRID.lonlat_deg(slice(1, 2), slice(1, 2)))
    west, north = lon - 0.25, lat + 0.18
    x, y = np.meshgrid(west + (np.arange(250) + 0.5) * STEP_DEG, north - (np.arange(180) + 0.5) * STEP_DEG)
    east_m, north_m = GRID.from_lonlat().transform(x, y)
    centre = GRID.west_m + 150.0, GRID.north_m - 150.0
    values = height_of((east_m - centre[0]) / 1000.0, (north_m - centre[1]) / 1000.0)
    return LonLatRaster(np.broadcast_to(values, x.shape).astype(np.float32), west, north, STEP_DEG, STEP_DEG)


def test_cone_by_hand():
    """600 m at the top, 30 m a km down: mean from a to b km lies 15 (a + b) m below the top."""
    cone = surface(lambda e, n: 600.0 - 30.0 * np.hypot(e, n))
    for d_km, below_m in ((20.0, 15.0 * 18.0), (10.0, 15.0 * 12.0), (2.0, 15.0 * 2.4)):
        ground_m, excess_m = exact_excess_m(cone, GRID, (1, 1), 45.0, d_km)
        nodes = 0.25 * 15.0 * 1.2 if d_km < 15 else 0.0
        # The tip is cut off by the cells of the terrain model.
        blunt_m = 600.0 - ground_m
        assert 0.0 <= blunt_m < 5.0
        assert below_m - blunt_m - 0.5 < excess_m < below_m - blunt_m + nodes + 0.5


def test_step_is_seen_from_one_side():
    """A plateau of 200 m east of the pixel's west, the plain to the west at 0."""
    step = surface(lambda e, n: np.where(e > -1.0, 200.0, 0.0))
    heights_m = class_heights_m(30.0, 1.25)
    ((classes,),) = height_classes(step, GRID, ALL, RINGS, [heights_m - 30.0])
    by_sector = heights_m[classes[4].reshape(24, 7)]
    assert (by_sector[:12] == 30.0).all()  # north over east to south
    assert by_sector[17, 6] >= 230.0 - 1.0  # due west, 15 km and beyond: 200 m above the mean
    assert by_sector[17, 6] <= 230.0 * 1.25
    assert by_sector[17, 0] > 30.0


def test_classes_cover_the_exact_height():
    rng = np.random.default_rng(5)
    rough = surface(
        lambda e, n: 300.0 + 200.0 * np.sin(e * 1.3) * np.cos(n * 0.7) + 60.0 * rng.random(e.shape)
    )
    heights_m = class_heights_m(30.0, 1.25)
    ((classes,),) = height_classes(rough, GRID, ALL, RINGS, [heights_m - 30.0])
    for _ in range(300):
        place, azimuth_deg = tuple(rng.integers(0, 3, 2)), float(rng.uniform(0, 360))
        d_km = float(np.exp(rng.uniform(math.log(0.09), math.log(40.0))))
        _, excess_m = exact_excess_m(rough, GRID, place, azimuth_deg, d_km)
        cell = int(azimuth_deg // 15) * 7 + int(np.digitize(d_km, RINGS.edges_km))
        assert heights_m[classes[place[0] * 3 + place[1], cell]] >= 30.0 + min(excess_m, 2970.0)


def test_flat_land_is_the_lowest_class_at_any_height():
    for level_m in (0.0, 0.1, 317.3, 1234.567):
        ((classes,),) = height_classes(
            surface(lambda e, n, level_m=level_m: level_m),
            GRID,
            ALL,
            RINGS,
            [class_heights_m(30.0, 1.25) - 30.0],
        )
        assert (classes == 0).all()


def test_class_heights_end_at_3000_m():
    heights_m = class_heights_m(30.0, 1.25)
    assert heights_m[:2].tolist() == [30.0, 37.5]
    assert heights_m[-1] == 3000.0
    assert (np.diff(heights_m) > 0.0).all()


def test_void_below_a_pixel_is_refused_or_filled():
    void = surface(lambda e, n: np.where(np.hypot(e, n) < 1.0, np.nan, 100.0))
    levels = [class_heights_m(30.0, 1.25) - 30.0]
    with pytest.raises(InputError, match=r"terrain has a void below the territory"):
        next(height_classes(void, GRID, ALL, RINGS, levels))
    ((classes,),) = height_classes(void, GRID, ALL, RINGS, levels, void_m=400.0)
    assert class_heights_m(30.0, 1.25)[classes[4, 6]] >= 330.0


def test_unknown_surroundings_take_the_lowest_known_height():
    half = surface(lambda e, n: np.where(e > 3.0, np.nan, np.where(n > 2.0, 50.0, 300.0)))
    heights_m = class_heights_m(30.0, 1.25)
    ((classes,),) = height_classes(half, GRID, ALL, RINGS, [heights_m - 30.0])
    east = heights_m[classes[4].reshape(24, 7)[5, 6]]
    assert east >= 280.0 - 30.0


def test_means_beyond_15_km_alone_are_those_of_the_last_ring():
    rough = surface(lambda e, n: 300.0 + 250.0 * np.sin(e * 0.9) * np.cos(n * 0.6))
    excess_m = [class_heights_m(30.0, 1.1) - 30.0]
    ((every,),) = height_classes(rough, GRID, ALL, RINGS, excess_m)
    ((far,),) = height_classes(rough, GRID, ALL, RingSettings(24, (), far_only=True), excess_m)
    assert (far == every[:, 6::7]).all()
    assert far.max() > far.min()


def test_terrain_of_one_row_or_one_column_is_as_if_repeated():
    """Positions beyond the terrain model take its edge; of a model of one row both edges are that row."""
    hilly = surface(lambda e, n: 300.0 + 100.0 * np.sin(e) * np.cos(n))
    heights_m = class_heights_m(30.0, 1.25)
    for part in (np.s_[90:91, :], np.s_[:, 125:126]):
        one = hilly._replace(values=np.ascontiguousarray(hilly.values[part]))
        two = one._replace(values=np.repeat(one.values, 2, axis=0 if one.values.shape[0] == 1 else 1))
        found, wanted = (next(height_classes(it, GRID, ALL, RINGS, [heights_m - 30.0])) for it in (one, two))
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("strip_px", [1, 7, 30])
def test_strips_hold_the_same_classes_whatever_their_height_and_place(strip_px, monkeypatch):
    rough = surface(lambda e, n: 300.0 + 250.0 * np.sin(e * 0.9) * np.cos(n * 0.6))
    grid, rng = GRID._replace(height=30, width=70), np.random.default_rng(2)
    inside, excess_m = (
        rng.random(grid.shape) < 0.7,
        [class_heights_m(base_m, 1.25) for base_m in (10.0, 30.0)],
    )
    (wanted,) = height_classes(rough, grid, inside, RINGS, excess_m, strip_px=grid.height, threads=2)
    strips = list(height_classes(rough, grid, inside, RINGS, excess_m, strip_px=strip_px, threads=2))
    assert len(strips) == -(-grid.height // strip_px)
    as_on_a_worker(monkeypatch)
    assert all(
        np.array_equal(strip, other)
        for strip, other in zip(
            strips, height_classes(rough, grid, inside, RINGS, excess_m, strip_px=strip_px), strict=True
        )
    )
    for base in range(2):
        np.testing.assert_array_equal(np.concatenate([strip[base] for strip in strips]), wanted[base])


@pytest.mark.parametrize("nodes", range(10))
def test_each_node_of_a_ring_may_have_its_largest_mean(nodes):
    """Means that are largest at one node after another, and what was there before."""
    mean_m = np.random.default_rng(2).random((12, device_lines.LANES)).astype(np.float32)
    for node in range(1, 1 + nodes):
        mean_m[node, node] = 2.0
    before_m = np.full(device_lines.LANES, 0.9, np.float32)
    found_m = before_m.copy()
    device_lines._raise_to_largest(mean_m, 1, nodes, found_m)
    assert np.array_equal(found_m, np.vstack([before_m, mean_m[1 : 1 + nodes]]).max(axis=0))
