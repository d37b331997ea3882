"""Which DTT channels limit which channels of devices, by the offsets that the method of protection looks at.

With ``degradation`` these are the offsets with a row of protection ratios for the device's class, by slices
of the victim's width (docs/method.md, section 7); the other methods ask for the index of the channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.radio.channel_plan import Offset, offset_of, plan_channels
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import limits, table_range

# Contours are kept clear of co-channel and of first adjacent devices (47 CFR 15.712).
_SEPARATION_OFFSETS = (-1, 0, 1)

_LooksAt = Callable[[Device, Offset], bool]


def victims_by_offset(
    config: Config, device: Device, channel: DeviceChannel, occupied: Iterable[int]
) -> list[tuple[int, Offset]]:
    """The occupied DTT channels that limit a device in ``channel``, with their offsets, nearest first.

    Where two channels limit equally the nearer one names the decision.
    """
    return _victims(config, _looks_at(config), device, channel, occupied)


def victims_by_channel(
    config: Config, device: Device, occupied: Iterable[int]
) -> dict[DeviceChannel, list[tuple[int, Offset]]]:
    """As :func:`victims_by_offset` for each channel of a device; the tables are read once."""
    looks_at, known = _looks_at(config), list(occupied)
    channels = config.channels_of(device)
    return {channel: _victims(config, looks_at, device, channel, known) for channel in channels}


def victim_channels(config: Config, occupied: Iterable[int], wsd: Iterable[DeviceChannel]) -> list[int]:
    """Channels with a transmitter that limit some device in some channel of ``wsd``, ascending.

    A device concerns the channels, or the bonds, of its own number of channels.
    """
    looks_at = _looks_at(config)
    # All that offsets and their limits know of a device.
    unlike = {(d.bond, d.bandwidth_mhz, d.emission_class): d for d in config.devices}.values()
    pairs = [
        (device, channel) for channel in wsd for device in unlike if device.bond == len(channels_in(channel))
    ]

    def is_limiting(victim: int) -> bool:
        return any(looks_at(d, offset_of(config.channels, d, channel, victim)) for d, channel in pairs)

    known = set(occupied) & set(plan_channels(config.channels))
    return sorted(filter(is_limiting, known))


def concerns(config: Config, device: Device, channel: DeviceChannel, victim: int) -> Offset | None:
    """Offset of a device in ``channel`` from a DTT channel that limits it; None for one that does not."""
    found = victims_by_offset(config, device, channel, [victim])
    return found[0][1] if found else None


def _victims(
    config: Config, looks_at: _LooksAt, device: Device, channel: DeviceChannel, occupied: Iterable[int]
) -> list[tuple[int, Offset]]:
    near = ((victim, offset_of(config.channels, device, channel, victim)) for victim in occupied)
    found = [(victim, offset) for victim, offset in near if looks_at(device, offset)]
    return sorted(found, key=lambda pair: (abs(pair[1].number), pair[1].number, *_nearness(pair[1]), pair[0]))


def _nearness(offset: Offset) -> tuple[int, float]:
    """Nearer slices first, then the larger share of the power there."""
    return abs(offset.slices[0].k), -offset.slices[0].share


def _looks_at(config: Config) -> _LooksAt:
    """Whether the method of a territory looks at a device at an offset; reads the tables once."""
    protection = config.protection
    if protection.method == "degradation":
        tables = read_protection_tables(protection)
        return lambda device, offset: limits(tables, None, device.emission_class, offset.slices)
    numbers = (
        _SEPARATION_OFFSETS if protection.method == "separation" else tuple(protection.threshold.offsets)
    )
    return lambda _, offset: offset.number in numbers


# --- what is not looked at ----------------------------------------------------------------------------------


def offsets_narrowed(config: Config) -> bool:
    """Whether ``protection.offsets`` leaves out an offset that has a row for some device."""
    if config.protection.method != "degradation" or config.protection.offsets is None:
        return False
    return bool(set(_all_offsets(config)) - set(config.protection.offsets))


def offsets_in_use(config: Config) -> list[int]:
    """Offsets that limit some device, ascending; those beyond the table that its last row covers left out."""
    listed = config.protection.offsets
    return sorted(_all_offsets(config) if listed is None else listed)


def with_all_offsets(config: Config) -> Config:
    """The settings with every offset of the table in use."""
    return config.model_copy(update={"protection": config.protection.model_copy(update={"offsets": None})})


def offsets_notice(config: Config) -> str | None:
    """What is not looked at, in one sentence; None where nothing is left out."""
    if config.protection.method != "degradation":
        return None
    used = offsets_in_use(config)
    if offsets_narrowed(config):
        return (
            f"Offsets are narrowed to {', '.join(map(str, used))} channels; others with a protection ratio "
            "are not evaluated (offsets_narrowed)."
        )
    if config.protection.beyond_table == "last_row":
        return None
    width_mhz = max(segment.width_mhz for segment in config.channels.plan)
    reach = f"+-{used[-1]}" if -used[0] == used[-1] else f"{used[0]} and {used[-1]:+d}"
    farthest_mhz = width_mhz * max(-used[0], used[-1])
    return f"Devices at offsets beyond {reach} ({farthest_mhz:g} MHz) are not evaluated."


def _all_offsets(config: Config) -> Iterable[int]:
    """Offsets between the outermost rows for the devices of a territory."""
    tables = read_protection_tables(config.protection)
    ranges = [table_range(tables, None, device.emission_class) for device in config.devices]
    return range(min(first for first, _ in ranges), max(last for _, last in ranges) + 1)
