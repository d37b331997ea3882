"""Bands and services of the Plans of Appendices 30, 30A and 30B: No. 9.7 has no part in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows, row_problem
from pipeline.shipped import TABLES

_PLAN_BANDS = TABLES / "plan_bands.csv"
_Mhz = Annotated[NumberCell, Field(ge=1, le=300_000, description="1 to 300000 MHz")]


def _regions(text: object) -> object:
    return tuple(int(part) for part in text.split(";")) if isinstance(text, str) else text


class PlanBand(SourcedRow):
    """A band of a Plan, with the service and direction to which it applies in some Regions."""

    from_mhz: _Mhz
    to_mhz: _Mhz
    regions: Annotated[tuple[Literal[1, 2, 3], ...], BeforeValidator(_regions), Field(description="1;2;3")]
    service: Annotated[Literal["FSS", "BSS"], Field(description="FSS or BSS")]
    direction: Annotated[Literal["up", "down"], Field(description="up or down")]
    appendix: Annotated[Literal["30", "30A", "30B"], Field(description="30, 30A or 30B")]

    @model_validator(mode="after")
    def _ascending(self) -> PlanBand:
        if self.from_mhz >= self.to_mhz:
            raise row_problem("to_mhz", "is not a band", "more than from_mhz")
        return self


def read_plan_bands(path: Path = _PLAN_BANDS) -> list[PlanBand]:
    """The bands of all Plans."""
    return read_rows(path, PlanBand)


def outside_plans(
    bands: Sequence[PlanBand],
    common_mhz: tuple[float, float],
    *,
    region: int,
    direction: str,
    services: Sequence[str],
) -> list[tuple[float, float]]:
    """What is left of common frequencies without those that a Plan has for one of the services."""
    left = [common_mhz]
    for band in bands:
        if region in band.regions and band.direction == direction and band.service in services:
            pieces = [((low, min(high, band.from_mhz)), (max(low, band.to_mhz), high)) for low, high in left]
            left = [part for both in pieces for part in both if part[0] < part[1]]
    return left
