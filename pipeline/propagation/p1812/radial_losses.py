"""P.1812-8 for all receivers of a radial at once: several frequencies and percentages of time in one pass.

The losses are those of ``profile_link`` to the last bit: the same functions compute them, only what cannot
count is left out.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.propagation.p1812.climate import anomalous_time_pct
from pipeline.propagation.p1812.diffraction import CLEAR_NU, wavelength_m
from pipeline.propagation.p1812.growing_path import GrowingPath, push, start_path
from pipeline.propagation.p1812.losses import (
    SMOOTH_BELOW_M,
    Air,
    TimeTerms,
    WaveTerms,
    combine,
    ducting_at_least_db,
    ducting_db,
    ducting_terms,
    fixed_losses,
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


@kernel
def radial_losses(
    d_km: NDArray[np.float64],
    terrain_m: NDArray[np.float64],
    cover_m: NDArray[np.float64],
    zone: NDArray[np.int64],
    antennas_m: tuple[float, float],
    air: tuple[float, float],
    latitude_deg: NDArray[np.float64],
    waves: tuple[NDArray[np.float64], NDArray[np.float64], bool],
    loss_db: NDArray[np.float64],
    regime: NDArray[np.uint8],
) -> None:
    """Fill the basic transmission loss at the median location of every receiver of a radial.

    Arrays [n] along the radial as of ``p1812_link``, ``latitude_deg`` half-way to each receiver.
    ``antennas_m``: above ground. ``air``: median Earth radius in km and refractivity. ``waves``: frequencies
    in GHz [f], percentages of time [t], whether the polarisation is vertical. ``loss_db``, ``regime``
    [f, t, n], untouched before ``FIRST_RECEIVER``.
    """
    f_ghz, time_pct, vertical = waves
    radius_km, refractivity = air
    profile = start_path(d_km, terrain_m, cover_m, zone, antennas_m[0], radius_km)
    terms = [wave_terms(f, vertical, radius_km) for f in f_ghz]
    times = [time_terms(pct) for pct in time_pct]
    least_nu_sqrt_m = _CLEAR * math.sqrt(wavelength_m(f_ghz.min()))
    for end in range(FIRST_RECEIVER, d_km.size):
        push(profile, end - 1)
        path = path_geometry(profile, end, antennas_m[1], least_nu_sqrt_m)
        b0_pct = anomalous_time_pct(latitude_deg[end], path.zones.land_km, path.zones.inland_km)
        here = Air(refractivity, radius_km, b0_pct)
        for i in range(len(terms)):
            _losses_at(profile, end, path, here, terms[i], times, i, loss_db, regime)


@kernel
def _losses_at(
    profile: GrowingPath,
    end: int,
    path: PathGeometry,
    air: Air,
    wave: WaveTerms,
    times: list[TimeTerms],
    i: int,
    loss_db: NDArray[np.float64],
    regime: NDArray[np.uint8],
) -> None:
    """Fill loss and regime of one receiver and of frequency ``i`` at all percentages of time.

    Ducting counts only where it is less than diffraction; its terms are the same for all percentages.
    """
    fixed = fixed_losses(profile, end, path, wave, air, False)
    known = False
    for t in range(len(times)):
        time = times[t]
        terms = mechanisms(fixed, path, air, time, math.inf)
        at_most_db = terms.enhanced_db + terms.diffraction_db
        if terms.diffraction_db > 0.0 and (
            known or ducting_at_least_db(path, wave, air, time) - _ROUNDING_DB <= at_most_db
        ):
            if not known:
                duct = ducting_path(profile, end, path, SMOOTH_BELOW_M)
                ducting = ducting_terms(path, duct, wave, air)
                known = True
            terms = mechanisms(fixed, path, air, time, ducting_db(ducting, path.length_km, time))
        joined = combine(fixed, terms, path, air, time)
        loss_db[i, t, end] = max(terms.enhanced_db, joined.total_db)
        regime[i, t, end] = mechanism(fixed, terms, joined, path.median.clear, 0.0)
