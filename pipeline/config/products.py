"""Sections on what is made from the maps: report, levels of priority, comparison of variants, answers."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from pipeline.config.base import (
    AuthorityCode,
    Identifier,
    ModelFor,
    Number,
    Section,
    Sourced,
    TableName,
    TileAddress,
    Whole,
    within,
)
from pipeline.config.channels import ChannelList
from pipeline.errors import fault_of_value
from pipeline.shipped import TABLES

MODE_TABLES, CLIENT_TABLE = TABLES / "link_modes", TABLES / "link_cpe.csv"
REPORT_TEXTS = TABLES / "report_en.yaml"
"""What every other catalogue of sentences is held against."""
_PILOT = "Ofcom pilot 2013, read in github richstep/TVWS-DB-Code @fed8464"


class Regions(Section):
    """Parts of the territory that have statistics of their own: provinces, licence areas, municipalities."""

    path: Path
    """GeoPackage, GeoJSON or shapefile of polygons in any CRS that the file states."""
    layer: str | None = None
    """Layer of the polygons; none: the only one of the file."""
    name_field: str = "name"
    """Attribute with the name of the region; polygons of one name are one region."""


class Allotments(Section):
    """Blocks of a band that were shared out among users by region (SM.2405, Annex 6)."""

    table: Path
    """CSV with columns region, user, from_mhz, to_mhz, status (used, unused or unknown)."""
    regions: Regions | None = None
    """Polygons of the regions; none: the table has one region, `*`, the whole territory."""


class Report(Section):
    """The page `report.html` of every run, and the tables behind it."""

    channels: list[Whole] = []
    """Channels whose maximum e.i.r.p. the report draws; none: six, spread evenly over `channels.wsd`."""
    regions: Regions | None = None
    """Regions of the table `public/statistics_by_region.csv`; none: no such table."""
    costed_devices: Annotated[list[Identifier], Field(min_length=1)] | None = None
    """Devices of which the report counts what each cautious choice costs in channels; none: the first."""
    texts: Path = REPORT_TEXTS
    """Sentences of the report in one language: `configs/tables/report_<language>.yaml` (en, fr), or a file of
    your own with the same keys. The annex is in English."""
    pdf: bool = True
    """Also `report.pdf`, by WeasyPrint or else a Chromium where one is installed; without, a line says so."""


_Kilometres = Annotated[Number, Field(gt=0, le=300)]


def _table_of_modes(name: object) -> object:
    """A shipped table by its name; a path stays as it is."""
    shipped = isinstance(name, str) and not name.lower().endswith(".csv")
    return MODE_TABLES / f"{name}.csv" if shipped else name


class ReachLayers(Section):
    """Layers of how far a base station would reach that radiates what is permitted where it stands."""

    device: Identifier
    """Device that stands for the base station, at its height."""
    modes: Annotated[Path, BeforeValidator(_table_of_modes, json_schema_input_type=str)] = (
        MODE_TABLES / "sm2405_a8.csv"
    )
    """Table of modes: a name of `configs/tables/link_modes`, or a CSV."""
    mode: Annotated[str, Field(min_length=1, max_length=64)]
    """Mode of the table that a client must still have."""
    cpe: Identifier = "a8_panel"
    """Radio of the clients."""
    cpe_table: Path = CLIENT_TABLE
    """Table of radios of clients."""
    q_pct: Annotated[Number, Field(ge=1, le=99)] = 70.0
    """Per cent of locations that have the mode at the radius."""
    at_least_km: Annotated[
        list[Annotated[Number, Field(gt=0, le=300)]], Field(min_length=1, max_length=8)
    ] = [1.0, 5.0, 10.0]
    """Distances at which the channels that reach so far are counted."""

    @property
    def slug(self) -> str:
        """The mode as file names have it."""
        return mode_slug(self.mode)

    @model_validator(mode="after")
    def _named(self) -> ReachLayers:
        if not self.slug:
            raise ValueError(f"mode {self.mode!r} has no letter or digit for the names of its files")
        if len(set(self.at_least_km)) != len(self.at_least_km):
            raise ValueError("at_least_km names a distance twice")
        return self


def mode_slug(mode: str) -> str:
    """A mode as file names have it: lower case, other characters than a-z and 0-9 as one dash."""
    return re.sub("[^a-z0-9]+", "-", mode.lower()).strip("-")


def reach_fault(reach: Collection[ReachLayers], devices: Collection[str]) -> str | None:
    """What is wrong with the layers of reach; None if nothing."""
    for entry in reach:
        if entry.device not in devices:
            return f"reach names the device {entry.device}, which is not among {', '.join(devices)}"
    named = [(entry.device, entry.slug) for entry in reach]
    twice = next((name for name in named if named.count(name) > 1), None)
    return f"reach: two entries of {twice[0]} are {twice[1]} in file names" if twice else None


class Priority(Section):
    """One level of priority: which channels its users may be given, and where."""

    level: Annotated[Whole, Field(ge=1, le=99)]
    """Number of the level; 1 comes first."""
    pr: Identifier | None = None
    """Protection ratio of a table by levels and ratios; part of the file names."""
    device: Identifier
    """Device whose maps decide."""
    eirp_dbm: Annotated[Number, Field(ge=-99, le=60)]
    """E.i.r.p. that the users need."""
    channels: ChannelList
    """Channels of this level, as numbers or ranges such as "21-48"."""
    protection_db: Annotated[Number, Field(ge=0, le=60)] = 0.0
    """Added to every protection ratio for this level: so much more must be permitted."""
    more_than_free: Annotated[Whole, Field(ge=0, le=99)] = 0
    """A channel is given only where more than this many channels are free; 2 for a low priority."""
    counted: ChannelList | None = None
    """Channels that count for that; none: all that are mapped."""

    @property
    def name(self) -> str:
        """Level and ratio as file names have them: 4_pr2."""
        return f"{self.level}" if self.pr is None else f"{self.level}_{self.pr}"


class PriorityRatio(Section):
    """A column of the table: what is added to every protection ratio."""

    id: TableName
    """Name of the ratio; file names have it in small letters."""
    add_db: Annotated[Number, Field(ge=0, le=60)]
    """Added to every protection ratio."""


class PriorityRow(Section):
    """A row of the table."""

    level: Annotated[Whole, Field(ge=1, le=99)]
    """Number of the level; 1 comes first."""
    device: Identifier
    """Device whose maps decide."""
    eirp_dbm: Annotated[Number, Field(ge=-99, le=60)]
    """E.i.r.p. that the users need."""
    more_than_free: Annotated[Whole, Field(ge=0, le=99)] = 0
    """A channel is given only where more than this many channels are free; 2 for a low priority."""
    count: Literal["all", "own"] = "all"
    """Which of them count: those of all cells of this device and ratio, or of the cell itself."""


class PriorityCell(Section):
    """A cell of the table: the channels of a level at a ratio."""

    level: Whole
    """A level of `levels`."""
    pr: str
    """A ratio of `protection_ratios`."""
    channels: ChannelList
    """Channels of the cell, as numbers or ranges such as "21-48"."""


class PriorityTable(Section):
    """Levels of priority by protection ratios (SM.2405, Fig. A7-4); a cell that is missing has no channel."""

    protection_ratios: Annotated[list[PriorityRatio], Field(min_length=1)]
    """Columns of the table."""
    levels: Annotated[list[PriorityRow], Field(min_length=1)]
    """Rows of the table."""
    cells: Annotated[list[PriorityCell], Field(min_length=1)]
    """Channels of rows and columns."""

    @model_validator(mode="after")
    def _consistent(self) -> PriorityTable:
        ratios, levels = [ratio.id for ratio in self.protection_ratios], [row.level for row in self.levels]
        for name, found in (("protection_ratios", [name.lower() for name in ratios]), ("levels", levels)):
            if len(set(found)) != len(found):
                raise ValueError(f"{name} names one twice")
        for cell in self.cells:
            if cell.pr not in ratios or cell.level not in levels:
                raise ValueError(f"cells: level {cell.level}, pr {cell.pr} is no row and column of the table")
        return self

    def rows(self) -> list[dict[str, object]]:
        """The cells as levels of priority."""
        levels = {row.level: row for row in self.levels}
        added_db = {ratio.id: ratio.add_db for ratio in self.protection_ratios}
        return [
            {
                "level": cell.level,
                "pr": cell.pr.lower(),
                "device": levels[cell.level].device,
                "eirp_dbm": levels[cell.level].eirp_dbm,
                "channels": cell.channels,
                "protection_db": added_db[cell.pr],
                "more_than_free": levels[cell.level].more_than_free,
                "counted": self._counted(cell, levels[cell.level]),
            }
            for cell in self.cells
        ]

    def _counted(self, cell: PriorityCell, row: PriorityRow) -> list[int]:
        same = {level.level for level in self.levels if level.device == row.device}
        cells = [other for other in self.cells if other.pr == cell.pr and other.level in same]
        return sorted(
            {channel for other in cells if row.count == "all" or other is cell for channel in other.channels}
        )


def levels_of_table(content: object) -> object:
    """The mapping form of `priority` as the list that it stands for."""
    if not isinstance(content, dict):
        return content
    try:
        return PriorityTable.model_validate(content).rows()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {fault_of_value(first)}" if place else fault_of_value(first)) from None


def priority_fault(
    levels: Collection[Priority], caps_dbm: dict[str, float], channels: Collection[int], bonds: dict[str, int]
) -> str | None:
    """What is wrong with the levels: they must be told apart, and use devices and channels of the maps.

    ``caps_dbm`` and ``bonds`` (number of channels used as one) by device.
    """
    names = [level.name for level in levels]
    if len(set(names)) != len(names):
        return "priority: a level is named twice"
    for level in levels:
        name = f"priority: level {level.name}"
        if level.device not in caps_dbm:
            known = ", ".join(caps_dbm)
            return f"{name} names the device {level.device}, which is not among {known}"
        if extra := sorted(set(level.channels) - set(channels)):
            return f"{name} names channels {extra} that are not in channels.wsd"
        if not _has_run(level.channels, bonds[level.device]):
            return f"{name} has no {bonds[level.device]} channels in a row, which {level.device} uses as one"
        if level.eirp_dbm + level.protection_db > caps_dbm[level.device]:
            return f"{name} needs more than the cap of {level.device}, {caps_dbm[level.device]:g} dBm"
    return None


def _has_run(channels: Collection[int], count: int) -> bool:
    """Whether ``count`` numbers follow each other somewhere."""
    return any(all(first + k in channels for k in range(count)) for first in channels)


class Sensitivity(Section):
    """Values to try beside those of the territory; one that equals the territory's own adds no variant."""

    coverage_models: list[Annotated[str, ModelFor("coverage")]] = ["p1546", "extended_hata"]
    """Models of wanted and interfering DTT fields, in place of `propagation.coverage_model`."""
    wsd_models: list[Annotated[str, ModelFor("homogeneous")]] = ["p1546", "extended_hata"]
    """Models of the path from device to victim, in place of `propagation.wsd_model`."""
    location_sigmas_db: list[Annotated[Number, Field(gt=0, le=12)]] = [4.5, 5.5, 6.5]
    """Location variation, in place of `coverage.location_sigma_db` and `protection.far_sigma_db`."""
    dqs_pct: list[Annotated[Number, Field(gt=0, le=30)]] = [0.5, 1.0, 2.0]
    """Allowed fall of location probability, in place of the device's `dq_pct`."""
    idle_penalties_db: list[Annotated[Number, Field(ge=0, le=60)]] = [0.0, 12.0, 26.0]
    """What an idle device costs, in place of `idle_penalty_db`."""
    loaded: bool = True
    """Also the device as a loaded one."""
    ratio_tables: list[Path] = [TABLES / "protection_ratios_cautious.csv"]
    """Tables of protection ratios, in place of `protection.ratios`."""
    choices: bool = True
    """Also each cautious choice the other way, as `public/choices.csv` has them."""


