"""Whether a comment on a request under Nos. 9.7A or 9.7B includes or excludes a system or station.

Rows 9.7A and 9.7B of Table 1 of the report: conditions 1 and 2 both, and only these; before 2017 condition 1
alone. A bound of the epfd that stays at or below the limit proves that condition 2 is not met; one above it
proves nothing and is left to a manual review.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from pipeline.config.coordination import EpfdCase
from pipeline.coordination.rr97.epfd import Judgement
from pipeline.coordination.rr97.systems import Systems
from pipeline.coordination.rr941.appendix5 import CoordinationLimits
from pipeline.coordination.rr941.decision import Outcome, deadline

_BUREAU = "Radiocommunication Bureau, through SpaceCom"
_CONDITION_1_ONLY = "CONDITION_1_ONLY"


class LargeStationDecision(NamedTuple):
    """Outcome and reason, the tests in their order (None: not reached), flags, the last day for comments.

    ``epfd_dbw_m2`` what condition 2 was judged by; ``unverified_limit``: the outcome rests on a limit that is
    quoted from memory.
    """

    outcome: Outcome
    reason: str
    tests: dict[str, bool | None]
    flags: tuple[str, ...]
    deadline: date
    epfd_dbw_m2: float | None
    unverified_limit: bool


class _Step(NamedTuple):
    """What follows for inclusion and exclusion if a test fails."""

    test: str
    holds: bool
    include: tuple[Outcome, str]
    exclude: tuple[Outcome, str]


def decide_large_station(
    case: EpfdCase,
    systems: Systems,
    judgement: Judgement,
    limits: CoordinationLimits,
    epfd_dbw_m2: float | None,
) -> LargeStationDecision:
    """The decision; ``epfd_dbw_m2`` by what ``case.epfd`` says, None where Appendix 5 has no limit."""
    last_day = deadline(case.ific_date, round(limits.comment_months.value))
    inclusion = case.kind == "inclusion"
    if inclusion and case.request_received < limits.first_date and case.admin_identified:
        return LargeStationDecision(
            "not_include", "ADMIN_ALREADY_IDENTIFIED", {}, (), last_day, epfd_dbw_m2, False
        )
    tests: dict[str, bool | None] = {}
    for step in _steps(case, systems, judgement, limits, last_day):
        tests[step.test] = step.holds
        if not step.holds:
            outcome, reason = step.include if inclusion else step.exclude
            return LargeStationDecision(outcome, reason, tests, (), last_day, epfd_dbw_m2, False)
    if (case.examined_on or case.comment_received) < limits.both_conditions_since:
        met: tuple[Outcome, str] = ("include", "OK") if inclusion else ("keep", "CONDITION_1_MET")
        return LargeStationDecision(*met, tests, (_CONDITION_1_ONLY,), last_day, None, False)
    outcome, reason, above = _by_epfd(case, judgement, epfd_dbw_m2)
    tests["condition_2"] = above
    unverified = judgement.band is not None and not judgement.band.verified
    return LargeStationDecision(outcome, reason, tests, (), last_day, epfd_dbw_m2, unverified)


def _steps(
    case: EpfdCase, systems: Systems, judgement: Judgement, limits: CoordinationLimits, last_day: date
) -> Iterator[_Step]:
    """The tests before condition 2, in the order in which they are asked."""
    yield _Step("in_time", case.comment_received <= last_day, ("not_include", "LATE"), ("keep", "LATE"))
    listed = case.already_identified == (case.kind == "exclusion")
    yield _Step(
        "listed", listed, ("not_applicable", "ALREADY_IDENTIFIED"), ("not_applicable", "NOT_IDENTIFIED")
    )
    missing = "NO_CALCULATION"
    yield _Step("supplied", case.calculation_supplied, ("not_include", missing), ("keep", missing))
    apart = "NO_FREQ_OVERLAP"
    yield _Step("overlap", judgement.overlap, ("not_include", apart), ("exclude", apart))
    bands = [row for row in limits.condition_1 if row.from_mhz <= judgement.frequency_mhz <= row.to_mhz]
    uncovered = "BAND_NOT_COVERED"
    yield _Step("band", bool(bands), ("not_include", uncovered), ("exclude", uncovered))
    station = systems.station
    short = [
        name
        for name, holds in (
            ("gain", any(station.gain_dbi >= row.gain_dbi for row in bands)),
            ("gt", any(station.g_over_t_dbk >= row.g_over_t_dbk for row in bands)),
            ("bandwidth", any(station.bandwidth_mhz >= row.bandwidth_mhz for row in bands)),
        )
        if not holds
    ]
    small = f"NOT_VERY_LARGE:{'/'.join(short)}"
    yield _Step("very_large", judgement.large_station, ("not_include", small), ("exclude", small))


def _by_epfd(
    case: EpfdCase, judgement: Judgement, epfd_dbw_m2: float | None
) -> tuple[Outcome, str, bool | None]:
    """Condition 2; strictly above the limit counts. Without a limit or a value a person has to look."""
    if judgement.limit_dbw_m2 is None or epfd_dbw_m2 is None:
        return "manual_review", "NO_EPFD", None
    above = epfd_dbw_m2 > judgement.limit_dbw_m2
    if above and case.epfd == "bound":
        return "manual_review", "EPFD_BOUND_ONLY", None
    if case.kind == "inclusion":
        return ("include", "OK", True) if above else ("not_include", "BELOW_LIMIT", False)
    return ("keep", "ABOVE_LIMIT", True) if above else ("exclude", "OK", False)


def parties(case: EpfdCase, systems: Systems) -> dict[str, object]:
    """Who has notified, who comments and to whom, and what is asked for (Table 1, rows 9.7A and 9.7B)."""
    station, system = systems.station, systems.system
    notified, concerned = (station, system) if systems.provision == "9.7A" else (system, station)
    kinds = ("earth station", "non-geostationary system")
    what = kinds if systems.provision == "9.7A" else kinds[::-1]
    inclusion = case.kind == "inclusion"
    return {
        "notifying": {"adm": notified.adm, "name": notified.name, "notified": what[0]},
        "concerned": {"adm": concerned.adm, "name": concerned.name, "existing": what[1]},
        "commenting": (concerned if inclusion else notified).adm,
        "addressee": [(notified if inclusion else concerned).adm, _BUREAU],
    }


def decision_record(case: EpfdCase, systems: Systems, decision: LargeStationDecision) -> dict[str, object]:
    """The decision as plain data."""
    return {
        "provision": f"{systems.provision}/9.41",
        "kind": case.kind,
        "parties": parties(case, systems),
        "tests": decision.tests,
        "epfd": case.epfd,
        "epfd_dbw_m2": None if decision.epfd_dbw_m2 == -math.inf else decision.epfd_dbw_m2,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "flags": list(decision.flags),
        "deadline": decision.deadline.isoformat(),
        "unverified_limit": decision.unverified_limit,
    }
