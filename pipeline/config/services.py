"""What is protected: services, and the reception of foreign administrations one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from pipeline.config.base import Number, Section, Sourced, within
from pipeline.shipped import TABLES

OTHER_LAND = "*"
GE06_TIME_PCT = Sourced(
    value=1.0, source="GE06 Annex 4, coordination trigger: 1 % of time; quoted from memory", verified=False
)


def names_of_services(info: ValidationInfo) -> tuple[str, ...] | None:
    """The services that there are, as the reader of a file gives them (``services`` of the context).

    None where it gives none: the settings of a published run name the services of their time.
    """
    return None if info.context is None else info.context.get("services")


def required_services(info: ValidationInfo) -> tuple[str, ...]:
    """Services that a file has to name: ``required`` of the context, else all that there are."""
    context = info.context or {}
    return tuple(context.get("required", context.get("services", ())))


def _known(name: str, info: ValidationInfo) -> str:
    names = names_of_services(info)
    if names is not None and name not in names:
        listed = [repr(known) for known in names]
        raise ValueError(f"is none of {', '.join(listed[:-1])} or {listed[-1]}")
    return name


ServiceName = Annotated[str, AfterValidator(_known)]


class Service(Section):
    """Whether a service is protected, does not exist here, or is left out of this product."""

    status: Literal["evaluate", "out_of_scope"] = "evaluate"
    """`evaluate` without usable numbers gives "not evaluated", never "available"."""
    applicable: bool = True
    """False where the service does not exist in this territory: it then limits nothing."""
    reason: str = ""
    """Needed unless the service is evaluated."""

    @model_validator(mode="after")
    def _reason_given(self) -> Service:
        if (not self.applicable or self.status != "evaluate") and len(self.reason.strip()) < 3:
            raise ValueError("a service that is not evaluated needs a reason")
        return self

    @property
    def evaluated(self) -> bool:
        """Whether devices are limited by this service, or pixels marked where its numbers are missing."""
        return self.applicable and self.status == "evaluate"


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
    allotments: Path | None = None
    """Protect its allotments: polygons (GeoPackage, GeoJSON, or CSV with a column wkt) with columns
    id, channel, ref_plan_cfg (RPC1 to RPC3) and polarisation, as `channelmaps import ... --areas-out` writes
    them."""
    allotment_rule: Literal["reference", "trigger"] = "reference"
    """`reference`: all of an allotment receives the reference field of its configuration; `trigger`: at the
    points of its contour a device stays below the trigger of `border_field` (its defaults if absent)."""
    unaffected: str = ""
    """Reason why nothing needs protection, e.g. an agreement or a band without television."""

    @model_validator(mode="after")
    def _consistent(self) -> Neighbour:
        protected = self.coverage or self.border_field is not None or self.allotments is not None
        if self.unaffected and protected:
            raise ValueError("a neighbour is either unaffected or protected")
        if self.allotments is None and self.allotment_rule != "reference":
            raise ValueError("allotment_rule without allotments")
        if self.unaffected and len(self.unaffected.strip()) < 3:
            raise ValueError("an unaffected neighbour needs a reason")
        return self


Neighbours = dict[Annotated[str, Field(min_length=1, max_length=64)], Neighbour]
"""By country code of the boundary file; `*` stands for all other land."""
