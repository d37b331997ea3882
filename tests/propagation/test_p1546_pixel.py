"""The raster entry equals single links, and the pruning bound is one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.link import p1546_field
from pipeline.propagation.p1546.pixel import _monotone_bound, p1546_pixel_field, p1546_upper_bound, prepare
from tests.propagation.links import NAN, frequencies_and_times, odd_pixels, seeded

CURVES = load_curves()
UHF = prepare(CURVES, 650.0, 50.0)
RARE = prepare(CURVES, 650.0, 1.0)


def as_link(curves, f_mhz, t_pct, pixel):
    """The pixel's field through the code of single links."""
    tca_deg, eff1_deg = pixel["tca_deg"], pixel["theta_eff1_deg"]
    scatter = not (math.isnan(tca_deg) or math.isnan(eff1_deg))
    return p1546_field(
        curves, f_mhz, t_pct, pixel["d_km"], pixel["sea_km"], pixel["warm_sea"],
        pixel["sea_km"] >= pixel["d_km"], pixel["heff_m"], pixel["ha_m"], pixel["hb_m"], pixel["terrain"],
        pixel["h2_m"], pixel["r2_m"], pixel["area"], NAN, 50.0, NAN, tca_deg, NAN, NAN,
        eff1_deg if scatter else NAN, tca_deg if scatter else NAN,
    )[0]  # fmt: skip


def at_pixel(prepared, curves, pixel, kernel=p1546_pixel_field):
    order = ("d_km", "heff_m", "hb_m", "ha_m", "h2_m", "r2_m", "area", "sea_km", "warm_sea", "tca_deg",
             "theta_eff1_deg", "terrain")  # fmt: skip
    return kernel(prepared, curves, *[pixel[name] for name in order])


def test_pixel_equals_link_in_all_corners(curves):
    rng = seeded(5)
    for f_mhz, t_pct in frequencies_and_times(rng, 100):
        prepared = prepare(curves, f_mhz, t_pct)
        for pixel in odd_pixels(rng, 100):
            found = at_pixel(prepared, curves, pixel)
            expected = as_link(curves, f_mhz, t_pct, pixel)
            assert found == pytest.approx(expected, abs=1e-9, nan_ok=True), (f_mhz, t_pct, pixel)


def test_pixel_kernel_equals_python(curves):
    rng = seeded(6)
    for pixel in odd_pixels(rng, 50):
        compiled = at_pixel(UHF, curves, pixel)
        plain = at_pixel(UHF, curves, pixel, p1546_pixel_field.py_func)
        assert compiled == pytest.approx(plain, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    "inputs", [{"d_km": NAN}, {"d_km": -1.0}, {"h2_m": 0.0}, {"heff_m": NAN, "ha_m": NAN}]
)
def test_undefined_pixel_is_not_a_number(curves, inputs):
    pixel = {
        "d_km": 10.0, "heff_m": 50.0, "hb_m": NAN, "ha_m": 20.0, "h2_m": 10.0, "r2_m": 10.0, "area": 0,
        "sea_km": 0.0, "warm_sea": False, "tca_deg": NAN, "theta_eff1_deg": NAN, "terrain": True, **inputs,
    }  # fmt: skip
    assert math.isnan(at_pixel(UHF, curves, pixel))


def share_of_sea(pixel):
    return min(pixel["sea_km"] / pixel["d_km"], 1.0) if pixel["d_km"] > 0 else 0.0


def test_bound_holds_for_all_pixels_at_its_distance_and_beyond(curves):
    rng = seeded(7)
    for f_mhz, t_pct in frequencies_and_times(rng, 100):
        prepared = prepare(curves, f_mhz, t_pct)
        for pixel in odd_pixels(rng, 100):
            field = at_pixel(prepared, curves, pixel)
            highest_m = np.nanmax([pixel["heff_m"], pixel["hb_m"], pixel["ha_m"]])
            nearer_km = pixel["d_km"] * rng.choice([1.0, rng.uniform(0.01, 1)])
            share = rng.uniform(share_of_sea(pixel), 1.0) if rng.random() < 0.5 else share_of_sea(pixel)
            bound = p1546_upper_bound(prepared, nearer_km, highest_m, share, pixel["warm_sea"], pixel["h2_m"])
            assert not field > bound + 1e-9, (f_mhz, t_pct, nearer_km, pixel)


