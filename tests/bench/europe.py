"""A continent at 1 km with a generated network: a whole run on two cores, killed in the middle and resumed.

Europe to 45 E with 20,000 assignments at 4,000 sites, no real station is meant. Without terrain the height of
an antenna above ground is its effective height. Takes the better part of an hour, so that `make bench` leaves
it out: `python -m tests.bench europe`.
"""

from __future__ import annotations

import csv
from pathlib import Path

import geopandas
import numpy as np
import shapely
import yaml

from tests.bench.common import shared_folder
from tests.bench.italy_network import TELEVISION_ALONE, Site, deal_channels, pattern, write_register
from tests.bench.whole_runs import run, stages_of

SITES = 4000
FOLDER = Path("build") / "bench-europe"
BOX_DEG = (-11.0, 34.5, 45.0, 71.5)
ELSEWHERE = (
    "Algeria",
    "Armenia",
    "Azerbaijan",
    "Georgia",
    "Iran",
    "Iraq",
    "Kazakhstan",
    "Lebanon",
    "Libya",
    "Morocco",
    "Syria",
    "Tunisia",
)
KILLED_AT_PCT = 50

CONFIG = """
name: bench-europe
title: Europe, generated network for benchmarks
notice: Generated network, no real station is meant.
territory:
  home: {home}
  polygons: {{path: {folder}/countries.gpkg, country_field: code, land_layer: null}}
  bbox_deg: {box}
grid: {{crs: "EPSG:3035", resolution_m: 1000.0}}
population: {{places: {folder}/places.csv}}
registers: {{transmitters: [{folder}/transmitters.csv]}}
"""


def measure() -> dict[str, float]:
    """Wall and processor seconds of the run to its middle and from there, largest process, and area."""
    config_path, area_km2 = write_territory(shared_folder() / "data" / "world" / "countries_ne10m.gpkg")
    first_s = run(config_path, killed_at_pct=KILLED_AT_PCT)
    rest_s = run(config_path)
    stages = stages_of(FOLDER.name).values()
    return {
        "europe_1km_until_killed_s": first_s,
        "europe_1km_resumed_s": rest_s,
        "europe_1km_cpu_s": sum(stage.cpu_s for stage in stages),
        "europe_1km_peak_gib": max(stage.peak_gib for stage in stages),
        "europe_1km_area_km2": area_km2,
    }


def write_territory(world: Path) -> tuple[Path, float]:
    """Countries, places, register and territory file; returns the latter, and the area of the territory."""
    folder = FOLDER.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    whole = geopandas.read_file(world)
    whole["geometry"] = whole.make_valid(method="structure")
    countries = whole.clip(BOX_DEG, keep_geom_type=True)[["name", "geometry"]].sort_values("name")
    # Registers have two letters for a country, the file has none: A to Z twice, by the order of names.
    countries["code"] = [f"{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(len(countries))]
    countries.to_file(folder / "countries.gpkg", layer="countries", driver="GPKG")
    home = countries[~countries["name"].isin(ELSEWHERE)]
    lon_deg, lat_deg, country = _sites(home)
    _write_places(folder / "places.csv", lon_deg, lat_deg)
    _write_register(folder / "transmitters.csv", lon_deg, lat_deg, country)
    text = CONFIG.format(folder=folder, box=list(BOX_DEG), home=sorted(home["code"])) + TELEVISION_ALONE
    shipped = yaml.safe_load(Path("configs/slovenia.yaml").read_text(encoding="utf-8"))
    text += yaml.safe_dump({"coverage": shipped["coverage"], "devices": shipped["devices"][:1]})
    config_path = folder / "europe.yaml"
    config_path.write_text(text, encoding="utf-8")
    return config_path, float(home.to_crs("EPSG:3035").area.sum()) / 1e6


def _sites(home: geopandas.GeoDataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Longitude, latitude and country of sites spread evenly over the land."""
    rng = np.random.default_rng(2405)
    west, south, east, north = BOX_DEG
    lon_deg = rng.uniform(west, east, 6 * SITES)
    lat_deg = np.degrees(np.arcsin(rng.uniform(*np.sin(np.radians([south, north])), 6 * SITES)))
    points = geopandas.GeoDataFrame(geometry=shapely.points(lon_deg, lat_deg), crs=home.crs)
    found = points.sjoin(home, predicate="within")
    found = found[~found.index.duplicated()].iloc[:SITES]
    return found.geometry.x.to_numpy(), found.geometry.y.to_numpy(), found["code"].to_numpy()


def _write_places(out: Path, lon_deg: np.ndarray, lat_deg: np.ndarray) -> None:
    rng = np.random.default_rng(6)
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["latitude", "longitude", "population"])
        for lon, lat in zip(lon_deg, lat_deg, strict=True):
            writer.writerow([f"{lat:.4f}", f"{lon:.4f}", int(10 ** rng.uniform(3.0, 6.0))])


def _write_register(out: Path, lon_deg: np.ndarray, lat_deg: np.ndarray, country: np.ndarray) -> None:
    rng = np.random.default_rng(9)
    channels = deal_channels(lon_deg, lat_deg, middle_deg=52.0)
    sites = (
        Site(
            number=number,
            lon_deg=lon_deg[number],
            lat_deg=lat_deg[number],
            erp_kw=float(10 ** rng.uniform(-0.7, 1.7)),
            agl_m=float(rng.uniform(50.0, 250.0)),
            asl_m=0,
            pattern=pattern(rng),
            country=country[number],
        )
        for number in range(len(lon_deg))
    )
    write_register(out, sites, channels, "E{:04d}-{}")
