"""The nuisance field of several interferers and the probability that the wanted field exceeds it.

Levels are medians in dB(uV/m); a log-normal level has a standard deviation in dB. Sums of log-normal powers
are approximated by one log-normal of the same mean and variance (Fenton-Wilkinson).
"""

from __future__ import annotations

import math

from pipeline.kernels import kernel

# Nepers of power per dB.
NEPER_PER_DB = math.log(10.0) / 10.0
# Interferers that together change the median nuisance by at most this may be left out.
LEFT_OUT_DB = 0.01
# Fraction of the summed mean power that, left out, certainly changes the median by no more (``negligible``).
LEFT_OUT_FRACTION = LEFT_OUT_DB * NEPER_PER_DB / 2.0


@kernel
def lognormal_mean(median_db: float, sigma_db: float) -> float:
    """Mean power (linear, reference 0 dB) of a log-normal level with this median and standard deviation."""
    s = NEPER_PER_DB * sigma_db
    return math.exp(NEPER_PER_DB * median_db + 0.5 * s * s)


@kernel
def variance_per_square(sigma_db: float) -> float:
    """Variance of a log-normal power over the square of its mean: exp(s^2) - 1."""
    s = NEPER_PER_DB * sigma_db
    return math.exp(s * s) - 1.0


@kernel
def fenton_wilkinson(mean: float, variance: float) -> tuple[float, float]:
    """Median in dB and standard deviation in dB of the log-normal with this mean and variance of power.

    s^2 = ln(1 + variance / mean^2), m = ln mean - s^2 / 2 (Fenton 1960).
    """
    s2 = math.log1p(variance / (mean * mean))
    return (math.log(mean) - 0.5 * s2) / NEPER_PER_DB, math.sqrt(s2) / NEPER_PER_DB


@kernel
def negligible(left_mean: float, mean: float) -> bool:
    """Whether terms of total mean power ``left_mean`` may be left out of a sum of mean power ``mean``.

    The median is F = 2 ln M - ln(M^2 + V) / 2 in nepers; further terms raise M by x M and V by something
    positive, hence F by at most 2 ln(1 + x) <= 2 x. With x <= LEFT_OUT_FRACTION that is at most 0.01 dB.
    """
    return left_mean <= LEFT_OUT_FRACTION * mean


@kernel
def location_probability(
    wanted_dbuvm: float, nuisance_dbuvm: float, wanted_sigma_db: float, nuisance_sigma_db: float
) -> float:
    """q1 = Phi((m_S - m_U) / sqrt(sigma_S^2 + sigma_U^2)), docs/method.md, section 4."""
    spread_db = math.sqrt(wanted_sigma_db * wanted_sigma_db + nuisance_sigma_db * nuisance_sigma_db)
    return 0.5 * math.erfc((nuisance_dbuvm - wanted_dbuvm) / (spread_db * math.sqrt(2.0)))
