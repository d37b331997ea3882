"""P.1812-8 around a mast: 60 km at 90 m for 50 and 1 % of the time, on one core, in CPU seconds.

The Alpine tile N46E008 of the reference data beside the checkout, mirrored at its edges, else a rough
synthetic surface of the same size. Sampling the elevations and compiling are not counted. Then losses
from the table at pixels of 100 m, rays included, every tile far from the one before.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.ndimage import distance_transform_edt

from pipeline.grid.foreign_rasters import read_external
from pipeline.grid.geodesy import Lattice, lattice, pixel_frames, rays, site_frames
from pipeline.grid.grid import Grid
from pipeline.kernels import kernel
from pipeline.propagation.loss_tables import LossTable, loss_table, polar_lattice, sample_losses
from pipeline.propagation.p1812.climate import median_radius_km
from pipeline.propagation.p1812.polar_table import MastWave, polar_counts
from pipeline.terrain.elevation import from_external
from pipeline.terrain.path_profiles import profiles_around
from pipeline.terrain.records import LonLatRaster
from tests.bench.sweep import TILE, synthetic_surface

REACH_KM, STEP_KM = 60.0, 0.09
MAST = MastWave(46.5, 30.0, (10.0,), (0.6,), (50.0, 1.0), False, float(median_radius_km(45.0)), 325.0)
# A square of 82 km around the mast.
GRID = Grid("EPSG:32632", 100.0, 420_000.0, 5_191_000.0, 820, 820)
TILE_PX = 32
_EDGE_PX = 500


def surface() -> LonLatRaster:
    """Heights of one degree, voids as the nearest, and, mirrored, as much around it as the reach needs."""
    tile = from_external(read_external(TILE)) if TILE.is_file() else synthetic_surface()
    nearest = distance_transform_edt(np.isnan(tile.values), return_distances=False, return_indices=True)
    heights_m = np.pad(tile.values[tuple(nearest)], _EDGE_PX, mode="symmetric")
    west_deg = tile.west_deg - _EDGE_PX * tile.step_lon_deg
    north_deg = tile.north_deg + _EDGE_PX * tile.step_lat_deg
    return LonLatRaster(heights_m, west_deg, north_deg, tile.step_lon_deg, tile.step_lat_deg)


def measure(repeats: int = 3) -> dict[str, float]:
    """Seconds of a site, and microseconds of a receiver for both percentages together."""
    nodes = polar_lattice(REACH_KM, STEP_KM)
    profiles = profiles_around(surface(), None, (8.5, 46.5), nodes)
    counts = polar_counts(nodes, profiles, MAST)
    site_s = cpu_s(lambda: polar_counts(nodes, profiles, MAST), repeats)
    receivers = counts[0, 0, 0].size
    print(f"P.1812 around a mast: {receivers} receivers", file=sys.stderr)
    return {
        "p1812_us_per_receiver_pair": 1e6 * site_s / receivers,
        "p1812_site_60km_90m_s": site_s,
        "field_sample_ns_per_pixel_per_transmitter": sample_ns(loss_table(nodes, counts[0, 0, 1])),
    }


def cpu_s(function: Callable[[], object], repeats: int = 5) -> float:
    """Median CPU seconds of a call, after one call that compiles."""
    function()
    durations_s = []
    for _ in range(repeats):
        started_s = time.process_time()
        function()
        durations_s.append(time.process_time() - started_s)
    return statistics.median(durations_s)


def sample_ns(table: LossTable) -> float:
    """Time of one pixel, the frames of the pixels apart."""
    corners = np.random.default_rng(0).integers(0, 820 - TILE_PX, (400, 2))
    frame, area = site_frames(np.array([8.5]), np.array([46.5]))[0], lattice(GRID)
    apart_s = cpu_s(lambda: losses_of_tiles(table, frame, area, corners, with_losses=False))
    whole_s = cpu_s(lambda: losses_of_tiles(table, frame, area, corners, with_losses=True))
    return 1e9 * (whole_s - apart_s) / (len(corners) * TILE_PX * TILE_PX)


@kernel
def losses_of_tiles(
    table: LossTable, frame: np.ndarray, area: Lattice, corners: np.ndarray, with_losses: bool
) -> float:
    """Losses at the pixels of tiles; the frames alone without."""
    frames, total_db = np.empty((11, TILE_PX, TILE_PX)), 0.0
    d_km, az_deg, loss_db = np.empty((3, TILE_PX * TILE_PX))
    for row, col in corners:
        pixel_frames(area.step_px, area.first_row, area.first_col, area.nodes, row, col, frames)
        if with_losses:
            rays(frame, frames.reshape(11, -1)[:3], d_km, az_deg)
            sample_losses(table, d_km, az_deg, loss_db)
            total_db += loss_db[0]
    return total_db
