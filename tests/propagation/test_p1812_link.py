"""P.1812-8 of single links: published results, links computed elsewhere, a naive twin, and properties."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.propagation.models import model_named
from pipeline.propagation.p1812.climate import (
    SEA,
    inland_weight,
    inverse_normal,
    log_of_anomalous_time,
    median_radius_km,
)
from pipeline.propagation.p1812.diffraction import grounds_of, sphere_terms, spherical_earth_db
from pipeline.propagation.p1812.growing_path import push, start_path
from pipeline.propagation.p1812.path_geometry import ducting_path, path_geometry
from pipeline.propagation.p1812.profile_link import Wave, p1812_link
from pipeline.propagation.p1812.profile_links import LINK_DEFAULTS, Profile, predict_paths
from tests.propagation.p1812_reference import loss, spherical

MODEL = model_named("p1812")
TOLERANCE_DB = 1e-6
INTERMEDIATES = 1e-8
# The logs of the official results give the diffraction terms of the time b0 under these names.
OFFICIAL_NAMES = {
    "dlt_km": "dlt",
    "dlr_km": "dlr",
    "th_t_mrad": "theta_t",
    "th_r_mrad": "theta_r",
    "th_mrad": "theta",
    "w": "omega",
    "dtm_km": "dtm",
    "dlm_km": "dlm",
    "phi_deg": "phi",
    "b0": "b0",
    "ae_km": "ae",
    "hst_m": "hst_fit",
    "hsr_m": "hsr_fit",
    "hst_min_m": "hst",
    "hsr_min_m": "hsr",
    "hstd_m": "hstd",
    "hsrd_m": "hsrd",
    "hte_m": "hte",
    "hre_m": "hre",
    "hm_m": "hm",
    "Fi": "Fi",
    "Fj": "Fj",
    "Fk": "Fk",
    "Lbfs": "Lbfs",
    "Lb0p": "Lb0p",
    "Lb0b": "Lb0b",
    "Lbulla_at_ab_dB": "Lbullab",
    "Lbulls_at_ab_dB": "Lbullsb",
    "Ldsph_at_ab_dB": "Ldsphb",
    "Ld50_dB": "Ld50",
    "Ldb_dB": "Ldb",
    "Ldp_dB": "Ldp",
    "Lbd50_dB": "Lbd50",
    "Lminb0p_dB": "Lminb0p",
    "Lba_dB": "Lba",
    "Lminbap_dB": "Lminbap",
    "Lbda_dB": "Lbda",
    "Lbam_dB": "Lbam",
    "Lbs_dB": "Lbs",
    "Lbc_dB": "Lbc",
}


def profiles_of(table, names, key):
    by_name = dict(list(table.groupby(key)))
    return [profile_of(by_name[name]) for name in names]


def profile_of(rows):
    columns = [rows[name].to_numpy(float) for name in ("d_km", "h_amsl_m", "clutter_height_R_m")]
    return Profile(*(np.ascontiguousarray(c) for c in columns), rows["zone"].to_numpy(np.int64))


def columns_of(table, **renamed):
    """The model's columns of a table, NaN where it has none."""
    nothing = np.full(len(table), math.nan)
    names = {name: renamed.get(name, name) for name in MODEL.link_columns}
    return {name: table[c].to_numpy(float) if c in table else nothing for name, c in names.items()}


def loss_of(columns, found):
    return MODEL.field_constant_db + 20 * np.log10(columns["f_mhz"]) - found.field_dbuvm


@pytest.fixture(scope="module")
def official(shared):
    folder = shared / "data" / "p1812"
    table = pd.read_csv(folder / "official.csv")
    columns = columns_of(table, sigma_loc_db="sigmaL_db") | {"f_mhz": 1e3 * table.f_ghz.to_numpy()}
    profiles = profiles_of(pd.read_csv(folder / "official_profiles.csv"), table.profile, "profile")
    return table, columns, predict_paths(columns, profiles)


@pytest.mark.shared_data
def test_official_results_are_met(official):
    table, columns, found = official
    assert len(table) == 63
    np.testing.assert_allclose(loss_of(columns, found), table.Lb_db_py1812, rtol=0, atol=TOLERANCE_DB)
    field_dbuvm = found.field_dbuvm + 10 * np.log10(table.ptx_kw)
    np.testing.assert_allclose(field_dbuvm, table.E_dbuvm_py1812, rtol=0, atol=TOLERANCE_DB)
    assert found.valid.all()


