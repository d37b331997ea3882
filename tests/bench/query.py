"""Speed of point queries in one warm process: a territory of 1000 x 1000 pixels and 28 channels."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pyproj import Transformer
from scipy.ndimage import gaussian_filter

from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.plan.plan import Plan, load_plan
from pipeline.plan.run_files import max_eirp_files, query_file
from pipeline.publish.query_facts import query_facts
from pipeline.publish.release import release, utc_period
from pipeline.quantise import NOT_PERMITTED
from pipeline.query.query import Database, Request, answer, close_database, open_database
from tests.jobs import run_from
from tests.published import with_devices
from tests.tiny import CONFIG, STATIONS, write_register

GRID = Grid("EPSG:3794", 200.0, 350_000.0, 270_000.0, 1000, 1000)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
UNCERTAINTY_M = 50.0


def measure(queries: int = 3000, slaves: int = 60) -> dict[str, float]:
    """Milliseconds of a whole answer, from degrees to the message; places in random order.

    Processor time beside wall time: on a busy machine the slowest per cent are those that had to wait.
    """
    with TemporaryDirectory() as folder, working_in(Path(folder)):
        results = published(Path("tiny.yaml"))
        started_s = time.perf_counter()
        database = open_database(results)
        open_ms = 1e3 * (time.perf_counter() - started_s)
        point = times_ms(database, queries, lambda lon, lat: Request(lon, lat, uncertainty_m=UNCERTAINTY_M))
        slave = times_ms(database, slaves, lambda lon, lat: Request(lon, lat, generic_slave=True))
        size_mib = sum(path.stat().st_size for path in results.rglob("query_master.tif")) / 2**20
        close_database(database)
    return {
        "query_p99_ms": float(np.percentile(point[:, 0], 99)),
        "query_median_ms": float(np.median(point[:, 0])),
        "query_cpu_p99_ms": float(np.percentile(point[:, 1], 99)),
        "query_generic_slave_p99_ms": float(np.percentile(slave[:, 0], 99)),
        "query_generic_slave_cpu_p99_ms": float(np.percentile(slave[:, 1], 99)),
        "query_open_ms": open_ms,
        "query_raster_mib": size_mib,
    }


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Change the working folder for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def published(config: Path) -> Path:
    """A run with 28 channels of correlated noise for a master and its slaves."""
    config.write_text(CONFIG.replace('wsd: ["21-30"]', 'wsd: ["21-48"]'))
    write_register(Path("register.csv"), STATIONS)
    with_devices(config, ("master", "A", 1, 30.0), ("slave", "A", 5, 30.0))
    plan = load_plan(config)
    rng = np.random.default_rng(1)
    for channel in range(len(plan.wsd)):
        layer = raster.make_array(
            correlated_levels(rng),
            GRID,
            units="dBm",
            long_name="maximum e.i.r.p.",
            nodata=-32768,
            scale_factor=0.01,
        )
        for device in plan.config.devices:
            path = plan.build / max_eirp_files(plan, device.id)[channel]
            raster.write(path, layer, tags={}, publish=False)
    return publish(config, plan)


def correlated_levels(rng: np.random.Generator) -> np.ndarray:
    """Raw e.i.r.p. [y, x] that varies over 2 km, 5 dBm on average; not permitted in the lowest tenth."""
    noise = gaussian_filter(rng.standard_normal((GRID.height, GRID.width)), 10.0)
    levels = 500.0 + 3000.0 * noise / noise.std()
    return np.where(levels < -3400.0, NOT_PERMITTED, np.clip(levels, -3400, 3600)).astype(np.int16)


def publish(config: Path, plan: Plan) -> Path:
    """The query rasters of all devices with as much of a manifest as a query reads."""
    files = {
        query_file(plan, device.id): plan.build / query_file(plan, device.id)
        for device in plan.config.devices
    }
    for device in plan.config.devices:
        run_from("query", config, plan.build, device=device.id)
    valid = {"from": NOW.isoformat(), "until": NOW.isoformat()}
    manifest = {
        "territory": "tiny",
        "run_id": "bench",
        "config": {},
        "inputs": [],
        "channels": {},
        "software": {},
        "query": query_facts(plan.config),
        "valid_utc": utc_period(valid, "UTC"),
    }
    return release(files, plan.results, "bench", lambda _: manifest)


def times_ms(database: Database, count: int, request: Callable[[float, float], Request]) -> np.ndarray:
    """Wall and processor time [answer, 2] of ``count`` answers after one that warms up."""
    rng = np.random.default_rng(2)
    inner_m = 10_000.0
    x_m = rng.uniform(GRID.west_m + inner_m, GRID.west_m + GRID.width * 200.0 - inner_m, count + 1)
    y_m = rng.uniform(GRID.north_m - GRID.height * 200.0 + inner_m, GRID.north_m - inner_m, count + 1)
    lon_deg, lat_deg = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True).transform(x_m, y_m)
    found = np.empty((count + 1, 2))
    for k, place in enumerate(zip(lon_deg.tolist(), lat_deg.tolist(), strict=True)):
        started_s = time.perf_counter(), time.thread_time()
        answer(database, request(*place), NOW)
        found[k] = 1e3 * (time.perf_counter() - started_s[0]), 1e3 * (time.thread_time() - started_s[1])
    return found[1:]


if __name__ == "__main__":
    for key, value in measure().items():
        print(f"{key} {value:.4g}")
