"""Land mobile (I/N -6 dB) and PPDR (-10 dB) below and above the television band (Rec. ITU-R M.1808).

What reaches their receivers is the leakage of the device and, through the receiver's selectivity, its whole
power; a receiver within the device's channel takes in its fraction of the power. Both services are rows of
the table with this module; the row's name is that of the section with their receivers.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.budget import Budget
from pipeline.config.config import Config
from pipeline.config.incumbents import Receivers
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
    """Limit by the receivers of a service; None without its section."""
    settings = _settings(service, context.config)
    if settings is None:
        return None
    criteria = _criteria(service, context.config, settings)
    return prepare_receivers(context, device, channel, read_victims(settings), criteria)


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: int, row: int, col: int
) -> Budget | None:
    """Budget of the limiting receiver at a pixel."""
    settings = _settings(service, context.config)
    if settings is None:
        return None
    criteria = _criteria(service, context.config, settings)
    return explain_receivers(context, device, channel, read_victims(settings), criteria, (row, col))


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read registers and table, refused if faulty; how many receivers there are."""
    yield from remarks_on_receivers(service, _settings(service, config))
    yield from remarks_without_section(service, config)


def _settings(service: ServiceRow, config: Config) -> Receivers | None:
    return None if config.incumbents is None else getattr(config.incumbents, service.name)


def _criteria(service: ServiceRow, config: Config, settings: Receivers) -> ReceiverCriteria:
    """What the receivers of a service share."""
    return ReceiverCriteria(
        service.code,
        settings.model,
        settings.time_pct.value,
        settings.margin_db,
        floor_dbm_per_100khz=leakage_floor_dbm_per_100khz(config),
    )
