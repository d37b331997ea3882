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
from pipeline.coverage.servers import antenna_db, mark_members
from pipeline.grid.geodesy import rays
from pipeline.kernels import inner, kernel
from pipeline.radio.antennas import directivity_db, discrimination_db

# Nepers of power per dB.
NEPER_PER_DB = math.log(10.0) / 10.0
_LN_2 = math.log(2.0)
# Between these powers of two numbers have all their digits.
_MOST_OCTAVES = 1000.0
_NO_FRACTION = 1.5 * 2.0**52
_NO_FRACTION_BITS = int(np.float64(_NO_FRACTION).view(np.int64))
# 1 / n!
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10 = (1.0 / math.factorial(n) for n in range(2, 11))
# Interferers that together change the median nuisance by at most this may be left out.
LEFT_OUT_DB = 0.01
# Fraction of the summed mean power that, left out, certainly changes the median by no more (``negligible``).
LEFT_OUT_FRACTION = LEFT_OUT_DB * NEPER_PER_DB / 2.0


@kernel
def lognormal_mean(median_db: float, sigma_db: float) -> float:
    """Mean power (linear, reference 0 dB) of a log-normal level with this median and standard deviation."""
    s = NEPER_PER_DB * sigma_db
    return math.exp(NEPER_PER_DB * median_db + 0.5 * s * s)


@kernel
def lognormal_means(median_db: NDArray[np.float64], sigma_db: float, mean: NDArray[np.float64]) -> None:
    """Fill ``lognormal_mean`` of medians [n] within 1e-11 of it, written so that it vectorises.

    2^x by the whole number next to x, which is the exponent of the result, and a series of the rest.
    """
    s = NEPER_PER_DB * sigma_db
    per_db, more = NEPER_PER_DB / _LN_2, 0.5 * s * s / _LN_2
    whole, power = np.empty(median_db.size), np.empty(median_db.size)
    whole_bits, power_bits = whole.view(np.int64), power.view(np.int64)
    for p in range(median_db.size):
        octaves = min(max(median_db[p] * per_db + more, -_MOST_OCTAVES), _MOST_OCTAVES)
        mean[p] = octaves
        # So large that no bit is left for a fraction: the last ones are the whole number.
        whole[p] = octaves + _NO_FRACTION
    for p in range(median_db.size):
        power_bits[p] = (whole_bits[p] - _NO_FRACTION_BITS + 1023) << 52
    for p in range(median_db.size):
        x = (mean[p] - (whole[p] - _NO_FRACTION)) * _LN_2
        high = _C5 + x * (_C6 + x * (_C7 + x * (_C8 + x * (_C9 + x * _C10))))
        mean[p] = (1.0 + x * (1.0 + x * (_C2 + x * (_C3 + x * (_C4 + x * high))))) * power[p]


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


@inner
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


