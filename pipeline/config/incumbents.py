"""Services other than DTT: where their receivers stand and which criteria protect them.

Each section is read if its service is evaluated; without its section a service to evaluate has no numbers,
which is "not evaluated", never "available".
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pipeline.config.base import EpsgCode, Identifier, ModelFor, Number, Section, Sourced, Whole, within
from pipeline.config.register_mapping import RegisterItem
from pipeline.shipped import TABLES

ReceiverModel = Annotated[str, ModelFor("receiver")]
M1808 = "Rec. ITU-R M.1808, as quoted in Report ITU-R SM.2405, Annex 3"
_PILOT = "Ofcom white-space pilot 2013, as coded in Microsoft's TVWS-DB-Code, OfcomCalculation.cs"


class RadioAstronomy(Section):
    """Radio telescopes (Rec. ITU-R RA.769-2; docs/method.md, section 18)."""

    stations: RegisterItem
    """Register of stations: id, lon, lat, criterion, antenna_height_m, acs_db, coastal; or a mapping."""
    criteria: Path = TABLES / "ra769.csv"
    """Criteria that the register names, by system temperatures, bandwidth and integration time."""
    time_pct: Annotated[Sourced, within(1, 50)] = Sourced(
        value=2.0,
        source="data loss of 2 % by any one network (Rec. ITU-R RA.1513), quoted from memory",
        verified=False,
    )
    """Percentage of time for which the path loss may be smaller."""
    gain_dbi: Annotated[Sourced, within(-20, 100)] = Sourced(
        value=0.0, source="side-lobe gain assumed in Rec. ITU-R RA.769-2, table 1", verified=True
    )
    """Gain of the telescope towards the device."""
    margin_db: Annotated[Number, Field(ge=0, le=30)] = 0.0
    """Margin for several devices."""
    exclude_below_dbm: Annotated[Number, Field(ge=-200, le=60)] | None = None
    """A limit below this counts as no permission; none: the limit holds as it is."""


class Receivers(Section):
    """Receivers protected by an interference-to-noise ratio: land mobile and PPDR."""

    registers: list[RegisterItem] = []
    """Receivers at known places, e.g. base stations; an item may be a mapping (docs/registers.md)."""
    area_wide: Path | None = None
    """Receivers that may stand anywhere: CSV with the radio columns of a register, separation_m, source,
    verified; protected at that distance everywhere."""
    i_n_db: Annotated[Sourced, within(-40, 20)]
    """Interference-to-noise ratio that may not be exceeded."""
    time_pct: Annotated[Sourced, within(1, 50)] = Sourced(
        value=10.0, source="conservative choice: no source prints a percentage", verified=False
    )
    """Percentage of time for which the path loss may be smaller."""
    model: ReceiverModel = "p1546"
    """Path loss; free space protects more."""
    margin_db: Annotated[Number, Field(ge=0, le=30)] = 0.0
    """Margin for several devices."""

    @model_validator(mode="after")
    def _some(self) -> Receivers:
        if not self.registers and self.area_wide is None:
            raise ValueError("give `registers`, `area_wide` or both")
        return self


class Mobile(Receivers):
    """Land mobile below 470 and above 790 MHz."""

    i_n_db: Annotated[Sourced, within(-40, 20)] = Sourced(value=-6.0, source=M1808, verified=True)
    """Interference-to-noise ratio that may not be exceeded."""


class Ppdr(Receivers):
    """Public protection and disaster relief: greater protection than other land mobile."""

    i_n_db: Annotated[Sourced, within(-40, 20)] = Sourced(value=-10.0, source=M1808, verified=True)
    """Interference-to-noise ratio that may not be exceeded."""


class InBand(Receivers):
    """Systems of the very band that devices share, e.g. data systems of industries (SM.2405, Annex 6)."""

    i_n_db: Annotated[Sourced, within(-40, 20)] = Sourced(
        value=-6.0, source="choice of this project, as for land mobile", verified=False
    )
    """Interference-to-noise ratio that may not be exceeded."""


class FixedLinks(Section):
    """Receivers of fixed links (docs/method.md, section 21)."""

    registers: Annotated[list[RegisterItem], Field(min_length=1)]
    """Receiving ends, one record per direction; an item may be a mapping (docs/registers.md)."""
    i_n_db: Annotated[Sourced, within(-40, 20)] = Sourced(
        value=-20.0,
        source="1 % share of other sources in Rec. ITU-R F.1565-1, all devices together",
        verified=True,
    )
    """Interference-to-noise ratio that all devices together may not exceed."""
    effective_devices: Annotated[Number, Field(ge=1, le=10000)] = 1.0
    """Devices that share the budget: each gets 10 log of this less."""
    time_pct: Annotated[Sourced, within(1, 50)] = Sourced(
        value=20.0, source="long-term criterion of Rec. ITU-R F.758, quoted from memory", verified=False
    )
    """Percentage of time for which the path loss may be smaller."""
    model: ReceiverModel = "p1546"
    """Path loss; free space protects more."""


class Criterion(Section):
    """What protects the receivers of a custom service: one of four levels, at the receiver's antenna."""

    i_n_db: Annotated[Sourced, within(-60, 40)] | None = None
    """Interference-to-noise ratio, for the bandwidth and the noise figure of each receiver."""
    field_dbuvm: Annotated[Sourced, within(-100, 150)] | None = None
    """Field strength in dB(uV/m)."""
    pfd_dbw_m2: Annotated[Sourced, within(-300, 0)] | None = None
    """Power flux-density in dB(W/m2)."""
    power_dbm: Annotated[Sourced, within(-250, 50)] | None = None
    """Power in dBm at the input of the receiver."""
    bandwidth_mhz: Annotated[Number, Field(gt=0, le=100)] | None = None
    """What field, power flux-density or power refer to; none: the bandwidth of each receiver."""
    aggregate: bool = False
    """Whether all devices together have the level: each then gets 10 log of `effective_devices` less."""
    effective_devices: Annotated[Number, Field(ge=1, le=10000)] = 1.0
    """Devices that share an aggregate level."""
    time_pct: Annotated[Sourced, within(1, 50)] = Sourced(
        value=10.0, source="conservative choice: no source prints a percentage", verified=False
    )
    """Percentage of time for which the path loss may be smaller."""

    @model_validator(mode="after")
    def _one_level(self) -> Criterion:
        levels = ("i_n_db", "field_dbuvm", "pfd_dbw_m2", "power_dbm")
        if sum(getattr(self, name) is not None for name in levels) != 1:
            raise ValueError(f"give exactly one of {', '.join(levels)}")
        if self.i_n_db is not None and self.bandwidth_mhz is not None:
            raise ValueError("bandwidth_mhz goes with a field, a power flux-density or a power")
        if self.aggregate != (self.effective_devices > 1.0):
            raise ValueError(
                "an aggregate level needs effective_devices above 1, and no other level has them"
            )
        return self


