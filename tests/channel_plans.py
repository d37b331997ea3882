"""The channel plans of ``configs/tables/channel_plans.csv`` by name."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.config.channels import PlanSegment
from pipeline.errors import InputError
from pipeline.shipped import TABLES


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
