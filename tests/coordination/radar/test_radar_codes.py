"""Every code has its own broken file, graded as the mode says; nothing else is an error in it."""

from __future__ import annotations

import pytest
from cr372 import COLUMNS, record
from workbooks import workbook

from pipeline.coordination.radar.findings import MAX_FINDINGS, SEVERITIES

OK = record(eirp_dBW="+22.8")
REGISTER = OK + "\n"
RX = {"stn_type": "RX", "eirp_dBW": "", "call_sign": ""}


def changed(**changes: str) -> str:
    return record(**{"eirp_dBW": "+22.8", **changes})


def suppress(**changes: str) -> str:
    return changed(Int="S", **changes)


TWICE = "".join(changed(network_name=name, synch="N") + "\n" for name in ("One", "Two"))
E, W, I = "ERROR", "WARNING", "INFO"  # noqa: E741
# code, register, submission, severity strict, severity lenient (None: not in the report)
CASES = [
    ("WORKBOOK", "", b"PK\x03\x04 and so on", E, E),
    ("WORKBOOK", "", b"\xd0\xcf\x11\xe0 and so on", E, E),
    ("BOM", "", b"\xef\xbb\xbf" + OK.encode(), E, W),
    ("ENCODING", "", changed(site_name="Orkanger \u00e5s").encode("utf-8"), E, W),
    ("CODE_PAGE", "", changed(site_name="M\x9fnchen").encode("latin-1"), E, W),
    ("NOT_LATIN1", "", workbook([changed(site_name="\u010crnomelj").split(",")]), E, E),
    ("NUL", "", changed(site_name="a\0b"), E, E),
    ("CONTROL_CHARACTER", "", changed(site_name="a\tb"), E, W),
    ("LINE_TOO_LONG", "", changed(email_op="a@" + "b" * 5000), E, E),
    ("EMPTY_LINE", "", f"\n{OK}\n", W, W),
    ("HEADER", "", f"{','.join(COLUMNS)}\n{OK}\n", E, W),
    ("COLUMN_COUNT", "", changed(adm_remark="first, then second"), E, E),
    ("COLUMN_COUNT", "", OK.rsplit(",", 1)[0], E, E),
    ("QUOTING", "", changed(adm_remark='"first, then second"'), E, None),
    ("QUOTING", "", changed(adm_remark='"not closed'), E, E),
    ("TOO_MANY_FINDINGS", "", "x\n" * (MAX_FINDINGS + 10), E, E),
    ("ACTION", "", changed(Int="M"), E, E),
    ("ACTION", "", changed(Int=""), E, E),
    ("ACTION", suppress(), changed(site_name="Other"), E, E),
    *[
        ("REQUIRED", "", changed(**{name: ""}), E, W)
        for name in (
            "Adm",
            "ctry",
            "stn_type",
            "bdwdth_kHz",
            "emi_cls",
            "synch",
            "util",
            "lat",
            "long",
            "site_name",
            "email_adm",
            "d_inuse",
            "op_time",
        )
    ],
    ("BLANK_NOT_EMPTY", "", changed(email_op="  "), W, W),
    ("WHITESPACE", "", changed(site_name=" Lancelin"), W, W),
    ("REPLACED_CHARACTER", "", changed(site_name="S?o Miguel"), W, W),
    ("TOO_LONG", "", changed(site_name="x" * 31), E, W),
    ("TOO_LONG", "", changed(adm_remark="x" * 256), E, W),
    ("TOO_LONG", "", changed(Adm_ref_id="x" * 21), E, W),
    ("FORMULA", "", changed(site_name="=HYPERLINK(A1)"), W, W),
    ("FORMULA", "", changed(adm_remark="@SUM(A1)"), W, W),
    ("FORMULA", "", changed(adm_remark="-2+3+cmd|' /C calc'!A0"), W, W),
    ("FORMULA", "", changed(network_name="+1+1"), W, W),
    ("FORMULA", "", changed(adm_remark="see;=1+1"), W, W),
    ("ADM_UNKNOWN", "", changed(Adm="QQQ"), E, W),
    ("AREA_UNKNOWN", "", changed(ctry="QQQ"), W, W),
    ("CTRY", "", changed(ctry="a1"), E, W),
    ("VALUE_NOT_ALLOWED", "", changed(stn_type="TT"), E, W),
    ("VALUE_NOT_ALLOWED", "", changed(synch="P"), E, W),
    ("VALUE_NOT_ALLOWED", "", changed(util="Y"), E, W),
    ("VALUE_NOT_ALLOWED", "", changed(op_time="y"), E, W),
    ("FREQ_FORMAT", "", changed(freq_assgn="4.463e0"), E, E),
    ("FREQ_FORMAT", "", changed(freq_assgn=""), E, E),
    ("FREQ_FORMAT", "", changed(freq_assgn="=4.463"), E, E),
    ("FREQ_FORMAT", "", changed(freq_assgn="-4.463"), E, E),
    ("FREQ_FORMAT", "", changed(freq_assgn="+"), E, E),
    ("FREQ_SIGN", "", changed(freq_assgn="+4.463"), E, W),
    ("FREQ_RANGE", "", changed(freq_assgn="2.999"), E, W),
    ("FREQ_RANGE", "", changed(freq_assgn="50.001"), E, W),
    ("FREQ_BAND", "", changed(freq_assgn="50.001"), E, E),
    ("FREQ_BAND", "", changed(freq_assgn="5.5"), E, E),
    ("BDWDTH_FORMAT", "", changed(bdwdth_kHz="0"), E, W),
    ("BAND_EDGE", "", changed(bdwdth_kHz="50.1"), W, W),
    ("EIRP_FORMAT", "", changed(eirp_dBW="+2.85"), E, W),
    ("EIRP_SIGN", "", changed(eirp_dBW="22.8"), W, None),
    ("EIRP_MISSING", "", changed(eirp_dBW=""), W, W),
    ("EIRP_OVER_LIMIT", "", changed(eirp_dBW="+25.1"), W, W),
    ("EMI_CLS", "", changed(emi_cls="N0"), E, W),
    ("EMI_CLS", "", changed(emi_cls="N-N"), E, W),
    ("SYNCH_NO_NETWORK", "", changed(network_name=""), W, W),
    ("COORD_FORMAT", "", changed(lat="-31.21"), E, W),
    ("COORD_SIGN", "", changed(long="1151942"), E, W),
    ("COORD_LENGTH", "", changed(long="+151942"), E, W),
    ("COORD_RANGE", "", changed(lat="-316006"), E, W),
    ("COORD_RANGE", "", changed(lat="-311360"), E, W),
    ("COORD_RANGE", "", changed(lat="+900001"), E, W),
    ("COORD_RANGE", "", changed(long="+1800001"), E, W),
    ("EMAIL", "", changed(email_adm="nobody"), W, W),
    ("DATE", "", changed(d_inuse="30.02.2014"), E, W),
    ("DATE", "", changed(d_inuse="2014-10-01"), E, W),
    ("D_UPDATE_IGNORED", "", changed(d_update="01.10.2014"), W, W),
    ("RX_EIRP", "", changed(**{**RX, "eirp_dBW": "+22.8"}), W, W),
    ("RX_CALL_SIGN", "", changed(**{**RX, "call_sign": "VZZ1"}), W, W),
    ("RX_NO_COORD", "", changed(**RX), I, I),
    ("RES612_NOT_APPLICABLE", "", changed(freq_assgn="7"), W, W),
    ("FIRST_NOT_A", "", suppress(), E, W),
    ("S_NO_MATCH", REGISTER, suppress(Adm_ref_id="AUS - 999"), E, E),
    ("S_NO_MATCH", REGISTER, suppress(eirp_dBW="+22.7"), E, E),
    ("S_NO_MATCH", changed(Adm_ref_id="") + "\n", suppress(Adm_ref_id="", call_sign=""), E, E),
    ("S_PARTIAL", REGISTER, suppress(call_sign=""), W, W),
    (
        "S_AMBIGUOUS",
        changed(synch="N") + "\n" + changed(network_name="Two", synch="N") + "\n",
        suppress(network_name="", synch="N"),
        E,
        E,
    ),
    ("PAIR_REFUSED", REGISTER, f"{suppress()}\n{changed(freq_assgn='5.5')}\n", None, E),
    ("PAIR_REFUSED", REGISTER, f"{suppress()}\n{changed(adm_remark='one, two')}\n", None, E),
    ("S_DUPLICATE", REGISTER, f"{suppress()}\n{suppress()}\n", E, W),
    ("A_EXISTS", REGISTER, OK, E, W),
    ("A_EXISTS", "", f"{OK}\n{OK}\n", E, W),
    ("KEY_EXISTS", REGISTER, changed(eirp_dBW="+19.2"), E, W),
    ("ORDER", REGISTER, f"{changed(eirp_dBW='+19.2')}\n{suppress()}\n", E, W),
    ("ORDER", changed(site_name="Two", Adm_ref_id="") + "\n", f"{OK}\n{suppress()}\n", E, W),
    ("CALLSIGN_LOST", REGISTER, f"{suppress()}\n{changed(call_sign='')}\n", W, W),
    ("MODIFY", REGISTER, f"{suppress()}\n{changed(eirp_dBW='+19.2')}\n", I, I),
]
# Errors that come with others of necessity.
TOGETHER = {
    "FREQ_BAND": {"FREQ_RANGE"},
    "FREQ_RANGE": {"FREQ_BAND"},
    "FREQ_FORMAT": {"REQUIRED"},
    "FIRST_NOT_A": {"S_NO_MATCH"},
    "PAIR_REFUSED": {"FREQ_BAND", "COLUMN_COUNT"},
    "TOO_MANY_FINDINGS": {"COLUMN_COUNT"},
    "ENCODING": {"CODE_PAGE"},
}
# Nothing is left to do in lenient mode: the file changes nothing.
NOTHING = {"A_EXISTS"}


