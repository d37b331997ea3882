"""What lies below and above the rasters of the projects: land, borders, names of places, relief."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely

from pipeline.files import write_whole
from pipeline.grid import raster
from pipeline.grid.grid import Box
from pipeline.plan.plan import Plan
from pipeline.plan.run_files import (
    BOUNDARY_FILE,
    LAND_FILE,
    PLACE_FILE,
    RELIEF_FILE,
    max_eirp_files,
    qgis_files,
)
from pipeline.publish.qgis import vectors
from pipeline.publish.qgis.qml import Entry, Legend
from pipeline.publish.relief import shade_on_grid, shade_palette, shade_steps
from pipeline.publish.web.boundaries import geojson_text, place_features, view_box_deg
from pipeline.territory.rasters import boundaries_of

_UNKNOWN = 0


def write_below(plan: Plan, build: Path, box_deg: Box, resolution_m: float) -> set[str]:
    """Write land, borders and, where the plan has them, places and relief; which of these can be shown.

    ``box_deg``: around the territory. A list of places without names is none to show.
    """
    shown = set()
    config = plan.config
    texts = vectors.boundary_texts(config.territory, box_deg, resolution_m)
    for name, text in zip((LAND_FILE, BOUNDARY_FILE), (texts["land"], texts["boundaries"]), strict=True):
        write_whole(build / name, text.encode())
    if PLACE_FILE in qgis_files(plan) and config.population is not None:
        territory = boundaries_of(config.territory).territory
        shapely.prepare(territory)
        features = place_features(config.population.places, view_box_deg(box_deg), territory)
        write_whole(build / PLACE_FILE, geojson_text(features).encode())
        shown |= {PLACE_FILE} if features else set()
    if config.terrain.dem is not None:
        grid = raster.read_grid(build / max_eirp_files(plan, config.devices[0].id)[0])
        shades = shade_on_grid(config.terrain.dem, grid)
        layer = raster.make_array(
            shades, grid, units="", long_name="light and shade of the terrain", nodata=_UNKNOWN
        )
        raster.write(build / RELIEF_FILE, layer, tags={}, publish=True)
        shown.add(RELIEF_FILE)
    return shown


def relief_legend() -> Legend:
    """Transparent black and white over the maps, in steps."""
    values = np.arange(1, 256, dtype=np.uint8)
    steps, colours = shade_steps(values), shade_palette()
    names = {steps.min(): "shade", steps.max(): "light"}
    entries = []
    for step in np.unique(steps):
        red, green, blue, alpha = (int(part) for part in colours[step])
        entries.append(
            Entry(str(values[steps == step].max()), (red, green, blue, alpha), names.get(step, ""))
        )
    return Legend("Relief of the terrain", False, tuple(entries))
