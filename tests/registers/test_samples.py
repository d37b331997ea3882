"""Foreign registers with the rows, drops and faults that they must give.

The expected values come from formulas of their own beside the samples; nothing of the program made them.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from pipeline.cli.commands_registers import service_targets
from pipeline.errors import InputError
from pipeline.registers.finishing import faults_of
from pipeline.registers.importing import (
    Import,
    ImportFiles,
    import_command,
    read_import,
    read_mapping,
    recognised,
    with_files,
)
from pipeline.registers.register_files import register_text
from pipeline.rows.foreign_text import RegisterFault

SAMPLES = Path(__file__).resolve().parents[1] / "reference/formats"
TRANSMITTERS = [
    "s01_cp1250_dms", "s02_latin1_title_lines", "s03_erp_by_azimuth", "s04_bom_eirp_field_rotation",
    "s05_xlsx", "s06_projected_sentinels", "s07_ofcom_like_join", "s17_antenna_files", "s18_kml",
    "s19_shapefile_cpg", "s23_faults", "s24_duplicates", "s08_ge06_gt1_padded",
    "s09_ge06_gt1_unpadded_modify", "s10_ge06_allotments", "s25_ge06_faults",
    "s11_fcc_lms", "s12_tvstudy_parameters", "s13_fcc_post_auction",
    "s14_ised_dbf", "s15_acma_rrl", "s16_acma_broadcast_list",
]  # fmt: skip
NUMBERS = {
    "channel", "centre_mhz", "bandwidth_mhz", "antenna_height_agl_m", "site_height_asl_m", "haat_m",
    "beam_tilt_deg", "freq_mhz",
}  # fmt: skip
PATTERNS = {"pattern_azimuth_attenuation_db", "vertical_pattern_deg_attenuation_db"}
SKIPPED = {"case", "tol_m"}


def expected(name: str, case: str) -> list[dict[str, str]]:
    with (SAMPLES / name).open(encoding="utf-8", newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["case"] == case]


def imported(case: str) -> Import:
    return read_import(read_mapping(SAMPLES / case / "import.yaml"), None, service_targets())


def rows_of(found: Import) -> list[dict[str, str]]:
    return [*csv.DictReader(register_text(found.reading.written(), found.target).splitlines())]


def metres(row: dict[str, str], other: dict[str, str]) -> float:
    east = (float(row["lon"]) - float(other["lon"])) * math.cos(math.radians(float(row["lat"])))
    return math.hypot(east, float(row["lat"]) - float(other["lat"])) * 111_320.0


def table(text: str) -> list[float]:
    values = [float(part) for point in text.split(";") if point for part in point.split(":")]
    return values if ":" in text or any(values) else []


def differences(row: dict[str, str], wanted: dict[str, str]) -> list[tuple[str, str, str]]:
    found = []
    for name in wanted.keys() - SKIPPED - {"lon", "lat"}:
        is_, should = row.get(name, ""), wanted[name]
        if name in PATTERNS:
            here, there = table(is_), table(should)
            same = len(here) == len(there) and all(
                abs(a - b) <= 0.011 for a, b in zip(here, there, strict=True)
            )
        elif name == "erp_kw":
            same = math.isclose(float(is_), float(should), rel_tol=1e-4)
        elif name in NUMBERS and is_ and should:
            same = abs(float(is_) - float(should)) <= 0.001
        else:
            same = is_ == should
        if not same:
            found.append((name, is_, should))
    if metres(row, wanted) > float(wanted["tol_m"]):
        found.append(("place", f"{row['lon']} {row['lat']}", f"{wanted['lon']} {wanted['lat']}"))
    return found


def compare(case: str, name: str) -> None:
    found = imported(case)
    rows, wanted = rows_of(found), expected(name, case)
    assert [row["id"] for row in rows] == [row["id"] for row in wanted]
    assert [differences(row, other) for row, other in zip(rows, wanted, strict=True)] == [[]] * len(rows)
    dropped = [
        (entry.file.name, str(entry.row), entry.source_id, entry.drop)
        for entry in found.reading.entries
        if entry.drop
    ]
    assert sorted(dropped) == sorted(
        (row["source_file"], row["source_row"], row["source_id"], row["reason"])
        for row in expected("expected_dropped.csv", case)
    )
    compare_faults(case, faults_of(found.reading.entries))


def compare_faults(case: str, faults: list[RegisterFault], files: set[str] | None = None) -> None:
    told = [(Path(str(f.file)).name, str(f.row), f.field, str(f.value), f.reason) for f in faults]
    wanted = [
        (row["file"], row["row"], row["field"], row["value"], row["reason"])
        for row in expected("expected_errors.csv", case)
    ]
    read = {path.name for path in read_mapping(SAMPLES / case / "import.yaml").files}
    assert told == [row for row in wanted if row[0] in (files or read)]


def test_receivers_of_hcm_lines() -> None:
    rows, wanted = rows_of(imported("s21_hcm_lines")), expected("expected_stations.csv", "s21_hcm_lines")
    numbers = {"lon", "lat", "f_mhz", "bandwidth_mhz", "antenna_height_m", "site_height_asl_m", "acs_db"}
    for row, other in zip(rows, wanted, strict=True):
        for name, value in other.items():
            if name in numbers:
                assert float(row[name]) == pytest.approx(float(value), abs=1e-6)
            elif name != "case":
                assert row[name] == value


def test_areas_of_allotments() -> None:
    found = imported("s10_ge06_allotments").reading.areas
    wanted = expected("expected_areas.csv", "s10_ge06_allotments")
    for area, other in zip(found, wanted, strict=True):
        ring = [tuple(map(float, point.split())) for point in other["ring"].split(", ")]
        assert area.pop("ring") == [pytest.approx(point, abs=1e-6) for point in ring]
        assert {name: str(value) for name, value in area.items()} == {
            **{name: other[name] for name in area},
            "centre_mhz": f"{float(other['centre_mhz'])}",
        }


@pytest.mark.parametrize("file", ["count.txt", "cut_off.txt"])
def test_notices_cut_off_are_faults_of_the_file(file: str) -> None:
    mapping = read_mapping(SAMPLES / "s25_ge06_faults/import.yaml")
    with pytest.raises(RegisterFault) as fault:
        read_import(with_files(mapping, [SAMPLES / "s25_ge06_faults" / file]), None, {})
    compare_faults("s25_ge06_faults", [fault.value], {file})


@pytest.mark.parametrize("case", TRANSMITTERS)
def test_transmitters(case: str) -> None:
    compare(case, "expected.csv")


def test_pmse() -> None:
    compare("s20_pmse", "expected_pmse.csv")


def test_other_encoding_is_a_fault_of_the_file() -> None:
    mapping = read_mapping(SAMPLES / "s23_faults/import.yaml")
    file = SAMPLES / "s23_faults/not_utf8.csv"
    with pytest.raises(RegisterFault) as fault:
        read_import(with_files(mapping, [file]), None, service_targets())
    compare_faults("s23_faults", [fault.value], {"not_utf8.csv"})


RECOGNISED = [
    ("s08_ge06_gt1_padded/gt1.txt", "ge06"),
    ("s11_fcc_lms/lms", "fcc_lms"),
    ("s12_tvstudy_parameters/parameters.csv", "tvstudy"),
    ("s13_fcc_post_auction/post_auction_parameters.csv", "fcc_post_auction"),
    ("s14_ised_dbf/baserad", "ised"),
    ("s15_acma_rrl/spectra_rrl", "acma_rrl"),
    ("s16_acma_broadcast_list/DTV_list.csv", "acma_list"),
]


@pytest.mark.parametrize(("name", "form"), RECOGNISED)
def test_formats_are_recognised(name: str, form: str) -> None:
    assert recognised([SAMPLES / name]) == form


def test_a_table_is_not_recognised() -> None:
    with pytest.raises(InputError, match="is not recognised"):
        recognised([SAMPLES / "s01_cp1250_dms/oddajniki.csv"])


def test_boundary_files(tmp_path: Path) -> None:
    mapping = read_mapping(SAMPLES / "s22_boundaries/import.yaml")
    import_command(mapping, None, ImportFiles(tmp_path / "b.csv"), None, {})
    with (tmp_path / "b.csv").open(encoding="utf-8", newline="") as lines:
        found = [*csv.DictReader(lines)]
    wanted = expected("expected_boundaries.csv", "s22_boundaries")
    assert [{**row, "case": "s22_boundaries"} | other for row, other in zip(found, wanted, strict=True)] == [
        {**row, "case": "s22_boundaries"} for row in found
    ]
