"""Which services a product evaluates, and what it therefore is not."""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.config.services import ServiceName
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import overload_dbm
from pipeline.services import aeronautical, border, dtt, fixed, mobile, radio_astronomy, relay_sites
from pipeline.services import restrictions as areas
from pipeline.services.adjustments import adjusted, prepare_without_dtt
from pipeline.services.base import BlockLimit, Prepare, ServiceContext
from pipeline.services.codes import SERVICE_CODES, LimitingService
from pipeline.services.pmse import pmse

SERVICES: dict[ServiceName, Prepare] = {
    "dtt": adjusted(dtt.prepare),
    "foreign_dtt": border.prepare,
    "pmse": pmse.prepare,
    "radio_astronomy": radio_astronomy.prepare,
    "aeronautical": aeronautical.prepare,
    "mobile": mobile.prepare_mobile,
    "ppdr": mobile.prepare_ppdr,
    "fixed": fixed.prepare,
}
"""Services that have functions; ``dtt`` gives the limits of own and of foreign reception, ``foreign_dtt``
what holds at the border."""


DECISIONS: dict[str, tuple[LimitingService, Prepare]] = {
    "reserved_channels": (LimitingService.RESERVED_CHANNEL, areas.prepare_reserved),
    "exclusion_areas": (LimitingService.EXCLUSION_AREA, areas.prepare_exclusions),
    "relay_sites": (LimitingService.EXCLUSION_AREA, relay_sites.prepare),
    "channel_caps": (LimitingService.DEVICE_CAP, areas.prepare_caps),
    "adjustments": (LimitingService.MANUAL_ADJUSTMENT, prepare_without_dtt),
}
"""Limits by decision rather than by a service: always evaluated, after the services."""


class Prepared(NamedTuple):
    """A service ready for one device and channel; ``limit`` None = no numbers: not evaluated anywhere."""

    name: str
    flags: int
    limit: BlockLimit | None


def evaluated_services(config: Config) -> list[ServiceName]:
    """Names of the services to evaluate, by code: where two agree the lower code is named.

    The maps of foreign reception are made with those of the territory's own.
    """
    names = {name for name, service in config.services.items() if service.evaluated}
    if "foreign_dtt" in names:
        names.add("dtt")
    return sorted(names, key=lambda name: SERVICE_CODES[name])


def prepare_services(context: ServiceContext, device: Device, channel: int) -> list[Prepared]:
    """All services to evaluate for one device and channel, then the limits by decision."""
    services = [
        Prepared(
            name,
            1 << SERVICE_CODES[name],
            SERVICES[name](context, device, channel) if name in SERVICES else None,
        )
        for name in evaluated_services(context.config)
    ]
    decisions = [
        Prepared(name, 1 << code, prepare(context, device, channel))
        for name, (code, prepare) in DECISIONS.items()
    ]
    return services + decisions


def settled_flags(config: Config, device: Device) -> int:
    """Bits, by service code, of what needs no looking at a pixel: the cap, services that do not exist here.

    Receiver overload counts where every offset has a threshold.
    """
    flags = 1 << LimitingService.DEVICE_CAP
    for name, service in config.services.items():
        if not service.applicable:
            flags |= 1 << SERVICE_CODES[name]
    tables = read_protection_tables(config.protection)
    thresholds = [overload_dbm(tables, device.emission_class, k) for k in config.protection.offsets]
    if config.protection.method == "degradation" and not any(math.isnan(value) for value in thresholds):
        flags |= 1 << LimitingService.RECEIVER_OVERLOAD
    return flags


def product_statement(config: Config) -> str:
    """One sentence on what the product is not; empty when every service that exists here is evaluated."""
    missing = [
        name
        for name, service in config.services.items()
        if service.applicable and service.status == "out_of_scope"
    ]
    if not missing:
        return ""
    evaluated = {name for name, service in config.services.items() if service.evaluated}
    if evaluated <= {"dtt", "foreign_dtt"}:
        return "DTT only, not for licensing"
    return f"without {', '.join(missing)}, not for licensing"
