"""The register of radars that a territory names is read with the checks of submissions."""

from __future__ import annotations

from pathlib import Path

import pytest
from cr372 import record

from pipeline.coordination.radar.cr372_register import doubts_of, read_registered
from pipeline.errors import InputError


def written(folder: Path, *records: str) -> Path:
    path = folder / "radars.csv"
    path.write_bytes(("\n".join(records) + "\n").encode("latin-1"))
    return path


GOOD = record(site_name="Good", eirp_dBW="+22.8")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lat": "1;2"}, "lat"),
        ({"lat": ""}, "lat"),
        ({"lat": "+910000"}, "lat"),
        ({"long": "+1806000"}, "long"),
        ({"long": ""}, "long"),
        ({"stn_type": "XX"}, "stn_type"),
        ({"stn_type": ""}, "stn_type"),
        ({"Adm": "inf"}, "Adm"),
        ({"Adm": ""}, "Adm"),
        ({"freq_assgn": ""}, "freq_assgn"),
        ({"freq_assgn": "4,463"}, None),
        ({"freq_assgn": "1e1"}, "freq_assgn"),
        ({"freq_assgn": "2.999"}, "freq_assgn"),
        ({"freq_assgn": "50.001"}, "freq_assgn"),
        ({"Int": "S"}, "Int"),
        ({"adm_remark": "one, two"}, None),
    ],
)
def test_record_of_which_no_zone_can_be_made_is_refused(
    tmp_path: Path, changes: dict[str, str], field: str | None
) -> None:
    path = written(tmp_path, GOOD, record(**{"eirp_dBW": "+22.8", **changes}))
    with pytest.raises(InputError) as refusal:
        read_registered(path)
    assert (refusal.value.file, refusal.value.row) == (str(path), 2)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"freq_assgn": "7"}, "FREQ_BAND"),
        ({"freq_assgn": "7"}, "RES612_NOT_APPLICABLE"),
        ({"bdwdth_kHz": "60"}, "BAND_EDGE"),
        ({"eirp_dBW": ""}, "EIRP_MISSING"),
        ({"eirp_dBW": "+25.1"}, "EIRP_OVER_LIMIT"),
        ({"lat": "311306"}, "COORD_SIGN"),
        ({"bdwdth_kHz": "-1"}, "BDWDTH_FORMAT"),
        ({"bdwdth_kHz": "nan"}, "BDWDTH_FORMAT"),
        ({"ctry": "a1"}, "CTRY"),
        ({"eirp_dBW": "inf"}, "EIRP_FORMAT"),
        ({"emi_cls": "?"}, "EMI_CLS"),
        ({"synch": "1"}, "VALUE_NOT_ALLOWED"),
        ({"util": "yes"}, "VALUE_NOT_ALLOWED"),
        ({"op_time": "0"}, "VALUE_NOT_ALLOWED"),
        ({"d_inuse": "31.02.2014"}, "DATE"),
        ({"d_update": "yesterday"}, "DATE"),
        ({"site_name": "=1+1"}, "FORMULA"),
        ({"email_adm": ""}, "REQUIRED"),
    ],
)
def test_record_that_is_used_but_odd_is_told_with_its_place(
    tmp_path: Path, changes: dict[str, str], code: str
) -> None:
    path = written(tmp_path, GOOD, record(**{"eirp_dBW": "+22.8", **changes}))
    (line,) = [line for line in doubts_of(path) if code in line]
    assert line.startswith(", row 2, field ")
    assert len(read_registered(path).radars) == 2


def test_update_set_by_the_bureau_belongs_into_a_register(tmp_path: Path) -> None:
    assert not list(doubts_of(written(tmp_path, record(eirp_dBW="+22.8", d_update="05.05.2015"))))


def test_many_odd_records_are_counted(tmp_path: Path) -> None:
    odd = [record(site_name=f"Site {k}", eirp_dBW="+25.1") for k in range(30)]
    lines = list(doubts_of(written(tmp_path, *odd)))
    assert len(lines) == 21
    assert lines[-1] == ": and EIRP_OVER_LIMIT 10"


def test_report_of_odd_records_holds_no_address(tmp_path: Path) -> None:
    path = written(tmp_path, record(eirp_dBW="+22.8", email_adm="somebody"))
    assert "somebody" in "".join(doubts_of(path))
    assert "somebody" not in "".join(doubts_of(path, values=False))


def test_command_reads_the_register_as_maps_do(apply) -> None:
    result = apply(record(eirp_dBW="+22.8", freq_assgn="here"), GOOD)
    assert [entry["code"] for entry in result.report] == ["FREQ_FORMAT"]
    assert result.report[0]["message"].startswith("register: ")
