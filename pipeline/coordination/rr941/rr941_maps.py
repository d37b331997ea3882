"""RR No. 9.41 on a grid: delta-T/T between two networks at every location of the territory, both ways."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import map_blocks
from pipeline.coordination.rr941.appendix5 import CoordinationLimits
from pipeline.coordination.rr941.decision import PairResult, Peaks, pair_results, peaks
from pipeline.coordination.rr941.interference import (
    Interference,
    PointValues,
    Problem,
    interference,
    largest_dts_k,
    prepare,
)
from pipeline.coordination.rr941.networks import Networks, reversed_networks
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import empty_values, make_layer, raster_names, raster_of
from pipeline.quantise import to_float32

_BLOCK_PX = 512
NO_PAIR = int(raster_of("rr941_argpair").nodata)
RR941_LAYERS = raster_names("rr941")
# Victim and interferer of the file are the requester's and the published network.
WAYS = ("published into requester", "requester into published")


class ComparisonMaps(NamedTuple):
    """Layers (band, y, x) with the two ways as bands, the largest value of every pair, what was computed."""

    layers: xr.Dataset
    results: list[PairResult]
    problems: tuple[Problem, Problem]


def run(
    networks: Networks, limits: CoordinationLimits, grid: Grid, wanted: NDArray[np.bool_], *, threads: int = 1
) -> ComparisonMaps:
    """Compare two networks at the pixel centres where ``wanted`` [y, x].

    The transponder method adds the largest delta-Ts over all wanted locations, the service area of the
    interferer as far as it is known here.
    """
    problems = prepare(networks, limits), prepare(reversed_networks(networks), limits)
    area_dts_k = [_area_dts_k(problem, grid, wanted, threads) for problem in problems]
    shape = (len(WAYS), *wanted.shape)
    values = {name: empty_values(f"rr941_{name}", shape) for name in RR941_LAYERS}
    found: tuple[list[Peaks], list[Peaks]] = ([], [])

    def block(
        rows: slice, cols: slice, inside: NDArray[np.bool_]
    ) -> list[tuple[dict[str, NDArray[Any]], Peaks]]:
        lon_deg, lat_deg = _locations(grid, inside, rows, cols)
        parts = []
        for problem, dts_k in zip(problems, area_dts_k, strict=True):
            part = interference(problem, lon_deg, lat_deg, area_dts_k=dts_k)
            parts.append((_stored(part), peaks(part, lon_deg, lat_deg)))
        return parts

    blocks = map_blocks(block, wanted.shape, _BLOCK_PX, threads, cut=(wanted,), name="RR 9.41")
    for rows, cols, parts in blocks:
        inside = wanted[rows, cols]
        for way, (layers, highest) in enumerate(parts):
            found[way].append(highest)
            for name, layer in layers.items():
                values[name][way, rows, cols][inside] = layer
    results = [r for way in (0, 1) for r in pair_results(problems[way], found[way], reverse=way == 1)]
    return ComparisonMaps(_labelled(values, grid), results, problems)


def _locations(
    grid: Grid, inside: NDArray[np.bool_], rows: slice, cols: slice
) -> tuple[PointValues, PointValues]:
    """Longitude and latitude [n] of the pixels ``inside`` [y, x] of a block."""
    if not inside.any():
        return np.empty(0), np.empty(0)
    lon_deg, lat_deg = grid.lonlat_deg(rows, cols)
    return lon_deg[inside], lat_deg[inside]


def _area_dts_k(problem: Problem, grid: Grid, wanted: NDArray[np.bool_], threads: int) -> list[float]:
    """For each transponder of the victim the largest delta-Ts [K] over all wanted locations."""
    if not problem.transponders:
        return []

    def block(rows: slice, cols: slice, inside: NDArray[np.bool_]) -> list[float]:
        return largest_dts_k(problem, [_locations(grid, inside, rows, cols)])

    parts = map_blocks(block, wanted.shape, _BLOCK_PX, threads, cut=(wanted,), name="RR 9.41, transponders")
    return [max(values) for values in zip(*(part for _, _, part in parts), strict=True)]


def _stored(found: Interference) -> dict[str, NDArray[Any]]:
    """Layers as stored, rounded conservatively: percentages never down, angles never up."""
    return {
        "dtt_down": to_float32(found.down_pct, "ceil"),
        "dtt_up": to_float32(found.up_pct, "ceil"),
        "dtt_transponder": to_float32(found.transponder_pct, "ceil"),
        "exceeds": found.exceeds,
        "argpair": np.where(found.pair < 0, NO_PAIR, found.pair).astype(np.uint16),
        "theta_t": to_float32(found.angle_deg, "floor"),
        "elev": found.elevation_deg.astype(np.float32),
    }


def _labelled(values: dict[str, NDArray[Any]], grid: Grid) -> xr.Dataset:
    layers = {name: make_layer(f"rr941_{name}", stored, grid, bands=WAYS) for name, stored in values.items()}
    return xr.Dataset(layers)
