"""Whether an administration is included in, or excluded from, a coordination request (RR No. 9.41).

Inclusion follows Table 2 of the report: one pair of assignments above the threshold suffices. Exclusion
follows the Rule of Procedure on Nos. 9.41 and 9.42: no pair of all overlapping ones may be above it. The
document has every input, what was found, what was decided, and what is not verified.
"""

from __future__ import annotations

import calendar
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import TypeAdapter

from pipeline.config.base import Sourced
from pipeline.config.coordination import Case
from pipeline.coordination.rr941.appendix5 import (
    COORDINATION_ARCS,
    COORDINATION_LIMITS,
    ITEM_WITHOUT_ARC,
    Arc,
    ArcTable,
    CoordinationLimits,
    arcs_of_parts,
)
from pipeline.coordination.rr941.geometry import geocentric_angle_deg
from pipeline.coordination.rr941.interference import Interference, PointValues, Problem
from pipeline.coordination.rr941.networks import AssignmentPair, Networks
from pipeline.coordination.rr941.plan_bands import PlanBand, outside_plans, read_plan_bands

# --- the decision -------------------------------------------------------------------------------------------


Outcome = Literal["include", "not_include", "exclude", "keep", "not_applicable", "manual_review"]
_Reason = Literal[
    "OK",
    "LATE",
    "NOT_ARC_BAND",
    "NO_CALCULATION",
    "BELOW_THRESHOLD",
    "ABOVE_THRESHOLD",
    "EXCEPTIONAL_REVIEW",
    "ALREADY_REQUIRED_9_7",
    "ALREADY_IDENTIFIED",
    "ADMIN_ALREADY_IDENTIFIED",
    "NO_FREQ_OVERLAP",
    "PLAN_BAND",
]


_REMARKS = {
    "NOT_ARC_BAND": "claim a possible error of the CR/C (claimed_crc_error) to have it reviewed",
    "EXCEPTIONAL_REVIEW": "note 2 of Table 2: the Bureau may be asked to look at the published list again",
    "ADMIN_ALREADY_IDENTIFIED": "before 1 January 2013 the list of networks was for information only",
    "PLAN_BAND": "No. 9.7 does not apply to services and bands of Appendices 30, 30A and 30B",
}


class PairResult(NamedTuple):
    """Largest delta-T/T of a pair over all locations; ``reverse``: the requester interferes.

    ``lon_deg``, ``lat_deg`` of that location, NaN where the pair has no location.
    """

    pair: AssignmentPair
    reverse: bool
    max_pct: float
    lon_deg: float
    lat_deg: float


class PairFinding(NamedTuple):
    """A pair with its items of Table 5-1: ``arc`` the one that counts, ``items`` of all parts of the overlap.

    ``in_plan``: all that the two share is in a band of a Plan, and the pair is left out.
    """

    result: PairResult
    arc: Arc
    inside_arc: bool
    items: tuple[str, ...] = ()
    in_plan: bool = False


class Criteria(NamedTuple):
    """The four columns of Table 2."""

    in_time: bool
    arc_band: bool
    supplied: bool
    exceeds: bool


class CoordinationDecision(NamedTuple):
    """What follows, with the reason, the four tests, and the last day for comments."""

    outcome: Outcome
    reason: _Reason
    tests: Criteria
    deadline: date
    findings: tuple[PairFinding, ...]


def deadline(ific_date: date, months: int = 4) -> date:
    """The same day that many calendar months later, or the last day of that month."""
    month = ific_date.month - 1 + months
    year, month = ific_date.year + month // 12, month % 12 + 1
    return date(year, month, min(ific_date.day, calendar.monthrange(year, month)[1]))


def include_by_table(tests: Criteria, *, claimed_crc_error: bool = False) -> tuple[Outcome, _Reason]:
    """Table 2: include only if all four hold; else the first test that fails.

    In a band without coordination arc a network above the threshold that the published list misses is left to
    a manual review, if an error is claimed (note 2); it is never included automatically.
    """
    if not tests.in_time:
        return "not_include", "LATE"
    if not tests.arc_band:
        if claimed_crc_error and tests.supplied and tests.exceeds:
            return "manual_review", "EXCEPTIONAL_REVIEW"
        return "not_include", "NOT_ARC_BAND"
    if not tests.supplied:
        return "not_include", "NO_CALCULATION"
    return ("include", "OK") if tests.exceeds else ("not_include", "BELOW_THRESHOLD")


def exclude_by_rule(tests: Criteria) -> tuple[Outcome, _Reason]:
    """Exclude only if in time, supplied and no overlapping pair above the threshold."""
    if not tests.in_time:
        return "keep", "LATE"
    if not tests.supplied:
        return "keep", "NO_CALCULATION"
    return ("keep", "ABOVE_THRESHOLD") if tests.exceeds else ("exclude", "OK")


