"""Degradation of the location probability, and the permissible interfering level X that keeps it below dq.

X is the level of one more interferer relative to the nuisance field (medians).

The wanted level S, the existing nuisance U and the new interferer I are independent and normal in dB.
In levels relative to the median of U, with margin m = m_S - m_U, reception succeeds while
``10^(U/10) + 10^(I/10) <= 10^(S/10)``. With a = U - S this is ``a < 0`` and
``I - S <= g(a) = 10 log10(1 - 10^(a/10))``; given a, I - S is normal, so the loss of probability

    q1 - q2 = integral over a < 0 of n(a; -m, s^2) [1 - Phi((g(a) - mean(a)) / width)] da

with s^2 = sigma_S^2 + sigma_U^2 is one exact integral: the sum of the two log-normals is not approximated
(docs/method.md, section 5).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.kernels import kernel

# Location variation of a wanted digital broadcasting signal (Rec. ITU-R P.1546, planning value).
WANTED_SIGMA_DB = 5.5

# q_min is at least 0.5, so margins below 0 hardly occur; for a large dq X has no value far below 0.
MARGIN_MIN_DB = -5.0
MARGIN_MIN_LARGE_DQ_DB = 0.0
LARGE_DQ = 0.08
MAX_DQ = 0.30
MARGIN_MAX_DB = 40.0
MARGIN_STEP_DB = 0.25
# A Fenton-Wilkinson sum is never wider than its widest part (5.5 dB); the table goes well beyond that.
SIGMA_MAX_DB = 12.0
SIGMA_STEP_DB = 0.25
# Bilinear interpolation between the exact nodes stays within +-0.006 dB of the integral (tested);
# lowering every node by that much makes the whole table conservative, less than 0.02 dB off.
GUARD_DB = 0.006
# A steadier interferer is treated as if it varied by this much: at most 0.005 dB, which is conservative.
SIGMA_I_MIN_DB = 0.2

_NODES = 160
_SPAN = 8.0  # standard deviations of a covered by the quadrature; the rest holds 1e-15 of the probability
_LN10_10 = math.log(10.0) / 10.0
_SQRT2 = math.sqrt(2.0)
_SQRT_2PI = math.sqrt(2.0 * math.pi)


class PermissibleLevelTable(NamedTuple):
    """X on a regular grid: ``values_db`` float64[sigma_U, margin], for one sigma_i and dq."""

    values_db: NDArray[np.float64]
    margin_min_db: float
    margin_step_db: float
    sigma_step_db: float


@kernel
def permissible_level_db(table: PermissibleLevelTable, margin_db: float, sigma_u_db: float) -> float:
    """X in dB relative to m_U: bilinear in (margin, sigma_U), never above the exact value.

    Beyond the last margin X(last) + margin - last (docs/method.md, section 5). Below the first margin the
    first value: X rises again there, so this too is conservative. NaN in, NaN out.
    """
    values = table.values_db
    n_sigma, n_margin = values.shape
    if math.isnan(margin_db) or math.isnan(sigma_u_db):
        return math.nan
    column = (margin_db - table.margin_min_db) / table.margin_step_db
    beyond_db = max(0.0, (column - (n_margin - 1)) * table.margin_step_db)
    column = min(max(column, 0.0), n_margin - 1.0)
    row = min(max(sigma_u_db / table.sigma_step_db, 0.0), n_sigma - 1.0)
    j = min(int(column), n_margin - 2)
    i = min(int(row), n_sigma - 2)
    u = column - j
    v = row - i
    low = (1.0 - u) * values[i, j] + u * values[i, j + 1]
    high = (1.0 - u) * values[i + 1, j] + u * values[i + 1, j + 1]
    return (1.0 - v) * low + v * high + beyond_db


@lru_cache(maxsize=32)
def permissible_level_table(
    sigma_i_db: float, dq: float, wanted_sigma_db: float = WANTED_SIGMA_DB
) -> PermissibleLevelTable:
    """Table of X for an interferer of ``sigma_i_db`` and a fall ``dq`` (0.01 = 1 percentage point).

    Half a second each, and wanted for every range and map of a channel: computed once, not to be changed.
    """
    if not 0.0 < dq <= MAX_DQ:
        raise InputError("dq is outside its range", field="dq", value=dq, allowed=f"0 < dq <= {MAX_DQ}")
    if sigma_i_db < 0.0:
        raise InputError("negative standard deviation", field="sigma_i_db", value=sigma_i_db, allowed=">= 0")
    first_db = MARGIN_MIN_LARGE_DQ_DB if dq > LARGE_DQ else MARGIN_MIN_DB
    margin_db = np.arange(first_db, MARGIN_MAX_DB + 0.5 * MARGIN_STEP_DB, MARGIN_STEP_DB)
    sigma_u_db = np.arange(0.0, SIGMA_MAX_DB + 0.5 * SIGMA_STEP_DB, SIGMA_STEP_DB)
    exact_db = exact_permissible_level_db(margin_db, sigma_u_db, sigma_i_db, dq, wanted_sigma_db)
    return PermissibleLevelTable(exact_db - GUARD_DB, first_db, MARGIN_STEP_DB, SIGMA_STEP_DB)


def exact_permissible_level_db(
    margin_db: NDArray[np.float64],
    sigma_u_db: NDArray[np.float64],
    sigma_i_db: float,
    dq: float,
    wanted_sigma_db: float = WANTED_SIGMA_DB,
) -> NDArray[np.float64]:
    """X by quadrature for every pair of ``sigma_u_db`` (rows) and ``margin_db`` (columns, ascending)."""
    # A narrow interferer makes the integrand steep where sigma_U is small: more panels then.
    nodes, weights = _panels(1 if sigma_i_db >= 2.0 else 8)
    steadiest_db = max(sigma_i_db, SIGMA_I_MIN_DB)
    return _solve(margin_db, sigma_u_db, steadiest_db, dq, wanted_sigma_db, nodes, weights)


def degradation_of(
    x_db: NDArray[np.float64],
    margin_db: NDArray[np.float64],
    sigma_u_db: NDArray[np.float64],
    sigma_i_db: NDArray[np.float64],
    dq: float,
    wanted_sigma_db: float = WANTED_SIGMA_DB,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """q1 - q2 under interferers of median ``x_db`` relative to m_U, and how far they lie above X, in dB.

    All float64[n]; the second is 0 where the fall is at most ``dq``.
    """
    nodes, weights = _panels(1 if sigma_i_db.size == 0 or sigma_i_db.min() >= 2.0 else 8)
    steadiest_db = np.maximum(sigma_i_db, SIGMA_I_MIN_DB)
    return _falls(x_db, margin_db, sigma_u_db, steadiest_db, dq, wanted_sigma_db, nodes, weights)


def _panels(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre nodes and weights on 0..1, cut into ``count`` equal panels."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    starts = np.arange(count)[:, np.newaxis]
    return ((starts + 0.5 * (1.0 + nodes)) / count).ravel(), np.tile(0.5 * weights / count, count)


@kernel
def _solve(
    margin_db: NDArray[np.float64],
    sigma_u_db: NDArray[np.float64],
    sigma_i_db: float,
    dq: float,
    wanted_sigma_db: float,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """X for all pairs of margin and sigma_U, each from the last one."""
    out_db = np.empty((sigma_u_db.size, margin_db.size))
    below_db = np.empty(nodes.size)
    density = np.empty(nodes.size)
    conditional_db = np.empty(nodes.size)
    for i in range(sigma_u_db.size):
        x_db = -15.0
        for j in range(margin_db.size):
            width_db = _prepare(
                margin_db[j],
                sigma_u_db[i],
                sigma_i_db,
                wanted_sigma_db,
                nodes,
                weights,
                below_db,
                density,
                conditional_db,
            )
            x_db = _newton(x_db, dq, width_db, below_db, density, conditional_db)
            out_db[i, j] = x_db
    return out_db


@kernel
def _falls(
    x_db: NDArray[np.float64],
    margin_db: NDArray[np.float64],
    sigma_u_db: NDArray[np.float64],
    sigma_i_db: NDArray[np.float64],
    dq: float,
    wanted_sigma_db: float,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    falls = np.empty(x_db.size)
    above_db = np.zeros(x_db.size)
    below_db = np.empty(nodes.size)
    density = np.empty(nodes.size)
    conditional_db = np.empty(nodes.size)
    for i in range(x_db.size):
        width_db = _prepare(
            margin_db[i],
            sigma_u_db[i],
            sigma_i_db[i],
            wanted_sigma_db,
            nodes,
            weights,
            below_db,
            density,
            conditional_db,
        )
        falls[i] = _fall(x_db[i], width_db, below_db, density, conditional_db)[0]
        if falls[i] > dq:
            above_db[i] = x_db[i] - _newton(x_db[i], dq, width_db, below_db, density, conditional_db)
    return falls, above_db


@kernel
def _newton(
    x_db: float,
    dq: float,
    width_db: float,
    below_db: NDArray[np.float64],
    density: NDArray[np.float64],
    conditional_db: NDArray[np.float64],
) -> float:
    """The median at which the fall is ``dq``, from any start: ln(q1 - q2) is increasing and concave in it."""
    for _ in range(100):
        fall, slope = _fall(x_db, width_db, below_db, density, conditional_db)
        step_db = (math.log(dq) - math.log(max(fall, 1e-300))) * fall / max(slope, 1e-300)
        x_db += min(max(step_db, -30.0), 30.0)
        if abs(step_db) < 1e-9:
            break
    return x_db


@kernel
def _prepare(
    margin_db: float,
    sigma_u_db: float,
    sigma_i_db: float,
    wanted_sigma_db: float,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
    below_db: NDArray[np.float64],
    density: NDArray[np.float64],
    conditional_db: NDArray[np.float64],
) -> float:
    """Fill g(a), weight and mean of I - S - X at each node a = U - S; returns the width of I - S."""
    wanted_var = wanted_sigma_db * wanted_sigma_db
    total_var = wanted_var + sigma_u_db * sigma_u_db
    total_db = math.sqrt(total_var)
    first_db = -margin_db - _SPAN * total_db
    last_db = min(0.0, -margin_db + _SPAN * total_db)
    # Nodes crowd towards a = 0, where a weak interferer counts within a few hundredths of a dB.
    for k in range(nodes.size):
        u = nodes[k]
        a_db = last_db - (last_db - first_db) * u * u
        z = (a_db + margin_db) / total_db
        below_db[k] = math.log(-math.expm1(_LN10_10 * a_db)) / _LN10_10
        density[k] = (
            weights[k] * 2.0 * u * (last_db - first_db) * math.exp(-0.5 * z * z) / (total_db * _SQRT_2PI)
        )
        conditional_db[k] = -margin_db + wanted_var / total_var * (a_db + margin_db)
    width_var = sigma_i_db * sigma_i_db + wanted_var * (1.0 - wanted_var / total_var)
    return math.sqrt(max(width_var, 1e-4))


@kernel
def _fall(
    x_db: float,
    width_db: float,
    below_db: NDArray[np.float64],
    density: NDArray[np.float64],
    conditional_db: NDArray[np.float64],
) -> tuple[float, float]:
    """q1 - q2 for an interferer of median ``x_db``, and its derivative by ``x_db``."""
    fall = 0.0
    slope = 0.0
    for k in range(below_db.size):
        z = (below_db[k] - conditional_db[k] - x_db) / width_db
        fall += density[k] * 0.5 * math.erfc(z / _SQRT2)
        slope += density[k] * math.exp(-0.5 * z * z)
    return fall, slope / (_SQRT_2PI * width_db)
