"""Speed of the min-plus minimum on a map like those of protect_c: DTT discs, 100 m pixels.

Radius and loss are those of the default territory's device: P.1546 at 50 % of time, out to its range.
``measure()`` compares with the compiled pair-by-pair twin of the tests, on sampled pixels.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from pipeline.dtt.interference_range import interference_range_km
from pipeline.dtt.min_plus_search import SearchMaps, min_plus, search_tables
from pipeline.plan.territory_file import load_config
from pipeline.propagation.homogeneous import loss_table_db, offset_distance_km, table_size
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.shipped import REPOSITORY

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "dtt"))
from brute_force import limits_db

PIXEL_KM = 0.1
CHANNEL = 43
"""650 MHz."""
CAP_DB = 36.0 + 21.0
"""Starting value: 36 dBm and a co-channel protection ratio of 21 dB."""
BT419 = (20.0, 60.0, 16.0)


class Case(NamedTuple):
    """One synthetic map, arrays as of ``min_plus``."""

    allowed_db: np.ndarray
    azimuth_deg: np.ndarray
    loss_db: np.ndarray
    targets: np.ndarray


class Reach(NamedTuple):
    """Loss by (|dy|, |dx|) pixels out to the maximum interference range, +inf beyond."""

    radius_km: float
    loss_db: np.ndarray


def default_reach() -> Reach:
    """Radius and loss of the first device of the default territory, against its default mode."""
    config = load_config(REPOSITORY / "configs" / "slovenia.yaml")
    device, mode = config.devices[0], config.coverage.default_mode
    radius_km = interference_range_km(
        config,
        device,
        read_protection_tables(config.protection),
        modes=[(mode.system, mode.mode)],
        channels=[CHANNEL],
        coastal=False,
    )
    size = table_size(radius_km, 1000.0 * PIXEL_KM, 1.0)
    distance_km = offset_distance_km(size, 1000.0 * PIXEL_KM, 1.0, device.min_separation_m.value)
    f_mhz = channel_centre_mhz(config.channels, CHANNEL)
    tables = loss_table_db(
        distance_km,
        radius_km,
        f_mhz,
        device.height_m,
        receiver_m=config.coverage.receiver_height_m,
        model=config.propagation.wsd_model,
    )
    return Reach(radius_km, np.minimum(tables.near_db, tables.far_db))


def _terrain_db(rng: np.random.Generator, shape: tuple[int, int], sigma_db: float) -> np.ndarray:
    """Correlated variation over 300 m to 5 km, as terrain clearance angles give it."""
    total = np.zeros(shape, np.float32)
    for scale_px in (3, 12, 50):
        layer = gaussian_filter(rng.standard_normal(shape).astype(np.float32), scale_px, mode="wrap")
        total += layer / layer.std()
    return total * np.float32(sigma_db / np.sqrt(3.0))


def synthetic_case(
    height: int, width: int, loss_db: np.ndarray, *, transmitters: int, sigma_db: float, seed: int = 1
) -> Case:
    """Coverage of a few transmitters, about half of the area served, azimuths towards the best server."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wanted = np.full((height, width), -np.inf, np.float32)
    azimuth = np.zeros((height, width), np.float32)
    for _ in range(transmitters):
        ty, tx = rng.uniform(0, height), rng.uniform(0, width)
        d_km = np.maximum(np.hypot(y - ty, x - tx) * np.float32(PIXEL_KM), 0.1)
        level = rng.uniform(98, 112) - 40 * np.log10(d_km) + _terrain_db(rng, (height, width), sigma_db)
        better = level > wanted
        wanted[better] = level[better]
        azimuth[better] = (np.degrees(np.arctan2(tx - x, y - ty)) % 360)[better]
    nuisance = 40.6 + np.abs(_terrain_db(rng, (height, width), 2.0))
    margin = wanted - nuisance
    # served from 70 % of locations up; the tolerated level, 0 dBi at 650 MHz, rises with the margin
    allowed = np.where(margin >= 3.0, nuisance - 14.0 + 0.9 * (margin - 3.0) - 77.216 - 56.26, np.inf)
    targets = np.ones((height, width), np.bool_)
    return Case(allowed.astype(np.float32), azimuth.astype(np.float32), loss_db, targets)


def timed(case: Case, targets: np.ndarray, threads: int) -> tuple[float, float, np.ndarray]:
    """Wall seconds, CPU seconds and the result of one call."""
    best = np.full(targets.shape, CAP_DB, np.float32)
    maps = SearchMaps(case.azimuth_deg, targets, best, np.zeros(targets.shape, np.uint8))
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    min_plus(case.allowed_db, search_tables(case.loss_db), BT419, maps, 1, threads=threads)
    return time.perf_counter() - wall_s, time.process_time() - cpu_s, best


def measure(repeats: int = 3, samples: int = 300) -> dict[str, float]:
    """The bench keys, and where the time goes (covered and uncovered pixels, CPU time of both threads)."""
    reach = default_reach()
    case = synthetic_case(1600, 1600, reach.loss_db, transmitters=4, sigma_db=6.0)
    served = np.isfinite(case.allowed_db)
    timed(case, case.targets & (np.arange(1600) < 16), 2)  # compile
    runs = [timed(case, case.targets, 2) for _ in range(repeats)]
    us_per_pixel = float(np.median([run[0] for run in runs])) / case.targets.sum() * 1e6
    cpu_us = float(np.median([run[1] for run in runs])) / case.targets.sum() * 1e6
    pick = np.random.default_rng(2).integers(0, 1600, (2, samples))
    limits_db(case.allowed_db, case.azimuth_deg, case.loss_db, *BT419, pick[0][:1], pick[1][:1])
    start = time.thread_time()
    brute = limits_db(case.allowed_db, case.azimuth_deg, case.loss_db, *BT419, pick[0], pick[1])
    brute_us = (time.thread_time() - start) / samples * 1e6
    apart = np.abs(np.minimum(brute, CAP_DB) - runs[0][2][pick[0], pick[1]])
    return {
        "protection_us_per_pixel_per_channel": us_per_pixel,
        "protection_speedup_vs_brute_force": brute_us / cpu_us,
        "protection_max_abs_diff_db": float(apart.max()),
        "protection_cpu_us_per_pixel": cpu_us,
        "protection_cpu_us_per_covered_pixel": timed(case, served, 2)[1] / served.sum() * 1e6,
        "protection_cpu_us_per_uncovered_pixel": timed(case, ~served, 2)[1] / (~served).sum() * 1e6,
        "protection_brute_force_us_per_pixel": brute_us,
        "protection_served_share": float(served.mean()),
        "protection_limited_share": float((runs[0][2] < CAP_DB).mean()),
        "protection_radius_km": reach.radius_km,
    }


if __name__ == "__main__":
    for key, value in measure().items():
        print(f"{key} {value:.4g}")
