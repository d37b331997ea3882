"""Fixed links: I/N -20 dB for all devices together (Rec. ITU-R F.1565-1, share of 1 %; f1565.md, section 6).

The antenna is that of Rec. ITU-R F.699 or the filed pattern, towards the pixel. F.1245, which averages side
lobes, begins at 1 GHz and has no place here.
"""

from __future__ import annotations

import math

from pipeline.config.config import Config
from pipeline.config.incumbents import FixedLinks
from pipeline.config.protection import Device
from pipeline.services.base import BlockLimit, Explanation, ServiceContext
from pipeline.services.codes import LimitingService
from pipeline.services.placing import Service
from pipeline.services.receivers import explain_receivers, prepare_receivers, read_victims


def prepare(context: ServiceContext, device: Device, channel: int) -> BlockLimit | None:
    """Limit by all links; None without a register."""
    settings = settings_of(context.config)
    if settings is None:
        return None
    service = service_of(context.config, settings)
    return prepare_receivers(context, device, channel, read_victims(settings), service)


def explain(context: ServiceContext, device: Device, channel: int, row: int, col: int) -> Explanation | None:
    """Budget of the link that decides at a pixel."""
    settings = settings_of(context.config)
    if settings is None:
        return None
    service = service_of(context.config, settings)
    return explain_receivers(context, device, channel, read_victims(settings), service, (row, col))


def settings_of(config: Config) -> FixedLinks | None:
    """Section of the fixed links."""
    return None if config.incumbents is None else config.incumbents.fixed


def service_of(config: Config, settings: FixedLinks) -> Service:
    """What the links share; several devices at one link share its I/N."""
    floor = config.incumbents.leakage_floor_dbm_per_100khz.value if config.incumbents else -math.inf
    return Service(
        LimitingService.FIXED,
        settings.model,
        settings.time_pct.value,
        10.0 * math.log10(settings.effective_devices),
        floor_dbm_per_100khz=floor,
    )
