"""Coordination with other administrations: satellite networks, oceanographic radars, fixed links.

A section that is absent has no layers. What the files hold is checked by `channelmaps validate`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Strict, model_validator

from pipeline.config.base import AdministrationLetters, Identifier, Number, Section
from pipeline.shipped import TABLES

Edition = Literal["WRC12", "WRC15"]
SatelliteService = Literal["FSS", "BSS", "MSS", "METSAT"]
NoiseName = Literal["rural", "quiet_rural"]


def _day(value: object) -> object:
    """Quoted in YAML a date is text."""
    return date.fromisoformat(value) if isinstance(value, str) else value


Day = Annotated[date, Strict(), BeforeValidator(_day), Field(description='a date such as "2020-10-13"')]


class Case(Section):
    """A comment under No. 9.41 on a published request; the published network is the interferer."""

    kind: Annotated[Literal["inclusion", "exclusion"], Field(description="inclusion or exclusion")]
    """What the comment asks for: `inclusion` or `exclusion`."""
    edition: Annotated[Edition, Field(description="WRC12 or WRC15: edition of the coordination arcs")]
    """Edition of the coordination arcs: `WRC12` or `WRC15`."""
    region: Annotated[Literal[1, 2, 3], Field(description="ITU Region: 1, 2 or 3")]
    """ITU Region: 1, 2 or 3."""
    victim_service: Annotated[SatelliteService, Field(description="FSS, BSS, MSS or METSAT")] = "FSS"
    """Service of the requester's network."""
    interferer_service: Annotated[SatelliteService, Field(description="FSS, BSS, MSS or METSAT")] = "FSS"
    """Service of the published network."""
    request_received: Day
    """Date on which the Bureau received the coordination request."""
    ific_date: Day
    """Date of the BR IFIC that published the request."""
    comment_received: Day
    """Date on which the Bureau received the comment."""
    calculation_supplied: bool
    """Whether the comment came with a calculation of delta-T/T."""
    already_identified: bool = False
    """Whether the list under No. 9.36.2 names the network."""
    admin_identified: bool = False
    """Whether the list names the administration; decisive for requests received before 1 January 2013."""
    claimed_crc_error: bool = False
    """Whether an error in the published list is claimed, in a band without coordination arc."""
    both_ways: bool = False
    """Whether interference from the requester into the published network counts, too."""

    @model_validator(mode="after")
    def _days_in_order(self) -> Case:
        if not self.request_received <= self.ific_date <= self.comment_received:
            raise ValueError("request_received, ific_date, comment_received must follow one another")
        return self


class Comparison(Section):
    """Two geostationary networks on the territory, and the comment on one of them (RR No. 9.41)."""

    id: Identifier | None = None
    """Part of the file names where there are several; the only one needs none."""
    networks: Path
    """YAML with the networks `victim` (the requester's) and `interferer` (the published one)."""
    case: Case
    """The comment that is decided on."""
    arcs: Path = TABLES / "coordination_arcs.yaml"
    """Coordination arcs of RR Appendix 5 by band, Region, services and edition."""
    limits: Path = TABLES / "rr941.yaml"
    """Thresholds and periods of the procedure."""
    min_elevation_deg: Annotated[Number, Field(ge=0, lt=90)] | None = None
    """Places that see their own satellite lower are left out; none: as `limits` says."""


class EpfdCase(Section):
    """A comment under No. 9.41 on a request under Nos. 9.7A or 9.7B."""

    kind: Annotated[Literal["inclusion", "exclusion"], Field(description="inclusion or exclusion")]
    """What the comment asks for: `inclusion` or `exclusion`."""
    request_received: Day
    """Date on which the Bureau received the coordination request."""
    ific_date: Day
    """Date of the BR IFIC that published the request."""
    comment_received: Day
    """Date on which the Bureau received the comment."""
    examined_on: Day | None = None
    """Date on which the Bureau examined the comment; before 2017 condition 1 alone counted."""
    calculation_supplied: bool
    """Whether the comment came with the epfd and the overlap of frequencies."""
    already_identified: bool = False
    """Whether the list under No. 9.36.2 names the system or station."""
    admin_identified: bool = False
    """Whether the list names the administration; decisive for requests received before 1 January 2013."""
    epfd: Annotated[
        Literal["bound", "simulation", "given"], Field(description="bound, simulation or given")
    ] = "bound"
    """Judge of condition 2: the upper `bound`, a `given` value, or the `simulation` (its section)."""
    epfd_dbw_m2: Annotated[Number, Field(ge=-400, le=0, description="-400 to 0 dB(W/m2)")] | None = None
    """Largest epfd(down) in the reference bandwidth, for `given`."""

    @model_validator(mode="after")
    def _consistent(self) -> EpfdCase:
        if not self.request_received <= self.ific_date <= self.comment_received:
            raise ValueError("request_received, ific_date, comment_received must follow one another")
        if (self.epfd == "given") != (self.epfd_dbw_m2 is not None):
            raise ValueError("epfd_dbw_m2 goes with epfd: given")
        return self


