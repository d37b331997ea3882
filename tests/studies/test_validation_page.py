"""The page of validation: its blocks, and the FCC's pairs on stations whose losses are counted by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyproj import Geod

from pipeline.errors import InputError
from pipeline.studies.predict import predict_table
from pipeline.studies.station_pairs import (
    CO,
    LOWER,
    UPPER,
    PairStudy,
    TvStation,
    count_pairs,
    listed_pairs,
    noise_limited_areas_km2,
    ours,
    read_pairs,
    read_rules,
    read_stations,
    study_pairs,
)
from pipeline.studies.validation_page import benin_lines, benin_study, validation_command, with_block
from pipeline.studies.vector_checks import check_vectors

GEODESIC = Geod(ellps="WGS84")
FLAT = (1.0,) * 36
WRITTEN = "Written on 01 March 2020.\n\n"
BLOCK = f"a\n<!-- x: make validation -->\n{WRITTEN}| 1 |\n<!-- end of x -->\nb\n"


def test_block_keeps_its_date_until_its_lines_change() -> None:
    assert with_block(BLOCK, "x", ["| 1 |"], dated=True) == BLOCK
    changed = with_block(BLOCK, "x", ["| 2 |"], dated=True)
    assert "2020" not in changed
    assert changed.startswith("a\n<!-- x: make validation -->\nWritten on ")
    assert changed.endswith("\n\n| 2 |\n<!-- end of x -->\nb\n")
    assert with_block(BLOCK, "x", ["| 3 |"], dated=False).splitlines()[2] == "| 3 |"
    with pytest.raises(InputError, match="no block of its own"):
        with_block("a\n", "x", [], dated=False)


def test_page_has_the_tables_of_the_measurements(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Written from anywhere: the register of the measurements lies beside them."""
    monkeypatch.chdir(tmp_path)
    page = (repository / "docs/validation.md").read_text(encoding="utf-8")
    assert (
        with_block(
            page, "benin", list(benin_lines(benin_study(repository / "data/validation/benin"))), dated=False
        )
        == page
    )


def test_numbers_of_the_conclusion_are_those_of_the_tables(repository: Path) -> None:
    page = (repository / "docs/validation.md").read_text(encoding="utf-8")
    tables, conclusion = page.split("## What follows")
    (kand,) = [line.split("|")[3:] for line in tables.splitlines() if line.startswith("| KAND")]
    bias_db, sigma_db = zip(*(map(float, cell.split(",")) for cell in kand[:4]), strict=True)
    assert f"{sigma_db[0]} dB by P.1546 and by Hata and {sigma_db[3]} dB in" in conclusion
    assert sigma_db[0] == sigma_db[1]
    assert f"Biases of {bias_db[0]:.0f} to {bias_db[1]:.0f} dB" in conclusion
    assert round(bias_db[1] - bias_db[3]) == 13
    (near,) = [line for line in tables.splitlines() if line.startswith("| 0-2 km |")]
    assert f"lie {float(near.split('|')[3].split(',')[0]):.0f} dB below" in conclusion


PROFILE = "{key},i,d_km,h_amsl_m,clutter_height_R_m,zone\nA,0,0,10,0,4\nA,1,1,20,0,4\nA,2,2,10,0,4\n"
LINKS = (
    "{key},{f},p_pct,pL_pct,htg_m,hrg_m,pol,phi_t,phi_r,lam_t,lam_r,DN,N0,dct_km,dcr_km,{expected}\n"
    "A,{f_value},50,50,30,10,1,46.0,46.018,14.0,14.0,45,325,500,500,100\n"
)
FIELDS = "f_mhz,d_km,heff_m,{expected}\n600,10,150,60\n"
OURS = {"key": "link", "f": "f_mhz", "f_value": 600, "expected": "Lb_db"}
EXAMPLES = {"key": "profile", "f": "f_ghz", "f_value": 0.6, "expected": "Lb_db_py1812"}


