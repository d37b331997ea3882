"""Bands in which devices may not transmit, and those that Report ITU-R SM.2405, section 6.1, warns of.

RR No. 5.340 prohibits all emissions in some bands: a channel whose emission overlaps one is refused,
whatever else a territory says, and one that comes near is named. The nine cases of the Report are services
that sensing and databases protect badly; what a territory has to say before devices share their bands stands
in ``band_screening.csv``. ``criteria_sources.csv`` names, for a service allocated in a band, the
Recommendation that its criterion has to come from; it has no numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from pipeline.config.bonds import DeviceChannel, in_order
from pipeline.config.channels import Allocation
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.radio.channel_plan import SAME_EDGE_MHZ, channel_block
from pipeline.rows.row_models import MAY_BE_EMPTY, NumberCell, SourcedRow, read_rows
from pipeline.shipped import TABLES
from pipeline.territory.rasters import CheckedTerritory

PROHIBITED, SCREENING = TABLES / "prohibited_bands.csv", TABLES / "band_screening.csv"
CRITERIA = TABLES / "criteria_sources.csv"
_Edge = Annotated[NumberCell, Field(gt=0, le=300_000, description="more than 0, up to 300000 MHz")]
# Here Region 1 has the mobile service beside broadcasting (RR No. 5.317A, named in Report ITU-R SM.2405).
_MOBILE_FROM_MHZ, _MOBILE_TO_MHZ = 694.0, 790.0
# Region 1 in longitude, coarsely: Europe, Africa and the Middle East (RR Nos. 5.2 to 5.9 draw the lines).
_REGION_1_DEG = (-30.0, 60.0)


class _BandRow(SourcedRow):
    from_mhz: _Edge
    to_mhz: _Edge
    note: str = ""

    @property
    def words(self) -> str:
        """The band as a reader sees it."""
        return f"{self.from_mhz:g}-{self.to_mhz:g} MHz{f' ({self.note})' if self.note else ''}"


class ScreenedBand(_BandRow):
    """A band of one of the nine cases; ``service``: key under ``services`` whose evaluation lifts it."""

    case: Annotated[NumberCell, Field(ge=1, le=9, description="1 to 9")]
    service: str
    regions: str
    action: Annotated[Literal["refuse", "accept", "zones"], Field(description="refuse, accept or zones")]


class CriterionSource(SourcedRow):
    """Recommendation with the criteria of a service, a key under ``services``; no edge: without end."""

    service: Annotated[str, Field(min_length=1, description="a key of services")]
    recommendation: Annotated[str, Field(min_length=3, description="such as ITU-R M.1808")]
    from_mhz: Annotated[_Edge | None, MAY_BE_EMPTY]
    to_mhz: Annotated[_Edge | None, MAY_BE_EMPTY]
    title: str
    line: str

    def covers(self, allocation: Allocation) -> bool:
        """Whether it is on the service of an allocation, in a part of its band at least."""
        from_mhz, to_mhz = self.from_mhz or 0.0, self.to_mhz or math.inf
        inside = allocation.from_mhz < to_mhz and from_mhz < allocation.to_mhz
        return self.service == allocation.key and inside


class DeviceEmission(NamedTuple):
    """Edges in MHz of what a device radiates in a channel."""

    device: Device
    channel: DeviceChannel
    low_mhz: float
    high_mhz: float

    @property
    def words(self) -> str:
        """The emission as a reader sees it."""
        return f"device {self.device.id} in channel {self.channel}, {self.low_mhz:g}-{self.high_mhz:g} MHz"


def emissions_of(config: Config) -> Iterator[DeviceEmission]:
    """Emissions of all devices in all their channels, in the middle of each."""
    for device in config.devices:
        for channel in config.channels_of(device):
            centre_mhz, half_mhz = (
                channel_block(config.channels, channel).centre_mhz,
                0.5 * device.bandwidth_mhz,
            )
            yield DeviceEmission(device, channel, centre_mhz - half_mhz, centre_mhz + half_mhz)


def refuse_prohibited(config: Config, table: Path = PROHIBITED) -> None:
    """InputError for an emission in a band of RR No. 5.340; nothing lifts it."""
    bands = read_rows(table, _BandRow)
    for emission in emissions_of(config):
        for band in bands:
            if _gap_mhz(emission, band) < -SAME_EDGE_MHZ:
                raise InputError(
                    "RR_5_340: all emissions are prohibited in this band",
                    file=config.file,
                    row="channels.wsd",
                    value=emission.words,
                    allowed=f"outside {band.words}",
                )


def check(config: Config, _territory: CheckedTerritory) -> Iterator[str]:
    """What a reader has to know of bands near by; InputError for a case without the territory's answer."""
    yield from _near_prohibited(config)
    for band in read_rows(SCREENING, ScreenedBand):
        channels = in_order(e.channel for e in emissions_of(config) if _gap_mhz(e, band) < -SAME_EDGE_MHZ)
        if channels:
            yield from _screened(config, band, channels)
    yield from _mobile_694(config)
    yield from _criteria(config)


