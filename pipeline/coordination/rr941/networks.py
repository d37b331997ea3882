"""Two geostationary networks with their assignments, read from YAML and checked completely.

The description of a field is what an error message gives as allowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.config.base import Number, Section
from pipeline.config.load import read_model
from pipeline.coordination.rr941.earth_station_patterns import PatternError, PatternName, pattern_segments
from pipeline.rows.row_models import PRINTABLE

Direction = Literal["down", "up"]
AssignmentPolarisation = Literal["LHC", "RHC", "L", "NA"]


def _label(value: object) -> object:
    """A number as an identifier is its digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Label = Annotated[str, BeforeValidator(_label), Field(min_length=1, max_length=64, pattern=PRINTABLE)]
SystemName = Annotated[
    str, Field(min_length=1, max_length=100, pattern=PRINTABLE, description="1 to 100 characters")
]
AdministrationCode = Annotated[
    str, Field(pattern=r"^[A-Z0-9]{1,3}(/[A-Z0-9]{1,4})?$", description="ITU code such as ARS or F/EUT")
]
Longitude = Annotated[Number, Field(ge=-180, le=180, description="-180 to 180 degrees east")]
Latitude = Annotated[Number, Field(ge=-90, le=90, description="-90 to 90 degrees north")]


class EarthStation(Section):
    """Antenna of the earth stations of an assignment."""

    pattern: Annotated[PatternName, Field(description="AP8, S.465, S.580 or S.1428")]
    diameter_m: Annotated[Number, Field(gt=0, le=100, description="more than 0, up to 100 m")] | None = None
    gain_dbi: Annotated[Number, Field(ge=0, le=90, description="0 to 90 dBi")] | None = None

    @model_validator(mode="after")
    def _one_size(self) -> EarthStation:
        if (self.diameter_m is None) == (self.gain_dbi is None):
            raise ValueError("give either diameter_m or gain_dbi")
        return self


class SatelliteBeam(Section):
    """A circular beam after Rec. ITU-R S.672-4."""

    boresight_lon_deg: Longitude
    boresight_lat_deg: Latitude
    beamwidth_deg: Annotated[Number, Field(gt=0, le=20, description="3 dB beamwidth, up to 20 degrees")]
    side_lobe_db: Annotated[
        Literal[-10, -20, -25, -30], Field(description="level Ls: -10, -20, -25 or -30 dB")
    ]


class SatelliteContour(Section):
    """A line of equal gain, as in a GXT diagram; a level may have several lines."""

    relative_gain_db: Annotated[Number, Field(ge=-60, le=0, description="-60 to 0 dB below the maximum")]
    ring_deg: Annotated[
        tuple[tuple[Longitude, Latitude], ...],
        Field(min_length=3, max_length=10_000, description="3 or more [lon, lat]"),
    ]


