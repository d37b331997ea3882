"""Job availability: classes, counts, stacked channels and statistics of all devices.

``public/availability_<device>_<level>dbm.tif``, ``available_channels_...``, ``max_eirp_<device>.vrt``,
``statistics.csv`` and ``not_evaluated.csv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.availability.classes import level_name, published_levels_dbm
from pipeline.availability.level_files import classified, writing_levels
from pipeline.availability.limit_tags import limit_file, tags_of_level
from pipeline.availability.statistics import (
    AvailabilityCurve,
    OpenLand,
    not_evaluated_table,
    weights_of,
    write_not_evaluated,
    write_statistics,
)
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.files import write_whole
from pipeline.grid import raster, stacks
from pipeline.grid.layer_files import channel_bands, layer_file
from pipeline.grid.open_rasters import OpenRasters
from pipeline.radio.allocations import is_partial


def main(config: Config, build: Path, *, threads: int, basis: str) -> None:
    """Write classes, counts, stacked VRT and statistics of all devices."""
    partial = is_partial(config)
    found = [_of_device(config, build, device, basis, threads) for device in config.devices]
    curves = [curve for own, _ in found for curve in own]
    write_statistics(curves, build / layer_file("statistics", partial=partial))
    write_not_evaluated([table for _, table in found], build / layer_file("not_evaluated", partial=partial))


def _of_device(
    config: Config, build: Path, device: Device, basis: str, threads: int
) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    """The layers of a device; its curves by level, and what is not evaluated."""
    grid = raster.read_grid(build / "territory" / "surface.tif")
    channels, levels_dbm = config.channels_of(device), published_levels_dbm(config, device)
    limits = [build / limit_file(device.id, channel) for channel in channels]
    names, partial = channel_bands("max_eirp_stack", channels), is_partial(config)
    _write_stack(build, device.id, channels, names, partial=partial)
    tags = {
        level_dbm: tags_of_level(config, device, level_name(level_dbm), limits, basis=basis)
        for level_dbm in levels_dbm
    }
    land, curves = OpenLand(len(channels)), [AvailabilityCurve() for _ in levels_dbm]
    writing = writing_levels(build, device, grid, names, tags, partial=partial, threads=threads)
    with OpenRasters() as opened, writing as put:
        for part in classified(stacks.parts(limits, grid), levels_dbm):
            put(part)
            weights = weights_of(config, build, grid, opened, (part.rows, part.cols))
            land.add(part.limits, weights)
            for curve, count in zip(curves, part.counts, strict=True):
                curve.add(count, weights)
    tables = [
        curve.table(len(channels)).assign(device=device.id, level_dbm=level_name(level_dbm))
        for curve, level_dbm in zip(curves, levels_dbm, strict=True)
    ]
    return tables, not_evaluated_table(device.id, channels, land.areas())


def _write_stack(
    build: Path, device_id: str, channels: Sequence[DeviceChannel], names: list[str], *, partial: bool
) -> None:
    paths = [build / layer_file("max_eirp", device=device_id, channel=at, partial=partial) for at in channels]
    stack = build / layer_file("max_eirp_stack", device=device_id, partial=partial)
    write_whole(stack, stacks.build_vrt(paths, names))
