"""Writes regions.geojson: the land of Slovenia by the nearest of twelve towns, on the national grid.

    python data/slovenia/make_regions.py

Not the country's statistical regions, whose borders did not come with the other data: parts that a reader
knows by name, so that the report has its table by region.
"""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

FOLDER = Path(__file__).parent
GRID = "EPSG:3794"
TOWNS = (
    "Celje",
    "Koper",
    "Kranj",
    "Ljubljana",
    "Maribor",
    "Murska Sobota",
    "Nova Gorica",
    "Novo Mesto",
    "Postojna",
    "Ptuj",
    "Trbovlje",
    "Velenje",
)


def main() -> None:
    """Cells of the towns, cut to the country, in degrees with five digits."""
    places = pd.read_csv(FOLDER / "places.csv")
    places = places[(places["countrycode"] == "SI") & places["name"].isin(TOWNS)].sort_values("name")
    towns = gpd.points_from_xy(places["longitude"], places["latitude"], crs="EPSG:4326").to_crs(GRID)
    countries = gpd.read_file(FOLDER / "boundaries_ne10m.gpkg", layer="countries").to_crs(GRID)
    country = countries.loc[countries["iso2"] == "SI", "geometry"].union_all()
    cells = shapely.voronoi_polygons(shapely.MultiPoint(list(towns)), extend_to=country)
    parts = [next(cell for cell in cells.geoms if cell.contains(town)) for town in towns]
    regions = gpd.GeoSeries(parts, crs=GRID).intersection(country).to_crs("EPSG:4326")
    lines = [
        json.dumps(
            {
                "type": "Feature",
                "properties": {"name": f"around {name}"},
                "geometry": json.loads(shapely.to_geojson(shapely.set_precision(region, 1e-5))),
            },
            ensure_ascii=False,
        )
        for name, region in zip(places["name"], regions, strict=True)
    ]
    text = '{"type": "FeatureCollection", "features": [\n' + ",\n".join(lines) + "\n]}\n"
    (FOLDER / "regions.geojson").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
