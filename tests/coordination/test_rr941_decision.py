"""Table 2, exclusion, deadlines, coordination arcs and the decision document, case by case."""

import itertools
import json
from datetime import date

import numpy as np
import pytest
from satellites import case_a, case_b

from pipeline.config.coordination import Case
from pipeline.coordination.rr941.appendix5 import find_arc, read_arcs, read_limits
from pipeline.coordination.rr941.decision import (
    Criteria,
    deadline,
    decide,
    decision_document,
    exclude_by_rule,
    include_by_table,
    pair_labels,
    pair_results,
    peaks,
)
from pipeline.coordination.rr941.interference import interference, prepare
from pipeline.coordination.rr941.networks import Networks, reversed_networks
from pipeline.errors import InputError

LIMITS, ARCS = read_limits(), read_arcs()
CASE = {
    "kind": "inclusion",
    "edition": "WRC15",
    "region": 3,
    "request_received": date(2020, 6, 1),
    "ific_date": date(2020, 10, 13),
    "comment_received": date(2021, 2, 13),
    "calculation_supplied": True,
}


@pytest.mark.parametrize("tests", list(itertools.product([True, False], repeat=4)))
def test_all_sixteen_rows_of_table_2(tests):
    in_time, arc_band, supplied, exceeds = tests
    expected = ("include", "OK")
    for holds, reason in (
        (exceeds, "BELOW_THRESHOLD"),
        (supplied, "NO_CALCULATION"),
        (arc_band, "NOT_ARC_BAND"),
        (in_time, "LATE"),
    ):
        if not holds:
            expected = ("not_include", reason)
    assert include_by_table(Criteria(*tests)) == expected


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ((True, False, True, True), "EXCEPTIONAL_REVIEW"),
        ((True, False, True, False), "NOT_ARC_BAND"),
        ((True, False, False, True), "NOT_ARC_BAND"),
        ((False, False, True, True), "LATE"),
    ],
)
def test_claimed_error_leads_to_a_review_never_to_inclusion(tests, reason):
    outcome = "manual_review" if reason == "EXCEPTIONAL_REVIEW" else "not_include"
    assert include_by_table(Criteria(*tests), claimed_crc_error=True) == (outcome, reason)


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ((True, True, True, False), ("exclude", "OK")),
        ((True, False, True, False), ("exclude", "OK")),
        ((True, True, True, True), ("keep", "ABOVE_THRESHOLD")),
        ((True, True, False, False), ("keep", "NO_CALCULATION")),
        ((False, True, True, False), ("keep", "LATE")),
    ],
)
def test_exclusion_needs_all_pairs_at_or_below_the_threshold(tests, expected):
    assert exclude_by_rule(Criteria(*tests)) == expected


@pytest.mark.parametrize(
    ("published", "last"),
    [
        ("2020-10-13", "2021-02-13"),
        ("2020-10-31", "2021-02-28"),
        ("2023-10-31", "2024-02-29"),
        ("2020-08-31", "2020-12-31"),
        ("2021-01-30", "2021-05-30"),
        ("2021-09-01", "2022-01-01"),
    ],
)
def test_deadline_is_four_calendar_months(published, last):
    assert deadline(date.fromisoformat(published)) == date.fromisoformat(last)