@pytest.mark.shared_data
@pytest.mark.parametrize(("logged", "name"), OFFICIAL_NAMES.items())
def test_official_intermediates_are_met(official, shared, logged, name):
    table = pd.read_csv(shared / "data" / "p1812" / "official_intermediates.csv")
    # Printed to ten digits; the weights fall to 1e-15.
    np.testing.assert_allclose(
        official[2].intermediates[name],
        table[logged],
        rtol=INTERMEDIATES,
        atol=1e-12 if name[0] == "F" else 1e-8,
    )


@pytest.mark.shared_data
@pytest.mark.parametrize("kind", ["random", "edge"])
def test_links_computed_elsewhere_are_met(shared, kind):
    folder = shared / "data" / "p1812"
    table = pd.read_csv(folder / f"public_{kind}.csv")
    columns = columns_of(table)
    profiles = profiles_of(pd.read_csv(folder / f"public_{kind}_profiles.csv"), table.link, "link")
    found = predict_paths(columns, profiles)
    np.testing.assert_allclose(loss_of(columns, found), table.Lb_db, rtol=0, atol=TOLERANCE_DB)
    assert list(np.array(MODEL.regimes)[found.regime]) == list(table.mechanism)
    assert found.path == list(table.path)
    assert list(found.clear) == list(table.clear_with_clutter)
    np.testing.assert_allclose(found.clearance_f1, table.clearance_f1, rtol=INTERMEDIATES)
    for name, values in found.intermediates.items():
        np.testing.assert_allclose(values, table[name], rtol=INTERMEDIATES, atol=1e-9, err_msg=name)


# --- links of our own ---------------------------------------------------------------------------------------


def relief(seed, count=60, sea=False):
    """A profile of uneven steps over hills, or across the sea to an island."""
    rng = np.random.default_rng(seed)
    d_km = np.concatenate([[0.0], np.cumsum(rng.uniform(0.05, 1.5, count - 1))])
    terrain_m = np.abs(np.cumsum(rng.normal(0, 25, count))) + 100 * np.sin(d_km / 7) ** 2
    zone = np.where(d_km > 0.5 * d_km[-1], 3, 4)
    if sea:
        zone[(d_km > 0.05 * d_km[-1]) & (d_km < 0.9 * d_km[-1])] = SEA
    terrain_m[zone == SEA] = 0.0
    return Profile(d_km, terrain_m, np.where(zone == SEA, 0.0, rng.choice([0.0, 10.0, 20.0], count)), zone)


def link(profile, **given):
    """One link with what is given over the defaults; NaN = not given."""
    at = {
        "f_mhz": 600.0,
        "htg_m": 80.0,
        "hrg_m": 10.0,
        "phi_t": 46.0,
        "lam_t": 14.0,
        "phi_r": 46.0,
        "lam_r": 15.0,
    }
    at |= LINK_DEFAULTS | given
    columns = {name: np.array([at.get(name, math.nan)], dtype=float) for name in MODEL.link_columns}
    found = predict_paths(columns, [profile])
    return float(loss_of(columns, found)[0]), found


@pytest.mark.parametrize("p_pct", [pytest.param(1.0, marks=pytest.mark.slow), 7.0, 50.0])
@pytest.mark.parametrize("sea", [False, True])
def test_equals_the_naive_twin(p_pct, sea):
    for seed in range(25):
        profile = relief(seed, count=5 + 9 * seed, sea=sea)
        given = {"p_pct": p_pct, "f_mhz": 150.0 + 60 * seed, "pol": 1.0 + seed % 2, "htg_m": 3.0 + 8 * seed}
        ours, found = link(profile, **given)
        expected, _ = loss(
            *(list(part) for part in profile),
            f_mhz=given["f_mhz"],
            p=p_pct,
            htg=given["htg_m"],
            hrg=10.0,
            vertical=given["pol"] == 2,
            phi=float(found.intermediates["phi"][0]),
        )
        assert ours == pytest.approx(expected, abs=1e-9), seed


def reversed_path(profile):
    return Profile(
        profile.d_km[-1] - profile.d_km[::-1], *(np.ascontiguousarray(part[::-1]) for part in profile[1:])
    )


@pytest.mark.parametrize("seed", range(12))
def test_reversal_changes_nothing(seed):
    profile = relief(seed, sea=seed % 2 == 0)
    forth, found = link(profile, p_pct=1.0, htg_m=40.0, hrg_m=3.0)
    back, _ = link(reversed_path(profile), p_pct=1.0, htg_m=3.0, hrg_m=40.0, lam_t=15.0, lam_r=14.0)
    assert back == pytest.approx(forth, abs=1e-6)
    assert found.intermediates["Lb0p"][0] <= forth


