"""`channelmaps priority`: which channels each level of priority may be given, as maps and as one table.

A channel is free for a level where the limits allow its device the e.i.r.p. it needs and the level's
additional protection (SM.2405, Annex 7). A user of the level may be given it where more than a number of the
mapped channels are free; what is not evaluated is not free. The limit counts before the least e.i.r.p. of the
device: the users radiate exactly what the level says. Of a device that uses several channels as one, channels
are bonds, and a level has those of which it has all channels.

Writes ``priority_<level>.tif`` (one band per channel, classes of the availability layers),
``priority_channels_<level>.tif`` (how many of them) and ``priority.csv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.availability.classes import OUTSIDE_COUNT, Availability, availability_class, count_available
from pipeline.availability.limit_tags import limit_file
from pipeline.config.bonds import DeviceChannel, channels_in, counted_as
from pipeline.config.config import Config
from pipeline.config.products import Priority
from pipeline.errors import InputError
from pipeline.files import GEOTIFF_FILE, check_output_folder, kind_of_table, table_bytes, write_output
from pipeline.grid import raster
from pipeline.plan.territory_file import files_read, load_config

# --- classes and shares -------------------------------------------------------------------------------------


_ANY_CHANNEL = "any"


def priority_classes(
    limit_centi_dbm: NDArray[np.int16], channels: Sequence[DeviceChannel], level: Priority
) -> NDArray[np.uint8]:
    """Classes ``Availability`` [channel, y, x]: AVAILABLE where a user of the level may be given the channel.

    ``limit_centi_dbm`` int16[channel, y, x], all mapped channels of the level's device, raw.
    """
    classes = availability_class(limit_centi_dbm, level.eirp_dbm + level.protection_db)
    counted = np.array([level.counted is None or _all_in(channel, level.counted) for channel in channels])
    free = (classes[counted] == Availability.AVAILABLE).sum(axis=0)
    scarce = free <= level.more_than_free
    own = np.array([_is_of(channel, level) for channel in channels])[:, np.newaxis, np.newaxis]
    inside = classes != Availability.OUTSIDE
    classes[~own & inside] = Availability.UNAVAILABLE
    classes[(classes == Availability.AVAILABLE) & scarce] = Availability.UNAVAILABLE
    return classes


def _is_of(channel: DeviceChannel, level: Priority) -> bool:
    """Whether a level has a channel, or all channels of a bond."""
    return _all_in(channel, level.channels)


def _all_in(channel: DeviceChannel, channels: Sequence[int]) -> bool:
    return set(channels_in(channel)) <= set(channels)


def priority_shares(
    classes: NDArray[np.uint8],
    channels: Sequence[DeviceChannel],
    level: Priority,
    area_km2: NDArray[np.floating],
    population: NDArray[np.floating] | None,
) -> pd.DataFrame:
    """Share of area and people where the level may be given each of its channels, and any of them.

    Columns level, pr, device, eirp_dbm, protection_db, more_than_free, channel, area_pct, population_pct.
    """
    inside = (classes != Availability.OUTSIDE).any(axis=0)
    given = classes == Availability.AVAILABLE
    masks = {str(channel): given[i] for i, channel in enumerate(channels) if _is_of(channel, level)}
    masks[_ANY_CHANNEL] = given.any(axis=0)
    weights = (area_km2, population)
    shares = [[share_pct(mask, inside, weight) for weight in weights] for mask in masks.values()]
    table = pd.DataFrame(shares, columns=["area_pct", "population_pct"])
    table.insert(0, "channel", list(masks))
    for name in ("more_than_free", "protection_db", "eirp_dbm", "device"):
        table.insert(0, name, getattr(level, name))
    table.insert(0, "pr", level.pr or "")
    table.insert(0, "level", level.level)
    return table


def share_pct(
    mask: NDArray[np.bool_], inside: NDArray[np.bool_], weight: NDArray[np.floating] | None
) -> float:
    """Per cent of the weight of the inside pixels that ``mask`` holds; NaN without weight."""
    if weight is None:
        return float("nan")
    weights = np.where(inside, np.nan_to_num(np.broadcast_to(weight, mask.shape)), 0.0).astype(np.float64)
    total = float(weights.sum())
    return 100.0 * float(weights[mask].sum()) / total if total > 0.0 else float("nan")


# --- the files ----------------------------------------------------------------------------------------------


_TABLE_FILE = "priority.csv"
_CLASS_NAMES = {int(code): code.name.lower().replace("_", " ") for code in Availability}


def priority_command(config_path: Path, out: Path, *, build: Path | None = None) -> None:
    """Maps and table of all levels from the limits of a run."""
    config = load_config(config_path)
    if not config.priority:
        raise InputError(
            "no level of priority is configured",
            file=config_path,
            row="priority",
            allowed="a list of levels; see configs/schema.json",
        )
    folder = build or Path("build") / config.name
    levels = sorted(config.priority, key=lambda level: (level.level, level.pr or ""))
    products = {_TABLE_FILE: kind_of_table("level", "device", "eirp_dbm", "more_than_free", "channel")}
    products |= {name: GEOTIFF_FILE for level in levels for name in _map_files(level)}
    layers = [path for level in levels for path in _layers(config, folder, level)]
    check_output_folder("--out", out, products, [*files_read(config), *layers])
    out.mkdir(parents=True, exist_ok=True)
    table = pd.concat([_write_level(config, folder, level, out) for level in levels])
    write_output(out / _TABLE_FILE, table_bytes(table))
    print(f"channels of each level: {out / _TABLE_FILE}")
    for row in table[table["channel"] == _ANY_CHANNEL].to_dict("records"):
        name = f"{row['level']} {row['pr']}".rstrip()
        print(f"  level {name}  some channel on {row['area_pct']:.1f} % of the area")


def _channels(config: Config, level: Priority) -> list[DeviceChannel]:
    """The channels, or bonds, of the level's device, ascending."""
    (device,) = [device for device in config.devices if device.id == level.device]
    return config.channels_of(device)


