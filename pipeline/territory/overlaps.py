"""What `validate` says of the boundary files: polygons that were repaired, countries that overlap.

Both are taken as the best that can be made of them, and change where home ends: their reader has to know.
"""

from __future__ import annotations

from collections.abc import Iterator

import shapely

from pipeline.config.config import Config
from pipeline.grid.grid import Box, Grid
from pipeline.grid.polygons import Boundaries, cut
from pipeline.grid.repair import area_km2, repair_lines
from pipeline.territory.masks import box_around_deg
from pipeline.territory.rasters import CheckedTerritory, repairs_near

# Borders drawn twice differ by slivers.
_SLIVER_KM2 = 1.0


def check(config: Config, territory: CheckedTerritory) -> Iterator[str]:
    """Lines on repaired polygons near the grid, and on countries that overlap there by more than slivers."""
    boundaries: Boundaries = territory.boundaries
    grid: Grid = territory.masks.attrs["grid"]
    yield from repair_lines(repairs_near(boundaries, grid))
    if config.territory.polygons is not None:
        yield from _overlaps(boundaries, box_around_deg(grid))


def _overlaps(boundaries: Boundaries, box_deg: Box) -> Iterator[str]:
    shapes = [shapely.union_all(cut([shape], box_deg)) for shape in boundaries.countries]
    pairs = shapely.STRtree(shapes).query(shapes, predicate="intersects").T.tolist()
    for i, j in sorted(pair for pair in pairs if pair[0] < pair[1]):
        common_km2 = area_km2(shapely.intersection(shapes[i], shapes[j]))
        if common_km2 > _SLIVER_KM2:
            first, second = boundaries.codes[i], boundaries.codes[j]
            owner = next((code for code in (first, second) if code in boundaries.home), first)
            yield f"  overlap       {first} and {second} share {common_km2:.6g} km2, which count as {owner}"