def _criteria(config: Config) -> Iterator[str]:
    """For each incumbent of a band in use, where its protection criterion has to come from."""
    rows = read_rows(CRITERIA, CriterionSource)
    for allocation in config.channels.allocated:
        if not any(_gap_mhz(emission, allocation) < -SAME_EDGE_MHZ for emission in emissions_of(config)):
            continue
        named = [f"{row.recommendation} ({row.title})" for row in rows if row.covers(allocation)]
        where = f"{allocation.key}, {allocation.from_mhz:g}-{allocation.to_mhz:g} MHz"
        yield f"  criteria      {where}: {'; '.join(named) or 'no Recommendation is listed'}"


def _near_prohibited(config: Config) -> Iterator[str]:
    guard_mhz = config.channels.prohibited_guard_mhz
    for band in read_rows(PROHIBITED, _BandRow):
        for emission in emissions_of(config):
            gap_mhz = _gap_mhz(emission, band)
            if gap_mhz < (emission.device.bandwidth_mhz if guard_mhz is None else guard_mhz):
                said = f"{emission.words}, {max(gap_mhz, 0.0):g} MHz from {band.words}"
                yield f"  warning       RR_5_340_ADJACENT: {said}"


def _screened(config: Config, band: ScreenedBand, channels: Iterable[object]) -> Iterator[str]:
    """What one band of the cases means for channels in it."""
    where = f"case {band.case:g}, {band.words}; channels {' '.join(map(str, channels))}"
    if band.action == "zones":
        if not config.areas.exclusions and getattr(config.incumbents, "radio_astronomy", None) is None:
            yield f"  warning       NO_PASSIVE_ZONES: {where}: neither areas.exclusions nor radio astronomy"
        return
    service = config.services.get(band.service)
    has_numbers = getattr(config.incumbents, band.service, None) is not None if band.service else False
    if service is not None and service.evaluated and has_numbers:
        return
    reasons = {accepted.case: accepted.reason for accepted in config.channels.accepted_cases}
    if band.action == "accept" and band.case in reasons:
        yield f"  warning       BAND_CASE_{band.case:g}: {where}; accepted: {reasons[int(band.case)]}"
        return
    lifted = f"services.{band.service}: evaluate with its section" if band.service else "other channels"
    if band.action == "accept":
        lifted = f"channels.accepted_cases with case {band.case:g} and a reason"
    raise InputError(
        f"BAND_CASE_{band.case:g}: services that neither sensing nor a database protects (SM.2405, 6.1)",
        file=config.file,
        row="channels.wsd",
        value=where,
        allowed=lifted,
    )


def _mobile_694(config: Config) -> Iterator[str]:
    box = config.territory.bbox_deg
    middle_deg = None if box is None else 0.5 * (box[0] + box[2])
    if middle_deg is not None and not _REGION_1_DEG[0] <= middle_deg <= _REGION_1_DEG[1]:
        return
    inside = sorted(
        {
            e.channel
            for e in emissions_of(config)
            if e.high_mhz > _MOBILE_FROM_MHZ + SAME_EDGE_MHZ and e.low_mhz < _MOBILE_TO_MHZ - SAME_EDGE_MHZ
        }
    )
    if inside:
        said = "694-790 MHz is allocated to the mobile service too in Region 1 (RR No. 5.317A)"
        yield f"  note          MOBILE_694: channels {' '.join(map(str, inside))}: {said}"


def _gap_mhz(emission: DeviceEmission, band: _BandRow | Allocation) -> float:
    """Distance of an emission from a band; negative where they overlap."""
    return max(band.from_mhz - emission.high_mhz, emission.low_mhz - band.to_mhz)
