"""From the error budget to I/N and to the interference limit of a fixed link."""

import math

import pytest

from pipeline.coordination.fixed_service.limit import (
    CO_PRIMARY_SHARE_PCT,
    channel_rejection_db,
    interference_limit_dbw,
    interference_to_noise_db,
    noise_dbw,
)


@pytest.mark.parametrize(("share", "i_over_n", "margin_loss"), [(10, -10, 0.414), (1, -20, 0.0432)])
def test_share_is_the_rise_of_the_noise_floor(share, i_over_n, margin_loss):
    assert interference_to_noise_db(share) == pytest.approx(i_over_n)
    rise_db = 10 * math.log10(1 + 10 ** (interference_to_noise_db(share) / 10))
    assert rise_db == pytest.approx(margin_loss, abs=5e-4)


def test_limits_of_a_receiver_of_1_mhz_and_5_db():
    assert noise_dbw(1.0, 5.0) == pytest.approx(-139.0)
    assert interference_limit_dbw(1.0, 5.0) == pytest.approx(-159.0)
    assert interference_limit_dbw(1.0, 5.0, share_pct=CO_PRIMARY_SHARE_PCT) == pytest.approx(-149.0)


def test_rejection_counts_the_part_of_the_power_and_the_leakage():
    assert channel_rejection_db(28.0, 8.0, 0.0) == 0.0
    assert channel_rejection_db(2.0, 8.0, 0.0) == pytest.approx(-6.0206, abs=1e-4)
    assert channel_rejection_db(2.0, 8.0, 40.0) == pytest.approx(-46.0206, abs=1e-4)