class Basemap(Section):
    """A map of somebody else's that the web map can show below its layers, if the reader ticks it."""

    url: TileAddress
    """Address of its tiles in the web's Mercator map, e.g. `https://maps.example.org/{z}/{x}/{y}.png`; its
    owner says what use is allowed."""
    attribution: Annotated[str, Field(min_length=1)]
    """Whom its owner wants to see credited; shown with it."""
    max_zoom: Annotated[Whole, Field(ge=0, le=24)] = 19
    """Its finest zoom."""
    tile_px: Literal[256, 512] = 256
    """Side of its tiles."""

    @property
    def origin(self) -> str:
        """The server that a browser may ask, for the page's policy."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"


class Publish(Section):
    """What the public files of a run tell of protected stations (`docs/disclosure.md`)."""

    limiting_service: Literal["full", "grouped", "internal"] = "full"
    """`full`: the layer names the service that limits; `grouped`: one code for all services with protected
    stations; `internal`: the layer lies in `internal/`, and nothing public shows it."""
    coarsen_m: Annotated[Number, Field(ge=0, le=100_000)] = 0.0
    """Side of the blocks that places of protected stations are known by: each station limits as if it stood
    anywhere in its block. Limits only fall. 0: at their places."""
    basemap: Basemap | None = None
    """What the web map can show below the layers. None: the page asks no server but its own."""

    @property
    def limiting_family(self) -> str:
        """Row of the table of layers that `limiting_service` is published by."""
        return "limiting_service_internal" if self.limiting_service == "internal" else "limiting_service"

    @property
    def lost_family(self) -> str:
        """Row of the table of layers for the shares by rule, which name services as that layer does."""
        return "lost_channels_internal" if self.limiting_service == "internal" else "lost_channels"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # an unknown zone is a KeyError
        raise ValueError(f"time zone {name!r} is not known here") from None
    return name


class GenericSlave(Section):
    """Slaves of which only the master is known: they may stand wherever they hear it."""

    emission_class: Annotated[Whole, Field(ge=1, le=5)] = 5
    """Class that is assumed of every slave; the run needs a device of this class and of the master's type."""
    sensitivity_dbm: Annotated[Sourced, within(-150, 0)] = Sourced(value=-114.0, source=_PILOT, verified=True)
    """Least power at which a slave hears its master, in the master's bandwidth (PREFSENS)."""
    antenna_gain_dbi: Annotated[Number, Field(ge=-20, le=40)] = 0.0
    """Gain of the slave's antenna towards its master; more gain reaches farther."""
    height_type_a_m: Annotated[Number, Field(ge=1, le=500)] = 10.0
    """Antenna height at which a slave of type A is taken to hear its master."""
    height_type_b_m: Annotated[Number, Field(ge=1, le=500)] = 1.5
    """Antenna height at which a slave of type B is taken to hear its master."""
    environment: Literal["open", "suburban", "urban"] = "open"
    """Surroundings in extended Hata; open reaches farthest."""


