"""Channel rasters: which channel has which centre frequency and width.

A plan is a sequence of segments of equally spaced channels, taken from the configuration (``channels.plan``)
or by name from ``configs/tables/channel_plans.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from pipeline.config.base import TABLES
from pipeline.config.channels import PlanSegment
from pipeline.errors import InputError

Plan = Sequence[PlanSegment]


def centre_mhz(segment: PlanSegment, channel: int) -> float:
    """Centre frequency of a channel of this segment."""
    return segment.first_centre_mhz + segment.width_mhz * (channel - segment.first_channel)


def segment_of(plan: Plan, channel: int) -> PlanSegment | None:
    """The segment that holds a channel; None if the plan has no such channel."""
    for segment in plan:
        if segment.first_channel <= channel <= segment.last_channel:
            return segment
    return None


def channel_at(plan: Plan, frequency_mhz: float) -> int | None:
    """The channel that contains a frequency; None outside the plan.

    A frequency on the common edge of two channels belongs to the upper one (low <= f < high).
    """
    for segment in plan:
        offset = (frequency_mhz - segment.first_centre_mhz) / segment.width_mhz + 0.5
        channel = segment.first_channel + int(offset // 1)
        if segment.first_channel <= channel <= segment.last_channel:
            return channel
    return None


def describe(plan: Plan) -> str:
    """The plan's channels in words, such as ``2-6, 7-13, 14-51``."""
    return ", ".join(f"{segment.first_channel}-{segment.last_channel}" for segment in plan)


def named_plan(name: str, table: Path = TABLES / "channel_plans.csv") -> list[PlanSegment]:
    """A plan of the table: ``8MHz`` (GE06), ``7MHz`` (Australia) or ``6MHz`` (North America)."""
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    segments = [_segment(row) for row in rows if row["plan"] == name]
    if not segments:
        names = sorted({row["plan"] for row in rows})
        raise InputError(
            "unknown channel plan", file=table, field="plan", value=name, allowed=", ".join(names)
        )
    return segments


def _segment(row: dict[str, str]) -> PlanSegment:
    return PlanSegment(
        first_channel=int(row["first_channel"]),
        last_channel=int(row["last_channel"]),
        first_centre_mhz=float(row["first_centre_mhz"]),
        width_mhz=float(row["width_mhz"]),
    )