@pytest.mark.parametrize(
    ("mhz", "region", "services", "old", "new"),
    [
        (3400, 1, "FSS FSS", ("1", 8), ("1", 7)),
        (4200, 2, "FSS FSS", ("1", 8), ("1", 7)),
        (5800, 1, "FSS FSS", ("1", 8), ("1", 7)),
        (5800, 2, "FSS FSS", ("9", None), ("9", None)),
        (7050, 3, "FSS FSS", ("1", 8), ("1", 7)),
        (4300, 1, "FSS FSS", ("9", None), ("9", None)),
        (4000, 1, "FSS BSS", ("9", None), ("9", None)),
        (11000, 1, "FSS BSS", ("2", 7), ("2", 6)),
        (12300, 3, "BSS FSS", ("2", 7), ("2", 6)),
        (12300, 1, "FSS FSS", ("9", None), ("9", None)),
        (12000, 2, "FSS FSS", ("2", 7), ("2", 6)),
        (12600, 2, "FSS FSS", ("9", None), ("9", None)),
        (12720, 2, "FSS FSS", ("2", 7), ("2", 6)),
        (14000, 3, "FSS FSS", ("2", 7), ("2", 6)),
        (14600, 3, "FSS FSS", ("9", None), ("2", 6)),
        (13500, 1, "FSS FSS", ("9", None), ("2bis", 6)),
        (13500, 3, "FSS FSS", ("9", None), ("9", None)),
        (17500, 1, "FSS FSS", ("3", 8), ("3", 8)),
        (17500, 3, "FSS FSS", ("7", 8), ("7", 8)),
        (28000, 2, "FSS FSS", ("3", 8), ("3", 8)),
        (20000, 2, "MSS FSS", ("3", 8), ("3", 8)),
        (19000, 2, "MSS FSS", ("9", None), ("9", None)),
        (17500, 1, "BSS FSS", ("4", 8), ("4", 8)),
        (17500, 3, "BSS FSS", ("8", 16), ("8", 16)),
        (17750, 2, "FSS BSS", ("5", 8), ("5", 8)),
        (18200, 2, "FSS METSAT", ("6", 8), ("6", 8)),
        (18350, 2, "FSS METSAT", ("9", None), ("9", None)),
        (21500, 1, "BSS BSS", ("6bis", 12), ("6bis", 12)),
        (21500, 2, "BSS BSS", ("8", 16), ("8", 16)),
        (18000, 1, "BSS BSS", ("8", 16), ("8", 16)),
        (40000, 2, "FSS FSS", ("7", 8), ("7", 8)),
        (40000, 2, "FSS BSS", ("8", 16), ("8", 16)),
        (17300, 3, "FSS FSS", ("9", None), ("9", None)),
        (1600, 1, "MSS MSS", ("9", None), ("9", None)),
    ],
)
def test_item_and_arc_by_band_region_services_and_edition(mhz, region, services, old, new):
    for edition, expected in (("WRC12", old), ("WRC15", new)):
        arc = find_arc(
            ARCS,
            edition=edition,
            frequency_mhz=mhz,
            region=region,
            services=tuple(services.split()),
            received=date(2013, 1, 1),
        )
        assert (arc.item, arc.arc_deg) == expected


@pytest.mark.parametrize(("received", "expected"), [("2012-12-31", ("8", 16)), ("2013-01-01", ("6bis", 12))])
def test_item_6bis_holds_for_requests_from_2013_on(received, expected):
    content = case_b()
    for role in ("victim", "interferer"):
        content[role]["assignments"] = [
            {**a, "frequency_mhz": 21500.0} for a in content[role]["assignments"] if a["direction"] == "down"
        ]
    services = {"victim_service": "BSS", "interferer_service": "BSS", "edition": "WRC12", "region": 1}
    _, _, decision = decided(content, request_received=date.fromisoformat(received), **services)
    (finding,) = decision.findings
    assert (finding.arc.item, finding.arc.arc_deg) == expected


def decided(content, **changes):
    networks = Networks.model_validate(content)
    place = (np.array([46.7, 60.0]), np.array([24.7, 10.0]))
    case = Case.model_validate({**CASE, **changes})
    results = []
    for reverse, oriented in ((False, networks), (True, reversed_networks(networks))):
        problem = prepare(oriented, LIMITS)
        results += pair_results(problem, [peaks(interference(problem, *place), *place)], reverse=reverse)
    return case, networks, decide(case, networks, results, ARCS, LIMITS)


