"""Mechanism of the wanted field: of each pixel that of the node nearest to it, by geodesics of their own."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod, Transformer

from pipeline.coverage.mechanisms import Server, mechanisms_of
from pipeline.grid.grid import Grid
from pipeline.terrain.loss_tables import RegimeTable
from pipeline.terrain.polar_nodes import even_ranges

# More rows than a strip, more than one lattice cell, odd numbers of pixels.
GRID = Grid("EPSG:3794", 200.0, 460_000.0, 160_000.0, 37, 301)
FULL, SECTOR = (0.0, 4.5, 80), (150.0, 2.0, 31)


def station(place: tuple[float, float], shape: tuple[float, float, int], seed: int) -> Server:
    first_deg, step_deg, radials = shape
    regimes = np.random.default_rng(seed).integers(1, 5, (radials, 45), dtype=np.uint8)
    return Server(*place, RegimeTable(first_deg, step_deg, even_ranges(1.8, 0.9, 45), regimes))


def by_definition(server: Server, lon_deg: float, lat_deg: float) -> tuple[int, float]:
    """Regime at the nearest node, and how near the place lies to half-way between two, in steps."""
    azimuth_deg, _, length_m = Geod(ellps="WGS84").inv(server.lon_deg, server.lat_deg, lon_deg, lat_deg)
    table = server.table
    radials, ranges = table.regimes.shape
    across = ((azimuth_deg - table.first_deg) % 360.0) / table.step_deg
    along = (length_m / 1000.0 - 1.8) / 0.9
    radial = round(across) % radials if radials * table.step_deg >= 360.0 else min(round(across), radials - 1)
    node = min(max(round(along), 0), ranges - 1)
    doubt = min(abs(value % 1.0 - 0.5) for value in (across, along))
    return int(table.regimes[radial, node]), doubt


@pytest.mark.parametrize("shape", [FULL, SECTOR])
def test_pixels_have_the_mechanism_of_the_nearest_node(shape: tuple[float, float, int]) -> None:
    stations = {2: station((14.55, 46.3), shape, 1), 7: station((14.62, 46.1), FULL, 2)}
    rng = np.random.default_rng(3)
    servers = rng.choice(np.array([0, 2, 7], np.uint16), GRID.shape)
    servers[40:90] = 0
    found = mechanisms_of(GRID, servers, stations)
    assert found.dtype == np.uint8
    to_lonlat = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
    looked_at = 0
    for row, col in zip(*(rng.integers(0, size, 600) for size in GRID.shape), strict=True):
        number = int(servers[row, col])
        if number == 0:
            assert found[row, col] == 0
            continue
        x_m, y_m = GRID.west_m + 200.0 * (col + 0.5), GRID.north_m - 200.0 * (row + 0.5)
        expected, doubt = by_definition(stations[number], *to_lonlat.transform(x_m, y_m))
        if doubt > 1e-3:
            assert found[row, col] == expected
            looked_at += 1
    assert looked_at > 300