class CustomService(Section):
    """Any other service: its criterion stands in the territory file alone."""

    id: Identifier
    """Short name, for messages, manifest and `explain`."""
    name: Annotated[str, Field(min_length=3)]
    """What it is, for readers."""
    registers: list[RegisterItem] = []
    """Receivers at known places; columns as of `mobile`; an item may be a mapping (docs/registers.md)."""
    areas: list[Path] = []
    """Polygons in which receivers may stand anywhere (GeoPackage, GeoJSON, or CSV with a column wkt) with the
    radio columns of a register, without place, azimuth and pattern."""
    criterion: Criterion
    """What may not be exceeded."""
    model: ReceiverModel = "p1546"
    """Path loss; free space protects more."""
    margin_db: Annotated[Number, Field(ge=0, le=30)] = 0.0
    """Margin for several devices, beside an aggregate level."""

    @model_validator(mode="after")
    def _some(self) -> CustomService:
        if not self.registers and not self.areas:
            raise ValueError("give `registers`, `areas` or both")
        return self


def _ids_once(services: list[CustomService]) -> list[CustomService]:
    ids = [one.id for one in services]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"two have the same id: {', '.join(twice)}")
    return services


class Aeronautical(Section):
    """Aeronautical radionavigation, 645-862 MHz in the countries of RR No. 5.312."""

    mode: Literal["res760_distance", "field_trigger"] = "res760_distance"
    """Distances of Resolutions 749 and 760 as exclusion, or a trigger field by system."""
    systems: Path = TABLES / "arns_systems.yaml"
    """Systems with their distances and receivers, and the administrations with their bands."""
    countries: list[str] = []
    """Administrations (two letters) whose land may hold stations; none: all that the table lists."""
    borders: Path | None = None
    """Country polygons with attribute iso2 within 450 km at least; none: `territory.world`."""
    stations: RegisterItem | None = None
    """Known stations: id, lon, lat, code, country, or a mapping; then only these are protected, not whole
    countries."""
    codes: list[str] = []
    """Systems that stations of unknown kind may have; none: all."""
    base_station: Literal["transmitting", "receiving"] = "transmitting"
    """Column of the distances: devices count as base stations, or as the terminals that these receive."""
    land_share: Literal["half_or_more", "less_than_half"] = "less_than_half"
    """Column of the distances: share of land on the paths."""
    time_pct: Annotated[Sourced, within(1, 50)] = Sourced(
        value=1.0, source="conservative choice: no source prints a percentage", verified=False
    )
    """Percentage of time for ground receivers in the field-trigger mode."""


