"""Fields from loss tables: linear between nodes, and never above the bound of their tile."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.coverage.loss_lookup import (
    Losses,
    PolarTable,
    largest_field_dbuvm,
    lookup_room,
    pack_losses,
    table_fields,
    tables_of,
)
from pipeline.terrain.loss_tables import LossTable
from pipeline.terrain.polar_nodes import even_ranges, node_km, octave_ranges

FULL, SECTOR = (0.0, 4.5, 80), (340.0, 2.0, 31)


def tables_of_masts(rng: np.random.Generator, shape: tuple[float, float, int]) -> list[LossTable]:
    """Two stations with three percentages of time each; neighbouring nodes have nothing in common."""
    first_deg, step_deg, radials = shape
    ranges = (even_ranges(0.0, 0.9, 45), octave_ranges(7.2, 65.0, 8.0, 3, 1.0 / 0.9))
    return [
        LossTable(
            first_deg, step_deg, nodes, rng.integers(500, 20_000, (3, radials, nodes.nodes), dtype=np.uint16)
        )
        for nodes in ranges
    ]


def fields(losses: Losses, t: int, time: int, d_km: NDArray, az_deg: NDArray) -> NDArray[np.float64]:
    found = np.full(d_km.size, np.nan)
    table_fields(losses, t, time, d_km, az_deg, found, lookup_room(d_km.size))
    return found


def by_definition(table: LossTable, codes: NDArray[np.uint16], d_km: float, az_deg: float) -> float:
    """By the four nodes: E = 139.36 + 20 log f - L, L = 92.4 + 20 log f_GHz + 20 log d + excess."""
    radials, ranges = codes.shape
    bearing = ((az_deg - table.first_deg) % 360.0) / table.step_deg
    km = node_km(table.ranges)
    within_km = min(max(d_km, km[0]), km[-1])
    i, j = math.floor(bearing), min(int(np.searchsorted(km, within_km, "right")) - 1, ranges - 2)
    excess_db = 0.01 * codes.astype(float) - 10.0
    across, onward = bearing - i, (within_km - km[j]) / (km[j + 1] - km[j])
    total = 0.0
    for k, weight in ((i % radials, 1 - across), ((i + 1) % radials, across)):
        total += weight * ((1 - onward) * excess_db[k, j] + onward * excess_db[k, j + 1])
    return 139.36 + 60.0 - 92.4 - 20.0 * math.log10(d_km) - total


@pytest.mark.parametrize("shape", [FULL, SECTOR])
def test_fields_are_linear_in_db_between_four_nodes(shape: tuple[float, float, int]) -> None:
    rng = np.random.default_rng(2)
    tables = tables_of_masts(rng, shape)
    width_deg = min(360.0, shape[1] * (shape[2] - 1))
    d_km, az_deg = rng.uniform(0.05, 60.0, 400), shape[0] + rng.uniform(0.0, width_deg, 400)
    for ordinary in (0, 1):
        losses = pack_losses(tables_of(tables, ordinary))
        for t, table in enumerate(tables):
            for time, codes in enumerate((table.codes[0], table.codes[1 + ordinary])):
                expected = [by_definition(table, codes, *place) for place in zip(d_km, az_deg, strict=True)]
                # 17 bits of a place between two nodes, which differ by up to 195 dB here.
                np.testing.assert_allclose(fields(losses, t, time, d_km, az_deg), expected, rtol=0, atol=2e-3)


def test_node_holds_its_loss_and_azimuths_may_turn() -> None:
    tables = tables_of_masts(np.random.default_rng(3), FULL)
    losses = pack_losses(tables_of(tables))
    d_km, az_deg = np.full(3, 9.0), np.array([45.0, 405.0, -315.0])
    expected = 106.96 - 20.0 * math.log10(9.0) - (0.01 * float(tables[0].codes[0, 10, 10]) - 10.0)
    np.testing.assert_allclose(fields(losses, 0, 0, d_km, az_deg), expected, rtol=0, atol=2e-3)


def test_equal_losses_leave_the_law_of_distance() -> None:
    """The logarithm is a series of its own: it must hold in every octave, and closely."""
    table = LossTable(0.0, 90.0, even_ranges(0.0, 0.5, 64), np.full((2, 4, 64), 1000, np.uint16))
    d_km = np.geomspace(0.001, 999.0, 5000)
    found = fields(pack_losses(tables_of([table])), 0, 0, d_km, np.linspace(0.0, 359.9999, d_km.size))
    np.testing.assert_allclose(found, 106.96 - 20.0 * np.log10(d_km), rtol=0, atol=3e-5)


def test_octaves_have_equal_steps_and_nodes_at_whole_km() -> None:
    ranges = octave_ranges(15.0, 400.0, 8.0, 6)
    km = node_km(ranges)
    assert km[0] == 15.0
    assert km[-2] <= 400.0 < km[-1]
    octave = np.floor(np.log2(km[:-1] + 8.0))
    np.testing.assert_array_equal(np.diff(km), 2.0**octave / 64)
    near = node_km(octave_ranges(0.0, 20.0, 8.0, 6))
    assert set(range(9)) | {15} <= set(near.tolist())
    np.testing.assert_allclose(node_km(even_ranges(7.2, 0.9, 45)), 7.2 + 0.9 * np.arange(45), atol=1e-6)


@pytest.mark.parametrize("azimuth_deg", [0.0, 359.9999999, 360.0, -1e-12, 90.0])
def test_nodes_of_octaves_hold_their_loss(azimuth_deg: float) -> None:
    rng = np.random.default_rng(6)
    ranges = octave_ranges(15.0, 300.0, 8.0, 6)
    codes = rng.integers(0, 20_000, (720, ranges.nodes), dtype=np.uint16)
    losses = pack_losses([PolarTable(0.0, 0.5, ranges, -60.0, (None, codes))])
    km = node_km(ranges)
    found = fields(losses, 0, 1, km, np.full(km.size, azimuth_deg))
    row = round(azimuth_deg / 0.5) % 720
    expected = 106.96 - 20.0 * np.log10(km) - (0.01 * codes[row] - 60.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-3)


@pytest.mark.parametrize("shape", [FULL, SECTOR])
def test_no_field_exceeds_the_bound_of_its_part(shape: tuple[float, float, int]) -> None:
    rng = np.random.default_rng(5)
    losses = pack_losses(tables_of(tables_of_masts(rng, shape)))
    width_deg = min(360.0, shape[1] * (shape[2] - 1))
    gaps = []
    for _ in range(300):
        near_km = rng.uniform(0.001, 45.0)
        far_km = near_km + rng.uniform(0.0, 12.0)
        from_deg = shape[0] + rng.uniform(0.0, width_deg)
        to_deg = min(from_deg + rng.choice([0.5, 10.0, 90.0, 359.0]), shape[0] + width_deg)
        d_km = np.append(rng.uniform(near_km, far_km, 60), [near_km, far_km])
        az_deg = np.append(rng.uniform(from_deg, to_deg, 60), [from_deg, to_deg])
        turn_deg = 360.0 * rng.integers(-1, 2)
        for t in range(2):
            for time in range(2):
                bound = largest_field_dbuvm(
                    losses, t, time, near_km, far_km, from_deg + turn_deg, to_deg + turn_deg
                )
                found = fields(losses, t, time, d_km, az_deg)
                # Single precision between the nodes; bounds of a tile have a hundredth in hand.
                assert found.max() <= bound + 3e-4
                gaps.append(bound - found.max())
    # Not the bound of free space: what the blocks know counts.
    assert np.median(gaps) < 60.0
