"""Increase of noise temperature by the interfering network at many locations (RR Appendix 8, Case I).

Work in dB: one comparison per location and pair, one power per location. Gains of the distinct antennas are
computed once per location, whatever the number of pairs that share them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.coordination.rr941.beams import (
    Beam,
    BeamContour,
    relative_gain_of_beam_db,
    relative_gain_of_contours_db,
)
from pipeline.coordination.rr941.earth_station_patterns import gain_dbi
from pipeline.coordination.rr941.geometry import Sight
from pipeline.coordination.rr941.networks import Assignment
from pipeline.coordination.rr941.pairs import PairTable
from pipeline.kernels import kernel

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


def worst_pairs(
    table: PairTable,
    sight: Sight,
    relative_db: NDArray[np.float64],
    *,
    min_elevation_deg: float = 0.0,
    percent: bool = True,
) -> Worst:
    """Largest delta-T/T [%] (or delta-T [K]) over the pairs of a table at locations [n].

    ``relative_db`` [beams, n] from ``beam_gains_db``. Earth stations that see their own satellite below
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


def transponder_percent(
    dts_k: NDArray[np.float64] | float, dte_k: NDArray[np.float64], ts_k: float, te_k: float, gamma_db: float
) -> NDArray[np.float64]:
    """100 (gamma dTs + dTe) / (Te + gamma Ts): AP8, 2.2.1.1 and 3.1; gamma the transmission gain."""
    gamma = 10.0 ** (0.1 * gamma_db)
    return 100.0 * (gamma * dts_k + dte_k) / (te_k + gamma * ts_k)


def beam_gains_db(
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
