"""Surroundings of receivers by the land cover around them, for models that know some (method.md, section 42).

Codes of ``Environment``. What no row of the table knows is refused where a field is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.coverage.inputs import has_surroundings
from pipeline.coverage.receiver_ground import places_of_pixels
from pipeline.errors import InputError
from pipeline.grid.grid import Grid, strips_of_rows
from pipeline.reference.clutter_heights import HIGHEST_CODE, NO_DATA, NO_ENVIRONMENT, read_environments
from pipeline.terrain.elevation import nearest_pixels
from pipeline.terrain.land_cover import load_classes
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.tile_sweeps import box_around, grid_lattice_deg
from pipeline.territory.codes import Surface
from pipeline.territory.masks import is_land
from pipeline.territory.rasters import CheckedTerritory

# Corners of pixels at the edge of the lattice lie a little beyond it.
_MARGIN_KM = 2.0
_NAMES = ("open", "suburban", "urban")


def surroundings_of_pixels(config: Config, grid: Grid, places: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Surroundings of land, uint8[y, x], 0 elsewhere; None without land cover that counts.

    ``places`` surface codes uint8[y, x], OUTSIDE where reception is not computed.
    """
    clutter = config.terrain.clutter
    if clutter is None or not has_surroundings(config):
        return None
    needed = is_land(places)
    classes = load_classes(clutter, box_around(*grid_lattice_deg(grid), _MARGIN_KM))
    codes = np.full(grid.shape, NO_DATA, np.uint16)
    for rows in strips_of_rows(0, grid.height):
        if needed[rows].any():
            codes[rows] = _codes_at(classes, *places_of_pixels(grid, rows, slice(0, grid.width)))
    found = np.zeros(grid.shape, np.uint8)
    found[needed] = _surroundings_of(clutter.table, codes[needed])
    return found


def check(config: Config, territory: CheckedTerritory) -> Iterator[str]:
    """A line on the surroundings of receivers, where land cover tells them; InputError where it does not."""
    surface, reach = territory.masks["surface"].values, territory.masks["reach"].values
    places = np.where(reach == 1, surface, np.uint8(Surface.OUTSIDE))
    found = surroundings_of_pixels(config, territory.masks.attrs["grid"], places)
    if found is not None and (needed := is_land(places)).any():
        count = np.bincount(found[needed], minlength=len(_NAMES))
        shares = [f"{name} {100.0 * n / count.sum():.1f} %" for name, n in zip(_NAMES, count, strict=True)]
        yield f"  surroundings  {', '.join(shares)} of the land with receivers"


def surroundings_at(
    config: Config, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> NDArray[np.uint8] | None:
    """Surroundings of places in degrees [n]; None without land cover that counts."""
    clutter = config.terrain.clutter
    if clutter is None or not has_surroundings(config):
        return None
    classes = load_classes(clutter, box_around(lon_deg, lat_deg, _MARGIN_KM))
    return _surroundings_of(clutter.table, _codes_at(classes, lon_deg, lat_deg))


def _codes_at(
    classes: LonLatRaster, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> NDArray[np.uint16]:
    codes: NDArray[np.uint16] = classes.values[nearest_pixels(classes, lon_deg, lat_deg)]
    return codes


def _surroundings_of(table: Path, codes: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Surroundings of classes [n]; InputError for one of which the table gives none."""
    found = read_environments(table)[codes]
    missing = codes[found == NO_ENVIRONMENT]
    if missing.size:
        values, count = np.unique(missing, return_counts=True)
        code = int(values[np.argmax(count)])
        share_pct = 100.0 * int(count.max()) / codes.size
        raise InputError(
            "surroundings of receivers are not known",
            file=table,
            row="nodata" if code == NO_DATA else f"code {code}" if code <= HIGHEST_CODE else "no code",
            field="environment",
            value=f"none, on {share_pct:.3g} % of the land with receivers",
            allowed="open, suburban or urban",
        )
    return found