@pytest.mark.parametrize("mode", ["strict", "lenient"])
@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{i}")
def test_code_is_reported_as_graded_and_alone(apply, case, mode):
    code, register, submission, strict, lenient = CASES[case]
    severity = strict if mode == "strict" else lenient
    result = apply(register, submission, mode)
    assert {e["severity"] for e in result.report if e["code"] == code} == ({severity} if severity else set())
    if severity == E:
        assert set(result.codes(E)) <= {code} | TOGETHER.get(code, set())
    if mode == "strict":
        assert result.refused == bool(result.codes(E))
    elif not result.codes(E):
        assert not result.refused or code in NOTHING


def test_every_code_has_a_broken_file():
    # Three need a file that is missing, too large, or has very many faults, see the tests of hostile input.
    assert {case[0] for case in CASES} == set(SEVERITIES) - {
        "FILE_UNREADABLE",
        "FILE_TOO_LARGE",
        "REPORT_CUT",
    }


def test_good_record_has_no_finding(apply):
    result = apply("", REGISTER)
    assert result.report == []
    assert result.out == changed(d_update="20.01.2015").encode() + b"\n"


def test_empty_submission_changes_nothing(apply):
    assert apply(REGISTER, "").out == REGISTER.encode()
    assert apply("", "").out == b""


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_line_ends_are_all_accepted_and_counted(apply, end):
    submission = end.join([OK, changed(site_name="Two", lat="-999999"), ""])
    (entry,) = apply("", submission).report
    assert (entry["line"], entry["code"]) == (2, "COORD_RANGE")


