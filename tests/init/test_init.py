"""From a folder of files to a territory file: what is proposed agrees with what people found by hand."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.grid.country_codes import iso2_of
from pipeline.hashing import input_files
from pipeline.init import init as init_module
from pipeline.init.column_values import cells_of, has_letter_o
from pipeline.init.column_words import columns_meant, understood
from pipeline.init.folder import look_at
from pipeline.init.init import InitOptions, init_command
from pipeline.init.rasters_and_grids import grid_of_country, plans_on
from pipeline.init.table_layout import signs_of
from pipeline.plan.territory_file import load_config
from pipeline.registers.conversion.cell_numbers import NumberFormat
from pipeline.registers.transmitters import read_register
from pipeline.rows.row_models import columns_of
from pipeline.services.pmse.pmse_register import PmseRow

SAMPLE = Path(__file__).resolve().parents[1] / "reference/formats/x02_init"
SQUARE = [[14.0, 46.0], [15.0, 46.0], [15.0, 47.0], [14.0, 47.0], [14.0, 46.0]]
TABLE = (
    "Sender;Kanal;Leistung;Antennenhöhe [m];Breite;Länge;Betreiber\n"
    "Hügel;32;30,5;58;46°03'12\"N;14°30'45\"O;A\n"
    "Berg;27;40;120;46°33'00\"N;14°40'00\"O;B\n"
)
ANSWERS = [
    "sender.csv:erp unit=dBW",
    "sender.csv:erp reference=eirp",
    "sender.csv:Antennenhöhe [m]=above ground",
    "sender.csv:hemisphere O=E",
    "plan=8MHz",
    "system=DVB-T2",
]


@pytest.fixture
def proposals(tmp_path: Path) -> dict[str, Any]:
    init_command("SI", SAMPLE, InitOptions(None, tmp_path / "p.json"))
    return dict(json.loads((tmp_path / "p.json").read_text(encoding="utf-8")))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A country of one square with a table in a code page; no terrain."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(init_module, "validate_all", load_config)
    files = tmp_path / "files"
    files.mkdir()
    shape = {"type": "Polygon", "coordinates": [SQUARE]}
    feature = {"type": "Feature", "properties": {"GID_0": "AUT", "COUNTRY": "Austria"}, "geometry": shape}
    (files / "gadm.json").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    (files / "sender.csv").write_text(TABLE, encoding="iso-8859-1")
    return files


def test_sample_is_proposed_as_expected(proposals: dict[str, Any]) -> None:
    wanted = json.loads((SAMPLE / "expected_init.json").read_text(encoding="utf-8"))
    table = "oddajniki.csv"
    for key in ("missing", "plan", "grid_crs"):
        assert proposals[key] == wanted[key]
    assert proposals["roles"].items() >= wanted["roles"].items()
    assert proposals["table"][table].items() >= wanted["table"][table].items()
    perhaps = wanted["may_be_proposed_or_asked"][table]
    found = proposals["proposed"][table]
    assert {name: column for name, column in found.items() if name not in perhaps} == wanted["proposed"][
        table
    ]
    assert all(found.get(name, column) == column for name, column in perhaps.items())


def test_sample_leaves_the_expected_questions(proposals: dict[str, Any]) -> None:
    asked = {entry["key"]: entry for entry in proposals["asked"]}
    assert asked.keys() == {"oddajniki.csv:status", "oddajniki.csv:Višina antene [m]", "system", "boundaries"}
    assert "v obratovanju: 4" in asked["oddajniki.csv:status"]["shown"]
    assert len(asked["boundaries"]["choices"]) == 2


def test_folder_becomes_a_territory_file(folder: Path) -> None:
    out = Path("at.yaml")
    init_command("at", folder, InitOptions(out, answers=ANSWERS))
    config = load_config(out)
    assert config.territory.home == ["AT"]
    assert config.coverage.default_mode.system == "DVB-T2"
    register, _ = read_register(config)
    assert register["id"].values.tolist() == ["Berg-27", "Hügel-32"]
    # 30.5 dBW e.i.r.p. is 28.35 dBW e.r.p., 10^-0.165 kW.
    assert register["erp_kw"].values[1] == pytest.approx(10**-0.165, rel=1e-5)
    assert register["lat_deg"].values[1] == pytest.approx(46 + 3 / 60 + 12 / 3600, abs=1e-6)
    text = out.read_text(encoding="utf-8")
    assert (
        "encoding: windows-1252  # GUESS: by the letters of the country: Antennenhöhe, Länge, Hügel" in text
    )
    assert "ovenia" not in text
    assert "# answered: system = DVB-T2" in text
    assert Path("at_stations.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("answer", "power_kw"), [("ERP [kW]", 1.5), ("ERP [kW]#2", 3.0)])
def test_of_two_equal_headers_the_one_that_is_meant_is_read(
    folder: Path, answer: str, power_kw: float
) -> None:
    (folder / "sender.csv").write_text(
        "id,site,lat,lon,channel,ERP [kW],ERP [kW],antenna height above ground [m],system\n"
        "A,Hill,46.1,14.5,32,1.5,3,50,DVB-T\nB,Berg,46.4,14.6,27,1.5,3,60,DVB-T\n"
    )
    answers = [f"sender.csv:erp_kw={answer}", "plan=8MHz"]
    init_command("AT", folder, InitOptions(Path("at.yaml"), answers=answers))
    register, _ = read_register(load_config(Path("at.yaml")))
    assert register["erp_kw"].values.tolist() == [power_kw, power_kw]


def test_all_open_questions_are_told_and_nothing_is_written(folder: Path) -> None:
    with pytest.raises(InputError) as refused:
        init_command("AT", folder, InitOptions(Path("at.yaml"), answers=ANSWERS[1:4]))
    assert [fault.value for fault in refused.value.faults] == ["sender.csv:erp unit", "plan", "system"]
    assert not Path("at.yaml").exists()


@pytest.mark.parametrize(
    ("answer", "said"), [("plan=9MHz", "none of the answers"), ("plam=8MHz", "no such question")]
)
def test_wrong_answers_are_refused(folder: Path, answer: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        init_command("AT", folder, InitOptions(Path("at.yaml"), answers=[*ANSWERS, answer]))


def test_files_that_are_there_stay(folder: Path) -> None:
    Path("at.yaml").write_text("mine\n")
    with pytest.raises(InputError, match="is there already"):
        init_command("AT", folder, InitOptions(Path("at.yaml"), answers=ANSWERS))
    assert Path("at.yaml").read_text() == "mine\n"


def test_a_second_record_of_a_station_is_asked(folder: Path) -> None:
    head = "id,site,lon,lat,channel,centre_mhz,bandwidth_mhz,erp_kw,antenna_height_agl_m,site_height_asl_m,"
    rows = "".join(f"{name},Hill,14.5,46.5,32,562,8,1,50,,H,,DVB-T,\n" for name in ("A", "B"))
    (folder / "sender.csv").write_text(
        f"{head}polarisation,pattern_azimuth_attenuation_db,system,multiplex_mode\n{rows}"
    )
    with pytest.raises(InputError, match="which of them are right"):
        init_command("AT", folder, InitOptions(Path("at.yaml")))
    init_command("AT", folder, InitOptions(Path("at.yaml"), answers=["accept=B"]))
    assert load_config("at.yaml").registers.accept == ["B"]


@pytest.mark.parametrize(
    ("cells", "signs"),
    [
        (["562,0", "1.107", "58"], (",", ".")),
        (["1,107.5", "46.05"], (".", ",")),
        (["1.107", "900"], (None, "")),  # 1.1 or 1107
        (["1,5", "1.5"], (None, "")),
        (["0,050", "3"], (",", "")),
        (["12", "7"], (".", "")),
        (["01.03.2021", "12,5"], (",", "")),
        (["1.000.000"], (",", ".")),
    ],
)
def test_signs_of_numbers(cells: list[str], signs: tuple[str | None, str]) -> None:
    assert signs_of([cells]) == signs


@pytest.mark.parametrize(
    ("header", "columns", "unit"),
    [
        ("ERP max/dBW", ["erp_kw"], "dBW"),
        ("Nadm. višina [m]", ["site_height_asl_m"], "m"),
        ("Wysokość anteny [m]", ["height"], "m"),
        ("F_MHZ", ["centre_mhz"], "MHz"),
        ("Max EIRP (dBm)", ["eirp_kw"], "dBm"),
        ("agl_ft", ["antenna_height_agl_m"], "ft"),
        ("Operator", [], None),
    ],
)
def test_headers_are_understood(header: str, columns: list[str], unit: str | None) -> None:
    known = understood(header)
    assert (columns_meant(known), known.unit) == (columns, unit)


def test_rasters_are_told_apart() -> None:
    assert plans_on([562.0, 522.1], [32, 27]) == ["8MHz"]
    assert plans_on([473.0, 479.0], [14, 15]) == ["6MHz"]
    assert plans_on([562.0], [33]) == []


def test_grid_of_a_country_with_parts_overseas() -> None:
    mainland, island = shapely.box(0, 43, 5, 49), shapely.box(-54, 3, -52, 5)
    assert grid_of_country("FR", mainland).crs == "EPSG:2154"
    cut = grid_of_country("FR", shapely.union_all([mainland, island]))
    assert cut.bbox_deg == (0.0, 43.0, 5.0, 49.0)
    assert grid_of_country("BR", shapely.box(-50, -20, -45, -15)).crs == "EPSG:32723"


@pytest.mark.parametrize(
    ("code", "kind", "iso2"),
    [
        ("EL", "gisco", "GR"),
        ("UK", "gisco", "GB"),
        ("SVN", "iso3", "SI"),
        ("XXX", "iso3", ""),
        ("-99", "as_stated", "-99"),
    ],
)
def test_codes_of_boundary_files(code: str, kind: Any, iso2: str) -> None:
    assert iso2_of(code, kind) == iso2


def test_rows_without_ids_get_what_tells_them_apart(folder: Path) -> None:
    """Two stations of one site and channel: the power tells them apart, and the stronger counts."""
    rows = "".join(f"Hill;14,5;46,5;562;32;50;H;{';'.join([power] * 36)}\n" for power in ("20,5", "30"))
    head = "NAME;LON;LAT;F_MHZ;CHANNEL;AGL;POLARIZ;" + ";".join(f"ERP_{a}" for a in range(0, 360, 10))
    (folder / "sender.csv").write_text(f"{head}\n{rows}", encoding="utf-8")
    answers = ["sender.csv:erp unit=dBW", "system=DVB-T"]
    init_command("AT", folder, InitOptions(Path("at.yaml"), answers=answers))
    register, left_out = read_register(load_config("at.yaml"))
    assert register["id"].values.tolist() == ["Hill-32-30"]
    assert [row.problem for row in left_out] == ["left out: duplicate"]


def test_open_questions_are_all_on_the_stream_of_errors(folder: Path) -> None:
    done = CliRunner().invoke(app, ["init", "AT", str(folder), "--out", "at.yaml"])
    assert done.exit_code == 2
    assert {line.split("found '")[1].split("'")[0] for line in done.stderr.splitlines()} == {
        answer.partition("=")[0] for answer in ANSWERS
    }


def test_all_registers_of_bookings_are_named(folder: Path) -> None:
    """A booking that is left out would not be protected; a comma in a name parts no list."""
    columns = columns_of(PmseRow, required=True)
    table = f"{','.join(columns)}\n{','.join('1' for _ in columns)}\n"
    for name in ("mics.csv", "links, video.csv"):
        (folder / name).write_text(table, encoding="utf-8")
    init_command("AT", folder, InitOptions(Path("at.yaml"), answers=ANSWERS))
    config = load_config("at.yaml")
    assert sorted(path.name for path in config.pmse.registers) == ["links, video.csv", "mics.csv"]
    assert config.services["pmse"].evaluated


@pytest.mark.parametrize(
    ("name", "role"), [("dem.tif", "dem"), ("canopy_height.tif", "raster"), ("numbers.tif", "raster")]
)
def test_heights_of_something_else_are_no_terrain(tmp_path: Path, name: str, role: str) -> None:
    values = np.linspace(0.0, 60.0, 400, dtype=np.float32).reshape(20, 20)
    place = from_origin(14.0, 47.0, 0.05, 0.05)
    profile = {"height": 20, "width": 20, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(tmp_path / name, "w", driver="GTiff", transform=place, **profile) as raster:
        raster.write(values, 1)
    (file,) = look_at(tmp_path, "AT")
    assert file.role == role


@pytest.mark.parametrize("answer", ["persons per cell", "none"])
def test_raster_that_somebody_says_holds_people(folder: Path, answer: str) -> None:
    values = np.linspace(0.0, 600.0, 400, dtype=np.float32).reshape(20, 20)
    place = from_origin(14.0, 47.0, 0.05, 0.05)
    profile = {"height": 20, "width": 20, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(folder / "numbers.tif", "w", driver="GTiff", transform=place, **profile) as raster:
        raster.write(values, 1)
    init_command("AT", folder, InitOptions(Path("at.yaml"), answers=[*ANSWERS, f"numbers.tif={answer}"]))
    people = load_config("at.yaml").population
    named = people is not None and people.raster is not None and people.raster.name == "numbers.tif"
    assert named == (answer == "persons per cell")


@pytest.mark.parametrize(
    ("cell", "found"),
    [("16°22'00\"O", True), ("16° 22′ 00″ O", True), ("16°22′00″O", True), ("O 16 22 00", True),
     ("16°22’00”O", True), ("16.5", False), ("Oslo 16", False), ("16°22'00\"E", False)],
)  # fmt: skip
def test_letter_o_is_seen_behind_every_sign(cell: str, found: bool) -> None:
    assert has_letter_o(cells_of([cell], NumberFormat())) is found


def squares(properties: dict[str, str], *, times: int = 1) -> gpd.GeoDataFrame:
    shape = shapely.Polygon(SQUARE)
    return gpd.GeoDataFrame([properties] * times, geometry=[shape] * times, crs="EPSG:4326")


def test_of_the_layers_of_gadm_that_of_the_country_is_taken(folder: Path) -> None:
    (folder / "gadm.json").unlink()
    file = folder / "gadm41_AUT.gpkg"
    names = {"GID_0": "AUT", "COUNTRY": "Austria"}
    for level in (2, 0, 1):
        further = {f"{kind}_{n}": f"x{n}" for n in range(1, level + 1) for kind in ("GID", "NAME")}
        squares({**names, **further}, times=level + 1).to_file(file, layer=f"ADM_ADM_{level}")
    out = Path("at.yaml")
    init_command("AT", folder, InitOptions(out, answers=ANSWERS))
    polygons = load_config(out).territory.polygons
    assert polygons is not None
    assert (polygons.countries_layer, polygons.country_codes) == ("ADM_ADM_0", "iso3")


def test_other_layers_with_countries_are_asked_by_name(folder: Path) -> None:
    (folder / "gadm.json").unlink()
    file = folder / "ne.gpkg"
    for layer in ("countries", "map_units"):
        fields = {"ISO_A2": "AT", "ADM0_A3": "AUT", "NAME": "Austria"}
        squares(fields).to_file(file, layer=layer)
    squares({"name": "Wien"}).to_file(file, layer="places")
    with pytest.raises(InputError, match="polygons of the territory") as refused:
        init_command("AT", folder, InitOptions(Path("at.yaml"), answers=ANSWERS))
    assert "ne.gpkg:countries, ne.gpkg:map_units" in str(refused.value)
    answers = [*ANSWERS, "boundaries=ne.gpkg:map_units"]
    init_command("AT", folder, InitOptions(Path("at.yaml"), answers=answers))
    polygons = load_config("at.yaml").territory.polygons
    assert polygons is not None
    assert polygons.countries_layer == "map_units"


@pytest.mark.parametrize("packed", [False, True])
def test_a_dump_is_a_register_as_it_comes(folder: Path, packed: bool) -> None:
    (folder / "sender.csv").unlink()
    shape = {"type": "Polygon", "coordinates": [[[-125, 24], [-66, 24], [-66, 50], [-125, 50], [-125, 24]]]}
    feature = {"type": "Feature", "properties": {"GID_0": "USA", "COUNTRY": "x"}, "geometry": shape}
    (folder / "gadm.json").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    source = SAMPLE.parent / "s11_fcc_lms/lms"
    if packed:
        shutil.make_archive(str(folder / "lms"), "zip", source)
    else:
        shutil.copytree(source, folder / "lms")
    init_command("US", folder, InitOptions(Path("us.yaml")))
    config = load_config("us.yaml")
    register, _ = read_register(config)
    with (SAMPLE.parent / "expected.csv").open(encoding="utf-8", newline="") as lines:
        wanted = [row["id"] for row in csv.DictReader(lines) if row["case"] == "s11_fcc_lms"]
    assert register["id"].values.tolist() == sorted(wanted)
    files = {path.name for _, path in input_files(config)}
    assert files >= ({"lms.zip"} if packed else {path.name for path in source.iterdir()})