@pytest.mark.parametrize("seed", range(12))
def test_loss_never_falls_when_it_may_be_exceeded_less_often(seed):
    losses = [link(relief(seed, sea=seed % 2 == 0), p_pct=p)[0] for p in (1, 2, 5, 10, 20, 35, 50)]
    assert losses == sorted(losses)


def test_location_term_counts_on_land_and_not_at_sea():
    profile = relief(3)
    median, _ = link(profile)
    # The loss not exceeded at 95 % of the locations is 1.645 standard deviations above the median.
    assert link(profile, pL_pct=95.0, sigma_loc_db=5.5)[0] - median == pytest.approx(1.6449 * 5.5, abs=3e-3)
    afloat = profile._replace(zone=np.where(np.arange(60) == 59, SEA, profile.zone))
    assert link(afloat, pL_pct=95.0, sigma_loc_db=5.5)[0] == link(afloat)[0]


def zones_of(d_km, zone):
    path = start_path(d_km, np.zeros(d_km.size), np.zeros(d_km.size), zone, 10.0, 8500.0)
    for k in range(1, d_km.size - 1):
        push(path, k)
    return path_geometry(path, d_km.size - 1, 10.0, -math.inf).zones


def test_zones_change_half_way_between_samples():
    d_km = np.array([0.0, 1.0, 3.0, 4.0, 10.0, 12.0])
    found = zones_of(d_km, np.array([4, 4, 1, 1, 3, 4]))
    assert found.sea_share * 12.0 == pytest.approx(7.0 - 2.0)
    assert (found.land_km, found.inland_km) == (5.0, 2.0)
    assert (found.coast_from_transmitter_km, found.coast_from_receiver_km) == (2.0, 5.0)


def test_path_all_over_sea_and_path_without_sea():
    d_km = np.linspace(0.0, 30.0, 31)
    assert zones_of(d_km, np.full(31, 1)) == (1.0, 0.0, 0.0, 0.0, 0.0)
    assert zones_of(d_km, np.full(31, 4)) == (0.0, 30.0, 30.0, 500.0, 500.0)


def anomalous_time_pct(latitude_deg, land_km, inland_km):
    return math.exp(log_of_anomalous_time(latitude_deg, land_km, inland_weight(inland_km)))


def test_time_of_anomalous_propagation_by_place():
    # Typical values of the method: sea at the equator and at 45 degrees, 10 and 100 km inland.
    assert anomalous_time_pct(0.0, 0.0, 0.0) == pytest.approx(46.8, abs=0.05)
    assert anomalous_time_pct(45.0, 0.0, 0.0) == pytest.approx(9.9, abs=0.05)
    assert anomalous_time_pct(45.0, 10.0, 10.0) == pytest.approx(7.7, abs=0.05)
    assert anomalous_time_pct(45.0, 100.0, 100.0) == pytest.approx(1.8, abs=0.05)
    assert anomalous_time_pct(-60.0, 100.0, 100.0) == pytest.approx(0.66, abs=0.005)
    assert anomalous_time_pct(-80.0, 10.0, 10.0) == pytest.approx(4.17 * mu1(10.0) ** 1.3, rel=1e-12)


def mu1(km):
    tau = 1 - math.exp(-4.12e-4 * km**2.41)
    return (10 ** (-km / (16 - 6.6 * tau)) + 10 ** (-5 * (0.496 + 0.354 * tau))) ** 0.2


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("radius_km", [8931.0, 19113.0])
def test_loss_over_the_sphere_is_that_of_the_naive_twin(vertical, radius_km):
    """Paths from deep shadow to far above the sphere, most of them about grazing."""
    rng = np.random.default_rng(7)
    seen = []
    for _ in range(400):
        f_ghz, omega = 10 ** rng.uniform(-1.5, 0.75), float(rng.choice([0.0, 0.4, 1.0]))
        heights_m = tuple(10 ** rng.uniform(0.3, 3.0, 2))
        horizon_km = math.sqrt(2e-3 * radius_km) * sum(math.sqrt(h) for h in heights_m)
        length_km = horizon_km * rng.uniform(0.2, 1.2)
        grounds = grounds_of(f_ghz, vertical)
        found_db = spherical_earth_db(
            sphere_terms(grounds, radius_km), grounds, 0.2998 / f_ghz, omega, length_km, heights_m
        )
        expected_db = spherical(f_ghz, vertical, omega, length_km, *heights_m, radius_km)
        assert found_db == pytest.approx(expected_db, abs=1e-9, rel=1e-12)
        seen.append(found_db)
    assert 40 < seen.count(0.0) < 300


