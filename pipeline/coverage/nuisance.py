"""The nuisance field of several interferers and the probability that the wanted field exceeds it.

Levels are medians in dB(uV/m); a log-normal level has a standard deviation in dB. Sums of log-normal powers
are approximated by one log-normal of the same mean and variance (Fenton-Wilkinson). In a tile the nuisance is
summed from the strongest bound down until all bounds that follow are together ``negligible``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.coverage.field_bounds import ANGLE_MARGIN_DEG, towards
from pipeline.coverage.fields import INTERFERING, Scratch, fields_in_tile
from pipeline.coverage.inputs import ChannelInputs, Stations, TvReceiver
from pipeline.coverage.servers import antenna_db, list_marked, mark_members
from pipeline.coverage.tile_facts import LEAST_MEAN, SPARE_MEAN
from pipeline.grid.geodesy import TilePlaces, tile_rays
from pipeline.kernels import borrowing, inner, kernel, lent
from pipeline.radio.antennas import directivity_db, discrimination_db

# Nepers of power per dB.
NEPER_PER_DB = math.log(10.0) / 10.0
_OCTAVES_PER_DB = NEPER_PER_DB / math.log(2.0)
_LN_2 = np.float32(math.log(2.0))
# Between these powers of two numbers in single precision have all their digits.
_MOST_OCTAVES = np.float32(126.0)
_NO_FRACTION = np.float32(1.5 * 2.0**23)
_NO_FRACTION_BITS = np.int32(_NO_FRACTION.view(np.int32))
_MANTISSA_BITS, _EXPONENT_OF_1 = np.int32(23), np.int32(127)
# 1 / n!
_ONE, _C2, _C3, _C4, _C5, _C6 = (np.float32(1.0 / math.factorial(n)) for n in range(1, 7))
# Interferers that together change the median nuisance by at most this may be left out.
LEFT_OUT_DB = 0.01
# Fraction of the summed mean power that, left out, certainly changes the median by no more (``negligible``).
LEFT_OUT_FRACTION = LEFT_OUT_DB * NEPER_PER_DB / 2.0
# An interferer is left out only if so many of its power together were negligible: then it hardly ever
# depends on those that follow whether it is, and a station far away does not move the values of a tile.
LEFT_OUT_STATIONS = 16.0
_ROUNDING = 1e-9
_INFINITY_BITS = np.int64(np.float64(np.inf).view(np.int64))


@kernel
def lognormal_mean(median_db: float, sigma_db: float) -> float:
    """Mean power (linear, reference 0 dB) of a log-normal level with this median and standard deviation."""
    s = NEPER_PER_DB * sigma_db
    return math.exp(NEPER_PER_DB * median_db + 0.5 * s * s)


@borrowing
def lognormal_means(
    median_db: NDArray[np.float32],
    sigma_db: float,
    mean: NDArray[np.float32],
    whole: NDArray[np.float32],
    power: NDArray[np.float32],
) -> None:
    """Fill ``lognormal_mean`` of medians [n] within 5e-5 dB of it, written so that it vectorises.

    2^x by the whole number next to x, which is the exponent of the result, and a series of the rest. Means
    are at least 2^-126 and at most 2^127, which is beyond any level: -379 and 382 dB.
    """
    s = NEPER_PER_DB * sigma_db
    per_db = np.float32(_OCTAVES_PER_DB)
    more = np.float32(0.5 * s * s / NEPER_PER_DB * _OCTAVES_PER_DB)
    whole_bits, power_bits = whole.view(np.int32), power.view(np.int32)
    for p in range(median_db.size):
        octaves = min(max(median_db[p] * per_db + more, -_MOST_OCTAVES), _MOST_OCTAVES)
        mean[p] = octaves
        # So large that no bit is left for a fraction: the last ones are the whole number.
        whole[p] = octaves + _NO_FRACTION
    for p in range(median_db.size):
        # Each step back to 32 bits, as in ``loss_lookup``.
        exponent = np.int32(np.int32(whole_bits[p] - _NO_FRACTION_BITS) + _EXPONENT_OF_1)
        power_bits[p] = exponent << _MANTISSA_BITS
    for p in range(median_db.size):
        x = (mean[p] - (whole[p] - _NO_FRACTION)) * _LN_2
        high = _C2 + x * (_C3 + x * (_C4 + x * (_C5 + x * _C6)))
        mean[p] = (_ONE + x * (_ONE + x * high)) * power[p]


@kernel
def variance_per_square(sigma_db: float) -> float:
    """Variance of a log-normal power over the square of its mean: exp(s^2) - 1."""
    s = NEPER_PER_DB * sigma_db
    return math.exp(s * s) - 1.0


@kernel
def fenton_wilkinson(mean: float, variance: float) -> tuple[float, float]:
    """Median in dB and standard deviation in dB of the log-normal with this mean and variance of power.

    s^2 = ln(1 + variance / mean^2), m = ln mean - s^2 / 2 (Fenton 1960).
    """
    s2 = math.log1p(variance / (mean * mean))
    return (math.log(mean) - 0.5 * s2) / NEPER_PER_DB, math.sqrt(s2) / NEPER_PER_DB


@kernel
def negligible(left_mean: float, mean: float) -> bool:
    """Whether terms of total mean power ``left_mean`` may be left out of a sum of mean power ``mean``.

    The median is F = 2 ln M - ln(M^2 + V) / 2 in nepers; further terms raise M by x M and V by something
    positive, hence F by at most 2 ln(1 + x) <= 2 x. With x <= LEFT_OUT_FRACTION that is at most 0.01 dB.
    """
    return left_mean <= LEFT_OUT_FRACTION * mean


@kernel
def location_probability(
    wanted_dbuvm: float, nuisance_dbuvm: float, wanted_sigma_db: float, nuisance_sigma_db: float
) -> float:
    """q1 = Phi((m_S - m_U) / sqrt(sigma_S^2 + sigma_U^2)), docs/method.md, section 4."""
    spread_db = math.sqrt(wanted_sigma_db * wanted_sigma_db + nuisance_sigma_db * nuisance_sigma_db)
    return 0.5 * math.erfc((nuisance_dbuvm - wanted_dbuvm) / (spread_db * math.sqrt(2.0)))


@inner
def bearings(
    stations: Stations, frames: NDArray[np.float64], middle: int, radius_km: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions of all stations from one pixel, and how far they turn for any pixel within the radius.

    Both [transmitter] in degrees; the directions on the axes of pixel ``middle``, clockwise from the first.
    """
    count = stations.mast.size
    direction_deg, turned_deg = np.empty(count), np.full(count, 180.0)
    for t in range(count):
        a, b = towards(stations.frame[t], frames, middle)
        direction_deg[t] = math.degrees(math.atan2(b, a))
        distance_km = 1e-3 * math.hypot(a, b)
        if distance_km > radius_km:
            turned_deg[t] = math.degrees(math.asin(radius_km / distance_km)) + ANGLE_MARGIN_DEG
    return direction_deg, turned_deg


