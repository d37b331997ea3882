"""What the commands refuse: exit code 2, one line on stderr that says where and what, nothing written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from pipeline.cli import main as cli
from pipeline.workflow import run as runs
from tests.tiny import STATIONS, write_register

Change = Callable[[Path], None]


class Fault(NamedTuple):
    """A change of the tiny territory and what its refusal has to say."""

    name: str
    change: Change
    said: tuple[str, ...]


def setting(old: str, new: str) -> Change:
    """Replace a piece of the territory file."""
    return lambda folder: replace(folder / "tiny.yaml", old, new)


def cell(old: str, new: str) -> Change:
    """Replace a piece of the register, first found in station A (line 2)."""
    return lambda folder: replace(folder / "register.csv", old, new)


def section(text: str, *files: Change) -> Change:
    """Add a section to the territory file, and the files it names."""

    def change(folder: Path) -> None:
        replace(folder / "tiny.yaml", "registers:", f"{text}\nregisters:")
        for write in files:
            write(folder)

    return change


def territory(text: str, *files: Change) -> Change:
    """Add a key to the section `territory`, and the files it names."""

    def change(folder: Path) -> None:
        replace(folder / "tiny.yaml", "territory:", f"territory:\n  {text}")
        for write in files:
            write(folder)

    return change


def both(*changes: Change) -> Change:
    """Several changes, one after the other."""

    def change(folder: Path) -> None:
        for each in changes:
            each(folder)

    return change


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def stations(*rows: tuple[str, float, float, int, float]) -> Change:
    return lambda folder: write_register(folder / "register.csv", list(rows))


def content(name: str, data: bytes) -> Change:
    return lambda folder: void((folder / name).write_bytes(data))


def void(_: object) -> None:
    """Drop a value: changes return nothing."""


def absent(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def as_folder(name: str) -> Change:
    return both(absent(name), lambda folder: (folder / name).mkdir())


def dem(west_deg: float, *, crs: str | None = "EPSG:4326") -> Change:
    """A flat terrain model of 3 x 3 degrees north-east of (west, 44 N)."""

    def write(folder: Path) -> None:
        profile = {"driver": "GTiff", "width": 60, "height": 60, "count": 1, "dtype": "int16", "crs": crs,
                   "transform": Affine(0.05, 0, west_deg, 0, -0.05, 47.0)}  # fmt: skip
        with rasterio.open(folder / "dem.tif", "w", **profile) as sink:
            sink.write(np.full((1, 60, 60), 300, np.int16))

    return write


def polygons(*, crs: str | None = "EPSG:4326", points: bool = False) -> Change:
    """A country SI from 14 to 15 E, 46 to 47 N, in the layer `countries`."""

    def write(folder: Path) -> None:
        shape = shapely.Point(14.5, 46.5) if points else shapely.box(14.0, 46.0, 15.0, 47.0)
        frame = gpd.GeoDataFrame({"iso2": ["SI"]}, geometry=[shape], crs=crs)
        frame.to_file(folder / "land.gpkg", layer="countries", driver="GPKG")

    return write


BOX = "bbox_deg: [14.0, 46.0, 14.3, 46.2]"
POLYGONS = "polygons: {path: land.gpkg, land_layer: null}"
LATIN_1 = "Kranjska Gora, \u010cateški hrib".encode("cp1250")
MODES = b"system,mode,c_n_db,noise_bandwidth_mhz,source,verified\nDVB-T,64QAM 2/3,%s,7.6,a table,true\n"
PLACES = b"latitude,longitude,population\n46.1,14.1,%s\n"

FAULTS = [
    # Missing files.
    Fault("territory file", absent("tiny.yaml"), ("tiny.yaml", "does not exist")),
    Fault("register", absent("register.csv"), ("registers.transmitters.0", "does not exist", "register.csv")),
    Fault("register is a folder", as_folder("register.csv"), ("registers.transmitters.0", "is not a file")),
    Fault("terrain", section("terrain: {dem: [dem.tif]}"), ("terrain.dem.0", "does not exist", "dem.tif")),
    Fault("polygons", territory(POLYGONS), ("territory.polygons.path", "does not exist", "land.gpkg")),
    Fault("world", territory("world: w.gpkg"), ("territory.world", "does not exist", "w.gpkg")),
    Fault("places", section("population: {places: p.csv}"), ("population.places", "does not exist", "p.csv")),
    Fault("table", section("protection: {modes: m.csv}"), ("protection.modes", "does not exist", "m.csv")),
    # Coordinate reference systems.
    Fault("unknown CRS", setting("EPSG:3794", "EPSG:999999"), ("tiny.yaml", "field crs", "EPSG:999999")),
    Fault("geographic CRS", setting("EPSG:3794", "EPSG:4326"), ("tiny.yaml", "not projected", "EPSG:4326")),
    Fault("CRS in feet", setting("EPSG:3794", "EPSG:2263"), ("tiny.yaml", "not in metres", "EPSG:2263")),
    Fault("CRS with heights", setting("EPSG:3794", "EPSG:7405"), ("tiny.yaml", "axes", "EPSG:7405")),
    Fault("CRS with a west axis", setting("EPSG:3794", "EPSG:2048"), ("west", "EPSG:2048")),
    Fault("web Mercator", setting("EPSG:3794", "EPSG:3857"), ("times the true", "EPSG:3857")),
    Fault("CRS of another continent", setting("EPSG:3794", "EPSG:32719"), ("times the true", "EPSG:32719")),
    Fault("terrain without CRS", section("terrain: {dem: [dem.tif]}", dem(13.0, crs=None)), ("dem.tif",)),
    Fault("polygons without CRS", territory(POLYGONS, polygons(crs=None)), ("land.gpkg", "coordinate ref")),
    # Empty territory.
    Fault("home is no country", both(territory(POLYGONS, polygons()), setting("[SI]", "[XX]")),
          ("land.gpkg", "iso2", "'XX'", "allowed: SI")),
    Fault("box beside home", both(territory(POLYGONS, polygons()), setting(BOX, "bbox_deg: [9, 46, 10, 47]")),
          ("land.gpkg", "bbox_deg", "9.0, 46.0, 10.0, 47.0")),
    Fault("box without land",
          both(territory("world: land.gpkg", polygons()), setting(BOX, "bbox_deg: [9, 46, 10, 47]")),
          ("land.gpkg", "bbox_deg", "9.0, 46.0, 10.0, 47.0")),
    Fault("box turned", setting(BOX, "bbox_deg: [14.3, 46.0, 14.0, 46.2]"), ("tiny.yaml", "west < east")),
    Fault("box below a pixel", setting(BOX, "bbox_deg: [14.0, 46.0, 14.00001, 46.00001]"),
          ("tiny.yaml", "territory is empty", "found 500.0")),
    # Nothing to protect.
    Fault("all stations far away", stations(("A", -60.0, -30.0, 21, 1.0)),
          ("tiny.yaml", "registers.transmitters", "no transmitter within reach", "0 of 1")),
    Fault("all stations on other channels", stations(("A", 14.1, 46.1, 48, 1.0)),
          ("tiny.yaml", "registers.transmitters", "no transmitter within reach", "channels.wsd")),
    # Unknown words.
    Fault("model", section("propagation: {coverage_model: itm}"),
          ("tiny.yaml", "propagation.coverage_model", "'itm'", "p1546")),
    Fault("device model", section("propagation: {wsd_model: p452}"), ("propagation.wsd_model", "'p452'")),
    Fault("method", section("protection: {method: guess}"), ("protection.method", "'guess'", "threshold")),
    Fault("default mode", setting("coverage:", "coverage:\n  default_mode: {system: DVB-T, mode: 8PSK}"),
          ("tiny.yaml", "coverage.default_mode", "DVB-T 8PSK")),
    Fault("mode of a station", cell("64QAM 2/3", "64QAM 9/9"),
          ("register.csv", "row 2", "multiplex_mode", "64QAM 9/9", "64QAM 2/3")),
    Fault("key", setting("cap_dbm:", "cap_dBm:"), ("devices.0.cap_dBm", "unknown key", "cap_dbm")),
    Fault("section", section("propagations: {}"), ("tiny.yaml", "propagations", "unknown key", "registers")),
    Fault("key given twice", section("name: tiny\nname: tiny"), ("tiny.yaml", "row ", "given twice")),
    # Numbers.
    Fault("pixel size 0", setting("resolution_m: 500.0", "resolution_m: 0"),
          ("tiny.yaml", "grid.resolution_m", "found 0")),
    Fault("NaN in a setting", setting("cap_dbm: 36.0", "cap_dbm: .nan"), ("devices.0.cap_dbm", "nan")),
    Fault("infinite setting", setting("height_m: 30.0", "height_m: .inf"), ("devices.0.height_m", "inf")),
    Fault("NaN in a list", setting("[0.0, 20.0, 36.0]", "[0.0, .nan]"), ("levels_dbm.1", "nan")),
    Fault("text in a setting", setting("cap_dbm: 36.0", "cap_dbm: high"), ("devices.0.cap_dbm", "'high'")),
    Fault("quoted number", setting("cap_dbm: 36.0", "cap_dbm: '36'"), ("devices.0.cap_dbm", "'36'")),
    Fault("NaN in the register", cell("14.1,", "nan,"), ("register.csv", "row 2", "lon", "-180 to 180")),
    Fault("text in the register", cell(",1.0,100", ",high,100"),
          ("register.csv", "row 2", "erp_kw", "'high'", "up to 5000 kW")),
    Fault("NaN in a table", section("protection: {modes: m.csv}", content("m.csv", MODES % b"nan")),
          ("m.csv", "row 2", "c_n_db", "'nan'", "-20 to 60")),
    Fault("text in a place", section("population: {places: p.csv}", content("p.csv", PLACES % b"many")),
          ("p.csv", "row 2", "population", "'many'", "0 to 1e+09")),
    # Files that are something else.
    Fault("territory file is not UTF-8", content("tiny.yaml", LATIN_1), ("tiny.yaml", "UTF-8")),
    Fault("register is not UTF-8", content("register.csv", b"id,site\nA,\xe8\n"),
          ("register.csv", "row 2", "UTF-8", "xe8")),
    Fault("table is not UTF-8", section("protection: {modes: m.csv}", content("m.csv", MODES % b"\xe8")),
          ("m.csv", "UTF-8")),
    Fault("places are not UTF-8", section("population: {places: p.csv}", content("p.csv", PLACES % b"\xe8")),
          ("p.csv", "UTF-8")),
    Fault("terrain is not a raster", section("terrain: {dem: [dem.tif]}", content("dem.tif", b"heights")),
          ("dem.tif", "no raster of a known format")),
    Fault("terrain is polygons", section("terrain: {dem: [land.gpkg]}", polygons()),
          ("land.gpkg", "no raster of a known format")),
    Fault("population is not a raster", section("population: {raster: p.tif}", content("p.tif", b"people")),
          ("p.tif", "no raster of a known format")),
    Fault("polygons are text", territory(POLYGONS, content("land.gpkg", b"borders")),
          ("land.gpkg", "not a polygon file")),
    Fault("polygons are a raster",
          both(territory("polygons: {path: dem.tif}", dem(13.0))), ("dem.tif", "not a polygon file")),
    Fault("polygons are points", territory(POLYGONS, polygons(points=True)),
          ("land.gpkg", "row 1", "geometry", "'Point'")),
    Fault("no such layer", territory("polygons: {path: land.gpkg, countries_layer: states}", polygons()),
          ("land.gpkg", "layer", "'states'", "countries")),
    Fault("world is text", territory("world: w.gpkg", content("w.gpkg", b"land")),
          ("w.gpkg", "not a polygon file")),
    # Terrain that does not cover the padded grid (38 km around the box).
    Fault("terrain ends inside", section("terrain: {dem: [dem.tif]}", dem(11.3)),
          ("dem.tif", "terrain, field dem", "does not cover", "14.", "deg east")),
    Fault("terrain elsewhere", section("terrain: {dem: [dem.tif]}", dem(60.0)),
          ("dem.tif", "terrain, field dem", "100.0 %")),
]  # fmt: skip


def refusal(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Run a command that must be refused; what it says: a line for each fault."""
    monkeypatch.setattr(sys, "argv", ["channelmaps", *arguments])
    before = everything()
    with pytest.raises(SystemExit) as stop:
        cli.main()
    said = capfd.readouterr()
    assert stop.value.code == 2
    assert said.out == ""
    assert all(line.startswith("channelmaps: ") for line in said.err.splitlines()), said.err
    assert said.err.endswith("\n")
    assert everything() == before
    return said.err