class Query(Section):
    """What `channelmaps query` needs beside the rasters; all of it is in the manifest of a run."""

    height_layers: Path = TABLES / "height_layers.csv"
    """Which device answers for which antenna height."""
    authority: AuthorityCode | None = None
    """Two letters of the country whose rules hold; none: the first of `territory.home`."""
    ruleset_id: Annotated[str, Field(min_length=1, max_length=64)] = "ETSI-EN-301-598-2.1.1"
    """Identifier of the rules; IANA has registered ETSI-EN-301-598-1.1.1 and FccTvBandWhiteSpace-2010."""
    max_location_change_m: Annotated[Number, Field(ge=1, le=100_000)] = 50.0
    """A device that has moved farther asks again."""
    max_polling_s: Annotated[Whole, Field(ge=1, le=31_622_400)] = 900
    """A device asks again after this time at the latest."""
    needs_spectrum_report: bool = True
    """Whether devices report which spectrum they use."""
    max_total_bw_mhz: Annotated[Number, Field(ge=0.001, le=4000)] | None = None
    """Largest bandwidth of a device in all; none: the width of one channel."""
    max_contiguous_bw_mhz: Annotated[Number, Field(ge=0.001, le=4000)] | None = None
    """Largest contiguous bandwidth of a device, up to that in all; none: the width of one channel."""
    simultaneous: Literal["0", "1"] = "1"
    """`etsiEnSimultaneousChannelOperationRestriction`: 1, the total e.i.r.p. over all channels in use is at
    most the least limit of them; 0, each channel by itself, where `margin_db` of all devices allows it."""
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """Zone of the register's local time (`pmse.at`), e.g. Europe/Ljubljana; answers are in UTC."""
    block_px: Annotated[Whole, Field(ge=16, le=512, multiple_of=16)] = 32
    """Side of the blocks of `public/query_<device>.tif`; small blocks make point reads fast."""
    generic_slave: GenericSlave = GenericSlave()
    """Answers for slaves of which only the master is known."""

    @model_validator(mode="after")
    def _part_of_total(self) -> Query:
        total, part = self.max_total_bw_mhz, self.max_contiguous_bw_mhz
        if total is not None and part is not None and part > total:
            raise ValueError(f"max_contiguous_bw_mhz, {part:g}, is above max_total_bw_mhz, {total:g}")
        return self


def is_etsi(ruleset_id: str) -> bool:
    """Whether a ruleset is one of ETSI's, which have members of their own (RFC 7545, section 9.2)."""
    return ruleset_id.startswith("ETSI")


def simultaneous_fault(query: Query, channel_mhz: float, margins_db: dict[str, float]) -> str | None:
    """What is wrong with unrestricted channels together: N of them use up what reception allows N times."""
    if query.simultaneous == "1":
        return None
    together = max(1, math.floor((query.max_total_bw_mhz or channel_mhz) / channel_mhz))
    needed_db = 10.0 * math.log10(together)
    for device, margin_db in margins_db.items():
        if margin_db < needed_db:
            return (
                f'query.simultaneous "0" with {together} channels needs margin_db of {needed_db:.2f} or more;'
                f" {device} has {margin_db:g}"
            )
    return None
