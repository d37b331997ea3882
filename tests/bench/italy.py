"""Italy at 100 m with a generated network: the stages of a sampled channel and availability, time and memory.

The islands south of 36 N are left out: the terrain ends at 35 N, inside their padded grid. Default settings:
one device, sea paths, two cores. Each stage runs as a process of its own, as in the workflow. Combination and
availability read the maps of many channels: those that are not sampled are copies of the sampled one. At the
end a station of the channel is removed, some times another one, and its channel computed again.
"""

from __future__ import annotations

import csv
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import yaml
from affine import Affine

from pipeline.grid import raster
from pipeline.grid.kept_records import parts_by_job
from pipeline.plan.plan import load_plan, tiles_of
from pipeline.territory.codes import Surface
from tests.bench.common import shared_folder
from tests.bench.italy_network import CHANNELS, TELEVISION_ALONE, write_network

SOUTH_DEG = 36.0
BOX_DEG = (6.0, SOUTH_DEG, 19.0, 47.5)
CHANNEL = 30
CORES = 2
FOLDER = Path("build") / "bench-italy"
GIB_PER_KIB = 1.0 / 2**20
EXTRA_COLUMNS = 120  # one degree of 30"
CHANGED_STATIONS = 3
# Any that is the same: of code, settings and rows, none of which but the register changes.
KEY = ("--key", "code-settings-rows")

CONFIG = """
name: {name}
title: Italy, generated network for benchmarks
notice: Generated network, no real station is meant.
territory:
  home: [IT]
  polygons: {{path: {data}/boundaries_ne10m.gpkg}}
  bbox_deg: {box}
grid: {{crs: "EPSG:3035", resolution_m: {resolution_m}}}
population: {{raster: {data}/population_istat2023_30s.tif}}
terrain: {{dem: [{dem}]}}
registers: {{transmitters: [{register}]}}
"""


class Stage(NamedTuple):
    """What a process took."""

    wall_s: float
    cpu_s: float
    peak_gib: float


def measure() -> dict[str, float]:
    """Seconds per channel and 100,000 km2, those of each stage, and the peak memory of every stage."""
    config_path = write_territory(shared_folder() / "data" / "italy")
    threads = "--threads", str(CORES)
    stages = {"territory": run_stage("territory", config_path, *threads)}
    sweep(config_path)
    stages["heights"] = run_stage("heights", config_path, *threads)
    of_channel = ("--channel", str(CHANNEL), *KEY, *threads)
    for stage in ("coverage", "protect"):
        stages[stage] = run_stage(stage, config_path, *of_channel)
    copy_channel("protection", config_path)
    stages["combine"] = run_stage("combine", config_path, *of_channel)
    copy_channel("limits", config_path)
    copy_channel("public", config_path)
    stages["availability"] = run_stage("availability", config_path, *threads)
    surface = raster.read(FOLDER / "territory" / "surface.tif")
    area_km2 = np.count_nonzero(surface.values == Surface.HOME) * 0.1**2
    without_s = stages["coverage"].wall_s + stages["protect"].wall_s
    return {
        "italy_100m_s_per_channel_per_100000_km2": without_s / (area_km2 / 1e5),
        "italy_100m_with_combination_s_per_channel_per_100000_km2": (without_s + stages["combine"].wall_s)
        / (area_km2 / 1e5),
        "italy_100m_availability_s": stages["availability"].wall_s,
        "italy_100m_peak_gib": max(stage.peak_gib for stage in stages.values()),
        **{f"italy_100m_{name}_wall_s": stage.wall_s for name, stage in stages.items()},
        **{f"italy_100m_{name}_cpu_s": stage.cpu_s for name, stage in stages.items()},
        **{f"italy_100m_{name}_peak_gib": stage.peak_gib for name, stage in stages.items()},
        "italy_100m_area_km2": float(area_km2),
        **change_stations(config_path, of_channel),
    }


