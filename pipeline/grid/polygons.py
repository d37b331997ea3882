"""Boundaries of countries and land: read, checked, and cut to where they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from pipeline.config.territory import Polygons
from pipeline.errors import InputError
from pipeline.grid.country_codes import CodeKind, with_codes
from pipeline.grid.grid import LONLAT, Box, transformer
from pipeline.grid.repair import Repair, check_degrees, checked_shape, repair_of, valid_shape
from pipeline.rows.earth_crs import is_on_earth
from pipeline.rows.text_records import PRINTABLE_TEXT, unfit_character
from pipeline.rows.vector_files import read_vector

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
    known there); ``territory`` the land to be mapped; ``repairs`` of polygons that were not valid.
    """

    codes: tuple[str, ...]
    countries: tuple[BaseGeometry, ...]
    home: tuple[str, ...]
    land: tuple[BaseGeometry, ...]
    known_box_deg: Box | None
    world_land: tuple[BaseGeometry, ...] | None
    territory: BaseGeometry
    repairs: tuple[Repair, ...] = ()


def read_boundaries(
    path: str | Path,
    home: Sequence[str],
    *,
    countries_layer: str = "countries",
    country_field: str = "iso2",
    country_codes: CodeKind = "as_stated",
    land_layer: str | None = "land",
    world: str | Path | None = None,
    bbox_deg: Box | None = None,
) -> Boundaries:
    """Boundaries of a territory from a polygon file; ``bbox_deg`` cuts the territory, not its surroundings.

    ``country_codes``: how the file writes countries; ``home`` and the codes returned have two letters then.

    Inside the bounding box of the file, what is not land is sea. A file that holds the home polygons only,
    without a land layer, says nothing about its surroundings: there (and beyond any file) ``world`` decides,
    if given.
    """
    countries = read_layer(path, countries_layer, country_field, codes=country_codes)
    shapes, codes = countries.shapes, countries.names
    by_code = {c: shapely.union_all([s for s, k in zip(shapes, codes, strict=True) if k == c]) for c in codes}
    by_code.pop("", None)
    ordered = tuple(sorted(by_code))
    _check_codes(path, ordered, home, country_field)
    alone = land_layer is None and set(codes) <= set(home)
    land = countries if land_layer is None else read_layer(path, land_layer, None)
    beyond = None if world is None else read_layer(world, None, None)
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
        land=tuple(land.shapes),
        known_box_deg=None if alone else tuple(shapely.total_bounds([*shapes, *land.shapes])),
        world_land=None if beyond is None else tuple(beyond.shapes),
        territory=territory,
        repairs=tuple(
            dict.fromkeys([*countries.repairs, *land.repairs, *(beyond.repairs if beyond else ())])
        ),
    )


def box_boundaries(home: Sequence[str], bbox_deg: Box, *, world: str | Path | None = None) -> Boundaries:
    """Boundaries of a territory that is only a box.

    All land in and around it belongs to ``home[0]``, so that reception beyond the edges of the box is
    protected as well; all is land unless ``world`` tells land from sea.
    """
    everywhere = shapely.box(-180.0, -90.0, 180.0, 90.0)
    known = PolygonLayer([everywhere], [], ()) if world is None else read_layer(world, None, None)
    land = tuple(known.shapes)
    territory = shapely.union_all(cut(land, bbox_deg))
    if territory.is_empty or territory.area == 0.0:
        raise InputError(
            "territory is empty: no land in the box", file=world, field="bbox_deg", value=bbox_deg
        )
    return Boundaries(
        (home[0],), (everywhere,), (home[0],), land, everywhere.bounds, None, territory, known.repairs
    )


def cut(shapes: Iterable[BaseGeometry], box_deg: Box) -> list[BaseGeometry]:
    """The parts of the shapes within a box, without those that do not reach it."""
    parts = [shapely.clip_by_rect(shape, *box_deg) for shape in shapes]
    return [part for part in parts if not part.is_empty]


def project(shapes: Iterable[BaseGeometry], crs: str) -> list[BaseGeometry]:
    """Lon/lat polygons in a projected CRS; edges are densified first, coordinates may become infinite."""
    forward = transformer(LONLAT, crs)
    return [valid_shape(_transformed(shapely.segmentize(shape, EDGE_STEP_DEG), forward)) for shape in shapes]


def _transformed(shape: BaseGeometry, forward: Transformer) -> BaseGeometry:
    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(forward.transform(xy[:, 0], xy[:, 1]))

    return shapely.transform(shape, move)