def test_inverse_normal_is_that_of_this_recommendation():
    # At one half the approximation leaves its last digit, which the constant of P.1546 would change.
    assert inverse_normal(0.5) == pytest.approx(1.3e-9, rel=0.05)
    assert inverse_normal(0.01) == pytest.approx(2.3263, abs=5e-4)
    assert inverse_normal(0.99) == -inverse_normal(1.0 - 0.99)


def test_terminals_beside_each_other_see_free_space():
    profile = Profile(np.array([0.0, 0.004]), np.zeros(2), np.zeros(2), np.array([4, 4]))
    ours, found = link(profile, htg_m=13.0, hrg_m=10.0)
    assert ours == pytest.approx(92.4 + 20 * math.log10(0.6) + 20 * math.log10(0.005), abs=1e-9)
    assert not found.valid[0]


def test_profile_without_a_point_between_gets_its_middle():
    two = Profile(np.array([0.0, 2.0]), np.array([10.0, 50.0]), np.zeros(2), np.array([4, 4]))
    three = Profile(np.array([0.0, 1.0, 2.0]), np.array([10.0, 30.0, 50.0]), np.zeros(3), np.array([4, 4, 4]))
    assert link(two)[0] == link(three)[0]


def test_cover_shields_but_not_on_the_terminals_themselves():
    flat = Profile(np.linspace(0.0, 10.0, 101), np.zeros(101), np.zeros(101), np.full(101, 4))
    wooded = flat._replace(cover_m=np.full(101, 20.0))
    ends = flat._replace(cover_m=np.where((flat.d_km == 0) | (flat.d_km == 10), 20.0, 0.0))
    # Flat ground, cover of 20 m, 10 km, 600 MHz: the step of 90 m gives 146.1 dB and that of 250 m 141.2 dB.
    assert link(flat, htg_m=100.0, hrg_m=1.5)[0] == pytest.approx(117.0, abs=0.05)
    assert 141.2 < link(wooded, htg_m=100.0, hrg_m=1.5)[0] < 146.1
    assert link(ends, htg_m=100.0, hrg_m=1.5)[0] == link(flat, htg_m=100.0, hrg_m=1.5)[0]


@pytest.mark.parametrize("seed", range(6))
def test_what_stands_behind_a_receiver_has_no_part_in_its_path(seed):
    profile = relief(seed, count=140, sea=seed % 2 == 0)
    antennas_m = (40.0, 3.0 + seed)
    path = start_path(*profile, antennas_m[0], median_radius_km(45.0))
    for end in range(2, profile.d_km.size):
        push(path, end - 1)
        alone = start_path(
            *(part[: end + 1].copy() for part in profile), antennas_m[0], path.median_radius_km
        )
        for k in range(1, end):
            push(alone, k)
        for least in (-math.inf, -0.55):
            of_radial = path_geometry(path, end, antennas_m[1], least)
            assert path_geometry(alone, end, antennas_m[1], least) == of_radial
            ducts = (ducting_path(way, end, of_radial, least) for way in (path, alone))
            assert len(set(ducts)) == 1


@pytest.mark.parametrize(
    ("receiver_m", "bare_db", "covered_db"),
    [
        (1.5, 117.0, (154.1, 150.9, 148.8, 146.1, 141.2, 138.3)),
        (10.0, 108.0, (146.8, 141.9, 139.5, 136.6, 131.2, 126.9)),
    ],
)
def test_cover_beside_a_receiver_counts_by_the_step(receiver_m, bare_db, covered_db):
    """Flat ground, 20 m of cover everywhere, 100 m mast, 10 km, 600 MHz: losses of a program of its own."""
    wave = Wave(0.6, 50.0, 50.0, 0.0, False, 45.0, 325.0)

    def loss_db(step_m, cover_m):
        d_km = np.linspace(0.0, 10.0, round(1e4 / step_m) + 1)
        level_m = np.zeros(d_km.size)
        path = (d_km, level_m, level_m + cover_m, np.full(d_km.size, 4))
        return p1812_link(*path, (100.0, receiver_m), (math.nan, math.nan), 45.0, wave).loss_db

    assert loss_db(50.0, 0.0) == pytest.approx(bare_db, abs=0.05)
    found_db = [loss_db(step_m, 20.0) for step_m in (10, 30, 50, 90, 250, 500)]
    assert found_db == pytest.approx(covered_db, abs=0.1)
