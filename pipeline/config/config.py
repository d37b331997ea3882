"""The configuration of one territory: one YAML file, checked completely before anything is computed.

Every key carries its unit in its name. Unknown keys, NaN, text in a number and values outside their range
are refused. A number that was quoted from memory rather than read in a source is written as
``{value, source, verified}``; those with ``verified: false`` are listed in every manifest.
One module per group of sections; reading and error messages: ``load.py``.
Relative paths are taken from the working directory (the top of the repository for ``make maps``).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, model_validator

from pipeline.config.base import Identifier, Number, Section, Sourced, Whole, within
from pipeline.config.bonds import DeviceChannel, bonds_fault, device_channels
from pipeline.config.channels import Areas, Channels, PlanSegment
from pipeline.config.coordination import Coordination
from pipeline.config.incumbents import Incumbents, Pmse, clock_change, utc_readings
from pipeline.config.loop import Loop
from pipeline.config.products import (
    Allotments,
    Priority,
    PriorityTable,
    Publish,
    Query,
    ReachLayers,
    Report,
    Sensitivity,
    levels_of_table,
    priority_fault,
    reach_fault,
    simultaneous_fault,
)
from pipeline.config.protection import Device, Protection, Threshold
from pipeline.config.reception import (
    NO_COVERAGE,
    Coverage,
    Mode,
    PathClimate,
    Propagation,
    ReceiverBand,
    sees_profiles,
)
from pipeline.config.register_mapping import RegisterItem, files_of_item
from pipeline.config.services import (
    OTHER_LAND,
    BorderField,
    Neighbour,
    Neighbours,
    Service,
    ServiceName,
    required_services,
)
from pipeline.config.territory import GridSettings, Polygons, Population, Terrain, Territory
from pipeline.shipped import TABLES

__all__ = [
    "OTHER_LAND",
    "BorderField",
    "Channels",
    "Config",
    "Coverage",
    "Device",
    "GridSettings",
    "Mode",
    "Neighbour",
    "PlanSegment",
    "Pmse",
    "Polygons",
    "Population",
    "Propagation",
    "Protection",
    "Query",
    "ReceiverBand",
    "Registers",
    "Section",
    "Service",
    "ServiceName",
    "Sourced",
    "Terrain",
    "Territory",
    "Threshold",
    "Whole",
]


class Registers(Section):
    """The regulator's registers."""

    transmitters: list[RegisterItem] = []
    """DTT transmitters, own and foreign: CSV, GeoPackage or GeoJSON. Needed where `services.dtt` exists;
    where it does not (`applicable: false`), none are read. An item may be a mapping of a foreign file
    (docs/registers.md)."""
    lenient: bool = False
    """Leave bad rows out and count them in the manifest, instead of refusing the register."""
    max_shrink_pct: Annotated[Number, Field(ge=0, le=100)] = 20.0
    """A register that lost more of its rows since the published run is refused unless the run is told to
    accept it: half a file is more often a failed transfer than news."""
    max_shrink_bookings_pct: Annotated[Number, Field(ge=0, le=100)] = 50.0
    """The same for the bookings of PMSE, which come and go."""
    as_of: date | None = None
    """Day for which the registers hold: the time of the layers in STAC if there are no bookings."""
    bbox_deg: tuple[Number, Number, Number, Number] | None = None
    """Use only transmitters in this box: west, south, east, north in degrees, WGS84; none: all."""
    missing_haat_m: Annotated[Sourced, within(1, 3000)] | None = None
    """Least height above average terrain where a record holds none or 0, as in the records of the FCC."""
    accept: list[Annotated[str, Field(min_length=1, max_length=64)]] = []
    """Ids of rows that are right although they look wrong: home stations or receivers far away, coordinates
    that look exchanged, a second record of one channel and site (both then are one network)."""

    @model_validator(mode="after")
    def _ordered(self) -> Registers:
        if self.bbox_deg is not None and not (
            self.bbox_deg[0] < self.bbox_deg[2] and self.bbox_deg[1] < self.bbox_deg[3]
        ):
            raise ValueError("bbox_deg is west, south, east, north with west < east and south < north")
        return self

    @property
    def files(self) -> list[Path]:
        """The files of transmitters, those with a mapping too."""
        return [path for item in self.transmitters for path in files_of_item(item)]