def read_frame(
    path: str | Path, layer: str | None = None, columns: Sequence[str] | None = None, *, repaired: bool = True
) -> gpd.GeoDataFrame:
    """A layer (None: the first) of a polygon file in its own stated CRS, with some or all attributes.

    Its polygons are valid and on the Earth; ``attrs["repairs"]`` says which were made so. Not ``repaired``:
    as they stand in the file.
    """
    return checked_frame(path, read_vector(path, layer, columns), repaired=repaired)


def checked_frame(path: str | Path, frame: gpd.GeoDataFrame, *, repaired: bool = True) -> gpd.GeoDataFrame:
    """The features of a file with their stated CRS checked, as ``read_frame``."""
    if "geometry" not in frame or frame.crs is None:
        raise InputError("no coordinate reference system", file=path, field="crs", allowed="a stated CRS")
    if not is_on_earth(frame.crs):
        raise InputError(
            "wrong CRS: none that places polygons on the Earth",
            file=path,
            field="crs",
            value=frame.crs.name,
            allowed="a stated geographic or projected CRS, such as EPSG:4326",
        )
    return _repaired(path, frame) if repaired else frame


def _repaired(path: str | Path, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    checked = [checked_shape(path, row, shape) for row, shape in enumerate(frame.geometry.array, 1)]
    shapes = [shape for shape, _ in checked]
    mended = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))
    in_degrees = mended.geometry
    if not frame.crs.equals(LONLAT, ignore_axis_order=True):
        in_degrees = in_degrees.to_crs(LONLAT)
    repairs = []
    for row, ((_, problem), shape) in enumerate(zip(checked, in_degrees, strict=True), 1):
        check_degrees(path, row, shape)
        repairs.append(repair_of(path, row, problem, shape))
    mended.attrs["repairs"] = tuple(filter(None, repairs))
    return mended


def read_countries(polygons: Polygons) -> gpd.GeoDataFrame:
    """The countries that a territory file names, in the CRS of their file, with the codes of registers."""
    frame = read_frame(polygons.path, polygons.countries_layer)
    return with_codes(frame, polygons.country_field, polygons.country_codes)


class PolygonLayer(NamedTuple):
    """Polygons of a layer in lon/lat, a text for each ("" where empty), and what was repaired."""

    shapes: list[BaseGeometry]
    names: list[str]
    repairs: tuple[Repair, ...]


def read_layer(
    path: str | Path,
    layer: str | None,
    field: str | None,
    *,
    key: str = "country_field",
    codes: CodeKind = "as_stated",
) -> PolygonLayer:
    """Polygons of a layer (None: the first) in lon/lat and the text of ``field`` for each ("" where empty).

    ``key`` is the setting that names the field, ``codes`` how it writes countries.
    """
    frame = read_frame(path, layer, None if field else [])
    if len(frame) == 0:
        raise InputError("layer is empty", file=path, allowed="at least one polygon")
    if field is not None and field not in frame:
        known = ", ".join(name for name in frame.columns if name != "geometry")
        raise InputError("no such attribute", file=path, field=key, value=field, allowed=known)
    frame = frame if field is None else with_codes(frame, field, codes)
    names = [] if field is None else [str(v) if isinstance(v, str) else "" for v in frame[field]]
    _check_texts(path, names, field)
    step = EDGE_STEP_M if frame.crs.is_projected else EDGE_STEP_DEG
    shapes = list(frame.geometry.array)
    if not frame.crs.equals(LONLAT, ignore_axis_order=True):
        to_lonlat = Transformer.from_crs(frame.crs, LONLAT, always_xy=True)
        shapes = [valid_shape(_transformed(shapely.segmentize(s, step), to_lonlat)) for s in shapes]
    return PolygonLayer(shapes, names, frame.attrs["repairs"])


def _check_texts(path: str | Path, texts: Sequence[str], field: str | None) -> None:
    for row, text in enumerate(texts, 1):
        if found := unfit_character(text):
            problem = f"holds the character {found}"
            raise InputError(problem, file=path, row=row, field=field, value=text, allowed=PRINTABLE_TEXT)


def _check_codes(path: str | Path, codes: Sequence[str], home: Sequence[str], field: str) -> None:
    for code in home:
        if code not in codes:
            raise InputError(
                "home is not in the boundaries", file=path, field=field, value=code, allowed=", ".join(codes)
            )
    if len(codes) > _MAX_COUNTRIES:
        raise InputError("too many countries", file=path, value=len(codes), allowed=f"up to {_MAX_COUNTRIES}")
