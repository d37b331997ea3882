"""Which services a product evaluates, and what it therefore is not."""

from __future__ import annotations

import math

from pipeline.config import Config, Device
from pipeline.protection.ratios import overload_dbm, read_protection_tables
from pipeline.protection.services import Service, dtt
from pipeline.protection.services.codes import SERVICE_CODES, LimitingService

SERVICES: dict[str, Service] = {"dtt": dtt.limit}
"""Functions of the services that can be evaluated; own and foreign DTT reception are one computation."""
COMPUTED_WITH = {"foreign_dtt": "dtt"}


def evaluated_functions(config: Config) -> dict[str, Service | None]:
    """Functions of the services to evaluate, by name; ``None`` where there is none yet: not evaluated."""
    wanted = [name for name, service in config.services.items() if _is_evaluated(config, name)]
    return {COMPUTED_WITH.get(name, name): SERVICES.get(COMPUTED_WITH.get(name, name)) for name in wanted}


def eval_flags(config: Config, device: Device) -> int:
    """Bits of the services that were looked at, by service code; what does not exist here counts as such.

    The device's cap always counts; receiver overload only where every offset has a threshold.
    """
    flags = 1 << LimitingService.DEVICE_CAP
    for name, service in config.services.items():
        if not service.applicable or _is_evaluated(config, name):
            flags |= 1 << SERVICE_CODES[name]
    tables = read_protection_tables(config.protection)
    thresholds = [overload_dbm(tables, device.emission_class, k) for k in config.protection.offsets]
    if config.protection.method == "degradation" and not any(math.isnan(value) for value in thresholds):
        flags |= 1 << LimitingService.RECEIVER_OVERLOAD
    return flags


def product_statement(config: Config) -> str:
    """One sentence on what the product is not; empty when every service that exists here is evaluated."""
    missing = [name for name, service in config.services.items() if service.applicable and
               service.status == "out_of_scope"]  # fmt: skip
    if not missing:
        return ""
    evaluated = {name for name in config.services if _is_evaluated(config, name)}
    if evaluated <= {"dtt", "foreign_dtt"}:
        return "DTT only, not for licensing"
    return f"without {', '.join(missing)}, not for licensing"


def _is_evaluated(config: Config, name: str) -> bool:
    service = next(value for key, value in config.services.items() if key == name)
    return service.applicable and service.status == "evaluate"
