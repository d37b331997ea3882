"""Interference of one network into another at locations: what the rasters and the point tool both compute.

The increase of noise temperature follows RR Appendix 8, Case I, in dB: one comparison per location and
pair, one power per location. Gains of the distinct antennas are computed once per location, whatever the
number of pairs that share them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coordination.rr941.antenna_patterns import (
    Beam,
    BeamContour,
    gain_dbi,
    relative_gain_of_beam_db,
    relative_gain_of_contours_db,
)
from pipeline.coordination.rr941.appendix5 import CoordinationLimits
from pipeline.coordination.rr941.geometry import Sight, geocentric_angle_deg, sight
from pipeline.coordination.rr941.networks import (
    NO_OVERLAP,
    Assignment,
    AssignmentPair,
    Direction,
    Networks,
    PairTable,
    Skipped,
    overlapping_pairs,
    pair_table,
    tolerance_deg,
    transmission_gain_db,
    transponders,
)
from pipeline.kernels import kernel

# --- increase of noise temperature --------------------------------------------------------------------------


_NO_INDEX = -1


class Worst(NamedTuple):
    """The worst pair at each of n locations.

    ``value`` [n] delta-T/T in % or delta-T in K, NaN where there is no earth station, 0 where the other
    satellite is below the horizon; ``pair`` [n] index of the pair, -1 where none; ``pair_value`` and
    ``pair_location`` [pairs] the largest value of each pair and the index of its location (-1: none).
    """

    value: NDArray[np.float64]
    pair: NDArray[np.int64]
    pair_value: NDArray[np.float64]
    pair_location: NDArray[np.int64]


def _worst_pairs(
    table: PairTable,
    sight: Sight,
    relative_db: NDArray[np.float64],
    *,
    min_elevation_deg: float = 0.0,
    percent: bool = True,
) -> Worst:
    """Largest delta-T/T [%] (or delta-T [K]) over the pairs of a table at locations [n].

    ``relative_db`` [beams, n] from ``_beam_gains_db``. Earth stations that see their own satellite below
    ``min_elevation_deg`` do not exist. Pure: blocks of a raster may be evaluated in any order.
    """
    count, pairs = sight.angle_deg.size, len(table.pairs)
    value, pair = np.empty(count), np.empty(count, dtype=np.int64)
    pair_db, pair_location = np.full(pairs, -np.inf), np.full(pairs, _NO_INDEX, dtype=np.int64)
    constant_db = table.constant_db + table.percent_db if percent else table.constant_db
    _fill_worst(
        (sight.angle_deg, sight.other_km, sight.own_elevation_deg, sight.other_elevation_deg),
        min_elevation_deg,
        (constant_db, table.pattern_of, table.beam_of),
        table.patterns,
        relative_db,
        (value, pair),
        (pair_db, pair_location),
    )
    return Worst(value, pair, 10.0 ** (pair_db / 10.0), pair_location)


@kernel
def _fill_worst(
    seen: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    min_elevation_deg: float,
    pairs: tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]],
    patterns: NDArray[np.float64],
    relative_db: NDArray[np.float64],
    worst: tuple[NDArray[np.float64], NDArray[np.int64]],
    by_pair: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    angle_deg, other_km, own_elevation_deg, other_elevation_deg = seen
    constant_db, pattern_of, beam_of = pairs
    value, best_pair = worst
    pair_db, pair_location = by_pair
    gain = np.empty(patterns.shape[0])
    for i in range(angle_deg.size):
        best_pair[i] = _NO_INDEX
        if own_elevation_deg[i] < min_elevation_deg:
            value[i] = math.nan
            continue
        value[i] = 0.0
        if other_elevation_deg[i] < 0.0:
            continue
        path_db = 20.0 * math.log10(other_km[i])
        for k in range(gain.size):
            gain[k] = gain_dbi(patterns[k], angle_deg[i]) - path_db
        best_db = -math.inf
        for k in range(constant_db.size):
            level_db = constant_db[k] + gain[pattern_of[k]]
            if beam_of[k] >= 0:
                level_db += relative_db[beam_of[k], i]
            if level_db > best_db:
                best_db = level_db
                best_pair[i] = k
            if level_db > pair_db[k]:
                pair_db[k] = level_db
                pair_location[k] = i
        value[i] = 10.0 ** (0.1 * best_db)


def _transponder_percent(
    dts_k: NDArray[np.float64] | float, dte_k: NDArray[np.float64], ts_k: float, te_k: float, gamma_db: float
) -> NDArray[np.float64]:
    """100 (gamma dTs + dTe) / (Te + gamma Ts): AP8, 2.2.1.1 and 3.1; gamma the transmission gain."""
    gamma = 10.0 ** (0.1 * gamma_db)
    return 100.0 * (gamma * dts_k + dte_k) / (te_k + gamma * ts_k)


def _beam_gains_db(
    table: PairTable, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64], satellite_deg: float
) -> NDArray[np.float64]:
    """Gain relative to the maximum of each beam of a table at locations [n], float64 [beams, n].

    ``satellite_deg``: longitude of the satellite at the other end, the same for all pairs of a direction.
    """
    gains = [relative_gain_db(beam, lon_deg, lat_deg, satellite_deg) for beam in table.beams]
    return np.array(gains, dtype=np.float64).reshape(len(table.beams), lon_deg.size)


def relative_gain_db(
    assignment: Assignment, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64], satellite_deg: float
) -> NDArray[np.float64]:
    """Satellite gain of an assignment relative to its maximum at locations [n]."""
    if assignment.satellite_contours:
        contours = [BeamContour(c.relative_gain_db, c.ring_deg) for c in assignment.satellite_contours]
        return relative_gain_of_contours_db(lon_deg, lat_deg, satellite_deg, contours)
    beam = assignment.satellite_beam
    if beam is None:
        return np.zeros(lon_deg.size)
    aim = Beam(
        beam.boresight_lon_deg,
        beam.boresight_lat_deg,
        0.5 * beam.beamwidth_deg,
        float(beam.side_lobe_db),
        assignment.satellite_gain_dbi,
    )
    return relative_gain_of_beam_db(lon_deg, lat_deg, satellite_deg, aim)


# --- one orientation, prepared and computed -----------------------------------------------------------------


EXCEEDS_UNKNOWN = 255
PointValues = NDArray[np.float64]


class Transponder(NamedTuple):
    """A transponder of the victim with its transmission gain and the pairs that reach it."""

    up: Assignment
    down: Assignment
    gain_db: float
    up_table: PairTable
    down_table: PairTable


class Problem(NamedTuple):
    """One orientation, prepared: pairs by direction, down-links first in the numbering of the pairs."""

    networks: Networks
    down: PairTable
    up: PairTable
    transponders: tuple[Transponder, ...]
    skipped: tuple[Skipped, ...]
    min_elevation_deg: float
    threshold_pct: float

    @property
    def pairs(self) -> tuple[AssignmentPair, ...]:
        """All pairs; the position is the pair's number in ``Interference.pair``."""
        return self.down.pairs + self.up.pairs


