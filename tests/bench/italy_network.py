"""A generated national DTT network for benchmarks: 400 sites, 2,000 assignments. No real station is meant.

Sites are the highest terrain cells of populated quarter-degree squares; channels are dealt out so that those
used least within 150 km come first. The same inputs give the same network.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio

SITES = 400
CHANNELS_PER_SITE = 5
CHANNELS = range(21, 61)
SQUARE_CELLS = 30  # quarter of a degree on the 30" raster
REUSE_KM = 150.0
# Of the territory files of generated networks: the plan, and television alone.
TELEVISION_ALONE = """channels:
  plan: [{first_channel: 21, last_channel: 69, first_centre_mhz: 474.0, width_mhz: 8.0}]
  wsd: ["21-60"]
services:
  dtt: {status: evaluate}
  foreign_dtt: {status: out_of_scope, reason: benchmark}
  pmse: {status: out_of_scope, reason: benchmark}
  radio_astronomy: {status: out_of_scope, reason: benchmark}
  aeronautical: {status: out_of_scope, reason: benchmark}
  mobile: {status: out_of_scope, reason: benchmark}
  ppdr: {status: out_of_scope, reason: benchmark}
  fixed: {status: out_of_scope, reason: benchmark}
"""
COLUMNS = [
    "id",
    "site",
    "lon",
    "lat",
    "channel",
    "centre_mhz",
    "bandwidth_mhz",
    "erp_kw",
    "antenna_height_agl_m",
    "site_height_asl_m",
    "polarisation",
    "pattern_azimuth_attenuation_db",
    "system",
    "multiplex_mode",
    "country",
]


class Site(NamedTuple):
    """A mast of a generated network."""

    number: int
    lon_deg: float
    lat_deg: float
    erp_kw: float
    agl_m: float
    asl_m: int
    pattern: str
    country: str


def write_network(folder: Path, out: Path, *, south_deg: float) -> None:
    """Write the register of the generated network from the terrain and population rasters of ``folder``."""
    lon_deg, lat_deg, height_m, people = _sites(folder, south_deg)
    channels = deal_channels(lon_deg, lat_deg)
    rng = np.random.default_rng(2405)
    sites = (
        Site(
            number=number,
            lon_deg=lon_deg[number],
            lat_deg=lat_deg[number],
            erp_kw=float(np.clip(people[number] / 2.0e4, 0.2, 50.0)),
            agl_m=float(rng.uniform(25.0, 100.0)),
            asl_m=height_m[number],
            pattern=pattern(rng),
            country="IT",
        )
        for number in range(len(lon_deg))
    )
    write_register(out, sites, channels, "G{:03d}-{}")


def write_register(out: Path, sites: Iterable[Site], channels: Sequence[list[int]], name: str) -> None:
    """Write the assignments of sites; ``name`` of site and channel is their id."""
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for site in sites:
            common = {
                "site": f"generated {site.number}",
                "lon": f"{site.lon_deg:.5f}",
                "lat": f"{site.lat_deg:.5f}",
                "bandwidth_mhz": 8,
                "erp_kw": round(site.erp_kw, 3),
                "antenna_height_agl_m": round(site.agl_m, 1),
                "site_height_asl_m": site.asl_m,
                "polarisation": "V" if site.number % 9 == 0 else "H",
                "pattern_azimuth_attenuation_db": site.pattern,
                "system": "DVB-T2",
                "multiplex_mode": "256QAM 3/5",
                "country": site.country,
            }
            for channel in channels[site.number]:
                own = {
                    "id": name.format(site.number, channel),
                    "channel": channel,
                    "centre_mhz": 474 + 8 * (channel - 21),
                }
                writer.writerow(own | common)


def _sites(folder: Path, south_deg: float) -> tuple[np.ndarray, ...]:
    """Longitude, latitude, height and people around of the ``SITES`` most populated squares."""
    with rasterio.open(folder / "dem_globe_30s.tif") as dem:
        terrain_m, transform = dem.read(1), dem.transform
    with rasterio.open(folder / "population_istat2023_30s.tif") as raster:
        persons = np.nan_to_num(np.maximum(raster.read(1), 0.0))
    found = []
    for row in range(0, terrain_m.shape[0], SQUARE_CELLS):
        for col in range(0, terrain_m.shape[1], SQUARE_CELLS):
            square = np.s_[row : row + SQUARE_CELLS, col : col + SQUARE_CELLS]
            # Only populated cells' surroundings belong to the territory: take the peak among those.
            peak = np.where(persons[square] > 0, terrain_m[square], -1000)
            i, j = np.unravel_index(int(np.argmax(peak)), peak.shape)
            lon, lat = transform * (col + j + 0.5, row + i + 0.5)
            if persons[square].sum() > 0 and lat > south_deg:
                found.append((-persons[square].sum(), lon, lat, int(peak[i, j])))
    chosen = sorted(found)[:SITES]
    people, lon, lat, height = (np.array(column) for column in zip(*chosen, strict=True))
    return lon, lat, height, -people


def deal_channels(lon_deg: np.ndarray, lat_deg: np.ndarray, middle_deg: float = 42.0) -> list[list[int]]:
    """For each site the channels used least within ``REUSE_KM`` by the sites before it."""
    x_km = lon_deg * 111.2 * np.cos(np.radians(middle_deg))
    y_km = lat_deg * 111.2
    dealt: list[list[int]] = []
    for site in range(len(lon_deg)):
        near = np.flatnonzero(np.hypot(x_km[:site] - x_km[site], y_km[:site] - y_km[site]) < REUSE_KM)
        used = [channel for other in near for channel in dealt[other]]
        whole = [channel for other in dealt for channel in other]
        order = sorted(CHANNELS, key=lambda c: (used.count(c), whole.count(c), c))
        dealt.append(sorted(order[:CHANNELS_PER_SITE]))
    return dealt


def pattern(rng: np.random.Generator) -> str:
    """Omnidirectional for half of the sites, otherwise a broad lobe with up to 15 dB behind."""
    if rng.random() < 0.5:
        return ";".join(["0.0"] * 36)
    towards_deg, depth_db = rng.uniform(0, 360), rng.uniform(5, 15)
    off_rad = np.radians(np.arange(0, 360, 10) - towards_deg)
    attenuation_db = depth_db * (1 - np.cos(off_rad)) / 2
    return ";".join(f"{value:.1f}" for value in attenuation_db - attenuation_db.min())