def _layers(config: Config, folder: Path, level: Priority) -> list[Path]:
    """Limits of the level's device, channels ascending."""
    return [folder / limit_file(level.device, channel) for channel in _channels(config, level)]


def _map_files(level: Priority) -> tuple[str, str]:
    """The maps of a level: classes by channel, number of channels."""
    return f"priority_{level.name}.tif", f"priority_channels_{level.name}.tif"


def _write_level(config: Config, folder: Path, level: Priority, out: Path) -> pd.DataFrame:
    channels = _channels(config, level)
    layers = [raster.read(path) for path in _layers(config, folder, level)]
    grid = layers[0].attrs["grid"]
    classes = priority_classes(np.stack([layer.values for layer in layers]), channels, level)
    what = f"priority level {level.name}, {level.device} at {level.eirp_dbm:g} dBm"
    tags = {"level": level.name, "device": level.device, "notice": config.notice}
    stack = raster.make_array(
        classes,
        grid,
        units="",
        nodata=int(Availability.OUTSIDE),
        categories=_CLASS_NAMES,
        band_names=[f"channel {channel}" for channel in channels],
        long_name=f"channels for {what}",
    )
    classes_file, count_file = _map_files(level)
    bond = len(channels_in(channels[0]))
    raster.write(out / classes_file, stack, tags=tags, publish=True)
    count = raster.make_array(
        count_available(classes),
        grid,
        units=counted_as(bond),
        nodata=OUTSIDE_COUNT,
        long_name=f"number of channels for {what}",
    )
    raster.write(out / count_file, count, tags=tags, publish=True)
    people = None
    if config.population is not None:
        people = raster.read(folder / "territory" / "population.tif").values
    return priority_shares(classes, channels, level, grid.area_km2(), people)
