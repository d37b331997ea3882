"""Every code has its own broken file, graded as the mode says; nothing else is an error in it."""

from __future__ import annotations

import pytest
from cr372 import COLUMNS, record

from pipeline.coordination.radar.findings import MAX_FINDINGS, SEVERITIES

OK = record(eirp_dBW="+22.8")
REGISTER = OK + "\n"
RX = {"stn_type": "RX", "eirp_dBW": "", "call_sign": ""}


def changed(**changes: str) -> str:
    return record(**{"eirp_dBW": "+22.8", **changes})


def suppress(**changes: str) -> str:
    return changed(Int="S", **changes)


E, W, I = "ERROR", "WARNING", "INFO"  # noqa: E741
# code, register, submission, severity strict, severity lenient (None: not in the report)
CASES = [
    ("EXCEL_WORKBOOK", "", b"PK\x03\x04 and so on", E, E),
    ("BOM", "", b"\xef\xbb\xbf" + OK.encode(), E, W),
    ("ENCODING", "", changed(site_name="Orkanger \u00e5s").encode("utf-8"), E, W),
    ("CODE_PAGE", "", changed(site_name="M\x9fnchen").encode("latin-1"), E, E),
    ("NUL", "", changed(site_name="a\0b"), E, E),
    ("CONTROL_CHARACTER", "", changed(site_name="a\tb"), E, E),
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
            "freq_assgn",
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
    ("BLANK_NOT_EMPTY", "", changed(email_op="  "), E, W),
    ("WHITESPACE", "", changed(site_name=" Lancelin"), W, W),
    ("REPLACED_CHARACTER", "", changed(site_name="S?o Miguel"), W, W),
    ("TOO_LONG", "", changed(site_name="x" * 31), E, E),
    ("TOO_LONG", "", changed(adm_remark="x" * 256), E, E),
    ("TOO_LONG", "", changed(Adm_ref_id="x" * 21), E, E),
    ("FORMULA", "", changed(site_name="=HYPERLINK(A1)"), E, E),
    ("FORMULA", "", changed(adm_remark="@SUM(A1)"), E, E),
    ("FORMULA", "", changed(adm_remark="-2+3+cmd|' /C calc'!A0"), E, E),
    ("FORMULA", "", changed(network_name="+1+1"), E, E),
    ("FORMULA", "", changed(adm_remark="see;=1+1"), E, E),
    ("FORMULA", "", changed(freq_assgn="=4.463"), E, E),
    ("FORMULA", changed(site_name="=1+1"), OK, E, E),
    ("ADM_UNKNOWN", "", changed(Adm="QQQ"), E, E),
    ("CTRY", "", changed(ctry="a1"), E, E),
    ("VALUE_NOT_ALLOWED", "", changed(stn_type="TT"), E, E),
    ("VALUE_NOT_ALLOWED", "", changed(synch="P"), E, E),
    ("VALUE_NOT_ALLOWED", "", changed(util="Y"), E, E),
    ("VALUE_NOT_ALLOWED", "", changed(op_time="y"), E, E),
    ("FREQ_FORMAT", "", changed(freq_assgn="4.463e0"), E, E),
    ("FREQ_FORMAT", "", changed(freq_assgn="-4.463"), E, E),
    ("FREQ_RANGE", "", changed(freq_assgn="2.999"), E, W),
    ("FREQ_RANGE", "", changed(freq_assgn="50.001"), E, W),
    ("FREQ_BAND", "", changed(freq_assgn="5.5"), E, W),
    ("BDWDTH_FORMAT", "", changed(bdwdth_kHz="0"), E, E),
    ("OCC_BAND", "", changed(bdwdth_kHz="50.1"), W, W),
    ("EIRP_FORMAT", "", changed(eirp_dBW="+2.85"), E, E),
    ("EIRP_SIGN", "", changed(eirp_dBW="22.8"), W, None),
    ("EIRP_MISSING", "", changed(eirp_dBW=""), W, W),
    ("EIRP_OVER_LIMIT", "", changed(eirp_dBW="+25.1"), W, W),
    ("EMI_CLS", "", changed(emi_cls="N0"), E, E),
    ("EMI_CLS", "", changed(emi_cls="N-N"), E, E),
    ("SYNCH_NO_NETWORK", "", changed(network_name=""), W, W),
    ("COORD_FORMAT", "", changed(lat="-31.21"), E, E),
    ("COORD_SIGN", "", changed(long="1151942"), E, W),
    ("COORD_LENGTH", "", changed(long="+151942"), E, W),
    ("COORD_RANGE", "", changed(lat="-316006"), E, E),
    ("COORD_RANGE", "", changed(lat="-311360"), E, E),
    ("COORD_RANGE", "", changed(lat="+900001"), E, E),
    ("COORD_RANGE", "", changed(long="+1800001"), E, E),
    ("EMAIL", "", changed(email_adm="nobody"), W, W),
    ("DATE", "", changed(d_inuse="30.02.2014"), E, E),
    ("DATE", "", changed(d_inuse="2014-10-01"), E, E),
    ("D_UPDATE", "", changed(d_update="01.10.2014"), E, E),
    ("RX_EIRP", "", changed(**{**RX, "eirp_dBW": "+22.8"}), W, W),
    ("RX_CALL_SIGN", "", changed(**{**RX, "call_sign": "VZZ1"}), W, W),
    ("RX_NO_COORD", "", changed(**RX), I, I),
    ("RES612_NOT_APPLICABLE", "", changed(freq_assgn="7"), W, W),
    ("S_NO_MATCH", "", suppress(), E, E),
    ("S_NO_MATCH", REGISTER, suppress(eirp_dBW="+22.7"), E, None),
    ("S_DIFFERS", REGISTER, suppress(eirp_dBW="+22.7"), None, W),
    ("S_DUPLICATE", REGISTER, f"{suppress()}\n{suppress()}\n", E, E),
    ("A_EXISTS", REGISTER, OK, E, E),
    ("A_EXISTS", "", f"{OK}\n{OK}\n", E, E),
    ("KEY_EXISTS", REGISTER, changed(eirp_dBW="+19.2"), E, E),
    ("KEY_EXISTS", REGISTER * 2, changed(site_name="Other"), E, E),
    ("ORDER", REGISTER, f"{changed(eirp_dBW='+19.2')}\n{suppress()}\n", E, W),
    ("ORDER", "", f"{OK}\n{suppress()}\n", E, W),
    ("CALLSIGN_LOST", REGISTER, f"{suppress()}\n{changed(call_sign='')}\n", W, W),
    ("MODIFY", REGISTER, f"{suppress()}\n{changed(eirp_dBW='+19.2')}\n", I, I),
]
# A fault that makes another one of necessity.
TOGETHER = {"FREQ_BAND", "TOO_MANY_FINDINGS", "RES612_NOT_APPLICABLE", "ENCODING"}