class Assignment(Section):
    """A group of frequencies in one direction; power densities in the worst 4 kHz or 1 MHz, per Hz."""

    id: Annotated[Label, Field(description="1 to 64 printable characters")]
    direction: Annotated[Direction, Field(description="down or up")]
    frequency_mhz: Annotated[
        Number, Field(gt=0, le=300_000, description="centre, more than 0, up to 300000 MHz")
    ]
    bandwidth_khz: Annotated[
        Number, Field(gt=0, le=1e8, description="more than 0 kHz, less than twice the centre")
    ]
    earth_station: Annotated[EarthStation, Field(description="pattern with diameter_m or gain_dbi")]
    power_density_dbw_hz: Annotated[
        Number, Field(ge=-150, le=0, description="-150 to 0 dBW/Hz at the antenna")
    ]
    satellite_gain_dbi: Annotated[Number, Field(ge=-10, le=80, description="-10 to 80 dBi")]
    noise_temperature_k: Annotated[
        Number,
        Field(gt=0, le=1e5, description="more than 0 K; the earth station's (down), the satellite's (up)"),
    ]
    transmission_gain_db: Annotated[Number, Field(ge=-300, le=300, description="-300 to 300 dB")] | None = (
        None
    )
    pair_id: Annotated[Label, Field(description="1 to 64 printable characters")] | None = None
    polarisation: Annotated[AssignmentPolarisation, Field(description="LHC, RHC, L or NA (not given)")] = "NA"
    satellite_beam: SatelliteBeam | None = None
    satellite_contours: tuple[SatelliteContour, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Assignment:
        if self.bandwidth_khz / 1000.0 >= 2.0 * self.frequency_mhz:
            raise ValueError("bandwidth_khz reaches below 0 Hz")
        if self.satellite_beam is not None and self.satellite_contours:
            raise ValueError("give either satellite_beam or satellite_contours")
        station = self.earth_station
        try:
            pattern_segments(
                station.pattern, self.frequency_mhz, diameter_m=station.diameter_m, gain_dbi=station.gain_dbi
            )
        except PatternError as error:
            raise ValueError(f"earth_station: {error}") from None
        return self


class Network(Section):
    """A geostationary network at one orbital position."""

    adm: AdministrationCode
    name: SystemName
    longitude_deg: Longitude
    tolerance_deg: Annotated[Number, Field(ge=0, le=10, description="0 to 10 degrees east-west")] = 0.0
    assignments: Annotated[tuple[Assignment, ...], Field(min_length=1, description="one or more")]

    @model_validator(mode="after")
    def _consistent(self) -> Network:
        for name, count in Counter(a.id for a in self.assignments).items():
            if count > 1:
                raise ValueError(f"assignment id {name!r} is given twice")
        for transponder in transponders(self):
            gains = {a.transmission_gain_db for a in transponder} - {None}
            if len(gains) > 1:
                raise ValueError(f"transmission_gain_db of {transponder[0].id!r} and its pair differ")
        _check_pairing(self)
        return self


class Networks(Section):
    """The two networks of a comparison: interference of ``interferer`` into ``victim``."""

    victim: Annotated[Network, Field(description="a network")]
    interferer: Annotated[Network, Field(description="a network")]


def transponders(network: Network) -> list[tuple[Assignment, Assignment]]:
    """The (up, down) assignments that belong to one transponder."""
    ups = [a for a in network.assignments if a.direction == "up"]
    downs = [a for a in network.assignments if a.direction == "down"]
    if len(ups) == len(downs) == 1 and None in (ups[0].pair_id, downs[0].pair_id):
        return [(ups[0], downs[0])]
    partner = {a.pair_id: a for a in downs if a.pair_id is not None}
    return [(a, partner[a.pair_id]) for a in ups if a.pair_id in partner]


def transmission_gain_db(transponder: tuple[Assignment, Assignment]) -> float | None:
    """The gain gamma of a transponder, which either of its assignments may state."""
    gains = [a.transmission_gain_db for a in transponder if a.transmission_gain_db is not None]
    return gains[0] if gains else None


def _check_pairing(network: Network) -> None:
    for (name, direction), count in Counter((a.pair_id, a.direction) for a in network.assignments).items():
        if name is not None and count > 1:
            raise ValueError(f"pair_id {name!r} joins more than one {direction} assignment")
    paired = {a.id for transponder in transponders(network) for a in transponder}
    both = {a.direction for a in network.assignments} == {"down", "up"}
    for assignment in network.assignments:
        if both and assignment.transmission_gain_db is not None and assignment.id not in paired:
            raise ValueError(
                f"transmission_gain_db of {assignment.id!r} needs a pair_id that joins an up and a down one"
            )


def read_networks(path: Path) -> Networks:
    """Read and check a file of two networks."""
    return read_model(path, Networks)


def warnings(networks: Networks) -> Iterator[str]:
    """What is accepted but worth a look, one line each."""
    for role in ("victim", "interferer"):
        network: Network = getattr(networks, role)
        for assignment in network.assignments:
            if assignment.transmission_gain_db is not None and assignment.transmission_gain_db > 0.0:
                yield (
                    f"{role} {assignment.id}: transmission_gain_db is {assignment.transmission_gain_db:g}, "
                    "usually less than 0 dB"
                )
