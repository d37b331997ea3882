"""Tables of numbers and protection ratios: shipped values against sources, tiers, and what is refused."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from pipeline.config.protection import Protection
from pipeline.errors import InputError
from pipeline.radio.channel_plan import Slice
from pipeline.reference.ratio_tables import (
    LoadRules,
    read_device_classes,
    read_modes,
    read_protection_tables,
    read_ratios,
    read_tiers,
)
from pipeline.reference.ratios import (
    Group,
    Tier,
    check_ratios,
    dtt_overlap_ratio_db,
    dtt_ratio_db,
    dtt_ratio_table_db,
    effective_ratio_db,
    group_name,
    groups_of,
    limits,
    overload_dbm,
    ratio_db,
    ratio_parts,
    table_range,
)
from pipeline.shipped import TABLES

OFFSETS = [-3, -2, -1, 0, 1, 2, 3, 9]
OPEN = Tier(-math.inf, math.inf)
KEY = ("DVB-T", "64QAM 2/3")
HEAD = "system,mode,emission_class,offset,from_dbm,to_dbm,quantity,value,source,verified"
ALL = [f"*,*,*,{k},,,acs_db,60,a source,false" for k in OFFSETS if k != 0]


@pytest.fixture(scope="module")
def shipped():
    return read_protection_tables(Protection())


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def tables_with(tmp_path: Path, *lines: str):
    ratios = write(tmp_path / "ratios.csv", HEAD, *lines)
    return read_protection_tables(Protection(ratios=ratios))


def test_shipped_tables_give_a_ratio_for_every_mode_class_and_offset(shipped):
    check_ratios(shipped, shipped.modes, range(1, 6), OFFSETS)


@pytest.mark.shared_data
def test_shipped_c_n_are_those_of_the_collected_tables(shipped, shared):
    with (shared / "data/spectrum/protection_ratios.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    expected = {}
    for row in rows:
        if row["wanted_system"] == "DVB-T2 8 MHz" and row["wanted_mode"].endswith("Ricean"):
            expected["DVB-T2", row["wanted_mode"].removesuffix(" Ricean")] = float(row["pr_db"])
        if (
            row["interferer"] == "DVB-T"
            and row["wanted_mode"].endswith("fixed")
            and row["offset_channels"] == "0"
        ):
            expected["DVB-T", row["wanted_mode"].split(" (")[0]] = float(row["pr_db"])
    assert len(expected) == 39
    assert {key: shipped.modes[key].c_n_db for key in expected} == expected
    assert {key: dtt_ratio_db(shipped, key, 0) for key in expected} == expected


# By hand: PR0 20, ACS 57/64/68, ACLR = AFLR - 19.03 with the classes of EN 301 598.
@pytest.mark.parametrize(
    ("emission_class", "offset", "expected_db"),
    [
        (1, 0, 20.0),
        (5, 1, -3.97),
        (5, -1, -3.97),
        (5, 2, -13.96),
        (4, 2, -24.92),
        (1, 3, -43.22),
        (2, 9, -34.76),
    ],
)
def test_ratio_is_the_power_sum_of_selectivity_and_leakage(shipped, emission_class, offset, expected_db):
    assert ratio_db(shipped, Group(*KEY, OPEN), emission_class, offset) == pytest.approx(
        expected_db, abs=0.006
    )


# By hand: in 6 MHz fit 60 segments of 100 kHz, 17.78 dB instead of 19.03; class 5 leaks 43 dB below beside.
@pytest.mark.parametrize(("width_mhz", "segments"), [(5.0, 50), (6.0, 60), (7.0, 70), (8.0, 80)])
def test_leakage_is_counted_in_the_width_of_the_victims_channel(shipped, width_mhz, segments):
    found_db = ratio_db(shipped, Group(*KEY, OPEN), 5, 1, width_mhz=width_mhz)
    leaked = segments * 10**-4.3
    assert found_db == pytest.approx(20.0 + 10 * math.log10(10**-5.7 + leaked), abs=1e-9)


def test_emission_in_several_slices_has_the_mean_of_their_ratios(shipped):
    group = Group(*KEY, OPEN)
    partial = [
        effective_ratio_db(shipped, group, 5, [Slice(0, fraction), Slice(1, 1.0 - fraction)])
        for fraction in (1.0, 0.75, 0.1)
    ]
    # 10 log10(f * 100 + (1 - f) * 0.4009): 20 dB co-channel, -3.97 dB beside.
    assert partial == pytest.approx([20.0, 18.756, 10.154], abs=0.001)
    assert effective_ratio_db(shipped, group, 5, [Slice(1, 1.0)]) == ratio_db(shipped, group, 5, 1)


def test_image_channel_is_like_the_third_adjacent_one(shipped):
    for emission_class in range(1, 6):
        ratio_of = [ratio_db(shipped, Group(*KEY, OPEN), emission_class, k) for k in (3, 9)]
        assert ratio_of[0] == ratio_of[1]


def test_dtt_ratios_are_those_of_ge06(shipped):
    assert dtt_ratio_table_db(shipped, [KEY, ("DVB-T2", "64QAM 2/3")]).tolist() == [
        [-30, 20, -30],
        [-30, 15.4, -30],
    ]


def unverified_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["verified"] == "false"]


def test_numbers_quoted_from_memory_are_marked_unverified():
    settings = Protection()
    assert len(unverified_rows(settings.device_classes)) == 15
    rows = {row.offset for row in read_ratios(settings.ratios)}
    assert set(OFFSETS) - {0} <= rows
    assert len(unverified_rows(settings.ratios)) == len(read_ratios(settings.ratios))
    assert not [row for row in unverified_rows(settings.modes) if "GE06" in row["source"]]


def test_cautious_table_is_nowhere_more_lenient(shipped):
    cautious = read_protection_tables(Protection(ratios=TABLES / "protection_ratios_cautious.csv"))
    check_ratios(cautious, cautious.modes, range(1, 6), OFFSETS)
    for key in shipped.modes:
        for emission_class in range(1, 6):
            for offset in OFFSETS:
                ratios = [ratio_db(t, Group(*key, OPEN), emission_class, offset) for t in (shipped, cautious)]
                assert ratios[0] <= ratios[1]
    # By hand: PR0 20, ACS 49, class 5 leaks 23.97 dB below; class 1 leaks 54.97 dB below.
    beside = [ratio_db(cautious, Group(*KEY, OPEN), c, 1) for c in (5, 1)]
    assert beside == pytest.approx([-3.956, -28.02], abs=0.01)
    assert not any(math.isnan(overload_dbm(cautious, 1, [Slice(k, 1.0)])) for k in OFFSETS)
    assert len(unverified_rows(TABLES / "protection_ratios_cautious.csv")) == len(cautious.ratios)


def test_unknown_overload_threshold_is_no_number(tmp_path):
    empty = tables_with(tmp_path, *ALL, "*,*,*,1,,,oth_dbm,,nobody knows,false")
    assert all(math.isnan(overload_dbm(empty, 1, [Slice(k, 1.0)])) for k in OFFSETS)


def test_known_overload_threshold_is_found_by_class(tmp_path):
    tables = tables_with(
        tmp_path, *ALL, "*,*,*,1,,,oth_dbm,-13,a source,false", "*,*,5,1,,,oth_dbm,-20,a source,false"
    )
    assert [overload_dbm(tables, c, [Slice(1, 1.0)]) for c in (1, 5)] == [-13.0, -20.0]
    # Beyond the table its last row, and where no row is nearer the next one.
    assert [overload_dbm(tables, 1, [Slice(k, 1.0)]) for k in (2, -4, 0)] == [-13.0] * 3


def test_row_for_the_mode_wins_over_the_general_one(tmp_path):
    tables = tables_with(
        tmp_path,
        *ALL,
        "DVB-T,*,*,1,,,pr_db,-31,a source,false",
        "DVB-T,64QAM 2/3,*,1,,,pr_db,-33,a source,false",
        "DVB-T,*,5,0,,,pr_db,18.1,a source,false",
    )
    assert ratio_db(tables, Group(*KEY, OPEN), 1, 1) == -33.0
    assert ratio_db(tables, Group("DVB-T", "QPSK 1/2", OPEN), 1, 1) == -31.0
    assert [ratio_db(tables, Group(*KEY, OPEN), c, 0) for c in (5, 4)] == [18.1, 20.0]


def test_tiers_are_cut_at_every_bound_and_open_at_the_ends(tmp_path):
    tables = tables_with(
        tmp_path,
        *ALL,
        "*,*,*,1,-70,-50,pr_db,-30,a source,false",
        "*,*,*,1,-50,-20,pr_db,-35,a source,false",
        "*,*,*,2,-60,-30,pr_db,-40,a source,false",
        "*,*,*,2,-30,-10,pr_db,-45,a source,false",
    )
    groups = groups_of(tables, KEY)
    assert [group.tier for group in groups] == [(-math.inf, -50.0), (-50.0, -30.0), (-30.0, math.inf)]
    assert [ratio_db(tables, group, 1, 1) for group in groups] == [-30.0, -35.0, -35.0]
    assert [ratio_db(tables, group, 1, 2) for group in groups] == [-40.0, -40.0, -45.0]
    assert group_name(groups[1]) == "DVB-T 64QAM 2/3|-50..-30"


@pytest.mark.parametrize("offset", [-3, -1, 2, 9])
def test_table_without_a_mandatory_offset_is_refused(tmp_path, offset):
    lines = [line for line in ALL if line.split(",")[3] != str(offset)]
    tables = tables_with(tmp_path, *lines)
    with pytest.raises(InputError, match=r"ratios\.csv.*offset") as caught:
        check_ratios(tables, [KEY], [1], OFFSETS)
    assert str(caught.value.value).startswith(f"{offset},")


def test_tiers_with_a_gap_are_refused_with_their_line(tmp_path):
    tables = tables_with(
        tmp_path, *ALL, "*,*,*,1,,-50,pr_db,-30,a source,false", "*,*,*,1,-45,,pr_db,-35,a source,false"
    )
    with pytest.raises(InputError, match="gap") as caught:
        check_ratios(tables, [KEY], [1], OFFSETS)
    assert caught.value.row == len(ALL) + 3


def test_rows_given_twice_are_refused(tmp_path):
    tables = tables_with(tmp_path, *ALL, ALL[0])
    with pytest.raises(InputError, match="overlap"):
        check_ratios(tables, [KEY], [1], OFFSETS)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("*,*,*,1,,,acs_db,nan,a source,false", "value"),
        ("*,*,*,1,,,acs_db,,a source,false", "value"),
        ("*,*,*,1,,,acs_db,1e400,a source,false", "value"),
        ("*,*,*,0,,,acs_db,60,a source,false", "offset"),
        ("*,*,*,1.5,,,acs_db,60,a source,false", "offset"),
        ("*,*,*,²,,,acs_db,60,a source,false", "offset"),
        ("*,*,6,1,,,acs_db,60,a source,false", "emission_class"),
        ("*,QPSK 1/2,*,1,,,acs_db,60,a source,false", "mode"),
        ("*,*,*,1,-20,-30,acs_db,60,a source,false", "to_dbm"),
        ("*,*,*,1,,,loss_db,60,a source,false", "quantity"),
        ("*,*,*,1,-30,-20,oth_dbm,-10,a source,false", "quantity"),
        ("*,*,*,1,,,acs_db,60,,false", "source"),
        ("*,*,*,1,,,acs_db,60,a source,yes", "verified"),
    ],
)
def test_bad_ratio_row_is_refused_with_its_place(tmp_path, line, field):
    path = write(tmp_path / "ratios.csv", HEAD, ALL[0], line)
    with pytest.raises(InputError) as caught:
        read_ratios(path)
    assert (caught.value.file, caught.value.row, caught.value.field) == (str(path), 3, field)


def test_bad_files_are_refused(tmp_path):
    for content in ("", "system,mode\nDVB-T,x\n", "system,mode,c_n_db,noise_bandwidth_mhz,source,verified\n"):
        path = tmp_path / "modes.csv"
        path.write_text(content)
        with pytest.raises(InputError):
            read_modes(path)
    with pytest.raises(InputError):
        read_modes(tmp_path / "absent.csv")


def test_incomplete_device_classes_are_refused(tmp_path):
    path = write(
        tmp_path / "classes.csv", "emission_class,offset,aflr_db,source,verified", "1,1,74,a source,false"
    )
    with pytest.raises(InputError, match="class 1"):
        read_device_classes(path)


def test_unknown_mode_is_refused(shipped):
    with pytest.raises(InputError, match="mode"):
        groups_of(shipped, ("DVB-T", "1024QAM"))


# --- load, tiers, overload ----------------------------------------------------------------------------------

WITH_LOAD = (
    "system,mode,emission_class,offset,from_dbm,to_dbm,quantity,value,load,tuner_percentile,source,verified"
)
IDLE = LoadRules(idle=True, penalty_db=12.0, on_ratio=False, overload_db=7.0)


def power(level_db: float) -> float:
    return 10 ** (-level_db / 10)


def test_idle_device_weakens_the_selectivity_or_the_whole_ratio(shipped):
    """By hand: PR0 20, ACS 57, class 1 leaks 74 - 19.03 dB below; a 12 dB inside or outside the sum."""
    group, aclr_db = Group(*KEY, OPEN), 74.0 - 10 * math.log10(80)
    inside = ratio_db(shipped, group, 1, 1, load=IDLE)
    assert inside == pytest.approx(20 + 10 * math.log10(power(57 - 12) + power(aclr_db)), abs=1e-12)
    outside = ratio_db(shipped, group, 1, 1, load=IDLE._replace(on_ratio=True))
    assert outside == pytest.approx(20 + 10 * math.log10(power(57) + power(aclr_db)) + 12, abs=1e-12)
    assert ratio_db(shipped, group, 1, 0, load=IDLE) == 20.0
    parts = ratio_parts(shipped, group, 1, 1, load=IDLE)
    assert parts.idle_db == pytest.approx(inside - ratio_db(shipped, group, 1, 1), abs=1e-12)


def test_row_of_the_devices_load_wins_and_costs_nothing(tmp_path):
    ratios = write(
        tmp_path / "ratios.csv",
        WITH_LOAD,
        *(f"*,*,*,{k},,,acs_db,60,loaded,,a source,false" for k in OFFSETS if k not in (0, 1, 2)),
        "DVB-T,64QAM 2/3,*,1,,,pr_db,-40,loaded,90,a source,true",
        "*,*,*,1,,,pr_db,-33,idle,90,a source,true",
        "*,*,*,2,,,pr_db,-45,loaded,90,a source,true",
        "*,*,*,3,,,pr_db,-35,idle,90,a source,true",
    )
    ratios.write_text(ratios.read_text().replace("*,*,*,3,,,acs_db,60,loaded,,a source,false\n", ""))
    tables = read_protection_tables(Protection(ratios=ratios))
    group = Group(*KEY, OPEN)
    assert [ratio_db(tables, group, 1, k, load=IDLE) for k in (1, 2, 3)] == [-33.0, -45.0 + 12.0, -35.0]
    # A loaded device has its own rows, those of idle ones without credit where there are no others.
    assert [ratio_db(tables, group, 1, k) for k in (1, 2, 3)] == [-40.0, -45.0, -35.0]
    row = ratio_parts(tables, group, 1, 1, load=IDLE).row
    assert (row.load, row.tuner_percentile, row.verified) == ("idle", 90.0, True)


def test_tiers_weaken_the_selectivity_beside_the_channel_at_high_levels():
    tables = read_protection_tables(Protection(tiers=TABLES / "tiers_example.csv"))
    groups = groups_of(tables, KEY)
    assert [group.tier for group in groups] == [
        (-math.inf, -50), (-50, -40), (-40, -30), (-30, -20), (-20, math.inf),
    ]  # fmt: skip
    aclr_db = 84.0 - 10 * math.log10(80)
    for group, tier_db in zip(groups, (0, 3, 6, 10, 15), strict=True):
        expected = 20 + 10 * math.log10(power(68 - tier_db - 12) + power(aclr_db))
        assert ratio_db(tables, group, 1, 7, load=IDLE) == pytest.approx(expected, abs=1e-12)
        assert ratio_db(tables, group, 1, 0, load=IDLE) == 20.0


@pytest.mark.parametrize(
    "lines",
    [
        ["-90,-50,0,a source,false", "-50,,3,a source,false"],
        [",-50,0,a source,false", "-45,,3,a source,false"],
    ],
)
def test_tiers_that_leave_levels_out_are_refused(tmp_path, lines):
    path = write(tmp_path / "tiers.csv", "from_dbm,to_dbm,loss_db,source,verified", *lines)
    with pytest.raises(InputError, match="gap"):
        read_tiers(path)


def test_overload_is_that_of_the_strictest_slice(shipped):
    """-13 dBm up to two channels away, -5 beyond; an idle device 7 dB earlier."""
    found = {k: overload_dbm(shipped, 1, [Slice(k, 1.0)]) for k in range(-14, 15)}
    assert found == {k: -13.0 if abs(k) <= 2 else -5.0 for k in range(-14, 15)}
    assert overload_dbm(shipped, 1, [Slice(2, 0.01), Slice(3, 0.99)]) == -13.0
    assert overload_dbm(shipped, 1, [Slice(3, 1.0)], IDLE) == -12.0
    # Worked example: 474 MHz, antennas 30 and 10 m high and 20 m apart, 10 dBd less 3 dB, idle.
    loss_db = 32.4 + 20 * math.log10(474) + 20 * math.log10(math.hypot(0.02, 0.02))
    worked = [overload_dbm(shipped, 1, [Slice(k, 1.0)], IDLE) + loss_db - 9.15 - 1.28 * 3.5 for k in (1, 3)]
    assert worked == pytest.approx([21.3, 29.3], abs=0.06)


@pytest.mark.parametrize("k", [4, -5, 6, 8, -9])
def test_hole_takes_the_row_nearer_to_the_victim_and_its_own_leakage(tmp_path, k):
    lines = [*ALL, "*,*,*,-6,,,acs_db,66,a source,false", "*,*,*,10,,,acs_db,77,a source,false"]
    tables = tables_with(tmp_path, *lines, "*,*,*,-12,,,acs_db,55,a source,false")
    assert table_range(tables, KEY, 1) == (-12, 10)
    acs_db = 66 if k in (-9,) else 60
    expected = 20 + 10 * math.log10(power(acs_db) + power(84.0 - 10 * math.log10(80)))
    assert ratio_db(tables, Group(*KEY, OPEN), 1, k) == pytest.approx(expected, abs=1e-12)


def test_offset_is_in_use_by_the_rows_of_mode_and_class(tmp_path):
    lines = [*ALL, "DVB-T,64QAM 2/3,5,14,,,pr_db,-50,a source,false"]
    tables = tables_with(tmp_path, *lines)
    beside, far, farther = ([Slice(k, 1.0)] for k in (9, 14, 15))
    assert limits(tables, KEY, 5, far)
    assert not limits(tables, KEY, 1, far)
    assert not limits(tables, ("DVB-T", "QPSK 1/2"), 5, far)
    assert limits(tables, None, 5, far)
    assert limits(tables, KEY, 1, beside)
    assert not limits(tables, None, 5, farther)
    assert limits(tables, KEY, 5, [Slice(14, 0.001), Slice(15, 0.999)])
    assert limits(tables._replace(last_row=True), KEY, 1, farther)
    assert not limits(tables._replace(offsets=frozenset({0, 1}), last_row=True), KEY, 1, beside)


def test_overlapping_channel_of_another_raster_counts_with_what_is_common(shipped):
    """GE06: 20 dB + 10 log10(2 of 6 MHz); at least -30 dB; beside it the table."""
    assert dtt_overlap_ratio_db(shipped, KEY, 0, 2 / 6) == pytest.approx(20 - 4.771, abs=1e-3)
    assert dtt_overlap_ratio_db(shipped, KEY, 0, 1e-6) == -30.0
    assert dtt_overlap_ratio_db(shipped, KEY, 0, 1.0) == 20.0
    assert dtt_overlap_ratio_db(shipped, KEY, 1, 0.0) == -30.0


def test_overload_can_be_left_out() -> None:
    """`protection.overload: none` leaves the thresholds of the table unread and nothing else."""
    rows, none = (read_protection_tables(Protection(overload=how)) for how in ("rows", "none"))
    assert overload_dbm(rows, 1, [Slice(1, 1.0)]) == -13.0
    assert math.isnan(overload_dbm(none, 1, [Slice(1, 1.0)]))
    assert none.ratios == [row for row in rows.ratios if row.quantity != "oth_dbm"]


def test_a_filter_at_the_output_raises_the_leakage_ratio_alone() -> None:
    """r = C/N + 10 log(10^(-ACS/10) + 10^(-ACLR/10)), with 10 dB more ACLR; co-channel nothing changes."""
    plain, filtered = (read_protection_tables(Protection(extra_aclr_db=db)) for db in (0.0, 10.0))
    group = groups_of(plain, ("DVB-T", "64QAM 2/3"))[0]
    for k in (0, 1, 2, 3):
        before, after = (ratio_parts(tables, group, 5, k, width_mhz=8.0) for tables in (plain, filtered))
        if k == 0:
            assert before.ratio_db == after.ratio_db
            continue
        assert after.acs_db == before.acs_db
        assert after.aclr_db == pytest.approx(before.aclr_db + 10.0)
        both = 10 ** (-after.acs_db / 10) + 10 ** (-after.aclr_db / 10)
        assert after.ratio_db == pytest.approx(after.c_n_db + 10 * math.log10(both))
        assert after.ratio_db < before.ratio_db
