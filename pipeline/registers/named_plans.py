"""Channel rasters by name, from configs/tables/channel_plans.csv; a territory file has its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.config.channels import PlanSegment
from pipeline.errors import InputError
from pipeline.rows.row_models import NumberCell, SourcedRow, WholeCell, read_rows
from pipeline.shipped import TABLES

_TABLE = TABLES / "channel_plans.csv"
_Number = Annotated[WholeCell, Field(ge=1, le=99, description="a channel number, 1 to 99")]


class _PlanRow(SourcedRow):
    plan: Annotated[str, Field(min_length=1, description="name of the plan")]
    first_channel: _Number
    last_channel: _Number
    first_centre_mhz: Annotated[NumberCell, Field(ge=30, le=4000, description="30 to 4000 MHz")]
    width_mhz: Annotated[NumberCell, Field(ge=1, le=20, description="1 to 20 MHz")]


def named_plan(name: str, table: Path = _TABLE) -> list[PlanSegment]:
    """The segments of a plan such as ``8MHz`` (GE06); InputError with the known names for another."""
    rows = read_rows(table, _PlanRow)
    segments = [_segment(row) for row in rows if row.plan == name]
    if not segments:
        names = ", ".join(sorted({row.plan for row in rows}))
        raise InputError("unknown channel plan", file=table, field="plan", value=name, allowed=names)
    return segments


def plan_names(table: Path = _TABLE) -> list[str]:
    """The names of the plans, in the order of the table."""
    return list(dict.fromkeys(row.plan for row in read_rows(table, _PlanRow)))


def _segment(row: _PlanRow) -> PlanSegment:
    return PlanSegment(
        first_channel=row.first_channel,
        last_channel=row.last_channel,
        first_centre_mhz=row.first_centre_mhz,
        width_mhz=row.width_mhz,
    )