@borrowing
def minimum_discrimination_db(
    stations: Stations,
    receiver: TvReceiver,
    direction_deg: NDArray[np.float64],
    turned_deg: NDArray[np.float64],
    server: int,
    t: int,
) -> float:
    """Lower bound of D against t wherever in the tile the antenna points at ``server``."""
    apart_deg = abs(direction_deg[t] - direction_deg[server])
    apart_deg = min(apart_deg, 360.0 - apart_deg) - turned_deg[t] - turned_deg[server]
    directed_db = directivity_db(apart_deg, receiver.flat_deg, receiver.end_deg, receiver.directivity_db)
    return discrimination_db(
        stations.polarisation[server], stations.polarisation[t], directed_db, receiver.cross_polar_db
    )


@borrowing
def largest_mean(
    inputs: ChannelInputs,
    direction_deg: NDArray[np.float64],
    turned_deg: NDArray[np.float64],
    server: int,
    t: int,
    bound_dbuvm: float,
) -> float:
    """Upper bound of the mean nuisance power of t where antennas point at ``server``, by its field's."""
    stations, rules = inputs.stations, inputs.rules
    d_db = minimum_discrimination_db(stations, inputs.receiver, direction_deg, turned_deg, server, t)
    level_dbuvm = bound_dbuvm + rules.ratio_db[stations.mode[server], t] - d_db
    return lognormal_mean(level_dbuvm, rules.interferer_sigma_db)


