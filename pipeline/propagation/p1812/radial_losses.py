"""P.1812-8 for all receivers of a radial at once: antenna heights, frequencies and percentages in one pass.

The losses are those of ``profile_link`` to the last bit: the same functions compute them, only what cannot
count is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import borrowing, kernel
from pipeline.propagation.p1812.diffraction import CLEAR_NU, Grounds, GroundTerms, SphereTerms, wavelength_m
from pipeline.propagation.p1812.growing_path import GrowingPath, push, start_path
from pipeline.propagation.p1812.losses import (
    NO_DUCTING,
    SMOOTH_BELOW_M,
    Air,
    LengthTerms,
    TimeTerms,
    WaveTerms,
    air_of,
    combine,
    ducting_at_least_db,
    ducting_db,
    ducting_terms,
    fixed_losses,
    length_terms,
    mechanisms,
    time_terms,
    wave_terms,
)
from pipeline.propagation.p1812.path_geometry import PathGeometry, ducting_path, path_geometry
from pipeline.propagation.p1812.profile_link import mechanism

FIRST_RECEIVER = 2
"""Samples nearer to the transmitter have no path of their own: there is none between."""
# A little more than rounding: parameters below have no diffraction loss whatever the frequency.
_CLEAR = CLEAR_NU * (1.0 + 1e-9)
_ROUNDING_DB = 1e-6


class SharedTerms(NamedTuple):
    """What all radials of the same distances, frequencies and percentages share, as rows of numbers.

    ``lengths``: float64[n, 4], ``LengthTerms``; ``waves``: float64[f, 23], ``WaveTerms``; ``times``:
    float64[t, 5], ``TimeTerms``. ``least_nu_sqrt_m``: no path with less has diffraction losses.
    """

    lengths: NDArray[np.float64]
    waves: NDArray[np.float64]
    times: NDArray[np.float64]
    median_radius_km: float
    refractivity: float
    least_nu_sqrt_m: float


def shared_terms(
    d_km: NDArray[np.float64],
    f_ghz: Sequence[float],
    time_pct: Sequence[float],
    *,
    vertical: bool,
    median_radius_km: float,
    refractivity: float,
) -> SharedTerms:
    """Terms of all radials with samples at ``d_km`` [n], for frequencies in GHz and percentages of time."""
    return SharedTerms(
        np.array([_numbers(length_terms(max(km, 1e-3))) for km in d_km.tolist()]),
        np.array([_numbers(wave_terms(f, vertical, median_radius_km)) for f in f_ghz]),
        np.array([_numbers(time_terms(pct)) for pct in time_pct]),
        median_radius_km,
        refractivity,
        _CLEAR * math.sqrt(wavelength_m(min(f_ghz))),
    )


def _numbers(terms: tuple[object, ...]) -> list[object]:
    """The numbers of terms in their order, also those of terms within."""
    return [number for part in terms for number in (_numbers(part) if isinstance(part, tuple) else [part])]


@kernel
def radial_losses(
    d_km: NDArray[np.float64],
    terrain_m: NDArray[np.float64],
    cover_m: NDArray[np.float64],
    zone: NDArray[np.int64],
    latitude_deg: NDArray[np.float64],
    antenna_m: float,
    receivers_m: NDArray[np.float64],
    receivers: NDArray[np.int64],
    shared: SharedTerms,
    loss_db: NDArray[np.float64],
    regime: NDArray[np.uint8],
) -> None:
    """Fill the basic transmission loss at the median location of the receivers of a radial.

    Arrays [n] along the radial as of ``p1812_link``, ``latitude_deg`` half-way to each receiver.
    ``antenna_m``, ``receivers_m`` [h]: transmitter and receivers above ground; ``receivers`` rising numbers
    of the samples where they stand. ``loss_db``, ``regime`` [h, f, t, n], untouched elsewhere and before
    ``FIRST_RECEIVER``.
    """
    profile = start_path(d_km, terrain_m, cover_m, zone, antenna_m, shared.median_radius_km)
    _grow(profile, latitude_deg, receivers_m, receivers, shared, loss_db, regime)


@borrowing
def _grow(
    profile: GrowingPath,
    latitude_deg: NDArray[np.float64],
    receivers_m: NDArray[np.float64],
    receivers: NDArray[np.int64],
    shared: SharedTerms,
    loss_db: NDArray[np.float64],
    regime: NDArray[np.uint8],
) -> None:
    """Push one sample after the other and fill the losses of the receivers that see them all."""
    pushed = FIRST_RECEIVER - 1
    for end in receivers:
        if end < FIRST_RECEIVER:
            continue
        if end >= profile.d_km.size:
            break
        for k in range(pushed, end):
            push(profile, k)
        pushed = end
        for r in range(receivers_m.size):
            path = path_geometry(profile, end, receivers_m[r], shared.least_nu_sqrt_m)
            air = air_of(shared.refractivity, shared.median_radius_km, latitude_deg[end], path.zones)
            for i in range(shared.waves.shape[0]):
                length = _length_at(shared.lengths, end)
                _losses_at(profile, end, path, length, air, shared, i, loss_db[r, i], regime[r, i])


@kernel
def end_losses(
    d_km: NDArray[np.float64],
    terrain_m: NDArray[np.float64],
    cover_m: NDArray[np.float64],
    zone: NDArray[np.int64],
    latitude_deg: float,
    antennas_m: tuple[float, float],
    shared: SharedTerms,
    loss_db: NDArray[np.float64],
    regime: NDArray[np.uint8],
) -> None:
    """Fill the loss [f, t, n] at the last sample of a profile [n], and of no other receiver.

    As ``radial_losses`` has it there; ``antennas_m`` of transmitter and receiver, ``latitude_deg`` half-way.
    Of ``shared`` the lengths are not read.
    """
    end = d_km.size - 1
    profile = start_path(d_km, terrain_m, cover_m, zone, antennas_m[0], shared.median_radius_km)
    length = length_terms(d_km[end])
    for k in range(1, end):
        push(profile, k)
    path = path_geometry(profile, end, antennas_m[1], shared.least_nu_sqrt_m)
    air = air_of(shared.refractivity, shared.median_radius_km, latitude_deg, path.zones)
    for i in range(shared.waves.shape[0]):
        _losses_at(profile, end, path, length, air, shared, i, loss_db[i], regime[i])


@borrowing
def _losses_at(
    profile: GrowingPath,
    end: int,
    path: PathGeometry,
    length: LengthTerms,
    air: Air,
    shared: SharedTerms,
    i: int,
    loss_db: NDArray[np.float64],
    regime: NDArray[np.uint8],
) -> None:
    """Fill loss and regime [t, n] of one receiver and of frequency ``i`` at all percentages of time.

    Ducting counts only where it is less than diffraction; its terms are the same for all percentages.
    """
    wave = _wave_at(shared.waves, i)
    fixed = fixed_losses(profile, end, path, length, wave, air, False)
    ducting = NO_DUCTING
    for t in range(shared.times.shape[0]):
        time = _time_at(shared.times, t)
        terms = mechanisms(fixed, air, time, math.inf)
        at_most_db = terms.enhanced_db + terms.diffraction_db
        if terms.diffraction_db > 0.0 and (
            ducting.gamma > 0.0
            or ducting_at_least_db(path, wave, air, fixed, time) - _ROUNDING_DB <= at_most_db
        ):
            if ducting.gamma == 0.0:
                duct = ducting_path(profile, end, path, SMOOTH_BELOW_M)
                ducting = ducting_terms(path, duct, length, wave, air, fixed)
            terms = mechanisms(fixed, air, time, ducting_db(ducting, path.length_km, time))
        joined = combine(fixed, terms, path, length, air, time)
        loss_db[t, end] = max(terms.enhanced_db, joined.total_db)
        regime[t, end] = mechanism(fixed, length, terms, joined, path.median.clear, 0.0)


@borrowing
def _length_at(lengths: NDArray[np.float64], n: int) -> LengthTerms:
    """Row ``n`` as what it is."""
    return LengthTerms(lengths[n, 0], lengths[n, 1], lengths[n, 2], lengths[n, 3])


@borrowing
def _time_at(times: NDArray[np.float64], t: int) -> TimeTerms:
    """Row ``t`` as what it is."""
    return TimeTerms(times[t, 0], times[t, 1], times[t, 2], times[t, 3], times[t, 4])


@borrowing
def _wave_at(waves: NDArray[np.float64], i: int) -> WaveTerms:
    """Row ``i`` as what it is."""
    return WaveTerms(
        waves[i, 0],
        waves[i, 1],
        waves[i, 2],
        waves[i, 3],
        waves[i, 4],
        waves[i, 5],
        Grounds(waves[i, 6], waves[i, 7], waves[i, 8]),
        _sphere_at(waves, i, 9),
        _sphere_at(waves, i, 16),
    )


@borrowing
def _sphere_at(waves: NDArray[np.float64], i: int, at: int) -> SphereTerms:
    """The seven numbers of row ``i`` from column ``at`` as what they are."""
    return SphereTerms(
        waves[i, at],
        GroundTerms(waves[i, at + 1], waves[i, at + 2], waves[i, at + 3]),
        GroundTerms(waves[i, at + 4], waves[i, at + 5], waves[i, at + 6]),
    )
