"""Interpolation of the curves against tabulated figures, SciPy and the rules for low antennas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.propagation.p1546.curves import NOMINAL_D_KM, NOMINAL_H1_M, load_curves
from pipeline.propagation.p1546.link import p1546_field
from tests.propagation.links import P1546, field, link, seeded
from tests.propagation.p1546_reference import DISTANCES_KM, HEIGHTS_M, knife_edge, land_interpolator

CURVES = load_curves()


def test_nominal_values_are_those_of_the_recommendation():
    assert list(NOMINAL_D_KM) == list(DISTANCES_KM)
    assert NOMINAL_D_KM.size == 78
    assert tuple(NOMINAL_H1_M) == HEIGHTS_M


@pytest.mark.parametrize(
    ("f_mhz", "t_pct", "d_km", "h1_m", "e_dbuvm"),
    [(100, 50, 1, 10, 89.975852), (100, 50, 1, 1200, 106.356584), (100, 50, 2, 300, 96.119692)],
)
def test_tabulated_figures_come_back(curves, f_mhz, t_pct, d_km, h1_m, e_dbuvm):
    found = field(curves, f_mhz=float(f_mhz), t_pct=float(t_pct), d_km=float(d_km), heff_m=float(h1_m))
    assert found == pytest.approx(e_dbuvm, abs=1e-9)


def test_land_curves_equal_multilinear_interpolation(curves):
    expected = land_interpolator(curves)
    rng = seeded(11)
    for _ in range(500):
        f, t = rng.uniform(100, 2000), rng.uniform(1, 50)
        d, h1 = 10 ** rng.uniform(0, 3), 10 ** rng.uniform(1, math.log10(1200))
        found, branch, valid = link(curves, f_mhz=f, t_pct=t, d_km=d, heff_m=h1)
        assert found == pytest.approx(expected(f, t, d, h1), abs=1e-9)
        assert (branch, valid) == (P1546.LAND, True)


def test_height_zero_follows_equation_9(curves):
    for k, (f, k_nu) in enumerate(((100.0, 1.35), (600.0, 3.31), (2000.0, 6.0))):
        e10, e20 = curves[k, 0, 2, 19, :2]
        ch1 = 6.03 - knife_edge(k_nu * math.degrees(math.atan(10 / 9000)))
        e0 = e10 + 0.5 * (e10 - e20 + ch1)
        assert field(curves, f_mhz=f, heff_m=0.0) == pytest.approx(e0, abs=1e-9)
        assert field(curves, f_mhz=f, heff_m=4.0) == pytest.approx(e0 + 0.4 * (e10 - e0), abs=1e-9)
        below = 6.03 - knife_edge(k_nu * math.degrees(math.atan(250 / 9000)))
        found, branch, _ = link(curves, f_mhz=f, heff_m=-250.0)
        assert found == pytest.approx(e0 + below, abs=1e-9)
        assert branch == P1546.LAND_H1_NEGATIVE


def test_height_above_1200_m_is_extrapolated_and_capped(curves):
    e600, e1200 = curves[1, 0, 2, 19, 6:]
    expected = e600 + (e1200 - e600) * math.log(2400 / 600) / math.log(2)
    free_space = 106.9 - 20 * math.log10(20)
    assert field(curves, heff_m=2400.0) == pytest.approx(min(expected, free_space), abs=1e-9)
    assert field(curves, d_km=1.0, heff_m=2900.0, terrain=True) == pytest.approx(106.9, abs=1e-9)


def test_low_antenna_over_sea_uses_the_common_logarithm(curves):
    # Eq. 11 at 600 MHz, h1 = 3 m, d = 8 km beyond D20: the reference codes divide by ln 2, 2.3 dB more.
    df, dh = 3.89e-5 * 600 * 20 * 10, 4.1 * (math.sqrt(20) + math.sqrt(10))
    d20 = df * dh / (df + dh)
    e10, e20 = curves[1, 1, 2, 7, :2]
    far_share = (8.0 - d20) / 8.0
    ch1 = 6.03 - knife_edge(3.31 * math.degrees(math.atan(10 / 9000)))
    e0 = e10 + 0.5 * (e10 - e20 + ch1)
    like_sea = e10 + (e20 - e10) * math.log10(3 / 10) / math.log10(2)
    expected = like_sea * (1 - far_share) + (e0 + 0.3 * (e10 - e0)) * far_share
    found, branch, valid = link(curves, d_km=8.0, sea_km=8.0, only_sea=True, heff_m=3.0)
    assert found == pytest.approx(expected, abs=1e-9)
    assert (branch, valid) == (P1546.SEA_H1_BELOW_10M, True)
    assert 2.2 < (e20 - e10) * (1 - far_share) * math.log10(0.3) * (1 / math.log(2) - 1 / math.log10(2)) < 2.5


def test_low_antenna_over_sea_is_at_the_maximum_inside_its_fresnel_distance(curves):
    found = field(curves, f_mhz=2000.0, t_pct=1.0, d_km=2.0, sea_km=2.0, only_sea=True, heff_m=9.0)
    maximum = 106.9 - 20 * math.log10(2) + 2.38 * (1 - math.exp(-2 / 8.94)) * math.log10(50)
    assert found == pytest.approx(maximum, abs=1e-9)


def test_sea_below_100_mhz_is_at_the_maximum_inside_its_fresnel_distance(curves):
    found, branch, _ = link(curves, f_mhz=50.0, t_pct=1.0, d_km=5.0, sea_km=5.0, only_sea=True, heff_m=300.0)
    maximum = 106.9 - 20 * math.log10(5) + 2.38 * (1 - math.exp(-5 / 8.94)) * math.log10(50)
    assert found == pytest.approx(maximum, abs=1e-9)
    assert branch in (P1546.SEA_BELOW_100MHZ, P1546.FIELD_LIMIT)


def test_sea_part_of_a_mixed_path_stands_at_least_3_m_high(curves):
    low = link(curves, d_km=30.0, sea_km=29.9, heff_m=-20.0)
    land = field(curves, d_km=30.0, heff_m=-20.0)
    sea = field(curves, d_km=30.0, sea_km=30.0, only_sea=True, heff_m=3.0)
    a0 = 1 - (0.1 / 30) ** (2 / 3)
    expected = land + a0 ** max(1, 1 + (sea - land) / 40) * (sea - land)
    assert low[0] == pytest.approx(expected, abs=1e-9)
    assert low[1:] == (P1546.MIXED, True)


def test_warm_and_cold_sea_share_the_median_curves_only(curves):
    sea = {"d_km": 200.0, "sea_km": 200.0, "only_sea": True}
    assert field(curves, **sea) == field(curves, **sea, warm_sea=True)
    assert field(curves, **sea, t_pct=1.0) < field(curves, **sea, t_pct=1.0, warm_sea=True)


FREQUENCY = st.floats(30, 4000)
TIME = st.floats(1, 50)
HEIGHT = st.floats(-300, 3000)


@settings(max_examples=300, deadline=None)
@given(f=st.floats(100, 2000), t=TIME, d=st.floats(1, 990), h=HEIGHT, more=st.floats(1.001, 3))
def test_land_field_falls_with_distance(f, t, d, h, more):
    near = field(CURVES, f_mhz=f, t_pct=t, d_km=d, heff_m=h)
    assert field(CURVES, f_mhz=f, t_pct=t, d_km=min(d * more, 1000.0), heff_m=h) <= near + 1e-9


@settings(max_examples=300, deadline=None)
@given(f=st.floats(100, 2000), t=TIME, d=st.floats(1, 1000), h=HEIGHT, more=st.floats(0.1, 500))
def test_land_field_rises_with_height(f, t, d, h, more):
    low = field(CURVES, f_mhz=f, t_pct=t, d_km=d, heff_m=h)
    assert field(CURVES, f_mhz=f, t_pct=t, d_km=d, heff_m=min(h + more, 3000.0)) >= low - 1e-9


@settings(max_examples=300, deadline=None)
@given(
    f=st.floats(100, 2000), d=st.floats(1, 1000), h=st.floats(10, 1200), t=st.floats(1, 49), sea=st.booleans()
)
def test_field_falls_with_the_percentage_of_time(f, d, h, t, sea):
    # Holds where the method interpolates: the tabulated figures are in order and all weights positive. Not on
    # mixed paths, whose field may fall while that over sea rises (sec. 8: A = A0^(1 + difference / 40)).
    path = {"f_mhz": f, "d_km": d, "heff_m": h, "sea_km": d * sea, "only_sea": sea}
    assert field(CURVES, **path, t_pct=t + 1) <= field(CURVES, **path, t_pct=t) + 1e-9


def test_order_of_times_may_turn_where_heights_are_extrapolated(curves):
    # The reason for the range above: 600 and 1200 m at 70 km on land, 10 and 20 m at 1 km at sea.
    on_land, at_sea = curves[0, 0, 1:, list(NOMINAL_D_KM).index(70), 6:], curves[0, 1, 1:, 0, :2]
    for (near_10_pct, near_50_pct), doublings in ((on_land, math.log2(2.1)), (at_sea, math.log2(0.3))):
        assert np.all(near_10_pct >= near_50_pct)
        extrapolated = [e[0] + (e[1] - e[0]) * doublings for e in (near_10_pct, near_50_pct)]
        assert extrapolated[0] < extrapolated[1]


@settings(max_examples=200, deadline=None)
@given(d=st.floats(1, 1000), h=st.floats(10, 1200), f=FREQUENCY, t=TIME)
def test_field_is_continuous_at_the_nominal_values(d, h, f, t):
    nodes = {
        "d_km": (5.0, 20.0, 100.0, 200.0, 525.0),
        "heff_m": (0.0, 10.0, 37.5, 600.0, 1200.0),
        "f_mhz": (100.0, 600.0, 2000.0),
        "t_pct": (10.0,),
    }
    for name, node in ((name, node) for name, values in nodes.items() for node in values):
        inputs = {"d_km": d, "heff_m": h, "f_mhz": f, "t_pct": t}
        below = field(CURVES, **{**inputs, name: node * (1 - 1e-9) - 1e-12})
        above = field(CURVES, **{**inputs, name: node * (1 + 1e-9) + 1e-12})
        # Eq. 12 itself leaves 6.03 - J(0) = -0.003 dB at h1 = 0.
        assert below == pytest.approx(above, abs=0.004 if node == 0.0 else 1e-5)


def test_compiled_kernel_equals_python(curves):
    rng = seeded(3)
    for _ in range(50):
        inputs = {
            "f_mhz": rng.uniform(30, 4000),
            "t_pct": rng.uniform(1, 50),
            "d_km": 10 ** rng.uniform(-1.5, 3),
            "heff_m": rng.uniform(-100, 2000),
            "ha_m": rng.uniform(5, 100),
            "q_pct": rng.uniform(1, 99),
            "tca_deg": rng.uniform(-2, 20),
            "eff1_deg": 0.1,
            "eff2_deg": 0.2,
            "r1_m": 12.0,
        }
        inputs["sea_km"] = rng.uniform(0, inputs["d_km"])
        compiled = link(curves, **inputs)
        plain = link(curves, kernel=p1546_field.py_func, **inputs)
        assert compiled[0] == pytest.approx(plain[0], abs=1e-9)
        assert compiled[1:] == plain[1:]


def test_all_nodes_lie_below_free_space(curves):
    # A guard on the table file itself: land curves never exceed eq. 2.
    assert (curves[:, 0] < (106.9 - 20 * np.log10(DISTANCES_KM))[:, None]).all()


def test_above_2000_mhz_the_extrapolation_is_capped_before_corrections(curves):
    # Cold sea, 1 %, 10 m, 40 km: extrapolation to 4 GHz alone would be 11.9 dB above the maximum field.
    e600, e2000 = curves[1:, 1, 0, 23, 0]
    maximum = 106.9 - 20 * math.log10(40) + 2.38 * (1 - math.exp(-40 / 8.94)) * math.log10(50)
    weight = math.log(4000 / 600) / math.log(2000 / 600)
    assert e600 + weight * (e2000 - e600) == pytest.approx(maximum + 11.9, abs=0.1)
    sea = {"f_mhz": 4000.0, "t_pct": 1.0, "d_km": 40.0, "sea_km": 40.0, "only_sea": True, "heff_m": 10.0}
    lowered = (3.2 + 6.2 * math.log10(4000)) * math.log10(0.5)
    found, branch, _ = link(curves, **sea, h2_m=5.0)
    assert found == pytest.approx(maximum + lowered, abs=1e-9)
    assert branch == P1546.SEA


def test_low_antenna_on_a_mixed_path_is_at_the_maximum_of_that_path(curves):
    path = {"f_mhz": 2000.0, "t_pct": 1.0, "d_km": 1.5, "heff_m": 5.0}
    land = field(curves, **path)
    maximum = 106.9 - 20 * math.log10(1.5) + 0.5 * 2.38 * (1 - math.exp(-1.5 / 8.94)) * math.log10(50)
    a0 = 1 - 0.5 ** (2 / 3)
    expected = land + a0 ** max(1, 1 + (maximum - land) / 40) * (maximum - land)
    assert field(curves, **path, sea_km=0.75) == pytest.approx(expected, abs=1e-9)
