"""Page one of the report says what the tables of the run say, and only what they say."""

from __future__ import annotations

import re

import pytest

from pipeline.publish.report.answers import answers
from pipeline.publish.report.texts import read_texts
from pipeline.publish.report.used_numbers import used_numbers

FACTS = {
    "config": {
        "settings": {
            "devices": [
                {"id": "a", "height_m": 30.0, "emission_class": 1},
                {"id": "b", "height_m": 1.5, "emission_class": 5},
            ],
            "protection": {"method": "degradation"},
        }
    },
    "bookings": None,
    "valid": {"from": "2026-12-05T00:00:00", "until": "2026-12-06T00:00:00"},
    "query": {"channels": [{"start_hz": 470e6, "stop_hz": 478e6}, {"start_hz": 686e6, "stop_hz": 694e6}]},
    "register": {"systems": ["DVB-T"]},
    "inputs": [
        {"key": "protection.ratios", "path": "ratios.csv"},
        {"key": "protection.separation.distances", "path": "fcc.csv"},
        {"key": "sensitivity.ratio_tables.0", "path": "other.csv"},
        {"key": "sensitivity.ratio_tables.1", "path": "ratios.csv"},
    ],
}


def statistics(device: str, level: str, shares: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [
        {
            "device": device,
            "level_dbm": level,
            "channels_at_least": str(n),
            "area_pct": a,
            "population_pct": p,
        }
        for n, (a, p) in enumerate(shares, 1)
    ]


KU_BAND = {"from_mhz": 10700.0, "to_mhz": 12750.0}
ROWS = [
    *statistics("a", "0", [("99.0", "99.9"), ("80.0", "90.0")]),
    *statistics("a", "20", [("40.4", "61.6"), ("30.0", "50.0"), ("0.0", "0.0")]),
    *statistics("b", "10", [("0.2", ""), ("0.0", "")]),
]
REGIONS = [
    {"region": name, "device": "a", "level_dbm": level, "channels_mean": mean}
    for level in ("0", "20")
    for name, mean in [("North", "2.26"), ("South", "0.5"), ("East", "1.0"), ("West", "1.5")]
]


def texts(limits: dict[str, dict[str, float]] | None = None) -> list[str]:
    found: list[str] = []
    (section,) = answers(FACTS, ROWS, REGIONS, limits, ["a register is old"], read_texts())
    for part in section["parts"]:
        found += part["texts"] if part["kind"] == "bullets" else [part["text"]]
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in found]


def test_five_answers_in_sentences() -> None:
    told = texts({"a": {"TV": 60.4, "PMSE": 21.0, "cap": 18.0}, "b": {"TV": 99.0, "radar": 1.0}})
    assert told[:5] == [
        "Five answers",
        "How many channels, for how many people?",
        "Device a (antenna 30 m above ground) with 20 dBm: at least one of 3 channels for 62 % of the "
        "population, on 40 % of the land; half of the population has at least 2.",
        "Device b (antenna 1.5 m above ground) with 10 dBm: at least one of 2 channels on less than 1 % of "
        "the land; more than half of the land has none.",
        "Where are there none?",
    ]
    assert told[5] == (
        "No channel is available for a with 20 dBm on 60 % of the land (38 % of the population), b with 10 "
        "dBm on more than 99 % of the land; the maps show where."
    )
    assert told[6].endswith("regions of the lowest mean number: South (0.5), East (1.0), West (1.5).")
    assert (
        told[8]
        == "In the mean of all devices and channels: TV on 80 %, PMSE on 10 %, cap on 9 % of the land."
    )
    assert told[10] == "a register is old"
    assert told[12].startswith("From 2026-12-05 00:00 until 2026-12-06 00:00.")
    assert told[12].endswith("without a new run or a renewal, which manifest.json tells.")
    assert len([text for text in told if text.endswith("?")]) == 5


def test_what_limits_is_not_told_where_it_is_not_public() -> None:
    assert any("is not published" in text for text in texts(None))
    assert not any("TV" in text for text in texts(None))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 %"),
        (0.4, "less than 1 %"),
        (1.0, "1 %"),
        (62.5, "62 %"),
        (99.6, "more than 99 %"),
        (100.0, "100 %"),
    ],
)
def test_percentages_do_not_say_none_or_all_where_that_is_not_so(value: float, text: str) -> None:
    assert read_texts().percent(value).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("key", "value", "used"),
    [
        ("coverage.q_min", 0.7, True),
        ("ratios.csv:2", {"emission_class": "*", "value": "1"}, True),
        ("ratios.csv:3", {"emission_class": "5"}, True),
        ("ratios.csv:4", {"emission_class": "2"}, False),
        ("ratios.csv:5", {"wanted_system": "ATSC", "offset": "0"}, False),
        ("ratios.csv:6", {"system": "DVB-T", "mode": "*"}, True),
        ("fcc.csv:2", {"distance_km": "13.9"}, False),
        ("other.csv:2", {"emission_class": "*"}, False),
        ("bands.csv:2", {"from_mhz": "1400", "to_mhz": "1427"}, False),
        ("bands.csv:3", {"from_mhz": "608", "to_mhz": "614"}, True),
        ("bands.csv:4", {"from_mhz": "694", "to_mhz": "790"}, False),
        ("internal/rr941_decision.json: limit", {"a": 1}, True),
        ("internal/rr97ab_decision.json: condition_2 10700-12750 MHz", KU_BAND, True),
        ("internal/rr941_decision.json: limit", {"emission_class": "2"}, True),
        ("areas.default", KU_BAND, True),
        ("BANDS.CSV:2", {"from_mhz": "1400", "to_mhz": "1427"}, False),
    ],
)
def test_numbers_that_the_run_used(key: str, value: object, used: bool) -> None:
    entry = {"key": key, "value": value, "source": ""}
    assert used_numbers({**FACTS, "unverified": [entry]}) == ([entry] if used else [])
    by_distance = {**FACTS["config"]["settings"], "protection": {"method": "separation"}}
    facts = {**FACTS, "config": {"settings": by_distance}, "unverified": [entry]}
    assert bool(used_numbers(facts)) == (used or key.startswith("fcc"))


def test_no_sentence_holds_a_raw_name() -> None:
    assert not [text for text in texts({"a": {"TV": 100.0}}) if re.search(r"[a-z]_[a-z]|None|nan", text)]


def test_devices_without_a_counted_level_are_named() -> None:
    def told(rows: list[dict[str, str]]) -> str:
        (section,) = answers(FACTS, rows, [], {"a": {"TV": 99.0}}, ["old"], read_texts())
        return str(section)

    without = told([])
    assert "No channel is available for" not in without
    assert without.count("Device a: no level is published") == 2
    assert without.count("Device b: no level is published") == 2
    assert "Device a: no level" not in told(ROWS[:2])
    assert told(ROWS[:2]).count("Device b: no level is published") == 2
    assert "no level is published" not in told(ROWS)
