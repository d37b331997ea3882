"""Job territory: masks of the padded grid, population, and land and sea for the paths.

Input: boundaries and population named in the configuration, sites and modes of the register.
Output in ``<build>/territory``: ``surface.tif``, ``country.tif`` with ``countries.json`` (index 1 upward),
``coastal.tif``, ``reach.tif`` (land that devices reach), ``sea.tif`` (class of the distance from the sea),
``border.tif`` (km), ``neighbours.tif`` (km, a band for each foreign land), ``repairs.json`` (polygons that
were not valid), ``land_lonlat.tif`` and, if configured, ``population.tif`` (persons per pixel),
``density.tif`` (persons per km2) and, from places, ``population.json`` (people of each country on the grid,
beyond it, not placed).
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.grid.grid import Grid
from pipeline.grid.raster import write
from pipeline.registers.transmitters import read_register
from pipeline.territory.masks import border_strips_km, paths_box_deg, surface_mask
from pipeline.territory.rasters import (
    REPAIRS_FILE,
    Reach,
    boundaries_of,
    padded_masks,
    read_people,
    repairs_near,
    write_codes,
    write_neighbours,
    write_population,
    write_repairs,
    write_sea,
    write_strips,
)


def main(config: Config, build: Path, *, threads: int, required: Reach) -> None:
    """Compute and write all files of the territory; ``required``: see ``padded_masks``."""
    folder = build / "territory"
    register, _ = read_register(config)
    boundaries = boundaries_of(config.territory)
    masks = padded_masks(config, boundaries, required, threads=threads)
    grid: Grid = masks.attrs["grid"]
    people = None if config.population is None else read_people(config.population, grid)
    write(folder / "reach.tif", masks["reach"], tags={}, publish=False)
    masks = masks.drop_vars("reach")  # what is not asked for again is held no longer
    for name in list(masks):
        write(folder / f"{name}.tif", masks[name], tags={}, publish=False)
    write_codes(folder / "countries.json", boundaries.codes)
    write_repairs(folder / REPAIRS_FILE, repairs_near(boundaries, grid))
    write_neighbours(folder / "neighbours.tif", masks, boundaries.codes)
    masks = masks.drop_vars("coastal")
    write_sea(folder / "sea.tif", config, masks["surface"].values, grid)
    border = border_strips_km(masks["surface"].values, grid.resolution_m)
    write_strips(folder / "border.tif", grid, border, "km", "distance to foreign land")
    if people is not None:
        write_population(folder, people, masks, boundaries)
    box_deg = paths_box_deg(grid, register["lon_deg"].values, register["lat_deg"].values)
    land = surface_mask(boundaries, box_deg, threads=threads)
    write(folder / "land_lonlat.tif", land, tags={}, publish=False)
