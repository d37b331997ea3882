"""The published examples of CR/372 and what is found in them (docs/method.md, section 30)."""

from __future__ import annotations

import pytest
from cr372 import COLUMNS, FIRST, LANCELIN, MODIFICATION, NOVA_CREINA, WITHOUT_CALL_SIGN, record

from pipeline.coordination.radar.cr372_records import Radar, latitude_deg, longitude_deg


def rows(content: bytes) -> dict[str, dict[str, str]]:
    lines = content.decode("latin-1").split("\n")
    assert lines.pop() == ""
    parsed = [dict(zip(COLUMNS, line.split(","), strict=True)) for line in lines]
    return {row["Adm_ref_id"]: row for row in parsed}


def test_first_submission_is_applied_in_strict_mode_with_warnings(apply):
    result = apply("", FIRST)
    assert sorted(result.codes("WARNING")) == ["BAND_EDGE"] * 3 + ["BLANK_NOT_EMPTY"] + ["EIRP_SIGN"] * 3
    (blank,) = [e for e in result.report if e["code"] == "BLANK_NOT_EMPTY"]
    assert (blank["line"], blank["field"], blank["value"]) == (4, "eirp_dBW", " ")
    assert [e["line"] for e in result.report if e["code"] == "BAND_EDGE"] == [2, 3, 4]
    assert len(rows(result.out)) == 4


def test_first_submission_is_applied_in_lenient_mode(apply):
    result = apply("", FIRST, "lenient")
    assert not result.codes("ERROR")
    radars = rows(result.out)
    assert list(radars) == ["AUS - 011", "AUS - 012", "AUS - 013", "AUS - 014"]
    assert radars["AUS - 014"]["eirp_dBW"] == ""
    assert radars["AUS - 011"] == LANCELIN | {"d_update": "20.01.2015"}


@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_modification_without_the_call_sign_is_applied_with_warnings(apply, mode):
    register = apply("", FIRST, mode, "05.11.2014").out
    result = apply(register, MODIFICATION, mode)
    assert not result.codes("ERROR")
    assert {"S_PARTIAL", "CALLSIGN_LOST"} <= set(result.codes("WARNING"))
    assert result.codes("INFO") == ["MODIFY"]
    radars = rows(result.out)
    changed = radars["AUS - 013"]
    assert len(radars) == 4
    assert (changed["eirp_dBW"], changed["d_inuse"], changed["op_time"]) == ("19.2", "10.01.2015", "Y")
    assert (changed["Int"], changed["adm_remark"]) == ("A", "")
    assert {row["d_update"] for row in radars.values()} == {"05.11.2014", "20.01.2015"}
    assert changed["d_update"] == "20.01.2015"
    assert list(radars)[-1] == "AUS - 013"


def test_modification_with_the_full_old_record_is_applied_in_strict_mode(apply):
    register = apply("", FIRST, "lenient").out
    old = record(**{**NOVA_CREINA, "Int": "S"})
    new = record(**{**NOVA_CREINA, "eirp_dBW": "+19.2"})
    result = apply(register, f"{old}\n{new}\n")
    assert not result.codes("ERROR")
    assert result.codes("INFO") == ["MODIFY"]
    assert rows(result.out)["AUS - 013"]["eirp_dBW"] == "+19.2"


def test_spreadsheet_export_of_an_example_only_warns_of_its_blanks(apply):
    line = record(network_name=" South01", call_sign=" VZZ888", site_name="Blackfellows ", eirp_dBW="+22.8")
    result = apply("", line + "\n")
    assert result.codes() == ["WHITESPACE"] * 3
    assert rows(result.out)["AUS - 011"]["site_name"] == "Blackfellows"


@pytest.mark.parametrize(
    ("lat", "long", "lat_deg", "long_deg"),
    [
        ("-311306", "+1151942", -31.218333, 115.328333),
        ("-375622", "+1402725", -37.939444, 140.456944),
        ("-371944", "+1395056", -37.328889, 139.848889),
        ("-304204", "+1145800", -30.701111, 114.966667),
        ("-900000", "-1800000", -90.0, -180.0),
        ("+900000", "+1800000", 90.0, 180.0),
        ("-000001", "-0000001", -1 / 3600, -1 / 3600),
    ],
)
def test_coordinates_are_degrees_minutes_seconds(lat, long, lat_deg, long_deg):
    radar = Radar(*record(lat=lat, long=long).split(","))
    assert latitude_deg(radar) == pytest.approx(lat_deg, abs=5e-7)
    assert longitude_deg(radar) == pytest.approx(long_deg, abs=5e-7)


def test_call_sign_is_not_lost_where_the_old_record_had_none(apply):
    register = record(**WITHOUT_CALL_SIGN) + "\n"
    assert "CALLSIGN_LOST" not in apply(register, MODIFICATION, "lenient").codes()
