"""A made-up register on a small British grid, and the rule of the pilot written out in plain Python.

The rule uses nothing of the package: formulas of extended Hata from Report ITU-R SM.2028, numbers of the
tables as typed in the tests, distances by trying every point of the lattice.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import yaml
from pyproj import Proj

from pipeline.config.config import Config
from pipeline.grid.grid import Grid
from pipeline.services.base import ServiceContext, ServiceLimit
from tests.asking import prepare

GRID = Grid("EPSG:27700", 100.0, 532_000.0, 181_000.0, 12, 10)
CAP_DBM = 36.0
DEVICE = {
    "id": "tested",
    "emission_class": 1,
    "height_m": 30.0,
    "min_separation_m": {"value": 20.0, "source": "test", "verified": True},
    "cap_dbm": CAP_DBM,
    "min_eirp_dbm": -40.0,
    "load": "loaded",
}
MICROPHONE = {
    "id": "a",
    "kind": "wireless_microphone",
    "lon": "",
    "lat": "",
    "easting_m": 532_650.0,
    "northing_m": 180_450.0,
    "antenna_height_agl_m": 5,
    "freq_mhz": 650.0,
    "bandwidth_mhz": 0.2,
    "start": "",
    "finish": "",
    "situation": "outdoor",
    "environment": "",
}
CHANNEL = 43  # 646-654 MHz
F_MHZ = 650.0


def write_register(path: Path, rows: list[dict[str, object]]) -> Path:
    """Rows as a CSV register; what a row leaves out is that of the microphone."""
    full = [MICROPHONE | row for row in rows]
    lines = [",".join(MICROPHONE)] + [",".join(str(row[name]) for name in MICROPHONE) for row in full]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_config(
    folder: Path,
    repository: Path,
    rows: list[dict[str, object]],
    *,
    device: dict[str, object] | None = None,
    validity_hours: float = 24.0,
    **settings: object,
) -> Config:
    """The default territory with one device and a register of ``rows``."""
    content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
    del content["protection"]["device_path"]
    register = write_register(folder / "pmse.csv", rows)
    content |= {
        "name": "case",
        "devices": [DEVICE | (device or {})],
        "validity_hours": validity_hours,
        "channels": {
            "plan": [{"first_channel": 21, "last_channel": 69, "first_centre_mhz": 474.0, "width_mhz": 8.0}],
            "wsd": ["21-60"],
        },
        "services": content["services"] | {"pmse": {"status": "evaluate"}},
        "pmse": {"registers": [str(register)], "crs": "EPSG:27700"} | settings,
    }
    return Config.model_validate(content)


def limit_of(config: Config, *, channel: int = CHANNEL, grid: Grid = GRID) -> ServiceLimit:
    """The service's limit on the whole grid."""
    limit = prepare("pmse", ServiceContext(config, Path("unused"), grid, ()), config.devices[0], channel)
    assert limit is not None
    return limit(slice(0, grid.height), slice(0, grid.width))


def scale_of(grid: Grid) -> float:
    """Largest scale of a transverse Mercator grid: at its corner farthest from the central meridian."""
    projection = Proj(grid.crs)
    east_m = grid.west_m + grid.width * grid.resolution_m
    south_m = grid.north_m - grid.height * grid.resolution_m
    corners = [(x, y) for x in (grid.west_m, east_m) for y in (south_m, grid.north_m)]
    return max(projection.get_factors(*projection(x, y, inverse=True)).tissot_semimajor for x, y in corners)


# --- the rule -----------------------------------------------------------------------------------------------


def free_space_db(d_km: float, f_mhz: float, h1_m: float, h2_m: float) -> float:
    return 32.4 + 20 * math.log10(f_mhz) + 10 * math.log10(d_km**2 + (h1_m - h2_m) ** 2 / 1e6)


def hata_db(d_km: float, f_mhz: float, base_m: float, mobile_m: float, environment: str) -> float:
    """Extended Hata, 150-1500 MHz, up to 20 km (Report ITU-R SM.2028)."""
    log_f = math.log10(f_mhz)
    a = (1.1 * log_f - 0.7) * min(10.0, mobile_m) - (1.56 * log_f - 0.8)
    a += max(0.0, 20 * math.log10(mobile_m / 10))
    b = min(0.0, 20 * math.log10(base_m / 30))
    log_h = math.log10(max(30.0, base_m))
    loss_db = 69.6 + 26.2 * log_f - 13.82 * log_h + (44.9 - 6.55 * log_h) * math.log10(d_km) - a - b
    if environment == "suburban":
        loss_db -= 2 * math.log10(f_mhz / 28) ** 2 + 5.4
    if environment == "open":
        loss_db -= 4.78 * log_f**2 - 18.33 * log_f + 40.94
    return loss_db


def loss_db(
    d_km: float,
    f_mhz: float,
    device_m: float,
    receiver_m: float,
    environment: str,
    device_is_base: bool = True,
) -> float:
    """Free space to 40 m, extended Hata from 100 m, over log distance between, never below free space."""
    ends_m = (device_m, receiver_m)
    if not device_is_base:
        ends_m = (max(ends_m), min(ends_m))
    free_db = free_space_db(d_km, f_mhz, *ends_m)
    if d_km <= 0.04 or environment == "airborne":
        return free_db
    if d_km >= 0.1:
        return max(free_db, hata_db(d_km, f_mhz, *ends_m, environment))
    near_db, far_db = free_space_db(0.04, f_mhz, *ends_m), hata_db(0.1, f_mhz, *ends_m, environment)
    share = (math.log10(d_km) - math.log10(0.04)) / (math.log10(0.1) - math.log10(0.04))
    return max(free_db, near_db + share * (far_db - near_db))


def lattice_distance_m(grid: Grid, row: int, col: int, x_m: float, y_m: float) -> float:
    """Smallest distance from a receiver to a 10 m lattice point of a pixel; 0 if it lies in the pixel."""
    west_m = grid.west_m + col * grid.resolution_m
    south_m = grid.north_m - (row + 1) * grid.resolution_m
    if west_m <= x_m <= west_m + grid.resolution_m and south_m <= y_m <= south_m + grid.resolution_m:
        return 0.0
    steps_m = np.arange(0.0, grid.resolution_m + 1.0, 10.0)
    return float(np.min(np.hypot(west_m + steps_m[:, None] - x_m, south_m + steps_m[None, :] - y_m)))
