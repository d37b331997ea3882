"""Which channel has which frequency, and how channels and emissions lie to each other in frequency.

A plan is a sequence of segments of equally spaced channels, as ``channels.plan`` of a territory gives it;
``configs/tables/channel_plans.csv`` holds those of Europe, Australia and North America to copy from. Numbers
that follow each other are no neighbours where a band ends between them, while channels of two rasters that
touch are (docs/method.md, section 7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.channels import Channels, PlanSegment
from pipeline.config.protection import Device
from pipeline.config.reception import Coverage, ReceiverBand
from pipeline.errors import InputError

HZ_PER_MHZ = 1e6

ChannelPlan = Sequence[PlanSegment]
# Edges nearer than this are common: far below any channel raster, far above the error of adding frequencies.
SAME_EDGE_MHZ = 1e-6


class Slice(NamedTuple):
    """Part of an emission in the slice ``k`` victim's widths from the victim's channel, as share of 1."""

    k: int
    share: float


class Offset(NamedTuple):
    """How a device in a channel lies to a DTT channel.

    ``number``: index of the device's channel from the victim's (``index_of``), for rules that say yes or no;
    ``slices``: where its power lies, nearest first, for protection ratios; ``width_mhz`` of the victim's
    channel.
    """

    number: int
    slices: tuple[Slice, ...]
    width_mhz: float


class ChannelBlock(NamedTuple):
    """Middle and width of an emission or a channel in MHz."""

    centre_mhz: float
    width_mhz: float


class PlanNeighbour(NamedTuple):
    """A channel that overlaps or touches another: its index from it, and the share of its width in common."""

    number: int
    common_share: float


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


def channel_centre_mhz(channels: Channels, channel: DeviceChannel) -> float:
    """Centre frequency of a channel of the plan or of a bond; KeyError for a channel outside it."""
    numbers = channels_in(channel)
    segment = _known_segment(channels, numbers[0])
    return centre_mhz(segment, numbers[0]) + 0.5 * segment.width_mhz * (len(numbers) - 1)


def channel_width_mhz(channels: Channels, channel: DeviceChannel) -> float:
    """Width of a channel of the plan, or of all of a bond; KeyError for a channel outside it."""
    numbers = channels_in(channel)
    return len(numbers) * _known_segment(channels, numbers[0]).width_mhz


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


def channel_block(channels: Channels, channel: DeviceChannel) -> ChannelBlock:
    """Where a channel of the plan or a bond lies; KeyError for a channel outside it."""
    return ChannelBlock(channel_centre_mhz(channels, channel), channel_width_mhz(channels, channel))


def index_of(block: ChannelBlock, victim: ChannelBlock) -> int:
    """Channel index by the edges: 0 overlapping, +-1 touching, else 1 + the gap in victim's widths, upwards.

    Positive above the victim. What touches within ``SAME_EDGE_MHZ`` is adjacent.
    """
    apart_mhz = block.centre_mhz - victim.centre_mhz
    gap_mhz = abs(apart_mhz) - 0.5 * (block.width_mhz + victim.width_mhz)
    if gap_mhz < -SAME_EDGE_MHZ:
        return 0
    further = 0 if gap_mhz <= SAME_EDGE_MHZ else math.ceil(gap_mhz / victim.width_mhz - SAME_EDGE_MHZ)
    return int(math.copysign(1 + further, apart_mhz))


def slices_of(emission: ChannelBlock, victim: ChannelBlock) -> tuple[Slice, ...]:
    """Shares of an evenly spread emission in the slices of the victim's width, nearest first; sum 1."""
    half_mhz = 0.5 * emission.width_mhz
    low_mhz, high_mhz = (emission.centre_mhz + side * half_mhz - victim.centre_mhz for side in (-1.0, 1.0))
    first, last = (math.floor(edge_mhz / victim.width_mhz + 0.5) for edge_mhz in (low_mhz, high_mhz))
    common_mhz = {
        k: min(high_mhz, (k + 0.5) * victim.width_mhz) - max(low_mhz, (k - 0.5) * victim.width_mhz)
        for k in range(first, last + 1)
    }
    held_mhz = {k: width_mhz for k, width_mhz in common_mhz.items() if width_mhz > SAME_EDGE_MHZ}
    total_mhz = sum(held_mhz.values())
    shares = (Slice(k, width_mhz / total_mhz) for k, width_mhz in held_mhz.items())
    return tuple(sorted(shares, key=lambda part: (abs(part.k), part.k)))


def offset_of(channels: Channels, device: Device, channel: DeviceChannel, victim: int) -> Offset:
    """Offset of a device in the middle of ``channel`` from the DTT channel ``victim``.

    The index is that of the whole bond; a device wider than its channel counts with its own edges there too.
    """
    own, other = channel_block(channels, channel), channel_block(channels, victim)
    wider = own._replace(width_mhz=max(own.width_mhz, device.bandwidth_mhz))
    emission = own._replace(width_mhz=device.bandwidth_mhz)
    return Offset(index_of(wider, other), slices_of(emission, other), other.width_mhz)


def plan_neighbours(channels: Channels, channel: int) -> dict[int, PlanNeighbour]:
    """The channels of the plan that overlap or touch one, itself included, by number."""
    victim = channel_block(channels, channel)
    found = {}
    for number in plan_channels(channels):
        block = channel_block(channels, number)
        index = index_of(block, victim)
        if abs(index) <= 1:
            gap_mhz = abs(block.centre_mhz - victim.centre_mhz) - 0.5 * (block.width_mhz + victim.width_mhz)
            common_mhz = min(max(-gap_mhz, 0.0), block.width_mhz, victim.width_mhz)
            found[number] = PlanNeighbour(index, common_mhz / block.width_mhz if index == 0 else 0.0)
    return found
