"""Foreign administrations: what protects their reception, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from pipeline.config.base import Number, Section, Sourced, within
from pipeline.shipped import TABLES

OTHER_LAND = "*"

GE06_TIME_PCT = Sourced(
    value=1.0, source="GE06 Annex 4, coordination trigger: 1 % of time; quoted from memory", verified=False
)


class BorderField(Section):
    """Largest median field of a device on the neighbour's land, e.g. the trigger field of GE06."""

    triggers: Path = TABLES / "border_triggers.csv"
    """Trigger field by frequency."""
    time_pct: Annotated[Sourced, within(1, 50)] = GE06_TIME_PCT
    """Percentage of time of the field; extended Hata knows the median only."""
    height_m: Annotated[Number, Field(ge=1.5, le=30)] = 10.0
    """Height above ground at which the field is computed."""


class Neighbour(Section):
    """How one administration's reception is protected; without any of these it is not evaluated."""

    coverage: bool = False
    """Protect its coverage, computed from its transmitters in `registers` (country = the key)."""
    border_field: BorderField | None = None
    """Keep the field of a device on its land below a trigger."""
    unaffected: str = ""
    """Reason why nothing needs protection, e.g. an agreement or a band without television."""

    @model_validator(mode="after")
    def _consistent(self) -> Neighbour:
        if self.unaffected and (self.coverage or self.border_field is not None):
            raise ValueError("a neighbour is either unaffected or protected")
        if self.unaffected and len(self.unaffected.strip()) < 3:
            raise ValueError("an unaffected neighbour needs a reason")
        return self


Neighbours = dict[Annotated[str, Field(min_length=1, max_length=64)], Neighbour]
"""By country code of the boundary file; `*` stands for all other land."""
