"""Columns of mapped tables: what would give another number in silence is refused; values by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli.commands_registers import service_targets
from pipeline.errors import InputError
from pipeline.registers.finishing import faults_of
from pipeline.registers.importing import Import, read_import, read_mapping

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
