"""Links for the tests: one with plain defaults, changed by keyword; and a seeded crowd of odd ones."""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np

from pipeline.propagation.models import Surroundings, model_named
from pipeline.propagation.p1546.link import p1546_field

NAN = math.nan


def regimes(model: str) -> IntEnum:
    """The propagation regimes of a model by name, as its kernels number them."""
    return IntEnum("Regime", {word.upper(): code for code, word in enumerate(model_named(model).regimes)})


P1546 = regimes("p1546")
DEFAULTS = {
    "f_mhz": 600.0,
    "t_pct": 50.0,
    "d_km": 20.0,
    "sea_km": 0.0,
    "warm_sea": False,
    "only_sea": False,
    "heff_m": 100.0,
    "ha_m": NAN,
    "hb_m": NAN,
    "terrain": False,
    "h2_m": 10.0,
    "r2_m": 10.0,
    "area": int(Surroundings.RURAL),
    "r1_m": NAN,
    "q_pct": 50.0,
    "wa_m": NAN,
    "tca_deg": NAN,
    "htter_m": NAN,
    "hrter_m": NAN,
    "eff1_deg": NAN,
    "eff2_deg": NAN,
}


def link(curves, kernel=p1546_field, **changed):
    """Field, branch and validity of the default link with some inputs changed."""
    unknown = set(changed) - set(DEFAULTS)
    assert not unknown, unknown
    return kernel(curves, *{**DEFAULTS, **changed}.values())


def field(curves, **changed):
    return link(curves, **changed)[0]


def odd_pixels(rng, count):
    """Inputs of ``p1546_pixel_field`` after the curves, from all corners of the method."""
    for _ in range(count):
        d_km = rng.choice([10 ** rng.uniform(-2, 3), rng.uniform(1, 300), float(rng.integers(1, 40))])
        heff_m = rng.choice(
            [
                rng.uniform(-300, 10),
                rng.uniform(0, 10),
                10 ** rng.uniform(1, 3.08),
                rng.uniform(1200, 3300),
                75.0,
            ]
        )
        tca_deg = rng.choice([NAN, rng.uniform(-3, 30)])
        yield {
            "d_km": d_km,
            "heff_m": heff_m,
            "hb_m": rng.choice([NAN, heff_m + rng.normal() * 5]),
            "ha_m": rng.choice([NAN, rng.uniform(5, 300), rng.uniform(5, 3000)]),
            "h2_m": rng.choice([10.0, 1.5, rng.uniform(1, 40)]),
            "r2_m": rng.choice([10.0, 20.0, rng.uniform(1, 30)]),
            "area": int(rng.integers(0, 5)),
            "sea_km": rng.choice([0.0, 0.0, d_km * rng.uniform(0, 1), d_km]),
            "warm_sea": bool(rng.integers(2)),
            "tca_deg": tca_deg,
            "theta_eff1_deg": NAN if math.isnan(tca_deg) else rng.choice([NAN, rng.uniform(-2, 2)]),
            "terrain": bool(rng.integers(2)),
        }


def frequencies_and_times(rng, count):
    for _ in range(count):
        f_mhz = rng.choice([rng.uniform(470, 700), rng.uniform(30, 4000), 100.0, 600.0, 2000.0, 174.0])
        yield float(f_mhz), float(rng.choice([1.0, 10.0, 50.0, rng.uniform(1, 50)]))


def seeded(number):
    return np.random.default_rng(number)