def test_bound_with_a_known_angle_holds_too(curves):
    rng = seeded(8)
    for pixel in odd_pixels(rng, 2000):
        field = at_pixel(UHF, curves, pixel)
        angle = pixel["theta_eff1_deg"] + pixel["tca_deg"]
        clearance_alone = math.isnan(angle) and not math.isnan(pixel["tca_deg"])
        highest_m = np.nanmax([pixel["heff_m"], pixel["hb_m"], pixel["ha_m"]])
        least_deg = -180.0 if clearance_alone else angle
        sea = (share_of_sea(pixel), pixel["warm_sea"])
        bound = p1546_upper_bound(UHF, pixel["d_km"], highest_m, *sea, pixel["h2_m"], least_deg)
        assert not field > bound + 1e-9, pixel


@settings(max_examples=300, deadline=None)
@given(
    d=st.floats(0.001, 990), more=st.floats(1, 3), h=st.floats(-100, 3000), sea=st.floats(0, 1),
    angle=st.sampled_from([-180.0, 0.5, NAN]),
)  # fmt: skip
def test_bound_never_rises_with_distance(d, more, h, sea, angle):
    near = p1546_upper_bound(UHF, d, h, sea, False, 10.0, angle)
    assert p1546_upper_bound(UHF, min(d * more, 1000.0), h, sea, False, 10.0, angle) <= near + 1e-9


@settings(max_examples=300, deadline=None)
@given(
    d=st.floats(11, 900), h=st.floats(10, 2000), sea=st.floats(0, 1), more=st.floats(0, 1), warm=st.booleans()
)
def test_bound_rises_with_the_share_of_sea(d, h, sea, more, warm):
    low = p1546_upper_bound(RARE, d, h, sea, warm, 10.0, NAN)
    assert low <= p1546_upper_bound(RARE, d, h, sea + more * (1 - sea), warm, 10.0, NAN) + 1e-9


def test_bound_is_close_over_a_little_sea(curves):
    # What makes the bound worth computing: a tenth of sea must not be taken for sea all the way.
    for d_km in (40.0, 150.0, 300.0):
        pixel = {
            "d_km": d_km, "heff_m": 200.0, "hb_m": NAN, "ha_m": NAN, "h2_m": 10.0, "r2_m": 10.0, "area": 0,
            "sea_km": 0.1 * d_km, "warm_sea": False, "tca_deg": NAN, "theta_eff1_deg": NAN, "terrain": True,
        }  # fmt: skip
        bound = p1546_upper_bound(RARE, d_km, 200.0, 0.1, False, 10.0, NAN)
        assert 0 <= bound - at_pixel(RARE, curves, pixel) < 1.0
        assert p1546_upper_bound(RARE, d_km, 200.0, 1.0, False, 10.0, NAN) > bound + 5.0


def test_bound_is_close_over_plain_land(curves):
    # A bound that is far off prunes nothing: no terrain, receiver at 10 m, the same height.
    for d_km in (5.0, 40.0, 150.0, 400.0):
        pixel = {
            "d_km": d_km, "heff_m": 200.0, "hb_m": 200.0, "ha_m": NAN, "h2_m": 10.0, "r2_m": 10.0, "area": 0,
            "sea_km": 0.0, "warm_sea": False, "tca_deg": NAN, "theta_eff1_deg": NAN, "terrain": True,
        }  # fmt: skip
        bound = p1546_upper_bound(UHF, d_km, 200.0, 0.0, False, 10.0, NAN)
        assert 0 <= bound - at_pixel(UHF, curves, pixel) < 0.5


def test_bound_holds_for_low_antennas_near_the_sea(curves):
    rng = seeded(9)
    for f_mhz, t_pct in ((600.0, 50.0), (900.0, 1.0), (2000.0, 10.0)):
        prepared = prepare(curves, f_mhz, t_pct)
        for _ in range(500):
            d_km, heff_m = rng.uniform(1, 14), rng.uniform(1, 10)
            pixel = {
                "d_km": d_km, "heff_m": heff_m, "hb_m": NAN, "ha_m": NAN, "h2_m": 10.0, "r2_m": 10.0,
                "area": 0, "sea_km": rng.choice([d_km, 0.99 * d_km]), "warm_sea": False, "tca_deg": NAN,
                "theta_eff1_deg": NAN, "terrain": True,
            }  # fmt: skip
            field = at_pixel(prepared, curves, pixel)
            assert field <= p1546_upper_bound(prepared, d_km, heff_m, 1.0, False, 10.0, NAN) + 1e-9


def test_monotone_bound_is_the_least_one():
    table = seeded(10).normal(size=(2, 6, 4))
    bound = _monotone_bound(table)
    for i in range(6):
        for j in range(4):
            assert bound[i, j] == table[:, i:, : j + 1].max()
