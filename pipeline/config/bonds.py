"""Channels as a device uses them: one of the plan, or several that touch, bonded into one emission.

A channel is its number, a bond its first and its last number, written ``20-21``. What reads or writes names
of channels, their frequencies or the numbers in them asks the functions here and in
``radio/channel_plan.py``, which make no difference between the two (docs/method.md, section 7).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pipeline.config.channels import Channels
    from pipeline.config.protection import Device


class Bond(NamedTuple):
    """Channels ``first`` to ``last`` of one segment, radiated over as one."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


DeviceChannel = int | Bond
"""A channel by its number, or a bond."""


def channel_named(text: str) -> DeviceChannel:
    """The channel or bond of a name such as ``21`` or ``20-21``; ValueError for anything else."""
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not dash)):
        raise ValueError(f"{text!r} is neither a channel nor channels such as 20-21")
    return Bond(int(first), int(last)) if dash else int(first)


def plain_channel(channel: DeviceChannel) -> int | str:
    """A channel as tables and JSON have it: its number, or the name of a bond."""
    return str(channel) if isinstance(channel, Bond) else channel


def channels_in(channel: DeviceChannel) -> range:
    """Numbers of the channels of the plan that a channel of a device consists of."""
    return (
        range(channel.first, channel.last + 1) if isinstance(channel, Bond) else range(channel, channel + 1)
    )


def in_order(channels: Iterable[DeviceChannel]) -> list[int | str]:
    """Channels as tables have them, each once, ascending; bonds by their number of channels after them."""
    ordered = sorted(set(channels), key=lambda channel: (len(channels_in(channel)), channels_in(channel)[0]))
    return [plain_channel(channel) for channel in ordered]


def in_words(channels: Iterable[int | str]) -> str:
    """Channels as ``plain_channel`` has them, in words: ``21 to 24, 30``; bonds by their names after them."""
    runs, bonds = runs_of(channels)
    return ", ".join([*(f"{a} to {b}" if b > a else f"{a}" for a, b in runs), *bonds])


def runs_of(channels: Iterable[int | str]) -> tuple[list[tuple[int, int]], list[str]]:
    """Ends of the runs of channels that follow each other, and the names of bonds."""
    known = list(channels)
    numbers = [channel for channel in known if isinstance(channel, int)]
    runs = [list(run) for _, run in groupby(enumerate(numbers), key=lambda item: item[1] - item[0])]
    ends = [(run[0][1], run[-1][1]) for run in runs]
    return ends, [channel for channel in known if isinstance(channel, str)]


def counted_as(bond: int) -> str:
    """What the available channels of a device are that uses ``bond`` of them as one."""
    return "channels" if bond == 1 else f"bonds of {bond} channels"


def of_numbers(first: int, count: int) -> DeviceChannel:
    """``count`` channels from ``first`` on: a number, or a bond."""
    return first if count == 1 else Bond(first, first + count - 1)


def device_channels(
    channels: Channels, device: Device, reserved: Collection[int] = ()
) -> list[DeviceChannel]:
    """The channels that are computed for a device, ascending: those of ``wsd``, or bonds of them.

    All runs of ``device.bond`` channels of one segment, each of them in ``wsd`` and not ``reserved``, or
    those that ``device.bonds`` names.
    """
    if device.bond == 1:
        return sorted(channels.wsd)
    if device.bonds is not None:
        return sorted(channel_named(name) for name in device.bonds)
    return bonds_of_width(channels, device.bond, set(channels.wsd) - set(reserved))


def bonds_fault(channels: Channels, devices: Iterable[Device], reserved: Collection[int]) -> str | None:
    """What is wrong with the bonds of the devices: each device needs one that is wide enough."""
    usable = set(channels.wsd) - set(reserved)
    for device in devices:
        if device.bond == 1 and device.bonds is None:
            continue
        runs = bonds_of_width(channels, device.bond, usable)
        for name in device.bonds or ():
            if device.bond == 1 or channel_named(name) not in runs:
                allowed = "none" if device.bond == 1 else ", ".join(map(str, runs)) or "none"
                return (
                    f"device {device.id}: bonds names {name}; with bond: {device.bond} and channels.wsd "
                    f"without reserved channels there are {allowed}"
                )
        if not runs:
            return f"device {device.id}: channels.wsd has no {device.bond} channels that touch"
        width_mhz = min(
            _width_mhz(channels, channel) for channel in device_channels(channels, device, reserved)
        )
        if device.bandwidth_mhz > width_mhz:
            return (
                f"device {device.id}: bandwidth_mhz {device.bandwidth_mhz:g} is above {width_mhz:g}, "
                "the width of its bonds"
            )
    return None


def bonds_of_width(channels: Channels, count: int, usable: Collection[int]) -> list[DeviceChannel]:
    """All runs of ``count`` channels of one segment that are ``usable``, ascending."""
    return sorted(
        of_numbers(first, count)
        for segment in channels.plan
        for first in range(segment.first_channel, segment.last_channel + 2 - count)
        if all(number in usable for number in range(first, first + count))
    )


def _width_mhz(channels: Channels, channel: DeviceChannel) -> float:
    numbers = channels_in(channel)
    (width_mhz,) = [s.width_mhz for s in channels.plan if s.first_channel <= numbers[0] <= s.last_channel]
    return len(numbers) * width_mhz
