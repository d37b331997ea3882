"""P.1812-8 around a mast: 60 km at 90 m for 50 and 1 % of the time, on one core, in CPU seconds.

The Alpine tile N46E008 of the reference data beside the checkout, mirrored at its edges, else a rough
synthetic surface of the same size. Compiling is not counted. Then fields from the table at pixels of 100 m,
rays included, every tile far from the one before.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from scipy.ndimage import distance_transform_edt

from pipeline.coverage.loss_lookup import pack_losses, tables_of
from pipeline.grid.foreign_rasters import read_external
from pipeline.grid.geodesy import site_frames
from pipeline.grid.grid import Grid
from pipeline.terrain.elevation import from_external
from pipeline.terrain.loss_tables import LossTable, Waves, run
from pipeline.terrain.path_profiles import profile_ground
from pipeline.terrain.polar_nodes import loss_lattice
from pipeline.terrain.records import LonLatRaster, Mast, MastView
from tests.bench.common import cpu_s
from tests.bench.fields import sample_ns
from tests.bench.sweep import TILE, synthetic_surface

REACH_KM, STEP_KM = 60.0, 0.09
MAST = Mast("middle", 8.5, 46.5, 30.0, math.nan, math.nan)
SITES = site_frames(np.array([MAST.lon_deg]), np.array([MAST.lat_deg]))
WAVES = Waves(np.array([0.6]), np.array([50.0, 1.0]), False, 45.0, 325.0)
RECEIVER_M = 10.0
# A square of 82 km around the mast.
GRID = Grid("EPSG:32632", 100.0, 420_000.0, 5_191_000.0, 820, 820)
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
        "dem_step_sample_ns_per_pixel_per_transmitter": sample_ns(
            pack_losses(tables_of([table])), SITES, GRID
        ),
    }
