"""Fixed links: I/N -20 dB for all devices together (Rec. ITU-R F.1565-1, a fraction of 1 %).

The antenna is that of Rec. ITU-R F.699 or the filed pattern, towards the pixel. F.1245, which averages side
lobes, begins at 1 GHz and does not apply here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline.budget import Budget
from pipeline.config.config import Config
from pipeline.config.incumbents import FixedLinks
from pipeline.config.protection import Device
from pipeline.services.base import BlockLimit, ServiceContext, remarks_without_section
from pipeline.services.placing import ReceiverCriteria, leakage_floor_dbm_per_100khz
from pipeline.services.receivers import (
    explain_receivers,
    prepare_receivers,
    read_victims,
    remarks_on_receivers,
)
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory


def prepare(service: ServiceRow, context: ServiceContext, device: Device, channel: int) -> BlockLimit | None:
    """Limit by all links; None without a register."""
    settings = _settings(context.config)
    if settings is None:
        return None
    criteria = _criteria(service, context.config, settings)
    return prepare_receivers(context, device, channel, read_victims(settings), criteria)


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: int, row: int, col: int
) -> Budget | None:
    """Budget of the limiting link at a pixel."""
    settings = _settings(context.config)
    if settings is None:
        return None
    criteria = _criteria(service, context.config, settings)
    return explain_receivers(context, device, channel, read_victims(settings), criteria, (row, col))


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read the register, refused if faulty; how many links there are."""
    yield from remarks_on_receivers(service, _settings(config))
    yield from remarks_without_section(service, config)


def _settings(config: Config) -> FixedLinks | None:
    return None if config.incumbents is None else config.incumbents.fixed


def _criteria(service: ServiceRow, config: Config, settings: FixedLinks) -> ReceiverCriteria:
    """What the links share; several devices at one link share its I/N."""
    return ReceiverCriteria(
        service.code,
        settings.model,
        settings.time_pct.value,
        10.0 * math.log10(settings.effective_devices),
        floor_dbm_per_100khz=leakage_floor_dbm_per_100khz(config),
    )
