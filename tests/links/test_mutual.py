"""What planned links do to each other: against sums by hand, channels that spare each other, what is told."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from pyproj import Geod
from typer.testing import CliRunner

from pipeline.cli.main import app
from tests.tiny import CONFIG, STATIONS, write_register

GEOD = Geod(ellps="WGS84")
HEAD = (
    "id,a_lon,a_lat,b_lon,b_lat,channel,a_power_dbm,a_gain_dbi,b_power_dbm,b_gain_dbi,a_height_m,b_height_m,"
    "a_azimuth_deg,b_azimuth_deg,a_pattern,b_pattern\n"
)


def plan(*rows: str, options: tuple[str, ...] = ()) -> list[dict[str, str]]:
    Path("links.csv").write_text(HEAD + "\n".join(rows) + "\n")
    line = ["links", "links.csv", "--model", "free_space", "--out", "out", *options]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, (done.output, done.exception)
    with Path("out/links.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def link(name: str, lat: float, channel: int | str, power: str = "30", back: str = "") -> str:
    """From 14.0 E to 14.1 E, antennas of 10 dBi that point at each other."""
    return f"{name},14.0,{lat},14.1,{lat},{channel},{power},10,{back},10,10,10,point,point,BT.419,BT.419"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def between_dbm(lat_from: float, lat_to: float, f_mhz: float) -> float:
    """What 30 dBm and 10 dBi at A of one link do at B of another, by hand: free space, BT.419 at both."""
    there_deg, back_deg, far_m = GEOD.inv(14.0, lat_from, 14.1, lat_to)
    axis_deg, _, _ = GEOD.inv(14.0, lat_from, 14.1, lat_from)
    _, axis_back_deg, _ = GEOD.inv(14.0, lat_to, 14.1, lat_to)
    loss_db = 32.45 + 20 * math.log10(f_mhz) + 20 * math.log10(far_m / 1000)
    off_db = 0.0
    for axis, bearing in ((axis_deg, there_deg), (axis_back_deg, back_deg)):
        angle_deg = abs((bearing - axis + 180) % 360 - 180)
        off_db += 16.0 * min(max((angle_deg - 20) / 40, 0), 1)
    return 30 + 10 - loss_db + 10 - off_db


def test_interference_is_the_sum_by_hand_with_patterns_and_selectivity() -> None:
    rows = plan(
        link("one", 46.0, 21), link("same", 46.06, 21), link("next", 46.09, 22), link("far", 46.03, 25)
    )
    own = rows[0]
    powers = [between_dbm(46.06, 46.0, 474.0), between_dbm(46.09, 46.0, 482.0) - 45.0]
    total_dbm = 10 * math.log10(sum(10 ** (0.1 * power) for power in powers))
    assert float(own["i_links_dbm"]) == pytest.approx(total_dbm, abs=0.02)
    received = float(own["prx_dbm"])
    noise = 10 ** (0.1 * float(own["noise_dbm"]))
    cni_db = received - 10 * math.log10(noise + 10 ** (0.1 * total_dbm))
    assert float(own["cni_all_db"]) == pytest.approx(cni_db, abs=0.02)
    assert rows[3]["i_links_dbm"] == ""
    assert rows[3]["reason"] == "ok"


def test_a_link_whose_mode_falls_says_so_and_keeps_what_it_has_alone() -> None:
    alone = plan(link("one", 46.0, 21))[0]
    beside = plan(link("one", 46.0, 21), link("twin", 46.001, 21))[0]
    assert alone["reason"] == "ok"
    assert beside["reason"] == "mutual_interference"
    assert (beside["mode"], beside["rate_mbps"]) == (alone["mode"], alone["rate_mbps"])
    assert float(beside["rate_all_mbps"]) < float(alone["rate_all_mbps"]) == float(alone["rate_mbps"])


def test_links_that_meet_share_a_channel_in_time() -> None:
    other = "other,14.1,46.0,14.2,46.0,21,30,10,,10,10,10,point,point,BT.419,BT.419"
    assert plan(link("one", 46.0, 21), other)[0]["i_links_dbm"] == ""


def test_channels_are_chosen_so_that_links_spare_each_other() -> None:
    """Without a choice together all take the lowest channel; with it none harms another."""
    write_register(Path("register.csv"), STATIONS)
    Path("tiny.yaml").write_text(CONFIG, encoding="utf-8")
    rows = [link(f"l{n}", 46.0 + 0.002 * n, "auto", back="30") for n in range(4)]
    given = ("--config", "tiny.yaml")
    same = plan(*rows, options=given)
    assert {row["channel_used"] for row in same} == {"21"}
    assert {row["reason"] for row in same} == {"mutual_interference"}
    apart = plan(*rows, options=(*given, "--assign"))
    assert {row["reason"] for row in apart} == {"ok"}
    used = [int(row["channel_used"]) for row in apart]
    assert len(set(used)) == 4
    assert apart == plan(*rows, options=(*given, "--assign"))
    fixed = plan(link("stays", 46.0, 21, back="30"), *rows[1:], options=(*given, "--assign"))
    assert fixed[0]["channel_used"] == "21"
    assert "21" not in {row["channel_used"] for row in fixed[1:]}


def test_interference_is_that_of_one_per_cent_of_the_time() -> None:
    """By P.1546 more arrives at 1 % of the time than at half of it."""
    rows = [link("one", 46.0, 21), "far,14.0,46.4,14.1,46.4,21,44,12,,10,30,30,,,,"]
    Path("links.csv").write_text(HEAD + "\n".join(rows) + "\n")
    done = CliRunner().invoke(app, ["links", "links.csv", "--model", "p1546", "--out", "out"])
    assert done.exit_code == 0, (done.output, done.exception)
    with Path("out/links.csv").open(encoding="utf-8", newline="") as stream:
        found = next(csv.DictReader(stream))
    _, _, far_m = GEOD.inv(14.0, 46.4, 14.1, 46.0)
    levels = {}
    for t_pct in (1, 50):
        Path("one.csv").write_text(
            "f_mhz,t_pct,q_pct,heff_m,ha_m,R2_m,h2_m,area,d_km,sea_km,ptx_kw\n"
            f"474,{t_pct},50,30,30,10,10,rural,{far_m / 1000:.6f},0,1\n"
        )
        line = ["predict", "--model", "p1546", "--links", "one.csv", "--out", "field.csv"]
        assert CliRunner().invoke(app, line).exit_code == 0
        with Path("field.csv").open(encoding="utf-8", newline="") as stream:
            field = float(next(csv.DictReader(stream))["field_dbuvm"])
        levels[t_pct] = 44 + 12 - (139.3 - field + 20 * math.log10(474)) + 10 - 16
    assert float(found["i_links_dbm"]) == pytest.approx(levels[1], abs=0.02)
    assert levels[1] > levels[50] + 3
