"""Television in white-space receivers, against a sum over the register written here."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from pyproj import Geod, Transformer
from rasterio.transform import from_origin
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.plan.plan import load_plan
from pipeline.studies.predict import predict_table
from tests.jobs import run_from
from tests.published import publish
from tests.tiny import CONFIG, write_register

# Of the channel of the link one at home and two abroad, of its neighbours some, one too far off in frequency.
STATIONS = [
    ("home", 14.10, 46.10, 23, 0.0003),
    ("north", 14.30, 46.75, 23, 20.0),
    ("west", 13.30, 46.10, 23, 5.0),
    ("beside", 14.60, 45.95, 24, 2.0),
    ("next", 14.25, 46.15, 25, 10.0),
    ("apart", 14.21, 46.11, 26, 50.0),
]
ABROAD = {"north", "west", "beside", "apart"}
LINK = {"a_lon": 14.12, "a_lat": 46.06, "b_lon": 14.22, "b_lat": 46.10}
GAIN_DBI, RECEIVER_DB = 12.0, {0: 0.0, 1: 45.0, 2: 55.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("received")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_register(folder / "register.csv", STATIONS)
        lines = (folder / "register.csv").read_text().splitlines()
        told = [line[:-2] + "AT" if line.split(",")[0] in ABROAD else line for line in lines]
        (folder / "register.csv").write_text("\n".join(told) + "\n")
        (folder / "tiny.yaml").write_text(CONFIG.replace('"21-30"', "23"))
        publish(folder / "tiny.yaml")
        plan = load_plan("tiny.yaml")
        run_from("territory", "tiny.yaml", plan.build)
        for tile in plan.tiles:
            run_from("terrain", "tiny.yaml", plan.build, tile=tile)
        run_from("coverage", "tiny.yaml", plan.build, channel=23)
    return folder


def links_json(
    folder: Path, options: tuple[str, ...] = (), **cells: object
) -> tuple[dict[str, str], list[str]]:
    """The row of a link of 20 dBm on channel 23, and the notes."""
    row = LINK | {"id": "x", "channel": 23, "a_eirp_dbm": 20, "a_height_m": 10, "b_height_m": 10} | cells
    (folder / "one.csv").write_text(",".join(row) + "\n" + ",".join(map(str, row.values())) + "\n")
    line = ["links", "one.csv", "--results", "results/tiny/latest", "--model", "p1546", "--out", "out"]
    done = CliRunner().invoke(app, [*line, *options])
    assert done.exit_code == 0, (done.output, done.exception)
    with (folder / "out/links.csv").open(encoding="utf-8", newline="") as stream:
        (found,) = csv.DictReader(stream)
    return found, json.loads((folder / "out/links.json").read_text())["notes"]


def interference_dbm(counted: set[str], axis_deg: float | None) -> float:
    """The sum by hand at the centre of the pixel of B: P.1546 of the point tool, pattern of BT.419."""
    to_m = Transformer.from_crs(4326, 3794, always_xy=True)
    x_m, y_m = (500.0 * (math.floor(v / 500.0) + 0.5) for v in to_m.transform(LINK["b_lon"], LINK["b_lat"]))
    lon, lat = to_m.transform(x_m, y_m, direction="INVERSE")
    milliwatts = 0.0
    for name, site_lon, site_lat, channel, erp_kw in STATIONS:
        if name not in counted:
            continue
        azimuth_deg, _, d_m = Geod(ellps="WGS84").inv(lon, lat, site_lon, site_lat)
        f_mhz = 474.0 + 8.0 * (channel - 21)
        path = {"f_mhz": f_mhz, "d_km": d_m / 1000.0, "t_pct": 50.0, "heff_m": 100.0, "ha_m": 100.0}
        path |= {"h2_m": 10.0, "R2_m": 10.0, "area": "Rural", "path_c": "Land"}
        field = float(predict_table(pd.DataFrame([path]), "p1546")["field_dbuvm"].iloc[0])
        lost_db = RECEIVER_DB[abs(channel - 23)]
        if axis_deg is not None:
            off_deg = abs((azimuth_deg - axis_deg + 180.0) % 360.0 - 180.0)
            lost_db += float(np.interp(off_deg, [20.0, 60.0], [0.0, 16.0]))
        level_dbm = field + 10.0 * math.log10(erp_kw) - 77.216 - 20.0 * math.log10(f_mhz) + GAIN_DBI - lost_db
        milliwatts += 10.0 ** (level_dbm / 10.0)
    return 10.0 * math.log10(milliwatts)


def test_all_stations_of_the_register_count_those_abroad_too(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    every = {"home", "north", "west", "beside", "next"}
    row, notes = links_json(run, b_gain_dbi=GAIN_DBI)
    assert float(row["interference_dbm"]) == pytest.approx(interference_dbm(every, None), abs=0.02)
    # Those abroad are what makes the difference here.
    assert interference_dbm(every, None) > interference_dbm(every - ABROAD, None) + 1.0
    assert any(note.startswith("TELEVISION all") and "4 of AT, 2 of SI" in note for note in notes)
    aimed, _ = links_json(run, b_gain_dbi=GAIN_DBI, b_pattern="BT.419", b_azimuth_deg=250)
    assert float(aimed["interference_dbm"]) == pytest.approx(interference_dbm(every, 250.0), abs=0.02)
    with (run / "out/links_television.csv").open(encoding="utf-8", newline="") as stream:
        told = {line["station"]: line for line in csv.DictReader(stream)}
    assert {name: line["country"] for name, line in told.items()} == {
        name: "AT" if name in ABROAD else "SI" for name in every
    }
    for name, line in told.items():
        assert float(line["level_dbm"]) == pytest.approx(interference_dbm({name}, 250.0), abs=0.02)
    assert interference_dbm(every, 250.0) < interference_dbm(every, None) - 3.0


def test_a_register_that_is_not_the_run_s_is_said(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the maps have the network received best; a map that is not there is no proof of no television."""
    monkeypatch.chdir(run)
    before = (run / "register.csv").read_text()
    (run / "register.csv").write_text(before.replace("\nwest,", "\nother,"))
    strong = {"b_gain_dbi": 40, "sensitivity_dbm": -150}
    try:
        unknown, notes = links_json(run, **strong)
        alone, _ = links_json(run, options=("--interference", "none"), **strong)
        with rasterio.open(run / "build/tiny/coverage/ch23.tif") as source:
            profile, nothing = source.profile, np.full((source.count, *source.shape), -200.0, np.float32)
            names = source.descriptions
        manifest = json.loads((run / "results/tiny/latest/manifest.json").read_text())
        for channel in {21, 22, 24, 25} & set(manifest["channels"]["dtt"]):
            with rasterio.open(run / f"build/tiny/coverage/ch{channel}.tif", "w", **profile) as sink:
                sink.write(nothing)
                sink.descriptions = names
        row, _ = links_json(run, b_gain_dbi=GAIN_DBI)
    finally:
        (run / "register.csv").write_text(before)
    assert any(n.startswith("TELEVISION_NOT_COUNTED") and "no longer that of the run" in n for n in notes)
    assert (alone["reason"], unknown["reason"]) == ("ok", "television_unknown")
    assert (unknown["television_unknown"], unknown["mode"], unknown["d_max_km"]) == ("b", "", "")
    assert any(note.startswith("TELEVISION_UNKNOWN 1 links (x)") for note in notes)
    assert float(row["interference_dbm"]) == pytest.approx(interference_dbm({"home"}, None), abs=0.02)


