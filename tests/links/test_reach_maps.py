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
from pipeline.config.products import mode_slug
from pipeline.errors import InputError
from pipeline.rates.link_budget import GenericPath, greatest_distance_km
from pipeline.rates.link_modes import location_margin_db
from pipeline.rates.reach_of_stations import radius_table, reach_maps, reach_sums, shares_pct
from tests.jobs import run_from
from tests.published import publish, random_levels, write_levels
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
    area, people = shares_pct(reach_sums(maps.radius, (1.0,), (np.ones((1, 5), np.float32), None)))
    assert area.tolist() == pytest.approx([100.0 * 2 / 4])
    assert np.isnan(people).all()


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
        assert source.tags()["path"].startswith("generic land path")
    style = Path("out/reach_fixed30_qpsk-1-2.qml").read_text()
    assert "not evaluated" in style
    counted = [Path(f"out/reach_channels_fixed30_qpsk-1-2_{km}.qml").read_text() for km in (1, 5, 10)]
    assert all("1 or 2" in style for style in counted)
    assert "Written to out: reach*.tif" in done.output
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


REACH = """reach:
  - {device: fixed30, mode: QPSK 1/2, q_pct: 50.0}
  - {device: fixed30, modes: dvbt2_8mhz, mode: 64QAM 3/4, at_least_km: [0.5, 2.0]}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A build folder with made-up levels, and the layers that a territory file asks for."""
    folder = tmp_path_factory.mktemp("layers")
    before = Path.cwd()
    os.chdir(folder)
    try:
        write_register(folder / "register.csv", STATIONS)
        (folder / "tiny.yaml").write_text(CONFIG + REACH, encoding="utf-8")
        for n, channel in enumerate(range(21, 31)):
            write_levels(Path(f"build/tiny/public/max_eirp_fixed30_ch{channel}.tif"), random_levels(n, 0.1))
        run_from("reach", folder / "tiny.yaml", Path("build/tiny"))
        yield folder
    finally:
        os.chdir(before)


def field_dbuvm(f_mhz: float, d_km: float) -> float:
    """Field of 1 kW e.r.p. by the command of its own, at 50 % of time and locations."""
    head = "f_mhz,t_pct,q_pct,heff_m,ha_m,R2_m,h2_m,area,d_km,sea_km,ptx_kw\n"
    Path("one.csv").write_text(f"{head}{f_mhz},50,50,30,30,10,10,rural,{d_km:.6f},0,1\n")
    line = ["predict", "--model", "p1546", "--links", "one.csv", "--out", "field.csv"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, (done.output, done.exception)
    with Path("field.csv").open(encoding="utf-8", newline="") as stream:
        return float(next(csv.DictReader(stream))["field_dbuvm"])


def test_layers_of_a_run_equal_a_computation_from_the_field(built: Path) -> None:
    """At the radius the level is just enough for -98 dBm, 10 m farther not; no other channel has more."""
    with rasterio.open("build/tiny/public/reach_fixed30_qpsk-1-2.tif") as source:
        radius, scale, tags = source.read(1), source.scales[0], source.tags()
    assert scale == 0.01
    assert tags["path"].startswith("generic land path")
    with rasterio.open("build/tiny/public/reach_channel_fixed30_qpsk-1-2.tif") as source:
        channel = source.read(1)
    raw = {}
    for number in range(21, 31):
        with rasterio.open(f"build/tiny/public/max_eirp_fixed30_ch{number}.tif") as source:
            raw[number] = source.read(1).astype(int)
    assert (radius == 65535).tolist() == (raw[21] == -32768).tolist()
    rows, cols = np.nonzero(radius < 65534)
    for n in np.random.default_rng(8).choice(rows.size, 6, replace=False).tolist():
        place = rows[n], cols[n]
        own, d_km = int(channel[place]), 0.01 * int(radius[place])

        def received_dbm(number: int, far_km: float, place: tuple[int, int] = place) -> float:
            f_mhz = 474.0 + 8.0 * (number - 21)
            loss_db = 139.3 - field_dbuvm(f_mhz, far_km) + 20.0 * np.log10(f_mhz)
            return 0.01 * raw[number][place] - loss_db + 9.0

        assert received_dbm(own, d_km) >= -98.0 - 0.01
        assert received_dbm(own, d_km + 0.01) < -98.0 + 0.01
        for other in raw:
            if raw[other][place] > -9998:
                assert received_dbm(other, d_km + 0.01) < -98.0 + 0.02


def test_command_and_run_have_the_same_layers_in_parts_of_any_size(
    built: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    assert reach("--q-pct", "50").exit_code == 0
    with rasterio.open("out/reach_fixed30_qpsk-1-2.tif") as source:
        of_run = source.read(1)
    levels = {}
    for n, channel in enumerate(range(21, 31), 21):
        levels[channel] = random_levels(n, 0.1)
    monkeypatch.chdir(built)
    for channel, values in levels.items():
        write_levels(Path(f"build/other/public/max_eirp_fixed30_ch{channel}.tif"), values)
    monkeypatch.setattr("pipeline.grid.stacks._PART_PX", 512)
    run_from("reach", built / "tiny.yaml", Path("build/other"))
    with rasterio.open("build/other/public/reach_fixed30_qpsk-1-2.tif") as source:
        assert (source.read(1) == of_run).all()


def test_table_of_a_run_has_a_row_for_each_distance(built: Path) -> None:
    with Path("build/tiny/public/reach_statistics.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["mode"], row["km"]) for row in rows] == [
        ("QPSK 1/2", "1"), ("QPSK 1/2", "5"), ("QPSK 1/2", "10"), ("64QAM 3/4", "0.5"), ("64QAM 3/4", "2"),
    ]  # fmt: skip
    with rasterio.open("build/tiny/public/reach_fixed30_64qam-3-4.tif") as source:
        radius = source.read(1)
    with rasterio.open("build/tiny/public/reach_channels_fixed30_64qam-3-4_2.tif") as source:
        number = source.read(1)
    inside = radius != 65535
    far = inside & (radius < 65534) & (radius >= 200)
    assert ((number > 0) & (number < 254) == far).all()
    assert float(rows[4]["area_pct"]) == pytest.approx(100.0 * far.sum() / inside.sum(), abs=0.05)
    assert rows[0]["population_pct"] == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (REACH.replace("fixed30, mode", "other, mode"), "not among fixed30"),
        (REACH.replace("QPSK 1/2", "'!!'"), "no letter or digit"),
        (REACH + "  - {device: fixed30, mode: QPSK-1/2}\n", "two entries of fixed30 are qpsk-1-2"),
        (REACH.replace("[0.5, 2.0]", "[2.0, 2.0]"), "twice"),
        (REACH.replace("dvbt2_8mhz", "none"), "link_modes/none.csv"),
        (REACH.replace("64QAM 3/4", "64QAM 7/8"), "64QAM 5/6"),
        (REACH.replace("q_pct: 50.0", "cpe: roof"), "a8_panel"),
    ],
)
def test_entries_that_cannot_be_are_refused_before_computing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_register(tmp_path / "register.csv", STATIONS)
    Path("tiny.yaml").write_text(CONFIG + text, encoding="utf-8")
    done = CliRunner().invoke(app, ["validate", "tiny.yaml"])
    assert done.exit_code != 0
    assert said in done.output + str(done.exception)
