"""Speed of one radial sweep: 40 km around a mast at 90 m steps, clearance angle at every cell, one core.

``measure()`` sweeps the Alpine tile N46E008 of the reference data beside the checkout, else a rough synthetic
surface of the same size; compiling is not counted.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from pipeline.grid.foreign_rasters import read_external
from pipeline.terrain.elevation import from_external
from pipeline.terrain.records import LonLatRaster, Mast, MastView, SweepSettings
from pipeline.terrain.sweep import sweep_mast

TILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "srtm3" / "N46E008.tif"
REACH_KM = 40.0
STEP_KM = 0.09
SETTINGS = SweepSettings(tca="on", tca_step_km=STEP_KM, tca_arc_km=STEP_KM)
MAST = Mast("middle", 8.5, 46.5, 50.0, math.nan, math.nan)


def synthetic_surface() -> LonLatRaster:
    """3" heights with the roughness of mountains: random slopes at all scales, seed fixed."""
    size, step_deg = 1201, 1.0 / 1200.0
    random = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    spectrum = np.fft.rfft2(random.normal(size=(size, size))) / np.maximum(frequency, 1.0 / size) ** 1.8
    heights_m = np.fft.irfft2(spectrum, s=(size, size))
    heights_m = 1500.0 + 600.0 * (heights_m - heights_m.mean()) / heights_m.std()
    edge_deg = 0.5 * step_deg
    return LonLatRaster(heights_m.astype(np.float32), 8.0 - edge_deg, 47.0 + edge_deg, step_deg, step_deg)


def land_mask(elevation: LonLatRaster) -> LonLatRaster:
    """A mask at 0.0025 deg with sea in the west, so that the sections count too."""
    land = np.ones((400, 400), np.uint8)
    land[:, :100] = 0
    return LonLatRaster(land, elevation.west_deg, elevation.north_deg, 0.0025, 0.0025)


def measure(repeats: int = 5) -> dict[str, float]:
    """Median seconds of a whole sweep: effective heights, hb, sea sections and clearance angles."""
    elevation = from_external(read_external(TILE)) if TILE.is_file() else synthetic_surface()
    land, view = land_mask(elevation), MastView(0.0, 360.0, 0.0, REACH_KM)
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        sweep = sweep_mast(MAST, elevation, land, view, SETTINGS)
        seconds.append(time.perf_counter() - start)
    surface = TILE.stem if TILE.is_file() else "a synthetic surface"
    print(f"sweep of {surface}: {sweep.tca_counts.size} cells with clearance angle", file=sys.stderr)
    return {"sweep_s_per_site_40km_90m": statistics.median(seconds[1:])}


if __name__ == "__main__":
    print(measure())
