"""Tables of losses around a mast: the lattice, samples against means by hand, bounds below all samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.propagation.loss_tables import (
    BLOCK_NODES,
    PolarLattice,
    count_of,
    least_loss_db,
    loss_table,
    polar_lattice,
    sample_losses,
)

LATTICE = PolarLattice(radials=37, ranges=41, stride=3, sample_km=0.25)
COUNTS = np.random.default_rng(1).integers(5000, 30000, (37, 41)).astype(np.uint16)
TABLE = loss_table(LATTICE, COUNTS)


def test_lattice_has_one_step_in_range_and_arc():
    assert polar_lattice(60.0, 0.09) == (4189, 668, 1, 0.09)
    small = polar_lattice(0.1, 0.09)
    assert small.samples == small.ranges == 3


@pytest.mark.parametrize(("reach_km", "stride"), [(150.0, 1), (400.0, 2), (1000.0, 9)])
def test_lattice_thins_radials_before_ranges(reach_km, stride):
    lattice = polar_lattice(reach_km, 0.09)
    assert lattice.stride == stride
    assert lattice.radials * lattice.ranges <= 12_000_000
    assert lattice.samples * 0.09 >= reach_km
    assert 2 * math.pi * reach_km / lattice.radials <= 8.01 * 0.09


def test_counts_are_the_nearest_and_do_not_wrap():
    assert [count_of(x) for x in (120.004, 120.0051, 700.0, -3.0)] == [12000, 12001, 65535, 0]


def sampled(d_km, az_deg):
    loss_db = np.empty(len(d_km))
    sample_losses(TABLE, np.array(d_km, float), np.array(az_deg, float), loss_db)
    return loss_db


def test_nodes_have_their_losses():
    turn_deg = 360.0 / 37
    for k, n in [(0, 0), (5, 7), (36, 40), (36, 0), (12, 40)]:
        assert sampled([n * 0.75], [k * turn_deg]) == pytest.approx(0.01 * COUNTS[k, n], abs=1e-9)


def test_samples_are_means_of_four_nodes_by_their_distance():
    rng = np.random.default_rng(2)
    d_km, az_deg = rng.uniform(0, 30.0, 500), rng.uniform(0, 360.0, 500)
    for d, az, found in zip(d_km, az_deg, sampled(d_km, az_deg), strict=True):
        n, k = math.floor(d / 0.75), math.floor(az * 37 / 360)
        w, v = d / 0.75 - n, az * 37 / 360 - k
        corners = [COUNTS[k, n], COUNTS[(k + 1) % 37, n], COUNTS[k, n + 1], COUNTS[(k + 1) % 37, n + 1]]
        weights = [(1 - v) * (1 - w), v * (1 - w), (1 - v) * w, v * w]
        assert found == pytest.approx(0.01 * np.dot(np.array(corners, float), weights), abs=1e-9)


def test_no_seam_in_the_north_and_no_step_at_the_last_range():
    north = sampled([3.1, 3.1, 3.1], [0.0, 360.0, 359.9999999])
    np.testing.assert_allclose(north, north[0], atol=1e-4)
    end = sampled([30.0, 29.9999999, 500.0], [77.0, 77.0, 77.0])
    np.testing.assert_allclose(end, end[0], atol=1e-4)


def test_least_of_each_block():
    assert TABLE.least.shape == (3, 3)
    assert TABLE.least[1, 2] == COUNTS[BLOCK_NODES : 2 * BLOCK_NODES, 2 * BLOCK_NODES :].min()
    assert TABLE.least[2, 0] == COUNTS[2 * BLOCK_NODES :, :BLOCK_NODES].min()


@pytest.mark.parametrize("seed", range(40))
def test_no_sample_lies_below_its_bound(seed):
    rng = np.random.default_rng(seed)
    from_km, from_deg = rng.uniform(0, 31.0), rng.uniform(-360, 360)
    to_km, to_deg = from_km + rng.exponential(4.0), from_deg + rng.exponential(60.0)
    bound_db = least_loss_db(TABLE, from_km, to_km, from_deg, to_deg)
    d_km = np.append(rng.uniform(from_km, to_km, 2000), [from_km, to_km])
    az_deg = np.append(rng.uniform(from_deg, to_deg, 2000), [from_deg, to_deg])
    assert (sampled(d_km, az_deg % 360.0) >= bound_db - 1e-9).all()
    # It is a loss of the table, the whole of which is not asked for a small window.
    assert round(100 * bound_db) in COUNTS


def test_bound_of_a_small_window_is_that_of_one_block():
    inside = least_loss_db(TABLE, 3.0, 3.5, 60.0, 61.0)
    assert inside == pytest.approx(0.01 * TABLE.least[0, 0], abs=1e-12)
    assert least_loss_db(TABLE, 0.0, 100.0, 0.0, 360.0) == pytest.approx(0.01 * COUNTS.min(), abs=1e-12)
