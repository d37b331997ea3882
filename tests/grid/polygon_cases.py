"""Polygons as files hold them, and what they cover: closed forms in square degrees, or what refuses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    """The outline of a box."""
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [*rings]}


def _several(*polygons: list[list[list[float]]]) -> dict[str, Any]:
    return {"type": "MultiPolygon", "coordinates": [*polygons]}


def _collection(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "GeometryCollection", "geometries": [*parts]}


_POINT = {"type": "Point", "coordinates": [0.5, 0.5]}
_LINE = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
_TWO = ring(0, 0, 2, 2)

# Geometry, area (None: refused), and what is said of it.
GEOMETRIES: dict[str, tuple[dict[str, Any] | None, float | None, str]] = {
    "box": (_polygon(ring(0, 0, 1, 1)), 1.0, ""),
    "turned": (_polygon(ring(0, 0, 1, 1)[::-1]), 1.0, ""),
    "hole": (_polygon(ring(0, 0, 3, 3), ring(1, 1, 2, 2)), 8.0, ""),
    "point twice": (_polygon([[0, 0], [1, 0], [1, 0], [1, 1], [0, 1], [0, 0]]), 1.0, ""),
    "overlapping parts": (_several([_TWO], [ring(1, 1, 3, 3)]), 7.0, "repaired"),
    "same part twice": (_several([_TWO], [_TWO]), 4.0, "repaired"),
    "part in a part": (_several([ring(0, 0, 3, 3)], [ring(1, 1, 2, 2)]), 9.0, "repaired"),
    "three parts": (_several([_TWO], [ring(1, 0, 3, 2)], [ring(0, 1, 3, 3)]), 9.0, "repaired"),
    "island in a hole": (
        _several([ring(0, 0, 3, 3), ring(0.5, 0.5, 2.5, 2.5)], [ring(1, 1, 2, 2)]), 6.0, ""
    ),
    "neighbouring parts": (_several([ring(0, 0, 1, 1)], [ring(1, 0, 2, 1)]), 2.0, "repaired"),
    "bow": (_polygon([[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]), 0.5, "repaired"),
    "twice around": (_polygon(ring(0, 0, 2, 2)[:-1] + ring(0, 0, 1, 1)), 4.0, "repaired"),
    "spike": (_polygon([[0, 0], [1, 0], [1, 2], [1, 1], [0, 1], [0, 0]]), 1.0, "repaired"),
    "hole twice": (
        _polygon(ring(0, 0, 3, 3), ring(1, 1, 2, 2), ring(1, 1, 2, 2)), 8.0, "repaired"
    ),
    "holes that overlap": (
        _polygon(ring(0, 0, 3, 3), ring(0.5, 0.5, 1.5, 1.5), ring(1, 1, 2, 2)), 7.25, "repaired"
    ),
    "collection": (_collection(_polygon(ring(0, 0, 1, 1)), _POINT, _LINE), 1.0, "repaired"),
    "overlapping collection": (
        _collection(_polygon(_TWO), _polygon(ring(1, 1, 3, 3))), 7.0, "repaired"
    ),
    "nested collection": (_collection(_collection(_polygon(ring(0, 0, 1, 1)))), 1.0, "repaired"),
    "not closed": (_polygon(ring(0, 0, 1, 1)[:-1]), None, "row 1, field geometry"),
    "two points": (_polygon([[0, 0], [1, 1]]), None, "row 1, field geometry"),
    "no number": (_polygon([[0, 0], [1, 0], [float("nan"), 1], [0, 0]]), None, "not finite"),
    "infinite": (_polygon([[0, 0], [1, 0], [float("inf"), 1], [0, 0]]), None, ""),
    "latitude 95": (_polygon(ring(0, 85, 1, 95)), None, "latitude -90 to 90"),
    "latitude -95": (_polygon(ring(0, -95, 1, -85)), None, "latitude -90 to 90"),
    "longitude 190": (_polygon(ring(170, 0, 190, 1)), None, "180th meridian"),
    "longitude 359": (_polygon(ring(350, 0, 359, 1)), None, "180th meridian"),
    "metres": (_polygon(ring(400000, 100000, 500000, 200000)), None, "stated CRS"),
    "point": (_POINT, None, "'Point'"),
    "line": (_LINE, None, "'LineString'"),
    "collection without polygons": (_collection(_POINT, _LINE), None, "not a polygon"),
    "nothing": (None, None, "'none'"),
    "empty": (_polygon(), None, "no area"),
    "line there and back": (_polygon([[0, 0], [1, 0], [0, 0], [0, 0]]), None, "no area"),
    "text": ({"type": "Polygon", "coordinates": "here"}, None, "geometry"),
}  # fmt: skip


def write_geojson(path: Path, geometry: dict[str, Any] | None, **members: Any) -> Path:
    """A file of one feature with all attributes that any reader asks for."""
    properties = {"iso2": "AA", "channels": "*", "reason": "test"}
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    content = {"type": "FeatureCollection", "features": [feature], **members}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
