"""Radio-meteorology of P.1812-8: effective Earth radii, time of anomalous propagation, zones of the path."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

from pipeline.kernels import kernel

EARTH_RADIUS_KM = 6371.0
# Effective Earth radius exceeded for the time b0 (P.1812-8, eq. 7): k = 3.
RADIUS_B0_KM = 3.0 * EARTH_RADIUS_KM
# Lapse rate of the refractivity at which the ray follows the Earth (P.1812-8, eq. 6).
_LAPSE_OF_FLAT_EARTH = 157.0
NO_COAST_KM = 500.0
# Natural logarithms and exponentials cost half of decadic ones and a third of powers.
LN_10 = math.log(10.0)
_LN_100 = math.log(100.0)
_LN_4_17 = math.log(4.17)
_LEAST_TAIL = 1e-6
_LOG_OF_LEAST_TAIL = math.log(_LEAST_TAIL)


class Zone(IntEnum):
    """Radio-climatic zones (P.1812-8, Table 2); their codes in profiles."""

    SEA = 1
    COASTAL_LAND = 3
    INLAND = 4


SEA = int(Zone.SEA)
INLAND = int(Zone.INLAND)


class ZoneLengths(NamedTuple):
    """What the zones of a path decide: ``sea_share`` (omega), longest runs of land and of inland, coasts."""

    sea_share: float
    land_km: float
    inland_km: float
    coast_from_transmitter_km: float
    coast_from_receiver_km: float


@kernel
def median_radius_km(lapse_n_per_km: float) -> float:
    """Effective Earth radius of the median in km for a lapse rate in N/km (P.1812-8, eq. 6)."""
    return EARTH_RADIUS_KM * _LAPSE_OF_FLAT_EARTH / (_LAPSE_OF_FLAT_EARTH - lapse_n_per_km)


@kernel
def inverse_normal(share: float) -> float:
    """Approximate inverse of the complementary cumulative normal distribution (P.1812-8, Attachment 2).

    C0 is that of P.1812; P.1546 prints another last digit. The value at 0.5 is 1.3e-9, not 0.
    """
    value = _normal_of_tail(math.log(max(min(share, 1.0 - share), _LEAST_TAIL)))
    return value if share <= 0.5 else -value


@kernel
def _normal_of_tail(log_tail: float) -> float:
    """``inverse_normal`` of a share of at most a half by its natural logarithm."""
    t = math.sqrt(-2.0 * log_tail)
    numerator = (0.010328 * t + 0.802853) * t + 2.515516698
    return t - numerator / (((0.001308 * t + 0.189269) * t + 1.432788) * t + 1.0)


@kernel
def inverse_normal_of_log_pct(log_pct: float) -> float:
    """``inverse_normal`` of a percentage below 50 by its natural logarithm."""
    return _normal_of_tail(max(log_pct - _LN_100, _LOG_OF_LEAST_TAIL))


class ZoneRuns(NamedTuple):
    """Zones of a path that is still growing, in km: closed lengths, where the open runs began, the coasts.

    A path without a coast so far has -1 in both.
    """

    sea_km: float
    land_km: float
    inland_km: float
    run_from_km: float
    inland_from_km: float
    first_coast_km: float
    last_coast_km: float


NO_RUNS = ZoneRuns(0.0, 0.0, 0.0, 0.0, 0.0, -1.0, -1.0)


@kernel
def next_zone(runs: ZoneRuns, before: int, after: int, edge_km: float) -> ZoneRuns:
    """The runs past ``edge_km``, half-way between a sample in zone ``before`` and one in ``after``.

    Runs are differences of such places, not sums of pieces (P.1812-8, 3.6).
    """
    if before == after:
        return runs
    closed = _closed(runs, before, edge_km, (before == SEA) != (after == SEA), True)
    if (before == SEA) == (after == SEA):
        return ZoneRuns(
            closed.sea_km,
            closed.land_km,
            closed.inland_km,
            runs.run_from_km,
            edge_km,
            runs.first_coast_km,
            runs.last_coast_km,
        )
    first_km = edge_km if runs.first_coast_km < 0.0 else runs.first_coast_km
    return ZoneRuns(closed.sea_km, closed.land_km, closed.inland_km, edge_km, edge_km, first_km, edge_km)


@kernel
def _closed(runs: ZoneRuns, zone: int, edge_km: float, coast: bool, inland: bool) -> ZoneRuns:
    """The runs with that of ``zone`` ended at ``edge_km``: as sea or land if ``coast``, as ``inland``."""
    sea_km, land_km, inland_km = runs.sea_km, runs.land_km, runs.inland_km
    if coast and zone == SEA:
        sea_km += edge_km - runs.run_from_km
    elif coast:
        land_km = max(land_km, edge_km - runs.run_from_km)
    if inland and zone == INLAND:
        inland_km = max(inland_km, edge_km - runs.inland_from_km)
    return ZoneRuns(
        sea_km,
        land_km,
        inland_km,
        runs.run_from_km,
        runs.inland_from_km,
        runs.first_coast_km,
        runs.last_coast_km,
    )


@kernel
def zone_lengths(runs: ZoneRuns, first: int, last: int, length_km: float) -> ZoneLengths:
    """Lengths by zone of a path of ``length_km`` from a sample in zone ``first`` to one in ``last``.

    A terminal at sea has its coast at 0 km; a path without sea has both coasts at ``NO_COAST_KM``.
    """
    ended = _closed(runs, last, length_km, True, True)
    from_transmitter_km = runs.first_coast_km if runs.first_coast_km >= 0.0 else NO_COAST_KM
    from_receiver_km = length_km - runs.last_coast_km if runs.last_coast_km >= 0.0 else NO_COAST_KM
    return ZoneLengths(
        ended.sea_km / length_km,
        ended.land_km,
        ended.inland_km,
        0.0 if first == SEA else from_transmitter_km,
        0.0 if last == SEA else from_receiver_km,
    )


@kernel
def inland_weight(inland_km: float) -> float:
    """tau, 0 over sea and coast to 1 far inland, of the longest run of inland (P.1812-8, eq. 3)."""
    if inland_km <= 0.0:
        return 0.0
    return 1.0 - math.exp(-4.12e-4 * math.exp(2.41 * math.log(inland_km)))


@kernel
def log_of_anomalous_time(latitude_deg: float, land_km: float, tau: float) -> float:
    """Natural logarithm of b0, the per cent of the year with a lapse rate above 100 N/km in the lowest 100 m.

    ``tau``: ``inland_weight`` of the path (P.1812-8, eq. 2-5).
    """
    near = math.exp(-LN_10 / (16.0 - 6.6 * tau) * land_km)
    log_mu1 = min(0.0, 0.2 * math.log(near + math.exp(-LN_10 * 5.0 * (0.496 + 0.354 * tau))))
    if abs(latitude_deg) > 70.0:
        return _LN_4_17 + 1.3 * log_mu1
    return LN_10 * (-0.015 * abs(latitude_deg) + 1.67) + (0.065 + 0.0176 * abs(latitude_deg)) * log_mu1


@kernel
def mid_path_latitude_deg(
    from_lat_deg: float, from_lon_deg: float, to_lat_deg: float, to_lon_deg: float, length_km: float
) -> float:
    """Latitude half the profile's ``length_km`` along the great circle (P.1812-8, 3.5; P.2001, Att. H)."""
    from_lat, to_lat = math.radians(from_lat_deg), math.radians(to_lat_deg)
    turn = math.radians(to_lon_deg - from_lon_deg)
    azimuth = math.atan2(
        math.cos(to_lat) * math.sin(turn),
        math.cos(from_lat) * math.sin(to_lat) - math.sin(from_lat) * math.cos(to_lat) * math.cos(turn),
    )
    return half_way_latitude_deg(from_lat, azimuth, length_km)


@kernel
def half_way_latitude_deg(latitude: float, azimuth: float, length_km: float) -> float:
    """Latitude in degrees half of ``length_km`` away at an azimuth; place and azimuth in radians."""
    arc = length_km / (2.0 * EARTH_RADIUS_KM)
    sine = math.sin(latitude) * math.cos(arc) + math.cos(latitude) * math.sin(arc) * math.cos(azimuth)
    return math.degrees(math.asin(min(max(sine, -1.0), 1.0)))
