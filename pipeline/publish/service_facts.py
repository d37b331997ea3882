"""What the manifest says of the services: how each is treated, and what is not evaluated for which reason."""

from __future__ import annotations

from pipeline.config.config import Config
from pipeline.config.services import Service
from pipeline.radio.allocations import is_partial, open_channels
from pipeline.services.sections import channels_without_receivers, missing_section
from pipeline.services.table import service_bits, service_row


def service_facts(config: Config) -> dict[str, object]:
    """How the services are treated, their bits in ``eval_flags``, and which are not evaluated where.

    Not evaluated is also a service that should be and of which the territory file names no receivers.
    """
    entries = {name: _entry(name, service) for name, service in config.services.items()}
    left_out = [
        entries[name]
        for name, service in config.services.items()
        if service.applicable and service.status != "evaluate"
    ]
    without = channels_without_receivers(config)
    left_out += [
        entries[name] | {"status": "not_evaluated", "reason": missing_section(service_row(name))}
        for name in without
    ]
    return {
        "services": list(entries.values()),
        "service_bits": service_bits(),
        "not_evaluated": left_out,
        "partial": is_partial(config),
        "study": config.study,
        "channels_of_incumbents_not_evaluated": open_channels(config),
        "channels_without_receivers": without,
    }


def _entry(name: str, service: Service) -> dict[str, object]:
    return {"service": name, **service.model_dump(include={"status", "applicable", "reason"})}
