"""Nos. 9.7A and 9.7B: non-geostationary systems and large earth stations of geostationary networks.

Condition 1 looks at the earth station, condition 2 at the equivalent power flux-density epfd(down) that the
constellation produces there. "For any percentage of the time" makes the maximum epfd decisive, and it has a
bound that needs no simulation: the stations in use are at most N_co, each at the highest power flux-density
of the mask, none nearer to the geostationary arc than the avoidance angle alpha_0.

On a grid every pixel is a location where the large earth station may be. Every space station in use is at an
angle phi of at least the avoidance angle from the wanted satellite, hence within phi of its elevation:

    epfd <= 10 log N_co + max over phi >= alpha_0 of (pfd(elevation - phi .. elevation + phi) + G(phi) - Gmax)

With the same power flux-density at all elevations that is pfd + 10 log N_co + G(alpha_0) - Gmax.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntFlag
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import map_blocks
from pipeline.coordination.rr97.systems import NonGeostationarySystem, Systems, largest_pfd_dbw_m2
from pipeline.coordination.rr941.antenna_patterns import (
    Segments,
    gain_dbi,
    max_gain_beyond_dbi,
    pattern_segments,
)
from pipeline.coordination.rr941.appendix5 import CoordinationLimits, EpfdBand
from pipeline.coordination.rr941.geometry import cosine_of_arc, elevation_deg
from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import empty_values, make_layer, raster_of
from pipeline.kernels import kernel
from pipeline.quantise import to_float32

# --- the two conditions at one location ---------------------------------------------------------------------


class Condition(IntFlag):
    """Codes of rr97ab_cond."""

    NONE = 0
    LARGE_STATION = 1
    EPFD = 2


class StationFigures(NamedTuple):
    """Earth station of a geostationary network."""

    gain_dbi: float
    g_over_t_dbk: float
    bandwidth_mhz: float


def condition_1(
    frequency_mhz: float, station: StationFigures, limits: CoordinationLimits, *, overlap: bool = True
) -> bool:
    """Overlap of frequencies and a station at or above all limits of its band; False outside the bands."""
    return overlap and any(
        row.from_mhz <= frequency_mhz <= row.to_mhz
        and station.gain_dbi >= row.gain_dbi
        and station.g_over_t_dbk >= row.g_over_t_dbk
        and station.bandwidth_mhz >= row.bandwidth_mhz
        for row in limits.condition_1
    )


def epfd_band(frequency_mhz: float, limits: CoordinationLimits) -> EpfdBand | None:
    """The band of condition 2 that contains a frequency."""
    bands = limits.condition_2.bands
    return next((row for row in bands if row.from_mhz <= frequency_mhz <= row.to_mhz), None)


def epfd_limit_dbw_m2(band: EpfdBand, altitudes_km: Sequence[float], limits: CoordinationLimits) -> float:
    """Threshold in the band's reference bandwidth: low constellations, or any satellite high."""
    low = all(altitude <= limits.condition_2.low_orbit_km for altitude in altitudes_km)
    return band.low_dbw_m2 if low else band.high_dbw_m2


def epfd_bound_dbw_m2(
    pfd_max_dbw_m2: float, satellites_in_use: int, avoidance_deg: float, pattern: Segments
) -> float:
    """pfd_max + 10 log10 N_co + G(alpha_0) - Gmax, G the largest gain at any angle from alpha_0 on."""
    off_axis_db = max_gain_beyond_dbi(pattern, avoidance_deg) - gain_dbi(pattern, 0.0)
    return pfd_max_dbw_m2 + 10.0 * math.log10(satellites_in_use) + off_axis_db


def condition_2(epfd_dbw_m2: NDArray[np.float64], limit_dbw_m2: float) -> NDArray[np.bool_]:
    """Where epfd(down) [n] exceeds the threshold; a level that is not known does not."""
    return np.asarray(epfd_dbw_m2 > limit_dbw_m2)


def conditions(first: bool, second: bool | None) -> Condition:
    """Bit mask; ``second`` None: epfd cannot be evaluated, only condition 1 counts (Resolution 85).

    Coordination is required where both bits are set.
    """
    code = Condition.LARGE_STATION if first else Condition.NONE
    if second is None:
        return code | Condition.EPFD if first else code
    return code | Condition.EPFD if second else code


# --- on a grid ----------------------------------------------------------------------------------------------


_BLOCK_PX = 512
# The bound is found for elevations in steps of this size, and for angles from the wanted satellite in such
# steps near it and in larger ones beyond. It holds for whole steps: they cost sharpness, not validity.
_STEP_DEG, _FAR_STEP_DEG, _NEAR_DEG = 0.05, 0.5, 10.0


class Judgement(NamedTuple):
    """What does not depend on the location.

    ``limit_dbw_m2`` None: Appendix 5 has none at the frequency, and the bound is NaN. ``bound_dbw_m2`` [k] at
    elevations of k steps: what is between is interpolated linearly, and -inf where no space station can be
    in use.
    """

    frequency_mhz: float
    overlap: bool
    large_station: bool
    band: EpfdBand | None
    limit_dbw_m2: float | None
    bound_dbw_m2: NDArray[np.float64]


