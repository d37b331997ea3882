"""Rasters of reach against the point tool, pixel by pixel."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.links.link_budget import GenericPath, greatest_distance_km
from pipeline.links.link_modes import location_margin_db
from pipeline.links.reach_of_stations import mode_slug, radius_table, reach_maps, reach_shares
from tests.published import publish
from tests.tiny import CONFIG, STATIONS, write_register

PATH = GenericPath("p1546", 506.0, 30.0, 10.0)


def test_names_of_modes() -> None:
    assert mode_slug("64QAM 3/4") == "64qam-3-4"
    assert mode_slug("QPSK 1/2") == "qpsk-1-2"


def test_table_is_the_largest_distance_rounded_down_to_10_m() -> None:
    table = radius_table(PATH, 100.0)
    for raw in (-4000, -1234, 0, 2415, 3600):
        exact_km = greatest_distance_km(PATH, raw / 100.0 + 100.0)
        assert 0.01 * int(table[raw % 65536]) == pytest.approx(exact_km, abs=0.0101)
    levels = table[np.arange(-9997, 6001) % 65536].astype(int)
    assert (np.diff(levels) >= 0).all()
    assert table[[-9999 % 65536, -9998 % 65536, -32768 % 65536]].tolist() == [0, 0, 0]


def test_maps_take_the_farthest_channel_and_say_what_is_not_known() -> None:
    tables = [radius_table(PATH, 100.0), radius_table(PATH._replace(f_mhz=700.0), 100.0)]
    raw = np.array([[[3000, -9999, -9998, -32768, 2000]], [[3000, -9999, -9999, -32768, 3600]]], np.int16)
    maps = reach_maps(raw, tables, (1.0, 5.0))
    assert maps.channel.tolist() == [[1, 0, 254, 255, 2]]
    assert maps.radius[0, 1:4].tolist() == [0, 65534, 65535]
    assert maps.radius[0, 0] == tables[0][3000]
    assert maps.number[0, 0].tolist() == [2, 0, 254, 255, 2]
    shares = reach_shares(maps.radius, (1.0,), np.ones((1, 5), np.float32), None)
    assert shares[0][1] == pytest.approx(100.0 * 2 / 4)
    assert np.isnan(shares[0][2])


def test_more_power_never_reaches_less() -> None:
    rng = np.random.default_rng(5)
    tables = [radius_table(PATH, 100.0), radius_table(PATH._replace(f_mhz=700.0), 100.0)]
    low = rng.integers(-4000, 3000, (2, 10, 10)).astype(np.int16)
    more = (low + rng.integers(0, 600, low.shape)).astype(np.int16)
    assert (reach_maps(more, tables, (1.0,)).radius >= reach_maps(low, tables, (1.0,)).radius).all()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a published run of made-up levels."""
    folder = tmp_path_factory.mktemp("reach")
    before = Path.cwd()
    os.chdir(folder)
    try:
        write_register(folder / "register.csv", STATIONS)
        (folder / "tiny.yaml").write_text(CONFIG, encoding="utf-8")
        publish(folder / "tiny.yaml")
        yield folder
    finally:
        os.chdir(before)


def reach(*options: str):
    line = ["reach", "--results", "results/tiny/latest", "--device", "fixed30", "--modes", "sm2405_a8"]
    return CliRunner().invoke(app, [*line, "--mode", "QPSK 1/2", "--out", "out", *options])


def test_raster_equals_the_point_tool_on_the_same_generic_path(run: Path) -> None:
    done = reach()
    assert done.exit_code == 0, (done.output, done.exception)
    with rasterio.open("out/reach_fixed30_qpsk-1-2.tif") as source:
        radius, transform, crs = source.read(1), source.transform, source.crs
        assert source.tags()["notice"].startswith("generic land path")
    style = Path("out/reach_fixed30_qpsk-1-2.qml").read_text()
    assert "not evaluated" in style
    with rasterio.open("out/reach_channel_fixed30_qpsk-1-2.tif") as source:
        channel = source.read(1)
    rows, cols = np.nonzero(radius < 65534)
    chosen = np.random.default_rng(2).choice(rows.size, 12, replace=False)
    head = "id,a_lon,a_lat,b_lon,b_lat,channel,a_eirp_dbm,b_gain_dbi,a_height_m,b_height_m,device\n"
    lines = []
    for n in chosen.tolist():
        x, y = transform @ (cols[n] + 0.5, rows[n] + 0.5)
        lon, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(x, y)
        own = int(channel[rows[n], cols[n]]) or 21
        lines.append(f"{n},{lon:.8f},{lat:.8f},14.2,46.1,{own},60,9,30,10,fixed30")
    Path("links.csv").write_text(head + "\n".join(lines) + "\n")
    line = [
        "links",
        "links.csv",
        "--results",
        "results/tiny/latest",
        "--modes",
        "sm2405_a8",
        "--out",
        "links",
    ]
    assert CliRunner().invoke(app, line).exit_code == 0
    with Path("links/links.csv").open(encoding="utf-8", newline="") as stream:
        found = {int(row["id"]): row for row in csv.DictReader(stream)}
    for n in chosen.tolist():
        own = int(radius[rows[n], cols[n]])
        eirp = found[n]["eirp_dbm"]
        if own == 0:
            assert eirp == "" or float(found[n]["d_max_km"]) == 0.0
            continue
        allowed = float(eirp) + 9.0 + 98.0 - location_margin_db(70.0, 50.0, 5.5)
        path = GenericPath("p1546", float(found[n]["f_mhz_used"]), 30.0, 10.0)
        assert 0.01 * own == pytest.approx(greatest_distance_km(path, allowed), abs=0.0101)


def test_options_of_reach_are_refused(run: Path) -> None:
    for options, said in (
        (("--cpe", "x"), "a8_panel, a8_panel_low, a8_bowtie, a10"),
        (("--km", "0"), "--km"),
        (("--q-pct", "0"), "--q-pct"),
    ):
        done = reach(*options)
        assert isinstance(done.exception, InputError)
        assert said in str(done.exception)
    line = ["reach", "--results", "results/tiny/latest", "--device", "x", "--mode", "y", "--out", "other"]
    assert "fixed30" in str(CliRunner().invoke(app, line).exception)
    line[4] = "fixed30"
    assert "QPSK 1/2" in str(CliRunner().invoke(app, line).exception)
    assert not Path("other").exists()
