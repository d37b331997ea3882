"""Epfd(down) of a non-geostationary system by simulation in time, over the territory, beside its bound."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import map_blocks
from pipeline.config.coordination import EpfdSimulation
from pipeline.coordination.rr97.epfd import Judgement, bound_at
from pipeline.coordination.rr97.epfd_in_time import epfd_in_time, receiver_at
from pipeline.coordination.rr97.systems import Systems
from pipeline.coordination.rr941.antenna_patterns import pattern_segments
from pipeline.coordination.rr941.geometry import cosine_of_arc, elevation_deg
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import make_layer
from pipeline.quantise import to_float32

_Array = NDArray[np.float64]

DISTRIBUTION_COLUMNS = ("epfd_dbw_m2", "worst_pct", "mean_pct")
_BIN_DB = 0.1
# From the largest epfd that all stations together could give down by 250 dB: below lies only "no station".
_BINS = 2500


class Simulation(NamedTuple):
    """What a simulation found, each step in time with the highest epfd that may occur in it.

    ``layers``: ``epfd_simulated`` and ``exceedance`` [y, x]. ``levels_dbw_m2`` [k] falling by 0.1 dB;
    ``worst_pct`` and ``mean_pct`` [k] of the time in which the epfd is above them, at the place where that is
    longest and in the mean of ``places``. ``largest_dbw_m2`` at ``place_deg`` (lon, lat): -inf, no station
    was ever in use; None, no place sees the wanted satellite. ``exceedance_pct`` is None without a limit,
    too.
    """

    layers: xr.Dataset
    levels_dbw_m2: _Array
    worst_pct: _Array
    mean_pct: _Array
    largest_dbw_m2: float | None
    exceedance_pct: float | None
    place_deg: tuple[float, float] | None
    places: int


class _Square(NamedTuple):
    """What was found at the place (lon, lat) of a square; ``shares`` [k] of time in bins of levels, in %."""

    place_deg: tuple[float, float]
    largest_dbw_m2: float
    exceedance_pct: float
    shares_pct: _Array


def simulate(
    systems: Systems,
    judgement: Judgement,
    grid: Grid,
    wanted: NDArray[np.bool_],
    settings: EpfdSimulation,
    *,
    threads: int = 1,
) -> Simulation:
    """Simulate at a wanted pixel of each square of ``spacing_km``, which stands for the square."""
    pattern = pattern_segments("S.1428", judgement.frequency_mhz, gain_dbi=systems.station.gain_dbi)
    top_dbw_m2 = _largest_possible_dbw_m2(systems)
    block_px = max(1, round(1e3 * settings.spacing_km / grid.resolution_m))

    def square(rows: slice, cols: slice, wanted: NDArray[np.bool_]) -> _Square | None:
        place = _place_deg(grid, rows, cols, wanted)
        if place is None or _elevation_deg(place, systems) < systems.station.min_elevation_deg:
            return None
        receiver = receiver_at(*place, systems.station.satellite_longitude_deg)
        course = epfd_in_time(receiver, systems.system, pattern, 3600.0 * settings.hours)
        levels = np.minimum(course.highest_dbw_m2, _bound_dbw_m2(place, systems, judgement))
        return _square(place, levels, course.lengths_s, judgement.limit_dbw_m2, top_dbw_m2)

    found: list[_Square] = []
    largest, exceedance = np.full((2, *wanted.shape), np.nan)
    for rows, cols, result in map_blocks(square, wanted.shape, block_px, threads, cut=(wanted,), name="epfd"):
        if result is not None:
            found.append(result)
            here = wanted[rows, cols]
            largest[rows, cols][here] = result.largest_dbw_m2
            exceedance[rows, cols][here] = result.exceedance_pct
    return _simulation(found, top_dbw_m2, _layers(largest, exceedance, grid, judgement))


def _largest_possible_dbw_m2(systems: Systems) -> float:
    """All stations in use in the beam at the largest power flux-density of the mask, at a step of 0.1 dB."""
    pfd_dbw_m2 = max(point.pfd_dbw_m2 for point in systems.system.pfd_mask)
    return math.ceil((pfd_dbw_m2 + 10.0 * math.log10(systems.system.satellites_in_use)) / _BIN_DB) * _BIN_DB


def _place_deg(grid: Grid, rows: slice, cols: slice, wanted: NDArray[np.bool_]) -> tuple[float, float] | None:
    """The wanted pixel nearest to the middle of a block, lon and lat in degrees."""
    at = np.argwhere(wanted)
    if not at.size:
        return None
    middle = 0.5 * (np.array(wanted.shape) - 1.0)
    row, col = at[np.argmin(((at - middle) ** 2).sum(axis=1))]
    row, col = rows.start + row, cols.start + col
    lon_deg, lat_deg = grid.lonlat_deg(slice(row, row + 1), slice(col, col + 1))
    return float(lon_deg[0, 0]), float(lat_deg[0, 0])


def _elevation_deg(place_deg: tuple[float, float], systems: Systems) -> float:
    return elevation_deg(cosine_of_arc(*place_deg, systems.station.satellite_longitude_deg))


def _bound_dbw_m2(place_deg: tuple[float, float], systems: Systems, judgement: Judgement) -> float:
    """The bound without time, which no epfd exceeds; without a band of Appendix 5 there is none."""
    bound = float(bound_at(judgement, np.array([_elevation_deg(place_deg, systems)]))[0])
    return math.inf if math.isnan(bound) else bound


def _square(
    place_deg: tuple[float, float],
    levels: _Array,
    lengths_s: _Array,
    limit_dbw_m2: float | None,
    top_dbw_m2: float,
) -> _Square:
    """What steps in time come to by the highest levels that may occur in them."""
    shares_pct = 100.0 * lengths_s / lengths_s.sum()
    above_pct = math.nan if limit_dbw_m2 is None else float(shares_pct[levels > limit_dbw_m2].sum())
    there = np.isfinite(levels)
    bins = np.floor((top_dbw_m2 - levels[there]) / _BIN_DB).astype(np.intp)
    counted = np.bincount(np.clip(bins, 0, _BINS - 1), weights=shares_pct[there], minlength=_BINS)
    return _Square(place_deg, float(levels.max()), above_pct, counted.astype(np.float64))


def _layers(largest: _Array, exceedance: _Array, grid: Grid, judgement: Judgement) -> xr.Dataset:
    reference = "" if judgement.band is None else f"/{judgement.band.reference_khz:g} kHz"
    values = {"epfd_simulated": np.where(np.isfinite(largest), largest, np.nan), "exceedance": exceedance}
    return xr.Dataset(
        {
            name: make_layer(f"rr97ab_{name}", to_float32(array, "ceil"), grid, {"reference": reference})
            for name, array in values.items()
        }
    )


def _simulation(found: list[_Square], top_dbw_m2: float, layers: xr.Dataset) -> Simulation:
    """Distributions down to the last level at which they still change."""
    if not found:
        nothing = np.empty(0)
        return Simulation(layers, nothing, nothing, nothing, None, None, None, 0)
    above_pct = np.cumsum(np.array([square.shares_pct for square in found]), axis=1)
    worst = max(found, key=lambda square: square.largest_dbw_m2)
    changes = np.flatnonzero(np.diff(above_pct.sum(axis=0), prepend=0.0))
    kept = slice(changes[0], changes[-1] + 1) if changes.size else slice(0)
    return Simulation(
        layers,
        np.asarray(top_dbw_m2 - _BIN_DB * (np.arange(_BINS) + 1.0), np.float64)[kept],
        above_pct.max(axis=0)[kept],
        above_pct.mean(axis=0)[kept],
        worst.largest_dbw_m2,
        None if math.isnan(found[0].exceedance_pct) else max(square.exceedance_pct for square in found),
        worst.place_deg,
        len(found),
    )


def distribution_rows(simulation: Simulation) -> Iterator[dict[str, object]]:
    """Rows of the table of the distribution."""
    columns = (simulation.levels_dbw_m2, simulation.worst_pct, simulation.mean_pct)
    for level, worst, mean in zip(*columns, strict=True):
        yield {"epfd_dbw_m2": f"{level:.1f}", "worst_pct": f"{worst:.6g}", "mean_pct": f"{mean:.6g}"}
