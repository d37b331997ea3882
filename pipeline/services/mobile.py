"""Land mobile (I/N -6 dB) and PPDR (-10 dB) below and above the television band (Rec. ITU-R M.1808).

What reaches their receivers is the leakage of the device and, through the receiver's selectivity, its whole
power; a receiver within the device's channel takes in its share of the power.
"""

from __future__ import annotations

import math

from pipeline.config.config import Config
from pipeline.config.incumbents import Receivers
from pipeline.config.protection import Device
from pipeline.services.base import BlockLimit, Explain, Explanation, Prepare, ServiceContext
from pipeline.services.codes import LimitingService
from pipeline.services.placing import Service
from pipeline.services.receivers import explain_receivers, prepare_receivers, read_victims

LABELS = {"mobile": LimitingService.MOBILE, "ppdr": LimitingService.PPDR}


def _prepare(name: str) -> Prepare:
    """Limit by the receivers of a service; None without its section."""

    def prepare(context: ServiceContext, device: Device, channel: int) -> BlockLimit | None:
        settings = settings_of(context.config, name)
        if settings is None:
            return None
        service = service_of(context.config, settings, name)
        return prepare_receivers(context, device, channel, read_victims(settings), service)

    return prepare


def _explain(name: str) -> Explain:
    """Budget of the receiver that decides at a pixel."""

    def explain(
        context: ServiceContext, device: Device, channel: int, row: int, col: int
    ) -> Explanation | None:
        settings = settings_of(context.config, name)
        if settings is None:
            return None
        service = service_of(context.config, settings, name)
        return explain_receivers(context, device, channel, read_victims(settings), service, (row, col))

    return explain


def settings_of(config: Config, name: str) -> Receivers | None:
    """Section of ``mobile`` or ``ppdr``."""
    if config.incumbents is None:
        return None
    return config.incumbents.mobile if name == "mobile" else config.incumbents.ppdr


def service_of(config: Config, settings: Receivers, name: str) -> Service:
    """What the receivers of a service share."""
    floor = config.incumbents.leakage_floor_dbm_per_100khz.value if config.incumbents else -math.inf
    return Service(
        LABELS[name], settings.model, settings.time_pct.value, settings.margin_db, floor_dbm_per_100khz=floor
    )


prepare_mobile, prepare_ppdr = _prepare("mobile"), _prepare("ppdr")
explain_mobile, explain_ppdr = _explain("mobile"), _explain("ppdr")
