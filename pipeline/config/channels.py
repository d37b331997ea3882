"""Channel raster: centre frequencies, widths, and the channels to compute."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from pipeline.config.base import Number, Section, Whole


class PlanSegment(Section):
    """A run of equally spaced channels."""

    first_channel: Annotated[Whole, Field(ge=1, le=99)]
    """Number of the first channel."""
    last_channel: Annotated[Whole, Field(ge=1, le=99)]
    """Number of the last channel."""
    first_centre_mhz: Annotated[Number, Field(ge=30, le=4000)]
    """Centre frequency of the first channel."""
    width_mhz: Annotated[Number, Field(ge=1, le=20)]
    """Channel width and spacing."""

    @model_validator(mode="after")
    def _ascending(self) -> PlanSegment:
        if self.last_channel < self.first_channel:
            raise ValueError("last_channel lies below first_channel")
        return self


def _expand_ranges(value: object) -> object:
    """`["21-23", 30]` -> `[21, 22, 23, 30]`; anything else is left for the type check to refuse."""
    if not isinstance(value, list):
        return value
    channels: list[object] = []
    for item in value:
        first, dash, last = item.partition("-") if isinstance(item, str) else ("", "", "")
        if dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last) <= 99:
            channels.extend(range(int(first), int(last) + 1))
        else:
            channels.append(item)
    return channels


_RANGES_SCHEMA = WithJsonSchema(
    {
        "type": "array",
        "minItems": 1,
        "items": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^\d+-\d+$"}]},
    }
)


ChannelList = Annotated[list[Whole], BeforeValidator(_expand_ranges), Field(min_length=1), _RANGES_SCHEMA]
"""Channels as numbers or ranges such as "21-48"."""


class Channels(Section):
    """Channel raster and the channels that are computed for white-space devices."""

    plan: Annotated[list[PlanSegment], Field(min_length=1)]
    """Segments of the channel raster; together they must name each channel once."""
    wsd: ChannelList
    """Channels to publish, as numbers or ranges such as "21-48"."""
    reach_km: Annotated[Number, Field(ge=10, le=1000)] = 1000.0
    """Transmitters farther than this from the padded grid are left out (P.1546 ends at 1000 km)."""

    @model_validator(mode="after")
    def _consistent(self) -> Channels:
        known = [c for s in self.plan for c in range(s.first_channel, s.last_channel + 1)]
        if len(set(known)) != len(known):
            raise ValueError("the segments of the plan overlap")
        if missing := sorted(set(self.wsd) - set(known)):
            raise ValueError(f"wsd channels {missing} are not in the plan")
        if len(set(self.wsd)) != len(self.wsd):
            raise ValueError("wsd names a channel twice")
        return self