@pytest.mark.parametrize(
    ("content", "changes", "expected"),
    [
        # 8.5 degrees apart: outside the arc of 6 degrees.
        (case_b(), {}, ("include", "OK")),
        (case_a(), {}, ("not_include", "BELOW_THRESHOLD")),
        (case_b(), {"comment_received": date(2021, 2, 14)}, ("not_include", "LATE")),
        (case_b(), {"calculation_supplied": False}, ("not_include", "NO_CALCULATION")),
        # No item of Table 5-1 holds FSS and MSS in these bands.
        (case_b(), {"victim_service": "MSS"}, ("not_include", "NOT_ARC_BAND")),
        (
            case_b(),
            {"victim_service": "MSS", "claimed_crc_error": True},
            ("manual_review", "EXCEPTIONAL_REVIEW"),
        ),
        (case_b(), {"request_received": date(2012, 12, 31)}, ("include", "OK")),
        (
            case_b(),
            {"request_received": date(2012, 12, 31), "admin_identified": True},
            ("not_include", "ADMIN_ALREADY_IDENTIFIED"),
        ),
        (case_b(), {"admin_identified": True}, ("include", "OK")),
        (
            case_a(),
            {"kind": "exclusion", "request_received": date(2012, 12, 31), "admin_identified": True},
            ("exclude", "OK"),
        ),
        (case_b(), {"request_received": date(2013, 1, 1)}, ("include", "OK")),
        (case_b(), {"already_identified": True}, ("not_applicable", "ALREADY_IDENTIFIED")),
        (case_b(), {"kind": "exclusion"}, ("keep", "ABOVE_THRESHOLD")),
        (case_a(), {"kind": "exclusion"}, ("exclude", "OK")),
        (case_a(), {"kind": "exclusion", "calculation_supplied": False}, ("keep", "NO_CALCULATION")),
        (case_a(), {"kind": "exclusion", "comment_received": date(2021, 2, 14)}, ("keep", "LATE")),
    ],
)
def test_decisions_on_two_networks(content, changes, expected):
    _, _, decision = decided(content, **changes)
    assert (decision.outcome, decision.reason) == expected
    assert decision.deadline == date(2021, 2, 13)


def test_network_inside_the_arc_needs_no_9_41():
    content = case_b()
    # 7 degrees: inside the arc before WRC-15 (<= 7), outside after it (6).
    content["interferer"]["longitude_deg"] = 49.0
    assert decided(content, edition="WRC12")[2].reason == "ALREADY_REQUIRED_9_7"
    assert decided(content, edition="WRC15")[2].reason == "OK"
    content["interferer"]["longitude_deg"] = 48.0
    assert decided(content, edition="WRC15")[2].reason == "ALREADY_REQUIRED_9_7"


def test_networks_without_common_frequencies_are_not_included():
    content = case_b()
    for entry in content["interferer"]["assignments"]:
        entry["frequency_mhz"] += 500.0
    decision = decided(content)[2]
    assert (decision.outcome, decision.reason) == ("not_include", "NO_FREQ_OVERLAP")


def test_other_orientation_counts_only_if_asked_for():
    content = case_a()
    # The requester's power only: interference into the published network rises by 20 dB.
    for entry in content["victim"]["assignments"]:
        entry["power_density_dbw_hz"] += 20.0
    assert decided(content)[2].reason == "BELOW_THRESHOLD"
    assert decided(content, both_ways=True)[2].reason == "OK"


def test_pair_outside_the_arc_bands_does_not_count_beside_one_inside():
    content = case_a()
    # A down-link at 13.0 GHz, in no band of Table 5-1, far above the threshold.
    for role in ("victim", "interferer"):
        strong = {**content[role]["assignments"][0], "id": "strong", "frequency_mhz": 13000.0}
        strong.update(power_density_dbw_hz=-30.0)
        strong.pop("transmission_gain_db", None)
        content[role]["assignments"].append(strong)
        content[role]["assignments"][0].pop("transmission_gain_db", None)
    decision = decided(content)[2]
    assert (decision.outcome, decision.reason) == ("not_include", "BELOW_THRESHOLD")
    assert decided(content, kind="exclusion")[2].reason == "ABOVE_THRESHOLD"


def test_unknown_or_disordered_dates_are_refused(tmp_path):
    from pipeline.config.load import read_model

    path = tmp_path / "case.yaml"
    lines = [
        f"{key}: {str(value).lower() if isinstance(value, bool) else value}" for key, value in CASE.items()
    ]
    path.write_text("\n".join(lines))
    assert read_model(path, Case) == Case.model_validate(CASE)
    for wrong in (
        "ific_date: unknown",
        "ific_date: 1602547200",
        "ific_date:",
        "other: 1",
        "ific_date: 2021-03-01",
    ):
        key = wrong.split(":")[0]
        path.write_text("\n".join([line for line in lines if not line.startswith(key)] + [wrong]))
        with pytest.raises(InputError, match=r"case\.yaml"):
            read_model(path, Case)
    path.write_text("\n".join(line for line in lines if not line.startswith("comment_received")))
    with pytest.raises(InputError, match="comment_received"):
        read_model(path, Case)


