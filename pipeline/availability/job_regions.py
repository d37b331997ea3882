"""Job regions: ``public/statistics_by_region.csv``, how many channels the parts of the territory have.

Made from the published counts, so that a change of the regions computes nothing else anew.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.availability.statistics import count_layers, region_table, tallies
from pipeline.availability.statistics import write_regions as write_regions
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.grid.layer_files import layer_file
from pipeline.radio.allocations import is_partial
from pipeline.territory.rasters import boundaries_of
from pipeline.territory.regions import read_regions


def main(config: Config, build: Path, *, threads: int) -> None:
    """Write the table of all devices, levels and regions; one thread is enough."""
    if config.report.regions is None:
        raise InputError("no regions", file=config.file, row="report.regions", allowed="a polygon file")
    territory = boundaries_of(config.territory).territory
    regions = read_regions(config.report.regions, territory)
    layers = count_layers(config)
    partial = is_partial(config)
    paths = [
        build / layer_file("available_channels", device=name, level=level, partial=partial)
        for name, level in layers
    ]
    population = None if config.population is None else build / "territory" / "population.tif"
    tables = [
        region_table(regions.names, tally).assign(device=device, level_dbm=level)
        for (device, level), tally in zip(layers, tallies(regions, paths, population), strict=True)
    ]
    write_regions(tables, build / layer_file("statistics_by_region", partial=partial))
