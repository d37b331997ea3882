"""Pairs of assignments whose bands overlap, and everything about them that does not depend on the location.

For a down-link pair the earth station at the location is the victim's and receives from the other satellite;
for an up-link pair it is the interferer's and radiates towards the other satellite. Both give (RR Appendix 8)

    10 log10(delta T) = p + g_tx + g_rx + 228.6 - L,   L = 20 (log10 f_MHz + log10 d_km) + 32.45

with the earth station's gain at the topocentric angle between the two satellites and d to the other one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.base import Sourced
from pipeline.coordination.rr941.appendix5 import CoordinationLimits, polarisation_divisor
from pipeline.coordination.rr941.earth_station_patterns import SEGMENTS, pattern_segments
from pipeline.coordination.rr941.networks import Assignment, Direction, Network, Networks

_BOLTZMANN_DB = 228.6
_LOSS_CONSTANT_DB = 32.45
NO_OVERLAP = "NO_FREQ_OVERLAP"
# Bands that touch must not overlap by the rounding of their edges.
_SMALLEST_OVERLAP_MHZ = 1e-9


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
            if high_mhz - low_mhz > _SMALLEST_OVERLAP_MHZ:
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
        + _BOLTZMANN_DB
        - _LOSS_CONSTANT_DB
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