def test_off_the_grid_television_is_not_known(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every station is named with an empty level, and the rate of a link that would have one is none."""
    monkeypatch.chdir(run)
    more = {"b_lon": 15.5, "b_lat": 46.06, "a_height_m": 30, "b_height_m": 30}
    more |= {"a_eirp_dbm": 36, "b_gain_dbi": 40, "sensitivity_dbm": -150}
    row, notes = links_json(run, **more)
    assert (row["reason"], row["television_unknown"]) == ("television_unknown", "b")
    assert any(note.startswith("TELEVISION_UNKNOWN") for note in notes)
    with (run / "out/links_television.csv").open(encoding="utf-8", newline="") as stream:
        told = list(csv.DictReader(stream))
    assert len(told) == len(STATIONS) - 1
    assert all(line["level_dbm"] == line["field_dbuvm"] == "" for line in told)
    assert links_json(run, options=("--interference", "none"), **more)[0]["reason"] == "ok"


def test_maps_count_at_clients_what_single_links_count(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Margins at pixel centres within 0.05 dB, of pixels that have service without television."""
    monkeypatch.chdir(run)
    with rasterio.open("results/tiny/latest/public/max_eirp_fixed30_ch23.tif") as source:
        raw, transform, crs = source.read(1), source.transform, source.crs
    to_deg = Transformer.from_crs(crs, 4326, always_xy=True)
    centre = np.s_[30:60, 40:80]
    row, col = np.unravel_index(np.argmax(raw[centre]), raw[centre].shape)
    lon, lat = to_deg.transform(*(transform @ (col + 40.5, row + 30.5)))
    sector = '{id: A, gain_dbi: 10.0, power_dbm: 30.0, radios: [{id: "1", channel: 23}]}'
    station = f"  - {{id: m, lon: {lon:.8f}, lat: {lat:.8f}, height_m: 30.0, sectors: [{sector}]}}\n"
    (run / "one.yaml").write_text("stations:\n" + station)
    maps = {}
    for word in ("none", "dtt"):
        line = ["basestation", "one.yaml", "--results", "results/tiny/latest", "--out", word]
        line += ["--radius-km", "8", "--model", "p1546", "--interference", word]
        assert CliRunner().invoke(app, line).exit_code == 0
        with rasterio.open(f"{word}/service_margin.tif") as source:
            maps[word], transform = 0.01 * source.read(1), source.transform
    rows, cols = np.nonzero(maps["none"] >= 0.0)
    lost = maps["none"][rows, cols] - maps["dtt"][rows, cols]
    assert rows.size > 30
    assert lost.max() > 3.0
    head = "id,a_lon,a_lat,b_lon,b_lat,channel,a_power_dbm,a_gain_dbi,b_power_dbm,b_gain_dbi,"
    head += "a_height_m,b_height_m"
    lines = []
    for n in np.random.default_rng(5).choice(rows.size, 30, replace=False).tolist():
        place = to_deg.transform(*(transform @ (cols[n] + 0.5, rows[n] + 0.5)))
        lines.append(f"{n},{lon:.8f},{lat:.8f},{place[0]:.8f},{place[1]:.8f},23,30,10,20,9,30,10")
    (run / "many.csv").write_text("\n".join([head, *lines]) + "\n")
    line = ["links", "many.csv", "--results", "results/tiny/latest", "--model", "p1546", "--out", "many"]
    assert CliRunner().invoke(app, [*line, "--modes", "sm2405_a8"]).exit_code == 0
    with (run / "many/links.csv").open(encoding="utf-8", newline="") as stream:
        for found in csv.DictReader(stream):
            n = int(found["id"])
            assert maps["dtt"][rows[n], cols[n]] == pytest.approx(float(found["margin_db"]), abs=0.05)


@pytest.mark.slow
def test_paths_by_p1812_are_read_as_the_maps_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One station: its level in a receiver is that of the map."""
    monkeypatch.chdir(tmp_path)
    heights = np.full((240, 300), 200.0, np.float32)
    heights[:, 132] = 400.0
    place = {"crs": "EPSG:4326", "transform": from_origin(12.8, 47.2, 0.01, 0.01)}
    with rasterio.open(
        "dem.tif", "w", driver="GTiff", height=240, width=300, count=1, dtype="float32", **place
    ) as sink:
        sink.write(heights, 1)
    write_register(tmp_path / "register.csv", [("home", 14.02, 46.10, 23, 1.0)])
    text = CONFIG.replace('"21-30"', "23").replace("registers:", "terrain: {dem: [dem.tif]}\nregisters:", 1)
    (tmp_path / "tiny.yaml").write_text(text + "propagation: {coverage_model: p1812}\n")
    publish(tmp_path / "tiny.yaml")
    plan = load_plan("tiny.yaml")
    run_from("territory", "tiny.yaml", plan.build)
    for tile in plan.tiles:
        for job in ("terrain", "losses"):
            run_from(job, "tiny.yaml", plan.build, tile=tile)
    run_from("coverage", "tiny.yaml", plan.build, channel=23)
    with rasterio.open("build/tiny/coverage/ch23.tif") as source:
        at = Transformer.from_crs(4326, source.crs, always_xy=True).transform(LINK["b_lon"], LINK["b_lat"])
        (wanted,) = next(source.sample([at], 1))
    row, notes = links_json(tmp_path, b_gain_dbi=GAIN_DBI)
    assert any(note.startswith("TELEVISION all") for note in notes)
    expected = wanted - 77.216 - 20.0 * math.log10(490.0) + GAIN_DBI
    assert float(row["interference_dbm"]) == pytest.approx(expected, abs=0.02)
