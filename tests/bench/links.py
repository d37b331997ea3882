"""Links per second and core through P.1546-6: plain land, and the mix of all rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.propagation.models import model_named
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.method import p1546_links
from tests.bench.common import Skipped, median_s, shared_folder

COUNT = 100_000
NAN = float("nan")
PLAIN = {
    "t_pct": 50.0,
    "sea_km": 0.0,
    "warm_sea": 0.0,
    "only_sea": 0.0,
    "pathinfo": 1.0,
    "h2_m": 10.0,
    "R2_m": 10.0,
    "area": 0.0,
    "q_pct": 50.0,
}
LINK_COLUMNS = model_named("p1546").link_columns
AREAS = {"Rural": 0, "Suburban": 1, "Urban": 2, "Dense Urban": 3, "Sea": 4}


def table(columns: dict[str, NDArray[np.float64] | float], count: int) -> NDArray[np.float64]:
    """float64[count, 21] in the order of the kernel; what is not given is absent."""
    return np.stack([np.broadcast_to(columns.get(name, NAN), count) for name in LINK_COLUMNS], axis=1).copy()


def land_links() -> NDArray[np.float64]:
    """UHF land links with terrain heights and clearance angles, 1 to 300 km."""
    rng = np.random.default_rng(1546)
    columns = {
        **PLAIN,
        "f_mhz": rng.uniform(470.0, 694.0, COUNT),
        "d_km": 10.0 ** rng.uniform(0.0, 2.5, COUNT),
        "heff_m": 10.0 ** rng.uniform(1.0, 3.0, COUNT),
        "hb_m": 10.0 ** rng.uniform(1.0, 3.0, COUNT),
        "ha_m": rng.uniform(10.0, 200.0, COUNT),
        "tca_deg": rng.uniform(-1.0, 5.0, COUNT),
    }
    return table(columns, COUNT)


def shared_mix() -> NDArray[np.float64]:
    """The random links of the reference data, repeated."""
    links = pd.read_csv(shared_folder() / "data" / "p1546" / "random.csv")
    kinds = links["path_c"].str.split(";")
    lengths = [[float(km) for km in str(text).split(";")] for text in links["d_v_km"]]
    pairs = [list(zip(km, kind, strict=True)) for km, kind in zip(lengths, kinds, strict=True)]
    columns = {name: links[name].to_numpy() for name in LINK_COLUMNS if name in links and name != "area"}
    columns |= {
        "area": links["area"].map(AREAS).to_numpy(),
        "sea_km": np.array([sum(km for km, kind in pair if kind != "Land") for pair in pairs]),
        "warm_sea": np.array(["Warm" in kind for kind in kinds]),
        "only_sea": np.array([len(kind) == 1 and kind[0] != "Land" for kind in kinds]),
    }
    mix = table(columns, len(links))
    return np.tile(mix, (COUNT // len(mix), 1))


def generated_mix() -> NDArray[np.float64]:
    """A mix of the same kind where the reference data are absent."""
    rng = np.random.default_rng(6451)
    d_km = 10.0 ** rng.uniform(-1.7, 2.7, COUNT)
    columns = {
        **PLAIN,
        "f_mhz": 10.0 ** rng.uniform(1.5, 3.6, COUNT),
        "t_pct": rng.uniform(1.0, 50.0, COUNT),
        "d_km": d_km,
        "sea_km": d_km * rng.choice([0.0, 0.0, 0.5, 1.0], COUNT),
        "warm_sea": rng.integers(0, 2, COUNT),
        "heff_m": rng.choice([-50.0, 5.0, 50.0, 500.0, 2000.0], COUNT),
        "ha_m": rng.uniform(5.0, 300.0, COUNT),
        "area": rng.integers(0, 5, COUNT),
        "h2_m": rng.choice([1.5, 10.0, 20.0], COUNT),
        "q_pct": rng.choice([50.0, 50.0, 90.0], COUNT),
        "wa_m": 500.0,
        "tca_deg": rng.choice([NAN, 5.0], COUNT),
    }
    return table(columns, COUNT)


def measure() -> dict[str, float]:
    """Links per second of one core."""
    curves = load_curves()
    land = land_links()
    try:
        mix = shared_mix()
    except Skipped:
        mix = generated_mix()
    return {
        "p1546_links_per_s_per_core": len(land) / median_s(lambda: p1546_links(curves, land)),
        "p1546_mix_links_per_s_per_core": len(mix) / median_s(lambda: p1546_links(curves, mix)),
    }
