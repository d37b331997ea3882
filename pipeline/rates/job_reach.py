"""Job reach: how far permitted base stations would reach, ``public/reach_*`` and ``reach_statistics.csv``.

From the published maximum e.i.r.p. of the devices that ``reach`` names; no layer of devices depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.availability.limit_tags import tags_of_devices
from pipeline.availability.statistics import weights_of
from pipeline.config.config import Config
from pipeline.config.products import ReachLayers
from pipeline.files import csv_text, write_whole
from pipeline.grid import raster, stacks
from pipeline.grid.layer_files import layer_file
from pipeline.grid.open_rasters import OpenRasters
from pipeline.hashing import file_sha256, json_hash
from pipeline.radio.allocations import is_partial
from pipeline.rates.reach_entries import asked_of
from pipeline.rates.reach_layers import REACH_COLUMNS, reach_tables, write_reach_layers


def main(config: Config, build: Path, *, threads: int, basis: str) -> None:
    """Write the layers of every entry and the table of shares; one thread is enough."""
    rows = [row for entry in config.reach for row in _of_entry(config, build, entry, basis)]
    table = layer_file("reach_statistics", partial=is_partial(config))
    write_whole(build / table, csv_text(REACH_COLUMNS, rows))


def _of_entry(config: Config, build: Path, entry: ReachLayers, basis: str) -> list[dict[str, str]]:
    """The layers of an entry; its rows of the table."""
    asked, partial = asked_of(config, entry), is_partial(config)
    (device,) = [device for device in config.devices if device.id == entry.device]
    channels = config.channels_of(device)
    levels = [
        build / layer_file("max_eirp", device=device.id, channel=channel, partial=partial)
        for channel in channels
    ]
    tables = reach_tables(asked, config.channels, channels, "reach.mode")
    grid = raster.read_grid(levels[0])
    tags = tags_of_devices(config) | {
        "device": device.id,
        "hash": json_hash([[file_sha256(path) for path in levels], asked.tags, basis]),
    }
    with OpenRasters() as opened:

        def weights(rows: slice, cols: slice) -> Sequence[NDArray[np.floating[Any]] | None]:
            return weights_of(config, build, grid, opened, (rows, cols))

        def path_of(family: str, fields: Mapping[str, object]) -> Path:
            return build / layer_file(family, partial=partial, **fields)

        parts = stacks.parts(levels, grid)
        return write_reach_layers(asked, channels, tables, parts, grid, weights, path_of, tags)
