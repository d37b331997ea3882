"""A build folder with every published raster of a territory, made up: a disc of values, nodata around it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from pipeline.coordination.radar.zones import ZONE_GEOMETRIES
from pipeline.grid import raster
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import Grid
from pipeline.grid.stacks import build_vrt
from pipeline.plan import run_files
from pipeline.plan.plan import Plan, load_plan
from pipeline.publish.catalogue import families
from tests.plan.test_plan import SECTIONS
from tests.tiny import CONFIG, STATIONS, write_register

GRID = Grid("EPSG:3794", 500.0, 420_000.0, 130_000.0, 150, 190)
NOT_PERMITTED, NOT_EVALUATED = -9999, -9998
TITLE, NOTICE = "Made-up land", "Made up for a test."
WAYS = ("one way", "the other way")
# The pair that decides in the second band, and nowhere in the first.
OTHER_PAIR = 7
# dtype, nodata, scale, unit, lowest and highest raw value; as the stages write them.
KINDS = {
    "max_eirp": ("int16", -32768, 0.01, "dBm", -4000, 3600),
    "availability": ("uint8", 255, 1.0, "", 0, 2),
    "available_channels": ("uint8", 255, 1.0, "channels", 0, 40),
    "limiting_service": ("uint8", 255, 1.0, "", 0, 15),
    "eval_flags": ("uint32", 4294967295, 1.0, "", 2, 6),
    "dtt_field": ("int16", -32768, 0.01, "dB(uV/m)", 0, 12000),
    "dtt_q": ("uint16", 65535, 0.0001, "1", 0, 10000),
    "dtt_served": ("uint8", 255, 1.0, "1", 0, 1),
    "dtt_server": ("uint16", 0, 1.0, "1", 1, 2),
    "dtt_mechanism": ("uint8", 0, 1.0, "1", 1, 4),
    "rr941_dtt": ("float32", np.nan, 1.0, "%", 0, 80),
    "rr941_exceeds": ("uint8", 255, 1.0, "1", 0, 1),
    "rr941_argpair": ("uint16", 65535, 1.0, "1", 0, 3),
    "angle": ("float32", np.nan, 1.0, "deg", -5, 80),
    "rr97ab_epfd_max": ("float32", np.nan, 1.0, "dB(W/m2/40 kHz)", -210, -140),
    "time_share": ("float32", np.nan, 1.0, "%", 0, 100),
    "rr97ab_cond": ("uint8", 255, 1.0, "1", 0, 3),
    "radar612_distance": ("float32", -9999.0, 1.0, "km", 0, 1000),
    "radar612_margin": ("float32", -9999.0, 1.0, "km", -600, 600),
    "radar612_path": ("uint8", 255, 1.0, "1", 1, 2),
    "radar612_coord": ("uint8", 255, 1.0, "1", 0, 1),
    "radar612_n_adm": ("uint8", 255, 1.0, "1", 0, 30),
    "radar612_adm_k": ("uint32", 0, 1.0, "1", 1, 3),
}


@contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """Work in a folder with the tiny territory; its file."""
    write_register(folder / "register.csv", STATIONS)
    (folder / "tiny.yaml").write_text(CONFIG, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder / "tiny.yaml"


def write_every_layer(tiny: Path, coordination: str = SECTIONS) -> Plan:
    """Add coordination to the tiny territory, with one channel of each kind, and write its layers."""
    text = tiny.read_text().replace('wsd: ["21-30"]', "wsd: [22, 25]")
    tiny.write_text(f"title: {TITLE}\nnotice: {NOTICE}\n{text}{coordination}", encoding="utf-8")
    plan = load_plan(tiny)
    for file, family in families(plan).items():
        if file.endswith(".tif"):
            write_layer(plan, file, family)
    for device in plan.config.devices:
        stack = [plan.build / name for name in run_files.max_eirp_files(plan, device.id)]
        vrt = build_vrt(stack, [f"channel {channel}" for channel in plan.wsd])
        (plan.build / f"public/max_eirp_{device.id}.vrt").write_text(vrt)
    for channel in plan.victims:
        path = plan.build / f"coverage/ch{channel}_servers.json"
        path.parent.mkdir(exist_ok=True)
        rows = [{"id": f"S{k}", "site": f"Site {k}"} for k in (1, 2)]
        path.write_text(json.dumps({"transmitters": rows, "modes": []}))
    if coordination:
        write_radars(plan)
    return plan


def write_radars(plan: Plan) -> None:
    """Administrations of the bits, other ones in each band, and the zone of a radar."""
    table = "frequency_mhz,noise,adm,band,bit,pixels\n"
    rows = ["13.5,rural,HRV,1,0,1", "13.5,rural,I,1,1,1", "13.5,rural,AUT,2,0,1", "13.5,rural,HNG,2,1,1"]
    (plan.build / "public/radar612_adm.csv").write_text(table + "\n".join(rows) + "\n")
    place = shapely.Point(14.0, 46.0)
    common = {"radar": ["R-1"], "adm": ["SVN"]}
    zone = gpd.GeoDataFrame(
        {**common, "d_l_km": [100.0], "d_s_km": [320.0], "flags": [""]},
        geometry=[shapely.MultiPolygon([place.buffer(1.0)])],
        crs="EPSG:4326",
    )
    affected = gpd.GeoDataFrame(
        {**common, "d_min_km": [9.0], "path": ["land"], "margin_km": [-91.0]},
        geometry=[place],
        crs="EPSG:4326",
    )
    content = geopackage_bytes({"radar612_zone": zone, "radar612_affected": affected}, ZONE_GEOMETRIES)
    (plan.build / "internal/radar612.gpkg").write_bytes(content)


def inside() -> np.ndarray:
    """The territory [y, x]: a disc off the edges of the grid."""
    row, col = np.mgrid[: GRID.height, : GRID.width]
    return (row - 95) ** 2 + (col - 75) ** 2 < 68**2


def values_of(family: str, seed: int) -> np.ndarray:
    """Raw values [y, x] from the lowest to the highest, nodata outside; of e.i.r.p. a fifth are codes."""
    dtype, nodata, _, _, low, high = KINDS[family]
    rng = np.random.default_rng(seed)
    values = rng.integers(low, high + 1, (GRID.height, GRID.width)).astype(dtype)
    if family == "max_eirp":
        chance = rng.random(values.shape)
        values[chance < 0.1], values[chance > 0.9] = NOT_PERMITTED, NOT_EVALUATED
    values[~inside()] = nodata
    return values


def write_layer(plan: Plan, file: str, family: str) -> None:
    """One raster; bands as the stages name them."""
    _, nodata, scale, unit, _, _ = KINDS[family]
    names = ["channel"]
    if family == "availability" or "query" in file:
        names = [f"channel {channel}" for channel in plan.wsd]
    elif "rr941" in file or family == "radar612_adm_k":
        names = list(WAYS)
    values = np.stack([values_of(family, seed=k) for k in range(len(names))])
    if family == "rr941_argpair":
        values[1][inside()] = OTHER_PAIR
    data = raster.make_array(
        values,
        GRID,
        units=unit,
        long_name=f"layer {Path(file).stem}",
        nodata=nodata,
        band_names=names,
        scale_factor=scale,
    )
    raster.write(plan.build / file, data, tags={"device": "fixed30", "hash": "abc"}, publish=True)