def change_stations(config_path: Path, options: Sequence[str]) -> dict[str, float]:
    """Medians over stations removed one after another: processor seconds of the stages of their channel.

    And the share of the parts of maps that was computed anew. Terrain of the others is there.
    """
    register, found = FOLDER / "transmitters.csv", dict[str, list[float]]()
    lines = register.read_text(encoding="utf-8").splitlines()
    ids = [row["id"] for row in csv.DictReader(lines) if row["channel"] == str(CHANNEL)]
    for station in ids[:: -(-len(ids) // CHANGED_STATIONS)]:
        lines = [line for line in lines if not line.startswith(f"{station},")]
        register.write_text("\n".join(lines) + "\n", encoding="utf-8")
        for stage in ("coverage", "protect", "combine"):
            took = run_stage(stage, config_path, *options)
            found.setdefault(f"italy_100m_changed_station_{stage}_cpu_s", []).append(took.cpu_s)
        for folder, jobs in parts_by_job(FOLDER).items():
            for counts in (its for name, its in jobs.items() if f"ch{CHANNEL}" in name):
                share = counts["computed"] / max(sum(counts.values()), 1)
                found.setdefault(f"italy_100m_changed_station_{folder}_computed", []).append(share)
    return {name: statistics.median(values) for name, values in found.items()}


def copy_channel(folder: str, config_path: Path) -> None:
    """Files of the sampled channel in place of those of all channels of the register and of the devices."""
    for path in sorted((config_path.parent / folder).glob(f"*ch{CHANNEL}*")):
        for channel in {*CHANNELS, *load_plan(config_path).config.channels.wsd} - {CHANNEL}:
            place = path.with_name(path.name.replace(f"ch{CHANNEL}", f"ch{channel}"))
            place.unlink(missing_ok=True)
            place.hardlink_to(path)


def write_territory(
    data: Path, folder: Path = FOLDER, box_deg: Sequence[float] = BOX_DEG, resolution_m: float = 100.0
) -> Path:
    """Register and territory file of the benchmark, or of a part of it; returns the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    register = folder / "transmitters.csv"
    write_network(data, register, south_deg=SOUTH_DEG)
    text = CONFIG.format(
        name=folder.name,
        data=data,
        box=list(box_deg),
        resolution_m=resolution_m,
        register=register,
        dem=widen_terrain(data / "dem_globe_30s.tif", folder / "dem.tif"),
    )
    text += TELEVISION_ALONE
    # Receivers and device as in the default territory.
    shipped = yaml.safe_load(Path("configs/slovenia.yaml").read_text(encoding="utf-8"))
    text += yaml.safe_dump({"coverage": shipped["coverage"], "devices": shipped["devices"][:1]})
    config_path = folder / "italy.yaml"
    config_path.write_text(text, encoding="utf-8")
    return config_path


def widen_terrain(source: Path, out: Path) -> Path:
    """A copy of the terrain with its first column repeated westwards, its last one eastwards.

    The northern corners of the padded grid reach beyond 5 E and 20 E, over foreign land without servers.
    """
    with rasterio.open(source) as dem:
        heights_m, profile = dem.read(1), dem.profile
    wider_m = np.pad(heights_m, ((0, 0), (EXTRA_COLUMNS, EXTRA_COLUMNS)), mode="edge")
    place = profile["transform"] * Affine.translation(-EXTRA_COLUMNS, 0)
    with rasterio.open(out, "w", **(profile | {"width": wider_m.shape[1], "transform": place})) as copy:
        copy.write(wider_m, 1)
    return out


def sweep(config_path: Path) -> None:
    """Terrain of all squares that the sampled channel needs."""
    tiles = sorted(tiles_of(load_plan(config_path), CHANNEL))
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(lambda tile: run_stage("terrain", config_path, "--tile", tile), tiles))


def run_stage(stage: str, config_path: Path, *options: str) -> Stage:
    """One stage as a process; its files stand beside the territory file."""
    command = [sys.executable, "-m", "pipeline", "job", stage, "--config", str(config_path)]
    started_s = time.perf_counter()
    process = subprocess.Popen([*command, "--build", str(config_path.parent), *options])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    wall_s = time.perf_counter() - started_s
    return Stage(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * GIB_PER_KIB)
