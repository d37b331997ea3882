"""Heights, validity and what is said when an input is absent or out of range."""

from __future__ import annotations

import math

import pytest

from pipeline.propagation.models import Surroundings
from tests.propagation.links import NAN, P1546, field, link


def test_h1_on_land_follows_the_distance(curves):
    heights = {"heff_m": 150.0, "ha_m": 30.0}
    for d_km, h1_m in ((2.0, 30.0), (3.0, 30.0), (9.0, 90.0), (15.0, 150.0), (40.0, 150.0)):
        bare = field(curves, d_km=d_km, heff_m=h1_m, terrain=True)
        slope = 20 * math.log10(d_km / math.hypot(d_km, 0.02))
        assert field(curves, d_km=d_km, **heights) == pytest.approx(bare + slope, abs=1e-9)
    known = {"heff_m": 150.0, "hb_m": 70.0, "terrain": True}
    assert field(curves, d_km=14.9, **known) == field(curves, d_km=14.9, heff_m=70.0)
    assert field(curves, d_km=15.0, **known) == field(curves, d_km=15.0, heff_m=150.0)


def test_h1_over_sea_is_the_height_above_the_sea(curves):
    sea = {"d_km": 5.0, "sea_km": 5.0, "ha_m": 10.0, "heff_m": 60.0}
    single, mixed = field(curves, **sea, only_sea=True), field(curves, **sea)
    assert single > mixed + 1.0


def test_absent_heights_fall_back_to_the_effective_height(curves):
    for terrain in (False, True):
        found, _, valid = link(curves, d_km=5.0, heff_m=80.0, terrain=terrain)
        assert found == field(curves, d_km=5.0, heff_m=80.0, hb_m=80.0, terrain=True)
        assert valid


OUTSIDE = {
    "frequency low": {"f_mhz": 29.0},
    "frequency high": {"f_mhz": 4001.0},
    "time rare": {"t_pct": 0.5},
    "time common": {"t_pct": 51.0},
    "distance": {"d_km": 1001.0},
    "height": {"heff_m": 3001.0},
    "sea antenna below 3 m": {"sea_km": 20.0, "only_sea": True, "heff_m": 2.0},
    "receiver low": {"h2_m": 0.9},
    "receiver low at sea": {"area": Surroundings.SEA, "h2_m": 2.9},
    "locations": {"q_pct": 99.5},
    "square absent": {"terrain": True, "q_pct": 90.0},
    "square wide": {"terrain": True, "q_pct": 90.0, "wa_m": 1001.0},
    "no antenna height below 1 km": {"d_km": 0.5},
    "no effective height": {"heff_m": NAN, "ha_m": 30.0},
    "clutter without antenna height": {"r1_m": 20.0},
    "one terrain height": {"ha_m": 20.0, "htter_m": 100.0},
    "one angle": {"eff1_deg": 0.1},
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_outside_validity_the_value_is_flagged_and_given(curves, case):
    found, branch, valid = link(curves, **OUTSIDE[case])
    assert math.isfinite(found)
    assert branch != P1546.UNDEFINED
    assert valid is False


INSIDE = {
    "frequency": ({"f_mhz": 30.0}, {"f_mhz": 4000.0}),
    "time": ({"t_pct": 1.0}, {"t_pct": 50.0}),
    "distance": ({"d_km": 1000.0}, {"d_km": 0.001, "ha_m": 30.0}),
    "height": ({"heff_m": 3000.0}, {"heff_m": -400.0}),
    "sea antenna": ({"sea_km": 20.0, "only_sea": True, "heff_m": 3.0}, {"sea_km": 10.0, "heff_m": -30.0}),
    "receiver": ({"h2_m": 1.0}, {"area": Surroundings.SEA, "h2_m": 3.0}),
    "locations": ({"q_pct": 1.0}, {"q_pct": 99.0, "terrain": True, "wa_m": 50.0}),
}


@pytest.mark.parametrize("case", INSIDE)
def test_limits_of_validity_belong_to_it(curves, case):
    assert all(link(curves, **inputs)[2] for inputs in INSIDE[case])


UNDEFINED = (
    {"f_mhz": 0.0},
    {"f_mhz": NAN},
    {"d_km": -1.0},
    {"d_km": NAN},
    {"d_km": math.inf},
    {"t_pct": 0.0},
    {"t_pct": 100.0},
    {"q_pct": 0.0},
    {"q_pct": 100.0},
    {"h2_m": 0.0},
    {"h2_m": NAN},
    {"heff_m": NAN},
    {"d_km": 0.0, "ha_m": 10.0},
)


@pytest.mark.parametrize("inputs", UNDEFINED, ids=str)
def test_undefined_is_not_a_number(curves, inputs):
    found, branch, valid = link(curves, **inputs)
    assert math.isnan(found)
    assert (branch, valid) == (P1546.UNDEFINED, False)


def test_beyond_1000_km_the_curves_are_extrapolated_and_named(curves):
    last = field(curves, d_km=975.0), field(curves, d_km=1000.0)
    weight = math.log(1200 / 975) / math.log(1000 / 975)
    found, branch, _ = link(curves, d_km=1200.0)
    assert found == pytest.approx(last[0] + weight * (last[1] - last[0]), abs=1e-9)
    assert branch == P1546.BEYOND_1000KM
