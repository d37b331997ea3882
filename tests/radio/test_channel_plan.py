"""Channel plans against channel edges known from the regulations."""

import pytest

from pipeline.config.channels import PlanSegment
from pipeline.errors import InputError
from pipeline.radio.channel_plan import centre_mhz, channel_at, named_plan, segment_of

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
    assert channel_at(plan, low_mhz) == channel
    assert channel_at(plan, high_mhz - 0.001) == channel


def test_frequency_on_an_edge_belongs_to_the_upper_channel():
    assert channel_at(named_plan("8MHz"), 478.0) == 22


@pytest.mark.parametrize("frequency_mhz", [469.9, 862.0, 100.0])
def test_frequency_outside_the_plan_has_no_channel(frequency_mhz):
    assert channel_at(named_plan("8MHz"), frequency_mhz) is None


def test_gaps_between_segments_have_no_channel():
    plan = named_plan("6MHz")
    assert channel_at(plan, 74.0) is None
    assert channel_at(plan, 300.0) is None
    assert segment_of(named_plan("7MHz"), 20) is None


def test_plan_of_the_configuration_is_used_as_it_stands():
    plan = [PlanSegment(first_channel=1, last_channel=3, first_centre_mhz=100.0, width_mhz=5.0)]
    assert [channel_at(plan, f_mhz) for f_mhz in (97.5, 102.5, 112.4, 112.5)] == [1, 2, 3, None]


def test_unknown_plan_is_refused_with_the_known_names():
    with pytest.raises(InputError, match="6MHz, 7MHz, 8MHz"):
        named_plan("9MHz")