def reference_folder(folder: Path) -> Path:
    """A row of each table, of which the model says something and the expected result is made up."""
    contents = {
        "p1546/official.csv": FIELDS.format(expected="E_expected_profile_dbuvm"),
        "p1546/random.csv": FIELDS.format(expected="E_dbuvm"),
        "p1812/official.csv": LINKS.format(**EXAMPLES),
        "p1812/official_profiles.csv": PROFILE.format(**EXAMPLES),
    }
    for name in ("public_random", "public_edge"):
        contents[f"p1812/{name}.csv"] = LINKS.format(**OURS)
        contents[f"p1812/{name}_profiles.csv"] = PROFILE.format(**OURS)
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("name", "old", "new", "row", "field"),
    [
        ("p1546/official.csv", "600", "6OO", 2, "f_mhz"),
        ("p1546/official.csv", ",60\n", ",\n", 2, "E_expected_profile_dbuvm"),
        ("p1546/random.csv", "E_dbuvm", "E", 1, "E_dbuvm"),
        ("p1546/random.csv", "600,10,150,60\n", "", None, None),
        ("p1546/random.csv", "600,10", "600,-10", 2, "(row)"),
        ("p1812/official.csv", "0.6,", "nan,", 2, "f_ghz"),
        ("p1812/official.csv", "A,", "B,", 2, "profile"),
        ("p1812/public_edge.csv", "600,50,", "600,70,", 2, "p_pct"),
        ("p1812/public_edge_profiles.csv", "A,1,1,20", "A,1,1,x", 3, "h_amsl_m"),
        ("p1812/public_random_profiles.csv", "zone", "area", 1, "zone"),
        ("p1812/public_random.csv", "A,600,", "A,", 2, "(row)"),
    ],
)
def test_faulty_reference_results_are_refused_by_name(
    tmp_path: Path, name: str, old: str, new: str, row: int, field: str
) -> None:
    assert [one.links for one in check_vectors(reference_folder(tmp_path))] == [1] * 5
    text = (tmp_path / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        list(check_vectors(tmp_path))
    assert (caught.value.file, caught.value.row, caught.value.field) == (str(tmp_path / name), row, field)


def page_in(folder: Path) -> Path:
    page = folder / "page"
    page.write_text(
        "# Validation\n" + "".join(BLOCK.replace("x", name) for name in ("vectors", "pairs", "benin"))
    )
    return page


def test_a_part_of_reference_data_is_refused_and_named(tmp_path: Path) -> None:
    page, data = page_in(tmp_path), reference_folder(tmp_path / "data")
    text = page.read_text()
    (data / "p1812/public_edge.csv").unlink()
    with pytest.raises(InputError, match=r"vectors are not complete; found 'no p1812/public_edge\.csv'"):
        validation_command(page, data, tmp_path / "neither")
    (data / "fcc_pairs").mkdir()
    reference_folder(data)
    (data / "fcc_pairs/post-seed1328-st200_parameters.csv").write_text("")
    with pytest.raises(InputError, match="pairs are not complete"):
        validation_command(page, data, tmp_path / "neither")
    assert page.read_text() == text
    with pytest.raises(InputError) as caught:
        validation_command(page, tmp_path / "none", tmp_path / "neither")
    assert caught.value.field == "--data"


def test_one_kind_of_reference_data_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, data = page_in(tmp_path), reference_folder(tmp_path / "data")
    validation_command(page, data, tmp_path / "neither")
    assert "| P.1812-8, rare cases | an independent program, by the text | 1 |" in page.read_text()
    said = capsys.readouterr().out
    assert f"validation: pairs: nothing of it in {data}, kept as it is" in said
    assert "validation: vectors" not in said


def test_absent_data_keep_their_tables(tmp_path: Path, repository: Path) -> None:
    page = page_in(tmp_path)
    text = page.read_text()
    (tmp_path / "none").mkdir()
    validation_command(page, tmp_path / "none", tmp_path / "neither")
    assert page.read_text() == text
    with pytest.raises(InputError, match="not found"):
        validation_command(tmp_path / "other", tmp_path / "none", tmp_path / "neither")
    for spoilt in (text + text, text.replace("<!-- end of benin", "<!-- finis")):
        page.write_text(spoilt)
        with pytest.raises(InputError, match="no block of its own"):
            validation_command(page, tmp_path / "none", repository / "data")
        assert (page.read_text(), (tmp_path / "images").exists()) == (spoilt, False)
    page.write_bytes(text.encode() + b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        validation_command(page, tmp_path / "none", tmp_path / "neither")
    page.write_text(text)
    (tmp_path / "images").mkdir()
    (tmp_path / "images/validation_benin.png").write_text("my own file")
    with pytest.raises(InputError, match="another kind"):
        validation_command(page, tmp_path / "none", repository / "data")
    (tmp_path / "letter").write_text("Dear")
    with pytest.raises(InputError, match="another kind"):
        validation_command(tmp_path / "letter", tmp_path / "none", tmp_path / "neither")


@pytest.mark.shared_data
def test_reference_results_are_all_met(shared: Path) -> None:
    found = list(check_vectors(shared / "data"))
    assert [one.links for one in found] == [52, 160, 63, 100, 16]
    assert max(one.largest_db for one in found if "1546" in one.name) < 1e-3
    assert max(one.largest_db for one in found if "1812" in one.name) < 1e-6


# --- pairs --------------------------------------------------------------------------------------------------


def fields_dbuvm(haat_m: float, d_km: np.ndarray, time_pct: float) -> np.ndarray:
    links = pd.DataFrame({"f_mhz": 539.0, "d_km": d_km, "heff_m": haat_m, "h2_m": 10.0, "d_v_km": d_km})
    return predict_table(links.assign(t_pct=time_pct, path_c="Land"), "p1546")["field_dbuvm"].to_numpy()


def lost_by_brute_force_pct(own: TvStation, other: TvStation, radius_km: float) -> dict[str, float]:
    """Random points of the circle around a station without pattern, each with its own fields and D/U."""
    rng = np.random.default_rng(1)
    n = 6000
    d_km, azimuth_deg = radius_km * np.sqrt(rng.uniform(size=n)), rng.uniform(0.0, 360.0, n)
    start = np.full(n, own.lon_deg), np.full(n, own.lat_deg)
    lon, lat, back_deg = GEODESIC.fwd(*start, azimuth_deg, 1000.0 * d_km)
    _, to_other_deg, other_m = GEODESIC.inv(np.full(n, other.lon_deg), np.full(n, other.lat_deg), lon, lat)
    wanted = 2 * fields_dbuvm(own.haat_m, d_km, 50.0) - fields_dbuvm(own.haat_m, d_km, 10.0)
    wanted += 10 * np.log10(own.erp_kw)
    unwanted = fields_dbuvm(other.haat_m, other_m / 1000.0, 10.0) + 10 * np.log10(other.erp_kw)
    off = np.radians(np.abs((to_other_deg - back_deg + 180.0) % 360.0 - 180.0))
    behind_db = np.where(np.cos(off) > 0.0, 20 * 4 * np.log10(np.maximum(np.cos(off), 1e-9)), -14.0)
    over_db = wanted - unwanted - np.maximum(behind_db, -14.0)
    above_db = np.maximum(wanted - (41.0 - 20 * math.log10(615.0 / 539.0)), 1e-3)
    co_db = np.minimum(15.0 + 10 * np.log10(1.0 / (1.0 - 10 ** (-above_db / 10.0))), 23.0)
    return {kind: 100.0 * np.mean(over_db < need) for kind, need in ((CO, co_db), (UPPER, -26), (LOWER, -28))}


@pytest.mark.parametrize("away_km", [60.0, 110.0, 170.0])
def test_lost_shares_are_those_of_random_points(away_km: float) -> None:
    lon, lat, _ = GEODESIC.fwd(-97.0, 36.0, 70.0, 1000.0 * away_km)
    area_km2 = math.pi * 70.0**2
    one = TvStation("1", -97.0, 36.0, 300.0, 500.0, FLAT, area_km2)
    two = TvStation("2", lon, lat, 150.0, 100.0, FLAT, area_km2)
    found = study_pairs([one, two], read_rules(), own_areas=False)
    assert found.area_km2 == pytest.approx([area_km2] * 2, rel=1e-3)
    assert found.distance_km[0, 1] == pytest.approx(away_km, abs=0.01)
    for own, other, at in ((one, two, (0, 1)), (two, one, (1, 0))):
        for kind, share_pct in lost_by_brute_force_pct(own, other, 70.0).items():
            # 36 azimuths and 12 rings stand for the area.
            assert found.lost_pct[kind][at] == pytest.approx(share_pct, abs=2.5), (kind, at)
    more = study_pairs([one, two], read_rules(), own_areas=False, more_db=6.0)
    assert more.lost_pct[CO][0, 1] >= found.lost_pct[CO][0, 1]
    assert more.lost_pct[CO].max() > found.lost_pct[CO].max() or found.lost_pct[CO].max() > 99.0


def test_own_area_ends_where_the_field_does() -> None:
    station = TvStation("1", -97.0, 36.0, 300.0, 500.0, FLAT, 1.0)
    d_km = np.arange(1.0, 300.0)
    field = 2 * fields_dbuvm(300.0, d_km, 50.0) - fields_dbuvm(300.0, d_km, 10.0) + 10 * math.log10(500.0)
    radius_km = d_km[np.flatnonzero(field >= 41.0 - 20 * math.log10(615.0 / 539.0))[-1]]
    found = study_pairs([station], read_rules(), own_areas=True)
    # Distances are looked at every 4 km.
    assert math.sqrt(found.area_km2[0] / math.pi) == pytest.approx(radius_km, abs=4.0)


def test_noise_limited_area_ends_where_the_curves_of_the_fcc_give_the_contour() -> None:
    """A circle, on channel 36 (605 MHz), a tenth of the field all around is a hundredth of its power."""
    plain = TvStation("1", -97.0, 36.0, 300.0, 500.0, FLAT, 1.0, channel=36)
    (area_km2,) = noise_limited_areas_km2([plain], read_rules())
    link = pd.DataFrame(
        {"f_mhz": [605.0], "d_km": [math.sqrt(area_km2 / math.pi)], "t_pct": [90.0], "heff_m": [300.0]}
    )
    (field,) = predict_table(link.assign(ptx_kw=500.0), "fcc")["field_dbuvm"]
    assert field == pytest.approx(41.0 - 20 * math.log10(615.0 / 605.0), abs=0.05)
    weak = plain._replace(pattern=(0.1,) * 36)
    (smaller_km2,) = noise_limited_areas_km2([weak], read_rules())
    (same_km2,) = noise_limited_areas_km2([plain._replace(erp_kw=5.0)], read_rules())
    assert smaller_km2 == pytest.approx(same_km2)
    assert smaller_km2 < area_km2


@pytest.mark.shared_data
@pytest.mark.parametrize("stem", ["post-seed1328-st200", "post-seed87-st50-ch30"])
def test_noise_limited_areas_are_those_of_the_fcc_within_15_per_cent(shared: Path, stem: str) -> None:
    stations = read_stations(shared / f"data/fcc_pairs/{stem}_parameters.csv")
    plain = [station for station in stations if not station.directional]
    assert len(plain) >= 16
    ratio = noise_limited_areas_km2(plain, read_rules()) / np.array([station.area_km2 for station in plain])
    assert 1 / 1.15 < np.median(ratio) < 1.15


def test_pattern_is_turned_and_lowers_what_it_points_away_from() -> None:
    half = tuple(1.0 if k < 18 else 0.1 for k in range(36))
    lon, lat, _ = GEODESIC.fwd(-97.0, 36.0, 90.0, 110e3)
    area_km2 = math.pi * 70.0**2
    one = TvStation("1", -97.0, 36.0, 300.0, 500.0, FLAT, area_km2)
    # The victim lies west of the other station: 270 degrees, where it radiates 20 dB less.
    shares = [
        study_pairs(
            [one, TvStation("2", lon, lat, 300.0, 500.0, pattern, area_km2)], read_rules(), own_areas=False
        ).lost_pct[CO][0, 1]
        for pattern in (FLAT, half, half[::-1])
    ]
    assert shares[1] < shares[0] - 5.0
    assert shares[2] == pytest.approx(shares[0], abs=1.0)


def test_either_station_of_a_pair_counts_and_the_upper_one_disturbs_from_above() -> None:
    nothing = np.zeros((2, 2))
    lost = {CO: np.array([[0.0, 0.6], [0.0, 0.0]]), UPPER: np.array([[0, 0.0], [0.7, 0]]), LOWER: nothing}
    study, rules = PairStudy(lost, nothing, np.ones(2)), read_rules()
    assert ours(study, CO, rules).tolist() == [[False, True], [True, False]]
    # The second loses to the first where this is above it: with the second on the channel, or the first one
    # above as seen from below.
    assert ours(study, UPPER, rules).tolist() == [[False, False], [True, False]]
    assert ours(study, LOWER, rules).tolist() == [[False, True], [False, False]]


def test_pairs_are_counted_by_hand() -> None:
    listed = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0]], np.bool_)
    taken = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], np.bool_)
    distance_km = np.array([[0, 10, 60], [10, 0, 60], [60, 60, 0.0]])
    (one,) = count_pairs(UPPER, listed, taken, distance_km)
    assert one[3:] == (3, 1, 3, 2)
    near, far = count_pairs(CO, listed, taken, distance_km, (0.0, 50.0, math.inf))
    assert near[3:] == (1, 1, 0, 0)
    assert far[3:] == (1, 0, 1, 1)