def everything() -> dict[str, bytes]:
    """All files and folders of the working folder."""
    found = sorted(Path().rglob("*"))
    return {path.as_posix(): path.read_bytes() if path.is_file() else b"" for path in found}


def not_started(*arguments: object, **_: object) -> None:
    raise AssertionError(f"the workflow was started: {arguments}")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_validate_and_run_refuse(
    tiny: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(runs.subprocess, "run", not_started)
    fault.change(tiny.parent)
    told = refusal(capfd, monkeypatch, "validate", "tiny.yaml")
    assert all(part in told for part in fault.said), told
    first = refusal(capfd, monkeypatch, "run", "tiny.yaml").rstrip("\n")
    assert re.sub(r" \(and \d+ more( bad rows)?\)", "", first) in told.splitlines()


def test_faults_are_of_a_territory_that_is_accepted(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What the table adds is all right as long as it is not broken."""
    section("terrain: {dem: [dem.tif]}", dem(12.8))(tiny.parent)
    territory(POLYGONS, polygons())(tiny.parent)
    section("population: {places: p.csv}", content("p.csv", PLACES % b"10"))(tiny.parent)
    section("protection: {modes: m.csv}", content("m.csv", MODES % b"17.1"))(tiny.parent)
    cli.app(["validate", "tiny.yaml"], standalone_mode=False)
    said = capfd.readouterr()
    assert "DTT channels  21 22 23 25" in said.out
    assert said.err == ""


def test_process_ends_with_code_2(repository: Path, tiny: Path) -> None:
    tiny.unlink()
    environment = os.environ | {"PYTHONPATH": str(repository)}
    command = [sys.executable, "-m", "pipeline", "run", "tiny.yaml"]
    done = subprocess.run(command, text=True, capture_output=True, env=environment, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "channelmaps: tiny.yaml: file does not exist\n"


def test_second_bad_row_is_told(
    tiny: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_register(tiny.parent / "register.csv", [*STATIONS, ("F", 200.0, 46.0, 21, 1.0), STATIONS[0]])
    lines = refusal(capfd, monkeypatch, "validate", "tiny.yaml").splitlines()
    assert ["row 7" in lines[0], "row 8" in lines[1]] == [True, True]
    assert lines[2] == "channelmaps: 2 faults"
