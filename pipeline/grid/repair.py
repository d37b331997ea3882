"""Polygons of others made valid: what cannot be is refused, what is repaired is said, with its area.

Parts that overlap count once, a ring that crosses itself is the area that it goes round: nothing that a file
calls land becomes a hole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.errors import InputError
from pipeline.grid.grid import GEOD, Box

_KINDS = ("Polygon", "MultiPolygon", "GeometryCollection")
# Repairs take a time that grows with the crossings: some 3 s for these, minutes for five times as many. Files
# of administrations have tens at most.
_MOST_CROSSINGS = 100_000
_EDGES_AT_ONCE = 500
# Rounding of files that end at the poles or at the 180th meridian.
_SLACK_DEG = 1e-6


class Repair(NamedTuple):
    """A polygon that was not valid: its file, row, what was wrong with it, and what it covers now."""

    file: str
    row: int
    problem: str
    area_km2: float
    bounds_deg: Box

    @property
    def words(self) -> str:
        """What was wrong, and what the polygon covers now."""
        return f"{self.problem}; covers {self.area_km2:.6g} km2 now"

    def __str__(self) -> str:
        """What a reader of a report has to know."""
        return f"{self.file}, row {self.row}: {self.words}"


def repair_of(path: str | Path, row: int, problem: str, shape: BaseGeometry) -> Repair | None:
    """What to say of a polygon, valid by now and in lon/lat; None without a problem."""
    if not problem:
        return None
    west, south, east, north = map(float, shapely.bounds(shape))
    return Repair(str(path), row, problem, area_km2(shape), (west, south, east, north))


def repair_lines(repairs: Iterable[Repair]) -> Iterator[str]:
    """Lines of a report on polygons that were not valid."""
    for repair in repairs:
        yield f"  repaired      {repair}"


def checked_shape(path: str | Path, row: int, shape: BaseGeometry | None) -> tuple[BaseGeometry, str]:
    """The polygons of a record, valid, and what was wrong with them (empty: nothing).

    InputError for what is no polygon, for coordinates that are no numbers, and for lines that cross so often
    that they cannot be a border. A polygon may be empty.
    """
    kind = "none" if shape is None else shape.geom_type
    if shape is None or kind not in _KINDS:
        allowed = "Polygon or MultiPolygon"
        raise InputError("not a polygon", file=path, row=row, field="geometry", value=kind, allowed=allowed)
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        raise InputError("coordinate is not finite", file=path, row=row, field="geometry")
    parts = [part for part in _leaves(shape) if part.geom_type == "Polygon"]
    if kind == "GeometryCollection" and not parts:
        raise InputError("not a polygon", file=path, row=row, field="geometry", value=kind)
    if kind != "GeometryCollection" and shapely.is_valid(shape):
        return shape, ""
    _check_crossings(path, row, parts)
    if kind == "GeometryCollection":
        polygons = shapely.union_all([valid_shape(part) for part in parts])
        return valid_shape(polygons), "only the polygons of a collection count"
    return valid_shape(shape), _fault_of(shape, parts)


def valid_shape(shape: BaseGeometry) -> BaseGeometry:
    """The union of all areas that the rings of a shape enclose, less its holes; lines are dropped."""
    if shape.is_empty or not np.isfinite(shapely.bounds(shape)).all() or shapely.is_valid(shape):
        return shape
    made = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    return shapely.union_all([part for part in _leaves(made) if shapely.get_dimensions(part) == 2])


def _check_crossings(path: str | Path, row: int, parts: Sequence[BaseGeometry]) -> None:
    """Refuse rings whose edges cross more often than can be repaired in a reasonable time."""
    edges = np.concatenate([_edges(ring) for ring in shapely.get_rings(parts)] or [np.empty(0, object)])
    tree, found = shapely.STRtree(edges), 0
    for first in range(0, len(edges), _EDGES_AT_ONCE):
        # Both edges of a crossing find each other.
        found += tree.query(edges[first : first + _EDGES_AT_ONCE], predicate="crosses").shape[1]
        if found > 2 * _MOST_CROSSINGS:
            raise InputError(
                "polygon crosses itself too often to be repaired",
                file=path,
                row=row,
                field="geometry",
                value=f"more than {_MOST_CROSSINGS} crossings",
                allowed="rings in the order of their vertices, repaired by whoever made the file",
            )


def _edges(ring: BaseGeometry) -> NDArray[np.object_]:
    """The straight edges of a ring."""
    vertices = shapely.get_coordinates(ring)
    return np.asarray(shapely.linestrings(np.stack([vertices[:-1], vertices[1:]], axis=1)))


def check_degrees(path: str | Path, row: int, shape: BaseGeometry) -> None:
    """Refuse a shape of which a part is nowhere on the Earth."""
    if shape.is_empty:
        return
    west, south, east, north = shapely.bounds(shape)
    lon_deg, lat_deg = max(-west, east), max(-south, north)
    if not (lon_deg <= 180.0 + _SLACK_DEG and lat_deg <= 90.0 + _SLACK_DEG):
        raise InputError(
            "polygon is not on the Earth",
            file=path,
            row=row,
            field="geometry",
            value=[float(f"{degrees:.9g}") for degrees in shapely.bounds(shape)],
            allowed="longitude -180 to 180, cut at the 180th meridian; latitude -90 to 90; or a stated CRS",
        )


def area_km2(shape: BaseGeometry) -> float:
    """Area on the ellipsoid of a shape in lon/lat degrees, with edges straight on the map for short ones."""
    if shape.is_empty:
        return 0.0
    area_m2, _ = GEOD.geometry_area_perimeter(shapely.normalize(shapely.segmentize(shape, 0.1)))
    return abs(float(area_m2)) / 1e6


def _leaves(shape: BaseGeometry) -> Sequence[BaseGeometry]:
    """The simple parts of a shape, collections in collections too."""
    parts = [shape]
    while any(hasattr(part, "geoms") for part in parts):
        parts = [leaf for part in parts for leaf in (part.geoms if hasattr(part, "geoms") else [part])]
    return parts


def _fault_of(shape: BaseGeometry, parts: Sequence[BaseGeometry]) -> str:
    if len(parts) > 1 and all(shapely.is_valid(part) for part in parts):
        return "parts that touch or overlap are joined"
    return f"rings are repaired ({shapely.is_valid_reason(shape)})"
