"""Job allotments: ``public/allotment_unused_<block>.tif`` and ``allotment_shares.csv``, from a table.

A decision of the administration by region and block; no propagation, and no layer of devices depends on it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.availability.allotments import (
    blocks_of,
    read_allotments,
    refuse_unknown_regions,
    share_rows,
    uses_by_region,
    write_shares,
)
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file, make_layer, raster_of
from pipeline.hashing import file_sha256, json_hash
from pipeline.territory.codes import Surface
from pipeline.territory.rasters import boundaries_of
from pipeline.territory.regions import NamedRegions, project_regions, read_regions, region_index


def main(config: Config, build: Path, *, threads: int, code: str) -> None:
    """Write the layer of every block and the table of shares; one thread is enough."""
    settings = config.allotments
    if settings is None:
        raise InputError("no allotments", file=config.file, row="allotments", allowed="a table")
    rows, regions = read_allotments(settings), NamedRegions((), ())
    surface = raster.read(build / "territory" / "surface.tif")
    grid, inside = surface.attrs["grid"], surface.values == Surface.HOME
    if settings.regions is not None:
        regions = read_regions(settings.regions, boundaries_of(config.territory).territory)
    refuse_unknown_regions(rows, regions.names, settings.table)
    local = project_regions(regions, grid)
    number = np.array([*(regions.names.index(name) for name in local.names), len(regions.names)])
    region = number[region_index(local, grid, slice(0, grid.height))]
    people_file, shares = build / "territory" / "population.tif", []
    people = None if config.population is None else raster.read(people_file).values
    tags = {"notice": config.notice, "hash": json_hash([file_sha256(settings.table), code])}
    for block in blocks_of(rows):
        uses = uses_by_region(rows, block, regions.names)[region]
        shares.append(share_rows(block, uses, inside, grid.area_km2(), people))
        values = np.where(inside, uses, np.uint8(raster_of("allotment_unused").nodata))
        fields = {"block": block.name}
        path = build / layer_file("allotment_unused", block=block.name)
        raster.write(path, make_layer("allotment_unused", values, grid, fields), tags=tags, publish=True)
    write_shares(shares, build / layer_file("allotment_shares"))
