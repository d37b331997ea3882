"""Services other than DTT and PMSE: where their receivers stand and which criteria protect them.

Each section is read if its service is evaluated; without its section a service to evaluate has no numbers,
which is "not evaluated", never "available".
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.base import ModelFor, Number, Section, Sourced, within
from pipeline.shipped import TABLES

ReceiverModel = Annotated[str, ModelFor("receiver")]
M1808 = "Rec. ITU-R M.1808, as quoted in Report ITU-R SM.2405, Annex 3"


class RadioAstronomy(Section):
    """Radio telescopes (Rec. ITU-R RA.769-2; docs/method.md, section 18)."""

    stations: Path
    """Register of stations: id, lon, lat, criterion, antenna_height_m, acs_db, coastal."""
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
    exclude_below_dbm: Number | None = None
    """A limit below this counts as no permission; none: the limit holds as it is."""


class Receivers(Section):
    """Receivers protected by an interference-to-noise ratio: land mobile and PPDR."""

    registers: list[Path] = []
    """Receivers at known places, e.g. base stations."""
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


class FixedLinks(Section):
    """Receivers of fixed links (docs/method.md, section 21)."""

    registers: Annotated[list[Path], Field(min_length=1)]
    """Receiving ends, one record per direction."""
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
    stations: Path | None = None
    """Known stations: id, lon, lat, code, country; then only these are protected, not whole countries."""
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


class Incumbents(Section):
    """The sections by service."""

    radio_astronomy: RadioAstronomy | None = None
    aeronautical: Aeronautical | None = None
    mobile: Mobile | None = None
    ppdr: Ppdr | None = None
    fixed: FixedLinks | None = None
    leakage_floor_dbm_per_100khz: Annotated[Sourced, within(-150, 0)] = Sourced(
        value=-84.0, source="EN 301 598: leakage need not fall below this; quoted from memory", verified=False
    )
    """Leakage of a device into 100 kHz stays at this however low its power."""
