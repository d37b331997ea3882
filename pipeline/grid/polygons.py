"""Boundaries of countries and land: read, checked, and cut to where they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from pipeline.errors import InputError
from pipeline.grid.grid import LONLAT, Box
from pipeline.rows.text_records import PRINTABLE_TEXT, unfit_character

# Edges are straight in the file's own coordinates. Cut to pieces of this length before a projection bends
# them, an edge along a parallel stays within 0.1 m at 60 degrees.
EDGE_STEP_DEG = 0.02
EDGE_STEP_M = 1000.0
# Countries are numbered in a raster of bytes, with 0 for none and 255 left free.
_MAX_COUNTRIES = 254


class Boundaries(NamedTuple):
    """Polygons in lon/lat degrees (WGS84).

    ``codes`` the countries in order, index 1 upward in ``country.tif``; ``countries`` one geometry each;
    ``home`` the codes of the territory; ``land`` all land of the file; ``known_box_deg`` where the file is
    taken as complete (None: nowhere but on its land); ``world_land`` land beyond that box (None: nothing is
    known there); ``territory`` the land to be mapped.
    """

    codes: tuple[str, ...]
    countries: tuple[BaseGeometry, ...]
    home: tuple[str, ...]
    land: tuple[BaseGeometry, ...]
    known_box_deg: Box | None
    world_land: tuple[BaseGeometry, ...] | None
    territory: BaseGeometry


def read_boundaries(
    path: str | Path,
    home: Sequence[str],
    *,
    countries_layer: str = "countries",
    country_field: str = "iso2",
    land_layer: str | None = "land",
    world: str | Path | None = None,
    bbox_deg: Box | None = None,
) -> Boundaries:
    """Boundaries of a territory from a polygon file; ``bbox_deg`` cuts the territory, not its surroundings.

    Inside the bounding box of the file, what is not land is sea. A file that holds the home polygons only,
    without a land layer, says nothing about its surroundings: there (and beyond any file) ``world`` decides,
    if given.
    """
    shapes, codes = read_layer(path, countries_layer, country_field)
    by_code = {c: shapely.union_all([s for s, k in zip(shapes, codes, strict=True) if k == c]) for c in codes}
    by_code.pop("", None)
    ordered = tuple(sorted(by_code))
    _check_codes(path, ordered, home, country_field)
    alone = land_layer is None and set(codes) <= set(home)
    land = shapes if land_layer is None else read_layer(path, land_layer, None)[0]
    territory = shapely.union_all([by_code[code] for code in home])
    if bbox_deg is not None:
        territory = shapely.intersection(territory, shapely.box(*bbox_deg))
    if territory.is_empty or territory.area == 0.0:
        raise InputError(
            "territory is empty: home does not touch the box", file=path, field="bbox_deg", value=bbox_deg
        )
    return Boundaries(
        codes=ordered,
        countries=tuple(by_code[code] for code in ordered),
        home=tuple(home),
        land=tuple(land),
        known_box_deg=None if alone else tuple(shapely.total_bounds([*shapes, *land])),
        world_land=None if world is None else read_land(world),
        territory=territory,
    )


def box_boundaries(home: Sequence[str], bbox_deg: Box, *, world: str | Path | None = None) -> Boundaries:
    """Boundaries of a territory that is only a box.

    All land in and around it belongs to ``home[0]``, so that reception beyond the edges of the box is
    protected as well; all is land unless ``world`` tells land from sea.
    """
    everywhere = shapely.box(-180.0, -90.0, 180.0, 90.0)
    land = (everywhere,) if world is None else read_land(world)
    territory = shapely.union_all(cut(land, bbox_deg))
    if territory.is_empty or territory.area == 0.0:
        raise InputError(
            "territory is empty: no land in the box", file=world, field="bbox_deg", value=bbox_deg
        )
    return Boundaries((home[0],), (everywhere,), (home[0],), land, everywhere.bounds, None, territory)


def read_land(path: str | Path) -> tuple[BaseGeometry, ...]:
    """All polygons of the first layer of a file, lon/lat degrees; they may touch or overlap."""
    return tuple(read_layer(path, None, None)[0])


def cut(shapes: Iterable[BaseGeometry], box_deg: Box) -> list[BaseGeometry]:
    """The parts of the shapes within a box, without those that do not reach it."""
    parts = [shapely.clip_by_rect(shape, *box_deg) for shape in shapes]
    return [part for part in parts if not part.is_empty]


def project(shapes: Iterable[BaseGeometry], crs: str) -> list[BaseGeometry]:
    """Lon/lat polygons in a projected CRS; edges are densified first, coordinates may become infinite."""
    forward = Transformer.from_crs(LONLAT, crs, always_xy=True)
    return [_valid(_transformed(shapely.segmentize(shape, EDGE_STEP_DEG), forward)) for shape in shapes]


def _transformed(shape: BaseGeometry, transformer: Transformer) -> BaseGeometry:
    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))

    return shapely.transform(shape, move)


def _valid(shape: BaseGeometry) -> BaseGeometry:
    if shape.is_empty or not np.isfinite(shapely.bounds(shape)).all() or shapely.is_valid(shape):
        return shape
    return _polygonal(shapely.make_valid(shape))


def _polygonal(shape: BaseGeometry) -> BaseGeometry:
    """The polygons of a repaired shape; spikes that were reduced to lines are dropped."""
    parts = shapely.get_parts(shapely.get_parts(shape))
    return shapely.union_all([p for p in np.atleast_1d(parts) if shapely.get_dimensions(p) == 2])


def read_frame(
    path: str | Path, layer: str | None = None, columns: Sequence[str] | None = None
) -> gpd.GeoDataFrame:
    """A layer (None: the first) of a polygon file in its own stated CRS, with some or all attributes."""
    if not Path(path).exists():
        raise InputError("file not found", file=path, allowed="an existing polygon file")
    try:
        frame = pyogrio.read_dataframe(path, layer=layer, columns=columns)
    except DataLayerError:
        known = ", ".join(name for name, _ in pyogrio.list_layers(path))
        raise InputError("no such layer", file=path, field="layer", value=layer, allowed=known) from None
    except DataSourceError as error:
        reason = str(error).partition(";")[0]
        raise InputError(f"not a polygon file that can be read ({reason})", file=path) from None
    if "geometry" not in frame or frame.crs is None:
        raise InputError("no coordinate reference system", file=path, field="crs", allowed="a stated CRS")
    return frame


def read_layer(
    path: str | Path, layer: str | None, field: str | None, *, key: str = "country_field"
) -> tuple[list[BaseGeometry], list[str]]:
    """Polygons of a layer (None: the first) in lon/lat and the text of ``field`` for each ("" where empty).

    ``key`` is the setting that names the field.
    """
    frame = read_frame(path, layer, None if field else [])
    if field is not None and field not in frame:
        known = ", ".join(name for name in frame.columns if name != "geometry")
        raise InputError("no such attribute", file=path, field=key, value=field, allowed=known)
    codes = [] if field is None else [str(v) if isinstance(v, str) else "" for v in frame[field]]
    _check_texts(path, codes, field)
    step = EDGE_STEP_M if frame.crs.is_projected else EDGE_STEP_DEG
    shapes = _checked_shapes(path, frame.geometry.array)
    if frame.crs.equals(LONLAT, ignore_axis_order=True):
        return shapes, codes
    to_lonlat = Transformer.from_crs(frame.crs, LONLAT, always_xy=True)
    return [_valid(_transformed(shapely.segmentize(s, step), to_lonlat)) for s in shapes], codes


def _check_texts(path: str | Path, texts: Sequence[str], field: str | None) -> None:
    for row, text in enumerate(texts, 1):
        if found := unfit_character(text):
            problem = f"holds the character {found}"
            raise InputError(problem, file=path, row=row, field=field, value=text, allowed=PRINTABLE_TEXT)


def _checked_shapes(path: str | Path, shapes: Sequence[BaseGeometry | None]) -> list[BaseGeometry]:
    """The polygons of each record, repaired (an atoll lost to simplification may be empty); else refused."""
    if len(shapes) == 0:
        raise InputError("layer is empty", file=path, allowed="at least one polygon")
    checked = []
    for row, shape in enumerate(shapes, 1):
        kind = "none" if shape is None else shape.geom_type
        if shape is None or kind not in {"Polygon", "MultiPolygon", "GeometryCollection"}:
            raise InputError("not a polygon", file=path, row=row, field="geometry", value=kind)
        polygon = _polygonal(shape) if kind == "GeometryCollection" else _valid(shape)
        if not np.isfinite(shapely.get_coordinates(polygon)).all():
            raise InputError("coordinate is not finite", file=path, row=row, field="geometry")
        checked.append(polygon)
    return checked


def _check_codes(path: str | Path, codes: Sequence[str], home: Sequence[str], field: str) -> None:
    for code in home:
        if code not in codes:
            raise InputError(
                "home is not in the boundaries", file=path, field=field, value=code, allowed=", ".join(codes)
            )
    if len(codes) > _MAX_COUNTRIES:
        raise InputError("too many countries", file=path, value=len(codes), allowed=f"up to {_MAX_COUNTRIES}")
