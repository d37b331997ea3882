"""Cells that registers write in ways met beside the samples, and names that may mean two columns."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from pipeline.config.register_mapping import RegisterMapping
from pipeline.errors import InputError
from pipeline.registers.conversion.coordinate_notations import Axis, both
from pipeline.registers.finishing import faults_of
from pipeline.registers.importing import Import, read_import
from pipeline.registers.register_files import register_text

COLUMNS = {
    "id": {"from": "id"}, "lat": {"from": "lat"}, "lon": {"from": "lon"}, "channel": {"from": "ch"},
    "erp_kw": {"from": "p"},
}  # fmt: skip
CONSTANTS = {"bandwidth_mhz": "8", "system": "DVB-T", "country": "SI", "antenna_height_agl_m": "50"}


def imported(folder: Path, text: str, **keys: object) -> Import:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    stated = {"plan": "8MHz", "constants": CONSTANTS, "columns": COLUMNS, **keys, "in": [str(path)]}
    return read_import(RegisterMapping.model_validate(stated), None, {})


def rows_of(found: Import) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(register_text(found.reading.written(), found.target)))]


@pytest.mark.parametrize(
    ("text", "notation"),
    [
        ("46.5 14.25", "degrees"), ("46,5 14,25", "degrees"), ("46,5, 14,25", "degrees"),
        ("46,5 N 14,25 E", "degrees"), ("N46.5E14.25", "degrees"), ("46.5,14.25", "degrees"),
        ("46° 30,0' N 14° 15' E", "dms"), ("46°30'00,0\"N 14°15'00\"E", "dms"), ("463000N0141500E", "dms"),
        ("46N3000 014E1500", "dms"), ("46 30 00 14 15 00", "dms"), ("46:30:00/14:15:00", "dms"),
    ],
)  # fmt: skip
def test_both_angles_in_one_cell(text: str, notation: str) -> None:
    assert both(text, notation, Axis("lat"), Axis("lon")) == pytest.approx((46.5, 14.25), abs=1e-12)


@pytest.mark.parametrize("text", ["46,05", "46.5", "46 N 14 E 3", "14.25E 46.5N"])
def test_a_cell_of_one_angle_or_of_three_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not"):
        both(text, "degrees", Axis("lat"), Axis("lon"))


def test_a_header_above_two_columns_is_asked_for(tmp_path: Path) -> None:
    text = "id,lat,lon,ch,p,p\nA,46.5,14.5,32,1,2\n"
    with pytest.raises(InputError, match="stands above several columns") as refused:
        imported(tmp_path, text)
    assert (refused.value.field, refused.value.allowed) == ("p", "p#1, p#2")
    for header, power in (("p#1", "1"), ("p#2", "2")):
        found = imported(tmp_path, text, columns={**COLUMNS, "erp_kw": {"from": header}})
        assert [row["erp_kw"] for row in rows_of(found)] == [power]
    both_used = {**COLUMNS, "site": {"from": "p#2"}}
    assert rows_of(imported(tmp_path, text, columns=both_used))[0]["erp_kw"] == "1"
    assert rows_of(imported(tmp_path, text.replace("1,2\n", "1,1\n")))[0]["erp_kw"] == "1"


def test_a_channel_beyond_the_plan_is_told_as_such(tmp_path: Path) -> None:
    found = imported(tmp_path, "id,lat,lon,ch,p\nA,46.5,14.5,70,1\nB,46.5,-0.0,K032,1\n")
    assert [(fault.field, fault.value, fault.reason) for fault in faults_of(found.reading.entries)] == [
        ("channel", "70", "out_of_plan")
    ]
    row = rows_of(found)[0]
    assert (row["channel"], row["lon"]) == ("32", "0.000000")


def test_the_power_of_one_plane_alone(tmp_path: Path) -> None:
    columns = {name: column for name, column in COLUMNS.items() if name != "erp_kw"}
    columns |= {"erp_v": {"from": "p", "unit": "dBW"}}
    found = imported(tmp_path, "id,lat,lon,ch,p\nA,46.5,14.5,32,30\n", columns=columns)
    assert [(row["erp_kw"], row["polarisation"]) for row in rows_of(found)] == [("1", "V")]


def test_circular_polarisation_is_written_as_mixed(tmp_path: Path) -> None:
    columns = {**COLUMNS, "polarisation": {"from": "pol"}}
    found = imported(tmp_path, "id,lat,lon,ch,p,pol\nA,46.5,14.5,32,1,C\n", columns=columns)
    assert rows_of(found)[0]["polarisation"] == "M"


def test_parameters_of_unknown_accuracy_are_the_widest_datum(tmp_path: Path) -> None:
    found = imported(tmp_path, "id,lat,lon,ch,p\nA,40,-100,32,1\n", crs="EPSG:4267", to_wgs84=[-8, 160, 176])
    assert (found.reading.datum.operation, found.reading.datum.accuracy_m) == ("to_wgs84 -8, 160, 176", None)


def test_a_separator_at_the_end_of_a_pattern(tmp_path: Path) -> None:
    values = "/".join(["0", "5", *["0"] * 34])
    found = imported(
        tmp_path,
        f"id,lat,lon,ch,p,d\nA,46.5,14.5,32,1,{values}/\nB,46.6,14.5,32,1,{values}/0/\n",
        pattern={"from": "d", "kind": "attenuation_db", "separator": "/"},
    )
    assert rows_of(found)[0]["pattern_azimuth_attenuation_db"].startswith("0.00;5.00;0.00;")
    assert [fault.reason for fault in faults_of(found.reading.entries)] == ["bad_pattern"]  # 37 values
