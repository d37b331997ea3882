"""Speed of the comparison of satellite networks: 2 million pixels, 100 pairs of assignments, two threads.

Coordinates of the pixels, both ways and the largest value of each pair included; ten antennas, four beams.
"""

from __future__ import annotations

import numpy as np

from pipeline.coordination.rr941.appendix5 import read_limits
from pipeline.coordination.rr941.comparison import WAYS, run
from pipeline.coordination.rr941.networks import Networks
from pipeline.grid.grid import Grid
from tests.bench.common import median_s

GRID = Grid("EPSG:3794", 200.0, 300_000.0, 300_000.0, 2000, 1000)
THREADS = 2
# 5 x 10 pairs in each direction.
VICTIMS, INTERFERERS = 5, 10


def network(name: str, longitude_deg: float, count: int) -> dict[str, object]:
    """A network with as many assignments in each direction, all on the same frequencies."""
    assignments = [
        {
            "id": f"{direction}{k}",
            "direction": direction,
            "bandwidth_khz": 36_000.0,
            "frequency_mhz": 12_500.0 if direction == "down" else 14_250.0,
            "earth_station": {"pattern": "AP8", "diameter_m": 0.6 + 0.3 * k},
            "power_density_dbw_hz": -60.0 - k,
            "satellite_gain_dbi": 35.0,
            "noise_temperature_k": 150.0 + 10.0 * k,
            "satellite_beam": {
                "boresight_lon_deg": 14.0 + k % 2,
                "boresight_lat_deg": 46.0,
                "beamwidth_deg": 2.0,
                "side_lobe_db": -20,
            }
            if k % 3 == 0
            else None,
        }
        for direction in ("down", "up")
        for k in range(count)
    ]
    return {"adm": "SVN", "name": name, "longitude_deg": longitude_deg, "assignments": assignments}


def measure() -> dict[str, float]:
    """Time by pixel and pair, all cores together, and of the whole comparison one way."""
    networks = Networks.model_validate(
        {"victim": network("a", 16.0, VICTIMS), "interferer": network("b", 23.0, INTERFERERS)}
    )
    limits, wanted = read_limits(), np.ones((GRID.height, GRID.width), dtype=bool)
    duration_s = median_s(lambda: run(networks, limits, GRID, wanted, threads=THREADS), repeats=1)
    pairs = 2 * VICTIMS * INTERFERERS
    return {
        "rr941_ns_per_pixel_pair": 1e9 * duration_s / (wanted.size * pairs * len(WAYS)),
        "rr941_two_million_pixels_100_pairs_s": duration_s / len(WAYS),
    }