@pytest.mark.parametrize("mode", ["strict", "lenient"])
@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{i}")
def test_code_is_reported_as_graded_and_alone(apply, case, mode):
    code, register, submission, strict, lenient = CASES[case]
    severity = strict if mode == "strict" else lenient
    result = apply(register, submission, mode)
    assert {e["severity"] for e in result.report if e["code"] == code} == ({severity} if severity else set())
    assert result.refused == (
        severity == E
        or (mode == "strict" and code == "RES612_NOT_APPLICABLE")
        or (mode == "strict" and code == "S_DIFFERS")
    )
    if severity == E and code not in TOGETHER:
        assert set(result.codes(E)) == {code}


def test_every_code_has_a_broken_file():
    # The first two need a file that is missing or too large, see the tests of hostile input.
    assert {case[0] for case in CASES} == set(SEVERITIES) - {"FILE_UNREADABLE", "FILE_TOO_LARGE"}


def test_good_record_has_no_finding(apply):
    result = apply("", REGISTER)
    assert result.report == []
    assert result.out == REGISTER.encode()


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
        ({"freq_assgn": "24.625", "bdwdth_kHz": "50"}, True),
        ({"freq_assgn": "24.6", "bdwdth_kHz": "90"}, True),
        ({"freq_assgn": "13.5", "bdwdth_kHz": "100"}, True),
        ({"freq_assgn": "13.5", "bdwdth_kHz": "100.1"}, False),
    ],
)
def test_occupied_band_must_lie_in_one_band(apply, changes, fits):
    assert ("OCC_BAND" in apply("", changed(**changes)).codes()) != fits