@inner
def bound_means(
    inputs: ChannelInputs,
    frames: NDArray[np.float64],
    middle: int,
    radius_km: float,
    server: NDArray[np.int64],
    bound_dbuvm: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Upper bounds of each transmitter's mean nuisance power in the tile, for the servers found there.

    No pixel of the tile is farther than ``radius_km`` from the pixel ``middle``; ``server`` [pixel], -1
    none; ``bound_dbuvm`` [transmitter] of ``tile_bounds``.
    """
    stations, receiver, ratio_db = inputs.stations, inputs.receiver, inputs.rules.ratio_db
    sigma_db = inputs.rules.interferer_sigma_db
    direction_deg, turned_deg = bearings(stations, frames, middle, radius_km)
    found = np.zeros(stations.mast.size, np.bool_)
    for s in server:
        if s >= 0:
            found[s] = True
    means = np.zeros(stations.mast.size)
    for s in range(means.size):
        if not found[s]:
            continue
        s_ratio_db = ratio_db[stations.mode[s]]
        for t in range(means.size):
            if t != s:
                d_db = minimum_discrimination_db(stations, receiver, direction_deg, turned_deg, s, t)
                means[t] = max(means[t], lognormal_mean(bound_dbuvm[t] + s_ratio_db[t] - d_db, sigma_db))
    return means


@inner
def choose_disturbed(
    t: int,
    server: NDArray[np.int64],
    running: NDArray[np.float64],
    member: NDArray[np.bool_],
    members: bool,
    left_mean: float,
    pixels: NDArray[np.int64],
) -> int:
    """List the pixels to which t and what follows it may matter; their number, -1 if there is none at all.

    Not listed though it may matter: where t is wanted.
    """
    chosen, needed = 0, False
    for p in range(server.size):
        if server[p] >= 0 and not negligible(left_mean, running[p]):
            needed = True
            if t != server[p] and not (members and member[p]):
                pixels[chosen] = p
                chosen += 1
    return chosen if needed else -1


@inner
def add_terms(
    ratio_db: NDArray[np.float64],
    sigma_db: float,
    pixels: NDArray[np.int64],
    field_dbuvm: NDArray[np.float64],
    discrimination_db: NDArray[np.float64],
    mode: NDArray[np.int64],
    terms: NDArray[np.float64],
    running: NDArray[np.float64],
) -> None:
    """Mean nuisance powers of one transmitter at the pixels listed, also added to the running sums."""
    level_db, means = np.empty(field_dbuvm.size), np.empty(field_dbuvm.size)
    for p in range(level_db.size):
        level_db[p] = field_dbuvm[p] - discrimination_db[p]
    for p in pixels:
        level_db[p] += ratio_db[mode[p]]
    lognormal_means(level_db, sigma_db, means)
    for p in pixels:
        terms[p] = means[p]
        running[p] += means[p]


@inner
def begin_with_noise(work: Scratch) -> None:
    """Running sums of the noise alone."""
    running, noise = work.running, work.noise
    for p in range(running.size):
        running[p] = noise[p]


@inner
def sum_nuisance(
    inputs: ChannelInputs,
    positions_m: NDArray[np.float64],
    frames: NDArray[np.float64],
    kinds: NDArray[np.uint8],
    middle: int,
    radius_km: float,
    work: Scratch,
) -> None:
    """Fill mean nuisance powers ``terms`` of the transmitters that matter; ``computed`` says which rows.

    No pixel of the tile is farther than ``radius_km`` from the pixel ``middle``.
    """
    stations, rules, server = inputs.stations, inputs.rules, work.server[: kinds.size]
    means = bound_means(inputs, frames, middle, radius_km, server, work.nuisance_bound_dbuvm)
    order = np.argsort(-means, kind="mergesort")
    left_mean = means[order]
    for k in range(order.size - 2, -1, -1):
        left_mean[k] += left_mean[k + 1]
    work.computed[:] = False
    begin_with_noise(work)
    ratios_db = np.ascontiguousarray(rules.ratio_db.T)
    for k, t in enumerate(order):
        rays(stations.frame[t], positions_m, work.d_km, work.az_deg)
        members = mark_members(inputs, kinds, work, t)
        chosen = choose_disturbed(t, server, work.running, work.member, members, left_mean[k], work.pixels)
        if chosen < 0:
            break
        if chosen == 0:
            continue
        listed = work.pixels[:chosen]
        fields_in_tile(inputs, t, INTERFERING, listed, work)
        antenna_db(inputs, t, frames, listed, work)
        work.computed[t] = True
        work.terms[t, :] = 0.0
        add_terms(
            ratios_db[t],
            rules.interferer_sigma_db,
            listed,
            work.field_dbuvm,
            work.discrimination_db,
            work.mode,
            work.terms[t],
            work.running,
        )


@inner
def total_nuisance(work: Scratch, count: int) -> None:
    """Fill mean and sum of squared means of the power per pixel: noise, then interferers in order of id."""
    running, squares = work.running, work.squares
    begin_with_noise(work)
    squares[:] = 0.0
    for t in range(work.computed.size):
        if work.computed[t]:
            terms = work.terms[t]
            for p in range(count):
                running[p] += terms[p]
                squares[p] += terms[p] * terms[p]
