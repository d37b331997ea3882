"""P.1812-8 around a mast: 60 km at 90 m for 50 and 1 % of the time, on one core, in CPU seconds.

The Alpine tile N46E008 of the reference data beside the checkout, mirrored at its edges, else a rough
synthetic surface of the same size. Compiling is not counted. Then fields from the table at pixels of 100 m,
rays included, every tile far from the one before.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.ndimage import distance_transform_edt

from pipeline.coverage.loss_lookup import Losses, lookup_room, pack_losses, table_fields, tables_of
from pipeline.grid.foreign_rasters import read_external
from pipeline.grid.geodesy import Lattice, lattice, pixel_frames, rays, site_frames
from pipeline.grid.grid import Grid
from pipeline.kernels import kernel
from pipeline.terrain.elevation import from_external
from pipeline.terrain.loss_tables import LossTable, Waves, run
from pipeline.terrain.path_profiles import profile_ground
from pipeline.terrain.polar_nodes import loss_lattice
from pipeline.terrain.records import LonLatRaster, Mast, MastView
from tests.bench.sweep import TILE, synthetic_surface

REACH_KM, STEP_KM = 60.0, 0.09
MAST = Mast("middle", 8.5, 46.5, 30.0, math.nan, math.nan)
WAVES = Waves(np.array([0.6]), np.array([50.0, 1.0]), False, 45.0, 325.0)
RECEIVER_M = 10.0
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
    nodes = loss_lattice(STEP_KM, MastView(0.0, 360.0, 0.0, REACH_KM))
    elevation = surface()
    ground = profile_ground(elevation, elevation._replace(values=np.ones(elevation.values.shape, np.uint8)))
    codes = run(MAST, ground, nodes, WAVES, RECEIVER_M).codes
    site_s = cpu_s(lambda: run(MAST, ground, nodes, WAVES, RECEIVER_M), repeats)
    receivers = codes[0, 0].size
    print(f"P.1812 around a mast: {receivers} receivers", file=sys.stderr)
    table = LossTable(nodes.first_azimuth_deg, nodes.azimuth_step_deg, nodes.ranges, codes[0])
    return {
        "p1812_us_per_receiver_pair": 1e6 * site_s / receivers,
        "p1812_site_60km_90m_s": site_s,
        "dem_step_sample_ns_per_pixel_per_transmitter": sample_ns(pack_losses(tables_of([table]))),
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


def sample_ns(losses: Losses) -> float:
    """Time of one pixel, the frames of the pixels apart."""
    corners = np.random.default_rng(0).integers(0, 820 - TILE_PX, (400, 2))
    frame, area = site_frames(np.array([8.5]), np.array([46.5]))[0], lattice(GRID)
    apart_s = cpu_s(lambda: fields_of_tiles(losses, frame, area, corners, with_fields=False))
    whole_s = cpu_s(lambda: fields_of_tiles(losses, frame, area, corners, with_fields=True))
    return 1e9 * (whole_s - apart_s) / (len(corners) * TILE_PX * TILE_PX)


@kernel
def fields_of_tiles(
    losses: Losses, frame: np.ndarray, area: Lattice, corners: np.ndarray, with_fields: bool
) -> float:
    """Fields at the pixels of tiles; the frames alone without."""
    frames, total_dbuvm = np.empty((11, TILE_PX, TILE_PX)), 0.0
    (d_km, az_deg, field_dbuvm), room = np.empty((3, TILE_PX * TILE_PX)), lookup_room(TILE_PX * TILE_PX)
    for row, col in corners:
        pixel_frames(area.step_px, area.first_row, area.first_col, area.nodes, row, col, frames)
        if with_fields:
            rays(frame, frames.reshape(11, -1)[:3], d_km, az_deg)
            table_fields(losses, 0, 0, d_km, az_deg, field_dbuvm, room)
            total_dbuvm += field_dbuvm[0]
    return total_dbuvm
