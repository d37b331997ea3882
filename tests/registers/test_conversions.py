"""Cells of foreign registers as numbers: notations, units, datums, patterns; values worked by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS

from pipeline.errors import InputError
from pipeline.registers.conversion import coordinate_notations as notations
from pipeline.registers.conversion import power_units
from pipeline.registers.conversion.antenna_tables import Turn, equally_spaced, horizontal, vertical
from pipeline.registers.conversion.cell_numbers import CellProblem, NumberFormat, channel_number, day, number
from pipeline.registers.conversion.coordinate_notations import Axis
from pipeline.registers.conversion.datums import datum_of
from pipeline.registers.formats.antenna_files import read_antenna_file

GERMAN = NumberFormat(",", ".")
LAT, LON = Axis("lat"), Axis("lon")


@pytest.mark.parametrize(
    ("text", "form", "value"),
    [
        ("12,5", GERMAN, 12.5),
        ("1.107", GERMAN, 1107.0),
        ("1.000,0", GERMAN, 1000.0),
        ("1.234.567,25", GERMAN, 1234567.25),
        ("-0,5", GERMAN, -0.5),
        ("\u22123,5", GERMAN, -3.5),
        ("1\u00a0107,5", NumberFormat(",", " "), 1107.5),
        ("1\u2009107", NumberFormat(".", "\u2009"), 1107.0),
        ("1,000", NumberFormat(".", ","), 1000.0),
    ],
)
def test_numbers(text: str, form: NumberFormat, value: float) -> None:
    assert number(text, form) == value


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("12,5,3", NumberFormat(",")),
        ("NaN", NumberFormat()),
        ("1,5 kW", NumberFormat(",")),
        ("#N/A", NumberFormat()),
        ("≈3", NumberFormat()),
        ("1.107", NumberFormat(",")),
        ("1.10", GERMAN),
        ("1.0000", GERMAN),
    ],
)
def test_what_is_no_number_or_two(text: str, form: NumberFormat) -> None:
    with pytest.raises(CellProblem):
        number(text, form)


@pytest.mark.parametrize(
    "text",
    [
        "46°03'12\"N", "46° 03′ 12,0″ N", "46°03'12''N", "N46°03'12\"", "46 03 12.0", "46:03:12", "460312N",
        "+460312", "460312.0", "46° 03,20' N", "46N0312", "46N03'12''",
    ],
)  # fmt: skip
def test_notations_of_one_latitude(text: str) -> None:
    assert notations.dms(text, LAT) == pytest.approx(46 + 3 / 60 + 12 / 3600, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "axis", "reason"),
    [
        ("14°30'O", LON, "ambiguous_hemisphere"),
        ("46°75'00\"N", LAT, "bad_value"),
        ("46°03'60\"N", LAT, "bad_value"),
        ("46,0512", LAT, "bad_value"),
        ("0143012", LAT, "bad_value"),
        ("-46°03'12\"S", LAT, "bad_value"),
        ("46°03'12\"E", LAT, "bad_value"),
    ],
)
def test_unreadable_angles(text: str, axis: Axis, reason: str) -> None:
    with pytest.raises(CellProblem) as problem:
        notations.dms(text, axis)
    assert problem.value.reason == reason


def test_west_counts_as_the_mapping_says() -> None:
    assert notations.dms("14°30'O", Axis("lon", {"O": "E"})) == 14.5
    assert notations.dms("14°30'O", Axis("lon", {"O": "W"})) == -14.5
    assert notations.degrees("99.5", Axis("lon", west_positive=True)) == -99.5
    assert notations.degrees("99.5E", Axis("lon", west_positive=True)) == 99.5


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("TQ339712", (533950.0, 171250.0)),
        ("TQ 3 7", (535000.0, 175000.0)),
        ("NT05399374", (305395.0, 693745.0)),
    ],
)
def test_grid_reference_is_the_centre_of_its_square(text: str, place: tuple[float, float]) -> None:
    assert notations.grid_reference(text) == place


def test_powers() -> None:
    assert power_units.erp_kw(40.0, "dBW", "erp") == pytest.approx(10.0)
    assert power_units.erp_kw(1.640590, "kW", "eirp") == pytest.approx(1.0, rel=1e-6)
    assert power_units.erp_kw(0.0, "dBk", "erp") == pytest.approx(1.0)
    assert power_units.radiated_kw(0.25, 9.0, "dBi", 3.0) == pytest.approx(0.25 * 10**0.385)
    assert power_units.radiated_kw(1.0, 3.0, "dBd", 3.0) == pytest.approx(1.0)
    with pytest.raises(CellProblem, match="unknown unit"):
        power_units.erp_kw(1.0, "BTU", "erp")


def test_other_cells() -> None:
    assert [channel_number(text) for text in ("E 25", "K21", "25", "32,0", "CH 7")] == [25, 21, 25, 32, 7]
    assert day("46388", None, workbook=True).isoformat() == "2027-01-01"
    assert day("44926", None, workbook=True, serial_shift_days=1462).isoformat() == "2027-01-01"
    with pytest.raises(CellProblem):
        day("31.02.2026", "%d.%m.%Y")


def test_patterns_turn_clockwise_and_back() -> None:
    cardioid = [10.0 - 10.0 * math.cos(math.radians(10 * i)) for i in range(36)]
    turned = horizontal(equally_spaced(cardioid), "attenuation_db", Turn(30.0)).attenuation_db
    np.testing.assert_allclose(turned, np.roll(cardioid, 3), atol=1e-9)
    skew = [(0.0, 0.0), (90.0, 9.0), (180.0, 20.0), (270.0, 3.0)]
    mirrored = horizontal(skew, "attenuation_db", Turn(clockwise=False)).attenuation_db
    assert (mirrored[9], mirrored[27], mirrored.size) == (3.0, 9.0, 36)


def test_a_rotation_between_tens_gives_72_points_linear_in_the_field() -> None:
    field = [1.0 if i in (0, 1, 35) else 0.5 for i in range(36)]
    found = horizontal(equally_spaced(field), "relative_field", Turn(5.0)).attenuation_db
    assert found.size == 72
    assert found[4] == pytest.approx(-20.0 * math.log10(0.75))  # 20 degrees are 15 of the pattern


def test_signs_and_lost_maxima_are_refused_or_flagged() -> None:
    with pytest.raises(CellProblem, match="attenuation of -3 dB"):
        horizontal(equally_spaced([0.0, -3.0, *[0.0] * 34]), "attenuation_db", Turn())
    with pytest.raises(CellProblem, match="smallest attenuation is 4 dB"):
        horizontal(equally_spaced([4.0] * 36), "attenuation_db", Turn())
    assert horizontal(equally_spaced([0.6] * 36), "attenuation_db", Turn()).peak
    normal = horizontal(equally_spaced([4.0, *[9.0] * 35]), "attenuation_db", Turn(), normalise=True)
    assert (normal.attenuation_db[0], normal.attenuation_db[18], normal.peak) == (0.0, 5.0, False)


def test_vertical_patterns_are_relative_to_the_middle_of_their_maximum() -> None:
    found = vertical([(-30.0, 12.0), (0.0, 2.0), (1.0, 0.0), (3.0, 0.0), (92.0, 20.0)])
    assert found.beam_tilt_deg == 2.0
    assert found.points[0] == (-10.0, pytest.approx(2.0 + (12.0 - 2.0) * 8.0 / 30.0))
    assert found.points[-1] == (90.0, 20.0)
    assert vertical([(0.0, 3.0), (10.0, 3.0)]).points == []


def test_datums() -> None:
    shift = datum_of(CRS(4277), [-2.0], [52.0], accuracy_m=20.0, to_wgs84=[446.448, -125.157, 542.06])
    lon, lat = shift.degrees([-2.0], [52.0])
    assert abs(lat[0] - 52.0) * 111_200 == pytest.approx(45.0, abs=25.0)
    assert shift.accuracy_m is None
    assert datum_of(CRS(4269), [-90.0], [40.0], accuracy_m=20.0).degrees([-90.0], [40.0])[0].tolist() == [
        -90.0
    ]
    with pytest.raises(InputError, match="NAD27 without its grid files"):
        datum_of(CRS(4267), [-90.0], [40.0], accuracy_m=20.0)
    assert lon[0] < 0.0


# --- signs that a normalised pattern must not hide, ranges of angles ----------------------------------------


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("attenuation_db", (0.0, -20.0)),
        ("relative_gain_db", (0.0, 20.0)),
        ("relative_field", (1.0, -0.2)),
        ("relative_power", (1.0, -0.2)),
    ],
)
def test_signs_of_patterns_are_those_of_their_kind(
    kind: str, values: tuple[float, float], *, normalise: bool
) -> None:
    with pytest.raises(CellProblem):
        horizontal([(0.0, values[0]), (180.0, values[1])], kind, Turn(), normalise=normalise)


def test_fields_in_percent_are_normalised() -> None:
    found = horizontal([(0.0, 100.0), (180.0, 10.0)], "relative_field", Turn(), normalise=True)
    assert found.attenuation_db[[0, 18]] == pytest.approx([0.0, 20.0])


def test_a_negative_field_of_a_vertical_pattern_is_refused() -> None:
    with pytest.raises(CellProblem):
        vertical([(0.0, 1.0), (10.0, -0.1)], "relative_field")


def test_elevations_of_a_full_circle_are_those_of_a_half_one(tmp_path: Path) -> None:
    cut = "GUNITS:,DBI/DBR\nPATCUT:,AZ\n0,0\n180,-20\nPATCUT:,EL\n{}\nENDFIL:,EOF\n"
    tables = []
    for name, below in (("half", -3), ("full", 357)):
        file = tmp_path / f"{name}.adf"
        file.write_text(cut.format(f"{below},0\n0,-1\n10,-6\n90,-30\n180,-25"), encoding="ascii")
        tables.append(read_antenna_file(file).vertical)
    assert tables[0].beam_tilt_deg == tables[1].beam_tilt_deg == 3.0
    assert tables[0].points == tables[1].points


@pytest.mark.parametrize("text", ["21E045", "21E45"])
def test_minutes_of_one_digit_need_a_mark(text: str) -> None:
    with pytest.raises(CellProblem):
        notations.dms(text, LON)


def test_a_letter_alone_is_no_angle() -> None:
    with pytest.raises(CellProblem):
        notations.parts(["N"], LAT)


def test_a_stated_form_is_read_before_days_of_workbooks() -> None:
    assert day("41228", "%d%m%y", workbook=True).isoformat() == "2028-12-04"
    assert day("44927", "%d/%m/%Y", workbook=True).isoformat() == "2023-01-01"
    assert day("44927", None, workbook=True).isoformat() == "2023-01-01"
