"""Two geostationary networks: their assignments, read and checked, and the pairs whose bands overlap.

The description of a field is what an error message gives as allowed.

For a down-link pair the earth station at the location is the victim's and receives from the other satellite;
for an up-link pair it is the interferer's and radiates towards the other satellite. Both give (RR Appendix 8)

    10 log10(delta T) = p + g_tx + g_rx + 228.6 - L,   L = 20 (log10 f_MHz + log10 d_km) + 32.45

with the earth station's gain at the topocentric angle between the two satellites and d to the other one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from pipeline.config.base import Number, Section, Sourced
from pipeline.config.load import read_model
from pipeline.coordination.radar.resolution612 import unknown_administrations
from pipeline.coordination.rr941.antenna_patterns import SEGMENTS, PatternError, PatternName, pattern_segments
from pipeline.coordination.rr941.appendix5 import CoordinationLimits, polarisation_divisor
from pipeline.rows.row_models import PRINTABLE

# --- what a file says ---------------------------------------------------------------------------------------


Direction = Literal["down", "up"]
_AssignmentPolarisation = Literal["LHC", "RHC", "L", "NA"]


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
    frequency_mhz: Annotated[Number, Field(ge=1, le=300_000, description="centre, 1 to 300000 MHz")]
    bandwidth_khz: Annotated[
        Number, Field(ge=1e-3, le=1e8, description="0.001 kHz or more, less than twice the centre")
    ]
    earth_station: Annotated[EarthStation, Field(description="pattern with diameter_m or gain_dbi")]
    power_density_dbw_hz: Annotated[
        Number, Field(ge=-150, le=0, description="-150 to 0 dBW/Hz at the antenna")
    ]
    satellite_gain_dbi: Annotated[Number, Field(ge=-10, le=80, description="-10 to 80 dBi")]
    noise_temperature_k: Annotated[
        Number,
        Field(
            ge=1,
            le=1e5,
            description="more than 0 K (1 to 100000): of the earth station (down) or satellite (up)",
        ),
    ]
    transmission_gain_db: Annotated[Number, Field(ge=-300, le=300, description="-300 to 300 dB")] | None = (
        None
    )
    pair_id: Annotated[Label, Field(description="1 to 64 printable characters")] | None = None
    polarisation: Annotated[_AssignmentPolarisation, Field(description="LHC, RHC, L or NA (not given)")] = (
        "NA"
    )
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
    for code in unknown_administrations([networks.victim.adm, networks.interferer.adm]):
        yield f"adm {code} is not in the list of administrations"
    for role in ("victim", "interferer"):
        network: Network = getattr(networks, role)
        for assignment in network.assignments:
            if assignment.transmission_gain_db is not None and assignment.transmission_gain_db > 0.0:
                yield (
                    f"{role} {assignment.id}: transmission_gain_db is {assignment.transmission_gain_db:g}, "
                    "usually less than 0 dB"
                )


# --- pairs, and everything about them that does not depend on the location ----------------------------------


BOLTZMANN_DB = 228.6
LOSS_CONSTANT_DB = 32.45
NO_OVERLAP = "NO_FREQ_OVERLAP"
# Bands that touch must not overlap by the rounding of their edges.
SMALLEST_OVERLAP_MHZ = 1e-9


class AssignmentPair(NamedTuple):
    """An assignment of the victim and one of the interferer in the same direction that share frequencies.

    ``divisor`` the factor Y for their polarisations; None: not notified, 1.
    """

    victim: Assignment
    interferer: Assignment
    divisor: Sourced | None

    @property
    def direction(self) -> Direction:
        """Direction of both."""
        return self.victim.direction

    @property
    def overlap_mhz(self) -> tuple[float, float]:
        """Common frequencies."""
        edges = [_band_mhz(self.victim), _band_mhz(self.interferer)]
        return max(low for low, _ in edges), min(high for _, high in edges)

    @property
    def station(self) -> Assignment:
        """The assignment whose earth station is at the location."""
        return self.victim if self.direction == "down" else self.interferer

    @property
    def satellite(self) -> Assignment:
        """The assignment whose satellite is at the other end of the interfering path."""
        return self.interferer if self.direction == "down" else self.victim


class Skipped(NamedTuple):
    """Two assignments in the same direction that are no pair."""

    victim_id: str
    interferer_id: str
    reason: str


class PairTable(NamedTuple):
    """Constants of n pairs: what a kernel adds to the gains that depend on the location.

    ``constant_db`` [n]: p + satellite's maximum gain + 228.6 - 32.45 - 20 log10 f - 10 log10 Y, that is
    10 log10 of delta-T in K but for the path and the two gains; ``percent_db`` [n]: what turns it into
    10 log10 of percent of the victim's noise temperature. ``pattern_of`` [n] row of ``patterns``
    [m, SEGMENTS, 4]; ``beam_of`` [n] index of ``beams``, -1 = maximum gain everywhere.
    """

    pairs: tuple[AssignmentPair, ...]
    constant_db: NDArray[np.float64]
    percent_db: NDArray[np.float64]
    patterns: NDArray[np.float64]
    pattern_of: NDArray[np.int64]
    beams: tuple[Assignment, ...]
    beam_of: NDArray[np.int64]


def overlapping_pairs(
    networks: Networks, limits: CoordinationLimits
) -> tuple[list[AssignmentPair], list[Skipped]]:
    """All pairs in the order of the victim's, then the interferer's assignments, and those without overlap.

    Bands that only touch do not overlap.
    """
    pairs, skipped = [], []
    for wanted in networks.victim.assignments:
        for other in networks.interferer.assignments:
            if wanted.direction != other.direction:
                continue
            divisor = polarisation_divisor(wanted.polarisation, other.polarisation, limits)
            pair = AssignmentPair(wanted, other, divisor)
            low_mhz, high_mhz = pair.overlap_mhz
            if high_mhz - low_mhz > SMALLEST_OVERLAP_MHZ:
                pairs.append(pair)
            else:
                skipped.append(Skipped(wanted.id, other.id, NO_OVERLAP))
    return pairs, skipped


def reversed_networks(networks: Networks) -> Networks:
    """The other orientation: victim and interferer exchanged."""
    return Networks(victim=networks.interferer, interferer=networks.victim)


def tolerance_deg(first: Network, second: Network) -> float:
    """Sum of the station-keeping tolerances."""
    return first.tolerance_deg + second.tolerance_deg


def pair_table(pairs: Sequence[AssignmentPair]) -> PairTable:
    """Constants of pairs of one direction; patterns and beams that occur more than once are kept once."""
    patterns = [_segments(pair.station) for pair in pairs]
    unique = list({array.tobytes(): array for array in patterns}.values())
    index = {array.tobytes(): i for i, array in enumerate(unique)}
    beams = tuple(
        {id(pair.satellite): pair.satellite for pair in pairs if _has_beam(pair.satellite)}.values()
    )
    beam_index = {id(assignment): i for i, assignment in enumerate(beams)}
    return PairTable(
        pairs=tuple(pairs),
        constant_db=np.array([_constant_db(pair) for pair in pairs], dtype=np.float64),
        percent_db=np.array(
            [20.0 - 10.0 * math.log10(pair.victim.noise_temperature_k) for pair in pairs], dtype=np.float64
        ),
        patterns=np.array(unique, dtype=np.float64).reshape(len(unique), SEGMENTS, 4),
        pattern_of=np.array([index[array.tobytes()] for array in patterns], dtype=np.int64),
        beams=beams,
        beam_of=np.array([beam_index.get(id(pair.satellite), -1) for pair in pairs], dtype=np.int64),
    )


def _has_beam(assignment: Assignment) -> bool:
    """Whether the satellite's gain varies over the Earth."""
    return assignment.satellite_beam is not None or bool(assignment.satellite_contours)


def _constant_db(pair: AssignmentPair) -> float:
    """The terms of 10 log10(delta T / K) that are the same everywhere; loss at the victim's frequency."""
    divisor = 1.0 if pair.divisor is None else pair.divisor.value
    return (
        pair.interferer.power_density_dbw_hz
        + pair.satellite.satellite_gain_dbi
        + BOLTZMANN_DB
        - LOSS_CONSTANT_DB
        - 20.0 * math.log10(pair.victim.frequency_mhz)
        - 10.0 * math.log10(divisor)
    )


def _segments(assignment: Assignment) -> NDArray[np.float64]:
    station = assignment.earth_station
    return pattern_segments(
        station.pattern, assignment.frequency_mhz, diameter_m=station.diameter_m, gain_dbi=station.gain_dbi
    )


def _band_mhz(assignment: Assignment) -> tuple[float, float]:
    half_mhz = assignment.bandwidth_khz / 2000.0
    return assignment.frequency_mhz - half_mhz, assignment.frequency_mhz + half_mhz
