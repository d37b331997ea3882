"""Channels that are kept for other uses in the whole territory: no device may transmit in them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline.budget import Budget, Term
from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.services.base import BlockLimit, ServiceContext, check_channels, everywhere
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit:
    """No permission anywhere in a reserved channel."""
    return everywhere(-math.inf if _reasons(context.config, channel) else math.inf, service.code)


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """What the channel is kept for."""
    reasons = _reasons(context.config, channel)
    if not reasons:
        return None
    return Budget(
        {"reasons": reasons}, (Term("reserved channel", -math.inf, "; ".join(reasons)),), service.code
    )


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Refuse channels that the plan does not have; nothing to report."""
    for entry in config.areas.reserved:
        check_channels(config, "areas.reserved", None, entry.channels)
    yield from ()


def _reasons(config: Config, channel: DeviceChannel) -> list[str]:
    numbers = set(channels_in(channel))
    return [entry.reason for entry in config.areas.reserved if numbers & set(entry.channels)]
