"""Television in white-space receivers, against a sum over the register written here."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyproj import Geod, Transformer
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


def links_json(folder: Path, **cells: object) -> tuple[dict[str, str], list[str]]:
    """The row of a link of 20 dBm on channel 23, and the notes."""
    row = LINK | {"id": "x", "channel": 23, "a_eirp_dbm": 20, "a_height_m": 10, "b_height_m": 10} | cells
    (folder / "one.csv").write_text(",".join(row) + "\n" + ",".join(map(str, row.values())) + "\n")
    line = ["links", "one.csv", "--results", "results/tiny/latest", "--model", "p1546", "--out", "out"]
    done = CliRunner().invoke(app, line)
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
    monkeypatch.chdir(run)
    before = (run / "register.csv").read_text()
    (run / "register.csv").write_text(before.replace("\nwest,", "\nother,"))
    try:
        row, notes = links_json(run, b_gain_dbi=GAIN_DBI)
    finally:
        (run / "register.csv").write_text(before)
    assert any(n.startswith("TELEVISION_NOT_COUNTED") and "no longer that of the run" in n for n in notes)
    served = interference_dbm({"home"}, None)
    assert float(row["interference_dbm"]) == pytest.approx(served, abs=0.02)
