"""Job availability: classes, counts, stacked channels and statistics of all devices.

``public/availability_<device>_<level>dbm.tif``, ``available_channels_...``, ``max_eirp_<device>.vrt``,
``statistics.csv`` and ``not_evaluated.csv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.availability.classes import level_name, published_levels_dbm, write_levels
from pipeline.availability.combine import limit_file, tags_of_level
from pipeline.availability.statistics import (
    OpenLand,
    availability_curve,
    not_evaluated_table,
    read_population,
    write_not_evaluated,
    write_statistics,
)
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.files import write_whole
from pipeline.grid import raster, stacks
from pipeline.grid.layer_files import channel_bands, layer_file
from pipeline.radio.allocations import is_partial


def main(config: Config, build: Path, *, threads: int, basis: str) -> None:
    """Write classes, counts, stacked VRT and statistics of all devices; one thread is enough."""
    grid = raster.read_grid(build / "territory" / "surface.tif")
    area_km2, population = grid.area_km2(), read_population(config, build)
    curves, open_areas, partial = [], [], is_partial(config)
    for device in config.devices:
        channels = config.channels_of(device)
        limits = [build / limit_file(device.id, channel) for channel in channels]
        names = channel_bands("max_eirp_stack", channels)
        _write_stack(build, device.id, channels, names, partial=partial)
        tags = {
            level_dbm: tags_of_level(config, device, level_name(level_dbm), limits, basis=basis)
            for level_dbm in published_levels_dbm(config, device)
        }
        land = OpenLand(len(channels), area_km2, population)
        strips = land.seeing(stacks.strips(limits, grid))
        counts = write_levels(build, device, strips, grid, names, tags, partial=partial)
        for level_dbm, count in counts.items():
            curve = availability_curve(count, len(channels), area_km2, population)
            curves.append(curve.assign(device=device.id, level_dbm=level_name(level_dbm)))
        open_areas.append(not_evaluated_table(device.id, channels, land.areas()))
    write_statistics(curves, build / layer_file("statistics", partial=partial))
    write_not_evaluated(open_areas, build / layer_file("not_evaluated", partial=partial))


def _write_stack(
    build: Path, device_id: str, channels: Sequence[DeviceChannel], names: list[str], *, partial: bool
) -> None:
    paths = [build / layer_file("max_eirp", device=device_id, channel=at, partial=partial) for at in channels]
    stack = build / layer_file("max_eirp_stack", device=device_id, partial=partial)
    write_whole(stack, stacks.build_vrt(paths, names))
