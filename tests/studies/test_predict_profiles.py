"""`channelmaps predict --model p1812`: two tables in, results and intermediates out, refused input."""

from __future__ import annotations

import csv
import math

import pytest

from pipeline.errors import InputError
from pipeline.studies.predict_profiles import predict_links_command
from tests.propagation.p1812_reference import loss

LINK = {
    "link": "ridge",
    "f_mhz": "600",
    "p_pct": "10",
    "pol": "V",
    "htg_m": "60",
    "hrg_m": "10",
    "phi_t": "46.0",
    "lam_t": "14.0",
    "phi_r": "46.0",
    "lam_r": "14.26",
    "points": "21",
    "note": "kept, as it is",
}
D_KM = [float(i) for i in range(21)]
HEIGHTS_M = [200.0 + 300.0 * math.exp(-(((d - 12.0) / 2.0) ** 2)) for d in D_KM]
SAMPLES = [
    {
        "link": "ridge",
        "i": str(i),
        "d_km": str(d),
        "h_amsl_m": str(h),
        "clutter_height_R_m": "10",
        "zone": "4",
    }
    for i, (d, h) in enumerate(zip(D_KM, HEIGHTS_M, strict=True))
]


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def predicted(tmp_path, link=None, samples=None, intermediates=False):
    links = write(tmp_path / "links.csv", [link or LINK])
    profiles = write(tmp_path / "profiles.csv", samples or SAMPLES)
    out = tmp_path / "out.csv"
    predict_links_command("p1812", links, out, profiles=profiles, intermediates=intermediates)
    with out.open(newline="", encoding="utf-8") as stream:
        return next(csv.DictReader(stream))


def test_row_of_the_naive_twin(tmp_path):
    row = predicted(tmp_path, intermediates=True)
    expected, between = loss(
        D_KM, HEIGHTS_M, [10.0] * 21, [4] * 21, f_mhz=600, p=10, htg=60, hrg=10, vertical=True, phi=46.0
    )
    assert list(row)[: len(LINK)] == list(LINK)
    assert (row["note"], row["points"]) == ("kept, as it is", "21")
    # The latitude half-way is 46 degrees but for the curve of the great circle.
    assert float(row["loss_db"]) == pytest.approx(expected, abs=1e-5)
    assert float(row["loss_db"]) + float(row["field_dbuvm"]) == pytest.approx(
        139.36 + 20 * math.log10(600), abs=2e-9
    )
    assert (row["branch"], row["valid"], row["path"], row["clear"]) == (
        "diffraction",
        "1",
        "transhorizon",
        "0",
    )
    assert float(row["clearance_f1"]) == pytest.approx(-between["nu"] / math.sqrt(2), rel=1e-9)
    assert float(row["Lba"]) == pytest.approx(between["Lba"], abs=1e-4)
    assert float(row["theta"]) == pytest.approx(between["theta"], rel=1e-9)
    assert row["assumed"] == "DN;N0"


def test_atmosphere_given_is_not_assumed(tmp_path):
    row = predicted(tmp_path, LINK | {"DN": "45", "N0": "325"})
    assert row["assumed"] == ""
    assert "Lba" not in row
    assert row["loss_db"] == predicted(tmp_path)["loss_db"]


def test_power_adds_to_the_field_and_not_to_the_loss(tmp_path):
    one, ten = predicted(tmp_path), predicted(tmp_path, LINK | {"ptx_kw": "10"})
    assert float(ten["field_dbuvm"]) - float(one["field_dbuvm"]) == pytest.approx(10.0, abs=2e-9)
    assert ten["loss_db"] == one["loss_db"]


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("p_pct", "0.5", "1 to 50"),
        ("p_pct", "51", "1 to 50"),
        ("pL_pct", "99.5", "1 to 99"),
        ("pL_pct", "95", "sigma_loc_db or wa_m"),
        ("f_mhz", "0", "above 0"),
        ("f_mhz", "", "a value"),
        ("htg_m", "0", "above 0"),
        ("hrg_m", "-3", "above 0"),
        ("phi_t", "91", "-90 to 90"),
        ("DN", "157", "below 157"),
        ("DN", "-40", "above 0"),
        ("pol", "3", "1 H, 2 V"),
        ("dct_km", "-1", "0 or more"),
        ("wa_m", "0", "above 0"),
        ("ptx_kw", "0", "above 0"),
        ("link", "valley", "profiles.csv"),
        ("points", "20", "21"),
        ("htg_m", "1_0", "a number"),
        ("Lb", "1", None),
        ("clearance_f1", "1", "predict writes"),
    ],
)
def test_refused_links(tmp_path, field, value, allowed):
    link = LINK | {field: value}
    if allowed is None:
        assert predicted(tmp_path, link)["Lb"] == "1"
        return
    with pytest.raises(InputError) as caught:
        predicted(tmp_path, link)
    assert caught.value.field == field
    assert allowed in str(caught.value)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        (3, "zone", "2"),
        (3, "zone", ""),
        (3, "d_km", "2.0"),
        (3, "d_km", "1.5"),
        (0, "d_km", "0.1"),
        (3, "d_km", "nan"),
        (3, "i", "4"),
        (3, "h_amsl_m", "1e6"),
        (3, "h_amsl_m", ""),
        (3, "clutter_height_R_m", "-1"),
    ],
)
def test_refused_profiles(tmp_path, row, field, value):
    samples = [dict(sample) for sample in SAMPLES]
    samples[row][field] = value
    with pytest.raises(InputError) as caught:
        predicted(tmp_path, samples=samples)
    assert (caught.value.row, caught.value.field) == (row + 2, field)


def test_profile_of_one_sample_is_refused(tmp_path):
    with pytest.raises(InputError, match="one sample"):
        predicted(tmp_path, samples=SAMPLES[:1])


@pytest.mark.parametrize(
    ("model", "options"),
    [("p1812", {}), ("p1546", {"profiles": "links.csv"}), ("p1546", {"intermediates": True})],
)
def test_options_that_do_not_fit_the_model_are_refused(tmp_path, model, options):
    links = write(tmp_path / "links.csv", [LINK])
    if "profiles" in options:
        options = {"profiles": links}
    with pytest.raises(InputError) as caught:
        predict_links_command(model, links, tmp_path / "out.csv", **options)
    assert caught.value.field in ("--profiles", "--intermediates")
    assert not (tmp_path / "out.csv").exists()
