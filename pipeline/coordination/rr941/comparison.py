"""A comparison of two geostationary networks: what it reads, its decision and its documents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.config.base import Sourced
from pipeline.config.config import Config
from pipeline.config.coordination import Comparison
from pipeline.coordination.rr941.appendix5 import CoordinationLimits, read_arcs, read_limits
from pipeline.coordination.rr941.decision import decide, decision_document, pair_labels
from pipeline.coordination.rr941.interference import Problem, prepare, remarks
from pipeline.coordination.rr941.networks import Networks, read_networks, warnings
from pipeline.coordination.rr941.rr941_maps import NO_PAIR, WAYS, ComparisonMaps
from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_file
from pipeline.territory.rasters import CheckedTerritory


def read_comparison(comparison: Comparison) -> tuple[Networks, CoordinationLimits]:
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


def documents_of(
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
        networks, limits = read_comparison(comparison)
        both = f"{networks.interferer.name} into {networks.victim.name}"
        yield f"  RR 9.41       {both}: {len(prepare(networks, limits).pairs)} pairs of assignments"
        for line in notes(networks, limits):
            yield f"  remark        {comparison.networks}: {line}"
