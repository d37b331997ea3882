"""P.1812-8 around a mast: 60 km at 90 m for 50 and 1 % of the time, on one core, in CPU seconds.

The Alpine tile N46E008 of the reference data beside the checkout, mirrored at its edges, else a rough
synthetic surface of the same size. Sampling the elevations and compiling are not counted.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np

from pipeline.grid.foreign_rasters import read_external
from pipeline.propagation.p1812.climate import INLAND, median_radius_km
from pipeline.propagation.p1812.polar_table import (
    MastWave,
    PolarLattice,
    RadialProfiles,
    polar_counts,
    polar_lattice,
)
from pipeline.terrain.elevation import from_external
from pipeline.terrain.radial import KNOT_KM, pixel_knots, sample_heights
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.sweep import frame_of
from tests.bench.sweep import TILE, synthetic_surface

REACH_KM, STEP_KM = 60.0, 0.09
MAST = MastWave(46.5, 30.0, (10.0,), (0.6,), (50.0, 1.0), False, float(median_radius_km(45.0)), 325.0)
_EDGE_PX = 500
_VOID_M = 2000.0


def surface() -> LonLatRaster:
    """Heights of one degree and, mirrored, of as much around it as the reach needs."""
    tile = from_external(read_external(TILE)) if TILE.is_file() else synthetic_surface()
    heights_m = np.pad(np.nan_to_num(tile.values, nan=_VOID_M), _EDGE_PX, mode="symmetric")
    west_deg = tile.west_deg - _EDGE_PX * tile.step_lon_deg
    north_deg = tile.north_deg + _EDGE_PX * tile.step_lat_deg
    return LonLatRaster(heights_m, west_deg, north_deg, tile.step_lon_deg, tile.step_lat_deg)


def profiles_of(elevation: LonLatRaster, lattice: PolarLattice) -> RadialProfiles:
    """Bare inland terrain along all radials."""
    terrain_m = np.empty((lattice.radials, lattice.samples), np.float32)
    col, row = np.empty((2, int(REACH_KM / KNOT_KM) + 3))
    for k in range(lattice.radials):
        azimuth_deg = 360.0 * k / lattice.radials
        pixel_knots(8.5, 46.5, azimuth_deg, frame_of(elevation), elevation.values.shape[1], col, row)
        sample_heights(elevation.values, col, row, 0, STEP_KM, terrain_m[k])
    zone = np.full(terrain_m.shape, INLAND, np.uint8)
    return RadialProfiles(terrain_m, np.zeros_like(terrain_m), zone)


def measure(repeats: int = 3) -> dict[str, float]:
    """Seconds of a site, and microseconds of a receiver for both percentages together."""
    lattice = polar_lattice(REACH_KM, STEP_KM)
    profiles = profiles_of(surface(), lattice)
    cpu_s = []
    for _ in range(repeats + 1):
        started_s = time.process_time()
        counts = polar_counts(lattice, profiles, MAST)
        cpu_s.append(time.process_time() - started_s)
    receivers = counts[0, 0, 0].size
    print(f"P.1812 around a mast: {receivers} receivers", file=sys.stderr)
    site_s = statistics.median(cpu_s[1:])
    return {"p1812_us_per_receiver_pair": 1e6 * site_s / receivers, "p1812_site_60km_90m_s": site_s}
