"""Decisions on comments under Nos. 9.7A and 9.7B: each row of the table of tests, in its order."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError
from test_rr97ab_maps import LIMITS, systems

from pipeline.config.coordination import EpfdCase
from pipeline.coordination.rr97.epfd import judge
from pipeline.coordination.rr97.epfd_document import _decided
from pipeline.coordination.rr97.large_station_decision import decide_large_station, decision_record, parties

CASE = {
    "kind": "inclusion",
    "request_received": date(2020, 6, 1),
    "ific_date": date(2020, 10, 13),
    "comment_received": date(2021, 2, 13),
    "calculation_supplied": True,
    "epfd": "given",
    "epfd_dbw_m2": -170.0,
}
SMALL = {"station__gain_dbi": 63.99}
APART = {"system__from_mhz": 11400.0}
NO_BAND = {"station__frequency_mhz": 15000.0, "system__to_mhz": 16000.0}
OLD = {"request_received": date(2012, 12, 31)}
LATE = {"comment_received": date(2021, 2, 14)}


def decided(case, epfd, **changes):
    both = systems(**changes)
    known = EpfdCase.model_validate(CASE | case)
    return decide_large_station(known, both, judge(both, LIMITS), LIMITS, epfd)


# Limit at 11.2 GHz, low constellation: -174.5 dB(W/m2/40 kHz), not verified.
@pytest.mark.parametrize(
    ("case", "changes", "epfd", "inclusion", "exclusion"),
    [
        ({}, {}, -170.0, ("include", "OK"), ("keep", "ABOVE_LIMIT")),
        # Strictly above.
        ({}, {}, -174.5, ("not_include", "BELOW_LIMIT"), ("exclude", "OK")),
        ({}, {}, -174.49, ("include", "OK"), ("keep", "ABOVE_LIMIT")),
        (LATE, {}, -170.0, ("not_include", "LATE"), ("keep", "LATE")),
        (
            {"calculation_supplied": False},
            {},
            -170.0,
            ("not_include", "NO_CALCULATION"),
            ("keep", "NO_CALCULATION"),
        ),
        ({}, APART, -170.0, ("not_include", "NO_FREQ_OVERLAP"), ("exclude", "NO_FREQ_OVERLAP")),
        ({}, NO_BAND, -170.0, ("not_include", "BAND_NOT_COVERED"), ("exclude", "BAND_NOT_COVERED")),
        ({}, SMALL, -170.0, ("not_include", "NOT_VERY_LARGE:gain"), ("exclude", "NOT_VERY_LARGE:gain")),
        (
            {},
            {"station__g_over_t_dbk": 43.9, "station__bandwidth_mhz": 249.0},
            -170.0,
            ("not_include", "NOT_VERY_LARGE:gt/bandwidth"),
            ("exclude", "NOT_VERY_LARGE:gt/bandwidth"),
        ),
        # A bound at or below the limit proves something, one above it does not.
        (
            {"epfd": "bound", "epfd_dbw_m2": None},
            {},
            -188.526,
            ("not_include", "BELOW_LIMIT"),
            ("exclude", "OK"),
        ),
        (
            {"epfd": "bound", "epfd_dbw_m2": None},
            {},
            -146.0,
            ("manual_review", "EPFD_BOUND_ONLY"),
            ("manual_review", "EPFD_BOUND_ONLY"),
        ),
        ({"epfd": "simulation", "epfd_dbw_m2": None}, {}, -146.0, ("include", "OK"), ("keep", "ABOVE_LIMIT")),
        # Before 2017 condition 1 alone counted.
        ({"examined_on": date(2016, 12, 31)}, {}, -200.0, ("include", "OK"), ("keep", "CONDITION_1_MET")),
        ({"examined_on": date(2017, 1, 1)}, {}, -200.0, ("not_include", "BELOW_LIMIT"), ("exclude", "OK")),
        # The first test that fails is the reason.
        (LATE | {"calculation_supplied": False}, SMALL, -170.0, ("not_include", "LATE"), ("keep", "LATE")),
        (
            {"calculation_supplied": False},
            APART,
            -170.0,
            ("not_include", "NO_CALCULATION"),
            ("keep", "NO_CALCULATION"),
        ),
        (OLD, {}, -170.0, ("include", "OK"), ("keep", "ABOVE_LIMIT")),
    ],
)
def test_first_test_that_fails_is_the_reason(case, changes, epfd, inclusion, exclusion):
    found = decided(case, epfd, **changes)
    assert (found.outcome, found.reason) == inclusion
    assert found.deadline == date(2021, 2, 13)
    found = decided(case | {"kind": "exclusion", "already_identified": True}, epfd, **changes)
    assert (found.outcome, found.reason) == exclusion


def test_list_of_the_request_is_asked_first():
    assert decided({"already_identified": True}, -170.0).reason == "ALREADY_IDENTIFIED"
    found = decided({"kind": "exclusion"}, -170.0)
    assert (found.outcome, found.reason) == ("not_applicable", "NOT_IDENTIFIED")
    # Before WRC-12 the administration counted.
    found = decided(OLD | {"admin_identified": True}, -170.0)
    assert (found.outcome, found.reason) == ("not_include", "ADMIN_ALREADY_IDENTIFIED")
    assert decided({"admin_identified": True}, -170.0).outcome == "include"


def test_outcome_says_whether_it_rests_on_a_limit_from_memory():
    assert decided({}, -170.0).unverified_limit
    assert not decided({}, -170.0, **SMALL).unverified_limit
    found = decided({"examined_on": date(2016, 1, 1)}, None)
    assert (found.flags, found.unverified_limit) == (("CONDITION_1_ONLY",), False)


@pytest.mark.parametrize(
    ("provision", "kind", "notifying", "commenting", "addressee"),
    [
        ("9.7A", "inclusion", "ARS", "F", "ARS"),
        ("9.7A", "exclusion", "ARS", "ARS", "F"),
        ("9.7B", "inclusion", "F", "ARS", "F"),
        ("9.7B", "exclusion", "F", "F", "ARS"),
    ],
)
def test_parties_by_row_of_table_1(provision, kind, notifying, commenting, addressee):
    both = systems().model_copy(update={"provision": provision})
    case = EpfdCase.model_validate(CASE | {"kind": kind})
    found = parties(case, both)
    assert found["notifying"]["adm"] == notifying
    assert found["commenting"] == commenting
    assert found["addressee"][0] == addressee
    record = decision_record(
        case, both, decide_large_station(case, both, judge(both, LIMITS), LIMITS, -170.0)
    )
    assert record["provision"] == f"{provision}/9.41"
    assert record["deadline"] == "2021-02-13"


@pytest.mark.parametrize(
    "wrong", [{"epfd": "given", "epfd_dbw_m2": None}, {"epfd": "bound"}, {"ific_date": date(2022, 1, 1)}]
)
def test_case_that_contradicts_itself_is_refused(wrong):
    with pytest.raises(ValidationError):
        EpfdCase.model_validate(CASE | wrong)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"epfd": "simulation", "epfd_dbw_m2": None}, "NO_EPFD"),
        ({"epfd_dbw_m2": None, "epfd": "bound"}, "EPFD_BOUND_ONLY"),
    ],
)
def test_a_bound_stands_in_for_no_simulation(case, reason):
    """Where a simulation found no place that sees the satellite neither `include` nor `keep` may come out."""
    both = systems()
    decided_on = EpfdCase.model_validate(CASE | case)
    found = _decided(decided_on, both, judge(both, LIMITS), LIMITS, -140.0)
    assert (found["outcome"], found["reason"]) == ("manual_review", reason)
