"""The corrections of P.1546-6 against closed forms, SciPy and values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from pipeline.propagation.models import Surroundings
from pipeline.propagation.p1546 import corrections as corrections
from pipeline.propagation.p1546.curves import load_curves
from tests.propagation.links import P1546, field, link
from tests.propagation.p1546_reference import knife_edge

CURVES = load_curves()
K_600 = 3.2 + 6.2 * math.log10(600)


@settings(deadline=None)  # the first call compiles
@given(x=st.floats(0.01, 0.99))
def test_normal_deviate_is_close_to_the_exact_one(x):
    assert corrections.normal_deviate(x) == pytest.approx(norm.isf(x), abs=4.5e-4)


def test_knife_edge_values():
    # J(0) = 6.9 + 20 log10(sqrt(1.01) - 0.1); the loss vanishes at -0.7806.
    assert corrections.knife_edge_db(0.0) == pytest.approx(6.0328, abs=1e-4)
    assert corrections.knife_edge_db(-0.78) == pytest.approx(0.0, abs=0.02)
    assert corrections.knife_edge_db(-5.0) == 0.0
    assert corrections.knife_edge_db(20.0) == pytest.approx(12.953 + 20 * math.log10(20), abs=0.1)


def test_fresnel_distance_takes_the_smaller_of_its_terms():
    assert corrections.d06_km(600.0, 1e-9, 10.0) == 0.001
    assert corrections.d06_km(600.0, -5.0, 10.0) == 0.001
    assert corrections.d06_km(1e9, 100.0, 25.0) == pytest.approx(4.1 * 15, rel=1e-3)
    assert corrections.d06_km(600.0, 20.0, 10.0) == pytest.approx(4.668 * 31.301 / 35.969, rel=1e-4)


@settings(deadline=None)  # the first call compiles
@given(d=st.floats(0.04, 1000), rise=st.floats(-3000, 3000))
def test_slope_correction_equals_its_definition(d, rise):
    slope = math.hypot(d, rise / 1000)
    assert corrections.slope_correction_db(d, rise) == pytest.approx(20 * math.log10(d / slope), abs=1e-9)


@pytest.mark.parametrize("f_mhz", [50.0, 600.0, 3500.0])
def test_clear_path_gains_a_few_hundredths(curves, f_mhz):
    gain = field(curves, f_mhz=f_mhz, tca_deg=-3.0) - field(curves, f_mhz=f_mhz)
    assert 0.0 < gain < 0.061


def test_terrain_clearance_is_two_knife_edges_clipped_at_40_deg(curves):
    root = math.sqrt(600)
    for tca_deg, used_deg in ((5.0, 5.0), (40.0, 40.0), (75.0, 40.0)):
        expected = knife_edge(0.036 * root) - knife_edge(0.065 * used_deg * root)
        found = field(curves, tca_deg=tca_deg) - field(curves)
        assert found == pytest.approx(expected, abs=1e-9)


def test_open_receiver_gains_with_the_logarithm_of_height(curves):
    for h2_m in (1.5, 10.0, 30.0):
        gain = field(curves, h2_m=h2_m, heff_m=50.0) - field(curves, heff_m=50.0)
        assert gain == pytest.approx(K_600 * math.log10(h2_m / 10), abs=1e-9)


def test_receiver_below_clutter_is_diffracted(curves):
    # R' = (20000 * 20 - 15 * 100) / (20000 - 15)
    clutter_m = 398500 / 19985
    below_m = clutter_m - 1.5
    nu = 0.0108 * math.sqrt(600) * math.sqrt(below_m * math.degrees(math.atan(below_m / 27)))
    found = field(curves, h2_m=1.5, r2_m=20.0, area=Surroundings.DENSE_URBAN) - field(curves)
    assert found == pytest.approx(6.03 - knife_edge(nu), abs=1e-9)


def test_receiver_above_low_clutter_counts_from_the_clutter_then_from_10_m(curves):
    clutter_m = (20000 * 6 - 1500) / 19985
    found = field(curves, h2_m=9.0, r2_m=6.0, area=Surroundings.SUBURBAN) - field(curves)
    expected = K_600 * (math.log10(9 / clutter_m) - math.log10(10 / clutter_m))
    assert found == pytest.approx(expected, abs=1e-9)


def test_low_receiver_at_sea_loses_nothing_close_by(curves):
    low = {"area": Surroundings.SEA, "h2_m": 5.0, "heff_m": 100.0}
    df, dh = 3.89e-5 * 600 * 100 * 5, 4.1 * (10 + math.sqrt(5))
    clear_km = df * dh / (df + dh)
    for d_km, share in ((clear_km * 0.99, 0.0), (60.0, 1.0)):
        loss = field(curves, d_km=d_km, **low) - field(curves, d_km=d_km)
        assert loss == pytest.approx(share * K_600 * math.log10(0.5), abs=1e-9)


def test_clutter_at_the_transmitter(curves):
    plain = field(curves, ha_m=20.0)
    # Antenna at clutter height: -J(0). 30 m above it and more: clear.
    assert field(curves, ha_m=20.0, r1_m=20.0) - plain == pytest.approx(-6.0328, abs=1e-4)
    assert field(curves, ha_m=60.0, r1_m=20.0) == field(curves, ha_m=60.0)
    above = 10.0 * math.degrees(math.atan(10 / 27))
    nu = 0.0108 * math.sqrt(600 * above)
    assert field(curves, ha_m=20.0, r1_m=30.0) - plain == pytest.approx(-knife_edge(nu), abs=1e-9)


def test_location_percentage_uses_the_spread_of_the_area_or_the_terrain(curves):
    deviate = norm.isf(0.9)
    far = {"d_km": 60.0, "r2_m": 10.0}
    for area, sigma_db in (
        (Surroundings.RURAL, 12),
        (Surroundings.SUBURBAN, 10),
        (Surroundings.URBAN, 8),
        (Surroundings.DENSE_URBAN, 8),
    ):
        found = field(curves, **far, area=area, q_pct=90.0) - field(curves, **far, area=area)
        assert found == pytest.approx(deviate * sigma_db, abs=0.006)
    assert field(curves, **far, area=Surroundings.SEA, q_pct=90.0) == field(
        curves, **far, area=Surroundings.SEA
    )
    known = {**far, "terrain": True, "wa_m": 500.0}
    found = field(curves, **known, q_pct=90.0) - field(curves, **known)
    assert found == pytest.approx(deviate * 3.04, abs=0.01)


def test_troposcatter_is_a_floor_under_the_curves(curves):
    angles = {"eff1_deg": 0.5, "eff2_deg": 1.0}
    found, branch, _ = link(curves, d_km=400.0, t_pct=10.0, **angles)
    log_f = math.log10(600)
    theta = math.degrees(400 / (4 / 3 * 6370)) + 1.5
    loss_f = 5 * log_f - 2.5 * (log_f - 3.3) ** 2
    rarity = 10.1 * (-math.log10(0.2)) ** 0.7
    scatter = 24.4 - 20 * math.log10(400) - 10 * theta - loss_f + 0.15 * 325 + rarity
    assert found == pytest.approx(max(scatter, field(curves, d_km=400.0, t_pct=10.0)), abs=1e-9)
    assert math.isfinite(field(curves, t_pct=50.0, **angles))
    deep = link(curves, d_km=900.0, eff1_deg=-5.0, eff2_deg=-5.0)
    assert deep[1] == P1546.TROPOSCATTER
    assert branch in (P1546.TROPOSCATTER, P1546.LAND)


def test_maximum_field_caps_what_corrections_raise(curves):
    found, branch, _ = link(curves, d_km=2.0, heff_m=1000.0, q_pct=1.0)
    assert found == pytest.approx(106.9 - 20 * math.log10(2), abs=1e-9)
    assert branch == P1546.FIELD_LIMIT
    sea = {"d_km": 2.0, "heff_m": 1000.0, "t_pct": 1.0, "h2_m": 30.0}
    excess = 2.38 * (1 - math.exp(-2 / 8.94)) * math.log10(50)
    half = field(curves, **sea, sea_km=1.0)
    assert half == pytest.approx(106.9 - 20 * math.log10(2) + 0.5 * excess, abs=1e-9)


NEAR = {"heff_m": 60.0, "ha_m": 40.0}


def test_below_40_m_is_free_space_on_the_slope(curves):
    found, branch, valid = link(curves, d_km=0.03, **NEAR)
    assert found == pytest.approx(106.9 - 20 * math.log10(math.hypot(0.03, 0.03)), abs=1e-9)
    assert (branch, valid) == (P1546.BELOW_40M, True)


def test_between_40_m_and_1_km_the_field_is_linear_in_log_slope(curves):
    at_1km, at_40m = field(curves, d_km=1.0, **NEAR), field(curves, d_km=0.04, **NEAR)
    weight = math.log(math.hypot(0.3, 0.03) / 0.05) / math.log(math.hypot(1, 0.03) / 0.05)
    found, branch, _ = link(curves, d_km=0.3, **NEAR)
    assert found == pytest.approx(at_40m + weight * (at_1km - at_40m), abs=1e-9)
    assert branch == P1546.BELOW_1KM


def test_terrain_heights_enter_the_slope(curves):
    # 0.03 km away: antenna at 540 m, receiver at 500 m above the sea.
    found = field(curves, d_km=0.03, **NEAR, htter_m=500.0, hrter_m=490.0)
    assert found == pytest.approx(106.9 - 20 * math.log10(0.05), abs=1e-9)


@settings(deadline=None)  # the first call compiles
@given(ha=st.floats(5, 300), h=st.floats(-50, 1500), f=st.floats(30, 4000), share=st.floats(0, 1))
def test_field_is_continuous_at_40_m_and_1_km(ha, h, f, share):
    for d_km in (0.04, 1.0):
        ends = [
            field(CURVES, d_km=d, heff_m=h, terrain=True, ha_m=ha, f_mhz=f, sea_km=share * d)
            for d in (d_km * (1 - 1e-9), d_km * (1 + 1e-9))
        ]
        assert ends[0] == pytest.approx(ends[1], abs=1e-5)
