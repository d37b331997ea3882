"""Mappings of bookings, receivers and areas in a territory file: the same as files with the fixed columns."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.hashing import input_files, settings_hash
from pipeline.plan.left_out_rows import _mappings
from pipeline.plan.plausible_places import booking_places, station_places
from pipeline.plan.territory_file import load_config
from pipeline.registers.areas import read_adjustments, read_exclusions, read_masks
from pipeline.registers.named_registers import mapped_records, read_stations, register_sizes
from pipeline.registers.stations import AeronauticalRow, ReceiverRow, RelayRow, TelescopeRow
from pipeline.registers.transmitters import read_register
from pipeline.services.pmse.pmse_register import read_pmse_register
from tests.tiny import CONFIG, STATIONS, write_register

BOOKINGS = """Nr;Art;Wo;Frequenz [kHz];Breite [kHz];Von;Bis;Stand
1;Mikrofon;46°06'00"N 14°06'00"E;562000,5;200;05.12.2026 18:00;05.12.2026 23:00;gebucht
2;Ohr;46°07'30"N 14°06'00"E;570000;200;05.12.2026;;gebucht
3;Mikrofon;46°06'00"N 14°06'00"E;578000;200;05.12.2026;;storniert
"""
BOOKING_MAPPING = {
    "path": "buchungen.csv",
    "separator": ";",
    "decimal": ",",
    "encoding": "windows-1252",
    "filter": [{"column": "Stand", "not_in": ["storniert"]}],
    "columns": {
        "id": {"template": "B-{Nr}"},
        "kind": {"from": "Art", "map": {"Mikrofon": "wireless_microphone"}, "otherwise": "other"},
        "lat_lon": {"from": "Wo", "notation": "dms"},
        "freq_mhz": {"from": "Frequenz [kHz]", "unit": "kHz"},
        "bandwidth_mhz": {"from": "Breite [kHz]", "unit": "kHz"},
        "start": {"from": "Von", "format": "%d.%m.%Y %H:%M"},
        "finish": {"from": "Bis", "format": "%d.%m.%Y %H:%M"},
    },
}
LINKS = """Link|East|North|F|Width|Height|Bearing|State
L1|462000|101000|720,25|0,5|30|270|in use
L2|463000|101000|720,75|0,5|30|90|ceased
"""
LINK_MAPPING = {
    "path": "links.txt",
    "separator": "|",
    "decimal": ",",
    "crs": "EPSG:3794",
    "filter": [{"column": "State", "in": ["in use"]}],
    "constants": {"noise_figure_db": 5, "gain_dbi": 12, "feeder_db": 2, "acs_db": 50, "pattern": "F.699"},
    "columns": {
        "id": {"from": "Link"},
        "x": {"from": "East"},
        "y": {"from": "North"},
        "f_mhz": {"from": "F"},
        "bandwidth_mhz": {"from": "Width"},
        "antenna_height_m": {"from": "Height"},
        "azimuth_deg": {"from": "Bearing"},
    },
}
RING = "14.10 46.10, 14.20 46.10, 14.20 46.15, 14.10 46.10"


def with_sections(**extra: object) -> Config:
    lines = [f"{name}: {json.dumps(value)}" for name, value in extra.items()]
    Path("tiny.yaml").write_text(CONFIG + "\n".join(lines) + "\n", encoding="utf-8")
    return load_config("tiny.yaml")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_register(tmp_path / "register.csv", STATIONS)
    (tmp_path / "buchungen.csv").write_text(BOOKINGS, encoding="windows-1252")
    (tmp_path / "links.txt").write_text(LINKS, encoding="utf-8")


@pytest.mark.parametrize("crs", [None, "EPSG:3794"])
def test_bookings(crs: str | None) -> None:
    mapping = json.loads(json.dumps(BOOKING_MAPPING))
    mapping["columns"]["start"]["format"] = mapping["columns"]["finish"]["format"] = "%d.%m.%Y %H:%M"
    Path("buchungen.csv").write_text(
        BOOKINGS.replace("05.12.2026;;", "05.12.2026 00:00;;"), encoding="windows-1252"
    )
    config = with_sections(pmse={"registers": [mapping], "crs": crs})
    register, left_out = read_pmse_register(config)
    assert register["id"].values.tolist() == ["B-1", "B-2"]
    assert register["kind"].values.tolist() == ["wireless_microphone", "other"]
    assert register["freq_mhz"].values.tolist() == [562.0005, 570.0]
    assert register["bandwidth_mhz"].values.tolist() == [0.2, 0.2]
    assert [row.problem for row in left_out] == ["left out: filter"]
    # 20 days and 339 in the 56 years to 2026; 18:00 to 23:00.
    assert (register["finish_minute"] - register["start_minute"]).values[0] == 300
    if crs is None:
        assert register["x"].values.tolist() == pytest.approx([14.1, 14.1])
        assert register["y"].values.tolist() == pytest.approx([46.1, 46.125])
    else:  # 14.1 E lies 0.9 deg of longitude west of the meridian 15 E at 500 km: some 69.5 km
        assert register["x"].values[0] == pytest.approx(430_500, abs=500)


def test_receivers_by_table_and_by_lines_of_hcm() -> None:
    Path("hcm.txt").write_text("R1;014E060046N0600;00720.25000M;SVN;0030;0300\n", encoding="utf-8")
    common = LINK_MAPPING["constants"]
    hcm = {
        "path": "hcm.txt",
        "format": "hcm_lines",
        "constants": {**dict(common), "pattern": "", "bandwidth_mhz": 0.5},
    }
    config = with_sections(
        incumbents={"fixed": {"registers": [LINK_MAPPING]}, "mobile": {"registers": [hcm]}}
    )
    assert config.incumbents is not None
    assert config.incumbents.fixed is not None
    (link,) = read_stations(config.incumbents.fixed.registers, ReceiverRow)
    assert (link.id, link.f_mhz, link.azimuth_deg, link.pattern) == ("L1", 720.25, 270.0, "F.699")
    assert link.file.endswith("links.txt")
    assert link.row == 2
    assert link.lon == pytest.approx(14.5, abs=0.01)
    assert config.incumbents.mobile is not None
    (base,) = read_stations(config.incumbents.mobile.registers, ReceiverRow)
    assert (base.id, base.lon, base.lat) == ("R1", pytest.approx(14.1), pytest.approx(46.1))
    sizes = register_sizes(config, read_register(config)[0], None)
    assert sizes["incumbents.fixed.registers"] == 1
    assert sizes["incumbents.mobile.registers"] == 1


def test_single_stations() -> None:
    Path("tel.csv").write_text("Name,Lat,Lon,Height,Kind\nBig,46.1,14.1,25,x\n", encoding="utf-8")
    place = {"id": {"from": "Name"}, "lat": {"from": "Lat"}, "lon": {"from": "Lon"}}
    telescope = {
        "path": "tel.csv",
        "constants": {"criterion": "continuum_611"},
        "columns": {**place, "antenna_height_m": {"from": "Height"}},
    }
    navigation = {"path": "tel.csv", "constants": {"country": "RU", "code": "AA8"}, "columns": place}
    relay = {"path": "tel.csv", "constants": {"channel": 25}, "columns": place}
    config = with_sections(
        incumbents={"radio_astronomy": {"stations": telescope}, "aeronautical": {"stations": navigation}},
        areas={"relay_sites": relay},
    )
    assert config.incumbents is not None
    astronomy, aeronautical = config.incumbents.radio_astronomy, config.incumbents.aeronautical
    assert astronomy is not None
    assert aeronautical is not None
    assert aeronautical.stations is not None
    assert config.areas.relay_sites is not None
    assert read_stations([astronomy.stations], TelescopeRow)[0].antenna_height_m == 25.0
    assert read_stations([aeronautical.stations], AeronauticalRow)[0].code == "AA8"
    assert read_stations([config.areas.relay_sites], RelayRow)[0].channel == 25.0


def test_areas_of_a_table_and_of_a_layer() -> None:
    Path("zones.csv").write_text(f'Ch;Why;Shape\n21-23;test;"POLYGON (({RING}))"\n', encoding="utf-8")
    ring = [[float(n) for n in point.split()] for point in RING.split(", ")]
    feature = {
        "type": "Feature",
        "properties": {"Kanal": "25", "Grund": "radar", "Wer": "office", "Am": "02.11.2026"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    Path("zones.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    table = {
        "path": "zones.csv",
        "separator": ";",
        "columns": {"channels": {"from": "Ch"}, "reason": {"from": "Why"}, "wkt": {"from": "Shape"}},
    }
    layer = {"channels": {"from": "Kanal"}}
    mask = {
        "path": "zones.geojson",
        "constants": {"cap_dbm": 10, "source": "office"},
        "columns": {**layer, "reason": {"from": "Grund"}},
    }
    change = {
        "path": "zones.geojson",
        "constants": {"adjustment_db": -3},
        "columns": {
            **layer,
            "who": {"from": "Wer"},
            "when": {"from": "Am", "format": "%d.%m.%Y"},
            "why": {"from": "Grund"},
        },
    }
    config = with_sections(areas={"exclusions": [table], "masks": [mask], "adjustments": [change]})
    (closed,) = read_exclusions(config.areas.exclusions)
    assert closed.channels == {21, 22, 23}
    assert closed.row == 2
    (limited,) = read_masks(config.areas.masks)
    assert limited.cap_dbm == 10.0
    assert limited.area.channels == {25}
    assert limited.area.shape.equals(closed.shape)
    (changed,) = read_adjustments(config.areas.adjustments)
    assert changed.adjustment_db == -3.0
    assert changed.area.values["when"] == "2026-11-02"


def placemark(name: str, west: str, channels: str, folder: str) -> str:
    ring = f"{west},46,9 15,46,9\n 15,46.5,9 {west},46.5,9 {west},46,9"
    data = f'<Data name="Ch"><value>{channels}</value></Data><Data name="Why"><value>radar</value></Data>'
    return (
        f"<Folder><name>{folder}</name><Placemark><name>{name}</name><ExtendedData>{data}</ExtendedData>"
        f"<Polygon><outerBoundaryIs><LinearRing><coordinates>{ring}</coordinates></LinearRing>"
        "</outerBoundaryIs></Polygon></Placemark></Folder>"
    )


@pytest.mark.parametrize("file", ["zones.kml", "zones.kmz"])
def test_polygons_of_a_kml_are_areas_of_all_its_folders(file: str) -> None:
    folders = placemark("A", "14", "21-23", "north") + placemark("B", "14.5", "*", "south")
    text = f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{folders}</Document></kml>'
    Path("zones.kml").write_text(text, encoding="utf-8")
    with zipfile.ZipFile("zones.kmz", "w") as archive:
        archive.write("zones.kml", "doc.kml")
    zones = {"path": file, "columns": {"channels": {"from": "Ch"}, "reason": {"from": "Why"}}}
    areas = read_exclusions(with_sections(areas={"exclusions": [zones]}).areas.exclusions)
    assert [(area.row, area.channels) for area in areas] == [(1, {21, 22, 23}), (2, None)]
    assert [area.shape.bounds for area in areas] == [(14.0, 46.0, 15.0, 46.5), (14.5, 46.0, 15.0, 46.5)]


def test_faults_name_the_row_of_the_foreign_file() -> None:
    Path("links.txt").write_text(LINKS.replace("720,25", "720.25"), encoding="utf-8")
    config = with_sections(incumbents={"fixed": {"registers": [LINK_MAPPING]}})
    assert config.incumbents is not None
    assert config.incumbents.fixed is not None
    with pytest.raises(InputError, match=r"links.txt, row 2, field f_mhz: .*found '720\.25'"):
        read_stations(config.incumbents.fixed.registers, ReceiverRow)
    zones = {"path": "zones.csv", "columns": {"channels": {"from": "Ch"}, "wkt": {"from": "Shape"}}}
    Path("zones.csv").write_text(f'Ch,Shape\n,"POLYGON (({RING}))"\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"zones.csv, row 2, field channels: "):
        read_exclusions(with_sections(areas={"exclusions": [zones]}).areas.exclusions)


def test_formats_of_transmitters_are_none_of_receivers() -> None:
    notices = {"path": "links.txt", "format": "ge06"}
    config = with_sections(incumbents={"fixed": {"registers": [notices]}})
    assert config.incumbents is not None
    assert config.incumbents.fixed is not None
    with pytest.raises(InputError, match="format holds transmitters"):
        read_stations(config.incumbents.fixed.registers, ReceiverRow)


def test_files_of_mappings_are_inputs_and_change_hashes() -> None:
    config = with_sections(
        pmse={"registers": [BOOKING_MAPPING]}, incumbents={"fixed": {"registers": [LINK_MAPPING]}}
    )
    assert {path.name for _, path in input_files(config)} >= {"buchungen.csv", "links.txt"}
    before = settings_hash(config, ["incumbents"])
    Path("links.txt").write_text(LINKS.replace("|30|270", "|31|270"), encoding="utf-8")
    assert settings_hash(config, ["incumbents"]) != before


def test_places_of_mapped_rows_are_checked_and_what_is_left_out_is_told() -> None:
    config = with_sections(incumbents={"fixed": {"registers": [LINK_MAPPING]}})
    config.services["fixed"] = config.services["dtt"]
    (places,) = station_places(config)
    assert (places.ids, places.rows, places.file.name) == (["L1"], [2], "links.txt")
    assert [*booking_places(config)] == []
    ((key, item, target),) = _mappings(config)
    assert key == "incumbents.fixed.registers"
    assert [(row.row, row.problem) for row in mapped_records(item, target).left_out] == [
        (3, "left out: filter")
    ]


def test_a_folder_of_tables_stands_for_its_table_of_stations() -> None:
    dump = Path("lms")
    dump.mkdir()
    for name in ("facility.dat", "app_location.dat"):
        (dump / name).write_text("x|^|\n")
    text = CONFIG.replace("[register.csv]", "[register.csv, {path: lms, format: fcc_lms}]")
    Path("tiny.yaml").write_text(text, encoding="utf-8")
    files = {str(path) for _, path in input_files(load_config("tiny.yaml"))}
    assert files >= {"lms/facility.dat", "lms/app_location.dat"}
