"""Job heights: how far devices of one height stand above their surroundings, in classes.

Input: the masks of the padded grid, land mask, DEM. Output: ``terrain/heights_<base>m.npy`` for each base
height of the devices, uint8[pixel of the territory, sector * rings + ring].
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.grid.raster import read
from pipeline.terrain.height_files import base_heights_m, classes_of_territory, ring_settings, write_classes
from pipeline.terrain.tile_sweeps import read_land


def main(config: Config, build: Path, *, threads: int) -> None:
    """Classes of all pixels of the territory, one file for each base height."""
    if not (bases_m := base_heights_m(config)):
        return
    surface = read(build / "territory" / "surface.tif")
    land = read_land(build / "territory" / "land_lonlat.tif")
    strips = classes_of_territory(config, surface.values, surface.attrs["grid"], land, threads=threads)
    write_classes(build, bases_m, strips, surface.values, ring_settings(config).cells)