class LeakageFloor(Section):
    """Floor of the leakage of devices in a band."""

    from_mhz: Annotated[Number, Field(ge=0)]
    """Lower edge."""
    to_mhz: Annotated[Number, Field(gt=0)]
    """Upper edge."""
    dbm_per_100khz: Annotated[Number, Field(ge=-150, le=0)]
    """Leakage into 100 kHz below which no device has to fall."""
    verified: bool
    """True only if the number was read in EN 301 598."""

    @model_validator(mode="before")
    @classmethod
    def _short_names(cls, content: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        """`from` and `to` are other names of the edges."""
        if not isinstance(content, dict):
            return content
        names = {"from": "from_mhz", "to": "to_mhz"}
        return {names.get(key, key): float(v) if key in names else v for key, v in content.items()}

    @model_validator(mode="after")
    def _ascending(self) -> LeakageFloor:
        if self.to_mhz <= self.from_mhz:
            raise ValueError("to_mhz must exceed from_mhz")
        return self


class Incumbents(Section):
    """The sections by service."""

    radio_astronomy: RadioAstronomy | None = None
    aeronautical: Aeronautical | None = None
    mobile: Mobile | None = None
    ppdr: Ppdr | None = None
    fixed: FixedLinks | None = None
    in_band: InBand | None = None
    custom: Annotated[list[CustomService], Field(min_length=1), AfterValidator(_ids_once)] | None = None
    """Any other services, with their criteria; read if `services.custom` is evaluated."""
    leakage_floor_dbm_per_100khz: Annotated[Sourced, within(-150, 0)] = Sourced(
        value=-84.0, source="EN 301 598: leakage need not fall below this; quoted from memory", verified=False
    )
    """Leakage of a device into 100 kHz stays at this however low its power, outside `leakage_floor`."""
    leakage_floor: list[LeakageFloor] = [
        LeakageFloor(from_mhz=0.0, to_mhz=470.0, dbm_per_100khz=-54.0, verified=False),
        LeakageFloor(from_mhz=790.0, to_mhz=1e6, dbm_per_100khz=-54.0, verified=False),
    ]
    """Other floors by frequency. Outside 470-790 MHz the larger of two floors quoted from memory."""

    @model_validator(mode="after")
    def _floors_apart(self) -> Incumbents:
        floors = sorted(self.leakage_floor, key=lambda floor: floor.from_mhz)
        for lower, upper in pairwise(floors):
            if upper.from_mhz < lower.to_mhz:
                raise ValueError(f"leakage_floor: bands overlap at {upper.from_mhz:g} MHz")
        return self


# Beyond, neither zones nor periods of validity can be counted.
_FIRST_YEAR, _LAST_YEAR = 1900, 2999


def _minute(value: object) -> object:
    """A date or date-time, as YAML or a text has it, to ISO text such as ``2014-03-01T19:30``."""
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("no date or time; allowed: such as 2014-03-01T19:30") from None
    elif isinstance(value, date) and not isinstance(value, datetime):
        moment = datetime(value.year, value.month, value.day)
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        raise ValueError("give the register's local time, without a time zone")
    if isinstance(moment, datetime) and not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"year {moment.year} is not between {_FIRST_YEAR} and {_LAST_YEAR}")
    return moment.isoformat(timespec="minutes") if isinstance(moment, datetime) else moment


