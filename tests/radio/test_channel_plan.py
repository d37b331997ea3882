"""Channel plans against channel edges known from the regulations; how devices and DTT channels meet."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.channels import Channels
from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.radio.channel_plan import (
    ChannelBlock,
    centre_mhz,
    index_of,
    offset_of,
    plan_channels,
    plan_neighbours,
    segment_of,
    slices_of,
)
from pipeline.reference.limiting_channels import (
    offsets_narrowed,
    offsets_notice,
    victim_channels,
    victims_by_offset,
)
from tests.channel_plans import named_plan

# Lower and upper edge in MHz: GE06 (bands IV and V), FCC (47 CFR 73.603), Australian VHF and UHF.
EDGES = [
    ("8MHz", 21, 470, 478),
    ("8MHz", 48, 686, 694),
    ("8MHz", 60, 782, 790),
    ("8MHz", 69, 854, 862),
    ("7MHz", 6, 174, 181),
    ("7MHz", 9, 195, 202),
    ("7MHz", 12, 223, 230),
    ("7MHz", 28, 526, 533),
    ("7MHz", 69, 813, 820),
    ("6MHz", 2, 54, 60),
    ("6MHz", 4, 66, 72),
    ("6MHz", 5, 76, 82),
    ("6MHz", 6, 82, 88),
    ("6MHz", 7, 174, 180),
    ("6MHz", 13, 210, 216),
    ("6MHz", 14, 470, 476),
    ("6MHz", 36, 602, 608),
    ("6MHz", 51, 692, 698),
    ("6MHz", 69, 800, 806),
    ("6MHz-KR", 2, 54, 60),
    ("6MHz-KR", 4, 66, 72),
    ("6MHz-KR", 5, 76, 82),
    ("6MHz-KR", 6, 82, 88),
    ("6MHz-KR", 7, 174, 180),
    ("6MHz-KR", 13, 210, 216),
    ("6MHz-KR", 14, 470, 476),
    ("6MHz-KR", 51, 692, 698),
]


@pytest.mark.parametrize(("name", "channel", "low_mhz", "high_mhz"), EDGES)
def test_channel_lies_between_its_edges(name, channel, low_mhz, high_mhz):
    plan = named_plan(name)
    segment = segment_of(plan, channel)
    assert centre_mhz(segment, channel) - segment.width_mhz / 2 == low_mhz
    assert centre_mhz(segment, channel) + segment.width_mhz / 2 == high_mhz


def test_gaps_between_segments_have_no_channel():
    assert segment_of(named_plan("7MHz"), 20) is None


def test_unknown_plan_is_refused_with_the_known_names():
    with pytest.raises(InputError, match="6MHz, 6MHz-ISDB, 6MHz-KR, 7MHz, 7MHz-GE06, 8MHz"):
        named_plan("9MHz")


EUROPE = [{"first_channel": 21, "last_channel": 60, "first_centre_mhz": 474.0, "width_mhz": 8.0}]
# Devices on 8 MHz, foreign television on 6 MHz: 71 is 470-476 MHz, 72 is 476-482 MHz, and so on.
MIXED = [*EUROPE, {"first_channel": 71, "last_channel": 80, "first_centre_mhz": 473.0, "width_mhz": 6.0}]


@pytest.fixture
def config_with(tmp_path, repository):
    def make(plan, *devices, **protection):
        content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
        first = content["devices"][0]
        content["devices"] = [first | {"id": f"d{i}"} | device for i, device in enumerate(devices)]
        content["channels"] = {"plan": plan, "wsd": [30]}
        content["protection"] = protection
        path = tmp_path / "case.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return load_config(path)

    return make


class _Device:
    """The only thing of a device that its place in frequency depends on."""

    def __init__(self, bandwidth_mhz):
        self.bandwidth_mhz = float(bandwidth_mhz)


@given(
    channel=st.integers(21, 60), victim=st.integers(21, 60), bandwidth_mhz=st.sampled_from([0.2, 5, 6, 7, 8])
)
def test_offset_on_one_raster_is_the_difference_of_channel_numbers(channel, victim, bandwidth_mhz):
    device = _Device(bandwidth_mhz)
    offset = offset_of(Channels(plan=EUROPE, wsd=[30]), device, channel, victim)
    assert offset.number == channel - victim
    assert offset.slices == ((channel - victim, 1.0),)
    assert offset.width_mhz == 8.0


# Device in channel 21 (470-478 MHz): edges by hand against 470-476, 476-482, 482-488, 488-494, ...; slices of
# the victim's 6 MHz. The index is that of the channels, a gap counts upwards.
@pytest.mark.parametrize(
    ("bandwidth_mhz", "victim", "number", "slices"),
    [
        (8, 71, 0, {0: 6 / 8, 1: 2 / 8}),  # 470-478
        (8, 72, 0, {0: 2 / 8, -1: 6 / 8}),
        (8, 73, -2, {-1: 2 / 8, -2: 6 / 8}),  # 4 MHz between the channels
        (8, 74, -3, {-2: 2 / 8, -3: 6 / 8}),  # 10 MHz between them
        (5, 71, 0, {0: 4.5 / 5, 1: 0.5 / 5}),  # 471.5-476.5
        (5, 72, 0, {0: 0.5 / 5, -1: 4.5 / 5}),
        (4, 72, 0, {-1: 1.0}),  # 472-476 touches 476-482, the channels overlap
        (20, 71, 0, {0: 6 / 20, -1: 6 / 20, 1: 6 / 20, 2: 2 / 20}),  # 464-484
    ],
)
def test_unequal_rasters_are_counted_in_frequency(bandwidth_mhz, victim, number, slices):
    offset = offset_of(Channels(plan=MIXED, wsd=[21]), _Device(bandwidth_mhz), 21, victim)
    assert offset.number == number
    assert {part.k: part.share for part in offset.slices} == pytest.approx(slices, abs=1e-12)
    assert [abs(part.k) for part in offset.slices] == sorted(abs(part.k) for part in offset.slices)
    assert offset.width_mhz == 6.0


# By hand on a raster of 6 MHz, channel n at 6 n: two channels, one centred in a channel, four channels.
@pytest.mark.parametrize(
    ("low_mhz", "high_mhz", "victim", "slices"),
    [
        (117, 129, 20, {0: 0.5, 1: 0.5}),
        (117, 129, 19, {1: 0.5, 2: 0.5}),
        (117, 129, 22, {-1: 0.5, -2: 0.5}),
        (117, 129, 17, {3: 0.5, 4: 0.5}),
        (114, 126, 20, {-1: 0.25, 0: 0.5, 1: 0.25}),
        (118, 128, 20, {0: 0.5, 1: 0.5}),
        (119, 139, 20, {0: 0.2, 1: 0.3, 2: 0.3, 3: 0.2}),
        (117, 123.0000005, 20, {0: 1.0}),  # half a hertz beyond the edge is none
    ],
)
def test_slices_of_a_bond_are_those_worked_by_hand(low_mhz, high_mhz, victim, slices):
    emission = ChannelBlock((low_mhz + high_mhz) / 2, high_mhz - low_mhz)
    found = slices_of(emission, ChannelBlock(6.0 * victim, 6.0))
    assert {part.k: part.share for part in found} == pytest.approx(slices, abs=1e-6)
    assert sum(part.share for part in found) == pytest.approx(1.0, abs=1e-15)


AMERICA = named_plan("6MHz")


@pytest.mark.parametrize(
    ("channel", "victim", "index"),
    # 66-72 | 76-82, 82-88 | 174-180, 210-216 | 470-476: gaps of 4, 86 and 254 MHz
    [(5, 4, 2), (4, 5, -2), (7, 6, 16), (14, 13, 44), (6, 5, 1), (8, 7, 1), (20, 20, 0), (13, 14, -44)],
)
def test_index_of_channels_counts_the_gap_upwards(channel, victim, index):
    channels = Channels(plan=AMERICA, wsd=[20])
    assert offset_of(channels, _Device(6.0), channel, victim).number == index


def test_numbers_beside_a_gap_of_the_korean_plan_are_no_neighbours():
    """Fig. A10-1: 54-72, 76-88, 174-216, 470-698 MHz: 4|5, 6|7 and 13|14 do not touch."""
    channels = Channels(plan=named_plan("6MHz-KR"), wsd=[20])
    assert plan_channels(channels) == list(range(2, 52))
    for lower, upper in ((4, 5), (6, 7), (13, 14)):
        assert upper not in plan_neighbours(channels, lower)
        assert lower not in plan_neighbours(channels, upper)
    assert set(plan_neighbours(channels, 5)) == {5, 6}
    assert set(plan_neighbours(channels, 20)) == {19, 20, 21}


def test_channels_of_two_widths_that_touch_are_adjacent():
    # 174-181 and 181-189 MHz
    assert index_of(ChannelBlock(185.0, 8.0), ChannelBlock(177.5, 7.0)) == 1
    assert index_of(ChannelBlock(177.5, 7.0), ChannelBlock(185.0, 8.0)) == -1
    assert index_of(ChannelBlock(177.5, 7.0), ChannelBlock(185.0 + 2e-5, 8.0)) == -2
    assert index_of(ChannelBlock(177.5, 7.0), ChannelBlock(185.0 - 2e-6, 8.0)) == 0


def test_neighbours_are_those_that_touch_or_overlap():
    channels = Channels(plan=AMERICA, wsd=[20])
    found = {c: {n: near.number for n, near in plan_neighbours(channels, c).items()} for c in (4, 5, 6, 7)}
    assert found == {4: {3: -1, 4: 0}, 5: {5: 0, 6: 1}, 6: {5: -1, 6: 0}, 7: {7: 0, 8: 1}}
    mixed = plan_neighbours(Channels(plan=MIXED, wsd=[21]), 21)
    # 470-478 overlaps 470-476 wholly and 2 of the 6 MHz of 476-482
    assert {n: (near.number, near.common_share) for n, near in mixed.items()} == {
        21: (0, 1.0),
        22: (1, 0.0),
        71: (0, 1.0),
        72: (0, pytest.approx(1 / 3)),
    }


def test_numbers_that_follow_each_other_in_far_bands_do_not_limit(config_with):
    australia = [
        {"first_channel": 6, "last_channel": 12, "first_centre_mhz": 177.5, "width_mhz": 7.0},
        {"first_channel": 13, "last_channel": 33, "first_centre_mhz": 529.5, "width_mhz": 7.0},
    ]
    config = config_with(australia, {"bandwidth_mhz": 7.0})
    assert victim_channels(config, [12, 13, 14, 30], [13]) == [13, 14]
    threshold = {"offsets": [-1, 0, 1]}
    config = config_with(australia, {"bandwidth_mhz": 7.0}, method="threshold", threshold=threshold)
    assert victim_channels(config, [12, 13, 14, 30], [13]) == [13, 14]


def test_device_wider_than_its_channel_overlaps_both_neighbours(config_with):
    config = config_with(EUROPE, {"bandwidth_mhz": 10.0})
    found = victims_by_offset(config, config.devices[0], 40, range(21, 61))
    # 621-631 MHz reaches 1 MHz into 39 and 41; 38 ends 7 MHz below, a channel begun.
    assert {victim for victim, _ in found} == set(range(29, 52))
    assert {victim for victim, offset in found if offset.number == 0} == {39, 40, 41}
    slices = {v: {part.k: round(part.share, 9) for part in offset.slices} for v, offset in found}
    assert slices[40] == {0: 0.8, -1: 0.1, 1: 0.1}
    assert slices[39] == {0: 0.1, 1: 0.8, 2: 0.1}
    # Of the 11th channel below only the nearer edge lies within the ten offsets of the table.
    assert slices[29] == {10: 0.1, 11: 0.8, 12: 0.1}
    assert [victim for victim, _ in found[:3]] == [40, 39, 41]


def test_each_device_has_its_own_victims(config_with):
    narrow, wide = {"bandwidth_mhz": 5.0}, {"bandwidth_mhz": 10.0}
    assert victim_channels(config_with(EUROPE, narrow), [30, 40, 41], [30]) == [30, 40]
    assert victim_channels(config_with(EUROPE, narrow, wide), [30, 40, 41], [30]) == [30, 40, 41]


NARROWED = [-3, -2, -1, 0, 1, 2, 3, 9]


def test_offsets_in_use_are_those_of_the_table_unless_they_are_narrowed(config_with):
    occupied = range(21, 61)
    assert victim_channels(config_with(EUROPE, {}), occupied, [30]) == list(range(21, 41))
    narrowed = config_with(EUROPE, {}, offsets=NARROWED)
    assert victim_channels(narrowed, occupied, [30]) == [21, *range(27, 34)]
    beyond = config_with(EUROPE, {}, beyond_table="last_row")
    assert victim_channels(beyond, occupied, [30]) == list(occupied)


def test_notice_says_what_is_not_looked_at(config_with):
    assert offsets_notice(config_with(EUROPE, {})) == (
        "Devices at offsets beyond +-10 (80 MHz) are not evaluated."
    )
    narrowed = config_with(EUROPE, {}, offsets=NARROWED)
    assert offsets_narrowed(narrowed)
    assert "-3, -2, -1, 0, 1, 2, 3, 9" in offsets_notice(narrowed)
    listed = config_with(EUROPE, {}, offsets=list(range(-10, 11)))
    assert not offsets_narrowed(listed)
    assert offsets_notice(config_with(EUROPE, {}, beyond_table="last_row")) is None


def test_threshold_method_has_its_own_offsets(config_with):
    threshold = {"offsets": [0, 1]}
    config = config_with(EUROPE, {}, method="threshold", threshold=threshold)
    assert victim_channels(config, range(21, 61), [30]) == [29, 30]
