"""Receiving antenna by hand: BT.419-3 and the polarisation rule of GE06 planning."""

from __future__ import annotations

import math

import pytest

from pipeline.radio.antennas import POLARISATION_CODES, Polarisation, directivity_db, discrimination_db

U, H, V, M = map(
    int, (Polarisation.UNKNOWN, Polarisation.HORIZONTAL, Polarisation.VERTICAL, Polarisation.MIXED)
)


@pytest.mark.parametrize(
    ("angle_deg", "band_iv_db", "band_iii_db"),
    [(0, 0, 0), (20, 0, 0), (27, 2.8, 0), (40, 8, 13 * 12 / 33), (60, 16, 12), (61, 16, 12), (180, 16, 12)],
)
def test_directivity_follows_bt419(angle_deg, band_iv_db, band_iii_db):
    assert directivity_db(angle_deg, 20.0, 60.0, 16.0) == pytest.approx(band_iv_db)
    assert directivity_db(angle_deg, 27.0, 60.0, 12.0) == pytest.approx(band_iii_db)


@pytest.mark.parametrize("wanted", [H, V])
@pytest.mark.parametrize("directed_db", [0.0, 4.0, 16.0])
def test_same_and_unknown_polarisation_keep_the_directivity(wanted, directed_db):
    assert discrimination_db(wanted, wanted, directed_db, 16.0) == directed_db
    assert discrimination_db(wanted, U, directed_db, 16.0) == directed_db


@pytest.mark.parametrize(("wanted", "other"), [(H, V), (V, H)])
@pytest.mark.parametrize("directed_db", [0.0, 4.0, 16.0])
def test_orthogonal_polarisation_is_flat_and_not_added(wanted, other, directed_db):
    assert discrimination_db(wanted, other, directed_db, 16.0) == 16.0


@pytest.mark.parametrize("wanted", [H, V])
def test_mixed_interferer_is_the_power_sum_of_its_halves(wanted):
    # both halves at -16 dB: 16 dB; main direction: half passes, and 0.0251 of the other half
    assert discrimination_db(wanted, M, 16.0, 16.0) == pytest.approx(16.0)
    assert discrimination_db(wanted, M, 0.0, 16.0) == pytest.approx(-10 * math.log10(0.5 + 0.5 * 0.0251189))
    co, cross = 10 * math.log10(0.5) - 6.0, 10 * math.log10(0.5) - 16.0
    total = 10 * math.log10(10 ** (co / 10) + 10 ** (cross / 10))
    assert discrimination_db(wanted, M, 6.0, 16.0) == pytest.approx(-total)


@pytest.mark.parametrize("wanted", [M, U])
@pytest.mark.parametrize("other", [U, H, V, M])
def test_mixed_or_unknown_wanted_has_no_discrimination(wanted, other):
    assert discrimination_db(wanted, other, 16.0, 16.0) == 0.0


def test_register_letters_have_codes():
    assert POLARISATION_CODES == {"": U, "H": H, "V": V, "M": M}
