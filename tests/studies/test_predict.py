"""`channelmaps predict`: columns, defaults, letter-true passing through, refused input, models."""

from __future__ import annotations

import csv
import math

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.propagation.models import regime_words
from pipeline.studies.predict import predict_command, predict_table

LINK = {"f_mhz": "600", "heff_m": "100", "ha_m": "30", "d_km": "20"}


def predict(tmp_path, rows, model="p1546"):
    """Rows of text through the command; rows of text back."""
    links, out = tmp_path / "links.csv", tmp_path / "fields.csv"
    with links.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    predict_command(model, links, out)
    with out.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def one(tmp_path, model="p1546", **changed):
    row = {**LINK, **changed}
    return predict(tmp_path, [{name: value for name, value in row.items() if value is not None}], model)[0]


def refused(tmp_path, model="p1546", **changed):
    with pytest.raises(InputError) as caught:
        one(tmp_path, model, **changed)
    assert not (tmp_path / "fields.csv").exists()
    return caught.value


def test_input_columns_come_first_and_unchanged(tmp_path):
    row = one(tmp_path, note='1,50 "quoted"', count="007", f_mhz="600.000")
    assert list(row) == [
        "f_mhz",
        "heff_m",
        "ha_m",
        "d_km",
        "note",
        "count",
        "field_dbuvm",
        "loss_db",
        "branch",
        "valid",
    ]
    assert (row["note"], row["count"], row["f_mhz"]) == ('1,50 "quoted"', "007", "600.000")
    assert row["branch"] in regime_words()
    assert row["valid"] == "1"


def test_empty_cells_take_the_documented_defaults(tmp_path):
    empty = dict.fromkeys(["t_pct", "q_pct", "ptx_kw", "area", "R2_m", "path_c", "h2_m", "pathinfo"], "")
    full = {
        "t_pct": "50",
        "q_pct": "50",
        "ptx_kw": "1",
        "area": "Rural",
        "R2_m": "10",
        "path_c": "Land",
        "h2_m": "10",
        "pathinfo": "0",
    }
    outputs = [
        [one(tmp_path, **changed)[name] for name in ("field_dbuvm", "loss_db", "branch", "valid")]
        for changed in ({}, empty, full)
    ]
    assert outputs[0] == outputs[1] == outputs[2]


@pytest.mark.parametrize(
    ("area", "clutter_m"), [("Suburban", "10"), ("Urban", "15"), ("Dense Urban", "20"), ("Sea", "10")]
)
def test_clutter_height_follows_the_area(tmp_path, area, clutter_m):
    given = {"area": area, "h2_m": "4"}
    found = one(tmp_path, **given)["field_dbuvm"]
    assert found == one(tmp_path, **given, R2_m=clutter_m)["field_dbuvm"]


def test_power_raises_the_field_and_leaves_the_loss(tmp_path):
    weak, strong = one(tmp_path), one(tmp_path, ptx_kw="10")
    assert float(strong["field_dbuvm"]) == pytest.approx(float(weak["field_dbuvm"]) + 10, abs=2e-6)
    assert strong["loss_db"] == weak["loss_db"]
    expected = 139.3 - float(weak["field_dbuvm"]) + 20 * math.log10(600)
    assert float(weak["loss_db"]) == pytest.approx(expected, abs=2e-6)


def test_sections_give_the_path(tmp_path):
    land = float(one(tmp_path, d_km="40")["field_dbuvm"])
    mixed = one(tmp_path, d_km="40", d_v_km="10;30", path_c="Land;Sea")
    cold = one(tmp_path, d_km="", d_v_km="10; 30", path_c="land; cold")
    assert mixed["branch"] == "mixed"
    assert float(mixed["field_dbuvm"]) > land + 1
    assert mixed["field_dbuvm"] == cold["field_dbuvm"]
    warm = [
        one(tmp_path, d_km="60", d_v_km=f"{a};{b}", path_c="Warm;Cold", t_pct="1")
        for a, b in ((20, 40), (59, 1))
    ]
    # Where both occur all sea counts as warm.
    assert warm[0]["field_dbuvm"] == warm[1]["field_dbuvm"]
    assert one(tmp_path, path_c="Sea")["branch"] == "sea"


def test_undefined_is_nan_and_outside_validity_is_flagged(tmp_path):
    rows = predict(tmp_path, [{**LINK, "f_mhz": f} for f in ("600", "", "-1", "5000")])
    assert [row["valid"] for row in rows] == ["1", "0", "0", "0"]
    assert [row["branch"] == "undefined" for row in rows] == [False, True, True, False]
    assert [math.isnan(float(row["field_dbuvm"])) for row in rows] == [False, True, True, False]
    assert one(tmp_path, ptx_kw="0")["valid"] == "0"


def test_header_alone_gives_a_header(tmp_path):
    links, out = tmp_path / "links.csv", tmp_path / "out.csv"
    links.write_text("f_mhz,d_km\n", encoding="utf-8")
    predict_command("p1546", links, out)
    assert out.read_text(encoding="utf-8") == "f_mhz,d_km,field_dbuvm,loss_db,branch,valid\n"


