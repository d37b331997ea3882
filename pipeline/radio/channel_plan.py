"""Which channel has which frequency, and which DTT channels limit which channels of devices.

A plan is a sequence of segments of equally spaced channels, as ``channels.plan`` of a territory gives it;
``configs/tables/channel_plans.csv`` holds those of Europe, Australia and North America to copy from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.config.channels import Channels, PlanSegment
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.config.reception import Coverage, ReceiverBand
from pipeline.errors import InputError

HZ_PER_MHZ = 1e6

ChannelPlan = Sequence[PlanSegment]
# Contours are kept clear of co-channel and of first adjacent devices (47 CFR 15.712).
_SEPARATION_OFFSETS = [-1, 0, 1]
# Edges nearer than this are common: far below any channel raster, far above the error of adding frequencies.
SAME_EDGE_MHZ = 1e-6


class Offset(NamedTuple):
    """How the emission of a device lies to a DTT channel.

    ``number``: channels of the victim's width from it, positive above, 0 where the two overlap; on one raster
    this is the difference of the channel numbers. ``share``: part of the device's power inside the victim's
    channel, its e.i.r.p. spread evenly over its bandwidth. ``width_mhz``: the victim's channel.
    """

    number: int
    share: float
    width_mhz: float


def centre_mhz(segment: PlanSegment, channel: int) -> float:
    """Centre frequency of a channel of this segment."""
    return segment.first_centre_mhz + segment.width_mhz * (channel - segment.first_channel)


def segment_of(plan: ChannelPlan, channel: int) -> PlanSegment | None:
    """The segment that holds a channel; None if the plan has no such channel."""
    for segment in plan:
        if segment.first_channel <= channel <= segment.last_channel:
            return segment
    return None


def channels_in_words(plan: ChannelPlan) -> str:
    """The plan's channels in words, such as ``2-6, 7-13, 14-51``."""
    return ", ".join(f"{segment.first_channel}-{segment.last_channel}" for segment in plan)


def channel_centre_mhz(channels: Channels, channel: int) -> float:
    """Centre frequency of a channel of the plan; KeyError for a channel outside it."""
    return centre_mhz(_known_segment(channels, channel), channel)


def channel_width_mhz(channels: Channels, channel: int) -> float:
    """Width of a channel of the plan; KeyError for a channel outside it."""
    return _known_segment(channels, channel).width_mhz


def plan_channels(channels: Channels) -> list[int]:
    """All channel numbers of the plan, ascending."""
    return sorted(c for s in channels.plan for c in range(s.first_channel, s.last_channel + 1))


def _known_segment(channels: Channels, channel: int) -> PlanSegment:
    segment = segment_of(channels.plan, channel)
    if segment is None:
        raise KeyError(channel)
    return segment


def receiver_band(coverage: Coverage, f_mhz: float) -> ReceiverBand:
    """The receiving antenna at a frequency; InputError where the configuration names none."""
    for band in coverage.receiver_bands:
        if band.from_mhz <= f_mhz < band.to_mhz:
            return band
    raise InputError(
        "no receiving antenna is given for this frequency",
        row="coverage.receiver_bands",
        value=f"{f_mhz} MHz",
        allowed="bands that cover every channel in use",
    )


def offset_of(channels: Channels, device: Device, channel: int, victim: int) -> Offset:
    """Offset of a device in the middle of ``channel`` from the DTT channel ``victim``.

    Counted in frequency, so that channels of different widths, or a device wider than its channel, meet
    the victims they really touch.
    """
    width_mhz = channel_width_mhz(channels, victim)
    apart_mhz = channel_centre_mhz(channels, channel) - channel_centre_mhz(channels, victim)
    gap_mhz = abs(apart_mhz) - 0.5 * (device.bandwidth_mhz + width_mhz)
    if gap_mhz < -SAME_EDGE_MHZ:
        common_mhz = min(-gap_mhz, device.bandwidth_mhz, width_mhz)
        return Offset(0, common_mhz / device.bandwidth_mhz, width_mhz)
    steps = math.floor((gap_mhz + SAME_EDGE_MHZ) / width_mhz) + 1
    return Offset(int(math.copysign(steps, apart_mhz)), 0.0, width_mhz)


def victim_offsets(config: Config) -> list[int]:
    """Channel offsets (device minus DTT) at which reception is protected, nearest first.

    Where two offsets limit equally the nearer one names the decision.
    """
    protection = config.protection
    by_method = {"threshold": protection.threshold.offsets, "separation": _SEPARATION_OFFSETS}
    used = by_method.get(protection.method, protection.offsets)
    return sorted(used, key=lambda offset: (abs(offset), offset))


def victims_by_offset(
    config: Config, device: Device, channel: int, occupied: Iterable[int]
) -> list[tuple[int, Offset]]:
    """The occupied DTT channels that limit a device in ``channel``, with their offsets, nearest first."""
    used = victim_offsets(config)
    near = ((victim, offset_of(config.channels, device, channel, victim)) for victim in occupied)
    found = [(victim, offset) for victim, offset in near if offset.number in used]
    return sorted(found, key=lambda pair: (used.index(pair[1].number), -pair[1].share, pair[0]))


def victim_channels(config: Config, occupied: Iterable[int], wsd: Iterable[int]) -> list[int]:
    """Channels with a transmitter that limit some device in some channel of ``wsd``, ascending."""
    known = sorted(set(occupied) & set(plan_channels(config.channels)))
    limiting = (
        victim
        for channel in wsd
        for device in config.devices
        for victim, _ in victims_by_offset(config, device, channel, known)
    )
    return sorted(set(limiting))
