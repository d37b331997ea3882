"""`channelmaps predict --model p1812`: two tables in, results and intermediates out, refused input."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from pyproj import Geod
from rasterio.transform import from_origin

from pipeline.errors import InputError
from pipeline.studies.predict_profiles import ProfileSources, predict_links_command
from pipeline.terrain import elevation
from tests.propagation.p1812_reference import loss
from tests.rasters import write_raster

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
        (
            "p1812",
            ProfileSources(Path("a"), clutter=(Path("b"),), clutter_table=Path("c")),
            False,
            "--clutter",
        ),
        ("p1812", ProfileSources(dem=(Path("a"),), clutter=(Path("b"),)), False, "--clutter-table"),
        ("p1812", ProfileSources(dem=(Path("a"),), clutter_table=Path("b")), False, "--clutter"),
        ("p1546", ProfileSources(clutter_table=Path("a")), False, "--clutter-table"),
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


def test_unknown_model_names_all_that_there_are(tmp_path):
    """Also those that read profiles, and before any option that only they read."""
    sources = ProfileSources(dem=(tmp_path / "dem.tif",))
    with pytest.raises(InputError) as caught:
        predict_links_command("p1813", tmp_path / "links.csv", tmp_path / "out.csv", sources=sources)
    assert caught.value.field == "--model"
    assert {"p1812", "p1546", "hata"} <= set(caught.value.allowed.split(", "))


# --- profiles of elevations ---------------------------------------------------------------------------------

STEP_DEG = 0.005


def raster(path, values, west_deg=13.9, north_deg=46.2, step_deg=STEP_DEG):
    return write_raster(path, values, from_origin(west_deg, north_deg, step_deg, step_deg))


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


@pytest.mark.parametrize(("value", "said"), [(np.nan, "no data"), (7.0, "7.0")])
def test_land_mask_that_says_neither_land_nor_sea_is_refused(tmp_path, value, said):
    land = np.ones((80, 120), np.float32)
    land[40, 60] = value
    with pytest.raises(InputError, match=f"land.tif.*is no land mask.*{said}.*0 sea and 1 land"):
        predicted_by_terrain(tmp_path, land=land)


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


# --- land cover ---------------------------------------------------------------------------------------------

COVER_M = {1: 0.0, 2: 10.0, 3: 15.0, 7: 60.0}


def heights(tmp_path, rows=COVER_M):
    path = tmp_path / "heights.csv"
    lines = [f"{code},class {code},{height},test,true" for code, height in rows.items()]
    path.write_text("\n".join(["code,land_cover,clutter_height_m,source,verified", *lines]) + "\n")
    return path


def predicted_with_cover(tmp_path, terrain_m, codes, land=None, links=None, rows=COVER_M, **changed):
    """All rows of the result, over elevations and land cover on common pixels."""
    sources = ProfileSources(
        dem=(raster(tmp_path / "dem.tif", terrain_m.astype(np.float32)),),
        land=None if land is None else raster(tmp_path / "land.tif", land),
        clutter=(raster(tmp_path / "cover.tif", codes.astype(np.uint8)),),
        clutter_table=heights(tmp_path, rows),
    )
    out = tmp_path / "out.csv"
    table = write(tmp_path / "links.csv", links or [LINK | changed])
    predict_links_command("p1812", table, out, sources=sources, intermediates=True)
    with out.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def places_of(link, parts):
    ends = [float(link[name]) for name in ("lam_t", "phi_t", "lam_r", "phi_r")]
    return [(ends[0], ends[1]), *Geod(ellps="WGS84").npts(*ends, parts - 1), (ends[2], ends[3])]


def test_one_wood_is_a_knife_edge(tmp_path):
    """Flat ground at 600 MHz, antennas at 10 m, one column of trees 60 m high: all of it by hand."""
    codes = np.ones((80, 120))
    codes[:, 46] = 7  # 14.13 to 14.135 deg
    (row,) = predicted_with_cover(tmp_path, np.full((80, 120), 300.0), codes, htg_m="10", p_pct="50")
    _, _, length_m = Geod(ellps="WGS84").inv(14.0, 46.0, 14.26, 46.0)
    km = 1e-3 * length_m
    parts = math.ceil(length_m / (0.005 * math.pi * 6371000.0 / 180.0))
    inside = [i for i, (lon, _) in enumerate(places_of(LINK, parts)) if 14.13 <= lon < 14.135]
    assert len(inside) == 1  # pixels are 388 m wide, samples 543 m apart
    d1 = km * inside[0] / parts
    d2 = km - d1
    radius_km = 6371.0 * 157.0 / (157.0 - 45.0)
    above_m = 60.0 - 10.0 + 500.0 * d1 * d2 / radius_km
    nu = above_m * math.sqrt(0.002 * km / (0.2998 / 0.6 * d1 * d2))
    edge_db = 6.9 + 20.0 * math.log10(math.sqrt((nu - 0.1) ** 2 + 1.0) + nu - 0.1)
    bullington_db = edge_db + (1.0 - math.exp(-edge_db / 6.0)) * (10.0 + 0.02 * km)
    assert float(row["Lbulla50"]) == pytest.approx(bullington_db, abs=1e-6)
    assert nu > 1.0
    assert row["assumed"] == "DN;N0;zone"


def test_profile_with_cover_is_that_of_a_table(tmp_path):
    rng = np.random.default_rng(5)
    terrain_m, codes = slope_m(*centres_deg()), rng.choice([1, 2, 3], (80, 120))
    (row,) = predicted_with_cover(tmp_path, terrain_m, codes)
    _, _, length_m = Geod(ellps="WGS84").inv(14.0, 46.0, 14.26, 46.0)
    parts = math.ceil(length_m / (0.005 * math.pi * 6371000.0 / 180.0))
    samples = [
        {
            "link": "ridge",
            "i": str(i),
            "d_km": repr(1e-3 * length_m * i / parts),
            "h_amsl_m": repr(slope_m(lon, lat)),
            "clutter_height_R_m": repr(
                COVER_M[int(codes[int((46.2 - lat) / 0.005), int((lon - 13.9) / 0.005)])]
            ),
            "zone": "4",
        }
        for i, (lon, lat) in enumerate(places_of(LINK, parts))
    ]
    by_table = predicted(tmp_path, LINK | {"points": str(parts + 1)}, samples, intermediates=True)
    # Places along straight knots and heights of single precision differ by less than a metre.
    assert float(row["loss_db"]) == pytest.approx(float(by_table["loss_db"]), abs=2e-3)
    (bare,) = predicted_with_cover(tmp_path, terrain_m, np.ones((80, 120)))
    assert float(row["loss_db"]) > float(bare["loss_db"]) + 3.0
    assert bare["loss_db"] == predicted_by_terrain(tmp_path)["loss_db"]


def test_the_sea_has_no_cover(tmp_path):
    lon_deg, _ = centres_deg()
    land = (lon_deg < 14.2).astype(np.uint8)
    losses = [
        predicted_with_cover(tmp_path, slope_m(*centres_deg()), codes, land)[0]["loss_db"]
        for codes in (np.ones((80, 120)), np.where(lon_deg < 14.2, 1, 7), np.where(lon_deg < 14.2, 1, 99))
    ]
    assert losses[0] == losses[1] == losses[2]


def test_cover_that_is_not_known_is_refused(tmp_path):
    codes = np.ones((80, 120))
    codes[:, 40] = 99
    with pytest.raises(InputError, match="class of land cover has no row") as caught:
        predicted_with_cover(tmp_path, slope_m(*centres_deg()), codes)
    assert (caught.value.file, caught.value.field) == (str(tmp_path / "cover.tif"), "--clutter")
    assert "terrain" not in str(caught.value)
    assert str(caught.value.value).startswith("code 99 on ")
    with pytest.raises(InputError, match="land cover does not cover the path") as caught:
        predicted_with_cover(tmp_path, slope_m(*centres_deg()), np.ones((80, 60)))
    # It ends at 14.2 deg, 15.5 km on; of the samples, 543 m apart, that is the 29th.
    assert (caught.value.row, caught.value.value) == (2, "nothing 15.8 km from the transmitter")
    assert not (tmp_path / "out.csv").exists()
    stated = predicted_with_cover(
        tmp_path, slope_m(*centres_deg()), np.ones((80, 60)), rows=COVER_M | {"nodata": 0.0}
    )
    assert stated[0]["loss_db"] == predicted_by_terrain(tmp_path)["loss_db"]


def test_refusals_of_files_name_the_option(tmp_path):
    """Readers of rasters know the settings of a territory; there is none here."""
    for changed, option in (({"clutter_west_deg": 30.0}, "--clutter"), ({"second_step_deg": 0.007}, "--dem")):
        with pytest.raises(InputError) as caught:
            predicted_by_files(tmp_path, **changed)
        assert caught.value.field == option
        assert "terrain" not in str(caught.value)


def predicted_by_files(tmp_path, clutter_west_deg=13.9, second_step_deg=STEP_DEG):
    terrain_m = slope_m(*centres_deg()).astype(np.float32)
    dem = [
        raster(tmp_path / "a.tif", terrain_m),
        raster(tmp_path / "b.tif", terrain_m, step_deg=second_step_deg),
    ]
    cover = raster(tmp_path / "cover.tif", np.ones((80, 120), np.uint8), west_deg=clutter_west_deg)
    sources = ProfileSources(dem=tuple(dem), clutter=(cover,), clutter_table=heights(tmp_path))
    links = write(tmp_path / "links.csv", [LINK])
    predict_links_command("p1812", links, tmp_path / "out.csv", sources=sources)


def test_links_of_one_place_read_each_file_once_and_none_depends_on_others(tmp_path, monkeypatch):
    lon_deg, lat_deg = centres_deg()
    codes, land = 1 + (lon_deg * 40).astype(int) % 3, (lat_deg < 46.15).astype(np.uint8)
    ends = [(14.0, 46.0, 14.3, 46.1), (14.02, 46.05, 14.4, 45.9), (14.1, 46.18, 14.0, 45.85)]
    links = [
        LINK | dict(zip(("lam_t", "phi_t", "lam_r", "phi_r"), map(str, end), strict=True)) for end in ends
    ]
    read = []
    opened = elevation.read_external
    monkeypatch.setattr(
        elevation, "read_external", lambda path, **kinds: read.append(path) or opened(path, **kinds)
    )
    together = predicted_with_cover(tmp_path, slope_m(lon_deg, lat_deg), codes, land, links)
    assert sorted(path.name for path in read) == ["cover.tif", "dem.tif"]
    for link, row in zip(links, together, strict=True):
        (alone,) = predicted_with_cover(tmp_path, slope_m(lon_deg, lat_deg), codes, land, [link])
        # The corner of what is read differs in its last bit.
        assert {name: row[name] for name in (*LINK, "loss_db", "branch", "assumed")} == {
            name: alone[name] for name in (*LINK, "loss_db", "branch", "assumed")
        }
        numbers = [name for name in row if name not in (*LINK, "branch", "assumed", "path")]
        assert [float(row[name]) for name in numbers] == pytest.approx(
            [float(alone[name]) for name in numbers], rel=1e-9, abs=1e-9
        )
