"""Tables of numbers and protection ratios: shipped values against sources, tiers, and what is refused."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from pipeline.config.protection import Protection
from pipeline.errors import InputError
from pipeline.reference.ratio_tables import (
    read_device_classes,
    read_modes,
    read_protection_tables,
    read_ratios,
)
from pipeline.reference.ratios import (
    Group,
    Tier,
    check_ratios,
    dtt_ratio_db,
    dtt_ratio_table_db,
    group_name,
    groups_of,
    overload_dbm,
    ratio_db,
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


def test_part_of_the_power_inside_the_channel_counts_as_co_channel(shipped):
    group = Group(*KEY, OPEN)
    partial = [ratio_db(shipped, group, 5, 0, fraction=fraction) for fraction in (1.0, 0.75, 0.1)]
    # 10 log10(f * 100 + (1 - f) * 0.4009): 20 dB co-channel, -3.97 dB beside.
    assert partial == pytest.approx([20.0, 18.756, 10.154], abs=0.001)
    assert ratio_db(shipped, group, 5, 0, fraction=0.0) == pytest.approx(ratio_db(shipped, group, 5, 1))


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
    assert not any(math.isnan(overload_dbm(cautious, 1, offset)) for offset in OFFSETS)
    assert len(unverified_rows(TABLES / "protection_ratios_cautious.csv")) == len(cautious.ratios)


def test_unknown_overload_threshold_is_no_number(shipped):
    assert all(math.isnan(overload_dbm(shipped, 1, offset)) for offset in OFFSETS)


def test_known_overload_threshold_is_found_by_class(tmp_path):
    tables = tables_with(
        tmp_path, *ALL, "*,*,*,1,,,oth_dbm,-13,a source,false", "*,*,5,1,,,oth_dbm,-20,a source,false"
    )
    assert [overload_dbm(tables, c, 1) for c in (1, 5)] == [-13.0, -20.0]
    assert math.isnan(overload_dbm(tables, 1, 2))


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
    groups = groups_of(tables, KEY, OFFSETS)
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
        groups_of(shipped, ("DVB-T", "1024QAM"), OFFSETS)
