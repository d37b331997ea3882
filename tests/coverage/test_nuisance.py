"""Fenton-Wilkinson sum and location probability against golden values, scipy and Monte Carlo."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import lognorm, norm

from pipeline.coverage.nuisance import (
    LEFT_OUT_FRACTION,
    fenton_wilkinson,
    location_probability,
    lognormal_mean,
    lognormal_means,
    negligible,
    variance_per_square,
)

B = math.log(10) / 10


def total(noise_db, levels_db, sigma_db=5.5):
    means = [lognormal_mean(level, sigma_db) for level in levels_db]
    noise = 0.0 if noise_db is None else 10 ** (noise_db / 10)
    return fenton_wilkinson(
        noise + sum(means), variance_per_square(sigma_db) * sum(mean * mean for mean in means)
    )


@pytest.mark.parametrize("sigma_db", [0.0, 3.5, 5.5, 8.0])
def test_lognormal_moments_agree_with_scipy(sigma_db):
    s = max(sigma_db * B, 1e-12)
    law = lognorm(s=s, scale=10 ** (37.0 / 10))
    assert lognormal_mean(37.0, sigma_db) == pytest.approx(law.mean(), rel=1e-9)
    assert variance_per_square(sigma_db) == pytest.approx(law.var() / law.mean() ** 2, rel=1e-6, abs=1e-12)


def test_one_interferer_keeps_its_median_and_spread():
    assert total(None, [43.2]) == pytest.approx((43.2, 5.5))


def test_noise_alone_has_no_spread():
    assert total(40.6, []) == pytest.approx((40.6, 0.0))


def test_equal_interferers_follow_the_closed_form():
    n, s2 = 4, (5.5 * B) ** 2
    total2 = math.log(1 + (math.exp(s2) - 1) / n)
    median = (math.log(n) + 40 * B + s2 / 2 - total2 / 2) / B
    assert total(None, [40.0] * n) == pytest.approx((median, math.sqrt(total2) / B))


def test_sum_has_the_mean_and_variance_of_a_monte_carlo_sum():
    rng = np.random.default_rng(8)
    levels = np.array([38.0, 41.0, 35.0, 30.0])
    draws = 10**4.06 + (10 ** ((levels + 5.5 * rng.standard_normal((2_000_000, 4))) / 10)).sum(axis=1)
    median, sigma = total(40.6, levels)
    law = lognorm(s=sigma * B, scale=10 ** (median / 10))
    assert law.mean() == pytest.approx(draws.mean(), rel=0.01)
    assert law.std() == pytest.approx(draws.std(), rel=0.05)


@pytest.mark.parametrize("margin_db", [-30.0, -3.0, 0.0, 2.88, 9.05, 40.0])
@pytest.mark.parametrize("sigma_db", [0.0, 2.2, 5.5])
def test_location_probability_is_the_normal_distribution(margin_db, sigma_db):
    expected = norm.cdf(margin_db / np.hypot(5.5, sigma_db))
    found = location_probability(40.0 + margin_db, 40.0, 5.5, sigma_db)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_negligible_terms_change_the_median_by_a_hundredth_at_most():
    rng = np.random.default_rng(9)
    largest = 0.0
    for _ in range(2000):
        levels = list(rng.uniform(0, 70, rng.integers(0, 6)))
        noise = rng.uniform(35, 50)
        kept = 10 ** (noise / 10) + sum(lognormal_mean(level, 5.5) for level in levels)
        count = rng.integers(1, 40)
        shares = rng.dirichlet(np.ones(count)) * LEFT_OUT_FRACTION * kept
        assert negligible(0.999 * shares.sum(), kept)
        left = [10 * math.log10(share / lognormal_mean(0.0, 5.5)) for share in shares]
        change_db = total(noise, levels + left)[0] - total(noise, levels)[0]
        largest = max(largest, change_db)
        assert -1e-9 <= change_db <= 0.01
    assert largest > 0.004
    assert not negligible(1.001 * LEFT_OUT_FRACTION, 1.0)


def test_means_of_many_are_those_of_one():
    median_db = np.append(np.linspace(-370.0, 340.0, 5001), [-9000.0, 9000.0, np.inf]).astype(np.float32)
    found, whole, power = np.empty((3, median_db.size), np.float32)
    for sigma_db in (0.0, 5.5, 12.0):
        lognormal_means(median_db, sigma_db, found, whole, power)
        level_db = median_db[:5001].astype(np.float64)
        expected = 10.0 ** (level_db / 10.0) * np.exp(0.5 * (np.log(10.0) / 10.0 * sigma_db) ** 2)
        assert np.abs(10.0 * np.log10(found[:5001] / expected)).max() < 5e-5
        assert 0.0 < found[-3] < 1e-37
        assert (found[-2:] > 1e37).all()
