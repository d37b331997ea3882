"""Worked examples of link budgets: values of Report SM.2405 and closed forms, re-typed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.rates.link_budget import (
    GenericPath,
    eirp_dbm,
    erp_dbw,
    farthest_within_km,
    generic_loss_db,
    greatest_distance_km,
    level_of_field_dbm,
    noise_level_dbm,
    required_field_dbuvm,
    watts_dbm,
)
from pipeline.rates.link_modes import (
    LinkModes,
    level_of_mode_dbm,
    location_margin_db,
    mode_levels,
    rate_levels,
    read_modes,
)

# Table A5-1: W, dBd, required field, km printed, by P.1546, for the e.r.p. of the formula, free space.
A5_1 = [
    (1, 12, 35.6, 6.8, 6.96, 7.29, 347.4),
    (1, 12, 42.0, 5.0, 5.14, 5.39, 166.3),
    (1, 10, 51.8, 2.8, 2.87, 3.03, 42.74),
    (25, 12, 35.6, 13.6, 13.48, 14.13, 1741.0),
    (25, 12, 42.0, 9.9, 9.95, 10.42, 833.3),
    (25, 10, 51.8, 5.7, 5.70, 5.97, 214.2),
]
PRINTED_ERP_DBW = [9.5, 9.5, 7.5, 23.5, 23.5, 21.5]
NOTHING = np.array([-math.inf])


def loss_allowed_db(
    eirp_of_dbm: float, level_dbm: float, gain_dbi: float = 0.0, location_db: float = 0.0
) -> float:
    return eirp_of_dbm + gain_dbi - level_dbm - location_db


def test_noise() -> None:
    assert noise_level_dbm(1.0, 0.0) == pytest.approx(-113.98, abs=0.01)
    assert noise_level_dbm(6.0, 6.0) == pytest.approx(-100.2, abs=0.05)
    assert noise_level_dbm(7.6, 0.0) == pytest.approx(-105.17, abs=0.01)
    assert noise_level_dbm(5.5, 0.0) == pytest.approx(-106.57, abs=0.01)


def test_erp_of_table_a5_1_with_and_without_the_loss_that_is_not_printed() -> None:
    formula = [10.50, 10.50, 8.50, 24.48, 24.48, 22.48]
    for (watts, dbd, *_), erp, printed in zip(A5_1, formula, PRINTED_ERP_DBW, strict=True):
        assert erp_dbw(eirp_dbm(watts_dbm(watts), dbd + 2.15, 1.5)) == pytest.approx(erp, abs=0.022)
        assert erp_dbw(eirp_dbm(watts_dbm(watts), dbd + 2.15, 1.5, 1.0)) == pytest.approx(printed, abs=0.022)


def test_range_of_table_a5_3() -> None:
    assert erp_dbw(eirp_dbm(watts_dbm(25), 14 + 2.15, 1.0)) == pytest.approx(26.98, abs=0.01)
    assert erp_dbw(eirp_dbm(watts_dbm(0.1), 5 + 2.15, 1.0)) == pytest.approx(-6.0, abs=0.01)
    assert erp_dbw(eirp_dbm(watts_dbm(0.1), 5 + 2.15, 5.0)) == pytest.approx(-10.0, abs=0.01)


@pytest.mark.parametrize("column", range(6))
def test_distances_of_table_a5_1(column: int) -> None:
    watts, dbd, field, printed_km, p1546_km, formula_km, free_km = A5_1[column]
    level_dbm = level_of_field_dbm(field, 600.0, 0.0, 0.0)
    printed_erp = PRINTED_ERP_DBW[column] + 32.15

    def distance_km(model: str, eirp: float) -> float:
        return greatest_distance_km(GenericPath(model, 600.0, 10.0, 10.0), loss_allowed_db(eirp, level_dbm))

    assert distance_km("p1546", printed_erp) == pytest.approx(printed_km, rel=0.04)
    assert distance_km("p1546", printed_erp) == pytest.approx(p1546_km, rel=0.01)
    own_erp = eirp_dbm(watts_dbm(watts), dbd + 2.15, 1.5)
    assert distance_km("p1546", own_erp) == pytest.approx(formula_km, rel=0.01)
    assert distance_km("free_space", printed_erp) == pytest.approx(free_km, rel=1e-3)


def test_printed_distances_by_p1812_lie_between_p1546_and_plane_earth() -> None:
    """The profile is not printed. Plane earth with both antennas at 10 m: 40 log d - 20 log(h1 h2)."""
    printed = (9.1, 6.6, 5.2, 33.0, 20.1, 14.7)
    bounds = (29.6, 20.5, 10.4, 66.2, 45.8, 23.2)
    for (_, _, field, by_p1546_km, *_), erp, km, bound_km in zip(
        A5_1, PRINTED_ERP_DBW, printed, bounds, strict=True
    ):
        allowed_db = erp + 32.15 - level_of_field_dbm(field, 600.0, 0.0, 0.0)
        plane_km = 1e-3 * 10.0 ** ((allowed_db + 20.0 * math.log10(100.0)) / 40.0)
        assert plane_km == pytest.approx(bound_km, abs=0.1)
        assert by_p1546_km < km < plane_km


def test_required_fields_of_table_a5_1_are_cn_and_a_constant() -> None:
    """E70 = C/N + 29.80 in all columns, by the C/N of Rec. BT.2033; the receiver is not stated."""
    modes = mode_levels(read_modes("sm2405_a5_1"))
    cn_db = [float(level) - modes.noise_dbm for level in modes.level_dbm]
    location_db = location_margin_db(70.0, 50.0, 5.5)
    for cn, field in zip(cn_db, (35.6, 42.0, 51.8), strict=True):
        level_dbm = noise_level_dbm(7.61, 7.0) + cn
        assert required_field_dbuvm(level_dbm, 600.0, 7.70, 0.0, location_db) == pytest.approx(
            field, abs=0.05
        )
        assert cn + 29.80 == pytest.approx(field, abs=0.05)


@pytest.mark.parametrize(
    ("mode", "e50", "e70", "e95"),
    [
        ("QPSK 4/5", 32.3, 35.2, 41.4),
        ("16QAM 4/5", 38.4, 41.3, 47.5),
        ("64QAM 4/5", 44.0, 46.9, 53.0),
        ("256QAM 4/5", 49.4, 52.3, 58.4),
    ],
)
def test_required_fields_of_table_a5_2(mode: str, e50: float, e70: float, e95: float) -> None:
    (row,) = [row for row in read_modes("dvbt2_8mhz").rows if row.mode == mode]
    level_dbm = noise_level_dbm(row.noise_width_mhz, row.noise_figure_db) + row.cn_db
    for q_pct, printed in ((50.0, e50), (70.0, e70), (95.0, e95)):
        location_db = location_margin_db(q_pct, 50.0, 5.5)
        found = required_field_dbuvm(level_dbm, 626.0, 12 + 2.15, 5.0, location_db)
        assert found == pytest.approx(printed, abs=0.1)


def test_fields_become_levels_by_the_loss_of_a_path() -> None:
    """What has a field has a loss by 139.3: an e.i.r.p. of 62.15 dBm (1 kW e.r.p.) less that."""
    loss_db = 139.3 - 60.0 + 20.0 * math.log10(600.0)
    assert level_of_field_dbm(60.0, 600.0, 3.0, 1.0, "p1546") == pytest.approx(
        62.15 - loss_db + 2.0, abs=1e-9
    )


def test_a_mode_that_others_dominate_has_its_level() -> None:
    modes = read_modes("dvbt2_8mhz")
    assert "64QAM 1/2" not in mode_levels(modes).name
    assert level_of_mode_dbm(modes, "64QAM 1/2", 8.0) == pytest.approx(noise_level_dbm(7.61, 7.0) + 12.2)
    with pytest.raises(InputError, match="two channels"):
        level_of_mode_dbm(read_modes("sm2405_a10"), "two channels", 12.0)


def test_only_modes_of_one_width_are_scaled() -> None:
    row = read_modes("dvbt2_8mhz").rows[0]
    wide = row.model_copy(update={"mode": "wide", "bandwidth_mhz": 16.0, "rate_mbps": 30.0})
    levels = mode_levels(LinkModes("own", (row, wide), ()), 4.0)
    assert levels.rate_mbps.tolist() == [0.5 * row.rate_mbps]


def test_field_tests_lie_in_the_order_of_magnitude() -> None:
    """48.27 and 18.07 Mbit/s are rates of the table; distances by P.1546 between 5 and 20 km."""
    modes = mode_levels(read_modes("dvbt2_8mhz"))
    for mode, rate, erp, km in (
        ("16QAM 3/5", 18.070, 23.5, 16.8),
        ("256QAM 2/3", 40.215, 23.5, 10.0),
        ("16QAM 3/5", 18.070, 9.5, 8.6),
        ("256QAM 2/3", 40.215, 9.5, 5.2),
    ):
        at = modes.name.index(mode)
        assert modes.rate_mbps[at] == rate
        allowed = loss_allowed_db(erp + 32.15, float(modes.level_dbm[at]), 12 + 2.15 - 1.5)
        assert greatest_distance_km(GenericPath("p1546", 600.0, 10.0, 10.0), allowed) == pytest.approx(
            km, rel=0.01
        )


def test_radios_of_annex_8_have_one_noise_floor() -> None:
    levels = mode_levels(read_modes("sm2405_a8")).level_dbm
    assert [level - snr for level, snr in zip(levels.tolist(), (3.5, 11.5, 20.5), strict=True)] == [
        -101.5
    ] * 3


@pytest.mark.parametrize(
    ("f_mhz", "q_pct", "kms"),
    [
        (534.0, 50.0, (10.9, 7.2, 4.3)),
        (714.0, 50.0, (9.5, 6.3, 3.8)),
        (534.0, 70.0, (9.4, 6.2, 3.6)),
        (534.0, 95.0, (6.8, 4.3, 2.5)),
    ],
)
def test_ranges_of_annex_8(f_mhz: float, q_pct: float, kms: tuple[float, ...]) -> None:
    location_db = location_margin_db(q_pct, 50.0, 5.5)
    path = GenericPath("p1546", f_mhz, 30.0, 10.0)
    for level_dbm, km in zip((-98.0, -90.0, -81.0), kms, strict=True):
        allowed = loss_allowed_db(30.0, level_dbm, 9.0, location_db)
        # The values have two digits.
        assert greatest_distance_km(path, allowed) == pytest.approx(km, abs=0.05 + 0.01 * km)


@pytest.mark.parametrize(("f_mhz", "level_dbm", "low_km"), [(534.0, -96.3, 2.5), (714.0, -99.0, 2.1)])
def test_levels_of_annex_8_at_10_km_and_the_low_client(f_mhz: float, level_dbm: float, low_km: float) -> None:
    loss_db, valid = generic_loss_db(GenericPath("p1546", f_mhz, 30.0, 10.0), np.array([10.0]))
    assert 30.0 + 9.0 - loss_db[0] == pytest.approx(level_dbm, abs=0.1)
    assert valid.all()
    low = GenericPath("p1546", f_mhz, 30.0, 1.5)
    assert greatest_distance_km(low, loss_allowed_db(30.0, -98.0)) == pytest.approx(low_km, abs=0.05)


def test_slant_level_of_annex_8() -> None:
    loss_db, _ = generic_loss_db(GenericPath("free_space", 534.0, 30.0, 10.0), np.array([10.0]))
    assert 30.0 + 9.0 - loss_db[0] == pytest.approx(-68.0, abs=0.1)


def test_levels_of_annex_9() -> None:
    loss_db, _ = generic_loss_db(GenericPath("free_space", 690.0, 30.0, 30.0), np.array([10.7]))
    assert loss_db[0] == pytest.approx(109.8, abs=0.05)
    assert 31.0 - loss_db[0] + 99.0 == pytest.approx(20.2, abs=0.05)
    for gain, kms in ((0.0, (6.7, 5.8, 4.0)), (12.0, (12.3, 10.7, 7.9))):
        for q_pct, km in zip((50.0, 70.0, 95.0), kms, strict=True):
            allowed = loss_allowed_db(31.0, -99.0, gain, location_margin_db(q_pct, 50.0, 5.5))
            path = GenericPath("p1546", 690.0, 30.0, 10.0)
            assert greatest_distance_km(path, allowed) == pytest.approx(km, abs=0.05 + 0.01 * km)


def test_levels_of_annex_10() -> None:
    path = GenericPath("free_space", 584.0, 10.0, 10.0)
    loss_db, _ = generic_loss_db(path, np.array([7.0]))
    assert loss_db[0] == pytest.approx(104.7, abs=0.05)
    assert 36.0 + 9.0 - loss_db[0] == pytest.approx(-59.7, abs=0.05)
    assert 36.0 + 9.0 - loss_db[0] - noise_level_dbm(6.0, 6.0) == pytest.approx(40.0, abs=0.6)
    assert greatest_distance_km(path, loss_allowed_db(36.0, -40.0, 9.0)) == pytest.approx(0.73, abs=0.005)
    assert eirp_dbm(27.0, 9.0, 0.0) == 36.0


def test_where_the_loss_falls_again_the_farthest_place_counts() -> None:
    def loss_db(d_km):
        return np.where((d_km > 10.0) & (d_km < 20.0), 150.0, 100.0 + d_km)

    assert farthest_within_km(loss_db, 125.0, 1000.0) == pytest.approx(25.0, abs=2e-3)
    assert farthest_within_km(loss_db, 105.0, 1000.0) == pytest.approx(5.0, abs=2e-3)
    assert farthest_within_km(loss_db, 99.0, 1000.0) == 0.0


def test_loss_is_never_below_free_space() -> None:
    d_km = np.geomspace(0.01, 100.0, 50)
    for model in ("p1546", "extended_hata"):
        loss_db, _ = generic_loss_db(GenericPath(model, 600.0, 200.0, 10.0), d_km)
        free_db, _ = generic_loss_db(GenericPath("free_space", 600.0, 200.0, 10.0), d_km)
        assert (loss_db >= free_db).all()


def test_lowest_cn_of_the_groups_of_figure_a5_9() -> None:
    modes = mode_levels(read_modes("dvbt2_8mhz"))
    cn_db = modes.level_dbm - modes.noise_dbm
    for above, mode, cn in (
        (18, "16QAM 3/5", 9.2),
        (25, "16QAM 5/6", 13.1),
        (30, "64QAM 2/3", 15.4),
        (40, "256QAM 2/3", 20.0),
    ):
        at = int(np.argmax(modes.rate_mbps > above))
        assert (modes.name[at], round(float(cn_db[at]), 6)) == (mode, cn)


def test_dominated_modes_are_left_out_and_rates_rise() -> None:
    modes = mode_levels(read_modes("dvbt2_8mhz"))
    assert "64QAM 1/2" not in modes.name
    assert (np.diff(modes.rate_mbps) > 0).all()
    assert (np.diff(modes.level_dbm) > 0).all()


def test_rates_of_levels() -> None:
    modes = mode_levels(read_modes("sm2405_a8"))
    levels = np.array([-98.1, -98.0, -90.0, -81.0, -50.0, math.nan])
    rated = rate_levels(modes, levels, np.full(6, -math.inf), 0.0, 5.5)
    assert rated.rate_mbps.tolist() == [0.0, 2.7, 7.1, 12.0, 12.0, 0.0]
    assert rated.throughput_mbps.tolist() == pytest.approx([0.0, 2.2491, 5.9143, 9.996, 9.996, 0.0])
    assert rated.margin_db[:4] == pytest.approx([-0.1, 0.0, 0.0, 0.0])
    assert rated.next_margin_db[1] == pytest.approx(-8.0)


def test_mean_rate_is_that_over_locations() -> None:
    """By numbers: 200,000 equal shares of the log-normal distribution."""
    modes = mode_levels(read_modes("dvbt2_8mhz"))
    from statistics import NormalDist

    deviates = np.array([NormalDist().inv_cdf((i + 0.5) / 20_000) for i in range(20_000)])
    for level in (-95.0, -85.0, -75.0):
        spread = rate_levels(modes, level + 5.5 * deviates, np.full(20_000, -math.inf), 0.0, 5.5)
        rated = rate_levels(modes, np.array([level]), NOTHING, 2.9, 5.5)
        assert rated.mean_mbps[0] == pytest.approx(spread.rate_mbps.mean(), rel=2e-3)


def test_interference_as_strong_as_the_noise_takes_three_decibels() -> None:
    modes = mode_levels(read_modes("sm2405_a8"))
    level = np.array([-95.0])
    assert rate_levels(modes, level, NOTHING, 0.0, 5.5).margin_db[0] == pytest.approx(3.0)
    found = rate_levels(modes, level, np.array([modes.noise_dbm]), 0.0, 5.5)
    assert found.margin_db[0] == pytest.approx(3.0 - 3.0103, abs=1e-3)
    assert found.rate_mbps[0] == 0.0


def test_other_bandwidths_scale_where_the_table_says_so() -> None:
    eight, six = (mode_levels(read_modes("dvbt2_8mhz"), mhz) for mhz in (8.0, 6.0))
    assert six.rate_mbps == pytest.approx(0.75 * eight.rate_mbps)
    assert six.level_dbm == pytest.approx(eight.level_dbm + 10 * math.log10(0.75))
    assert mode_levels(read_modes("sm2405_a8"), 5.5).rate_mbps.tolist() == [2.7, 7.1, 12.0]
    with pytest.raises(InputError, match="5\\.5, 7\\.6 MHz"):
        mode_levels(read_modes("sm2405_a8"), 6.0)


def test_modes_without_a_requirement_are_never_chosen() -> None:
    modes = mode_levels(read_modes("sm2405_a10"))
    rated = rate_levels(modes, np.array([-30.0]), NOTHING, 0.0, 5.5)
    assert (modes.name, rated.mode.tolist(), rated.rate_mbps.tolist()) == ((), [-1], [0.0])
    assert modes.max_input_dbm == -40.0


def test_filed_sensitivity_that_noise_does_not_give_is_said(tmp_path) -> None:
    table = tmp_path / "own.csv"
    head = (
        "table,mode,rate_mbps,cn_db,sensitivity_dbm,bandwidth_mhz,noise_figure_db,scalable,source,verified\n"
    )
    table.write_text(head + "own,A,5,10,-90,8,7,no,myself,false\n")
    modes = read_modes(str(table))
    assert "SENSITIVITY_MISMATCH A: -90 dBm filed" in modes.notes[0]
    assert mode_levels(modes).level_dbm.tolist() == [-90.0]
    table.write_text(head + "own,A,5,,-90,8,7,no,myself,false\nown,B,9,,-80,8,6,no,myself,false\n")
    with pytest.raises(InputError, match="one receiver"):
        read_modes(str(table))


def test_unknown_table_names_the_shipped_ones() -> None:
    with pytest.raises(InputError, match="dvbt2_8mhz, sm2405_a10"):
        read_modes("dvbt2")


def test_every_shipped_table_has_its_sources() -> None:
    for name, count in (
        ("dvbt2_8mhz", 24),
        ("sm2405_a5_1", 3),
        ("sm2405_a8", 6),
        ("sm2405_a9", 2),
        ("sm2405_a10", 2),
    ):
        modes = read_modes(name)
        assert isinstance(modes, LinkModes)
        assert len(modes.rows) == count
        assert {row.table for row in modes.rows} == {name}
    checked = [row.mode for row in read_modes("dvbt2_8mhz").rows if row.verified]
    assert checked == ["16QAM 3/5", "256QAM 4/5"]
