"""Registers that lie: places, second records, spellings, patterns and heights that cannot be right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

from pipeline.cli import main as cli
from pipeline.errors import InputError
from pipeline.hashing import input_files, plain
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register
from pipeline.terrain.records import LonLatRaster, Mast
from pipeline.terrain.tile_sweeps import above_ground
from pipeline.workflow.validate import validate_command
from tests.tiny import STATIONS, write_register

Station = tuple[str, float, float, int, float]


def home_polygon(tiny: Path) -> None:
    """Give the tiny territory a country of 14 to 14.3 E, 46 to 46.2 N in place of a mere box."""
    ring = [[14.0, 46.0], [14.3, 46.0], [14.3, 46.2], [14.0, 46.2], [14.0, 46.0]]
    feature = {
        "type": "Feature",
        "properties": {"iso2": "SI"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    (tiny.parent / "home.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": [feature]})
    )
    polygons = {"path": "home.geojson", "countries_layer": "home", "land_layer": None}
    change(tiny, territory={"home": ["SI"], "polygons": polygons})


def change(tiny: Path, **sections: object) -> None:
    content = yaml.safe_load(tiny.read_text(encoding="utf-8"))
    for name, section in sections.items():
        content[name] = {**content.get(name, {}), **section} if name != "territory" else section
    tiny.write_text(yaml.safe_dump(content), encoding="utf-8")


def refused(tiny: Path) -> str:
    with pytest.raises(InputError) as error:
        validate_command(tiny)
    return str(error.value)


def columns(tiny: Path, row: int, **cells: str) -> None:
    """Set cells of a row of the register, and add columns that it lacks."""
    path = tiny.parent / "register.csv"
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    for name, text in cells.items():
        if name not in lines[0]:
            lines = [[*line, name if line is lines[0] else ""] for line in lines]
        lines[row - 1][lines[0].index(name)] = text
    path.write_text("\n".join(",".join(line) for line in lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        ((46.10, 14.10), "lon and lat look exchanged"),
        ((-14.10, 46.10), "the sign of lon looks wrong"),
        ((14.10, -46.10), "the sign of lat looks wrong"),
        ((12.0, 42.0), "home station far outside home"),
        ((14.1, 46.66), "home station far outside home"),  # 51 km north of 46.2
    ],
)
@pytest.mark.parametrize("country", ["SI", ""])
def test_a_home_station_far_outside_home_is_refused_unless_accepted(
    tiny: Path, place: tuple[float, float], hint: str, country: str
) -> None:
    home_polygon(tiny)
    write_register(tiny.parent / "register.csv", [*STATIONS[:4], ("E", *place, 24, 1.0)])
    columns(tiny, 6, country=country)
    text = refused(tiny)
    assert hint in text
    assert text.startswith("register.csv, row 6, field lon, lat: ")
    assert f"'{place[0]:g}, {place[1]:g}'" in text
    assert "E in registers.accept" in text
    change(tiny, registers={"accept": ["E"]})
    validate_command(tiny)


@pytest.mark.parametrize("place", [(14.1, 46.63), (14.9, 46.1)])  # 48 and 46 km outside
def test_a_home_station_near_home_is_taken(tiny: Path, place: tuple[float, float]) -> None:
    home_polygon(tiny)
    write_register(tiny.parent / "register.csv", [*STATIONS[:4], ("E", *place, 24, 1.0)])
    validate_command(tiny)


def test_foreign_stations_may_be_anywhere_but_not_exchanged(tiny: Path) -> None:
    home_polygon(tiny)
    write_register(tiny.parent / "register.csv", [*STATIONS[:4], ("E", 12.0, 42.0, 24, 1.0)])
    columns(tiny, 6, country="IT")
    validate_command(tiny)
    columns(tiny, 6, lon="46.1", lat="14.1")
    assert "row 6, field lon, lat: implausible location; lon and lat look exchanged" in refused(tiny)


def test_a_mere_box_refuses_exchanged_coordinates_too(
    tiny: Path, change_station: Callable[..., None]
) -> None:
    change_station(3, lon=46.13, lat=14.13)
    assert "row 5, field lon, lat: implausible location; lon and lat look exchanged" in refused(tiny)


def test_a_second_file_of_which_nothing_is_in_reach_is_refused(tiny: Path) -> None:
    write_register(tiny.parent / "far.csv", [("X", 70.0, 46.1, 21, 1.0)])
    change(tiny, registers={"transmitters": ["register.csv", "far.csv"]})
    assert "far.csv, row 2, field lon, lat: all 1 rows of registers.transmitters are out of" in refused(tiny)


LINKS = (
    "id,lon,lat,f_mhz,bandwidth_mhz,noise_figure_db,gain_dbi,feeder_db,antenna_height_m,acs_db,azimuth_deg,"
    "pattern\n"
)


def links(tiny: Path, *places: tuple[float, float], pattern: str = "F.699") -> None:
    rows = [f"L{i},{lon},{lat},546,1,5,14,2,20,80,90,{pattern}\n" for i, (lon, lat) in enumerate(places)]
    (tiny.parent / "links.csv").write_text(LINKS + "".join(rows), encoding="utf-8")
    change(
        tiny, services={"fixed": {"status": "evaluate"}}, incumbents={"fixed": {"registers": ["links.csv"]}}
    )


def test_receivers_with_exchanged_coordinates_and_registers_out_of_reach_are_refused(tiny: Path) -> None:
    links(tiny, (14.1, 46.1), (46.1, 14.1))
    assert "links.csv, row 3, field lon, lat: implausible location; lon and lat look exchanged" in refused(
        tiny
    )
    links(tiny, (70.0, 46.1), (71.0, 46.1))
    assert "all 2 rows of incumbents.fixed.registers are out of reach" in refused(tiny)
    links(tiny, (70.0, 46.1), (14.1, 46.1))
    validate_command(tiny)


def test_bookings_of_pmse_likewise(tiny: Path) -> None:
    head = "id,kind,lon,lat,antenna_height_agl_m,freq_mhz,bandwidth_mhz,start,finish,situation\n"
    row = "P1,wireless_microphone,46.10,14.10,2,546.3,0.2,,,outdoor\n"
    (tiny.parent / "pmse.csv").write_text(head + row, encoding="utf-8")
    change(tiny, services={"pmse": {"status": "evaluate"}}, pmse={"registers": ["pmse.csv"]})
    assert "pmse.csv, row 2, field lon, lat: implausible location; lon and lat look exchanged" in refused(
        tiny
    )


def areas(tiny: Path, *corners: tuple[float, float]) -> None:
    rows = []
    for x, y in corners:
        ring = f"{x} {y},{x + 0.02} {y},{x + 0.02} {y + 0.02},{x} {y + 0.02},{x} {y}"
        rows.append(f'"POLYGON(({ring}))",*,quiet\n')
    (tiny.parent / "areas.csv").write_text("wkt,channels,reason\n" + "".join(rows), encoding="utf-8")
    change(tiny, areas={"exclusions": ["areas.csv"]})


def test_areas_that_touch_nothing_are_named_and_exchanged_ones_refused(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    areas(tiny, (20.0, 40.0))
    validate_command(tiny)
    assert "areas.csv: none of its 1 polygons touches the territory" in capsys.readouterr().out
    areas(tiny, (20.0, 40.0), (14.1, 46.1))
    validate_command(tiny)
    assert "no effect" not in capsys.readouterr().out
    areas(tiny, (46.1, 14.1))
    assert "areas.csv, row 2, field geometry: polygon is outside the territory; lon and lat look" in refused(
        tiny
    )


# --- one station, one network -------------------------------------------------------------------------------


def twice(tiny: Path, north_deg: float, channel: int = 21) -> list[Station]:
    stations = [*STATIONS, ("A2", 14.10, 46.10 + north_deg, channel, 2.0)]
    write_register(tiny.parent / "register.csv", stations)
    return stations


def test_a_second_record_of_a_station_is_refused(tiny: Path) -> None:
    twice(tiny, 0.0008)  # 89 m
    assert (
        "register.csv, row 7, field id: same channel and site as A, and no common sfn; found 'A2'"
        in refused(tiny)
    )
    config = load_config(tiny)
    lenient = config.registers.model_copy(update={"lenient": True})
    register, rejected = read_register(config.model_copy(update={"registers": lenient}))
    assert [row.value for row in rejected] == ["A2"]
    assert "A2" not in register["id"].values
    assert register.attrs["rejected_rows"] == 1


@pytest.mark.parametrize(("north_deg", "channel"), [(0.0010, 21), (0.0, 22)])  # 111 m; another channel
def test_other_stations_are_no_second_records(tiny: Path, north_deg: float, channel: int) -> None:
    twice(tiny, north_deg, channel)
    validate_command(tiny)


def test_accepted_second_records_are_one_network(tiny: Path) -> None:
    twice(tiny, 0.0)
    change(tiny, registers={"accept": ["A2"]})
    register, _ = read_register(load_config(tiny))
    networks = dict(zip(register["id"].values.tolist(), register["sfn"].values.tolist(), strict=True))
    assert networks["A"] == networks["A2"] != ""
    assert networks["B"] == ""


def test_records_of_one_network_may_share_a_mast(tiny: Path) -> None:
    twice(tiny, 0.0)
    columns(tiny, 2, sfn="NORTH")
    columns(tiny, 7, sfn="No rth")
    validate_command(tiny)


@pytest.mark.parametrize(
    "name", ["NORTH A", "North_a", "NORTH\u2011A", "NORTH\uff0dA", "NORTH-A\u200d", "northa"]
)
def test_network_names_that_differ_in_signs_are_one(tiny: Path, name: str) -> None:
    write_register(tiny.parent / "register.csv", [*STATIONS, ("F", 14.2, 46.15, 21, 1.0)])
    columns(tiny, 2, sfn="NORTH-A")
    columns(tiny, 7, sfn=name)
    register, _ = read_register(load_config(tiny))
    assert register["sfn"].values.tolist() == ["NORTH-A", "", "", "", "", "NORTH-A"]


@pytest.mark.parametrize("name", ["NORTH-B", "NORTH-A2", "\u0391"])
def test_other_networks_stay_others(tiny: Path, name: str) -> None:
    write_register(tiny.parent / "register.csv", [*STATIONS, ("F", 14.2, 46.15, 21, 1.0)])
    columns(tiny, 2, sfn="NORTH-A")
    columns(tiny, 7, sfn=name)
    register, _ = read_register(load_config(tiny))
    assert register["sfn"].values.tolist()[-1] == name


def test_network_names_that_differ_in_case_or_blanks_are_one(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_register(tiny.parent / "register.csv", [*STATIONS, ("F", 14.2, 46.15, 21, 1.0)])
    columns(tiny, 2, sfn="NORTH-A")
    columns(tiny, 3, sfn="North-A")  # another channel: another network
    columns(tiny, 7, sfn="North -a")
    register, _ = read_register(load_config(tiny))
    assert register["sfn"].values.tolist() == ["NORTH-A", "North-A", "", "", "", "NORTH-A"]
    validate_command(tiny)
    assert "channel 21: 'North -a' is taken for 'NORTH-A'" in capsys.readouterr().out
    change(tiny, coverage={"guard_us": {"north-a": 224.0}})
    register, _ = read_register(load_config(tiny))
    assert register["sfn"].values.tolist() == ["north-a", "north-a", "", "", "", "north-a"]


# --- patterns and heights -----------------------------------------------------------------------------------

# Cardioid of relative field, 1 towards north and 0.02 at least: a null of 34 dB.
CARDIOID = [f"{max(0.02, 0.5 + 0.5 * np.cos(np.radians(10 * i))):.3f}" for i in range(36)]


@pytest.mark.parametrize("values", [CARDIOID, ["1"] * 36, [*["0.5"] * 71, "1.0"]])
def test_relative_field_is_no_pattern_in_db(tiny: Path, values: list[str]) -> None:
    columns(tiny, 2, pattern_azimuth_attenuation_db=";".join(values))
    assert "row 2, field pattern_azimuth_attenuation_db: pattern looks like relative field" in refused(tiny)
    columns(tiny, 2, pattern_azimuth_attenuation_db="")
    links(tiny, (14.1, 46.1), pattern=";".join(values))
    assert "links.csv, row 2, field pattern: pattern looks like relative field" in refused(tiny)


def test_a_vertical_pattern_of_relative_field_is_refused(tiny: Path) -> None:
    columns(tiny, 2, vertical_pattern_deg_attenuation_db="-90:0.1;0:1;90:0.1")
    assert "field vertical_pattern_deg_attenuation_db: pattern looks like relative field" in refused(tiny)


def test_a_pattern_of_0_to_1_db_is_taken_and_named(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns(tiny, 2, pattern_azimuth_attenuation_db=";".join(["0.0", "0.5", "1.0", "0.5"] * 9))
    validate_command(tiny)
    assert "0 to exactly 1 dB, relative field looks like this: A" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("site_m", "agl_m", "right_m"),
    [(0.0, 85.0, 1500.0), (1414.0, 85.0, 1500.0), (1416.0, 85.0, 1416.0), (1740.0, 85.0, 1740.0)],
)
def test_an_antenna_is_never_below_the_terrain(site_m: float, agl_m: float, right_m: float) -> None:
    terrain = LonLatRaster(np.full((20, 20), 1500.0, np.float32), 14.0, 47.0, 0.05, 0.05)
    mast = Mast("m", 14.5, 46.5, agl_m, site_m, float("nan"))
    assert above_ground(mast, terrain).site_height_asl_m == right_m
    assert above_ground(mast, None) == mast


def said_as_json(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int | str | None, dict[str, list[dict[str, object]]]]:
    """Exit code and answer of `channelmaps validate --json`."""
    monkeypatch.setattr(cli.sys, "argv", ["channelmaps", "validate", file, "--json"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_plausibility_of_the_default_territory_as_json(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    code, said = said_as_json("configs/slovenia.yaml", monkeypatch, capsys)
    assert code in (0, None)
    assert said["faults"] == []
    lines = {line["register"]: line for line in said["plausibility"]}
    transmitters = lines["data/slovenia/transmitters.csv"]
    assert (transmitters["rows"], transmitters["in_reach"], transmitters["out_of_reach"]) == (66, 66, 0)
    assert (transmitters["duplicates"], transmitters["code_without_polygon"]) == (0, 0)
    assert transmitters["height_differs"] > 0  # coarse terrain clips peaks
    assert lines["data/slovenia/pmse.csv"]["in_reach"] == lines["data/slovenia/pmse.csv"]["rows"] == 19


def test_faults_as_json_name_every_row(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns(tiny, 2, erp_kw="0")
    columns(tiny, 4, lat="95")
    code, said = said_as_json("tiny.yaml", monkeypatch, capsys)
    assert code == 2
    faults = said["faults"]
    assert [(fault["file"], fault["row"], fault["field"]) for fault in faults] == [
        ("register.csv", 2, "erp_kw"),
        ("register.csv", 4, "lat"),
    ]
    assert all(fault["allowed"] and fault["value"] for fault in faults)


def test_all_faults_of_all_files_and_the_table_are_told_together(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    links(tiny, (14.1, 46.1), (46.1, 14.1), (14.2, 46.1))
    path = tiny.parent / "links.csv"
    path.write_text(
        path.read_text().replace("L2,14.2,46.1,546", "L2,14.2,46.1,5") + "L3,x,46.1" + ",1" * 9 + "\n"
    )
    columns(tiny, 2, erp_kw="0")
    columns(tiny, 5, lon="46.13", lat="14.13")
    code, said = said_as_json("tiny.yaml", monkeypatch, capsys)
    assert code == 2
    assert {(fault["file"], fault["row"], fault["field"]) for fault in said["faults"]} == {
        ("register.csv", 2, "erp_kw"),
        ("register.csv", 5, "lon, lat"),
        ("links.csv", 3, "lon, lat"),
        ("links.csv", 4, "f_mhz"),
        ("links.csv", 5, "lon"),
    }
    assert all("more bad rows" not in str(fault["problem"]) for fault in said["faults"])
    transmitters, receivers = said["plausibility"]
    assert (transmitters["rows"], transmitters["in_reach"], transmitters["out_of_reach"]) == (4, 3, 1)
    assert (receivers["rows"], receivers["in_reach"], receivers["receivers_outside"]) == (3, 2, 1)


def test_a_home_station_without_any_field_at_home_is_named(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Free space gives 1e-9 kW, 250 m away, 106.9 - 90 + 12 = 29 dB(uV/m), less than any reception needs; 1 kW
    # gives 99 dB(uV/m) at 2.5 km, and P.1546 with 100 m not 20 dB less.
    columns(tiny, 3, erp_kw="1e-9")
    validate_command(tiny)
    said = capsys.readouterr().out
    assert "  serving       the fields around give no reception at home: B\n" in said
    assert "serving_nothing_at_home 1," in said


def test_accepted_rows_and_effective_heights_that_nobody_knows_are_counted(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns(tiny, 2, haat_m="0")
    columns(tiny, 3, haat_m="120")
    change(tiny, registers={"accept": ["E", "B"]})
    validate_command(tiny)
    said = capsys.readouterr().out
    assert "height_unknown 4, far_from_home 1, accepted 2" in said
    assert (
        "  height        neither by terrain nor by haat_m, that above ground stands in: A, C, D, E\n" in said
    )
    assert "  far away      more than 50 km outside home: E\n" in said


@pytest.mark.parametrize(("lon", "hint"), [(40.0, ""), (-14.1, "; the sign of lon looks wrong")])
def test_a_home_station_out_of_reach_of_a_mere_box_is_refused(tiny: Path, lon: float, hint: str) -> None:
    write_register(tiny.parent / "register.csv", [*STATIONS[:4], ("E", lon, 46.1, 24, 1.0)])
    text = refused(tiny)
    assert text.startswith("register.csv, row 6, field lon, lat: ")
    assert hint in text
    assert "E in registers.accept" in text
    for section in ({"accept": ["E"]}, {"accept": [], "bbox_deg": [-20.0, 40.0, 50.0, 50.0]}):
        change(tiny, registers=section)
        if not (hint and "bbox_deg" in section):  # a wrong sign is one in any box
            validate_command(tiny)


def test_a_code_without_polygon_is_named(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home_polygon(tiny)
    write_register(tiny.parent / "register.csv", STATIONS[:4])
    columns(tiny, 3, country="SL")
    validate_command(tiny)
    said = capsys.readouterr().out
    assert "  country       no polygon of the country code: B\n" in said
    assert "code_without_polygon 1" in said


# --- patterns, azimuths and heights that can be read in two ways --------------------------------------------

TRUE_NULL = [f"{max(0.0, np.cos(np.radians(10 * i))):.3f}" for i in range(36)]
FIGURE_OF_EIGHT = [f"{abs(np.cos(np.radians(10 * i))):.3f}" for i in range(36)]
BESIDE_ITS_MAXIMUM = [f"{max(0.0, np.cos(np.radians(10 * i + 5))):.3f}" for i in range(36)]


@pytest.mark.parametrize("values", [TRUE_NULL, FIGURE_OF_EIGHT, BESIDE_ITS_MAXIMUM])
def test_relative_field_with_true_nulls_is_asked_for_by_name(tiny: Path, values: list[str]) -> None:
    columns(tiny, 2, pattern_azimuth_attenuation_db=";".join(values))
    text = refused(tiny)
    assert text.startswith(
        "register.csv, row 2, field pattern_azimuth_attenuation_db: pattern looks like rela"
    )
    assert "-20 log10 of the field; or id A in registers.accept" in text
    change(tiny, registers={"accept": ["A"]})
    validate_command(tiny)
    links(tiny, (14.1, 46.1), pattern=";".join(values))
    assert "links.csv, row 2, field pattern: pattern looks like relative field" in refused(tiny)


def test_a_vertical_pattern_with_nulls_is_asked_for_by_name(tiny: Path) -> None:
    columns(tiny, 2, vertical_pattern_deg_attenuation_db="-90:0;0:1;3:0.8;90:0")
    assert "field vertical_pattern_deg_attenuation_db: pattern looks like relative field" in refused(tiny)
    change(tiny, registers={"accept": ["A"]})
    validate_command(tiny)


@pytest.mark.parametrize(
    "values",
    [
        # Panels on three and four sides, and ripple well below 1 dB.
        [f"{0.5 - 0.5 * np.cos(np.radians(30 * i)):.2f}" for i in range(36)],
        ["0.0", "0.1", "0.2", "0.5", "1.0", "1.0", "0.5", "0.2", "0.1"] * 4,
        [f"{0.4 - 0.4 * np.cos(np.radians(10 * i)):.2f}" for i in range(36)],
    ],
)
def test_patterns_of_round_antennas_are_decibels(tiny: Path, values: list[str]) -> None:
    columns(tiny, 2, pattern_azimuth_attenuation_db=";".join(values))
    validate_command(tiny)


@pytest.mark.parametrize("pattern", ["F.699", ";".join(["0", *["20"] * 35])])
def test_a_directional_pattern_needs_an_azimuth(tiny: Path, pattern: str) -> None:
    links(tiny, (14.1, 46.1), pattern=pattern)
    path = tiny.parent / "links.csv"
    path.write_text(path.read_text().replace(",90,", ",,"), encoding="utf-8")
    assert "links.csv, row 2, field azimuth_deg: directional pattern without an azimuth" in refused(tiny)
    path.write_text(path.read_text().replace(pattern, ""), encoding="utf-8")
    validate_command(tiny)


def test_haat_0_without_a_height_is_refused_unless_it_is_filled(tiny: Path) -> None:
    columns(tiny, 2, antenna_height_agl_m="", haat_m="0")
    assert "register.csv, row 2, field haat_m: 0 stands for a height that was never computed" in refused(tiny)
    change(tiny, registers={"missing_haat_m": {"value": 150.0, "source": "test", "verified": True}})
    validate_command(tiny)


def dem(tiny: Path, *, void: bool) -> None:
    """Terrain of 800 m all around, 0.01 degrees; a pixel without data in its middle at station A."""
    values = np.full((350, 450), 800, np.int16)
    if void:
        values[189, 209] = -9999  # 14.10 E, 46.10 N
    place = rasterio.transform.from_origin(12.005, 47.995, 0.01, 0.01)
    options = {"height": 350, "width": 450, "count": 1, "dtype": "int16", "nodata": -9999}
    with rasterio.open(tiny.parent / "dem.tif", "w", crs="EPSG:4326", transform=place, **options) as sink:
        sink.write(values, 1)
    change(tiny, terrain={"dem": ["dem.tif"]})


@pytest.mark.slow
def test_a_home_mast_over_a_void_of_the_terrain_needs_a_height(tiny: Path) -> None:
    dem(tiny, void=False)
    validate_command(tiny)
    dem(tiny, void=True)
    assert "register.csv, row 2, field site_height_asl_m: the terrain model has no height under" in refused(
        tiny
    )
    columns(tiny, 2, site_height_asl_m="800")
    validate_command(tiny)
    columns(tiny, 2, site_height_asl_m="", haat_m="100")
    validate_command(tiny)
    columns(tiny, 2, haat_m="")
    change(tiny, registers={"accept": ["A"]})
    validate_command(tiny)


def people(tiny: Path, **said: str) -> None:
    place = rasterio.transform.from_origin(13.0, 47.0, 0.01, 0.01)
    options = {"height": 200, "width": 200, "count": 1, "dtype": "float32"}
    with rasterio.open(tiny.parent / "people.tif", "w", crs="EPSG:4326", transform=place, **options) as sink:
        sink.write(np.full((200, 200), 2.0, np.float32), 1)
        if "unit" in said:
            sink.units = (said["unit"],)
        if "description" in said:
            sink.set_band_description(1, said["description"])
        if "tag" in said:
            sink.update_tags(TIFFTAG_IMAGEDESCRIPTION=said["tag"])
    change(tiny, population={"raster": "people.tif"})


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ({"unit": "persons/km2"}, "persons/km2"),
        ({"unit": "km-2"}, "km-2"),
        ({"description": "population density 2020"}, "population density 2020"),
        ({"tag": "number of people per square kilometre"}, "number of people per square kilometre"),
    ],
)
def test_persons_per_area_are_refused(tiny: Path, said: dict[str, str], value: str) -> None:
    people(tiny, **said)
    text = refused(tiny)
    assert "people.tif, field unit: raster states persons per area" in text
    assert value in text


@pytest.mark.parametrize(
    "said", [{}, {"unit": "persons"}, {"tag": "Estimated population density per grid-cell"}, {"unit": "1"}]
)
def test_persons_per_cell_are_taken_and_summed(
    tiny: Path, said: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    people(tiny, **said)
    validate_command(tiny)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  people  ")]
    persons = float(line.split()[1])
    assert 2.0 * 30 * 20 < persons <= 2.0 * 200 * 200  # more than the box alone, 2 persons a cell
    assert "at most 2 in one" in line


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        ("<Scale>0.1</Scale>", True),
        ("<NoDataValue>0</NoDataValue>", True),
        ('<Metadata><MDI key="STATISTICS_MAXIMUM">9</MDI></Metadata>', False),
    ],
)
def test_a_side_file_is_an_input_unless_it_holds_statistics_alone(
    tiny: Path, content: str, counts: bool
) -> None:
    dem(tiny, void=False)
    config = load_config(tiny)
    before = plain(config)
    side = tiny.parent / "dem.tif.aux.xml"
    side.write_text(f'<PAMDataset><PAMRasterBand band="1">{content}</PAMRasterBand></PAMDataset>')
    assert (plain(config) != before) == counts
    assert ([path.name for _, path in input_files(config)].count(side.name) == 1) == counts
