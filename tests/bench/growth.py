"""How the stages of a channel grow: with pixels, stations and the range of devices. Fitted exponents.

Part of the generated network of Italy. Takes some twenty minutes, so that `make bench` leaves it out:
`python -m tests.bench growth`. A job takes a second and a half to start, which flattens what small ones show:
the exponents are those of what is above that.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from pipeline.dtt.channel_files import ChannelFiles, read_servers
from pipeline.dtt.limits import make_job
from pipeline.dtt.protection_maps import reach_px
from pipeline.grid.raster import read_grid
from pipeline.plan.plan import load_plan
from pipeline.reference.ratio_tables import read_protection_tables
from tests.bench.common import shared_folder
from tests.bench.italy import CHANNEL, copy_channel, run_stage, sweep, write_territory

FOLDER = Path("build") / "bench-growth"
# Plain and the foot of the Apennines and the Alps: 126 by 122 km.
BOX_DEG = (10.0, 44.5, 11.6, 45.6)
RESOLUTIONS_M = (400.0, 200.0, 100.0, 50.0)
SITES = (25, 50, 100, 200, 400)
SITES_AT_M = 400.0
ANTENNAS_M = (10.0, 30.0, 100.0, 300.0)
RANGES_AT_M = 100.0
STAGES = ("coverage", "protect", "combine")
START_S = 1.5


def measure() -> dict[str, float]:
    """Processor seconds of each stage, and the exponents of straight lines through their logarithms."""
    data = shared_folder() / "data" / "italy"
    found = seconds_of(write_territory(data, FOLDER / "warm", BOX_DEG, RESOLUTIONS_M[0]))  # compiled by then
    found.clear()
    by_pixels = {
        (1e3 / resolution_m) ** 2: seconds_of(
            write_territory(data, FOLDER / f"{resolution_m:g}m", BOX_DEG, resolution_m)
        )
        for resolution_m in RESOLUTIONS_M
    }
    found |= told("pixels_a_km2", by_pixels)
    by_sites = {}
    for sites in SITES:
        config_path = write_territory(data, FOLDER / f"{sites}sites", resolution_m=SITES_AT_M)
        stations = keep_sites(config_path.with_name("transmitters.csv"), sites)
        by_sites[float(stations)] = seconds_of(config_path)
    found |= told("stations", by_sites)
    by_range = {}
    for height_m in ANTENNAS_M:
        config_path = write_territory(data, FOLDER / f"{height_m:g}m-antenna", BOX_DEG, RANGES_AT_M)
        without_terrain(config_path, height_m)
        took = seconds_of(config_path, ("coverage", "protect"))
        by_range[range_km(config_path)] = took
    return found | told("range_km", by_range)


def seconds_of(config_path: Path, stages: Sequence[str] = STAGES) -> dict[str, float]:
    """Processor seconds of the stages of the sampled channel, what they need being there."""
    run_stage("territory", config_path)
    sweep(config_path)  # lengths over sea are asked for without a terrain model, too
    if load_plan(config_path).config.terrain.dem is not None:
        run_stage("heights", config_path, "--threads", "2")
    found = {}
    for stage in stages:
        if stage == "combine":
            copy_channel("protection", config_path)
        # Limits of hills take more than the default at 50 m.
        options = "--channel", str(CHANNEL), "--key", "code-settings-rows", "--memory-mb", "4096"
        found[stage] = run_stage(stage, config_path, *options).cpu_s
        print(f"{config_path.parent.name} {stage}: {found[stage]:.1f} s", flush=True)
    return found


def told(by: str, seconds: Mapping[float, Mapping[str, float]]) -> dict[str, float]:
    """What was measured by name, and an exponent for each stage."""
    found = {
        f"growth_{stage}_{by}_{size:g}_cpu_s": cpu_s
        for size, stages in seconds.items()
        for stage, cpu_s in stages.items()
    }
    sizes = np.log(list(seconds))
    for stage in next(iter(seconds.values())):
        work_s = np.log([max(stages[stage] - START_S, 0.1) for stages in seconds.values()])
        found[f"growth_{stage}_{by}_exponent"] = float(np.polyfit(sizes, work_s, 1)[0])
    return found


def keep_sites(register: Path, sites: int) -> int:
    """Leave the first sites in a register; returns the stations of the sampled channel and its neighbours."""
    with register.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if int(row["site"].split()[-1]) < sites]
    with register.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return sum(abs(int(row["channel"]) - CHANNEL) <= 1 for row in rows)


def without_terrain(config_path: Path, height_m: float) -> None:
    """Devices with an antenna of some height on flat land, so that one range holds for all of them."""
    content = yaml.safe_load(config_path.read_text(encoding="utf-8"))
    del content["terrain"]
    content["devices"][0]["height_m"] = height_m
    config_path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def range_km(config_path: Path) -> float:
    """How far the victims of the sampled channel limit devices; its coverage is there."""
    config, build = load_plan(config_path).config, config_path.parent
    tables = read_protection_tables(config.protection)
    files = ChannelFiles(build, CHANNEL)
    job = make_job(config, CHANNEL, config.devices[:1], tables, read_servers(files.coverage("_servers.json")))
    return reach_px(job, files, read_grid(files.territory("surface"))) * RANGES_AT_M / 1000.0
