"""Regions of the territory: named polygons, of which each pixel belongs to the one that holds its centre."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from pipeline.config.config import Config
from pipeline.config.products import Regions
from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import cut, project, read_layer
from pipeline.grid.repair import Repair, repair_lines
from pipeline.rows.vector_files import layer_names
from pipeline.territory.masks import box_around_deg
from pipeline.territory.rasters import CheckedTerritory

ELSEWHERE, TOTAL = "elsewhere", "total"
MAX_REGIONS = 65_534
# Neighbours digitised one by one overlap by slivers; a region that shares more of itself is another matter.
MAX_OVERLAP_PCT = 1.0


class NamedRegions(NamedTuple):
    """Names in order, and for each its polygons in lon/lat degrees or in the CRS of the grid."""

    names: tuple[str, ...]
    shapes: tuple[BaseGeometry, ...]
    repairs: tuple[Repair, ...] = ()


def read_regions(settings: Regions, territory: BaseGeometry) -> NamedRegions:
    """The regions of a file that touch the territory (both lon/lat), by name.

    Refused: a file or a field that is not there, a polygon without a name, a name that the table uses itself,
    regions that overlap by more than 1 % of the smaller one, and a file of which nothing touches the
    territory.
    """
    path = settings.path
    shapes, names, repairs = read_layer(path, _layer(settings), settings.name_field, key="name_field")
    for row, name in enumerate((name.strip() for name in names), 1):
        if not name or name in {ELSEWHERE, TOTAL}:
            raise InputError(
                "region has no name" if not name else "name is that of a row of the table",
                file=path,
                row=row,
                field=settings.name_field,
                value=name or None,
                allowed=f"a text other than {ELSEWHERE} and {TOTAL}",
            )
    shapely.prepare(territory)
    near = [
        (name.strip(), shape)
        for name, shape in zip(names, shapes, strict=True)
        if shapely.intersects(territory, shape)
    ]
    if not near or len(near) > MAX_REGIONS:
        problem = "too many regions" if near else "no region touches the territory"
        raise InputError(problem, file=path, row="report.regions", value=len(near) or None)
    grouped = {name: [shape for _, shape in parts] for name, parts in groupby(sorted(near, key=_name), _name)}
    unions = tuple(map(shapely.union_all, grouped.values()))
    regions = NamedRegions(tuple(grouped), unions, repairs)
    _check_overlaps(regions, path)
    return regions


def project_regions(regions: NamedRegions, grid: Grid) -> NamedRegions:
    """What reaches the grid, in its CRS."""
    box = box_around_deg(grid)
    near = [
        (name, part)
        for name, shape in zip(regions.names, regions.shapes, strict=True)
        for part in cut([shape], box)
    ]
    return NamedRegions(tuple(name for name, _ in near), tuple(project([part for _, part in near], grid.crs)))


def region_index(regions: NamedRegions, grid: Grid, rows: slice) -> NDArray[np.uint16]:
    """Number of the region of each pixel of some rows: position in ``names``, and their count elsewhere.

    ``regions`` in the CRS of the grid; uint16[rows, x]. Where two overlap, the first name has the pixel.
    """
    none = len(regions.names)
    index = np.full((rows.stop - rows.start, grid.width), none, dtype=np.uint16)
    # Backward, so that the first one stays on top.
    numbered = [(shape, number) for number, shape in enumerate(regions.shapes)][::-1]
    with warnings.catch_warnings():
        # rasterio warns of its own scratch dataset, not of ours.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        place = grid.window(rows, slice(0, grid.width)).transform
        rasterize(numbered, out=index, transform=place)
    return index


def _name(part: tuple[str, BaseGeometry]) -> str:
    return part[0]


def _layer(settings: Regions) -> str | None:
    """The layer named, else the only one; a file that cannot be read is left to who reads it."""
    if settings.layer is not None or not settings.path.is_file():
        return settings.layer
    layers = layer_names(settings.path)
    if len(layers) > 1:
        raise InputError(
            "which layer holds the regions?",
            file=settings.path,
            row="report.regions",
            field="layer",
            allowed=", ".join(layers),
        )
    return None


def _check_overlaps(regions: NamedRegions, path: Path) -> None:
    """Refuse regions that overlap by more than a sliver: a pixel can belong to one only."""
    names, shapes = regions.names, regions.shapes
    pairs = shapely.STRtree(shapes).query(shapes).T.tolist()
    for i, j in sorted(pair for pair in pairs if pair[0] < pair[1]):
        common, smaller = shapely.intersection(shapes[i], shapes[j]).area, min(shapes[i].area, shapes[j].area)
        if 100.0 * common > MAX_OVERLAP_PCT * smaller:
            raise InputError(
                "regions overlap",
                file=path,
                row="report.regions",
                value=f"{names[i]} and {names[j]} by {100.0 * common / smaller:.3g} % of the smaller one",
                allowed=f"at most {MAX_OVERLAP_PCT:g} %",
            )


def check(config: Config, territory: CheckedTerritory) -> Iterator[str]:
    """Read the regions, refused if faulty; a line on how many touch the territory; none without regions."""
    settings = config.report.regions
    if settings is not None:
        regions = read_regions(settings, territory.boundaries.territory)
        yield f"  regions       {len(regions.names)} that touch the territory: {_some(regions.names)}"
        yield from repair_lines(regions.repairs)


def _some(names: tuple[str, ...], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
