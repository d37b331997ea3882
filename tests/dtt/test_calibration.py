"""The calibrated permissible level: the true fall of location probability stays below dq, by convolution.

The distribution of the nuisance is computed here by direct numerical convolution of noise and log-normal
interferers; of the package come the Fenton-Wilkinson sum, q1 and the permissible level, as a map has them.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from pipeline.config.config import Config
from pipeline.config.protection import Protection
from pipeline.coverage.nuisance import fenton_wilkinson, lognormal_mean, variance_per_square
from pipeline.dtt.calibration import (
    CalibratedLevels,
    calibrated_level_db,
    calibration_db,
    calibration_notice,
    calibration_of,
)
from pipeline.dtt.degradation import permissible_level_table
from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config

SIGMA_DB = 5.5
STEP_DB = 0.05


@pytest.fixture(scope="module")
def config(repository) -> Config:
    return load_config(repository / "configs/slovenia.yaml")


def with_changes(config: Config, *, dq_pct: float = 1.0, sigma_db: float = SIGMA_DB, **protection) -> Config:
    device = config.devices[0].model_copy(update={"dq_pct": dq_pct})
    return config.model_copy(
        update={
            "devices": [device],
            "coverage": config.coverage.model_copy(update={"location_sigma_db": sigma_db}),
            "protection": config.protection.model_copy(update=protection),
        }
    )


def levels_of(config: Config, sigma_i_db: float) -> CalibratedLevels:
    device = config.devices[0]
    table = permissible_level_table(sigma_i_db, device.dq_pct / 100.0, config.coverage.location_sigma_db)
    return CalibratedLevels(table, calibration_of(config, device, sigma_i_db))


# --- the sum by convolution ---------------------------------------------------------------------------------


class Sum:
    """Distribution of a sum of powers on a grid of levels in dB; it begins with a constant noise at 0 dB."""

    def __init__(self) -> None:
        self.levels_db = np.arange(-5.0, 130.0, STEP_DB)
        self.below = (self.levels_db >= 0.0).astype(float)
        self.constant = True

    def plus(self, median_db: float, sigma_db: float) -> Sum:
        """With one more log-normal: P(A + I <= z) = integral over A-levels of dF_A(a) P(I <= z - a)."""
        more = Sum()
        more.constant = False
        z = 10.0 ** (self.levels_db / 10.0)
        if self.constant:
            rest = np.maximum(z - 1.0, 1e-30)
            more.below = np.where(z > 1.0, ndtr((10 * np.log10(rest) - median_db) / sigma_db), 0.0)
            return more
        # Quantiles of the interferer in the middle of equal probabilities, finer towards the tails.
        u = np.linspace(-8.0, 8.0, 321)
        weight = np.exp(-0.5 * u * u)
        weight /= weight.sum()
        power = 10.0 ** ((median_db + sigma_db * u) / 10.0)
        total = np.zeros_like(z)
        for w, p in zip(weight, power, strict=True):
            rest = z - p
            inside = rest > 0.0
            left_db = 10 * np.log10(rest[inside])
            total[inside] += w * np.interp(left_db, self.levels_db, self.below, left=0.0)
        more.below = total
        return more

    def exceeded_by(self, median_db: float) -> float:
        """P(S >= sum) of a wanted level of sigma 5.5 dB."""
        s = np.linspace(-8.0, 8.0, 3201)
        density = np.exp(-0.5 * s * s)
        below = np.interp(median_db + SIGMA_DB * s, self.levels_db, self.below, left=0.0, right=1.0)
        return float((density * below).sum() / density.sum())


def constellation(rng: np.random.Generator) -> np.ndarray:
    """Medians of 1 to 8 interferers over the noise."""
    count = rng.integers(1, 9)
    if rng.random() < 0.4:
        return np.full(count, rng.uniform(-22.0, 40.0))
    return rng.uniform(-22.0, 40.0) - rng.exponential(8.0, count)


def true_fall_pct(config: Config, medians_db: np.ndarray, q1: float, sigma_i_db: float) -> float:
    """Fall of location probability, in percentage points, by an interferer at what is permissible."""
    means = [lognormal_mean(median_db, SIGMA_DB) for median_db in medians_db]
    variance = sum(mean * mean for mean in means) * variance_per_square(SIGMA_DB)
    median_u_db, sigma_u_db = fenton_wilkinson(1.0 + sum(means), variance)
    margin_db = float(ndtri(q1)) * math.hypot(SIGMA_DB, sigma_u_db)
    level_db = median_u_db + calibrated_level_db(levels_of(config, sigma_i_db), margin_db, sigma_u_db)
    nuisance = Sum()
    for median_db in sorted(medians_db):
        nuisance = nuisance.plus(float(median_db), SIGMA_DB)
    wanted_db = median_u_db + margin_db
    after = nuisance.plus(level_db, sigma_i_db)
    return 100.0 * (nuisance.exceeded_by(wanted_db) - after.exceeded_by(wanted_db))


def falls_pct(config: Config, seed: int, count: int) -> list[float]:
    rng = np.random.default_rng(seed)
    return [
        true_fall_pct(config, constellation(rng), float(rng.uniform(0.70, 0.9999)), (3.5, 5.5)[i % 2])
        for i in range(count)
    ]


# By the closed form: one interferer of sigma 5.5 beside no noise is log-normal itself, X is exact there.
def test_convolution_gives_the_closed_form_of_one_interferer():
    one = Sum().plus(40.0, SIGMA_DB)
    assert one.exceeded_by(45.0) == pytest.approx(ndtr(5.0 / math.hypot(5.5, 5.5)), abs=2e-5)
    two = Sum().plus(35.0, SIGMA_DB).plus(38.0, SIGMA_DB)
    rng = np.random.default_rng(3)
    draws = SIGMA_DB * rng.standard_normal((3, 2_000_000)) + np.array([[35.0], [38.0], [44.0]])
    total = 1.0 + (10 ** (draws[:2] / 10)).sum(axis=0)
    assert two.exceeded_by(44.0) == pytest.approx(np.mean(10 ** (draws[2] / 10) >= total), abs=1e-3)


def test_true_fall_stays_below_dq_in_random_constellations(config):
    falls = falls_pct(config, 1, 12)
    assert max(falls) <= 1.0
    assert min(falls) > 0.85


@pytest.mark.slow
def test_true_fall_stays_below_dq_in_500_random_constellations(config):
    falls = falls_pct(config, 2, 500)
    assert max(falls) <= 1.0
    assert min(falls) > 0.85


def test_without_calibration_the_true_fall_exceeds_dq(config):
    """The case for which it is there: two interferers as strong as the noise."""
    bare = with_changes(config, fw_calibration="off")
    assert true_fall_pct(bare, np.zeros(2), 0.90, 3.5) > 1.05
    assert true_fall_pct(config, np.zeros(2), 0.90, 3.5) <= 1.0


@pytest.mark.parametrize("dq_pct", [0.5, 2.0, 7.0])
def test_other_degradations_are_kept_too(config, dq_pct):
    other = with_changes(config, dq_pct=dq_pct)
    for medians_db, q1 in ((np.full(3, 20.0), 0.9), (np.array([3.0, 9.0]), 0.75), (np.full(8, 0.0), 0.97)):
        assert true_fall_pct(other, medians_db, q1, 5.5) <= dq_pct


# --- the table ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sigma_u_db", "q1", "near_db", "far_db"),
    # from the table by hand, inside its cells
    [
        (0.1, 0.72, 0.01, 0.01),
        (1.9, 0.82, 0.14, 0.13),
        (2.9, 0.91, 0.33, 0.29),
        (3.9, 0.96, 0.44, 0.37),
        (5.4, 0.71, 0.32, 0.26),
        (7.0, 0.9995, 0.02, 0.02),
        (4.9, 0.60, 0.32, 0.26),
        (0.0, 0.9, 0.0, 0.0),
        (1e-6, 0.9, 0.0, 0.0),
    ],
)
def test_calibration_is_that_of_the_cell(config, sigma_u_db, q1, near_db, far_db):
    margin_db = float(ndtri(q1)) * math.hypot(5.5, sigma_u_db)
    found = [calibration_db(levels_of(config, s).calibration, margin_db, sigma_u_db) for s in (3.5, 5.5)]
    assert found == [near_db, far_db]


def test_edge_of_a_cell_takes_the_larger_side(config):
    levels = levels_of(config, 3.5)
    margin_db = float(ndtri(0.8)) * math.hypot(5.5, 2.0)
    found = [calibration_db(levels.calibration, margin_db + d, 2.0 + d) for d in (-1e-7, 0.0, 1e-7)]
    # rows up to 2.0 and 2.5, columns from 0.75 and from 0.80
    assert found == [0.21] * 3


def test_flat_off_and_other_sigmas(config):
    def found(sigma_u_db: float, **changes: object) -> float:
        changed = with_changes(config, **changes)
        return calibration_db(levels_of(changed, 5.5).calibration, 7.0, sigma_u_db)

    assert [found(s, fw_calibration="flat") for s in (0.0, 0.2, 0.3, 5.0)] == [0.0, 0.02, 0.52, 0.52]
    assert [found(s, fw_calibration="off") for s in (0.0, 3.0)] == [0.0, 0.0]
    assert [found(s, sigma_db=4.6) for s in (0.0, 3.0)] == [0.0, 0.6]
    assert found(3.0, dq_pct=0.5) == pytest.approx(found(3.0) + 0.1)
    assert found(3.0, dq_pct=7.0) == found(3.0)
    assert calibration_notice(config) is None
    assert "0.6 dB flat" in calibration_notice(with_changes(config, sigma_db=4.6))
    assert "not calibrated" in calibration_notice(with_changes(config, fw_calibration="off"))


@pytest.mark.parametrize(("q_min", "served"), [(0.70, 0.70), (0.80, 0.80), (0.95, 0.946)])
def test_high_location_probabilities_are_served_a_little_earlier(config, q_min, served):
    wanted = config.coverage.q_min.model_copy(update={"value": q_min})
    coverage = config.coverage.model_copy(update={"q_min": wanted})
    assert coverage.served_from == pytest.approx(served, abs=1e-12)


def test_incomplete_table_is_refused(config, tmp_path):
    text = Protection().fw_table.read_text(encoding="utf-8")
    (tmp_path / "table.yaml").write_text(text.replace("[0.01, 0.02, 0.02, ", "[0.02, 0.02, ", 1))
    with pytest.raises(InputError, match="12 rows of 11"):
        levels_of(with_changes(config, fw_table=tmp_path / "table.yaml"), 3.5)
