"""What narrowed offsets hide: pixel-channels that are permitted and that all offsets would take away.

A second combination on the stored maps of the victims that ``protection.offsets`` leaves out; nothing is
searched again. Permitted is what the layers of the levels show: the limit before the least e.i.r.p. of the
device. DTT channels that no offset in use reaches have no maps: they are named as such, and the counts are
what the others take away at least.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.availability.classes import Availability, availability_class, published_levels_dbm
from pipeline.availability.limit_tags import limit_file
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.grid import raster
from pipeline.grid.grid import strips_of_rows
from pipeline.reference.limiting_channels import (
    offsets_narrowed,
    victim_channels,
    victims_by_offset,
    with_all_offsets,
)
from pipeline.services.base import ServiceContext, module_of
from pipeline.services.table import service_row


class NarrowingEffect(NamedTuple):
    """Of a device and level: pixel-channels permitted, and how many of them all offsets would take away."""

    device: str
    level_dbm: float
    permitted: int
    taken_away: int


def narrowing_effects(config: Config, build: Path, victims: list[int]) -> list[NarrowingEffect]:
    """Effects for each device and level, from published and stored maps; none where nothing is narrowed.

    ``victims``: the DTT channels with maps in ``build``.
    """
    if not offsets_narrowed(config):
        return []
    return [
        NarrowingEffect(device.id, level_dbm, *counts)
        for device in config.devices
        for level_dbm, counts in _counts(config, build, device, victims).items()
    ]


def channels_without_maps(config: Config, occupied: list[int], victims: list[int]) -> list[int]:
    """DTT channels with stations that all offsets would reach and for which there are no maps."""
    if not offsets_narrowed(config):
        return []
    whole = victim_channels(with_all_offsets(config), occupied, config.all_device_channels())
    return sorted(set(whole) - set(victims))


def _counts(config: Config, build: Path, device: Device, victims: list[int]) -> dict[float, list[int]]:
    """Permitted pixel-channels and those of them taken away, by level."""
    counts = {level_dbm: [0, 0] for level_dbm in published_levels_dbm(config, device)}
    for channel in config.channels_of(device):
        path = build / limit_file(device.id, channel)
        left_out = left_out_channels(config, device, channel, victims)
        context = ServiceContext(with_all_offsets(config), build, raster.read_grid(path), left_out)
        service = service_row("dtt")
        limit = module_of(service).prepare(service, context, device, channel)
        assert limit is not None
        for rows in strips_of_rows(0, context.grid.height):
            raw = raster.read(path, rows=rows).values
            eirp_dbm = limit(rows, slice(0, context.grid.width)).eirp_dbm
            for level_dbm, count in counts.items():
                permitted = availability_class(raw, level_dbm) == Availability.AVAILABLE
                count[0] += int(np.count_nonzero(permitted))
                count[1] += int(np.count_nonzero(permitted & (eirp_dbm < level_dbm)))
    return counts


def left_out_channels(
    config: Config, device: Device, channel: DeviceChannel, victims: list[int]
) -> tuple[int, ...]:
    """Channels with maps that limit a device by the whole table and not by the offsets in use."""
    whole = victims_by_offset(with_all_offsets(config), device, channel, victims)
    used = {victim for victim, _ in victims_by_offset(config, device, channel, victims)}
    return tuple(sorted(victim for victim, _ in whole if victim not in used))