class Interference(NamedTuple):
    """Results at n locations.

    ``angle_deg`` topocentric separation, NaN where the victim's satellite is masked; ``elevation_deg`` of the
    victim's satellite; ``down_pct`` with the victim's earth station at the location, ``up_pct`` with the
    interferer's, ``transponder_pct`` with both, NaN where there is none; ``exceeds`` uint8 0, 1 or 255
    (nothing computed); ``pair`` number of the pair with the larger of down and up, -1 where none;
    ``pair_max_pct`` [pairs] and ``pair_location`` [pairs] the largest value of each pair and the index of its
    location (-1: none).
    """

    angle_deg: PointValues
    elevation_deg: PointValues
    down_pct: PointValues
    up_pct: PointValues
    transponder_pct: PointValues
    exceeds: NDArray[np.uint8]
    pair: NDArray[np.int64]
    pair_max_pct: NDArray[np.float64]
    pair_location: NDArray[np.int64]


class _View(NamedTuple):
    """Places as seen by the earth stations of one direction."""

    lon_deg: PointValues
    lat_deg: PointValues
    sight: Sight
    other_deg: float


def prepare(
    networks: Networks, limits: CoordinationLimits, *, min_elevation_deg: float | None = None
) -> Problem:
    """Everything that does not depend on the location."""
    pairs, skipped = overlapping_pairs(networks, limits)
    found = [
        Transponder(
            up,
            down,
            gain_db,
            pair_table([p for p in pairs if p.victim is up]),
            pair_table([p for p in pairs if p.victim is down]),
        )
        for up, down in transponders(networks.victim)
        if (gain_db := transmission_gain_db((up, down))) is not None
    ]
    return Problem(
        networks,
        pair_table([p for p in pairs if p.direction == "down"]),
        pair_table([p for p in pairs if p.direction == "up"]),
        tuple(t for t in found if t.up_table.pairs or t.down_table.pairs),
        tuple(skipped),
        limits.min_elevation_deg.value if min_elevation_deg is None else min_elevation_deg,
        limits.threshold_pct.value,
    )


