"""Nos. 9.7A and 9.7B on a grid: the bound against the worked example and against space stations at random."""

from __future__ import annotations

import math
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from satellites import exact_view, write_yaml
from test_rr941_maps import centres_deg

from pipeline.coordination.rr97.epfd import bound_by_elevation, judge, run
from pipeline.coordination.rr97.systems import NonGeostationarySystem, Systems, read_systems
from pipeline.coordination.rr941.antenna_patterns import gain_dbi, pattern_segments
from pipeline.coordination.rr941.appendix5 import read_limits
from pipeline.errors import InputError
from pipeline.grid.grid import Grid

LIMITS = read_limits()
GRID = Grid("EPSG:3794", 10_000.0, 380_000.0, 200_000.0, 9, 7)
WANTED = np.ones((7, 9), dtype=bool)
WANTED[2, 3] = False
CONTENT = {
    "provision": "9.7B",
    "station": {
        "adm": "ARS",
        "name": "large",
        "satellite_longitude_deg": 42.0,
        "frequency_mhz": 11200.0,
        "bandwidth_mhz": 250.0,
        "gain_dbi": 64.0,
        "g_over_t_dbk": 44.0,
    },
    "system": {
        "adm": "F",
        "name": "low",
        "from_mhz": 10700.0,
        "to_mhz": 12700.0,
        "altitudes_km": [1200.0],
        "satellites_in_use": 1,
        "avoidance_deg": 2.0,
        "reference_khz": 40.0,
        "pfd_mask": [{"elevation_deg": 0.0, "pfd_dbw_m2": -146.0}],
    },
}
MASK = [(0.0, -158.0), (20.0, -150.0), (45.0, -152.0), (90.0, -145.0)]


def systems(**changes) -> Systems:
    """The worked example with some values changed: ``station__gain_dbi=65.0``."""
    content = deepcopy(CONTENT)
    for key, value in changes.items():
        role, name = key.split("__")
        content[role][name] = value
    return Systems.model_validate(content)


def layers(**changes):
    both = systems(**changes)
    return run(both, judge(both, LIMITS), GRID, WANTED)


def points(mask):
    return [{"elevation_deg": e, "pfd_dbw_m2": p} for e, p in mask]


def test_worked_example_holds_everywhere():
    found = layers()
    np.testing.assert_allclose(found["epfd_max"].values[WANTED], -188.526, atol=6e-4)
    assert (found["cond"].values[WANTED] == 1).all()
    assert (np.isnan(found["epfd_max"].values) == ~WANTED).all()
    assert found["cond"].values[2, 3] == 255
    assert (found["epfd_max"].dtype, found["cond"].dtype) == ("float32", "uint8")
    assert found["epfd_max"].attrs["units"] == "dB(W/m2/40 kHz)"


@pytest.mark.parametrize(
    ("changes", "epfd", "code"),
    [
        ({"system__avoidance_deg": 0.0}, -146.0, 3),
        ({"system__avoidance_deg": 0.0, "station__gain_dbi": 63.99}, -146.0, 2),
        ({"station__g_over_t_dbk": 43.9}, -188.526, 0),
        ({"station__bandwidth_mhz": 249.0}, -188.526, 0),
        # A satellite above 2500 km: -202 instead of -174.5 dB(W/m2).
        ({"system__altitudes_km": [1200.0, 8000.0]}, -188.526, 3),
        ({"system__satellites_in_use": 4}, -182.505, 1),
        # No common frequencies: neither condition is asked for.
        ({"system__from_mhz": 11400.0}, math.nan, 0),
        # Bands that touch have nothing in common.
        ({"system__from_mhz": 11325.0}, math.nan, 0),
        # No band of Appendix 5: Resolution 85 leaves condition 1, which has none either.
        ({"station__frequency_mhz": 15000.0, "system__to_mhz": 16000.0}, math.nan, 0),
    ],
)
def test_conditions_and_thresholds(changes, epfd, code):
    found = layers(**changes)
    np.testing.assert_allclose(found["epfd_max"].values[WANTED], epfd, atol=1e-3)
    assert set(found["cond"].values[WANTED].tolist()) == {code}


def test_band_is_found_where_only_part_of_the_common_frequencies_lies_in_it():
    both = systems(station__frequency_mhz=12750.0, station__bandwidth_mhz=500.0, system__to_mhz=13000.0)
    found = judge(both, LIMITS)
    assert found.frequency_mhz == pytest.approx(12500.02)  # half of 40 kHz above the lowest
    assert found.large_station


