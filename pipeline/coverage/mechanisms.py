"""What decides the field of the best server at each pixel, by the tables of its mast (P.1812 alone).

A mechanism is that of one path, and cannot be interpolated: a pixel has the one of the node nearest to it in
azimuth and distance (docs/method.md, section 41).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.grid.geodesy import lattice, pixel_frames, rays, site_frame
from pipeline.grid.grid import Grid, strips_of_rows
from pipeline.terrain.loss_tables import RegimeTable
from pipeline.terrain.polar_nodes import node_km


class Server(NamedTuple):
    """A transmitter's place in degrees, and the table of its mast."""

    lon_deg: float
    lat_deg: float
    table: RegimeTable


def mechanisms_of(
    grid: Grid, servers: NDArray[np.uint16], stations: Mapping[int, Server]
) -> NDArray[np.uint8]:
    """Regimes of P.1812 by pixel of the grid, 0 without a server; ``stations`` by their number."""
    found = np.zeros(servers.shape, np.uint8)
    for rows in strips_of_rows(0, grid.height):
        present = [int(number) for number in np.unique(servers[rows]) if number > 0]
        if not present:
            continue
        positions_m = _positions_m(grid, rows)
        strip, regimes = servers[rows].ravel(), found[rows].reshape(-1)
        for number in present:
            pixels = np.flatnonzero(strip == number)
            regimes[pixels] = _nearest(stations[number], np.ascontiguousarray(positions_m[:, pixels]))
    return found


def _positions_m(grid: Grid, rows: slice) -> NDArray[np.float64]:
    """Geocentric positions [3, pixel] of some rows."""
    area = lattice(grid, rows)
    frames = np.empty((11, rows.stop - rows.start, grid.width))
    pixel_frames(area.step_px, area.first_row, area.first_col, area.nodes, rows.start, 0, frames)
    return frames[:3].reshape(3, -1)


def _nearest(station: Server, positions_m: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Regimes at the nodes nearest to places [3, n]; beyond a sector or the last range those of its edge."""
    table, count = station.table, positions_m.shape[1]
    d_km, az_deg = np.empty(count), np.empty(count)
    rays(site_frame(station.lon_deg, station.lat_deg), positions_m, d_km, az_deg)
    radials = table.regimes.shape[0]
    radial = np.rint(((az_deg - table.first_deg) % 360.0) / table.step_deg).astype(np.int64)
    if radials * table.step_deg > 360.0 - 1e-6:
        radial %= radials
    km = node_km(table.ranges)
    node = np.searchsorted(0.5 * (km[1:] + km[:-1]), d_km)
    nearest: NDArray[np.uint8] = table.regimes[np.minimum(radial, radials - 1), node]
    return nearest
