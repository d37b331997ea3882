"""Italy at 100 m with a generated network: coverage and protection of sampled channels, time and memory.

The islands south of 36 N are left out: the terrain ends at 35 N, inside their padded grid. Default settings:
one device, sea paths, two cores. Each stage runs as a process of its own, as in the workflow.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import rasterio
import yaml

from pipeline.grid import raster
from pipeline.plan.plan import load_plan, tiles_of
from pipeline.territory.codes import Surface
from tests.bench.common import shared_folder
from tests.bench.italy_network import write_network

SOUTH_DEG = 36.0
CHANNELS = (30,)
CORES = 2
FOLDER = Path("build") / "bench-italy"
GIB_PER_KIB = 1.0 / 2**20
EXTRA_COLUMNS = 120  # one degree of 30"

CONFIG = """
name: bench-italy
title: Italy, generated network for benchmarks
notice: Generated network, no real station is meant.
territory:
  home: [IT]
  polygons: {{path: {data}/boundaries_ne10m.gpkg}}
  bbox_deg: [6.0, {south}, 19.0, 47.5]
grid: {{crs: "EPSG:3035", resolution_m: 100.0}}
population: {{raster: {data}/population_istat2023_30s.tif}}
terrain: {{dem: [{dem}]}}
registers: {{transmitters: [{register}]}}
channels:
  plan: [{{first_channel: 21, last_channel: 69, first_centre_mhz: 474.0, width_mhz: 8.0}}]
  wsd: ["21-60"]
services:
  dtt: {{status: evaluate}}
  foreign_dtt: {{status: out_of_scope, reason: benchmark}}
  pmse: {{status: out_of_scope, reason: benchmark}}
  radio_astronomy: {{status: out_of_scope, reason: benchmark}}
  aeronautical: {{status: out_of_scope, reason: benchmark}}
  mobile: {{status: out_of_scope, reason: benchmark}}
  ppdr: {{status: out_of_scope, reason: benchmark}}
  fixed: {{status: out_of_scope, reason: benchmark}}
"""


def measure() -> dict[str, float]:
    """Seconds per channel and 100,000 km2 (coverage and protection), and the peak memory of any stage."""
    data = shared_folder() / "data" / "italy"
    config_path = write_territory(data)
    run_stage("territory", config_path, "--threads", str(CORES))
    sweep(config_path)
    surface = raster.read(FOLDER / "territory" / "surface.tif")
    area_km2 = np.count_nonzero(surface.values == Surface.HOME) * 0.1**2
    parts = {
        stage: [run_channel(stage, config_path, c) for c in CHANNELS] for stage in ("coverage", "protect")
    }
    per_channel_s = [sum(times) for times in zip(*parts.values(), strict=True)]
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "italy_100m_s_per_channel_per_100000_km2": statistics.median(per_channel_s) / (area_km2 / 1e5),
        "italy_100m_peak_gib": peak_kib * GIB_PER_KIB,
        "italy_100m_coverage_s_per_channel": statistics.median(parts["coverage"]),
        "italy_100m_protection_s_per_channel": statistics.median(parts["protect"]),
        "italy_100m_area_km2": float(area_km2),
    }


def write_territory(data: Path) -> Path:
    """Register and territory file of the benchmark; returns the latter."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    register = FOLDER / "transmitters.csv"
    write_network(data, register, south_deg=SOUTH_DEG)
    dem = widen_terrain(data / "dem_globe_30s.tif", FOLDER / "dem.tif")
    text = CONFIG.format(data=data, south=SOUTH_DEG, register=register, dem=dem)
    # Receivers and device as in the default territory.
    shipped = yaml.safe_load(Path("configs/slovenia.yaml").read_text(encoding="utf-8"))
    text += yaml.safe_dump({key: shipped[key] for key in ("coverage", "devices")})
    config_path = FOLDER / "italy.yaml"
    config_path.write_text(text, encoding="utf-8")
    return config_path


def widen_terrain(source: Path, out: Path) -> Path:
    """A copy of the terrain with its last column repeated eastwards.

    The north-east corner of the padded grid reaches beyond 20 E, over foreign land without servers.
    """
    with rasterio.open(source) as dem:
        heights_m, profile = dem.read(1), dem.profile
    wider_m = np.pad(heights_m, ((0, 0), (0, EXTRA_COLUMNS)), mode="edge")
    with rasterio.open(out, "w", **(profile | {"width": wider_m.shape[1]})) as copy:
        copy.write(wider_m, 1)
    return out


def sweep(config_path: Path) -> None:
    """Terrain of all squares that the sampled channels need."""
    plan = load_plan(config_path)
    tiles = sorted({tile for channel in CHANNELS for tile in tiles_of(plan, channel)})
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(lambda tile: run_stage("terrain", config_path, "--tile", tile), tiles))


def run_channel(stage: str, config_path: Path, channel: int) -> float:
    """Seconds of one stage of one channel on all cores."""
    return run_stage(stage, config_path, "--channel", str(channel), "--threads", str(CORES))


def run_stage(stage: str, config_path: Path, *options: str) -> float:
    """Seconds of one stage as a process."""
    command = [sys.executable, "-m", "pipeline", "job", stage, "--config", str(config_path)]
    started_s = time.perf_counter()
    subprocess.run([*command, "--build", str(FOLDER), *options], check=True)
    return time.perf_counter() - started_s
