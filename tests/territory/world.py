"""A small world of straight borders: HOME (AA) west, BB east, sea south, and a bay that only `land` knows."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import shapely

CRS = "EPSG:3794"
# Clip box of the file: 14.0 .. 15.0 E, 45.5 .. 46.3 N; the coast runs along 45.7 N, the border along 14.6 E.
BOX = (14.0, 45.5, 15.0, 46.3)
HOME = shapely.box(14.2, 45.7, 14.6, 46.1)
NEIGHBOUR = shapely.box(14.6, 45.7, 15.0, 46.3)
NORTH = shapely.box(14.0, 46.1, 14.6, 46.3)
WEST = shapely.box(14.0, 45.7, 14.2, 46.1)
SHOAL = shapely.box(14.0, 45.5, 14.05, 45.55)


def dense(shapes: list) -> list:
    """Vertices every 0.005 degrees, so that parallels stay parallels in a file of another CRS."""
    return [shapely.segmentize(shape, 0.005) for shape in shapes]


def write_boundaries(path: Path, *, land: bool = True, crs: str = "EPSG:4326") -> Path:
    shapes = [HOME, NEIGHBOUR, NORTH, shapely.union_all([WEST, SHOAL])]
    frame = gpd.GeoDataFrame(
        {"iso2": ["AA", "BB", "CC", None]}, geometry=dense(shapes), crs="EPSG:4326"
    ).to_crs(crs)
    frame.to_file(path, layer="countries", driver="GPKG")
    if land:
        union = gpd.GeoDataFrame(geometry=dense([shapely.union_all(shapes)]), crs="EPSG:4326").to_crs(crs)
        union.to_file(path, layer="land", driver="GPKG")
    return path


def write_world(path: Path) -> Path:
    """Land everywhere north of 45.6 N: beyond the clip of the boundaries it decides."""
    frame = gpd.GeoDataFrame({"name": ["all"]}, geometry=[shapely.box(0, 45.6, 30, 60)], crs="EPSG:4326")
    frame.to_file(path, layer="countries", driver="GPKG")
    return path
