"""Job availability: classes, counts, stacked channels and statistics of all devices.

``public/availability_<device>_<level>dbm.tif``, ``available_channels_...``, ``max_eirp_<device>.vrt``,
``statistics.csv`` and ``not_evaluated.csv``.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.availability.classes import level_name, published_levels_dbm, write_level
from pipeline.availability.combine import limit_file, tags_of_level
from pipeline.availability.statistics import (
    availability_curve,
    not_evaluated_table,
    read_population,
    write_not_evaluated,
    write_statistics,
)
from pipeline.config.config import Config
from pipeline.files import write_whole
from pipeline.grid import raster
from pipeline.grid.layer_files import channel_bands, layer_file
from pipeline.grid.virtual_raster import build_vrt
from pipeline.radio.allocations import is_partial


def main(config: Config, build: Path, *, threads: int, basis: str) -> None:
    """Write classes, counts, stacked VRT and statistics of all devices; one thread is enough."""
    surface = raster.read(build / "territory" / "surface.tif")
    population = read_population(config, build)
    area_km2 = surface.attrs["grid"].area_km2()
    curves, files, partial = [], [], is_partial(config)
    for device in config.devices:
        channels = config.channels_of(device)
        limits = [build / limit_file(device.id, channel) for channel in channels]
        paths = [
            build / layer_file("max_eirp", device=device.id, channel=channel, partial=partial)
            for channel in channels
        ]
        files += [(device.id, channel, path) for channel, path in zip(channels, limits, strict=True)]
        names = channel_bands("max_eirp_stack", channels)
        stack = build / layer_file("max_eirp_stack", device=device.id, partial=partial)
        write_whole(stack, build_vrt(paths, names))
        for level_dbm in published_levels_dbm(config, device):
            tags = tags_of_level(config, device, level_name(level_dbm), limits, basis=basis)
            count = write_level(build, device, level_dbm, limits, names, tags, partial=partial)
            curve = availability_curve(count, len(paths), area_km2, population)
            curves.append(curve.assign(device=device.id, level_dbm=level_name(level_dbm)))
    write_statistics(curves, build / layer_file("statistics", partial=partial))
    not_evaluated = not_evaluated_table(files, area_km2, population)
    write_not_evaluated(not_evaluated, build / layer_file("not_evaluated", partial=partial))
