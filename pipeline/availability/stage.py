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
    OUTSIDE_COUNT,
    Availability,
    availability_class,
    availability_curve,
    count_available,
    level_name,
)
from pipeline.availability.combine import OUTSIDE_CLASS, OUTSIDE_FLAGS, Published, combine
from pipeline.availability.not_evaluated import open_area_table, write_open_area
from pipeline.blocks import block_slices, map_blocks
from pipeline.config.config import Config
from pipeline.config.load import load_config, unverified
from pipeline.config.protection import Device
from pipeline.dtt.protection_maps import Files
from pipeline.files import table_bytes, write_whole
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.hashing import file_sha256, json_hash, settings_hash, source_hash
from pipeline.quantise import NODATA_CENTI
from pipeline.radio.channel_plan import victim_channels
from pipeline.radio.emission import device_cap_dbm
from pipeline.registers.transmitters import read_register
from pipeline.services.base import ServiceContext
from pipeline.services.codes import CODE_NAMES
from pipeline.services.evaluated import Prepared, prepare_services, product_statement, settled_flags
from pipeline.services.pmse import pmse_victims
from pipeline.services.pmse.pmse_register import bookings_of
from pipeline.territory.codes import Surface

BLOCK_PX = 1024
STRIP_PX = 512
EIRP_UNITS = "dBm"
CLASS_NAMES = {int(code): code.name.lower().replace("_", " ") for code in Availability}
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
            path = build / "public" / f"{name}_{device.id}_ch{channel:02d}.tif"
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
    raw = np.full(targets.shape, NODATA_CENTI, dtype=np.int16)
    label = np.full(targets.shape, OUTSIDE_CLASS, dtype=np.uint8)
    bits = np.full(targets.shape, OUTSIDE_FLAGS, dtype=np.uint16)

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
    services: list[Prepared], rows: slice, cols: slice, device: Device, inside: NDArray[np.bool_], flags: int
) -> Published:
    limits = [(s.flags, None if s.limit is None else s.limit(rows, cols)) for s in services]
    cap_dbm = device_cap_dbm(device)
    return combine(limits, inside, cap_dbm=cap_dbm, min_eirp_dbm=device.min_eirp_dbm, settled_flags=flags)


def _as_layers(published: Published, grid: Grid, device: Device, channel: int) -> xr.Dataset:
    """The layers with the labels that a reader of the files sees."""
    where = f"{device.id}, channel {channel}"
    named = [f"channel {channel}"]
    raw, label, bits = (values[np.newaxis] for values in published)
    return xr.Dataset(
        {
            "max_eirp": raster.make_array(
                raw,
                grid,
                units=EIRP_UNITS,
                nodata=NODATA_CENTI,
                scale_factor=0.01,
                band_names=named,
                long_name=f"maximum permitted e.i.r.p. in {device.bandwidth_mhz:g} MHz, {where}",
            ),
            "limiting_service": raster.make_array(
                label,
                grid,
                units="",
                nodata=OUTSIDE_CLASS,
                categories=CODE_NAMES,
                band_names=named,
                long_name=f"service that decides, {where}",
            ),
            "eval_flags": raster.make_array(
                bits,
                grid,
                units="",
                nodata=OUTSIDE_FLAGS,
                band_names=named,
                long_name=f"bit mask of evaluated services by service code, {where}",
            ),
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
    maps = [file_sha256(path) for victim in victims for path in Files(build, victim).protection(device)]
    sections = ("devices", "protection", "services", "incumbents", "areas", "neighbours", "notice")
    settings = settings_hash(config, (*sections, *pmse_victims.SETTINGS))
    bookings = pmse_victims.bookings_hash(config, bookings_of(config), channel)
    return _common_tags(config) | {
        "channel": str(channel),
        "device": device.id,
        "hash": json_hash([maps, settings, bookings, source_hash(__name__)]),
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
    public = build / "public"
    surface = raster.read(build / "territory" / "surface.tif")
    population = _population(config, build)
    area_km2 = surface.attrs["grid"].area_km2()
    curves = []
    for device in config.devices:
        paths = [
            public / f"max_eirp_{device.id}_ch{channel:02d}.tif" for channel in sorted(config.channels.wsd)
        ]
        names = [f"channel {channel}" for channel in sorted(config.channels.wsd)]
        write_whole(public / f"max_eirp_{device.id}.vrt", raster.build_vrt(paths, names))
        for level_dbm in (level for level in config.levels_dbm if level <= device_cap_dbm(device)):
            count = _write_level(config, public, device, level_dbm, paths, names)
            curve = availability_curve(count, len(paths), area_km2, population)
            curves.append(curve.assign(device=device.id, level_dbm=level_name(level_dbm)))
    write_statistics(curves, public / "statistics.csv")
    files = [
        (device.id, channel, public / f"max_eirp_{device.id}_ch{channel:02d}.tif")
        for device in config.devices
        for channel in sorted(config.channels.wsd)
    ]
    write_open_area(open_area_table(files, area_km2, population), public / "not_evaluated.csv")


def _write_level(
    config: Config, public: Path, device: Device, level_dbm: float, paths: list[Path], names: list[str]
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
    layout = raster.layout_on(
        grid,
        names,
        dtype="uint8",
        nodata=int(Availability.OUTSIDE),
        units="",
        long_name=f"availability at {level} dBm, {device.id}",
        tags=tags,
        categories=CLASS_NAMES,
    )
    path = public / f"availability_{device.id}_{level}dbm.tif"
    raster.write_blocks(path, layout, strips(), publish=True)
    layer = raster.make_array(
        count,
        grid,
        units="channels",
        nodata=OUTSIDE_COUNT,
        long_name=f"channels available at {level} dBm, {device.id}",
    )
    raster.write(public / f"available_channels_{device.id}_{level}dbm.tif", layer, tags=tags, publish=True)
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
