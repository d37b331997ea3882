"""Permissible interfering level X against worked values, an independent double integral and a Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from scipy.stats import norm

from pipeline.dtt.degradation import (
    MARGIN_MAX_DB,
    PermissibleLevelTable,
    exact_permissible_level_db,
    permissible_level_db,
    permissible_level_table,
)
from pipeline.errors import InputError

Q1 = (0.70, 0.80, 0.90, 0.95, 0.97, 0.99, 0.995, 0.999)
# Worked values of the method (80-node Gauss-Hermite) for sigma_U = 0: {(sigma_i, dq): X by q1}.
GOLDEN_DB = {
    (0.0, 0.01): (-14.34, -13.41, -11.42, -9.18, -7.47, -3.85, -1.73, 2.44),
    (3.5, 0.01): (-15.71, -14.79, -12.82, -10.62, -8.96, -5.51, -3.51, 0.40),
    (5.5, 0.01): (-17.65, -16.76, -14.83, -12.70, -11.11, -7.83, -5.96, -2.25),
    (0.0, 0.07): (-5.59, -4.74, -2.89, -0.90, 0.55, 3.45, 5.07, 8.32),
    (3.5, 0.07): (-6.71, -5.90, -4.12, -2.19, -0.78, 2.04, 3.64, 6.85),
    (5.5, 0.07): (-8.17, -7.43, -5.72, -3.84, -2.47, 0.29, 1.86, 5.03),
}


def margin_db(q1: float, sigma_u_db: float = 0.0) -> float:
    return float(norm.ppf(q1) * np.hypot(5.5, sigma_u_db))


def reception_probability(margin: float, sigma_u: float, sigma_i: float, x: float) -> float:
    """Pr{S >= U + I} by a fine sum over the plane of U and I: no formula of the module."""
    z = np.linspace(-9.0, 9.0, 721)
    weight = norm.pdf(z) * (z[1] - z[0])
    u, i = sigma_u * z[:, np.newaxis], x + sigma_i * z[np.newaxis, :]
    total = 10 * np.log10(10 ** (u / 10) + 10 ** (i / 10))
    return float(weight @ norm.cdf((margin - total) / 5.5) @ weight)


@pytest.fixture(scope="module")
def tables() -> dict[tuple[float, float], PermissibleLevelTable]:
    return {key: permissible_level_table(*key) for key in GOLDEN_DB if key[0] > 0}


@pytest.mark.parametrize("key", GOLDEN_DB)
def test_exact_values_match_the_worked_table(key):
    for q1, expected_db in zip(Q1, GOLDEN_DB[key], strict=True):
        found_db = exact_permissible_level_db(np.array([margin_db(q1)]), np.zeros(1), *key)[0, 0]
        assert found_db == pytest.approx(expected_db, abs=0.012), q1


def test_table_lookup_matches_the_worked_table(tables):
    for key, table in tables.items():
        for q1, expected_db in zip(Q1, GOLDEN_DB[key], strict=True):
            assert permissible_level_db(table, margin_db(q1), 0.0) == pytest.approx(expected_db, abs=0.02)


def test_wide_nuisance_gives_the_worked_value(tables):
    found_db = permissible_level_db(tables[5.5, 0.01], margin_db(0.95, 5.5), 5.5)
    assert found_db == pytest.approx(-7.57, abs=0.015)


@pytest.mark.parametrize(
    ("margin", "sigma_u", "sigma_i", "dq"),
    [(2.9, 1.7, 3.5, 0.01), (9.0, 5.5, 5.5, 0.01), (20.3, 3.3, 5.5, 0.07), (31.0, 0.0, 3.5, 0.01)],
)
def test_exact_value_solves_an_independent_integral(margin, sigma_u, sigma_i, dq):
    q1 = norm.cdf(margin / np.hypot(5.5, sigma_u))
    expected_db = optimize.brentq(
        lambda x: q1 - reception_probability(margin, sigma_u, sigma_i, x) - dq, -40, 40, xtol=1e-4
    )
    found_db = exact_permissible_level_db(np.array([margin]), np.array([sigma_u]), sigma_i, dq)[0, 0]
    assert found_db == pytest.approx(expected_db, abs=1e-3)


@pytest.mark.parametrize(("q1", "sigma_u", "sigma_i", "dq"), [(0.95, 5.5, 5.5, 0.01), (0.8, 2.0, 3.5, 0.07)])
def test_adding_the_allowed_interferer_costs_dq_in_a_monte_carlo(q1, sigma_u, sigma_i, dq):
    rng = np.random.default_rng(7)
    n = 2_000_000
    margin = margin_db(q1, sigma_u)
    x = exact_permissible_level_db(np.array([margin]), np.array([sigma_u]), sigma_i, dq)[0, 0]
    s = margin + 5.5 * rng.standard_normal(n)
    u = sigma_u * rng.standard_normal(n)
    i = x + sigma_i * rng.standard_normal(n)
    # The same draws with and without the interferer: only receptions that it breaks are counted.
    lost = np.mean((s >= u) & (10 ** (s / 10) < 10 ** (u / 10) + 10 ** (i / 10)))
    assert lost == pytest.approx(dq, abs=5 * np.sqrt(dq / n))


@pytest.mark.parametrize(("sigma_i", "dq"), [(3.5, 0.01), (5.5, 0.01), (5.5, 0.07), (3.5, 0.30)])
def test_interpolation_stays_below_the_exact_value_by_less_than_two_hundredths(sigma_i, dq):
    rng = np.random.default_rng(3)
    first = -5.0 if dq < 0.08 else 0.0
    margins = np.sort(rng.uniform(first, MARGIN_MAX_DB, 200))
    sigmas = np.sort(rng.uniform(0.0, 12.0, 40))
    exact_db = exact_permissible_level_db(margins, sigmas, sigma_i, dq)
    table = permissible_level_table(sigma_i, dq)
    found_db = np.array([[permissible_level_db(table, m, s) for m in margins] for s in sigmas])
    assert (found_db - exact_db).max() <= 0.0
    assert (found_db - exact_db).min() > -0.02


def test_beyond_the_table_grows_one_for_one_and_stays_protected(tables):
    table = tables[5.5, 0.01]
    at_end_db = permissible_level_db(table, MARGIN_MAX_DB, 2.2)
    assert permissible_level_db(table, MARGIN_MAX_DB + 17.25, 2.2) == pytest.approx(
        at_end_db + 17.25, abs=1e-9
    )
    exact_db = exact_permissible_level_db(np.array([57.25]), np.array([2.2]), 5.5, 0.01)[0, 0]
    assert -0.02 < at_end_db + 17.25 - exact_db <= 0.0


def test_below_the_table_the_first_value_is_not_above_the_exact_one(tables):
    exact_db = exact_permissible_level_db(np.array([-7.0, -6.0]), np.array([0.0, 5.5]), 5.5, 0.01)
    for i, sigma_u in enumerate((0.0, 5.5)):
        for j, margin in enumerate((-7.0, -6.0)):
            assert permissible_level_db(tables[5.5, 0.01], margin, sigma_u) <= exact_db[i, j]


def test_a_wider_nuisance_never_allows_less_at_the_served_limit(tables):
    """The interference range rests on it: q_min with a noise of fixed level is the worst served victim."""
    for table in tables.values():
        worst_db = permissible_level_db(table, margin_db(0.70), 0.0)
        for sigma_u in np.linspace(0.0, 12.0, 37):
            for q1 in (0.70, 0.71, 0.8, 0.9, 0.97, 0.9999):
                assert permissible_level_db(table, margin_db(q1, sigma_u), sigma_u) >= worst_db - 0.01


def test_nothing_known_gives_nothing(tables):
    table = tables[5.5, 0.01]
    assert np.isnan(permissible_level_db(table, np.nan, 1.0))
    assert np.isnan(permissible_level_db(table, 9.0, np.nan))


@pytest.mark.parametrize("dq", [0.0, -0.01, 0.31, np.nan])
def test_impossible_degradation_is_refused(dq):
    with pytest.raises(InputError, match="dq"):
        permissible_level_table(5.5, dq)
