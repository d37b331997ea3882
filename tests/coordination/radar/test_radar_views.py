"""Commands that read a register: search, show, export, and what a new radar concerns."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from cr372 import COLUMNS, FIRST, LANCELIN, NOVA_CREINA, record

from pipeline.coordination.radar.concerned import radar_concerned_command
from pipeline.coordination.radar.cr372_files import read_file
from pipeline.coordination.radar.findings import Strictness
from pipeline.coordination.radar.register_views import (
    RadarFilter,
    filter_of,
    radar_export_command,
    radar_search_command,
    radar_show_command,
)
from pipeline.errors import InputError

NO_STATUS = "no regulatory status"


@pytest.fixture
def register(tmp_path: Path) -> Path:
    path = tmp_path / "db.csv"
    path.write_bytes(FIRST.encode("latin-1"))
    return path


# Options, sites found. Blackfellows and Nova Creina are 86 km apart (great circle on a sphere).
@pytest.mark.parametrize(
    ("options", "sites"),
    [
        ({}, ["Lancelin", "Blackfellows", "Nova Creina", "Green Head"]),
        ({"adm": "SVN"}, []),
        ({"band": "4.463-4.465"}, ["Lancelin", "Blackfellows"]),
        ({"near": "140.456944,-37.939444,80"}, ["Blackfellows"]),
        ({"near": "140.456944,-37.939444,90"}, ["Blackfellows", "Nova Creina"]),
        ({"network": "south01"}, ["Lancelin"]),
        ({"in_use_on": "2014-10-01", "band": "4.45-4.45"}, ["Green Head"]),
        ({"in_use_on": "2014-09-30"}, []),
    ],
)
def test_search_finds_what_all_conditions_let_through(register, capsys, options, sites) -> None:
    all_of = dict.fromkeys(("adm", "area", "band", "near", "network", "in_use_on")) | options
    radar_search_command(register, filter_of(**all_of), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert [radar["site_name"] for radar in document["radars"]] == sites
    assert NO_STATUS in document["notice"]


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("band", "4"),
        ("band", "5-4"),
        ("near", "1,2"),
        ("near", "200,0,1"),
        ("near", "a,b,c"),
        ("in_use_on", "1.1.2014"),
    ],
)
def test_condition_that_cannot_be_read_is_refused(option: str, text: str) -> None:
    with pytest.raises(InputError, match=f"--{option.replace('_', '-')}"):
        filter_of(**(dict.fromkeys(("adm", "area", "band", "near", "network", "in_use_on")) | {option: text}))


def test_table_of_the_list_says_what_the_register_is(register, capsys) -> None:
    radar_search_command(register, RadarFilter(), as_json=False)
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 5
    assert NO_STATUS in shown.err


def test_one_radar_is_shown_with_all_it_has(register, capsys) -> None:
    radar_show_command(register, "AUS", "AUS - 013", as_json=True)
    (radar,) = json.loads(capsys.readouterr().out)["radars"]
    wanted = LANCELIN | NOVA_CREINA
    assert {name: radar[name] for name in COLUMNS[1:]} == {name: wanted[name] for name in COLUMNS[1:]}
    assert (radar["lat_deg"], radar["lon_deg"]) == pytest.approx((-37.328889, 139.848889), abs=1e-6)
    with pytest.raises(InputError, match="AUS - 011"):
        radar_show_command(register, "AUS", "AUS - 099", as_json=True)


def test_exports_hold_the_register_and_the_notice(register, tmp_path) -> None:
    for kind in ("csv", "xlsx", "json", "gpkg"):
        radar_export_command(register, kind, tmp_path / f"out.{kind}")
    wanted = [line.radar for line in read_file(register, Strictness.LENIENT).lines]
    assert [line.radar for line in read_file(tmp_path / "out.csv", Strictness.STRICT).lines] == wanted
    again = [line.radar for line in read_file(tmp_path / "out.xlsx", Strictness.STRICT).lines]
    assert [radar[:5] for radar in again] == [radar[:5] for radar in wanted]
    places = gpd.read_file(tmp_path / "out.gpkg", layer="radars")
    assert places.crs.to_epsg() == 4326
    assert places.geometry.iloc[0].coords[0] == pytest.approx((115.328333, -31.218333), abs=1e-6)
    assert len(json.loads((tmp_path / "out.json").read_text())["radars"]) == 4
    for name in ("out.csv.txt", "out.xlsx.txt", "out.gpkg.txt", "out.json"):
        assert NO_STATUS in (tmp_path / name).read_text()
    with pytest.raises(InputError, match="--format"):
        radar_export_command(register, "shp", tmp_path / "out.shp")


def concerned(register: Path, new: Path, capsys, borders: Path | None = None) -> dict:
    radar_concerned_command(register, new, borders, as_json=True)
    return json.loads(capsys.readouterr().out)


def test_new_radar_concerns_those_that_share_frequencies_within_both_distances(tmp_path, capsys) -> None:
    # At 13.5 MHz 520 km over sea, at 4.463 MHz 920 km; sites on a meridian, a degree is 111 km.
    register, new = tmp_path / "db.csv", tmp_path / "new.csv"
    there = {"eirp_dBW": "+20.0", "freq_assgn": "13.5", "long": "+0100000"}
    lines = [
        record(**there, lat="+440000", site_name="Near", Adm_ref_id="1"),
        record(**there, lat="+490000", site_name="Far", Adm_ref_id="2"),
        record(**(there | {"freq_assgn": "13.549"}), lat="+440000", site_name="Beside", Adm_ref_id="3"),
        record(**(there | {"stn_type": "RX"}), lat="+440000", site_name="Listener", Adm_ref_id="4"),
    ]
    register.write_text("\n".join(lines))
    new.write_text(record(**there, lat="+400000", site_name="New", Adm_ref_id="5"))
    found = concerned(register, new, capsys)["radars"]
    assert [(row["registered"].split()[1], row["concerned"]) for row in found] == [
        ("1", True),
        ("3", True),
        ("4", True),
    ]
    # A degree of latitude of WGS84 at 42 N: 111.132954 - 0.559822 cos 84 + 0.001175 cos 168 = 111.0733 km.
    assert found[0]["distance_km"] == pytest.approx(4 * 111.0733, abs=0.02)
    assert found[0]["overlap_khz"] == pytest.approx(50.0)
    assert found[1]["overlap_khz"] == pytest.approx(1.0)
    assert (found[2]["new_reaches_registered"], found[2]["registered_reaches_new"]) == (True, False)


def test_with_country_polygons_paths_and_administrations_are_known(tmp_path, capsys) -> None:
    # Home from 9 to 11 E and another country from 11 to 12 E, all land: 110 km at 13.5 MHz.
    borders, register, new = tmp_path / "w.gpkg", tmp_path / "db.csv", tmp_path / "new.csv"
    shapes = [shapely.box(5, 35, 11, 50), shapely.box(11, 35, 15, 50)]
    frame = gpd.GeoDataFrame(
        {"iso_numeric": ["705", "380"], "name": ["Slovenia", "Italy"]}, geometry=shapes, crs="EPSG:4326"
    )
    frame.to_file(borders, layer="countries")
    there = {"eirp_dBW": "+20.0", "freq_assgn": "13.5", "Adm": "SVN", "ctry": "SVN", "lat": "+440000"}
    register.write_text(record(**there, long="+0111800", site_name="Other", Adm_ref_id="1"))
    new.write_text(record(**there, long="+0100000", site_name="New", Adm_ref_id="5"))
    found = concerned(register, new, capsys, borders)
    assert [row["path"] for row in found["radars"]] == ["land"]
    assert [(e["adm"], e["path"]) for e in found["administrations"]] == [("I", "land")]
    # One degree of longitude at 44 N on the ellipsoid.
    assert found["administrations"][0]["distance_km"] == pytest.approx(80.2, abs=0.3)
