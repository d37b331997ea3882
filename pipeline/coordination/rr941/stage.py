"""Stage rr941: two geostationary networks on the territory and the decision under RR No. 9.41.

Input: the networks and the case of the configuration, ``territory/surface.tif``. Output for every comparison:
``public/rr941_*.tif`` (rr941.md, section 9; a band for each way), ``public/rr941_argpair.json`` and
``internal/rr941_decision.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.base import Sourced
from pipeline.config.coordination import Comparison
from pipeline.config.load import load_config
from pipeline.coordination import file_names as files
from pipeline.coordination.rr941.appendix5 import CoordinationLimits, read_arcs, read_limits
from pipeline.coordination.rr941.decision import decide
from pipeline.coordination.rr941.decision_document import decision_document, pair_labels
from pipeline.coordination.rr941.interference import Problem, prepare, remarks
from pipeline.coordination.rr941.networks import Networks, read_networks, warnings
from pipeline.coordination.rr941.rr941_maps import NO_PAIR, RR941_LAYERS, WAYS, ComparisonMaps, run
from pipeline.errors import InputError
from pipeline.files import json_bytes, write_together
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.hashing import file_sha256, json_hash, plain, source_hash
from pipeline.territory.codes import Surface


def main(config_path: Path, build: Path, *, threads: int = 1) -> None:
    """Compute and write the files of every comparison, if there are any."""
    config = load_config(config_path)
    if not config.coordination.rr941:
        return
    surface_path = build / "territory" / "surface.tif"
    surface = raster.read(surface_path)
    wanted = surface.values == Surface.HOME
    for comparison in config.coordination.rr941:
        networks, limits = read_comparison(comparison)
        for line in notes(networks, limits):
            print(f"channelmaps: {line}", file=sys.stderr)
        maps = run(networks, limits, surface.attrs["grid"], wanted, threads=threads)
        documents = documents_of(comparison, networks, limits, maps, surface.attrs["grid"], wanted)
        own = [plain(comparison), file_sha256(surface_path), source_hash(__name__)]
        tags = _tags(comparison, limits, documents) | {"hash": json_hash(own), "notice": config.notice}
        for name in RR941_LAYERS:
            path = build / files.rr941_layer(comparison, name)
            raster.write(path, maps.layers[name], tags=tags, publish=True)
        write_together({build / name: json_bytes(content) for name, content in documents.items()})


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
    return {files.rr941_decision(comparison): document, files.rr941_pairs(comparison): pairs}


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


def _tags(
    comparison: Comparison, limits: CoordinationLimits, documents: dict[str, dict[str, object]]
) -> dict[str, str]:
    """Method and open numbers of the layers."""
    unverified = documents[files.rr941_decision(comparison)]["unverified"]
    assert isinstance(unverified, list)
    return {
        "method": f"RR Appendix 8, {limits.method.value}",
        "threshold_pct": f"{limits.threshold_pct.value:g}",
        "edition": comparison.case.edition,
        "unverified": ", ".join(str(entry["key"]) for entry in unverified),
    }
