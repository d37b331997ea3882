"""A comparison of two geostationary networks on the territory: delta-T/T both ways, decision, documents."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import map_blocks
from pipeline.config.base import Sourced
from pipeline.config.config import Config
from pipeline.config.coordination import Comparison
from pipeline.coordination.rr941.appendix5 import CoordinationLimits, read_arcs, read_limits
from pipeline.coordination.rr941.decision import (
    PairResult,
    Peaks,
    decide,
    decision_document,
    pair_labels,
    pair_results,
    peaks,
)
from pipeline.coordination.rr941.interference import (
    Interference,
    PointValues,
    Problem,
    interference,
    largest_dts_k,
    prepare,
    remarks,
)
from pipeline.coordination.rr941.networks import Networks, read_networks, reversed_networks, warnings
from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import empty_values, layer_file, make_layer, raster_names, raster_of
from pipeline.quantise import to_float32
from pipeline.territory.codes import Surface
from pipeline.territory.rasters import CheckedTerritory

# --- RR No. 9.41 on a grid ----------------------------------------------------------------------------------


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


# --- files of a comparison ----------------------------------------------------------------------------------


class ComparisonFiles(NamedTuple):
    """Layers (band, y, x) and documents, each by the name of its file, and the tags of the layers."""

    layers: dict[str, xr.DataArray]
    tags: dict[str, str]
    documents: dict[str, dict[str, object]]


def compare(comparison: Comparison, surface: xr.DataArray, *, threads: int) -> ComparisonFiles:
    """Compare two networks on the land of the territory; remarks go to the standard error output."""
    networks, limits = _read_comparison(comparison)
    for line in notes(networks, limits):
        print(f"channelmaps: {line}", file=sys.stderr)
    grid, wanted = surface.attrs["grid"], surface.values == Surface.HOME
    maps = run(networks, limits, grid, wanted, threads=threads)
    documents = _documents_of(comparison, networks, limits, maps, grid, wanted)
    names = {name: layer_file(f"rr941_{name}", case=comparison.id) for name in RR941_LAYERS}
    layers = {file: maps.layers[name] for name, file in names.items()}
    return ComparisonFiles(layers, layer_tags(comparison, limits, documents), documents)


def _read_comparison(comparison: Comparison) -> tuple[Networks, CoordinationLimits]:
    """Networks and numbers of a comparison, refused if the pairs cannot be numbered."""
    networks, limits = read_networks(comparison.networks), read_limits(comparison.limits)
    read_arcs(comparison.arcs)
    if comparison.min_elevation_deg is not None:
        chosen = Sourced(
            value=comparison.min_elevation_deg, source="set in the territory file", verified=True
        )
        limits = limits.model_copy(update={"min_elevation_deg": chosen})
    if (count := len(prepare(networks, limits).pairs)) >= NO_PAIR:
        raise InputError(
            "too many overlapping pairs of assignments",
            file=comparison.networks,
            value=count,
            allowed=f"fewer than {NO_PAIR}; divide the assignments among several files",
        )
    return networks, limits


def notes(networks: Networks, limits: CoordinationLimits) -> list[str]:
    """What a user should know about a comparison, one line each."""
    return [*warnings(networks), *remarks(prepare(networks, limits))]


def _documents_of(
    comparison: Comparison,
    networks: Networks,
    limits: CoordinationLimits,
    maps: ComparisonMaps,
    grid: Grid,
    wanted: NDArray[np.bool_],
) -> dict[str, dict[str, object]]:
    """Decision and numbers of the pairs, by the names of their files."""
    decision = decide(comparison.case, networks, maps.results, read_arcs(comparison.arcs), limits)
    document = decision_document(
        comparison.case, networks, decision, limits, limits_file=comparison.limits, arcs_file=comparison.arcs
    )
    document["territory"] = _territory(maps, grid, wanted)
    pairs: dict[str, object] = {
        "bands": [_band(way, problem) for way, problem in zip(WAYS, maps.problems, strict=True)]
    }
    return {
        layer_file("rr941_decision", case=comparison.id): document,
        layer_file("rr941_pairs", case=comparison.id): pairs,
    }


def _territory(maps: ComparisonMaps, grid: Grid, wanted: NDArray[np.bool_]) -> dict[str, object]:
    """Where the threshold is exceeded, by true area."""
    area_km2 = grid.area_km2().astype(np.float64)
    total_km2 = float(area_km2[wanted].sum())
    shares = {
        way: 100.0 * float(area_km2[maps.layers["exceeds"].values[band] == 1].sum()) / max(total_km2, 1e-9)
        for band, way in enumerate(WAYS)
    }
    return {
        "crs": grid.crs,
        "resolution_m": grid.resolution_m,
        "pixels": int(wanted.sum()),
        "area_km2": round(total_km2, 3),
        "share_above_threshold_pct": {way: round(share, 4) for way, share in shares.items()},
    }


def _band(way: str, problem: Problem) -> dict[str, object]:
    """A band of the layers: who is the victim, the numbers of its pairs, and what was left out."""
    networks = problem.networks
    return {
        "band": way,
        "victim": f"{networks.victim.adm} {networks.victim.name}",
        "interferer": f"{networks.interferer.adm} {networks.interferer.name}",
        "pairs": pair_labels(problem),
        "left_out": [skipped._asdict() for skipped in problem.skipped],
    }


def layer_tags(
    comparison: Comparison, limits: CoordinationLimits, documents: dict[str, dict[str, object]]
) -> dict[str, str]:
    """Method and open numbers of the layers."""
    unverified = documents[layer_file("rr941_decision", case=comparison.id)]["unverified"]
    assert isinstance(unverified, list)
    return {
        "method": f"RR Appendix 8, {limits.method.value}",
        "threshold_pct": f"{limits.threshold_pct.value:g}",
        "edition": comparison.case.edition,
        "unverified": ", ".join(str(entry["key"]) for entry in unverified),
    }


def check(config: Config, _: CheckedTerritory) -> Iterator[str]:
    """Read networks and numbers of every comparison; lines of the report."""
    for comparison in config.coordination.rr941:
        networks, limits = _read_comparison(comparison)
        both = f"{networks.interferer.name} into {networks.victim.name}"
        yield f"  RR 9.41       {both}: {len(prepare(networks, limits).pairs)} pairs of assignments"
        for line in notes(networks, limits):
            yield f"  remark        {comparison.networks}: {line}"
