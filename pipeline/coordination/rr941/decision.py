"""Whether an administration is included in, or excluded from, a coordination request (RR No. 9.41).

Inclusion follows Table 2 of the report: one pair of assignments above the threshold suffices. Exclusion
follows the Rule of Procedure on Nos. 9.41 and 9.42: no pair of all overlapping ones may be above it.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date
from typing import Literal, NamedTuple

from pipeline.config.coordination import Case
from pipeline.coordination.rr941.appendix5 import (
    ITEM_WITHOUT_ARC,
    Arc,
    ArcTable,
    CoordinationLimits,
    find_arc,
)
from pipeline.coordination.rr941.geometry import geocentric_angle_deg
from pipeline.coordination.rr941.networks import Networks
from pipeline.coordination.rr941.pairs import AssignmentPair

_Outcome = Literal["include", "not_include", "exclude", "keep", "not_applicable"]
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
    "OLD_REGIME",
    "NO_FREQ_OVERLAP",
]


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
    """A pair with its item of Table 5-1."""

    result: PairResult
    arc: Arc
    inside_arc: bool


class Criteria(NamedTuple):
    """The four columns of Table 2."""

    in_time: bool
    arc_band: bool
    supplied: bool
    exceeds: bool


class CoordinationDecision(NamedTuple):
    """What follows, with the reason, the four tests, and the last day for comments."""

    outcome: _Outcome
    reason: _Reason
    tests: Criteria
    deadline: date
    findings: tuple[PairFinding, ...]


def deadline(ific_date: date, months: int = 4) -> date:
    """The same day that many calendar months later, or the last day of that month."""
    month = ific_date.month - 1 + months
    year, month = ific_date.year + month // 12, month % 12 + 1
    return date(year, month, min(ific_date.day, calendar.monthrange(year, month)[1]))


def include_by_table(tests: Criteria, *, claimed_crc_error: bool = False) -> tuple[_Outcome, _Reason]:
    """Table 2: include only if all four hold; else the first test that fails.

    In a band without coordination arc a network above the threshold that the published list misses is left to
    a manual review, if an error is claimed; it is never included automatically.
    """
    if not tests.in_time:
        return "not_include", "LATE"
    if not tests.arc_band:
        review = claimed_crc_error and tests.supplied and tests.exceeds
        return "not_include", "EXCEPTIONAL_REVIEW" if review else "NOT_ARC_BAND"
    if not tests.supplied:
        return "not_include", "NO_CALCULATION"
    return ("include", "OK") if tests.exceeds else ("not_include", "BELOW_THRESHOLD")


def exclude_by_rule(tests: Criteria) -> tuple[_Outcome, _Reason]:
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
    findings = tuple(_finding(case, networks, result, arcs) for result in counted)
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
        outcome, reason = _old_regime(case, limits) or exclude_by_rule(tests)
    return CoordinationDecision(outcome, reason, tests, last_day, findings)


def _finding(case: Case, networks: Networks, result: PairResult, arcs: ArcTable) -> PairFinding:
    low_mhz, high_mhz = result.pair.overlap_mhz
    arc = find_arc(
        arcs,
        edition=case.edition,
        frequency_mhz=0.5 * (low_mhz + high_mhz),
        region=case.region,
        services=(case.victim_service, case.interferer_service),
    )
    apart_deg = geocentric_angle_deg(networks.victim.longitude_deg, networks.interferer.longitude_deg, 0.0)
    return PairFinding(result, arc, arc.arc_deg is not None and apart_deg <= arc.arc_deg)


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
) -> tuple[_Outcome, _Reason] | None:
    """Cases that Table 2 is not asked about."""
    if old := _old_regime(case, limits):
        return old
    if case.already_identified:
        return "not_applicable", "ALREADY_IDENTIFIED"
    if any(finding.inside_arc for finding in findings):
        return "not_applicable", "ALREADY_REQUIRED_9_7"
    return None if findings else ("not_include", "NO_FREQ_OVERLAP")


def _old_regime(case: Case, limits: CoordinationLimits) -> tuple[_Outcome, _Reason] | None:
    return ("not_applicable", "OLD_REGIME") if case.request_received < limits.first_date else None