class Config(Section):
    """All settings of one published product."""

    name: Identifier = "territory"
    """Folder name under build/ and results/; the stem of the file by default."""
    results: Identifier | None = None
    """Folder under results/ if it is not that of `name`; `channelmaps what-if` sets it."""
    title: str = ""
    """Shown in the manifest and to readers of the maps."""
    notice: str = ""
    """What a reader must know, e.g. that the network is illustrative; goes into tags and manifest."""
    study: str = ""
    """The study that this territory reproduces, e.g. "SM.2405 Annex 5". Services that it left out then make
    nothing "not evaluated"; the names of all files of devices end in `_partial`, and queries are refused."""
    attribution: str = ""
    """Whom readers of the maps must see credited for boundaries, places and other data."""
    licence: str = ""
    """Terms under which readers may use the maps, best an identifier of SPDX such as CC-BY-4.0, or words; it
    stands in report, web map, STAC and side files of the rasters. Empty: nothing is said."""
    territory: Territory
    grid: GridSettings
    population: Population | None = None
    terrain: Terrain = Terrain()
    accept: list[Literal["no_terrain"]] = []
    """What `validate` need not warn of: `no_terrain`, devices on hills are treated as on a plain."""
    registers: Registers = Registers()
    channels: Channels
    propagation: Propagation = Propagation()
    coverage: Coverage = NO_COVERAGE
    """Needed where `services.dtt` exists."""
    protection: Protection = Protection()
    device_profiles: Path = TABLES / "device_profiles.yaml"
    """Ready-made devices that `devices` may name as `profile`."""
    devices: Annotated[list[Device], Field(min_length=1)]
    services: dict[ServiceName, Service]
    neighbours: Neighbours = {}
    """Foreign administrations by country code, `*` for all other land; read if `foreign_dtt` is evaluated."""
    pmse: Pmse = Pmse()
    """Bookings of radio microphones and their like, and how they are protected."""
    incumbents: Incumbents | None = None
    """Radio astronomy, aeronautical radionavigation, mobile, PPDR and fixed links."""
    areas: Areas = Areas()
    """Reserved channels, exclusion areas, channel caps, relay sites, manual adjustments."""
    coordination: Coordination = Coordination()
    """Layers for coordination under RR No. 9.41 and Resolution 612, budgets of fixed links."""
    levels_dbm: Annotated[list[Annotated[Number, Field(ge=-99, le=60)]], Field(min_length=1)] = [
        0.0,
        20.0,
        36.0,
    ]
    """E.i.r.p. levels of the availability layers."""
    sensitivity: Sensitivity = Sensitivity()
    """What `channelmaps sensitivity` tries beside the territory's own method."""
    priority: Annotated[
        list[Priority],
        BeforeValidator(levels_of_table, json_schema_input_type=list[Priority] | PriorityTable),
    ] = []
    """Levels of priority among users, for `channelmaps priority`: a list, or a table by protection ratios."""
    validity_hours: Annotated[Number, Field(ge=1 / 60, le=8784)] = 24.0
    """How long answers from these layers may be used."""
    query: Query = Query()
    """Answers of a white-space database, for `channelmaps query`."""
    loop: Loop = Loop()
    """The database in service: devices and what they use, for `channelmaps serve`."""
    publish: Publish = Publish()
    """What the public files tell of protected stations."""
    allotments: Allotments | None = None
    """Layers of the blocks that are unused in a region; nothing else depends on them."""
    reach: list[ReachLayers] = []
    """Layers of how far permitted base stations would reach, by device and mode (docs/links.md)."""
    report: Report = Report()
    """The page `report.html`."""
    keep_runs: Annotated[Whole, Field(ge=1)] | None = None
    """Published runs that stay, the newest ones; older ones are removed after a run. None: all stay."""
    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """The territory file that these settings were read from, for messages; no setting itself."""
        return self._file

    @property
    def reserved_channels(self) -> set[int]:
        """Channels that are kept for other uses in the whole territory."""
        return {number for entry in self.areas.reserved for number in entry.channels}

    def channels_of(self, device: Device) -> list[DeviceChannel]:
        """The channels, or bonds, that are computed for a device, ascending."""
        return device_channels(self.channels, device, self.reserved_channels)

    def costed_devices(self) -> list[Device]:
        """The devices of which the costs of choices are counted."""
        names = self.report.costed_devices
        return self.devices[:1] if names is None else [d for d in self.devices if d.id in names]

    def all_device_channels(self) -> list[DeviceChannel]:
        """The channels, then the bonds, of all devices: each once."""
        bonds = {
            channel for device in self.devices if device.bond > 1 for channel in self.channels_of(device)
        }
        singles = sorted(self.channels.wsd) if any(device.bond == 1 for device in self.devices) else []
        return [*singles, *sorted(bonds)]

    def from_file(self, path: Path) -> Config:
        """These settings with the file they were read from."""
        named = self.model_copy()
        named._file = path
        return named

    @model_validator(mode="after")
    def _with_building_losses(self) -> Config:
        """The loss of a kind of building stands in the settings as a number, among what is not verified."""
        if all(device.indoor is None or device.indoor.building is None for device in self.devices):
            return self
        f_mhz = self.channels.device_centres_mhz
        devices = []
        for device in self.devices:
            try:
                indoor = device.indoor and device.indoor.with_loss(f_mhz)
            except ValueError as error:
                raise ValueError(f"devices: {device.id}: indoor: {error}") from None
            devices.append(device.model_copy(update={"indoor": indoor}))
        return self.model_copy(update={"devices": devices})

    @model_validator(mode="after")
    def _with_climate(self) -> Config:
        """The air of paths of devices over terrain stands in the settings, among what is not verified."""
        if self.protection.device_path == "homogeneous" or self.propagation.climate is not None:
            return self
        propagation = self.propagation.model_copy(update={"climate": PathClimate()})
        return self.model_copy(update={"propagation": propagation})

    @model_validator(mode="after")
    def _begins_once(self) -> Config:
        if self.pmse.at is None:
            return self
        begin, zone = datetime.fromisoformat(self.pmse.at), self.query.time_zone
        if odd := clock_change(begin, zone):
            raise ValueError(f"pmse.at: {self.pmse.at} {odd} in query.time_zone, {zone}: give another time")
        until = begin + timedelta(hours=self.validity_hours)
        if utc_readings(until, zone)[0] <= utc_readings(begin, zone)[1]:
            raise ValueError(
                f"validity_hours: the period ends at {until:%Y-%m-%dT%H:%M}, as it begins, in {zone}"
            )
        return self

    @model_validator(mode="after")
    def _complete(self, info: ValidationInfo) -> Config:
        ids = [device.id for device in self.devices]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"devices: two have the same id: {', '.join(twice)}")
        if missing := [name for name in required_services(info) if name not in self.services]:
            raise ValueError(f"services: say for {', '.join(missing)} whether they are evaluated")
        if missing_of_dtt := self._television_fault():
            raise ValueError(missing_of_dtt)
        if missing_of_profiles := self._profile_fault():
            raise ValueError(missing_of_profiles)
        if missing_of_paths := self._terrain_check_fault() or self._device_path_fault():
            raise ValueError(missing_of_paths)
        if len(set(self.levels_dbm)) != len(self.levels_dbm):
            raise ValueError("levels_dbm names a level twice")
        caps_dbm = {device.id: device.cap_dbm for device in self.devices}
        bonds = {device.id: device.bond for device in self.devices}
        if fault := priority_fault(self.priority, caps_dbm, self.channels.wsd, bonds):
            raise ValueError(fault)
        if fault := bonds_fault(self.channels, self.devices, self.reserved_channels):
            raise ValueError(fault)
        widths_mhz = [segment.width_mhz for segment in self.channels.plan]
        margins_db = {device.id: device.margin_db for device in self.devices}
        if fault := simultaneous_fault(self.query, min(widths_mhz), margins_db):
            raise ValueError(fault)
        if len(set(self.report.channels)) != len(self.report.channels):
            raise ValueError("report.channels names a channel twice")
        if fault := reach_fault(self.reach, ids):
            raise ValueError(fault)
        if others := set(self.report.costed_devices or ()) - set(ids):
            raise ValueError(f"report.costed_devices names unknown devices: {', '.join(sorted(others))}")
        plan = {c for s in self.channels.plan for c in range(s.first_channel, s.last_channel + 1)}
        reserved = {channel for entry in self.areas.reserved for channel in entry.channels}
        if reserved - plan:
            raise ValueError(
                f"areas.reserved names channels that are not in the plan: {sorted(reserved - plan)}"
            )
        if beyond := set(self.report.channels) - set(self.channels.wsd):
            raise ValueError(f"report.channels names channels that are not in channels.wsd: {sorted(beyond)}")
        return self

    @property
    def has_television(self) -> bool:
        """Whether there is DTT reception to look at; without it neither register nor coverage is needed."""
        return "dtt" not in self.services or self.services["dtt"].applicable

    def _terrain_check_fault(self) -> str:
        """What the check of paths over terrain lacks; empty if nothing, or if it is off."""
        if self.protection.wsd_terrain == "off":
            return ""
        if self.terrain.dem is None:
            return "protection.wsd_terrain: checked needs terrain.dem"
        asks = self.protection.method == "degradation" and self.has_television
        return "" if asks else "protection.wsd_terrain: checked needs method: degradation, and television"

    def _device_path_fault(self) -> str:
        """What paths of devices over terrain lack, or do not go with; empty if nothing."""
        path = self.protection.device_path
        if path == "homogeneous":
            return ""
        if self.terrain.dem is None:
            return f"protection.device_path: {path} needs terrain.dem"
        hidden = self.publish.coarsen_m > 0.0
        return "publish.coarsen_m needs protection.device_path: homogeneous" if hidden else ""

    def _profile_fault(self) -> str:
        """A model that sees profiles without terrain that they could run over."""
        if self.terrain.dem is not None:
            return ""
        asked = [("propagation.coverage_model", self.propagation.coverage_model)]
        asked += [("sensitivity.coverage_models", model) for model in self.sensitivity.coverage_models]
        blind = (f"{key}: {model} needs terrain.dem" for key, model in asked if sees_profiles(model))
        return next(blind, "")

    def _television_fault(self) -> str:
        """What is missing for DTT, or makes no sense without it; empty if all is well."""
        if not self.has_television:
            foreign = self.services.get("foreign_dtt")
            asked = foreign is not None and foreign.evaluated
            return "services.foreign_dtt cannot be evaluated where dtt is not applicable" if asked else ""
        if not self.registers.transmitters:
            return "registers.transmitters: is missing; none only with services.dtt.applicable: false"
        if "coverage" not in self.model_fields_set:
            return "coverage: is missing; none only with services.dtt.applicable: false"
        return ""
