"""`channelmaps predict --model p1812`: two tables in, results and intermediates out, refused input."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Geod
from rasterio.transform import from_origin

from pipeline.errors import InputError
from pipeline.studies.predict_profiles import ProfileSources, predict_links_command
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
    sources = ProfileSources(profiles)
    predict_links_command("p1812", links, out, sources=sources, intermediates=intermediates)
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
    ("model", "sources", "intermediates", "field"),
    [
        ("p1812", ProfileSources(), False, "--profiles"),
        ("p1812", ProfileSources(Path("a"), (Path("b"),)), False, "--dem"),
        ("p1812", ProfileSources(Path("a"), land=Path("b")), False, "--land"),
        ("p1546", ProfileSources(Path("a")), False, "--profiles"),
        ("p1546", ProfileSources(dem=(Path("a"),)), False, "--dem"),
        ("p1546", ProfileSources(land=Path("a")), False, "--land"),
        ("p1546", ProfileSources(), True, "--intermediates"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, model, sources, intermediates, field):
    links = write(tmp_path / "links.csv", [LINK])
    with pytest.raises(InputError) as caught:
        predict_links_command(
            model, links, tmp_path / "out.csv", sources=sources, intermediates=intermediates
        )
    assert caught.value.field == field
    assert not (tmp_path / "out.csv").exists()


# --- profiles of elevations ---------------------------------------------------------------------------------

STEP_DEG = 0.005


def raster(path, values, west_deg=13.9, north_deg=46.2):
    place = from_origin(west_deg, north_deg, STEP_DEG, STEP_DEG)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=values.shape[1],
        height=values.shape[0],
        count=1,
        dtype=values.dtype,
        crs="EPSG:4326",
        transform=place,
    ) as target:
        target.write(values, 1)
    return path


def slope_m(lon_deg, lat_deg):
    """Heights that bilinear samples meet exactly: a tilted plane, lower in the east."""
    return 900.0 - 2000.0 * (lon_deg - 14.0) + 500.0 * (lat_deg - 46.0)


def centres_deg(rows=80, cols=120):
    lat_deg = 46.2 - STEP_DEG * (np.arange(rows) + 0.5)
    return np.meshgrid(13.9 + STEP_DEG * (np.arange(cols) + 0.5), lat_deg)


def predicted_by_terrain(tmp_path, land=None, **changed):
    links = write(tmp_path / "links.csv", [LINK | changed])
    dem = raster(tmp_path / "dem.tif", slope_m(*centres_deg()).astype(np.float32))
    sources = ProfileSources(None, (dem,), None if land is None else raster(tmp_path / "land.tif", land))
    out = tmp_path / "out.csv"
    predict_links_command("p1812", links, out, sources=sources, intermediates=True)
    with out.open(newline="", encoding="utf-8") as stream:
        return next(csv.DictReader(stream))


def test_profile_of_elevations_is_that_of_the_naive_twin(tmp_path):
    row = predicted_by_terrain(tmp_path)
    _, _, length_m = Geod(ellps="WGS84").inv(14.0, 46.0, 14.26, 46.0)
    # Pixels of 0.005 deg are 556 m high.
    parts = math.ceil(length_m / (0.005 * math.pi * 6371000.0 / 180.0))
    points = Geod(ellps="WGS84").npts(14.0, 46.0, 14.26, 46.0, parts - 1)
    places = [(14.0, 46.0), *points, (14.26, 46.0)]
    expected, _ = loss(
        [1e-3 * length_m * i / parts for i in range(parts + 1)],
        [slope_m(*place) for place in places],
        [0.0] * (parts + 1),
        [4] * (parts + 1),
        f_mhz=600,
        p=10,
        htg=60,
        hrg=10,
        vertical=True,
        phi=46.0,
    )
    assert float(row["loss_db"]) == pytest.approx(expected, abs=1e-3)
    assert row["assumed"] == "DN;N0;clutter_height_R_m;zone"


def test_zones_of_a_land_mask(tmp_path):
    lon_deg, _ = centres_deg()
    # Sea from 14.2 deg on; the plane meets 100 m at 14.4 deg, so all land is above the coast's 100 m.
    row = predicted_by_terrain(tmp_path, (lon_deg < 14.2).astype(np.uint8))
    _, _, length_m = Geod(ellps="WGS84").inv(14.0, 46.0, 14.26, 46.0)
    assert float(row["omega"]) == pytest.approx(0.06 / 0.26, abs=0.03)
    assert float(row["dtm"]) == float(row["dlm"]) == pytest.approx(0.2 / 0.26 * length_m / 1e3, abs=0.6)
    assert row["assumed"] == "DN;N0;clutter_height_R_m"
    # Beyond 14.4 deg the land is lower than 100 m and near the sea.
    low = predicted_by_terrain(
        tmp_path, (lon_deg > 14.2).astype(np.uint8), lam_t="14.21", lam_r="14.45", phi_r="46.01"
    )
    assert float(low["omega"]) == 0.0
    assert float(low["dlm"]) == pytest.approx(0.19 / 0.24 * float(low["dtm"]), abs=0.8)


def test_link_beyond_the_elevations_is_refused(tmp_path):
    with pytest.raises(InputError, match="do not cover the path") as caught:
        predicted_by_terrain(tmp_path, lam_r="14.9")
    assert caught.value.row == 2
    # The raster ends at 14.5 deg, half a degree on.
    assert caught.value.value == "nothing 38.7 km from the transmitter"
    with pytest.raises(InputError, match="do not cover the path"):
        predicted_by_terrain(tmp_path, lam_t="3.0", lam_r="3.1")
    assert not (tmp_path / "out.csv").exists()


def test_adjacent_places_have_a_profile(tmp_path):
    row = predicted_by_terrain(tmp_path, lam_r="14.0")
    assert float(row["loss_db"]) == pytest.approx(92.4 + 20 * math.log10(0.6 * 0.05), abs=1e-6)
