"""``channelmaps links`` as a user calls it: the calculator, its files, what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import geopandas as gpd
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError

# Table A5-1 of Report SM.2405: W, dBd, field for 70 % of locations, printed e.r.p. and km by P.1546.
A5_1 = [
    (1, 12, 35.6, 9.5, 6.8),
    (1, 12, 42.0, 9.5, 5.0),
    (1, 10, 51.8, 7.5, 2.8),
    (25, 12, 35.6, 23.5, 13.6),
    (25, 12, 42.0, 23.5, 9.9),
    (25, 10, 51.8, 21.5, 5.7),
]
HEAD = (
    "id,d_km,f_mhz,a_power_w,a_gain_dbd,a_feeder_db,other_loss_db,a_height_m,b_height_m,"
    "required_field_dbuvm,required_for_q_pct,note\n"
)

ADDED = [
    "d_km",
    "bearing_ab_deg",
    "bearing_ba_deg",
    "erp_dbw",
    "eirp_dbm",
    "permitted_a_dbm",
    "permitted_b_dbm",
    "limited_by",
    "model_used",
    "loss_db",
    "field_dbuvm",
    "prx_dbm",
    "noise_dbm",
    "interference_dbm",
    "cni_db",
    "mode",
    "rate_mbps",
    "rate_mean_mbps",
    "throughput_mbps",
    "margin_db",
    "d_max_km",
    "los",
    "los_visible_pct",
    "los_clear_pct",
    "fresnel60_clear",
    "obstruction_m",
    "reception_expected",
    "reason",
]


def run_links(folder: Path, text: str, *options: str):
    (folder / "links.csv").write_text(text, encoding="utf-8")
    line = ["links", str(folder / "links.csv"), "--out", str(folder / "out"), *options]
    return CliRunner().invoke(app, line)


def table(folder: Path, name: str = "links.csv") -> list[dict[str, str]]:
    with (folder / "out" / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_table_a5_1_by_the_command(tmp_path: Path) -> None:
    rows = [
        f"{i},6,600,{watts},{dbd},1.5,1.0,10,10,{field},70,column {i}"
        for i, (watts, dbd, field, _, _) in enumerate(A5_1)
    ]
    done = run_links(tmp_path, HEAD + "\n".join(rows) + "\n")
    assert (done.exit_code, done.exception) == (0, None)
    found = table(tmp_path)
    for row, (_, _, _, erp, km) in zip(found, A5_1, strict=True):
        assert float(row["erp_dbw"]) == pytest.approx(erp, abs=0.022)
        assert float(row["eirp_dbm"]) == pytest.approx(float(row["erp_dbw"]) + 32.15, abs=0.011)
        assert float(row["d_max_km"]) == pytest.approx(km, rel=0.04)
        assert (row["model_used"], row["note"]) == ("p1546", f"column {row['id']}")
        assert row["reason"] == ("ok" if km > 6 else "below_sensitivity")
    document = json.loads((tmp_path / "out/links.json").read_text())
    assert document["run_id"] is None
    assert any("generic land path" in note for note in document["notes"])
    assert any("QPSK 1/2" in text for text in document["unverified"])
    assert "<svg" not in (tmp_path / "out/links.html").read_text()


def test_columns_are_those_documented(tmp_path: Path) -> None:
    run_links(tmp_path, HEAD + "x,5,600,1,12,1.5,1,10,10,42,70,n\n")
    columns = list(table(tmp_path)[0])
    start = columns.index("d_km")
    assert columns[:start] == [name for name in HEAD.strip().split(",") if name != "d_km"]
    assert columns[start : start + len(ADDED)] == ADDED


def test_places_modes_and_two_directions(tmp_path: Path) -> None:
    head = (
        "id,a_lon,a_lat,b_lon,b_lat,f_mhz,a_power_dbm,a_gain_dbi,b_power_dbm,b_gain_dbi,"
        "a_height_m,b_height_m\n"
    )
    done = run_links(
        tmp_path, f"{head}one,14,46,14,46.05,534,20,10,,9,30,10\ntwo,14,46,14,46.05,534,20,10,10,9,30,10\n",
        "--modes", "sm2405_a8", "--q-pct", "50", "--json",
    )  # fmt: skip
    assert done.exit_code == 0
    one, two = table(tmp_path)
    # 0.05 degrees of latitude are 5.56 km, due north; P.1546 holds 7.1 Mbit/s to 7.2 km, 12 Mbit/s to 4.3 km.
    assert float(one["d_km"]) == pytest.approx(5.56, abs=0.005)
    assert (float(one["bearing_ab_deg"]), float(one["bearing_ba_deg"])) == (0.0, 180.0)
    assert (one["mode"], float(one["rate_mbps"])) == ("16QAM 2/3", 7.1)
    assert float(one["throughput_mbps"]) == pytest.approx(7.1 * 0.833, abs=1e-3)
    assert float(one["d_max_km"]) == pytest.approx(7.2, abs=0.1)
    # The way back has 10 dB less: the lowest mode, and half of the time in each direction.
    assert float(two["rate_mbps"]) == pytest.approx(0.5 * 2.7)
    ways = [(row["id"], row["direction"]) for row in table(tmp_path, "links_channels.csv")]
    assert ways == [("one", "ab"), ("two", "ab"), ("two", "ba")]
    lines = gpd.read_file(tmp_path / "out/links.gpkg", layer="links")
    assert (lines.geom_type.unique().tolist(), len(lines)) == (["LineString"], 2)
    assert len(gpd.read_file(tmp_path / "out/links.gpkg", layer="ends")) == 4
    assert json.loads(done.stdout)["modes"] == "sm2405_a8"


def test_antennas_that_point_elsewhere_and_crossed_ones_lose(tmp_path: Path) -> None:
    head = (
        "id,a_lon,a_lat,b_lon,b_lat,channel,a_eirp_dbm,a_azimuth_deg,a_pattern,a_polarisation,b_polarisation,"
        "a_height_m,b_height_m\n"
    )
    links = [
        "on,14,46,14,46.05,40,30,point,BT.419,,,10,10",
        "half,14,46,14,46.05,40,30,40,BT.419,,,10,10",
        "back,14,46,14,46.05,40,30,180,BT.419,,,10,10",
        "crossed,14,46,14,46.05,40,30,,,H,V,10,10",
        f"filed,14,46,14,46.05,40,30,,{';'.join(['7'] + ['0'] * 35)},,,10,10",
    ]
    assert run_links(tmp_path, head + "\n".join(links) + "\n").exit_code == 0
    rows = {row["id"]: row for row in table(tmp_path)}
    level = {name: float(row["prx_dbm"]) - float(rows["on"]["prx_dbm"]) for name, row in rows.items()}
    assert level == pytest.approx({"on": 0, "half": -8, "back": -16, "crossed": -16, "filed": -7}, abs=0.011)
    # Channel 40 of the 8 MHz plan.
    assert {row["f_mhz_used"] for row in rows.values()} == {"626.000"}


def test_overload_unless_power_control_reaches(tmp_path: Path) -> None:
    modes = tmp_path / "own.csv"
    head = (
        "table,mode,rate_mbps,cn_db,bandwidth_mhz,noise_figure_db,scalable,max_input_dbm,tpc_step_db,"
        "tpc_range_db,source,verified\n"
    )
    links = (
        "id,d_km,f_mhz,a_eirp_dbm,b_gain_dbi,a_height_m,b_height_m\n"
        "near,0.6,584,36,9,10,10\nat,0.74,584,36,9,10,10\n"
    )
    for reach, near in (("", "overload"), ("1", "overload"), ("2", "ok")):
        modes.write_text(f"{head}own,64QAM,21,20.5,6,6,no,-40,1,{reach},myself,false\n")
        run_links(tmp_path, links, "--modes", str(modes), "--model", "free_space")
        found = {row["id"]: row for row in table(tmp_path)}
        # 0.73 km is where 36 dBm and 9 dBi give -40 dBm; at 0.6 km there are 1.7 dB too many: two steps.
        assert (found["near"]["reason"], found["at"]["reason"]) == (near, "ok")
        assert float(found["near"]["rate_mbps"]) == (21.0 if near == "ok" else 0.0)
    assert float(found["near"]["eirp_dbm"]) == 34.0


def test_largest_distance_is_that_of_full_power(tmp_path: Path) -> None:
    """Power control at a near receiver says nothing of how far the link would reach."""
    head = (
        "table,mode,rate_mbps,cn_db,bandwidth_mhz,noise_figure_db,scalable,max_input_dbm,tpc_step_db,"
        "tpc_range_db,source,verified\n"
    )
    (tmp_path / "own.csv").write_text(f"{head}own,64QAM,21,20.5,6,6,no,-40,1,30,myself,false\n")
    links = "id,d_km,f_mhz,a_eirp_dbm,a_height_m,b_height_m\nnear,0.05,584,36,10,10\nfar,5,584,36,10,10\n"
    run_links(tmp_path, links, "--modes", str(tmp_path / "own.csv"))
    near, far = table(tmp_path)
    assert (float(near["eirp_dbm"]) < 36.0, float(far["eirp_dbm"])) == (True, 36.0)
    assert near["d_max_km"] == far["d_max_km"]


def test_required_field_is_met_at_both_receivers_by_their_own_antennas(tmp_path: Path) -> None:
    """Equal powers have equal fields both ways, whatever the receiving antennas gain."""
    head = "id,d_km,f_mhz,a_eirp_dbm,b_eirp_dbm,a_gain_dbi,b_gain_dbi,a_height_m,b_height_m,"
    run_links(tmp_path, f"{head}required_field_dbuvm\nx,5,600,40,40,14,0,10,10,40\n")
    there, back = table(tmp_path, "links_channels.csv")
    assert there["margin_db"] == back["margin_db"]
    (row,) = table(tmp_path)
    field_margin_db = float(row["field_dbuvm"]) - 40.0 - 0.5244 * 5.5
    assert float(row["margin_db"]) == pytest.approx(field_margin_db, abs=0.011)


def test_powers_below_table_a5_3_are_told(tmp_path: Path) -> None:
    done = run_links(tmp_path, HEAD + "x,5,600,0.06,12,1.5,1,10,10,42,70,n\n")
    assert "A5_3_RANGE link x, a_power_w: 0.06" in done.stderr
    done = run_links(tmp_path, HEAD + "x,5,600,0.1,12,1.5,0,10,10,42,70,n\n")
    assert "A5_3_RANGE" not in done.stderr


def test_ends_at_one_place_are_refused(tmp_path: Path) -> None:
    head = "id,a_lon,a_lat,b_lon,b_lat,f_mhz,a_eirp_dbm,a_height_m,b_height_m\n"
    done = run_links(tmp_path, head + "x,14,46,14,46.00005,600,36,10,10\n")
    assert "row 2, field b_lon: both ends are at one place" in str(done.exception)


def test_range_of_table_a5_3_warns_or_refuses(tmp_path: Path) -> None:
    text = HEAD + "x,5,600,100,12,1.5,1,10,10,42,70,n\n"
    done = run_links(tmp_path, text)
    assert done.exit_code == 0
    assert "A5_3_RANGE link x, a_power_w: 100" in done.stderr
    (tmp_path / "out/links.csv").unlink()
    done = run_links(tmp_path, text, "--strict-a5-3")
    assert isinstance(done.exception, InputError)
    assert "row 2: A5_3_RANGE" in str(done.exception)
    assert not (tmp_path / "out/links.csv").exists()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("x,5,600,1,12,1.5,1,10,600,42,70,n", "row 2, field b_height_m: is more than"),
        ("x,5,20,1,12,1.5,1,10,10,42,70,n", "row 2, field f_mhz"),
        ("x,0,600,1,12,1.5,1,10,10,42,70,n", "row 2, field d_km"),
        ("x,,600,1,12,1.5,1,10,10,42,70,n", "row 2, field a_lon: value is missing"),
        ("x,5,600,,12,1.5,1,10,10,42,70,n", "row 2, field a_power_w: value is missing"),
        ("x,5,,1,12,1.5,1,10,10,42,70,n", "row 2, field channel: value is missing"),
        (",5,600,1,12,1.5,1,10,10,42,70,n", "row 2, field id"),
        (
            "x,5,600,1,12,1.5,1,10,10,42,70,n\nx,5,600,1,12,1.5,1,10,10,42,70,n",
            "row 3, field id: id occurs twice",
        ),
        ("x,5,600,NaN,12,1.5,1,10,10,42,70,n", "row 2, field a_power_w"),
    ],
)
def test_bad_rows_are_refused_and_nothing_is_written(tmp_path: Path, row: str, said: str) -> None:
    done = run_links(tmp_path, HEAD + row + "\n")
    assert isinstance(done.exception, InputError), done.output
    assert said in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("columns", "values", "said"),
    [
        ("a_power_w,a_power_dbm", "1,30", "field a_power_dbm: is given beside a_power_w"),
        ("a_power_w,a_gain_dbd,a_gain_dbi", "1,5,7", "field a_gain_dbi: is given beside a_gain_dbd"),
        ("a_power_w,a_pattern", "1,BT.42", "field a_pattern: is no pattern"),
        ("a_power_w,a_pattern", "1,1;2;3", "field a_pattern: is no pattern"),
        ("a_power_w,channel", "1,21", "field f_mhz: is given beside a channel"),
        ("a_power_w,b_azimuth_deg", "1,north", "field b_azimuth_deg"),
        ("a_power_w,sensitivity_dbm,required_field_dbuvm", "1,-90,40", "field sensitivity_dbm"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, columns: str, values: str, said: str) -> None:
    text = f"id,d_km,f_mhz,a_height_m,b_height_m,{columns}\nx,5,600,10,10,{values}\n"
    done = run_links(tmp_path, text)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "magic"), "--model"),
        (("--modes", "magic"), "--modes"),
        (("--interference", "some"), "--interference"),
        (("--q-pct", "100"), "--q-pct"),
    ],
)
def test_options_are_refused(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    done = run_links(tmp_path, HEAD + "x,5,600,1,12,1.5,1,10,10,42,70,n\n", *options)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)


def test_beyond_the_model_the_value_is_given_and_said(tmp_path: Path) -> None:
    text = "id,d_km,f_mhz,a_eirp_dbm,a_height_m,b_height_m,sensitivity_dbm\nx,60,600,60,30,10,-150\n"
    run_links(tmp_path, text, "--model", "extended_hata")
    (row,) = table(tmp_path)
    assert (row["reason"], row["valid"]) == ("beyond_model", "0")
    assert row["prx_dbm"]


def test_profile_that_is_not_there_is_said(tmp_path: Path) -> None:
    text = "id,d_km,f_mhz,a_eirp_dbm,a_height_m,b_height_m\nx,6,600,60,30,10\n"
    run_links(tmp_path, text, "--model", "p1812")
    (row,) = table(tmp_path)
    assert (row["reason"], row["rate_mbps"], row["loss_db"]) == ("no_profile", "0.000", "")


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    text = "id,a_lon,a_lat,b_lon,b_lat,f_mhz,a_power_w,a_height_m,b_height_m\nx,14,46,14.1,46,600,1,10,10\n"
    run_links(tmp_path, text)
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    run_links(tmp_path, text)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == first
