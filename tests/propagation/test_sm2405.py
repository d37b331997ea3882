"""Annex 5 of Report ITU-R SM.2405 (Russian trials): link budgets and required fields."""

from __future__ import annotations

import math

import pytest
from scipy.optimize import brentq

from pipeline.propagation.p1546.corrections import normal_deviate
from tests.propagation.links import field

# Table A5-1: transmitter power W, antenna gain dBd, printed e.r.p. dBW, required field dB(uV/m), distance km.
COLUMNS = (
    (1, 12, 9.5, 35.6, 6.8),
    (1, 12, 9.5, 42.0, 5.0),
    (1, 10, 7.5, 51.8, 2.8),
    (25, 12, 23.5, 35.6, 13.6),
    (25, 12, 23.5, 42.0, 9.9),
    (25, 10, 21.5, 51.8, 5.7),
)
FEEDER_DB = 1.5
PRINTED_KM = [column[-1] for column in COLUMNS]


def distances_km(curves, **settings):
    """Where the field of the printed e.r.p. falls to the required one; 600 MHz, receiver at 10 m."""

    def excess_db(d_km, column):
        _, _, erp_dbw, required_dbuvm, _ = column
        return field(curves, f_mhz=600.0, d_km=d_km, **settings) + erp_dbw - 30 - required_dbuvm

    return [brentq(excess_db, 0.05, 100, args=(column,)) for column in COLUMNS]


def test_printed_erp_is_one_decibel_below_its_formula():
    for power_w, gain_dbd, printed_dbw, _, _ in COLUMNS:
        formula_dbw = 10 * math.log10(power_w) + gain_dbd - FEEDER_DB
        assert printed_dbw == pytest.approx(formula_dbw - 1.0, abs=0.022)


def test_erp_formula_values():
    formula = [10 * math.log10(power_w) + gain_dbd - FEEDER_DB for power_w, gain_dbd, *_ in COLUMNS]
    assert formula == pytest.approx([10.5, 10.5, 8.5, 24.479, 24.479, 22.479], abs=1e-3)


@pytest.mark.parametrize(
    ("q_pct", "reference_km"),
    [(70.0, [3.86, 2.79, 1.44, 7.53, 5.56, 3.13]), (50.0, [5.23, 3.84, 2.08, 10.12, 7.49, 4.27])],
)
def test_distances_for_an_antenna_at_clutter_height_equal_the_reference_code(curves, q_pct, reference_km):
    # The reference run has h1 = 10 m in clutter of 10 m: R1 = 10 m takes J(0) = 6.0 dB.
    found = distances_km(curves, heff_m=10.0, ha_m=10.0, r1_m=10.0, q_pct=q_pct)
    assert found == pytest.approx(reference_km, rel=0.02)


def test_distances_for_20_m_equal_the_reference_code_and_come_near_the_table(curves):
    found = distances_km(curves, heff_m=20.0, ha_m=20.0, q_pct=70.0)
    assert found == pytest.approx([6.86, 4.94, 2.51, 13.53, 9.96, 5.54], rel=0.002)
    assert found == pytest.approx(PRINTED_KM, rel=0.12)


def test_printed_distances_are_those_of_10_m_and_the_median(curves):
    # The required field of the table is already that for 70 % of locations.
    found = distances_km(curves, heff_m=10.0, ha_m=10.0)
    assert found == pytest.approx(PRINTED_KM, rel=0.03)


@pytest.mark.parametrize(
    ("e50", "e70", "e95"), [(32.3, 35.2, 41.4), (38.4, 41.3, 47.5), (44.0, 46.9, 53.0), (49.4, 52.3, 58.4)]
)
def test_required_fields_of_table_a5_2_follow_the_location_rule(e50, e70, e95):
    sigma_db = 5.5
    # To hold at q % of locations the median must exceed the level by Qi(1 - q) sigma.
    assert e50 + normal_deviate(0.30) * sigma_db == pytest.approx(e70, abs=0.1)
    assert e50 + normal_deviate(0.05) * sigma_db == pytest.approx(e95, abs=0.1)
