"""Free space, Okumura-Hata and extended Hata against published values, closed forms and one another."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.propagation.extended_hata import extended_hata_loss_db
from pipeline.propagation.free_space import free_space_field_dbuvm, free_space_loss_db
from pipeline.propagation.hata import Environment, hata_loss_db
from pipeline.units import loss_from_field_db
from tests.propagation.links import regimes

HATA, EXTENDED = regimes("hata"), regimes("extended_hata")


def hata(f, d, hb, hm, environment=Environment.URBAN):
    return hata_loss_db(f, d, hb, hm, int(environment))


def extended(f, d, h1, h2, environment=Environment.URBAN):
    return extended_hata_loss_db(f, d, h1, h2, int(environment))


def test_free_space_follows_the_ray_equation():
    exact = 20 * math.log10(4 * math.pi * 10_000 * 600e6 / 299_792_458)
    # P.525 rounds the constant 32.448 to 32.4.
    assert free_space_loss_db(10.0, 600.0) == pytest.approx(exact, abs=0.05)
    assert free_space_loss_db(10.0, 600.0) == pytest.approx(
        loss_from_field_db(free_space_field_dbuvm(10.0), 600.0)
    )


def test_hata_gives_the_well_known_urban_line_at_900_mhz():
    # L = 126.4 + 35.2 log d for 900 MHz, base 30 m, mobile 1.5 m in a small or medium city.
    for d_km in (1.0, 5.0, 20.0):
        assert hata(900.0, d_km, 30.0, 1.5)[0] == pytest.approx(126.4 + 35.2 * math.log10(d_km), abs=0.1)


@pytest.mark.parametrize(
    ("environment", "f_mhz", "expected_db"),
    [
        # 69.55 + 26.16 log f - 13.82 log 100 - a + 31.8 log 10; log 600 = 2.77815, log 200 = 2.30103.
        (Environment.URBAN, 600.0, 69.55 + 72.6764 - 27.64 - (2.35597 * 10 - 3.53392) + 31.8),
        (Environment.SUBURBAN, 600.0, 146.3864 - 20.0257 - 2 * 1.33099**2 - 5.4),
        (Environment.OPEN, 600.0, 146.3864 - 20.0257 - 4.78 * 7.71813 + 18.33 * 2.77815 - 40.94),
        (Environment.LARGE_CITY, 600.0, 146.3864 - (3.2 * 2.07004**2 - 4.97) + 0.0),
        (Environment.LARGE_CITY, 200.0, 69.55 + 60.1949 - 27.64 - (8.29 * 1.18752**2 - 1.1) + 31.8),
    ],
)
def test_hata_formula_by_hand(environment, f_mhz, expected_db):
    loss_db, branch, valid = hata(f_mhz, 10.0, 100.0, 10.0, environment)
    assert loss_db == pytest.approx(expected_db, abs=0.01)
    assert (branch, valid) == (HATA.HATA, True)


@pytest.mark.parametrize(
    "inputs",
    [
        (149, 5, 50, 2),
        (1501, 5, 50, 2),
        (600, 0.9, 50, 2),
        (600, 21, 50, 2),
        (600, 5, 29, 2),
        (600, 5, 201, 2),
        (600, 5, 50, 0.9),
        (600, 5, 50, 11),
    ],
)
def test_hata_outside_its_range_is_flagged_and_given(inputs):
    loss_db, _, valid = hata(*map(float, inputs))
    assert math.isfinite(loss_db)
    assert not valid


@settings(deadline=None)  # the first call compiles
@given(f=st.floats(150, 1500), d=st.floats(1, 20), hb=st.floats(30, 200), hm=st.floats(1, 10))
def test_extended_hata_continues_hata(f, d, hb, hm):
    # Constants rounded to 69.6 and 26.2: 0.05 + 0.04 log f.
    for environment in (Environment.OPEN, Environment.SUBURBAN, Environment.URBAN):
        difference = extended(f, d, hb, hm, environment)[0] - hata(f, d, hb, hm, environment)[0]
        floor = extended(f, d, hb, hm, environment)[1] == EXTENDED.FREE_SPACE
        assert floor or difference == pytest.approx(0.05 + 0.04 * math.log10(f), abs=1e-9)


@settings(deadline=None)  # the first call compiles
@given(
    f=st.floats(30, 3000),
    h1=st.floats(1, 200),
    h2=st.floats(1, 200),
    environment=st.sampled_from([Environment.OPEN, Environment.SUBURBAN, Environment.URBAN]),
)
def test_extended_hata_is_continuous_symmetric_and_above_free_space(f, h1, h2, environment):
    for d_km in (0.04, 0.1, 20.0):
        below = extended(f, d_km * (1 - 1e-9), h1, h2, environment)[0]
        above = extended(f, d_km * (1 + 1e-9), h1, h2, environment)[0]
        # The exponent 0.8 beyond 20 km has a vertical tangent there.
        assert below == pytest.approx(above, abs=1e-4)
        assert above == extended(f, d_km * (1 + 1e-9), h2, h1, environment)[0]
        assert above >= free_space_loss_db(math.hypot(d_km, (h1 - h2) / 1000), f) - 1e-6


@pytest.mark.parametrize("f_mhz", [150.0, 1500.0, 2000.0])
def test_extended_hata_frequency_ranges_meet(f_mhz):
    below, above = (extended(f_mhz * k, 5.0, 30.0, 1.5)[0] for k in (1 - 1e-9, 1 + 1e-9))
    # At 1500 MHz the two texts differ: 69.6 + 26.2 log f against 46.3 + 33.9 log f.
    step = abs(23.3 - 7.7 * math.log10(1500)) if f_mhz == 1500.0 else 0.0
    assert abs(above - below) == pytest.approx(step, abs=1e-5)


def test_extended_hata_names_its_parts():
    branches = [extended(600.0, d, 30.0, 1.5)[1] for d in (0.03, 0.07, 1.0)]
    assert branches == [
        EXTENDED.EXTENDED_HATA_BELOW_40M,
        EXTENDED.EXTENDED_HATA_BELOW_100M,
        EXTENDED.EXTENDED_HATA,
    ]
    assert extended(600.0, 0.2, 200.0, 150.0, Environment.OPEN)[1] == EXTENDED.FREE_SPACE
    assert [extended(600.0, d, 30.0, 1.5)[2] for d in (40.0, 41.0)] == [True, False]


def test_extended_hata_takes_low_bases_linearly():
    # b = 20 log10(hb / 30) below 30 m, where the other terms keep hb = 30 m.
    lower = extended(600.0, 5.0, 10.0, 1.5)[0] - extended(600.0, 5.0, 30.0, 1.5)[0]
    assert lower == pytest.approx(20 * math.log10(3), abs=1e-9)
