"""Contours of transmitters: pixels that they serve, and the distance of a field by hand and by the curves."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from pyproj import Geod

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_file, make_layer
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register
from pipeline.studies.contours import contour_command, least_served_dbuvm
from pipeline.studies.predict import predict_table
from tests.jobs import run_from

GRID = Grid("EPSG:3794", 500.0, 420_000.0, 120_000.0, 40, 30)
BUILD = Path("build/tiny")
KEY, F_MHZ = ("DVB-T", "64QAM 2/3"), 474.0
# 10 log10(k 290 K B) + 30 + 6 + C/N 20.0 - (10 + 2.15 - 3) + 77.2 + 20 log10 f, plus 0.524 x 5.5 dB.
PARTS_DB = [10 * math.log10(1.380649e-23 * 290 * 7.61e6) + 30, 6.0, 20.0, -9.15, 77.216, 20 * math.log10(474)]


@pytest.fixture
def built(tiny: Path) -> Path:
    """Layers that a run could have left: one station of each channel serves the east."""
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [21]"))
    run_from("territory", tiny, BUILD)
    for tile in sorted(set(read_register(load_config(tiny))[0]["tile"].values.tolist())):
        run_from("terrain", tiny, BUILD, tile=tile)
    east = np.zeros(GRID.shape, bool)
    east[:, 20:] = True
    for channel in range(21, 49):
        layers = {
            "dtt_server": np.where(east, 1, 0).astype(np.uint16),
            "dtt_served": np.where(east, 1, 0).astype(np.uint8),
            "dtt_field": np.full(GRID.shape, 6000, np.int16),
        }
        layers["dtt_served"][0] = 255
        for family, raw in layers.items():
            path = BUILD / layer_file(family, dtt_channel=channel)
            path.parent.mkdir(parents=True, exist_ok=True)
            raster.write(path, make_layer(family, raw, GRID), tags={}, publish=False)
        name = {21: "A", 22: "B", 23: "C", 25: "D", 47: "E"}.get(channel, "none")
        (BUILD / "coverage").mkdir(exist_ok=True)
        table = {"transmitters": [{"id": name}], "modes": []}
        (BUILD / f"coverage/ch{channel}_servers.json").write_text(json.dumps(table))
    return tiny


def test_least_field_is_noise_and_location_margin(tiny: Path) -> None:
    """q = 0.70 of a normal distribution lies 0.5244 standard deviations above the median."""
    config = load_config(tiny)
    assert least_served_dbuvm(config, KEY, F_MHZ) == pytest.approx(sum(PARTS_DB) + 0.5244 * 5.5, abs=0.02)


def test_contours_are_those_of_layers_and_curves(built: Path, tmp_path: Path) -> None:
    contour_command(built, tmp_path / "out", transmitters=["A"])
    coverage, protection = (
        gpd.read_file(tmp_path / "out/contours.gpkg", layer=name) for name in ("coverage", "protection")
    )
    assert coverage["id"].tolist() == protection["id"].tolist() == ["A"]
    (area_km2,) = coverage["area_km2"]
    assert area_km2 == pytest.approx(20 * 29 * 0.25, rel=1e-3)  # the row at the top is no land
    geod = Geod(ellps="WGS84")
    area_m2, _ = geod.geometry_area_perimeter(coverage.geometry[0])
    assert abs(area_m2) == pytest.approx(area_km2 * 1e6, rel=1e-3)
    (distance_km,), (field_dbuvm,) = protection["farthest_km"], protection["field_dbuvm"]
    link = {
        "f_mhz": F_MHZ,
        "d_km": distance_km,
        "heff_m": 100.0,
        "t_pct": 50.0,
        "h2_m": 10.0,
        "area": "rural",
    }
    predicted = predict_table(pd.DataFrame([link]), "p1546").field_dbuvm[0]
    assert predicted == pytest.approx(field_dbuvm, abs=0.05)
    ring = np.asarray(protection.geometry[0].geoms[0].exterior.coords)
    lon, lat = np.full(len(ring), 14.10), np.full(len(ring), 46.10)
    assert geod.inv(lon, lat, *ring.T)[2] / 1000.0 == pytest.approx(np.full(len(ring), distance_km), abs=0.01)


def test_raster_of_a_station_has_its_field_where_it_serves(built: Path, tmp_path: Path) -> None:
    contour_command(built, tmp_path / "out", transmitters=["A"])
    values = raster.read(tmp_path / "out/coverage_A.tif").values
    assert (values[1:, 20:] == 6000).all()
    assert (values[:, :20] == -32768).all()
    assert (values[0] == -32768).all()
    names = {path.name for path in (tmp_path / "out").iterdir()}
    contours = {"contours.gpkg", "contours.kml", "contours.qgs"}
    assert names == {*contours, "coverage_A.tif", "coverage_A.qml"}
    contour_command(built, tmp_path / "out", transmitters=["A"])  # replaces its own files


def test_project_of_contours_names_and_colours_the_layers(built: Path, tmp_path: Path) -> None:
    """Lines that do not hide each other, in the colours of the KML, with the ids beside them."""
    contour_command(built, tmp_path / "out")
    found = ElementTree.parse(tmp_path / "out/contours.qgs").getroot()
    sources = [layer.findtext("datasource") for layer in found.iter("maplayer")]
    assert sources == ["./contours.gpkg|layername=coverage", "./contours.gpkg|layername=protection"]
    colours = [option.get("value") for option in found.iter("Option") if option.get("name") == "color"]
    assert [colour.split(",")[3] for colour in colours] == ["40", "0"]
    assert found.findtext("title").endswith(": contours of transmitters")


def test_kml_has_both_layers_and_equal_bytes(built: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        contour_command(built, tmp_path / name)
    for file in ("contours.kml", "contours.gpkg"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    kml, gpkg = (
        gpd.read_file(tmp_path / f"a/contours.{kind}", layer="protection") for kind in ("kml", "gpkg")
    )
    assert kml["Name"].tolist() == gpkg["id"].tolist() == ["A", "B", "C", "D"]
    for one, other in zip(kml.geometry, gpkg.geometry, strict=True):
        assert one.symmetric_difference(other).area < 1e-4
    # Overlapping areas are lines: every placemark has the style of its layer, only coverage is filled.
    tree = ElementTree.parse(tmp_path / "a/contours.kml")
    fills = {s.get("id"): s.findtext("{*}PolyStyle/{*}fill") for s in tree.findall(".//{*}Style")}
    assert fills == {"coverage": "1", "protection": "0"}
    for folder in tree.findall(".//{*}Folder"):
        styles = {mark.findtext("{*}styleUrl") for mark in folder.findall(".//{*}Placemark")}
        assert styles == {f"#{folder.findtext('{*}name')}"}


@pytest.mark.parametrize(("ids", "field"), [(["A", "nobody"], "--transmitter"), ([], "dtt_server_ch21")])
def test_unknown_stations_and_missing_runs_are_refused(
    built: Path, tmp_path: Path, ids: list[str], field: str
) -> None:
    if not ids:
        (BUILD / layer_file("dtt_server", dtt_channel=21)).unlink()
    with pytest.raises(InputError, match=field):
        contour_command(built, tmp_path / "out", transmitters=ids)
    assert not (tmp_path / "out").exists()


def test_stations_that_the_run_did_not_look_at_are_refused(built: Path, tmp_path: Path) -> None:
    """A file without it would pass for a station that serves nobody."""
    register = built.parent / "register.csv"
    lines = register.read_text().splitlines()
    head, first = lines[0].split(","), lines[1].split(",")
    more = dict(zip(head, first, strict=True)) | {"id": "Far", "lon": "100.0", "lat": "10.0"}
    register.write_text("\n".join([*lines, ",".join(more[name] for name in head)]) + "\n")
    with pytest.raises(InputError, match=r"out of reach.*Far"):
        contour_command(built, tmp_path / "out", transmitters=["A", "Far"])
    assert not (tmp_path / "out").exists()


def test_two_stations_whose_rasters_have_one_name_are_refused(built: Path, tmp_path: Path) -> None:
    register = built.parent / "register.csv"
    text = register.read_text()
    register.write_text(text.replace("\nA,", "\na/1,").replace("\nB,", "\nA_1,"))
    with pytest.raises(InputError, match=r"would both be coverage_a_1\.tif; found 'a/1 and A_1'"):
        contour_command(built, tmp_path / "out", transmitters=["a/1", "A_1"])