def test_files_of_the_fcc_are_read_as_they_are_meant(tmp_path: Path) -> None:
    head = "FacID,Country,Ch,Lat,Lon,HAAT,ERP,DA,Rot,Type,Area,Population,Area,Population," + ",".join(
        str(10 * k) for k in range(36)
    )
    pattern = ",".join(["1.0", *["0.5"] * 35])
    rows = [
        f"7,US,30,36.5,97.25,300.0,500,DA,20.0,1,1000.5,5,900,4,{pattern}",
        f"8,US,30,36.5,97.25,300.0,500,ND,20.0,1,1000.5,5,900,4,{',' * 35}",
        f"9,US,30,36.5,97.25,0.0,15,ND,,3,100,5,90,4,{',' * 35}",  # of low power
        f"10,US,7,36.5,97.25,300.0,15,ND,,1,100,5,90,4,{',' * 35}",  # in another band
        f"11,CA,,,,,,,,,100,5,90,4,{',' * 35}",
    ]
    path = tmp_path / "parameters.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    one, two = read_stations(path)
    assert (one.id, one.lon_deg, one.lat_deg, one.haat_m, one.erp_kw, one.area_km2) == (
        "7",
        -97.25,
        36.5,
        300.0,
        500.0,
        1000.5,
    )
    assert np.argmax(one.pattern) == 2
    assert one.pattern[2] == pytest.approx(1.0)
    assert set(two.pattern) == {1.0}
    listed = tmp_path / "pairs.csv"
    listed.write_text("CO,25,25,7,8,9\nCO,26,26,7,10\nADJ+1,25,26,8,7\nADJ-1,25,24,7,8\n")
    pairs = read_pairs(listed)
    assert pairs == {CO: {("7", "8"), ("7", "9")}, UPPER: {("8", "7")}, LOWER: {("7", "8")}}
    assert listed_pairs([one, two], pairs[CO]).tolist() == [[False, True], [False, False]]
    for content, row, field in (
        ("FacID,Ch\n1,2\n", 1, "Lat"),
        ("", 1, "FacID"),
        (f"{head}\n{rows[0]},1\n", 2, "(row)"),
        (f"{head}\n{rows[1]}\n{rows[0]}\n".replace("36.5", "95"), 2, "Lat"),
        (f"{head}\n{rows[1]}\n{rows[0]}\n".replace("300.0", "tall"), 2, "HAAT"),
        (f"{head}\n{rows[0]}\n".replace(",0.5", ",1.5"), 2, "10"),
        (f"{head}\n{rows[0]}\n{rows[2]}\n", None, None),
    ):
        path.write_text(content)
        with pytest.raises(InputError) as caught:
            read_stations(path)
        assert (caught.value.file, caught.value.row, caught.value.field) == (str(path), row, field)
    for content, row in (("CO,25,25,7\n", 1), ("CO,25,25,7,8\nADJ,25,26,7,8\n", 2), ("CO,26,26,7,8\n", None)):
        listed.write_text(content)
        with pytest.raises(InputError) as caught:
            read_pairs(listed)
        assert (caught.value.file, caught.value.row) == (str(listed), row)