def interference(
    problem: Problem, lon_deg: PointValues, lat_deg: PointValues, *, area_dts_k: Sequence[float] | None = None
) -> Interference:
    """delta-T/T at locations [n].

    ``area_dts_k``: for each transponder the largest delta-Ts over the interferer's service area (see
    ``largest_dts_k``), which a raster adds at every pixel; without it the interfering earth station stands
    at the location itself.
    """
    down_view, up_view = _views(problem.networks, lon_deg, lat_deg)
    down = _worst(problem, problem.down, down_view)
    up = _worst(problem, problem.up, up_view)
    transponder_pct = np.full(lon_deg.size, np.nan)
    for i, transponder in enumerate(problem.transponders):
        dts_k = None if area_dts_k is None else area_dts_k[i]
        percent = _transponder_pct(problem, transponder, down_view, up_view, dts_k)
        transponder_pct = np.fmax(transponder_pct, percent)
    larger_up = np.fmax(down.value, up.value) > np.where(np.isnan(down.value), -1.0, down.value)
    shift = len(problem.down.pairs)
    elevation_deg = down_view.sight.own_elevation_deg
    return Interference(
        np.where(elevation_deg < problem.min_elevation_deg, np.nan, down_view.sight.angle_deg),
        elevation_deg,
        down.value,
        up.value,
        transponder_pct,
        exceeds(np.fmax(down.value, up.value), problem.threshold_pct),
        np.where(larger_up, np.where(up.pair >= 0, up.pair + shift, -1), down.pair),
        np.concatenate([down.pair_value, up.pair_value]),
        np.concatenate([down.pair_location, up.pair_location]),
    )


def exceeds(percent: PointValues, threshold_pct: float) -> NDArray[np.uint8]:
    """1 where delta-T/T is strictly more than the threshold, 255 where it is not known."""
    return np.where(np.isnan(percent), EXCEEDS_UNKNOWN, percent > threshold_pct).astype(np.uint8)


def largest_dts_k(problem: Problem, blocks: Iterable[tuple[PointValues, PointValues]]) -> list[float]:
    """For each transponder the largest delta-Ts [K] over blocks of the interferer's service area."""
    largest = [0.0] * len(problem.transponders)
    for lon_deg, lat_deg in blocks:
        _, view = _views(problem.networks, lon_deg, lat_deg)
        for i, transponder in enumerate(problem.transponders):
            worst = _worst(problem, transponder.up_table, view, percent=False)
            largest[i] = max(largest[i], float(np.max(np.nan_to_num(worst.value), initial=0.0)))
    return largest


def _views(networks: Networks, lon_deg: PointValues, lat_deg: PointValues) -> tuple[_View, _View]:
    """The victim's earth stations (down-link) and the interferer's (up-link) at the same locations."""
    victim, interferer = networks.victim, networks.interferer
    slack_deg = tolerance_deg(victim, interferer)
    down = sight(lon_deg, lat_deg, victim.longitude_deg, interferer.longitude_deg, slack_deg)
    up = Sight(down.angle_deg, down.other_km, down.own_km, down.other_elevation_deg, down.own_elevation_deg)
    return (
        _View(lon_deg, lat_deg, down, interferer.longitude_deg),
        _View(lon_deg, lat_deg, up, victim.longitude_deg),
    )


def _worst(problem: Problem, table: PairTable, view: _View, *, percent: bool = True) -> Worst:
    if not table.pairs:
        nothing = np.full(view.lon_deg.size, np.nan)
        none = np.full(view.lon_deg.size, -1, dtype=np.int64)
        return Worst(nothing, none, np.empty(0), np.empty(0, dtype=np.int64))
    relative_db = _beam_gains_db(table, view.lon_deg, view.lat_deg, view.other_deg)
    return _worst_pairs(
        table, view.sight, relative_db, min_elevation_deg=problem.min_elevation_deg, percent=percent
    )


def _transponder_pct(
    problem: Problem, transponder: Transponder, down: _View, up: _View, dts_k: float | None
) -> PointValues:
    """Transponder method; a direction without pairs, or without earth station there, adds nothing."""
    dte_k = _worst(problem, transponder.down_table, down, percent=False).value
    dts: PointValues | float = (
        _worst(problem, transponder.up_table, up, percent=False).value if dts_k is None else dts_k
    )
    percent = _transponder_percent(
        np.nan_to_num(dts),
        np.nan_to_num(dte_k),
        transponder.up.noise_temperature_k,
        transponder.down.noise_temperature_k,
        transponder.gain_db,
    )
    no_victim = down.sight.own_elevation_deg < problem.min_elevation_deg
    return np.where(no_victim, np.nan, percent)


def remarks(problem: Problem) -> list[str]:
    """What a user should know about a comparison, one line each."""
    networks = problem.networks
    lines = []
    if problem.skipped:
        named = [f"{pair.victim_id}/{pair.interferer_id}" for pair in problem.skipped[:5]]
        more = ", ..." if len(problem.skipped) > len(named) else ""
        lines.append(f"{NO_OVERLAP}, left out: victim/interferer {', '.join(named)}{more}")
    slack_deg = tolerance_deg(networks.victim, networks.interferer)
    positions = networks.victim.longitude_deg, networks.interferer.longitude_deg
    if geocentric_angle_deg(*positions, slack_deg) == 0.0:
        lines.append("the satellites may stand at the same position: angle 0, maximum gain")
    directions: set[Direction] = {p.direction for p in problem.pairs}
    if not directions:
        lines.append("no two assignments share frequencies: nothing to compute")
    return lines