@inner
def bound_means(
    inputs: ChannelInputs,
    frames: NDArray[np.float64],
    middle: int,
    radius_km: float,
    server: NDArray[np.int32],
    bound_dbuvm: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Upper bounds of each transmitter's mean nuisance power in the tile, for the servers found there.

    No pixel of the tile is farther than ``radius_km`` from the pixel ``middle``; ``server`` [pixel], -1
    none; ``bound_dbuvm`` [transmitter] of ``tile_bounds``.
    """
    direction_deg, turned_deg = bearings(inputs.stations, frames, middle, radius_km)
    found = np.zeros(bound_dbuvm.size, np.bool_)
    for s in server:
        if s >= 0:
            found[s] = True
    means = np.zeros(bound_dbuvm.size)
    for s in range(means.size):
        if not found[s]:
            continue
        for t in range(means.size):
            if t != s:
                mean = largest_mean(inputs, direction_deg, turned_deg, s, t, bound_dbuvm[t])
                means[t] = max(means[t], mean)
    return means


@borrowing
def least_running(from_mean: float, count: int, work: Scratch) -> float:
    """Least sum so far of served pixels among those from ``from_mean`` on; +inf: none.

    Sums are positive, so that their bits as whole numbers have their order, whose minimum vectorises.
    """
    server, running, bits = work.server, work.running, work.running.view(np.int64)
    least = _INFINITY_BITS
    for p in range(count):
        fits = (server[p] >= 0) & (running[p] >= from_mean)
        least = min(least, bits[p] if fits else _INFINITY_BITS)
    if least == _INFINITY_BITS:
        return math.inf
    for p in range(count):
        if bits[p] == least:
            return running[p]
    return math.inf


@borrowing
def choose_disturbed(
    t: int, own_mean: float, left_mean: float, members: bool, count: int, work: Scratch
) -> int:
    """Mark and list the pixels to which t and what follows it may matter; their number, -1: none at all.

    ``own_mean``: mean power of t, ``left_mean`` of t and all that follow; ``members``: whether ``member`` is
    filled. Not marked though it may matter: where t is wanted.
    """
    server, running, member, disturbed = work.server, work.running, work.member, work.disturbed
    by_own_mean = LEFT_OUT_STATIONS * own_mean / LEFT_OUT_FRACTION
    least_mean = max(by_own_mean, left_mean / LEFT_OUT_FRACTION)
    # Where t alone is negligible, those that follow must not become too much.
    spare_mean = LEFT_OUT_FRACTION * least_running(by_own_mean, count, work) * (1.0 - _ROUNDING) - left_mean
    work.limits[SPARE_MEAN] = min(work.limits[SPARE_MEAN], spare_mean)
    chosen = needed = 0
    for p in range(count):
        # ``negligible``, in the form that vectorises.
        matters = (server[p] >= 0) & (running[p] < least_mean)
        disturbed[p] = matters & (server[p] != t) & ~(members & member[p])
        needed += int(matters)
        chosen += int(disturbed[p])
    pixels = work.pixels
    if chosen < count:
        list_marked(disturbed, count, pixels)
    else:
        for p in range(count):
            pixels[p] = p
    return chosen if needed else -1


@borrowing
def fill_levels(ratio_db: NDArray[np.float64], t: int, count: int, work: Scratch) -> None:
    """Fill nuisance levels of transmitter ``t``, whose protection ratios are ``ratio_db`` [mode, t]."""
    field_dbuvm, away_db, mode, level_db = work.field_dbuvm, work.discrimination_db, work.mode, work.level_db
    for p in range(count):
        level_db[p] = field_dbuvm[p] - away_db[p] + np.float32(ratio_db[mode[p], t])


@borrowing
def add_powers(count: int, work: Scratch) -> None:
    """Add mean nuisance power of one transmitter and its square at the pixels marked."""
    mean, disturbed, running, squares = work.mean, work.disturbed, work.running, work.squares
    for p in range(count):
        power = float(mean[p]) if disturbed[p] else 0.0
        running[p] += power
        squares[p] += power * power


@borrowing
def begin_with_noise(work: Scratch) -> None:
    """Sums of the noise alone, whose level is certain."""
    running, squares, noise = work.running, work.squares, work.noise
    for p in range(running.size):
        running[p], squares[p] = noise[p], 0.0


@inner
def order_interferers(
    inputs: ChannelInputs,
    frames: NDArray[np.float64],
    middle: int,
    radius_km: float,
    count: int,
    work: Scratch,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Transmitters from the largest bound of their nuisance in a tile; the bounds; their sums from it on.

    No pixel of the tile is farther than ``radius_km`` from the pixel ``middle``.
    """
    means = bound_means(inputs, frames, middle, radius_km, work.server[:count], work.nuisance_bound_dbuvm)
    order = np.argsort(-means, kind="mergesort")
    left_mean = means[order]
    for k in range(order.size - 2, -1, -1):
        left_mean[k] += left_mean[k + 1]
    return order, means, left_mean


@lent
def sum_nuisance(
    inputs: ChannelInputs,
    tile: TilePlaces,
    kinds: NDArray[np.uint8],
    order: NDArray[np.int64],
    means: NDArray[np.float64],
    left_mean: NDArray[np.float64],
    polarisation: int,
    work: Scratch,
) -> None:
    """Fill mean and sum of squared means of the nuisance power per pixel: noise, then by ``order``.

    ``order``, ``means`` and ``left_mean`` [transmitter] of ``order_interferers``; ``polarisation`` of
    ``one_polarisation``.
    """
    stations, rules, room, count = inputs.stations, inputs.rules, work.room, kinds.size
    begin_with_noise(work)
    least_mean, ended = math.inf, False
    for k in range(order.size):
        t = order[k]
        tile_rays(stations.frame[t], tile, work.d_km, work.az_deg)
        members = mark_members(inputs, kinds, work, t)
        chosen = choose_disturbed(t, means[t], left_mean[k], members, count, work)
        if chosen < 0:
            ended = True
            break
        least_mean = means[t]
        work.counted[t] = True
        if chosen == 0:
            continue
        listed = work.pixels[:chosen]
        fields_in_tile(inputs, t, INTERFERING, listed, work)
        antenna_db(inputs, t, tile, polarisation, listed, work)
        fill_levels(rules.ratio_db, t, count, work)
        # By now the room of the lookup is free.
        lognormal_means(work.level_db, rules.interferer_sigma_db, work.mean, room.position, room.length)
        add_powers(count, work)
    spare_mean = LEFT_OUT_FRACTION * least_running(-math.inf, count, work) * (1.0 - _ROUNDING)
    work.limits[LEAST_MEAN] = min(least_mean, spare_mean / LEFT_OUT_STATIONS)
    if not ended:
        work.limits[SPARE_MEAN] = min(work.limits[SPARE_MEAN], spare_mean)