class EpfdSimulation(Section):
    """Simulation of the epfd(down) in time, for systems with a `constellation`."""

    hours: Annotated[Number, Field(ge=0.1, le=8760)] = 24.0
    """Simulated time from the epoch of the constellation on."""
    spacing_km: Annotated[Number, Field(ge=0.01, le=1000)] = 25.0
    """Side of the squares of which one place each is simulated."""


class EpfdComparison(Section):
    """A non-geostationary system and a large earth station (RR Nos. 9.7A and 9.7B)."""

    systems: Path
    """YAML with the earth `station` and the non-geostationary `system`."""
    case: EpfdCase | None = None
    """A comment that is decided on, if there is one."""
    simulation: EpfdSimulation | None = None
    """Simulate beside the bound."""
    limits: Path = TABLES / "rr941.yaml"
    """Conditions 1 and 2 by band."""

    @model_validator(mode="after")
    def _simulated(self) -> EpfdComparison:
        if self.case is not None and self.case.epfd == "simulation" and self.simulation is None:
            raise ValueError("case.epfd: simulation needs the section `simulation`")
        return self


class Radars(Section):
    """Oceanographic radars, 3 to 50 MHz (Resolution 612)."""

    administration: AdministrationLetters
    """ITU code of the own administration, e.g. SVN."""
    borders: Path
    """Country polygons (lon/lat) with `iso_numeric` and `name`, the land: 920 km around at 5 MHz."""
    clip_deg: tuple[Number, Number, Number, Number] | None = None
    """West, south, east, north of the box to which `borders` was cut: its edges are no borders."""
    frequencies_mhz: Annotated[list[Annotated[Number, Field(ge=3, le=50)]], Field(max_length=20)] = []
    """Frequencies of candidate radars; each has its band in the layers."""
    register_file: Path | None = None
    """Registered radars in the format of CR/372, every record an A."""
    noise: NoiseName = "quiet_rural"
    """Noise category; the Bureau always takes `quiet_rural` (Rule of Procedure 5.132A)."""
    conservative_gap: bool = False
    """Between the intervals of the Resolution take the next lower one, instead of none."""
    sea_min_km: Annotated[Number, Field(ge=2, le=100)] = 2.0
    """A path with at least this much sea is a sea or mixed path; it is sampled every 2 km."""
    include_sea: bool = False
    """Compute places at sea and abroad, too."""

    @model_validator(mode="after")
    def _consistent(self) -> Radars:
        if not self.frequencies_mhz and self.register_file is None:
            raise ValueError("give `frequencies_mhz`, `register_file` or both")
        if len(set(self.frequencies_mhz)) != len(self.frequencies_mhz):
            raise ValueError("frequencies_mhz names a frequency twice")
        if self.clip_deg is not None:
            west, south, east, north = self.clip_deg
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise ValueError("clip_deg is west, south, east, north with west < east and south < north")
        return self


class Coordination(Section):
    """The layers of coordination; nothing here limits white-space devices."""

    rr941: list[Comparison] = []
    """Comparisons of geostationary networks."""
    rr97ab: EpfdComparison | None = None
    """A non-geostationary system and a large earth station."""
    radars: Radars | None = None
    """Coordination distances of oceanographic radars."""
    links: Path | None = None
    """Fixed links whose budgets are computed (Rec. ITU-R F.1565-1): table as for `channelmaps f1565`."""

    @model_validator(mode="after")
    def _names_differ(self) -> Coordination:
        names = [comparison.id for comparison in self.rr941]
        if len(set(names)) != len(names):
            raise ValueError("rr941: two comparisons have the same id, or none")
        return self