def judge(systems: Systems, limits: CoordinationLimits) -> Judgement:
    """Condition 1, and what condition 2 is compared with, at a common frequency in a band of Appendix 5."""
    station, system = systems.station, systems.system
    frequency_mhz, overlap = _frequency_mhz(systems, limits)
    band = epfd_band(frequency_mhz, limits) if overlap else None
    if band is not None and system.reference_khz != band.reference_khz:
        raise InputError(
            "power flux-density in another bandwidth than the threshold",
            row="system.reference_khz",
            value=system.reference_khz,
            allowed=f"{band.reference_khz:g} kHz at {frequency_mhz:g} MHz",
        )
    large = condition_1(
        frequency_mhz,
        StationFigures(station.gain_dbi, station.g_over_t_dbk, station.bandwidth_mhz),
        limits,
        overlap=overlap,
    )
    pattern = pattern_segments("S.1428", frequency_mhz, gain_dbi=station.gain_dbi)
    bound = bound_by_elevation(system, pattern)
    if band is None:
        return Judgement(frequency_mhz, overlap, large, None, None, np.full(bound.size, np.nan))
    limit_dbw_m2 = epfd_limit_dbw_m2(band, system.altitudes_km, limits)
    return Judgement(frequency_mhz, overlap, large, band, limit_dbw_m2, bound)


def _frequency_mhz(systems: Systems, limits: CoordinationLimits) -> tuple[float, bool]:
    """A common frequency, in a band of condition 1 if any is, half a reference bandwidth above the lowest."""
    low_mhz, high_mhz = systems.common_mhz
    if low_mhz >= high_mhz:
        return systems.station.frequency_mhz, False
    for band in limits.condition_1:
        first_mhz, last_mhz = max(low_mhz, band.from_mhz), min(high_mhz, band.to_mhz)
        if first_mhz < last_mhz:
            return first_mhz + 0.5 * min(1e-3 * systems.system.reference_khz, last_mhz - first_mhz), True
    return 0.5 * (low_mhz + high_mhz), True


def bound_by_elevation(system: NonGeostationarySystem, pattern: Segments) -> NDArray[np.float64]:
    """Bound of epfd(down) [k] where the wanted satellite is k steps above the horizon, up to the zenith.

    Each value holds from one step below to one step above, so that interpolation holds everywhere. -inf where
    no space station in use can be far enough from the wanted satellite.
    """
    near_deg = np.arange(system.avoidance_deg, _NEAR_DEG, _STEP_DEG)
    far_deg = np.arange(max(system.avoidance_deg, _NEAR_DEG), 180.0, _FAR_STEP_DEG)
    phi_deg = np.concatenate([near_deg, far_deg, [180.0]])
    middle_deg = _STEP_DEG * np.arange(round(90.0 / _STEP_DEG) + 1)
    bound = np.full(middle_deg.size, -np.inf)
    for start_deg, end_deg in pairwise(phi_deg):
        around_deg = end_deg + _STEP_DEG
        pfd = largest_pfd_dbw_m2(system, middle_deg - around_deg, middle_deg + around_deg)
        off_axis = epfd_bound_dbw_m2(0.0, system.satellites_in_use, start_deg, pattern)
        bound = np.maximum(bound, pfd + off_axis)
    return bound


def run(
    systems: Systems, judgement: Judgement, grid: Grid, wanted: NDArray[np.bool_], *, threads: int = 1
) -> xr.Dataset:
    """Layers ``epfd_max`` and ``cond`` [y, x], nodata where not ``wanted`` or the satellite is not seen."""
    epfd = empty_values("rr97ab_epfd_max", wanted.shape)
    code = empty_values("rr97ab_cond", wanted.shape)
    station = systems.station

    def block(rows: slice, cols: slice, wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
        if not wanted.any():
            return np.empty(0)
        lon_deg, lat_deg = (values[wanted] for values in grid.lonlat_deg(rows, cols))
        seen_deg = np.empty(lon_deg.size)
        _elevations(lon_deg, lat_deg, station.satellite_longitude_deg, seen_deg)
        return seen_deg

    blocks = map_blocks(block, wanted.shape, _BLOCK_PX, threads, cut=(wanted,), name="RR 9.7A, 9.7B")
    for rows, cols, seen_deg in blocks:
        levels, codes = _judged(judgement, seen_deg, station.min_elevation_deg)
        epfd[rows, cols][wanted[rows, cols]] = levels
        code[rows, cols][wanted[rows, cols]] = codes
    reference = "" if judgement.band is None else f"/{judgement.band.reference_khz:g} kHz"
    return xr.Dataset(
        {
            "epfd_max": make_layer("rr97ab_epfd_max", epfd, grid, {"reference": reference}),
            "cond": make_layer("rr97ab_cond", code, grid),
        }
    )


@kernel
def _elevations(
    lon_deg: NDArray[np.float64],
    lat_deg: NDArray[np.float64],
    satellite_deg: float,
    seen_deg: NDArray[np.float64],
) -> None:
    for i in range(lon_deg.size):
        seen_deg[i] = elevation_deg(cosine_of_arc(lon_deg[i], lat_deg[i], satellite_deg))


def bound_at(judgement: Judgement, seen_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound where the wanted satellite is at elevations [n]."""
    steps = _STEP_DEG * np.arange(judgement.bound_dbw_m2.size)
    return np.interp(seen_deg, steps, judgement.bound_dbw_m2)


def _judged(
    judgement: Judgement, seen_deg: NDArray[np.float64], min_elevation_deg: float
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Bound (rounded up) and code at locations [n] by the elevation of the wanted satellite."""
    large, limit_dbw_m2 = judgement.large_station, judgement.limit_dbw_m2
    bound = bound_at(judgement, seen_deg)
    if limit_dbw_m2 is None:
        code = np.full(bound.size, conditions(large, None), np.uint8)
    else:
        unmet, met = conditions(large, False), conditions(large, True)
        code = np.where(condition_2(bound, limit_dbw_m2), np.uint8(met), np.uint8(unmet))
    there = seen_deg >= min_elevation_deg
    known = there & np.isfinite(bound)
    nowhere = np.uint8(raster_of("rr97ab_cond").nodata)
    return to_float32(np.where(known, bound, np.nan), "ceil"), np.where(there, code, nowhere)
