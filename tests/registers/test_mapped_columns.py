"""Columns of mapped tables: what would give another number in silence is refused; values by hand."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest

from pipeline.cli.commands_registers import service_targets
from pipeline.errors import InputError
from pipeline.registers.finishing import faults_of
from pipeline.registers.importing import Import, ImportFiles, import_command, read_import, read_mapping
from pipeline.rows.foreign_files import read_foreign
from pipeline.rows.foreign_text import TextFormat
from pipeline.rows.workbook_numbers import number_cells
from tests.coordination.radar.workbooks import workbook

HEAD = """plan: 8MHz
format: table
in: [list.csv]
constants: {bandwidth_mhz: 8, system: DVB-T2, country: SI, antenna_height_agl_m: 50}
"""
OTHERS = {"id": "{from: Nr}", "channel": "{from: Ch}", "erp_kw": "{from: P, unit: W}"}
PLACE = {"lat": "{from: Lat}", "lon": "{from: Lon}"}

Reads = Callable[..., Import]


@pytest.fixture
def reads(tmp_path: Path) -> Reads:
    def read(table: str, columns: dict[str, str], more: str = "", head: str = HEAD) -> Import:
        (tmp_path / "list.csv").write_text(table, encoding="utf-8")
        lines = [f"  {name}: {column}\n" for name, column in {**OTHERS, **columns}.items()]
        (tmp_path / "import.yaml").write_text(f"{head}{more}columns:\n{''.join(lines)}", encoding="utf-8")
        return read_import(read_mapping(tmp_path / "import.yaml"), None, service_targets())

    return read


def values(found: Import, name: str) -> list[object]:
    assert faults_of(found.reading.entries) == []
    return [entry.values.get(name) for entry in found.reading.written()]


def fault(found: Import) -> str:
    return str(faults_of(found.reading.entries)[0])


# --- places -------------------------------------------------------------------------------------------------

CELLS = "Nr,Ch,P,d,m,s,lo,ew\n1,22,500,46,45,0,3 30 00,W\n"


def test_cells_of_an_angle_are_read_together(reads: Reads) -> None:
    columns = {"lat": "{from: [d, m, s], notation: dms}", "lon": "{from: [lo, ew], notation: dms}"}
    found = reads(CELLS, columns)
    assert values(found, "lat") == [46.75]
    assert values(found, "lon") == [-3.5]


def test_a_letter_may_have_a_cell_of_its_own(reads: Reads) -> None:
    columns = {"lat": "{from: [d, m, s], notation: parts}", "lon": "{from: [lo, ew]}"}
    assert values(reads(CELLS.replace("3 30 00", "3.5"), columns), "lon") == [-3.5]


def test_a_lost_letter_is_a_fault(reads: Reads) -> None:
    columns = {"lat": "{from: [d, m, s], notation: dms}", "lon": "{from: [lo, ew], notation: dms}"}
    assert "field lon: one of its cells is empty" in fault(reads(CELLS.replace(",W", ","), columns))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"lat": "{from: [d, m, s]}", "lon": "{from: lo}"}, "columns.lat.notation: has several cells"),
        ({"x": "{from: [d, m]}", "y": "{from: s}"}, "columns.x.from: stands in one cell"),
        ({"lat_lon": "{from: [d, m]}"}, "columns.lat_lon.from: stands in one cell"),
        ({"ngr": "{from: [d, m]}"}, "columns.ngr.from: stands in one cell"),
    ],
)
def test_cells_that_make_no_value_together_are_refused(
    reads: Reads, columns: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        reads(CELLS, columns, "crs: EPSG:3794\n" if "x" in columns else "")


TABLE = "Nr,Ch,P,Lat,Lon,G,Pol,A,B\n1,22,500,46.5,14.5,2.15,M,0,3\n"


def test_parameters_of_a_datum_need_its_crs(reads: Reads) -> None:
    with pytest.raises(InputError, match="crs: to_wgs84 needs the CRS"):
        reads(TABLE, PLACE, "to_wgs84: [-87, -98, -121]\n")


# --- powers -------------------------------------------------------------------------------------------------


def test_power_beside_a_gain_needs_its_unit(reads: Reads) -> None:
    with pytest.raises(InputError, match=r"columns.erp_kw.power.unit: unknown unit; .*allowed: kW, W"):
        reads(TABLE, {**PLACE, "erp_kw": "{power: {from: P}, gain: {from: G, unit: dBi}}"})
    column = "{power: {from: P, unit: W}, gain: {from: G, unit: dBi}}"
    assert values(reads(TABLE, {**PLACE, "erp_kw": column}), "erp_kw") == [pytest.approx(0.5)]


PLANES = "Nr,Ch,P,Lat,Lon,Pol," + ",".join(f"E{azimuth}" for azimuth in range(0, 360, 10))
STATION = "\n1,22,7,46.5,14.5,M," + ",".join(["2"] * 18 + ["4"] * 18) + "\n"


@pytest.mark.parametrize(
    ("pattern", "column", "kw"),
    [
        ("erp", "erp", 4.0),
        ("per_plane", "erp", 8.0),
        ("erp", "per_plane", 4.0),
        ("per_plane", "per_plane", 8.0),
    ],
)
def test_power_of_each_plane_by_azimuth_counts_twice_once(
    reads: Reads, pattern: str, column: str, kw: float
) -> None:
    stated = f"pattern: {{columns: 'E{{azimuth}}', kind: erp, unit: kW, reference: {pattern}}}\n"
    columns = {
        **PLACE,
        "polarisation": "{from: Pol}",
        "erp_kw": f"{{from: P, unit: kW, reference: {column}}}",
    }
    assert values(reads(PLANES + STATION, columns, stated), "erp_kw") == [kw]


def test_power_of_each_plane_of_a_column_counts_twice(reads: Reads) -> None:
    columns = {**PLACE, "polarisation": "{from: Pol}", "erp_kw": "{from: P, unit: kW, reference: per_plane}"}
    assert values(reads(PLANES + STATION, columns), "erp_kw") == [14.0]


# --- patterns -----------------------------------------------------------------------------------------------


def test_a_directional_pattern_needs_its_rotation(reads: Reads) -> None:
    pattern = (
        "pattern: {columns: 'E{azimuth}', kind: attenuation_db, rotation: {from: Turn}, normalise: true}\n"
    )
    table = PLANES.replace("Pol", "Turn") + STATION.replace(",M,", ",,")
    assert "field pattern: rotation of the pattern is missing" in fault(reads(table, PLACE, pattern))
    assert values(reads(table.replace(",4", ",2"), PLACE, pattern), "id") == ["1"]


# --- status and dates ---------------------------------------------------------------------------------------


def test_without_a_status_nothing_is_dropped_for_it(reads: Reads) -> None:
    assert values(reads(TABLE, PLACE, "keep_status: [on_air]\n"), "id") == ["1"]
    assert values(reads(TABLE, {**PLACE, "status": "{from: Pol}"}, "keep_status: [on_air]\n"), "id") == []


def test_constant_dates_are_days(reads: Reads) -> None:
    head = HEAD.replace("country: SI", "country: SI, valid_to: '01.05.2020'") + "as_of: 2026-11-28\n"
    with pytest.raises(InputError, match=r"constants.valid_to: no such date; found '01.05.2020'"):
        reads(TABLE, PLACE, head=head)
    found = reads(TABLE, PLACE, head=head.replace("01.05.2020", "2020-05-01"))
    assert [entry.drop for entry in found.reading.entries] == ["expired"]


@pytest.mark.parametrize("columns", ["{azimuth}_{x}", "{azimuth}_{}", "{azimuth.x}"])
def test_headers_by_azimuth_hold_nothing_else(reads: Reads, columns: str) -> None:
    with pytest.raises(InputError, match=r"pattern.*columns holds \{azimuth\} alone"):
        reads(TABLE, PLACE, f"pattern: {{columns: '{columns}', kind: attenuation_db}}\n")


# --- decimal and thousands signs ----------------------------------------------------------------------------


def test_one_sign_for_decimals_and_thousands_is_refused(reads: Reads) -> None:
    columns = {**PLACE, "erp_kw": "{from: P, decimal: '.'}"}
    with pytest.raises(InputError, match=r"field P: decimal and thousands sign are the same; found '\.'"):
        reads(TABLE, columns, "decimal: ','\nthousands: '.'\n")


def test_an_import_does_not_overwrite_a_joined_table(reads: Reads, tmp_path: Path) -> None:
    sites = "Nr,id,lon,lat\n1,1,14.5,46.5\n"
    (tmp_path / "sites.csv").write_text(sites, encoding="utf-8")
    columns = {"lat": "{from: lat}", "lon": "{from: lon}"}
    mapping = reads("Nr,Ch,P\n1,22,500\n", columns, "join: {path: sites.csv, 'on': Nr}\n").mapping
    with pytest.raises(InputError, match="would change an input"):
        import_command(mapping, None, ImportFiles(tmp_path / "sites.csv"), None, service_targets())
    assert (tmp_path / "sites.csv").read_text(encoding="utf-8") == sites


def test_a_joined_table_has_its_own_signs(reads: Reads, tmp_path: Path) -> None:
    (tmp_path / "powers.csv").write_text("Nr;kW\n1;1.107,5\n", encoding="utf-8")
    columns = {**PLACE, "erp_kw": "{from: kW}"}
    join = "join: {path: powers.csv, 'on': Nr, separator: ';', decimal: ',', thousands: '.'}\n"
    assert values(reads(TABLE, columns, join), "erp_kw") == [1107.5]


def test_texts_and_numbers_of_a_workbook(reads: Reads, tmp_path: Path) -> None:
    rows = [
        ["Nr", "Ch", "P", "Lat", "Lon"],
        ["1", 22, "1.107", 46.5, 14.5],
        ["2", 23, 1.107, 46.5, 14.5],
        ["3", 24, "1,5", 46.5, 14.5],
        ["4", 25, 0.00001, 46.5, 14.5],
    ]
    (tmp_path / "list.xlsx").write_bytes(workbook(rows))
    head = HEAD.replace("list.csv", "list.xlsx")
    columns = {**PLACE, "erp_kw": "{from: P}"}
    signs = "decimal: ','\nthousands: '.'\n"
    assert values(reads("", columns, signs, head), "erp_kw") == [1107.0, 1.107, 1.5, 0.00001]
    assert "row 2, field erp_kw: not a number; found '1.107'" in fault(
        reads("", columns, "decimal: ','\n", head)
    )


def test_texts_of_a_placemark_obey_the_signs(reads: Reads, tmp_path: Path) -> None:
    fields = {"Nr": "1", "Ch": "22", "P": "1.107"}
    data = "".join(f'<Data name="{name}"><value>{text}</value></Data>' for name, text in fields.items())
    (tmp_path / "list.kml").write_text(
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>A</name><ExtendedData>'
        f"{data}</ExtendedData><Point><coordinates>14.5,46.5</coordinates></Point></Placemark></Document></kml>",
        encoding="utf-8",
    )
    signs, head = "decimal: ','\nthousands: '.'\n", HEAD.replace("list.csv", "list.kml")
    assert values(reads("", {"erp_kw": "{from: P}"}, signs, head), "erp_kw") == [1107.0]


def test_numbers_of_an_open_document(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Nr": ["1", "2"], "P": [1.5, 2.25], "T": ["1.5", "x"]})
    pyogrio.write_dataframe(frame, tmp_path / "list.ods", driver="ODS", layer="S")
    assert number_cells(tmp_path / "list.ods", "S") == {(2, 1), (3, 1)}
    assert number_cells(tmp_path / "list.ods", "T") == set()


# --- other writings -----------------------------------------------------------------------------------------


def test_a_kml_in_an_archive_has_the_fields_that_it_has_outside(tmp_path: Path) -> None:
    fields = pd.DataFrame({"Nr": ["1", "2"], "Ch": [22, 23], "P": [500.0, 250.0]})
    stations = gpd.GeoDataFrame(fields, geometry=gpd.points_from_xy([14.1, 14.2], [46.1, 46.2]), crs=4326)
    pyogrio.write_dataframe(stations, tmp_path / "list.kml", driver="KML")
    with zipfile.ZipFile(tmp_path / "list.kmz", "w") as archive:
        archive.write(tmp_path / "list.kml", "doc.kml")
    head = HEAD.replace("list.csv", "list.kmz")
    lines = [f"  {name}: {column}\n" for name, column in OTHERS.items()]
    (tmp_path / "import.yaml").write_text(f"{head}columns:\n{''.join(lines)}", encoding="utf-8")
    found = read_import(read_mapping(tmp_path / "import.yaml"), None, service_targets())
    assert values(found, "channel") == [22, 23]
    assert values(found, "erp_kw") == [0.5, 0.25]
    assert values(found, "lat") == pytest.approx([46.1, 46.2])


@pytest.mark.parametrize("name", ["list.kmz", "list.dbf", "list.xlsx"])
def test_a_damaged_file_is_told_without_words_on_polygons(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x03\x00PK damaged" * 20)
    lines = [f"  {key}: {column}\n" for key, column in {**OTHERS, **PLACE}.items()]
    head = HEAD.replace("list.csv", name)
    (tmp_path / "import.yaml").write_text(f"{head}columns:\n{''.join(lines)}", encoding="utf-8")
    with pytest.raises(InputError, match=r"is damaged, or not what its suffix says$"):
        read_import(read_mapping(tmp_path / "import.yaml"), None, service_targets())


def test_digits_of_other_scripts_are_no_numbers_and_planes_are_written_in_capitals(reads: Reads) -> None:
    head = "Nr,Ch,P,Lat,Lon,Pol\n"
    columns = {**PLACE, "polarisation": "{from: Pol}"}
    assert "not a number" in fault(reads(f"{head}1,22,٥٠٠,46.1,14.1,h\n", columns))
    assert values(reads(f"{head}1,22,500,46.1,14.1,h\n", columns), "polarisation") == ["H"]


@pytest.mark.parametrize("name", ["list.xlsx", "list.ods"])
def test_a_register_in_the_second_sheet_is_read_as_text_with_its_header(tmp_path: Path, name: str) -> None:
    """GDAL takes what is said when a file is opened for its first sheet only."""
    table = pd.DataFrame(
        {"Nr": ["A", "B"], "Ch": [21, 22], "Since": pd.to_datetime(["2026-01-05", "2026-12-24"])}
    )
    driver = {".xlsx": "XLSX", ".ods": "ODS"}[Path(name).suffix]
    for sheet, append in (("Read me", False), ("Stations", True)):
        pyogrio.write_dataframe(table, tmp_path / name, layer=sheet, driver=driver, append=append)
    found = read_foreign(tmp_path / name, TextFormat(), sheet="Stations").table
    assert found.headers == ("Nr", "Ch", "Since")
    assert (found.rows, found.columns["Ch"]) == ([2, 3], ["21", "22"])
    assert [text[:10].replace("-", "/") for text in found.columns["Since"]] == ["2026/01/05", "2026/12/24"]