def test_frequencies_are_compared_as_numbers(apply):
    old = changed(freq_assgn="4.4630", bdwdth_kHz="50.0", Int="S")
    result = apply(REGISTER, old)
    assert result.out == b""


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({"freq_assgn": "4.438", "bdwdth_kHz": "1"}, False),
        ({"freq_assgn": "24.625", "bdwdth_kHz": "50", "Adm": "USA", "ctry": "HWA"}, True),
        ({"freq_assgn": "24.6", "bdwdth_kHz": "90", "Adm": "USA", "ctry": "HWA"}, True),
        ({"freq_assgn": "24.6", "bdwdth_kHz": "0.1"}, False),
        ({"freq_assgn": "13.5", "bdwdth_kHz": "100"}, True),
        ({"freq_assgn": "13.5", "bdwdth_kHz": "100.1"}, False),
    ],
)
def test_occupied_band_must_lie_in_one_band(apply, changes, fits):
    assert ("BAND_EDGE" in apply("", changed(**changes)).codes()) != fits


# Centre frequency in MHz, area, whether the Bureau takes it (docs/method.md, section 30).
@pytest.mark.parametrize(
    ("frequency_mhz", "area", "taken"),
    [
        ("24.64", "SVN", False),
        ("24.64", "USA", True),
        ("24.64", "AUS", False),
        ("24.6", "SVN", True),
        ("24.45", "SVN", True),
        ("4.438", "AUS", True),
        ("4.488", "AUS", True),
        ("4.4379", "AUS", False),
        ("9.33", "BRB", False),
        ("9.33", "AUS", True),
        ("39.2", "SVN", True),
        ("39.2", "AUS", False),
        ("42.2", "SVN", True),
        ("41.3", "KOR", True),
        ("41.3", "AUS", False),
        ("43.5", "USA", True),
        ("43.5", "B", False),
        ("48", "SVN", True),
        ("48", "TUR", False),
        ("3.5", "SVN", False),
    ],
)
@pytest.mark.parametrize("mode", ["strict", "lenient", "bureau"])
def test_band_is_that_of_the_region_of_the_area(apply, frequency_mhz, area, taken, mode):
    # A second record shows whether the first alone is refused.
    lines = [
        changed(freq_assgn=frequency_mhz, Adm=area, ctry=area),
        changed(site_name="Other", Adm_ref_id="2"),
    ]
    result = apply("", "\n".join(lines), mode)
    assert ("FREQ_BAND" in result.codes(E)) != taken
    assert result.refused == (mode == "strict" and not taken)
    if not result.refused:
        assert result.out.count(b"\n") == 1 + taken
