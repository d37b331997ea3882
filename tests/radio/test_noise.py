"""Interference limits against the published tables of RA.769, M.1808 cases, and planning fields."""

from __future__ import annotations

import math

import pytest

from pipeline.radio.noise import (
    interference_limit_dbm,
    isotropic_area_db_m2,
    limit_from_field_dbm,
    limit_from_flux_dbm,
    noise_dbm,
    noise_field_dbuvm,
    radiometer_limit_dbm,
)
from pipeline.units import field_dbuvm


@pytest.mark.parametrize(
    ("f_mhz", "bandwidth_mhz", "noise_figure_db", "gain_dbi", "i_n_db", "noise", "limit", "field"),
    [
        (460.0, 0.0125, 7.0, 6.0, -6.0, -126.03, -132.03, -7.57),
        (460.0, 0.0125, 7.0, 6.0, -10.0, -126.03, -136.03, -11.57),
        (796.0, 4.5, 9.0, 0.0, -6.0, -98.47, -104.47, 30.76),
        (847.0, 4.5, 5.0, 15.0, -6.0, -102.47, -108.47, 12.30),
    ],
)
def test_mobile_receivers_reproduce_the_table(
    f_mhz: float,
    bandwidth_mhz: float,
    noise_figure_db: float,
    gain_dbi: float,
    i_n_db: float,
    noise: float,
    limit: float,
    field: float,
) -> None:
    assert noise_dbm(bandwidth_mhz, noise_figure_db) == pytest.approx(noise, abs=0.05)
    limit_dbm = interference_limit_dbm(bandwidth_mhz, noise_figure_db, i_n_db)
    assert limit_dbm == pytest.approx(limit, abs=0.05)
    assert field_dbuvm(limit_dbm, f_mhz) - gain_dbi == pytest.approx(field, abs=0.05)
    assert limit_from_field_dbm(field, f_mhz, gain_dbi) == pytest.approx(limit, abs=0.05)


def test_radio_telescope_reproduces_table_1_of_ra_769() -> None:
    limit_dbm = radiometer_limit_dbm(20.0, 60.0, 6.0, 2000.0, 0.1)
    assert limit_dbm - 30.0 == pytest.approx(-202.0, abs=0.5)  # the printed table, dBW
    assert limit_dbm - 30.0 == pytest.approx(-202.18, abs=0.005)  # its own formula, worked by hand
    flux_dbw_m2 = limit_dbm - 30.0 - isotropic_area_db_m2(611.0)
    assert flux_dbw_m2 == pytest.approx(-185.01, abs=0.01)
    assert flux_dbw_m2 - 10.0 * math.log10(6e6) == pytest.approx(-252.79, abs=0.01)
    assert limit_from_flux_dbm(flux_dbw_m2, 611.0, 0.0) == pytest.approx(limit_dbm, abs=1e-12)
    assert field_dbuvm(limit_dbm, 611.0) == pytest.approx(-39.24, abs=0.01)


def test_flux_and_field_are_the_same_wave() -> None:
    # 1 uV/m in free space is 10 log10(1e-12 / 120 pi) = -145.76 dB(W/m2).
    assert limit_from_flux_dbm(-145.76, 800.0, 3.0) == pytest.approx(
        limit_from_field_dbm(0.0, 800.0, 3.0), abs=0.01
    )


def test_fixed_link_of_1_mhz_and_5_db_reproduces_the_worked_case() -> None:
    assert noise_dbm(1.0, 5.0) - 30.0 == pytest.approx(-139.0)
    assert interference_limit_dbm(1.0, 5.0, -20.0) - 30.0 == pytest.approx(-159.0)
    assert interference_limit_dbm(1.0, 5.0, -10.0) - 30.0 == pytest.approx(-149.0)


@pytest.mark.parametrize(
    # Planning fields (95 %, rooftop, extended 7.77 MHz) rounded to 0.1 dB, by constants rounded to 0.1 dB.
    ("f_mhz", "cn_db", "gain_dbd", "feeder_db", "planning_dbuvm"),
    [
        (474, 15.4, 10, 3, 46.9),
        (570, 15.4, 10, 3, 48.5),
        (650, 15.4, 12, 5, 49.7),
        (650, 18.1, 12, 5, 52.4),
        (690, 20.0, 12, 5, 54.8),
        (786, 22.0, 12, 5, 57.9),
    ],
)
def test_noise_field_is_the_planning_field_less_its_location_margin(
    f_mhz, cn_db, gain_dbd, feeder_db, planning_dbuvm
):
    found = noise_field_dbuvm(f_mhz, 7.77, 6.0, cn_db, gain_dbd, feeder_db)
    assert found == pytest.approx(planning_dbuvm - 9.05, abs=0.1)


def test_noise_field_golden_value_of_64qam():
    assert noise_field_dbuvm(650.0, 7.61, 6.0, 15.4, 12.0, 5.0) == pytest.approx(40.6, abs=0.05)
