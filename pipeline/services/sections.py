"""Which services a territory file has receivers of: of the others no pixel that they concern is evaluated."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.bonds import DeviceChannel, in_order
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.radio.allocations import allocations_of
from pipeline.services.table import ServiceRow, service_row


def is_concerned(service: ServiceRow, config: Config, device: Device, channel: DeviceChannel) -> bool:
    """Whether a channel lies in a band of the service; one that the territory gives no band is everywhere."""
    own = [allocation for allocation in config.channels.allocated if allocation.key == service.name]
    here = [found for found in allocations_of(config.channels, device, channel) if found.key == service.name]
    return not (service.own_band and own) or bool(here)


def lacks_receivers(service: ServiceRow, config: Config) -> bool:
    """Whether a service with stations of its own is to be evaluated without any section that names them."""
    if not service.stations or service.name not in config.services:
        return False
    given = config.pmse.registers if service.booked else getattr(config.incumbents, service.name, None)
    return config.services[service.name].evaluated and not given


def channels_without_receivers(config: Config) -> dict[str, list[int | str]]:
    """Channels, then bonds, that are not evaluated for want of receivers for some device, by service."""
    found: dict[str, list[int | str]] = {}
    for service in filter(lambda row: lacks_receivers(row, config), map(service_row, config.services)):
        pairs = [(device, channel) for device in config.devices for channel in config.channels_of(device)]
        channels = {channel for device, channel in pairs if is_concerned(service, config, device, channel)}
        if channels:
            found[service.name] = in_order(channels)
    return found


def remarks_without_section(service: ServiceRow, config: Config) -> Iterator[str]:
    """A line of `channelmaps validate` where a service to evaluate has no section under ``incumbents``."""
    if lacks_receivers(service, config):
        where = " in the bands allocated to it" if service.own_band else ""
        missing = missing_section(service)
        yield f"  no numbers    {service.name}: {missing}, so no pixel will be evaluated{where}"


def missing_section(service: ServiceRow) -> str:
    """What a territory file lacks of a service."""
    return "pmse.registers is empty" if service.booked else f"incumbents.{service.name} is missing"
