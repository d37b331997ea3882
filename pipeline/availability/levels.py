"""Availability at each level of e.i.r.p.: classes and counts of all channels, and their statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.availability.classes import availability_class, count_available, level_name
from pipeline.blocks import block_slices
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.files import table_bytes, write_whole
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX
from pipeline.grid.layer_files import layer_file, layer_layout, make_layer

_STATISTICS_COLUMNS = ("device", "level_dbm", "channels_at_least", "area_pct", "population_pct")


def write_level(
    build: Path,
    device: Device,
    level_dbm: float,
    paths: list[Path],
    names: list[str],
    tags: Mapping[str, str],
) -> NDArray[np.uint8]:
    """Write the class stack and the count of one device and level, strip by strip; returns the count."""
    level = level_name(level_dbm)
    grid = raster.read_grid(paths[0])
    count = np.empty(grid.shape, dtype=np.uint8)

    def strips() -> Iterator[tuple[slice, slice, NDArray[np.uint8]]]:
        for rows, cols in block_slices(count.shape, (STRIP_PX, grid.width)):
            layers = [raster.read(path, rows=rows).values for path in paths]
            classes = np.stack([availability_class(layer, level_dbm) for layer in layers])
            count[rows] = count_available(classes)
            yield rows, cols, classes

    place = {"device": device.id, "level": level}
    layout = layer_layout("availability", grid, names, place, tags=tags)
    raster.write_blocks(build / layer_file("availability", **place), layout, strips(), publish=True)
    layer = make_layer("available_channels", count, grid, place)
    raster.write(build / layer_file("available_channels", **place), layer, tags=tags, publish=True)
    return count


def read_population(config: Config, build: Path) -> NDArray[np.float32] | None:
    """Persons per pixel [y, x] as float32; None without population."""
    if config.population is None:
        return None
    return np.asarray(raster.read(build / "territory" / "population.tif").values)


def write_statistics(curves: list[pd.DataFrame], path: Path) -> None:
    """Write the curves of all devices and levels; percentages to 0.0001, empty where unknown."""
    columns = list(_STATISTICS_COLUMNS)
    table = pd.concat(curves)[columns] if curves else pd.DataFrame(columns=columns)
    write_whole(path, table_bytes(table))
