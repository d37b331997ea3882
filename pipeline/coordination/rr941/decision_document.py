"""Content of rr941_decision.json: every input, what was found, what was decided, and what is not verified."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import TypeAdapter

from pipeline.config.base import Sourced
from pipeline.config.coordination import Case
from pipeline.coordination.rr941.appendix5 import COORDINATION_ARCS, COORDINATION_LIMITS, CoordinationLimits
from pipeline.coordination.rr941.decision import CoordinationDecision, PairFinding, PairResult
from pipeline.coordination.rr941.interference import Interference, PointValues, Problem
from pipeline.coordination.rr941.networks import Networks


class Peaks(NamedTuple):
    """Largest delta-T/T of each pair over some locations, float64 [pairs], and lon/lat of its location.

    NaN as longitude: the pair has no location among them.
    """

    percent: PointValues
    lon_deg: PointValues
    lat_deg: PointValues


def peaks(found: Interference, lon_deg: PointValues, lat_deg: PointValues) -> Peaks:
    """What remains of the interference at locations [n] for the decision."""
    nowhere = found.pair_location < 0
    if nowhere.all():
        unknown = np.full(nowhere.size, np.nan)
        return Peaks(np.zeros(nowhere.size), unknown, unknown)
    location = np.where(nowhere, 0, found.pair_location)
    return Peaks(
        np.where(nowhere, 0.0, found.pair_max_pct),
        np.where(nowhere, np.nan, lon_deg[location]),
        np.where(nowhere, np.nan, lat_deg[location]),
    )


def pair_results(problem: Problem, parts: Iterable[Peaks], *, reverse: bool = False) -> list[PairResult]:
    """Largest value of each pair over all parts of the territory; the first of equal ones counts."""
    best = [PairResult(pair, reverse, 0.0, math.nan, math.nan) for pair in problem.pairs]
    for part in parts:
        for number, (percent, lon_deg, lat_deg) in enumerate(zip(*part, strict=True)):
            old = best[number]
            if not math.isnan(lon_deg) and (percent > old.max_pct or math.isnan(old.lon_deg)):
                best[number] = old._replace(
                    max_pct=float(percent), lon_deg=float(lon_deg), lat_deg=float(lat_deg)
                )
    return best


def decision_document(
    case: Case,
    networks: Networks,
    decision: CoordinationDecision,
    limits: CoordinationLimits,
    *,
    limits_file: Path = COORDINATION_LIMITS,
    arcs_file: Path = COORDINATION_ARCS,
) -> dict[str, object]:
    """Plain data for JSON; numbers that nothing gave are null. The files are named beside their numbers."""
    evidence = list(_evidence(decision, limits, limits_file, arcs_file))
    worst = max(decision.findings, key=lambda f: f.result.max_pct, default=None)
    return {
        "inputs": {
            "case": TypeAdapter(Case).dump_python(case, mode="json"),
            "networks": TypeAdapter(Networks).dump_python(networks, mode="json", exclude_none=True),
        },
        "edition": case.edition,
        "method": limits.method.value,
        "threshold_pct": limits.threshold_pct.value,
        "max_pct": None if worst is None else worst.result.max_pct,
        "max_at": None if worst is None else _place(worst.result),
        "max_pair": None if worst is None else _names(worst),
        "tests": decision.tests._asdict(),
        "decision": decision.outcome,
        "reason": decision.reason,
        "deadline": decision.deadline.isoformat(),
        "pairs": [_pair(finding) for finding in decision.findings],
        "evidence": evidence,
        "unverified": [entry for entry in evidence if not entry["verified"]],
    }


def pair_labels(problem: Problem) -> list[dict[str, object]]:
    """What the numbers of rr941_argpair stand for, for the file beside the raster."""
    return [
        {"pair": i, "direction": p.direction, "victim": p.victim.id, "interferer": p.interferer.id}
        for i, p in enumerate(problem.pairs)
    ]


def _names(finding: PairFinding) -> dict[str, object]:
    pair = finding.result.pair
    return {
        "victim": pair.victim.id,
        "interferer": pair.interferer.id,
        "direction": pair.direction,
        "reverse": finding.result.reverse,
    }


def _place(result: PairResult) -> dict[str, float] | None:
    if math.isnan(result.lon_deg):
        return None
    return {"lon_deg": result.lon_deg, "lat_deg": result.lat_deg}


def _pair(finding: PairFinding) -> dict[str, object]:
    return {
        **_names(finding),
        "max_pct": finding.result.max_pct,
        "max_at": _place(finding.result),
        "item": finding.arc.item,
        "arc_deg": finding.arc.arc_deg,
        "inside_arc": finding.inside_arc,
    }


def _evidence(
    decision: CoordinationDecision, limits: CoordinationLimits, limits_file: Path, arcs_file: Path
) -> Iterator[dict[str, object]]:
    """Every number of the tables that the decision rests on, once, with its source."""
    yield _entry(limits_file, "method", limits.method.value, limits.method.source, limits.method.verified)
    for name in ("threshold_pct", "min_elevation_deg", "comment_months"):
        number: Sourced = getattr(limits, name)
        yield _entry(limits_file, name, number.value, number.source, number.verified)
    divisors = {f.result.pair.divisor for f in decision.findings} - {None}
    for divisor in sorted((d for d in divisors if d is not None), key=lambda d: d.value):
        yield _entry(limits_file, "polarisation_divisor", divisor.value, divisor.source, divisor.verified)
    for arc in sorted({f.arc for f in decision.findings if f.arc.arc_deg is not None}):
        yield _entry(arcs_file, f"item {arc.item}", arc.arc_deg, arc.source, arc.verified)


def _entry(file: Path, key: str, value: object, source: str, verified: bool) -> dict[str, object]:
    return {"file": file.name, "key": key, "value": value, "source": source, "verified": verified}