def decide(
    case: Case, networks: Networks, results: Sequence[PairResult], arcs: ArcTable, limits: CoordinationLimits
) -> CoordinationDecision:
    """The decision on a comment from the largest delta-T/T of every overlapping pair.

    ``networks``: victim = the requester's network, interferer = the published one. Reversed results are left
    out unless ``both_ways``. Inclusion counts the pairs in bands with a coordination arc, if there are any.
    """
    counted = [r for r in results if case.both_ways or not r.reverse]
    plans = read_plan_bands()
    all_findings = tuple(_finding(case, networks, result, arcs, plans) for result in counted)
    findings = tuple(finding for finding in all_findings if not finding.in_plan)
    last_day = deadline(case.ific_date, round(limits.comment_months.value))
    if case.kind == "inclusion":
        in_arc_bands = [f for f in findings if f.arc.item != ITEM_WITHOUT_ARC]
        tests = _tests(case, last_day, in_arc_bands or list(findings), bool(in_arc_bands), limits)
        outcome, reason = _precheck(case, findings, limits) or include_by_table(
            tests, claimed_crc_error=case.claimed_crc_error
        )
    else:
        arc_band = any(f.arc.item != ITEM_WITHOUT_ARC for f in findings)
        tests = _tests(case, last_day, findings, arc_band, limits)
        outcome, reason = exclude_by_rule(tests)
    if all_findings and not findings and reason in ("NO_FREQ_OVERLAP", "OK"):
        outcome, reason = "not_applicable", "PLAN_BAND"
    return CoordinationDecision(outcome, reason, tests, last_day, all_findings)


def _finding(
    case: Case, networks: Networks, result: PairResult, arcs: ArcTable, plans: Sequence[PlanBand]
) -> PairFinding:
    services = (case.victim_service, case.interferer_service)
    parts = outside_plans(
        plans, result.pair.overlap_mhz, region=case.region, direction=result.pair.direction, services=services
    )
    kept = parts or [result.pair.overlap_mhz]
    found = arcs_of_parts(
        arcs,
        kept,
        edition=case.edition,
        region=case.region,
        services=services,
        received=case.request_received,
    )
    apart_deg = geocentric_angle_deg(networks.victim.longitude_deg, networks.interferer.longitude_deg, 0.0)
    # Any part inside an arc counts, then any in a band that has one.
    widest = max(found, key=lambda arc: -1.0 if arc.arc_deg is None else arc.arc_deg)
    inside = widest.arc_deg is not None and apart_deg <= widest.arc_deg
    return PairFinding(result, widest, inside, tuple(arc.item for arc in found), not parts)


def _tests(
    case: Case, last_day: date, findings: Sequence[PairFinding], arc_band: bool, limits: CoordinationLimits
) -> Criteria:
    return Criteria(
        in_time=case.comment_received <= last_day,
        arc_band=arc_band,
        supplied=case.calculation_supplied,
        exceeds=any(f.result.max_pct > limits.threshold_pct.value for f in findings),
    )


def _precheck(
    case: Case, findings: Sequence[PairFinding], limits: CoordinationLimits
) -> tuple[Outcome, _Reason] | None:
    """Cases that Table 2 is not asked about."""
    if case.request_received < limits.first_date and case.admin_identified:
        # The list of networks was for information: its administration takes part already.
        return "not_include", "ADMIN_ALREADY_IDENTIFIED"
    if case.already_identified:
        return "not_applicable", "ALREADY_IDENTIFIED"
    if any(finding.inside_arc for finding in findings):
        return "not_applicable", "ALREADY_REQUIRED_9_7"
    return None if findings else ("not_include", "NO_FREQ_OVERLAP")


# --- largest values of the pairs, and the document ----------------------------------------------------------


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
    counted = [finding for finding in decision.findings if not finding.in_plan]
    worst = max(counted, key=lambda f: f.result.max_pct, default=None)
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
        "remark": _REMARKS.get(decision.reason),
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
        "items": list(finding.items),
        "left_out": "PLAN_BAND" if finding.in_plan else None,
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
    arcs = {f.arc for f in decision.findings if f.arc.arc_deg is not None or not f.arc.verified}
    for arc in sorted(arcs, key=lambda arc: (arc.item, arc.arc_deg or 0.0)):
        yield _entry(arcs_file, f"item {arc.item}", arc.arc_deg, arc.source, arc.verified)


def _entry(file: Path, key: str, value: object, source: str, verified: bool) -> dict[str, object]:
    return {"file": file.name, "key": key, "value": value, "source": source, "verified": verified}
