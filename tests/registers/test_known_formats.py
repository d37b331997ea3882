"""Known formats with something lost or odd in their files: nothing is left out or replaced in silence."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from pipeline.cli.commands_registers import service_targets
from pipeline.config.register_mapping import RegisterMapping
from pipeline.errors import InputError
from pipeline.registers.conversion.cell_numbers import CellProblem
from pipeline.registers.explained import explain_lines
from pipeline.registers.finishing import faults_of
from pipeline.registers.formats.antenna_files import read_antenna_file
from pipeline.registers.formats.ge06_notices import read_notices
from pipeline.registers.importing import Import, read_import, read_mapping, with_ground
from pipeline.rows.foreign_files import read_foreign
from pipeline.rows.foreign_text import RegisterFault, TextFormat

SAMPLES = Path(__file__).resolve().parents[1] / "reference/formats"

Changed = Callable[..., Import]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    def read(case: str, name: str, change: Callable[[str], str]) -> Import:
        folder = shutil.copytree(SAMPLES / case, tmp_path / case, dirs_exist_ok=True)
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


def test_lines_of_tvstudy_end_behind_what_they_hold(changed: Changed) -> None:
    """As in the FCC's file, behind the populations or the fields; a cell lost before shifts the others."""
    case = ("s12_tvstudy_parameters", "parameters.csv")

    def cut(text: str) -> str:
        lines = [line.rstrip(",") for line in text.splitlines()]
        return "\n".join(line + "," * (33 - line.count(",")) for line in lines) + "\n"

    whole, shorter = ([entry.values for entry in changed(*case, way).reading.entries] for way in (str, cut))
    assert shorter == whole
    pairs = "".join(f",{azimuth},0.5" for azimuth in range(5, 75, 10))  # seven; the header has six
    longer = changed(*case, lambda text: text.replace(",0.990000," + "," * 12, ",0.990000," + pairs, 1))
    station = next(entry for entry in longer.reading.written() if entry.values["id"] == "91001-0")
    attenuations = str(station.values["pattern_azimuth_attenuation_db"]).split(";")
    assert attenuations[(120 + 5) // 5] == attenuations[(120 + 65) // 5] == "6.02"
    shifted = changed(*case, lambda text: text.replace('"OAKTOWN",OK,', '"OAKTOWN",', 1))
    assert [fault.reason for fault in faults_of(shifted.reading.entries)] == ["bad_row"]


def test_packed_places_of_the_post_auction_table(changed: Changed) -> None:
    """Seconds are rounded up to 60; a place in the east is whole degrees below it, and minutes upwards."""
    odd = {"361606,992657": "361660,992660", "353552,972923": "132922,-1451014"}

    def change(text: str) -> str:
        return re.sub("|".join(odd), lambda found: odd[found[0]], text)

    found = changed("s13_fcc_post_auction", "post_auction_parameters.csv", change)
    places = [(entry.values["lon"], entry.values["lat"]) for entry in found.reading.written()][:2]
    assert places[0] == pytest.approx((-(99 + 27 / 60), 36 + 17 / 60))
    assert places[1] == pytest.approx((144 + 49 / 60 + 46 / 3600, 13 + 29 / 60 + 22 / 3600))


def test_a_faulty_row_of_parameters_is_told(changed: Changed) -> None:
    with pytest.raises(RegisterFault, match=r"parameters.csv, row \d+, field \(row\)"):
        changed("s13_fcc_post_auction", "parameters.csv", lambda text: text + "1,2,3,4\n")


# --- ACMA ---------------------------------------------------------------------------------------------------

SECTORS = "spectra_rrl/LICENCE_.CSV"


@pytest.mark.parametrize(
    ("change", "lat", "fault"),
    [
        (("32 0 46S", "32 0 60S"), -(32 + 1 / 60), []),  # as those of Pannawonica
        (("32 0 46S", "32 0 61S"), None, ["32 0 61S"]),
        ((",WA,6,", ",WA,9A,"), -(32 + 46 / 3600), ["9A"]),
    ],
)
def test_the_list_of_transmitters_as_it_comes(
    changed: Changed, change: tuple[str, str], lat: float | None, fault: list[str]
) -> None:
    """Seconds are rounded up to 60, no farther; channel 9A has no number, and is told."""
    found = changed("s16_acma_broadcast_list", "DTV_list.csv", lambda text: text.replace(*change))
    assert found.reading.entries[0].values.get("lat") == (None if lat is None else pytest.approx(lat))
    assert [told.value for told in faults_of(found.reading.entries)] == fault


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


def both_fragments(
    tmp_path: Path, plan_dbw: float, used_dbw: float, more: str = "", used_mhz: str = "562"
) -> Import:
    """The same reference in the plan and as in use."""
    notices = ""
    for fragment, dbw, mhz in (("GE06D", plan_dbw, "562"), ("NTFD_RR", used_dbw, used_mhz)):
        notice = NOTICE.format(**STATION).replace("dbw=20", f"dbw={dbw}").replace("assgn=562", f"assgn={mhz}")
        notices += notice.replace("t_polar", f"t_fragment={fragment}\nt_polar")
    notices += more
    text = (
        f"<HEAD>\nt_adm=SVN\n</HEAD>\n{notices}<TAIL>\nt_num_notices={notices.count('<NOTICE>')}\n</TAIL>\n"
    )
    (tmp_path / "both.txt").write_text(text, encoding="utf-8")
    return read_import(RegisterMapping(format="ge06", paths=[tmp_path / "both.txt"], plan="8MHz"), None, {})


@pytest.mark.parametrize(("plan_dbw", "used_dbw", "kept_dbw"), [(20.0, 17.0, 20.0), (17.0, 20.0, 20.0)])
def test_plan_and_use_of_a_station_are_one(
    tmp_path: Path, plan_dbw: float, used_dbw: float, kept_dbw: float
) -> None:
    found = both_fragments(tmp_path, plan_dbw, used_dbw)
    (entry,) = found.reading.written()
    assert entry.values["erp_kw"] == pytest.approx(10 ** (0.1 * (kept_dbw - 30)))
    assert [entry.drop for entry in found.reading.entries if entry.drop] == ["duplicate"]


def test_what_is_taken_from_use_stays_in_the_plan(tmp_path: Path) -> None:
    more = NOTICE.format(**{**STATION, "action": "SUPPRESS"}).replace(
        "t_polar", "t_fragment=NTFD_RR\nt_polar"
    )
    found = both_fragments(tmp_path, 20.0, 17.0, more, used_mhz="570")
    (entry,) = found.reading.written()
    assert entry.values["channel"] == 32
    assert [entry.drop for entry in found.reading.entries if entry.drop] == ["suppressed"]


def test_a_weaker_plan_entry_counts_again_without_the_use(tmp_path: Path) -> None:
    more = NOTICE.format(**{**STATION, "action": "SUPPRESS"}).replace(
        "t_polar", "t_fragment=NTFD_RR\nt_polar"
    )
    (entry,) = both_fragments(tmp_path, 17.0, 20.0, more).reading.written()
    assert entry.values["erp_kw"] == pytest.approx(10**-1.3)


def test_one_reference_on_two_channels_is_a_second_id(tmp_path: Path) -> None:
    found = both_fragments(tmp_path, 20.0, 17.0, used_mhz="570")
    assert [fault.reason for fault in faults_of(found.reading.entries)] == ["duplicate_id"]


# --- encodings, terrain, explanations -----------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_wins_over_a_stated_character_set(changed: Changed, encoding: str, tmp_path: Path) -> None:
    """With the mark of UTF-8 the head was no head where another set is stated, and ids lost their prefix."""
    known = changed("s10_ge06_allotments", "mixed.txt", lambda text: text)
    file = tmp_path / "s10_ge06_allotments" / "mixed.txt"
    text = file.read_text(encoding="utf-8")
    assert "t_char_set = ISO-8859-1" in text
    file.write_text(text, encoding=encoding, newline="")
    found = read_import(read_mapping(file.parent / "import.yaml"), None, service_targets())
    ids = [[entry.values["id"] for entry in each.reading.written()] for each in (found, known)]
    assert ids[0] == ids[1]


def test_letters_of_an_unknown_character_set_are_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(SAMPLES / "s08_ge06_gt1_padded", tmp_path / "x")
    file = folder / "gt1.txt"
    file.write_bytes(file.read_bytes().replace(b"windows-1251", b"windows-1253"))
    with pytest.raises(RegisterFault, match=r"unknown character set; found 'windows-1253'"):
        read_import(read_mapping(folder / "import.yaml"), None, service_targets())


def test_antenna_files_may_have_a_mark(changed: Changed) -> None:
    known = changed("s17_antenna_files", "mobile.ant", lambda text: text)
    marked = changed_again("s17_antenna_files", "mobile.ant", known)
    values = [[entry.values for entry in found.reading.written()] for found in (marked, known)]
    assert values[0] == values[1]


def changed_again(case: str, name: str, known: Import) -> Import:
    """The same import after a byte order mark was put before one of its files."""
    folder = known.mapping.files[0].parent
    assert folder.name == case
    (folder / name).write_bytes(b"\xef\xbb\xbf" + (folder / name).read_bytes())
    return read_import(read_mapping(folder / "import.yaml"), None, service_targets())


def test_terrain_gives_heights_above_ground(changed: Changed, tmp_path: Path) -> None:
    """A plane of 100 m: antennas at 350 m above sea stand 250 m above ground."""
    found = changed("s11_fcc_lms", POWERS, lambda text: text)
    place = {"crs": "EPSG:4326", "transform": Affine(10, 0, -180, 0, -10, 90), "width": 36, "height": 18}
    with rasterio.open(tmp_path / "dem.tif", "w", driver="GTiff", count=1, dtype="float32", **place) as sink:
        sink.write(np.full((1, 18, 36), 100.0, dtype=np.float32))
    with_ground(found, tmp_path / "dem.tif")
    written = [entry for entry in found.reading.written() if entry.values.get("rcamsl_m") is not None]
    assert written
    for entry in written:
        above_m = float(str(entry.values["rcamsl_m"])) - 100.0
        if above_m > 0:
            assert entry.values["antenna_height_agl_m"] == pytest.approx(above_m, abs=0.05)
        else:
            assert "below_ground" in entry.flags


def test_rows_are_explained() -> None:
    mapping = read_mapping(SAMPLES / "s01_cp1250_dms/import.yaml")
    found = read_import(mapping, None, service_targets())
    lines = [*explain_lines(found.reading.entries, mapping, 1)]
    assert lines[0] == "oddajniki.csv, row 2: written"
    text = "\n".join(lines)
    assert "<- Zem. širina = '46°03\\'12\"N' (notation dms)" in text
    assert "<- constant" in text


@pytest.mark.parametrize("name", ["field.pat", "mobile.ant", "panel65.msi", "skew.adf"])
def test_antenna_files_that_end_early_are_no_fault_of_the_program(name: str, tmp_path: Path) -> None:
    lines = (SAMPLES / "s17_antenna_files" / name).read_bytes().splitlines(keepends=True)
    file = tmp_path / name
    for count in range(0, len(lines), max(1, len(lines) // 40)):
        file.write_bytes(b"".join(lines[:count]))
        with suppress(CellProblem):
            read_antenna_file(file)


@pytest.mark.parametrize("name", ["field.pat", "field.adf"])
def test_an_antenna_without_field_is_refused(name: str, tmp_path: Path) -> None:
    cut = "PATCUT:,{}\nPOLARI:,V/V\n0,{}\n90,0\n"
    text = {
        "field.pat": "'A', 12, 1\n0 1\n90 0.5\n999\n1, 2\n0\n0, 0\n10, 0\n",
        "field.adf": f"GUNITS:,DBI/LIN\n{cut.format('AZ', 1)}{cut.format('EL', 0)}ENDFIL:,EOF\n",
    }[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(CellProblem, match="no field above 0"):
        read_antenna_file(tmp_path / name)


def test_two_fields_of_one_name_are_refused(tmp_path: Path) -> None:
    """A damaged head of a dBase file: the second descriptor of 32 bytes begins with the name of the first."""
    folder = shutil.copytree(SAMPLES / "s14_ised_dbf", tmp_path / "x")
    file = next(path for path in folder.rglob("*") if path.name.lower() == "tvstatio.dbf")
    content = bytearray(file.read_bytes())
    content[64:75] = content[32:43]
    file.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"column occurs twice|column is missing"):
        read_import(read_mapping(folder / "import.yaml"), None, service_targets())


def test_a_workbook_with_a_damaged_part_is_refused(tmp_path: Path) -> None:
    """A sum that is not that of the part: GDAL reads it all the same."""
    folder = shutil.copytree(SAMPLES / "s05_xlsx", tmp_path / "x")
    file = folder / "stations.xlsx"
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        sum_of_part = archive.getinfo("xl/workbook.xml").CRC.to_bytes(4, "little")
    at = content.rindex(sum_of_part)  # in the directory at the end
    content[at] ^= 0xFF
    file.write_bytes(bytes(content))
    with pytest.raises(InputError, match="is damaged"):
        read_import(read_mapping(folder / "import.yaml"), None, service_targets())


def test_a_workbook_without_its_list_of_sheets_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(SAMPLES / "s05_xlsx", tmp_path / "x")
    file = folder / "stations.xlsx"
    file.write_bytes(file.read_bytes().replace(b"xl/workbook.xml", b"xl/workbooks.ml"))
    with pytest.raises(InputError, match="is damaged"):
        read_import(read_mapping(folder / "import.yaml"), None, service_targets())
