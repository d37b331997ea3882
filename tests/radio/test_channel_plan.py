"""Channel plans against channel edges known from the regulations; how devices and DTT channels meet."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.channels import Channels
from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.radio.channel_plan import centre_mhz, offset_of, segment_of, victim_channels, victims_by_offset
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
    with pytest.raises(InputError, match="6MHz, 7MHz, 8MHz"):
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
    assert offset.share == (1.0 if channel == victim else 0.0)
    assert offset.width_mhz == 8.0


# Device in channel 21 (centre 474 MHz): edges by hand against 470-476, 476-482, 482-488, 488-494, ...
@pytest.mark.parametrize(
    ("bandwidth_mhz", "victim", "number", "share"),
    [
        (8, 71, 0, 6 / 8),  # 470-478 covers 470-476
        (8, 72, 0, 2 / 8),  # and 476-478 of 476-482
        (8, 73, -1, 0),  # 4 MHz away, less than a channel of 6
        (8, 74, -2, 0),  # 10 MHz away
        (5, 71, 0, 4.5 / 5),  # 471.5-476.5
        (5, 72, 0, 0.5 / 5),
        (4, 72, -1, 0),  # 472-476 touches 476-482
        (20, 71, 0, 6 / 20),  # 464-484 covers it
    ],
)
def test_overlap_of_unequal_rasters_is_counted_in_frequency(bandwidth_mhz, victim, number, share):
    offset = offset_of(Channels(plan=MIXED, wsd=[21]), _Device(bandwidth_mhz), 21, victim)
    assert offset.number == number
    assert offset.share == pytest.approx(share, abs=1e-12)
    assert offset.width_mhz == 6.0


def test_numbers_that_follow_each_other_in_far_bands_do_not_limit(config_with):
    australia = [
        {"first_channel": 6, "last_channel": 12, "first_centre_mhz": 177.5, "width_mhz": 7.0},
        {"first_channel": 13, "last_channel": 33, "first_centre_mhz": 529.5, "width_mhz": 7.0},
    ]
    config = config_with(australia, {"bandwidth_mhz": 7.0})
    assert victim_channels(config, [12, 13, 14, 30], [13]) == [13, 14]


def test_device_wider_than_its_channel_overlaps_both_neighbours(config_with):
    config = config_with(EUROPE, {"bandwidth_mhz": 10.0})
    found = victims_by_offset(config, config.devices[0], 40, range(21, 61))
    # 621-631 MHz reaches 1 MHz into 39 and 41; 38 begins 7 MHz below, less than a channel.
    numbers = {38: 1, 37: 2, 36: 3, 42: -1, 43: -2, 44: -3, 30: 9}
    assert {victim: offset.number for victim, offset in found} == {39: 0, 40: 0, 41: 0} | numbers
    shares = {victim: round(offset.share, 9) for victim, offset in found if offset.number == 0}
    assert shares == {39: 0.1, 40: 0.8, 41: 0.1}
    assert [victim for victim, _ in found[:3]] == [40, 39, 41]


def test_each_device_has_its_own_victims(config_with):
    narrow, wide = {"bandwidth_mhz": 5.0}, {"bandwidth_mhz": 10.0}
    assert victim_channels(config_with(EUROPE, narrow), [26, 30, 34], [30]) == [30]
    assert victim_channels(config_with(EUROPE, narrow, wide), [26, 30, 34], [30]) == [26, 30, 34]


def test_threshold_method_has_its_own_offsets(config_with):
    threshold = {"offsets": [0, 1]}
    config = config_with(EUROPE, {}, method="threshold", threshold=threshold)
    assert victim_channels(config, range(21, 61), [30]) == [29, 30]
