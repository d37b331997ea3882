"""Channel raster, the channels to compute, and what is closed or capped whatever the registers say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from pipeline.config.base import Number, Section, Whole
from pipeline.config.register_mapping import RegisterItem
from pipeline.config.services import names_of_services
from pipeline.shipped import TABLES

_RANGES_SCHEMA = WithJsonSchema(
    {
        "type": "array",
        "minItems": 1,
        "items": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^\d+(-\d+)?$"}]},
    }
)


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
    """`["21-23", "30"]` -> `[21, 22, 23, 30]`; anything else is left for the type check to refuse."""
    if not isinstance(value, list):
        return value
    channels: list[object] = []
    for item in value:
        first, dash, last = item.partition("-") if isinstance(item, str) else ("", "", "")
        last = last if dash else first
        if first.isdecimal() and last.isdecimal() and int(first) <= int(last) <= 99:
            channels.extend(range(int(first), int(last) + 1))
        else:
            channels.append(item)
    return channels


def _once(channels: list[int]) -> list[int]:
    twice = sorted({channel for channel in channels if channels.count(channel) > 1})
    if twice:
        raise ValueError(f"names a channel twice: {', '.join(map(str, twice))}")
    return channels


ChannelList = Annotated[
    list[Whole], BeforeValidator(_expand_ranges), Field(min_length=1), AfterValidator(_once), _RANGES_SCHEMA
]
"""Channels as numbers or ranges such as "21-48"."""


# Words of the Radio Regulations for services that have another name here.
_SERVICES_BY_ALLOCATION = {"broadcasting": "dtt"}


def _allocated_service(name: str, info: ValidationInfo) -> str:
    names = names_of_services(info)
    if names is not None and name not in (*names, *_SERVICES_BY_ALLOCATION):
        raise ValueError(f"is none of {', '.join([*_SERVICES_BY_ALLOCATION, *names])}")
    return name


class Allocation(Section):
    """An incumbent of a band: where it is not evaluated nothing is available."""

    from_mhz: Annotated[Number, Field(gt=0, le=300_000)]
    """Lower edge of the band."""
    to_mhz: Annotated[Number, Field(gt=0, le=300_000)]
    """Upper edge of the band."""
    service: Annotated[str, AfterValidator(_allocated_service)]
    """A key of `services`, or `broadcasting` for `dtt`."""

    @model_validator(mode="after")
    def _ascending(self) -> Allocation:
        if self.to_mhz <= self.from_mhz:
            raise ValueError("to_mhz must lie above from_mhz")
        return self

    @property
    def key(self) -> str:
        """The key of `services` that it stands for."""
        return _SERVICES_BY_ALLOCATION.get(self.service, self.service)


class AcceptedCase(Section):
    """A case of Report ITU-R SM.2405, section 6.1, that the administration takes upon itself."""

    case: Annotated[Whole, Field(ge=1, le=9)]
    """Number of the case, as in `configs/tables/band_screening.csv`."""
    reason: Annotated[str, Field(min_length=3)]
    """Why devices may share the band all the same; it stays in the manifest."""


class Channels(Section):
    """Channel raster and the channels that are computed for white-space devices."""

    plan: Annotated[list[PlanSegment], Field(min_length=1)]
    """Segments of the channel raster; together they must name each channel once."""
    wsd: ChannelList
    """Channels to publish, as numbers or ranges such as "21-48"."""
    allocated: list[Allocation] = []
    """Incumbents of the bands. A channel in which one is out of scope is "not evaluated" (class 2), never
    available and never counted. Empty: nothing is said of incumbents."""
    publish_partial: bool = False
    """Keep the maximum e.i.r.p. of such channels, made without that service; the names of all files of
    devices then end in `_partial`, and queries are refused."""
    prohibited_guard_mhz: Annotated[Number, Field(ge=0, le=1000)] | None = None
    """Emissions nearer than this to a band of RR No. 5.340 are named by `validate`; none: the device's
    bandwidth."""
    accepted_cases: list[AcceptedCase] = []
    """Cases whose bands devices may share: `validate` warns instead of refusing. Not for cases 1 and 4."""
    reach_km: Annotated[Number, Field(ge=10, le=1000)] = 1000.0
    """Transmitters farther than this from the padded grid are left out (P.1546 ends at 1000 km)."""

    @property
    def device_centres_mhz(self) -> list[float]:
        """Centre frequencies of the channels of the plan that devices may use."""
        return [
            segment.first_centre_mhz + i * segment.width_mhz
            for segment in self.plan
            for i in range(segment.last_channel - segment.first_channel + 1)
            if segment.first_channel + i in self.wsd
        ]

    @model_validator(mode="after")
    def _consistent(self) -> Channels:
        known = [c for s in self.plan for c in range(s.first_channel, s.last_channel + 1)]
        if len(set(known)) != len(known):
            raise ValueError("the segments of the plan overlap")
        if missing := sorted(set(self.wsd) - set(known)):
            raise ValueError(f"wsd channels {missing} are not in the plan")
        return self


class ReservedChannels(Section):
    """Channels kept for other uses in the whole territory, e.g. a future multiplex."""

    channels: ChannelList
    """Numbers, or ranges such as "47-48"."""
    reason: Annotated[str, Field(min_length=3)]
    """What they are kept for."""


class Areas(Section):
    """Rules by channel and place that need no register of stations; always evaluated."""

    reserved: list[ReservedChannels] = []
    """Channels in which no device may transmit."""
    channel_caps: Path | None = None
    """CSV with columns channel, emission_class (1 to 5 or *), cap_dbm, source, verified."""
    exclusions: list[RegisterItem] = []
    """Polygons in which no device may transmit (GeoPackage, GeoJSON, or CSV with a column wkt in lon/lat);
    columns channels (such as 21-23;38, or *) and reason. Quiet zones of radio astronomy belong here. An item
    may be a mapping of other columns (docs/registers.md), as of what follows here."""
    masks: list[RegisterItem] = []
    """Limiting masks: polygons (as `exclusions`) with a cap, for incumbents whose places are unknown or not
    to be told; columns channels, cap_dbm, cap_density_dbm_per_100khz (one may be empty), reason, source."""
    licensed: list[RegisterItem] = []
    """Service contours of licences: polygons (as `exclusions`) with columns channels and reason. If any are
    given, no device may transmit in a channel outside the polygons of that channel."""
    relay_sites: RegisterItem | None = None
    """Sites that receive television off the air: id, lon, lat, channel, parent_lon, parent_lat."""
    relay_distances: Path = TABLES / "relay_keyhole.csv"
    """Circle and arc kept free around these sites."""
    adjustments: list[RegisterItem] = []
    """Polygons (as `exclusions`) that change the limit by DTT; columns channels, adjustment_db (-100 = off),
    who, when, why. They are listed in the manifest."""
