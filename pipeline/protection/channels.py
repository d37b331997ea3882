"""Which DTT channels limit which channels of devices."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config import Config


def victim_offsets(config: Config) -> list[int]:
    """Channel offsets (device minus DTT) at which reception is protected, nearest first.

    Where two offsets limit equally the nearer one names the decision.
    """
    protection = config.protection
    used = protection.threshold.offsets if protection.method == "threshold" else protection.offsets
    return sorted(used, key=lambda offset: (abs(offset), offset))


def victim_channels(occupied: Iterable[int], wsd: Iterable[int], offsets: Iterable[int]) -> list[int]:
    """Channels with a transmitter that limit some device channel, ascending."""
    limiting = {channel - offset for channel in wsd for offset in offsets}
    return sorted(limiting & set(occupied))
