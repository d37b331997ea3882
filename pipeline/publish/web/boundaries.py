"""What lies below the layers of the web map: land, borders, and the names of the larger places."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.grid.polygons import Boundaries, cut
from pipeline.publish.web.place import EQUATOR_M, Box

_DECIMALS = 5  # of a degree: 1 m
_BUFFER_FRACTION, _MIN_BUFFER_DEG = 0.75, 0.5
_PLACES, _HOME_PLACES = 150, 1000
_EDGE_DEG = 1e-6
_Feature = dict[str, Any]
_Place = tuple[str, float, float, float]  # name, longitude and latitude in degrees, persons


def view_box_deg(box_deg: Box, buffer_fraction: float = _BUFFER_FRACTION) -> Box:
    """The box that the page shows at most: the territory's with a buffer around it, within the web's map."""
    west, south, east, north = box_deg
    buffer_deg = max(buffer_fraction * (east - west), buffer_fraction * (north - south), _MIN_BUFFER_DEG)
    return west - buffer_deg, max(south - buffer_deg, -85.0), east + buffer_deg, min(north + buffer_deg, 85.0)


def boundary_features(boundaries: Boundaries, view_deg: Box, resolution_m: float) -> list[_Feature]:
    """Features with ``kind`` land, territory, border or home_border within the view.

    Drawn to a quarter of a pixel, which nobody sees beside the pixels themselves. Borders are lines, without
    the edges at which the source file ends.
    """
    shapes = {
        "land": _land(boundaries, view_deg),
        "territory": cut([boundaries.territory], view_deg),
        "border": cut(_borders(boundaries), view_deg),
        "home_border": cut(_lines([boundaries.territory], None), view_deg),
    }
    step_deg = resolution_m / EQUATOR_M * 360.0 / 4.0
    return [_feature(shape, kind, step_deg) for kind, parts in shapes.items() for shape in parts]


def place_features(path: Path | None, view_deg: Box, territory: BaseGeometry) -> list[_Feature]:
    """Places within the view, the largest first, as points with ``name``, ``rank`` (0 the largest), ``home``.

    ``path``: the list of places of the population; without a column ``name`` no names are shown. Those on the
    territory (``home``), from which a reader can choose, may be smaller than those around it.
    """
    if path is None:
        return []
    with path.open(newline="", encoding="utf-8-sig") as stream:
        inside = [place for place in _places(csv.DictReader(stream)) if _within(place, view_deg)]
    ordered = sorted(inside, key=lambda place: (-place[3], place[0], place[1], place[2]))
    home = set(islice((place for place in ordered if _on(territory, place)), _HOME_PLACES))
    largest = [place for rank, place in enumerate(ordered) if rank < _PLACES or place in home]
    return [
        {
            "type": "Feature",
            "properties": {"kind": "place", "name": name, "rank": rank, "home": place in home},
            "geometry": {"type": "Point", "coordinates": [round(lon, _DECIMALS), round(lat, _DECIMALS)]},
        }
        for rank, place in enumerate(largest)
        for name, lon, lat, _ in [place]
    ]


def geojson_text(features: Iterable[_Feature]) -> str:
    """A feature collection (RFC 7946), one feature a line."""
    lines = (json.dumps(feature, ensure_ascii=False, separators=(",", ":")) for feature in features)
    return '{"type":"FeatureCollection","features":[\n' + ",\n".join(lines) + "\n]}\n"


def _land(boundaries: Boundaries, view_deg: Box) -> list[BaseGeometry]:
    """All land in the view; beyond the box that the file of the territory knows, that of the world file."""
    land = cut(boundaries.land, view_deg)
    world = cut(boundaries.world_land or (), view_deg)
    if boundaries.known_box_deg is not None:
        known = shapely.box(*boundaries.known_box_deg)
        world = [part for part in (shapely.difference(shape, known) for shape in world) if not part.is_empty]
    return [*land, *world]


def _borders(boundaries: Boundaries) -> list[BaseGeometry]:
    """Outlines of the countries; beyond the box that the file of the territory knows, the world's shapes."""
    lines = _lines(boundaries.countries, boundaries.known_box_deg)
    if not boundaries.world_land:
        return lines
    ends_deg = tuple(shapely.total_bounds(boundaries.world_land))
    known = shapely.box(*boundaries.known_box_deg) if boundaries.known_box_deg else shapely.Point()
    return [*lines, *shapely.difference(_lines(boundaries.world_land, ends_deg), known)]


def _lines(shapes: Iterable[BaseGeometry], known_box_deg: Box | None) -> list[BaseGeometry]:
    lines = [shapely.boundary(shape) for shape in shapes]
    if known_box_deg is None:
        return lines
    edges = shapely.buffer(shapely.boundary(shapely.box(*known_box_deg)), _EDGE_DEG)
    return [shapely.difference(line, edges) for line in lines]


def _feature(shape: BaseGeometry, kind: str, step_deg: float) -> _Feature:
    drawn = shapely.simplify(shape, step_deg, preserve_topology=True)
    geometry = json.loads(shapely.to_geojson(shapely.transform(drawn, lambda xy: np.round(xy, _DECIMALS))))
    return {"type": "Feature", "properties": {"kind": kind}, "geometry": geometry}


def _places(records: csv.DictReader[str]) -> Iterator[_Place]:
    if "name" not in (records.fieldnames or ()):
        return
    for record in records:
        if record["name"]:
            lon_deg, lat_deg = float(record["longitude"]), float(record["latitude"])
            yield record["name"], lon_deg, lat_deg, float(record["population"])


def _on(territory: BaseGeometry, place: _Place) -> bool:
    return bool(shapely.contains_xy(territory, place[1], place[2]))


def _within(place: _Place, box_deg: Box) -> bool:
    return box_deg[0] <= place[1] <= box_deg[2] and box_deg[1] <= place[2] <= box_deg[3]
