"""What the published maps are not: the services and the offsets that they leave out."""

from __future__ import annotations

from pipeline.config.config import Config
from pipeline.radio.allocations import partial_statement


def product_statement(config: Config) -> str:
    """One sentence on what the product is not; empty when everything that exists here is evaluated."""
    parts = [_services_left_out(config), _offsets_left_out(config)]
    return "; ".join(part for part in parts if part)


def _services_left_out(config: Config) -> str:
    if statement := partial_statement(config):
        return f"{statement}, not for licensing"
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


def _offsets_left_out(config: Config) -> str:
    """What the threshold method does not look at; empty where nothing has to be said."""
    if config.protection.method != "threshold" or config.protection.threshold.offsets != [0]:
        return ""
    return "co-channel only; adjacent channels not studied (SM.2405 6.1)"
