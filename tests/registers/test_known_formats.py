"""Known formats with something lost or odd in their files: nothing is left out or replaced in silence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli.commands_registers import service_targets
from pipeline.config.register_mapping import RegisterMapping
from pipeline.errors import InputError
from pipeline.registers.finishing import faults_of
from pipeline.registers.formats.ge06_notices import read_notices
from pipeline.registers.importing import Import, read_import, read_mapping
from pipeline.rows.foreign_files import read_foreign
from pipeline.rows.foreign_text import RegisterFault, TextFormat

SAMPLES = Path(__file__).resolve().parents[1] / "reference/formats"

Changed = Callable[..., Import]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    def read(case: str, name: str, change: Callable[[str], str]) -> Import:
        folder = shutil.copytree(SAMPLES / case, tmp_path / case)
        file = folder / name
        file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8", newline="")
        return read_import(read_mapping(folder / "import.yaml"), None, service_targets())

    return read


# --- FCC LMS ------------------------------------------------------------------------------------------------

POWERS = "lms/app_antenna_frequency.dat"


def test_each_channel_of_a_site_is_an_entry_with_its_largest_power(changed: Changed) -> None:
    antenna = "25076f9100000000000000000000012d"
    rows = "".join(
        f"Y|{antenna}|{channel}|{kw}||||N|^|\n" for channel, kw in ((31, 1.5), (31, 2.5), (20, 40))
    )
    found = changed("s11_fcc_lms", POWERS, lambda text: text + rows)
    told = {entry.values["id"]: entry.values for entry in found.reading.written()}
    assert told["90001-1"]["channel"] == 20
    assert told["90001-1"]["erp_kw"] == 500.0
    assert told["90001-1-31"]["channel"] == 31
    assert told["90001-1-31"]["erp_kw"] == 2.5


def test_a_power_that_cannot_be_read_is_a_fault(changed: Changed) -> None:
    found = changed("s11_fcc_lms", POWERS, lambda text: text.replace("|20|500||500|", "|20|||5oo|"))
    faults = faults_of(found.reading.entries)
    assert [(fault.reason, fault.field, fault.value) for fault in faults] == [
        ("bad_value", "aafq_horiz_erp_kw", "5oo")
    ]


# --- GE06 ---------------------------------------------------------------------------------------------------

NOTICE = """<NOTICE>
t_notice_type=GT1
t_action={action}
t_adm_ref_id=0001
t_trg_adm_ref_id=0001
t_freq_assgn=562
t_site_name=Hill
t_ctry={country}
t_long=+0143012
t_lat=+460312
t_polar=H
t_erp_h_dbw=20
t_ant_dir={direction}
t_hgt_agl=50
t_d_inuse={begin}
{more}</NOTICE>
"""
STATION = {"action": "ADD", "country": "SVN", "direction": "ND", "begin": "2020-01-01", "more": ""}
TAIL = "<TAIL>\nt_num_notices={}\n</TAIL>\n"


def notices(folder: Path, *files: tuple[str, list[dict[str, str]]], tail: str = TAIL) -> Import:
    paths = []
    for number, (administration, stations) in enumerate(files):
        text = f"<HEAD>\nt_adm={administration}\n</HEAD>\n"
        text += "".join(NOTICE.format(**{**STATION, **station}) for station in stations)
        paths.append(folder / f"{number}.txt")
        paths[-1].write_text(text + tail.format(len(stations)), encoding="utf-8")
    mapping = {"format": "ge06", "plan": "8MHz", "in": [*map(str, paths)], "as_of": "2026-11-28"}
    return read_import(RegisterMapping.model_validate({**mapping, "duplicates": {"keep": "all"}}), None, {})


def states(found: Import) -> list[tuple[str, str]]:
    return [(entry.source_id, entry.drop) for entry in found.reading.entries]


def test_a_reference_is_that_of_its_administration(tmp_path: Path) -> None:
    found = notices(tmp_path, ("SVN", [{}]), ("HRV", [{"action": "MODIFY", "country": "HRV"}]))
    assert states(found) == [("SVN:0001", ""), ("HRV:0001", "")]
    assert found.reading.entries[1].flags == ["modify_without_original", "co_sited"]


@pytest.mark.parametrize("change", [{"begin": "2030-01-01"}, {"country": "XXX"}])
def test_only_a_notice_in_force_takes_another_away(tmp_path: Path, change: dict[str, str]) -> None:
    found = notices(tmp_path, ("SVN", [{}, {"action": "MODIFY", **change}]))
    assert states(found)[0] == ("SVN:0001", "")
    found = notices(tmp_path, ("SVN", [{}, {"action": "MODIFY"}]))
    assert states(found) == [("SVN:0001", "superseded"), ("SVN:0001", "")]


def test_a_byte_order_mark_before_the_head_hides_nothing(tmp_path: Path) -> None:
    head = "\ufeff<HEAD>\nt_char_set=UTF-8\nt_adm=SVN\n</HEAD>\n"
    notice = "<NOTICE>\nt_notice_type=GT1\n</NOTICE>\n"
    (tmp_path / "marked.txt").write_text(head + notice + TAIL.format(1), encoding="utf-8")
    assert [found.administration for found in read_notices(tmp_path / "marked.txt")] == ["SVN"]


def test_a_file_without_its_tail_was_cut_off(tmp_path: Path) -> None:
    with pytest.raises(RegisterFault, match="the file was cut off") as fault:
        notices(tmp_path, ("SVN", [{}]), tail="")
    assert fault.value.reason == "count"


def test_a_diagram_is_all_around(tmp_path: Path) -> None:
    lines = [f"t_attn@azm{azimuth:03}=1\n" for azimuth in range(0, 360, 10)]
    lines[7] = "t_attn@azm075=1\n"
    diagram = f"<ANT_DIAGR_H>\n{''.join(lines)}</ANT_DIAGR_H>\n"
    found = notices(tmp_path, ("SVN", [{"direction": "D", "more": diagram}]))
    fault = faults_of(found.reading.entries)[0]
    assert (fault.reason, fault.field, fault.value) == ("bad_pattern", "ANT_DIAGR_H", "azm075")


# --- tables beside the first --------------------------------------------------------------------------------


def test_letters_of_a_silent_dbase_file_are_those_of_windows(tmp_path: Path) -> None:
    folder = shutil.copytree(SAMPLES / "s14_ised_dbf", tmp_path / "s14")
    file = folder / "baserad/TVSTATIO.DBF"
    content = bytearray(file.read_bytes())
    content[29] = 0
    city = read_foreign(file, TextFormat()).table.columns["CITY"][0].strip()
    at = content.index(city.encode("windows-1252"))
    content[at] = "É".encode("windows-1252")[0]
    file.write_bytes(content)
    found = read_import(read_mapping(folder / "import.yaml"), None, service_targets())
    assert found.reading.entries[0].cells["CITY"] == f"É{city[1:]}"


def test_a_faulty_row_of_gains_is_told(tmp_path: Path) -> None:
    mapping = read_mapping(SAMPLES / "s14_ised_dbf/import.yaml")
    names = {
        "TVSTATIO": "tv_statio",
        "APATSTAT": "tv_apatstat",
        "APATDESC": "tv_apatdesc",
        "APATDAT": "tv_apatdat",
    }
    for dbase, name in names.items():
        table = read_foreign(SAMPLES / f"s14_ised_dbf/baserad/{dbase}.DBF", TextFormat()).table
        rows = [table.headers, *zip(*table.columns.values(), strict=True)]
        text = "".join("|".join(row) + "\n" for row in rows)
        (tmp_path / f"{name}.txt").write_text(text, encoding="windows-1252")
    plain = mapping.model_copy(update={"paths": [tmp_path]})
    assert [*read_import(plain, None, service_targets()).reading.written()]
    with (tmp_path / "tv_apatdat.txt").open("a", encoding="windows-1252") as stream:
        stream.write("1|2\n")
    with pytest.raises(
        RegisterFault, match=r"tv_apatdat.txt, row \d+, field \(row\): .*wrong number of cells"
    ):
        read_import(plain, None, service_targets())


def test_a_faulty_row_of_parameters_is_told(changed: Changed) -> None:
    with pytest.raises(RegisterFault, match=r"parameters.csv, row \d+, field \(row\)"):
        changed("s13_fcc_post_auction", "parameters.csv", lambda text: text + "1,2,3,4\n")


# --- ACMA ---------------------------------------------------------------------------------------------------

SECTORS = "spectra_rrl/LICENCE_.CSV"


def test_a_faulty_row_of_sectors_is_told(changed: Changed) -> None:
    with pytest.raises(RegisterFault, match=r"LICENCE_.CSV, row \d+, field \(row\)"):
        changed("s15_acma_rrl", SECTORS, lambda text: text + "500001,1\n")


def test_sectors_need_their_columns(changed: Changed) -> None:
    with pytest.raises(InputError, match=r"LICENCE_.CSV, row 1, field SDD_ID: column is missing"):
        changed("s15_acma_rrl", SECTORS, lambda text: text.replace("SDD_ID", "SDD"))


def test_sectors_need_a_unit_of_the_list(changed: Changed) -> None:
    with pytest.raises(InputError, match=r"power_pattern.unit: unknown unit; found 'Watt'"):
        changed("s15_acma_rrl", "import.yaml", lambda text: text.replace("unit: dBW", "unit: Watt"))


def test_sectors_without_power_are_a_fault(tmp_path: Path) -> None:
    folder = shutil.copytree(SAMPLES / "s15_acma_rrl", tmp_path / "s15")
    mapping = folder / "import.yaml"
    mapping.write_text(mapping.read_text(encoding="utf-8").replace("unit: dBW", "unit: W"), encoding="utf-8")
    (folder / SECTORS).write_text(
        "SDD_ID,DEVICE_REGISTRATION_IDENTIFIER,START_ANGLE,STOP_ANGLE,POWER\n500001,,0,360,0\n",
        encoding="utf-8",
    )
    found = read_import(read_mapping(mapping), None, service_targets())
    fault = faults_of(found.reading.entries)[0]
    assert (fault.reason, fault.problem) == ("bad_pattern", "power is not positive")