def test_power_in_another_bandwidth_than_the_threshold_is_refused():
    with pytest.raises(InputError, match=r"reference_khz.*1000.*40 kHz"):
        judge(systems(system__reference_khz=1000.0), LIMITS)
    ka = systems(
        system__reference_khz=1000.0,
        station__frequency_mhz=18200.0,
        station__gain_dbi=70.0,
        system__to_mhz=18500.0,
    )
    assert judge(ka, LIMITS).limit_dbw_m2 == -157.0


def test_place_that_does_not_see_the_satellite_has_no_station():
    found = layers(station__satellite_longitude_deg=-62.8)
    places = zip(*map(np.ravel, centres_deg()), strict=True)
    seen = np.array([exact_view(lon, lat, -62.8, 0.0)[2] for lon, lat in places])
    high = (seen.reshape(7, 9) >= 0.0) & WANTED
    assert 0 < high.sum() < WANTED.sum()
    np.testing.assert_array_equal(found["cond"].values != 255, high)
    np.testing.assert_array_equal(np.isfinite(found["epfd_max"].values), high)
    assert (layers(station__min_elevation_deg=60.0)["cond"].values == 255).all()


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 90.0), st.floats(0.0, 30.0), st.floats(0.0, 40.0), st.integers(0, 2**32 - 1))
def test_no_space_station_in_use_exceeds_the_bound(elevation, avoidance, lowest, seed):
    """Directions at random, as vectors; each station at the highest power of the mask."""
    content = {**CONTENT["system"], "avoidance_deg": avoidance, "min_elevation_deg": lowest}
    content["pfd_mask"] = points(MASK)
    pattern = pattern_segments("S.1428", 11200.0, gain_dbi=64.0)
    bound = bound_by_elevation(NonGeostationarySystem.model_validate(content), pattern)
    allowed = float(np.interp(elevation, np.linspace(0.0, 90.0, bound.size), bound))
    rng = np.random.default_rng(seed)
    # Near the wanted satellite as well as anywhere above the horizon.
    off = np.concatenate([avoidance + rng.exponential(3.0, 300), rng.uniform(avoidance, 180.0, 300)])
    turn = rng.uniform(0.0, 2.0 * math.pi, off.size)
    e, phi = math.radians(elevation), np.radians(np.minimum(off, 180.0))
    up = np.sin(e) * np.cos(phi) + np.cos(e) * np.sin(phi) * np.cos(turn)
    seen = np.degrees(np.arcsin(np.clip(up, -1.0, 1.0)))
    for angle, height in zip(off, seen, strict=True):
        if height >= lowest and angle <= 180.0:
            pfd = float(np.interp(height, *zip(*MASK, strict=True)))
            assert pfd + gain_dbi(pattern, angle) - 64.0 <= allowed + 1e-9


def test_bound_is_sharp_where_the_mask_is_flat_and_near_the_mask_elsewhere():
    pattern = pattern_segments("S.1428", 11200.0, gain_dbi=64.0)
    sloping = NonGeostationarySystem.model_validate({**CONTENT["system"], "pfd_mask": points(MASK)})
    bound = bound_by_elevation(sloping, pattern)
    # At 30 degrees, avoidance 2: -150.8 + 2 * 0.08 at 28 degrees of elevation, 21.474 dBi.
    assert bound[600] == pytest.approx(-150.64 + 21.474 - 64.0, abs=0.02)
    assert np.abs(np.diff(bound)).max() < 0.05


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gain_dbi: 64.0", "gain_dbi: 33.0", "S.1428"),
        ("provision:", "extra: 1\nprovision:", "unknown key"),
        ("from_mhz: 10700.0", "from_mhz: 12700.0", "not below"),
        ("9.7B", "9.7C", "provision"),
        ("satellites_in_use: 1", "satellites_in_use: 0", "satellites_in_use"),
        ("avoidance_deg: 2.0", "avoidance_deg: .nan", "avoidance_deg"),
    ],
)
def test_faulty_file_is_refused_with_the_key(tmp_path, old, new, said):
    path = write_yaml(tmp_path / "systems.yaml", CONTENT)
    assert read_systems(path) == Systems.model_validate(CONTENT)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=said):
        read_systems(path)


def test_mask_out_of_order_is_refused():
    with pytest.raises(ValueError, match="order"):
        systems(system__pfd_mask=points(reversed(MASK)))