@pytest.mark.parametrize(
    ("changed", "field", "value"),
    [
        ({"f_mhz": "six"}, "f_mhz", "six"),
        ({"t_pct": "1,5"}, "t_pct", "1,5"),
        ({"d_km": "nan"}, "d_km", "nan"),
        ({"h2_m": "inf"}, "h2_m", "inf"),
        ({"heff_m": "1_000"}, "heff_m", "1_000"),
        ({"area": "Village"}, "area", "Village"),
        ({"pathinfo": "yes"}, "pathinfo", "yes"),
        ({"pathinfo": "2"}, "pathinfo", "2"),
        ({"path_c": "Ice"}, "path_c", "Ice"),
        ({"d_v_km": "10;x", "path_c": "Land;Sea"}, "d_v_km", "10;x"),
        ({"d_v_km": "-10;30", "path_c": "Land;Sea"}, "d_v_km", "-10;30"),
        ({"d_v_km": "10;10", "path_c": "Land"}, "path_c", "land"),
        ({"d_v_km": "10;11", "path_c": "Land;Sea"}, "d_v_km", "21"),
        ({"tca_deg": "1e999"}, "tca_deg", "1e999"),
    ],
)
def test_bad_cells_are_refused_by_name(tmp_path, changed, field, value):
    error = refused(tmp_path, **changed)
    assert (error.row, error.field, error.value) == (2, field, value)
    assert error.allowed
    assert error.file.endswith("links.csv")


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        ("p1546", "f_mhz"),
        ("p1546", "d_km"),
        ("free_space", "d_km"),
        ("hata", "ha_m"),
        ("extended_hata", "f_mhz"),
    ],
)
def test_missing_columns_are_refused_by_name(tmp_path, model, missing):
    assert refused(tmp_path, model, **{missing: None}).field == missing


def test_tables_that_cannot_be_read_are_refused(tmp_path):
    links, out = tmp_path / "links.csv", tmp_path / "out.csv"
    bad = {
        b"": 1,
        b"f_mhz,d_km\n600\n": 2,
        b"f_mhz,d_km\n600,1\n\n600,1,2\n": 4,
        b"f_mhz,f_mhz\n1,2\n": 1,
        b"f_mhz,d_km\n\xff,1\n": 2,
        b'f_mhz,d_km\n"600,1\n': 2,
        b"f_mhz,d_km,valid\n600,1,1\n": 1,
    }
    for content, row in bad.items():
        links.write_bytes(content)
        with pytest.raises(InputError) as caught:
            predict_command("p1546", links, out)
        assert caught.value.row == row, content
    with pytest.raises(InputError):
        predict_command("p1546", tmp_path / "absent.csv", out)
    assert not out.exists()


def test_unknown_model_and_unwritable_output_are_refused(tmp_path):
    assert "hata" in refused(tmp_path, "okumura").allowed
    links = tmp_path / "links.csv"
    links.write_text("f_mhz,d_km,heff_m\n600,1,10\n", encoding="utf-8")
    with pytest.raises(InputError):
        predict_command("p1546", links, tmp_path / "no" / "folder.csv")


def test_free_space_is_that_of_the_given_distance(tmp_path):
    row = one(tmp_path, "free_space", ptx_kw="2")
    assert float(row["field_dbuvm"]) == pytest.approx(106.9 - 20 * math.log10(20) + 3.0103, abs=1e-5)
    assert float(row["loss_db"]) == pytest.approx(32.4 + 20 * math.log10(600 * 20), abs=1e-5)
    assert (row["branch"], row["valid"]) == ("free_space", "1")


def test_hata_models_take_area_and_antenna_heights(tmp_path):
    given = {"f_mhz": "900", "ha_m": "30", "h2_m": "1.5", "d_km": "5"}
    expected = 126.4 + 35.2 * math.log10(5)
    losses = {
        area: float(one(tmp_path, "hata", **given, area=area)["loss_db"])
        for area in ("Rural", "Suburban", "Urban", "Dense Urban")
    }
    assert losses["Urban"] == losses["Dense Urban"] == pytest.approx(expected, abs=0.1)
    assert losses["Rural"] < losses["Suburban"] < losses["Urban"]
    extended = one(tmp_path, "extended_hata", **given, area="Urban")
    assert float(extended["loss_db"]) == pytest.approx(expected, abs=0.3)
    assert extended["branch"] == "extended_hata"
    assert one(tmp_path, "hata", **given, area="Sea")["valid"] == "0"
    assert one(tmp_path, "hata", **{**given, "ha_m": ""})["branch"] == "undefined"


def test_tables_in_memory_may_hold_numbers():
    table = pd.DataFrame({"f_mhz": [600.0, 700.0], "heff_m": [100, 50], "d_km": [20, math.nan]}, index=[7, 9])
    result = predict_table(table, "p1546")
    assert list(result.index) == [7, 9]
    assert result.field_dbuvm.iloc[0] > 0
    assert math.isnan(result.field_dbuvm.iloc[1])
    assert list(table.columns) == ["f_mhz", "heff_m", "d_km"]


def test_help_lists_all_words():
    shown = CliRunner().invoke(app, ["predict", "--help"]).output.split()
    assert set(regime_words()) <= {word.strip(",.") for word in shown}
