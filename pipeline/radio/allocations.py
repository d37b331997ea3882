"""Incumbents of bands (``channels.allocated``): in which channels one of them is not evaluated.

No channel may be called available where an incumbent of its band is not evaluated; Report ITU-R SM.2405, 6.1,
asks for the study of every service in the band of the devices and beside it.
"""

from __future__ import annotations

from pipeline.config.bonds import DeviceChannel, in_order
from pipeline.config.channels import Allocation, Channels
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.radio.channel_plan import SAME_EDGE_MHZ, channel_block


def allocations_of(channels: Channels, device: Device, channel: DeviceChannel) -> list[Allocation]:
    """Allocations that a channel, or a device in the middle of it, overlaps."""
    block = channel_block(channels, channel)
    half_mhz = 0.5 * max(block.width_mhz, device.bandwidth_mhz)
    low_mhz, high_mhz = block.centre_mhz - half_mhz, block.centre_mhz + half_mhz
    return [
        allocation
        for allocation in channels.allocated
        if low_mhz < allocation.to_mhz - SAME_EDGE_MHZ and high_mhz > allocation.from_mhz + SAME_EDGE_MHZ
    ]


def open_allocations(config: Config, device: Device, channel: DeviceChannel) -> list[Allocation]:
    """Those whose service exists here and is out of scope, or of which the territory file says nothing."""
    return [
        allocation
        for allocation in allocations_of(config.channels, device, channel)
        if _is_open(config, allocation.key)
    ]


def closed_by_allocation(config: Config, device: Device, channel: DeviceChannel) -> bool:
    """Whether a channel counts as not evaluated; never in the reproduction of a study."""
    return not config.study and bool(open_allocations(config, device, channel))


def open_channels(config: Config) -> dict[str, list[int | str]]:
    """Channels, then bonds, by name of a service allocated in them and not evaluated, for some device."""
    found: dict[str, set[DeviceChannel]] = {}
    for device in config.devices:
        for channel in config.channels_of(device):
            for allocation in open_allocations(config, device, channel):
                found.setdefault(allocation.key, set()).add(channel)
    return {name: in_order(channels) for name, channels in found.items()}


def is_partial(config: Config) -> bool:
    """Whether numbers are published that leave incumbents out: files of devices are named so."""
    return bool(config.study) or (config.channels.publish_partial and bool(open_channels(config)))


def partial_statement(config: Config) -> str:
    """What is left out of a partial run; empty for any other."""
    if not is_partial(config):
        return ""
    missing = ", ".join(services_of_partial(config))
    what = f"Reproduction of {config.study}" if config.study else "Partial maps"
    return f"{what}{f': without {missing}' if missing else ''}; no answers to queries"


def services_of_partial(config: Config) -> list[str]:
    """Names of the services that a partial run leaves out; those that no setting names come last."""
    left_out = [
        name for name, service in config.services.items() if service.applicable and not service.evaluated
    ]
    return [*left_out, *(name for name in open_channels(config) if name not in left_out)]


def _is_open(config: Config, key: str) -> bool:
    service = config.services.get(key)
    return service is None or (service.applicable and not service.evaluated)
