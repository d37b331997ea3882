"""Stages combine and availability: limits of all services -> published e.i.r.p., classes, counts, statistics.

``main_combine`` writes for each device ``public/max_eirp_<device>_chNN.tif``, ``limiting_service_...`` and
``eval_flags_...``; ``main`` then writes ``public/availability_<device>_<level>dbm.tif``,
``available_channels_...``, ``max_eirp_<device>.vrt``, ``statistics.csv`` and ``not_evaluated.csv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pipeline.availability.classes import (
    availability_class,
    availability_curve,
    count_available,
    level_name,
    published_levels_dbm,
)
from pipeline.availability.combine import Published, combine
from pipeline.availability.not_evaluated import open_area_table, write_open_area
from pipeline.blocks import block_slices, map_blocks
from pipeline.config.config import Config
from pipeline.config.load import load_config, unverified
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.files import table_bytes, write_whole
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX, Grid
from pipeline.grid.layer_files import channel_bands, empty_values, layer_file, layer_layout, make_layer
from pipeline.hashing import file_sha256, json_hash, settings_hash, source_hash
from pipeline.radio.channel_plan import victim_channels
from pipeline.radio.emission import device_cap_dbm
from pipeline.registers.transmitters import read_register
from pipeline.services.base import ServiceContext
from pipeline.services.evaluated import (
    PreparedService,
    limits_on,
    prepare_services,
    product_statement,
    service_modules,
    settled_flags,
)
from pipeline.services.pmse import pmse_victims
from pipeline.services.pmse.pmse_register import bookings_of
from pipeline.services.table import code_names
from pipeline.territory.codes import Surface

# Layers of one device and channel, in the order of ``Published``.
COMBINED = ("max_eirp", "limiting_service", "eval_flags")
BLOCK_PX = 1024
STATISTICS_COLUMNS = ("device", "level_dbm", "channels_at_least", "area_pct", "population_pct")


def main_combine(config_path: Path, build: Path, *, channel: int, threads: int = 1) -> None:
    """Write the three layers of every device in one white-space channel."""
    config = load_config(config_path)
    surface = raster.read(build / "territory" / "surface.tif")
    victims = victims_of(config, channel)
    for device in config.devices:
        layers = run_combine(config, build, device, channel, victims, surface, threads=threads)
        tags = layer_tags(config, build, device, channel, victims)
        for name, layer in layers.items():
            path = build / layer_file(str(name), device=device.id, channel=channel)
            raster.write(path, layer, tags=tags, publish=True)


def run_combine(
    config: Config,
    build: Path,
    device: Device,
    channel: int,
    victims: tuple[int, ...],
    surface: xr.DataArray,
    *,
    threads: int = 1,
) -> xr.Dataset:
    """Layers ``max_eirp``, ``limiting_service``, ``eval_flags`` of one device and channel on the padded grid.

    ``surface`` as read from ``surface.tif``; ``victims`` the DTT channels that limit this one.
    """
    context = ServiceContext(config, build, surface.attrs["grid"], victims)
    services = prepare_services(context, device, channel)
    flags = settled_flags(config, device)
    targets = surface.values == Surface.HOME
    raw, label, bits = (empty_values(name, targets.shape) for name in COMBINED)

    def compute(rows: slice, cols: slice, inside: NDArray[np.bool_]) -> Published | None:
        if not inside.any():
            return None
        return _combine_block(services, rows, cols, device, inside, flags)

    name = f"combine {device.id} channel {channel}"
    for rows, cols, block in map_blocks(compute, targets.shape, BLOCK_PX, threads, cut=(targets,), name=name):
        if block is not None:
            raw[rows, cols], label[rows, cols], bits[rows, cols] = block
    return _as_layers(Published(raw, label, bits), surface.attrs["grid"], device, channel)


def _combine_block(
    services: list[PreparedService],
    rows: slice,
    cols: slice,
    device: Device,
    inside: NDArray[np.bool_],
    flags: int,
) -> Published:
    limits, cap_dbm = limits_on(services, rows, cols), device_cap_dbm(device)
    return combine(limits, inside, cap_dbm=cap_dbm, min_eirp_dbm=device.min_eirp_dbm, settled_flags=flags)


def _as_layers(published: Published, grid: Grid, device: Device, channel: int) -> xr.Dataset:
    """The layers with the labels that a reader of the files sees."""
    fields = {"device": device.id, "bandwidth_mhz": device.bandwidth_mhz, "channel": channel}
    raw, label, bits = published
    return xr.Dataset(
        {
            "max_eirp": make_layer("max_eirp", raw, grid, fields),
            "limiting_service": make_layer("limiting_service", label, grid, fields, codes=code_names()),
            "eval_flags": make_layer("eval_flags", bits, grid, fields),
        }
    )


def victims_of(config: Config, channel: int) -> tuple[int, ...]:
    """DTT channels in the register that limit devices in one channel.

    Reading the register anew (0.02 s for a hundred stations, 0.2 s for 2,000) keeps a job free of what others
    may have left in the build folder.
    """
    register, _ = read_register(config)
    occupied = register["channel"].values.tolist()
    return tuple(victim_channels(config, occupied, [channel]))


def layer_tags(
    config: Config, build: Path, device: Device, channel: int, victims: tuple[int, ...]
) -> dict[str, str]:
    """What one layer depends on: its own maps by content, the settings and the code; no clock."""
    maps = [
        file_sha256(path) for victim in victims for path in ChannelFiles(build, victim).protection(device)
    ]
    sections = ("devices", "protection", "services", "incumbents", "areas", "neighbours", "notice")
    settings = settings_hash(config, (*sections, *pmse_victims.SETTINGS))
    bookings = pmse_victims.bookings_hash(config, bookings_of(config), channel)
    code = [source_hash(name) for name in (__name__, *service_modules(config))]
    return _common_tags(config) | {
        "channel": str(channel),
        "device": device.id,
        "hash": json_hash([maps, settings, bookings, code]),
    }


def _common_tags(config: Config) -> dict[str, str]:
    open_numbers = ", ".join(str(entry["key"]) for entry in unverified(config))
    return {
        "method": config.protection.method,
        "model": f"{config.propagation.coverage_model}, {config.propagation.wsd_model}",
        "notice": config.notice,
        "product": product_statement(config),
        "unverified": f"{open_numbers}; rows of the tables listed in manifest.json",
    }


def main(config_path: Path, build: Path, *, threads: int = 1) -> None:
    """Write classes, counts, stacked VRT and statistics of all devices; one thread is enough."""
    config = load_config(config_path)
    surface = raster.read(build / "territory" / "surface.tif")
    population = _population(config, build)
    area_km2 = surface.attrs["grid"].area_km2()
    channels = sorted(config.channels.wsd)
    curves, open_files = [], []
    for device in config.devices:
        paths = [build / layer_file("max_eirp", device=device.id, channel=channel) for channel in channels]
        open_files += [(device.id, channel, path) for channel, path in zip(channels, paths, strict=True)]
        names = channel_bands("max_eirp_stack", channels)
        stack = build / layer_file("max_eirp_stack", device=device.id)
        write_whole(stack, raster.build_vrt(paths, names))
        for level_dbm in published_levels_dbm(config, device):
            count = _write_level(config, build, device, level_dbm, paths, names)
            curve = availability_curve(count, len(paths), area_km2, population)
            curves.append(curve.assign(device=device.id, level_dbm=level_name(level_dbm)))
    write_statistics(curves, build / layer_file("statistics"))
    open_table = open_area_table(open_files, area_km2, population)
    write_open_area(open_table, build / layer_file("not_evaluated"))


def _write_level(
    config: Config, build: Path, device: Device, level_dbm: float, paths: list[Path], names: list[str]
) -> NDArray[np.uint8]:
    """Write the class stack and the count of one device and level, strip by strip; returns the count."""
    level = level_name(level_dbm)
    grid = raster.read_grid(paths[0])
    count = np.empty((grid.height, grid.width), dtype=np.uint8)

    def strips() -> Iterator[tuple[slice, slice, NDArray[np.uint8]]]:
        for rows, cols in block_slices(count.shape, (STRIP_PX, grid.width)):
            layers = [raster.read(path, rows=rows).values for path in paths]
            classes = np.stack([availability_class(layer, level_dbm) for layer in layers])
            count[rows] = count_available(classes)
            yield rows, cols, classes

    tags = _common_tags(config) | {
        "device": device.id,
        "level_dbm": level,
        "hash": json_hash([[file_sha256(path) for path in paths], level, source_hash(__name__)]),
    }
    place = {"device": device.id, "level": level}
    layout = layer_layout("availability", grid, names, place, tags=tags)
    raster.write_blocks(build / layer_file("availability", **place), layout, strips(), publish=True)
    layer = make_layer("available_channels", count, grid, place)
    raster.write(build / layer_file("available_channels", **place), layer, tags=tags, publish=True)
    return count


def _population(config: Config, build: Path) -> NDArray[np.float32] | None:
    if config.population is None:
        return None
    return np.asarray(raster.read(build / "territory" / "population.tif").values)


def write_statistics(curves: list[pd.DataFrame], path: Path) -> None:
    """Write the curves of all devices and levels; percentages to 0.0001, empty where unknown."""
    columns = list(STATISTICS_COLUMNS)
    table = pd.concat(curves)[columns] if curves else pd.DataFrame(columns=columns)
    write_whole(path, table_bytes(table))