def test_document_holds_inputs_result_and_what_is_not_verified():
    case, networks, decision = decided(case_b())
    document = decision_document(case, networks, decision, LIMITS)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert (document["decision"], document["reason"], document["edition"]) == ("include", "OK", "WRC15")
    assert document["deadline"] == "2021-02-13"
    assert document["tests"] == {"in_time": True, "arc_band": True, "supplied": True, "exceeds": True}
    assert document["max_pct"] == pytest.approx(max(f.result.max_pct for f in decision.findings))
    assert document["max_at"] in ({"lon_deg": 46.7, "lat_deg": 24.7}, {"lon_deg": 60.0, "lat_deg": 10.0})
    assert document["inputs"]["case"]["ific_date"] == "2020-10-13"
    assert document["inputs"]["networks"]["victim"]["assignments"][0]["id"] == "d1"
    # The arc of item 2 after WRC-15 and the method of AP8 were quoted from memory; the 6 % were not.
    assert {entry["key"] for entry in document["unverified"]} == {"method", "item 2"}


def test_pair_numbers_are_explained():
    labels = pair_labels(prepare(Networks.model_validate(case_a()), LIMITS))
    assert labels == [
        {"pair": 0, "direction": "down", "victim": "d1", "interferer": "d2"},
        {"pair": 1, "direction": "up", "victim": "u1", "interferer": "u2"},
    ]


def test_services_that_no_row_names_are_not_verified():
    facts = {"edition": "WRC15", "frequency_mhz": 1600.0, "region": 1, "received": date(2020, 1, 1)}
    assert not find_arc(ARCS, services=("MSS", "BSS"), **facts).verified
    assert find_arc(ARCS, services=("FSS", "FSS"), **facts).verified
    assert not find_arc(ARCS, services=("BSS", "BSS"), **{**facts, "frequency_mhz": 18000.0}).verified


@pytest.mark.parametrize(
    ("centre_mhz", "region", "items", "reason"),
    [
        # Item 2 on either side of 12.5 GHz in Region 3.
        (12500.0, 3, ("2",), "ALREADY_REQUIRED_9_7"),
        # Around 4200 MHz: item 1 below, none above; a part inside the arc counts.
        (4200.0, 1, ("1", "9"), "ALREADY_REQUIRED_9_7"),
        (4250.0, 1, ("9",), "NOT_ARC_BAND"),
    ],
)
def test_overlap_across_rows_is_judged_by_its_parts(centre_mhz, region, items, reason):
    content = case_b()
    content["interferer"]["longitude_deg"] = content["victim"]["longitude_deg"] + 5.0
    for role in ("victim", "interferer"):
        (down,) = [a for a in content[role]["assignments"] if a["direction"] == "down"]
        down.pop("transmission_gain_db", None)
        down.update(frequency_mhz=centre_mhz, bandwidth_khz=36000.0)
        content[role]["assignments"] = [down]
    decision = decided(content, region=region)[2]
    assert decision.findings[0].items == items
    assert decision.reason == reason


@pytest.mark.parametrize(
    ("centre_mhz", "region", "service", "left_out"),
    [
        (10800.0, 1, "FSS", True),
        (11300.0, 3, "FSS", True),
        (11300.0, 3, "BSS", False),
        (12000.0, 1, "BSS", True),
        (12000.0, 3, "BSS", True),
        (12400.0, 3, "BSS", False),
        (12000.0, 2, "FSS", False),
        # Half of it beyond the edge of the Plan at 10.95 GHz: that half counts.
        (10950.0, 1, "FSS", False),
    ],
)
def test_pairs_in_bands_of_plans_are_left_out(centre_mhz, region, service, left_out):
    content = case_b()
    for role in ("victim", "interferer"):
        (down,) = [a for a in content[role]["assignments"] if a["direction"] == "down"]
        down.pop("transmission_gain_db", None)
        down.update(frequency_mhz=centre_mhz, bandwidth_khz=36000.0)
        content[role]["assignments"] = [down]
    decision = decided(content, region=region, victim_service=service, interferer_service=service)[2]
    assert decision.findings[0].in_plan == left_out
    assert (decision.reason == "PLAN_BAND") == left_out
    if left_out:
        assert decision.outcome == "not_applicable"
