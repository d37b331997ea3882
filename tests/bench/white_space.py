"""What white space carries: links between 2,000 settlements over terrain, the service of a base station."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import rasterio
from rasterio.transform import from_origin
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.plan.plan import load_plan
from tests import published
from tests.bench.query import working_in
from tests.jobs import run_from
from tests.tiny import CONFIG, write_register

# Elevations of 90 m around the middle, in degrees.
MIDDLE_DEG, HALF_LON_DEG, HALF_LAT_DEG, STEP_DEG = (14.2, 46.1), 1.9, 1.4, 1.0 / 1200.0
PIXEL_M, SIDE_PX, CHANNEL = 100.0, 640, 30
STATION = f"""stations:
  - id: mast
    lon: 14.2
    lat: 46.1
    height_m: 30.0
    sectors:
      - {{id: all, gain_dbi: 10.0, power_dbm: 26.0, radios: [{{id: "1", channel: {CHANNEL}}}]}}
"""


def measure(settlements: int = 2000) -> dict[str, float]:
    """Wall and processor seconds of whole commands; compiled before."""
    rng = np.random.default_rng(18)
    found: dict[str, float] = {}
    with TemporaryDirectory() as folder, working_in(Path(folder)):
        write_terrain(Path("dem.tif"))
        write_television(rng)
        write_settlements(Path("few.csv"), 20, rng)
        write_settlements(Path("places.csv"), settlements, rng)
        pairs = ["links", "--config", "tiny.yaml", "--pairs", "0.1:30", "--places"]
        seconds([*pairs, "few.csv", "--out", "few"])
        found |= seconds([*pairs, "places.csv", "--out", "all"], f"settlements_{settlements}_within_30_km")
        found["settlements_pairs"] = float(len(Path("all/links.csv").read_text().splitlines()) - 1)
        publish_levels()
        Path("one.yaml").write_text(STATION)
        line = ["basestation", "one.yaml", "--results", "results/tiny/latest", "--out", "service", "--model"]
        for model in ("p1546", "p1812_or_p1546"):
            seconds([*line, model, "--radius-km", "2"])
            found |= seconds([*line, model], f"base_station_100_m_30_km_{model.split('_')[0]}")
    return found


def seconds(line: list[str], name: str = "") -> dict[str, float]:
    """Of a command in this process."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, (done.output, done.exception)
    return {f"{name}_s": time.perf_counter() - wall_s, f"{name}_cpu_s": time.process_time() - cpu_s}


def write_terrain(path: Path) -> None:
    """Hills of some hundred metres, of several sizes."""
    height, width = round(2.0 * HALF_LAT_DEG / STEP_DEG), round(2.0 * HALF_LON_DEG / STEP_DEG)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    hills_m = 400.0 + 250.0 * np.sin(x / 90.0) * np.cos(y / 70.0) + 60.0 * np.sin(x / 17.0 + y / 23.0)
    corner = MIDDLE_DEG[0] - HALF_LON_DEG, MIDDLE_DEG[1] + HALF_LAT_DEG
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": "float32"}
    place = from_origin(*corner, STEP_DEG, STEP_DEG)
    with rasterio.open(path, "w", crs="EPSG:4326", transform=place, **profile) as sink:
        sink.write(hills_m.astype(np.float32), 1)


def write_television(rng: np.random.Generator) -> None:
    """A territory with two stations on the channel of the base station and on both beside it."""
    places = np.round(MIDDLE_DEG + rng.uniform(-0.3, 0.3, (6, 2)), 4).tolist()
    stations = [(f"s{n}", *place, CHANNEL - 1 + n % 3, 1.0) for n, place in enumerate(places)]
    write_register(Path("register.csv"), stations)
    text = CONFIG.replace("registers:", "terrain: {dem: [dem.tif]}\nregisters:", 1)
    Path("tiny.yaml").write_text(text.replace("[14.0, 46.0, 14.3, 46.2]", "[13.75, 45.8, 14.65, 46.4]"))


def write_settlements(path: Path, count: int, rng: np.random.Generator) -> None:
    """Settlements on 25,000 km2: about 220,000 pairs of 2,000 within 30 km."""
    lon, lat = (
        middle + half * rng.uniform(-0.53, 0.53, count)
        for middle, half in zip(MIDDLE_DEG, (HALF_LON_DEG, HALF_LAT_DEG), strict=True)
    )
    rows = [f"v{n},{x:.5f},{y:.5f}" for n, (x, y) in enumerate(zip(lon, lat, strict=True))]
    path.write_text("id,lon,lat\n" + "\n".join(rows) + "\n")


def publish_levels() -> None:
    """A published run of 100 m with as much of the intermediates as links read."""
    raw = np.random.default_rng(8).integers(2000, 3601, (SIDE_PX, SIDE_PX)).astype(np.int16)
    size = {"PIXEL_M": PIXEL_M, "WIDTH": SIDE_PX, "HEIGHT": SIDE_PX}
    corner = {"WEST_M": 438_100.0 - 50.0 * SIDE_PX, "NORTH_M": 107_000.0 + 50.0 * SIDE_PX}
    with patch.multiple(published, **size, **corner, random_levels=lambda _seed, _gaps: raw):
        published.publish(Path("tiny.yaml"))
    plan = load_plan("tiny.yaml")
    run_from("territory", "tiny.yaml", plan.build)
    for tile in plan.tiles:
        run_from("terrain", "tiny.yaml", plan.build, tile=tile)
    run_from("coverage", "tiny.yaml", plan.build, channel=CHANNEL)