LocalTime = Annotated[str, BeforeValidator(_minute)]


def utc_readings(moment: datetime, time_zone: str) -> tuple[datetime, datetime]:
    """The earliest and the latest time in UTC that a local time without a zone may stand for.

    They differ where the clocks are put back, and the time comes twice, or forward, and it does not come.
    """
    zone = ZoneInfo(time_zone) if _FIRST_YEAR <= moment.year <= _LAST_YEAR else UTC
    readings = [moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(readings), max(readings)


def clock_change(moment: datetime, time_zone: str) -> str:
    """What is odd with a local time: that it comes twice, or not at all; else nothing."""
    earliest, latest = utc_readings(moment, time_zone)
    if earliest == latest:
        return ""
    comes = latest.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None) == moment
    return "comes twice (clocks are put back)" if comes else "does not come (clocks are put forward)"


class Pmse(Section):
    """Protection of PMSE receivers (docs/method.md, section 17); read if `services.pmse` is evaluated."""

    registers: list[RegisterItem] = []
    """Booked assignments: CSV, GeoPackage or GeoJSON, or a mapping of another file (docs/registers.md); none:
    the service is not evaluated."""
    crs: EpsgCode | None = None
    """CRS of the columns easting_m and northing_m; none: assignments are placed by lon and lat."""
    at: LocalTime | None = None
    """When the maps begin to hold, in the register's local time; assignments with any time in the following
    `validity_hours` are protected. None: all assignments are, whatever their time."""
    kinds: Path = TABLES / "pmse_kinds.csv"
    """Kinds of use with their least wanted power."""
    ratios: Path = TABLES / "pmse_ratios.csv"
    """Protection ratios by kind, channel offset and emission class."""
    farthest_offset: Annotated[Whole, Field(ge=0, le=60)] = 10
    """Assignments more channels away than this are not looked at."""
    own_cell: Literal["offsets", "all_channels"] = "offsets"
    """Channels blocked in the 10 m cell of a receiver: those up to the farthest offset, or all."""
    operational_parameters: Literal["specific", "generic"] = "specific"
    """Generic (place known only by the master): 10 m apart or more, no building entry loss up to there."""
    lattice_m: Annotated[Number, Field(ge=1, le=1000)] = 10.0
    """Lattice of the places in a pixel where the device may stand."""
    within_km: Annotated[Number, Field(ge=0.001, le=1000)] | None = None
    """Assignments farther away are not looked at (Ofcom's pilot: 5 for a master); none: all are."""
    default_height_m: Annotated[Sourced, within(1, 500)] = Sourced(value=5.0, source=_PILOT, verified=True)
    """Receiving antenna above ground where the register gives none."""
    wall_db: Annotated[Sourced, within(0, 40)] = Sourced(value=7.0, source=_PILOT, verified=True)
    """Loss of each wall: one if the device or the receiver is indoor, two if both are."""
    environment: Literal["open", "suburban", "urban"] = "open"
    """Surroundings of a receiver whose row names none; open has the smallest loss."""
    hata_base: Literal["higher", "device"] = "device"
    """Base of extended Hata: the device's antenna (Ofcom's pilot), or the higher one (SEAMCAT)."""
